"""A service at run time: replicas that crash, pause and come back, over one durable database."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from heapq import heappush
from random import Random
from typing import TYPE_CHECKING, Any

from ..model import Envelope, Handler, Service
from .clock import DELIVER, RESTART, SESSION, varied
from .database import Database
from .execution import Execution
from .faults import Fault

if TYPE_CHECKING:
    from .queues import WorkQueue
    from .topics import Reader
    from .world import Timer, World


class Replica:
    """One process of a service. It handles one message at a time, and beside it those of queues with prefetch.
    A crash takes all that is in flight in it."""

    def __init__(self, service: "ServiceRuntime", number: int):
        self.service, self.number = service, number
        self.actor = (service.name, number)
        self.up, self.paused = True, False
        self.reachable = True  # up, not paused, not cut off
        self.state: dict = {}
        self.busy: Execution | None = None  # of the message that it fetches or handles
        self.waiting: deque[Reader | WorkQueue] = deque()  # they have a message for it
        self.running: dict[Execution, None] = {}  # beside it, as an ordered set
        self.held: list[tuple[Callable, Any]] = []  # what a pause holds back
        self.silent_since: int | None = None
        self.session: Timer | None = None
        self.evicted: Execution | None = None  # the handling that took too long for its group
        self.paused_until = 0
        self.sent = 0  # when the last message that it published arrives

    # -- one message at a time

    def offer(self, source: "Reader | WorkQueue") -> None:
        """A source has a message: fetch it now, or when this replica is free."""
        if self.busy is not None or not self.reachable:
            if source not in self.waiting:
                self.waiting.append(source)
            return
        self.busy = execution = source.next_execution(self)
        if execution is None:
            self.release(None)
            return
        world = self.service.world
        takes = 0 if source.skip_fetch else DELIVER
        if takes and not world.fixed_latencies:
            takes = varied(takes, self.service.jitter)
        heappush(world.agenda, (world.now + takes, next(world.number), source.deliver, execution))

    def release(self, execution: Execution | None) -> None:
        """Done with a message: fetch what has waited longest."""
        if self.busy is execution:
            self.busy = None
            if self.waiting and self.reachable:
                self.offer(self.waiting.popleft())
        elif execution in self.running:  # of a queue with prefetch
            del self.running[execution]
            execution.source.offer()

    def new_execution(self, source: Any, envelope: Envelope | None) -> Execution:
        """An execution beside the message that it handles: of a question or a tick."""
        execution = Execution(self, source, envelope)
        self.running[execution] = None
        return execution

    def in_flight(self) -> list[Execution]:
        """What it fetches, handles and answers."""
        return [*self.running] if self.busy is None else [self.busy, *self.running]

    # -- crash and restart

    def crash(self, fault: Fault) -> None:
        """Stop dead: what is in flight is gone, with the memory; the database and the broker remember the rest."""
        world = self.service.world
        world.record_step("crash", self.actor, fault="crash", detail=str(fault))
        self.up = self.paused = self.reachable = False
        in_flight = self.in_flight()
        self.busy, self.state = None, {}
        for kept in (self.running, self.waiting, self.held):
            kept.clear()
        for execution in in_flight:
            execution.kill()
            execution.source.abandoned(execution)
        self._rewind()
        down = fault.lasts(RESTART)
        if fault.seconds is None and not world.fixed_latencies:
            down = varied(RESTART, self.service.jitter)
        world.schedule(world.now + down, self._restart, None)
        self.fall_silent()

    def _restart(self, _: None) -> None:
        self.up, self.evicted = True, None
        self.service.world.record_step("restart", self.actor)
        self.service.hear(self)

    def _rewind(self) -> None:
        for reader in self.service.readers:
            if reader.owner is self:
                reader.rewind()

    # -- eviction, pause and cut

    def evict(self, execution: Execution) -> None:
        """Leave the group until this handling ends. All its partitions move; where nobody else is in the group, they
        wait for it."""
        self.evicted = execution
        took = f"handling for {execution.source.log.interval / 1000:g} s"
        execution.record_step("evicted", None, took)
        self._rewind()
        self.service.rebalance()

    def join(self, execution: Execution) -> None:
        """Back in the group, if it was evicted for this handling."""
        if self.evicted is execution:
            self.evicted = None
            self.service.rebalance()

    def holds(self, action: Callable, argument: Any) -> bool:
        """Whether it stands still; then what it was about to do waits until it goes on."""
        if self.paused:
            self.held.append((action, argument))
        return self.paused

    def begin_outage(self, until: int) -> bool:
        """Stand still, as in a long garbage collection. What is down cannot."""
        if not self.up:
            return False
        self.paused_until = max(self.paused_until, until)
        if not self.paused:
            self.paused = True
            self.service.world.record_step("pause", self.actor)
            self.fall_silent()
        return True

    def end_outage(self, _: None) -> None:
        """Go on, not knowing that time has passed."""
        if not self.paused or self.service.world.now < self.paused_until:
            return
        self.paused = False
        self.service.world.record_step("resume", self.actor)
        held, self.held = self.held, []
        for number, (action, argument) in enumerate(held):
            if self.paused:  # paused again by what went on
                self.held += held[number:]
                return
            action(argument)
        self.service.hear(self)

    def fall_silent(self) -> None:
        """The broker hears of it no more, and waits for a session before it moves its partitions."""
        world = self.service.world
        self.reachable = False
        if self.silent_since is None:
            self.silent_since = world.now
            self.session = world.timer(SESSION, self.service.rebalance)

    def in_session(self) -> bool:
        """Whether the broker still believes in it."""
        silent, now = self.silent_since, self.service.world.now
        return self.evicted is None and (silent is None or now - silent < SESSION)

    def __repr__(self) -> str:
        state = "paused" if self.paused else "up" if self.up else "down"
        return f"<replica {self.number} of {self.service.name}: {state}>"


class ServiceRuntime:
    """A service as it stands: `.up`, `.state`, `.lag` and `.in_flight`."""

    def __init__(self, world: "World", name: str, declaration: Service):
        self.world, self.name, self.schema = world, name, declaration.schema
        declared: dict[str, list[Handler]] = {}
        for handler in declaration.handlers.values():
            declared.setdefault(handler.type, []).append(handler)
        self._handlers = {name: _in_turn(handlers) for name, handlers in declared.items()}
        self.ticks = tuple(declaration.ticks)
        self.has_faults = world.plan.concerns(name)
        self.minted = 0  # ids given out; a crash does not take them back
        self.notes = 0
        self.cut = False
        self.cut_until = 0
        self.replicas = [Replica(self, n + 1) for n in range(declaration.replicas)]
        self.readers: list[Reader] = []  # its positions in the logs
        self.queues: list[WorkQueue] = []  # those that it consumes
        self.turn = 0

    @property
    def up(self) -> bool:
        """Whether any replica is up."""
        return any(replica.up for replica in self.replicas)

    @property
    def state(self) -> dict:
        """The memory of the first replica; that of the others is `.replicas[1].state` and so on."""
        return self.replicas[0].state

    @property
    def lag(self) -> int:
        """Messages in logs and queues that it has not yet committed or acknowledged."""
        in_logs = sum(reader.lag() for reader in self.readers)
        return in_logs + sum(queue.lag(self) for queue in self.queues)

    @property
    def in_flight(self) -> list[Envelope]:
        """What its replicas are handling."""
        return [execution.envelope for execution in self.handling()]

    def handling(self) -> list[Execution]:
        """The executions of handlers that are under way."""
        fetched = [execution for replica in self.replicas for execution in replica.in_flight()]
        return [execution for execution in fetched if execution.handler is not None]

    @cached_property
    def database(self) -> Database:
        return Database(self.name, self.schema)

    @cached_property
    def dice(self) -> Random:
        """The dice of `ctx.random`: a service more changes no throw of another."""
        return Random(f"{self.world.seed}/{self.name}")

    @cached_property
    def jitter(self) -> Random:
        return Random(f"{self.world.seed}/{self.name}/latency")

    def handler(self, type_name: str) -> Handler | None:
        """Who handles a type here; several functions do it one after the other."""
        return self._handlers.get(type_name)

    def new_id(self) -> str:
        """An id that no message and no other call has."""
        self.minted += 1
        return f"{self.name}-{self.minted}"

    def next_up(self) -> Replica | None:
        """The replica that a question goes to: those that are up take turns."""
        up = [replica for replica in self.replicas if replica.up]
        if not up:
            return None
        self.turn += 1
        return up[self.turn % len(up) - 1]

    def rebalance(self, _: None = None) -> None:
        """Give partition p to live replica p mod n. One that is being handled moves when that has ended."""
        for reader in self.readers:
            reader.rebalance()
        for queue in self.queues:
            queue.offer()

    def begin_outage(self, until: int) -> bool:
        """Cut off from the broker and all services: handlers go on, and nothing they say is heard."""
        self.cut_until = max(self.cut_until, until)
        if not self.cut:
            self.cut = True
            self.world.record_step("cut", (self.name, 1), fault="cut")
            for replica in self.replicas:
                replica.fall_silent()
        return True

    def end_outage(self, _: None) -> None:
        """The broker and the services are within reach again."""
        if not self.cut or self.world.now < self.cut_until:
            return
        self.cut = False
        self.world.record_step("heal", (self.name, 1))
        self.hear(*self.replicas)

    def hear(self, *replicas: Replica) -> None:
        """The broker hears of those that are up, go on and are not cut off, which renews their sessions."""
        for replica in replicas:
            replica.reachable = replica.up and not replica.paused and not self.cut
            if replica.reachable and replica.session is not None:
                replica.silent_since = None
                replica.session.cancel()
        self.rebalance()  # once all are back: what they held they keep
        for replica in replicas:
            replica.release(None)

    def __repr__(self) -> str:
        return f"<{self.name}: {'up' if self.up else 'down'}, lag {self.lag}, {len(self.in_flight)} in flight>"


def _in_turn(handlers: list[Handler]) -> Handler:
    """One handler that runs several, and returns what all of them return."""
    if len(handlers) == 1:
        return handlers[0]

    async def all_of_them(event, ctx):
        messages = []
        for handler in handlers:
            result = handler.function(event, ctx) if handler.takes_ctx else handler.function(event)
            result = await result if handler.is_async else result
            if result is not None:
                messages += result if isinstance(result, list | tuple) else [result]
        return messages

    names = " and ".join(handler.name for handler in handlers)
    return replace(handlers[0], name=names, function=all_of_them, takes_ctx=True, is_async=True)

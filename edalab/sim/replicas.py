"""A replica is one process of a service: it crashes, stands still and comes back."""

from collections import deque
from collections.abc import Callable
from heapq import heappush
from typing import TYPE_CHECKING, Any

from ..model import Envelope
from .clock import DELIVER, RESTART, SESSION, varied
from .execution import Execution
from .faults import Fault

if TYPE_CHECKING:
    from .queues import WorkQueue
    from .services import ServiceRuntime
    from .topics import Reader
    from .version import Version
    from .world import Timer


class Replica:
    """One process of a service. It handles one message at a time, and beside it those of queues with prefetch.
    A crash takes all that is in flight in it."""

    def __init__(self, service: "ServiceRuntime", number: int):
        self.service, self.number = service, number
        self.actor = (service.name, number)
        self.up, self.paused = True, False
        self.left = False  # the group: it finishes what it handles
        self.reachable = True  # up, not paused, not cut off, in the group
        self.state: dict = {}
        self.version = service.version
        self.next_version: Version | None = (
            None  # to switch to when all that it has in hand has ended
        )
        self.busy: Execution | None = None  # of the message that it fetches or handles
        self.waiting: deque[Reader | WorkQueue] = deque()  # they have a message for it
        self.running: dict[Execution, None] = {}  # beside it, as an ordered set
        self.held: list[tuple[Callable, Any]] = []  # what a pause holds back
        self.silent_since: int | None = None
        self.session: Timer | None = None
        self.evicted: Execution | None = None  # the handling that took too long for its group
        self.paused_until = 0
        self.stopped = 0  # when it last crashed or came to stand still
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
        if self.next_version is not None:
            self._switch_soon()

    def finish(self, execution: Execution) -> None:
        """Done with a question or a tick."""
        self.running.pop(execution, None)
        if self.next_version is not None:
            self._switch_soon()

    def has_room(self, source: "Reader | WorkQueue") -> bool:
        """Whether it may fetch one more message, beside those that it has."""
        return True

    def admits(self, execution: Execution) -> bool:
        """Whether the answer to a question may begin."""
        return True

    def new_execution(self, source: Any, envelope: Envelope | None) -> Execution:
        """An execution beside the message that it handles: of a question or a tick."""
        execution = Execution(self, source, envelope)
        self.running[execution] = None
        return execution

    def in_flight(self) -> list[Execution]:
        """What it fetches, handles and answers."""
        return [*self.running] if self.busy is None else [self.busy, *self.running]

    # -- deploys

    def deploy(self, version: "Version") -> None:
        """Take no more messages, and switch to a version when all that is in hand has ended."""
        if not self.left and version.number > (self.next_version or self.version).number:
            self.next_version, self.reachable = version, False
            self._switch(None)

    def _switch_soon(self) -> None:
        world = self.service.world
        world.schedule(world.now, self._switch, None)

    def _switch(self, _: None) -> None:
        version, busy = self.next_version, self.left or self.paused or self.in_flight()
        if version is None or busy or not self.up:
            return
        self.version, self.next_version, self.state = version, None, {}
        self.waiting.clear()
        version.begin(self)
        for reader in self.service.readers:
            if reader.owner is self:
                reader.restart()  # pyrefly: ignore[missing-attribute]  # of a topic: no connector is deployed
        self.service.hear(self)

    # -- crash and restart

    def crash(self, fault: Fault) -> None:
        """Stop dead: what is in flight is gone, with the memory; the database and the broker remember the rest."""
        world = self.service.world
        world.record_step("crash", self.actor, fault="crash", detail=str(fault))
        self.up = self.paused = self.reachable = False
        self.stopped = world.now
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
        if not self.left:
            world.schedule(world.now + down, self._restart, None)
        self.fall_silent()

    def _restart(self, _: None) -> None:
        self.up, self.evicted = True, None
        self.service.world.record_step("restart", self.actor)
        self.service.hear(self)

    def leave(self) -> None:
        """Leave the group: finish what it handles, and take no more."""
        self.left, self.reachable = True, False
        self.service.world.record_step("leave", self.actor)

    def _rewind(self) -> None:
        for reader in self.service.readers:
            if reader.owner is self:
                reader.rewind()

    # -- eviction and pauses

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
            self.paused, self.stopped = True, self.service.world.now
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

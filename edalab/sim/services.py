"""A service at run time: replicas over one durable database, its positions in logs, and its handlers."""

from functools import cached_property
from math import inf
from random import Random
from typing import TYPE_CHECKING

from ..model import Envelope, Handler, Service
from .capacity import LimitedReplica
from .clock import SESSION
from .database import Database
from .execution import Execution
from .replicas import Replica
from .version import Version

if TYPE_CHECKING:
    from .capture import Capturing
    from .queues import WorkQueue
    from .topics import Reader
    from .world import World


class ServiceRuntime:
    """A service as it stands: `.up`, `.state`, `.lag` and `.in_flight`."""

    def __init__(self, world: "World", name: str, declaration: Service):
        self.world, self.name, self.schema = world, name, declaration.schema
        self.workers, self.waiting = declaration.workers, declaration.waiting
        # What at least one replica has switched to, and what the others are to.
        self.version = self.latest = Version(declaration)
        self.handlers = self.version.handlers  # by type, those of earlier versions, too
        self.careful = world.plan.concerns(declaration)  # or else steps are taken together
        self.minted = 0  # ids given out; a crash does not take them back
        self.notes = 0
        self.sequences: dict[str, int] = {}  # the last number of each, which nothing takes back
        self.cut = False
        self.cut_until = 0
        self.cut_from: dict[str, int] = {}  # a sender -> until when nothing that it sent arrives
        self.ahead = 0  # of the true time, in ms
        self.replicas = [self._replica(n + 1) for n in range(declaration.replicas)]
        self.serving = [*self.replicas]  # those that have not left the group
        self.readers: list[Reader | Capturing] = []  # its positions in the logs
        self.queues: list[WorkQueue] = []  # those that it consumes
        self.joins = round(declaration.joins * 1000)  # when its group does
        self.earliest = declaration.starts_at == "earliest"
        if self.joins:
            world.schedule(self.joins, self.join, None)
        self.turn = 0

    @property
    def up(self) -> bool:
        """Whether any replica is up."""
        return any(replica.up for replica in self.serving)

    @property
    def clock(self) -> int:
        """The time that its clock shows, in ms."""
        return self.world.now + self.ahead

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
        return self.handlers.get(type_name)

    def new_id(self) -> str:
        """An id that no message and no other call has."""
        self.minted += 1
        return f"{self.name}-{self.minted}"

    def join(self, _: None) -> None:
        """Its group takes messages from now on."""
        self.joins = 0
        detail = f"from the {'earliest' if self.earliest else 'latest'}"
        self.world.record_step("subscribe", (self.name, 1), detail=detail)
        self.subscribe()

    def subscribe(self) -> None:
        """Take messages of all channels that hold a type that it handles."""
        for channel in self.world.channels.values():
            if heard := [*filter(self.handler, channel.heard)]:
                channel.heard |= dict.fromkeys(heard, True)
                channel.subscribe(self)

    def next_number(self, sequence: str) -> int:
        """The next number of a sequence, from 1. No transaction gives it back."""
        self.sequences[sequence] = number = self.sequences.get(sequence, 0) + 1
        return number

    def next_up(self) -> Replica | None:
        """The replica that a question goes to: those that are up take turns."""
        up = [replica for replica in self.serving if replica.up]
        if not up:
            return None
        up = [replica for replica in up if replica.next_version is None] or up
        self.turn += 1
        return up[self.turn % len(up) - 1]

    def _replica(self, number: int) -> Replica:
        return (LimitedReplica if self.workers else Replica)(self, number)

    def scale(self, number: int) -> bool:
        """Have so many replicas from now on: new ones join the group, or the last ones leave it."""
        before, world = len(self.serving), self.world
        for replica in self.serving[number:]:
            self.serving.remove(replica)
            replica.leave()
        for _ in range(before, number):
            replica = self._replica(len(self.replicas) + 1)
            self.replicas.append(replica)
            self.serving.append(replica)
            world.record_step("join", replica.actor)
            for queue in self.queues:
                queue.consumers.append(replica)
            world.schedule(world.now, replica.deploy, self.latest)
            if self.cut:  # the broker has never heard of it
                replica.fall_silent()
                replica.silent_since = world.now - SESSION
        self.rebalance()
        return number != before

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

    def barrier(self, sender: "ServiceRuntime") -> str:
        """The cut that keeps from it what another service sends now, in words; "" where none does."""
        if self.cut or sender.cut:
            return f"{self.name if self.cut else sender.name} was cut off"
        return f"{self.name} was cut off from {sender.name}" * (sender.name in self.cut_from)

    def begin_cut_from(self, sender: str, until: int) -> None:
        """Nothing that one sender sent arrives any more. All else goes on."""
        if sender not in self.cut_from:
            self.world.record_step("cut", (self.name, 1), fault="cut", detail=f"from {sender}")
        self.cut_from[sender] = max(until, self.cut_from.get(sender, 0))

    def end_cut_from(self, sender: str) -> None:
        """What that sender sent arrives again."""
        if self.world.now >= self.cut_from.get(sender, inf):
            del self.cut_from[sender]
            self.world.record_step("heal", (self.name, 1), detail=f"from {sender}")
            self.rebalance()

    def hear(self, *replicas: Replica) -> None:
        """The broker hears of those that are up, go on and are not cut off, which renews their sessions."""
        for replica in replicas:
            heard = not (replica.left or replica.paused or self.cut) and replica.up
            replica.reachable = heard and replica.next_version is None
            if heard and replica.session is not None:
                replica.silent_since = None
                replica.session.cancel()
        self.rebalance()  # once all are back: what they held they keep
        for replica in replicas:
            replica.release(None)

    def __repr__(self) -> str:
        return f"<{self.name}: {'up' if self.up else 'down'}, lag {self.lag}, {len(self.in_flight)} in flight>"

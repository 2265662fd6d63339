"""Services at run time: replicas over one durable database, positions in logs, and handlers."""

from functools import cached_property
from math import inf
from random import Random
from typing import TYPE_CHECKING

from ..model import Envelope, Handler, Service
from .clock import SESSION, varied
from .database import Database
from .execution import Execution
from .replicas import Replica
from .version import Version

if TYPE_CHECKING:
    from .capture import Capturing
    from .queues import WorkQueue
    from .readers import Reader
    from .world import World


class ServiceRuntime:
    """The current state of a service: `.up`, `.state`, `.lag` and `.in_flight`."""

    def __init__(self, world: "World", name: str, declaration: Service):
        self.world, self.name, self.schema = world, name, declaration.schema
        self.workers, self.most_waiting = declaration.workers, declaration.waiting
        # The version that at least one replica runs, and the one that all of them are to run.
        self.version = self.latest = Version(declaration)
        self.handlers = self.version.handlers  # by type, also those of earlier versions
        self.careful = world.plan.concerns(declaration)  # or else steps are taken together
        self.minted = 0  # ids given out; a crash does not take them back
        self.notes = 0
        self.sequences: dict[str, int] = {}  # the last number of each, never taken back
        self.cuts: dict[str | None, int] = {}  # a sender, or None for all -> when the cut ends
        self.cut = False  # from all
        self.ahead = 0  # of the true time, in ms
        self.replicas = [Replica(self, n + 1) for n in range(declaration.replicas)]
        self.members = [*self.replicas]  # those that have not left the group
        self.readers: list[Reader | Capturing] = []  # its positions in the logs
        self.queues: list[WorkQueue] = []  # those that it consumes
        self.joins = round(declaration.joins * 1000)  # when its group joins
        self.earliest = declaration.starts_at == "earliest"
        if self.joins:
            world.schedule(self.joins, self.join, None)
        self.turn = 0

    @property
    def up(self) -> bool:
        """Whether any replica is up."""
        return any(replica.up for replica in self.members)

    @property
    def cut_from(self) -> set[str]:
        """The senders whose messages alone do not reach it."""
        return {sender for sender in self.cuts if sender is not None}

    @property
    def clock(self) -> int:
        """The time by its clock, in ms."""
        return self.world.now + self.ahead

    @property
    def state(self) -> dict:
        """The memory of the first replica. Use `.replicas[1].state` and so on for the others."""
        return self.replicas[0].state

    @property
    def lag(self) -> int:
        """The number of messages in logs and queues that it has not yet committed or acknowledged."""
        in_logs = sum(reader.lag() for reader in self.readers)
        return in_logs + sum(queue.lag(self) for queue in self.queues)

    @property
    def in_flight(self) -> list[Envelope]:
        """The envelopes that its replicas are handling."""
        return [execution.envelope for execution in self.handling()]

    @property
    def in_line(self) -> int:
        """The number of questions that wait for a worker."""
        return sum(len(replica.questions) for replica in self.replicas)

    def handling(self) -> list[Execution]:
        """The executions of handlers that are under way."""
        fetched = [execution for replica in self.replicas for execution in replica.in_flight()]
        return [execution for execution in fetched if execution.handler is not None]

    @cached_property
    def database(self) -> Database:
        return Database(self.name, self.schema)

    @cached_property
    def dice(self) -> Random:
        """The numbers of `ctx.random`. Each service has its own, so another service does not change them."""
        return Random(f"{self.world.seed}/{self.name}")

    @cached_property
    def jitter(self) -> Random:
        return Random(f"{self.world.seed}/{self.name}/latency")

    def latency(self, base: int) -> int:
        """How long something takes that takes `base` ms with seed 0."""
        return base if self.world.fixed_latencies else varied(base, self.jitter)

    def handler(self, type_name: str) -> Handler | None:
        """The handler of a type, which runs several functions one after the other; None if there is none."""
        return self.handlers.get(type_name)

    def new_id(self) -> str:
        """A new id, which no message and no other call has."""
        self.minted += 1
        return f"{self.name}-{self.minted}"

    def join(self, _: None) -> None:
        """Subscribe the group, which takes messages from now on."""
        self.joins = 0
        detail = f"from the {'earliest' if self.earliest else 'latest'}"
        self.world.record_step("subscribe", (self.name, 1), detail=detail)
        self.subscribe()

    def subscribe(self) -> None:
        """Subscribe to all channels that hold a type that this service handles."""
        for channel in self.world.channels.values():
            if heard := [*filter(self.handler, channel.handled_types)]:
                channel.handled_types |= dict.fromkeys(heard, True)
                channel.subscribe(self)

    def next_number(self, sequence: str) -> int:
        """The next number of a sequence, from 1. A rollback does not give it back."""
        self.sequences[sequence] = number = self.sequences.get(sequence, 0) + 1
        return number

    def next_up(self) -> Replica | None:
        """The replica that gets the next question. Replicas that are up take turns."""
        up = [replica for replica in self.members if replica.up]
        if not up:
            return None
        up = [replica for replica in up if replica.next_version is None] or up
        self.turn += 1
        return up[self.turn % len(up) - 1]

    def scale(self, number: int) -> bool:
        """Change the number of replicas: new ones join the group, or the last ones leave it."""
        before, world = len(self.members), self.world
        for replica in self.members[number:]:
            self.members.remove(replica)
            replica.leave()
        for _ in range(before, number):
            replica = Replica(self, len(self.replicas) + 1)
            self.replicas.append(replica)
            self.members.append(replica)
            world.record_step("join", replica.actor)
            for queue in self.queues:
                queue.consumers.append(replica)
            world.schedule(world.now, replica.deploy, self.latest)
            if self.cut:  # the broker does not know it yet
                replica.fall_silent()
                replica.silent_since = world.now - SESSION
        self.rebalance()
        return number != before

    def rebalance(self, _: None = None) -> None:
        """Assign partition p to live replica p mod n. A partition with a message in hand moves afterwards."""
        for reader in self.readers:
            reader.rebalance()
        for queue in self.queues:
            queue.offer()

    def cut_off(self, until: int, sender: str | None) -> None:
        """Block everything that one sender sends to this service. None: cut it off from the broker and all services.
        Its handlers continue, but nothing they send arrives."""
        if sender not in self.cuts:
            detail = sender and f"from {sender}"
            self.world.record_step("cut", (self.name, 1), fault="cut", detail=detail)
            if sender is None:
                self.cut = True
                for replica in self.replicas:
                    replica.fall_silent()
        self.cuts[sender] = max(until, self.cuts.get(sender, 0))

    def heal(self, sender: str | None) -> None:
        """End a cut, unless another one with the same sender lasts longer."""
        if self.world.now < self.cuts.get(sender, inf):
            return
        del self.cuts[sender]
        detail = sender and f"from {sender}"
        self.world.record_step("heal", (self.name, 1), detail=detail)
        if sender is None:
            self.cut = False
            self.back_in_reach(*self.replicas)
        else:
            self.rebalance()

    def barrier(self, sender: "ServiceRuntime") -> str:
        """The cut that blocks what another service sends to it now, in words; "" if there is none."""
        if self.cut or sender.cut:
            return f"{self.name if self.cut else sender.name} was cut off"
        return f"{self.name} was cut off from {sender.name}" * (sender.name in self.cuts)

    def back_in_reach(self, *replicas: Replica) -> None:
        """Renew the sessions of those replicas that are up, not paused and not cut off, and share out the partitions.

        Redelivery after a restart, a pause or a cut begins here."""
        for replica in replicas:
            heard = not (replica.left or replica.paused or self.cut) and replica.up
            replica.reachable = heard and replica.next_version is None
            if heard and replica.session is not None:
                replica.silent_since = None
                replica.session.cancel()
        self.rebalance()  # after all are back, so that they keep what they held
        for replica in replicas:
            replica.take_next()

    def __repr__(self) -> str:
        return f"<{self.name}: {'up' if self.up else 'down'}, lag {self.lag}, {len(self.in_flight)} in flight>"

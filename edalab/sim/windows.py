"""Faults and changes at a time of a run: pauses, cuts, skewed clocks, new numbers of partitions or replicas, and
returns to an earlier time."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import Misuse, Unknown, counted, shown
from ..model import Event, System, Topic
from .at_time import KINDS, SECONDS, AtTime, check_name
from .changes import back_to
from .clock import milliseconds
from .logs import DatedLog
from .routes import log_of, place_of
from .steps import WIDTH

if TYPE_CHECKING:
    from .world import World


@dataclass(frozen=True, repr=False)
class Window(AtTime):
    """A fault that lasts from `start` to `end` (seconds)."""

    service: str
    start: float
    end: float

    def __post_init__(self):
        super().__post_init__()
        if round(self.start * 1000) >= round(self.end * 1000):
            what = f"{self.do}({self.service!r}, {shown(self.start)}, {shown(self.end)})"
            raise Misuse(f"{what} takes a start before its end")

    def from_to(self) -> str:
        return f"from {self.start:.15g} s to {self.end:.15g} s"


@dataclass(frozen=True, repr=False)
class pause(Window):
    """A fault that pauses one replica of a service from `start` to `end` (seconds).

    After the session time-out (1 s), its partitions move to the other replicas. Its handlers continue at `end`.

        simulate(shop, three_orders, faults=[pause("payments", 1, 3)])"""

    replica: int = 1

    def __str__(self) -> str:
        replica = f"/{self.replica}" if self.replica > 1 else ""
        return f"pause {self.service}{replica} {self.from_to()}"

    def check(self, system: System) -> None:
        super().check(system)
        replicas = system.services[self.service].replicas
        if self.replica > replicas:
            there = f"{counted(replicas, 'replica')}, counted from 1"
            raise Misuse(f"{self}: {self.service} has {there}")

    def strike(self, world: "World") -> bool:
        replica = world.services[self.service].replicas[self.replica - 1]
        until = round(self.end * 1000)
        struck = replica.pause(until)
        if struck:
            world.schedule(until, replica.resume, None)
        return struck


@dataclass(frozen=True, repr=False)
class cut(Window):
    """A fault that cuts a service off from the broker and the other services from `start` to `end` (seconds).

    Its handlers continue. What they publish fails (or is lost, if the topic does not confirm), and what they ask stays
    unanswered.

        simulate(shop, three_orders, faults=[cut("payments", 1, 3)])

    from_: another service, or "client". Only what that one sends does not reach the service: its questions and answers
        are lost, and what it publishes is delivered after the end. The other direction works.

        simulate(shop, three_orders, faults=[cut("south", 1, 5, from_="north")])"""

    from_: str | None = None

    def __str__(self) -> str:
        sender = f" from {self.from_}" if self.from_ is not None else ""
        return f"cut {self.service}{sender} {self.from_to()}"

    def check(self, system: System) -> None:
        super().check(system)
        if self.from_ == self.service:
            raise Misuse(f"{self}: from_= takes another service, or 'client'")
        if self.from_ not in (None, "client", *system.services):
            raise Unknown("service", self.from_, ["client", *system.services])

    def strike(self, world: "World") -> bool:
        service, until = world.services[self.service], round(self.end * 1000)
        service.cut_off(until, self.from_)
        world.schedule(until, service.heal, self.from_)
        return True


@dataclass(frozen=True, repr=False)
class skew(AtTime):
    """A fault that sets the clock of a service `seconds` ahead for a whole run, or behind if they are negative.

        simulate(shop, three_orders, faults=[skew("billing", 2)])

    All replicas of the service see this clock in `ctx.now`. It also sets the time at which the service's EventStore
    learns a fact, and the `time` of the envelopes that it sends. A clock that is behind begins below 0. Ticks,
    timers and time-outs are not affected, and the record keeps the true time."""

    service: str
    seconds: float

    def __post_init__(self):
        check_name("skew", self.service)
        behind = isinstance(self.seconds, int | float) and self.seconds < 0
        milliseconds(-self.seconds if behind else self.seconds, f"skew {self.service}: seconds=")

    @property
    def start(self) -> float:
        return 0

    def __str__(self) -> str:
        return f"skew {self.service} by {self.seconds:.15g} s"

    def strike(self, world: "World") -> bool:
        world.services[self.service].ahead = ahead = round(self.seconds * 1000)
        detail = f"clock {abs(ahead) / 1000:g} s {'behind' if ahead < 0 else 'ahead'}"
        world.record_step("skew", (self.service, 1), detail=detail)
        return True


class Change(AtTime):
    """A change at a moment, `at` (seconds)."""

    @property
    def start(self: Any) -> float:
        return self.at


@dataclass(frozen=True, repr=False)
class repartition(Change):
    """A change of a topic, at `at` (seconds), to a larger number of partitions.

        simulate(shop, price_changes, faults=[repartition("prices", 4, at=2)])

    Stored messages stay in their partitions. As in Kafka, a key may get another partition. Its older events may
    still wait in the old partition, and are then handled after newer ones."""

    topic: str
    partitions: int
    at: float

    def __str__(self) -> str:
        return f"repartition {self.topic} to {self.partitions} at {self.at:.15g} s"

    def check(self, system: System) -> None:
        handlers = (
            one for service in system.services.values() for one in service.handlers.values()
        )
        places = (place_of(system, one.message) for one in handlers if one.kind is Event)
        topics = {name: Topic(name) for name, is_queue in places if not is_queue} | system.topics
        if self.topic not in topics:
            raise Unknown("topic", self.topic, topics)
        has = topics[self.topic].partitions
        if self.partitions <= has:
            raise Misuse(f"{self}: it has {has}, and a topic can only get more partitions")

    def strike(self, world: "World") -> bool:
        return log_of(world, self.topic).grow(self.partitions)


@dataclass(frozen=True, repr=False)
class scale(Change):
    """A change of a service, at `at` (seconds), to another number of replicas.

        simulate(shop, many_orders, faults=[scale("web", 4, at=5)])

    New replicas join the group, and partitions move to them after the message in hand. Replicas that leave finish
    what they handle, and take no further messages."""

    service: str
    replicas: int
    at: float

    def __str__(self) -> str:
        return f"scale {self.service} to {self.replicas} at {self.at:.15g} s"

    def check(self, system: System) -> None:
        super().check(system)
        if self.replicas > 1000:
            raise Misuse(f"{self}: a service has at most 1,000 replicas")

    def strike(self, world: "World") -> bool:
        return world.services[self.service].scale(self.replicas)


class Return(Change):
    """A return of a service's database or group, at `at`, to an earlier time `to` (seconds)."""

    keeps_alive = True

    def __post_init__(self: Any):
        super().__post_init__()
        if round(self.to * 1000) >= round(self.at * 1000):
            raise Misuse(f"{self}: it goes back to an earlier time; give a to= before at=")

    def __str__(self: Any) -> str:
        return f"{self.do} {self.service} to {self.to:.15g} s at {self.at:.15g} s"


@dataclass(frozen=True, repr=False)
class restore(Return):
    """A fault that restores the database of a service at `at` (seconds) from a backup made at `to`.

        simulate(shop, three_orders, faults=[restore("billing", to=2, at=5)])

    Saves up to `to` are kept, and later ones are lost. The service's positions, sequences, ids and `ctx.state` do
    not change. A run does not end before `at`. Raises Misuse unless `to` is before `at`."""

    service: str
    to: float
    at: float

    def strike(self, world: "World") -> bool:
        database, until = world.services[self.service].database, round(self.to * 1000)
        kept = [
            statements
            for save, statements in database.saves.items()
            if world.record[save * WIDTH] <= until
        ]
        if len(kept) == len(database.saves):
            return False
        world.record_step("restore", (self.service, 1), detail=f"to {self.to:g} s")
        database.saves[len(world.record) // WIDTH - 1] = [("restore", "", kept)]
        back_to(database, kept)
        return True


@dataclass(frozen=True, repr=False)
class rewind(Return):
    """A return of a service's group, at `at` (seconds), to the first message that its topics stored at `to` or later.

        simulate(shop, many_orders, faults=[rewind("reports", at=20)])

    All messages since then that are still kept are handled again, after the message in hand. Queues are not
    affected. A run does not end before `at`. Raises Misuse if `to` is not before `at`."""

    service: str
    at: float
    to: float = 0

    def strike(self, world: "World") -> bool:
        since, back = round(self.to * 1000), False
        logs = [log for log in world.channels.values() if isinstance(log, DatedLog)]
        every = [(log, reader) for log in logs for readers in log.readers for reader in readers]
        for log, reader in every:
            if reader.service.name != self.service:
                continue
            partition = reader.partition
            offset = max(log.first_since(partition, since), log.first_kept(partition))
            in_hand = reader.execution is not None and reader.execution.handler is not None
            if offset < reader.position + in_hand:
                reader.rewind(offset)
                back = True
        return back


_SERVICE, _AT = r"(?P<service>[\w-]+)", rf" +at +(?P<at>{SECONDS}) *s"
_FROM_TO = rf" +from +(?P<start>{SECONDS}) *s? +to +(?P<end>{SECONDS}) *s"
_BACK = rf" +{_SERVICE} +to +(?P<to>{SECONDS}) *s?{_AT}"
_TEXTS: dict[str, type[AtTime]] = {  # the groups are the arguments
    rf"pause +{_SERVICE}(?:/(?P<replica>\d{{1,9}}))?{_FROM_TO}": pause,
    rf"cut +{_SERVICE}(?: +from +(?P<from_>[\w-]+))?{_FROM_TO}": cut,
    rf"repartition +(?P<topic>\S+) +to +(?P<partitions>\d{{1,9}}){_AT}": repartition,
    rf"scale +{_SERVICE} +to +(?P<replicas>\d{{1,9}}){_AT}": scale,
    rf"skew +{_SERVICE} +by +(?P<seconds>-?{SECONDS}) *s": skew,
    rf"restore{_BACK}": restore,
    rf"rewind{_BACK}": rewind,
}


def parse_at_time(text: str) -> AtTime | None:
    """The fault or change of a text; None for any other text."""
    for pattern, make in _TEXTS.items():
        if match := re.fullmatch(pattern, text):
            words = {name: word for name, word in match.groupdict().items() if word}
            return make(**{name: KINDS.get(name, float)(word) for name, word in words.items()})
    return None

"""Faults and changes at a time of a run: pauses, cuts, skewed clocks, and new numbers of partitions or replicas.
(Those that go back in time are in going_back.py.)"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import Misuse, Unknown, shown
from ..model import Event, System, Topic
from ..model.numbers import check_whole
from .at_time import SECONDS, Timed, check_name
from .clock import milliseconds
from .going_back import Back, restore, rewind
from .routes import log_of, place_of

if TYPE_CHECKING:
    from .world import World


@dataclass(frozen=True, repr=False)
class Window(Timed):
    """A period in which a replica is paused (`pause`), or a service is cut off (`cut`): from the broker and all
    services, or from what one service sends."""

    do: str
    service: str
    start: float
    end: float
    replica: int | None = None
    from_: str | None = None

    def __post_init__(self):
        check_name(self.do, self.service)
        if self.from_ is not None:
            check_name(f"{self.do} {self.service}: from_=", self.from_)
        if self.replica is not None:
            check_whole(f"{self.do} {self.service}: replica=", self.replica)
        what = f"{self.do}({self.service!r}, {shown(self.start)}, {shown(self.end)})"
        if milliseconds(self.start, what) >= milliseconds(self.end, what):
            raise Misuse(f"{what} takes a start before its end")

    def __str__(self) -> str:
        replica = f"/{self.replica}" if self.do == "pause" and self.replica != 1 else ""
        sender = f" from {self.from_}" if self.from_ is not None else ""
        return f"{self.do} {self.service}{replica}{sender} from {self.start:.15g} s to {self.end:.15g} s"

    def check(self, system: System) -> None:
        super().check(system)
        if self.from_ == self.service:
            raise Misuse(f"{self}: from_= takes another service, or 'client'")
        if self.from_ not in (None, "client", *system.services):
            raise Unknown("service", self.from_, ["client", *system.services])
        replicas = system.services[self.service].replicas
        if (self.replica or 1) > replicas:
            there = f"{replicas} replica{'s' if replicas > 1 else ''}, counted from 1"
            raise Misuse(f"{self}: {self.service} has {there}")

    def strike(self, world: "World") -> bool:
        service, until = world.services[self.service], round(self.end * 1000)
        if self.from_ is not None:
            service.begin_cut_from(self.from_, until)
            world.schedule(until, service.end_cut_from, self.from_)
            return True
        begin, end = service.cut_off, service.heal
        if self.do == "pause":
            replica = service.replicas[(self.replica or 1) - 1]
            begin, end = replica.pause, replica.resume
        struck = begin(until)
        if struck:
            world.schedule(until, end, None)
        return struck


def pause(service: str, start: float, end: float, replica: int = 1) -> Window:
    """A fault that pauses one replica of a service from `start` to `end` (seconds).

    After the session time-out (1 s), its partitions move to the other replicas. Its handlers continue at `end`.

        simulate(shop, three_orders, faults=[pause("payments", 1, 3)])"""
    return Window("pause", service, start, end, replica)


def cut(service: str, start: float, end: float, from_: str | None = None) -> Window:
    """A fault that cuts a service off from the broker and the other services from `start` to `end` (seconds).

    Its handlers continue. What they publish fails (or is lost, if the topic does not confirm), and what they ask stays
    unanswered.

        simulate(shop, three_orders, faults=[cut("payments", 1, 3)])

    from_: another service, or "client". Only what that one sends does not reach the service: its questions and answers
        are lost, and what it publishes is delivered after the end. The other direction works.

        simulate(shop, three_orders, faults=[cut("south", 1, 5, from_="north")])"""
    return Window("cut", service, start, end, from_=from_)


@dataclass(frozen=True, repr=False)
class Repartition(Timed):
    """A change of a topic, at a time (seconds), to more partitions."""

    do: ClassVar[str] = "repartition"
    topic: str
    partitions: int
    start: float

    def __post_init__(self):
        check_name("repartition", self.topic, "topic, such as 'orders'")
        check_whole(f"repartition {self.topic}: partitions=", self.partitions)
        milliseconds(self.start, f"repartition {self.topic}: at=")

    def __str__(self) -> str:
        return f"repartition {self.topic} to {self.partitions} at {self.start:.15g} s"

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


def repartition(topic: str, partitions: int, at: float) -> Repartition:
    """A change of a topic, at `at` (seconds), to a larger number of partitions.

        simulate(shop, price_changes, faults=[repartition("prices", 4, at=2)])

    Stored messages stay in their partitions. As in Kafka, a key may get another partition. Its older events may
    still wait in the old partition, and are then handled after newer ones."""
    return Repartition(topic, partitions, at)


@dataclass(frozen=True, repr=False)
class Skew(Timed):
    """A clock of a service that is `seconds` ahead for a whole run, or behind if they are negative."""

    do: ClassVar[str] = "skew"
    start: ClassVar[float] = 0
    service: str
    seconds: float

    def __post_init__(self):
        check_name("skew", self.service)
        behind = isinstance(self.seconds, int | float) and self.seconds < 0
        milliseconds(-self.seconds if behind else self.seconds, f"skew {self.service}: seconds=")

    def __str__(self) -> str:
        return f"skew {self.service} by {self.seconds:.15g} s"

    def strike(self, world: "World") -> bool:
        world.services[self.service].ahead = ahead = round(self.seconds * 1000)
        detail = f"clock {abs(ahead) / 1000:g} s {'behind' if ahead < 0 else 'ahead'}"
        world.record_step("skew", (self.service, 1), detail=detail)
        return True


def skew(service: str, seconds: float) -> Skew:
    """A fault that sets the clock of a service `seconds` ahead for a whole run, or behind if they are negative.

        simulate(shop, three_orders, faults=[skew("billing", 2)])

    All replicas of the service see this clock in `ctx.now`. It also sets the time at which the service's EventStore
    learns a fact, and the `time` of the envelopes that it sends. A clock that is behind begins below 0. Ticks,
    timers and time-outs are not affected, and the record keeps the true time."""
    return Skew(service, seconds)


@dataclass(frozen=True, repr=False)
class Scale(Timed):
    """A change of a service, at a time (seconds), to more or fewer replicas."""

    do: ClassVar[str] = "scale"
    service: str
    replicas: int
    start: float

    def __post_init__(self):
        check_name("scale", self.service)
        check_whole(f"scale {self.service}: replicas=", self.replicas)
        milliseconds(self.start, f"scale {self.service}: at=")

    def __str__(self) -> str:
        return f"scale {self.service} to {self.replicas} at {self.start:.15g} s"

    def check(self, system: System) -> None:
        super().check(system)
        if self.replicas > 1000:
            raise Misuse(f"{self}: a service has at most 1,000 replicas")

    def strike(self, world: "World") -> bool:
        return world.services[self.service].scale(self.replicas)


def scale(service: str, replicas: int, at: float) -> Scale:
    """A change of a service, at `at` (seconds), to another number of replicas.

        simulate(shop, many_orders, faults=[scale("web", 4, at=5)])

    New replicas join the group, and partitions move to them after the message in hand. Replicas that leave finish
    what they handle, and take no further messages."""
    return Scale(service, replicas, at)


AtTime = Window | Repartition | Skew | Scale | Back


def _number(name: str) -> str:
    return f"(?P<{name}>{SECONDS[1:-1]})"


_SERVICE, _AT = r"(?P<service>[\w-]+)", rf" +at +{_number('at')} *s"
_FROM_TO = rf" +from +{_number('start')} *s? +to +{_number('end')} *s"
_BACK = rf" +{_SERVICE} +to +{_number('to')} *s?{_AT}"
_TEXTS: dict[str, Callable[..., AtTime]] = {  # the groups are the arguments
    rf"pause +{_SERVICE}(?:/(?P<replica>\d{{1,9}}))?{_FROM_TO}": pause,
    rf"cut +{_SERVICE}(?: +from +(?P<from_>[\w-]+))?{_FROM_TO}": cut,
    rf"repartition +(?P<topic>\S+) +to +(?P<partitions>\d{{1,9}}){_AT}": repartition,
    rf"scale +{_SERVICE} +to +(?P<replicas>\d{{1,9}}){_AT}": scale,
    rf"skew +{_SERVICE} +by +(?P<seconds>-?{SECONDS[1:-1]}) *s": skew,
    rf"restore{_BACK}": restore,
    rf"rewind{_BACK}": rewind,
}
_KINDS = dict.fromkeys(("service", "topic", "from_"), str)  # the others are seconds
_KINDS |= dict.fromkeys(("replica", "partitions", "replicas"), int)


def parse_at_time(text: str) -> AtTime | None:
    """The fault or change of a text; None for any other text."""
    for pattern, make in _TEXTS.items():
        if match := re.fullmatch(pattern, text):
            words = {name: word for name, word in match.groupdict().items() if word}
            return make(**{name: _KINDS.get(name, float)(word) for name, word in words.items()})
    return None

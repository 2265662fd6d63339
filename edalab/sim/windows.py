"""What happens to a run at a time: a replica stands still, a service is cut off, a topic gets more partitions."""

from dataclasses import dataclass
from typing import ClassVar

from ..errors import Misuse, shown
from ..model.numbers import check_whole
from .clock import milliseconds


@dataclass(frozen=True, repr=False)
class Window:
    """A time in which a replica stands still (`pause`) or a service is cut off from broker and services (`cut`)."""

    do: str
    service: str
    start: float
    end: float
    replica: int | None = None

    def __post_init__(self):
        if not isinstance(self.service, str):
            service = shown(self.service)
            raise Misuse(
                f"{self.do} takes the name of a service, such as 'payments', not {service}"
            )
        if self.replica is not None:
            check_whole(f"{self.do} {self.service}: replica=", self.replica)
        what = f"{self.do}({self.service!r}, {shown(self.start)}, {shown(self.end)})"
        if milliseconds(self.start, what) >= milliseconds(self.end, what):
            raise Misuse(f"{what} takes a start before its end")

    def __str__(self) -> str:
        replica = f"/{self.replica}" if self.do == "pause" and self.replica != 1 else ""
        return f"{self.do} {self.service}{replica} from {self.start:g} s to {self.end:g} s"

    def __repr__(self) -> str:
        return repr(str(self))


def pause(service: str, start: float, end: float, replica: int = 1) -> Window:
    """A fault: one replica of a service stands still from `start` to `end`, in seconds.

    After the session time-out (1 s) its partitions move to the other replicas. Its handlers go on at `end`.

        simulate(shop, three_orders, faults=[pause("payments", 1, 3)])"""
    return Window("pause", service, start, end, replica)


def cut(service: str, start: float, end: float) -> Window:
    """A fault: the network cuts a service off from the broker and the other services from `start` to `end`, in seconds.

    Its handlers go on meanwhile; what they publish fails (or is lost, where the topic does not confirm), and what they
    ask stays unanswered.

        simulate(shop, three_orders, faults=[cut("payments", 1, 3)])"""
    return Window("cut", service, start, end)


@dataclass(frozen=True, repr=False)
class Repartition:
    """From a time on (seconds) a topic has more partitions."""

    do: ClassVar[str] = "repartition"
    topic: str
    partitions: int
    start: float

    def __post_init__(self):
        if not isinstance(self.topic, str):
            name = shown(self.topic)
            raise Misuse(f"repartition takes the name of a topic, such as 'orders', not {name}")
        check_whole(f"repartition {self.topic}: partitions=", self.partitions)
        milliseconds(self.start, f"repartition {self.topic}: at=")

    def __str__(self) -> str:
        return f"repartition {self.topic} to {self.partitions} at {self.start:g} s"

    def __repr__(self) -> str:
        return repr(str(self))


def repartition(topic: str, partitions: int, at: float) -> Repartition:
    """From `at` on (seconds), a topic has so many partitions, more than before.

        simulate(shop, price_changes, faults=[repartition("prices", 4, at=2)])

    What is stored stays in its partition. A key can go to another one from then on, as in Kafka: its
    older events may still wait in the old partition, so that they are handled after newer ones."""
    return Repartition(topic, partitions, at)

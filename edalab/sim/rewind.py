"""A rewind is an event at a time, too: a group's positions go back, so that it handles again what a topic has kept."""

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..model import System
from .at_time import SECONDS, Timed, check_name, check_service
from .clock import milliseconds
from .logs import Log

if TYPE_CHECKING:
    from .world import World

_REWIND = re.compile(rf"rewind +([\w-]+) +to +{SECONDS} *s? +at +{SECONDS} *s")


@dataclass(frozen=True, repr=False)
class Rewind(Timed):
    """At a time (seconds) a group goes back to what was stored since another time."""

    do: ClassVar[str] = "rewind"
    keeps_alive: ClassVar[bool] = True
    service: str
    start: float
    to: float

    def __post_init__(self):
        check_name("rewind", self.service)
        milliseconds(self.start, f"rewind {self.service}: at=")
        milliseconds(self.to, f"rewind {self.service}: to=")

    def __str__(self) -> str:
        return f"rewind {self.service} to {self.to:g} s at {self.start:g} s"

    def check(self, system: System) -> None:
        check_service(self, system)

    def strike(self, world: "World") -> bool:
        since, back = round(self.to * 1000), False
        logs = [log for log in world.channels.values() if isinstance(log, Log)]
        every = [reader for log in logs for readers in log.readers for reader in readers]
        for reader in every:
            if reader.service.name != self.service:
                continue
            log, partition = reader.log, reader.partition
            first = bisect_left(log.times[partition], since)
            offset = max(first, log.first_kept(partition))
            in_hand = reader.execution is not None and reader.execution.handler is not None
            if offset < reader.position + in_hand:
                reader.go_back(offset)
                back = True
        return back


def rewind(service: str, at: float, to: float = 0) -> Rewind:
    """At a time (seconds), the group of a service goes back to the first message that its topics stored at `to` or later.

        simulate(shop, many_orders, faults=[rewind("reports", at=20)])

    What is still kept from there on is handled again. A message in hand is finished first. Queues have nothing to go
    back to. The run goes on until this time, even if nothing else is left to do."""
    return Rewind(service, at, to)


def parse_rewind(text: str) -> Rewind | None:
    """A rewind from its text form; None if it is another text."""
    if match := _REWIND.fullmatch(text):
        service, to, at = match.groups()
        return rewind(service, float(at), float(to))
    return None

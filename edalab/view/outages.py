"""The times in which a service was down, stood still or was cut off, for a chart over time."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..sim.run import Run
from ..text import clean, seconds
from ..trace.spans import Trace

WORDS = {"down": "down", "pause": "standing still", "cut": "cut off", "cut from": "cut off from"}


class OutageShown(NamedTuple):
    """An outage of a service, or of one `replica` of several: `what`, from `start` to `end` (ms), in words `when`."""

    service: str
    kind: str
    replica: int | None
    what: str
    start: int
    end: int
    when: str

    @property
    def words(self) -> str:
        return f"replica {self.replica} {self.what}" if self.replica else self.what


def outages_of(run: Run, services: Iterable[str], end: int) -> Iterator[OutageShown]:
    """The outages of some services, in the order they began, in a chart that ends at `end` (ms)."""
    for one in Trace.of(run).traffic.outages.values():
        if one.service in services:
            replicas = run._world.services[one.service].replicas
            replica = one.replica if len(replicas) > 1 and "cut" not in one.kind else None
            what = f"{WORDS[one.kind]} {clean(one.sender or '', 24)}".rstrip()
            until, last = (end, "the end") if one.end is None else (one.end, seconds(one.end))
            when = f"{seconds(one.start)} to {last}"
            yield OutageShown(one.service, one.kind, replica, what, one.start, until, when)

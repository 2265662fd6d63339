"""The times in which a service was down, stood still or was cut off, for a chart over time."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..sim.run import Run
from ..text import clean, seconds
from ..trace.spans import Trace

WORDS = {"down": "down", "pause": "standing still", "cut": "cut off", "cut from": "cut off from"}


class OutageShown(NamedTuple):
    """An outage of a service, or of one `replica` of several (else 0), from `start` to `end` (ms). `what`
    and `when` are words for it."""

    service: str
    replica: int
    kind: str
    start: int
    end: int
    what: str
    when: str


def outages_of(run: Run, services: Iterable[str], end: int) -> Iterator[OutageShown]:
    """The outages of some services, in the order they began, in a chart that ends at `end` (ms)."""
    for one in Trace.of(run).traffic.outages.values():
        if one.service in services:
            several = len(run._world.services[one.service].replicas) > 1 and "cut" not in one.kind
            until, last = (end, "the end") if one.end is None else (one.end, seconds(one.end))
            what = f"{WORDS[one.kind]} {clean(one.sender or '', 24)}".rstrip()
            who = one.service, one.replica * several, one.kind
            yield OutageShown(*who, one.start, until, what, f"{seconds(one.start)} to {last}")

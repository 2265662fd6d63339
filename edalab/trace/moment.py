"""The world of a run at any moment: which messages are on their way, what waits, who is up and busy.

All is read from the trace once, as times from which to which something lasted; a moment is looked
up in them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf
from typing import NamedTuple

from ..sim.run import Run
from .flights import Flight, Flights
from .spans import Span, Trace
from .transfers import Outage
from .waiting import Backlogs, Times


@dataclass(slots=True)
class State:
    """A service at a moment: its replicas that are down or stand still, whether it is cut off, what
    it handles, and how many messages it has not yet committed or acknowledged."""

    down: set[int] = field(default_factory=set)
    paused: set[int] = field(default_factory=set)
    cut: bool = False
    handling: list[Span] = field(default_factory=list)
    lag: int = 0


class Moment(NamedTuple):
    """The world at a moment. `waiting` is (channel, partition, service) -> how many messages the
    broker keeps for the service and has not handed over; the partition of a queue is None."""

    flights: list[Flight]
    waiting: dict[tuple[str, int | None, str], int]
    services: dict[str, State]


class Moments:
    """The moments of a run. `at` looks one up; `flights` and `outages` are all that any of them has,
    and the keys of `waiting` are those of each."""

    def __init__(self, run: Run):
        self._services, trace = run.services, Trace.of(run)
        times = [step.time for step in run.journal]
        flights = Flights(trace)
        self.flights = flights.every
        self._flights = _Stays([(one.start, one.end) for one in self.flights], self.flights)
        lags: dict[str, list[Times]] = defaultdict(list)
        kept: dict[tuple, list[Times]] = defaultdict(list)
        for one in Backlogs(trace, flights).every:
            lags[one.service].append(one.kept)
            kept[one.channel, one.partition, one.service] += one.parts
        for channel, partition, service in [*kept]:
            if partition is not None and channel in run.system.topics:
                for number in range(run.system.topics[channel].partitions):
                    kept[channel, number, service] += []  # an empty partition waits for nobody
        self._lags = {service: _Level(stays) for service, stays in lags.items()}
        self.waiting = {key: _Level(stays) for key, stays in kept.items()}
        spans = [(times[s.first], inf if s.last is None else times[s.last]) for s in trace.spans]
        self._spans = _Stays(spans, trace.spans)
        self.outages = [*trace.traffic.outages.values()]
        lasted = [(one.start, inf if one.end is None else one.end) for one in self.outages]
        self._outages = _Stays(lasted, self.outages)

    def at(self, time: float) -> Moment:
        """The world at a time (ms), when all is done that happens at that time."""
        services = {name: State() for name in self._services}
        for name, level in self._lags.items():
            services[name].lag = level.at(time)
        outage: Outage
        for outage in self._outages.at(time):
            state = services[outage.service]
            if outage.kind == "cut":
                state.cut = True
            else:
                (state.down if outage.kind == "down" else state.paused).add(outage.replica)
        span: Span
        for span in self._spans.at(time):
            services[span.service].handling.append(span)
        kept = {key: level.at(time) for key, level in self.waiting.items()}
        return Moment(self._flights.at(time), kept, services)


class _Level:
    """How many things there are at a time, of those that last from a time to a time."""

    def __init__(self, stays: Iterable[Times]):
        begins, ends = zip(*stays, strict=True) if stays else ((), ())
        self._begins, self._ends = sorted(begins), sorted(ends)

    def at(self, time: float) -> int:
        return bisect_right(self._begins, time) - bisect_right(self._ends, time)


class _Stays:
    """Things that last from a time to a time."""

    def __init__(self, stays: Iterable[Times], things: list):
        both = sorted(zip(stays, things, strict=True), key=lambda pair: pair[0][0])
        self._things = [thing for _, thing in both]
        self._begins = [begin for (begin, _), _ in both]
        self._ends = [end for (_, end), _ in both]
        self._latest = list(accumulate(self._ends, max))

    def at(self, time: float) -> list:
        """Those that are there at a time, the latest first."""
        found = []
        for number in range(bisect_right(self._begins, time) - 1, -1, -1):
            if self._latest[number] <= time:
                break
            if self._ends[number] > time:
                found.append(self._things[number])
        return found

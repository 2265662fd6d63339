"""The world of a run at any moment: which messages are on their way, what waits, who is up and busy.

All is read from the trace once, as times from which to which something lasted; a moment is looked
up in them."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf
from typing import Any, NamedTuple

from ..sim.run import Run
from .flights import Flight, Flights
from .spans import Span, Trace
from .transfers import Outage
from .waiting import kept_messages, name_of


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
        trace = Trace.of(run)
        self._services, self._journal, flights = run.services, run.journal, Flights(trace)
        self.flights, self.outages = flights.every, [*trace.traffic.outages.values()]
        kept = kept_messages(trace, flights.stored)
        self.waiting = {
            place: _Stays((m.start, m.end, m.name) for m in kept[place]) for place in kept
        }
        self._flights = _Stays((one.start, one.end, one) for one in self.flights)
        self._outages = _Stays((one.start, one.end, one) for one in self.outages)
        times = [step.time for step in run.journal]
        self._spans = _Stays(
            (times[span.first], None if span.last is None else times[span.last], span)
            for span in trace.spans
        )

    def at(self, time: float) -> Moment:
        """The world at a time (ms), when all is done that happens at that time."""
        services = {name: State() for name in self._services}
        outage: Outage
        for outage in self._outages.at(time):
            state = services[outage.service]
            if outage.kind == "cut":
                state.cut = True
            else:
                (state.down if outage.kind == "down" else state.paused).add(outage.replica)
        flights, in_hand = self._flights.at(time), set()
        for flight in flights:
            if flight.kind == "deliver":
                partition, offset = flight.place
                in_hand.add(name_of(flight.target, partition, offset, flight.envelope))
        span: Span
        for span in self._spans.at(time):
            services[span.service].handling.append(span)
            step = self._journal[span.first]
            in_hand.add(name_of(span.service, step.partition, step.offset, span.envelope))
        waiting = {}
        for place, messages in self.waiting.items():
            kept = messages.at(time)
            services[place[2]].lag += len(kept)
            waiting[place] = sum(name not in in_hand for name in kept)
        return Moment(flights, waiting, services)


class _Stays:
    """Things that last from a time to a time; None: to the end."""

    def __init__(self, stays: Iterable[tuple[float, float | None, Any]]):
        stays = sorted(stays, key=lambda stay: stay[0])
        self._begins = [begin for begin, _, _ in stays]
        self._ends = [inf if end is None else end for _, end, _ in stays]
        self._things = [thing for _, _, thing in stays]
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

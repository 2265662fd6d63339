"""The world of a run at any moment: the messages on their way, those that wait, and the services' states.

The trace is read once into intervals with a start and an end, and a moment is looked up in
them."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..sim.run import Run
from .flights import Flight, Flights
from .handed import Handed, Next
from .load import in_line
from .spans import Span, Trace
from .waiting import kept_messages, name_of


@dataclass(slots=True)
class State:
<<<<<<< HEAD
    """A service at a moment: how many `replicas` it has, those that are down or stand still, whether it is cut off, and
    from which senders alone, what it handles, how many questions wait there for a worker, how many messages it has
    not yet committed or acknowledged, which of those that wait for it comes `next`, and when its group `joins`, if it
    has not yet."""
=======
    """A service at a moment. `down` and `paused` are numbers of replicas, `cut_from` are the senders from which alone
    the service is cut off, `in_line` is how many questions wait for a worker, and `lag` how many messages the service
    has not yet committed or acknowledged."""
>>>>>>> main

    replicas: int = 1
    down: set[int] = field(default_factory=set)
    paused: set[int] = field(default_factory=set)
    cut: bool = False
    cut_from: set[str] = field(default_factory=set)
    handling: list[Span] = field(default_factory=list)
    in_line: int = 0
    lag: int = 0
    next: Next | None = None
    joins: int | None = None


class Moment(NamedTuple):
    """The world at a moment. `waiting` maps (channel, partition, service) to the number of messages
    that the broker has not yet delivered to the service. The partition of a queue is None."""

    flights: list[Flight]
    waiting: dict[tuple[str, int | None, str], int]
    services: dict[str, State]


class Moments:
    """The moments of a run. `flights` and `outages` are those of the whole run, and every moment has
    the same keys in `waiting`."""

    def __init__(self, run: Run):
        self._run, self._trace = run, Trace.of(run)
        flights = Flights(self._trace)
        self.flights = sorted(flights.every, key=lambda flight: flight.start)
        self.outages = [*self._trace.traffic.outages.values()]
        more = {"join": 1, "leave": -1}
        steps = [step for step in run.journal if step.step in more]
        self._scaled = [(step.time, step.service, more[step.step]) for step in steps]
        self.waiting = kept_messages(self._trace, flights.stored)
        self._in_line, self._handed = in_line(self._trace), Handed(self._trace)
        services = run.system.services.items()
        self.joins = {name: round(1000 * one.joins) for name, one in services if one.joins}

    def at(self, time: float) -> Moment:
        """The world at a time (ms), after all steps at that time."""
        journal, declared = self._run.journal, self._run.system.services
        services = {name: State(declared[name].replicas) for name in self._run.services}
        for at, service, more in self._scaled:
            services[service].replicas += more if at <= time else 0
        for name, at in self.joins.items():
            services[name].joins = at if time < at else None
        for outage in _lasting(self.outages, time):
            state = services[outage.service]
            if outage.kind == "cut":
                state.cut = True
            elif outage.sender:
                state.cut_from.add(outage.sender)
            else:
                (state.down if outage.kind == "down" else state.paused).add(outage.replica)
        for wait in _lasting(self._in_line, time):
            services[wait.service].in_line += 1
        flights, in_hand = _lasting(self.flights, time)[::-1], set()  # latest first
        for flight in flights:
            if flight.kind == "deliver":
                partition, offset = flight.place
                in_hand.add(name_of(flight.target, partition, offset, flight.envelope))
        for span in reversed(self._trace.spans):
            step, last = journal[span.first], span.last
            if step.time <= time and (last is None or time < journal[last].time):
                services[span.service].handling.append(span)
                in_hand.add(name_of(span.service, step.partition, step.offset, span.envelope))
        waiting, handed = {}, self._handed
        for place, messages in self.waiting.items():
            kept, state = _lasting(messages, time), services[place[2]]
            state.lag += len(kept)
            left = [
                one for one in kept if one.name not in in_hand and not handed.is_behind(one, time)
            ]
            waiting[place] = len(left)
            nexts = filter(None, (handed.next_of(one, place[2], time) for one in left))
            state.next = min(filter(None, (state.next, *nexts)), default=None)
        return Moment(flights, waiting, services)


def _lasting(things: list[Any], time: float) -> list[Any]:
    """The things that last at a time, by their `start` and `end` (None: the end of the run)."""
    return [one for one in things if one.start <= time and (one.end is None or time < one.end)]

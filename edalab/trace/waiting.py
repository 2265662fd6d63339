"""What the broker keeps for a service, and since when: the messages of each partition and queue."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from ..sim.topics import Log
from .flights import Flights
from .spans import Span, Trace

Times = tuple[float, float]  # from, to


class Waiting(NamedTuple):
    """A message that the broker keeps for a service, from the time it was stored until the service
    commits or acknowledges it. `parts` are the times in which no service has it in hand.

    A queue keeps it for every service that may take it: its partition is None."""

    channel: str
    partition: int | None
    service: str
    kept: Times
    parts: list[Times]


class Backlogs:
    """All that the broker of a run kept for the services that handle it, in `every`."""

    def __init__(self, trace: Trace, flights: Flights):
        self._trace, self._stored = trace, flights.stored
        self._handlers: dict[str, list[str]] = defaultdict(list)  # type -> services
        for name, service in trace.system.services.items():
            for type_ in dict.fromkeys(handler.type for handler in service.handlers.values()):
                self._handlers[type_].append(name)
        # (service, topic, partition) -> the offsets it committed and when
        self._committed: dict[tuple, list[tuple[int, int]]] = defaultdict(list)
        self._closed: dict[str, list[int]] = defaultdict(list)  # id in a queue -> when
        self._doubled: dict[str, list[float]] = defaultdict(list)  # by a delivery from a queue
        self._in_hand: dict[tuple, list[Times]] = defaultdict(list)
        self._read_steps()
        for flight in flights.every:
            if flight.kind == "deliver":
                place = (flight.target, *flight.place, flight.envelope.id)
                self._hold(place, (flight.start, flight.end))
        self.every: list[Waiting] = []
        for name, channel in trace.run._world.channels.items():
            self.every += (
                self._in_log(channel) if isinstance(channel, Log) else self._in_queue(name)
            )

    def _read_steps(self) -> None:
        by_message = self._trace.by_message
        for number, step in enumerate(self._trace.run.journal):
            dropped = step.step == "lost" and step.fault == "drop"
            if step.envelope is None or not (
                step.fault is None or dropped or step.step == "deliver"
            ):
                continue
            id = step.envelope.id
            if step.offset is not None:
                if step.step == "commit" or dropped:
                    place = step.service, step.envelope.topic, step.partition
                    self._committed[place].append((step.offset, step.time))
            elif step.step in ("ack", "dead_letter") or dropped:
                self._closed[id].append(step.time)
            elif step.step == "deliver" and step.fault == "duplicate":
                after = [span for span in by_message.get(id, ()) if span.first > number]
                self._doubled[id] += [self._lasted(span)[1] for span in after[:1]]
        for span in self._trace.spans:
            first = self._trace.run.journal[span.first]
            place = span.service, first.partition, first.offset, span.envelope.id
            self._hold(place, self._lasted(span))

    def _lasted(self, span: Span) -> Times:
        journal = self._trace.run.journal
        return journal[span.first].time, inf if span.last is None else journal[span.last].time

    def _hold(self, place: tuple, times: Times) -> None:
        """A service has a message in hand; one of a queue is in nobody else's then."""
        self._in_hand[place if place[1] is not None else place[3:]].append(times)

    def _in_log(self, log: Log) -> Iterator[Waiting]:
        """A group has done with all that lies before the offset it committed."""
        copies: Counter[str] = Counter()  # that came before, by id
        for partition, records in enumerate(log.partitions):
            last = 0
            for offset, envelope in enumerate(records):
                times = self._stored[envelope.id]
                last = max(last, times[min(copies[envelope.id], len(times) - 1)])
                copies[envelope.id] += 1
                for service in self._handlers[envelope.type]:
                    commits = self._committed[service, log.name, partition]
                    at = bisect_left(commits, (offset, 0))
                    kept = last, commits[at][1] if at < len(commits) else inf
                    held = self._in_hand[service, partition, offset, envelope.id]
                    yield Waiting(log.name, partition, service, kept, [*_without(kept, held)])

    def _in_queue(self, name: str) -> Iterator[Waiting]:
        """A queue keeps each copy of a message until one is acknowledged or is a dead letter."""
        for id, stored in self._stored.items():
            envelope = self._trace.messages[id]
            if envelope.topic != name:
                continue
            ends, held = [*self._closed[id]], self._in_hand[(id,)]
            for start in sorted([*stored, *self._doubled[id]]):
                end = next((time for time in ends if time >= start), inf)
                if end in ends:
                    ends.remove(int(end))
                parts = [*_without((start, end), held)]
                for service in self._handlers[envelope.type]:
                    yield Waiting(name, None, service, (start, end), parts)


def _without(whole: Times, holes: list[Times]) -> Iterator[Times]:
    """The parts of a time that lie in none of the holes."""
    start, end = whole
    for begin, until in sorted(holes):
        if begin >= end:
            break
        if begin > start:
            yield start, begin
        start = max(start, until)
    if start < end:
        yield start, end

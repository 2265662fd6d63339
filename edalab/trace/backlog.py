"""The backlog of a service: the events that were published to it and that it has not committed yet."""

from math import inf
from typing import NamedTuple

from ..errors import Misuse, Unknown, listed
from ..model import Event
from ..sim.run import Run
from .flights import Flights
from .spans import Trace
from .waiting import kept_messages


class Level(NamedTuple):
    """The number of events that wait from `time` (ms) on. `since` is the time (ms) at which the
    oldest of them was published, or None if none waits."""

    time: int
    waiting: int
    since: int | None


class Backlog:
<<<<<<< HEAD
    """How the backlog of a service rose and fell over a run, as `levels`."""
=======
    """The backlog of a service over a run, as `levels`. `outages` are the outages of the service's
    replicas, in the order in which they ended."""
>>>>>>> main

    def __init__(self, run: Run, service: str):
        if service not in run.services:
            raise Unknown("service", service, run.services)
        types = _event_types(run, service)
        if not types:
            others = [name for name in run.services if _event_types(run, name)]
            what = f"{service} subscribes to no event, so it has no backlog"
            raise Misuse(f"{what}; services that have one: {listed(others)}")
        self.run = run
        trace = Trace.of(run)
        self.levels = [Level(0, 0, None)]
        waiting: dict[int, int] = {}  # number of a message -> when it was published
        for time, ends, number in sorted(_changes(trace, service, types)):
            if ends:
                del waiting[number]
            else:
                waiting[number] = time
            level = Level(time, len(waiting), next(iter(waiting.values()), None))
            if self.levels[-1][1:] != level[1:]:
                if self.levels[-1].time == time:
                    self.levels.pop()
                self.levels.append(level)

    @property
    def most(self) -> Level:
        """The first level with the largest number of waiting events."""
        return max(self.levels, key=lambda level: level.waiting)

    @property
    def oldest(self) -> tuple[int, int]:
        """The greatest age of a waiting event: the time at which it was reached and the age, both in ms."""
        ends = [*(level.time for level in self.levels[1:]), self.run.end]
        levels = zip(self.levels, ends, strict=True)
        ages = [(end, end - level.since) for level, end in levels if level.since is not None]
        return max(ages, key=lambda age: age[1], default=(0, 0))


def _changes(trace: Trace, service: str, types: set[str]) -> list[tuple[int, bool, int]]:
    """The changes of a backlog as (time, is a commit, number of the message). An event counts from
    its publish, and an extra copy that a fault made from when the broker stored it."""
    published: dict[tuple[str, str], list[int]] = {}
    for transfer in trace.traffic.transfers:
        if transfer.reached_broker:
            time = trace.journal[transfer.sent].time
            place = transfer.envelope.topic, transfer.envelope.id
            published.setdefault(place, []).append(time)
    changes: list[tuple[int, bool, int]] = []
    kept = kept_messages(trace, Flights(trace).stored).items()
    mine = [(at, one) for (at, _, taker), some in kept if taker == service for one in some]
    for number, (channel, (start, end, envelope, _)) in enumerate(mine):
        if envelope.type in types:
            times = published[channel, envelope.id]
            sent = times and times[0] <= start  # otherwise it is an extra copy
            changes.append((times.pop(0) if sent else int(start), False, number))
            if end < inf:
                changes.append((int(end), True, number))
    return changes


def _event_types(run: Run, service: str) -> set[str]:
    """The types of the events that a service subscribes to."""
    handlers = run.system.services[service].handlers.values()
    return {handler.type for handler in handlers if handler.kind is Event}

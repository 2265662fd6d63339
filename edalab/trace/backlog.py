"""The backlog of a service: the events that the broker stored for it and that it has not committed yet."""

from itertools import chain
from typing import NamedTuple

from ..errors import Misuse, Unknown, listed
from ..model import Event
from ..sim.readers import Reader
from ..sim.run import Run
from ..sim.world import World
from .spans import Trace


class Level(NamedTuple):
    """The number of events that wait from `time` (ms) on. `since` is the time (ms) at which the
    oldest of them was published, or None if none waits."""

    time: int
    waiting: int
    since: int | None


class Backlog:
    """The backlog of a service over a run, as `levels`."""

    def __init__(self, run: Run, service: str):
        if service not in run.services:
            raise Unknown("service", service, run.services)
        types = _event_types(run, service)
        if not types:
            others = [name for name in run.services if _event_types(run, name)]
            what = f"{service} subscribes to no event, so it has no backlog"
            raise Misuse(f"{what}; services that have one: {listed(others)}")
        self.run, trace = run, Trace.of(run)
        published = {trace.envelope(n).id: run.journal[n].time for n in reversed(trace.sends)}

        def look(world: World) -> tuple[int, int | None]:
            here = world.services[service]
            readers = [one for one in here.readers if isinstance(one, Reader)]
            kept = [*chain(*(one.records[one.committed :] for one in readers))]
            kept += [item.envelope for queue in here.queues for item in queue.open]
            times = [published[envelope.id] for envelope in kept if envelope.type in types]
            return len(times), min(times, default=None)

        self.levels = [Level(0, 0, None)]
        for time, level in run._over_time(look).items():
            if self.levels[-1][1:] != level:
                self.levels.append(Level(min(time, run.end), *level))

    @property
    def most(self) -> Level:
        """The first level with the largest number of waiting events."""
        return max(self.levels, key=lambda level: level.waiting)

    @property
    def ages(self) -> list[tuple[int, int]]:
        """The age of the oldest waiting event (0 if none waits) at the start and the end of each level, as
        (time, age) in ms. Between the two it rises with time."""
        ends = [*(level.time for level in self.levels[1:]), max(self.run.end, 1)]
        levels = zip(self.levels, ends, strict=True)
        times = [(time, level.since) for level, end in levels for time in (level.time, end)]
        return [(time, 0 if since is None else time - since) for time, since in times]

    @property
    def oldest(self) -> tuple[int, int]:
        """The greatest age of a waiting event: the time at which it was reached and the age, both in ms."""
        return max(self.ages, key=lambda age: age[1])


def _event_types(run: Run, service: str) -> set[str]:
    """The types of the events that a service subscribes to."""
    handlers = run.system.services[service].handlers.values()
    return {handler.type for handler in handlers if handler.kind is Event}

"""A backlog: the events that were published to a service and that it has not yet committed."""

from typing import NamedTuple

from ..errors import Misuse, Unknown, listed
from ..model import Event
from ..sim.run import Run
from .spans import Trace
from .transfers import Outage


class Level(NamedTuple):
    """From `time` on (ms) so many events wait; `since` is when the oldest of them was published,
    None where none waits."""

    time: int
    waiting: int
    since: int | None


class Backlog:
    """How the backlog of a service rose and fell over a run, as `levels`; `outages` are the times in
    which a replica of the service was down, stood still or was cut off, in the order they ended."""

    def __init__(self, run: Run, service: str):
        if service not in run.services:
            raise Unknown("service", service, run.services)
        types = _event_types(run, service)
        if not types:
            others = [name for name in run.services if _event_types(run, name)]
            raise Misuse(
                f"{service} subscribes to no event, and a backlog is that of services which have "
                f"events published to them and not yet committed: {listed(others)}"
            )
        self.run = run
        traffic = Trace.of(run).traffic
        mine = [outage for outage in traffic.outages.values() if outage.service == service]
        self.outages: list[Outage] = sorted(mine, key=lambda one: one.last or len(run.journal))
        self.levels = [Level(0, 0, None)]
        changes: list[tuple[int, str]] = []  # a step, and the event that waits from or until there
        for transfer in traffic.transfers:
            if transfer.envelope.type in types and transfer.left:
                steps = transfer.sent, transfer.settled_for(service)
                changes += [(step, transfer.envelope.id) for step in steps if step is not None]
        waiting: dict[str, int] = {}  # id -> when it was published; the oldest first
        for number, id in sorted(changes):
            step = run.journal[number]
            if step.step == "publish":
                waiting.setdefault(id, step.time)
            else:
                waiting.pop(id, None)
            level = Level(step.time, len(waiting), next(iter(waiting.values()), None))
            if self.levels[-1][1:] != level[1:]:
                if self.levels[-1].time == step.time:
                    self.levels.pop()
                self.levels.append(level)

    @property
    def most(self) -> Level:
        """The level at which most events waited, the first of them."""
        return max(self.levels, key=lambda level: level.waiting)

    @property
    def oldest(self) -> tuple[int, int]:
        """When the oldest waiting event was oldest, and how old (both in ms)."""
        ends = [*(level.time for level in self.levels[1:]), self.run.end]
        levels = zip(self.levels, ends, strict=True)
        ages = [(end, end - level.since) for level, end in levels if level.since is not None]
        return max(ages, key=lambda age: age[1], default=(0, 0))


def _event_types(run: Run, service: str) -> set[str]:
    """The types of the events that a service subscribes to."""
    handlers = run.system.services[service].handlers.values()
    return {handler.type for handler in handlers if handler.kind is Event}

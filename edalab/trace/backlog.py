"""A backlog: the events that were published to a service and that it has not yet committed, over time. Read from the record
alone."""

from typing import NamedTuple

from ..errors import Misuse, Unknown, listed
from ..model import Event
from ..sim.run import Run
from .identity import UNSENT

_BEGINS = {"crash": "down", "pause": "pause", "cut": "cut"}
_ENDS = {"restart": "down", "resume": "pause", "heal": "cut"}


class Level(NamedTuple):
    """From `time` on (ms) so many events wait; `since` is when the oldest of them was published, None where none waits."""

    time: int
    waiting: int
    since: int | None


class Trouble(NamedTuple):
    """A replica was down, stood still ("pause") or was cut off, from a time to another (ms; None: to the end)."""

    kind: str
    replica: int
    start: int
    end: int | None


class Backlog:
    """`levels`: how the backlog of a service rose and fell; `troubles`: what befell the service meanwhile."""

    def __init__(self, run: Run, service: str):
        if service not in run.services:
            raise Unknown("service", service, run.services)
        self.run, self.service = run, service
        self.types = {type_ for type_, kind in _kinds(run, service) if kind is Event}
        if not self.types:
            others = [
                name for name in run.services if any(kind is Event for _, kind in _kinds(run, name))
            ]
            what = "which have events published to them and not yet committed"
            raise Misuse(
                f"{service} subscribes to no event, and a backlog is that of services {what}: {listed(others)}"
            )
        self.levels = [Level(0, 0, None)]
        self.troubles: list[Trouble] = []
        self._waiting: dict[str, int] = {}  # id -> when it was published; the oldest first
        self._uncommitted: dict[
            tuple, list[tuple[int, str]]
        ] = {}  # a commit that was lost is part of a later one
        under_way: dict[tuple[str, int], int] = {}
        for step in run.journal:
            if step.envelope is not None and step.envelope.type in self.types:
                self._follow(step)
            elif step.service == service and step.step in _BEGINS:
                under_way.setdefault((_BEGINS[step.step], step.replica), step.time)
            elif step.service == service and step.step in _ENDS:
                kind = _ENDS[step.step], step.replica
                if kind in under_way:
                    self.troubles.append(Trouble(*kind, under_way.pop(kind), step.time))
        self.troubles += [Trouble(*kind, start, None) for kind, start in under_way.items()]

    @property
    def most(self) -> Level:
        """Where most events waited, first."""
        return max(self.levels, key=lambda level: level.waiting)

    @property
    def oldest(self) -> tuple[int, int]:
        """When the oldest waiting event was oldest, and how old (both in ms)."""
        ends = [*(level.time for level in self.levels[1:]), self.run.end]
        ages = [
            (end, end - level.since)
            for level, end in zip(self.levels, ends)
            if level.since is not None
        ]
        return max(ages, key=lambda age: age[1], default=(0, 0))

    def _follow(self, step) -> None:
        envelope, place = step.envelope, (step.envelope.topic, step.partition)
        mine = step.service == self.service
        if step.step == "publish" and step.fault not in (*UNSENT, "lose"):
            self._waiting.setdefault(envelope.id, step.time)
        elif step.step == "commit" and mine:
            handled = self._uncommitted.setdefault(place, [])
            handled.append((step.offset, envelope.id))
            if step.fault is not None:
                return
            for _, id in [entry for entry in handled if entry[0] <= step.offset]:
                self._waiting.pop(id, None)
            self._uncommitted[place] = [entry for entry in handled if entry[0] > step.offset]
        elif (
            step.step == "ack"
            and step.fault is None
            or step.step == "lost"
            and mine
            or self._given_up(step)
        ):
            self._waiting.pop(envelope.id, None)
        since = next(iter(self._waiting.values()), None)
        if (len(self._waiting), since) != self.levels[-1][1:]:
            if self.levels[-1].time == step.time:
                self.levels.pop()
            self.levels.append(Level(step.time, len(self._waiting), since))

    def _given_up(self, step) -> bool:
        """A queue lets go of a dead letter at once; a log's consumer commits it like any other message."""
        return step.step == "dead_letter" and step.envelope.topic in self.run.system.queues


def _kinds(run: Run, service: str) -> list[tuple[str, type]]:
    return [
        (handler.type, handler.kind) for handler in run.system.services[service].handlers.values()
    ]

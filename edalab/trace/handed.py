"""When each message was handed to a service, and when one that waits comes."""

from bisect import bisect_right
from collections import defaultdict
from math import inf
from typing import Any, NamedTuple

from ..text import seconds
from .spans import Trace


class Next(NamedTuple):
    """A message that waits comes at `time` (ms): inf where the run ends before. `how`: "retried" after a handler
    failed, "again" if it came before, or "first"."""

    time: float
    how: str

    @property
    def words(self) -> str:
        """Such as "tries again at 0.4 s"."""
        words = {"retried": "tries again", "again": "again", "first": "next"}[self.how]
        return f"{words} later" if self.time == inf else f"{words} at {seconds(int(self.time))}"


class Handed:
    """The steps at which each message was handed to a service or failed there. The name of a message is its id in a
    queue, or else (service, topic, partition, offset)."""

    def __init__(self, trace: Trace):
        self._steps: dict[Any, list[tuple[int, bool, str]]] = defaultdict(list)
        self._queued: dict[str, list[tuple[int, int, str]]] = defaultdict(list)  # sent, handed, id
        sent: dict[str, int] = {}
        for step in trace.journal:
            if step.step == "publish" and step.envelope:
                sent.setdefault(step.envelope.id, step.time)
            elif step.step in ("deliver", "handle", "retry") and step.envelope:
                name: Any = step.envelope.id
                if step.partition is not None:
                    name = step.service, step.envelope.topic, step.partition, step.offset
                elif name in sent and name not in self._steps:
                    self._queued[step.service].append((sent[name], step.time, name))
                self._steps[name].append((step.time, step.step == "retry", step.service))

    def next_of(self, service: str, waiting: list[Any], time: float) -> Next | None:
        """When the first of some waiting messages, or of the commands that are due later, comes to a service."""
        due = [name for sent, handed, name in self._queued[service] if sent <= time < handed]
        nexts = (self._next(name, service, time) for name in (*waiting, *due))
        return min(filter(None, nexts), default=None)

    def _next(self, name: Any, service: str, time: float) -> Next | None:
        steps = self._steps.get(name, [])
        place = bisect_right(steps, time, key=lambda step: step[0])
        before, after = steps[:place], steps[place:]
        comes, _, to = next((step for step in after if not step[1]), (inf, False, service))
        if to != service:  # another one takes it from the queue
            return None
        if before:
            return Next(comes, "retried" if before[-1][1] else "again")
        return Next(comes, "first") if comes < inf else None

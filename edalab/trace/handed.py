"""When each message was handed to a service: which ones lie behind it, and when the others come."""

from bisect import bisect_right
from collections import defaultdict
from math import inf
from typing import Any, NamedTuple

from ..sim.clock import DELIVER
from ..text import seconds
from .spans import Trace
from .waiting import Kept, name_of

_KINDS = {"deliver": "handed", "handle": "handed", "retry": "retry"}
_KINDS |= dict.fromkeys(("commit", "done"), "handled")
_GO_BACK = ("crash", "takeover", "rewind")  # a service reads again from what it has committed


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
    """What the record says of each message that a broker kept: when it was handed over, failed and was handled."""

    def __init__(self, trace: Trace):
        self._steps: dict[Any, list[tuple[int, str, str]]] = defaultdict(list)
        self._back: dict[str, list[int]] = defaultdict(list)  # service -> when it went back
        for step in trace.journal:
            if step.step in _GO_BACK:
                self._back[step.service].append(step.time)
            elif step.envelope and step.step in _KINDS and step.fault != "fenced":
                name = name_of(step.service, step.partition, step.offset, step.envelope)
                self._steps[name].append((step.time, _KINDS[step.step], step.service))

    def is_behind(self, kept: Kept, time: float) -> bool:
        """Whether a service has handled a message of a log and not committed it. It lies before
        the service again when that goes back."""
        if isinstance(kept.name, str):  # of a queue, which hands it out again
            return False
        before, after = self._parted(kept, time)
        if not before or before[-1][1] != "handled":
            return False
        back = self._back[kept.name[0]]
        return not after or not any(before[-1][0] <= at <= time for at in back)

    def next_of(self, kept: Kept, service: str, time: float) -> Next | None:
        """When a message comes to a service that is not in its hands at a time (ms)."""
        before, after = self._parted(kept, time)
        comes = next((step for step in after if step[1] == "handed"), (inf, "", service))
        if comes[2] != service:  # another one takes it from the queue
            return None
        if before:
            return Next(comes[0], "retried" if before[-1][1] == "retry" else "again")
        waits = time + 3 * DELIVER < comes[0] < inf  # longer than its way may take
        return Next(comes[0], "first") if waits else None

    def _parted(self, kept: Kept, time: float) -> tuple[list, list]:
        steps = self._steps.get(kept.name, [])
        place = bisect_right(steps, time, key=lambda step: step[0])
        return steps[:place], steps[place:]

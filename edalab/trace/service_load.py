"""The load of a service: the questions it gets, how many are at work and in line, and how many get answers in time."""

from bisect import bisect_left, bisect_right
from collections import Counter
from functools import cached_property, partial
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING

from ..errors import Misuse, Unknown, listed, needed_for
from ..model import Event
from ..sim.run import Run
from .spans import Trace

if TYPE_CHECKING:
    import pandas

RATES = ("asked", "in_time", "too_late", "busy")  # counts per second


class Load:
    """The load of a service over a run.

    times: the times (ms) for each of RATES. asked: the question was sent. in_time: the asker got its
        answer. too_late: an answer was sent that was late or lost. busy: the asker was turned away.
    at_work, waiting: how many questions from each change on, as (time in ms, number)."""

    def __init__(self, run: Run, service: str):
        if service not in run.services:
            raise Unknown("service", service, run.services)
        if not _is_asked(run, service):
            others = [name for name in run.services if _is_asked(run, name)]
            what = f"{service} answers no question and no command, so nothing is asked of it"
            raise Misuse(f"{what}; services that have a load: {listed(others)}")
        self.run, trace = run, Trace.of(run)
        self.times: dict[str, list[int]] = {name: [] for name in RATES}
        mine, in_time = set(), trace.answered
        in_line: dict[str, int] = {}  # since when questions wait for a worker, by id
        waits: list[tuple[int, int | None]] = []
        for number, step in enumerate(run.journal):
            id = step.envelope.id if step.envelope else ""
            if step.step == "waiting" and step.service == service:
                in_line[id] = step.time
            elif step.step in ("handle", "lost") and id in in_line:
                waits.append((in_line.pop(id), step.time))
            elif step.step == "ask" and step.fault != "crash":
                if trace.envelope(number).topic == service:
                    mine.add(id)
                    self.times["asked"].append(step.time)
            elif id in mine:
                if step.step == "answer" and in_time.get(id) == number:
                    self.times["in_time"].append(step.time)
                elif step.step == "busy":
                    self.times["busy"].append(step.time)
                    mine.discard(id)  # its reply reports the same
                elif step.step == "reply" and id not in in_time:
                    self.times["too_late"].append(step.time)
        handled = [s for s in trace.spans if s.service == service and s.envelope.data is not None]
        times = [(run.journal[s.first].time, s.last and run.journal[s.last].time) for s in handled]
        self.at_work = _levels(times)
        self.waiting = _levels([*waits, *((start, None) for start in in_line.values())])
        declared = run.system.services[service]
        self.workers = (declared.workers or 0) * declared.replicas  # 0: no limit

    @cached_property
    def by_second(self) -> dict[str, list[int]]:
        """For each second, the counts of RATES and the maxima of `at_work` and `waiting`."""
        seconds = range(self.run.end // 1000 + 1)
        counts = {name: Counter(time // 1000 for time in self.times[name]) for name in RATES}
        table = {name: [counts[name][second] for second in seconds] for name in RATES}
        for name in ("at_work", "waiting"):
            table[name] = [*map(partial(_most, getattr(self, name)), seconds)]
        return table

    @property
    def table(self) -> "pandas.DataFrame":
        """A row for each second: asked, in_time (the goodput), too_late, busy, the most at_work and waiting."""
        with needed_for("load(...).table"):
            import pandas

        return pandas.DataFrame(self.by_second).rename_axis("second")


def _levels(times: list[tuple[int, int | None]]) -> list[tuple[int, int]]:
    """The number of intervals that overlap, from each change on. An end of None is the end of the run."""
    changes: Counter[int] = Counter({0: 0})
    for start, end in times:
        changes[start] += 1
        if end is not None:
            changes[end] -= 1
    moments = sorted(changes)
    return [*zip(moments, accumulate(changes[time] for time in moments), strict=True)]


def _most(levels: list[tuple[int, int]], second: int) -> int:
    """The maximum in a second. A level that ends as the second begins does not count."""
    first = bisect_right(levels, (1000 * second, inf)) - 1
    last = bisect_left(levels, (1000 * second + 1000,))
    return max(number for _, number in levels[first:last])


def _is_asked(run: Run, service: str) -> bool:
    """Whether a service answers a query or handles a command."""
    return any(h.kind is not Event for h in run.system.services[service].handlers.values())

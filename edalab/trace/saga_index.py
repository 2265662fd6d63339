"""The sagas of a run, and the part of a run that was recorded up to a moment.

The state of a saga at a moment is read from the run `until` that moment, so no later step counts.
"""

from bisect import bisect_right
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from ..model import Envelope
from ..sim.changes import Changes
from ..sim.run import Run
from ..sim.steps import WIDTH
from .faults import FAILED_TO_SEND
from .identity import says_the_same
from .saga import Saga, saga_types
from .spans import Trace

_UNFINISHED = SimpleNamespace(misuse=None, agenda=[None], cancelled=())


class _Prefix(Run):
    """The part of a run that was recorded up to `time` (ms)."""

    def __init__(self, run: Run, time: int):
        length = bisect_right(run._record[::WIDTH], time) * WIDTH
        world: Any = _UNFINISHED
        super().__init__(run.system, run._record[:length], world, run._replay, run.seed)
        self._whole = run

    def changes(self, save: int) -> Changes:
        return self._whole.changes(save)


def until(run: Run, time: int) -> Run:
    """The part of a run that was recorded up to `time` (ms), or the run itself if that is all of it."""
    if time >= run.end:
        return run
    parts = vars(run).setdefault("_prefixes", {})
    if time not in parts:
        parts[time] = _Prefix(run, time)
    return parts[time]


def sagas(trace: Trace, begins: Iterable[str] = ()) -> list[Saga]:
    """The sagas of a run in the order they began, one for each correlation. A later correlation of a
    tick or the client about the same key joins it. Messages of the types `begins` also begin one."""
    key = frozenset(begins)
    known: dict[frozenset[str], list[Saga]] = vars(trace).setdefault("_sagas", {})
    if key not in known:
        known[key] = _read(trace, saga_types(trace) | key)
    return known[key]


def _read(trace: Trace, types: set[str]) -> list[Saga]:
    home: dict[str, str] = {}  # a correlation -> the first correlation of its saga
    of_key: dict[str | None, str] = {}
    for number in trace.sends:
        envelope = trace.envelope(number)
        correlation = envelope.correlation
        if envelope.type not in types or trace.fault(number) in FAILED_TO_SEND:
            continue
        if correlation not in home:
            home[correlation] = _home(trace, envelope, of_key)
            if home[correlation] == correlation:
                of_key[envelope.subject] = correlation
        of_key.setdefault(envelope.subject, home[correlation])
    numbers: dict[str, list[int]] = {first: [] for first in home.values()}
    for number in trace.sends:
        correlation = trace.envelope(number).correlation
        if correlation in home:
            numbers[home[correlation]].append(number)
    return [Saga(trace, of_saga) for of_saga in numbers.values()]


def _home(trace: Trace, envelope: Envelope, of_key: dict[str | None, str]) -> str:
    """The first correlation of the saga to which a message with a new correlation belongs."""
    correlation = envelope.correlation
    earlier = of_key.get(envelope.subject) if envelope.subject is not None else None
    if earlier is None:
        return correlation
    root, first = trace.messages.get(correlation), trace.messages.get(earlier)
    if root is None or first is None or root.type != first.type or root.source != "client":
        return earlier
    return earlier if says_the_same(root, first) else correlation

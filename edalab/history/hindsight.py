"""What was, and what was believed at each moment: two courses of a state, read from the two times of its events."""

from bisect import bisect_right, insort
from collections.abc import Callable
from copy import deepcopy
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from .moments import moment
from .past import _check, _folded
from .stored import StoredEvent

if TYPE_CHECKING:
    from .store import EventStore

_APART = 50  # events from one kept state to the next


class Change(NamedTuple):
    """From a moment on (µs since 1970) a state has this value, by these events."""

    at: int
    value: Any
    facts: tuple[StoredEvent, ...]


class Wrong(NamedTuple):
    """From a moment to another (µs since 1970) it was this, and believed to be that."""

    start: int
    end: int
    was: Any
    believed: Any


class Hindsight:
    """`was`: the changes of a state by when they happened, as known now, or at the moment `as_of`. `believed`: those of
    what `store.state(stream, fold, start, until=t, as_of=t)` said at each moment t until then. `wrong`: where they differ.
    `value` is what is compared of a state."""

    def __init__(
        self,
        store: "EventStore",
        stream: str | None,
        fold: Callable,
        start: Any = None,
        as_of: Any = None,
        value: Callable[[Any], Any] = lambda state: state,
    ):
        _check(store, stream, fold)
        self._fold, self._start, self._value = fold, start, value
        self.first = value(deepcopy(start))  # before any event
        facts = sorted(store.read(stream, as_of=as_of), key=_happened)
        self.facts = facts
        self.was = self._course(facts, lambda fact: fact.happened_at)
        self.believed = self._course(sorted(facts, key=_believed_at), _believed_at)
        known = None if as_of is None else moment(as_of, "as_of=", bound=True)
        self.wrong = list(self._differing(known))

    def was_at(self, when: Any) -> Any:
        """The value at a moment, in hindsight."""
        return self.at(moment(when, "was_at", bound=True))[0]

    def believed_at(self, when: Any) -> Any:
        """The value at a moment, as somebody who asked then was told."""
        return self.at(moment(when, "believed_at", bound=True))[1]

    def at(self, when: int) -> tuple[Any, Any]:
        """What it was and what it was believed to be, at a moment in µs since 1970."""
        found = []
        for changes in (self.was, self.believed):
            number = bisect_right(changes, when, key=lambda change: change.at)
            found.append(changes[number - 1].value if number else self.first)
        return found[0], found[1]

    def worst(self, start: int, end: int) -> Wrong | None:
        """Of what was wrong between two moments, that which was so by most, and for longest."""
        within = [wrong for wrong in self.wrong if wrong.start < end and start < wrong.end]
        return max(within, key=lambda wrong: (_far(wrong.was, wrong.believed), wrong.end - wrong.start), default=None)

    def _course(self, facts: list[StoredEvent], when: Callable[[StoredEvent], int]) -> list[Change]:
        """The values as these facts become part of the state one after the other. A fact that comes late is put into its
        place, and what follows it is folded again, from a state kept shortly before: not from the first event on."""
        known: list[tuple[int, int, StoredEvent]] = []
        kept, now, changes = [(0, deepcopy(self._start))], deepcopy(self._start), []
        for at, group in groupby(facts, when):
            group = tuple(group)
            first = len(known)
            for fact in group:
                entry = (*_happened(fact), fact)
                first = min(first, bisect_right(known, entry[:2], key=lambda other: other[:2]))
                insort(known, entry, key=lambda other: other[:2])
            done = len(known) - len(group)
            if first < done:
                while kept[-1][0] > first:
                    kept.pop()
                done, now = kept[-1][0], _copied(kept[-1][1])
            for number in range(done, len(known)):
                now = _folded(now, self._fold, [known[number][2]], self._start)
                if (number + 1) % _APART == 0:
                    kept.append((number + 1, _copied(now)))
            changes.append(Change(at, self._value(now), group))
        return changes

    def _differing(self, known: int | None):
        """The stretches in which the two differ, but for the time after `known`."""
        moments = sorted({change.at for change in (*self.was, *self.believed)})
        ends = [*moments[1:], known] if known is not None else moments[1:]
        was, believed = dict(_points(self.was)), dict(_points(self.believed))
        one = other = self.first
        open_: Wrong | None = None
        for start, end in zip(moments, ends):
            one, other = was.get(start, one), believed.get(start, other)
            end = end if known is None else min(end, known)
            if one == other or start >= end:
                if open_:
                    yield open_
                open_ = None
            elif open_ and open_[2:] == (one, other):
                open_ = open_._replace(end=end)
            else:
                if open_:
                    yield open_
                open_ = Wrong(start, end, one, other)
        if open_:
            yield open_


def _happened(fact: StoredEvent) -> tuple[int, int]:
    return fact.happened_at, fact.position


def _believed_at(fact: StoredEvent) -> int:
    """When it became part of what was believed: it had happened, and was known."""
    return max(fact.happened_at, fact.recorded_at)


def _copied(state: Any) -> Any:
    return state if isinstance(state, int | float | str | None) else deepcopy(state)


def _points(changes: list[Change]):
    return ((change.at, change.value) for change in changes)


def _far(one: Any, other: Any) -> float:
    """How far apart two values are; of any but numbers, whether."""
    try:
        return abs(float(one) - float(other))
    except (TypeError, ValueError):
        return float(one != other)

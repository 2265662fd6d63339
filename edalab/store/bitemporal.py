"""Hindsight: what a state actually was over time, beside what was believed at each moment."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cached_property
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from .fold import apply, check_fold, check_result
from .stored_event import StoredEvent

# To copy a state may take time. So of long courses only some are kept, and the others folded again.
_FEW, _INTERVAL = 200, 50
_COPIED_AT_ONCE = (bool, int, float, str, type(None))

_order = attrgetter("happened_at", "position")


class Change(NamedTuple):
    """From `at` (µs since 1970) on, a state has this value, because of these facts."""

    at: int
    value: Any
    facts: tuple[StoredEvent, ...]


class Discrepancy(NamedTuple):
    """From `start` to `end` (µs since 1970) the value was `actual`, and believed to be `believed`."""

    start: int
    end: int
    actual: Any
    believed: Any


class Replay:
    """One fold over several orders of a stream's facts. What two orders begin with is folded once.

    `value` is what is compared and drawn of a state; it must not return a part that the fold
    changes later."""

    def __init__(self, fold: Callable, start: Any = None, value: Callable = lambda state: state):
        check_fold(fold)
        self.fold, self.start, self.value = fold, deepcopy(start), value
        self.first = value(deepcopy(start))  # before any fact
        self._courses: list[Course] = []

    def course(self, facts: Sequence[StoredEvent]) -> "Course":
        """The states along these facts."""
        like = max(self._courses, key=lambda course: course.common(facts), default=None)
        course = Course(self, like)
        course.change(0, facts)
        self._courses.append(course)
        return course


class Course:
    """The values along facts in one order: `values[n]` is that after `n` facts."""

    def __init__(self, replay: Replay, like: "Course | None" = None):
        self.facts: list[StoredEvent] = []
        self.values = [replay.first]
        self._replay, self._like, self._shared = replay, like, 0
        self._kept = [(0, replay.start)]  # the number of facts, and the state after them

    def common(self, facts: Sequence[StoredEvent], known: int = 0) -> int:
        """How many facts this course has in common with others, from the first on; the first
        `known` need not be compared."""
        while known < min(len(self.facts), len(facts)) and self.facts[known] is facts[known]:
            known += 1
        return known

    def change(self, place: int, facts: Sequence[StoredEvent]) -> None:
        """Let these facts follow the first `place` ones, in place of those that did."""
        del self.facts[place:], self.values[place + 1 :]
        while self._kept[-1][0] > place:
            self._kept.pop()
        self.facts += facts
        if self._like and self._shared >= place:
            self._shared = shared = self._like.common(self.facts, place)
            self.values += self._like.values[place + 1 : shared + 1]
            self._kept += self._like.kept_between(place, shared)
        if len(self.values) <= len(self.facts):
            self._fold(len(self.facts))

    def kept_between(self, first: int, last: int) -> list[tuple[int, Any]]:
        """The states kept after more than `first` facts and at most `last`."""
        begin, end = (
            bisect_right(self._kept, number, key=itemgetter(0)) for number in (first, last)
        )
        return self._kept[begin:end]

    def state(self, number: int | None = None) -> Any:
        """A state of one's own, after so many facts; by default after all."""
        return self._fold(len(self.facts) if number is None else number)

    def _fold(self, end: int) -> Any:
        """Fold up to `end` facts, from the last state kept before."""
        fold, start, value = self._replay.fold, self._replay.start, self._replay.value
        begin, state = self._kept[bisect_right(self._kept, end, key=itemgetter(0)) - 1]
        state, interval = deepcopy(state), 1 if len(self.facts) <= _FEW else _INTERVAL
        for number in range(begin + 1, end + 1):
            state = apply(fold, state, self.facts[number - 1], start)
            if number == len(self.values):
                self.values.append(value(state))
            keep = number % interval == 0 or type(state) in _COPIED_AT_ONCE
            if keep and number > self._kept[-1][0]:
                self._kept.append((number, deepcopy(state)))
        return state


class Hindsight:
    """Two courses of a state over time, and where they differ.

    `actual` are its changes by when the facts happened. `believed` are the changes of what `store.state(…, until=t, as_of=t)` gives at each
    moment t. `discrepancies` are the stretches in which the two differ. `facts` are a stream's, in
    any order."""

    def __init__(self, facts: Sequence[StoredEvent], replay: Replay):
        self.facts, self.known = sorted(facts, key=_order), None
        self.first, self.fold, self._replay = replay.first, replay.fold, replay
        self.course = replay.course(self.facts)
        if self.facts:
            check_result(replay.fold, self.course.state(), replay.start)

    def as_known(self, at: int) -> "Hindsight":
        """The same at a moment (µs since 1970), from which on nothing is believed yet."""
        known = Hindsight([fact for fact in self.facts if fact.recorded_at <= at], self._replay)
        known.known, known.believed = at, [change for change in self.believed if change.at <= at]
        return known

    @cached_property
    def actual(self) -> list[Change]:
        changes, number = [], 0
        for at, group in groupby(self.facts, attrgetter("happened_at")):
            facts = tuple(group)
            number += len(facts)
            changes.append(Change(at, self.course.values[number], facts))
        return changes

    @cached_property
    def believed(self) -> list[Change]:
        """A fact counts from when it had happened and was recorded on. One that comes late is put
        into its place, and what follows it is folded again."""
        changes, course = [], Course(self._replay, self.course)
        for at, group in groupby(sorted(self.facts, key=_believed_at), _believed_at):
            facts = tuple(group)
            place = bisect_right(course.facts, _order(facts[0]), key=_order)
            course.change(place, sorted([*course.facts[place:], *facts], key=_order))
            changes.append(Change(at, course.values[-1], facts))
        return changes

    @cached_property
    def discrepancies(self) -> list[Discrepancy]:
        """Where the two differ, until the last moment or until `known`."""
        actual, believed = (
            {change.at: change.value for change in changes}
            for changes in (self.actual, self.believed)
        )
        moments = sorted(actual.keys() | believed.keys())
        if self.known is not None:
            moments = [at for at in moments if at < self.known] + [self.known]
        found: list[Discrepancy] = []
        one = other = self.first
        for start, end in zip(moments, moments[1:], strict=False):
            one, other = actual.get(start, one), believed.get(start, other)
            if one == other:
                continue
            if found and found[-1].end == start and found[-1][2:] == (one, other):
                found[-1] = found[-1]._replace(end=end)
            else:
                found.append(Discrepancy(start, end, one, other))
        return found

    def at(self, when: int) -> tuple[Any, Any]:
        """The actual and the believed value, at a moment in µs since 1970."""
        found = []
        for changes in (self.actual, self.believed):
            number = bisect_right(changes, when, key=attrgetter("at"))
            found.append(changes[number - 1].value if number else self.first)
        return found[0], found[1]

    def worst(self, start: int, end: int) -> Discrepancy | None:
        """The largest discrepancy between two moments; of equal ones the longest."""
        within = [one for one in self.discrepancies if one.start < end and start < one.end]
        return max(
            within,
            key=lambda one: (_distance(one.actual, one.believed), one.end - one.start),
            default=None,
        )


def _believed_at(fact: StoredEvent) -> int:
    return max(fact.happened_at, fact.recorded_at)


def _distance(one: Any, other: Any) -> float:
    """How far apart two values are; of any but numbers, whether they differ."""
    try:
        return abs(float(one) - float(other))
    except (TypeError, ValueError):
        return float(one != other)

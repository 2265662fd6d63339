"""Hindsight: what a state actually was over time, beside what was believed at each moment."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from functools import cached_property
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from .fold import apply, check_fold, check_result
from .stored_event import StoredEvent

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


class Node:
    """The state after facts in one order, the last of which is `fact`, and its `value`. `after`
    holds the nodes that follow, by the position of their fact."""

    def __init__(self, fact: StoredEvent | None, state: Any, value: Any):
        self.fact, self.state, self.value = fact, state, value
        self.after: dict[int, Node] = {}


class Replay:
    """One fold over several orders of a stream's facts. What two orders begin with is folded once.
    `value` is what is compared and drawn of a state."""

    def __init__(self, fold: Callable, start: Any = None, value: Callable = lambda state: state):
        check_fold(fold)
        self.fold, self.start, self.value = fold, deepcopy(start), value
        self.root = Node(None, self.start, value(deepcopy(start)))  # before any fact

    def course(self, facts: Iterable[StoredEvent]) -> list[Node]:
        """The nodes along these facts: `course[n]` is that after `n` of them."""
        return [self.root, *self.follow(self.root, facts)]

    def follow(self, node: Node, facts: Iterable[StoredEvent]) -> list[Node]:
        """The nodes behind a node, one for each fact."""
        nodes = []
        for fact in facts:
            if fact.position not in node.after:
                state = apply(self.fold, deepcopy(node.state), fact, self.start)
                node.after[fact.position] = Node(fact, state, self.value(state))
            node = node.after[fact.position]
            nodes.append(node)
        return nodes


class Hindsight:
    """Two courses of a state over time, and where they differ.

    `actual` are its changes by when the facts happened. `believed` are the changes of what
    `store.state(…, until=t, as_of=t)` gives at each moment t. `discrepancies` are the stretches in
    which the two differ. `facts` are a stream's, in any order."""

    def __init__(self, facts: Sequence[StoredEvent], replay: Replay):
        self.facts, self.replay = sorted(facts, key=_order), replay
        self.known: int | None = None
        self.first, self.fold = replay.root.value, replay.fold
        self.course = replay.course(self.facts)
        if self.facts:
            check_result(replay.fold, self.course[-1].state, replay.start)

    def as_known(self, at: int) -> "Hindsight":
        """The same at a moment (µs since 1970), from which on nothing is believed yet."""
        known = Hindsight([fact for fact in self.facts if fact.recorded_at <= at], self.replay)
        known.known, known.believed = at, [change for change in self.believed if change.at <= at]
        return known

    @cached_property
    def actual(self) -> list[Change]:
        changes, count = [], 0
        for at, group in groupby(self.facts, attrgetter("happened_at")):
            facts = tuple(group)
            count += len(facts)
            changes.append(Change(at, self.course[count].value, facts))
        return changes

    @cached_property
    def believed(self) -> list[Change]:
        """A fact counts from when it had happened and was recorded on. One that comes late is put
        into its place, and what follows it is folded again."""
        changes: list[Change] = []
        known: list[StoredEvent] = []
        course = [self.replay.root]
        for at, group in groupby(sorted(self.facts, key=_believed_at), _believed_at):
            facts = tuple(group)
            place = bisect_right(known, _order(facts[0]), key=_order)
            known[place:] = sorted([*known[place:], *facts], key=_order)
            course[place + 1 :] = self.replay.follow(course[place], known[place:])
            changes.append(Change(at, course[-1].value, facts))
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
        result: list[Discrepancy] = []
        one = other = self.first
        for start, end in pairwise(moments):
            one, other = actual.get(start, one), believed.get(start, other)
            if one == other:
                continue
            if result and result[-1].end == start and result[-1][2:] == (one, other):
                result[-1] = result[-1]._replace(end=end)
            else:
                result.append(Discrepancy(start, end, one, other))
        return result

    def at(self, when: int) -> tuple[Any, Any]:
        """The actual and the believed value, at a moment in µs since 1970."""
        return self._value(self.actual, when), self._value(self.believed, when)

    def _value(self, changes: list[Change], when: int) -> Any:
        count = bisect_right(changes, when, key=attrgetter("at"))
        return changes[count - 1].value if count else self.first


def _believed_at(fact: StoredEvent) -> int:
    return max(fact.happened_at, fact.recorded_at)


def size(one: Discrepancy) -> tuple[float, int]:
    """How far apart the two values are (of any but numbers, whether they differ), and how long."""
    try:
        distance = abs(float(one.actual) - float(one.believed))
    except (TypeError, ValueError):
        distance = float(one.actual != one.believed)
    return distance, one.end - one.start

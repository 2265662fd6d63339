"""Hindsight: the actual state over time, compared with the state believed at each moment."""

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
    """A change of state to `value` at a time `at` (µs since 1970), caused by these facts."""

    at: int
    value: Any
    facts: tuple[StoredEvent, ...]


class Discrepancy(NamedTuple):
    """A period (µs since 1970) in which the value was `actual` and `believed` was believed."""

    start: int
    end: int
    actual: Any
    believed: Any


class Node:
    """The state after some facts in one order, of which `fact` is the last, and its `value`.
    `after` maps the position of each next fact to the node that follows."""

    def __init__(self, fact: StoredEvent | None, state: Any, value: Any):
        self.fact, self.state, self.value = fact, state, value
        self.after: dict[int, Node] = {}


class Replay:
    """A fold over several orders of a stream's facts. Facts that two orders begin with are folded
    once. `value` computes from a state what is compared and drawn."""

    def __init__(self, fold: Callable, start: Any = None, value: Callable = lambda state: state):
        check_fold(fold)
        self.fold, self.start, self.value = fold, deepcopy(start), value
        self.root = Node(None, self.start, value(deepcopy(start)))  # before any fact

    def nodes_along(self, facts: Iterable[StoredEvent]) -> list[Node]:
        """The nodes along these facts: `nodes_along(facts)[n]` is the node after the first `n` facts."""
        return [self.root, *self.follow(self.root, facts)]

    def follow(self, node: Node, facts: Iterable[StoredEvent]) -> list[Node]:
        """The nodes after a given node, one for each fact."""
        nodes = []
        for fact in facts:
            if fact.position not in node.after:
                state = apply(self.fold, deepcopy(node.state), fact, self.start)
                node.after[fact.position] = Node(fact, state, self.value(state))
            node = node.after[fact.position]
            nodes.append(node)
        return nodes


class Hindsight:
    """The actual and the believed history of a state, and the periods in which they differ.

    `actual` lists the state's changes by when the facts happened. `believed` lists the changes of
    what `store.state(…, until=t, as_of=t)` returns at each moment t. `discrepancies` lists the
    periods in which the two differ. `facts` are a stream's, in any order."""

    def __init__(self, facts: Sequence[StoredEvent], replay: Replay):
        self.facts, self.replay = sorted(facts, key=_order), replay
        self.known: int | None = None
        self.first, self.fold = replay.root.value, replay.fold
        self.nodes = replay.nodes_along(self.facts)
        if self.facts:
            check_result(replay.fold, self.nodes[-1].state, replay.start)

    def as_known(self, at: int) -> "Hindsight":
        """The hindsight at a moment (µs since 1970), from the facts recorded by then."""
        known = Hindsight([fact for fact in self.facts if fact.recorded_at <= at], self.replay)
        known.known, known.believed = at, [change for change in self.believed if change.at <= at]
        return known

    @cached_property
    def actual(self) -> list[Change]:
        changes, count = [], 0
        for at, group in groupby(self.facts, attrgetter("happened_at")):
            facts = tuple(group)
            count += len(facts)
            changes.append(Change(at, self.nodes[count].value, facts))
        return changes

    @cached_property
    def believed(self) -> list[Change]:
        """The changes of the believed state. A fact counts once it has both happened and been
        recorded. A late fact is inserted in its place, and the facts after it are folded again."""
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
        """The periods in which the two differ, up to the last change or to `known`."""
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
        """The actual and the believed value at a moment (µs since 1970)."""
        return self._value(self.actual, when), self._value(self.believed, when)

    def _value(self, changes: list[Change], when: int) -> Any:
        count = bisect_right(changes, when, key=attrgetter("at"))
        return changes[count - 1].value if count else self.first


def _believed_at(fact: StoredEvent) -> int:
    return max(fact.happened_at, fact.recorded_at)


def size(one: Discrepancy) -> tuple[float, int]:
    """The distance of the two values (0 or 1 if they are not numbers), and the duration in µs."""
    try:
        distance = abs(float(one.actual) - float(one.believed))
    except (TypeError, ValueError):
        distance = float(one.actual != one.believed)
    return distance, one.end - one.start

"""What was, and what was believed at each moment: two courses of a state, read from the two times of its events."""

from bisect import bisect_right
from collections.abc import Callable
from copy import copy, deepcopy
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from .stored_event import StoredEvent

if TYPE_CHECKING:
    from .event_store import EventStore

_APART = 50  # events from one kept state to the next
_order = attrgetter("happened_at", "position")


class _Fact(StoredEvent):
    """A fact that keeps its event once made, as it is folded again for others that come late; unless a fold could change it."""

    @cached_property
    def _kept(self) -> Any:
        return super().event

    @property
    def event(self) -> Any:
        return self._kept if self._kept.__shared__ else super().event


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
    """`was`: the changes of a state by when they happened. `believed`: those of what `store.state(stream, fold, start,
    until=t, as_of=t)` said at each moment t. `wrong`: where they differ. `value` is what is compared of a state."""

    def __init__(
        self,
        store: "EventStore",
        stream: str | None,
        fold: Callable,
        start: Any = None,
        value: Callable = lambda state: state,
    ):
        self._question, self._value = (store, stream, fold, start), value
        self.facts = sorted(map(_Fact._make, store.read(stream)), key=_order)
        store.state(
            stream, fold, start, until=self.facts[0].happened if self.facts else 0
        )  # it refuses what is no fold
        self.first = value(deepcopy(start))  # before any event
        self.was = self._course(self.facts, attrgetter("happened_at"))
        self.believed = self._course(sorted(self.facts, key=_believed_at), _believed_at)
        self.wrong = self._differing(None)

    def as_known(self, at: int) -> "Hindsight":
        """The same at a moment (µs since 1970), from which on nothing is believed yet."""
        less = copy(self)
        less.facts = [fact for fact in self.facts if fact.recorded_at <= at]
        less.was = self._course(less.facts, attrgetter("happened_at"))
        less.believed = [change for change in self.believed if change.at <= at]
        less.wrong = less._differing(at)
        return less

    def at(self, when: int) -> tuple[Any, Any]:
        """What it was and what it was believed to be, at a moment in µs since 1970."""
        found = []
        for changes in (self.was, self.believed):
            number = bisect_right(changes, when, key=attrgetter("at"))
            found.append(changes[number - 1].value if number else self.first)
        return found[0], found[1]

    def worst(self, start: int, end: int) -> Wrong | None:
        """Of what was wrong between two moments, that which was so by most, and for longest."""
        within = [wrong for wrong in self.wrong if wrong.start < end and start < wrong.end]
        return max(
            within,
            key=lambda wrong: (_far(wrong.was, wrong.believed), wrong.end - wrong.start),
            default=None,
        )

    def _course(self, facts: list[StoredEvent], when: Callable[[StoredEvent], int]) -> list[Change]:
        """The values as these facts become part of the state one after the other. A fact that comes late is put into its
        place, and what follows it is folded again, from a state kept shortly before: not from the first event on."""
        store, stream, fold, start = self._question
        known: list[StoredEvent] = []
        kept, now, changes = [(0, deepcopy(start))], deepcopy(start), []
        for at, group in groupby(facts, when):
            group = tuple(group)
            begin = len(known)
            for fact in group:
                place = bisect_right(known, _order(fact), key=_order)
                begin = min(begin, place)
                known.insert(place, fact)
            if begin < len(known) - len(group):
                while kept[-1][0] > begin:
                    kept.pop()
                begin, now = deepcopy(kept[-1])
            for number in range(begin, len(known)):
                now = fold(now, known[number])
                if now is None and start is not None:
                    store.state(stream, fold, start)  # which says that a fold returns the new state
                if (number + 1) % _APART == 0:
                    kept.append((number + 1, deepcopy(now)))
            changes.append(Change(at, self._value(now), group))
        return changes

    def _differing(self, known: int | None) -> list[Wrong]:
        """The stretches in which the two differ, until the last moment or until `known`."""
        was, believed = (
            {change.at: change.value for change in changes} for changes in (self.was, self.believed)
        )
        moments = sorted(was.keys() | believed.keys())
        if known is not None:
            moments = [at for at in moments if at < known] + [known]
        found: list[Wrong] = []
        one = other = self.first
        for start, end in zip(moments, moments[1:]):
            one, other = was.get(start, one), believed.get(start, other)
            if one == other:
                continue
            if found and found[-1].end == start and found[-1][2:] == (one, other):
                found[-1] = found[-1]._replace(end=end)
            else:
                found.append(Wrong(start, end, one, other))
        return found


def _believed_at(fact: StoredEvent) -> int:
    """When it became part of what was believed: it had happened, and was known."""
    return max(fact.happened_at, fact.recorded_at)


def _far(one: Any, other: Any) -> float:
    """How far apart two values are; of any but numbers, whether."""
    try:
        return abs(float(one) - float(other))
    except (TypeError, ValueError):
        return float(one != other)

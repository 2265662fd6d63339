"""What was, and what was believed: the state of a stream at any moment, by either time, why, and what changed."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from copy import deepcopy
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import Misuse, Unknown, needed_for, shown
from .fold import fingerprint
from .instants import moment
from .replay import check_fold, folded
from .stored_event import COLUMNS, StoredEvent, declared, is_text

if TYPE_CHECKING:
    import pandas

    from .event_store import EventStore

FOREVER = 2**63 - 1


class Difference(NamedTuple):
    """What differs between two moments: the states, and the events that only the later one (`came`) or only the earlier
    one (`went`) knows."""

    before: Any
    after: Any
    came: list[StoredEvent]
    went: list[StoredEvent]

    def __repr__(self) -> str:
        facts = [f"+ {fact!r}" for fact in self.came] + [f"- {fact!r}" for fact in self.went]
        return "\n".join([f"<Difference: {shown(self.before)} became {shown(self.after)}>", *facts])


class _Kept(NamedTuple):
    """A state as it was kept: its last event, how many there are and the last version of them, fingerprints of their classes
    and the state, both as JSON."""

    happened: int = -FOREVER
    version: int = 0
    events: int = 0
    since: int = 0
    classes: str = "{}"
    state: str | None = None

    def begun(self, start: Any) -> Any:
        return deepcopy(start) if self.state is None else json.loads(self.state)


class _Question:
    """What is asked: which events, in the order they happened, and what of the answer is kept already."""

    def __init__(self, store: "EventStore", stream: str | None, until: Any, as_of: Any):
        check_stream(stream)
        self.store, self.stream = store, stream
        self.until = FOREVER if until is None else moment(until, "until=", bound=True)
        self.known = store._known(
            stream, as_of
        )  # what comes in while this is answered does not count

    def rows(self, kept: _Kept = _Kept()) -> Iterator[tuple]:
        """The rows behind what is kept. Of what is known all are there or here: the limit saves looking through what happened
        later and was not known."""
        number, scope, values = (
            ("position", "", ())
            if self.stream is None
            else ("version", "stream = ? and", (self.stream,))
        )
        sql = f"""select {COLUMNS} from stored_events where {scope} (happened, {number}) > (?, ?) and happened <= ?
            and {number} <= ? order by happened, {number} limit ?"""
        mark, left = (kept.happened, kept.version), self.known - kept.events
        return self.store._rows(sql, (*values, *mark, self.until, self.known, left))

    def facts(self, kept: _Kept = _Kept()) -> list[StoredEvent]:
        return list(map(StoredEvent._make, self.rows(kept)))

    def kept(self, fold: Callable, start: Any) -> _Kept:
        """The last snapshot of this fold that ends before the moment asked for and holds just what was known then."""
        sql = """select happened, version, events, since, classes, state from stored_snapshots where stream = ? and fold = ?
            and happened <= ? and since <= ? and overtaken > ? order by happened desc, version desc"""
        if self.store._value(
            "select 1 from stored_snapshots where stream = ? limit 1", self.stream
        ):
            other: set[str] = set()  # classes that meanwhile are declared in another way
            try:
                values = self.stream, _name(fold, start), self.until, self.known, self.known
                for kept in map(_Kept._make, self.store._rows(sql, values)):
                    if kept.classes not in other and kept.classes == _classes(
                        json.loads(kept.classes)
                    ):
                        return kept
                    other.add(kept.classes)
            except Misuse:  # nobody knows whether it still is the same fold
                pass
        return _Kept()


class Past:
    """What an event store can be asked about the past."""

    def state(
        self,
        stream: str | None,
        fold: Callable,
        start: Any = None,
        until: Any = None,
        as_of: Any = None,
    ) -> Any:
        """What the events of a stream (None: of all) come to: `fold(state, fact)` from `start` on, over the stored events in
        the order they happened. `until`: at that moment; `as_of`: by what was known at that moment. A stream that nobody has
        written to yet is at its start."""
        check_fold(fold)
        question = _Question(self, stream, until, as_of)
        kept = question.kept(fold, start)
        with closing(
            question.rows(kept)
        ) as rows:  # where a fold raises, they would keep the file locked
            return folded(kept.begun(start), fold, map(StoredEvent._make, rows), start)

    def snapshot(
        self, stream: str, fold: Callable, start: Any = None, until: Any = None, as_of: Any = None
    ) -> Any:
        """Keep a state, as JSON, and return it: later states begin there instead of at the first event. It never changes
        an answer: it serves the same fold only, and no question to which an event that came later makes a difference."""
        check_fold(fold)
        check_stream(stream, among_all=False)
        name, question = _name(fold, start), _Question(self, stream, until, as_of)
        kept = question.kept(fold, start)
        facts = question.facts(kept)
        found = folded(kept.begun(start), fold, facts, start)
        if facts:
            end, since = facts[-1], max(kept.since, *(fact.version for fact in facts))
            mark = end.happened_at, end.version, kept.events + len(facts), since
            classes = _classes({*json.loads(kept.classes), *(fact.type for fact in facts)})
            row = stream, name, *mark, classes, _as_json(found)
            later = "select min(version) from stored_events where stream = ? and version > ? and (happened, version) < (?, ?)"
            with self._transaction() as db:
                overtaken = self._value(later, stream, question.known, *mark[:2]) or FOREVER
                db.execute(
                    "insert into stored_snapshots values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*row, overtaken),
                )
        return found

    def table(
        self,
        stream: str | None = None,
        fold: Callable | None = None,
        start: Any = None,
        until: Any = None,
        as_of: Any = None,
    ) -> "pandas.DataFrame":
        """Why: the events, in the order they happened, as a DataFrame with position, stream, version, type, happened,
        recorded and the fields of the data; with a fold, the state after each."""
        with needed_for("EventStore.table"):
            import pandas

        check_known(self, stream)
        facts = _Question(self, stream, until, as_of).facts()
        own = ["position", "stream", "version", "type", "happened", "recorded"]
        found = pandas.DataFrame(
            [[getattr(fact, name) for name in own] for fact in facts], columns=own
        )
        data = [fact.data for fact in facts]
        for name in dict.fromkeys(name for fields in data for name in fields):
            column = pandas.Series([fields.get(name) for fields in data], dtype=_whole(data, name))
            found[f"data.{name}" if name in (*own, "state") else name] = column
        if fold is not None:
            check_fold(fold)
            now, states = deepcopy(start), []
            for fact in facts:
                now = folded(now, fold, [fact], start)
                states.append(deepcopy(now))
            found["state"] = states
        return found

    def difference(
        self,
        stream: str | None,
        fold: Callable,
        start: Any = None,
        until: Any = None,
        as_of: Any = None,
    ) -> Difference:
        """What differs between two moments, `until` or `as_of` (or both) being a pair of them: the state before and after, and
        the events that came to it."""
        if not any(isinstance(bound, tuple | list) for bound in (until, as_of)):
            raise Misuse(_PAIR)
        check_known(self, stream)
        (first, last), (once, now) = _pair(until), _pair(as_of)
        before, after = (
            _Question(self, stream, *bounds).facts() for bounds in ((first, once), (last, now))
        )
        then, later = {fact.position for fact in before}, {fact.position for fact in after}
        return Difference(
            self.state(stream, fold, start, first, once),
            self.state(stream, fold, start, last, now),
            [fact for fact in after if fact.position not in then],
            [fact for fact in before if fact.position not in later],
        )


def overtake(db, stream: str, version: int, happened: int) -> None:
    """An event came that happened before what some snapshots end with: they serve only questions about earlier knowledge."""
    sql = "update stored_snapshots set overtaken = ? where stream = ? and happened > ? and overtaken > ?"
    db.execute(sql, (version, stream, happened, version))


def _whole(data: list[dict[str, Any]], name: str) -> str | None:
    """The type of a column of whole numbers that some events do not have: pandas would make fractions of them."""
    numbers = [fields[name] for fields in data if fields.get(name) is not None]
    whole = len(numbers) < len(data) and all(
        type(number) is int and abs(number) < 2**63 for number in numbers
    )
    return "Int64" if whole else None


_PAIR = "difference takes two moments: until=(the earlier, the later), or as_of=(the earlier, the later)"


def _pair(bound: Any) -> tuple:
    if not isinstance(bound, tuple | list):
        return bound, bound
    if len(bound) != 2:
        raise Misuse(f"{_PAIR}, not {shown(bound)}")
    return tuple(bound)


def check_stream(stream: Any, among_all: bool = True) -> None:
    if not is_text(stream) and not (among_all and stream is None):
        all_ = ", or None stands for all of them" if among_all else ""
        raise Misuse(f"a stream has a name, such as 'account-7'{all_}, not {shown(stream)}")


def check_known(store: "EventStore", stream: str | None) -> None:
    """To ask why, or what changed, is to ask about events that are there. `state` is asked before the first of a stream, too:
    the state to decide on is then the start."""
    check_stream(stream)
    if stream is not None and not store.version(stream):
        raise Unknown("stream", stream, store.streams())


def _name(fold: Callable, start: Any) -> str:
    """A fold as it stands, with what it uses and begins with: a snapshot made by another is none of its own."""
    if not isinstance(fold, FunctionType):
        raise Misuse(
            f"a snapshot is kept for a function, known again by its code; {shown(fold)} is none"
        )
    return f"{fold.__name__} {fingerprint(fold, start)}"


def _classes(types: Iterable[str]) -> str:
    """The fingerprints of event classes as they are declared now: another class or upcaster may read something else."""
    return json.dumps({name: fingerprint(declared(name)[0]) for name in sorted(types)})


def _as_json(found: Any) -> str:
    try:
        if _is_plain(found, set()):
            return json.dumps(found)
    except (ValueError, RecursionError):  # a number or a nest without end
        pass
    what = "numbers, texts, lists and dicts with texts as keys, none of which is in it twice"
    raise Misuse(
        f"the state {shown(found)} cannot be kept as JSON and read again as it was; build it of {what}"
    )


def _is_plain(value: Any, seen: set[int]) -> bool:
    if type(value) in (list, dict):
        if id(value) in seen:  # read again these would be two, of which a fold changes one
            return False
        seen.add(id(value))
    if type(value) is list:
        return all(_is_plain(part, seen) for part in value)
    if type(value) is dict:
        return all(type(name) is str and _is_plain(part, seen) for name, part in value.items())
    return type(value) in (str, int, float, bool, type(None))

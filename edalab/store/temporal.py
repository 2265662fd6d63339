"""Temporal reads: the facts and the state of a stream as of one time, as known at another.

`until` bounds the valid time (when an event happened), `as_of` the recorded time (when the store
learned of it)."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import Misuse, Unknown, needed_for, shown
from .fold import apply, check_fold, replay
from .instants import to_microseconds
from .schema import Database
from .snapshots import FOREVER, Snapshot, find_snapshot, fold_name, save_snapshot
from .stored_event import COLUMNS, StoredEvent, is_text

if TYPE_CHECKING:
    import pandas

_PAIR = "difference takes two moments: until=(the earlier, the later), "
_PAIR += "or as_of=(the earlier, the later)"
_OWN = ["position", "stream", "version", "type", "happened", "recorded"]


class Difference(NamedTuple):
    """What differs between two moments: the states `before` and `after`, the events that only the
    later moment knows (`came`), and those that only the earlier one knows (`went`)."""

    before: Any
    after: Any
    came: list[StoredEvent]
    went: list[StoredEvent]

    def __repr__(self) -> str:
        facts = [f"+ {fact!r}" for fact in self.came] + [f"- {fact!r}" for fact in self.went]
        return "\n".join([f"<Difference: {shown(self.before)} became {shown(self.after)}>", *facts])


def check_stream(stream: Any, all_streams: bool = True) -> None:
    """Raise Misuse for what is no name of a stream; None stands for all streams."""
    if not is_text(stream) and not (all_streams and stream is None):
        all_ = ", or None stands for all of them" if all_streams else ""
        raise Misuse(f"a stream has a name, such as 'account-7'{all_}, not {shown(stream)}")


def check_exists(database: Database, stream: str | None) -> None:
    """Raise Unknown where a stream has no event. Only a state may be asked of a stream before its
    first event: a service decides on it."""
    check_stream(stream)
    if stream is not None and not last_number(database, stream):
        raise Unknown("stream", stream, stream_names(database))


def stream_names(database: Database) -> list[str]:
    """The names of the streams, in the order in which they began."""
    sql = "select stream from stored_events where version = 1 order by position"
    return [name for (name,) in database.rows(sql)]


def last_number(database: Database, stream: str | None) -> int:
    """The version of a stream, or, of all streams, the last position; 0 where there is no event."""
    if stream is None:
        return database.value("select max(position) from stored_events") or 0
    return database.value("select max(version) from stored_events where stream = ?", stream) or 0


def last_known(database: Database, stream: str | None, as_of: Any) -> int:
    """The last version (of all streams: position) that was recorded at `as_of` or before. Recorded
    times never go back, so a bisection finds it."""
    last = last_number(database, stream)
    if as_of is None:
        return last
    where, values = ("position = ?", ())
    if stream is not None:
        where, values = "version = ? and stream = ?", (stream,)
    sql = f"select recorded from stored_events where {where}"
    bound = to_microseconds(as_of, "as_of=", bound=True)
    numbers = range(1, last + 1)
    return bisect_right(numbers, bound, key=lambda number: database.value(sql, number, *values))


class Question:
    """Which facts are asked for. `until` is in µs since 1970; `known` is the last version of the
    stream, or position of all, that counts, so an event appended meanwhile does not."""

    def __init__(self, database: Database, stream: str | None, until: Any, as_of: Any):
        check_stream(stream)
        self.database, self.stream = database, stream
        self.until = FOREVER if until is None else to_microseconds(until, "until=", bound=True)
        self.known = last_known(database, stream, as_of)

    def rows(self, after: Snapshot = Snapshot()) -> Iterator[tuple]:
        """The rows behind a snapshot, in the order in which they happened."""
        number, scope, values = "position", "", ()
        if self.stream is not None:
            number, scope, values = "version", "stream = ? and", (self.stream,)
        # The limit: when all that was known is found, later rows need not be looked through.
        sql = f"""select {COLUMNS} from stored_events
            where {scope} (happened, {number}) > (?, ?) and happened <= ? and {number} <= ?
            order by happened, {number} limit ?"""
        mark, left = (after.happened, after.version), self.known - after.events
        return self.database.rows(sql, (*values, *mark, self.until, self.known, left))

    def facts(self, after: Snapshot = Snapshot()) -> list[StoredEvent]:
        return list(map(StoredEvent._make, self.rows(after)))

    def snapshot(self, fold: Callable, start: Any) -> Snapshot:
        return find_snapshot(self.database, self.stream, fold, start, self.until, self.known)


def state_at(
    database: Database, stream: str | None, fold: Callable, start: Any, until: Any, as_of: Any
) -> Any:
    """The state that the facts lead to, from the last snapshot on where there is one."""
    check_fold(fold)
    question = Question(database, stream, until, as_of)
    snapshot = question.snapshot(fold, start)
    with closing(question.rows(snapshot)) as rows:  # left open, they would keep the file locked
        return replay(fold, snapshot.state_or(start), map(StoredEvent._make, rows), start)


def snapshot_at(
    database: Database, stream: str, fold: Callable, start: Any, until: Any, as_of: Any
) -> Any:
    """The state, kept as a snapshot."""
    check_fold(fold)
    check_stream(stream, all_streams=False)
    question = Question(database, stream, until, as_of)
    name, last = fold_name(fold, start), question.snapshot(fold, start)
    facts = question.facts(last)
    state = replay(fold, last.state_or(start), facts, start)
    if facts:
        save_snapshot(database, stream, name, last, facts, state, question.known)
    return state


def table_at(
    database: Database,
    stream: str | None,
    fold: Callable | None,
    start: Any,
    until: Any,
    as_of: Any,
) -> "pandas.DataFrame":
    """The facts as a DataFrame; with a fold, the state after each."""
    with needed_for("EventStore.table"):
        import pandas

    check_exists(database, stream)
    facts = Question(database, stream, until, as_of).facts()
    table = pandas.DataFrame(
        [[getattr(fact, name) for name in _OWN] for fact in facts], columns=_OWN
    )
    data = [fact.data for fact in facts]
    for name in dict.fromkeys(name for fields in data for name in fields):
        column = pandas.Series([fields.get(name) for fields in data], dtype=_dtype(data, name))
        table[f"data.{name}" if name in (*_OWN, "state") else name] = column
    if fold is not None:
        check_fold(fold)
        state, states = deepcopy(start), []
        for fact in facts:
            state = replay(fold, state, [fact], start)
            states.append(deepcopy(state))
        table["state"] = states
    return table


def _dtype(data: list[dict[str, Any]], name: str) -> str | None:
    """For whole numbers that some events lack: pandas would make floats of them."""
    numbers = [fields[name] for fields in data if fields.get(name) is not None]
    whole = all(type(number) is int and abs(number) < 2**63 for number in numbers)
    return "Int64" if whole and len(numbers) < len(data) else None


def difference_between(
    database: Database, stream: str | None, fold: Callable, start: Any, until: Any, as_of: Any
) -> Difference:
    """What differs between two moments: `until` or `as_of`, or both, is a pair of them."""
    if not any(isinstance(bound, tuple | list) for bound in (until, as_of)):
        raise Misuse(_PAIR)
    check_exists(database, stream)
    check_fold(fold)
    bounds = zip(_pair(until), _pair(as_of), strict=True)
    before, after = (Question(database, stream, *pair).facts() for pair in bounds)
    states = [replay(fold, deepcopy(start), facts, start) for facts in (before, after)]
    earlier, later = ({fact.position for fact in facts} for facts in (before, after))
    came = [fact for fact in after if fact.position not in earlier]
    went = [fact for fact in before if fact.position not in later]
    return Difference(*states, came, went)


def _pair(bound: Any) -> tuple:
    if not isinstance(bound, tuple | list):
        return bound, bound
    if len(bound) != 2:
        raise Misuse(f"{_PAIR}, not {shown(bound)}")
    return tuple(bound)

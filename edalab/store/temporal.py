"""Temporal reads: the facts and the state of a stream as of one time, as known at another.

`until` bounds the valid time (when an event happened), `as_of` the recorded time (when the store
learned of it)."""

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import Misuse, Unknown, needed_for, shown
from ..model.numbers import is_whole
from .fold import check_fold
from .instants import to_microseconds
from .schema import Database
from .snapshots import BEGINNING, FOREVER, Snapshot, find_snapshot
from .stored_event import COLUMNS, StoredEvent, is_text

if TYPE_CHECKING:
    import pandas

PAIR = "difference takes two moments: until=(the earlier, the later), "
PAIR += "or as_of=(the earlier, the later)"
_OWN = ["position", "stream", "version", "type", "happened", "recorded"]


class Difference(NamedTuple):
    """The difference between two moments: the states `before` and `after`, the events known only at
    the later moment (`came`), and the events known only at the earlier one (`went`)."""

    before: Any
    after: Any
    came: list[StoredEvent]
    went: list[StoredEvent]

    def __repr__(self) -> str:
        facts = [f"+ {fact!r}" for fact in self.came] + [f"- {fact!r}" for fact in self.went]
        return "\n".join([f"<Difference: {shown(self.before)} became {shown(self.after)}>", *facts])


def check_stream(stream: Any, all_streams: bool = True) -> None:
    """Raise Misuse unless this names a stream; None stands for all, if that is allowed."""
    if not is_text(stream) and not (all_streams and stream is None):
        all_ = ", or None stands for all of them" if all_streams else ""
        raise Misuse(f"a stream has a name, such as 'account-7'{all_}, not {shown(stream)}")


def check_number(value: Any, what: str) -> None:
    """Raise Misuse unless the value is a whole number from 0."""
    if not is_whole(value, 0):
        raise Misuse(f"{what}, not {shown(value)}")


def stream_names(database: Database) -> list[str]:
    """The names of the streams, in the order in which they began."""
    sql = "select stream from stored_events where version = 1 order by position"
    return [name for (name,) in database.rows(sql)]


def last_number(database: Database, stream: str | None) -> int:
    """The last version of a stream, or the last position of all; 0 if there is no event."""
    if stream is None:
        return database.value("select max(position) from stored_events") or 0
    return database.value("select max(version) from stored_events where stream = ?", stream) or 0


def last_known(database: Database, stream: str | None, as_of: Any) -> int:
    """The last version (for all streams: position) that was recorded at `as_of` or before. Recorded
    times never go back, so a bisection finds it."""
    last = last_number(database, stream)
    if as_of is None:
        return last
    sql = "select recorded from stored_events where "
    sql += "position = ?" if stream is None else "version = ? and stream = ?"
    values = [] if stream is None else [stream]
    bound = to_microseconds(as_of, "as_of=", bound=True)
    numbers = range(1, last + 1)
    return bisect_right(numbers, bound, key=lambda number: database.value(sql, number, *values))


class Question:
    """A query of facts by time. `until` is in µs since 1970. `known` is the last version (for all
    streams: position) that counts, so events appended later do not."""

    def __init__(self, database: Database, stream: str | None, until: Any, as_of: Any):
        check_stream(stream)
        self.database, self.stream = database, stream
        self.until = FOREVER if until is None else to_microseconds(until, "until=", bound=True)
        self.known = last_known(database, stream, as_of)

    def read(self, after: int) -> list[StoredEvent]:
        """The facts after a version (or position), in the order in which they were stored."""
        return list(map(StoredEvent._make, self._rows("{number} > ? order by {number}", after)))

    def facts(self, after: Snapshot = BEGINNING) -> Generator[StoredEvent]:
        """The facts after a snapshot, in the order in which they happened."""
        # The limit ends the scan once all events that count are read.
        behind = "(happened, {number}) > (?, ?) order by happened, {number} limit ?"
        mark, left = (after.happened, after.version), self.known - after.events
        for row in self._rows(behind, *mark, left):
            yield StoredEvent._make(row)

    def _rows(self, behind: str, *values: Any) -> Iterator[tuple]:
        number, scope = ("position", ()) if self.stream is None else ("version", (self.stream,))
        sql = f"select {COLUMNS} from stored_events where happened <= ? and {number} <= ? and "
        sql += ("stream = ? and " if scope else "") + behind.format(number=number)
        return self.database.rows(sql, (self.until, self.known, *scope, *values))

    def last_snapshot(self, fold: Callable, start: Any) -> Snapshot:
        """The last snapshot from which this query can continue, or BEGINNING."""
        check_fold(fold)
        return find_snapshot(self.database, self.stream, fold, start, self.until, self.known)

    def check_exists(self) -> None:
        """Raise Unknown if the stream has no event. Only `state` accepts such a stream, because a
        service decides before the first event."""
        if self.stream is not None and not last_number(self.database, self.stream):
            raise Unknown("stream", self.stream, stream_names(self.database))

    def table(self) -> "pandas.DataFrame":
        """The facts as a DataFrame, in the order in which they happened."""
        with needed_for("EventStore.table"):
            import pandas

        facts = list(self.facts())
        rows = [[getattr(fact, name) for name in _OWN] for fact in facts]
        table = pandas.DataFrame(rows, columns=_OWN)
        data = [fact.data for fact in facts]
        for name in dict.fromkeys(name for fields in data for name in fields):
            cells = [fields.get(name) for fields in data]
            column = pandas.Series(cells, dtype=_dtype(cells))
            table[f"data.{name}" if name in (*_OWN, "state") else name] = column
        return table


def _dtype(cells: list[Any]) -> str | None:
    """Int64 for whole numbers that some events lack, because pandas would turn them into floats."""
    there = [cell for cell in cells if cell is not None]
    whole = all(type(number) is int and abs(number) < 2**63 for number in there)
    return "Int64" if whole and len(there) < len(cells) else None


def pair(bound: Any) -> tuple[Any, Any]:
    """The two moments of a difference, from a pair or from one bound that both share."""
    if not isinstance(bound, tuple | list):
        return bound, bound
    if len(bound) != 2:
        raise Misuse(f"{PAIR}, not {shown(bound)}")
    first, second = bound
    return first, second

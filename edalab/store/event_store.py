"""An event store keeps what happened, in streams, and forgets nothing: to correct a fact is to add another."""

import gc
import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConcurrencyError, Misuse, counted, shown
from ..model import Event, Message
from .instants import as_datetime, moment
from .schema import MANY, Transaction, absent, checked, insertion, make, opened, told
from .stored_event import COLUMNS, StoredEvent, is_text, written
from .temporal import Past, check_stream, overtake

if TYPE_CHECKING:
    import pandas

_BY_ID = "select stream, version from stored_events where id = ?"
_END = """select position, recorded,
    case stream when ? then version else (select ifnull(max(version), 0) from stored_events where stream = ?) end,
    exists (select 1 from stored_snapshots where stream = ?) from stored_events order by position desc limit 1"""


class EventStore(Past):
    """Streams of events in a SQLite database: a file (made where there is none), `":memory:"`, a connection, or, in a
    handler, the service's own (`EventStore(db)` inside `with ctx.database as db`), whose transaction it then shares.

    Every event has two times, when it happened and when it was recorded. A moment is a datetime with a time zone, a date or
    ISO text, or seconds of virtual time; a date alone means its end where it bounds a question, and days are UTC."""

    def __init__(self, place: "str | Path | sqlite3.Connection | Any"):
        self.notes: list[str] = []  # what a reader of a table or a repository has to say
        self.refused: pandas.DataFrame | None = (
            None  # the rows of a table that could not be read, with the reason
        )
        self._file = isinstance(place, str | Path)
        self._name = Path(place).name if self._file else "the database"
        if self._file:
            self.connection = opened(place)
        elif isinstance(place, sqlite3.Connection):
            self.connection = checked(place, self._name)
        elif hasattr(place, "executemany") and hasattr(place, "now"):
            self.connection = place
        else:
            what = "the path of a file, ':memory:', a sqlite3 connection, or the `db` of `with ctx.database as db`"
            raise Misuse(f"EventStore takes {what}, not {shown(place)}")

    # -- append

    def append(
        self,
        stream: str,
        events: Iterable[Event],
        expected_version: int | None = None,
        *,
        happened: Any = None,
        recorded: Any = None,
        ids: Iterable[str] | None = None,
    ) -> int:
        """Add events to a stream, all or none, and return its new version; versions count from 1.

        `expected_version` is the version that the decision was made on: 0 for a new stream, None for any; where the stream
        is at another, ConcurrencyError shows both sides. `recorded` is, in a simulation, the service's now, and must be given
        elsewhere; in one store it never goes back. `happened` (by default: when recorded) is one moment, or a list with one
        for each event. `ids` gives the events' own, each once in a store."""
        check_stream(stream, among_all=False)
        events = _listed(stream, events)
        return self._add(
            stream, list(map(written, events)), events, expected_version, happened, recorded, ids
        )

    def _add(self, stream, rows, events, expected_version, happened, recorded, ids) -> int:
        """Append rows of (type, version of its schema, JSON)."""
        if expected_version is not None:
            _check_number(
                expected_version,
                "expected_version= takes a version: 0 for a new stream, None for any",
            )
        recorded = self._recorded(recorded)
        happened = _each(happened, recorded, len(rows))
        ids = None if ids is None else _own(ids, len(rows))
        at_once = ids is None and len(set(happened)) == 1
        if not at_once:
            rows = [(when, id, *row) for when, id, row in zip(happened, ids or repeat(None), rows)]
        message = getattr(self.connection, "message", None)
        causes = (message.correlation, message.id) if message is not None else (None, None)
        with self._transaction() as db:
            position, last, version, kept = _end(db, stream)
            if expected_version is not None and expected_version != version:
                theirs = (
                    self.read(stream, after=expected_version) if expected_version < version else []
                )
                raise ConcurrencyError(stream, expected_version, version, theirs, events)
            _check_clock(recorded, last)
            if ids:
                self._check_ids(ids)
            shared = recorded, *causes, *(happened[:1] if at_once else ())
            for first in range(0, len(rows), MANY):
                part = rows[first : first + MANY]
                begun = position + first + 1, stream, version + first + 1
                db.execute(
                    insertion(len(part), at_once), (*begun, *shared, *chain.from_iterable(part))
                )
            if kept and rows:
                overtake(db, stream, version + 1, min(happened))
        return version + len(rows)

    # -- read

    def read(
        self, stream: str | None = None, after: int = 0, until: Any = None, as_of: Any = None
    ) -> list[StoredEvent]:
        """The events of a stream behind a version, by version; or of all streams behind a position, in the order stored.

        `until`: what happened at that moment or before. `as_of`: what was recorded at that moment or before."""
        check_stream(stream)
        _check_number(after, "after= takes a version, or without a stream a position")
        number, values = ("position", [after]) if stream is None else ("version", [after, stream])
        where = f"{number} > ?" + ("" if stream is None else " and stream = ?")
        if until is not None:
            where += " and happened <= ?"
            values.append(moment(until, "until=", bound=True))
        if as_of is not None:
            where += f" and {number} <= ?"
            values.append(self._known(stream, as_of))
        on = gc.isenabled()
        gc.disable()  # to look for garbage in what is being read makes a fifth of the time of a long replay
        try:
            return list(self._select(where, values, number))
        finally:
            if on:
                gc.enable()

    def version(self, stream: str) -> int:
        """The version of a stream: that of its last event, 0 where there is none."""
        check_stream(stream, among_all=False)
        return self._value("select max(version) from stored_events where stream = ?", stream) or 0

    def streams(self) -> list[str]:
        """The names of the streams, in the order they began."""
        return [
            name
            for (name,) in self._rows(
                "select stream from stored_events where version = 1 order by position"
            )
        ]

    def __len__(self) -> int:
        return self._value("select max(position) from stored_events") or 0

    # -- follow

    def follow(self, name: str) -> Iterator[StoredEvent]:
        """The events of all streams that the reader of this name has not seen yet, in the order stored: a catch-up
        subscription. Its checkpoint moves past an event when the loop comes back for the next, within the transaction that is
        open; so what a loop did not finish comes again."""
        while facts := list(
            self._select("position > ?", [self.checkpoint(name)], "position", 1000)
        ):
            for fact in facts:
                yield fact
                move = "insert into stored_checkpoints values (?, ?) on conflict (name) do update set position = excluded.position"
                with self._transaction() as db:
                    db.execute(move, (name, fact.position))

    def checkpoint(self, name: str) -> int:
        """The position of the last event that a reader has seen, 0 at first."""
        if not is_text(name):
            raise Misuse(
                f"a reader has a name, such as 'balances', under which its checkpoint is kept, not {shown(name)}"
            )
        return self._value("select position from stored_checkpoints where name = ?", name) or 0

    def lag(self, name: str) -> int:
        """How many events a reader has not seen yet."""
        return len(self) - self.checkpoint(name)

    # -- the database

    def _transaction(self) -> Transaction:
        return Transaction(self.connection, self._name)

    def _rows(self, sql: str, values: Iterable = ()) -> Iterator[tuple]:
        """What a select finds: nothing, where there are no tables yet."""
        try:
            yield from self.connection.execute(sql, values)
        except sqlite3.Error as error:
            if not absent(error):
                raise told(error, self._name) from None

    def _value(self, sql: str, *values: Any) -> Any:
        for (value,) in self._rows(sql, values):
            return value

    def _select(
        self, where: str, values: list, order: str, most: int = -1
    ) -> Iterator[StoredEvent]:
        sql = f"select {COLUMNS} from stored_events where {where} order by {order} limit {most}"
        return map(StoredEvent._make, self._rows(sql, values))

    def _known(self, stream: str | None, as_of: Any) -> int:
        """The last version (of all streams: position) that was recorded by then. A store learns in order, so it need not look
        at each."""
        last = len(self) if stream is None else self.version(stream)
        if as_of is None:
            return last
        where, values = (
            ("position = ?", ()) if stream is None else ("version = ? and stream = ?", (stream,))
        )
        sql = f"select recorded from stored_events where {where}"
        bound = moment(as_of, "as_of=", bound=True)
        return bisect_right(
            range(1, last + 1), bound, key=lambda number: self._value(sql, number, *values)
        )

    def _recorded(self, recorded: Any) -> int:
        if recorded is None:
            recorded = getattr(self.connection, "now", None)
            if recorded is None:
                raise Misuse(
                    "recorded= is missing: outside a simulation an event store is told when it learns of a fact"
                )
        return moment(recorded, "recorded=")

    def _check_ids(self, ids: list[str]) -> None:
        seen: set[str] = set()
        for id in ids:
            places = [
                f"{stream} version {version}" for stream, version in self._rows(_BY_ID, (id,))
            ]
            if places or id in seen:
                where = places[0] if places else "the events given"
                what = f"there is an event with the id {shown(id)} already, in {where}; nothing was appended"
                raise Misuse(f"{what}; where one may come twice, catch Misuse or look for it first")
            seen.add(id)

    def close(self) -> None:
        """Close the file. A connection that was given stays open."""
        if self._file:
            self.connection.close()

    def __enter__(self) -> "EventStore":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            streams = self._value("select count(*) from stored_events where version = 1") or 0
            said = f"{counted(len(self), 'event')} in {counted(streams, 'stream')}"
        except Misuse as misuse:
            said = str(misuse)
        return "<EventStore: " + "; ".join([said, *self.notes]) + ">"


def _end(db, stream: str) -> tuple:
    """Where a next event of this stream goes: the last position and its moment, the stream's version, and whether there are
    snapshots of it. The tables are made where there are none."""
    try:
        return db.execute(_END, (stream, stream, stream)).fetchone() or (0, None, 0, False)
    except sqlite3.Error as error:
        if not absent(error):
            raise
    make(db)
    return 0, None, 0, False


def _listed(stream: str, events: Any) -> list[Event]:
    if type(events) is list:
        return events
    if not isinstance(events, Iterable) or isinstance(events, str | dict | Message):
        raise Misuse(f"append takes a list of events: store.append({stream!r}, [{shown(events)}])")
    return list(events)


def _check_number(value: Any, what: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Misuse(f"{what}, not {shown(value)}")


def _check_clock(recorded: int, last: int | None) -> None:
    if last is not None and recorded < last:
        raise Misuse(
            f"recorded={as_datetime(recorded):%Y-%m-%d %H:%M:%S} is before the last event's, {as_datetime(last):%Y-%m-%d %H:%M:%S}: "
            "what a store learned, and when, cannot change; a fact that comes late has an earlier happened="
        )


def _each(happened: Any, recorded: int, number: int) -> list[int]:
    if happened is None:
        return [recorded] * number
    if not isinstance(happened, list | tuple):
        return [moment(happened, "happened=")] * number
    if len(happened) != number:
        raise Misuse(
            f"happened= has {len(happened)} moments for {number} events; give one for each, or one for all"
        )
    return [moment(when, "happened=") for when in happened]


def _own(ids: Any, number: int) -> list[str]:
    ids = list(ids) if isinstance(ids, Iterable) and not isinstance(ids, str) else [ids]
    if len(ids) != number or not all(map(is_text, ids)):
        raise Misuse(f"ids= takes a list of {number} texts, one for each event, not {shown(ids)}")
    return ids

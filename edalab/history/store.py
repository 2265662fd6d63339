"""An event store keeps what happened, in streams, and forgets nothing: to correct a fact is to add another."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConcurrencyError, Misuse, listed, shown
from ..model import Command, Event, Query
from . import past
from .moments import as_datetime, moment
from .stored import COLUMNS, StoredEvent

if TYPE_CHECKING:
    import pandas

LAYOUT = 1  # of the tables below; a file says with which it was written
_OURS = int.from_bytes(b"edab", "big")  # the application id in a file's header

_TABLES = """
create table events (position integer primary key, stream text not null, version integer not null, type text not null,
    schema integer not null, data text not null, happened integer not null, recorded integer not null,
    id text, correlation text, causation text, unique (stream, version))
; create unique index event_ids on events (id) where id is not null
; create index events_by_time on events (stream, happened, version)
; create trigger events_are_added before insert on events
    when exists (select 1 from events where stream = new.stream and version = new.version)
    begin select raise(abort, 'events are facts: append a new one'); end
; create trigger events_are_kept before delete on events
    begin select raise(abort, 'events are facts, none is deleted: append a new one'); end
; create trigger events_are_facts before update on events
    begin select raise(abort, 'events are facts, none is changed: append a new one'); end
; create table snapshots (stream text, fold text, happened integer, version integer, since integer, overtaken integer, state text)
; create index snapshots_by_time on snapshots (stream, fold, happened)
; create table checkpoints (name text primary key, position integer not null)
"""


class EventStore:
    """Streams of events in a SQLite database: a file (made where there is none), `":memory:"`, a connection, or, in a
    handler, the service's own (`EventStore(db)` inside `with ctx.database as db`), whose transaction it then shares.

    Every event has two times, when it happened and when it was recorded. A moment is a datetime with a time zone, a date or
    ISO text, or seconds of virtual time; a date alone means its end where it bounds a question, and days are UTC."""

    def __init__(self, place: "str | Path | sqlite3.Connection | Any"):
        self.notes: list[str] = []  # what a reader of a table or a repository has to say
        self.refused: pandas.DataFrame | None = None  # the rows of a table that could not be read, with the reason
        if isinstance(place, str | Path):
            self.connection, self._name = _opened(place), Path(place).name
        elif hasattr(place, "execute") and hasattr(place, "executemany"):
            self.connection, self._name = place, ""
        else:
            what = "the path of a file, ':memory:', a sqlite3 connection, or the `db` of `with ctx.database as db`"
            raise Misuse(f"EventStore takes {what}, not {shown(place)}")
        self._has_tables = False
        self._look()

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
        events = _checked(stream, events)
        rows = [(type(e).__name__, e.__declared__.version, e.__pydantic_serializer__.to_json(e).decode()) for e in events]
        return self._add(stream, rows, events, expected_version, happened, recorded, ids)

    def _add(self, stream, rows, events, expected_version, happened, recorded, ids) -> int:
        """Append rows of (type, version of its schema, JSON)."""
        if expected_version is not None and (isinstance(expected_version, bool) or not isinstance(expected_version, int)):
            raise Misuse(f"expected_version= takes a version: 0 for a new stream, None for any, not {shown(expected_version)}")
        recorded = self._recorded(recorded)
        happened = _each(happened, recorded, len(rows))
        ids = [None] * len(rows) if ids is None else _own(ids, len(rows))
        message = getattr(self.connection, "message", None)
        causes = (message.correlation, message.id) if message is not None else (None, None)
        with self._transaction():
            if not self._has_tables:
                self._make()
            version, position = self.version(stream), len(self)
            if expected_version is not None and expected_version != version:
                theirs = self.read(stream, after=expected_version) if expected_version < version else []
                raise ConcurrencyError(stream, expected_version, version, theirs, events)
            self._check_clock(recorded)
            self._check_ids(ids)
            numbers = range(version + 1, version + 1 + len(rows))
            places = range(position + 1, position + 1 + len(rows))
            self.connection.executemany(
                f"insert into events ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (place, stream, number, *row, when, recorded, id, *causes)
                    for place, number, row, when, id in zip(places, numbers, rows, happened, ids)
                ],
            )
            if rows:
                past.overtake(self, stream, min(happened), recorded)
        return version + len(rows)

    # -- read

    def read(
        self, stream: str | None = None, after: int = 0, until: Any = None, as_of: Any = None
    ) -> list[StoredEvent]:
        """The events of a stream behind a version, by version; or of all streams behind a position, in the order stored.

        `until`: what happened at that moment or before. `as_of`: what was recorded at that moment or before."""
        where, values = ("position > ?", [after]) if stream is None else ("stream = ? and version > ?", [stream, after])
        for column, what, bound in (("happened", "until=", until), ("recorded", "as_of=", as_of)):
            if bound is not None:
                where += f" and {column} <= ?"
                values.append(moment(bound, what, bound=True))
        return self._select(where, values, "position" if stream is None else "version")

    def version(self, stream: str) -> int:
        """The version of a stream: that of its last event, 0 where there is none."""
        return self._value("select max(version) from events where stream = ?", (stream,)) or 0

    def streams(self) -> list[str]:
        """The names of the streams, in the order they began."""
        return [name for (name,) in self._rows("select stream from events where version = 1 order by position")]

    def __len__(self) -> int:
        return self._value("select max(position) from events", ()) or 0

    # -- follow

    def follow(self, name: str) -> Iterator[StoredEvent]:
        """The events of all streams that the reader of this name has not seen yet, in the order stored: a catch-up
        subscription. Its checkpoint moves with each event, in the same transaction as what is done with it."""
        while facts := self._select("position > ?", [self.checkpoint(name)], "position", 1000):
            for fact in facts:
                yield fact
                move = "insert into checkpoints values (?, ?) on conflict (name) do update set position = excluded.position"
                self.connection.execute(move, (name, fact.position))

    def checkpoint(self, name: str) -> int:
        """The position of the last event that a reader has seen, 0 at first."""
        return self._value("select position from checkpoints where name = ?", (name,)) or 0

    def lag(self, name: str) -> int:
        """How many events a reader has not seen yet."""
        return len(self) - self.checkpoint(name)

    # -- the past

    def state(self, stream: str | None, fold: Callable, start: Any = None, until: Any = None, as_of: Any = None) -> Any:
        """What the events of a stream (None: of all) come to: `fold(state, fact)` from `start` on, over the stored events in
        the order they happened. `until`: at that moment; `as_of`: by what was known at that moment."""
        return past.state(self, stream, fold, start, until, as_of)

    def snapshot(self, stream: str, fold: Callable, start: Any = None, until: Any = None, as_of: Any = None) -> Any:
        """Keep a state, as JSON, and return it: later states begin there instead of at the first event. It never changes
        an answer: it serves the same fold only, and no question to which an event that came later makes a difference."""
        return past.snapshot(self, stream, fold, start, until, as_of)

    def table(
        self, stream: str | None = None, fold: Callable | None = None, start: Any = None, until: Any = None, as_of: Any = None
    ) -> "pandas.DataFrame":
        """Why: the events, in the order they happened, as a DataFrame with position, stream, version, type, happened,
        recorded and the fields of the data; with a fold, the state after each."""
        return past.table(self, stream, fold, start, until, as_of)

    def difference(
        self, stream: str | None, fold: Callable, start: Any = None, until: Any = None, as_of: Any = None
    ) -> "past.Difference":
        """What differs between two moments, `until` or `as_of` (or both) being a pair of them: the state before and after, and
        the events that came to it."""
        return past.difference(self, stream, fold, start, until, as_of)

    # -- the database

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One of its own, unless one is open: then it stands or falls with that."""
        connection = self.connection
        if not isinstance(connection, sqlite3.Connection) or connection.in_transaction:
            yield
            return
        connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            connection.execute("rollback")
            self._has_tables = False
            self._look()
            raise
        connection.execute("commit")

    def _look(self) -> None:
        """Whether the tables are there, and are ours."""
        columns = self._columns()
        self._has_tables = bool(columns)
        if columns and columns != COLUMNS.split(", "):
            what = f"has a table `events` of its own ({', '.join(columns)})"
            raise Misuse(f"the database {what}, which an event store cannot use; rename that table")

    def _columns(self) -> list[str]:
        try:
            return [name for (name,) in self.connection.execute("select name from pragma_table_info('events')")]
        except sqlite3.DatabaseError as error:
            raise Misuse(f"{self._name or 'the database'} cannot be read as an event store: {error}") from None

    def _make(self) -> None:
        if not self._columns():  # another connection may have made them meanwhile
            for statement in _TABLES.split("\n;"):
                self.connection.execute(statement)
        self._has_tables = True

    def _rows(self, sql: str, values: Iterable = ()) -> Iterable[tuple]:
        if not self._has_tables:
            self._look()
        return self.connection.execute(sql, values) if self._has_tables else ()

    def _value(self, sql: str, values: Iterable) -> Any:
        return next((value for (value,) in self._rows(sql, values)), None)

    def _select(self, where: str, values: list, order: str, most: int = -1) -> list[StoredEvent]:
        sql = f"select {COLUMNS} from events where {where} order by {order} limit {most}"
        return list(map(StoredEvent._make, self._rows(sql, values)))

    def _recorded(self, recorded: Any) -> int:
        if recorded is None:
            recorded = getattr(self.connection, "now", None)
            if recorded is None:
                raise Misuse("recorded= is missing: outside a simulation an event store is told when it learns of a fact")
        return moment(recorded, "recorded=")

    def _check_clock(self, recorded: int) -> None:
        last = self._value("select recorded from events order by position desc limit 1", ())
        if last is not None and recorded < last:
            raise Misuse(
                f"recorded={as_datetime(recorded):%Y-%m-%d %H:%M:%S} is before the last event's, {as_datetime(last):%Y-%m-%d %H:%M:%S}: "
                "what a store learned, and when, cannot change; a fact that comes late has an earlier happened="
            )

    def _check_ids(self, ids: list[str | None]) -> None:
        seen: set[str] = set()
        for id in filter(None, ids):
            stored = self._rows("select stream, version from events where id = ?", (id,))
            where = next((f"{stream} version {version}" for stream, version in stored), "the events given")
            if id in seen or where != "the events given":
                raise Misuse(f"there is an event with the id {shown(id)} already, in {where}; nothing was appended")
            seen.add(id)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def __enter__(self) -> "EventStore":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __repr__(self) -> str:
        streams = len(self.streams())
        said = f"{len(self):,} events in {streams:,} stream" + ("" if streams == 1 else "s")
        return "<EventStore: " + "; ".join([said, *self.notes]) + ">"


def _opened(place: str | Path) -> sqlite3.Connection:
    """A connection to a file that is an event store, or will be one."""
    if str(place) == ":memory:":
        return sqlite3.connect(place, isolation_level=None, check_same_thread=False)
    path = Path(place)
    if not path.parent.is_dir():
        raise Misuse(f"no folder {str(path.parent)!r} for the event store {path.name!r}; make it first")
    if path.is_dir():
        raise Misuse(f"{str(path)!r} is a folder; an event store is a file")
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _check_file(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_file(connection: sqlite3.Connection, path: Path) -> None:
    try:
        with closing(connection.cursor()) as cursor:
            pages, size, owner, layout = [
                cursor.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "page_size", "application_id", "user_version")
            ]
            tables = [name for (name,) in cursor.execute("select name from sqlite_master where type = 'table'")]
            if not tables and owner == 0:
                cursor.execute(f"pragma application_id = {_OURS}")
                cursor.execute(f"pragma user_version = {LAYOUT}")
                return
    except sqlite3.DatabaseError as error:
        raise Misuse(f"{path.name} is no event store that can be read: {error}; it was left as it is") from None
    if owner != _OURS:
        what = f"is a database of something else (tables: {listed(tables)})"
        raise Misuse(f"{path.name} {what}; give the event store a file of its own, or pass a sqlite3 connection")
    if layout > LAYOUT:
        raise Misuse(f"{path.name} was written by a newer edalab (layout {layout}, this one knows {LAYOUT}); update edalab")
    if os.path.getsize(path) < pages * size:
        raise Misuse(f"{path.name} is cut off: it has {os.path.getsize(path):,} of {pages * size:,} bytes; copy it anew")


def _checked(stream: object, events: Any) -> list[Event]:
    if not isinstance(stream, str) or not stream:
        raise Misuse(f"a stream has a name, such as 'account-7', not {shown(stream)}")
    if isinstance(events, Event) or not isinstance(events, Iterable) or isinstance(events, str | dict):
        raise Misuse(f"append takes a list of events: store.append({stream!r}, [{shown(events)}])")
    events = list(events)
    for event in events:
        if not isinstance(event, Event):
            kind = next((kind.__name__.lower() for kind in (Command, Query) if isinstance(event, kind)), None)
            what = f"{shown(event)} is a {kind}, and a store keeps what happened" if kind else f"{shown(event)} is no event"
            raise Misuse(f"{what}; append events: class MoneyDeposited(Event)")
    return events


def _each(happened: Any, recorded: int, number: int) -> Iterable[int]:
    if happened is None:
        return [recorded] * number
    if not isinstance(happened, list | tuple):
        return [moment(happened, "happened=")] * number
    if len(happened) != number:
        raise Misuse(f"happened= has {len(happened)} moments for {number} events; give one for each, or one for all")
    return list(map(moment, happened, repeat("happened=")))


def _own(ids: Any, number: int) -> list[str]:
    ids = [ids] if isinstance(ids, str) else list(ids)
    if len(ids) != number or not all(isinstance(id, str) and id for id in ids):
        raise Misuse(f"ids= takes a list of {number} texts, one for each event, not {shown(ids)}")
    return ids

"""The tables of an event store in SQLite, which themselves refuse to change or delete a fact."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import Misuse, listed, shown

LAYOUT = 1  # of the tables below; a file says with which it was written
_OURS = int.from_bytes(b"edab", "big")  # the application id in a file's header

MANY = 64  # events that one statement stores: for each row of an `executemany` Python takes longer than SQLite


@lru_cache(2 * MANY)
def insertion(number: int, at_once: bool) -> str:
    """The statement that stores so many events of a stream, the next in both orders. It takes the
    position and version of the first and what they share (where all happened `at_once`, also that
    time); then of each its type, schema and data, and before these, where they did not happen at
    once, when it happened and its id."""
    alike, own = "recorded, correlation, causation", "happened, id, type, schema, data"
    if at_once:
        alike, own = f"{alike}, happened", "type, schema, data"
    shared = f"position, stream, version, {alike}"
    marks = ", ".join("?" for _ in own.split(", "))
    rows = ", ".join(f"({row}, {marks})" for row in range(number))
    given = ", ".join("?" for _ in shared.split(", "))
    insert = f"insert into stored_events ({shared}, {own}) "
    if number == 1:
        return f"{insert}values ({given}, {marks})"
    # By name and not as ?1: Python 3.12.0 to 3.12.3 warns of each, longer than it stores an event.
    return (
        f"{insert}with shared ({shared}) as (values ({given})), own (row, {own}) as (values {rows}) "
        f"select position + row, stream, version + row, {alike}, {own} from shared cross join own"  # in the order of own
    )


# `insert or replace` would delete without a word to the trigger for that: so an event must be the next in both orders. Mostly it
# is the next of the stream that was written to last, which is seen a sixth quicker.
_TABLES = """
create table stored_events (position integer primary key, stream text not null, version integer not null, type text not null,
    schema integer not null, data text not null, happened integer not null, recorded integer not null,
    id text, correlation text, causation text, unique (stream, version))
; create unique index stored_event_ids on stored_events (id) where id is not null
; create index stored_events_by_time on stored_events (stream, happened, version)
; create trigger stored_events_are_added before insert on stored_events
    when (new.position, new.stream, new.version) is not
            (select position + 1, stream, version + 1 from stored_events order by position desc limit 1)
        and (new.position is not (select ifnull(max(position), 0) + 1 from stored_events)
            or new.version is not (select ifnull(max(version), 0) + 1 from stored_events where stream = new.stream))
        or new.id is not null and exists (select 1 from stored_events where id = new.id)
    begin select raise(fail, 'events are facts: append a new one'); end
; create trigger stored_events_are_kept before delete on stored_events
    begin select raise(abort, 'events are facts, none is deleted: append a new one'); end
; create trigger stored_events_are_facts before update on stored_events
    begin select raise(abort, 'events are facts, none is changed: append a new one'); end
; create table stored_snapshots (stream text, fold text, happened integer, version integer, events integer, since integer,
    classes text, state text, overtaken integer)
; create index stored_snapshots_by_time on stored_snapshots (stream, happened, version, fold, since, overtaken)
; create table stored_checkpoints (name text primary key, position integer not null)
"""


class Database:
    """The SQLite database of a store: a file, a connection, or the database of a service."""

    def __init__(self, place: "str | Path | sqlite3.Connection | Any"):
        self.is_file = isinstance(place, str | Path)
        self.name = Path(place).name if self.is_file else "the database"
        if self.is_file:
            self.connection = _open(place)
        elif isinstance(place, sqlite3.Connection):
            self.connection = _check(place, self.name)
        elif hasattr(place, "executemany") and hasattr(place, "now"):
            self.connection = place
        else:
            what = "the path of a file, ':memory:', a sqlite3 connection, or the `db` of "
            raise Misuse(f"EventStore takes {what}`with ctx.database as db`, not {shown(place)}")

    def rows(self, sql: str, values: Iterable = ()) -> Iterator[tuple]:
        """The rows that a select finds; none where the tables are not there yet."""
        try:
            yield from self.connection.execute(sql, values)
        except sqlite3.Error as error:
            if not tables_missing(error):
                raise as_misuse(error, self.name) from None

    def value(self, sql: str, *values: Any) -> Any:
        """The first value that a select finds, or None."""
        for (value,) in self.rows(sql, values):
            return value

    def transaction(self) -> "Transaction":
        return Transaction(self)


class Transaction:
    """A transaction of its own, unless one is open: then the work belongs to that one. Errors of
    SQLite become Misuse. (A generator instead would take a
    tenth of the time of an append.)"""

    __slots__ = ("database", "db", "own")

    def __init__(self, database: Database):
        self.database, self.db, self.own = database, database.connection, False

    def __enter__(self) -> Any:
        try:
            if isinstance(self.db, sqlite3.Connection) and not self.db.in_transaction:
                self.db = (
                    self.db.cursor()
                )  # one for all statements: a connection makes one for each
                self.db.execute("begin immediate")
                self.own = True
        except sqlite3.Error as error:
            raise as_misuse(error, self.database.name) from None
        return self.db

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        try:
            if self.own and error is None:
                self.db.execute("commit")
        except sqlite3.Error as refused:
            error = refused
        if error is not None and self.own and self.database.connection.in_transaction:
            self.db.execute("rollback")
        if isinstance(error, sqlite3.Error):
            raise as_misuse(error, self.database.name) from None


def make_tables(db: Any) -> None:
    """Make the tables, in the transaction that is open. A database with nothing else in it is
    marked as a store of this layout."""
    if isinstance(db, sqlite3.Connection | sqlite3.Cursor) and not _tables(db):
        db.execute(f"pragma application_id = {_OURS}")
        db.execute(f"pragma user_version = {LAYOUT}")
    for statement in _TABLES.split("\n;"):
        db.execute(statement)


def _open(place: str | Path) -> sqlite3.Connection:
    """A connection to a file that is an event store, or will be one."""
    path, ways = Path(place), {"isolation_level": None, "check_same_thread": False}
    if str(place) == ":memory:":
        return sqlite3.connect(":memory:", **ways)
    if not path.parent.is_dir():
        what = f"no folder {str(path.parent)!r} for the event store {path.name!r}"
        raise Misuse(f"{what}; make it first")
    if path.is_dir():
        raise Misuse(f"{str(path)!r} is a folder; an event store is a file")
    writable = not path.exists() or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
    # An immutable file is read without its log of commits (-wal).
    mutable = writable or path.with_name(f"{path.name}-wal").exists()
    uri = without_host(path.absolute().as_uri()) + ("" if mutable else "?immutable=1")
    connection = sqlite3.connect(uri, uri=True, **ways)
    try:
        tables = _tables(_check(connection, path.name))
        if tables and "stored_events" not in tables:
            what = f"is a database of something else (tables: {listed(tables)})"
            fix = "give the event store a file of its own, or pass a sqlite3 connection"
            raise Misuse(f"{path.name} {what}; {fix}")
        # SQLite looks for whole pages only.
        if path.stat().st_size % _pragma(connection, "page_size"):
            raise Misuse(f"{path.name} is cut off: its last page is not complete; copy it anew")
        if writable:
            # A commit waits for the operating system, not for the disk, in a fortieth of the time:
            # a killed process loses nothing, a power cut perhaps the last commits.
            _pragma(connection, "journal_mode = wal")
            _pragma(connection, "synchronous = normal")
    except sqlite3.Error as error:
        connection.close()
        raise as_misuse(error, path.name) from None
    except BaseException:
        connection.close()
        raise
    return connection


def without_host(uri: str) -> str:
    """The URI of a file as SQLite takes it: a network share of Windows is a path, and no host."""
    return uri if uri.startswith("file:///") else uri.replace("file://", "file:////", 1)


def _check(connection: sqlite3.Connection, name: str) -> sqlite3.Connection:
    """The connection. Raises Misuse where it cannot be read, or has a newer layout than this."""
    try:
        owner, layout = (_pragma(connection, what) for what in ("application_id", "user_version"))
    except sqlite3.Error as error:
        raise as_misuse(error, name) from None
    if owner == _OURS and layout > LAYOUT:
        what = f"{name} was written by a newer edalab (layout {layout}, this one knows {LAYOUT})"
        raise Misuse(f"{what}; update edalab")
    return connection


def tables_missing(error: sqlite3.Error) -> bool:
    """Whether the error says that the store's tables are not there yet."""
    return str(error).startswith("no such table: stored_")


_REASONS = {
    "closed": "{} was closed; open it again: EventStore(…)",
    "locked": "{} is locked: another connection is writing to it, or left a transaction open (in "
    "another notebook?); nothing was changed, try again when it is done",
    "readonly": "{} can only be read (a run's database, or a file you may not write to); "
    "nothing was changed",
    "malformed": "{} is no event store that can be read: {}; it was left as it is",
    "column": "{} has a table of its own where the event store's would be: {}; rename that table",
}
_REASONS["not authorized"] = _REASONS["readonly"]
_REASONS["not a database"] = _REASONS["malformed"]
_REASONS["already exists"] = _REASONS["column"]


def as_misuse(error: sqlite3.Error, name: str) -> Misuse:
    """An error of SQLite as a sentence about the store of this name."""
    for word, reason in _REASONS.items():
        if word in str(error):
            return Misuse(reason.format(name, error))
    return Misuse(f"{name}: {error}; nothing was changed")


def _tables(db: sqlite3.Connection | sqlite3.Cursor) -> list[str]:
    return [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    with closing(connection.execute(f"pragma {name}")) as found:
        return next(found, (None,))[0]

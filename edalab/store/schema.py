"""The tables of an event store in SQLite. Their triggers refuse to change or delete an event."""

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import Misuse, listed, shown

# `insert or replace` would delete an event without firing the delete trigger, so an event must be
# the next one in both orders. Usually it is the next of the stream that was written to last, and
# checking that first is a sixth faster.
_TABLES = """
create table stored_events (
    position integer primary key, stream text not null, version integer not null,
    type text not null, schema integer not null, data text not null,
    happened integer not null, recorded integer not null,
    id text, correlation text, causation text, unique (stream, version))
; create unique index stored_event_ids on stored_events (id) where id is not null
; create index stored_events_by_time on stored_events (stream, happened, version)
; create trigger stored_events_are_added before insert on stored_events
    when (new.position, new.stream, new.version) is not (select position + 1, stream, version + 1
            from stored_events order by position desc limit 1)
        and (new.position is not (select ifnull(max(position), 0) + 1 from stored_events)
            or new.version is not (select ifnull(max(version), 0) + 1 from stored_events
                where stream = new.stream))
        or new.id is not null and exists (select 1 from stored_events where id = new.id)
    begin select raise(fail, 'events are facts: append a new one'); end
; create trigger stored_events_are_kept before delete on stored_events
    begin select raise(abort, 'events are facts, none is deleted: append a new one'); end
; create trigger stored_events_are_facts before update on stored_events
    begin select raise(abort, 'events are facts, none is changed: append a new one'); end
; create table stored_snapshots (stream text, fold text, happened integer, version integer,
    events integer, since integer, classes text, state text)
; create index stored_snapshots_by_time on stored_snapshots (stream, fold, happened, version)
; create table stored_checkpoints (name text primary key, position integer not null)
"""


_TABLE_NAMES = "select name from sqlite_master where type = 'table' order by name"


class Database:
    """The SQLite database of a store: a file, a connection, or the database of a service."""

    def __init__(self, place: "str | Path | sqlite3.Connection | Any"):
        self.name, self.is_file = "the database", isinstance(place, str | Path)
        self.connection: Any
        if isinstance(place, str | Path):
            self.name = Path(place).name
            self.connection = _open(place)
        elif isinstance(place, sqlite3.Connection):
            self.connection = place
            self.value("select 1")  # raises Misuse if it is closed
        elif hasattr(place, "executemany") and hasattr(place, "now"):
            self.connection = place
        else:
            what = "the path of a file, ':memory:', a sqlite3 connection, or the `db` of "
            raise Misuse(f"EventStore takes {what}`with ctx.database as db`, not {shown(place)}")

    def rows(self, sql: str, values: Iterable = ()) -> Iterator[tuple]:
        """The rows of a select; none if the tables do not exist yet."""
        try:
            yield from self.connection.execute(sql, values)
        except sqlite3.Error as error:
            if not tables_missing(error):
                raise as_misuse(error, self.name) from None

    def value(self, sql: str, *values: Any) -> Any:
        """The first value of a select, or None."""
        for (value,) in self.rows(sql, values):
            return value
        return None

    def transaction(self) -> "Transaction":
        return Transaction(self)


class Transaction:
    """A new transaction, or the one that is already open. Errors of SQLite become Misuse. (As a
    generator, it would take a tenth of the time of an append.)"""

    __slots__ = ("database", "db", "own")

    def __init__(self, database: Database):
        self.database, self.db, self.own = database, database.connection, False

    def __enter__(self) -> Any:
        try:
            if isinstance(self.db, sqlite3.Connection) and not self.db.in_transaction:
                # One cursor for all statements; a connection would create one for each.
                self.db = self.db.cursor()
                self.db.execute("begin immediate")
                self.own = True
        except sqlite3.Error as error:
            raise as_misuse(error, self.database.name) from None
        return self.db

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        try:
            if self.own and error is None:
                self.db.execute("commit")
        except sqlite3.Error as failure:
            error = failure
        if error is not None and self.own and self.database.connection.in_transaction:
            self.db.execute("rollback")
        if isinstance(error, sqlite3.Error):
            raise as_misuse(error, self.database.name) from None


def make_tables(db: Any) -> None:
    """Create the tables, in the open transaction."""
    for statement in _TABLES.split("\n;"):
        db.execute(statement)


def _open(place: str | Path) -> sqlite3.Connection:
    """A connection to a file that is an event store, or is to become one."""
    options: Any = {"isolation_level": None, "check_same_thread": False}
    if str(place) == ":memory:":
        return sqlite3.connect(":memory:", **options)
    path = Path(place).absolute()
    if not path.parent.is_dir():
        what = f"no folder {str(Path(place).parent)!r} for the event store {path.name!r}"
        raise Misuse(f"{what}; make it first")
    writable = not path.exists() or os.access(path, os.W_OK)
    connection = None
    try:
        connection = sqlite3.connect(path, **options)
        tables = [name for (name,) in connection.execute(_TABLE_NAMES)]
        if tables and "stored_events" not in tables:
            connection.close()
            what = f"{path.name} is a database of something else (tables: {listed(tables)})"
            raise Misuse(f"{what}; give the event store a file of its own")
        if writable:
            # A commit waits for the operating system and not for the disk: 40 times faster.
            # A killed process loses nothing, but a power cut may lose the last commits.
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise as_misuse(error, path.name) from None
    return connection


def tables_missing(error: sqlite3.Error) -> bool:
    """Whether the error says that the store's tables do not exist yet."""
    return str(error).startswith("no such table: stored_")


_REASONS = {
    "closed": "{} was closed; open it again: EventStore(…)",
    "locked": "{} is locked: another connection is writing to it, or left a transaction open (in "
    "another notebook?); nothing was changed, try again when it is done",
    "readonly|not authorized": "{} can only be read (a run's database, or a file you may not write "
    "to); nothing was changed",
    "malformed|not a database": "{} cannot be read as an event store: {}; nothing was changed",
    "": "{}: {}; nothing was changed",
}


def as_misuse(error: sqlite3.Error, name: str) -> Misuse:
    """An error of SQLite as a sentence about the store of this name."""
    reason = next(_REASONS[words] for words in _REASONS if re.search(words, str(error)))
    return Misuse(reason.format(name, error))

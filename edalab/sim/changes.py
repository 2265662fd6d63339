"""The rows that each save of a service changed, found by running its statements again on a copy of the database.

Claims seldom need them. Reading all tables at each save would take a fifth of every run's time."""

import marshal
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from .database import Database, Rows


class Changes(NamedTuple):
    """The rows that a save added, and those that it removed. An updated row is in both."""

    added: Rows
    removed: Rows


NO_CHANGES = Changes({}, {})


def changes_of(database: Database) -> dict[int, Changes]:
    """Numbers of saves in the journal -> what each changed."""
    saves = [*database.saves.values()]
    try:  # as bytes, in which 1, 1.0 and True differ
        found = _found_once(database.schema, marshal.dumps(saves, 2))
    except ValueError:  # an envelope for an outbox, or another object
        found = _played_again(database.schema, saves)
    return dict(zip(database.saves, found, strict=True))


@lru_cache(maxsize=200)  # many runs of an exploration save the same
def _found_once(schema: str, saves: bytes) -> list[Changes]:
    return _played_again(schema, marshal.loads(saves))


def _played_again(schema: str, saves: list[list[tuple]]) -> list[Changes]:
    copy = Database("copy", schema)
    found, before = [], copy.read()
    for statements in saves:
        save_again(copy, statements)
        now = copy.read()
        found.append(_differences(before, now))
        before = now
    return found


def save_again(copy: Database, statements: Iterable[tuple]) -> None:
    """Run the statements of a save again on a copy of its database. A restore is repeated, too."""
    for method, _, parameters in statements:
        if method == "restore":
            back_to(copy, parameters)
            return
    copy.probes = 0
    copy.connection.execute("begin immediate")
    for method, sql, parameters in statements:
        with suppress(sqlite3.Error):  # an error that the handler caught
            getattr(copy.connection, method)(sql, parameters)
    copy.connection.execute("commit")


def back_to(database: Database, saves: Iterable) -> None:
    """Give a database the contents that it had after these saves."""
    earlier = Database(database.service, database.schema)
    for statements in saves:
        save_again(earlier, statements)
    database.use(earlier.connection)  # open cursors keep the old connection
    database.shaped = True


def _differences(before: Rows, now: Rows) -> Changes:
    """The rows that only one of two states has."""
    found = Changes({}, {})
    for table in now | before:
        old, new = before.get(table, []), now.get(table, [])
        if new[: len(old)] == old:  # most often rows were added, or none was
            added, removed = new[len(old) :], []
        else:
            added = [*(Counter(new) - Counter(old)).elements()]
            removed = [*(Counter(old) - Counter(new)).elements()]
        if added:
            found.added[table] = added
        if removed:
            found.removed[table] = removed
    return found

"""Which rows a save changed: a copy of the service's database runs its statements once more.

Claims seldom ask. To read all tables at each save would cost every run a fifth of its time."""

import marshal
import sqlite3
from collections import Counter
from contextlib import suppress
from hashlib import blake2b

from .database import Database, Rows, Statement

_MOST_SHARED = 10_000
_shared: dict[object, Rows] = {}  # exploration meets the same saves again and again


class Changes:
    """The changes of one database. Its saves are played as far as somebody asks."""

    def __init__(self, database: Database):
        self.schema, self.saves = database.schema, [*database.saves.values()]
        self.places = {save: place for place, save in enumerate(database.saves)}
        self.keys = _keys(self.schema, self.saves)
        self._begin()

    def _begin(self) -> None:
        self.copy: Database | None = None
        self.played = 0  # saves
        self.rows: Rows | None = None  # after these, if they were read

    def of(self, save: int) -> Rows:
        """The rows that a save, by its number in the journal, added or removed. Only tables with such rows."""
        if save not in self.places:
            return {}
        place = self.places[save]
        if self.keys[place] not in _shared:
            if len(_shared) >= _MOST_SHARED:
                _shared.clear()
            _shared[self.keys[place]] = self._find(place)
        return _shared[self.keys[place]]

    def _find(self, place: int) -> Rows:
        if place < self.played:
            self._begin()
        if self.copy is None:
            self.copy = Database("", self.schema)
            self.copy.connection.set_progress_handler(None, 0)
        for statements in self.saves[self.played : place]:
            _play(self.copy, statements)
            self.rows = None
        before = self.rows or self.copy.read()
        _play(self.copy, self.saves[place])
        self.played, self.rows = place + 1, self.copy.read()
        return _differences(before, self.rows)


def _keys(schema: str, saves: list[list[Statement]]) -> list[object]:
    """For each save the same key wherever the same was run up to it."""
    digest, keys = blake2b(schema.encode()), []
    for statements in saves:
        try:
            digest.update(marshal.dumps(statements, 2))  # tells 1, 1.0 and True apart
            keys.append(digest.digest())
        except ValueError:  # an envelope of an outbox, or another object
            return keys + [object() for _ in saves[len(keys) :]]
    return keys


def _play(copy: Database, statements: list[Statement]) -> None:
    copy.connection.execute("begin immediate")
    for method, sql, parameters in statements:
        with suppress(sqlite3.Error):  # the handler caught it
            getattr(copy.connection, method)(sql, parameters)
    copy.connection.execute("commit")


def _differences(before: Rows, now: Rows) -> Rows:
    """The rows that only one of two readings has."""
    found = {}
    for table in now | before:
        old, new = before.get(table, []), now.get(table, [])
        if new[: len(old)] == old:  # most often rows were added, or none was
            rows = new[len(old) :]
        else:
            rows = [*(Counter(old) - Counter(new)).elements()]
            rows += (Counter(new) - Counter(old)).elements()
        if rows:
            found[table] = rows
    return found

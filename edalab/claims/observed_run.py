"""A run that records what a claim reads. A claim that reads only tables without a row has tested nothing."""

import sqlite3
from typing import Any

from ..sim.database import Database
from ..sim.run import Run
from ..sim.services import ServiceRuntime

_OF_STEPS = frozenset(  # what a run makes from its steps
    {"journal", "steps", "failures", "faults", "unfired", "end", "digest", "cloudevents", "otlp"}
)


class ObservedRun:
    """A run that records whether a claim reads steps, and which tables it reads (reported by SQLite's authorizer).

    track_tables: False if `untested` will not be called."""

    def __init__(self, run: Run, track_tables: bool = True):
        self._run, self._track_tables = run, track_tables
        self._steps = self._past = False  # whether it read steps, or the world at some moment
        self._tables: dict[tuple[str, str], None] = {}  # (service, table) in the order first read
        self._databases: set[Database] = set()

    def __getattr__(self, name: str) -> Any:  # everything not defined here is the run's
        self._steps = self._steps or name in _OF_STEPS
        return getattr(self._run, name)

    def __repr__(self) -> str:
        return repr(self._run)

    def rows(self, service: str, sql: str, parameters: tuple = ()) -> list[tuple]:
        """As `Run.rows`."""
        self._track(self._run._node(service))
        return self._run.rows(service, sql, parameters)

    def database(self, service: str) -> sqlite3.Connection:
        """As `Run.database`."""
        self._track(self._run._node(service))
        return self._run.database(service)

    def at(self, seconds: float) -> Any:
        """As `Run.at`."""
        world = self._run.at(seconds)
        self._past = True
        for service in world.services.values():
            self._track(service)
        return world

    def _track(self, service: ServiceRuntime) -> None:
        database = service.database
        if database in self._databases or not self._track_tables:
            return
        self._databases.add(database)

        def note_read(action: int, table: str | None, *rest) -> int:
            if action == sqlite3.SQLITE_READ and table and not table.startswith("sqlite_"):
                self._tables.setdefault((service.name, table))
            return database._authorize(action, table, *rest)

        database.connection.set_authorizer(note_read)

    # -- what was read

    def untested(self) -> str:
        """Why nothing that was read tests the claim; "" if something does."""
        nothing = "" if self._run._record else "nothing happened"
        if self._steps:
            return nothing
        read = [(self._run._node(service).database, table) for service, table in self._tables]
        if any(database.saves and table in database.inserted for database, table in read):
            return ""  # a table has a row, or once had one
        # Without the names of views, and those within a statement.
        tables = [(database, table) for database, table in read if table in database.tables()]
        if any(database.rows_of(table, 1) for database, table in tables):
            return ""
        at_first = [(Database(one.service, one.schema), table) for one, table in tables]
        if any(table in one.tables() and one.rows_of(table, 1) for one, table in at_first):
            return ""
        if self._past and not tables:
            return nothing
        named = ", ".join(f"{database.service}.{table}" for database, table in tables)
        return f"{named} never had a row" if tables else "it read no table and no step of the run"

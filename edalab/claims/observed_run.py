"""A run as a claim sees it: the same record, and a memory of what was read.

A claim that looked only at tables that never had a row has tested nothing.
"""

import sqlite3
from typing import Any

from ..sim.database import Database
from ..sim.run import Run

_OF_STEPS = frozenset(
    {"journal", "steps", "failures", "faults", "unfired", "end", "digest", "cloudevents"}
)  # made from steps


class Reading:
    """Stands in for a run while a claim is checked, and hears through SQLite's authorizer which tables are read, unless
    nobody will ask (`listens=False`)."""

    def __init__(self, run: Run, listens: bool = True):
        self._run, self._listens = run, listens
        self._steps = self._past = (
            False  # whether steps, or the world at some moment, were looked at
        )
        self._tables: dict[tuple[str, str], None] = {}  # (service, table) in the order first read
        self._databases: dict[Database, str] = {}

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_) -> None:
        for database in self._databases if self._listens else ():
            database.connection.set_authorizer(database._authorize)

    def __getattr__(self, name: str) -> Any:  # all that is not defined here is the run's
        self._steps = self._steps or name in _OF_STEPS
        return getattr(self._run, name)

    def __repr__(self) -> str:
        return repr(self._run)

    def rows(self, service: str, sql: str, parameters: tuple = ()) -> list[tuple]:
        """As `Run.rows`."""
        self._listen(self._run._node(service))
        return self._run.rows(service, sql, parameters)

    def database(self, service: str) -> sqlite3.Connection:
        """As `Run.database`."""
        self._listen(self._run._node(service))
        return self._run.database(service)

    def at(self, seconds: float) -> Any:
        """As `Run.at`."""
        world = self._run.at(seconds)
        self._past = True
        for node in world.services.values():
            self._listen(node)
        return world

    def _listen(self, node) -> None:
        database = node.database
        if database in self._databases:
            return
        self._databases[database] = node.name
        if not self._listens:
            return

        def hear(action: int, table: str | None, *rest) -> int:
            if action == sqlite3.SQLITE_READ and table and not table.startswith("sqlite_"):
                self._tables.setdefault((node.name, table))
            return database._authorize(action, table, *rest)

        database.connection.set_authorizer(hear)

    # -- what was read

    def untested(self) -> str:
        """Why what was read tests nothing, or ""."""
        if self._steps:
            return "" if self._run._record else "nothing happened"
        read = []
        for service, table in list(self._tables):
            has_a_row = _has_a_row(self._run._node(service).database, table)
            if has_a_row:
                return ""
            if has_a_row is not None:
                read.append((service, table))
        if self._past and not read:
            return "" if self._run._record else "nothing happened"
        if any(self._once_had_a_row(*table) for table in read):
            return ""
        named = ", ".join(f"{service}.{table}" for service, table in read)
        return f"{named} never had a row" if read else "it read no table and no step of the run"

    def _once_had_a_row(self, service: str, table: str) -> bool:
        node = self._run._node(service)
        if _has_a_row(Database(service, node.schema), table):
            return True
        # Emptied since: something was inserted, and a transaction of the service committed.
        saved = any(
            s.step == "save" and s.service == service and s.fault is None for s in self._run.journal
        )
        return saved and table in node.database.inserted

    def known(self, error: Exception) -> str:
        """What exists, for a claim that asked for something else."""
        if isinstance(error, KeyError) and self._steps:
            return "; the columns of run.steps: " + ", ".join(self._run.steps.columns)
        if (
            isinstance(error, sqlite3.Error) or type(error).__name__ == "DatabaseError"
        ) and "tables of" not in str(error):
            listed = [
                f"{name}: {', '.join(database.tables()) or 'none'}"
                for database, name in self._databases.items()
            ]
            return (
                f"; tables of {'; of '.join(listed)}" if listed else ""
            )  # pandas has an error of its own, without them
        return ""


def _has_a_row(database: Database, table: str) -> bool | None:
    """Whether a table has a row; None for what is no table, such as a view. In one statement: it is asked of every run."""
    quoted = table.replace('"', '""')
    sql = f"select exists (select 1 from \"{quoted}\") from sqlite_master where type = 'table' and name = ? collate nocase"
    try:
        found = database.readable().execute(sql, (table,)).fetchone()
    except sqlite3.OperationalError:  # a name that only the statement knew
        return None
    return None if found is None else bool(found[0])

"""The value that one `select` finds in the databases of several services, over time."""

import sqlite3
from collections.abc import Iterable
from typing import Any

from ..errors import Misuse, listed
from ..sim.changes import save_again
from ..sim.database import Database
from ..sim.run import Run
from ..text import counted, seconds

_MOST = 3  # services


def values_over_time(
    run: Run, select: str, services: Iterable[str] | None
) -> tuple[list[str], dict[int, tuple]]:
    """The services to compare, and a map from a time (ms) to their values from then on."""
    names = _services(run, select, services)
    databases = {name: run._node(name).database for name in names}
    again = {name: Database(name, one.schema) for name, one in databases.items()}
    now = {name: _value(one, select, 0) for name, one in again.items()}
    states: dict[int, tuple] = {0: (*now.values(),)}
    saves = sorted((save, name) for name, one in databases.items() for save in one.saves)
    for save, name in saves:
        copy, before = again[name], again[name].connection.total_changes
        copy.shaped, copy.probes = False, 0
        save_again(copy, databases[name].saves[save])
        if copy.shaped or copy.connection.total_changes != before:
            time = run.journal[save].time
            now[name] = _value(copy, select, time)
            states[time] = (*now.values(),)
    return names, states


def _services(run: Run, select: str, services: Iterable[str] | None) -> list[str]:
    found, errors, why = [], [], '; name those to compare: services=["north", "south"]'
    given = [services] if isinstance(services, str) else services
    for name in dict.fromkeys(run.services if given is None else given):
        try:
            run.rows(name, select)
            found.append(name)
        except (sqlite3.Error, sqlite3.Warning) as error:  # most often because it has no such table
            if given is not None:
                raise
            errors.append((not run._node(name).schema, f": {error}"))
    if 2 <= len(found) <= _MOST:
        return found
    if errors and len(found) < 2:
        why = min(errors)[1]  # the error of a service with tables, if any
    what = "copies compares two or three services, and this select runs in"
    raise Misuse(f"{what} {listed(found)}{why}")


def _value(database: Database, select: str, time: int) -> Any:
    try:
        cursor = database.connection.execute(select)
    except sqlite3.OperationalError:  # the table does not exist yet
        return None
    rows, columns = cursor.fetchmany(2), cursor.description or ()
    if len(rows) > 1 or len(columns) != 1:
        found = "several rows" if len(columns) == 1 else counted(len(columns), "column")
        what = f"copies draws one value, but {database.service} has {found} at {seconds(time)}"
        raise Misuse(f"{what}; write one such as \"select pieces from stock where item = 'tea'\"")
    return rows[0][0] if rows else None

"""How events are appended: checked against the end of the store, then inserted many at a time."""

import sqlite3
from collections.abc import Iterable
from itertools import chain, repeat
from typing import Any, NamedTuple

from ..errors import Misuse, shown
from .instants import as_datetime, to_microseconds
from .schema import MANY, Database, insertion, make_tables, tables_missing
from .snapshots import overtake
from .stored_event import is_text

_BY_ID = "select stream, version from stored_events where id = ?"
_VERSION = "select ifnull(max(version), 0) from stored_events where stream = ?"
_END = f"""select position, recorded, case stream when ? then version else ({_VERSION}) end,
    exists (select 1 from stored_snapshots where stream = ?)
    from stored_events order by position desc limit 1"""


class End(NamedTuple):
    """Where the next event of a stream goes: behind the last `position` of the store, which was
    `recorded` then, and the last `version` of the stream."""

    stream: str
    position: int = 0
    recorded: int | None = None
    version: int = 0
    has_snapshots: bool = False


def end_of(db: Any, stream: str) -> End:
    """The end of the store for a stream. Makes the tables where there are none."""
    try:
        found = db.execute(_END, (stream, stream, stream)).fetchone()
        return End(stream, *(found or ()))
    except sqlite3.Error as error:
        if not tables_missing(error):
            raise
    make_tables(db)
    return End(stream)


def insert(
    db: Any,
    end: End,
    rows: list[tuple],
    happened: list[int],
    recorded: int,
    ids: list[str] | None,
) -> None:
    """Insert rows of (type, version of its schema, JSON). In a service, the message being handled
    is their cause."""
    at_once = ids is None and len(set(happened)) == 1
    if not at_once:
        own = zip(happened, ids or repeat(None), rows, strict=False)
        rows = [(when, id, *row) for when, id, row in own]
    message = getattr(db, "message", None)
    causes = (message.correlation, message.id) if message is not None else (None, None)
    shared = recorded, *causes, *(happened[:1] if at_once else ())
    for first in range(0, len(rows), MANY):
        part = rows[first : first + MANY]
        begin = end.position + first + 1, end.stream, end.version + first + 1
        values = (*begin, *shared, *chain.from_iterable(part))
        db.execute(insertion(len(part), at_once), values)
    if end.has_snapshots and rows:
        overtake(db, end.stream, end.version + 1, min(happened))


def recorded_at(recorded: Any, connection: Any) -> int:
    """When the store learns of the events, in µs since 1970: in a simulation by default now."""
    if recorded is None:
        recorded = getattr(connection, "now", None)
    if recorded is None:
        what = "outside a simulation an event store is told when it learns of a fact"
        raise Misuse(f"recorded= is missing: {what}")
    return to_microseconds(recorded, "recorded=")


def times(happened: Any, recorded: int, number: int) -> list[int]:
    """When each event happened, in µs since 1970."""
    if happened is None:
        return [recorded] * number
    if not isinstance(happened, list | tuple):
        return [to_microseconds(happened, "happened=")] * number
    if len(happened) != number:
        what = f"happened= has {len(happened)} moments for {number} events"
        raise Misuse(f"{what}; give one for each, or one for all")
    return [to_microseconds(when, "happened=") for when in happened]


def check_texts(ids: Any, number: int) -> list[str]:
    """Raise Misuse where there is not one text for each event."""
    ids = list(ids) if isinstance(ids, Iterable) and not isinstance(ids, str) else [ids]
    if len(ids) != number or not all(map(is_text, ids)):
        what = f"ids= takes a list of {number} texts, one for each event"
        raise Misuse(f"{what}, not {shown(ids)}")
    return ids


def check_clock(recorded: int, last: int | None) -> None:
    """Raise Misuse where the clock of a store would go back."""
    if last is not None and recorded < last:
        given, before = (f"{as_datetime(at):%Y-%m-%d %H:%M:%S}" for at in (recorded, last))
        raise Misuse(
            f"recorded={given} is before the last event's, {before}: what a store learned, and "
            "when, cannot change; a fact that comes late has an earlier happened="
        )


def check_ids(database: Database, ids: list[str]) -> None:
    """Raise Misuse for an id that is in the store, or twice among these."""
    seen: set[str] = set()
    for id in ids:
        found = [f"{stream} version {version}" for stream, version in database.rows(_BY_ID, (id,))]
        if found or id in seen:
            where = found[0] if found else "the events given"
            what = f"there is an event with the id {shown(id)} already, in {where}"
            hint = "where one may come twice, catch Misuse or look for it first"
            raise Misuse(f"{what}; nothing was appended; {hint}")
        seen.add(id)

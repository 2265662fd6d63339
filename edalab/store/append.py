"""Append events to the end of a store, many per SQL statement."""

import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, NamedTuple

from ..errors import Misuse, shown
from .instants import as_datetime, to_microseconds
from .schema import make_tables, tables_missing
from .stored_event import is_text

# Events per statement. With `executemany`, Python spends more time on each row than SQLite.
MANY = 64

_BY_ID = "select stream, version from stored_events where id = ?"
_VERSION = "select ifnull(max(version), 0) from stored_events where stream = ?"
_END = f"""select position, recorded, case stream when ? then version else ({_VERSION}) end,
    exists (select 1 from stored_snapshots where stream = ?)
    from stored_events order by position desc limit 1"""
# A snapshot that ends after the new event happened does not contain it, so it is now wrong.
_DROP_SNAPSHOTS = "delete from stored_snapshots where stream = ? and happened > ?"


class EndOfStream(NamedTuple):
    """The end of a stream, where the next event is appended: the last `position` of the store, the
    time at which that event was `recorded`, and the last `version` of the stream."""

    stream: str
    position: int = 0
    recorded: int | None = None
    version: int = 0
    has_snapshots: bool = False


def end_of(db: Any, stream: str) -> EndOfStream:
    """The end of the store for a stream. Creates the tables if they do not exist."""
    try:
        row = db.execute(_END, (stream, stream, stream)).fetchone()
        return EndOfStream(stream, *(row or ()))
    except sqlite3.Error as error:
        if not tables_missing(error):
            raise
    make_tables(db)
    return EndOfStream(stream)


class EventTimes:
    """When each event `happened`, and when all were `recorded`, in µs since 1970."""

    def __init__(self, happened: Any, recorded: Any, connection: Any, number: int):
        if recorded is None:
            recorded = getattr(connection, "now", None)  # in a simulation
        if recorded is None:
            what = "outside a simulation an event store is told when it learns of a fact"
            raise Misuse(f"recorded= is missing: {what}")
        self.recorded = to_microseconds(recorded, "recorded=")
        if happened is None:
            self.happened = [self.recorded] * number
        elif not isinstance(happened, list | tuple):
            self.happened = [to_microseconds(happened, "happened=")] * number
        elif len(happened) == number:
            self.happened = [to_microseconds(when, "happened=") for when in happened]
        else:
            what = f"happened= has {len(happened)} moments for {number} events"
            raise Misuse(f"{what}; give one for each, or one for all")


def listed_ids(ids: Any, number: int) -> list[str]:
    """The ids as a list. Raises Misuse unless there is one text for each event."""
    ids = list(ids) if isinstance(ids, Iterable) and not isinstance(ids, str) else [ids]
    if len(ids) != number or not all(map(is_text, ids)):
        what = f"ids= takes a list of {number} texts, one for each event"
        raise Misuse(f"{what}, not {shown(ids)}")
    return ids


def insert(
    db: Any, end: EndOfStream, rows: list[tuple], times: EventTimes, ids: list[str] | None = None
) -> None:
    """Insert rows of (type, schema version, JSON). In a service, the message being handled is their
    cause. Raises Misuse if the recorded time would go back, or if an id is already taken."""
    recorded, happened = times.recorded, times.happened
    if end.recorded is not None and recorded < end.recorded:
        given, before = (f"{as_datetime(at):%Y-%m-%d %H:%M:%S}" for at in (recorded, end.recorded))
        raise Misuse(
            f"recorded={given} is before the last event's, {before}: what a store learned, and "
            "when, cannot change; a fact that comes late has an earlier happened="
        )
    if ids is not None:
        _check_ids(db, ids)
    at_once = ids is None and len(set(happened)) == 1
    if not at_once:
        apart = zip(happened, ids or repeat(None), rows, strict=False)
        rows = [(when, id, *row) for when, id, row in apart]
    message = getattr(db, "message", None)
    causes = (message.correlation, message.id) if message is not None else (None, None)
    shared = recorded, *causes, *(happened[:1] if at_once else ())
    for first in range(0, len(rows), MANY):
        part = rows[first : first + MANY]
        begin = end.position + first + 1, end.stream, end.version + first + 1
        values = (*begin, *shared, *chain.from_iterable(part))
        db.execute(_insertion(len(part), at_once), values)
    if end.has_snapshots and rows:
        db.execute(_DROP_SNAPSHOTS, (end.stream, min(happened)))


def _check_ids(db: Any, ids: list[str]) -> None:
    """Raise Misuse for an id that is already in the store, or that is given twice."""
    seen: set[str] = set()
    for id in ids:
        row = db.execute(_BY_ID, (id,)).fetchone()
        if row or id in seen:
            where = "{} version {}".format(*row) if row else "the events given"
            what = f"there is an event with the id {shown(id)} already, in {where}"
            hint = "where one may come twice, catch Misuse or look for it first"
            raise Misuse(f"{what}; nothing was appended; {hint}")
        seen.add(id)


@lru_cache(2 * MANY)
def _insertion(number: int, at_once: bool) -> str:
    """The statement that inserts the next `number` events of a stream. Its parameters are the
    position of the first event, the stream, the version of the first event, and the values that all
    events share (with `at_once`, also when they happened). Then, for each event, its type, schema
    and data follow, preceded, unless `at_once`, by when it happened and its id."""
    alike, own = "recorded, correlation, causation", "happened, id, type, schema, data"
    if at_once:
        alike, own = f"{alike}, happened", "type, schema, data"
    shared = f"position, stream, version, {alike}"
    marks = ", ".join("?" for _ in own.split(", "))
    given = ", ".join("?" for _ in shared.split(", "))
    insert = f"insert into stored_events ({shared}, {own}) "
    if number == 1:
        return f"{insert}values ({given}, {marks})"
    # By name and not as ?1: the warnings of Python 3.12.0 to 3.12.3 take longer than the insert.
    rows = ", ".join(f"({row}, {marks})" for row in range(number))
    return (
        f"{insert}with shared ({shared}) as (values ({given})), own (row, {own}) as (values {rows})"
        f" select position + row, stream, version + row, {alike}, {own}"
        " from shared cross join own"  # rows stay in the order of `own`
    )

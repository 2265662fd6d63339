"""Any table of events becomes a store: one stream for each subject, and what cannot be read comes back with the reason."""

import json
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isinf, isnan
from numbers import Number
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ..errors import Misuse, Unknown, counted, listed, needed_for, shown
from .event_store import EventStore
from .instants import as_datetime, moment
from .stored_event import is_text

if TYPE_CHECKING:
    import pandas

_EMPTY = "is empty"
_NO_TEXT = (
    "has a byte in it that is no text: read the file with its encoding, such as encoding='latin-1'"
)
_NAIVE = "has no time zone, as others here have: put its offset behind it, such as +01:00"
_NO_TIME = "is no time as ISO 8601 writes it, such as 2026-03-03T12:00+01:00"


def read_table(
    frame: "pandas.DataFrame",
    type: str,
    subject: str,
    time: str,
    recorded: str | None = None,
    id: str | None = None,
    version: str | None = None,
) -> EventStore:
    """A table of events, a row each, as a store in memory. `type`, `subject` and `time` name the columns that say what
    happened, to whom or what (a stream each), and when; all columns that are named nowhere become the data.

    `recorded` names the column of when it was recorded (by default it is `time`), `id` that of the events' own ids, `version`
    that of the version of their data's schema (by default 1). Rows are taken in the order they were recorded, rows of one
    moment as they stand. Rows that cannot be read are in the store's `.refused`, as they were, with the reason."""
    with needed_for("read_table"):
        import pandas

    if not isinstance(frame, pandas.DataFrame):
        raise Misuse(
            f"read_table takes a DataFrame, such as pandas.read_csv('events.csv') gives, not {shown(frame)}"
        )
    roles = {"type": type, "subject": subject, "time": time}
    roles |= {
        role: name
        for role, name in (("recorded", recorded), ("id", id), ("version", version))
        if name is not None
    }
    _check_columns(frame, roles)
    table = _Table(frame)
    types, streams, happened = table.texts(type), table.texts(subject), table.moments(time)
    known = happened if recorded is None or recorded == time else table.moments(recorded)
    ids = [None] * len(frame) if id is None else table.texts(id)
    schemas = [1] * len(frame) if version is None else table.schemas(version)
    data = table.data([name for name in frame.columns if name not in roles.values()])
    order = sorted(table.good(), key=known.__getitem__)
    if id is not None:
        order = table.with_ids_once(order, ids, id)
    if not order:
        raise Misuse(
            f"none of the table's {len(frame):,} rows can be read as an event: {table.reasons()}"
        )
    store = filled(
        (streams[i], types[i], schemas[i], data[i], happened[i], known[i], ids[i]) for i in order
    )
    store.refused = table.refused()
    if table.wrong:
        store.notes.append(f"{counted(len(table.wrong), 'row')} refused, see .refused")
    if moved := sum(earlier > later for later, earlier in _with_latest(known, sorted(order))):
        store.notes.append(
            f"sorted by {recorded or time!r}: {counted(moved, 'row')} stood below later ones"
        )
    if early := sum(known[i] < happened[i] for i in order):
        store.notes.append(f"{counted(early, 'row')} recorded before it happened")
    return store


def filled(facts: Iterable[tuple]) -> EventStore:
    """A store in memory with facts (stream, type, version of its schema, JSON, happened, recorded, id), in the order recorded."""
    store = EventStore(":memory:")
    with store._transaction():
        for stream, type, schema, text, happened, recorded, id in facts:
            row, ids = (type, schema, text), None if id is None else [id]
            store._add(stream, [row], [], None, as_datetime(happened), as_datetime(recorded), ids)
    return store


class _Table:
    """A table being read: its columns as lists, and what is wrong with which row."""

    def __init__(self, frame: "pandas.DataFrame"):
        self.frame = frame
        self.wrong: dict[int, str] = {}  # the first reason against each row, by its place

    def values(self, name: object) -> list:
        """The cells of a column, None where one is empty."""
        column = self.frame[name]
        cells = zip(column.tolist(), column.isna().tolist(), strict=True)
        return [
            None if empty or (isinstance(value, str) and not value.strip()) else value
            for value, empty in cells
        ]

    def good(self) -> list[int]:
        return [row for row in range(len(self.frame)) if row not in self.wrong]

    def refuse(self, row: int, why: str) -> None:
        self.wrong.setdefault(row, why)

    def texts(self, name: str) -> list[str | None]:
        """A column of names, as text; a whole number is written without a point."""
        found = [None if v is None else _text(v) for v in self.values(name)]
        for row, value in enumerate(found):
            if value is None:
                self.refuse(row, f"{name} {_EMPTY}")
            elif not is_text(value):
                self.refuse(row, f"{name} {shown(value)} {_NO_TEXT}")
        return found

    def schemas(self, name: str) -> list[int]:
        found = []
        for row, value in enumerate(self.values(name)):
            text = "1" if value is None else _text(value)
            if not text.isdecimal() or not 1 <= int(text) < 2**31:
                self.refuse(row, f"{name} {shown(value)} is no version: a whole number from 1")
                text = "1"
            found.append(int(text))
        return found

    def moments(self, name: str) -> list[int | None]:
        """A column of times, as moments. Raises Misuse where none of them has a time zone or all are numbers."""
        values = self.values(name)
        present = [value for value in values if value is not None]
        if present and all(isinstance(value, Number) for value in present):
            fix = f"frame[{name!r}] = pandas.to_datetime(frame[{name!r}], unit='s', utc=True)"
            raise Misuse(
                f"the times in {name!r} are numbers, and what they count is not said; if seconds since 1970: {fix}"
            )
        found = [_EMPTY if value is None else _moment(value) for value in values]
        if _NAIVE in found and not any(isinstance(when, int) for when in found):
            naive = values[found.index(_NAIVE)]
            dates = (
                f"frame[{name!r}]"
                if isinstance(naive, datetime)
                else f"pandas.to_datetime(frame[{name!r}])"
            )
            raise Misuse(
                f"the times in {name!r}, such as {shown(str(naive))}, have no time zone, and 9 o'clock is another moment in each; say "
                f"which it was: frame[{name!r}] = {dates}.dt.tz_localize('Europe/Amsterdam')"
            )
        if (
            present
            and all(isinstance(value, str) for value in present)
            and not set(found) - {_EMPTY, _NO_TIME}
        ):
            raise Misuse(
                f"the times in {name!r}, such as {shown(present[0])}, are not written as ISO 8601 does; parse them first, for instance: "
                f"frame[{name!r}] = pandas.to_datetime(frame[{name!r}], dayfirst=True).dt.tz_localize('Europe/Amsterdam')"
            )
        for row, (value, when) in enumerate(zip(values, found, strict=True)):
            if not isinstance(when, int):
                self.refuse(
                    row, f"{name} {when}" if value is None else f"{name} {shown(str(value))} {when}"
                )
        return found

    def data(self, names: list) -> list[str]:
        """The rest of each row as JSON, empty cells left out."""
        rows = [{} for _ in range(len(self.frame))]
        for name in names:
            for row, value in enumerate(self.values(name)):
                try:
                    if value is not None:
                        rows[row][str(name)] = (
                            value if value.__class__ in (str, int, bool) else _plain(value)
                        )
                except TypeError:
                    self.refuse(row, f"{name} holds {shown(value)}, for which JSON has no form")
        texts = [json.dumps(row, ensure_ascii=False) for row in rows]
        for row, text in enumerate(texts):
            if not is_text(text):
                self.refuse(row, f"{shown(text)} {_NO_TEXT}")
        return texts

    def with_ids_once(self, order: list[int], ids: list[str | None], name: str) -> list[int]:
        first: dict[str | None, int] = {}
        for row in order:
            if first.setdefault(ids[row], row) != row:
                self.refuse(
                    row,
                    f"{name} {shown(ids[row])} is that of row {shown(self.frame.index[first[ids[row]]])} already",
                )
        return [row for row in order if row not in self.wrong]

    def refused(self) -> "pandas.DataFrame":
        rows = sorted(self.wrong)
        column = "reason" if "reason" not in self.frame.columns else "reason it was refused"
        return self.frame.iloc[rows].assign(**{column: [self.wrong[row] for row in rows]})

    def reasons(self) -> str:
        reasons = Counter(self.wrong[row] for row in sorted(self.wrong)).most_common()
        return listed([f"{reason} ({counted(number, 'row')})" for reason, number in reasons], 3)


def _check_columns(frame: "pandas.DataFrame", roles: dict[str, str]) -> None:
    names = list(map(str, frame.columns))
    for name in roles.values():
        if name not in list(frame.columns):
            raise Unknown("column", name, names, " in the table")
    if twice := [name for name, number in Counter(names).items() if number > 1]:
        raise Misuse(
            f"the table has several columns with the name {listed(map(repr, twice), 3)}; rename them: each becomes a field"
        )
    if frame.empty:
        raise Misuse(
            f"the table has no rows (columns: {listed(names)}), so there is nothing to store"
        )


def _moment(value: object) -> int | str:
    """In microseconds since 1970, or what is wrong with it."""
    try:
        if isinstance(value, str):
            text = value.strip().replace(" UTC", "Z")
            value = date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        return _NO_TIME
    if isinstance(value, datetime) and value.tzinfo is None:
        return _NAIVE
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    try:
        return moment(value, "time") if isinstance(value, date) else _NO_TIME
    except Misuse:
        return "is in UTC outside the years 1 to 9999"


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a column of whole numbers with an empty cell
    return str(value).strip()


def _plain(value: Any) -> Any:
    """A cell as JSON can keep it. Raises TypeError where it cannot."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return None if isnan(value) else str(value) if isinf(value) else float(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return urlsafe_b64encode(value).decode()
    if isinstance(value, Decimal | UUID) or type(value).__name__ in (
        "Period",
        "Interval",
        "datetime64",
    ):
        return str(value)
    if type(value).__module__ == "numpy":
        return _plain(value.tolist())
    raise TypeError(value)


def _with_latest(moments: list[int], rows: list[int]) -> Iterable[tuple[int, int]]:
    """Each row's moment, with the latest of the rows above."""
    latest = moments[rows[0]]
    for row in rows:
        yield moments[row], latest
        latest = max(latest, moments[row])

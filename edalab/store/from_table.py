"""Any table of events becomes a store: one stream for each subject, and what cannot be read comes
back with the reason."""

import re
import warnings
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime
from itertools import accumulate, count
from math import isfinite
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json, to_jsonable_python

from ..errors import Misuse, Unknown, counted, listed, needed_for, shown
from .event_store import EventStore
from .instants import to_microseconds
from .schema import make_tables
from .stored_event import COLUMNS, is_text

if TYPE_CHECKING:
    import pandas

_EMPTY = "is empty"
_NO_TEXT = (
    "has a byte in it that is no text: read the file with its encoding, such as encoding='latin-1'"
)
_NAIVE = "has no time zone: put its offset behind it, such as +01:00"
_NO_TIME = "is no time as ISO 8601 writes it, such as 2026-03-03T12:00+01:00"
_ROUNDED = "may be another number, rounded: read the column as text, with dtype={{{!r}: str}}"
_OUTSIDE = "is in UTC outside the years 1 to 9999"
_BESIDE = re.compile(r" (?=[+-]\d\d:?\d\d$)|\[[^]]+\]$")  # as git writes it, and Java
_OFFSET = re.compile(r":\d\d.*([+-]\d\d:?\d\d|Z|UTC|GMT)\)?$")
_NANOSECONDS = re.compile(r"[.,]\d{6}(\d{1,3})")
_DATE = r"\d[-/.]\d\d?[-/.]\d"

# Ways to make moments of a column, and what an error says of the times that need one.
_ZONE = ".dt.tz_localize('Europe/Amsterdam', ambiguous='NaT', nonexistent='NaT')"
_READ = "pandas.to_datetime({}, errors='coerce', "
_DIGITS = _READ.format("{}.astype('Int64').astype(str)")
_NAMELESS = "have no time zone, and 9 o'clock is another moment in each; say which it was"
_OTHER = ", such as {}, are not written as ISO 8601 does; parse them first, for instance"
_TEXTS = {f"{_READ}format='ISO8601'){_ZONE}": f", such as {{}}, {_NAMELESS}"}
_TEXTS |= {f"{_READ}dayfirst={first}){_ZONE}": _OTHER for first in (True, False)}
_ZONED_TEXTS = {f"{_READ}dayfirst={first}, utc=True)": _OTHER for first in (True, False)}
_COUNTS = {
    f"{_READ}unit='D', origin='1899-12-30').dt.round('s'){_ZONE}": "days of a spreadsheet",
    f"{_DIGITS}format='%Y%m%d'){_ZONE}": "days such as 20260303",
    f"{_DIGITS}format='%Y'){_ZONE}": "years",
    f"{_READ}unit='s', utc=True)": "seconds since 1970",
    f"{_READ}unit='ms', utc=True)": "milliseconds since 1970",
    f"{_READ}unit='us', utc=True)": "microseconds since 1970",
    f"{_READ}unit='ns', utc=True)": "nanoseconds since 1970",
}
_NUMBERS = " are numbers, and what they count is not said; if "
_COUNTS = {way: _NUMBERS + what for way, what in _COUNTS.items()}


def read_table(
    frame: "pandas.DataFrame",
    type: str,
    subject: str,
    time: str,
    recorded: str | None = None,
    id: str | None = None,
    version: str | None = None,
) -> EventStore:
    """A table of events, a row each, as a store in memory. `type`, `subject` and `time` name the
    columns that say what happened, to whom or what (a stream each), and when; all columns that are
    named nowhere become the data.

    `recorded` names the column of when it was recorded (by default it is `time`), `id` that of the
    events' own ids, `version` that of the version of their data's schema (by default 1). Rows are
    taken in the order they were recorded, rows of one moment as they stand. Rows that cannot be
    read are in the store's `.refused`, as they were, with the reason.

    A row with several moments, such as created and closed, is several events: `frame.melt` makes a
    row of each. Read ids as text, `pandas.read_csv(…, dtype={"account": str})`: among numbers 007
    is 7, and pandas rounds long ones where a cell is empty."""
    with needed_for("read_table"):
        import pandas

    if not isinstance(frame, pandas.DataFrame):
        raise Misuse(
            "read_table takes a DataFrame, such as pandas.read_csv('events.csv') gives, not "
            + shown(frame)
        )
    roles = [type, subject, time, *(name for name in (recorded, id, version) if name is not None)]
    _check_columns(frame, roles)
    table = _Table(frame)
    types, streams = table.read(type, _text), table.read(subject, _text)
    happened = table.moments(time)
    known = happened if recorded is None or recorded == time else table.moments(recorded)
    ids = [None] * len(frame) if id is None else table.read(id, _text)
    schemas = [1] * len(frame) if version is None else table.read(version, _schema)
    data = table.data([name for name in frame.columns if name not in roles])
    order = [row for row in range(len(frame)) if row not in table.wrong]
    order.sort(key=known.__getitem__)
    if id is not None:
        order = table.with_ids_once(order, ids, id)
    if not order:
        raise Misuse(
            f"none of the table's {len(frame):,} rows can be read as an event: {table.reasons()}"
        )
    store = store_of(
        (streams[i], types[i], schemas[i], data[i], happened[i] // 1000, known[i] // 1000, ids[i])
        for i in order
    )
    store.refused = table.refused()
    stood = [known[row] for row in sorted(order)]
    moved = sum(map(int.__lt__, stood, accumulate(stood, max)))
    early = sum(known[row] < happened[row] for row in order)
    store.notes += [f"{counted(len(table.wrong), 'row')} refused, see .refused"] * bool(table.wrong)
    store.notes += [
        f"sorted by {recorded or time!r}: {counted(moved, 'row')} stood below later ones"
    ] * bool(moved)
    store.notes += [f"{counted(early, 'row')} recorded before it happened"] * bool(early)
    if frame[subject].dtype.kind in "iuf":
        apart = f"dtype={{{subject!r}: str}} keeps them apart"
        store.notes.append(f"{subject!r} was read as numbers, where 007 and 7 are one: {apart}")
    store.notes += table.notes
    return store


def store_of(facts: Iterable[tuple]) -> EventStore:
    """A store in memory with facts (stream, type, version of its schema, JSON, happened, recorded,
    id), in the order recorded."""
    store, versions = EventStore(":memory:"), defaultdict(count)
    rows = (
        (position, stream, next(versions[stream]) + 1, *fact, None, None)
        for position, (stream, *fact) in enumerate(facts, 1)
    )
    with store._database.transaction() as db:
        make_tables(db)
        marks = ", ".join("?" for _ in COLUMNS.split(", "))
        db.executemany(f"insert into stored_events ({COLUMNS}) values ({marks})", rows)
    return store


class _Table:
    """A table being read: its columns as lists, and what is wrong with which row."""

    def __init__(self, frame: "pandas.DataFrame"):
        self.frame = frame
        self.wrong: dict[int, str] = {}  # the first reason against each row, by its place
        self.notes: list[str] = []

    def values(self, name: object, rounded: bool = False) -> list:
        """The cells of a column, None where one is empty, or where it must be refused: a time that
        Python does not have, or a whole number that may be `rounded`."""
        column = self.frame[name]
        empty, why = column.isna(), ""
        if column.dtype.kind == "M":
            bad, why = ~(column.dt.year.between(1, 9999) | empty), _OUTSIDE
        elif column.dtype.kind == "f" and not rounded:
            number = column.astype(float)
            exact = 2**24 if str(column.dtype).lower() == "float32" else 2**53
            bad = number.abs().between(exact, float("inf"), "left")
            why = _ROUNDED.format(name) if (number % 1).fillna(0).eq(0).all() else ""
        for row in bad.to_numpy(bool).nonzero()[0].tolist() if why else ():
            self.refuse(row, f"{name} {_written(column.iloc[row])} {why}")
        column, empty = (column.mask(bad), empty | bad) if why and bad.any() else (column, empty)
        return [
            None if nothing or (isinstance(cell, str) and not cell.strip()) else cell
            for cell, nothing in zip(column.tolist(), empty.tolist(), strict=True)
        ]

    def read(self, name: object, cell: Callable) -> list:
        """A column as `cell` reads each: with a ValueError it says why a row is refused."""
        found = []
        for row, value in enumerate(self.values(name, rounded=cell is _moment)):
            try:
                found.append(cell(value))
            except ValueError as why:
                found.append(None)
                self.refuse(row, f"{name} {why}")
        return found

    def refuse(self, row: int, why: str) -> None:
        self.wrong.setdefault(row, why)

    def moments(self, name: str) -> list[int | None]:
        """A column of times in ns since 1970, so that rows keep their order. Raises Misuse where
        most are none and a statement makes moments of some: it has been followed before."""
        found, column = self.read(name, _moment), f"frame[{name!r}]"
        values = self.values(name, rounded=True) if None in found else []
        lost = [row for row, cell in enumerate(values) if cell is not None and found[row] is None]
        lost = [row for row in lost if not getattr(values[row], "tzinfo", None)]
        if len(lost) <= len(found) - found.count(None):
            return found
        cells = [values[row] for row in lost]
        zoned = [cell for cell in cells if isinstance(cell, str) and _OFFSET.search(cell)]
        ways, other, years = _TEXTS, f"{column}.astype(str)", (1,)
        if 2 * sum(_numbers(cells)) > len(cells):
            other, years = f"pandas.to_numeric({column}, errors='coerce')", (1990, 1970)
            ways = _COUNTS
        elif 2 * len(zoned) > len(cells):
            ways = _ZONED_TEXTS
        for since in years:
            fixes = {way.format(of): what for way, what in ways.items() for of in (column, other)}
            read = {fix: self._followed(fix, lost, since) for fix in fixes}
            if rows := read[best := max(read, key=lambda fix: len(read[fix]))]:
                what = fixes[best].format(_written(self.frame[name].iloc[rows[0]]))
                rest = f".astype(object).fillna({column})" * (len(rows) < len(lost))
                raise Misuse(f"the times in {name!r}{what}: {column} = {best}{rest}")
        return found

    def _followed(self, fix: str, lost: list[int], since: int) -> list[int]:
        """The rows in which a statement makes moments, of years that may be meant, of lost cells."""
        with needed_for("read_table"):
            import pandas

        try:
            with warnings.catch_warnings(action="ignore"):
                years = eval(fix, {"frame": self.frame, "pandas": pandas}).dt.year
        except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError):
            return []
        made = years.between(since, 2100).tolist()
        return [row for row in lost if made[row]]

    def data(self, names: list) -> list[str]:
        """The rest of each row as JSON, empty cells left out."""
        columns = [self.read(name, _plain) for name in names]
        for name, column in zip(names, columns, strict=True):
            self._note_words(name, column)
        rows = zip(*columns, strict=True) if columns else [()] * len(self.frame)
        names, texts = list(map(str, names)), []
        for row, cells in enumerate(rows):
            fields = {name: cell for name, cell in zip(names, cells) if cell is not None}
            try:
                texts.append(to_json(fields, inf_nan_mode="null").decode())
            except ValueError:  # half of a character
                texts.append("")
                self.refuse(row, f"{shown(fields)} {_NO_TEXT}")
        return texts

    def _note_words(self, name: object, cells: list) -> None:
        """One word in a column of numbers makes texts of them all."""
        if self.frame[name].dtype.kind not in "OU":
            return
        numbers = _numbers(cells)
        words = [row for row, cell in enumerate(cells) if cell is not None and not numbers[row]]
        if 0 < len(words) < sum(numbers):
            word, row = shown(cells[words[0]]), shown(self.frame.index[words[0]])
            fix = f"frame[{name!r}] = pandas.to_numeric(frame[{name!r}], errors='coerce')"
            self.notes.append(
                f"{name!r} is text, as {word} in row {row} is no number; to make numbers of the others: {fix}"
            )

    def with_ids_once(self, order: list[int], ids: list[str | None], name: str) -> list[int]:
        first: dict[str | None, int] = {}
        for row in order:
            if first.setdefault(ids[row], row) != row:
                other = shown(self.frame.index[first[ids[row]]])
                self.refuse(row, f"{name} {shown(ids[row])} is that of row {other} already")
        return [row for row in order if row not in self.wrong]

    def refused(self) -> "pandas.DataFrame":
        rows = sorted(self.wrong)
        column = "reason" if "reason" not in self.frame.columns else "reason it was refused"
        return self.frame.iloc[rows].assign(**{column: [self.wrong[row] for row in rows]})

    def reasons(self) -> str:
        reasons = Counter(self.wrong[row] for row in sorted(self.wrong)).most_common()
        return listed([f"{reason} ({counted(number, 'row')})" for reason, number in reasons], 3)


def _check_columns(frame: "pandas.DataFrame", roles: list) -> None:
    names = list(map(str, frame.columns))
    for name in roles:
        if name not in list(frame.columns):
            raise Unknown(
                "column", name, names, " in the table", _melted(frame, roles[0], roles[2])
            )
    if twice := [name for name, number in Counter(names).items() if number > 1]:
        raise Misuse(
            f"the table has several columns with the name {listed(map(repr, twice), 3)}; "
            "rename them: each becomes a field"
        )
    if frame.empty:
        raise Misuse(
            f"the table has no rows (columns: {listed(names)}), so there is nothing to store"
        )


def _melted(frame: "pandas.DataFrame", type: object, time: object) -> str:
    """How to make an event of each moment, where the rows have several and no type."""
    columns = list(frame.columns)
    texts = [column.dropna().astype(str) for _, column in frame.items()]
    times = [name for name, text in zip(columns, texts) if text.str.contains(_DATE).mean() > 0.5]
    if type in columns or len(times) < 2:
        return ""
    others, what = [name for name in columns if name not in times], type or "type"
    when = next(name for name in (time, "happened", "moment") if name and name not in columns)
    melt = f"id_vars={others!r}, var_name={what!r}, value_name={when!r}"
    return (
        f"; if a row is an event for each time ({listed(times)}), take type={what!r} and "
        f"time={when!r} of: frame = frame.melt({melt}).dropna(subset={when!r})"
    )


def _numbers(cells: list) -> list[bool]:
    """Which cells are numbers, or texts that read as one."""
    with needed_for("read_table"):
        import pandas

    found = pandas.to_numeric(pandas.Series(cells, dtype=object), errors="coerce")
    return found.notna().tolist()


def _written(cell: Any) -> str:
    try:
        return shown(str(cell))
    except NotImplementedError:  # pandas', of a time that Python does not have
        return f"'{cell.year}-{cell.month:02}-{cell.day:02}'"


def _moment(cell: Any) -> int:
    """In nanoseconds since 1970."""
    if cell is None:
        raise ValueError(_EMPTY)
    value, beyond = cell, 0
    try:
        if isinstance(cell, str):
            text = _BESIDE.sub("", cell.strip().replace(" UTC", "Z"))
            value = date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
            if len(text) > 26 and (digits := _NANOSECONDS.search(text)):
                beyond = int(digits[1].ljust(3, "0"))
        elif hasattr(cell, "to_pydatetime"):
            value, beyond = cell.to_pydatetime(warn=False), cell.nanosecond
        if isinstance(value, date) and getattr(value, "tzinfo", True):
            return to_microseconds(value, "time") * 1000 + beyond
        why = _NAIVE if isinstance(value, datetime) else _NO_TIME
    except ValueError:
        why = _NO_TIME
    except Misuse:
        why = _OUTSIDE
    raise ValueError(f"{_written(cell)} {why}")


def _text(cell: Any) -> str:
    """A name as text; a whole number is written without a point."""
    if cell is None:
        raise ValueError(_EMPTY)
    whole = isinstance(cell, float) and cell.is_integer()  # in a column with an empty cell
    text = str(int(cell) if whole else cell).strip()
    if not is_text(text):
        raise ValueError(f"{shown(text)} {_NO_TEXT}")
    return text


def _schema(cell: Any) -> int:
    text = "1" if cell is None else _text(cell)
    if text.isdecimal() and len(text) < 10 and int(text):
        return int(text)
    raise ValueError(f"{shown(cell)} is no version: a whole number from 1")


def _plain(cell: Any) -> Any:
    """A cell as JSON can keep it."""
    if cell is None or cell.__class__ in (str, int, bool):
        return cell
    if isinstance(cell, float):
        return float(cell) if isfinite(cell) else str(cell)
    if isinstance(cell, bytes):  # in the alphabet that any decoder reads
        return b64encode(cell).decode()
    try:
        if isinstance(cell, date):
            return cell.isoformat()
        plain = sorted(cell) if isinstance(cell, set | frozenset) else cell
        modes = {"timedelta_mode": "float", "bytes_mode": "base64"}
        return to_jsonable_python(plain, fallback=_of_a_library, **modes)
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        what = _written(cell) if isinstance(cell, date) else shown(cell)
        raise ValueError(f"holds {what}, for which JSON has no form") from None


def _of_a_library(value: Any) -> Any:
    """What is neither Python's nor pydantic's, of pandas and numpy."""
    return str(value) if type(value).__module__.startswith("pandas") else value.tolist()

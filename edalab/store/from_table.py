"""Any table of events becomes a store: one stream for each subject, and what cannot be read comes
back with the reason."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import accumulate, count
from typing import TYPE_CHECKING

from pydantic_core import to_json

from ..errors import Misuse, Unknown, counted, listed, needed_for, shown
from .cells import NO_TEXT, OUTSIDE, ROUNDED, moment, numbers, plain, schema, text, written
from .event_store import EventStore
from .schema import make_tables
from .stored_event import COLUMNS
from .times import advise, clock_change, zone_of

if TYPE_CHECKING:
    import pandas

# Names of columns that hold ids, though they are read as numbers.
_LIKE_IDS = re.compile(r"(^|[\W_])(?i:id|code|zip|postcode|iban|phone)$|[a-z](Id|ID|Code)$")
_DATE = r"\d[-/.]\d\d?[-/.]\d"


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
        takes = "read_table takes a DataFrame, such as pandas.read_csv('events.csv') gives"
        raise Misuse(f"{takes}, not {shown(frame)}")
    roles = [type, subject, time, *(name for name in (recorded, id, version) if name is not None)]
    _check_columns(frame, roles)
    table = _Table(frame)
    types, streams = table.read(type, text), table.read(subject, text)
    happened = table.moments(time)
    known = happened if recorded is None or recorded == time else table.moments(recorded)
    ids = [None] * len(frame) if id is None else table.read(id, text)
    schemas = [1] * len(frame) if version is None else table.read(version, schema)
    data = table.data([name for name in frame.columns if name not in roles])
    order = [row for row in range(len(frame)) if row not in table.wrong]
    order.sort(key=known.__getitem__)
    if id is not None:
        order = table.with_ids_once(order, ids, id)
    if not order:
        what = f"none of the table's {len(frame):,} rows can be read as an event"
        raise Misuse(f"{what}: {table.reasons()}")
    store = store_of(
        (streams[i], types[i], schemas[i], data[i], happened[i] // 1000, known[i] // 1000, ids[i])
        for i in order
    )
    store.refused = table.refused()
    stood = [known[row] for row in sorted(order)]
    moved = sum(map(int.__lt__, stood, accumulate(stood, max)))
    early = sum(known[row] < happened[row] for row in order)
    for number, what in (
        (len(table.wrong), "refused, see .refused"),
        (moved, "stood below later ones"),
        (early, "recorded before it happened"),
    ):
        begin = f"sorted by {recorded or time!r}: " if what.startswith("stood") else ""
        store.notes += [f"{begin}{counted(number, 'row')} {what}"] * bool(number)
    ids_ = [subject] + [id] * (id is not None)
    ids_ += [name for name in frame.columns if name not in roles and _LIKE_IDS.search(str(name))]
    store.notes += _zeros_lost(frame, ids_)
    store.notes += table.notes
    return store


def _zeros_lost(frame: "pandas.DataFrame", names: list) -> list[str]:
    """A note on ids that were read as numbers."""
    lost = [name for name in dict.fromkeys(names) if frame[name].dtype.kind in "iuf"]
    if not lost:
        return []
    what = f"{listed(map(repr, lost))} {'were' if len(lost) > 1 else 'was'} read as numbers"
    texts = ", ".join(f"{name!r}: str" for name in lost)
    return [f"{what}, where 007 and 7 are one: dtype={{{texts}}} keeps them apart"]


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
            bad, why = ~(column.dt.year.between(1, 9999) | empty), OUTSIDE
        elif column.dtype.kind == "f" and not rounded:
            number = column.astype(float)
            exact = 2**24 if str(column.dtype).lower() == "float32" else 2**53
            bad = number.abs().between(exact, float("inf"), "left")
            why = ROUNDED.format(name) if (number % 1).fillna(0).eq(0).all() else ""
        for row in bad.to_numpy(bool).nonzero()[0].tolist() if why else ():
            self.refuse(row, f"{name} {written(column.iloc[row])} {why}")
        column, empty = (column.mask(bad), empty | bad) if why and bad.any() else (column, empty)
        return [
            None if nothing or (isinstance(cell, str) and not cell.strip()) else cell
            for cell, nothing in zip(column.tolist(), empty.tolist(), strict=True)
        ]

    def read(self, name: object, cell: Callable) -> list:
        """A column as `cell` reads each: with a ValueError it says why a row is refused."""
        found = []
        for row, value in enumerate(self.values(name, rounded=cell is moment)):
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
        found = self.read(name, moment)
        values = self.values(name, rounded=True) if None in found else []
        lost = [row for row, cell in enumerate(values) if cell is not None and found[row] is None]
        lost = [row for row in lost if not getattr(values[row], "tzinfo", None)]
        if len(lost) > len(found) - found.count(None):
            if advice := advise(self.frame, name, {row: values[row] for row in lost}):
                raise Misuse(advice)
        elif zone := zone_of(values):
            for row in lost:
                why = clock_change(values[row], zone)
                if why and self.wrong[row].startswith(f"{name} "):
                    self.wrong[row] = f"{name} {written(self.frame[name].iloc[row])} {why}"
        return found

    def data(self, names: list) -> list[str]:
        """The rest of each row as JSON, empty cells left out."""
        columns = [self.read(name, plain) for name in names]
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
                self.refuse(row, f"{shown(fields)} {NO_TEXT}")
        return texts

    def _note_words(self, name: object, cells: list) -> None:
        """One word in a column of numbers makes texts of them all."""
        if self.frame[name].dtype.kind not in "OU":
            return
        number = numbers(cells)
        words = [row for row, cell in enumerate(cells) if cell is not None and not number[row]]
        if 0 < len(words) < sum(number):
            word, row = shown(cells[words[0]]), shown(self.frame.index[words[0]])
            fix = f"frame[{name!r}] = pandas.to_numeric(frame[{name!r}], errors='coerce')"
            what = f"{name!r} is text, as {word} in row {row} is no number"
            self.notes.append(f"{what}; to make numbers of the others: {fix}")

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
            hint = _melted(frame, roles[0], roles[2])
            raise Unknown("column", name, names, " in the table", hint)
    if twice := [name for name, number in Counter(names).items() if number > 1]:
        what = f"the table has several columns with the name {listed(map(repr, twice), 3)}"
        raise Misuse(f"{what}; rename them: each becomes a field")
    if frame.empty:
        what = f"the table has no rows (columns: {listed(names)})"
        raise Misuse(f"{what}, so there is nothing to store")


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

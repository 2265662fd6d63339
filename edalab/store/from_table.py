"""Read a table of events into a store, with one stream for each subject. Rows that cannot be read
are returned with the reason."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import count
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from ..errors import Misuse, Unknown, counted, listed, needed_for, shown
from .event_store import EventStore
from .schema import make_tables
from .stored_event import COLUMNS

if TYPE_CHECKING:
    import pandas

_AS_JSON: Any = {"inf_nan_mode": "strings", "timedelta_mode": "float"}


def read_table(
    frame: "pandas.DataFrame",
    type: str,
    subject: str,
    time: str,
    recorded: str | None = None,
    id: str | None = None,
    version: str | None = None,
) -> EventStore:
    """A table with one event per row, as a store in memory. `type`, `subject` and `time` name the
    columns that say what happened, to whom or what (one stream each), and when. The columns that no
    argument names become the data.

    `recorded` names the column of when it was recorded (default: `time`), `id` the column of the
    events' own ids, `version` the column of their data's schema version (default: 1). Rows are
    stored in the order in which they were recorded; equal times keep the table's order. Rows that
    cannot be read are in the store's `.refused`, unchanged, with the reason.

    A row with several times, such as created and closed, holds several events; `frame.melt` makes
    one row of each. Read ids as text, `pandas.read_csv(…, dtype={"account": str})`: as a number,
    007 is 7, and pandas rounds long numbers in a column with empty cells."""
    with needed_for("read_table"):
        import pandas
    if not isinstance(frame, pandas.DataFrame):
        takes = "read_table takes a DataFrame, such as pandas.read_csv('events.csv')"
        raise Misuse(f"{takes}, not {shown(frame)}")
    roles = [type, subject, time, *(name for name in (recorded, id, version) if name is not None)]
    _check_columns(frame, roles)
    table = _Table(frame, pandas)
    happened = table.moments(time)
    known = happened if recorded is None else table.moments(recorded)
    rows = pandas.DataFrame(
        {
            "stream": table.texts(subject),
            "type": table.texts(type),
            "schema": 1 if version is None else table.versions(version),
            "data": table.data([name for name in frame.columns if name not in roles]),
            "happened": happened,
            "recorded": known,
            "id": None if id is None else table.texts(id),
        }
    )
    if id is not None:
        table.refuse_repeated(rows.sort_values("recorded", kind="stable")["id"], id)
    rows = rows[table.reasons == ""]
    if rows.empty:
        what = f"none of the table's {len(frame):,} rows can be read as an event"
        counts = table.reasons.value_counts().items()
        reasons = [f"{reason} ({counted(number, 'row')})" for reason, number in counts]
        raise Misuse(f"{what}: {listed(reasons, 3)}")
    in_order = rows.sort_values("recorded", kind="stable")
    for name in ("happened", "recorded"):
        in_order[name] = in_order[name].dt.as_unit("us").astype("int64")
    store = store_of(in_order.astype(object).itertuples(index=False, name=None))
    store.refused = table.refused()
    moved = (rows["recorded"] < rows["recorded"].cummax()).sum()
    early = (rows["recorded"] < rows["happened"]).sum()
    if len(store.refused):
        store.notes.append(f"{counted(len(store.refused), 'row')} refused, see .refused")
    if moved:
        what = f"{counted(moved, 'row')} stood below later ones"
        store.notes.append(f"sorted by {recorded or time!r}: {what}")
    if early:
        store.notes.append(f"{counted(early, 'row')} recorded before it happened")
    for name in (subject, id):
        if name is not None and frame[name].dtype.kind in "iuf":
            what = f"{name!r} was read as numbers, where 007 is 7 and long ones are rounded"
            store.notes.append(f"{what}: dtype={{{name!r}: str}} keeps them")
    return store


def store_of(facts: Iterable[tuple]) -> EventStore:
    """A store in memory with these facts (stream, type, schema version, JSON, happened, recorded,
    id), given in the order in which they were recorded."""
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
    """A table being read. `reasons` has the first reason against each row, or "". `pandas` is the library."""

    def __init__(self, frame: "pandas.DataFrame", pandas: Any):
        self.pandas = pandas
        self.original, self.frame = frame, frame.reset_index(drop=True)
        self.empty = self.frame.replace(r"^\s*$", None, regex=True).isna()
        self.reasons = pandas.Series("", index=self.frame.index, dtype=object)

    def refuse(self, bad: "pandas.Series", reasons: Any) -> None:
        """Refuse the rows in which `bad` holds and that were not refused before."""
        self.reasons = self.reasons.mask(bad & (self.reasons == ""), reasons)

    def texts(self, name: str) -> "pandas.Series":
        """A column as text, whole numbers without a point. Refuses rows with an empty cell."""
        column = self.frame[name]
        self.refuse(self.empty[name], f"{name} is empty")
        if column.dtype.kind == "f":
            self.refuse(column.abs() >= 2**53, f"{name} is so long that pandas rounded it")
        whole = column.dtype.kind == "f" and ((column % 1 == 0) | column.isna()).all()
        if whole and column.abs().max() <= 2**53:  # beyond, floats are not exact
            column = column.astype("Int64")
        return column.astype(object).map(str).str.strip()

    def versions(self, name: str) -> "pandas.Series":
        """A column of schema versions, with 1 for an empty cell."""
        column = self.frame[name].mask(self.empty[name], 1)
        versions = self.pandas.to_numeric(column, errors="coerce")
        bad = ~versions.between(1, 1e9) | (versions % 1 != 0)
        reasons = (
            f"{name} " + column.map(shown) + " is not a version, which is a whole number from 1"
        )
        self.refuse(bad, reasons)
        return versions.mask(bad, 1).astype("int64")

    def moments(self, name: str) -> "pandas.Series":
        """A column of times, in UTC. Raises Misuse if most of them cannot be read."""
        texts = self.texts(name).str.replace(" UTC", "Z")
        day = r"\d{4}-?\d\d-?\d\d"
        zoned = texts.str.contains(r"(?:Z|[+-]\d\d(?::?\d\d)?)$") | (texts.str.len() <= 10)
        iso = texts.where(texts.str.match(day) & zoned)
        moments = self.pandas.to_datetime(iso, utc=True, errors="coerce", format="ISO8601")
        moments = moments.where(moments.dt.year > 0)
        bad = moments.isna() & ~self.empty[name]
        local = bad & texts.str.match(day + "[T ]") & ~zoned
        if bad.sum() > moments.notna().sum():
            raise Misuse(self._advice(name, texts[bad], texts[local]))
        naive = " has no time zone; add its offset, such as +01:00"
        other = " is not a time in ISO 8601, such as 2026-03-03T12:00+01:00"
        self.refuse(local, f"{name} " + texts.map(shown) + naive)
        self.refuse(bad, f"{name} " + texts.map(shown) + other)
        return moments

    def _advice(self, name: str, texts: "pandas.Series", local: "pandas.Series") -> str:
        """What to do about a column of unreadable times; those in `local` lack only a zone."""
        zone = "{}.dt.tz_localize('Europe/Amsterdam', ambiguous='NaT', nonexistent='NaT')"
        numbers = self.pandas.to_numeric(texts, errors="coerce")
        if not local.empty:
            texts = local
            why = "have no time zone, and 9 o'clock is another moment in each; say which it was"
            options, fix = "errors='coerce', format='ISO8601'", zone
        elif numbers.notna().any():
            most = {"s": 1e11, "ms": 1e14, "us": 1e17, "ns": float("inf")}
            unit = next(unit for unit in most if numbers.median() < most[unit])
            why = f"are numbers without a unit; if they count {unit} since 1970"
            options, fix = f"unit={unit!r}, utc=True", "{}"
        else:
            why = "are not in ISO 8601; parse them first, for instance"
            options, fix = "errors='coerce', dayfirst=True", zone
        column, row = f"frame[{name!r}]", shown(self.original.index[texts.index[0]])
        fix = fix.format(f"pandas.to_datetime({column}, {options})")
        what = f"the times in {name!r}, such as {shown(texts.iloc[0])} in row {row}, {why}"
        return f"{what}: {column} = {fix}"

    def data(self, names: list[str]) -> list[str]:
        """The remaining columns of each row as JSON, without empty cells."""
        records = self.frame[names].astype(object).to_dict("records")
        empty = self.empty[names].to_dict("records")
        texts = []
        for row, (record, left_out) in enumerate(zip(records, empty, strict=True)):
            fields = {str(name): cell for name, cell in record.items() if not left_out[name]}
            try:
                texts.append(to_json(fields, fallback=str, **_AS_JSON).decode())
            except ValueError as error:  # a lone surrogate, or a list that contains itself
                texts.append("")
                self.reasons.iloc[row] = f"JSON cannot hold its data: {error}"
        return texts

    def refuse_repeated(self, ids: "pandas.Series", name: str) -> None:
        """Refuse each row whose id an earlier row has."""
        first: dict[str, int] = {}
        labels = self.original.index.tolist()
        ids = ids[self.reasons[ids.index] == ""]
        for row, id in zip(ids.index.tolist(), ids.tolist(), strict=True):
            if first.setdefault(id, row) != row:
                label = shown(labels[first[id]])
                self.reasons.iloc[row] = f"{name} {shown(id)} is that of row {label} already"

    def refused(self) -> "pandas.DataFrame":
        column = "reason" if "reason" not in self.original.columns else "reason it was refused"
        wrong = (self.reasons != "").to_numpy()
        return self.original[wrong].assign(**{column: self.reasons[wrong].tolist()})


def _check_columns(frame: "pandas.DataFrame", roles: list) -> None:
    names = list(map(str, frame.columns))
    for name in roles:
        if name not in list(frame.columns):
            raise Unknown("column", name, names, " in the table")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].unique()
        what = f"the table has several columns with the name {listed(map(repr, twice), 3)}"
        raise Misuse(f"{what}; rename them, because each becomes a field")
    if frame.empty:
        what = f"the table has no rows (columns: {listed(names)})"
        raise Misuse(f"{what}, so there is nothing to store")

"""What to do about a column of times that cannot be read: a statement, tried on the column first."""

import re
import warnings
from collections.abc import Iterable
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from ..errors import listed, needed_for, shown
from .cells import numbers, written

if TYPE_CHECKING:
    import pandas

_HOUR = timedelta(hours=1)
_OFFSET = re.compile(r":\d\d.*([+-]\d\d:?\d\d|Z|UTC|GMT)\)?$")

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
}
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_UNITS = {f"{_READ}unit='{unit}', utc=True)": f"{what} since 1970" for unit, what in _UNITS.items()}
_COUNTS |= _UNITS
_NUMBERS = " are numbers, and what they count is not said; if "


def advise(frame: "pandas.DataFrame", name: str, cells: dict[int, Any]) -> str | None:
    """What to do about a column in which these cells, by row, cannot be read: the statement that
    makes moments of the most of them, or None where none does."""
    column, lost = f"frame[{name!r}]", list(cells)
    ways, other, years = _TEXTS, f"{column}.astype(str)", (1,)
    zoned = [cell for cell in cells.values() if isinstance(cell, str) and _OFFSET.search(cell)]
    if 2 * sum(numbers(list(cells.values()))) > len(lost):
        other, years = f"pandas.to_numeric({column}, errors='coerce')", (1990, 1970)
        ways = {way: _NUMBERS + what for way, what in _COUNTS.items()}
    elif 2 * len(zoned) > len(lost):
        ways = _ZONED_TEXTS
    for since in years:
        read = {
            (way, of): _rows_read(frame, way.format(of), lost, since)
            for way in ways
            for of in (column, other)
        }
        best = max(read, key=lambda fix: len(read[fix]))
        if not (rows := read[best]):
            continue
        way, of = best
        what, fix = ways[way].format(written(frame[name].iloc[rows[0]])), way.format(of)
        if since == 1990 and way in _UNITS:
            others = {unit: read[unit, of] for unit in _UNITS if unit != way}
            for unit, strays in others.items():
                if strays := [row for row in strays if row not in rows]:
                    what += f"; {_rows(frame, strays)} would fall into 1970 so, and may be "
                    what += _UNITS[unit]
                    there = unit.format(of)
                    fix += f".mask({there}.dt.year.between(1990, 2100), {there})"
                    rows = rows + strays
        rest = f".astype(object).fillna({column})" * (len(rows) < len(lost))
        return f"the times in {name!r}{what}: {column} = {fix}{rest}"
    return None


def _rows(frame: "pandas.DataFrame", rows: list[int]) -> str:
    labels = listed([shown(frame.index[row]) for row in rows], 5)
    return f"row {labels}" if len(rows) == 1 else f"rows {labels}"


def _rows_read(frame: "pandas.DataFrame", fix: str, lost: Iterable[int], since: int) -> list[int]:
    """The rows of which a statement makes moments of years that may be meant."""
    with needed_for("read_table"):
        import pandas

    try:
        with warnings.catch_warnings(action="ignore"):
            years = eval(fix, {"frame": frame, "pandas": pandas}).dt.year
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError):
        return []
    made = years.between(since, 2100).tolist()
    return [row for row in lost if made[row]]


def zone_of(cells: Iterable[Any]) -> tzinfo | None:
    """The zone of a place, such as Europe/Amsterdam, that the moments among these cells are in."""
    zones = (getattr(cell, "tzinfo", None) for cell in cells)
    return next((zone for zone in zones if getattr(zone, "key", None)), None)


def clock_change(cell: Any, zone: tzinfo) -> str | None:
    """Why a local time is no moment in a zone: its clocks skipped that time, or showed it twice."""
    with needed_for("read_table"):
        import pandas

    for dayfirst in (True, False):
        with warnings.catch_warnings(action="ignore"):
            local = pandas.to_datetime(cell, dayfirst=dayfirst, errors="coerce")
        if pandas.isna(local) or local.tzinfo is not None:
            continue
        skipped = pandas.isna(local.tz_localize(zone, ambiguous=True, nonexistent="NaT"))
        moved = local.tz_localize(zone, ambiguous=True, nonexistent=_HOUR).isoformat()
        if skipped:
            what = f"does not exist in {zone}, where clocks skipped it"
            return f"{what}: write the moment that is meant, such as {moved}"
        if pandas.isna(local.tz_localize(zone, ambiguous="NaT", nonexistent=_HOUR)):
            what = f"is two moments in {zone}, where clocks showed it twice"
            return f"{what}: put its offset behind it, such as {moved}"
    return None

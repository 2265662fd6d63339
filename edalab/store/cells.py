"""How a cell of a table is read: as a time, a name, a version or plain data; or why it cannot be.

Each function takes a cell, None where it is empty, and raises ValueError with the reason."""

import re
from base64 import b64encode
from datetime import date, datetime
from math import isfinite
from typing import Any

from pydantic_core import to_jsonable_python

from ..errors import Misuse, needed_for, shown
from .instants import to_microseconds
from .stored_event import is_text

_EMPTY = "is empty"
NO_TEXT = (
    "has a byte in it that is no text: read the file with its encoding, such as encoding='latin-1'"
)
_NAIVE = "has no time zone: put its offset behind it, such as +01:00"
_NO_TIME = "is no time as ISO 8601 writes it, such as 2026-03-03T12:00+01:00"
ROUNDED = "may be another number, rounded: read the column as text, with dtype={{{!r}: str}}"
OUTSIDE = "is in UTC outside the years 1 to 9999"
_BESIDE = re.compile(r" (?=[+-]\d\d:?\d\d$)|\[[^]]+\]$")  # as git writes it, and Java
_NANOSECONDS = re.compile(r"[.,]\d{6}(\d{1,3})")


def numbers(cells: list) -> list[bool]:
    """Which cells are numbers, or texts that read as one."""
    with needed_for("read_table"):
        import pandas

    found = pandas.to_numeric(pandas.Series(cells, dtype=object), errors="coerce")
    return found.notna().tolist()


def written(cell: Any) -> str:
    """A cell as an error shows it."""
    try:
        return shown(str(cell))
    except NotImplementedError:  # pandas', of a time that Python does not have
        return f"'{cell.year}-{cell.month:02}-{cell.day:02}'"


def moment(cell: Any) -> int:
    """A time in nanoseconds since 1970."""
    if cell is None:
        raise ValueError(_EMPTY)
    value, beyond = cell, 0
    try:
        if isinstance(cell, str):
            iso = _BESIDE.sub("", cell.strip().replace(" UTC", "Z"))
            value = date.fromisoformat(iso) if len(iso) <= 10 else datetime.fromisoformat(iso)
            if len(iso) > 26 and (digits := _NANOSECONDS.search(iso)):
                beyond = int(digits[1].ljust(3, "0"))
        elif hasattr(cell, "to_pydatetime"):
            value, beyond = cell.to_pydatetime(warn=False), cell.nanosecond
        if isinstance(value, date) and getattr(value, "tzinfo", True):
            return to_microseconds(value, "time") * 1000 + beyond
        why = _NAIVE if isinstance(value, datetime) else _NO_TIME
    except ValueError:
        why = _NO_TIME
    except Misuse:
        why = OUTSIDE
    raise ValueError(f"{written(cell)} {why}")


def text(cell: Any) -> str:
    """A name as text; a whole number is written without a point."""
    if cell is None:
        raise ValueError(_EMPTY)
    whole = isinstance(cell, float) and cell.is_integer()  # in a column with an empty cell
    name = str(int(cell) if whole else cell).strip()
    if not is_text(name):
        raise ValueError(f"{shown(name)} {NO_TEXT}")
    return name


def schema(cell: Any) -> int:
    """The version of a message class; 1 where the cell is empty."""
    version = "1" if cell is None else text(cell)
    if version.isdecimal() and len(version) < 10 and int(version):
        return int(version)
    raise ValueError(f"{shown(cell)} is no version: a whole number from 1")


def plain(cell: Any) -> Any:
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
        listed = sorted(cell) if isinstance(cell, set | frozenset) else cell
        modes = {"timedelta_mode": "float", "bytes_mode": "base64"}
        return to_jsonable_python(listed, fallback=_of_a_library, **modes)
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        what = written(cell) if isinstance(cell, date) else shown(cell)
        raise ValueError(f"holds {what}, for which JSON has no form") from None


def _of_a_library(value: Any) -> Any:
    """What is neither Python's nor pydantic's, of pandas and numpy."""
    return str(value) if type(value).__module__.startswith("pandas") else value.tolist()

"""A moment may be written in several ways; inside a store it is whole microseconds since 1970, UTC."""

import re
from datetime import date, datetime, timedelta, timezone
from numbers import Real

from ..errors import Misuse, shown
from ..model.envelope import EPOCH

_ZERO = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = (
    (end.replace(tzinfo=timezone.utc) - _ZERO) // _MICROSECOND
    for end in (datetime.min, datetime.max)
)
_VIRTUAL_ZERO = (EPOCH - _ZERO) // _MICROSECOND
_WAYS = 'a datetime with a time zone, a date, ISO text such as "2026-03-03T12:00+01:00", or seconds of virtual time'


def to_microseconds(value: object, what: str, *, bound: bool = False) -> int:
    """A moment in microseconds since 1970. A date is its first moment (UTC), or its last where it is a `bound`; a number
    is seconds of virtual time. Raises Misuse, naming `what`, for anything else, and for a time without a zone."""
    if (
        isinstance(value, (float, int, Real)) and not isinstance(value, bool) and abs(value) <= 1e9
    ):  # which NaN is not
        return _VIRTUAL_ZERO + int(round(value * 1_000_000))
    given = value
    if isinstance(value, str):
        value = _read(value)
    if (
        isinstance(value, datetime) and value == value
    ):  # which NaT, a datetime without a date, is not
        if value.utcoffset() is None:
            raise Misuse(
                f"{what} {shown(str(given))} has no time zone, and 9 o'clock is another moment in each; "
                "write datetime(…, tzinfo=timezone.utc), or an offset behind the text: +01:00 or Z"
            )
        found = (value - _ZERO) // _MICROSECOND
        if not _FIRST <= found <= _LAST:
            raise Misuse(
                f"{what} {shown(str(given))} is in UTC, in which moments are kept, outside the years 1 to 9999"
            )
        return found
    if isinstance(value, date) and not isinstance(value, datetime):
        midnight = datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
        return (
            midnight - _ZERO + (timedelta(days=1) - _MICROSECOND if bound else timedelta())
        ) // _MICROSECOND
    if isinstance(given, str) and re.fullmatch(r"\d{4}(-\d\d)?", given):
        whole = "month" if "-" in given else "year"
        raise Misuse(
            f"{what} takes a moment, and {shown(given)} is a {whole}; say which day: {f'{given}-01-01'[:10]}"
        )
    if isinstance(given, str) and re.match(r"\d{4}-\d\d-\d\d", given):
        raise Misuse(f"{what} {shown(given)}: {_why(given)}; a moment is {_WAYS}")
    since_1970 = isinstance(value, Real) and abs(value) > 1e9
    hint = (
        f"; if these are seconds since 1970: datetime.fromtimestamp({shown(given)}, timezone.utc)"
        if since_1970
        else ""
    )
    raise Misuse(f"{what} takes {_WAYS}, not {shown(given)}{hint}")


def _why(text: str) -> str:
    """What is wrong with text that begins as a date does."""
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return f"there is no {text[:10]} in the calendar"
    return f"what follows the day, {shown(text[10:])}, is no time"


def _read(text: str) -> date | None:
    for kind in (date, datetime):
        try:
            return kind.fromisoformat(text)
        except ValueError:
            pass
    return None


def as_datetime(microseconds: int) -> datetime:
    """A stored moment as a datetime, UTC."""
    return _ZERO + timedelta(microseconds=microseconds)

"""A moment may be written in several ways; inside a store it is whole microseconds since 1970, UTC."""

import re
from datetime import date, datetime, timedelta, timezone
from numbers import Real

from ..errors import Misuse, shown
from ..model.envelope import EPOCH

_ZERO = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND, _DAY = timedelta(microseconds=1), timedelta(days=1)
_ENDS = [end.replace(tzinfo=timezone.utc) for end in (datetime.min, datetime.max)]
_FIRST, _LAST = ((end - _ZERO) // _MICROSECOND for end in _ENDS)
_VIRTUAL_ZERO = (EPOCH - _ZERO) // _MICROSECOND
_WAYS = "a datetime with a time zone, a date, ISO text such as "
_WAYS += '"2026-03-03T12:00+01:00", or seconds of virtual time'


def to_microseconds(value: object, what: str, *, bound: bool = False) -> int:
    """A time in whole microseconds since 1970. A date is its first moment (UTC), or its last where
    it is a `bound`; a number is seconds of virtual time. Raises Misuse, which names the argument
    `what`, for anything else and for a time without a zone."""
    number = isinstance(value, (float, int, Real)) and not isinstance(value, bool)
    if number and abs(value) <= 1e9:  # which NaN is not
        return _VIRTUAL_ZERO + int(round(value * 1_000_000))
    given = value
    if isinstance(value, str):
        value = _read(value)
    if isinstance(value, datetime) and value == value:  # which NaT is not: no date at all
        if value.utcoffset() is None:
            raise Misuse(
                f"{what} {shown(str(given))} has no time zone, and 9 o'clock is another moment in "
                "each; write datetime(…, tzinfo=timezone.utc), or an offset behind the text: "
                "+01:00 or Z"
            )
        found = (value - _ZERO) // _MICROSECOND
        if not _FIRST <= found <= _LAST:
            where = "is in UTC, in which moments are kept, outside the years 1 to 9999"
            raise Misuse(f"{what} {shown(str(given))} {where}")
        return found
    if isinstance(value, date) and not isinstance(value, datetime):
        midnight = datetime(value.year, value.month, value.day, tzinfo=timezone.utc) - _ZERO
        return (midnight + _DAY - _MICROSECOND if bound else midnight) // _MICROSECOND
    if isinstance(given, str) and re.fullmatch(r"\d{4}(-\d\d)?", given):
        whole, day = "month" if "-" in given else "year", f"{given}-01-01"[:10]
        raise Misuse(
            f"{what} takes a moment, and {shown(given)} is a {whole}; say which day: {day}"
        )
    if isinstance(given, str) and re.match(r"\d{4}-\d\d-\d\d", given):
        raise Misuse(f"{what} {shown(given)}: {_why(given)}; a moment is {_WAYS}")
    hint = ""
    if isinstance(value, Real) and abs(value) > 1e9:
        fix = f"datetime.fromtimestamp({shown(given)}, timezone.utc)"
        hint = f"; if these are seconds since 1970: {fix}"
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

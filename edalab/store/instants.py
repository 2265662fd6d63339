"""Times in every form that a caller may write. A store uses whole microseconds since 1970, UTC."""

from datetime import UTC, date, datetime, timedelta
from numbers import Real

from ..errors import Misuse, shown
from ..model.envelope import EPOCH

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND, _DAY = timedelta(microseconds=1), timedelta(days=1)
_FIRST, _LAST = (
    (end.replace(tzinfo=UTC) - _ZERO) // _MICROSECOND for end in (datetime.min, datetime.max)
)
_VIRTUAL_ZERO = (EPOCH - _ZERO) // _MICROSECOND
_WAYS = "a datetime with a time zone, a date, ISO text such as "
_WAYS += '"2026-03-03T12:00+01:00", or seconds of virtual time'


def to_microseconds(value: object, what: str, *, bound: bool = False) -> int:
    """A time in whole microseconds since 1970. A date is its first moment (UTC), or its last if it
    is a `bound`; a number is seconds of virtual time. Raises Misuse, which names the argument
    `what`, for anything else and for a time without a zone."""
    hint = ""
    if isinstance(value, (float, int, Real)) and not isinstance(value, bool):
        if abs(float(value)) <= 1e9:  # false for NaN
            return _VIRTUAL_ZERO + round(float(value) * 1_000_000)
        if value == value:
            fix = f"datetime.fromtimestamp({shown(value)}, timezone.utc)"
            hint = f"; if these are seconds since 1970: {fix}"
    time = value
    if isinstance(value, str):
        try:
            time = _parsed(value)
        except ValueError as error:
            hint = f" ({error})" if value[:1].isdigit() else ""
    if isinstance(time, datetime) and time == time:  # false for NaT
        if time.utcoffset() is None:
            raise Misuse(
                f"{what} {shown(str(value))} has no time zone, and 9 o'clock is another moment in "
                "each; write datetime(…, tzinfo=timezone.utc), or end the text with an offset, "
                "such as +01:00 or Z"
            )
        microseconds = (time - _ZERO) // _MICROSECOND
        if not _FIRST <= microseconds <= _LAST:
            raise Misuse(f"{what} {shown(str(value))} is outside the years 1 to 9999 in UTC")
        return microseconds
    if isinstance(time, date) and not isinstance(time, datetime):
        midnight = datetime(time.year, time.month, time.day, tzinfo=UTC) - _ZERO
        return (midnight + _DAY - _MICROSECOND if bound else midnight) // _MICROSECOND
    raise Misuse(f"{what} takes {_WAYS}, not {shown(value)}{hint}")


def _parsed(text: str) -> date:
    """The date or datetime in an ISO text."""
    return date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)


def as_datetime(microseconds: int) -> datetime:
    """A stored moment as a datetime, UTC."""
    return _ZERO + timedelta(microseconds=microseconds)

"""The texts of moments, and round moments for an axis: dates, clock times or seconds of virtual time."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

from ..store.instants import as_datetime, to_microseconds

_SECOND = 1_000_000  # µs
_MINUTE, _HOUR, DAY = 60 * _SECOND, 3600 * _SECOND, 86_400 * _SECOND
_VIRTUAL = to_microseconds(0, "")
_MONTHS = "January February March April May June July August".split()
_MONTHS += "September October November December".split()
# The steps of an axis. The smallest one that leaves room between the texts is used.
_CLOCK = [n * unit for unit in (_SECOND, _MINUTE) for n in (1, 2, 5, 10, 15, 30)]
_CLOCK += [n * _HOUR for n in (1, 2, 3, 6, 12)]
# The approximate distance in days -> the days of a month.
_DAYS = {1: range(1, 32), 2: range(1, 31, 2), 5: (1, 5, 10, 15, 20, 25), 10: (1, 10, 20)}
_IN_MONTHS = [1, 2, 3, 6, *(12 * years for years in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))]


class Calendar:
    """The format of the moments (µs since 1970) in a picture, which depends on the time that they span."""

    def __init__(self, moments: Iterable[int]):
        moments = sorted(moments)
        self.virtual = moments[0] >= _VIRTUAL and moments[-1] < _VIRTUAL + DAY
        span = moments[-1] - moments[0]
        self.clock = span < 40 * DAY and any(at % DAY for at in moments)
        self.seconds = span < _HOUR and any(at % _MINUTE for at in moments)
        self.one_year = span < 365 * DAY  # otherwise a day has its year
        self.one_day = as_datetime(moments[0]).date() == as_datetime(moments[-1]).date()

    def words(self, at: int) -> str:
        """The text of a moment, such as "12 March", "12 March 14:30", "14:30:05" or "1.5 s"."""
        if self.virtual:
            return _seconds(at - _VIRTUAL)
        when = as_datetime(at)
        day = f"{_day(when)} {when.year}"
        if self.one_year:
            day = f"{when.day} {_MONTHS[when.month - 1]}"
        is_end = (at + 1) % DAY == 0  # a date means the end of its day
        if is_end or not self.clock:
            return day
        clock = _clock(when, self.seconds)
        return clock if self.one_day else f"{day} {clock}"

    def on(self, at: int) -> str:
        """The text of a moment with a preposition, such as "on 12 March" or "at 1.5 s"."""
        words = self.words(at)
        return f"{'on' if ' ' in words and not self.virtual else 'at'} {words}"

    def ticks(self, start: int, end: int, room: int) -> Iterator[tuple[int, str]]:
        """The round moments from start to end, at least `room` µs apart, with short texts."""
        clock = next((step for step in _CLOCK if step >= room), None)
        if self.virtual:
            steps = (digit * 10**power for power in count() for digit in (1, 2, 5))
            step = next(step for step in steps if step >= room)
            for at in _round(start - _VIRTUAL, end - _VIRTUAL, step):
                yield at + _VIRTUAL, _seconds(at)
        elif clock:
            for number, at in enumerate(_round(start, end, clock)):
                day, word = _day(as_datetime(at)), _clock(as_datetime(at), clock < _MINUTE)
                yield at, day if at % DAY == 0 else word if number else f"{day} {word}"
        else:
            dates = _dates(as_datetime(start), as_datetime(end), room)
            for number, (when, word) in enumerate(dates):
                with_year = number or word.endswith(str(when.year))
                yield to_microseconds(when, ""), word if with_year else f"{word} {when.year}"


def _seconds(at: int) -> str:
    return f"{at / _SECOND:,.6f}".rstrip("0").rstrip(".") + " s"


def _clock(when: datetime, seconds: bool) -> str:
    return f"{when:%H:%M:%S}" if seconds else f"{when:%H:%M}"


def _day(when: datetime) -> str:
    return f"{when.day} {_MONTHS[when.month - 1][:3]}"


def _round(start: int, end: int, step: int) -> range:
    return range(-(-start // step) * step, end + 1, step)


def _dates(first: datetime, last: datetime, room: int) -> Iterator[tuple[datetime, str]]:
    """Days, months or years, whichever leave enough room, with their texts."""
    days = next((days for step, days in _DAYS.items() if step * DAY >= room), None)
    if days:
        when = datetime(first.year, first.month, first.day, tzinfo=UTC)
        while when <= last:
            if when.day in days and when >= first:
                yield when, _day(when)
            when += timedelta(days=1)
        return
    step = next((step for step in _IN_MONTHS if step * 28 * DAY >= room), _IN_MONTHS[-1])
    for month in range(12 * first.year, 12 * last.year + 12):
        when = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        if month % step == 0 and first <= when <= last:
            name = _MONTHS[when.month - 1][:3] if step < 12 else ""
            year = str(when.year) if step >= 12 or when.month == 1 else ""
            yield when, f"{name} {year}".strip()

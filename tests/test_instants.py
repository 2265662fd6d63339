"""A moment that cannot be read says what is wrong with it."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy
import pandas
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from edalab import Misuse
from edalab.store.instants import as_datetime, to_microseconds

NOON = 1_772_535_600_000_000  # 3 March 2026, 11:00 UTC, in microseconds since 1970


@pytest.mark.parametrize(
    "given",
    [
        datetime(2026, 3, 3, 11, tzinfo=UTC),
        datetime(2026, 3, 3, 12, tzinfo=timezone(timedelta(hours=1))),
        datetime(2026, 3, 3, 12, tzinfo=ZoneInfo("Europe/Amsterdam")),
        pandas.Timestamp("2026-03-03 12:00", tz="Europe/Amsterdam"),
        "2026-03-03T12:00+01:00",
        "2026-03-03 11:00Z",
        61 * 86_400 + 39_600,
        numpy.float64(61 * 86_400 + 39_600),
    ],
)
def test_a_moment_is_the_same_however_it_is_written(given):
    for bound in (False, True):
        found = to_microseconds(given, "recorded=", bound=bound)
        assert found == NOON and type(found) is int
    assert (
        as_datetime(NOON) == datetime(2026, 3, 3, 11, tzinfo=UTC)
        and as_datetime(NOON).tzinfo is UTC
    )


@pytest.mark.parametrize("given", [date(2026, 3, 3), "2026-03-03", "20260303", "2026-W10-2"])
def test_a_day_is_that_of_utc(given):
    assert to_microseconds(given, "") == NOON - 11 * 3_600_000_000
    assert to_microseconds(given, "", bound=True) == NOON + 13 * 3_600_000_000 - 1


@for_all(st.datetimes(timezones=st.timezones()), st.datetimes(timezones=st.timezones()))
def test_every_datetime_comes_back_and_keeps_its_place(one, other):
    first, second = to_microseconds(one, ""), to_microseconds(other, "")
    assert as_datetime(first) == one.astimezone(UTC) and (first < second) == (
        as_datetime(first) < as_datetime(second)
    )
    assert to_microseconds(one.astimezone(UTC).isoformat(), "") == first


@for_all(st.dates())
def test_a_day_as_a_bound_ends_just_before_the_next(day):
    assert to_microseconds(day, "", bound=True) - to_microseconds(day, "") == 86_400_000_000 - 1


@for_all(st.floats(-1e9, 1e9))
def test_virtual_seconds_are_kept_to_the_microsecond(seconds):
    assert (
        abs((to_microseconds(seconds, "") - to_microseconds(0, "")) / 1e6 - seconds) <= 1e-6
        and as_datetime(to_microseconds(0, "")).year == 2026
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (datetime(2026, 3, 3, 9), "'2026-03-03 09:00:00' has no time zone, and 9 o'clock"),
        (pandas.Timestamp("2026-03-03 09:00"), "has no time zone"),
        (
            "2026-03-03 09:00",
            "'2026-03-03 09:00' has no time zone, .* or end the text with an offset, such as .01:00 or Z",
        ),
        (pandas.NaT, "recorded= takes a datetime with a time zone, .* not NaT"),
        (float("nan"), "not nan"),
        (
            1_772_535_600,
            r"not 1772535600; if these are seconds since 1970: datetime.fromtimestamp\(1772535600, timezone.utc\)",
        ),
        (True, "not True"),
        (None, "not None"),
        ("2025-02-30", "not '2025-02-30' .day is out of range for month"),
        ("2025-03-03T25:00Z", "hour must be in 0..23"),
        ("yesterday", "takes a datetime with a time zone, a date, ISO text .* not 'yesterday'"),
        (["2026-03-03"], "not \\['2026-03-03'\\]"),
        ("x" * 1000, "not 'xxx.*[.]{3}"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), "outside the years 1 to 9999"),
    ],
)
def test_what_is_no_moment_is_refused(given, words):
    with pytest.raises(Misuse, match=words) as told:
        to_microseconds(given, "recorded=")
    assert (
        str(told.value).startswith("recorded=")
        and "\n" not in str(told.value)
        and len(str(told.value)) < 300
    )

"""A moment that cannot be read says what is wrong with it."""

import pytest

from edalab import Misuse
from edalab.history.moments import as_datetime, moment


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("2025-02-30", "until= '2025-02-30': there is no 2025-02-30 in the calendar"),
        ("2025-02-30T12:00Z", "there is no 2025-02-30 in the calendar"),
        ("2025-03-03T25:00Z", "what follows the day, 'T25:00Z', is no time"),
        ("2025-03", "'2025-03' is a month; say which day: 2025-03-01"),
        ("2025", "'2025' is a year; say which day: 2025-01-01"),
        ("yesterday", "until= takes a datetime with a time zone, a date, ISO text .* not 'yesterday'"),
        ("2025-03-03T12:00", "has no time zone, and 9 o'clock is another moment in each"),
    ],
)
def test_what_is_no_moment_is_told_with_the_reason(given, said):
    with pytest.raises(Misuse, match=said):
        moment(given, "until=")


def test_a_date_is_its_beginning_and_as_a_bound_its_end():
    assert f"{as_datetime(moment('2025-03-03', ''))}" == "2025-03-03 00:00:00+00:00"
    assert f"{as_datetime(moment('2025-03-03', '', bound=True))}" == "2025-03-03 23:59:59.999999+00:00"

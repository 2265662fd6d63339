"""Moments in words and on an axis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab.store.instants import to_microseconds
from edalab.text import text_width
from edalab.view.calendar import Calendar

DAY = 86_400_000_000


def calendar(*moments):
    return Calendar([to_microseconds(given, "test") for given in moments])


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        (("2026-03-01", "2026-03-12"), ["1 March", "12 March"]),
        (("2026-03-01T00:00Z", "2026-03-12T14:30Z"), ["1 March 00:00", "12 March 14:30"]),
        (("2025-01-01", "2026-03-12T14:30Z"), ["1 Jan 2025", "12 Mar 2026"]),
        (("2026-03-12T14:30:05Z", "2026-03-12T14:31Z"), ["14:30:05", "14:31:00"]),
        ((0.5, 12), ["0.5 s", "12 s"]),
    ],
)
def test_a_moment_is_said_as_the_span_asks(moments, said):
    assert [calendar(*moments).words(to_microseconds(given, "test")) for given in moments] == said


def test_the_end_of_a_day_is_the_day():
    march = calendar("2026-03-01T00:00Z", "2026-03-12T14:30Z")
    assert march.words(
        to_microseconds("2026-03-12", "test", bound=True)
    ) == "12 March" and march.on(to_microseconds("2026-03-12", "")).startswith("on ")


@given(st.integers(0, 60 * 365 * DAY), st.floats(3, 17), st.integers(300, 900))
def test_ticks_are_round_within_the_span_apart_and_some(start, size, width):
    end = start + int(10**size)
    ticks = list(Calendar([start, end]).ticks(start, end, max(1, 70 * (end - start) // width)))
    assert all(start <= at <= end for at, _ in ticks) and [at for at, _ in ticks] == sorted(
        {at for at, _ in ticks}
    )
    assert len(ticks) <= width // 70 + 2
    assert all(text_width(word, 10) < 110 for _, word in ticks)


def test_the_first_tick_says_the_day_or_the_year():
    ticks = list(
        calendar("2026-03-01", "2026-03-30").ticks(
            to_microseconds("2026-03-01", ""), to_microseconds("2026-03-30", ""), 3 * DAY
        )
    )
    assert [word for _, word in ticks] == [
        "1 Mar 2026",
        "5 Mar",
        "10 Mar",
        "15 Mar",
        "20 Mar",
        "25 Mar",
    ]
    first, last = to_microseconds("2026-03-03T22:10Z", ""), to_microseconds("2026-03-04T03:00Z", "")
    assert [word for _, word in Calendar([first, last]).ticks(first, last, 3_600_000_000)][:4] == [
        "3 Mar 23:00",
        "4 Mar",
        "01:00",
        "02:00",
    ]

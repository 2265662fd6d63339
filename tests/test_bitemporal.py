"""What was and what was believed are what the store says at every moment, however late its events came."""

from datetime import UTC, datetime, timedelta

import pytest
from accounts import MoneyDeposited, MoneyWithdrawn, account_7, balance, year_of
from hypothesis import given, settings
from hypothesis import strategies as st

from edalab import EventStore, Misuse
from edalab.store.bitemporal import Hindsight, Replay
from edalab.store.instants import to_microseconds

START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = range(46)


def day(number):
    return START + timedelta(days=number)


def in_a_row(told, fact):
    """A fold to which the order matters, and which changes what it is given."""
    told.append((fact.event.amount, fact.version))
    return told[-7:]


def hindsight(store, stream, *question):
    return Hindsight(store.read(stream), Replay(*question))


@st.composite
def stores(draw):
    """A stream of events, some recorded late, some in one go, and now and then one before it happened."""
    store = EventStore(":memory:")
    recorded = 10
    for number in range(draw(st.integers(1, 15))):
        recorded += draw(st.integers(0, 2))
        happened = recorded + draw(st.sampled_from([0, 0, 0, 0, -1, -2, -9, 2]))
        kind = draw(st.sampled_from([MoneyDeposited, MoneyWithdrawn]))
        store.append("a", [kind(amount=number)], happened=day(happened), recorded=day(recorded))
    return store


@settings(max_examples=50)
@given(stores())
def test_both_courses_are_what_the_store_says_at_any_moment(store):
    for fold, start in ((balance, 0), (in_a_row, [])):
        sight = hindsight(store, "a", fold, start, lambda state: str(state))
        for asked in map(day, DAYS):
            actual, believed = (
                store.state("a", fold, start, until=asked),
                store.state("a", fold, start, until=asked, as_of=asked),
            )
            assert sight.at(to_microseconds(asked, "")) == (str(actual), str(believed))


@settings(max_examples=50)
@given(stores(), st.integers(8, 46))
def test_as_known_at_a_moment_nothing_recorded_later_counts(store, number):
    known = day(number)
    less = hindsight(store, "a", balance, 0).as_known(to_microseconds(known, ""))
    for asked in map(day, DAYS):
        actual, believed = less.at(to_microseconds(asked, ""))
        assert actual == store.state("a", balance, 0, until=asked, as_of=known)
        if asked <= known:
            assert believed == store.state("a", balance, 0, until=asked, as_of=asked)
    assert all(wrong.end <= known.timestamp() * 1_000_000 for wrong in less.discrepancies)


@settings(max_examples=50)
@given(stores())
def test_wrong_is_where_they_differ(store):
    sight = hindsight(store, "a", balance, 0)
    for asked in map(day, DAYS):
        at = to_microseconds(asked, "")
        inside = [wrong for wrong in sight.discrepancies if wrong.start <= at < wrong.end]
        actual, believed = sight.at(at)
        assert [wrong[2:] for wrong in inside] == (
            [(actual, believed)] if actual != believed else []
        )


def test_the_story_of_account_7():
    sight = hindsight(account_7(), "account-7", balance, 0)
    assert [change.value for change in sight.actual] == [0, 100, 60, 130, 110]
    assert [change.value for change in sight.believed] == [0, 100, 60, 40, 110]
    assert [wrong[2:] for wrong in sight.discrepancies] == [(130, 60), (110, 40)]


@pytest.mark.parametrize("late", [0, 0.05])
def test_a_late_event_does_not_fold_all_others_again(late):
    store, folded = year_of(1_000, late), []

    def counting(total, fact):
        folded.append(fact)
        return balance(total, fact)

    hindsight(store, "account-1", counting, 0)
    assert len(folded) < (2_010 if not late else 10_000)


def test_the_fold_is_checked_as_the_store_checks_it():
    with pytest.raises(Misuse, match="a fold is a function"):
        hindsight(account_7(), "account-7", "balance", 0)
    with pytest.raises(Misuse, match="return the new state"):
        hindsight(account_7(), "account-7", lambda total, fact: None, 0)

    def of_the_fact(total, fact):
        match fact:
            case MoneyDeposited(amount=amount):
                return total + amount
        return total

    late = EventStore(":memory:")
    late.append("account-7", [MoneyDeposited(amount=1)], happened=0, recorded=1)
    with pytest.raises(Misuse, match="match fact.event"):
        hindsight(late, "account-7", of_the_fact, 0)

"""A fold that cannot be meant so is told what is wrong with it, and one that is right is left alone."""

import pytest

from edalab import Event, EventStore, Misuse
from edalab.errors import Unknown
from edalab.panels.html import error_text
from edalab.store.bitemporal import Hindsight, Replay


class ReplayOpened(Event):
    owner: str


class ReplayDeposit(Event):
    amount: int


class ReplayWord(Event):
    amount: str


def account():
    store = EventStore(":memory:")
    store.append("account-7", [ReplayOpened(owner="Noor"), ReplayDeposit(amount=70)], recorded=0)
    return store


def balance(total, fact):
    match fact.event:
        case ReplayDeposit(amount=amount):
            return total + amount
    return total


def of_the_fact(total, fact):
    match fact:
        case ReplayDeposit(amount=amount):
            return total + amount
    return total


def by_isinstance(total, fact):
    return total + fact.amount if isinstance(fact, ReplayDeposit) else total


@pytest.mark.parametrize("fold", [of_the_fact, by_isinstance])
def test_a_fold_that_compares_the_stored_event_itself_is_told_where_its_event_is(fold):
    with pytest.raises(
        Misuse, match=rf"{fold.__name__} compares the stored event itself .* match fact\.event"
    ):
        account().state("account-7", fold, 0)
    with pytest.raises(Misuse, match=r"match fact\.event"):
        account().table("account-7", fold, 0)


def test_a_fold_that_names_a_class_and_reads_the_fact_is_left_alone_where_nothing_changes():
    def typed(total, fact):
        return (
            total + 1
            if isinstance(fact.event, ReplayOpened) and fact.event.owner == "Ada"
            else total
        )

    def by_name(total, fact):
        return (
            total + 1 if fact.type == ReplayDeposit.__name__ and isinstance(total, float) else total
        )

    def number(total, fact):
        return total + 1

    store = account()
    assert [store.state("account-7", fold, 0) for fold in (typed, by_name, number, balance)] == [
        0,
        0,
        2,
        70,
    ]
    assert (
        store.state("account-8", of_the_fact, 0) == 0
    )  # no event came by, and there is nothing to say


def test_a_state_first_and_then_the_stored_event():
    def swapped(fact, total):
        match fact.event:
            case ReplayDeposit(amount=amount):
                return total + amount
        return total

    with pytest.raises(
        Misuse,
        match=r"swapped asks the state 0 for \.event; a fold takes the state first .*\(state, fact\)",
    ):
        account().state("account-7", swapped, 0)
    with pytest.raises(
        Misuse, match="last returned a stored event as the new state; a fold takes the state first"
    ):
        account().state("account-7", last, 0)


def last(fact, total):
    return total


def test_a_missing_start_is_said():
    with pytest.raises(
        Misuse,
        match=r"balance cannot begin with None \(unsupported operand .*: the start is missing; .*balance, 0\)",
    ):
        account().state("account-7", balance)
    assert account().state("account-7", lambda seen, fact: [*(seen or []), fact.type]) == [
        "ReplayOpened",
        "ReplayDeposit",
    ]


def names(total, fact):
    return total + None


@pytest.mark.parametrize(
    ("fold", "error"),
    [
        (names, TypeError),
        (lambda total, fact: total.amount, AttributeError),
        (lambda total, fact: total + fact.data["hours"], KeyError),
        (lambda total, fact: 1 / total, ZeroDivisionError),
    ],
)
def test_what_a_fold_raises_for_reasons_of_its_own_is_raised_as_it_is_and_names_the_event(
    fold, error
):
    store = account()
    for ask in (
        lambda: store.state("account-7", fold, 0),
        lambda: store.state(None, fold, 0),
        lambda: store.table("account-7", fold, 0),
        lambda: Hindsight(store.read("account-7"), Replay(fold, 0)),
    ):
        with pytest.raises(error) as raised:
            ask()
        (note,) = raised.value.__notes__
        assert note == (
            f"{fold.__name__} raised this for event 1 of account-7, at position 1 of the store: "
            "ReplayOpened(owner='Noor')"
        )


def test_a_fold_that_fails_later_names_that_event_and_the_panel_says_it():
    def fold(total, fact):
        return total + fact.data.get("amount", 0)

    store = account()
    store.append("account-7", [ReplayWord(amount="three")], recorded=1)
    with pytest.raises(TypeError) as raised:
        Hindsight(store.read("account-7"), Replay(fold, 0))
    said = "fold raised this for event 3 of account-7, at position 3 of the store: "
    assert raised.value.__notes__ == [f"{said}ReplayWord(amount='three')"]
    words = f"and 'str'; {said}ReplayWord(amount='three') (line 2 of fold)"
    assert error_text(raised.value).endswith(words)


def test_why_and_what_changed_are_asked_of_streams_that_are_there():
    store = account()
    for ask in (
        store.table,
        lambda name: store.difference(name, balance, 0, until=("2026-01-01", "2026-02-01")),
    ):
        with pytest.raises(
            Unknown, match="no stream 'account 7'; streams: account-7. Did you mean 'account-7'"
        ):
            ask("account 7")
    assert (
        store.state("account-8", balance, 0) == 0 and store.read("account-8") == []
    )  # to decide on a new stream
    assert len(store.table()) == len(EventStore(":memory:").table()) + 2

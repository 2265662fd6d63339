"""A stored event that cannot be read, or is taken for the event that it holds, says so and what to do."""

import copy
import pickle
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID

import pandas
import pytest
from bookkeeping import refused
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, field_validator

from edalab import Command, Event, EventStore, Misuse, read_table
from edalab.store.from_table import store_of


class StoredDeposit(Event):
    amount: int


def deposits(*amounts):
    store = EventStore(":memory:")
    store.append("account-7", [StoredDeposit(amount=amount) for amount in amounts], recorded=0)
    return store


def test_a_field_of_the_event_is_looked_for_in_the_event():
    [fact] = deposits(70).read("account-7")
    with pytest.raises(
        AttributeError, match=r"no 'amount' of its own, but holds your event: fact\.event\.amount"
    ):
        fact.amount
    with pytest.raises(AttributeError, match=r"its fields are those of fact\.event: amount"):
        fact.owner
    assert not hasattr(fact, "owner") and copy.deepcopy(fact) == fact == pickle.loads(
        pickle.dumps(fact)
    )


def test_what_an_upcaster_raises_is_not_taken_for_a_missing_field():
    class StoredFee(Event):
        amount: int

    store = EventStore(":memory:")
    store.append("a", [StoredFee(amount=1)], recorded=0)

    class StoredFee(Event, version=2, upcasts={1: lambda data: data.amounts}):
        amount: int

    with pytest.raises(AttributeError, match="'dict' object has no attribute 'amounts'"):
        store.read("a")[0].event


def test_columns_that_are_no_fields_are_named_and_read_table_takes_some():
    row = {"what": "StoredDeposit", "who": "a", "when": "2025-01-01", "amount": 1, "known": "x"}
    roles = {"type": "what", "subject": "who", "time": "when"}
    store = read_table(pandas.DataFrame([row]), **roles)
    words = "event 1 of a has data that class StoredDeposit has no field for: known", "recorded="
    refused(lambda: store.read("a")[0].event, *words)


# -- as it was, so it is read


class Colour(Enum):
    RED = "red"


class StoredPart(Event):
    name: str
    tags: list[str] = []


class StoredAll(Event):
    text: str
    number: int
    fraction: float
    yes: bool
    nothing: str | None
    raw: bytes
    exact: Decimal
    day: date
    moment: datetime
    hour: time
    wait: timedelta
    id: UUID
    colour: Colour
    kind: Literal["a", "b"]
    either: int | str
    pair: tuple[int, str]
    parts: list[StoredPart]
    by_name: dict[str, StoredPart]
    type: str = "a field called as the store calls something"


TEXTS = st.text(max_size=5)
PARTS = st.builds(StoredPart, name=TEXTS, tags=st.lists(TEXTS, max_size=2))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
EVERYTHING = st.builds(
    StoredAll, text=TEXTS, nothing=st.none() | TEXTS, fraction=NUMBERS, exact=st.decimals(allow_nan=False, allow_infinity=False),
    moment=st.datetimes(), hour=st.times(), wait=st.timedeltas(), parts=st.lists(PARTS, max_size=2),
    by_name=st.dictionaries(TEXTS, PARTS, max_size=2), either=st.integers() | TEXTS, pair=st.tuples(st.integers(), TEXTS),
)  # fmt: skip


@given(st.lists(EVERYTHING, max_size=2))
def test_what_is_read_is_what_was_appended(events):
    store = EventStore(":memory:")
    try:
        store.append("a", events, recorded=0)
    except Misuse as misuse:  # some spans of time, for which pydantic's JSON is not exact, are refused and not changed
        assert "wait=" in str(misuse) and len(store) == 0
    else:
        assert [fact.event for fact in store.read("a")] == events


def test_what_a_stored_event_says():
    store = EventStore(":memory:")
    moments = {"happened": "2026-03-12", "recorded": "2026-03-26T12:00Z"}
    store.append("account-7", [StoredDeposit(amount=1)], **moments)
    store.append("account-7", [StoredDeposit(amount=2)], recorded="2026-03-27", ids=["mine"])
    late, other = store.read()
    about = "<StoredEvent account-7 version 1: StoredDeposit(amount=1), 2026-03-12 00:00:00"
    assert repr(late) == f"{about}, recorded 2026-03-26 12:00:00>"
    assert repr(other).endswith(" version 2: StoredDeposit(amount=2), 2026-03-27 00:00:00>")
    assert [(fact.id, fact.late) for fact in (late, other)] == [
        ("account-7-1", True),
        ("mine", False),
    ]
    assert late.happened == datetime(2026, 3, 12, tzinfo=UTC) and late.recorded.tzinfo is UTC
    assert (late.data, late.correlation, late.causation) == ({"amount": 1}, None, None)
    assert hash(late) != hash(other)


# -- what JSON would change


class StoredAny(Event):
    it: Any


class StoredAlias(Event):
    it: str = Field(alias="that")


class StoredSecret(Event):
    it: str = Field(exclude=True)


class StoredDouble(Event):
    it: int

    @field_validator("it")
    def doubled(cls, it):
        return 2 * it


class StoredNumbers(Event):
    exact: Decimal
    it: list[float]


def changed(event, value):
    """The event with a list that was changed after it was made."""
    event.it[:] = [value]
    return event


class StoredPlace(Event):
    city: str


class StoredHouse(StoredPlace):
    number: int


class StoredVisit(Event):
    at: StoredPlace


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            StoredVisit(at=StoredHouse(city="Delft", number=7)),
            "read again from JSON it is StoredVisit(at=StoredPlace(city='Delft'))",
        ),
        (
            changed(StoredNumbers(exact=1, it=[1.0]), float("nan")),
            "validation error",
        ),
        (StoredAny(it=(1, 2)), "read again from JSON it is StoredAny(it=[1, 2])"),
        (changed(StoredAny(it=[1]), object()), "Unable to serialize"),
        (StoredAny(it={1: 2}), "read again from JSON it is StoredAny(it={'1': 2})"),
        (StoredAlias(that="x"), "validation error"),
        (StoredSecret(it="x"), "validation error"),
        (StoredDouble(it=1), "read again from JSON it is StoredDouble(it=4)"),
    ],
)
def test_what_would_be_read_as_something_else_is_refused_when_it_is_appended(event, words):
    store = deposits(1)
    events = [StoredDeposit(amount=1), event]
    refused(lambda: store.append("a", events, recorded=0), "cannot be stored", words)
    assert len(store) == 1


# -- classes that change


CELLS = []  # a class that nobody has any more is no longer declared


def declare(source):
    """A class as a cell of a notebook declares it; the last of its name counts."""
    CELLS.append({"Event": Event, "Command": Command, "__name__": "cell"})
    exec(source, CELLS[-1])


def kept_as(text, schema=1, type="StoredChanging"):
    """A stored event, whatever its class is today."""
    return store_of([("a", type, schema, text, 0, 0, None)]).read("a")[0]


def test_upcasters_follow_one_another_and_leave_the_row_as_it_is():
    declare(
        "class StoredChanging(Event, version=3, upcasts={"
        "1: lambda data: {'cents': data['euros'] * 100}, "
        "2: lambda data: data | {'currency': 'EUR'}}):\n cents: int\n currency: str"
    )
    facts = kept_as('{"euros":3}'), kept_as('{"cents":5}', 2)
    assert [fact.event.cents for fact in facts] == [300, 5]
    assert [fact.data["currency"] for fact in facts] == ["EUR", "EUR"]
    assert facts[0].text == '{"euros":3}' and facts[0].summary == "StoredChanging(euros=3)"


@pytest.mark.parametrize(
    ("source", "schema", "words"),
    [
        ("(Event):\n amount: int", 2, ["form of version 2", "version 1; declare", "version=2)"]),
        (
            "(Event, version=3, upcasts={1: dict}):\n amount: int",
            1,
            ["nothing turns version 2 into 3", "upcasts={2: a function"],
        ),
        (
            "(Event, version=2, upcasts={1: lambda data: None}):\n amount: int",
            1,
            ["nothing turns version 1 into 2", "a function that returns its new data"],
        ),
        ("(Event):\n amount: list[int]", 1, ["does not fit class StoredNever of", "valid array"]),
        ("(Event):\n amount: int\n more: str", 1, ["more", "Field required", "a new version="]),
    ],
    ids=["an older class", "a gap", "returns nothing", "another type", "a new field"],
)
def test_data_that_their_class_does_not_read_are_told_and_stay(source, schema, words):
    declare(f"class StoredNever{source}")
    fact = kept_as('{"amount":3}', schema, "StoredNever")
    refused(lambda: fact.event, *words)
    assert fact.text == '{"amount":3}' and "StoredNever(amount=3)" in repr(fact)
    declare("class StoredNever(Event, version=2, upcasts={1: lambda data: data}):\n amount: int")
    assert fact.event.amount == 3  # once the class is right


def test_an_event_that_nobody_declared_is_told():
    fact = kept_as('{"amount":3}', 1, "StoredDeposits")
    error = refused(
        lambda: fact.event,
        "event 1 of a is a StoredDeposits, and no event of that name is declared",
        "class StoredDeposits(Event), or read its .data",
        "Did you mean 'StoredDeposit'?",
    )
    assert fact.data == {"amount": 3} and "FileAdded" not in str(error)


def test_a_fold_passes_over_what_it_leaves_out_by_its_type():
    frame = pandas.DataFrame({"what": ["StoredDeposit", "left out"], "who": "a", "amount": 5})
    store = read_table(frame.assign(when="2025-01-01"), type="what", subject="who", time="when")

    def fold(total, fact):
        return total + fact.event.amount if fact.type == "StoredDeposit" else total

    with pytest.raises(Misuse, match="a fold passes over events by fact.type, before it asks"):
        store.state("a", lambda total, fact: total + fact.event.amount, 0)
    assert store.state("a", fold, 0) == 5

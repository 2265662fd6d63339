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
    frame = pandas.DataFrame(
        {
            "what": ["StoredDeposit"],
            "who": ["a"],
            "when": ["2025-01-01"],
            "amount": [1],
            "known": ["2025-01-02"],
        }
    )
    store = read_table(frame, type="what", subject="who", time="when")
    with pytest.raises(
        Misuse,
        match=r"^event 1 of a has what class StoredDeposit has no field for: known; .* read_table takes .*recorded=",
    ):
        store.read("a")[0].event
    again = read_table(frame, type="what", subject="who", time="when", recorded="known")
    assert again.read("a")[0].event == StoredDeposit(amount=1)
    frame["amount"] = "much"
    with pytest.raises(
        Misuse,
        match=r"does not fit class StoredDeposit of version 1: .*; where the class has changed since",
    ):
        read_table(frame, type="what", subject="who", time="when", recorded="known").read("a")[
            0
        ].event


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


def test_an_event_is_read_anew_each_time():
    store = EventStore(":memory:")
    store.append("a", [StoredPart(name="x", tags=["y"])], recorded=0)
    [fact] = store.read("a")
    fact.event.tags.append("mine")
    fact.data["tags"].append("mine")
    assert (
        fact.event == StoredPart(name="x", tags=["y"])
        and fact.data == {"name": "x", "tags": ["y"]}
        and fact == store.read("a")[0]
    )


def test_what_a_stored_event_says():
    store = EventStore(":memory:")
    store.append(
        "account-7", [StoredDeposit(amount=1)], happened="2026-03-12", recorded="2026-03-26T12:00Z"
    )
    store.append("account-7", [StoredDeposit(amount=2)], recorded="2026-03-27", ids=["mine"])
    late, other = store.read()
    assert repr(late) == (
        "<StoredEvent account-7 version 1: StoredDeposit(amount=1), 2026-03-12 00:00:00, recorded 2026-03-26 12:00:00>"
    )
    assert (
        repr(other)
        == "<StoredEvent account-7 version 2: StoredDeposit(amount=2), 2026-03-27 00:00:00>"
    )
    assert (late.id, late.late, late.position) == ("account-7-1", True, 1) and (
        other.id,
        other.late,
    ) == ("mine", False)
    assert late.happened == datetime(2026, 3, 12, tzinfo=UTC) and late.recorded.tzinfo is UTC
    assert (late.type, late.data, late.correlation, late.causation) == (
        "StoredDeposit",
        {"amount": 1},
        None,
        None,
    )
    assert len(repr(store.read()[0])) < 200 and hash(late) != hash(other)


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


class StoredFloat(Event):
    it: float


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
            "it is nothing that its class can read",
        ),
        (StoredAny(it=(1, 2)), "read again from JSON it is StoredAny(it=[1, 2])"),
        (changed(StoredAny(it=[1]), object()), "Unable to serialize"),
        (StoredAny(it={1: 2}), "read again from JSON it is StoredAny(it={'1': 2})"),
        (StoredAlias(that="x"), "it is nothing that its class can read"),
        (StoredSecret(it="x"), "it is nothing that its class can read"),
        (StoredDouble(it=1), "read again from JSON it is StoredDouble(it=4)"),
    ],
)
def test_what_would_be_read_as_something_else_is_refused_when_it_is_appended(event, words):
    store = deposits(1)
    events = [StoredDeposit(amount=1), event]
    refused(lambda: store.append("a", events, recorded=0), "cannot be stored", words)
    assert len(store) == 1


def test_other_values_of_the_same_classes_are_stored():
    store = EventStore(":memory:")
    events = [
        StoredFloat(it=1),
        StoredAny(it=None),
        StoredAny(it={"a": [1, "null", None, 2.5]}),
        StoredDouble(it=0),
    ]
    events.append(StoredVisit(at=StoredPlace(city="Delft")))
    store.append("a", events, recorded=0)
    assert [fact.event for fact in store.read()] == events


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
        "1: lambda data: {'cents': data['euros'] * 100}, 2: lambda data: data | {'currency': 'EUR'}}):\n cents: int\n currency: str"
    )
    old, middle, new = (
        kept_as('{"euros":3}'),
        kept_as('{"cents":5}', 2),
        kept_as('{"cents":7,"currency":"USD"}', 3),
    )
    assert [fact.event.cents for fact in (old, middle, new)] == [300, 5, 7]
    assert [fact.data["currency"] for fact in (old, middle, new)] == ["EUR", "EUR", "USD"]
    assert (
        old.text == '{"euros":3}' and old.summary == "StoredChanging(euros=3)" and old.schema == 1
    )


@pytest.mark.parametrize(
    ("source", "schema", "words"),
    [
        (
            "class StoredNever(Event):\n amount: int",
            2,
            ["in the form of version 2", "declared is version 1", "(Event, version=2)"],
        ),
        (
            "class StoredNever(Event, version=3, upcasts={1: dict}):\n amount: int",
            1,
            ["nothing turns version 2 into 3", "upcasts={2: a function"],
        ),
        (
            "def forgets(data):\n data | {'x': 1}\nclass StoredNever(Event, version=2, upcasts={1: forgets}):\n amount: int",
            1,
            ["nothing turns version 1 into 2", "a function that returns its new data"],
        ),
        (
            "class StoredNever(Event):\n amount: list[int]",
            1,
            ["does not fit class StoredNever of version 1", "valid array", "upcasts="],
        ),
        (
            "class StoredNever(Event):\n amount: int\n more: str",
            1,
            ["does not fit", "more", "Field required", "a new version="],
        ),
    ],
    ids=[
        "an older class",
        "a gap",
        "returns nothing",
        "another type",
        "a new field",
    ],
)
def test_data_that_their_class_does_not_read_are_told_and_stay(source, schema, words):
    declare(source)
    fact = kept_as('{"amount":3}', schema, "StoredNever")
    refused(lambda: fact.event, *words)
    assert (
        fact.text == '{"amount":3}'
        and fact.summary == "StoredNever(amount=3)"
        and "StoredNever(amount=3)" in repr(fact)
    )
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


def test_a_field_that_a_cell_leaves_empty_needs_a_default():
    frame = pandas.DataFrame({"what": ["StoredDeposit"], "who": "a", "amount": None})
    store = read_table(frame.assign(when="2025-01-01"), type="what", subject="who", time="when")
    with pytest.raises(Misuse, match="give a field that may be empty a default; where the class"):
        store.read("a")[0].event


def test_data_without_a_class_can_be_read_as_data():
    fact = kept_as('{"amount":3,"tags":[]}', 1, "a type that is no name")
    assert fact.data == {"amount": 3, "tags": []}
    refused(
        lambda: fact.event,
        "is 'a type that is no name', which cannot be the name of a class",
        "rename it in the table",
        "or read its .data",
    )

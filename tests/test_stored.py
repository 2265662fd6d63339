"""A stored event that cannot be read, or is taken for the event that it holds, says so and what to do."""

import copy
import pickle

import pandas
import pytest

from edalab import ConcurrencyError, Event, EventStore, Misuse, read_table


class StoredDeposit(Event):
    amount: int


def deposits(*amounts):
    store = EventStore(":memory:")
    store.append("account-7", [StoredDeposit(amount=amount) for amount in amounts], recorded=0)
    return store


def test_a_field_of_the_event_is_looked_for_in_the_event():
    [fact] = deposits(70).read("account-7")
    with pytest.raises(AttributeError, match=r"no 'amount' of its own, but holds your event: fact\.event\.amount"):
        fact.amount  # noqa: B018
    with pytest.raises(AttributeError, match=r"its fields are those of fact\.event: amount"):
        fact.owner  # noqa: B018
    assert not hasattr(fact, "owner") and copy.deepcopy(fact) == fact == pickle.loads(pickle.dumps(fact))


def test_what_an_upcaster_raises_is_not_taken_for_a_missing_field():
    class StoredFee(Event):
        amount: int

    store = EventStore(":memory:")
    store.append("a", [StoredFee(amount=1)], recorded=0)

    class StoredFee(Event, version=2, upcasts={1: lambda data: data.amounts}):  # noqa: F811
        amount: int

    with pytest.raises(AttributeError, match="'dict' object has no attribute 'amounts'"):
        store.read("a")[0].event  # noqa: B018


def test_columns_that_are_no_fields_are_named_and_read_table_takes_some():
    frame = pandas.DataFrame({"what": ["StoredDeposit"], "who": ["a"], "when": ["2025-01-01"], "amount": [1], "known": ["2025-01-02"]})
    store = read_table(frame, type="what", subject="who", time="when")
    with pytest.raises(Misuse, match=r"^event 1 of a has what class StoredDeposit has no field for: known; .* read_table takes .*recorded="):
        store.read("a")[0].event  # noqa: B018
    again = read_table(frame, type="what", subject="who", time="when", recorded="known")
    assert again.read("a")[0].event == StoredDeposit(amount=1)
    frame["amount"] = "much"
    with pytest.raises(Misuse, match=r"does not fit class StoredDeposit of version 1: .*; where the class has changed since"):
        read_table(frame, type="what", subject="who", time="when", recorded="known").read("a")[0].event  # noqa: B018


def test_the_version_of_a_class_and_the_number_of_an_event_are_told_apart():
    frame = pandas.DataFrame({"what": ["StoredDeposit"], "who": ["a"], "when": ["2025-01-01"], "amount": [1], "form": [2]})
    store = read_table(frame, type="what", subject="who", time="when", version="form")
    said = "^event 1 of a is a StoredDeposit in the form of version 2, and the class declared is version 1; declare it"
    with pytest.raises(Misuse, match=said):
        store.read("a")[0].event  # noqa: B018


def test_what_was_stored_since_is_told_by_its_version():
    store = deposits(70, 80)
    with pytest.raises(ConcurrencyError, match=r"stored since: version 2: StoredDeposit\(amount=80\); not appended: "):
        store.append("account-7", [StoredDeposit(amount=1)], expected_version=1, recorded=0)

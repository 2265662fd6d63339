"""An event store answers every question as a plain list of facts would, whatever happened to it before."""

import copy
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import bookkeeping
import pytest
from bookkeeping import (
    Book,
    Credited,
    Debited,
    account,
    balance,
    changed,
    course,
    multiplied,
    refused,
    seen,
    told,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edalab import Command, ConcurrencyError, EventStore, Misuse
from edalab.store import append


class Withdraw(Command):
    amount: int


STREAMS = st.sampled_from(["account-7", "é ' \" -- ☃"])
ANY = st.one_of(st.none(), STREAMS)
EVENTS = st.lists(
    st.builds(Credited, amount=st.integers(-5, 99)) | st.builds(Debited, amount=st.integers(0, 9)),
    max_size=3,
)
MOMENTS = st.integers(-3, 15)  # few, so that many things happen and are recorded at the same
BOUNDS = st.none() | MOMENTS
NAMES = st.sampled_from(["balances", "audit"])
DOUBLED, TRIPLED = multiplied(2), multiplied(3)
CHANGES = st.sampled_from([None] * 6 + ["a global", "a default"])
FOLDS = st.sampled_from(
    [
        (balance, 0),
        (balance, 5),
        (course, {"facts": [], "sum": 0}),
        (changed, {"facts": []}),
        (DOUBLED, 1),
        (TRIPLED, 1),
    ]
)


class Bank(RuleBasedStateMachine):
    """Two connections to one file, and the book beside them."""

    @initialize(fold=FOLDS)
    def open(self, fold):
        self.fold, self.start = fold
        self.folder, self.many = TemporaryDirectory(), append.MANY
        append.MANY = 2  # so that three events take two statements
        self.path = str(Path(self.folder.name, "bank.db"))
        self.stores = [EventStore(self.path), EventStore(self.path)]
        self.book, self.now = Book(), 0
        bookkeeping.RATE["EUR"] = 1
        DOUBLED.__defaults__ = (0,)

    def teardown(self):
        bookkeeping.RATE["EUR"] = 1  # other tests use this fold, too
        for store in getattr(self, "stores", []):
            store.close()
        if hasattr(self, "folder"):
            self.folder.cleanup()
            append.MANY = self.many

    # -- what changes it

    @rule(
        several=st.lists(
            st.tuples(STREAMS, EVENTS, st.sampled_from([0, 1])), min_size=1, max_size=4
        ),
        data=st.data(),
    )
    def append(self, several, data):
        for stream, events, by in several:
            self.append_one(stream, events, by, data)

    def append_one(self, stream, events, by, data):
        self.now += data.draw(st.integers(0, 2))
        expected = data.draw(st.sampled_from([None, self.book.version(stream)]))
        happened, given = self.moments(events, data)
        ids = (
            [f"id-{len(self.book.facts) + n}" for n in range(len(events))]
            if data.draw(st.booleans())
            else None
        )
        version = self.stores[by].append(
            stream, events, expected, happened=given, recorded=self.now, ids=ids
        )
        self.book.append(stream, events, happened, self.now, ids)
        assert version == self.book.version(stream)

    def moments(self, events, data):
        """When they happened: one for each, and as it is given to the store."""
        way = data.draw(st.sampled_from(["when recorded", "one", "each"]))
        if way == "each":
            each = [data.draw(MOMENTS) for _ in events]
            return each, each
        one = self.now if way == "when recorded" else data.draw(MOMENTS)
        return [one] * len(events), None if way == "when recorded" else one

    @rule(stream=STREAMS, events=EVENTS, by=st.sampled_from([0, 1]), expected=st.integers(0, 9))
    def append_on_an_old_decision(self, stream, events, by, expected):
        version = self.book.version(stream)
        if expected == version:
            return
        with pytest.raises(ConcurrencyError) as conflict:
            self.stores[by].append(stream, events, expected, recorded=self.now)
        error = conflict.value
        assert (error.stream, error.expected, error.actual, error.yours) == (
            stream,
            expected,
            version,
            events,
        )
        assert list(map(seen, error.theirs)) == list(
            map(told, self.book.read(stream, after=expected))
        )

    @rule(stream=STREAMS, events=EVENTS, by=st.sampled_from([0, 1]), commit=st.booleans())
    def append_in_a_transaction_around_it(self, stream, events, by, commit):
        store = self.stores[by]
        store.connection.execute("begin")
        happened = [self.now - 1] * len(events)
        store.append(stream, events, happened=self.now - 1, recorded=self.now)
        before = copy.deepcopy(self.book.facts)
        self.book.append(stream, events, happened, self.now, None)
        self.check_state(store, stream, None, None, keep=True)
        store.connection.execute("commit" if commit else "rollback")
        if not commit:
            self.book.facts = before

    @rule(by=st.sampled_from([0, 1]))
    def reopen(self, by):
        self.stores[by].close()
        self.stores[by] = EventStore(self.path)

    # -- what it is asked

    @rule(
        stream=ANY, after=st.integers(0, 9), until=BOUNDS, as_of=BOUNDS, by=st.sampled_from([0, 1])
    )
    def ask_for_the_facts(self, stream, after, until, as_of, by):
        self.read(stream, after, until, as_of, by)

    def read(self, stream, after, until, as_of, by):
        found = self.stores[by].read(stream, after=after, until=until, as_of=as_of)
        assert list(map(seen, found)) == list(
            map(told, self.book.read(stream, after, until, as_of))
        )

    @rule(
        stream=ANY,
        until=BOUNDS,
        as_of=BOUNDS,
        by=st.sampled_from([0, 1]),
        keep=st.booleans(),
        change=CHANGES,
    )
    def ask_for_the_state(self, stream, until, as_of, by, keep, change):
        self.check_state(self.stores[by], stream, until, as_of, keep)
        if change == "a global":
            bookkeeping.RATE["EUR"] = 3 - bookkeeping.RATE["EUR"]
        elif change == "a default":
            DOUBLED.__defaults__ = (1 - DOUBLED.__defaults__[0],)
        self.check_state(self.stores[by], stream, until, as_of, keep=False)

    def check_state(self, store, stream, until, as_of, keep):
        should = self.book.state(stream, self.fold, copy.deepcopy(self.start), until, as_of)
        ask = store.snapshot if keep and stream is not None else store.state
        assert ask(stream, self.fold, self.start, until=until, as_of=as_of) == should
        assert self.start in (0, 1, 5, {"facts": [], "sum": 0}, {"facts": []})  # never changed

    @precondition(lambda self: self.book.facts)
    @rule(until=st.tuples(BOUNDS, BOUNDS), as_of=st.tuples(BOUNDS, BOUNDS))
    def ask_for_the_difference(self, until, as_of):
        found = self.stores[0].difference(None, self.fold, self.start, until=until, as_of=as_of)
        bounds = list(zip(until, as_of, strict=True))
        before, after = (self.book.as_happened(None, *pair) for pair in bounds)
        assert list(map(seen, found.came)) == [told(fact) for fact in after if fact not in before]
        assert list(map(seen, found.went)) == [told(fact) for fact in before if fact not in after]
        assert [found.before, found.after] == [
            self.book.state(None, self.fold, copy.deepcopy(self.start), *pair) for pair in bounds
        ]

    @rule(name=NAMES, by=st.sampled_from([0, 1]), most=st.integers(0, 4), rest=st.booleans())
    def follow(self, name, by, most, rest):
        seen_ = self.book.checkpoints.get(name, 0)
        facts = iter(self.stores[by].follow(name))
        for _ in range(most):
            fact = next(facts, None)
            assert (fact and seen(fact)) == next(map(told, self.book.read(after=seen_)), None)
            if fact is None:
                break
            self.book.checkpoints[name] = seen_  # the one before is done with, this one is not yet
            seen_ += 1
        else:
            if rest:
                assert list(map(seen, facts)) == list(map(told, self.book.read(after=seen_)))
                seen_ = len(self.book.facts)
                self.book.checkpoints[name] = seen_
            return
        self.book.checkpoints[name] = seen_

    @invariant()
    def holds_what_the_book_holds(self):
        for store in getattr(self, "stores", []):
            assert len(store) == len(self.book.facts) and store.streams() == self.book.streams()
            for stream in ("account-7", "é ' \" -- ☃", "nobody's"):
                assert store.version(stream) == self.book.version(stream)
            for name in ("balances", "audit"):
                seen_ = self.book.checkpoints.get(name, 0)
                assert store.checkpoint(name) == seen_ and store.lag(name) == len(store) - seen_


Bank.TestCase.settings = settings(
    max_examples=100, stateful_step_count=30, suppress_health_check=list(HealthCheck)
)
TestAnEventStoreIsAListOfFacts = Bank.TestCase


# -- what cannot be appended or asked


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (
            Credited(amount=1),
            [
                "append takes a list of events",
                "store.append('account-7', [Credited(amount=1)])",
            ],
        ),
        (
            [Withdraw(amount=1)],
            ["Withdraw(amount=1) is not an event", "class MoneyDeposited(Event)"],
        ),
        ("Credited", ["append takes a list of events", "'Credited'"]),
        ([Credited(amount=1), {"amount": 1}], ["{'amount': 1} is not an event"]),
        ([Credited], ["Credited is not an event"]),
    ],
)
def test_what_is_no_list_of_events_is_not_appended(events, words):
    store = account(1)
    refused(lambda: store.append("account-7", events, recorded=5), *words)
    assert len(store) == 1


TAKEN = "an event with the id {!r} already, in "


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({}, ["recorded= is missing", "outside a simulation an event store is told when"]),
        (
            {"recorded": -1},
            ["recorded=2025-12-31 23:59:59 is before the last event's, 2026-01-01 00:00:02"],
        ),
        ({"recorded": "2026-03-03T12:00"}, ["recorded= '2026-03-03T12:00' has no time zone"]),
        ({"recorded": 5, "happened": "yesterday"}, ["happened= takes", "not 'yesterday'"]),
        ({"recorded": 5, "happened": [1]}, ["happened= has 1 moments for 2 events", "one for all"]),
        ({"recorded": 5, "happened": [1, None]}, ["happened= takes", "not None"]),
        ({"recorded": 5, "ids": ["a"]}, ["ids= takes a list of 2 texts, one for each event"]),
        ({"recorded": 5, "ids": "ab"}, ["ids= takes a list of 2 texts", "not ['ab']"]),
        ({"recorded": 5, "ids": ["a", "\ud800"]}, ["ids= takes a list of 2 texts"]),
        ({"recorded": 5, "ids": ["a", "a"]}, [TAKEN.format("a") + "the events given"]),
        ({"recorded": 5, "ids": ["a", "taken"]}, [TAKEN.format("taken") + "account-8 version 1"]),
        ({"recorded": 5, "expected_version": "2"}, ["expected_version= takes a version: 0", "'2'"]),
        ({"recorded": 5, "expected_version": -1}, ["expected_version= takes a version", "not -1"]),
        ({"recorded": 5, "stream": ""}, ["a stream has a name, such as 'account-7', not ''"]),
    ],
)
def test_what_is_said_wrongly_appends_nothing(keywords, words):
    store = account(1, 2)
    store.append("account-8", [Credited(amount=3)], recorded=2, ids=["taken"])
    events = [Credited(amount=3), Credited(amount=4)]
    keywords = {"stream": "account-7", "events": events} | keywords
    refused(lambda: store.append(**keywords), *words)
    assert len(store) == 3 and not store.connection.in_transaction
    assert store.append("account-7", [Credited(amount=3)], 2, recorded=2) == 3


def test_a_reader_has_a_name():
    refused(lambda: list(account(1).follow("")), "a reader has a name, such as 'balances'")


def test_what_a_conflict_tells():
    store = account(1, 2, 3, 4, 5, 6)
    with pytest.raises(ConcurrencyError) as conflict:
        store.append("account-7", [Credited(amount=9)] * 9, 1, recorded=9)
    assert str(conflict.value) == (
        "account-7 is at version 6, not 1; stored since: version 2: Credited(amount=2), version 3: Credited(amount=3), "
        "version 4: Credited(amount=4) and 2 more; not appended: Credited(amount=9), Credited(amount=9), Credited(amount=9) and 6 more. "
        "Read the stream again and decide again"
    )
    with pytest.raises(ConcurrencyError, match="account-7 is at version 6, not 7; not appended"):
        store.append("account-7", [Credited(amount=9)], 7, recorded=9)


@pytest.mark.parametrize("number", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("apart", [False, True], ids=["at once", "apart"])
@pytest.mark.filterwarnings("error")  # Python 3.12.0 to 3.12.3 warns of parameters with a number
def test_a_batch_of_any_size_is_stored_in_its_order(number, apart):
    bank, moments = account(1, 2), list(range(number, 0, -1))
    given = {"happened": moments, "ids": [f"id-{n}" for n in moments]} if apart else {"happened": 5}
    assert (
        bank.append(
            "account-8", [Credited(amount=n) for n in range(number)], 0, recorded=300, **given
        )
        == number
    )
    found = bank.read("account-8")
    assert [(fact.position, fact.version, fact.event.amount) for fact in found] == [
        (n + 3, n + 1, n) for n in range(number)
    ]
    assert [fact.happened_at for fact in found] == [
        bookkeeping.ZERO + at * 1_000_000 for at in (moments if apart else [5] * number)
    ]
    assert [fact.own_id for fact in found] == given.get("ids", [None] * number)


def test_a_batch_that_cannot_be_stored_whole_leaves_nothing():
    bank = account(1)
    bank.connection.execute(
        "create trigger full before insert on stored_events when new.version = 150 begin select raise(abort, 'the disk is full'); end"
    )
    refused(
        lambda: bank.append("account-7", [Credited(amount=1)] * 200, 1, recorded=9),
        "the disk is full",
        "nothing was changed",
    )
    assert bank.version("account-7") == 1 == len(bank)


def test_of_two_loops_under_one_name_the_second_is_refused_and_no_event_comes_again():
    store = account(1, 2, 3, 4, 5)
    one, other = store.follow("balances"), store.follow("balances")
    assert next(other).version == 1 and [next(one).version for _ in range(4)] == [1, 2, 3, 4]
    refused(
        lambda: next(other),
        "the checkpoint of 'balances' is at 3",
        "this loop left it at 0",
        "another loop uses that name",
    )
    assert next(one).version == 5 and store.checkpoint("balances") == 4
    assert [fact.version for fact in store.follow("balances")] == [5]


def test_a_loop_that_goes_on_after_its_transaction_was_rolled_back_is_refused():
    store = account(1, 2, 3)
    facts = store.follow("balances")
    store.connection.execute("begin")
    assert [next(facts).version for _ in range(2)] == [1, 2]
    store.connection.execute("rollback")
    refused(
        lambda: next(facts), "is at 0", "left it at 1", "was rolled back", "begin the loop again"
    )
    assert [fact.version for fact in store.follow("balances")] == [1, 2, 3]


def test_a_database_of_something_else_is_left_as_it_is(tmp_path):
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as shop:
        shop.execute("create table orders (id text)")
    with pytest.raises(Misuse, match=r"shop.db is a database of something else .tables: orders"):
        EventStore(path)
    assert [*shop.execute("select name from sqlite_master")] == [("orders",)]

"""The state at any moment, by either time; and snapshots, which make it faster and never another one."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from functools import reduce

import pytest
from bookkeeping import Credited, Debited, account, balance, refused

from edalab import Event, EventStore


def counting(fold):
    """A fold that says how often it was called, without a difference to its code."""

    def counted(total, fact):
        return fold(total, fact)

    return counted


class Calls:
    """How many rows and steps of SQLite a question takes."""

    def __init__(self, store):
        self.store, self.steps = store, 0

    def of(self, question) -> int:
        self.steps = 0
        self.store.connection.set_progress_handler(self._count, 10)
        question()
        self.store.connection.set_progress_handler(None, 0)
        return self.steps

    def _count(self):
        self.steps += 1


def the_bank():
    """A correction of 12 March is recorded on the 26th."""
    store = EventStore(":memory:")
    store.append("account-7", [Credited(amount=100)], recorded="2026-03-03")
    store.append("account-7", [Debited(amount=40)], recorded="2026-03-08")
    store.append("account-7", [Debited(amount=20)], recorded="2026-03-20")
    store.append("account-7", [Credited(amount=70)], happened="2026-03-12", recorded="2026-03-26")
    return store


def test_what_was_and_what_was_believed():
    store = the_bank()
    assert store.state("account-7", balance, 0) == 110
    assert store.state("account-7", balance, 0, until="2026-03-15") == 130
    assert store.state("account-7", balance, 0, until="2026-03-15", as_of="2026-03-22") == 60
    assert store.state("account-7", balance, 0, as_of="2026-03-22") == 40
    assert (
        store.state("account-7", balance, 0, until="2026-03-02")
        == store.state("nobody", balance, 0)
        == 0
    )


def test_both_bounds_are_within():
    store = account(1, 10, 100)
    assert [
        store.state("account-7", balance, 0, until=second) for second in (0.999999, 1, 1.000001)
    ] == [1, 11, 11]
    assert [
        store.state("account-7", balance, 0, as_of=second) for second in (0.999999, 1, 1.000001)
    ] == [1, 11, 11]


def test_of_what_happened_at_one_moment_the_first_stored_comes_first():
    store = EventStore(":memory:")
    for stream, amount in (("b", 1), ("a", 2), ("b", 3)):
        store.append(stream, [Credited(amount=amount)], happened=5, recorded=9)
    in_order = lambda found, fact: [*found, fact.event.amount]  # noqa: E731
    assert store.state(None, in_order, []) == [1, 2, 3] and store.state("b", in_order, []) == [1, 3]


def test_a_snapshot_serves_every_later_question_of_the_same_fold():
    store = account(*[1] * 1000)
    steps = Calls(store).of
    ask = lambda **bounds: store.state("account-7", balance, 0, **bounds)  # noqa: E731
    before = [steps(lambda: ask()), steps(lambda: ask(until=990)), steps(lambda: ask(as_of=990))]
    assert store.snapshot("account-7", balance, 0, until=949) == 950
    after = [steps(lambda: ask()), steps(lambda: ask(until=990)), steps(lambda: ask(as_of=990))]
    assert all(less * 5 < more for less, more in zip(after, before, strict=True)), (before, after)
    assert [ask(), ask(until=990), ask(as_of=990)] == [1000, 991, 991]


def test_a_snapshot_begins_where_the_last_one_ended():
    store = account(*[1] * 500)
    steps = Calls(store).of
    first = steps(lambda: store.snapshot("account-7", balance, 0, until=479))
    assert steps(lambda: store.snapshot("account-7", balance, 0)) * 3 < first
    assert (
        steps(lambda: store.snapshot("account-7", balance, 0)) * 3 < first
    )  # nothing new: nothing is kept
    assert store.connection.execute("select count(*) from stored_snapshots").fetchone() == (2,)


def test_a_question_takes_the_same_however_long_the_stream_while_late_events_arrive():
    store = EventStore(":memory:")

    def grow(first, last):
        for now in range(first, last, 10):
            late = [0, 0, 7, 0, 3, 0, 0, 9, 0, 0] if now % 500 else [60] * 10
            happened = [now + n - by for n, by in enumerate(late)]
            store.append(
                "account-7", [Credited(amount=1)] * 10, now, happened=happened, recorded=now + 10
            )
            if now % 100 == 90:
                store.snapshot("account-7", balance, 0, until=now - 80)

    def most(last):
        questions = [
            dict.fromkeys(names, moment * last / 20)
            for moment in range(1, 20)
            for names in (["until"], ["as_of"], ["until", "as_of"])
        ] + [{"until": last * a / 5, "as_of": last * b / 5} for a in range(6) for b in range(6)]
        return max(
            Calls(store).of(lambda bounds=bounds: store.state("account-7", balance, 0, **bounds))
            for bounds in questions
        )

    grow(0, 1_000)
    few = most(1_000)
    grow(1_000, 8_000)
    assert most(8_000) < 1.5 * few


def test_a_snapshot_is_of_use_in_another_process(tmp_path):
    program = """
import sys
from edalab import Event, EventStore
class Kept(Event):
    amount: int
def total(sum, fact):
    return sum + fact.event.amount
store, steps = EventStore(sys.argv[1]), []
if not len(store):
    store.append("a", [Kept(amount=1)] * 500, recorded=0)
    store.snapshot("a", total, 0)
store.connection.set_progress_handler(lambda: steps.append(1), 10)
print(store.state("a", total, 0), len(steps))
"""
    told = [
        subprocess.run(
            [sys.executable, "-c", program, tmp_path / "a.db"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for _ in range(2)
    ]
    assert all(line.startswith("500 ") and int(line.split()[1]) < 50 for line in told), told


def test_a_fold_that_was_written_anew_does_not_get_the_answer_of_the_old_one():
    store = account(1, 2, 3)

    def total(sum, fact):
        return sum + fact.event.amount

    assert store.snapshot("account-7", total, 0) == store.state("account-7", total, 0) == 6

    def total(sum, fact):
        return sum + 2 * fact.event.amount

    assert store.state("account-7", total, 0) == 12 and store.state("account-7", total, 1) == 13
    assert store.state("account-7", balance, 0) == 6


def test_a_class_declared_in_another_way_makes_another_state():
    class Rated(Event):
        amount: int

    store = EventStore(":memory:")
    store.append("a", [Rated(amount=1)], recorded=0)
    told = lambda found, fact: [*found, fact.data]  # noqa: E731  it names no class
    store.snapshot("a", told, [])
    plain = store.state("a", told, [])

    class Rated(Event, version=2, upcasts={1: lambda data: data | {"rate": 2}}):
        amount: int
        rate: int

    assert store.state("a", told, []) == [{"amount": 1, "rate": 2}] != plain

    class Rated(Event, version=2, upcasts={1: lambda data: data | {"rate": 3}}):
        amount: int
        rate: int

    assert store.state("a", told, []) == [{"amount": 1, "rate": 3}]


def test_a_fold_of_a_method_is_replayed_and_cannot_be_kept():
    class Counted:
        factor = 2

        def fold(self, total, fact):
            return total + self.factor * fact.event.amount

    counted, store = Counted(), account(1, 2, 3)
    assert store.state("account-7", counted.fold, 0) == 12
    refused(
        lambda: store.snapshot("account-7", counted.fold, 0),
        "a snapshot is kept for a function",
        "is none",
    )


def test_a_fold_that_changes_what_it_begins_with_changes_a_copy():
    start = {"amounts": []}

    def changing(state, fact):
        state["amounts"].append(fact.event.amount)
        return state

    store = account(1, 2)
    for _ in range(2):
        assert store.state("account-7", changing, start) == {"amounts": [1, 2]}
        assert list(store.table("account-7", changing, start)["state"]) == [
            {"amounts": [1]},
            {"amounts": [1, 2]},
        ]
        assert store.snapshot("account-7", changing, start) == {"amounts": [1, 2]}
        store.state("account-7", changing, start)["amounts"].clear()
    assert start == {"amounts": []} and store.state("nobody", changing, start) is not start


def forgets(total, fact):
    total + fact.event.amount


async def waits(total, fact):
    return total


def yields(total, fact):
    yield total + fact.event.amount


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (
            lambda s: s.state("account-7", forgets, 0),
            [
                "forgets returned None for event 1 of account-7",
                "Credited(amount=1)",
                "return the new",
            ],
        ),
        (lambda s: s.snapshot("account-7", forgets, 0), ["forgets returned None"]),
        (lambda s: s.table("account-7", forgets, 0), ["forgets returned None"]),
        (lambda s: s.state("account-7", waits, 0), ["a fold is a function", "not an `async def`"]),
        (
            lambda s: s.state("account-7", yields, 0),
            ["a fold is a function", "not one with `yield`"],
        ),
        (
            lambda s: s.state("account-7", 0, balance),
            ["a fold is a function", "returns the new state", "not 0"],
        ),
        (lambda s: s.table("account-7", "balance"), ["a fold is a function", "not 'balance'"]),
        (
            lambda s: s.state(7, balance, 0),
            ["a stream has a name, such as 'account-7', or None", "not 7"],
        ),
        (lambda s: s.state("", balance, 0), ["a stream has a name", "not ''"]),
        (lambda s: s.table(7), ["a stream has a name", "not 7"]),
        (lambda s: s.snapshot(None, balance, 0), ["a stream has a name", "not None"]),
        (
            lambda s: s.difference("account-7", balance, 0),
            ["two moments", "until=(the earlier, the later)", "as_of="],
        ),
        (lambda s: s.difference("account-7", balance, 0, until=3), ["two moments"]),
        (
            lambda s: s.difference("account-7", balance, 0, until=(1, 2, 3)),
            ["two moments", "not (1, 2, 3)"],
        ),
        (
            lambda s: s.state("account-7", balance, 0, until="3 March"),
            ["until= takes a datetime with a time zone", "'3 March'"],
        ),
        (
            lambda s: s.state("account-7", balance, 0, as_of=datetime(2026, 3, 3)),
            ["as_of=", "has no time zone"],
        ),
    ],
)
def test_what_cannot_be_asked(ask, words):
    store = account(1, 2, 3)
    refused(lambda: ask(store), *words)
    assert store.state("account-7", balance, 0) == 6 and not store.connection.in_transaction


@pytest.mark.parametrize(
    "kept",
    [
        (1, 2),
        {1: 2},
        {1, 2},
        Counter("a"),
        [Credited(amount=1)],
        datetime(2026, 1, 1, tzinfo=UTC),
        {"a": [(1,)]},
        b"x",
    ],
)
def test_a_state_that_json_does_not_give_back_is_not_kept(kept):
    store = account(1, 2, 3)
    fold = lambda state, fact: state  # noqa: E731
    assert store.state("account-7", fold, kept) == kept
    words = "the state", "cannot be kept as JSON", "lists and dicts"
    refused(lambda: store.snapshot("account-7", fold, kept), *words)
    assert not store.connection.in_transaction
    assert store.connection.execute("select count(*) from stored_snapshots").fetchone() == (0,)


def test_a_state_that_holds_itself_or_something_twice_is_not_kept():
    def endless(state, fact):
        state.append(state)
        return state

    def shared(state, fact):
        """Read again from JSON it would be two lists, and the next event would be in one of them."""
        state = state or dict.fromkeys(["all", "recent"], [])  # noqa: RUF024
        state["all"].append(fact.version)
        return state

    for fold, start in ((endless, []), (shared, {})):
        refused(
            lambda fold=fold, start=start: account(1).snapshot("account-7", fold, start),
            "cannot be kept as JSON",
            "twice",
        )


@pytest.mark.parametrize(
    "kept", [None, 3.5, float("inf"), 10**30, "é\n\0", [None, True, [{"a": -0.0}]], {"": {}}]
)
def test_other_states_come_back_as_they_were(kept):
    store = account(1, 2, 3)
    fold = lambda state, fact: kept  # noqa: E731
    store.snapshot("account-7", fold, 0) if kept is not None else store.snapshot("account-7", fold)
    [text] = store.connection.execute("select state from stored_snapshots").fetchone()
    assert repr(json.loads(text)) == repr(kept)


def test_the_table_says_why():
    rows = the_bank().table("account-7", balance, 0)
    assert list(rows) == [
        "position",
        "stream",
        "version",
        "type",
        "happened",
        "recorded",
        "amount",
        "state",
    ]
    assert list(rows["state"]) == [100, 60, 130, 110] and list(rows["version"]) == [1, 2, 4, 3]
    assert (
        str(rows["happened"].dtype) == "datetime64[us, UTC]"
        and str(rows["recorded"].max()) == "2026-03-26 00:00:00+00:00"
    )
    assert list(
        the_bank().table("account-7", until="2026-03-10", as_of="2026-03-05")["amount"]
    ) == [100]
    assert list(EventStore(":memory:").table()) == [
        "position",
        "stream",
        "version",
        "type",
        "happened",
        "recorded",
    ]


def test_a_table_keeps_fields_that_are_called_as_its_own_columns():
    class Awkward(Event):
        version: str
        state: str
        happened: str

    store = EventStore(":memory:")
    store.append("a", [Awkward(version="v", state="s", happened="h")], recorded=0)
    rows = store.table("a", lambda number, fact: number + 1, 0)
    assert rows.loc[
        0, ["version", "state", "data.version", "data.state", "data.happened"]
    ].to_list() == [1, 1, "v", "s", "h"]


def test_a_table_keeps_whole_numbers_whole_where_some_events_have_none():
    class Named(Event):
        name: str

    class Weighed(Event):
        grams: float

    store = EventStore(":memory:")
    store.append(
        "a",
        [Credited(amount=2**62 + 1), Named(name="x"), Weighed(grams=1), Credited(amount=3)],
        recorded=0,
    )
    rows = store.table()
    assert rows["amount"].to_list()[::3] == [2**62 + 1, 3] and str(rows["amount"].dtype) == "Int64"
    assert str(rows["grams"].dtype) == "float64" and rows["amount"].isna().to_list() == [
        False,
        True,
        True,
        False,
    ]
    store.append("a", [Credited(amount=10**30)], recorded=0)
    assert store.table()["amount"].to_list()[-1] == 10**30


def test_a_difference_shows_what_came_and_what_went():
    store = the_bank()
    found = store.difference(
        "account-7", balance, 0, until="2026-03-22", as_of=("2026-03-22", "2026-03-27")
    )
    assert (found.before, found.after, [fact.version for fact in found.came], found.went) == (
        40,
        110,
        [4],
        [],
    )
    said = repr(found).splitlines()
    assert said[0] == "<Difference: 40 became 110>"
    assert said[1:] == [
        "+ <StoredEvent account-7 version 4: Credited(amount=70), 2026-03-12 00:00:00, recorded 2026-03-26 00:00:00>"
    ]
    back = store.difference("account-7", balance, 0, until=("2026-03-22", "2026-03-07"))
    assert [fact.version for fact in back.went] == [2, 4, 3] and back.came == []
    both = store.difference(
        None, balance, 0, until=("2026-03-07", "2026-03-22"), as_of=["2026-03-07", "2026-03-22"]
    )
    assert [fact.version for fact in both.came] == [2, 3] and (both.before, both.after) == (100, 40)


def test_a_fold_over_all_streams_is_that_of_reading_them_all():
    store = account(1, 2)
    store.append("account-8", [Credited(amount=5)], happened=0, recorded=3)
    assert store.state(None, balance, 0) == reduce(balance, store.read(), 0) == 8
    assert store.state(None, lambda found, fact: [*found, fact.stream], []) == [
        "account-7",
        "account-8",
        "account-7",
    ]

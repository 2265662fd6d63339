"""The state at any moment, by either time; and snapshots, which make it faster and never another one."""

import subprocess
import sys
from collections import Counter

import pytest
from bookkeeping import Credited, Debited, account, balance, refused

from edalab import Event, EventStore, Misuse


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


def test_a_snapshot_serves_every_later_question_of_the_same_fold():
    store = account(*[1] * 1000)
    steps = Calls(store).of
    ask = lambda **bounds: store.state("account-7", balance, 0, **bounds)  # noqa: E731
    before = [steps(lambda: ask()), steps(lambda: ask(until=990)), steps(lambda: ask(as_of=990))]
    assert store.snapshot("account-7", balance, 0, until=949) == 950
    after = [steps(lambda: ask()), steps(lambda: ask(until=990)), steps(lambda: ask(as_of=990))]
    assert all(less * 5 < more for less, more in zip(after, before, strict=True)), (before, after)
    assert [ask(), ask(until=990), ask(as_of=990)] == [1000, 991, 991]


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
from edalab import Event, EventStore, Misuse
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
            "forgets returned None for event 1 of account-7",
        ),
        (lambda s: s.snapshot("account-7", forgets, 0), "forgets returned None"),
        (lambda s: s.table("account-7", forgets, 0), "forgets returned None"),
        (lambda s: s.state("account-7", waits, 0), "a fold is a function .* without async"),
        (
            lambda s: s.state("account-7", yields, 0),
            "a fold is a function .* without async and yield",
        ),
        (lambda s: s.table("account-7", "balance"), "a fold is a function .* not 'balance'"),
        (lambda s: s.snapshot("account-7", print, 0), "a snapshot is kept for a function"),
        (lambda s: s.state(7, balance, 0), "a stream has a name, such as 'account-7', or None"),
        (
            lambda s: s.snapshot(None, balance, 0),
            "a stream has a name, such as 'account-7', not None",
        ),
        (
            lambda s: s.difference("account-7", balance, 0, until=3),
            "two moments: until=.the earlier",
        ),
        (lambda s: s.difference("a", balance, 0, until=(1, 2, 3)), "two moments.* not .1, 2, 3."),
        (
            lambda s: s.state("a", balance, 0, until="3 March"),
            "until= takes a datetime with a time",
        ),
        (
            lambda s: s.state("a", balance, 0, as_of="2026-03-03T12:00"),
            "as_of= .* has no time zone",
        ),
        (lambda s: s.read("account-7", after=-1), "after= takes a version, or .* position, not -1"),
    ],
)
def test_what_cannot_be_asked(ask, words):
    store = account(1, 2, 3)
    with pytest.raises(Misuse, match=words):
        ask(store)
    assert store.state("account-7", balance, 0) == 6 and not store.connection.in_transaction


def shared(state, fact):
    """Read again from JSON it would be two lists, and the next event would be in one of them."""
    state = state or dict.fromkeys(["all", "recent"], [])  # noqa: RUF024
    state["all"].append(fact.version)
    return state


def endless(state, fact):
    state.append(state)
    return state


def as_it_is(state, fact):
    return state


@pytest.mark.parametrize(
    ("fold", "start"),
    [
        *((as_it_is, start) for start in ((1, 2), {1: 2}, {1, 2}, Counter("a"), {"a": [(1,)]})),
        (shared, {}),
        (endless, []),
    ],
)
def test_a_state_that_json_does_not_give_back_is_not_kept(fold, start):
    store = account(1, 2)
    words = "the state", "cannot be kept as JSON", "lists and dicts"
    refused(lambda: store.snapshot("account-7", fold, start), *words)
    assert store.connection.execute("select count(*) from stored_snapshots").fetchone() == (0,)


def test_the_table_says_why():
    rows = the_bank().table("account-7", balance, 0)
    own = ["position", "stream", "version", "type", "happened", "recorded"]
    assert list(rows) == [*own, "amount", "state"]
    assert list(rows["state"]) == [100, 60, 130, 110] and list(rows["version"]) == [1, 2, 4, 3]
    assert str(rows["happened"].dtype) == "datetime64[us, UTC]"
    rows = the_bank().table("account-7", until="2026-03-10", as_of="2026-03-05")
    assert list(rows["amount"]) == [100] and list(EventStore(":memory:").table()) == own


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

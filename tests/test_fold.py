"""A fold is known again by its code and all that its code uses, and by nothing else."""

import math
import subprocess
import sys
from collections import Counter
from enum import Enum, Flag
from functools import partial
from types import ModuleType

import pytest
from bookkeeping import refused

from edalab import Event
from edalab.store.fold import fingerprint

FOLD = """
from enum import Enum
from edalab import Event

class Kind(Enum):
    GOOD = 1

class FoldedPaid(Event, version=2, upcasts={1: lambda data: data | {"currency": "EUR"}}):
    amount: int
    currency: str = "EUR"
    @property
    def cents(self): return self.amount * 100

rates, limits = {"EUR": 1.0}, {"low", "high", 7}

def rate(currency): return rates[currency] * rate.spread
rate.spread = 1.5

def make(factor):
    def fold(total, fact, bonus=0, *, less=1):
        def inner(event): return sum(x * rate(event.currency) for x in [event.cents])
        match fact.event:
            case FoldedPaid(amount=amount) if str(amount) not in limits:
                return total + inner(fact.event) * factor + bonus - less + Kind.GOOD.value
        return total
    return fold

fold = make(2)
unrelated = [object()]
"""


def made(source: str = FOLD):
    """What a cell of a notebook makes; its functions find their globals there."""
    there = {"__name__": "__main__"}
    exec(source, there)
    return there


FIRST = fingerprint(made()["fold"], 0)


def test_the_same_declared_again_is_the_same():
    assert fingerprint(made()["fold"], 0) == FIRST
    moved = made("\n\n\n" + FOLD.replace("unrelated = [object()]", "unrelated = 'something else'"))
    assert fingerprint(moved["fold"], 0) == FIRST


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_finds_the_same(seed):
    code = f"from edalab.store.fold import fingerprint\nthere = {{'__name__': '__main__'}}\nexec({FOLD!r}, there)\n"
    code += "print(fingerprint(there['fold'], 0))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONHASHSEED": seed},
        timeout=60,
    )
    assert done.stdout.strip() == FIRST, done.stderr


@pytest.mark.parametrize(
    ("this", "that"),
    [
        ("return total + inner", "return total - inner"),
        ("bonus=0", "bonus=1"),
        ("less=1", "less=2"),
        ("make(2)", "make(3)"),
        ('{"EUR": 1.0}', '{"EUR": 1.5}'),
        ('{"EUR": 1.0}', '{"EUR": 1}'),
        ('{"low", "high", 7}', '{"low", "high", 8}'),
        ("rates[currency] *", "rates[currency] * 2 *"),
        ("rate.spread = 1.5", "rate.spread = 2.5"),
        ("for x in [event.cents]", "for x in [event.amount]"),
        ("x * rate", "x / rate"),
        ("self.amount * 100", "self.amount * 10"),
        ("GOOD = 1", "GOOD = 2"),
        ("upcasts={1: lambda data: data |", "upcasts={1: lambda data:"),
        ('currency: str = "EUR"', 'currency: str = "USD"'),
        ("amount: int", "amount: float"),
        ("version=2", "version=3"),
        ("case FoldedPaid(amount=amount) if", "case FoldedPaid(currency=amount) if"),
    ],
)
def test_whatever_it_uses_makes_a_difference(this, that):
    assert FOLD.count(this) >= 1
    assert fingerprint(made(FOLD.replace(this, that))["fold"], 0) != FIRST


def test_what_changes_while_the_fold_stays_is_seen():
    there = made()
    there["rates"]["EUR"] = 2.0
    assert fingerprint(there["fold"], 0) != FIRST
    there["rates"]["EUR"] = 1.0
    assert fingerprint(there["fold"], 0) == FIRST
    there["sum"] = max  # in the place of Python's own
    assert fingerprint(there["fold"], 0) != FIRST


def test_what_a_fold_counts_on_itself_makes_no_difference():
    there = made(
        "def fold(total, fact):\n fold.seen += 1\n return total + fold.step\nfold.seen, fold.step = 0, 1"
    )
    before = fingerprint(there["fold"])
    there["fold"](0, None)
    assert there["fold"].seen == 1 and fingerprint(there["fold"]) == before
    there["fold"].step = 2
    assert fingerprint(there["fold"]) != before


def test_what_it_begins_with_counts_with_its_type():
    starts = [0, 0.0, False, None, "0", [], {}, (), [0], {"a": 1, "b": 2}, {"b": 2, "a": 1}]
    found = [fingerprint(made()["fold"], start) for start in starts]
    assert len({*found}) == len(found)


def test_long_data_count_to_their_last_item():
    one, other = list(range(10_000)), [*range(9_999), 0]
    assert fingerprint(one) != fingerprint(other) and fingerprint(one) == fingerprint(
        list(range(10_000))
    )


def test_a_function_that_calls_itself_and_data_that_hold_themselves_have_an_end():
    there = made("def down(n): return n and down(n - 1)")
    endless = []
    endless.append(endless)
    assert fingerprint(there["down"]) != fingerprint(endless)


def test_of_a_module_of_the_learners_counts_what_is_used():
    mine = ModuleType("mine")
    mine.rate, mine.other = 1, object()
    there = made("def fold(total, fact): return total * mine.rate * math.pi") | {}
    there["fold"].__globals__.update(mine=mine, math=math)
    before = fingerprint(there["fold"])
    mine.rate = 2
    assert fingerprint(there["fold"]) != before


def test_of_a_module_within_a_module_counts_what_is_used_too():
    mine, mine.rates = ModuleType("mine"), ModuleType("mine.rates")
    mine.rates.euro, mine.rates.mine, mine.rates.other = 1, mine, object()
    there = made("def fold(total, fact): return total * mine.rates.euro")
    there["mine"] = mine
    before = fingerprint(there["fold"])
    mine.rates.euro = 2
    assert fingerprint(there["fold"]) != before


@pytest.mark.parametrize(
    "folder", [f"{sys.prefix}-course", f"{sys.prefix}/src/app", f"{sys.base_prefix}/home/ada"]
)
def test_a_module_beside_python_s_own_is_the_learner_s(folder):
    there = made("def fold(total, fact): return total * rates.euro")
    there["rates"] = rates = ModuleType("rates")
    rates.__file__, rates.euro = f"{folder}/rates.py", 1
    before = fingerprint(there["fold"])
    rates.euro = 2
    assert fingerprint(there["fold"]) != before


class Lamp(Event):
    on: bool = False


class Colour(Enum):
    RED = 1


class Shop:
    lamp = Lamp()


class Fees:
    flat = 3


class Seat(Flag):
    TAKEN = 1


@pytest.mark.parametrize(
    "plain",
    [
        Lamp,
        Colour,
        Colour.RED,
        Seat,
        math.floor,
        Counter,
        range(3),
        b"x",
        {1: {2}},
        "\ud800",
        list[int],
        int | str,
    ],
)
def test_what_is_made_of_plain_things_is_known(plain):
    assert len(fingerprint(plain)) == 16


@pytest.mark.parametrize(
    "strange",
    [object(), partial(max, 1), [].append, iter(()), {"a": Lamp()}, [Counter()], Shop, Fees],
)
def test_what_may_change_unseen_is_refused(strange):
    refused(
        lambda: fingerprint(strange),
        "functions, events, enums and plain data only",
        "may change unseen",
    )

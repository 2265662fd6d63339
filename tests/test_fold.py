"""A fold is known again by its code, its start and the values that it names."""

import subprocess
import sys

import pytest

from edalab.store.fold import fingerprint

FOLD = """
from edalab import Event

class FoldedPaid(Event, version=2, upcasts={1: lambda data: data | {"currency": "EUR"}}):
    amount: int
    currency: str = "EUR"

rates, limit = {"EUR": 1.0}, 7

def rate(currency): return rates[currency]

def make(factor):
    def fold(total, fact, bonus=0, *, less=1):
        def inner(event): return sum(x * rate(event.currency) for x in [event.amount])
        match fact.event:
            case FoldedPaid(amount=amount) if amount < limit:
                return total + inner(fact.event) * factor + bonus - less
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
    moved = made("\n\n\n" + FOLD.replace("unrelated = [object()]", "unrelated = 'another'"))
    assert fingerprint(moved["fold"], 0) == FIRST


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_finds_the_same(seed):
    code = "from edalab.store.fold import fingerprint\nthere = {'__name__': '__main__'}\n"
    code += f"exec({FOLD!r}, there)\nprint(fingerprint(there['fold'], 0))"
    command, environment = [sys.executable, "-c", code], {"PYTHONHASHSEED": seed}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.strip() == FIRST, done.stderr


@pytest.mark.parametrize(
    ("this", "that"),
    [
        ("return total + inner", "return total - inner"),
        ("bonus=0", "bonus=1"),
        ("less=1", "less=2"),
        ("make(2)", "make(3)"),
        ('{"EUR": 1.0}', '{"EUR": 1}'),
        ("}, 7", "}, 8"),
        ("return rates[currency]", "return rates[currency] * 2"),
        ("for x in [event.amount]", "for x in [event.cents]"),
        ("upcasts={1: lambda data: data |", "upcasts={1: lambda data:"),
        ('currency: str = "EUR"', 'currency: str = "USD"'),
        ("amount: int", "amount: float"),
        ("version=2", "version=3"),
    ],
)
def test_whatever_it_uses_makes_a_difference(this, that):
    assert FOLD.count(this) == 1
    assert fingerprint(made(FOLD.replace(this, that))["fold"], 0) != FIRST


def test_what_changes_while_the_fold_stays_is_seen():
    there = made()
    there["rates"]["EUR"] = 2.0
    assert fingerprint(there["fold"], 0) != FIRST
    there["rates"]["EUR"] = 1.0
    assert fingerprint(there["fold"], 0) == FIRST != fingerprint(there["fold"], 0.0)


def test_what_a_fold_counts_on_itself_makes_no_difference():
    there = made("def fold(total, fact):\n fold.seen += 1\n return fold(total, 1)\nfold.seen = 0")
    before = fingerprint(there["fold"])
    there["fold"].seen = 1
    assert fingerprint(there["fold"]) == before

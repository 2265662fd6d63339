"""A fault plan travels as one line."""

import pytest

from edalab import Fault, Faults, Misuse, cut, pause
from edalab.sim import parse_plan
from edalab.sim.plan import parse

PLAN = [
    Fault("crash", at="payments.commit.OrderPlaced", nth=2, seconds=3),
    Fault("drop", at="orders.reply.GetOrder"),
    Faults(drop=0.25, delay=0.1),
    pause("payments", 1, 2.5, replica=2),
    cut("orders", 0.5, 4),
]


def test_what_a_list_of_faults_prints_is_read_back():
    assert parse_plan(repr(PLAN)) == PLAN
    assert parse_plan(f"faults={PLAN}") == PLAN


@pytest.mark.parametrize("between", ["; ", ", ", "\n"])
def test_the_texts_may_stand_by_themselves(between):
    assert parse_plan(between.join(map(str, PLAN))) == PLAN
    assert parse_plan("") == []


@pytest.mark.parametrize(
    "text",
    ["[1]", "[print(1)]", "Faults(__import__('os'))", "Faults(rain=1)", "crash it", "cut('a')"],
)
def test_anything_else_is_refused_and_run_by_nobody(text):
    with pytest.raises(Misuse, match="is not a fault"):
        parse_plan(text)


def test_a_text_in_a_list_of_faults_is_read_as_in_a_line():
    assert [parse(text) for text in map(str, PLAN)] == PLAN

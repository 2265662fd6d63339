"""A fault plan travels as one line."""

import pytest

from edalab import Fault, Faults, Misuse, cut, pause
from edalab.sim import parse_plan

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


def test_the_texts_may_stand_by_themselves():
    texts = [str(fault) for fault in PLAN if not isinstance(fault, Faults)]
    assert (
        parse_plan("; ".join(texts))
        == parse_plan("\n".join(texts))
        == parse_plan(", ".join(texts))
        == [f for f in PLAN if not isinstance(f, Faults)]
    )
    assert parse_plan("Faults(drop=0.5), pause('payments', 1, 2)") == [
        Faults(drop=0.5),
        pause("payments", 1, 2),
    ]
    assert parse_plan("") == []


@pytest.mark.parametrize(
    "text",
    ["[", "[1]", "[print(1)]", "Faults(__import__('os'))", "crash it", "[cut('a')]", "['crash a']"],
)
def test_anything_else_is_refused_and_run_by_nobody(text):
    with pytest.raises(Misuse, match="is no (list of faults|fault)"):
        parse_plan(text)

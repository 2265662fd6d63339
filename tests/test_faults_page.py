"""The page that explains faults says what is so: its code runs, and its table has every action of every step."""

import re
from pathlib import Path

from edalab.model import Queue
from edalab.sim import ACTIONS, Fault, clock

PAGE = (Path(__file__).parent.parent / "docs" / "faults.md").read_text(encoding="utf-8")


def test_the_code_prints_what_stands_below_it(capsys):
    code, printed = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", PAGE, re.DOTALL).groups()
    exec(code, {"__name__": "page"})
    assert capsys.readouterr().out == printed


def test_the_table_has_every_action_of_every_step_and_no_other():
    listed, step = {}, ""
    for named, action in re.findall(r"^\| (?:`(\w+)` )?\| `(\w+)` \|", PAGE, re.MULTILINE):
        step = named or step
        listed.setdefault(step, []).append(action)
    assert listed == {step: list(actions) for step, actions in ACTIONS.items()}


def test_the_docstring_of_a_fault_has_every_action_of_every_step_and_no_other():
    table = re.search(r"that the step has:\n(.*?)\n    at:", Fault.__doc__, re.DOTALL)[1]
    rows = [row.split(": ") for row in re.split(r"\n| {4,}", table) if row.strip()]
    listed = {step: tuple(do.split(", ")) for steps, do in rows for step in steps.split(", ")}
    assert {step.strip(): actions for step, actions in listed.items()} == ACTIONS


def test_the_times_are_those_of_the_clock():
    times = clock.PUBLISH, clock.DELIVER, clock.RESTART, clock.SESSION, clock.DELAY
    assert times == (10, 10, 1_000, 1_000, 1_000)
    assert (clock.DUPLICATE, clock.REFETCH, clock.RETRY) == (500, 500, 100)
    assert Queue("letters").ack_wait == 5

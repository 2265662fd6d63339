"""An answer does not reach its judge: neither frames, nor edalab's functions, nor the exercise itself."""

import os
import sys

import pytest
from test_apart import cell
from test_check import ONE, right

from edalab.claims.claim import Claim
from edalab.exercises import lesson_00, lesson_00_claims, lesson_00_system
from edalab.practice import check, learner
from edalab.practice.exercise import exercise

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no process forks here")
NOTHING = 'async def cancel(command, ctx):\n    return "cancelled"\n'


@pytest.fixture(autouse=True)
def no_file(monkeypatch):
    monkeypatch.setenv(learner.FILE, "")


FRAMES = {
    "sys._getframe": "import sys; frame = sys._getframe()",
    "inspect.currentframe": "import inspect; frame = inspect.currentframe()",
    "inspect.stack": "import inspect; frame = inspect.stack()[0].frame",
    "walk_stack": "import traceback; frame = next(traceback.walk_stack(None))[0]",
    "a traceback": """
    try:
        1 / 0
    except ZeroDivisionError as error:
        frame = error.__traceback__.tb_frame""",
    "a generator": "here = (0 for _ in ()); frame = here.gi_frame",
    "a tracer": "import sys; sys.settrace(print); frame = None",
    "the garbage collector": """
    import gc
    for each in gc.get_objects():
        if isinstance(each, dict) and "a customer is not answered" in each:
            each.clear()
    frame = None""",
}


@pytest.mark.parametrize("way", FRAMES)
@pytest.mark.parametrize("swallowed", [False, True])
def test_an_answer_finds_no_frames(way, swallowed):
    body = f"""
    {FRAMES[way]}
    while frame:
        if "hints" in frame.f_locals:
            frame.f_locals["hints"].clear()
        frame = frame.f_back
"""
    if swallowed:
        lines = "\n".join("    " + line for line in body.strip("\n").splitlines())
        body = f"\n    try:\n{lines}\n    except Exception:\n        pass\n"
    source = f"async def cancel(command, ctx):{body}    return 'cancelled'\n"
    result = check(cell(source), "00.2")
    assert (result.outcome, result.anomaly) == ("not yet", "misuse"), result
    assert "which leads to its judge: use what it is given" in result.evidence


REACHED = [
    ("Claim.check", """
    from edalab.claims.claim import Claim
    Claim.check = lambda self, run: run
"""),
    ("Claim.check.__code__", """
    from edalab.claims.claim import Claim
    Claim.check.__code__ = (lambda self, run: run).__code__
"""),
    ("is_told.function", """
    import edalab.exercises.lesson_00_claims as claims
    claims.is_told.function = lambda run: []
"""),
    ("EXERCISES.1.trial", """
    from edalab.practice.exercise import exercise
    object.__setattr__(exercise("00.2"), "trial", lambda answer, variant: "fine")
"""),
    ("a customer is not answered", """
    from edalab.practice.exercise import exercise
    trial = exercise("00.2").trial
    dict(zip(trial.__code__.co_freevars, trial.__closure__))["hints"].cell_contents.clear()
"""),
    ("simulate", """
    import edalab.practice.exercise, sys
    sys.modules["edalab.practice.exercise"].simulate = None
"""),
]  # fmt: skip


@pytest.mark.parametrize(("what", "source"), REACHED)
def test_an_answer_that_changes_its_judge_is_told_so_and_the_next_one_is_judged_as_ever(
    what, source
):
    before = Claim.check, exercise("00.2").trial, lesson_00_claims.is_told.function
    answer = cell(f"async def cancel(command, ctx):{source}    return 'cancelled'\n")
    result = check(answer, "00.2")
    assert (result.outcome, result.anomaly) == ("not yet", "misuse"), result
    assert what in result.evidence and "by which edalab judges an answer" in result.evidence
    assert before == (Claim.check, exercise("00.2").trial, lesson_00_claims.is_told.function)
    assert check(cell(NOTHING), "00.2").anomaly not in ("misuse", "")


def test_a_value_is_judged_where_no_code_of_the_learners_ran():
    answer = cell("""
def as_long_as_possible():
    import edalab.exercises.lesson_00 as judge
    judge.EXERCISES[0].__class__.lesson = property(lambda self: "00")
    judge.in_turn = judge.answered = lambda *given: None
    return 0.5, "c"
""")
    before = lesson_00.in_turn
    assert check(answer, "00.1").anomaly == "misuse" and lesson_00.in_turn is before


def test_what_another_cell_replaced_is_told(monkeypatch):
    notebook = cell(f"def always(self, run):\n    return run\n{NOTHING}").__globals__
    monkeypatch.setattr(Claim, "check", notebook["always"])
    result = check(notebook["cancel"], "00.2")
    assert result.anomaly == "misuse"
    assert "this notebook replaced edalab.claims.claim.Claim.check" in result.evidence
    assert "restart the kernel" in result.evidence


def test_what_reads_frames_in_python_itself_is_no_attack(monkeypatch):
    monkeypatch.setattr(sys.modules["edalab.practice.check"], "exercise", lambda id: ONE)

    def charge(event, ctx):
        import collections
        import dataclasses
        import enum
        import logging
        import traceback
        import warnings

        collections.namedtuple("Order", "id")
        dataclasses.make_dataclass("Order", ["id"])
        enum.Enum("Way", "a b")
        logging.getLogger("shop").warning("charged")
        warnings.warn("charged", stacklevel=2)
        try:
            event.nothing
        except AttributeError:
            traceback.format_exc()
        return right(event, ctx)

    result = check(charge, "05.2")
    assert result.correct, str(result)


def test_what_python_keeps_of_warnings_is_not_the_judge(monkeypatch):
    monkeypatch.setattr(lesson_00_system, "__warningregistry__", {"version": 1}, raising=False)
    answer = cell("""
async def cancel(command, ctx):
    import edalab.exercises.lesson_00_system as shop
    shop.__warningregistry__ = {"version": 2}
    return "cancelled"
""")
    assert check(answer, "00.2").anomaly not in ("misuse", "")

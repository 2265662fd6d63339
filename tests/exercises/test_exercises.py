"""Every exercise: its stub is not attempted, its solution correct, right answers of any style are correct, and each wrong one
is told the anomaly it has. The answers are in `answers_<lesson>.py`, the solutions in the teacher's notebooks."""

import ast
import importlib
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

import nbformat
import pytest
from mutants import mutants
from survivors import SURVIVORS

from edalab.practice import check, learner
from edalab.practice.check import _GENERAL
from edalab.practice.exercise import of_lesson

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(
    path.stem.removeprefix("answers_") for path in Path(__file__).parent.glob("answers_*.py")
)
IDS = [exercise.id for lesson in LESSONS for exercise in of_lesson(lesson)]
GENERAL = set(_GENERAL)


def answers(id: str, kind: str):
    return getattr(importlib.import_module(f"answers_{id[:2]}"), f"{kind}_{id[-1]}")


RIGHT = [
    pytest.param(id, answer, id=f"{id}-{answer.__name__}")
    for id in IDS
    for answer in answers(id, "RIGHT")
]
WRONG = [
    pytest.param(id, anomaly, answer, id=f"{id}-{answer.__name__}")
    for id in IDS
    for anomaly, wrong in answers(id, "WRONG").items()
    for answer in wrong
]


def cells(folder: str, lesson: str) -> list:
    [path] = (ROOT / folder).glob(f"{lesson}-*.ipynb")
    return nbformat.read(path, as_version=4).cells


def answer_cell(folder: str, id: str) -> str:
    """The source of an exercise's answer cell."""
    grade_id = f"answer-{id.replace('.', '-')}"
    [source] = [
        c.source
        for c in cells(folder, id[:2])
        if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    ]
    return source


@cache
def of_the_notebook(lesson: str) -> dict:
    """What a lesson imports and defines without running anything, its exercises left out."""
    namespace = {"__name__": "notebook"}
    for cell in cells("notebooks", lesson):
        if cell.cell_type == "code" and "nbgrader" not in cell.metadata:
            for node in ast.parse(cell.source).body:
                if isinstance(node, _DEFINES) and not getattr(node, "decorator_list", ()):
                    with suppress(NameError):  # of a default that is made by running something
                        exec(
                            compile(ast.Module([node], []), f"notebook {lesson}", "exec"), namespace
                        )
    return namespace


_DEFINES = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def defined(source: str, id: str):
    """The function that an answer cell defines, in the notebook."""
    namespace = dict(of_the_notebook(id[:2]))
    exec(compile(source, f"answer {id}", "exec"), namespace)
    last = [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ][-1]
    return namespace[last]


def solution(id: str):
    return defined(answer_cell("teacher", id), id)


@pytest.fixture(autouse=True)
def kept(monkeypatch, tmp_path):
    monkeypatch.setenv(learner.FILE, str(tmp_path / "progress.json"))


@pytest.mark.parametrize("id", IDS)
def test_there_are_answers_and_hints_enough(id):
    wrong = answers(id, "WRONG")
    assert len(answers(id, "RIGHT")) >= 3 and sum(map(len, wrong.values())) >= 4
    hints = next(exercise for exercise in of_lesson(id[:2]) if exercise.id == id).hints
    assert set(wrong) <= set(hints) | GENERAL
    assert all(name.removesuffix(", by itself") in hints for name in hints)
    for question, pointer, idea in hints.values():
        assert question.endswith("?") and len({question, pointer, idea}) == 3


@pytest.mark.parametrize("id", IDS)
def test_the_stub_is_not_attempted(id):
    stub = defined(answer_cell("notebooks", id), id)
    assert stub.__doc__ and check(stub, id).outcome == "not attempted"


@pytest.mark.parametrize("name", ["", "Ada Lovelace"])
@pytest.mark.parametrize("id", IDS)
def test_the_teachers_solution_is_correct(id, name):
    if name:
        learner.enrol(name)
    result = check(solution(id), id)
    assert result.correct, result


@pytest.mark.parametrize(("id", "answer"), RIGHT)
def test_a_right_answer_is_correct(id, answer):
    result = check(answer, id)
    assert result.correct, result


@pytest.mark.parametrize(("id", "anomaly", "answer"), WRONG)
def test_a_wrong_answer_is_told_what_is_wrong_with_it(id, anomaly, answer):
    result = check(answer, id)
    assert (result.outcome, result.anomaly) == ("not yet", anomaly), result
    assert result.evidence and result.hint


@pytest.mark.parametrize("id", [id for id in IDS if id.endswith(".3")])
def test_the_third_exercise_breaks_the_solution_of_the_second(id):
    result = check(solution(id.replace(".3", ".2")), id)
    assert result.outcome == "not yet" and result.anomaly not in GENERAL and result.run.faults, (
        result
    )


@pytest.mark.parametrize("id", IDS)
def test_a_solution_with_a_small_thing_wrong_does_not_pass_or_is_right_as_well(id):
    found = {}
    for what, mutant in mutants(
        re.sub(r" *### (BEGIN|END) SOLUTION\n", "", answer_cell("teacher", id) + "\n")
    ):
        try:
            answer = defined(mutant, id)
        except SyntaxError:
            continue
        if check(answer, id).correct:
            found[what] = mutant
    unlisted = {what: mutant for what, mutant in found.items() if what not in SURVIVORS.get(id, {})}
    assert not unlisted, "\n\n".join(f"{what}\n{mutant}" for what, mutant in unlisted.items())
    assert set(SURVIVORS.get(id, {})) <= set(found), "these do not pass any more"

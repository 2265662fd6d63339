"""Every exercise: its stub is not attempted, its solution correct, right answers of any style are correct, and each wrong one
is told the anomaly it has. The answers are in `answers_<lesson>.py`, the solutions in the teacher's notebooks."""

import ast
import importlib
import inspect
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas
import pytest
from mutants import mutants
from survivors import SURVIVORS

from edalab import Misuse, read_table
from edalab.errors import Unknown
from edalab.exercises.lesson_03 import CORRECTED
from edalab.exercises.lesson_06_system import orders_of
from edalab.practice import check, enrol, figures, learner
from edalab.practice.answer import Answer
from edalab.practice.exercise import Anomaly, exercise, general_hints, of_lesson

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(
    path.stem.removeprefix("answers_") for path in Path(__file__).parent.glob("answers_*.py")
)
IDS = [exercise.id for lesson in LESSONS for exercise in of_lesson(lesson)]
WITH_FIGURES = [id for id in IDS if exercise(id).figures]
GENERAL = set(general_hints())
CLASS = ["Ada Lovelace", "Ada King", "Bob", "Cleo", "Émile Zo", "山田 太郎", "🦊", "Dana O'Neill"]
CLASS += ["Eve", "Finn", "Gül", "Hana"]


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
    if lesson == "03":
        namespace["year"] = read_table(
            pandas.read_csv(ROOT / "data" / "bank-2025.csv", dtype={"amount": "Int64"}),
            type="type", subject="account", time="happened", recorded="recorded", id="id",
            version="version",
        )  # fmt: skip
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
    of_the_notebook.cache_clear()  # so that this test's lesson declares its messages last


@pytest.mark.parametrize("id", IDS)
def test_there_are_answers_and_hints_enough(id):
    wrong = answers(id, "WRONG")
    assert len(answers(id, "RIGHT")) >= 4 and sum(map(len, wrong.values())) >= 8
    hints = next(exercise for exercise in of_lesson(id[:2]) if exercise.id == id).hints
    assert set(wrong) <= set(hints) | GENERAL
    assert all(name.removesuffix(", by itself") in hints for name in hints)
    for question, pointer, idea in [*hints.values(), *general_hints().values()]:
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


def test_an_exception_that_comes_only_under_a_fault_is_told_with_its_line():
    as_a_table = importlib.import_module("answers_06").as_a_table
    result = check(as_a_table, "06.3")
    assert result.anomaly == "raises" and result.run.faults
    assert re.search(r"; line \d+ of as_a_table raised KeyError", result.evidence), result


@pytest.mark.parametrize(("id", "anomaly", "answer"), WRONG)
def test_a_wrong_answer_is_told_what_is_wrong_with_it(id, anomaly, answer):
    result = check(answer, id)
    assert (result.outcome, result.anomaly) == ("not yet", anomaly), result
    assert result.evidence and result.hint
    if anomaly == "raises":
        assert re.search(r"line \d+ of \w+ raised \w+", result.evidence), result


# In 02, 08, 09 and 12 the last two functions are about different messages, and in 10 they handle none.
OWN = ("02", "08", "09", "10", "12")


@pytest.mark.parametrize("lesson", [id for id in LESSONS if id not in OWN])
def test_the_last_function_to_write_breaks_the_solution_of_the_one_before(lesson):
    *_, before, id = [id for id in IDS if id[:2] == lesson and id not in WITH_FIGURES]
    result = check(solution(before), id)
    assert result.outcome == "not yet" and result.anomaly not in GENERAL and result.run.faults, (
        result
    )


@pytest.mark.parametrize("answer", answers("06.2", "RIGHT"))
def test_no_right_answer_to_06_2_survives_the_silence_of_06_3(answer):
    result = check(answer, "06.3")
    assert result.outcome == "not yet" and result.run.faults, result


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
        if check(answer, id).correct and (id not in WITH_FIGURES or correct_for(CLASS, mutant, id)):
            found[what] = mutant
    unlisted = {what: mutant for what, mutant in found.items() if what not in SURVIVORS.get(id, {})}
    assert not unlisted, "\n\n".join(f"{what}\n{mutant}" for what, mutant in unlisted.items())
    assert set(SURVIVORS.get(id, {})) <= set(found), "these do not pass any more"


def correct_for(names: list[str], source: str, id: str) -> bool:
    """Whether an answer is correct with the figures of each of these learners."""
    with pytest.MonkeyPatch.context() as patched:
        for name in names:
            patched.setattr(learner, "saved_progress", learner.SavedProgress(name=name).model_copy)
            if not check(defined(source, id), id).correct:
                return False
    return True


def test_without_a_name_the_figures_are_those_of_the_stored_notebooks():
    assert {id: figures(id) for id in WITH_FIGURES} == {
        "00.1": {"patience": 1},
        "01.1": {"outage": 35},
        "02.1": {"again": 0.95},
        "03.3": {"account": "account-9", "day": "2025-04-26", "month": "May"},
        "04.1": {"amounts": [0, 100, -30, 10], "backup": 70},
        "05.2": {"failures": 5},
        "06.1": {"late": 1},
        "07.1": {"events": 30, "seconds": 1, "partitions": 4},
        "08.1": {"orders": 6, "same_again": 2, "published_again": 1, "tried_again": 2},
        "09.1": {"history": [dict(zip(COLUMNS, line, strict=True)) for line in HISTORY]},
        "10.1": {"changes": [dict(zip(CHANGE, line, strict=True)) for line in CHANGES]},
        "11.1": {"cases": [dict(zip(CASE, line, strict=True)) for line in CASES]},
        "12.1": {"arrivals": 20, "service": 0.275, "workers": 4, "lasts": 20},
    }


def test_figures_follow_from_the_name_alone_and_the_teacher_sees_those_of_a_learner():
    assert learner.variant("Ada Lovelace") == 74433
    before = {id: figures(id, "Ada Lovelace") for id in WITH_FIGURES}
    enrol("Ada Lovelace")
    assert before == {id: figures(id) for id in WITH_FIGURES}


@pytest.mark.parametrize("id", [id for id in IDS if id not in WITH_FIGURES])
def test_a_question_without_figures_says_so_and_names_those_with_figures(id):
    with pytest.raises(Misuse, match=f"{id} has no figures; .*: {', '.join(WITH_FIGURES)}$"):
        figures(id)


@pytest.mark.parametrize("id", ["99.1", "5.2", "05.4", 5.2, None, ""])
def test_an_unknown_exercise_is_refused_with_those_there_are_in_order(id):
    names = ", ".join(f"{lesson}.1 to {lesson}.3" for lesson in LESSONS)
    for ask in (figures, lambda id: check(len, id)):
        with pytest.raises(Unknown, match=f"no exercise {id!r}; exercises: {names}") as refused:
            ask(id)
        assert "Did you mean '05.2'?" in str(refused.value) or id != "5.2"


def test_an_exercise_before_its_function_is_refused_with_the_right_order():
    with pytest.raises(Misuse, match=r'check\(len, "05.1"\)'):
        check("05.1", len)


@pytest.mark.parametrize("id", WITH_FIGURES)
def test_an_answer_copied_from_a_neighbour_fails_and_one_that_is_worked_out_passes(id):
    right = {}
    for name in CLASS:
        enrol(name)
        right[name] = solution(id)()
    assert len({str(figures(id, name)) for name in CLASS}) >= 5 <= len({*map(str, right.values())})
    for name, neighbour in zip(CLASS[::3], CLASS[1::3], strict=False):
        enrol(name)
        result = check(solution(id), id)
        assert result.correct, (name, result)

        def copied(answer=right[neighbour]):
            return answer

        result = check(copied, id)
        assert result.correct == (right[neighbour] == right[name]), (name, result)
        if not isinstance(right[name][0], int | float):
            continue
        step = 1 if isinstance(right[name][0], int) else 0.1
        off = abs(right[neighbour][0] - right[name][0])
        if off > step + 0.01:  # else the right one may be named as the next to be tried
            numbers = re.findall(r"\d+(?:\.\d+)?", f"{result.evidence} {result.hint}")
            assert f"{right[name][0]:g}" not in numbers, (name, right[name], result)


@pytest.mark.parametrize(  # a tick, as in 11, gets no data
    "id",
    [id for id in IDS if id not in (*WITH_FIGURES, "12.2") and id[:2] not in ("06", "10", "11")],
)
def test_a_handler_made_for_the_data_of_a_neighbour_fails(id):
    neighbours = data_of(id, CLASS[1])
    assert isinstance(tried(id, CLASS[0], knowing(neighbours)), Anomaly)


def test_what_comes_next_in_a_saga_is_asked_about_orders_of_ones_own():
    """The function of 06.2 and 06.3 sees a log without figures: a table of logs is right for all."""
    orders = {name: orders_of(learner.variant(name)) for name in CLASS}
    ids = [order.order_id for placed in orders.values() for order in placed]
    assert len(set(ids)) == len(ids) == 4 * len(CLASS)
    assert len({order.total for placed in orders.values() for order in placed}) > 12


def tried(id: str, name: str, around) -> Anomaly | str:
    """What a learner's trial finds in the teacher's solution with something put around it."""
    asked = exercise(id)
    answer = Answer(solution(id), asked.takes, asked.names)
    with answer.at_home_in(f"edalab.exercises.lesson_{id[:2]}"):
        given = SimpleNamespace(
            function=around(answer.function), again=None, where_raised=lambda error: ""
        )
        return asked.trial(given, learner.variant(name))


def knowing(data: set):
    """A handler that does something about these ids, names and amounts only."""
    return lambda function: wrapped(function, lambda message: leaves(message) <= data)


def data_of(id: str, name: str) -> set:
    """All ids, names and amounts in the messages that a learner's function is called with."""
    seen = set()
    found = tried(id, name, lambda f: wrapped(f, lambda m: seen.update(leaves(m)) or True))
    assert isinstance(found, str)
    return seen


def leaves(message) -> set:
    return {value for value in dict(message).values() if not isinstance(value, float)}


def wrapped(function, fits):
    async def around(message, ctx):
        if fits(message):
            returned = function(message, ctx)
            return await returned if inspect.isawaitable(returned) else returned

    return around


def test_the_corrected_deposits_of_03_3_are_those_of_the_data():
    names = of_the_notebook("03")
    for account, day, recorded, was, believed in CORRECTED:
        first = pandas.Timestamp(recorded)
        for as_of, total in ((first, was), (first - pandas.Timedelta(days=1), believed)):
            known = f"{as_of:%Y-%m-%d}"
            found = names["year"].state(account, names["balance"], 0, until=day, as_of=known)
            assert found == total


COLUMNS = "line story time shop clock customer asks answer".split()
HISTORY = [
    (1, 1, 1.2, "south", 1.2, "eve", "buys 2", "sold"),
    (2, 1, 1.9, "north", 1.9, "bob", "buys 10", "sold"),
    (3, 2, 2.0, "south", 2.0, "gil", "buys 2", "sold"),
    (4, 2, 2.4, "north", 2.4, "dora", "asks how many are left", "10 left"),
    (5, 3, 1.4, "south", 1.4, "gil", "sets the price to 22", "done"),
    (6, 3, 2.0, "south", 2.0, "finn", "asks for the price", "22 euros"),
    (7, 3, 2.6, "north", 2.6, "finn", "asks for the price", "20 euros"),
    (8, 4, 1.5, "north", 1.5, "eve", "sets the price to 22", "done"),
    (9, 4, 2.2, "south", 2.2, "eve", "asks for the price", "20 euros"),
    (10, 5, 5.0, "south", 7.0, "gil", "sets the price to 22", "done"),
    (11, 5, 6.0, "north", 6.0, "cleo", "sets the price to 25", "done"),
    (12, 5, 8.0, "south", 10.0, "dora", "asks for the price", "22 euros"),
    (13, 5, 8.4, "north", 8.4, "dora", "asks for the price", "22 euros"),
    (14, 6, 5.0, "south", 5.0, "ada", "sets the price to 22", "done"),
    (15, 6, 6.0, "north", 4.0, "finn", "sets the price to 25", "done"),
    (16, 6, 7.0, "north", 5.0, "eve", "asks for the price", "22 euros"),
    (17, 6, 7.4, "south", 7.4, "eve", "asks for the price", "22 euros"),
]
CHANGE = ["change", "billing reads", "before", "after"]
CHANGES = [
    (1, "strict", 'note: str = ""', 'note: str = "none"'),
    (2, "tolerant", "table: int", 'table: Literal["A1", "B2"]'),
    (3, "tolerant", "weight: int", "weight: float"),
    (4, "strict", 'note: str = ""', ""),
    (5, "tolerant", "total: float  # euros", "total: float  # euros, without 20 % tax"),
    (6, "tolerant", "", "discount: int = 0  # per cent"),
    (7, "tolerant", "", 'note: str = ""'),
    (8, "tolerant", "customer: str", ""),
]
CASE = ["case", "handler", "relay", "crash before"]
CASES = [
    (1, "begin, publish, commit, ack", "", "commit"),
    (2, "look, save, publish, ack", "", "publish"),
    (3, "look, save both, ack", "delete, publish", "relay: publish"),
    (4, "save, publish, ack", "", "publish"),
    (5, "ack, begin, publish, commit", "", "commit"),
    (6, "look, save both, ack", "publish, delete", "relay: publish"),
]

"""What a lesson shows near a question doesn't give the answer away before the learner has chosen.

The cell with the fact asks for a choice, but the picture above it or the table below it could still tell. So the
outputs of the six cells after each question are searched for the fact, and with them the texts of their pictures,
which are stored as pixels. Prose is left out. It speaks of the fact, and learners read it after they ran the cell.

A fact is searched for as a whole number. What was measured with it ("1780 bytes") counts too. 0, 1 and 2 are
everywhere, so they don't count. In a picture, neither does a number that stands alone, such as a time on its axis.
A fact in words ("goes wrong") follows from a claim's verdict, so there is none near such a question. After the next
prose, verdicts are about something else.
"""

import ast
import re
from functools import cache
from html import unescape
from typing import Any, NamedTuple

import lessons
import pytest

from edalab.practice import Prediction
from edalab.view.picture import Picture
from tools import store

NAMES = ["start", *sorted(path.stem for path in store.ROOT.glob("notebooks/[0-9]*.ipynb"))]
NEAR = 6
NUMBER = re.compile(r"(?<![\w.,:#-])-?\d+(?:\.\d+)?(?![\w:]|[.,]\d)")
VERDICT = re.compile(r"✗|✓|\b(?:broken|holds)\b")
# The first lines of cells that only seem to give a fact away.
KNOWN = {
    # Its timeline has five lanes, and five is also the fact.
    "05-choreographed-saga": {"async def two_orders(ctx):"},
    # Its lanes name all four prices, one of which is the fact.
    "07-ordering": {'class PriceChanged(Event, topic="prices", key="product"):'},
    # Its timeline has three lanes, and the evidence of the fact says "and 3 more".
    "09-eventual-consistency": {"asked = simulate(one_owner(), customers())"},
}


class Question(NamedTuple):
    choices: list | dict
    fact: Any
    exactly: str
    told_in: int  # the cell
    near: dict[int, str]  # what cells after it show before a choice


@cache
def questions(name: str) -> list[Question]:
    """The questions of a lesson, which runs as if a choice had been made wherever it asks for one."""
    cells = lessons.read(name).cells
    asked, told, pictures, names = {}, {}, {}, {"__name__": f"lesson {name}"}
    compare, at = Prediction.against, 0

    def against(self, fact, exactly=""):
        told[self] = (compare(self, fact).parts[1][1], exactly, at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Prediction, "made", True)
        patch.setattr(Prediction, "value", property(lambda self: self.default))
        patch.setattr(Prediction, "against", against)
        patch.setattr(Prediction, "reveal", lambda self, answer: None)
        for at, cell in enumerate(cells):
            if cell.cell_type != "code":
                continue
            tree = ast.parse(cell.source)
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, f"lesson {name}", "exec"), names)
            for thing in names.values():
                if isinstance(thing, Prediction):
                    asked.setdefault(thing, at)
            near = any(first < at <= first + NEAR for first in asked.values())
            if last and (near or ".against(" in cell.source):
                shown = eval(compile(ast.Expression(last.value), f"lesson {name}", "eval"), names)
                pictures[at] = texts(shown) if isinstance(shown, Picture) else ""
    return [
        Question(
            question.choices,
            *told[question],
            {
                n: stored(cells[n]) + pictures.get(n, "")
                for n in range(first + 1, min(first + 1 + NEAR, len(cells)))
                if cells[n].cell_type == "code" and n not in asked.values()
            },
        )
        for question, first in asked.items()
    ]


def texts(picture: Picture) -> str:
    """What is written in a picture, a line for each text, without numbers that stand alone."""
    found = re.findall(r"<text[^>]*>(.*?)</text>", picture.svg(), re.DOTALL)
    lines = (unescape(re.sub(r"<[^>]*>", "", text)).strip() for text in found)
    return "\n".join(line for line in lines if not NUMBER.fullmatch(line))


def stored(cell) -> str:
    """What a cell's stored outputs say, without the digest of a picture."""
    said = [output.get("text") or output.data["text/plain"] for output in cell.outputs]
    return "\n".join(re.sub(r"; [0-9a-f]{8}$", "", text) for text in said) + "\n"


def spoilers(name: str) -> dict[str, list[str]]:
    """What tells a fact before a choice, by the first line of its cell."""
    cells, found = lessons.read(name).cells, {}
    for question in questions(name):
        numbers = NUMBER.findall(f"{question.fact} {question.exactly}")
        numbers = [number for number in numbers if abs(float(number)) > 2]
        in_words = not NUMBER.search(str(question.fact))
        prose = [n for n in range(question.told_in, len(cells)) if cells[n].cell_type != "code"][0]
        for n, shown in question.near.items():
            said = [number for number in NUMBER.findall(shown) if number in numbers]
            if said := said + VERDICT.findall(shown) * (in_words and n < prose):
                found[cells[n].source.splitlines()[0]] = said
    return found


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_a_lesson_shows_gives_a_prediction_away(name):
    found = spoilers(name)
    assert set(found) == KNOWN.get(name, set()), found


@pytest.mark.parametrize("name", NAMES)
def test_in_every_lesson_a_prediction_can_come_true(name):
    asked = questions(name)
    assert asked and all(question.fact in question.choices for question in asked)


def test_a_number_is_a_whole_one():
    found = NUMBER.findall("18 broken (18); #2, 0.18 s, v18, -20 of 1,553, 18.")
    assert found == ["18", "18", "0.18", "-20", "18"]

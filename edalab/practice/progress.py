"""What one learner has done, lesson by lesson, as the start page shows it."""

from html import escape
from typing import Any

from ..view.theme import QUIET, WORK
from . import learner
from .exercise import LESSONS, Exercise, of_lesson

_MARKS = {"correct": "●", "not yet": "◐", "": "○"}


def progress() -> "Progress":
    """What has been done: for each exercise ● correct, ◐ begun, ○ open; and how many predictions came true."""
    return Progress(learner.kept())


class Progress:
    """The exercises of each lesson, and what became of them. `.correct` and `.total` count them."""

    def __init__(self, kept: dict[str, Any]):
        self.name, self.predictions = kept["name"], kept["predictions"]
        self.lessons: dict[str, list[tuple[Exercise, str]]] = {
            lesson: [
                (one, kept["exercises"].get(one.id, {}).get("outcome", ""))
                for one in of_lesson(lesson)
            ]
            for lesson in LESSONS
        }

    @property
    def correct(self) -> int:
        return sum(outcome == "correct" for done in self.lessons.values() for _, outcome in done)

    @property
    def total(self) -> int:
        return sum(map(len, self.lessons.values()))

    def _head(self) -> str:
        true = sum(p["predicted"] == p["fact"] for p in self.predictions.values())
        predicted = (
            f"; {true} of {len(self.predictions)} predictions came true" if self.predictions else ""
        )
        return (
            f"{self.name}: " if self.name else ""
        ) + f"{self.correct} of {self.total} exercises correct{predicted}"

    def _repr_html_(self) -> str:
        rows = [
            f'<div style="font-size:14px;margin-bottom:4px"><b>{escape(self._head())}</b></div>'
        ]
        for lesson, done in self.lessons.items():
            marks = [
                f'<span style="color:{WORK if outcome == "correct" else QUIET};margin-right:18px">'
                f"{_MARKS[outcome]} {escape(one.id)} {escape(one.title)}</span>"
                for one, outcome in done
            ]
            rows.append(f'<div style="padding:1px 0">{"".join(marks)}</div>')
        return "".join(rows)

    def __repr__(self) -> str:
        lines = [
            " ".join([lesson, *(_MARKS[outcome] for _, outcome in done)])
            for lesson, done in self.lessons.items()
        ]
        return "\n".join([self._head(), *lines])

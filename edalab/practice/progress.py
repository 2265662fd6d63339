"""A learner's progress, lesson by lesson, as the start page shows it."""

from html import escape

from ..view.theme import QUIET, WORK, tinted
from . import learner
from .exercise import LESSONS, Exercise, of_lesson

_MARKS = {"correct": "●", "not yet": "◐", "": "○"}


def progress() -> "Progress":
    """Your progress: each exercise as ● correct, ◐ begun or ○ open, and how many of your
    predictions were right."""
    return Progress(learner.saved_progress())


class Progress:
    """The outcomes of each lesson's exercises in `.lessons`, counted by `.correct` and `.total`."""

    def __init__(self, saved: learner.SavedProgress):
        self.name, self.predictions = saved.name, saved.predictions
        outcomes = {id: done.outcome for id, done in saved.exercises.items()}
        self.lessons: dict[str, list[tuple[Exercise, str]]] = {
            lesson: [(one, outcomes.get(one.id, "")) for one in of_lesson(lesson)]
            for lesson in LESSONS
        }

    @property
    def correct(self) -> int:
        return sum(outcome == "correct" for done in self.lessons.values() for _, outcome in done)

    @property
    def total(self) -> int:
        return sum(map(len, self.lessons.values()))

    def _head(self) -> str:
        head = f"{self.name}: " if self.name else ""
        head += f"{self.correct} of {self.total} exercises correct"
        if self.predictions:
            right = sum(each.predicted == each.fact for each in self.predictions.values())
            head += f"; {right} of {len(self.predictions)} predictions came true"
        return head

    def _repr_html_(self) -> str:
        style = "font-size:14px;margin-bottom:4px"
        rows = [f'<div style="{style}"><b>{escape(self._head())}</b></div>']
        for done in self.lessons.values():
            marks = []
            for one, outcome in done:
                colour = tinted(WORK if outcome == "correct" else QUIET)
                text = f"{_MARKS[outcome]} {escape(one.id)} {escape(one.title)}"
                marks.append(f'<span style="color:{colour};margin-right:18px">{text}</span>')
            rows.append(f'<div style="padding:1px 0">{"".join(marks)}</div>')
        return "".join(rows)

    def __repr__(self) -> str:
        lines = [
            " ".join([lesson, *(_MARKS[outcome] for _, outcome in done)])
            for lesson, done in self.lessons.items()
        ]
        return "\n".join([self._head(), *lines])

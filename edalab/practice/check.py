"""`check(charge, "05.2")` runs a learner's function under every fault and names what is wrong."""

import re
from html import escape
from typing import Any

from ..errors import Endless, Misuse, listed
from ..model import declared_in
from ..stuck import TooLong, watched
from ..view.picture import Picture
from ..view.theme import FAULT, QUIET, WORK, tinted
from . import learner
from .answer import Answer
from .exercise import Anomaly, Exercise, all_exercises, exercise

_GENERAL = {  # hints for anomalies that any exercise can have
    "raises": (
        "What does the message say, and which value does that line meet?",
        "Call your function by itself, in a cell of its own, with one event.",
        "Every name that it uses must be one of its parameters, made in it, or imported above.",
    ),
    "no such function": ("Which function does the exercise ask for, and what did you give check?",)
    * 3,
    "misuse": ("The sentence above says what went wrong. What does it tell you to write instead?",)
    * 3,
    "does not end": (
        "What would make your function stop?",
        "Does each message it publishes lead to another one like it? Does its loop ever change its own condition?",
        "Give a loop a bound, and do not publish what your function itself handles.",
    ),
    "nothing happens": (
        "Did your function do anything that another service can see?",
        "Making an event does not publish it. Is it returned, or given to ctx.publish?",
        "Follow the docstring in every case that it names.",
    ),
    "changes what is outside": (
        "Is that variable still there after a crash, and does a second replica see it?",
        "A service has its database, and ctx.state for what may be forgotten. Everything else is outside.",
        "Keep what must be remembered in a table, with ctx.database. To look at values, use print or ctx.note.",
    ),
    "two runs differ": (
        "Which value that your function uses is a different one in the next run?",
        "A clock, dice, an id, a set's order: each run has its own ctx.now, ctx.random and ctx.new_id().",
        "Take all that you use from the event, from ctx and from the service's database.",
    ),
    "no value and reason": (
        "What does your function return, and what does its docstring ask for?",
        "Two things with a comma between them: a number, and the letter of a reason in quotes.",
        'It ends as in `return 7, "a"`.',
    ),
    "not finished": ("Was it stopped before it could be judged? Run the cell again.",) * 3,
}


class Result:
    """The verdict on an answer: `.outcome` is "not attempted", "not yet" or "correct".

    Of an answer that is not yet correct, `.anomaly` names what is wrong, `.evidence` proves it, `.run`
    is the run that shows it (or None), and `.hint` helps. Of a correct one, `.tried` says under what
    it was tried. `.printed` is what it printed.
    """

    def __init__(
        self,
        id: str,
        outcome: str,
        anomaly: Anomaly | None = None,
        hint: str = "",
        tried: str = "",
        printed: str = "",
    ):
        self.id, self.outcome, self.hint = id, outcome, hint
        self.tried, self.printed = tried, printed
        self.anomaly, self.evidence, self.run = anomaly or Anomaly("", "")

    @property
    def correct(self) -> bool:
        return self.outcome == "correct"

    def picture(self) -> Picture | None:
        """The timeline of the run that shows what is wrong."""
        from ..view import timeline

        return None if self.run is None else timeline(self.run)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({"text/html": self._html(), "text/plain": str(self)}, raw=True)
        picture = self.picture()
        if picture is not None:  # in an output of its own: of two forms of one a notebook shows one
            display(picture)

    @property
    def _title(self) -> str:
        return self.anomaly or self.tried

    @property
    def _faults(self) -> str:
        if self.run is None:
            return ""
        faults = ", ".join(map(str, self.run.faults))
        return f"when: {faults}" if faults else "when nothing goes wrong"

    def _html(self) -> str:
        colour = {"correct": WORK, "not yet": FAULT}.get(self.outcome, QUIET)
        head = f'<b style="color:{tinted(colour)}">{self.id} {self.outcome}</b>'
        if self._title:
            head += f": <b>{escape(self._title)}</b>"
        parts = [f"<div>{head}</div>"]
        if self.evidence:
            parts.append(f"<div>{escape(self.evidence)}</div>")
        if self._faults:
            parts.append(f'<div style="color:{tinted(QUIET)}">{escape(self._faults)}</div>')
        if self.hint:
            box = f"border-left:3px solid {colour};padding:4px 12px;margin:6px 0"
            hint = re.sub("`([^`]+)`", r"<code>\1</code>", escape(self.hint))
            parts.append(f'<div style="{box}">{hint}</div>')
        if self.printed:
            parts.append(f'<pre style="color:{tinted(QUIET)}">{escape(self.printed)}</pre>')
        style = "font-size:14px;line-height:1.5;max-width:900px"
        return f'<div style="{style}">{"".join(parts)}</div>'

    def __str__(self) -> str:
        head = f"{self.id} {self.outcome}" + (f": {self._title}" if self._title else "")
        hint = f"Hint: {self.hint}" if self.hint else ""
        return "\n".join(filter(None, [head, self.evidence, self._faults, hint, self.printed]))

    def __repr__(self) -> str:
        anomaly = f", {self.anomaly}" if self.anomaly else ""
        return f"<Result {self.id}: {self.outcome}{anomaly}>"


def figures(id: str, name: str = "") -> dict[str, Any]:
    """The figures in an exercise's question, by name: `figures("05.1")`.

    They are your own once you have enrolled. With `name` you get those of another learner. Raises
    Misuse for an exercise whose question has no figures.
    """
    asked = exercise(id)
    if asked.figures is None:
        those = listed([one.id for one in all_exercises() if one.figures])
        raise Misuse(f"the question of {id} has no figures; questions with figures: {those}")
    return asked.figures(learner.variant(name or None))


def check(answer: object, id: str) -> Result:
    """Judge a function as the answer to an exercise: `check(charge, "05.2")`.

    The function runs in fresh simulations, under every fault that the exercise tries. The result is
    "not attempted", "not yet" (with the anomaly found, the run that shows it, and a hint that gets
    plainer each time) or "correct". An answer is "not yet" until everything has been tried.
    """
    if callable(id):
        name = getattr(id, "__name__", "charge")
        raise Misuse(f'check takes the function first, then the exercise: check({name}, "05.2")')
    asked = exercise(id)
    try:
        function = Answer(answer, asked.takes, asked.names)
    except Misuse as misuse:
        return _not_yet(asked, Anomaly("no such function", str(misuse)))
    if not function.attempted:
        hint = "replace `raise NotImplementedError` by your code, and run both cells again"
        return Result(id, "not attempted", hint=hint)
    with declared_in(f"edalab.exercises.lesson_{asked.lesson}"), function.watched() as output:
        found = _judge(asked, function)
    printed = f"It printed: {output}" if output.length else ""
    if function.changed:  # this comes first: what it remembered there may have caused the rest
        evidence = f"{function.name} changed {function.changed}, which lies outside of it"
        found = Anomaly("changes what is outside", evidence)
    if isinstance(found, Anomaly):
        return _not_yet(asked, found, printed)
    learner.keep_outcome(id, "correct", "")
    return Result(id, "correct", tried=found, printed=printed)


def _judge(asked: Exercise, function: Answer) -> Anomaly | str:
    """What the exercise finds; whatever the function raises is an anomaly, too."""
    try:
        with watched(function.name):
            found = asked.trial(function, learner.variant())
        return found or Anomaly("not finished", "the trial found nothing to say")
    except (TooLong, Endless) as endless:
        return Anomaly("does not end", str(endless), getattr(endless, "run", None))
    except KeyboardInterrupt:
        return Anomaly("not finished", "interrupted before everything was tried")
    except Misuse as misuse:
        return Anomaly("misuse", str(misuse), misuse.run)
    except BaseException as error:
        if raised := function.where_raised(error):
            return Anomaly("raises", raised)
        return Anomaly("not finished", f"{type(error).__name__}: {error}")


def _not_yet(asked: Exercise, found: Anomaly, printed: str = "") -> Result:
    digest = found.run.digest if found.run is not None else ""
    times = learner.keep_outcome(asked.id, "not yet", found.name, digest)
    hints = asked.hints.get(found.name) or _GENERAL.get(found.name, _GENERAL["misuse"])
    if found.run is not None and not found.run.faults:
        hints = asked.hints.get(f"{found.name}, by itself", hints)
    return Result(asked.id, "not yet", found, hints[min(times, len(hints)) - 1], printed=printed)

"""`check(charge, "05.1")` runs a learner's function under every fault and names what is wrong."""

import re
import sys
from contextlib import AbstractContextManager, nullcontext
from html import escape
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import Endless, Misuse
from ..sim import Printed, printing
from ..stuck import TooLong, watched
from ..view.picture import Picture
from ..view.theme import FAULT, QUIET, WORK, tinted
from . import learner
from .answer import Answer
from .apart import Ended, apart, can_be_apart
from .exercise import TO_BE_JUDGED, Anomaly, Exercise, all_exercises, exercise, general_hints
from .guarded import guarded

CHANGED = "changes what is outside"
INTERRUPTED = Anomaly("not finished", "interrupted before everything was tried")
_CHANGED: "WeakKeyDictionary[FunctionType, Anomaly]" = WeakKeyDictionary()  # in earlier checks here


class Result:
    """The verdict on an answer: `.outcome` is "not attempted", "not yet" or "correct".

    For an answer that is not yet correct, `.anomaly` names what is wrong, `.evidence` proves it,
    `.run` is the run that shows it (or None), and `.hint` helps. For a correct answer, `.tried`
    says what it was tried under. `.printed` is the function's output.
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
        self.anomaly, self.evidence, self.run, self.story = anomaly or Anomaly("", "")

    @property
    def correct(self) -> bool:
        return self.outcome == "correct"

    def picture(self) -> Picture | None:
        """The timeline of the run that shows what is wrong; of a large run, one story."""
        from ..view import timeline
        from ..view.excerpt import LARGEST, is_large, story_names

        run, story = self.run, self.story
        if run and not story and (is_large(run) or len(run.journal) > LARGEST):
            words = re.findall(r"[\w-]*[^\W\d][\w-]*", self.evidence)  # a number may be anything
            named = {*words}.intersection(story_names(run.journal))
            story = min(named, key=words.index, default=None)
        return None if run is None else timeline(run, story)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({"text/html": self._html(), "text/plain": str(self)}, raw=True)
        picture = self.picture()
        if picture is not None:  # a separate output: of two forms of one, a notebook shows one
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
    """The figures in an exercise's question, by name: `figures("05.2")`.

    They are your own once you have enrolled. With `name` you get those of another learner. Raises
    Misuse for an exercise whose question has no figures.
    """
    asked = exercise(id)
    if asked.figures is None:
        those = ", ".join(one.id for one in all_exercises() if one.figures)
        raise Misuse(f"the question of {id} has no figures; questions with figures: {those}")
    return asked.figures(learner.variant(name or None))


def check(answer: object, id: str) -> Result:
    """Judge a function as the answer to an exercise: `check(charge, "05.1")`.

    The function runs in fresh simulations, under every fault that the exercise tries. The result is
    "not attempted", "not yet" (with the anomaly found, the run that shows it, and a hint that gets
    plainer each time) or "correct". An answer is "not yet" until everything has been tried.
    """
    if callable(id):
        name = getattr(id, "__name__", "charge")
        raise Misuse(f'check takes the function first, then the exercise: check({name}, "05.1")')
    asked = exercise(id)
    try:
        function = Answer(answer, asked.takes, asked.names)
    except Misuse as misuse:
        return _not_yet(asked, Anomaly("no such function", str(misuse)))
    if not function.attempted:
        hint = "write your code where `raise NotImplementedError` stands, and run both cells again"
        return Result(id, "not attempted", hint=hint)
    if redefined := function.redefined:
        return _not_yet(asked, Anomaly("misuse", redefined))
    module, variant = f"edalab.exercises.lesson_{asked.lesson}", learner.variant()
    with function.at_home_in(module), _undisplayed():
        judged, printed = _judged(asked, function, variant)
    if isinstance(judged, Anomaly):
        return _not_yet(asked, judged, printed)
    learner.save_outcome(id, "correct", "")
    return Result(id, "correct", tried=judged, printed=printed)


def _judged(asked: Exercise, function: Answer, variant: int) -> tuple[Anomaly | str, str]:
    """The verdict and the function's output. If possible, the function runs in a separate process,
    and the notebook repeats only the run that is shown."""
    if not can_be_apart():
        judged, printed = _tried(asked, function, variant)
        # What the function stored in one check may help it in the next.
        if isinstance(judged, Anomaly) and judged.name == CHANGED:
            _CHANGED[function.given] = judged
        return _CHANGED.get(function.given, judged), printed
    try:
        judged, printed, function.again = apart(lambda: _tried_apart(asked, function, variant))
    except Ended as ended:
        return _unfinished(function, ended), ""
    except KeyboardInterrupt:
        return INTERRUPTED, ""
    if function.again is not None:
        with printing(Printed(0)):
            shown = _judge(asked, function, variant)
        run = getattr(shown, "run", None)
        judged = shown if judged == TO_BE_JUDGED else judged._replace(run=run)
    return judged, printed


def _tried_apart(asked: Exercise, function: Answer, variant: int) -> tuple:
    """The result of a trial that can be sent back: instead of a run, how to repeat it."""
    function.is_apart = True
    with guarded(function.name) as reached:
        judged, printed = _tried(asked, function, variant)
    if reached:
        judged = Anomaly("misuse", reached[0])
    goes_on = judged == TO_BE_JUDGED or getattr(judged, "run", None) is not None
    if isinstance(judged, Anomaly):
        judged = judged._replace(run=None)
    return judged, printed, function.last if goes_on else None


def _tried(asked: Exercise, function: Answer, variant: int) -> tuple[Anomaly | str, str]:
    output = Printed(1_000)
    with printing(output):
        judged = _judge(asked, function, variant)
    # This takes precedence, because what it stored there may have caused the rest.
    if changed := function.changed:
        judged = Anomaly(CHANGED, f"{function.name} changed {changed}, which lies outside of it")
    return judged, f"It printed: {output}" if output.length else ""


def _unfinished(function: Answer, ended: Ended) -> Anomaly:
    if line := ended.endless and function.line_in(ended.said):
        why = f"runs for ever: what {line} calls does not return"
        if ended.full:
            why = f"takes more memory than a check has: look at {line}"
        return Anomaly("does not end", f"{function.name} {why}")
    return Anomaly("not finished", str(ended))


def _undisplayed() -> AbstractContextManager:
    """Suppress display in a notebook: the output of hundreds of runs would bury the result."""
    if "ipykernel" not in sys.modules:
        return nullcontext()
    from IPython.utils.capture import capture_output

    return capture_output(stdout=False, stderr=False)


def _judge(asked: Exercise, function: Answer, variant: int) -> Anomaly | str:
    """The exercise's verdict; an exception that the function raises is an anomaly, too."""
    try:
        with watched(function.name, patience=0.2):  # hundreds of runs call it
            judged = asked.trial(function, variant)
        return judged or Anomaly("not finished", "the trial found nothing to say")
    except (TooLong, Endless) as endless:
        return Anomaly("does not end", str(endless), getattr(endless, "run", None))
    except KeyboardInterrupt:
        return INTERRUPTED
    except Misuse as misuse:
        return Anomaly("misuse", str(misuse), misuse.run)
    except BaseException as error:
        if raised := function.where_raised(error):
            return Anomaly("raises", raised)
        return Anomaly("not finished", f"{type(error).__name__}: {error}")


def _not_yet(asked: Exercise, anomaly: Anomaly, printed: str = "") -> Result:
    times = learner.save_outcome(asked.id, "not yet", anomaly.name)
    general = general_hints()
    hints = asked.hints.get(anomaly.name) or general.get(anomaly.name, general["misuse"])
    if anomaly.run is not None and not anomaly.run.faults:
        hints = asked.hints.get(f"{anomaly.name}, by itself", hints)
    return Result(asked.id, "not yet", anomaly, hints[min(times, len(hints)) - 1], printed=printed)

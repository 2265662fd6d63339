"""`check(answer, "05.2")`: every fault around the learner's function; a wrong answer is told which anomaly it has."""

import re
from html import escape
from typing import Any

from ..errors import Misuse
from ..model import declared_in
from ..view.theme import FAULT, LANE, QUIET, WORK
from . import learner
from .answer import Answer, TooLong
from .exercise import Anomaly, Exercise, exercise

_GENERAL = {  # hints for what can go wrong in any exercise
    "raises": (
        "What does the message say, and which value does that line meet?",
        "Call your function by itself, in a cell of its own, with one event.",
        "Every name that it uses must be one of its parameters, made in it, or imported above.",
    ),
    "no such function": (
        "What stands first between the parentheses of check, and what does it want there?",
    )
    * 3,
    "misuse": ("What does the sentence above say is to be written instead?",) * 3,
    "does not end": (
        "What would make your function stop?",
        "Does each message it publishes lead to another one like it? Does its loop change what it asks for?",
        "Give a loop a bound, and publish what others need, not what you yourself handle.",
    ),
    "nothing happens": (
        "Did your function do anything that somebody else can see?",
        "An event that is made is not yet published: is it returned, or handed to ctx.publish?",
        "Do what the docstring says in every case in which it should be done.",
    ),
    "changes what is outside": (
        "Is that variable still there after a crash, and does a second replica see it?",
        "A service has its database, and ctx.state for what may be forgotten. Everything else is outside.",
        "Keep what must be remembered in a table, with ctx.database. To look at values, use print or ctx.note.",
    ),
    "two runs differ": (
        "What does your function use that is another the next time?",
        "A clock, dice, an id, a set's order: each run has its own ctx.now, ctx.random and ctx.new_id().",
        "Take all that you use from the event, from ctx and from the service's database.",
    ),
    "no value and reason": (
        "What does your function give back, and what does its docstring want?",
        "Two things with a comma between them: a number, and the letter of a reason in quotes.",
        'It ends as in `return 7, "a"`.',
    ),
    "not finished": ("Was it stopped before it could be judged? Run the cell again.",) * 3,
}


class Result:
    """What became of an answer. `.outcome` is "not attempted", "not yet" or "correct"; `.anomaly`, `.evidence`, `.hint` and
    `.run` tell what is wrong, `.tried` how much was tried."""

    def __init__(
        self,
        id: str,
        outcome: str,
        anomaly: Anomaly | None = None,
        hint: str = "",
        tried: str = "",
        printed: str = "",
    ):
        self.id, self.outcome, self.hint, self.tried, self.printed = (
            id,
            outcome,
            hint,
            tried,
            printed,
        )
        self.anomaly, self.evidence, self.run = anomaly or ("", "", None)

    @property
    def correct(self) -> bool:
        return self.outcome == "correct"

    def picture(self) -> Any:
        """The timeline of the run that shows what is wrong."""
        from ..view import timeline

        return None if self.run is None else timeline(self.run)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({"text/html": self._html(), "text/plain": str(self)}, raw=True)
        picture = self.picture()
        if (
            picture is not None
        ):  # by itself: of two forms of one thing a notebook would show the picture alone
            display(picture)

    def _head(self) -> str:
        return self.anomaly or self.tried

    def _when(self) -> str:
        faults = ", ".join(map(str, self.run.faults)) if self.run is not None else ""
        return (
            f"when: {faults}"
            if faults
            else "when nothing goes wrong"
            if self.run is not None
            else ""
        )

    def _html(self) -> str:
        colour = {"correct": WORK, "not yet": FAULT}.get(self.outcome, QUIET)
        head = f'<b style="color:{colour}">{self.id} {self.outcome}</b>' + (
            f": <b>{escape(self._head())}</b>" if self._head() else ""
        )
        said = [f"<div>{head}</div>"]
        if self.evidence:
            said.append(f"<div>{escape(self.evidence)}</div>")
        if self._when():
            said.append(f'<div style="color:{QUIET}">{escape(self._when())}</div>')
        if self.hint:
            box = f"background:{LANE};border-left:3px solid {colour};padding:4px 12px;margin:6px 0"
            hint = re.sub("`([^`]+)`", r"<code>\1</code>", escape(self.hint))
            said.append(f'<div style="{box}">{hint}</div>')
        if self.printed:
            said.append(f'<pre style="color:{QUIET}">{escape(self.printed)}</pre>')
        return f'<div style="font-size:14px;line-height:1.5;max-width:900px">{"".join(said)}</div>'

    def __str__(self) -> str:
        said = [
            f"{self.id} {self.outcome}" + (f": {self._head()}" if self._head() else ""),
            self.evidence,
            self._when(),
        ]
        said += [f"Hint: {self.hint}" if self.hint else "", self.printed]
        return "\n".join(line for line in said if line)

    def __repr__(self) -> str:
        return f"<Result {self.id}: {self.outcome}" + (
            f", {self.anomaly}>" if self.anomaly else ">"
        )


def check(answer: Any, id: str) -> Result:
    """Put a function on trial for an exercise ("05.2"): not attempted, not yet (with the anomaly found, the run that shows
    it and a hint that grows more plain each time), or correct. It is "not yet" until everything has been tried."""
    asked = exercise(id)
    try:
        function = Answer(answer, asked.takes, asked.names)
    except Misuse as misuse:
        return _not_yet(asked, Anomaly("no such function", str(misuse)), "")
    if not function.attempted:
        return Result(
            id,
            "not attempted",
            hint="replace `raise NotImplementedError` by your code, and run both cells again",
        )
    found: Anomaly | str = Anomaly("not finished", "the trial did not come to its end")
    with declared_in(f"edalab.exercises.lesson_{asked.id[:2]}"), function.watched() as printed:
        try:
            found = asked.trial(function, learner.variant())
        except TooLong as endless:
            found = Anomaly("does not end", str(endless))
        except KeyboardInterrupt:
            found = Anomaly("not finished", "interrupted before everything was tried")
        except Misuse as misuse:
            found = Anomaly("misuse", str(misuse), misuse.run)
        except BaseException as error:  # whatever it raises, it has not passed
            told = function.told(error)
            found = (
                Anomaly("raises", told)
                if told
                else Anomaly("not finished", f"{type(error).__name__}: {error}")
            )
    if function.changed:  # what it remembered there may be why the rest went as it did
        found = Anomaly(
            "changes what is outside",
            f"{function.name} changed {function.changed}, which lies outside of it",
        )
    said = _said(printed)
    if isinstance(found, str) and found:
        learner.keep_outcome(id, "correct", "")
        return Result(id, "correct", tried=found, printed=said)
    return _not_yet(
        asked,
        found if isinstance(found, Anomaly) else Anomaly("not finished", "the trial said nothing"),
        said,
    )


def _not_yet(asked: Exercise, found: Anomaly, printed: str) -> Result:
    times = learner.keep_outcome(
        asked.id, "not yet", found.name, found.run.digest if found.run is not None else ""
    )
    by_itself = f"{found.name}, by itself" if found.run is not None and not found.run.faults else ""
    hints = (
        asked.hints.get(by_itself)
        or asked.hints.get(found.name)
        or _GENERAL.get(found.name, _GENERAL["misuse"])
    )
    return Result(asked.id, "not yet", found, hints[min(times, len(hints)) - 1], printed=printed)


def _said(printed: Any) -> str:
    if not printed.length:
        return ""
    text = printed.getvalue().rstrip("\n")
    return f"It printed: {text}" + (
        f" … ({printed.length:,} characters)" if printed.length > printed.most else ""
    )

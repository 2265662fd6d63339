"""Exercises that ask for a value and the letter of a reason, or for several words with letters."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from math import isfinite
from numbers import Real
from typing import Any

from ..errors import listed, shown
from ..model import declared_in
from ..sim.run import Run
from .answer import Answer
from .exercise import TO_BE_JUDGED, Anomaly, Exercise, Hints, Trial

Judge = Callable[[Any, int], Anomaly | str]  # of what was returned, and the variant
Refuted = dict[str, tuple[str, Run | None]]  # by letter: the evidence against a reason
LETTERS = ["a", "b", "c", "d"]


def explained(
    id: str,
    title: str,
    value: tuple[str, range | tuple[float, float, float]],
    figures: Callable[[int], dict[str, Any]],
    judge: Judge,
    right: str,
    against: Callable[[Any, int], Refuted],
    hints: dict[str, Hints],
) -> Exercise:
    """An exercise that asks for a value and the letter of a reason.

    `value` describes the value and gives its range, or the least, the most and the step.
    `figures(variant)` returns the figures in the question. `judge(value, variant)` tries the value
    in runs. `right` is the letter of the right reason. `against(value, variant)`, for a value found
    correct, returns the evidence against each of the others by letter, and a run that shows it.
    """
    what, among = value

    def read(returned: Any, name: str) -> tuple[float, str]:
        if not isinstance(returned, tuple | list) or len(returned) != 2:
            raise ValueError(f"{name} returned {shown(returned)}")
        return number_in(returned[0], what, among), letter_in(returned[1], LETTERS)

    def judged(said: tuple[float, str], variant: int) -> Anomaly | str:
        number, letter = said
        step = among.step if isinstance(among, range) else among[2]
        if abs(number - round(number / step) * step) > 1e-6:
            return Anomaly("between two steps", f"{number:g} is between two steps of {step:g}")
        verdict = judge(number, variant)
        if isinstance(verdict, str) and letter != right:
            return Anomaly("another reason", *against(number, variant)[letter])
        return verdict

    trial = of_returned(read, "no value and reason", judged)
    return Exercise(id, title, "", trial, hints, figures=figures)


def paired(many: int, words: Sequence[Iterable[str]], judge: Judge) -> Trial:
    """A trial of a function that returns `many` pairs of words, each from one list in `words`."""

    def read(returned: Any, name: str) -> list[tuple[str, ...]]:
        given = returned if isinstance(returned, list | tuple) else ()
        try:
            # str's own methods make plain texts also of what only looks like one.
            pairs = [tuple(str.lower(str.strip(p, " ().")) for p in pair) for pair in given]
        except TypeError:
            pairs = []
        if [*map(len, pairs)] != [2] * many:
            number = f"{len(given)} of {many} pairs: " * (len(given) not in (0, many))
            raise ValueError(f"{name} returned {number}{shown(returned)}")
        for said, known in zip(zip(*pairs, strict=True), words, strict=True):
            if others := {*said} - {*known}:
                raise ValueError(f"{shown(min(others))} is none of {listed(known)}")
        return pairs

    return of_returned(read, "not as asked for", judge)


def of_returned(read: Callable[[Any, str], Any], anomaly: str, judge: Judge) -> Trial:
    """A trial that calls the function once and judges what `read(returned, name)` makes of its
    return value. If `read` raises ValueError, the form is wrong, which is an anomaly of this name."""

    def trial(answer: Answer, variant: int) -> Anomaly | str:
        if answer.again is None:
            with declared_in(""):  # if a learner simulates in it, the notebook's messages are meant
                returned = answer.call()
            try:
                answer.last = read(returned, answer.name)
            except ValueError as error:
                return Anomaly(anomaly, str(error))
            if answer.is_apart:
                return TO_BE_JUDGED
        return judge(answer.again or answer.last, variant)

    return trial


def number_in(value: Any, what: str, among: range | tuple[float, ...]) -> float:
    if isinstance(value, bool) or not isinstance(value, Real | Decimal) or not isfinite(value):
        raise ValueError(f"the value is {shown(value)}, which is not a number")
    number = float(value)
    fits = number in among if isinstance(among, range) else among[0] <= number <= among[1]
    if not fits:
        most = among[-1] if isinstance(among, range) else among[1]
        raise ValueError(f"the value is {number:g}; it is {what} from {among[0]} to {most}")
    return int(number) if isinstance(among, range) else number


def letter_in(reason: Any, letters: list[str]) -> str:
    letter = reason.strip(" ().:").lower() if isinstance(reason, str) else reason
    if letter not in letters:
        raise ValueError(f"the reason is {shown(letter)}; reasons: {listed(letters)}")
    return letter

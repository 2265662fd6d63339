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
from .exercise import TO_BE_JUDGED, Anomaly, Exercise, Hints


def explained(
    id: str,
    title: str,
    value: tuple[str, range | tuple[float, float]],
    figures: Callable[[int], dict[str, Any]],
    judge: Callable[[Any, int], Anomaly | str],
    reasons: dict[str, Callable[[Any, int], tuple[str, Run | None]] | None],
    hints: dict[str, Hints],
) -> Exercise:
    """An exercise that asks for a value and the letter of a reason.

    `value` describes the value and gives its range. `figures(variant)` returns the figures in the
    question. `judge(value, variant)` tries the value in runs. `reasons` maps the right letter to
    None. It maps each wrong letter to a function of the value, already found correct, and the
    variant, which returns the evidence against that reason and a run.
    """
    what, among = value

    def trial(answer: Answer, variant: int) -> Anomaly | str:
        if answer.again is None:
            with declared_in(""):  # if a learner simulates in it, the notebook's messages are meant
                returned = answer.call()
            try:
                if not isinstance(returned, tuple | list) or len(returned) != 2:
                    raise ValueError(f"{answer.name} returned {shown(returned)}")
                number = _number(returned[0], what, among)
                answer.last = number, _letter(returned[1], list(reasons))
            except ValueError as error:
                return Anomaly("no value and reason", str(error))
            if answer.is_apart:
                return TO_BE_JUDGED
        number, letter = answer.again or answer.last
        judged, refuted = judge(number, variant), reasons[letter]
        if isinstance(judged, str) and refuted:
            return Anomaly("another reason", *refuted(number, variant))
        return judged

    return Exercise(id, title, "", trial, hints, figures=figures)


def paired(answer: Answer, many: int, words: Sequence[Iterable[str]]) -> Anomaly | None:
    """Store the `many` pairs that a function returns in `answer.last`. Returns an Anomaly if a pair
    is not from `words`, TO_BE_JUDGED if the function runs apart, and otherwise None."""
    if answer.again is not None:
        return None
    with declared_in(""):  # if a learner simulates in it, the notebook's messages are meant
        returned = answer.call()
    pairs = returned if isinstance(returned, list | tuple) else ()
    try:
        # str's own methods make plain texts also of what only looks like one.
        answer.last = [tuple(str.lower(str.strip(p, " ().")) for p in pair) for pair in pairs]
    except TypeError:
        answer.last = []
    if [*map(len, answer.last)] != [2] * many:
        number = f"{len(pairs)} of {many} pairs: " * (len(pairs) not in (0, many))
        return Anomaly("not as asked for", f"{answer.name} returned {number}{shown(returned)}")
    for said, known in zip(zip(*answer.last, strict=True), words, strict=True):
        if others := {*said} - {*known}:
            evidence = f"{shown(min(others))} is none of {listed(known)}"
            return Anomaly("not as asked for", evidence)
    return TO_BE_JUDGED if answer.is_apart else None


def _number(value: Any, what: str, among: range | tuple[float, float]) -> float:
    if isinstance(value, bool) or not isinstance(value, Real | Decimal) or not isfinite(value):
        raise ValueError(f"the value is {shown(value)}, which is not a number")
    number = float(value)
    fits = number in among if isinstance(among, range) else among[0] <= number <= among[1]
    if not fits:
        raise ValueError(f"the value is {number:g}; it is {what} from {among[0]} to {among[-1]}")
    return int(number) if isinstance(among, range) else number


def _letter(reason: Any, letters: list[str]) -> str:
    letter = reason.strip(" ().:").lower() if isinstance(reason, str) else reason
    if letter not in letters:
        raise ValueError(f"the reason is {shown(letter)}; reasons: {listed(letters)}")
    return letter

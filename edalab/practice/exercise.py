"""An exercise: what judges an answer, and three hints for each way in which it can be wrong."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from math import isfinite
from numbers import Real
from typing import Any, NamedTuple

from ..claims.claim import Claim
from ..errors import (
    ConcurrencyError,
    Endless,
    HandlerFailed,
    PublishFailed,
    SaveFailed,
    Unanswered,
    Unknown,
    listed,
    shown,
)
from ..model import Message, System, declared_in
from ..sim import AnyFault, Fault, enumerate_faults, simulate
from ..sim.run import Run
from .answer import Answer

LESSONS = ("00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10")
Plan = Sequence[str | AnyFault]  # faults that strike in one run
Hints = tuple[str, str, str]
# What a handler may let through: a fault, an answer that does not come, another writer who was first.
OF_THE_LAB = HandlerFailed, SaveFailed, PublishFailed, Unanswered, ConcurrencyError
Workload = Callable[..., Any]


class Anomaly(NamedTuple):
    """What is wrong with an answer: its name, the evidence, and the run that shows it, if any."""

    name: str
    evidence: str
    run: Run | None = None


TO_BE_JUDGED = Anomaly("", "")  # by a second call of the trial, where no code of the learner's ran
Trial = Callable[[Answer, int], Anomaly | str]


@dataclass(frozen=True)
class Exercise:
    """What is asked, and how an answer to it is judged.

    `trial(answer, variant)` returns the first anomaly that it finds, or, of a correct answer, what it
    was tried under. It notes in `answer.last` how to come to the same end once more, and goes straight
    there where `answer.again` says so. `takes` are the function's parameters (`ctx` may be left out), and `names` what the
    function may use besides. `hints` has a question, a pointer and the idea for each anomaly, and
    may have others for "<anomaly>, by itself", which shows without a fault. `figures(variant)` are those
    in the question; None where it has none.
    """

    id: str
    title: str
    takes: str
    trial: Trial
    hints: dict[str, Hints]
    names: dict[str, Any] = field(default_factory=dict)
    figures: Callable[[int], dict[str, Any]] | None = None

    @property
    def lesson(self) -> str:
        return self.id.partition(".")[0]


def exercise(id: object) -> Exercise:
    """The exercise of an id such as "05.2". Raises Unknown with those that there are."""
    known = all_exercises()
    for one in known:
        if one.id == id:
            return one
    near = get_close_matches(str(id)[:20], [one.id for one in known], n=1)
    hint = f". Did you mean {near[0]!r}?" if near else ""
    lessons = [of_lesson(lesson) for lesson in LESSONS]
    raise Unknown("exercise", id, [f"{of[0].id} to {of[-1].id}" for of in lessons], more=hint)


def all_exercises() -> list[Exercise]:
    return [one for lesson in LESSONS for one in of_lesson(lesson)]


def of_lesson(lesson: str) -> list[Exercise]:
    """The exercises of a lesson such as "05"."""
    return import_module(f"edalab.exercises.lesson_{lesson}").EXERCISES


def general_hints() -> dict[str, Hints]:
    """Hints for the anomalies that an answer to any exercise can have."""
    return import_module("edalab.exercises.general").HINTS


# -- exercises that ask for a handler


def nothing_dead(service: str, about: type[Message]) -> Claim:
    """The claim that the learner's service gives up no message."""

    return Claim("nothing is set aside as a dead letter", about=about)(
        lambda run: [
            step for step in run.journal if (step.service, step.step) == (service, "dead_letter")
        ]
    )


def explored(
    build: Callable[[Callable, int], tuple[System, Workload | list[Workload]]],
    claims: dict[str, Claim],
    beside: Sequence[Plan] = (),
    alone: Sequence[Plan] = (),
    only: tuple[str, Callable[[Fault], bool]] = ("", lambda fault: True),
) -> Trial:
    """A trial of a handler under every single fault, in two timings.

    `build(function, variant)` makes the system and its workload, or a list of workloads. `claims` are
    what must hold, by the name of the anomaly that breaks each. Each plan of faults in `beside` (a late
    event, an outage) is tried by itself and together with every single fault that can strike after it;
    each in `alone` by itself only. `only` is a condition on single faults, in words and as a function.

    The second timing begins later and has other values: an answer written for the first fails there.
    """
    condition, allowed = only

    def staged(answer: Answer, variant: int, timing: int) -> list[Callable[[Plan], Run]]:
        """How each workload is played under some faults, in the first timing or the second."""
        system, workloads = build(answer.function, variant + timing)
        workloads = workloads if isinstance(workloads, list) else [workloads]
        if timing:
            workloads = [_later(workload, 1 + variant % 7 / 10) for workload in workloads]

        def play(number: int, plan: Plan) -> Run:
            answer.last = timing, number, plan
            return simulate(system, workloads[number], seed=timing * variant, faults=plan)

        return [partial(play, number) for number in range(len(workloads))]

    def trial(answer: Answer, variant: int) -> Anomaly | str:
        if again := getattr(answer, "again", None):
            timing, number, plan = again
            return Anomaly("", "", staged(answer, variant, timing)[number](plan))
        tried, struck = 0, set()
        for timing in (0, 1):
            plays = staged(answer, variant, timing)
            untested = dict(claims)
            try:
                for play in plays:
                    if anomaly := _fails_by_itself(answer, play):
                        return anomaly
                    for run in _runs(play, beside, alone, allowed):
                        tried += 1
                        struck.update(map(str, run.faults))
                        for name, claim in claims.items():
                            verdict = claim.check(run)
                            if verdict.outcome == "broken":
                                evidence = verdict.cause + _raised_under_fault(answer, run)
                                return Anomaly(name, evidence, run)
                            if verdict.outcome == "holds":
                                untested.pop(name, None)
            except Endless as endless:
                return Anomaly("does not end", str(endless), endless.run)
            if untested:
                sentences = listed(claim.sentence for claim in untested.values())
                evidence = f"nothing tested whether {sentences}"
                return Anomaly("nothing happens", evidence, plays[-1]([]))
        words = f"{tried:,} runs, every single fault {condition}".rstrip()
        plans = [plan for plan in (*beside, *alone) if struck.issuperset(map(str, plan))]
        if len(plans) == 1:
            words += f", and under {' and '.join(map(str, plans[0]))}"
        elif plans:
            words += f", and under {len(plans)} more plans of faults"
        return f"{words}, in two timings"

    return trial


def _fails_by_itself(answer: Answer, play: Callable[[Plan], Run]) -> Anomaly | None:
    """An exception or a difference between two runs, without a fault."""
    once, again = play([]), play([])
    for failure in once.failures:
        raised = answer.where_raised(failure.error)
        # Both are right to let out: the message comes again, and is decided or asked again.
        if raised and not isinstance(failure.error, ConcurrencyError | Unanswered):
            return Anomaly("raises", raised, once)
    if once.digest != again.digest:
        evidence = "the same, played twice, did not do the same"
        return Anomaly("two runs differ", evidence, again)
    return None


def _raised_under_fault(answer: Answer, run: Run) -> str:
    """The line of the learner's code that raised an exception of its own in this run, to end a sentence."""
    for failure in run.failures:
        raised = answer.where_raised(failure.error)
        if raised and not isinstance(failure.error, OF_THE_LAB):
            return f"; {raised}"
    return ""


def _later(workload: Workload, seconds: float) -> Workload:
    async def later(ctx):
        await ctx.sleep(seconds)
        await workload(ctx)

    return later


def _runs(
    play: Callable[[Plan], Run],
    beside: Sequence[Plan],
    alone: Sequence[Plan],
    allowed: Callable[[Fault], bool],
) -> Iterator[Run]:
    """The runs to try, those with the fewest faults first."""
    begun = []
    for plan in ([], *beside, *alone):
        run = play(plan)
        if run.faults or not plan:  # a plan that never struck adds nothing
            yield run
            if plan not in list(alone):
                begun.append((plan, run))
    for plan, run in begun:
        last = run.faults[-1] if run.faults and isinstance(run.faults[-1], Fault) else None
        for fault in filter(allowed, enumerate_faults(run, last)):
            yield play([*plan, fault])


# -- exercises that ask for a value and a reason


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

    `value` describes the value and gives its range, `figures(variant)` are those in the question, and
    `judge(value, variant)` tries the value in runs. In `reasons` the right one is None. A wrong one is
    a function of the value, which is right by then, and of the variant: it returns the evidence
    against that reason, and a run.
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
    """Call a function that returns so many pairs of a word and a letter, of those in `words`, and note them in
    `answer.last`. Returns what is wrong with their form, or that they are to be judged."""
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
        return Anomaly("not as asked for", f"{answer.name} returned {shown(returned)}")
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

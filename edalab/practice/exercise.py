"""Exercises: how an answer is judged, and three hints for each way in which it can be wrong."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from textwrap import dedent
from typing import Any, NamedTuple

from ..claims.claim import Claim
from ..errors import (
    Busy,
    ConcurrencyError,
    Endless,
    HandlerFailed,
    PublishFailed,
    SaveFailed,
    Unanswered,
    Unknown,
    shortened,
)
from ..model import DeadLetter, System
from ..sim import AnyFault, Fault, enumerate_faults, simulate
from ..sim.run import Run
from ..sim.steps import Failure
from .answer import Answer

LESSONS = tuple(f"{number:02}" for number in range(13))
Plan = Sequence[str | AnyFault]  # faults that strike in one run
Hints = tuple[str, str, str]
# Exceptions that a handler may let out: of a fault, a missing answer, or a concurrent writer.
OF_THE_LAB = Busy, HandlerFailed, SaveFailed, PublishFailed, Unanswered, ConcurrencyError
Workload = Callable[..., Any]


class Anomaly(NamedTuple):
    """What is wrong with an answer: its name, the evidence, and the run that shows it, if any. In a
    large run, `story` is the correlation id of the story that shows it."""

    name: str
    evidence: str
    run: Run | None = None
    story: str | None = None


TO_BE_JUDGED = Anomaly("", "")  # by a second call of the trial, outside of the learner's process
Trial = Callable[[Answer, int], Anomaly | str]


@dataclass(frozen=True)
class Exercise:
    """An exercise, and how an answer to it is judged.

    `trial(answer, variant)` returns the first anomaly that it finds, or, for a correct answer, what
    it was tried under. It stores in `answer.last` how to repeat its last run, and repeats only that
    run if `answer.again` is set. `takes` lists the function's parameters (`ctx` may be left out),
    and `names` what it may use. `hints` has a question, a pointer and the idea for each anomaly,
    and may have others for "<anomaly>, by itself", without a fault. `figures(variant)` returns the
    figures in the question; it is None if there are none.
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


def hints_of(text: str) -> dict[str, Hints]:
    """The hints in a text by anomaly: its name, or names with " | " between them, and in the three
    lines below it a question, a pointer and the idea."""
    found: dict[str, Hints] = {}
    lines = iter(dedent(text).strip().splitlines())
    for names, question, pointer, idea in zip(lines, lines, lines, lines, strict=True):
        three = question.strip(), pointer.strip(), idea.strip()
        found |= dict.fromkeys(names.split(" | "), three)
    return found


def exercise(id: object) -> Exercise:
    """The exercise with an id such as "05.2". Raises Unknown, which lists the exercises."""
    known = all_exercises()
    for one in known:
        if one.id == id:
            return one
    near = get_close_matches(str(id)[:20], [one.id for one in known], n=1)
    hint = f". Did you mean {near[0]!r}?" if near else ""
    lessons = [of_lesson(lesson) for lesson in LESSONS]
    all_of_them = ", ".join(f"{of[0].id} to {of[-1].id}" for of in lessons)
    raise Unknown("exercise", id, [all_of_them], more=hint)


def all_exercises() -> list[Exercise]:
    return [one for lesson in LESSONS for one in of_lesson(lesson)]


def of_lesson(lesson: str) -> list[Exercise]:
    """The exercises of a lesson such as "05"."""
    return import_module(f"edalab.exercises.lesson_{lesson}").EXERCISES


def general_hints() -> dict[str, Hints]:
    """Hints for the anomalies that an answer to any exercise can have."""
    return import_module("edalab.exercises.general").HINTS


# -- exercises that ask for a handler


def explored(
    build: Callable[[Callable, int], tuple[System, Workload | list[Workload]]],
    claim: Claim,
    hints: dict[str, Hints],
    beside: Sequence[Plan] = (),
    alone: Sequence[Plan] = (),
    only: tuple[str, Callable[[Fault], bool]] = ("", lambda fault: True),
    until: float | None = None,
) -> Trial:
    """A trial of a handler under every single fault, in two timings.

    `build(function, variant)` makes the system and its workload, or a list of workloads. `claim`
    must hold. Its evidence is pairs of an anomaly's name and a sentence, and a learner is told the
    anomaly that comes first in `hints`. Each plan of faults in `beside` (a late event, an outage)
    is tried alone, and with every single fault that can strike after it; each in `alone` only
    alone. `only` is a condition on single faults, in words and as a function. `until` ends each run
    of a system that is never idle, in seconds.

    The second timing begins later and has other values: an answer written for the first fails.
    """
    condition, allowed = only

    def staged(answer: Answer, variant: int, timing: int) -> list[Callable[[Plan], Run]]:
        """For each workload, a function that plays it under some faults, in one of the timings."""
        system, workloads = build(answer.function, variant + timing)
        workloads = workloads if isinstance(workloads, list) else [workloads]
        if timing:
            workloads = [_later(workload, 1 + variant % 7 / 10) for workload in workloads]

        def play(number: int, plan: Plan) -> Run:
            answer.last = timing, number, plan
            how = {"seed": timing * variant, "faults": plan, "until": until}
            return simulate(system, workloads[number], **how)

        return [partial(play, number) for number in range(len(workloads))]

    def trial(answer: Answer, variant: int) -> Anomaly | str:
        if answer.again:
            timing, number, plan = answer.again
            return Anomaly("", "", staged(answer, variant, timing)[number](plan))
        tried, struck = 0, set()
        for timing in (0, 1):
            plays, tested = staged(answer, variant, timing), False
            try:
                for play in plays:
                    if anomaly := _fails_by_itself(answer, play):
                        return anomaly
                    for run in _runs(play, beside, alone, allowed):
                        tried += 1
                        struck.update(map(str, run.faults))
                        verdict = claim.check(run)
                        tested = tested or verdict.outcome != "not exercised"
                        if gravest := _gravest(verdict.evidence, hints):
                            name, evidence = gravest
                            return Anomaly(name, evidence + _raised_under_fault(answer, run), run)
            except Endless as endless:
                return Anomaly("does not end", str(endless), endless.run)
            if not tested:
                evidence = f"nothing tested whether {claim.sentence}"
                return Anomaly("nothing happens", evidence, plays[-1]([]))
        words = f"{tried:,} runs, every single fault {condition}".rstrip()
        plans = [plan for plan in (*beside, *alone) if struck.issuperset(map(str, plan))]
        if len(plans) == 1:
            words += f", and under {' and '.join(map(str, plans[0]))}"
        elif plans:
            words += f", and under {len(plans)} more plans of faults"
        return f"{words}, in two timings"

    return trial


def _gravest(mistakes: list[tuple[str, str]], hints: Iterable[str]) -> tuple[str, str] | None:
    """The first of the names in `hints` that a mistake has, and the evidence; None if none has."""
    for name in ("raises", *hints):
        if found := [evidence for mistake, evidence in mistakes if mistake == name]:
            more = f", and {len(found) - 1:,} more" if len(found) > 1 else ""
            return name, shortened(found[0], 200) + more
    return None


def _fails_by_itself(answer: Answer, play: Callable[[Plan], Run]) -> Anomaly | None:
    """An exception, or a difference between two equal runs, without a fault."""
    once, again = play([]), play([])
    for failure in once.failures:
        raised = answer.where_raised(failure.error)
        # A handler may let both out: the message is redelivered, and the handler tries again.
        if raised and not (
            isinstance(failure.error, ConcurrencyError | Unanswered) or _keeps(failure)
        ):
            return Anomaly("raises", raised, once)
    if once.digest != again.digest:
        evidence = "the same, played twice, did not do the same"
        return Anomaly("two runs differ", evidence, again)
    return None


def _raised_under_fault(answer: Answer, run: Run) -> str:
    """The learner's line that raised an exception of its own in this run, to end a sentence."""
    for failure in run.failures:
        raised = answer.where_raised(failure.error)
        if raised and not (isinstance(failure.error, OF_THE_LAB) or _keeps(failure)):
            return f"; {raised}"
    return ""


def _keeps(failure: Failure) -> bool:
    """Whether a handler of dead letters raised an exception in order to keep one."""
    slips = AttributeError, LookupError, NameError, TypeError
    return isinstance(failure.message, DeadLetter) and not isinstance(failure.error, slips)


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

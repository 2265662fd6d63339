"""An exercise puts a function of the learner's on trial, and has a name and three hints for each way to be wrong."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from math import isfinite
from numbers import Real
from typing import Any, NamedTuple

from ..claims.claim import Claim
from ..errors import ConcurrencyError, Endless, Unknown, listed, shown
from ..model import Message, System, declared_in
from ..sim import Fault, enumerate_faults, simulate
from ..sim.run import Run
from .answer import Answer

LESSONS = ("00", "01", "02", "03", "04", "05", "06")


class Anomaly(NamedTuple):
    """What is wrong with an answer: its name, the evidence, and the run that shows it, if it takes one."""

    name: str
    evidence: str
    run: Run | None = None


@dataclass(frozen=True)
class Exercise:
    """`trial(answer, variant)` returns the first anomaly it finds in the function, or says in words all that it tried.
    `takes` are the parameters of the function (`ctx` may be left out), `names` what it may use, `hints` for each anomaly
    a question, a pointer and the idea; those of "…, by itself" where it takes no fault."""

    id: str
    title: str
    takes: str
    trial: Callable[[Answer, int], Anomaly | str]
    hints: dict[str, tuple[str, str, str]]
    names: dict[str, Any] = field(default_factory=dict)
    figures: Callable[[int], dict[str, Any]] = lambda variant: {}  # in the question, by variant


def nothing_dead(service: str, about: type[Message]) -> Claim:
    """No message is given up by the learner's service."""

    @Claim("nothing is set aside as a dead letter", about=about)
    def nothing_dead(run):
        return [
            step for step in run.journal if (step.service, step.step) == (service, "dead_letter")
        ]

    return nothing_dead


def explored(
    build: Callable[[Callable, int], tuple[System, Callable]],
    claims: dict[str, Claim],
    beside: list[list] = (),
    alone: list[list] = (),
    only: tuple[str, Callable[[Fault], bool]] = ("", lambda fault: True),
) -> Callable[[Answer, int], Anomaly | str]:
    """A trial of a handler under every single fault, in two timings, the second with other values and at another time (for
    answers that were written for the first). `build(function, variant)` makes the system and the workload, or a list of workloads; `claims`
    are what must hold, by the name of the anomaly that breaks each. `beside` are lists of faults (a late event, an outage):
    each is tried by itself, too, and with every single fault that could strike beside it; those of `alone` by themselves
    only. `only` says in words which single faults are left to strike, and tells them."""

    def trial(answer: Answer, variant: int) -> Anomaly | str:
        tried, struck = 0, set()
        for number, seed in enumerate((0, variant)):
            system, workloads = build(answer.function, variant + number)
            untested = dict(claims)
            try:
                for workload in workloads if isinstance(workloads, list) else [workloads]:
                    workload = _after(1 + variant % 7 / 10, workload) if number else workload
                    once, again = (simulate(system, workload, seed=seed) for _ in range(2))
                    for failure in once.failures:
                        came_second = isinstance(
                            failure.error, ConcurrencyError
                        )  # and decides again: as it should be
                        if not came_second and (told := answer.told(failure.error)):
                            return Anomaly("raises", told, once)
                    if once.digest != again.digest:
                        return Anomaly(
                            "two runs differ", "the same, played twice, did not do the same", again
                        )
                    for run in _runs(system, workload, seed, beside, alone, only[1]):
                        tried += 1
                        struck.update(map(str, run.faults))
                        for name, claim in claims.items():
                            verdict = claim.check(run)
                            if verdict.outcome == "broken":
                                return Anomaly(name, verdict.cause, run)
                            if verdict.outcome == "holds":
                                untested.pop(name, None)
            except Endless as endless:
                return Anomaly("does not end", str(endless), endless.run)
            if untested:
                nothing = listed(claim.sentence for claim in untested.values())
                return Anomaly("nothing happens", f"nothing tested whether {nothing}", once)
        also = "".join(
            f", {how} {' and '.join(map(str, plan))}"
            for how, plans in (("also after", beside), ("and under", alone))
            for plan in plans
            if struck.issuperset(map(str, plan))
        )
        return f"{tried:,} runs, every single fault{' ' * bool(only[0])}{only[0]}{also}, in two timings"

    return trial


def _after(seconds: float, workload: Callable) -> Callable:
    async def later(ctx):
        await ctx.sleep(seconds)
        await workload(ctx)

    return later


def _runs(
    system: System,
    workload: Callable,
    seed: int,
    beside: list[list],
    alone: list[list],
    only: Callable[[Fault], bool],
) -> Iterator[Run]:
    """Every run that is to be tried, those with the fewest faults first."""
    begun = []
    for plan in ([], *beside, *alone):
        run = simulate(system, workload, seed=seed, faults=plan)
        if run.faults or not plan:  # what never happened is tried without it
            yield run
            begun.append((plan, run))
    for plan, run in begun:
        if plan in list(alone):
            continue
        last = run.faults[-1] if run.faults and isinstance(run.faults[-1], Fault) else None
        for fault in filter(only, enumerate_faults(run, last)):
            yield simulate(system, workload, seed=seed, faults=[*plan, fault])


def explained(
    id: str,
    title: str,
    value: tuple[str, range | tuple[float, float]],
    figures: Callable[[int], dict[str, Any]],
    judge: Callable[[Any, int], Anomaly | str],
    reasons: dict[str, Callable[[Any, int], tuple] | None],
    hints: dict[str, tuple[str, str, str]],
) -> Exercise:
    """An exercise that asks for a value and the letter of a reason. `value` describes the value and
    gives its range, `figures(variant)` are those in the question, `judge(value, variant)` tries the
    value in runs. In `reasons` the right one is None. A wrong one is a function of the value, which
    has been found right by then, and the variant: it returns the evidence against it and a run."""
    what, among = value

    def trial(answer: Answer, variant: int) -> Anomaly | str:
        with declared_in(""):  # a learner who simulates in it means the messages of the notebook
            returned = answer.call()
        if not isinstance(returned, tuple | list) or len(returned) != 2:
            return Anomaly("no value and reason", f"{answer.name} returned {shown(returned)}")
        value, letter = returned
        if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
            return Anomaly(
                "no value and reason", f"the value is {shown(value)}, which is no number"
            )
        value, whole = float(value), isinstance(among, range)
        if value not in among if whole else not among[0] <= value <= among[1]:
            evidence = f"the value is {value:g}; it is {what} from {among[0]} to {among[-1]}"
            return Anomaly("no value and reason", evidence)
        letter = letter.strip(" ().:").lower() if isinstance(letter, str) else letter
        if letter not in list(reasons):
            return Anomaly(
                "no value and reason", f"the reason is {shown(letter)}; reasons: {listed(reasons)}"
            )
        value = int(value) if whole else value
        found, refuted = judge(value, variant), reasons[letter]
        if isinstance(found, str) and refuted:
            return Anomaly("another reason", *refuted(value, variant))
        return found

    return Exercise(id, title, "", trial, hints, figures=figures)


def exercise(id: str) -> Exercise:
    """The exercise of an id such as "05.2"."""
    lesson = str(id).partition(".")[0]
    known = (
        of_lesson(lesson)
        if lesson in LESSONS
        else [e for lesson in LESSONS for e in of_lesson(lesson)]
    )
    for one in known:
        if one.id == id:
            return one
    raise Unknown("exercise", id, [one.id for one in known])


def of_lesson(lesson: str) -> list[Exercise]:
    """The exercises of a lesson."""
    return import_module(f"edalab.exercises.lesson_{lesson}").EXERCISES

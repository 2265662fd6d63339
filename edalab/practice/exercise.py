"""An exercise puts a function of the learner's on trial, and has a name and three hints for each way to be wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

from ..errors import Unknown, listed
from ..history import Run
from ..model import System
from ..proof import Claim, explore
from ..sim import simulate
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
    a question, a pointer and the idea."""

    id: str
    title: str
    takes: str
    trial: Callable[[Answer, int], Anomaly | str]
    hints: dict[str, tuple[str, str, str]]
    names: dict[str, Any] = field(default_factory=dict)


def explored(
    build: Callable[[Callable, int], tuple[System, Callable]], claims: dict[str, Claim], faults: int = 1
) -> Callable[[Answer, int], Anomaly | str]:
    """A trial under every single fault (or pair), in two timings: `build(function, variant)` makes the system and the
    workload, `claims` are what must hold, by the name of the anomaly that breaks each."""

    def trial(answer: Answer, variant: int) -> Anomaly | str:
        schedules = 0
        for seed in (0, variant):
            system, workload = build(answer.function, variant)
            for failure in simulate(system, workload, seed=seed).failures:
                if told := answer.told(failure.error):
                    return Anomaly("raises", told)
            result = explore(system, workload, list(claims.values()), faults=faults, seeds=[seed])
            if result.interrupted:
                raise KeyboardInterrupt
            broken = [(result.broken(claim)[0], name, claim) for name, claim in claims.items() if result.broken(claim)]
            if broken:
                schedule, name, claim = min(broken, key=lambda found: len(found[0].faults))
                run = result.run(schedule)
                return Anomaly(name, run.check(claim).cause, run)
            if result.endless:
                return Anomaly("does not end", result.endless[0].endless, result.run(result.endless[0]))
            untested = [claim.sentence for claim in claims.values() if result.outcome(claim) != "holds"]
            if untested:
                return Anomaly("nothing happens", f"nothing tested whether {listed(untested)}", result.run(result.schedules[0]))
            schedules += len(result.schedules)
        what = "every single fault" if faults == 1 else "every pair of faults" if faults == 2 else "no fault"
        return f"{schedules:,} runs, {what}, in two timings"

    return trial


def exercise(id: str) -> Exercise:
    """The exercise of an id such as "05.2"."""
    lesson = str(id).partition(".")[0]
    known = of_lesson(lesson) if lesson in LESSONS else [e for lesson in LESSONS for e in of_lesson(lesson)]
    for one in known:
        if one.id == id:
            return one
    raise Unknown("exercise", id, [one.id for one in known])


def of_lesson(lesson: str) -> list[Exercise]:
    """The exercises of a lesson."""
    try:
        return import_module(f".lesson_{lesson}", __package__).EXERCISES
    except ModuleNotFoundError as missing:
        if missing.name != f"{__package__}.lesson_{lesson}":
            raise
        return []

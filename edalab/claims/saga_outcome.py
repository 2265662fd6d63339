"""The outcome of a saga, at its end or at a moment, as a word and a sentence.

The claims' own functions decide what is broken, so that an outcome and a claim cannot disagree.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..trace.saga import Saga
from ..trace.saga_moment import SagaMoment
from ..trace.saga_step import SagaStep
from ..trace.saga_story import SagaStory
from .sagas import (
    Findings,
    find_disordered,
    find_needless,
    find_repeated,
    find_two_ends,
    find_unsettled,
    why_back,
)

# Worst first. "inconsistent": the saga ended, but it left an effect behind, had one twice, or compensated in the wrong
# order or needlessly.
OUTCOMES = (
    *("inconsistent", "stuck", "in doubt", "under way", "not undone", "compensated"),
    *("refused", "done", "not begun"),
)


class Outcome(NamedTuple):
    """The outcome of a saga: a `word` of OUTCOMES, a `sentence` as headline, the `steps` at which it is stuck, and
    the done steps `left` that should be compensated and are not."""

    word: str
    sentence: str
    steps: tuple[SagaStep, ...] = ()
    left: tuple[SagaStep, ...] = ()


def outcome(story: SagaStory, time: int | None = None) -> Outcome:
    """The outcome of a saga at its end, or its state at `time` (ms)."""
    moment = story.at(time)
    if "outcome" not in vars(moment):
        vars(moment)["outcome"] = _read(moment)
    return vars(moment)["outcome"]


def _read(moment: SagaMoment) -> Outcome:
    """The outcome of a saga: the first that applies, beginning with the worst."""
    saga, over, states, histories = moment.saga, moment.over, moment.states, moment.histories
    if not moment.begun:
        return Outcome("not begun", "not begun yet")
    if twice := moment.those("done twice"):
        return Outcome("inconsistent", f"{_names(twice)} {states[twice[0]].words}")
    back, why = _way_back(moment)
    types = {step.type for step in saga.left}
    left = tuple(s for s in moment.begun if not s.compensates and types.intersection(s.names))
    owes = left and not saga.final and (back or why_back(saga))
    not_undone = f"{_names(left)} {'are' if len(left) > 1 else 'is'} not compensated"
    if over and owes and saga.ends:
        return Outcome("inconsistent", f"ended, but {not_undone}", left=left)
    finders = [find_two_ends, find_disordered, find_repeated]
    if not (saga.final and (over or saga.ends)):  # otherwise it is called "not undone"
        finders.append(find_needless)
    if wrong := _first_finding(saga, *finders):
        return Outcome("inconsistent", wrong)
    doubts, failed = _doubts(moment), moment.those("failed")
    if not over and (owes or not saga.ends):
        return Outcome("under way", _how_far(moment, doubts, back, why))
    if owes:
        refused = why.startswith("refused")
        words = f"{not_undone} ({why})" if refused else _joined(why, not_undone)
        return Outcome("stuck", f"stuck, {words}", tuple(failed or left[-1:]), left)
    broken = [step for step in failed if not step.compensated_by]
    if broken and not saga.ends:
        return Outcome("stuck", f"stuck, {_described(moment, broken[0])}", (broken[0],))
    if doubts:
        how = "ended" if saga.ends else "stuck"
        carried_out = "" if histories[doubts[0]].done else "not "
        words = f"{how} with {_names(doubts)} in doubt (it was {carried_out}carried out)"
        return Outcome("in doubt", words)
    if back and saga.final:
        final = [step for step in moment.begun if step.final and histories[step].done]
        how = "compensated" if saga.compensated_steps else why or "ended"
        things = "one thing" if len(final) == 1 else f"{len(final)} things"
        return Outcome("not undone", f"{how}, with {things} that cannot be undone")
    if not (back or saga.ends):
        last = max(moment.begun, key=lambda step: histories[step].events[-1].time)
        return Outcome("stuck", f"stuck after {last.name}", (last,))
    if over and (wrong := _first_finding(saga, find_unsettled)):
        return Outcome("inconsistent", wrong)
    if back and saga.compensated_steps:
        return Outcome("compensated", _joined(why, "compensated"))
    if back:
        return Outcome("refused", _joined(why, "nothing to compensate"))
    effort = [_described(moment, step) for step in moment.begun if states[step].words != "done"]
    return Outcome("done", _joined("done", *effort[:1]).replace(" done ", " "))


def _way_back(moment: SagaMoment) -> tuple[bool, str]:
    """Whether a saga goes back, and why a step did not go well, in words."""
    forward = [step for step in moment.begun if step.compensates is None]
    refused = [step for step in moment.those("refused", "idle") if step in forward]
    failed, missed = moment.those("failed"), moment.those("compensated")
    missed = [step for step in missed if moment.histories[step].times("no answer")]
    # A step that was saved but not published calls for the next step, not for a compensation.
    lost = [s for s in failed if s in forward and not moment.histories[s].times("saved")]
    back = bool(refused or len(forward) < len(moment.begun) or (moment.over and lost))
    if refused:
        return back, f"refused at {refused[-1].name}"
    if failed:
        return back, _described(moment, failed[0])
    return back, f"{missed[0].name} got no answer" if missed else ""


def _doubts(moment: SagaMoment) -> list[SagaStep]:
    """The steps of which the asker does not know whether they were done."""
    failed = moment.those("failed")
    asked = [step for step in failed if moment.histories[step].times("no answer")]
    unanswered = moment.those("in doubt", "late") + asked
    return [step for step in unanswered if moment.histories[step].doubtful]


def _how_far(moment: SagaMoment, doubts: list[SagaStep], back: bool, why: str) -> str:
    """How far a saga has got that is under way, in words."""
    if doubts:
        return f"under way, {_names(doubts)} in doubt"
    if back:
        done, left = len(moment.saga.done_steps), len(moment.saga.left)
        return _joined(why, f"{done - left} of {done} compensated" if done else "") or "under way"
    last = (moment.those("under way", "failed") or moment.begun)[-1]
    return f"under way, {_described(moment, last)}"


def _described(moment: SagaMoment, step: SagaStep) -> str:
    return f"{step.name} {moment.states[step].words}"


def _first_finding(saga: Saga, *finders: Callable[[Saga], Findings | None]) -> str:
    """The first sentence that these functions of the claims say of a saga, without its name."""
    findings = [finding for find in finders for finding in find(saga) or ()]
    return findings[0][0].removeprefix("in ").removeprefix(f"{saga} ") if findings else ""


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _names(steps: Sequence[SagaStep]) -> str:
    names = [step.name for step in steps[:3]]
    if len(steps) > 3:
        names.append(f"{len(steps) - 3} more")
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)

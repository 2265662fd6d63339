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
    saga, over, states = moment.saga, moment.over, moment.states
    histories = {step: h for step, h in moment.histories.items() if h.events}
    steps = list(histories)
    if not steps:
        return Outcome("not begun", "not begun yet")

    def those(*names: str) -> list[SagaStep]:
        return [step for step in steps if states[step].name in names]

    def described(step: SagaStep) -> str:
        return f"{step.name} {states[step].words}"

    if twice := those("done twice"):
        return Outcome("inconsistent", f"{_names(twice)} {states[twice[0]].words}")
    forward = [step for step in steps if step.compensates is None]
    failed, missed = those("failed"), those("compensated")
    missed = [step for step in missed if histories[step].times("no answer")]
    why = ""  # why it goes back
    if refused := [step for step in those("refused", "idle") if step in forward]:
        why = f"refused at {refused[-1].name}"
    elif failed:
        why = described(failed[0])
    elif missed:
        why = f"{missed[0].name} got no answer"
    # A step that was saved but not published calls for the next step, not for a compensation.
    gave_up = over and any(
        step in forward and not histories[step].times("saved") for step in failed
    )
    back = bool(refused or len(forward) < len(steps) or gave_up)
    types = {step.type for step in saga.left}
    left = tuple(step for step in forward if types.intersection(step.names))
    keeps = left and not saga.final and (back or why_back(saga))
    not_undone = f"{_names(left)} {'are' if len(left) > 1 else 'is'} not compensated"
    if over and keeps and saga.ends:
        return Outcome("inconsistent", f"ended, but {not_undone}", left=left)
    finders = [find_two_ends, find_disordered, find_repeated]
    if not (saga.final and (over or saga.ends)):
        finders.append(find_needless)
    if wrong := _first_finding(moment, *finders):
        return Outcome("inconsistent", wrong)
    unanswered = those("in doubt", "late")
    unanswered += [step for step in failed if histories[step].times("no answer")]
    doubts = [step for step in unanswered if histories[step].doubtful]
    if not over and (keeps or not saga.ends):
        if doubts:
            words = f"under way, {_names(doubts)} in doubt"
        elif back:
            done = len(saga.done_steps)
            count = f"{done - len(saga.left)} of {done} compensated" if done else ""
            words = _joined(why, count) or "under way"
        else:
            words = f"under way, {described((those('under way', 'failed') or steps)[-1])}"
        return Outcome("under way", words)
    if keeps:
        words = f"{not_undone} ({why})" if refused else _joined(why, not_undone)
        return Outcome("stuck", f"stuck, {words}", tuple(failed or left[-1:]), left)
    broken = [step for step in failed if not step.compensated_by]
    if broken and not saga.ends:
        return Outcome("stuck", f"stuck, {described(broken[0])}", (broken[0],))
    if doubts:
        how = "ended" if saga.ends else "stuck"
        carried_out = "" if histories[doubts[0]].done else "not "
        words = f"{how} with {_names(doubts)} in doubt (it was {carried_out}carried out)"
        return Outcome("in doubt", words)
    if back and saga.final:
        final = [step for step in steps if step.final and histories[step].done]
        how = "compensated" if saga.compensated_steps else why or "ended"
        things = "one thing" if len(final) == 1 else f"{len(final)} things"
        return Outcome("not undone", f"{how}, with {things} that cannot be undone")
    if not (back or saga.ends) and any(role.settles for role in saga.roles.values()):
        last = max(steps, key=lambda step: histories[step].events[-1].time)
        return Outcome("stuck", f"stuck after {last.name}", (last,))
    if over and (wrong := _first_finding(moment, find_unsettled)):
        return Outcome("inconsistent", wrong)
    if back and saga.compensated_steps:
        return Outcome("compensated", _joined(why, "compensated"))
    if back:
        return Outcome("refused", _joined(why, "nothing to compensate"))
    effort = [described(step) for step in steps if states[step].words != "done"]
    return Outcome("done", _joined("done", *effort[:1]).replace(" done ", " "))


def _first_finding(moment: SagaMoment, *finders: Callable[[Saga], Findings | None]) -> str:
    """The first sentence that these functions of the claims say of a saga, without its name."""
    saga = moment.saga
    findings = [finding for find in finders for finding in find(saga) or ()]
    return findings[0][0].removeprefix("in ").removeprefix(f"{saga} ") if findings else ""


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _names(steps: Sequence[SagaStep]) -> str:
    names = [step.name for step in steps[:3]]
    if len(steps) > 3:
        names.append(f"{len(steps) - 3} more")
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)

"""The outcome of a saga, at its end or at a moment, as a word and a sentence.

The claims' own functions decide what is broken, so that an outcome and a claim cannot disagree.
"""

from typing import NamedTuple

from ..trace.saga_moment import SagaMoment
from ..trace.saga_step import SagaStep
from ..trace.saga_story import SagaStory
from .sagas import (
    find_disordered,
    find_left_behind,
    find_needless,
    find_repeated,
    find_two_ends,
    find_unsettled,
)

# Worst first. "inconsistent": the saga ended, but it left an effect behind, had one twice, or compensated in the wrong
# order or needlessly.
OUTCOMES = (
    *("inconsistent", "stuck", "in doubt", "under way", "not undone", "compensated"),
    *("refused", "done", "not begun"),
)
_WELL = ("under way", "compensated", "refused", "done")


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
        found = _read(story, moment)
        known = found.word in ("inconsistent", "not begun") or not moment.saga.sent
        broken = "" if known else _broken(moment, found.word in _WELL)
        vars(moment)["outcome"] = Outcome("inconsistent", broken) if broken else found
    return vars(moment)["outcome"]


def _read(story: SagaStory, moment: SagaMoment) -> Outcome:
    """The outcome that the steps of a saga show: the first that applies, beginning with the worst."""
    over, states = moment.over, moment.states
    histories = {step: h for step, h in moment.histories.items() if h.events}
    steps, roles = list(histories), story.roles.values()
    if not steps:
        return Outcome("not begun", "not begun yet")

    def those(*names: str) -> list[SagaStep]:
        return [step for step in steps if states[step].name in names]

    def described(step: SagaStep) -> str:
        return f"{step.name} {states[step].words}"

    done = {step for step in steps if histories[step].done}
    if twice := those("done twice"):
        return Outcome("inconsistent", f"{_names(twice)} {states[twice[0]].words}")
    final = [step for step in steps if step.final and step in done]
    ends = [step for step in steps if step.settles and step in done]
    forward = [step for step in steps if step.compensates is None]
    undone = [step for step in forward if histories[step].compensated]
    refused, failed = [s for s in those("refused", "idle") if s in forward], those("failed")
    missed = [step for step in those("compensated") if histories[step].times("no answer")]
    why = ""  # why it goes back
    if refused:
        why = f"refused at {refused[-1].name}"
    elif failed:
        why = described(failed[0])
    elif missed:
        why = f"{missed[0].name} got no answer"
    compensable = {role.compensates for role in roles}
    owed = [step for step in forward if step in done and compensable.intersection(step.names)]
    left = [step for step in owed if histories[step].done > histories[step].compensated]
    settled = bool(ends) or any(s.refusal_settles and histories[s].times("refused") for s in steps)
    # A step that was saved but not published calls for the next step, not for a compensation.
    unsaved = [step for step in failed if not histories[step].times("saved")]
    gave_up = over and any(step.compensates is None for step in unsaved)
    back = bool(refused or len(forward) < len(steps) or gave_up)
    keeps = back and left and (undone or not final)  # steps that it should compensate
    unanswered = those("in doubt", "late")
    unanswered += [step for step in failed if histories[step].times("no answer")]
    doubts = [step for step in unanswered if histories[step].doubtful]
    if not over and (keeps or not settled):
        if doubts:
            words = f"under way, {_names(doubts)} in doubt"
        elif back:
            count = f"{len(owed) - len(left)} of {len(owed)} compensated" if owed else ""
            words = _joined(why, count) or "under way"
        else:
            words = f"under way, {described((those('under way', 'failed') or steps)[-1])}"
        return Outcome("under way", words)
    if keeps:
        words = f"{_names(left)} {'is' if len(left) == 1 else 'are'} not compensated"
        if settled:
            return Outcome("inconsistent", f"ended, but {words}", left=tuple(left))
        words = f"{words} ({why})" if refused else _joined(why, words)
        return Outcome("stuck", f"stuck, {words}", tuple(failed or left[-1:]), tuple(left))
    broken = [step for step in failed if not step.compensated_by]
    if broken and not settled:
        return Outcome("stuck", f"stuck, {described(broken[0])}", (broken[0],))
    if doubts:
        how, carried_out = "ended" if settled else "stuck", "" if doubts[0] in done else "not "
        words = f"{how} with {_names(doubts)} in doubt (it was {carried_out}carried out)"
        return Outcome("in doubt", words)
    if back and final:
        how = "compensated" if undone else why or "ended"
        things = "one thing" if len(final) == 1 else f"{len(final)} things"
        return Outcome("not undone", f"{how}, with {things} that cannot be undone")
    if back and undone:
        return Outcome("compensated", _joined(why, "compensated"))
    if back:
        return Outcome("refused", _joined(why, "nothing to compensate"))
    if settled or not any(role.settles for role in roles):
        effort = [described(step) for step in steps if states[step].words != "done"]
        return Outcome("done", _joined("done", *effort[:1]).replace(" done ", " "))
    last = max(steps, key=lambda step: histories[step].events[-1].time)
    return Outcome("stuck", f"stuck after {last.name}", (last,))


def _broken(moment: SagaMoment, looks_well: bool) -> str:
    """What a claim finds wrong with a saga. If the outcome is bad already, only what that outcome does not show."""
    saga, finders = moment.saga, [find_two_ends, find_disordered]
    if looks_well or not saga.final:
        finders.append(find_needless)
    if looks_well:
        finders.append(find_repeated)
    if looks_well and moment.over:
        finders += [find_left_behind, find_unsettled]
    findings = [finding for find in finders for finding in find(saga) or ()]
    return findings[0][0].removeprefix("in ").removeprefix(f"{saga} ") if findings else ""


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _names(steps: list[SagaStep]) -> str:
    names = [step.name for step in steps[:3]]
    if len(steps) > 3:
        names.append(f"{len(steps) - 3} more")
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]

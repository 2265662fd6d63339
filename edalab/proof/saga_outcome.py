"""What became of a saga, in a word and in a sentence: at its end, or as it stood at a moment."""

from typing import NamedTuple

from .saga_step import SagaStep
from .saga_story import SagaStory

# The worst first. "inconsistent": ended, and yet an effect is left behind, came twice, or was compensated and never done.
OUTCOMES = ("inconsistent", "stuck", "in doubt", "under way", "not undone", "compensated", "refused", "done", "not begun")


class Outcome(NamedTuple):
    """`word` is one of OUTCOMES, `sentence` says it as a headline does; `steps` are those where it went wrong, `left` those
    that are done and not compensated and should be."""

    word: str
    sentence: str
    steps: tuple[SagaStep, ...] = ()
    left: tuple[SagaStep, ...] = ()


def outcome(story: SagaStory, time: int | None = None) -> Outcome:
    """What became of a saga until `time` (ms), or in the end."""
    now = story.record.run.end if time is None else time
    if now not in story.outcomes:
        story.outcomes[now] = _outcome(story, now)
    return story.outcomes[now]


def _outcome(story: SagaStory, now: int) -> Outcome:
    over = story.ended and now >= story.end
    steps = [step for step in story.steps if step.begun(now)]
    if not steps:
        return Outcome("not begun", "not begun yet")
    states = {step: step.state(now, over) for step in steps}
    named = {name: [step for step in steps if states[step].name == name] for name in {s.name for s in states.values()}}
    forward = [step for step in steps if step.undoes is None]
    if not story.ended and now >= story.end and story.rounds:
        later, earlier = story.rounds[-1]
        return Outcome("stuck", f"goes round in a circle, {later.name} leads to {earlier.name} again: {len(story.rounds):,} times")
    if twice := named.get("done twice"):
        return Outcome("inconsistent", f"{_names(twice)} {states[twice[0]].words}", tuple(twice))
    if unfounded := [step for step in steps if step.undoes and step.done(now) and not _tried(step.undoes, now)]:
        return Outcome("inconsistent", f"{_names(unfounded)} compensates what was never done", tuple(unfounded))
    compensable = {word[0] for word in story.words.values() if word[0]}
    owed = [step for step in forward if step.done(now) and compensable & set(step.names)]
    left = [step for step in owed if step.done(now) > step.compensated(now)]
    undone = [step for step in forward if step.compensated(now)]
    final = [step for step in steps if step.final and step.done(now)]
    refused = [step for step in forward if states[step].name in ("refused", "idle")]
    failed = named.get("failed", [])
    unheard = named.get("in doubt", []) + named.get("late", []) + [step for step in failed if step.times("no answer", now)]
    doubts = [step for step in unheard if step.doubtful(now)]
    back = bool(refused or any(step.undoes for step in steps) or over and any(step.undoes is None for step in failed))
    why = f"refused at {refused[-1].name}" if refused else _failed(failed[0], states) if failed else ""
    if not why and (missed := [step for step in named.get("compensated", []) if step.times("no answer", now)]):
        why = f"{missed[0].name} got no answer"
    settled = any(step.settles and step.done(now) or step.closed and step.times("refused", now) for step in steps)
    if len(ends := [step for step in steps if step.settles and step.done(now)]) > 1:
        return Outcome("inconsistent", f"ended in two ways, {_names(ends)}", tuple(ends))
    if not settled and not over:
        return Outcome("under way", _under_way(steps, states, doubts, why, back, len(owed), len(left)))
    if back and left and not (final and not undone):
        words = f"{_names(left)} {'is' if len(left) == 1 else 'are'} not compensated"
        if not over:
            return Outcome("under way", _under_way(steps, states, doubts, why, back, len(owed), len(left)))
        if settled:
            return Outcome("inconsistent", f"ended, but {words}", tuple(left), tuple(left))
        stuck = f"stuck, {words} ({why})" if refused else f"stuck, {', '.join(filter(None, [why, words]))}"
        return Outcome("stuck", stuck, tuple(failed or left), tuple(left))
    if over and not settled and (broken := [step for step in failed if not step.undone_by]):
        return Outcome("stuck", f"stuck, {_failed(broken[0], states)}", tuple(broken))
    if doubts:
        truth = "it was carried out" if doubts[0].done(now) else "it was not carried out"
        how = "ended" if settled else "stuck"
        return Outcome("in doubt", f"{how} with {_names(doubts)} in doubt ({truth})", tuple(doubts))
    if back and final:
        things = "one thing" if len(final) == 1 else f"{len(final)} things"
        return Outcome("not undone", f"{'compensated' if undone else why or 'ended'}, with {things} that cannot be undone")
    if back and undone:
        return Outcome("compensated", f"{why}, compensated" if why else "compensated")
    if back:
        return Outcome("refused", f"{why}, nothing to compensate" if why else "nothing to compensate")
    if settled or not any(word[3] for word in story.words.values()):
        effort = next((f", {step.name} {states[step].words.removeprefix('done ')}" for step in steps if states[step].words != "done"), "")
        return Outcome("done", f"done{effort}")
    last = max(steps, key=lambda step: step.moments[-1].time)
    return Outcome("stuck", f"stuck after {last.name}", (last,))


def _under_way(steps, states, doubts, why: str, back: bool, owed: int, left: int) -> str:
    if doubts:
        return f"under way, {_names(doubts)} in doubt"
    if back:
        return ", ".join(filter(None, [why, f"{owed - left} of {owed} compensated" if owed else ""])) or "under way"
    at_work = [step for step in steps if states[step].name in ("under way", "failed")]
    return f"under way, {at_work[-1].name} {states[at_work[-1]].words}" if at_work else f"under way, {steps[-1].name} {states[steps[-1]].words}"


def _failed(step: SagaStep, states) -> str:
    return f"{step.name} {states[step].words}"


def _tried(step: SagaStep, now: int) -> bool:
    """Whether there may have been something to compensate: it was done, or asked for and not refused."""
    return bool(step.done(now)) or step.begun(now) and not step.times("refused", now)


def _names(steps: list[SagaStep]) -> str:
    names = [step.name for step in steps[:3]] + ([f"{len(steps) - 3} more"] if len(steps) > 3 else [])
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

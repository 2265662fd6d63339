"""What became of a saga, in a word and in a sentence: at its end, or as it stood at a moment."""

from typing import NamedTuple

from .saga_step import SagaStep
from .saga_story import SagaStory

# The worst first. "inconsistent": ended, and yet an effect is left behind, came twice, or was undone and never done.
OUTCOMES = ("inconsistent", "stuck", "in doubt", "under way", "not undone", "compensated", "refused", "done", "not begun")


class Outcome(NamedTuple):
    """`word` is one of OUTCOMES; `sentence` says it as a headline does."""

    word: str
    sentence: str


def outcome(story: SagaStory, time: int | None = None) -> Outcome:
    """What became of a saga until `time` (ms), or in the end."""
    now = story.record.run.end if time is None else time
    over = story.ended and now >= story.end
    steps = [step for step in story.steps if step.begun(now) or not step.moments]
    if not any(step.moments for step in steps):
        return Outcome("not begun", "not begun")
    states = {step: step.state(now, over) for step in steps}
    forward = [step for step in steps if step.undoes is None]
    twice = [step for step in steps if states[step].name == "done twice"]
    if twice:
        return Outcome("inconsistent", f"{_names(twice)} {states[twice[0]].words}")
    unfounded = [step for step in steps if step.undoes and step.done(now) and _never_asked(step.undoes, now)]
    if unfounded:
        return Outcome("inconsistent", f"{_names(unfounded)} undid what was never done")
    settled = any(step.settles and (step.done(now) or step.refusals and step.times("refused", now)) for step in steps)
    refused = [step for step in forward if states[step].name in ("refused", "idle")]
    failed = [step for step in steps if states[step].name == "failed"]
    doubts = [step for step in steps if states[step].name in ("in doubt", "late") and step.doubtful(now)]
    undone = [step for step in forward if step.compensated(now)]
    undoing = [step for step in steps if step.undoes]
    final = [step for step in steps if step.final and step.done(now)]
    can_be_undone = {word[0] for word in story.words.values() if word[0]}
    left = [s for s in forward if s.done(now) > s.compensated(now) and can_be_undone & set(story.names(s))]
    back = bool(refused or undoing or any(states[step].name == "failed" for step in forward))
    why = f"{_names(refused[:1])} refused" if refused else f"{_names(failed[:1])} failed" if failed else ""
    if settled or over:
        known_end = settled or not any(word[3] for word in story.words.values())
        if back and left and not (final and not undone):
            words = f"{_names(left)} not undone"
            if settled:
                return Outcome("inconsistent", f"ended, but {words}")
            return Outcome("stuck", "stuck: " + ", ".join(filter(None, [why if why not in words else "", words])))
        if not settled and [step for step in failed if not step.undone_by]:
            return Outcome("stuck", f"stuck: {_names(failed)} {states[failed[0]].words}")
        if doubts:
            truth = "was carried out" if doubts[0].done(now) else "was not carried out"
            return Outcome("in doubt", f"{'ended, ' if settled else 'stuck, '}{_names(doubts)} in doubt ({truth})")
        if back:
            if final:
                things = "one thing" if len(final) == 1 else f"{len(final)} things"
                return Outcome("not undone", f"{'compensated' if undone else why}, with {things} that cannot be undone")
            if undone:
                return Outcome("compensated", f"{why} and compensated" if why.endswith("refused") else "compensated")
            return Outcome("refused", f"{why}, nothing to undo" if why else "nothing to undo")
        if known_end:
            return Outcome("done", "done")
        last = [step for step in steps if step.moments][-1]
        return Outcome("stuck", f"stuck after {last.name}")
    if doubts:
        return Outcome("under way", f"under way, {_names(doubts)} in doubt")
    if back:
        due = [step for step in forward if step.done(now) and can_be_undone & set(story.names(step))]
        return Outcome("under way", f"{why + ', ' if why else ''}{len(due) - len(left)} of {len(due)} undone")
    return Outcome("under way", "under way: " + (_names([s for s in steps if states[s].name in ("under way", "failed")][-1:]) or steps[-1].name))


def _never_asked(step: SagaStep, now: int) -> bool:
    """Whether there was nothing to undo: never asked for, or refused and never done."""
    return not step.done(now) and (not step.begun(now) or bool(step.times("refused", now)))


def _names(steps: list[SagaStep]) -> str:
    names = [step.name for step in steps[:3]] + ([f"{len(steps) - 3} more"] if len(steps) > 3 else [])
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

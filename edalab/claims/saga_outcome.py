"""What became of a saga, in a word and in a sentence: in the end, or as it stood at a moment.

What a claim calls broken is found by the claim's own function, so that the two cannot disagree.
"""

from typing import NamedTuple

from ..trace.saga_step import SagaStep
from ..trace.saga_story import SagaStory
from .sagas import (
    disordered,
    find_left_behind,
    find_needless,
    find_repeated,
    find_two_ends,
    find_unsettled,
)

# The worst first. "inconsistent": it ended, and yet left an effect behind, had one twice, or compensated in the wrong
# order or for nothing.
OUTCOMES = (
    *("inconsistent", "stuck", "in doubt", "under way", "not undone", "compensated"),
    *("refused", "done", "not begun"),
)
_WELL = ("under way", "compensated", "refused", "done")


class Outcome(NamedTuple):
    """`word` is one of OUTCOMES, `sentence` a headline; `steps` are those where it went wrong,
    `left` those that were done and should be compensated and are not."""

    word: str
    sentence: str
    steps: tuple[SagaStep, ...] = ()
    left: tuple[SagaStep, ...] = ()


def outcome(story: SagaStory, time: int | None = None) -> Outcome:
    """What became of a saga, or how it stood at `time` (ms)."""
    moment = story.at(time)
    if "outcome" not in vars(moment):
        vars(moment)["outcome"] = _Standing(story, time).outcome()
    return vars(moment)["outcome"]


class _Standing:
    """The steps of a saga by how they stand, and the rules that make an outcome of that."""

    def __init__(self, story: SagaStory, time: int | None):
        moment = story.at(time)
        self.story, self.saga, self.over, self.states = (
            story,
            moment.saga,
            moment.over,
            moment.states,
        )
        self.histories = {step: h for step, h in moment.histories.items() if h.events}
        steps = self.steps = list(self.histories)
        forward = [step for step in steps if step.compensates is None]
        compensable = {role.compensates for role in story.roles.values()}
        self.owed = [s for s in forward if self.done(s) and compensable & set(s.names)]
        self.left = [s for s in self.owed if self.done(s) > self.histories[s].compensated]
        self.undone = [step for step in forward if self.histories[step].compensated]
        self.final = [step for step in steps if step.final and self.done(step)]
        self.refused = [step for step in self.those("refused", "idle") if step in forward]
        self.failed = self.those("failed")
        unheard = self.those("in doubt", "late")
        unheard += [step for step in self.failed if self.histories[step].times("no answer")]
        self.doubts = [step for step in unheard if self.histories[step].doubtful]
        self.ends = [step for step in steps if step.settles and self.done(step)]
        refusals = [step for step in steps if self.histories[step].times("refused")]
        self.settled = bool(self.ends) or any(step.refusal_settles for step in refusals)
        gave_up = self.over and any(step.compensates is None for step in self.failed)
        self.back = bool(self.refused or len(forward) < len(steps) or gave_up)

    def done(self, step: SagaStep) -> int:
        return self.histories[step].done

    def those(self, *names: str) -> list[SagaStep]:
        return [step for step in self.steps if self.states[step].name in names]

    def describe(self, step: SagaStep) -> str:
        return f"{step.name} {self.states[step].words}"

    def outcome(self) -> Outcome:
        if not self.steps:
            return Outcome("not begun", "not begun yet")
        wrong = self.wrong()
        if wrong is not None:
            return wrong
        found = self.ended() if self.settled or self.over else self.under_way()
        broken = self.broken() if found.word in _WELL else ""
        if broken:
            return Outcome("inconsistent", broken, tuple(self.left or self.steps[-1:]))
        return found

    @property
    def why(self) -> str:
        """Why the saga goes back."""
        if self.refused:
            return f"refused at {self.refused[-1].name}"
        if self.failed:
            return self.describe(self.failed[0])
        missed = [s for s in self.those("compensated") if self.histories[s].times("no answer")]
        return f"{missed[0].name} got no answer" if missed else ""

    def wrong(self) -> Outcome | None:
        """What must never be, whatever may still happen."""
        rounds = self.story.rounds
        if rounds and self.story.trace.run._world.misuse is not None:
            later, earlier = rounds[-1]
            again = f"{later.name} leads to {earlier.name} again: {len(rounds):,} times"
            return Outcome("stuck", f"goes round in a circle, {again}")
        if twice := self.those("done twice"):
            words = self.states[twice[0]].words
            return Outcome("inconsistent", f"{_names(twice)} {words}", tuple(twice))
        names = {
            self.saga.envelope(numbers[0]).type for _, numbers in find_needless(self.saga) or ()
        }
        needless = [step for step in self.steps if self.done(step) and names & set(step.names)]
        if needless and not self.final:
            what = f"{_names(needless)} compensates what was never done"
            return Outcome("inconsistent", what, tuple(needless))
        if find_two_ends(self.saga):
            ways = f"ended in two ways, {_names(self.ends)}"
            return Outcome("inconsistent", ways, tuple(self.ends))
        steps = {name: step for step in self.undone for name in step.names}
        for pair in disordered(self.saga):
            wrong = [steps[one.type] for one in pair if one.type in steps]
            if len(wrong) == 2:
                order = " before ".join(step.name for step in wrong)
                sentence = f"{self.why}, compensated, but {order}, which depends on it"
                return Outcome("inconsistent", sentence, tuple(wrong))
        return None

    def broken(self) -> str:
        """What a claim says against it that no step of it shows."""
        finders = [find_repeated, find_needless]
        if self.over:
            finders += [find_left_behind, find_unsettled]
        findings = [finding for find in finders for finding in find(self.saga) or ()]
        return findings[0][0].removeprefix(f"in {self.saga} ") if findings else ""

    def under_way(self) -> Outcome:
        if self.doubts:
            return Outcome("under way", f"under way, {_names(self.doubts)} in doubt")
        if self.back:
            undone = len(self.owed) - len(self.left)
            done = f"{undone} of {len(self.owed)} compensated" if self.owed else ""
            return Outcome("under way", _joined(self.why, done) or "under way")
        at_work = self.those("under way", "failed") or self.steps
        return Outcome("under way", f"under way, {self.describe(at_work[-1])}")

    def ended(self) -> Outcome:
        """Settled, or nothing more can happen."""
        if self.back and self.left and not (self.final and not self.undone):
            return self.not_compensated() if self.over else self.under_way()
        broken = [step for step in self.failed if not step.compensated_by]
        if broken and not self.settled:
            return Outcome("stuck", f"stuck, {self.describe(broken[0])}", (broken[0],))
        if self.doubts:
            carried_out = "carried out" if self.done(self.doubts[0]) else "not carried out"
            how = "ended" if self.settled else "stuck"
            doubt = f"{how} with {_names(self.doubts)} in doubt (it was {carried_out})"
            return Outcome("in doubt", doubt, tuple(self.doubts))
        if self.back:
            return self.went_back()
        if self.settled or not any(role.settles for role in self.story.roles.values()):
            effort = [self.describe(s) for s in self.steps if self.states[s].words != "done"]
            return Outcome("done", _joined("done", *effort[:1]).replace(" done ", " "))
        last = max(self.steps, key=lambda step: self.histories[step].events[-1].time)
        return Outcome("stuck", f"stuck after {last.name}", (last,))

    def not_compensated(self) -> Outcome:
        left = tuple(self.left)
        words = f"{_names(self.left)} {'is' if len(left) == 1 else 'are'} not compensated"
        if self.settled:
            return Outcome("inconsistent", f"ended, but {words}", left, left)
        why = f"{words} ({self.why})" if self.refused else _joined(self.why, words)
        return Outcome("stuck", f"stuck, {why}", tuple(self.failed or left[-1:]), left)

    def went_back(self) -> Outcome:
        if self.final:
            things = "one thing" if len(self.final) == 1 else f"{len(self.final)} things"
            how = "compensated" if self.undone else self.why or "ended"
            return Outcome("not undone", f"{how}, with {things} that cannot be undone")
        if self.undone:
            return Outcome("compensated", _joined(self.why, "compensated"))
        return Outcome("refused", _joined(self.why, "nothing to compensate"))


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _names(steps: list[SagaStep]) -> str:
    names = [step.name for step in steps[:3]]
    if len(steps) > 3:
        names.append(f"{len(steps) - 3} more")
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]

"""What became of a saga, in a word and in a sentence: at the end of its run, or as it stood when the record was cut.

What a claim calls broken is found by the claim's own function, so that the two cannot disagree.
"""

from typing import NamedTuple

from ..trace.causality import dependent_compensations
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
    "inconsistent",
    "stuck",
    "in doubt",
    "under way",
    "not undone",
    "compensated",
    "refused",
    "done",
    "not begun",
)
_WELL = ("under way", "compensated", "refused", "done")


class Outcome(NamedTuple):
    """`word` is one of OUTCOMES, `sentence` a headline; `steps` are those where it went wrong, `left` those that were done
    and should be compensated and are not."""

    word: str
    sentence: str
    steps: tuple[SagaStep, ...] = ()
    left: tuple[SagaStep, ...] = ()


def outcome(story: SagaStory, time: int | None = None) -> Outcome:
    """What became of a saga, or how it stood at `time` (ms)."""
    past = story if time is None else story.at(time)
    if past is None:
        return Outcome("not begun", "not begun yet")
    if "outcome" not in vars(past):
        vars(past)["outcome"] = _Standing(past).outcome()
    return vars(past)["outcome"]


class _Standing:
    """The steps of a saga by how they stand, and the rules that make an outcome of that."""

    def __init__(self, story: SagaStory):
        self.story, self.saga, self.over = story, story.saga, story.over
        self.steps = steps = [step for step in story.steps if step.begun]
        self.states = story.states
        forward = [step for step in steps if step.compensates is None]
        compensable = {role.compensates for role in story.roles.values()}
        self.owed = [step for step in forward if step.done and compensable & set(step.names)]
        self.left = [step for step in self.owed if step.done > step.compensated]
        self.undone = [step for step in forward if step.compensated]
        self.final = [step for step in steps if step.final and step.done]
        self.refused = [s for s in forward if self.states[s].name in ("refused", "idle")]
        self.failed = self.those("failed")
        unheard = self.those("in doubt", "late")
        unheard += [step for step in self.failed if step.times("no answer")]
        self.doubts = [step for step in unheard if step.doubtful]
        self.ends = [step for step in steps if step.settles and step.done]
        refusal_settled = any(step.refusal_settles and step.times("refused") for step in steps)
        self.settled = bool(self.ends) or refusal_settled
        gave_up = self.over and any(step.compensates is None for step in self.failed)
        compensates = any(step.compensates for step in steps)
        self.back = bool(self.refused or compensates or gave_up)

    def those(self, *names: str) -> list[SagaStep]:
        return [step for name in names for step in self.steps if self.states[step].name == name]

    def outcome(self) -> Outcome:
        if not self.steps:
            return Outcome("not begun", "not begun yet")
        wrong = self.wrong()
        if wrong is not None:
            return wrong
        found = self.ended() if self.settled or self.over else self.under_way()
        if found.word in _WELL:
            broken = self.broken()
            if broken:
                return Outcome("inconsistent", broken, tuple(self.left or self.steps[-1:]))
        return found

    def describe(self, step: SagaStep) -> str:
        return f"{step.name} {self.states[step].words}"

    @property
    def why(self) -> str:
        """Why the saga goes back."""
        if self.refused:
            return f"refused at {self.refused[-1].name}"
        if self.failed:
            return self.describe(self.failed[0])
        missed = [step for step in self.those("compensated") if step.times("no answer")]
        return f"{missed[0].name} got no answer" if missed else ""

    def wrong(self) -> Outcome | None:
        """What must never be, whatever may still happen."""
        if self.story.rounds and self.story.endless:
            later, earlier = self.story.rounds[-1]
            times = f"{len(self.story.rounds):,} times"
            circle = f"goes round in a circle, {later.name} leads to {earlier.name} again: {times}"
            return Outcome("stuck", circle)
        if twice := self.those("done twice"):
            words = self.states[twice[0]].words
            return Outcome("inconsistent", f"{_names(twice)} {words}", tuple(twice))
        names = {self.saga.envelope(numbers[0]).type for _, numbers in find_needless(self.saga)}
        needless = tuple(step for step in self.steps if step.done and names & set(step.names))
        if needless and not self.final:
            what = f"{_names(needless)} compensates what was never done"
            return Outcome("inconsistent", what, needless)
        if find_two_ends(self.saga):
            ways = f"ended in two ways, {_names(self.ends)}"
            return Outcome("inconsistent", ways, tuple(self.ends))
        return self.disordered()

    def disordered(self) -> Outcome | None:
        """A step that was compensated before another one, which depends on it."""
        steps = {name: step for step in self.undone for name in step.names}
        pairs = dependent_compensations(self.saga) if len(self.undone) > 1 else []
        for base, _, _, step, _, _ in disordered(pairs):
            wrong = [steps.get(self.saga.envelope(group[0]).type) for group in (base, step)]
            if all(wrong):
                order = " before ".join(step.name for step in wrong)
                why = f"{self.why}, compensated, but {order}, which depends on it"
                return Outcome("inconsistent", why, tuple(wrong))
        return None

    def broken(self) -> str:
        """What a claim says against it that no step of it shows."""
        findings = [*find_repeated(self.saga), *find_needless(self.saga)]
        if self.over:
            findings += [*find_left_behind(self.saga), *find_unsettled(self.saga)]
        return findings[0][0].removeprefix(f"in {self.saga} ") if findings else ""

    def under_way(self) -> Outcome:
        if self.doubts:
            return Outcome("under way", f"under way, {_names(self.doubts)} in doubt")
        if self.back:
            undone = len(self.owed) - len(self.left)
            done = f"{undone} of {len(self.owed)} compensated" if self.owed else ""
            return Outcome("under way", ", ".join(filter(None, [self.why, done])) or "under way")
        at_work = self.those("under way", "failed")
        last = max(at_work or self.steps, key=self.steps.index)
        return Outcome("under way", f"under way, {self.describe(last)}")

    def ended(self) -> Outcome:
        """Settled, or nothing more can happen."""
        left, final = self.left, self.final
        if self.back and left and not (final and not self.undone):
            return self.not_compensated() if self.over else self.under_way()
        if not self.settled:
            broken = [step for step in self.failed if not step.compensated_by]
            if broken:
                return Outcome("stuck", f"stuck, {self.describe(broken[0])}", tuple(broken))
        if self.doubts:
            carried_out = "carried out" if self.doubts[0].done else "not carried out"
            how = "ended" if self.settled else "stuck"
            doubt = f"{how} with {_names(self.doubts)} in doubt (it was {carried_out})"
            return Outcome("in doubt", doubt, tuple(self.doubts))
        if self.back:
            return self.went_back()
        if self.settled or not any(role.settles for role in self.story.roles.values()):
            effort = [step for step in self.steps if self.states[step].words != "done"]
            with_effort = f", {self.describe(effort[0]).replace(' done ', ' ')}" if effort else ""
            return Outcome("done", "done" + with_effort)
        last = max(self.steps, key=lambda step: step.events[-1].time)
        return Outcome("stuck", f"stuck after {last.name}", (last,))

    def not_compensated(self) -> Outcome:
        left = self.left
        words = f"{_names(left)} {'is' if len(left) == 1 else 'are'} not compensated"
        if self.settled:
            return Outcome("inconsistent", f"ended, but {words}", tuple(left), tuple(left))
        if self.refused:
            why = f"{words} ({self.why})"
        else:
            why = ", ".join(filter(None, [self.why, words]))
        return Outcome("stuck", f"stuck, {why}", tuple(self.failed or left[-1:]), tuple(left))

    def went_back(self) -> Outcome:
        if self.final:
            things = "one thing" if len(self.final) == 1 else f"{len(self.final)} things"
            how = "compensated" if self.undone else self.why or "ended"
            return Outcome("not undone", f"{how}, with {things} that cannot be undone")
        how = "compensated" if self.undone else "nothing to compensate"
        word = "compensated" if self.undone else "refused"
        return Outcome(word, ", ".join(filter(None, [self.why, how])))


def _names(steps: list[SagaStep]) -> str:
    names = [step.name for step in steps[:3]]
    if len(steps) > 3:
        names.append(f"{len(steps) - 3} more")
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]

"""What became of a saga, in a word and in a sentence: at its end, or as it stood at a moment."""

from typing import NamedTuple

from ..trace.causality import dependent_compensations as compensated_pairs
from .sagas import why_needless as needless
from .saga_step import SagaStep
from .saga_story import SagaStory

# The worst first. "inconsistent": ended, and yet an effect is left behind, came twice, or was compensated in the wrong order or for nothing.
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


class Outcome(NamedTuple):
    """`word` is one of OUTCOMES, `sentence` says it as a headline does; `steps` are those where it went wrong, `left` those
    that are done and not compensated and should be."""

    word: str
    sentence: str
    steps: tuple[SagaStep, ...] = ()
    left: tuple[SagaStep, ...] = ()


def outcome(story: SagaStory, time: int | None = None) -> Outcome:
    """What became of a saga until `time` (ms), or in the end."""
    now = story.trace.run.end if time is None else time
    if now not in story.outcomes:
        story.outcomes[now] = _outcome(story, now)
    return story.outcomes[now]


def _outcome(story: SagaStory, now: int) -> Outcome:
    stand = _Standing(story, now)
    if not stand.steps:
        return Outcome("not begun", "not begun yet")
    return stand.wrong() or (
        stand.under_way() if not stand.settled and not stand.over else stand.ended()
    )


class _Standing:
    """The steps of a saga at a moment, by how they stand; and the rules that make an outcome of that."""

    def __init__(self, story: SagaStory, now: int):
        self.story, self.now, self.over = story, now, story.ended and now >= story.end
        self.steps = steps = [step for step in story.steps if step.begun(now)]
        self.states = {step: step.state(now, self.over) for step in steps}
        forward = [step for step in steps if step.undoes is None]
        compensable = {word[0] for word in story.words.values() if word[0]}
        self.owed = [step for step in forward if step.done(now) and compensable & set(step.names)]
        self.left = [step for step in self.owed if step.done(now) > step.compensated(now)]
        self.undone = [step for step in forward if step.compensated(now)]
        self.final = [step for step in steps if step.final and step.done(now)]
        self.refused = [step for step in forward if self.states[step].name in ("refused", "idle")]
        self.failed = self.those("failed")
        unheard = [
            *self.those("in doubt", "late"),
            *(step for step in self.failed if step.times("no answer", now)),
        ]
        self.doubts = [step for step in unheard if step.doubtful(now)]
        self.ends = [step for step in steps if step.settles and step.done(now)]
        self.settled = bool(self.ends) or any(
            step.closed and step.times("refused", now) for step in steps
        )
        given_up = self.over and any(step.undoes is None for step in self.failed)
        self.back = bool(self.refused or any(step.undoes for step in steps) or given_up)

    def those(self, *names: str) -> list[SagaStep]:
        return [step for name in names for step in self.steps if self.states[step].name == name]

    def told(self, step: SagaStep) -> str:
        return f"{step.name} {self.states[step].words}"

    @property
    def why(self) -> str:
        """Why the saga goes back."""
        if self.refused:
            return f"refused at {self.refused[-1].name}"
        if self.failed:
            return self.told(self.failed[0])
        missed = [step for step in self.those("compensated") if step.times("no answer", self.now)]
        return f"{missed[0].name} got no answer" if missed else ""

    def wrong(self) -> Outcome | None:
        """What must never be, whatever else may come."""
        rounds = self.story.rounds
        if rounds and not self.story.ended and self.now >= self.story.end:
            later, earlier = rounds[-1]
            circle = f"goes round in a circle, {later.name} leads to {earlier.name} again: {len(rounds):,} times"
            return Outcome("stuck", circle)
        if twice := self.those("done twice"):
            return Outcome(
                "inconsistent", f"{_names(twice)} {self.states[twice[0]].words}", tuple(twice)
            )
        unfounded = [
            step
            for step in self.steps
            if step.undoes and step.done(self.now) and self._needless(step)
        ]
        if unfounded:
            return Outcome(
                "inconsistent",
                f"{_names(unfounded)} compensates what was never done",
                tuple(unfounded),
            )
        if len(self.ends) > 1:
            return Outcome(
                "inconsistent", f"ended in two ways, {_names(self.ends)}", tuple(self.ends)
            )
        return None

    def _needless(self, step: SagaStep) -> bool:
        saga = self.story.saga
        return any(
            needless(saga, same)
            for name in step.names
            if saga.role(name)[0]
            for same in saga.occurrences(name)
        )

    def under_way(self) -> Outcome:
        if self.doubts:
            return Outcome("under way", f"under way, {_names(self.doubts)} in doubt")
        if self.back:
            done = (
                f"{len(self.owed) - len(self.left)} of {len(self.owed)} compensated"
                if self.owed
                else ""
            )
            return Outcome("under way", ", ".join(filter(None, [self.why, done])) or "under way")
        at_work = [
            step for step in self.steps if self.states[step].name in ("under way", "failed")
        ] or self.steps
        return Outcome("under way", f"under way, {self.told(at_work[-1])}")

    def ended(self) -> Outcome:
        """Settled, or nothing more can come."""
        left, failed, final = self.left, self.failed, self.final
        if self.back and left and not (final and not self.undone):
            words = f"{_names(left)} {'is' if len(left) == 1 else 'are'} not compensated"
            if not self.over:
                return self.under_way()
            if self.settled:
                return Outcome("inconsistent", f"ended, but {words}", tuple(left), tuple(left))
            told = (
                f"{words} ({self.why})"
                if self.refused
                else ", ".join(filter(None, [self.why, words]))
            )
            return Outcome("stuck", f"stuck, {told}", tuple(failed or left[-1:]), tuple(left))
        if not self.settled and (broken := [step for step in failed if not step.undone_by]):
            return Outcome("stuck", f"stuck, {self.told(broken[0])}", tuple(broken))
        if self.doubts:
            truth = (
                "it was carried out" if self.doubts[0].done(self.now) else "it was not carried out"
            )
            how = "ended" if self.settled else "stuck"
            return Outcome(
                "in doubt",
                f"{how} with {_names(self.doubts)} in doubt ({truth})",
                tuple(self.doubts),
            )
        if self.back:
            return self._went_back()
        if self.settled or not any(word[3] for word in self.story.words.values()):
            effort = [step for step in self.steps if self.states[step].words != "done"]
            return Outcome(
                "done",
                "done" + (f", {self.told(effort[0]).replace(' done ', ' ')}" if effort else ""),
            )
        last = max(self.steps, key=lambda step: step.moments[-1].time)
        return Outcome("stuck", f"stuck after {last.name}", (last,))

    def _went_back(self) -> Outcome:
        if self.final:
            things = "one thing" if len(self.final) == 1 else f"{len(self.final)} things"
            how = "compensated" if self.undone else self.why or "ended"
            return Outcome("not undone", f"{how}, with {things} that cannot be undone")
        if wrong := self._in_wrong_order():
            order = " before ".join(step.name for step in wrong)
            return Outcome(
                "inconsistent", f"{self.why}, compensated, but {order}, which depends on it", wrong
            )
        how = "compensated" if self.undone else "nothing to compensate"
        word = "compensated" if self.undone else "refused"
        return Outcome(word, ", ".join(filter(None, [self.why, how])))

    def _in_wrong_order(self) -> tuple[SagaStep, ...]:
        """Two steps: one that was compensated before another, which depends on it."""
        saga, steps = self.story.saga, {name: step for step in self.undone for name in step.names}
        for base, _, back, step, later, its_back in (
            compensated_pairs(saga) if len(self.undone) > 1 else ()
        ):
            if later < back < its_back:
                return steps[saga.envelope(base[0]).type], steps[saga.envelope(step[0]).type]
        return ()


def _names(steps: list[SagaStep]) -> str:
    names = [step.name for step in steps[:3]] + (
        [f"{len(steps) - 3} more"] if len(steps) > 3 else []
    )
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

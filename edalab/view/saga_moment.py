"""A saga as it stood at a moment, drawn on the places that its steps have in the end."""

from functools import cached_property

from ..claims.saga_outcome import Outcome, outcome
from ..trace.saga_step import SagaStep, State
from ..trace.saga_story import SagaStory

_NOT_YET = State("not yet", "")


class SagaMoment:
    """A `story` as it stood at `now` (ms), or in the end where that is None.

    `shown` maps each step to what was recorded of it by then, `states` to how it stood."""

    def __init__(self, story: SagaStory, now: int | None):
        self.story, self.now = story, now
        self.time = story.trace.run.end if now is None else now
        self.shown = _steps_at(story, self.time)
        self.states = _states_at(story, self.time)
        found, whole = outcome(story, now), {past: step for step, past in self.shown.items()}
        steps, left = (
            tuple(whole[past] for past in some if past in whole)
            for some in (found.steps, found.left)
        )
        self.outcome = found._replace(steps=steps, left=left)
        self.end = outcome(story)

    @cached_property
    def states_ever(self) -> list[tuple[SagaStep, State]]:
        """Each state that a step has at any moment: a picture with a cursor has room for all of them."""
        if self.now is None:
            return []
        times = self.story.times
        return list(
            dict.fromkeys(pair for time in times for pair in _states_at(self.story, time).items())
        )

    @cached_property
    def outcomes_ever(self) -> list[tuple[int | None, Outcome]]:
        """Each moment, with what had become of the saga."""
        times = [] if self.now is None else self.story.times
        found = [(time, outcome(self.story, time)) for time in times]
        return [(self.now, self.outcome), (self.now, self.end), *found]


def _steps_at(story: SagaStory, time: int) -> dict[SagaStep, SagaStep | None]:
    past = story.at(time)
    return dict(zip(story.steps, past.steps if past else [None] * len(story.steps), strict=True))


def _states_at(story: SagaStory, time: int) -> dict[SagaStep, State]:
    past = story.at(time)
    steps = _steps_at(story, time)
    return {step: past.states[one] if past else _NOT_YET for step, one in steps.items()}

"""A saga as it stood at a moment, and what of it a picture has room for at any moment."""

from functools import cached_property

from ..claims.saga_outcome import Outcome, outcome
from ..trace.saga_step import SagaStep, State
from ..trace.saga_story import SagaStory


class SagaMoment:
    """A `story` at `now` (ms), or in the end if that is None. `shown` maps steps to histories."""

    def __init__(self, story: SagaStory, now: int | None):
        self.story, self.now = story, now
        self.time = story.trace.run.end if now is None else now
        self.shown, self.states = story.at(now).histories, story.at(now).states
        self.outcome, self.end = outcome(story, now), outcome(story)
        self._times = [] if now is None else story.times

    @cached_property
    def states_ever(self) -> list[tuple[SagaStep, State]]:
        """Each state that a step has at any moment: a picture has room for all of them."""
        pairs = (pair for time in self._times for pair in self.story.at(time).states.items())
        return list(dict.fromkeys(pairs))

    @property
    def outcomes_ever(self) -> list[tuple[int | None, Outcome]]:
        """Each moment, with what had become of the saga."""
        found = [(time, outcome(self.story, time)) for time in self._times]
        return [(self.now, self.outcome), (self.now, self.end), *found]

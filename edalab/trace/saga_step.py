"""One step of a saga, what can happen to it, and how it can stand."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(eq=False)
class SagaStep:
    """A step of a saga. `before` is the step that led to it, `compensates` the one it compensates.

    `names` are the types of its messages: the command, and the events that report how it ended.
    `sent` are the steps of the record that asked for it or published it, `causes` the ids of the
    messages whose handling publishes it, `awaited` the type after which its service was silent,
    `reminders` the ids of what the service reminds itself by: the first step of a service has them."""

    name: str
    service: str
    before: "SagaStep | None"
    first: int
    names: list[str] = field(default_factory=list)
    is_event: bool = True  # or a command
    compensates: "SagaStep | None" = None
    compensated_by: list["SagaStep"] = field(default_factory=list)
    final: bool = False
    settles: bool = False
    refusal_settles: bool = False
    sent: list[int] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    causes: dict[str, None] = field(default_factory=dict)
    awaited: str | None = None
    reminders: list[str] = field(default_factory=list)

    def ancestors(self) -> Iterator["SagaStep"]:
        """This step, and those that led to it."""
        step: SagaStep | None = self
        while step is not None:
            yield step
            step = step.before

    def __repr__(self) -> str:
        return f"<{self.name} of {self.service}>"


class StepEvent(NamedTuple):
    """Something that happened to a step at `time` (ms). `what` is one of

    - asked, sent: a service asked for the step, or sent its command (`words`: the service);
    - answered, no answer, late answer, answer lost, lost: what became of that;
    - began, failed, crash, given up: what became of an execution;
    - done, again, undone: it was done, done a second time, compensated;
    - saved, nothing: it was saved and not yet published, or handled without effect;
    - refused (`words`: the reason, or the type of the message that refused it);
    - never, silent: its message never arrived, or was handled and nothing was published."""

    time: int
    what: str
    words: str = ""


class Handling(NamedTuple):
    """One handling of the message of a step, in ms; `end` is None while it is under way."""

    start: int
    end: int | None
    ending: str | None


class State(NamedTuple):
    """How a step stands: `name` is one of not yet, under way, done, done twice, late, refused, in
    doubt, failed, idle (handled without effect), compensated, never done; `words` tell more."""

    name: str
    words: str

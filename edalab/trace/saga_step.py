"""One step of a saga, the events that it can have, and its states."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(eq=False)
class SagaStep:
    """A step of a saga. `before` is the step that led to it, `compensates` the one it compensates.

    `names` are the types of its messages: the command, and the events that report its outcome.
    `sent` are the steps of the record that requested or published it. `causes` are the ids of the
    messages whose handling publishes it. `awaited` is the event type after which its service was
    silent. `reminders` (of a service's first step) are ids of messages from the service to itself."""

    name: str
    service: str
    before: "SagaStep | None"
    first: int
    names: list[str] = field(default_factory=list)
    is_event: bool = True  # otherwise a command
    compensates: "SagaStep | None" = None
    compensated_by: list["SagaStep"] = field(default_factory=list)
    final: bool = False
    settles: bool = False
    sent: list[int] = field(default_factory=list)
    causes: dict[str, None] = field(default_factory=dict)
    awaited: str | None = None
    reminders: list[str] = field(default_factory=list)

    def ancestors(self) -> Iterator["SagaStep"]:
        """This step and the steps that led to it, the latest first."""
        step: SagaStep | None = self
        while step is not None:
            yield step
            step = step.before

    def __repr__(self) -> str:
        return f"<{self.name} of {self.service}>"


class StepEvent(NamedTuple):
    """An event in the history of a step at `time` (ms). `what` is one of

    - asked, sent: a service asked for the step, or sent its command (`words`: the service)
    - answered, no answer, late answer, answer lost, lost: the outcome of the request
    - began, failed, crash, given up: the start and the outcome of an execution
    - done, again, undone: it was done, took effect again, or was compensated
    - saved, nothing: a change was saved before it was done, or it was handled without effect
    - refused (`words`: the reason, or the type of the message that refused it)
    - never, silent: its message never arrived, or was handled and nothing was published"""

    time: int
    what: str
    words: str = ""


class Handling(NamedTuple):
    """One handling of a step's message, in ms. `end` is None while it is under way."""

    start: int
    end: int | None
    ending: str | None


class StepState(NamedTuple):
    """The state of a step. `name` is one of not yet, under way, done, done twice, late, refused, in
    doubt, failed, idle (handled without effect), compensated and never done. `words` add detail."""

    name: str
    words: str

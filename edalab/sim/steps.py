"""A step is one thing that happened: where, when, to which message, and what struck it."""

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import shortened
from ..model import Envelope

_OURS = str(Path(__file__).parents[1])
WIDTH = 9  # values of a step in a record: those of `Step`, service and replica being one


class Step(NamedTuple):
    """One step of a run. `time` is in ms; `attempt` counts every start of handling, from 1."""

    time: int
    step: str
    service: str
    replica: int
    envelope: Envelope | None
    partition: int | None
    offset: int | None
    attempt: int | None
    fault: str | None
    detail: str | None


class Failure(NamedTuple):
    """A handler raised an exception: at `time` (ms), on a message (None: the workload), at an attempt."""

    time: int
    service: str
    handler: str
    message: Envelope | None
    attempt: int | None
    error: Exception

    @property
    def traceback(self) -> str:
        """The traceback, from the learner's code on."""
        frames = traceback.extract_tb(self.error.__traceback__)
        theirs = [f for f in frames if not f.filename.startswith(_OURS)] or frames
        lines = ["Traceback (most recent call last):\n", *traceback.format_list(theirs)]
        return "".join(lines + traceback.format_exception_only(self.error))

    def __repr__(self) -> str:
        about = (
            f" on {self.message.type} {self.message.id}, attempt {self.attempt}"
            if self.message
            else ""
        )
        return f"<{self.service}.{self.handler} raised {type(self.error).__name__}: {shortened(str(self.error), 200)}{about}>"


def rows_of(record: list) -> Iterator[tuple]:
    """A flat record, WIDTH values at a time."""
    return zip(*[iter(record)] * WIDTH, strict=True)


def steps_of(record: list) -> list[Step]:
    """A flat record as steps."""
    return [Step(time, step, *actor, *rest) for time, step, actor, *rest in rows_of(record)]

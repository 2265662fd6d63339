"""The steps of a run: what happened, when and where, to which message, and the fault that struck."""

import traceback
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from ..errors import (
    Busy,
    ConcurrencyError,
    HandlerFailed,
    PublishFailed,
    SaveFailed,
    Text,
    Unanswered,
    Unreadable,
    is_of_a_library,
    line_raised,
    shortened,
)
from ..model import Envelope

_OF_THE_WORLD = (
    Busy,
    ConcurrencyError,
    HandlerFailed,
    PublishFailed,
    SaveFailed,
    Unanswered,
    Unreadable,
)
# Details of steps that code compares when it reads a record.
BUSY = "busy"  # an answer: its asker was turned away
TOO_LATE = "too late"  # an answer, which its asker no longer waits for
NOT_ACKNOWLEDGED = "not acknowledged"  # begins the reason if no handler failed
SENDER_UNAWARE = ", and its sender does not hear of it"  # ends the reason of a rejected message
WIDTH = 9  # values of a step in a record: those of `Step`, with service and replica as one


class Step(NamedTuple):
    """One step of a run. `time` is in ms; `attempt` counts, from 1, how often a log
    started the handling or a queue handed the message out."""

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
    """An exception that a handler raised: at `time` (ms), on a message (None: in the workload), at an attempt."""

    time: int
    service: str
    handler: str
    message: Envelope | None
    attempt: int | None
    error: Exception

    @property
    def line(self) -> str:
        """The learner's line that raised it, such as "line 3 of charge"; "" for errors that the simulation raises."""
        return "" if isinstance(self.error, _OF_THE_WORLD) else line_raised(self.error)

    @property
    def name(self) -> str:
        """The exception's name, with the line: "NameError (line 3)", or "NameError (line 2 of a_helper)"."""
        line = self.line.removesuffix(f" of {self.handler}")
        return type(self.error).__name__ + (f" ({line})" if line else "")

    @property
    def traceback(self) -> Text:
        """The traceback, with the frames of the learner's code only."""
        frames = traceback.extract_tb(self.error.__traceback__)
        theirs = [f for f in frames if not is_of_a_library(f.filename)] or frames
        lines = ["Traceback (most recent call last):\n", *traceback.format_list(theirs)]
        return Text("".join(lines + traceback.format_exception_only(self.error)))

    def __repr__(self) -> str:
        message = self.message
        about = f" on {message.type} {message.id}, attempt {self.attempt}" if message else ""
        return f"<{self.service}.{self.handler} raised {self.name}: {shortened(str(self.error), 200)}{about}>"


def rows_of(record: list) -> Iterator[tuple]:
    """The steps of a flat record, as tuples of WIDTH values."""
    return zip(*[iter(record)] * WIDTH, strict=True)


def steps_of(record: list) -> list[Step]:
    """The steps of a flat record."""
    time, step, actors, *rest = (record[column::WIDTH] for column in range(WIDTH))
    columns = time, step, *zip(*actors, strict=True), *rest
    return [*map(partial(tuple.__new__, Step), zip(*columns, strict=True))]

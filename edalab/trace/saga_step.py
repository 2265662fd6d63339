"""One step of a saga as a picture shows it: all attempts at it, what happened in them, and how it stands after that."""

from collections import Counter
from collections.abc import Iterator
from copy import copy
from typing import NamedTuple

from ..errors import shortened


class StepEvent(NamedTuple):
    """Something that happened to a step at `time` (ms). `what` is one of

    - asked, sent: a service asked for the step, or sent its command (`words`: the service);
    - answered, no answer, late answer, answer lost, lost: what became of the question or of the command;
    - began, failed, crash, given up: what became of an execution;
    - done, again, saved, nothing, undone: it was done, done a second time, saved and not yet published, handled
      without effect, compensated;
    - refused;
    - never, silent: the message it waits for never arrived, or was handled and nothing was published."""

    time: int
    what: str
    words: str


class Bar(NamedTuple):
    """One execution of its handler, in ms; `end` is None while it is under way."""

    start: int
    end: int | None
    ending: str | None


class State(NamedTuple):
    """How a step stands: `name` is one of not yet, under way, done, done twice, late, refused, in doubt, failed, idle
    (handled without effect), compensated, never done; `words` tell more."""

    name: str
    words: str


class SagaStep:
    """A step of a saga. `before` is the step that led to it, `compensates` the one it compensates, `names` the types of
    its messages: the command, and the events that report how it ended."""

    def __init__(self, name: str, service: str, before: "SagaStep | None", first: int):
        self.name, self.service, self.before, self.first = name, service, before, first
        self.names: list[str] = []
        self.is_event = True  # or a command
        self.compensates: SagaStep | None = None
        self.compensated_by: list[SagaStep] = []
        self.final = self.settles = False
        self.refusal_settles = False
        self.sent: list[int] = []  # the steps of the record that asked for it, sent or published it
        self.refusals: list[int] = []
        self.causes: dict[
            str, None
        ] = {}  # the ids of the messages whose handling publishes an event
        self.unheard: str | None = (
            None  # the type of the message after which its service was silent
        )
        self.timed = False  # whether its time-outs are timers of the service that sent it
        self.events: list[StepEvent] = []
        self.bars: list[Bar] = []

    def add_type(self, name: str, final: bool = False) -> None:
        """Let messages of another type stand for it."""
        if name not in self.names:
            self.names.append(name)
        self.final |= final

    def ancestors(self) -> Iterator["SagaStep"]:
        """This step, and those that led to it."""
        step: SagaStep | None = self
        while step is not None:
            yield step
            step = step.before

    def until(self, length: int) -> "SagaStep":
        """A copy that knows the first steps of the record only, and has no events yet."""
        past = copy(self)
        past.sent = [number for number in self.sent if number < length]
        past.refusals = [number for number in self.refusals if number < length]
        past.events, past.bars, past.timed = [], [], False
        return past

    # -- how it stands

    def times(self, *kinds: str) -> list[int]:
        """When (ms) events of some kinds happened."""
        return [event.time for event in self.events if event.what in kinds]

    @property
    def begun(self) -> bool:
        return bool(self.events)

    @property
    def done(self) -> int:
        """How often it was done."""
        return len(self.times("done"))

    @property
    def compensated(self) -> int:
        """How often it was compensated after it was done."""
        done, undone = self.times("done"), self.times("undone")
        return len(undone) if not done or undone and max(undone) >= max(done) else 0

    @property
    def doubtful(self) -> bool:
        """Whether it was asked for, and whoever asked does not know whether it was done."""
        asks = [
            event.what
            for event in self.events
            if event.what in ("asked", "answered", "no answer", "sent")
        ]
        if not asks or asks[-1] in ("answered", "sent"):
            return False
        if self.times("refused") or self.timed and self.done:
            return False
        return not any(step.times("done", "nothing") for step in self.compensated_by)

    @property
    def tries(self) -> int:
        return max(len(self.times("asked", "sent")), len(self.bars))

    @property
    def late_by(self) -> int | None:
        """How long after a time-out it was done after all (ms)."""
        done, missed = self.times("done"), self.times("no answer")
        if not done or not missed or missed[0] > done[0]:
            return None
        late = any(
            bar.start < missed[0] and (bar.end is None or bar.end >= done[0]) for bar in self.bars
        )
        return done[0] - missed[0] if late else None

    def state(self, over: bool) -> State:
        """How it stands; `over` says that nothing can still happen."""
        if not self.begun:
            compensated = not self.sent and any(step.begun for step in self.compensated_by)
            return State("never done", "never asked for") if compensated else State("not yet", "")
        count = Counter(event.what for event in self.events)
        if count["again"]:
            times = self.done + count["again"]
            return State("done twice", "done twice" if times == 2 else f"done {times:,} times")
        if self.done and self.compensated >= self.done:
            return State("compensated", "compensated")
        return self._state_done(count, over) if self.done else self._state_not_done(count, over)

    def _state_done(self, count: Counter, over: bool) -> State:
        late = self.late_by
        lateness = f"done {late / 1000:g} s late" if late is not None else ""
        if self.doubtful:
            if not count["no answer"]:
                return State("in doubt" if over else "done", "done, no answer")
            return State("late" if lateness else "in doubt", lateness or "done, but no answer")
        if self.compensates and self.compensates.done and not self.compensates.compensated:
            return State("idle", "changed nothing")
        often = f"done {self.done:,} times" if self.done > 1 else "done"
        return State("done", lateness or self._effort(count) or often)

    def _state_not_done(self, count: Counter, over: bool) -> State:
        doubt = self.doubtful
        if count["refused"]:
            return State("refused", "refused")
        if count["never"] or count["silent"]:
            after = f"published nothing after {self.unheard}"
            silent = after if self.unheard else "never published"
            return State("failed", f"never got {self.unheard}" if count["never"] else silent)
        if count["given up"]:
            gave_up = "gave up" if self.unheard else "given up"
            tries = f" after {self.tries:,} tries" if self.tries > 1 else ""
            return State("failed", gave_up + tries)
        if not doubt and count["no answer"] and any(step.begun for step in self.compensated_by):
            return State("compensated", "compensated to be safe")
        if count["failed"] and (count["failed"] >= count["asked"] or not doubt):
            times = f" {count['failed']:,} times" if count["failed"] > 1 else ""
            return State("failed", "failed" + times)
        if count["no answer"] and doubt:
            again = ", asked again" if count["asked"] > 1 else ""
            return State("in doubt", "no answer" + again)
        if count["nothing"]:
            return State("idle", self._without_effect())
        if count["crash"] and not count["asked"] and self.events[-1].what == "crash":
            return State("failed", "crashed")
        if over and count["asked"]:
            return State("in doubt", "no answer")
        if over:
            return State("failed", "never finished")
        if count["asked"]:
            return State("under way", "asked, no answer yet")
        if any(bar.end is None for bar in self.bars):
            return State("under way", "at work")
        return State("under way", "sent" if count["sent"] else "under way")

    def _without_effect(self) -> str:
        if self.compensates:
            return "nothing to compensate"
        answers = [event.words for event in self.events if event.what == "nothing"]
        if answers[-1] in ("", "null"):
            return "did nothing"
        return f"answered {shortened(answers[-1], 24)}"

    def _effort(self, count: Counter) -> str:
        """What it took to get it done, where that was more than one try."""
        first = self.times("done")[0]
        if max(self.times("given up"), default=0) > first:
            return "done, then given up"
        tries = sum(bar.start <= first for bar in self.bars)
        if tries > 1 and (count["failed"] or count["crash"]):
            return f"done at try {tries}"
        asked = count["asked"] + count["sent"]
        if asked > 1:
            return "asked twice" if asked == 2 else f"asked {asked:,} times"
        return ""

    def __repr__(self) -> str:
        return f"<{self.name} of {self.service}>"

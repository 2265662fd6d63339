"""One step of a saga, what happened to it until a moment, and how it stands then."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import shortened


@dataclass(eq=False)
class SagaStep:
    """A step of a saga. `before` is the step that led to it, `compensates` the one it compensates.

    `names` are the types of its messages: the command, and the events that report how it ended.
    `sent` are the steps of the record that asked for it or published it, `causes` the ids of the
    messages whose handling publishes it, `unheard` the type after which its service was silent."""

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
    unheard: str | None = None

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


class Bar(NamedTuple):
    """One execution of its handler, in ms; `end` is None while it is under way."""

    start: int
    end: int | None
    ending: str | None


class State(NamedTuple):
    """How a step stands: `name` is one of not yet, under way, done, done twice, late, refused, in
    doubt, failed, idle (handled without effect), compensated, never done; `words` tell more."""

    name: str
    words: str


@dataclass(eq=False)
class History:
    """What happened to a step until a moment. `compensates` and `compensated_by` are the histories
    of the steps that its step names so."""

    step: SagaStep
    events: list[StepEvent] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    compensates: "History | None" = None
    compensated_by: list["History"] = field(default_factory=list)

    def times(self, *kinds: str) -> list[int]:
        """When (ms) events of some kinds happened."""
        return [event.time for event in self.events if event.what in kinds]

    @property
    def done(self) -> int:
        """How often it was done."""
        return len(self.times("done"))

    @property
    def compensated(self) -> int:
        """How often it was compensated after it was done."""
        done, undone = self.times("done"), self.times("undone")
        return len(undone) if not done or (undone and max(undone) >= max(done)) else 0

    @property
    def doubtful(self) -> bool:
        """Whether it was asked for, and whoever asked does not know whether it was done."""
        asks = [e.what for e in self.events if e.what in ("asked", "answered", "no answer", "sent")]
        if not asks or asks[-1] in ("answered", "sent"):
            return False
        if self.times("refused"):
            return False
        return not any(history.times("done", "nothing") for history in self.compensated_by)

    @property
    def refusal(self) -> str:
        """Why it was refused: the reason, or the type of the message that refused it."""
        return next(event.words for event in self.events if event.what == "refused")

    @property
    def tries(self) -> int:
        return max(len(self.times("asked", "sent")), len(self.bars))

    def state(self, over: bool) -> State:
        """How the step stands; `over` says that nothing can still happen."""
        compensations = [history for history in self.compensated_by if history.events]
        if not self.events:
            never_done = compensations and not self.step.sent
            return State("never done", "never asked for") if never_done else State("not yet", "")
        count = Counter(event.what for event in self.events)
        if count["again"]:
            times = self.done + count["again"]
            return State("done twice", "done twice" if times == 2 else f"done {times:,} times")
        if self.done and self.compensated >= self.done:
            return State("compensated", "compensated")
        if self.done:
            return self._state_done(count, over)
        if count["refused"]:
            return State("refused", f"refused: {self.refusal}")
        return self._state_given_up(count, bool(compensations)) or self._state_open(count, over)

    def _state_done(self, count: Counter, over: bool) -> State:
        late = self._late_by()
        lateness = f"done {late / 1000:g} s late" if late is not None else ""
        if self.doubtful:
            if not count["no answer"]:
                return State("in doubt" if over else "done", "done, no answer")
            return State("late" if lateness else "in doubt", lateness or "done, but no answer")
        target = self.compensates
        if target and target.done and not target.compensated:
            return State("idle", "changed nothing")
        often = f"done {self.done:,} times" if self.done > 1 else "done"
        return State("done", lateness or self._effort(count) or often)

    def _state_given_up(self, count: Counter, compensates: bool) -> State | None:
        """How it failed or was given up, if nobody waits for it any more."""
        unheard, tries = self.step.unheard, self.tries
        if count["never"]:
            return State("failed", f"never got {unheard}")
        if count["silent"]:
            silent = f"published nothing after {unheard}" if unheard else "never published"
            return State("failed", silent)
        if count["given up"]:
            gave_up = "gave up" if unheard else "given up"
            return State("failed", gave_up + (f" after {tries:,} tries" if tries > 1 else ""))
        if count["no answer"] and not self.doubtful and compensates:
            return State("compensated", "compensated to be safe")
        if count["failed"] and (count["failed"] >= count["asked"] or not self.doubtful):
            times = f" {count['failed']:,} times" if count["failed"] > 1 else ""
            return State("failed", "failed" + times)
        return None

    def _state_open(self, count: Counter, over: bool) -> State:
        """How it stands while it was neither done nor refused, and did not fail."""
        if count["no answer"] and self.doubtful:
            again = ", asked again" if count["asked"] > 1 else ""
            return State("in doubt", "no answer" + again)
        if count["nothing"]:
            return State("idle", self._without_effect())
        if not count["asked"] and self.events[-1].what == "crash":
            return State("failed", "crashed")
        if over:
            return (
                State("in doubt", "no answer")
                if count["asked"]
                else State("failed", "never finished")
            )
        if count["asked"]:
            return State("under way", "asked, no answer yet")
        if any(bar.end is None for bar in self.bars):
            return State("under way", "at work")
        return State("under way", "sent" if count["sent"] else "under way")

    def _late_by(self) -> int | None:
        """How long after a time-out it was done after all (ms)."""
        done, missed = self.times("done")[0], self.times("no answer")
        if not missed or missed[0] > done:
            return None
        spans_both = (b.start < missed[0] and (b.end is None or b.end >= done) for b in self.bars)
        return done - missed[0] if any(spans_both) else None

    def _without_effect(self) -> str:
        if self.step.compensates:
            return "nothing to compensate"
        answer = [event.words for event in self.events if event.what == "nothing"][-1]
        return "did nothing" if answer in ("", "null") else f"answered {shortened(answer, 24)}"

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

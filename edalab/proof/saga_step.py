"""One step of a saga: what a service was asked to do, or did of itself, every attempt at it included, and how it stood
at any moment."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import shortened


class Moment(NamedTuple):
    """Something that happened to a step at `time` (ms). `what` is one of: asked, sent, began, done, again (its effect came
    a second time), nothing (handled without effect), answered, no answer, late answer, answer lost, refused, failed,
    crash, given up, never."""

    time: int
    what: str
    words: str


class Bar(NamedTuple):
    """One start of its handler, in ms; `end` is None where it never ended."""

    start: int
    end: int | None
    ending: str | None


class State(NamedTuple):
    """How a step stood: `name` is one of not yet, under way, done, done twice, late, refused, in doubt, failed, idle
    (handled without effect), compensated, never done; `words` tell more."""

    name: str
    words: str


class SagaStep:
    """A step of a saga. `before` is the step that led to it, `undoes` the one it compensates."""

    def __init__(self, name: str, service: str, event: bool, before: "SagaStep | None", first: int):
        self.name, self.service, self.event, self.before, self.first = name, service, event, before, first
        self.undoes: SagaStep | None = None
        self.undone_by: list[SagaStep] = []
        self.final = self.settles = False
        self.said: list[int] = []  # where in the record it was asked for, sent or published
        self.refusals: list[int] = []
        self.outcomes: list[int] = []  # events that tell how a command ended
        self.timers: list[tuple[int, str]] = []
        self.cause: str | None = None  # of a step that was never said: what its service handled
        self.silent: str | None = None  # the event that its service never got done with
        self.moments: list[Moment] = []
        self.bars: list[Bar] = []

    def way(self) -> Iterator["SagaStep"]:
        """This step and those that led to it."""
        step: SagaStep | None = self
        while step is not None:
            yield step
            step = step.before

    def caused_by(self, journal) -> str | None:
        return next(self.causes(journal), None)

    def causes(self, journal) -> Iterator[str | None]:
        """The ids of the messages whose handling says this event."""
        if self.cause:
            yield self.cause
        for number in self.said:
            yield journal[number].envelope.causation

    # -- how it stood

    def times(self, what: str, time: int) -> list[int]:
        return [m.time for m in self.moments if m.what == what and m.time <= time]

    def begun(self, time: int) -> bool:
        return bool(self.moments) and self.moments[0].time <= time

    def done(self, time: int) -> int:
        """How often it was done."""
        return len(self.times("done", time))

    def compensated(self, time: int) -> int:
        return sum(step.done(time) for step in self.undone_by)

    def doubtful(self, time: int) -> bool:
        """Whether it was asked for and who asked does not know what became of it."""
        asks = [m.what for m in self.moments if m.time <= time and m.what in ("asked", "answered", "no answer", "sent")]
        if not asks or asks[-1] in ("answered", "sent"):
            return False
        if any(m.what == "refused" and m.time <= time for m in self.moments):
            return False
        if asks[-1] == "no answer" and self.timers and self.times("done", time):
            return False
        return not any(step.times("done", time) or step.times("nothing", time) for step in self.undone_by)

    def tries(self, time: int) -> int:
        return max(len(self.times("asked", time)) + len(self.times("sent", time)), sum(bar.start <= time for bar in self.bars))

    def late_by(self, time: int) -> int | None:
        """How long after a time-out it was done after all (ms)."""
        done = self.times("done", time)
        missed = [m for m in self.times("no answer", time) if done and m < done[0]]
        answered = [m for m in self.times("asked", time) if missed and m >= missed[-1] and m < done[0]]
        return done[0] - missed[0] if missed and not answered else None

    def state(self, time: int, over: bool = False) -> State:
        """How it stood at a moment (ms); `over` says that nothing can still come."""
        if not self.moments:
            return State("never done", "never done")
        if not self.begun(time):
            return State("not yet", "")
        done, back, doubt = self.done(time), self.compensated(time), self.doubtful(time)
        again, late = self.times("again", time), self.late_by(time)
        count = Counter(m.what for m in self.moments if m.time <= time)
        if again or self.undoes and done > max(1, self.undoes.done(time)):
            times = done + len(again) if again else done
            return State("done twice", f"done {'twice' if times == 2 else f'{times:,} times'}")
        if done and back >= done:
            return State("compensated", "done, undone")
        lateness = f"done {_seconds(late)} after the time-out" if late is not None else ""
        if done and doubt:
            if not count["no answer"]:
                return State("in doubt" if over else "done", "done, no answer")
            return State("late" if lateness else "in doubt", lateness or "done, but no answer")
        if done:
            return State("done", lateness or self._effort(time, count) or (f"done {done:,} times" if done > 1 else "done"))
        if count["refused"]:
            return State("refused", "refused")
        if count["given up"]:
            return State("failed", f"given up after {self.tries(time):,} tries" if self.tries(time) > 1 else "given up")
        if not doubt and count["no answer"] and any(step.begun(time) for step in self.undone_by):
            return State("compensated", "never done, undone to be safe")
        if count["failed"] and (count["failed"] >= count["asked"] or not doubt):
            times = count["failed"]
            return State("failed", "failed" + (f" {times:,} times" if times > 1 else ""))
        if count["no answer"] and doubt:
            asked = count["asked"]
            return State("in doubt", "no answer" + (f" to {asked:,} asks" if asked > 1 and over else ", asked again" if asked > 1 else ""))
        if count["nothing"]:
            answer = next(m.words for m in reversed(self.moments) if m.what == "nothing" and m.time <= time)
            if self.undoes:
                return State("idle", "nothing to undo")
            return State("idle", f"answered {shortened(answer, 24)}" if answer and answer != "null" else "did nothing")
        if over:
            return State("in doubt" if count["asked"] else "failed", "no answer" if count["asked"] else "never finished")
        at_work = any(bar.start <= time and (bar.end is None or bar.end > time) for bar in self.bars)
        waiting = "asked, no answer yet" if count["asked"] else "sent" if count["sent"] else "under way"
        return State("under way", "at work" if at_work and not count["asked"] else waiting)

    def _effort(self, time: int, count: Counter) -> str:
        """What it took to get it done, where that was more than one try."""
        first = self.times("done", time)[0]
        tries = sum(bar.start <= first for bar in self.bars)
        if tries > 1 and (count["failed"] or count["crash"]):
            return f"done at try {tries}"
        asked = count["asked"] + count["sent"]
        if asked > 1:
            return "asked twice" if asked == 2 else f"asked {asked:,} times"
        return ""

    def __repr__(self) -> str:
        return f"<{self.name} of {self.service}>"


def _seconds(ms: int) -> str:
    return f"{ms / 1000:g} s"

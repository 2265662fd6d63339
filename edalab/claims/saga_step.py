"""One step of a saga: what a service was asked to do, or did of itself, every attempt at it included, and how it stood
at any moment."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import shortened


class Moment(NamedTuple):
    """Something that happened to a step at `time` (ms). `what` is one of: asked, sent, began, done, again (its effect came
    a second time), saved (and never said), undone (compensated), nothing (handled without effect), answered, no answer, late answer, answer lost, refused, failed,
    lost, crash, given up, never (came), silent (handled, and nothing said)."""

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
    """A step of a saga. `before` is the step that led to it, `undoes` the one it compensates, `names` the types of messages
    that stand for it: the command, and the events that tell how it ended."""

    def __init__(self, name: str, service: str, before: "SagaStep | None", first: int):
        self.name, self.service, self.before, self.first = name, service, before, first
        self.names: list[str] = []
        self.event = True  # not a command
        self.undoes: SagaStep | None = None
        self.undone_by: list[SagaStep] = []
        self.final = self.settles = False
        self.closed = False  # whether to refuse it settles the saga
        self.said: list[int] = []  # where in the trace it was asked for, sent or published
        self.refusals: list[int] = []
        self.cause: str | None = None  # what its service handled, where it never said the event
        self.unheard: str | None = None  # the event after which its service said nothing
        self.timed = False  # whether its time-outs are timers of who sent it
        self.moments: list[Moment] = []
        self.bars: list[Bar] = []

    def also(self, name: str, final: bool = False) -> None:
        """Another type of message stands for it."""
        if name not in self.names:
            self.names.append(name)
        self.final |= final

    def way(self) -> Iterator["SagaStep"]:
        """This step and those that led to it."""
        step: SagaStep | None = self
        while step is not None:
            yield step
            step = step.before

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
        """How often it was compensated, after it was done."""
        done, undone = self.times("done", time), self.times("undone", time)
        return len(undone) if not done or undone and max(undone) >= max(done) else 0

    def doubtful(self, time: int) -> bool:
        """Whether it was asked for and who asked does not know what became of it."""
        asks = [
            m.what
            for m in self.moments
            if m.time <= time and m.what in ("asked", "answered", "no answer", "sent")
        ]
        if not asks or asks[-1] in ("answered", "sent"):
            return False
        if any(m.what == "refused" and m.time <= time for m in self.moments):
            return False
        if self.timed and self.times("done", time):
            return False
        return not any(
            step.times("done", time) or step.times("nothing", time) for step in self.undone_by
        )

    def tries(self, time: int) -> int:
        return max(
            len(self.times("asked", time)) + len(self.times("sent", time)),
            sum(bar.start <= time for bar in self.bars),
        )

    def late_by(self, time: int) -> int | None:
        """How long after a time-out it was done after all (ms)."""
        done, missed = self.times("done", time), self.times("no answer", time)
        if not done or not missed or missed[0] > done[0]:
            return None
        late = any(
            bar.start < missed[0] and (bar.end is None or bar.end >= done[0]) for bar in self.bars
        )
        return done[0] - missed[0] if late else None

    def state(self, time: int, over: bool = False) -> State:
        """How it stood at a moment (ms); `over` says that nothing can still come."""
        if not self.moments:
            return State("never done", "never asked for")
        if not self.begun(time):
            return State("not yet", "")
        done, back, doubt = self.done(time), self.compensated(time), self.doubtful(time)
        again, late = len(self.times("again", time)), self.late_by(time)
        count = Counter(m.what for m in self.moments if m.time <= time)
        if again:
            return State(
                "done twice",
                "done twice" if again == 1 and done == 1 else f"done {done + again:,} times",
            )
        if done and back >= done:
            return State("compensated", "compensated")
        lateness = f"done {_seconds(late)} late" if late is not None else ""
        if done and doubt:
            if not count["no answer"]:
                return State("in doubt" if over else "done", "done, no answer")
            return State("late" if lateness else "in doubt", lateness or "done, but no answer")
        if done and self.undoes and self.undoes.done(time) and not self.undoes.compensated(time):
            return State("idle", "changed nothing")
        if done:
            return State(
                "done",
                lateness
                or self._effort(time, count)
                or (f"done {done:,} times" if done > 1 else "done"),
            )
        if count["refused"]:
            return State("refused", "refused")
        if count["never"] or count["silent"]:
            silent = f"said nothing after {self.unheard}" if self.unheard else "never said"
            return State("failed", f"never got {self.unheard}" if count["never"] else silent)
        if count["given up"]:
            gave = "gave up" if self.unheard else "given up"
            return State(
                "failed",
                f"{gave} after {self.tries(time):,} tries" if self.tries(time) > 1 else gave,
            )
        if not doubt and count["no answer"] and any(step.begun(time) for step in self.undone_by):
            return State("compensated", "compensated to be safe")
        if count["failed"] and (count["failed"] >= count["asked"] or not doubt):
            times = count["failed"]
            return State("failed", "failed" + (f" {times:,} times" if times > 1 else ""))
        if count["no answer"] and doubt:
            return State(
                "in doubt", "no answer, asked again" if count["asked"] > 1 else "no answer"
            )
        if count["nothing"]:
            answer = next(
                m.words for m in reversed(self.moments) if m.what == "nothing" and m.time <= time
            )
            if self.undoes:
                return State("idle", "nothing to compensate")
            return State(
                "idle",
                f"answered {shortened(answer, 24)}"
                if answer and answer != "null"
                else "did nothing",
            )
        if (
            count["crash"]
            and not count["asked"]
            and [m for m in self.moments if m.time <= time][-1].what == "crash"
        ):
            return State("failed", "crashed")
        if over:
            return State(
                "in doubt" if count["asked"] else "failed",
                "no answer" if count["asked"] else "never finished",
            )
        at_work = any(
            bar.start <= time and (bar.end is None or bar.end > time) for bar in self.bars
        )
        waiting = (
            "asked, no answer yet" if count["asked"] else "sent" if count["sent"] else "under way"
        )
        return State("under way", "at work" if at_work and not count["asked"] else waiting)

    def _effort(self, time: int, count: Counter) -> str:
        """What it took to get it done, where that was more than one try."""
        first = self.times("done", time)[0]
        if max(self.times("given up", time), default=0) > first:
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


def _seconds(ms: int) -> str:
    return f"{ms / 1000:g} s"

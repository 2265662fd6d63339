"""When each step of a saga ran: a row a step, in the order they began, with its waits, its time-outs and its failures."""

from ..text import clean, seconds, shorten, text_width
from ..trace.saga_step import Bar, History, SagaStep, State
from .axis import Axis
from .saga_arrows import MARGIN
from .saga_chart import kind_of
from .saga_moment import SagaMoment
from .scene import Box, Label, Line, Mark, Scene
from .theme import LABELS

BAR, MOST = 12, 60  # px; handlings in a row
_MARKS = {
    "no answer": "no answer", "failed": "failed", "crash": "crash", "given up": "dead letter", "refused": "refused",
    "answer lost": "stopped", "lost": "stopped", "again": "doubled", "never": "lost",
}  # fmt: skip
_GRAVE = {"late", "in doubt", "failed", "done twice", "refused", "never done"}
_HURT = ("crash", "failure", "retry", "dead_letter")


def waterfall(scene: Scene, moment: SagaMoment, top: int, right: int) -> int:
    """Draw the rows into `scene` from `top` down, to the left of `right`. Return where they end."""
    story, now = moment.story, moment.time
    steps = [step for step, history in story.at().histories.items() if history.events]
    height = 19 if len(steps) <= 12 else 16
    left = MARGIN + max(text_width(_short(step), 11) for step in steps) + 12
    scene.labels.append(Label(MARGIN, top, "When", "node"))
    ends = {
        bar.end
        for step in steps
        for bar in story.at().histories[step].bars
        if bar.end is not None and bar.end <= story.times[-1]
    }
    scene.axis = axis = Axis(dict.fromkeys([*story.times, *sorted(ends)], 0), left, right - 30)
    bottom = top + 14 + height * len(steps)
    axis.draw(scene, top + 12, bottom, right, 11)
    for number, step in enumerate(steps):
        y = top + 14 + height * number + height // 2
        scene.labels.append(
            Label(
                left - 10,
                y,
                _short(step),
                "channel" if _begun(moment, step) else "axis",
                "end",
                clean(f"{step.name} of {step.service}"),
            )
        )
        if _begun(moment, step):
            _Row(scene, moment.shown[step], moment.states[step], y, min(now, story.times[-1])).draw(
                left, right, axis.x(now) if now < story.times[-1] else None
            )
    return bottom


def _begun(moment: SagaMoment, step: SagaStep) -> bool:
    return bool(moment.shown[step].events)


def _short(step: SagaStep) -> str:
    return shorten(clean(step.name), 150, 11)


class _Row:
    """What one step went through until `now`, from left to right."""

    def __init__(self, scene: Scene, step: History, state: State, y: int, now: int):
        self.scene, self.step, self.state, self.y, self.now = scene, step, state, y, now
        self.x = scene.axis.x
        self.from_, self.to = [self.x(step.events[0].time)], [self.x(step.events[0].time)]
        many = len(step.bars) > MOST  # then one bar lasts from the first to the last
        self.bars = [Bar(step.bars[0].start, step.bars[-1].end, "")] if many else step.bars
        self.events = step.events[-1:] if many else step.events

    def draw(self, left: int, right: int, cursor: int | None) -> None:
        self._waits()
        self._bars()
        self._marks(cursor)
        self._words(left, right, cursor)

    def _took(self, left: int, right: int) -> None:
        self.from_.append(left)
        self.to.append(right)

    def _waits(self) -> None:
        for asked in self.events:
            if asked.what in ("asked", "sent"):
                until = ("answered", "no answer") if asked.what == "asked" else ("began",)
                heard = [
                    m.time for m in self.step.events if m.what in until and m.time >= asked.time
                ]
                end = min([self.now, *heard[:1]])
                x, tip = (
                    self.x(asked.time),
                    f"{self.step.step.name}: waited for, {seconds(asked.time)} to {seconds(end)}",
                )
                if end > asked.time:
                    self.scene.spans.append(
                        Box(x, self.y - 2, max(1, self.x(end) - x), 4, "waiting", tip)
                    )
                    self.to.append(self.x(end))

    def _bars(self) -> None:
        kind = kind_of(self.step.step, self.state)[0]
        kind = (
            "done"
            if kind == "undone"
            else "failed"
            if kind == "in doubt" and self.state.name != "late"
            else kind
        )
        for bar in self.bars:
            if bar.start <= self.now:
                end = self.now if bar.end is None else min(bar.end, self.now)
                x, wide = self.x(bar.start), max(5, self.x(end) - self.x(bar.start))
                hurt = bar.ending in _HURT and end == bar.end
                returned = (
                    self.state.name == "failed" and bar.ending not in _HURT
                )  # it did not fail, and said nothing
                tip = f"{self.step.step.name}, {seconds(bar.start)} to {seconds(end)}" + (
                    f": {bar.ending}" if bar.ending in _HURT[:3] else ""
                )
                self.scene.bars.append(
                    Box(
                        x,
                        self.y - BAR // 2,
                        wide,
                        BAR,
                        "failed" if hurt else "under way" if returned else kind,
                        tip,
                    )
                )
                self._took(x, x + wide)

    def _marks(self, cursor: int | None) -> None:
        name = self.step.step.name
        for event in self.events:
            x = self.x(event.time)
            if event.what in ("done", "saved"):
                tip = f"{name} {event.what} at {seconds(event.time)}"
                self.scene.bars.append(Box(x - 1, self.y - BAR // 2, 2, BAR, "saved", tip))
                if not self.step.bars:
                    self.scene.marks.append(
                        Mark(x, self.y, "published", f"{name} published at {seconds(event.time)}")
                    )
                self._took(x, x + 4)
            elif event.what in _MARKS:
                if any(e.what == "saved" and e.time == event.time for e in self.events):
                    x += 6 if cursor is None else max(0, min(6, cursor - x))  # beside its tick
                words = f" {event.words}" if event.words else ""
                tip = clean(f"{name}: {event.what}{words} at {seconds(event.time)}")
                self.scene.marks.append(Mark(x, self.y, _MARKS[event.what], tip))
                self._took(x, x + 7)

    def _words(self, left: int, right: int, cursor: int | None) -> None:
        """What does not show by itself, behind the row or before it, and clear of the cursor."""
        state = self.state
        if (
            state.name == "under way"
            or state.words in ("done", "compensated")
            or state.words.startswith("asked ")
        ):
            return
        grave = state.name in _GRAVE or state.words.endswith(" late")
        kind = (
            "compensation"
            if self.step.step.compensates and state.name == "done"
            else "failed"
            if grave
            else "axis"
        )
        wide = text_width(state.words, LABELS[kind].size, LABELS[kind].bold)
        x = max(self.to) + 8
        if cursor is not None and x - 4 < cursor < x + wide:
            x = cursor + 6
        if x + wide <= right:
            self.scene.labels.append(Label(x, self.y, state.words, kind))
        elif min(self.from_) - 8 - wide >= left:
            self.scene.labels.append(Label(min(self.from_) - 8, self.y, state.words, kind, "end"))

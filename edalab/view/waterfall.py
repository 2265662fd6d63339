"""The waterfall of a saga: a row for each step, in the order they began, with its waits, timeouts and
failures."""

from ..text import brief, clean, seconds, shorten, text_width
from ..trace.saga_moment import History
from ..trace.saga_step import Handling, StepState
from .axis import Axis
from .labels import LabelPlacer
from .saga_chart import MARGIN, MARK_OF, DrawnMoment, kind_of
from .scene import Box, Label, Mark, Scene

BAR, MARK, CLEAR = 12, 12, 8  # px: height of a bar, width of a mark, from a mark to an edge
_BEFORE, _AFTER = 6, 14  # px from the axis to a cursor before its first or after its last time
_GRAVE = {"late", "in doubt", "failed", "done twice", "never done"}
_FAILED = ("crash", "failure", "retry", "dead_letter")


def waterfall(scene: Scene, moment: DrawnMoment, top: int, right: int) -> int:
    """Draw the rows and the cursor into `scene`, from `top` down and to the left of `right`. Return the
    y below."""
    story, now = moment.story, moment.time
    histories = {step: one for step, one in story.at().histories.items() if one.events}
    steps = list(histories)
    height = 19 if len(steps) <= 12 else 16
    names = {step: shorten(clean(step.name), 150, 11) for step in steps}
    left = MARGIN + max(text_width(name, 11) for name in names.values()) + 12
    scene.labels.append(Label(MARGIN, top, "When", "node"))
    bars = [bar for history in histories.values() for bar in history.bars]
    ends = {bar.end for bar in bars if bar.end is not None}
    axis = scene.axis = Axis(dict.fromkeys([*story.times, *sorted(ends)], 0), left, right - 30)
    beside = _AFTER * (now > axis.times[-1]) - _BEFORE * (now < axis.times[0])
    bottom = top + 14 + height * len(steps)
    axis.draw(scene, top + 12, bottom, right, 11)
    kept_free = [(x - 2, x + 2) for x in axis.slits()]
    if moment.now is not None:
        cursor = axis.x(now) + beside
        scene.set_cursor(cursor, top + 9, bottom, seconds(now))
        kept_free.append((cursor, cursor))
    placer = LabelPlacer(scene, (left, top, right, bottom))
    for start, end in kept_free:
        placer.taken.add((start, top, end, bottom))
    behind = [end + 6 for _, end in sorted(kept_free)]
    for number, step in enumerate(steps):
        y = top + 14 + height * number + height // 2
        shown = moment.shown[step]
        tip = clean(f"{step.name} of {step.service}")
        kind = "channel" if shown.events else "axis"
        scene.labels.append(Label(left - 10, y, names[step], kind, "end", tip))
        if shown.events:
            row = _Row(scene, axis, shown, moment.states[step], y, min(now, axis.times[-1]))
            row.draw(placer, behind)
    return bottom


class _Row:
    """The row of one step until `now`, from left to right."""

    def __init__(
        self, scene: Scene, axis: Axis, history: History, state: StepState, y: int, now: int
    ):
        self.scene, self.axis, self.state, self.y = scene, axis, state, y
        self.history, self.step = history, history.step
        self.now = now
        self.from_ = self.to = self.axis.x(history.events[0].time)
        self.taken: list[tuple[int, int]] = []  # (left, right) of bars and ticks
        self.marked: set[tuple[int, int]] = set()  # (x of a moment, x of a mark for it)

    def draw(self, placer: LabelPlacer, behind: list[int]) -> None:
        """Draw the row. `behind` are the x behind the cuts and the cursor."""
        self._draw_waits()
        self._draw_bars()
        self._draw_events()
        self._draw_state(placer, behind)

    def _take(self, left: int, right: int) -> None:
        self.from_, self.to = min(self.from_, left), max(self.to, right)

    def _draw_waits(self) -> None:
        answers = {"asked": ("answered", "no answer"), "sent": ("began",)}
        for asked in self.history.events:
            until = answers.get(asked.what, ())
            later = [
                e.time for e in self.history.events if e.what in until and e.time >= asked.time
            ]
            end = min([self.now, *later[:1]])
            if until and end > asked.time:
                times = f"{seconds(asked.time)} to {seconds(end)}"
                left, right = self.axis.x(asked.time), self.axis.x(end)
                box = left, self.y - 2, max(1, right - left), 4
                tip = f"{self.step.name}: waited for, {times}"
                self.scene.spans.append(Box(*box, "waiting", tip))
                self._take(left, right)

    def _draw_bars(self) -> None:
        for bar in self.history.bars:
            end = self.now if bar.end is None else min(bar.end, self.now)
            left, ending = self.axis.x(bar.start), ""
            width = max(5, self.axis.x(end) - left)
            if bar.ending in _FAILED[:3]:
                ending = f": {bar.ending}"
            tip = f"{self.step.name}, {seconds(bar.start)} to {seconds(end)}{ending}"
            box = left, self.y - BAR // 2, width, BAR
            self.scene.bars.append(Box(*box, self._kind(bar, end), tip))
            self.taken.append((left, left + width))
            self._take(left, left + width)

    def _kind(self, bar: Handling, end: int) -> str:
        if bar.ending in _FAILED:
            if end == bar.end:
                return "failed"
        elif self.state.name == "failed":  # it finished, but published nothing
            return "idle" if end == bar.end else "under way"
        kind = kind_of(self.step, self.state)[0]
        if kind == "in doubt" and self.state.name != "late":
            return "failed"
        return "done" if kind == "undone" else kind

    def _draw_events(self) -> None:
        scene, name, y = self.scene, self.step.name, self.y
        seen: set[tuple[int, str]] = set()  # (x, or a refusal's handling, and its mark)
        for event in self.history.events:
            x, at = self.axis.x(event.time), f"at {seconds(event.time)}"
            if event.what in ("done", "saved"):
                self._take(x, x + 4)
                if not self.history.bars:
                    scene.marks.append(Mark(x, y, "published", f"{name} published {at}"))
                    continue
                tip = f"{name} {event.what} {at}"
                scene.bars.append(Box(x - 1, y - BAR // 2 - 2, 3, BAR + 4, "saved", tip))
                self.taken.append((x - 1, x + 2))
            elif event.what in MARK_OF:
                begun = sum(bar.start <= event.time for bar in self.history.bars)
                once = begun if event.what == "refused" else x, MARK_OF[event.what]
                if once in seen:  # such as a coordinator's reaction to a refusal
                    continue
                seen.add(once)
                x = self._beside(x)
                words = f" {event.words}" if event.words else ""
                tip = clean(f"{name}: {event.what}{words} {at}")
                scene.marks.append(Mark(x, y, MARK_OF[event.what], tip))
                self._take(x, x + 7)

    def _beside(self, x: int) -> int:
        """The x of a mark, clear of ticks and of the edges of bars, and after other marks of the same
        moment."""
        place = x
        for left, right in sorted(self.taken):
            if right - left <= 2 * CLEAR:
                if left - CLEAR < place < right + CLEAR:
                    place = right + CLEAR
            elif abs(place - left) < CLEAR:
                place = left + CLEAR
            elif abs(place - right) < CLEAR:
                place = right - CLEAR
        while (x, place) in self.marked:
            place += MARK
        self.marked.add((x, place))
        return place

    def _draw_state(self, placer: LabelPlacer, behind: list[int]) -> None:
        """Write the state if the row does not show it, after the row, before it, or behind a cut."""
        state, words = self.state, brief(clean(self.state.words))
        shows = words in ("done", "compensated") or words.startswith("asked ")
        if shows or state.name == "under way":
            return
        kind = "failed" if state.name in _GRAVE or words.endswith(" late") else "axis"
        if state.name == "refused" or (self.step.compensates and state.name == "done"):
            kind = "compensation"
        for text in (words, words.partition(":")[0]):  # or without the reason
            before = self.from_ - 8 - Label(0, 0, text, kind).width()
            after = (x for x in behind if x > self.to + 2)
            places = [(x, self.y, "start") for x in (self.to + 8, before, *after)]
            if placer.place([text], kind, places):
                return

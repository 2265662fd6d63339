"""The steps of a saga as boxes: forward in lines from left to right, each compensation below what it undoes."""

from collections import Counter

from ..proof.saga_outcome import Outcome
from ..proof.saga_step import SagaStep, State
from ..proof.saga_story import SagaStory
from .scene import Arrow, Box, Label, Mark, Scene
from .text import clean, counted, seconds, shorten, text_width

MARGIN, BESIDE, BELOW, BETWEEN = 18, 14, 26, 34  # px: at the sides, between boxes, above a compensation, between lines
WIDEST = 152  # px of a box
KINDS = {  # state of a step -> kind of its box and of its name
    "not yet": ("not yet", "not yet"), "under way": ("under way", "under way"), "done": ("done", "done"),
    "done twice": ("failed", "failed"), "late": ("in doubt", "failed"), "refused": ("failed", "failed"),
    "in doubt": ("in doubt", "failed"), "failed": ("failed", "failed"), "idle": ("under way", "under way"),
    "compensated": ("undone", "done"), "never done": ("in doubt", "failed"),
}  # fmt: skip
_MARKS = {"late": "no answer", "in doubt": "no answer", "refused": "refused", "failed": "failed", "done twice": "doubled"}


def kind_of(step: SagaStep, state: State) -> tuple[str, str]:
    """The kinds of a step's box and of its name."""
    if step.final and state.name in ("done", "late"):
        return "final", "final"
    if step.undoes and state.name == "done":
        return "compensation", "compensation"
    return KINDS[state.name]


class SagaChart:
    """Places the boxes of a story's steps in `scene`, from `top` down to `bottom`, and draws what led to which. Places are
    those of the `end`, so that they do not change from moment to moment."""

    def __init__(self, scene: Scene, story: SagaStory, states: dict[SagaStep, State], came: Outcome, end: Outcome, moving: bool, top: int):
        self.scene, self.story, self.states, self.came, self.end, self.moving = scene, story, states, came, end, moving
        self.tracks: dict[int, int] = {}  # band -> how many arrows run below it
        self._places()
        self.occupied = [*self.place.values(), *((column, 1) for _, column in self.missing.values())]
        self._sizes()
        self._spots(top)
        self._arrows()
        for step in story.steps:
            self._box(step)
        for step in (step for step in self.missing if step in came.left):
            name, (x, y) = self.missing[step][0], self.spot[step, "missing"]
            scene.bars.append(Box(x, y, self.w, self.h, "in doubt", f"{name} was never asked for: {step.name} is not compensated"))
            self._words(x, y, name, ["never asked for"], "failed", clean(f"{name}, never asked for"))
        for step in came.steps if came.word == "stuck" else ():
            x, y = self.spot[step]
            scene.labels.append(Label(x, y - 9, "stuck here", "failed"))

    # -- which line and column

    def _places(self) -> None:
        steps = self.story.steps
        led = {step.before for step in steps}
        parts = self.story.saga.parts
        self.place: dict[SagaStep, tuple[int, int]] = {}  # (column, line: 0 forward, 1 and more below)
        below: dict[int, int] = {}
        ends = [s for s in steps if s.settles and s.event and s.before is not None and (s.before.undoes or self.states_refused(s.before))]
        sides = [s for s in steps if not s.undoes and s not in led and s is not steps[0] and not s.unheard and s.event
                 and (s.final or not parts & set(s.names)) and s is not self._last()]  # fmt: skip
        column = 0
        for step in steps:
            if step.undoes is None and step not in ends and step not in sides:
                self.place[step] = column, 0
                column += 1
        self.columns = max(1, column)
        self.missing: dict[SagaStep, tuple[str, int]] = {}
        for step in steps:
            if step.undoes is not None:
                self._put(step, self.place[step.undoes][0], below)
        for step in self.end.left:
            if not step.undone_by:
                name = next(name for name, word in self.story.words.items() if word[0] in step.names)
                self.missing[step] = name, self.place[step][0]
                below[self.place[step][0]] = 1
        self.ends = ends
        for step in ends:
            self._put(step, 0, below)
        for step in sides:
            home = next((other for other in step.way() if other in self.place), steps[0])
            self._put(step, self.place[home][0], below)

    def _put(self, step: SagaStep, column: int, below: dict[int, int]) -> None:
        below[column] = below.get(column, 0) + 1
        self.place[step] = column, below[column]

    def _last(self) -> SagaStep:
        return [step for step in self.story.steps if step.undoes is None][-1]

    @staticmethod
    def states_refused(step: SagaStep) -> bool:
        return any(m.what in ("refused", "given up", "nothing") for m in step.moments)

    # -- how large, and where

    def _sizes(self) -> None:
        story = self.story
        now = {step: self._detail(step, self.states[step], self.came) for step in story.steps}
        last = story.record.run.end
        then = [self._detail(step, step.state(last, story.ended), self.end) for step in story.steps]
        if self.moving:  # there is room for all that will be said of a step
            then += [self._detail(step, state, self.came) for step in story.steps for state in story.states[step]]
        titles = [step.name for step in story.steps] + [name for name, _ in self.missing.values()]
        widest = max(text_width(title, 11, True) for title in titles)
        room = self.scene.width - 2 * MARGIN
        choices = []
        for one_line in (True, False):
            lines = [line for words in (*now.values(), *then) for line in _lines(words, one_line)]
            asked = max([widest, *(text_width(line, 10) for line in lines)]) + 12
            wide = max(84, min(WIDEST, asked))
            bands = -(-self.columns // max(1, (room + BESIDE) // (wide + BESIDE)))
            choices.append((asked > WIDEST, bands, not one_line, wide))
        _, bands, two_lines, self.w = min(choices)
        self.said = {step: _lines(words, not two_lines) for step, words in now.items()}
        self.h = 50 if two_lines else 38
        self.per = -(-self.columns // bands)
        self.step = self.w + (min(56, (room - self.per * self.w) // (self.per - 1)) if self.per > 1 else 0)

    @staticmethod
    def _detail(step: SagaStep, state: State, came: Outcome) -> list[str]:
        words = state.words or state.name
        if step in came.left and state.name == "done":
            words = "not compensated"
        if step.final and state.name in ("done", "late"):
            words = "cannot be undone"
        return [step.service if step.name != step.service else step.unheard or "", words]

    def _spots(self, top: int) -> None:
        self.spot: dict = {}
        self.bands: list[tuple[int, int]] = []  # (y of the forward line, y of its end)
        y = top + (14 if self.end.word == "stuck" else 0)
        for band in range(-(-self.columns // self.per)):
            inside = {step: place for step, place in self.place.items() if place[0] // self.per == band}
            depth = max([line for _, line in inside.values()] + [1 for _, column in self.missing.values() if column // self.per == band], default=0)
            arcs = any(step.before in inside and self._skips(step) or step in dict(self.story.rounds) for step in inside)
            y += 12 if arcs else 0
            for step, (column, line) in inside.items():
                self.spot[step] = MARGIN + (column % self.per) * self.step, y + line * (self.h + BELOW)
            for step, (_, column) in self.missing.items():
                if column // self.per == band:
                    self.spot[step, "missing"] = MARGIN + (column % self.per) * self.step, y + self.h + BELOW
            end = y + self.h + depth * (self.h + BELOW)
            self.bands.append((y, end))
            y = end + BETWEEN
        self.bottom = y - BETWEEN + (10 if self.missing or any(line for _, line in self.place.values()) else 0)

    def _skips(self, step: SagaStep) -> bool:
        """Whether it stands in the forward line, and not beside the step that led to it."""
        (column, line), other = self.place[step], self.place.get(step.before)
        return bool(other) and line == 0 == other[1] and column - other[0] != 1

    # -- arrows

    def _arrows(self) -> None:
        for step in self.story.steps:
            if step.before is None or step.before not in self.spot:
                continue
            kind = "undo" if step.undoes or (self.place[step][1] and step.settles) else "message"
            if self.states[step].name == "not yet":
                kind = "not yet"
            points, head = self._way(step.before, step)
            tip = f"{step.before.name} led to {step.name}"
            self.scene.arrows.append(Arrow(rounded(points), kind, head, tip))

        for (later, earlier), times in Counter(self.story.rounds).items():
            (x1, y1), (x2, y2) = self.spot[later], self.spot[earlier]
            way = [(x1 + self.w // 2, y1), (x1 + self.w // 2, y1 - 12), (x2 + self.w // 2 - 12, y1 - 12), (x2 + self.w // 2 - 12, y2 - 1)]
            if y1 == y2:
                tip = f"{later.name} led to {earlier.name} again, {counted(times, 'time')}"
                self.scene.arrows.append(Arrow(rounded(way), "again", "d", tip))

    def _way(self, source: SagaStep, target: SagaStep) -> tuple[list[tuple[int, int]], str]:
        """The corners of an arrow, and where its head points."""
        (c1, l1), (c2, l2), w, h = self.place[source], self.place[target], self.w, self.h
        (x1, y1), (x2, y2) = self.spot[source], self.spot[target]
        band1, band2 = c1 // self.per, c2 // self.per
        right1, right2, middle1, middle2 = x1 + w, x2 + w, x1 + w // 2, x2 + w // 2
        if c1 == c2:
            down = l2 > l1
            if abs(l2 - l1) == 1:
                return [(middle1, y1 + h if down else y1), (middle2, y2 - 1 if down else y2 + h + 1)], "d" if down else "u"
            side = x1 - 10
            return [(x1, y1 + h // 2), (side, y1 + h // 2), (side, y2 + h // 2), (x2 - 1, y2 + h // 2)], "r"
        if band1 == band2:
            if l1 == l2:
                low, high = sorted((c1, c2))
                between = any(low < c < high and line == l1 for c, line in self.occupied)
                if not between:
                    return ([(right1, y1 + h // 2), (x2 - 1, y2 + h // 2)], "r") if c2 > c1 else ([(x1, y1 + h // 2), (right2 + 1, y2 + h // 2)], "l")
                if l1 == 0:
                    return [(middle1 + 10, y1), (middle1 + 10, y1 - 12), (middle2, y1 - 12), (middle2, y2 - 1)], "d"
            elif l1 == 0 and c2 < c1 and not any(c2 < c <= c1 and line == l2 for c, line in self.occupied):
                return [(middle1, y1 + h), (middle1, y2 + h // 2), (right2 + 1, y2 + h // 2)], "l"
            elif l1 == 0 and c2 < c1 and not any(c2 < c < c1 and line == l2 for c, line in self.occupied):
                return [(x1 + 12, y1 + h), (x1 + 12, y1 + h + 10), (x1 - 10, y1 + h + 10), (x1 - 10, y2 + h // 2), (right2 + 1, y2 + h // 2)], "l"
            track = self._track(band1, max(y1, y2) + h + 10)
            return [(middle1 - 8, y1 + h), (middle1 - 8, track), (middle2 + 8, track), (middle2 + 8, y2 + h + 1)], "u"
        if band2 > band1:
            track = self.bands[band2][0] - BETWEEN // 2 - 5
            return [(right1, y1 + h // 2), (right1 + 10, y1 + h // 2), (right1 + 10, track), (x2 - 12, track), (x2 - 12, y2 + h // 2), (x2 - 1, y2 + h // 2)], "r"
        track = self.bands[band2][1] + BETWEEN // 2 + 5
        left, right = MARGIN - 15, right2 + 13  # beside the forward arrow between the same two lines
        start = [(x1, y1 + h // 2), (left, y1 + h // 2)]
        if l1 == 0:
            start = [(middle1, y1 + h), (middle1, y1 + h + 10), (left, y1 + h + 10)]
        elif any(c // self.per == band1 and c < c1 and line == l1 for c, line in self.occupied):
            below = self._track(band1, y1 + h + 10)  # others stand in the way to the left
            start = [(middle1 - 8, y1 + h), (middle1 - 8, below), (left, below)]
        return [*start, (left, track), (right, track), (right, y2 + h // 2), (right2 + 1, y2 + h // 2)], "l"

    def _track(self, band: int, y: int) -> int:
        """A line of its own below a band, as far as there is room."""
        self.tracks[band] = self.tracks.get(band, 0) + 1
        return y + 4 * ((self.tracks[band] - 1) % 3)

    # -- boxes

    def _box(self, step: SagaStep) -> None:
        (x, y), state = self.spot[step], self.states[step]
        box, name = kind_of(step, state)
        if step in self.came.left and box == "done":
            box, name = "left behind", "failed"
        if step in self.ends and box == "done":
            box, name = "compensation", "compensation"
        when = [f"{m.what}{': ' + m.words if m.words else ''} at {seconds(m.time)}" for m in step.moments if state.name != "not yet"]
        tip = clean("; ".join([f"{step.name} ({step.service}): {state.words or state.name}", *when]), 400)
        self.scene.bars.append(Box(x, y, self.w, self.h, box, tip))
        self._words(x, y, step.name, self.said[step], name, tip)
        mark = "final" if box == "final" else _MARKS.get(state.name)
        if mark:
            self.scene.marks.append(Mark(x + self.w - 9, y, mark, tip))

    def _words(self, x: int, y: int, name: str, lines: list[str], kind: str, tip: str) -> None:
        middle, at = x + self.w // 2, y + 13
        self.scene.labels.append(Label(middle, at, shorten(clean(name), self.w - 6, 11, True), kind, "middle", tip))
        for number, line in enumerate(lines):
            text = shorten(clean(line), self.w - 6, 10)
            self.scene.labels.append(Label(middle, at + 14 + 12 * number, text, "detail", "middle", tip))


def _lines(words: list[str], one_line: bool) -> list[str]:
    words = [word for word in words if word]
    return [" · ".join(words)] if one_line else words


def rounded(points: list[tuple[int, int]], radius: int = 6) -> tuple[int, ...]:
    """A way through corners as a start and three points more for each curve, its corners rounded."""
    flat = [*points[0]]
    here = points[0]
    for number, (x, y) in enumerate(points[1:], 1):
        if number == len(points) - 1:
            flat += [*here, x, y, x, y]
            break
        after = points[number + 1]
        enter, leave = _towards((x, y), here, radius), _towards((x, y), after, radius)
        flat += [*here, *enter, *enter, x, y, x, y, *leave]
        here = leave
    return tuple(flat)


def _towards(corner: tuple[int, int], other: tuple[int, int], by: int) -> tuple[int, int]:
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = max(1, abs(dx) + abs(dy))
    part = min(by, length // 2)
    return corner[0] + dx * part // length, corner[1] + dy * part // length

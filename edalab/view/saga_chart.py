"""The steps of a saga as boxes: forward in lines from left to right, each compensation below what it undoes."""

from ..claims.saga_outcome import Outcome
from ..text import clean, seconds, shorten, text_width
from ..trace.saga_step import SagaStep, State
from .saga_arrows import BETWEEN, MARGIN, arrows
from .saga_moment import SagaMoment
from .scene import Box, Label, Mark, Scene

BESIDE, BELOW, WIDEST = 14, 26, 160  # px: between boxes, above a compensation, width of a box
KINDS = {  # state of a step -> kind of its box and of its name
    "not yet": ("not yet", "not yet"), "under way": ("under way", "under way"), "done": ("done", "done"),
    "done twice": ("failed", "failed"), "late": ("in doubt", "failed"), "refused": ("failed", "failed"),
    "in doubt": ("in doubt", "failed"), "failed": ("failed", "failed"), "idle": ("under way", "under way"),
    "compensated": ("undone", "done"), "never done": ("in doubt", "failed"),
}  # fmt: skip
_MARKS = {
    "late": "no answer",
    "in doubt": "no answer",
    "refused": "refused",
    "failed": "failed",
    "done twice": "doubled",
}


def kind_of(step: SagaStep, state: State) -> tuple[str, str]:
    """The kinds of a step's box and of its name."""
    if step.final and state.name in ("done", "late"):
        return "final", "final"
    if step.compensates and state.name == "done":
        return "compensation", "compensation"
    return KINDS[state.name]


class SagaChart:
    """Places the boxes of a story's steps in `scene`, from `top` down to `bottom`, and draws what led to which. Places are
    those of the `end`, so that they do not change from moment to moment."""

    def __init__(
        self,
        scene: Scene,
        moment: SagaMoment,
        top: int,
    ):
        self.scene, self.moment, self.story = scene, moment, moment.story
        self.states, self.outcome, self.end = moment.states, moment.outcome, moment.end
        self._places()
        self.occupied = [
            *self.place.values(),
            *((column, 1) for _, column in self.missing.values()),
        ]
        self._sizes()
        self._spots(top)
        scene.arrows += arrows(self)
        for step in self.story.steps:
            self._box(step)
        for step in (step for step in self.missing if step in self.outcome.left):
            name, (x, y) = self.missing[step][0], self.spot[step, "missing"]
            never = "never published" if step.is_event else "never asked for"
            tip = clean(f"{name} was {never}: {step.name} is not compensated")
            scene.bars.append(Box(x, y, self.w, self.h, "in doubt", tip))
            self._words(x, y, name, [never], "failed", tip)
        for step in self.outcome.steps if self.outcome.word == "stuck" else ():
            x, y = self.spot[step]
            scene.labels.append(Label(x, y - 9, "stuck here", "failed"))

    # -- which line and column

    def _places(self) -> None:
        """(column, line) of each step: line 0 leads forward, compensations and what leads nowhere stand below."""
        steps, words = self.story.steps, self.story.roles
        self.place: dict[SagaStep, tuple[int, int]] = {}
        self._below: dict[int, int] = {}  # column -> how many stand there
        self.ends = [
            s
            for s in steps
            if s.settles
            and s.is_event
            and s.before
            and (s.before.compensates or _stopped(s.before))
        ]
        sides = self._sides()
        forward = [
            step
            for step in steps
            if step.compensates is None and step not in self.ends and step not in sides
        ]
        self.place |= {step: (column, 0) for column, step in enumerate(forward)}
        self.columns = max(1, len(forward))
        for step in steps:
            if step.compensates is not None:
                self._put(step, self.place[step.compensates][0])
        self.missing: dict[
            SagaStep, tuple[str, int]
        ] = {}  # a step left behind -> the name of its compensation, column
        for step in self.end.left:
            if not step.compensated_by:
                column = self.place[step][0]
                self.missing[step] = (
                    next(name for name, word in words.items() if word.compensates in step.names),
                    column,
                )
                self._below[column] = 1
        for step in self.ends:
            self._put(step, 0)
        for step in sides:
            home = next((other for other in step.ancestors() if other in self.place), steps[0])
            self._put(step, self.place[home][0])

    def _sides(self) -> list[SagaStep]:
        """Events that led to nothing more and are no step of the way, such as a letter that was sent."""
        steps, parts = self.story.steps, self.story.saga.types
        led = {step.before for step in steps}
        last = [step for step in steps if step.compensates is None][-1]
        on_the_way = [
            step
            for step in steps
            if step.compensates or step in led or step.unheard or not step.is_event
        ]
        found = [
            step
            for step in steps[1:]
            if step not in on_the_way and step is not last and step not in self.ends
        ]
        return [step for step in found if step.final or not parts & set(step.names)]

    def _put(self, step: SagaStep, column: int) -> None:
        self._below[column] = self._below.get(column, 0) + 1
        self.place[step] = column, self._below[column]

    # -- how large, and where

    def _sizes(self) -> None:
        story = self.story
        now = {step: self._detail(step, self.states[step], self.outcome) for step in story.steps}
        then = [self._detail(step, story.states[step], self.end) for step in story.steps]
        ever = self.moment.states_ever
        then += [self._detail(step, state, self.outcome) for step, state in ever]
        titles = [step.name for step in story.steps] + [name for name, _ in self.missing.values()]
        widest = max(text_width(title, 11, True) for title in titles)
        room = self.scene.width - 2 * MARGIN
        choices = []
        for one_line in (True, False):
            lines = [line for words in (*now.values(), *then) for line in _lines(words, one_line)]
            asked = max([widest, *(text_width(line, 10) for line in lines)]) + 12
            wide = max(84, min(WIDEST, asked))
            bands = -(-self.columns // max(1, (room + BESIDE) // (wide + BESIDE)))
            choices.append(
                (max(0, asked - WIDEST), bands, not one_line, wide)
            )  # cut least, then in the fewest bands
        _, bands, two_lines, self.w = min(choices)
        self.said = {step: _lines(words, not two_lines) for step, words in now.items()}
        self.h = 50 if two_lines else 38
        self.per = -(-self.columns // bands)
        self.step = self.w + (
            min(56, (room - self.per * self.w) // (self.per - 1)) if self.per > 1 else 0
        )

    @staticmethod
    def _detail(step: SagaStep, state: State, outcome: Outcome) -> list[str]:
        words = state.words or state.name
        if step in outcome.left and state.name == "done":
            words = "not compensated"
        if step.final and state.name in ("done", "late"):
            words = "cannot be undone"
        return [step.service if step.name != step.service else step.unheard or "", words]

    def _spots(self, top: int) -> None:
        self.spot: dict = {}
        self.bands: list[tuple[int, int]] = []  # (y of the forward line, y of its end)
        y = top + (14 if self.end.word == "stuck" else 0)
        for band in range(-(-self.columns // self.per)):
            inside = {
                step: place for step, place in self.place.items() if place[0] // self.per == band
            }
            missing = {
                step: column
                for step, (_, column) in self.missing.items()
                if column // self.per == band
            }
            depth = max([line for _, line in inside.values()] + [1 for _ in missing], default=0)
            arcs = any(
                step.before in inside and self._skips(step) or step in dict(self.story.rounds)
                for step in inside
            )
            y += 12 if arcs else 0
            for step, (column, line) in inside.items():
                self.spot[step] = (
                    MARGIN + (column % self.per) * self.step,
                    y + line * (self.h + BELOW),
                )
            for step, column in missing.items():
                self.spot[step, "missing"] = (
                    MARGIN + (column % self.per) * self.step,
                    y + self.h + BELOW,
                )
            end = y + self.h + depth * (self.h + BELOW)
            self.bands.append((y, end))
            y = end + BETWEEN
        self.bottom = (
            y
            - BETWEEN
            + (10 if self.missing or any(line for _, line in self.place.values()) else 0)
        )

    def _skips(self, step: SagaStep) -> bool:
        """Whether it stands in the forward line, and not beside the step that led to it."""
        (column, line), other = self.place[step], self.place.get(step.before)
        return bool(other) and line == 0 == other[1] and column - other[0] != 1

    # -- boxes

    def _box(self, step: SagaStep) -> None:
        (x, y), state = self.spot[step], self.states[step]
        box, name = kind_of(step, state)
        if step in self.outcome.left and box == "done":
            box, name = "left behind", "failed"
        if step in self.ends and box == "done":
            box, name = "compensation", "compensation"
        shown = self.moment.shown[step]
        when = [
            f"{e.what}{': ' + e.words if e.words else ''} at {seconds(e.time)}"
            for e in (shown.events if shown else ())
        ]
        tip = clean(
            "; ".join([f"{step.name} ({step.service}): {state.words or state.name}", *when]), 400
        )
        self.scene.bars.append(Box(x, y, self.w, self.h, box, tip))
        self._words(x, y, step.name, self.said[step], name, tip)
        mark = "final" if box == "final" else _MARKS.get(state.name)
        if mark:
            self.scene.marks.append(Mark(x + self.w - 9, y, mark, tip))

    def _words(self, x: int, y: int, name: str, lines: list[str], kind: str, tip: str) -> None:
        middle, at = x + self.w // 2, y + 13
        self.scene.labels.append(
            Label(middle, at, shorten(clean(name), self.w - 6, 11, True), kind, "middle", tip)
        )
        for number, line in enumerate(lines):
            text = shorten(clean(line), self.w - 6, 10)
            self.scene.labels.append(
                Label(middle, at + 14 + 12 * number, text, "detail", "middle", tip)
            )


def _stopped(step: SagaStep) -> bool:
    """Whether the saga went no further there. Who was done and is asked again does nothing, and stops nothing."""
    told = {event.what for event in step.events}
    return bool(told & {"refused", "given up"}) or "nothing" in told and "done" not in told


def _lines(words: list[str], one_line: bool) -> list[str]:
    words = [word for word in words if word]
    return [" · ".join(words)] if one_line else words

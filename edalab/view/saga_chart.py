"""The steps of a saga as boxes: forward steps from left to right, compensations below the steps that they
undo. The arrows run along the gaps between the boxes, and never through a box."""

from collections import Counter
from functools import cached_property

from ..claims.saga_outcome import Outcome, outcome
from ..text import brief, clean, counted, seconds, shorten, text_width
from ..trace.saga_step import SagaStep, StepState
from ..trace.saga_story import SagaStory
from .arrows import rounded
from .scene import Arrow, Box, Label, Mark, Scene

MARGIN, BETWEEN = 18, 34  # px: margin at the sides, gap between two bands of boxes
BESIDE, BELOW = 14, 26  # px: gap between boxes, gap above a compensation
WIDEST, NARROW = 160, 128  # px: widest box, and with words cut for more boxes in a band
Corners = list[tuple[int, int]]
KINDS = {  # state of a step -> kind of its box, kind of its name
    "not yet": ("not yet", "not yet"), "under way": ("under way", "under way"), "done": ("done", "done"),
    "done twice": ("failed", "failed"), "late": ("in doubt", "failed"), "refused": ("compensation", "compensation"),
    "in doubt": ("in doubt", "failed"), "failed": ("failed", "failed"), "idle": ("under way", "under way"),
    "compensated": ("undone", "done"), "never done": ("in doubt", "failed"),
}  # fmt: skip
MARK_OF = {  # event of a step -> its mark in the box and in the row
    "no answer": "no answer", "failed": "failed", "crash": "crash", "given up": "dead letter", "refused": "refused",
    "answer lost": "lost", "lost": "lost", "again": "doubled", "never": "lost",
}  # fmt: skip
_MARKED = {  # state of a step -> events; the box shows the last one
    "late": ("no answer",), "in doubt": ("no answer", "answer lost", "lost"), "refused": ("refused",), "done twice": ("again",),
    "failed": ("failed", "crash", "given up", "never"),
}  # fmt: skip


def kind_of(step: SagaStep, state: StepState) -> tuple[str, str]:
    """The kinds of a step's box and of its name."""
    if step.final and state.name in ("done", "late"):
        return "final", "final"
    if step.compensates and state.name == "done":
        return "compensation", "compensation"
    return KINDS[state.name]


class DrawnMoment:
    """A `story` at `now` (ms), or at the end if that is None. `shown` maps steps to their
    histories."""

    def __init__(self, story: SagaStory, now: int | None):
        self.story, self.now = story, now
        self.time = story.trace.run.end if now is None else now
        self.shown, self.states = story.at(now).histories, story.at(now).states
        self.outcome, self.end = outcome(story, now), outcome(story)
        self._times = [] if now is None else story.times

    @cached_property
    def states_ever(self) -> list[tuple[SagaStep, StepState]]:
        """Every state that a step has at any moment, so that a picture can reserve room for it."""
        pairs = (pair for time in self._times for pair in self.story.at(time).states.items())
        return list(dict.fromkeys(pairs))

    @property
    def outcomes_ever(self) -> list[tuple[int | None, Outcome]]:
        """The outcome of the saga now, in the end and at each moment, as (time, outcome)."""
        found = [(time, outcome(self.story, time)) for time in self._times]
        return [(self.now, self.outcome), (self.now, self.end), *found]


class SagaChart:
    """Places the boxes of a story's steps and the arrows in `scene`, from `top` down to `bottom`. Their
    places are those at the end of the run, so that they do not change from moment to moment. A
    compensation that was never sent has no box, and its step is labelled "not compensated"."""

    def __init__(self, scene: Scene, moment: DrawnMoment, top: int):
        self.scene, self.moment, self.story = scene, moment, moment.story
        self.states, self.outcome, self.end = moment.states, moment.outcome, moment.end
        self._places()
        self._sizes()
        self._spots(top + 14 * (self.end.word == "stuck"))
        self._draw_arrows()
        for step in self.story.steps:
            self._box(step)
        for step in self.outcome.steps if self.outcome.word == "stuck" else ():
            x, y = self.spot[step]
            scene.labels.append(Label(x, y - 9, "stuck here", "failed"))

    def _places(self) -> None:
        """Assign a column and a line to each step. Line 0 is for forward steps."""
        steps, below = self.story.steps, Counter()
        self.ends = [
            s
            for s in steps
            if s.settles and s.is_event and s.before
            and (s.before.compensates or self._stopped(s.before))
        ]  # fmt: skip
        forward = [s for s in steps if not s.compensates and s not in self.ends]
        self.place = {step: (column, 0) for column, step in enumerate(forward)}
        self.columns = max(1, len(forward))
        for step in [*(s for s in steps if s.compensates and s not in self.ends), *self.ends]:
            undoes = None if step in self.ends else step.compensates
            column = self.place[undoes][0] if undoes else 0
            below[column] += 1
            self.place[step] = column, below[column]

    def _stopped(self, step: SagaStep) -> bool:
        """Whether the saga stopped at this step. A step that was done before does not stop it."""
        history = self.story.at().histories[step]
        without_effect = not history.done and history.times("nothing")
        return bool(history.times("refused", "given up") or without_effect)

    def _sizes(self) -> None:
        """Set a width and height of boxes that have room for the words of each moment."""
        story, ever = self.story, [*self.moment.states_ever, *self.states.items()]
        shown = [(*pair, self.outcome) for pair in ever]
        shown += [(*pair, self.end) for pair in story.at().states.items()]
        details = [self._detail(*each) for each in shown]
        titles = [text_width(step.name, 11, True) for step in story.steps]
        room = self.scene.width - 2 * MARGIN
        choices = []
        for two_lines in (False, True):
            lines = [line for words in details for line in _lines(words, two_lines)]
            asked = 12 + max(*titles, 0, *(text_width(line, 10) for line in lines))
            for most in (WIDEST, NARROW):
                wide = max(84, min(most, asked))
                bands = -(-self.columns // max(1, (room + BESIDE) // (wide + BESIDE)))
                # Prefer few bands, and then words that are cut as little as possible.
                choices.append((bands, max(0, asked - most), two_lines, wide))
        bands, _, self.two_lines, self.w = min(choices)
        self.h = 50 if self.two_lines else 38
        self.per = -(-self.columns // bands)
        gap = min(56, (room - self.per * self.w) // (self.per - 1)) if self.per > 1 else 0
        self.step = self.w + gap

    @staticmethod
    def _detail(step: SagaStep, state: StepState, outcome: Outcome) -> list[str]:
        words = state.words or state.name
        if state.name == "refused":  # who refused it and why
            return [f"{step.service} · refused", brief(words.removeprefix("refused: "))]
        if step in outcome.left and state.name == "done":
            words = "not compensated"
        if step.final and state.name in ("done", "late"):
            words = "cannot be undone"
        return [step.service if step.name != step.service else step.awaited or "", words]

    def _spots(self, y: int) -> None:
        self.spot: dict[SagaStep, tuple[int, int]] = {}
        for band in range(-(-self.columns // self.per)):
            inside = {s: at for s, at in self.place.items() if at[0] // self.per == band}
            for step, (column, line) in inside.items():
                x = MARGIN + column % self.per * self.step
                self.spot[step] = x, y + line * (self.h + BELOW)
            depth = max((line for _, line in inside.values()), default=0)
            y += self.h + depth * (self.h + BELOW) + BETWEEN
        self.bottom = y - BETWEEN + 10

    def _box(self, step: SagaStep) -> None:
        state = self.states[step]
        box, name = kind_of(step, state)
        if step in self.outcome.left and box == "done":
            box, name = "left behind", "failed"
        if step in self.ends and box == "done":
            box, name = "compensation", "compensation"
        events = self.moment.shown[step].events
        words = [f"{e.what}{': ' * bool(e.words)}{e.words} at {seconds(e.time)}" for e in events]
        headline = f"{step.name} ({step.service}): {state.words or state.name}"
        if box == "left behind" and not step.compensated_by:
            headline += f"; {self._compensation_of(step)} was never sent"
        tip = clean("; ".join([headline, *words]), 400)
        lines = _lines(self._detail(step, state, self.outcome), self.two_lines)
        (x, y), room = self.spot[step], self.w - 6
        self.scene.bars.append(Box(x, y, self.w, self.h, box, tip))
        texts = [(y + 13, shorten(clean(step.name), room, 11, True), name)]
        for height, line in zip((y + 27, y + 39), lines, strict=False):
            texts.append((height, shorten(clean(line), room, 10), "detail"))
        for height, text, kind in texts:
            self.scene.labels.append(Label(x + self.w // 2, height, text, kind, "middle", tip))
        marks = [MARK_OF[e.what] for e in events if e.what in _MARKED.get(state.name, ())]
        marks += ["final"] * (box == "final")
        self.scene.marks += [Mark(x + self.w - 9, y, mark, tip) for mark in marks[-1:]]

    def _compensation_of(self, step: SagaStep) -> str:
        """The type of a message that compensates a step."""
        roles = self.story.roles.items()
        return next(name for name, role in roles if role.compensates in step.names)

    def _draw_arrows(self) -> None:
        """Draw an arrow to each step from the one that led to it, and one for each round."""
        self._tracks: Counter[int] = Counter()  # height -> number of arrows along it
        self._risers: Counter[int] = Counter()  # x -> number of undo arrows along it
        for step in self.story.steps:
            if step.before is not None:
                back = step.compensates or (self.place[step][1] and step.settles)
                kind = "undo" if back else "message"
                kind = "not yet" if self.states[step].name == "not yet" else kind
                tip = f"{step.before.name} led to {step.name}"
                self._draw_arrow(step.before, step, kind, tip)
        for (later, earlier), times in Counter(self.story.rounds).items():
            tip = f"{later.name} led to {earlier.name} again, {counted(times, 'time')}"
            self._draw_arrow(later, earlier, "again", tip)

    def _draw_arrow(self, source: SagaStep, target: SagaStep, kind: str, tip: str) -> None:
        corners, head = self._way(source, target, kind)
        self.scene.arrows.append(Arrow(rounded(corners), kind, head, tip))

    def _way(self, source: SagaStep, target: SagaStep, kind: str) -> tuple[Corners, str]:
        """The corners of an arrow, and the direction of its head."""
        (column, line), (other, its_line) = self.place[source], self.place[target]
        (x1, y1), (x2, y2), w, h = self.spot[source], self.spot[target], self.w, self.h
        middle, its_height = x1 + w // 2, y2 + h // 2
        if column == other and its_line == line + 1:
            return [(middle, y1 + h), (middle, y2 - 1)], "d"
        beside = (x2 + w + 1, its_height, "l") if other < column else (x2 - 1, its_height, "r")
        if column // self.per == other // self.per and kind != "again":
            occupied = self.place.values()
            between = range(min(column, other) + 1, max(column, other))
            free = all((each, its_line) not in occupied for each in between)
            if line == its_line and free:
                return [(x1 if other < column else x1 + w, its_height), beside[:2]], beside[2]
            if line < its_line and other < column and free and (column, its_line) not in occupied:
                return [(middle, y1 + h), (middle, its_height), beside[:2]], "l"
        # Out at the bottom, along the gap below, and next to the target to its height.
        along = y1 + h + 8 + 4 * (self._tracks[y1] % 4)
        self._tracks[y1] += 1
        aside = 8
        if kind == "undo":
            aside = 11 + (0, 4, -4)[self._risers[beside[0]] % 3]
            self._risers[beside[0]] += 1
        start, gap = x1 + w - 12, beside[0] + (aside if other < column else -aside)
        height = its_height + 10  # below the head of a straight arrow
        corners = [(start, y1 + h), (start, along), (gap, along), (gap, height)]
        return [*corners, (beside[0], height)], beside[2]


def _lines(words: list[str], two_lines: bool) -> list[str]:
    words = [word for word in words if word]
    return words if two_lines else [" · ".join(words)]

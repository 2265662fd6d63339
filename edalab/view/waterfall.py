"""When each step of a saga ran: a row a step, in the order they began, with its waits, its time-outs and its failures."""

from ..proof.saga_step import Bar, SagaStep, State
from ..proof.saga_story import SagaStory
from .axis import Axis
from .saga_chart import MARGIN, kind_of
from .scene import Box, Label, Line, Mark, Scene
from .text import clean, seconds, shorten, text_width

BAR, MOST = 12, 60  # px; handlings in a row
_MARKS = {"no answer": "no answer", "failed": "failed", "crash": "crash", "given up": "dead letter", "refused": "refused",
          "answer lost": "stopped", "lost": "stopped", "again": "doubled", "never": "lost", "silent": "stopped"}  # fmt: skip
_SAID = {"late", "in doubt", "failed", "done twice", "refused", "idle", "never done"}


def waterfall(scene: Scene, story: SagaStory, states: dict[SagaStep, State], now: int, top: int, right: int) -> int:
    """Draw the rows into `scene` from `top` down, to the left of `right`; `now` (ms) is as far as is known. Return where
    they end."""
    steps = [step for step in story.steps if step.moments]
    row = 19 if len(steps) <= 12 else 16
    left = MARGIN + max(text_width(_short(step), 11) for step in steps) + 12
    scene.labels.append(Label(MARGIN, top, "When", "node"))
    instants = dict.fromkeys(story.times, 0)
    instants |= {bar.end: 0 for step in steps for bar in step.bars if bar.end is not None and bar.end <= story.end}
    axis = Axis(instants, left, right - 30)
    scene.axis, y0, bottom = axis, top + 12, top + 14 + row * len(steps)
    for start, end, begin, until in axis.cuts:
        for x in ((start + end) // 2 - 3, (start + end) // 2 + 3):
            scene.lines.append(Line(x, y0, x, bottom, "break", f"{seconds(until - begin)} cut short"))
    edge = -100
    for x, text in axis.ticks():
        half = text_width(text, 10) // 2
        if x - half > edge + 8 and x + half < right:
            scene.lines.append(Line(x, y0, x, bottom, "grid"))
            scene.labels.append(Label(x, bottom + 11, text, "axis", "middle"))
            edge = x + half
    for number, step in enumerate(steps):
        _row(scene, axis, step, states[step], now, story.end, y0 + 2 + row * number + row // 2, left, right)
    return bottom


def _short(step: SagaStep) -> str:
    return shorten(clean(step.name), 150, 11)


def _row(scene: Scene, axis: Axis, step: SagaStep, state: State, now: int, last: int, y: int, left: int, right: int) -> None:
    known = step.begun(now)
    scene.labels.append(Label(left - 10, y, _short(step), "channel" if known else "axis", "end", clean(f"{step.name} of {step.service}")))
    box, name = kind_of(step, state)
    box = "done" if box == "undone" else "failed" if box == "in doubt" and state.name != "late" else box
    ends = [axis.x(step.moments[0].time)]
    for number, moment in enumerate(step.moments if len(step.bars) <= MOST else ()):
        if moment.what in ("asked", "sent") and moment.time <= now:
            until = ("answered", "no answer") if moment.what == "asked" else ("began",)
            heard = next((later.time for later in step.moments[number:] if later.what in until), last)
            _wait(scene, axis, moment.time, min(heard, now), y, step)
    for bar in _few(step.bars):
        if bar.start <= now:
            end = min(last if bar.end is None else bar.end, now, last)
            x = axis.x(bar.start)
            w = max(5, axis.x(end) - x)
            tip = f"{step.name}, {seconds(bar.start)} to {seconds(end)}" + (f": {bar.ending}" if bar.ending in ("crash", "failure", "retry") else "")
            hurt = bar.ending in ("crash", "failure", "retry", "dead_letter") and end == bar.end
            scene.bars.append(Box(x, y - BAR // 2, w, BAR, "failed" if hurt else box, tip))
            ends.append(x + w)
    for moment in step.moments if len(step.bars) <= MOST else step.moments[-1:]:
        if moment.time > now:
            continue
        x = axis.x(moment.time)
        if moment.what == "done":
            scene.bars.append(Box(x - 1, y - BAR // 2, 2, BAR, "saved", f"{step.name} done at {seconds(moment.time)}"))
            if not step.bars:
                scene.marks.append(Mark(x, y, "published", f"{step.name} published at {seconds(moment.time)}"))
            ends.append(x + 4)
        elif moment.what in _MARKS:
            words = f"{step.name}: {moment.what}{' ' + moment.words if moment.words else ''} at {seconds(moment.time)}"
            scene.marks.append(Mark(x, y, _MARKS[moment.what], clean(words)))
            ends.append(x + 7)
    words = state.words if state.name in _SAID or state.words not in ("", "done", "compensated") else ""
    words = "" if words.startswith("asked ") else words  # the bars say it
    if words and known and state.name != "under way":
        kind = "compensation" if step.undoes and state.name == "done" else "failed" if state.name in _SAID and state.name != "idle" or " late" in words else "axis"
        wide = text_width(words, 11 if kind != "axis" else 10, kind != "axis")
        x, line = max(ends) + 8, axis.x(now)
        if now < last and x - 4 < line < x + wide:
            x = line + 6  # clear of the cursor
        if x + wide <= right:
            scene.labels.append(Label(x, y, words, kind))
        elif min(ends) - 8 - wide >= left:
            scene.labels.append(Label(min(ends) - 8, y, words, kind, "end"))


def _few(bars: list[Bar]) -> list[Bar]:
    """The bars; of very many one that lasts from the first to the last."""
    return bars if len(bars) <= MOST else [Bar(bars[0].start, bars[-1].end, "")]


def _wait(scene: Scene, axis: Axis, start: int, end: int, y: int, step: SagaStep) -> None:
    if end > start:
        x = axis.x(start)
        scene.spans.append(Box(x, y - 2, max(1, axis.x(end) - x), 4, "waiting", f"{step.name}: waited for, {seconds(start)} to {seconds(end)}"))

"""The values in a chart of a state, written at its lines: how it ends, what was believed wrongly, each step."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from ..store.bitemporal import Discrepancy, Hindsight, size
from ..text import text_width
from .axes import Axes, value_text
from .labels import LabelPlacer, Place

_MOST_WRONG, _STEP_WIDTH = 8, 75  # of wrong beliefs with their values; px for each value of a step
_WIDE = 20  # px of a quarter of a level part
_BESIDE, _BELOW_FIRST = (-10, 11, -16, 17), (11, -10, 17, -16)  # px from a line to a text's middle


class _Stretch(NamedTuple):
    """A level part of a line, in px. Its `peak` is 1 where it lies above its neighbours, -1 where it
    lies below them, else 0."""

    left: int
    right: int
    y: int
    peak: int

    def places(self) -> list[Place]:
        """Above and below its middle, and of a wide one also above and below its quarters."""
        quarter = (self.right - self.left) // 4
        away = [0, -quarter, quarter] if quarter > _WIDE else [0]
        middle, sides = (self.left + self.right) // 2, _BELOW_FIRST if self.peak < 0 else _BESIDE
        return [(middle + dx, self.y + dy, "middle") for dy in sides for dx in away]


def write_values(
    hindsight: Hindsight, wrong: list[Discrepancy], axes: Axes, end: int, room: LabelPlacer
) -> None:
    """Write as many values as have room, the most important first. `wrong` is where the lines
    differ, and `end` where they end."""
    _name_end(hindsight, axes, end, room)
    for one in sorted(wrong, key=size, reverse=True)[:_MOST_WRONG]:
        left, right, y = axes.x(one.start), axes.x(one.end), axes.y(one.believed)
        peak = 1 if y < axes.y(one.actual) else -1
        places = _Stretch(left, right, y, peak).places()
        places[-1:-1] = [(right + 6, y, "start"), (left - 6, y, "end")]
        value = value_text(one.believed)
        room.place([f"{value} as believed", value], "believed", places, over=False)
    steps = sorted(_steps(hindsight, axes, end), key=lambda step: step[0].left - step[0].right)
    for stretch, text in steps[: (axes.right - axes.left) // _STEP_WIDTH]:
        if stretch.peak or text_width(text, 11, True) < stretch.right - stretch.left:
            room.place([text], "was", stretch.places(), over=False)


def _name_end(hindsight: Hindsight, axes: Axes, end: int, room: LabelPlacer) -> None:
    value = hindsight.at(end)[0]
    if value is None:
        return
    name = "as it was" if hindsight.known is None else "as known then"
    texts = [f"{value_text(value)} {name}", value_text(value)]
    x, y = axes.x(end), axes.y(value)
    beyond = [(x + 8, y, "start")] if end < axes.end else []
    places = beyond + [(x, y + dy, "end") for dy in _BESIDE]
    room.place(texts, "was", places, over=False)


def _steps(hindsight: Hindsight, axes: Axes, end: int) -> Iterator[tuple[_Stretch, str]]:
    """The level parts of the line of what was, with their values, but for the last part."""
    levels = [(axes.start, hindsight.at(axes.start)[0])]
    for change in hindsight.actual:
        if axes.start < change.at <= end and change.value != levels[-1][1]:
            levels.append((change.at, change.value))
    heights = [axes.y(value) for _, value in levels]
    before = [heights[0], *heights]
    for number, ((at, value), (until, _)) in enumerate(pairwise(levels)):
        y, beside = heights[number], (before[number], heights[number + 1])
        if value is not None:
            peak = (y < min(beside)) - (y > max(beside))
            yield _Stretch(axes.x(at), axes.x(until), y, peak), value_text(value)

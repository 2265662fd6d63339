"""The values in a chart of a state, written at its lines: how it ends, what was believed wrongly, each step."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from ..store.bitemporal import Hindsight, size
from ..text import text_width
from .axes import Axes, value_text
from .labels import LabelPlacer, Place

_MOST_WRONG, _STEP_WIDTH = 8, 75  # of wrong beliefs with their values; px for each value of a step
_WIDE = 20  # px of a quarter of a level part
_BESIDE, _BELOW_FIRST = (-10, 11, -16, 17), (11, -10, 17, -16)  # px from a line to a text's middle


class _Stretch(NamedTuple):
    """A level part of a line, in px, with its value; how it lies to the values before and after:
    1 above them, -1 below them, 0 between them."""

    left: int
    right: int
    y: int
    value: Any
    peak: int = 0

    def places(self) -> list[Place]:
        """Above and below its middle, and of a wide one also above and below its quarters."""
        quarter = (self.right - self.left) // 4
        away = [0, -quarter, quarter] if quarter > _WIDE else [0]
        middle, sides = (self.left + self.right) // 2, _BELOW_FIRST if self.peak < 0 else _BESIDE
        return [(middle + dx, self.y + dy, "middle") for dy in sides for dx in away]


def write_values(hindsight: Hindsight, axes: Axes, end: int, room: LabelPlacer) -> None:
    """Write as many values as have room, the most important first. `end` is where the lines end.
    Where values are texts, the axis names them, and only the lines are named here."""
    _name_end(hindsight, axes, end, room)
    wrong = [
        one for one in hindsight.discrepancies if one.start < axes.end and axes.start < one.end
    ]
    for one in sorted(wrong, key=size, reverse=True)[: 1 if axes.levels else _MOST_WRONG]:
        if one.actual is None or one.believed is None:
            continue
        left, right, y = axes.x(one.start), axes.x(one.end), axes.y(one.believed)
        stretch = _Stretch(left, right, y, one.believed, 1 if y < axes.y(one.actual) else -1)
        beside = [(right + 6, y, "start"), (left - 6, y, "end")]
        texts = ["as believed"]
        if not axes.levels:
            texts = [f"{value_text(one.believed)} as believed", value_text(one.believed)]
        places = stretch.places()
        room.place(texts, "believed", [*places[:-1], *beside, *places[-1:]], False)
    if axes.levels:
        return
    steps = sorted(_steps(hindsight, axes, end), key=lambda one: one.left - one.right)
    for step in steps[: (axes.right - axes.left) // _STEP_WIDTH]:
        text = value_text(step.value)
        if step.peak or text_width(text, 11, True) < step.right - step.left:
            room.place([text], "was", step.places(), False)


def _name_end(hindsight: Hindsight, axes: Axes, end: int, room: LabelPlacer) -> None:
    value = hindsight.at(end)[0]
    if value is None:
        return
    name = "as it was" if hindsight.known is None else "as known then"
    text = name if axes.levels else f"{value_text(value)} {name}"
    x, y = axes.x(end), axes.y(value)
    beyond = [(x + 8, y, "start")] if end < axes.end else []
    places = beyond + [(x, y + dy, "end") for dy in _BESIDE]
    room.place([text, value_text(value)], "was", places, False)


def _steps(hindsight: Hindsight, axes: Axes, end: int) -> Iterator[_Stretch]:
    """The level parts of the line of what was, but for the last, which has its name."""
    levels = [(axes.start, hindsight.at(axes.start)[0])]
    for change in hindsight.actual:
        if axes.start < change.at <= end and change.value != levels[-1][1]:
            levels.append((change.at, change.value))
    before = None
    for (at, value), (until, after) in pairwise(levels):
        if value is not None and not isinstance(value, str):
            peak = _peak(before, value, after)
            yield _Stretch(axes.x(at), axes.x(until), axes.y(value), value, peak)
        before = value


def _peak(before: Any, value: Any, after: Any) -> int:
    if before is None or after is None:
        return 0
    return (value > before and value > after) - (value < before and value < after)

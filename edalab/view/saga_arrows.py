"""The arrows between the boxes of a saga, along the gaps between them: none runs through a box."""

from collections import Counter
from typing import TYPE_CHECKING

from ..text import counted
from ..trace.saga_step import SagaStep
from .arrows import rounded
from .scene import Arrow

if TYPE_CHECKING:
    from .saga_chart import SagaChart

MARGIN, BETWEEN = 18, 34  # px: at the sides, between two bands of boxes
Corners = list[tuple[int, int]]


def arrows(chart: "SagaChart") -> list[Arrow]:
    """What led to which, and where it went round."""
    found: list[Arrow] = []
    tracks: Counter[int] = Counter()  # height -> how many arrows run along there

    def draw(source: SagaStep, target: SagaStep, kind: str, tip: str) -> None:
        corners, head = _way(chart, tracks, source, target, kind)
        found.append(Arrow(rounded(corners), kind, head, tip))

    for step in chart.story.steps:
        if step.before is not None:
            back = step.compensates or (chart.place[step][1] and step.settles)
            kind = "undo" if back else "message"
            kind = "not yet" if chart.states[step].name == "not yet" else kind
            draw(step.before, step, kind, f"{step.before.name} led to {step.name}")
    for (later, earlier), times in Counter(chart.story.rounds).items():
        tip = f"{later.name} led to {earlier.name} again, {counted(times, 'time')}"
        draw(later, earlier, "again", tip)
    return found


def _way(
    chart: "SagaChart", tracks: Counter[int], source: SagaStep, target: SagaStep, kind: str
) -> tuple[Corners, str]:
    """The corners of an arrow, and where its head points."""
    (column, line), (other, its_line) = chart.place[source], chart.place[target]
    (x1, y1), (x2, y2), w, h = chart.spot[source], chart.spot[target], chart.w, chart.h
    middle, its_height = x1 + w // 2, y2 + h // 2
    occupied = chart.place.values()
    if column == other and its_line == line + 1:
        return [(middle, y1 + h), (middle, y2 - 1)], "d"
    beside = (x2 + w + 1, its_height, "l") if other < column else (x2 - 1, its_height, "r")
    if column // chart.per == other // chart.per and kind != "again":
        between = range(min(column, other) + 1, max(column, other))
        free = all((each, its_line) not in occupied for each in between)
        if line == its_line and free:
            return [(x1 if other < column else x1 + w, its_height), beside[:2]], beside[2]
        if line < its_line and other < column and free and (column, its_line) not in occupied:
            return [(middle, y1 + h), (middle, its_height), beside[:2]], "l"
    # Out below, along the gap there, and beside the target to its height.
    along = y1 + h + 8 + 4 * (tracks[y1] % 4)
    tracks[y1] += 1
    aside = 11 if kind == "undo" else 8
    start, gap = x1 + w - 12, beside[0] + (aside if other < column else -aside)
    height = its_height + 10  # below an arrow that comes straight
    corners = [(start, y1 + h), (start, along), (gap, along), (gap, height), (beside[0], height)]
    return corners, beside[2]

"""The arrows between the boxes of a saga: along their lines, from one line to the next, and back; through no box."""

from collections import Counter
from typing import TYPE_CHECKING

from ..text import counted
from ..trace.saga_step import SagaStep
from .scene import Arrow

if TYPE_CHECKING:
    from .saga_chart import SagaChart

MARGIN, BETWEEN = 18, 34  # px: at the sides, between two bands of boxes
_TRACK = 10  # px from a box to an arrow that passes it

Corners = list[tuple[int, int]]


def arrows(chart: "SagaChart") -> list[Arrow]:
    """What led to which, and where it went round."""
    found, router = [], _Router(chart)
    for step in chart.story.steps:
        if step.before is None or step.before not in chart.spot:
            continue
        back = step.compensates or chart.place[step][1] and step.settles
        kind = "not yet" if chart.states[step].name == "not yet" else "undo" if back else "message"
        corners, head = router.way(step.before, step, 6 if back else 0)
        found.append(Arrow(rounded(corners), kind, head, f"{step.before.name} led to {step.name}"))
    for (later, earlier), times in Counter(chart.story.rounds).items():
        (x1, y), (x2, y2) = chart.spot[later], chart.spot[earlier]
        if y == y2:
            x1, x2, above = x1 + chart.w // 2, x2 + chart.w // 2 - 12, y - 12
            tip = f"{later.name} led to {earlier.name} again, {counted(times, 'time')}"
            found.append(
                Arrow(rounded([(x1, y), (x1, above), (x2, above), (x2, y - 1)]), "again", "d", tip)
            )
    return found


class _Router:
    """Finds the corners of an arrow, and where its head points."""

    def __init__(self, chart: "SagaChart"):
        self.chart, self.w, self.h, self.per = chart, chart.w, chart.h, chart.per
        self.tracks: dict[int, int] = {}  # band -> how many arrows run below it

    def way(self, source: SagaStep, target: SagaStep, aside: int) -> tuple[Corners, str]:
        """`aside`: px from where another arrow from one band to the next may run."""
        (column, line), (other, its_line) = self.chart.place[source], self.chart.place[target]
        start, end = self.chart.spot[source], self.chart.spot[target]
        if column == other:
            return self._in_a_column(start, end, its_line - line)
        if column // self.per != other // self.per:
            back = other < column
            return (
                self._to_an_earlier_band(column, line, other, start, end)
                if back
                else self._to_a_later_band(other, start, end, aside)
            )
        return self._in_a_band(column, line, other, its_line, start, end)

    def _taken(self, line: int, first: int, last: int) -> bool:
        """Whether a box stands in a line, from one column to another."""
        return any(its == line and first <= column <= last for column, its in self.chart.occupied)

    def _in_a_column(self, start, end, lines: int) -> tuple[Corners, str]:
        (x1, y1), (x2, y2), half = start, end, self.h // 2
        if lines == 1:
            return [(x1 + self.w // 2, y1 + self.h), (x2 + self.w // 2, y2 - 1)], "d"
        side = x1 - _TRACK
        return [(x1, y1 + half), (side, y1 + half), (side, y2 + half), (x2 - 1, y2 + half)], "r"

    def _in_a_band(
        self, column: int, line: int, other: int, its_line: int, start, end
    ) -> tuple[Corners, str]:
        (x1, y1), (x2, y2), w, h, half = start, end, self.w, self.h, self.h // 2
        middle, its_middle, its_right = x1 + w // 2, x2 + w // 2, x2 + w
        if line == its_line:
            if not self._taken(line, min(column, other) + 1, max(column, other) - 1):
                straight = [(x1 + w, y1 + half), (x2 - 1, y2 + half)], "r"
                return (
                    straight
                    if other > column
                    else ([(x1, y1 + half), (its_right + 1, y2 + half)], "l")
                )
            if line == 0:
                return [
                    (middle + 10, y1),
                    (middle + 10, y1 - 12),
                    (its_middle, y1 - 12),
                    (its_middle, y2 - 1),
                ], "d"
        elif line == 0 and other < column and not self._taken(its_line, other + 1, column):
            return [(middle, y1 + h), (middle, y2 + half), (its_right + 1, y2 + half)], "l"
        elif (
            line == 0 and other < column and not self._taken(its_line, other + 1, column - 1)
        ):  # past what stands below it
            x, y, side = x1 + 12, y1 + h + _TRACK, x1 - _TRACK
            return [
                (x, y1 + h),
                (x, y),
                (side, y),
                (side, y2 + half),
                (its_right + 1, y2 + half),
            ], "l"
        y = self._track(column // self.per, max(y1, y2) + h + _TRACK)
        return [
            (middle - 8, y1 + h),
            (middle - 8, y),
            (its_middle + 8, y),
            (its_middle + 8, y2 + h + 1),
        ], "u"

    def _to_a_later_band(self, other: int, start, end, aside: int) -> tuple[Corners, str]:
        (x1, y1), (x2, y2), half = start, end, self.h // 2
        y, right, left = (
            self.chart.bands[other // self.per][0] - BETWEEN // 2 - 5 + aside,
            x1 + self.w + 10 - aside,
            x2 - 12 + aside,
        )
        return [
            (x1 + self.w, y1 + half),
            (right, y1 + half),
            (right, y),
            (left, y),
            (left, y2 + half),
            (x2 - 1, y2 + half),
        ], "r"

    def _to_an_earlier_band(
        self, column: int, line: int, other: int, start, end
    ) -> tuple[Corners, str]:
        (x1, y1), (x2, y2), half, middle = start, end, self.h // 2, start[0] + self.w // 2
        y = self.chart.bands[other // self.per][1] + BETWEEN // 2 + 5
        left, right = (
            MARGIN - 15,
            x2 + self.w + 13,
        )  # beside the forward arrow between the same two bands
        way = [(x1, y1 + half), (left, y1 + half)]
        if line == 0:
            way = [
                (middle, y1 + self.h),
                (middle, y1 + self.h + _TRACK),
                (left, y1 + self.h + _TRACK),
            ]
        elif self._taken(
            line, column - column % self.per, column - 1
        ):  # others stand in the way to the left
            below = self._track(column // self.per, y1 + self.h + _TRACK)
            way = [(middle - 8, y1 + self.h), (middle - 8, below), (left, below)]
        return [*way, (left, y), (right, y), (right, y2 + half), (x2 + self.w + 1, y2 + half)], "l"

    def _track(self, band: int, y: int) -> int:
        """A line of its own below a band, as far as there is room."""
        self.tracks[band] = self.tracks.get(band, 0) + 1
        return y + 4 * ((self.tracks[band] - 1) % 3)


def rounded(corners: Corners, radius: int = 6) -> tuple[int, ...]:
    """A way with its corners rounded: a start, and three points more for each curve."""
    flat, here = [*corners[0]], corners[0]
    for corner, after in zip(corners[1:], corners[2:]):
        enter, leave = _towards(corner, here, radius), _towards(corner, after, radius)
        flat += [*here, *enter, *enter, *corner, *corner, *leave]
        here = leave
    return tuple(flat + [*here, *corners[-1], *corners[-1]])


def _towards(corner: tuple[int, int], other: tuple[int, int], by: int) -> tuple[int, int]:
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = max(1, abs(dx) + abs(dy))
    part = min(by, length // 2)
    return corner[0] + dx * part // length, corner[1] + dy * part // length

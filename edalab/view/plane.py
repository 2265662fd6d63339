"""A plane of values over time: where a moment and a value stand, its grid, and the steps of a line in it."""

from collections.abc import Iterable
from typing import Any

from ..text import clean, shorten, text_width
from .calendar import Calendar
from .scene import Label, Line, Scene, Trace

_LEAST, _APART = 70, 34  # px from one tick to the next: along time, along values
_WIDEST = 120  # px of the name of a level


class Plane:
    """Maps moments (µs) and values to pixels. Values are numbers, or texts, each of which has a level of its own."""

    def __init__(
        self, values: Iterable[Any], window: tuple[int, int], top: int, height: int, width: int
    ):
        values = [value for value in dict.fromkeys(values) if value is not None]
        self.levels = [value for value in values if isinstance(value, str)]
        self.start, self.end = window
        self.top, self.bottom = top, top + height
        if self.levels:
            low, high, ticks = (
                0,
                max(1, len(self.levels) - 1),
                [(n, clean(name, 60)) for n, name in enumerate(self.levels)],
            )
        else:
            whole = all(isinstance(value, int) for value in values)
            low, high = _span([float(value) for value in values] or [0.0])
            spare, ticks = 0.08 * (high - low), _round(low, high, max(2, height // _APART), whole)
            low, high = max(ticks[0][0], low - spare), min(ticks[-1][0], high + spare)
        self.low, self.high = float(low), float(high)
        self.left = 16 + max(24, *(text_width(shorten(word, _WIDEST, 10), 10) for _, word in ticks))
        self.right, self.ticks = width - 16, ticks

    def x(self, at: int) -> int:
        if not self.start <= at <= self.end:
            at = self.start if at < self.start else self.end
        return round(
            self.left + (self.right - self.left) * (at - self.start) / (self.end - self.start)
        )

    def y(self, value: Any) -> int:
        if value is None:
            return self.bottom
        place = self.levels.index(value) if self.levels else float(value)
        return round(
            self.bottom - (self.bottom - self.top) * (place - self.low) / (self.high - self.low)
        )

    def draw_grid(self, scene: Scene, calendar: Calendar, words: bool = True) -> None:
        """The grid, with the words at its lines; those of time below it, unless another plane below has them."""
        for number, word in self.ticks:
            if not self.low <= number <= self.high:
                continue
            y = self.y(self.levels[number] if self.levels else number)
            scene.lines.append(Line(self.left, y, self.right, y, "grid"))
            scene.labels.append(
                Label(
                    self.left - 8,
                    y,
                    shorten(word, _WIDEST, 10),
                    "axis",
                    "end",
                    word if self.levels else "",
                )
            )
        room = round(_LEAST * (self.end - self.start) / (self.right - self.left))
        last = -100
        for at, word in calendar.ticks(self.start, self.end, max(1, room)):
            x, half = self.x(at), text_width(word, 10) // 2
            if x - half > last + 8 and x + half <= scene.width - 2:
                scene.lines.append(Line(x, self.top - 10, x, self.bottom, "grid"))
                if words:
                    scene.labels.append(
                        Label(max(x, half + 2), self.bottom + 14, word, "axis", "middle")
                    )
                last = x + half

    def steps(
        self, first: Any, changes: Iterable[tuple[int, Any]], end: int, kind: str, said: str
    ) -> list[Trace]:
        """A line that goes from step to step until `end`; where the value is None there is none. What falls into one
        column of pixels is drawn as one upright line."""
        within = [(at, value) for at, value in changes if at <= end]
        for at, value in within:
            if at <= self.start:
                first = value
        text = (
            said
            + ": "
            + ", ".join([_said(first), *(f"{at} {_said(value)}" for at, value in within)])
        )
        traces, points = [], [] if first is None else [(self.left, self.y(first))]
        for at, value in within:
            if at <= self.start:
                continue
            x = self.x(at)
            if points:
                points.append((x, points[-1][1]))
            if value is None:
                traces, points = [*traces, points], []
            else:
                points.append((x, self.y(value)))
        if points:
            points.append((self.x(end), points[-1][1]))
        return [_trace(line, kind, said, text) for line in [*traces, points] if len(line) > 1]

    def line(self, points: Iterable[tuple[int, Any]], kind: str, said: str) -> Trace:
        """A line from point to point (moment, value)."""
        points = list(points)
        text = said + ": " + ", ".join(f"{at} {_said(value)}" for at, value in points)
        return _trace([(self.x(at), self.y(value)) for at, value in points], kind, said, text)


def said(value: Any) -> str:
    """A value in words."""
    return (
        "none yet"
        if value is None
        else clean(value, 60)
        if isinstance(value, str)
        else number(value)
    )


_said = said


def number(value: Any) -> str:
    """A number as people write it."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{float(value):.3g}"


def _span(values: list[float]) -> tuple[float, float]:
    """From the lowest value to the highest. What comes near 0 is drawn from 0 on: so heights can be compared."""
    low, high = min(values), max(values)
    if 0 < low <= 0.6 * high:
        low = 0.0
    if 0.6 * low <= high < 0:
        high = 0.0
    if low == high:
        low, high = (low - 1, high + 1) if low else (0.0, 1.0)
    return low, high


def _round(low: float, high: float, most: int, whole: bool) -> list[tuple[float, str]]:
    """About so many round numbers (`whole` ones) from at or below the lowest to at or above the highest, and their words."""
    exponent = 0
    while 10.0**exponent * most < high - low:
        exponent += 1
    while 10.0 ** (exponent - 1) * most >= high - low:
        exponent -= 1
    size = (
        next(n for n in (0.2, 0.5, 1) if n * 10.0**exponent * most >= high - low) * 10.0**exponent
    )
    size = max(size, 1.0) if whole else size
    first, last = int(low // size), int(-(-high // size))
    return [(n * size, number(round(n * size, 12))) for n in range(first, last + 1)]


def _trace(points: list[tuple[int, int]], kind: str, said: str, text: str) -> Trace:
    return Trace(tuple(v for point in _thinned(points) for v in point), kind, said, text)


def _thinned(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The corners, without those in one column that lie between others, and without those on a straight line."""
    columns: list[list] = []  # x, y in, lowest, highest, y out
    for x, y in points:
        if columns and columns[-1][0] == x:
            column = columns[-1]
            column[2], column[3], column[4] = min(column[2], y), max(column[3], y), y
        else:
            columns.append([x, y, y, y, y])
    found: list[tuple[int, int]] = []
    for x, into, low, high, out in columns:
        for y in (into, low, high, out):
            if found and found[-1] == (x, y):
                continue
            if len(found) > 1 and found[-1][1] == y == found[-2][1]:
                found.pop()
            found.append((x, y))
    return found

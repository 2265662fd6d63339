"""The axes of a chart over time: the positions of moments and values, the grid, and lines of values."""

from collections.abc import Iterable
from itertools import groupby, pairwise
from math import floor, log10
from operator import itemgetter
from typing import Any

from ..text import shorten, text_width
from .axis import draw_times
from .calendar import Calendar
from .scene import Label, Line, Polyline, Scene

_TICK_WIDTH, _TICK_HEIGHT = 70, 34  # px from one tick to the next


class Axes:
    """Maps moments (µs since 1970) and values (numbers or None) to pixels. `window` is the first and
    the last moment."""

    def __init__(
        self, values: Iterable[Any], window: tuple[int, int], top: int, height: int, width: int
    ):
        values = [value for value in dict.fromkeys(values) if value is not None]
        self.start, self.end = window
        self.top, self.bottom = top, top + height
        whole = all(isinstance(value, int) for value in values)
        low, high = _span([float(value) for value in values] or [0.0])
        spare = 0.08 * (high - low)
        self.ticks = _round_numbers(low, high, max(2, height // _TICK_HEIGHT), whole)
        self.low = max(self.ticks[0][0], low - spare)
        self.high = min(self.ticks[-1][0], high + spare)
        self.left = 16 + max(24, *(text_width(name, 10) for _, name in self.ticks))
        self.right = width - 16

    def x(self, at: int) -> int:
        """The x of a moment. A moment outside the window is at its edge."""
        at = min(max(at, self.start), self.end)
        width, part = self.right - self.left, at - self.start
        return round(self.left + width * part / (self.end - self.start))

    def y(self, value: Any) -> int:
        """The y of a value. None is at the bottom."""
        if value is None:
            return self.bottom
        height, part = self.bottom - self.top, float(value) - self.low
        return round(self.bottom - height * part / (self.high - self.low))

    def draw_grid(self, scene: Scene, calendar: Calendar, words: bool = True) -> None:
        """Draw the grid with the values to its left and, if `words`, the moments below it."""
        for number, name in self.ticks:
            if self.low <= number <= self.high:
                y = self.y(number)
                scene.lines.append(Line(self.left, y, self.right, y, "grid"))
                scene.labels.append(Label(self.left - 8, y, name, "axis", "end"))
        room = round(_TICK_WIDTH * (self.end - self.start) / (self.right - self.left))
        ticks = calendar.ticks(self.start, self.end, max(1, room))
        places = [(self.x(at), text) for at, text in ticks]
        bounds = self.top - 10, self.bottom, scene.width - 1
        draw_times(scene, places, bounds, 14 if words else 0)

    def steps(
        self, first: Any, changes: Iterable[tuple[int, Any]], end: int, kind: str, name: str
    ) -> list[Polyline]:
        """The step line of a value until `end`, with gaps at None, as one polyline for each part."""
        changes = [(at, value) for at, value in changes if at <= end]
        first = [first, *(value for at, value in changes if at <= self.start)][-1]
        texts = [value_text(first), *(f"{at} {value_text(value)}" for at, value in changes)]
        lines: list[list[tuple[int, int]]] = [[]]
        for (at, value), (until, _) in pairwise([(self.start, first), *changes, (end, None)]):
            if value is None:
                lines.append([])
            elif until > self.start:
                y = self.y(value)
                lines[-1] += [(self.x(at), y), (self.x(until), y)]
        text = f"{name}: {', '.join(texts)}"
        return [_polyline(line, kind, name, text) for line in lines if line]

    def line(self, points: Iterable[tuple[int, Any]], kind: str, name: str) -> Polyline:
        """A straight line through points (moment, value)."""
        points = list(points)
        text = f"{name}: " + ", ".join(f"{at} {value_text(value)}" for at, value in points)
        return _polyline([(self.x(at), self.y(value)) for at, value in points], kind, name, text)


def draw_key(scene: Scene, lines: Iterable[tuple[str, str]], left: int, y: int) -> int:
    """Draw a line of each kind with its words, in rows from `y` on. Return where the next would be."""
    x = left
    for kind, words in lines:
        words = shorten(words, scene.width - left - 36, 11)
        wide = 34 + text_width(words, 11)
        if x > left and x + wide > scene.width:
            x, y = left, y + 18
        scene.polylines.append(Polyline((x, y, x + 28, y), kind))
        scene.labels.append(Label(x + 34, y, words, "caption"))
        x += wide + 22
    return y + 18


def value_text(value: Any) -> str:
    """The text of a value in a picture."""
    return "none yet" if value is None else number_text(value)


def number_text(value: Any) -> str:
    """The text of a number, with thousands separators and at most a few decimals."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{float(value):.3g}"


def _span(values: list[float]) -> tuple[float, float]:
    """The lowest and the highest value, or 0 as the lowest if it is near, so that heights compare."""
    low, high = min(values), max(values)
    if 0 < low <= 0.6 * high:
        return 0.0, high
    if low < high:
        return low, high
    return (low - 1, high + 1) if low else (0.0, 1.0)


def _round_numbers(low: float, high: float, most: int, whole: bool) -> list[tuple[float, str]]:
    """At most about `most` round numbers that enclose `low` and `high`, with their texts."""
    power = 10.0 ** floor(log10((high - low) / most))
    size = next(n * power for n in (1, 2, 5, 10, 20) if n * power * most >= high - low)
    size = max(size, 1.0) if whole else size
    first, last = int(low // size), int(-(-high // size))
    return [(n * size, number_text(round(n * size, 12))) for n in range(first, last + 1)]


def _polyline(points: list[tuple[int, int]], kind: str, name: str, text: str) -> Polyline:
    return Polyline(tuple(v for point in _thinned(points) for v in point), kind, name, text)


def _thinned(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The corners, without those in a column of pixels that lie between others."""
    found: list[tuple[int, int]] = []
    for x, column in groupby(points, key=itemgetter(0)):
        heights = [y for _, y in column]
        for y in (heights[0], min(heights), max(heights), heights[-1]):
            if not found or found[-1] != (x, y):
                found.append((x, y))
    return found

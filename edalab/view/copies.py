"""`copies(run, select)`: a value that several services store, over time, and the times at which their copies differ."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from ..errors import listed
from ..sim.run import Run
from ..text import clean, seconds, shorten, text_width
from ..trace.copies import values_over_time
from .axes import Axes, draw_key, number_text
from .calendar import Calendar
from .labels import LabelPlacer
from .lag import moment
from .outages import WORDS, outages_of
from .picture import Picture, check_run
from .scene import WIDTH, Box, Label, Scene

_HEIGHT, _ROW = 150, 18  # px: height of the chart, and of a row of outages
_FIRST_ROW = 30  # px: top of the first of these rows
_KINDS = ("was", "believed", "difference")  # of the lines
_MOST_LEVELS = 10  # texts at most on the axis


def copies(
    run: Run,
    select: str,
    *,
    services: Iterable[str] | None = None,
    width: int = WIDTH,
) -> Picture:
    """A picture of one value in the databases of several services, over time. The times at which the
    copies differ are shaded. Outages of the services are shown above.

        copies(run, "select pieces from stock where item = 'tea'")

    `select` must return one value, a number or a text. If it returns no row, the value is None.
    `services` are two or three names, by default all services in which `select` runs. Raises Misuse
    for several rows or columns."""
    check_run("copies", run)
    names, states = values_over_time(run, select, services)
    chart, select = _Chart(run, names, states, width), " ".join(select.split())
    chart.scene.labels.insert(0, Label(2, 14, shorten(clean(select), width - 4, 14, True), "title"))
    parts = [chart.shade(run.end), *chart.draw_outages()]
    chart.draw_lines()
    chart.write_below(parts[0])
    chart.scene.shows = f"copies of {clean(select)} in {listed(names)}: {'; '.join(parts)}"
    chart.scene.alt = clean(chart.scene.shows, 600)
    return Picture(chart.scene)


class _Chart:
    """The chart of the copies in `names` over time, below the rows of their outages."""

    def __init__(self, run: Run, names: list[str], states: dict[int, tuple], width: int):
        self.names, self.states, self.scene = names, states, Scene(width, 0)
        self.end = max(run.end, 100) * 41 // 40  # a little later, to show the last values
        self.outages = self._outages(run)
        self.top = _FIRST_ROW + _ROW * len(self.outages) + 12
        window = moment(0), moment(self.end)
        values = [*dict.fromkeys(chain(*self.states.values()))]
        self.axes, self.heights = _axes(values, window, self.top, width)
        self.axes.draw_grid(self.scene, Calendar(window))
        room = self.axes.left + 2, _FIRST_ROW - 2, width - 2, self.axes.bottom
        self.room = LabelPlacer(self.scene, room)

    def _outages(self, run: Run) -> dict[tuple[str, str], list[tuple[int, int]]]:
        """Map each row of outages, by its text and kind, to its times."""
        rows: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for one in outages_of(run, self.names, self.end):
            name = clean(f"{one.service}/{one.replica}" if one.replica else one.service, 24)
            rows.setdefault((f"{name} {one.what}", one.kind), []).append((one.start, one.end))
        return rows

    def _box(self, start: int, until: int, y: int, height: int, kind: str, words: str) -> Box:
        left, right = self.axes.x(moment(start)), self.axes.x(moment(until))
        last = "the end" if until == self.end else seconds(until)
        tip = f"{words} from {seconds(start)} to {last}"
        return Box(left, y, max(1, right - left), height, kind, tip)

    def shade(self, end: int) -> str:
        """Shade the times at which the copies differ. Return in words for how long they do."""
        differ, words, top = 0, "never differ", self.top - 10
        for (start, now), until in zip(
            self.states.items(), [*[*self.states][1:], self.end], strict=True
        ):
            if len(set(now)) > 1:
                each, height = self._each(now), self.axes.bottom - top
                self.scene.lanes.append(self._box(start, until, top, height, "wrong", each))
                differ += min(until, end) - start
                last = until == self.end
                words = f"at the end {each}" if last else f"equal again at {seconds(until)}"
                words = f"shaded: differ for {seconds(differ)} in all; {words}"
        return clean(words, 300)

    def draw_outages(self) -> list[str]:
        """Draw the rows of outages. Return them in words."""
        found = []
        for number, ((words, kind), times) in enumerate(self.outages.items()):
            y = _FIRST_ROW + _ROW * number
            boxes = [self._box(*time, y, _ROW - 2, kind, words) for time in times]
            self.scene.spans += boxes
            found += [one.tip for one in boxes]
            left, _, right, _ = max(boxes, key=lambda one: one.w).extent()
            x = left if text_width(words, 11, True) + 12 < right - left else right
            places = [(x + 6, y + 8, "start"), (left - 6, y + 8, "end")]
            self.room.place([words, WORDS[kind]], "on span", places)
        return found

    def draw_lines(self) -> None:
        """Draw the line of each copy, and write its final value if that is a number."""
        for number, (name, kind) in enumerate(zip(self.names, _KINDS, strict=False)):
            changes = [
                (moment(time), self.heights[now[number]]) for time, now in self.states.items()
            ]
            for line in self.axes.steps(changes[0][1], changes, self.axes.end, kind, name):
                self.scene.polylines.append(line)
                self.room.avoid(line.points)
        last = [*self.states.values()][-1]
        for value in dict.fromkeys(v for v in last if isinstance(v, int | float)):
            x, y = self.axes.right - 2, self.axes.y(self.heights[value])
            near = [(x, y - 10, "end"), (x, y + 11, "end")]
            self.room.place([number_text(value)], "handled", near)

    def write_below(self, words: str) -> None:
        """Write the legend of the lines and of the shading."""
        names = [shorten(clean(name), 110, 11) for name in self.names]
        left, right = self.axes.left, self.axes.right
        y = draw_key(self.scene, zip(_KINDS, names, strict=False), left, self.axes.bottom + 38)
        self.scene.height = self.scene.write(left, y + 2, right, words.split(" "), " ") - 2

    def _each(self, values: tuple) -> str:
        """The values in words, such as "3 in north, 2 in south"."""
        return ", ".join(map("{} in {}".format, map(_text, values), self.names))


def _axes(
    values: list[Any], window: tuple[int, int], top: int, width: int
) -> tuple[Axes, dict[Any, float]]:
    """The axes, and the height of each value. Numbers are to scale, with None below them. If a value
    is a text, each value has a level of its own, in the order of appearance."""
    numbers = [value for value in values if isinstance(value, int | float)]
    to_scale = bool(numbers) and len(numbers) + (None in values) == len(values)
    heights: dict[Any, float] = {value: level for level, value in enumerate(values)}
    if to_scale:
        heights = {number: number for number in numbers}
    axes = Axes(heights.values(), window, top, _HEIGHT, width)
    if not to_scale:
        every = -(-len(values) // _MOST_LEVELS)
        axes.ticks = [(n, shorten(_text(values[n]), 110, 10)) for n in range(0, len(values), every)]
    elif None in values:
        heights[None] = axes.low - (axes.high - axes.low) / 6
        axes.ticks.append((heights[None], "none"))
        axes.low -= (axes.high - axes.low) / 4
    axes.left = 16 + max(24, *(text_width(name, 10) for _, name in axes.ticks))
    return axes, heights


def _text(value: Any) -> str:
    number = isinstance(value, int | float)
    return "none" if value is None else number_text(value) if number else clean(value, 24)

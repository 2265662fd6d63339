"""`load(run, service)`: the questions that a service gets and answers over time, and how many are in line."""

from ..sim.run import Run
from ..text import clean, seconds
from ..trace.service_load import RATES, Load
from .axes import Axes
from .labels import LabelPlacer
from .lag import draw_chart, mark_outages, moment
from .picture import Picture, check_run
from .scene import WIDTH, Box, Line, Polyline, Scene

_HEIGHT, _BELOW = 170, 66  # px: height of a chart, and the gap to the next one
_LINES = {  # column of the table -> words, kind of the line, kind of the words
    "asked": ("asked", "difference", "fact"),
    "in_time": ("answered in time", "was", "was"),
    "too_late": ("answered too late", "wasted", "late"),
    "busy": ("turned away", "believed", "believed"),
    "at_work": ("at work", "was", "was"),
    "waiting": ("in line", "difference", "fact"),
}
_AROUND = ((6, -9, "start"), (-6, -9, "end"), (6, 10, "start"), (-6, 10, "end"))


class LoadPicture(Picture):
    """The picture of a load, with its numbers in `table`."""

    def __init__(self, scene: Scene, load: Load):
        super().__init__(scene)
        self._load = load

    @property
    def table(self):
        """A row for each second: asked, in_time (the goodput), too_late, busy, the most at_work and waiting."""
        return self._load.table


def load(run: Run, service: str, *, width: int = WIDTH) -> LoadPicture:
    """A picture of the load of a service over time. The upper chart shows for each second how many
    questions and commands the service was asked, how many answers were in time (the goodput), how many
    were late or lost, and how many askers were turned away. The lower chart shows how many were at work
    and in line; if the line is long, only the line. The times at which all workers were at work are
    shaded, and those at which the service was down, stood still or was cut off are marked. A dotted
    line marks the last message of the client.

        load(run, "payments").table     # the numbers, a row for each second
    """
    check_run("load", run)
    found = Load(run, service)
    name, scene = clean(service, 60), Scene(width, 0)
    window = moment(0), moment(max(run.end, 1000))
    rates = [rate for rate in RATES if any(found.by_second[rate]) or rate in RATES[:2]]
    most = max(found.by_second["waiting"])
    levels = ["at_work"] * (most <= 10 * found.workers) + ["waiting"] * (most > 0)
    top = Axes(_values(found, rates), window, 44, _HEIGHT, width)
    below = Axes(_values(found, levels), window, top.bottom + _BELOW, _HEIGHT, width)
    top.left = below.left = max(top.left, below.left)
    room = _draw(scene, top, f"{name}: in each second", found, rates)
    _draw(scene, below, f"{name}: the most at once in each second", found, levels)
    parts = [f"{len(found.times[rate]):,} {_LINES[rate][0]}" for rate in rates]
    parts += [f"at most {max(found.by_second[each]):,} {_words(found, each)}" for each in levels]
    parts += mark_outages(run, service, (top, below), room)
    legend = ["shaded: no worker is free"] * bool(found.workers)
    if found.workers:
        _shade(scene, below, found, legend[0])
    sent = [s.time for s in run.journal if s.service == "client" and s.step in ("publish", "ask")]
    if sent:
        legend.append(f"dotted: last message of the client, {seconds(sent[-1])}")
        for chart in (top, below):
            x = chart.x(moment(sent[-1]))
            scene.lines.append(Line(x, chart.top, x, chart.bottom, "last", legend[-1]))
    y = scene.write(below.left, below.bottom + 38, below.right, parts)
    scene.height = scene.write(below.left, y, below.right, legend) - 2
    scene.shows = f"load of {name} in {run.system.name}: {', '.join(parts)}"
    scene.alt = clean(scene.shows, 600)
    return LoadPicture(scene, found)


def _words(found: Load, column: str) -> str:
    of = f" (of {found.workers:,})" if column == "at_work" and found.workers else ""
    return _LINES[column][0] + of


def _values(found: Load, columns: list[str]) -> list[int]:
    return [0, 1, *(max(found.by_second[column]) for column in columns)]


def _draw(scene: Scene, chart: Axes, title: str, found: Load, columns: list[str]) -> LabelPlacer:
    """Draw a chart of some columns of the table. Each number lasts from the start to the end of its
    second. Return a placer for more labels."""
    lines = {}
    for column in columns:
        words, kind = _words(found, column), _LINES[column][1]
        steps = [(moment(1000 * n), most) for n, most in enumerate(found.by_second[column])]
        (lines[column],) = chart.steps(0, steps, chart.end, kind, words)
    room = draw_chart(scene, chart, title, lines.values())
    for column, line in lines.items():
        others = [other for other in lines.values() if other is not line]
        apart = {corner: _apart(corner, others, chart) for corner in _corners(line)}
        best = sorted(apart, key=lambda at: -apart[at])
        corners = [corner for corner in best if apart[corner] >= apart[best[0]] / 2]
        places = [(x + dx, y + dy, side) for x, y in corners for dx, dy, side in _AROUND]
        room.place([_words(found, column)], _LINES[column][2], places)
    return room


def _shade(scene: Scene, chart: Axes, found: Load, words: str) -> None:
    """Shade the times at which all workers were at work."""
    boxes, ends = scene.lanes, [*found.at_work[1:], (found.run.end, 0)]
    for (start, number), (end, _) in zip(found.at_work, ends, strict=True):
        left, right = chart.x(moment(start)), chart.x(moment(end))
        if number < found.workers or left == right:
            continue
        if boxes and left <= boxes[-1].x + boxes[-1].w + 1:
            boxes[-1].w = right - boxes[-1].x
        else:
            boxes.append(Box(left, chart.top, right - left, _HEIGHT, "all at work", words))


def _corners(line: Polyline) -> list[tuple[int, int]]:
    return [*zip(line.points[::2], line.points[1::2], strict=True)]


def _apart(corner: tuple[int, int], others: list[Polyline], chart: Axes) -> float:
    """How suitable a corner is for the name of its line: far from the other lines, and high up."""
    x, y = corner
    heights = [min(_corners(other), key=lambda at: abs(at[0] - x))[1] for other in others]
    return min((abs(y - height) for height in heights), default=0) + (chart.bottom - y) / 2

"""`lag(run, service)`: how many events of the broker a service has not committed yet, and how old they are."""

from collections.abc import Iterable

from ..sim.run import Run
from ..store.instants import to_microseconds
from ..text import clean, counted, seconds, shorten
from ..trace.backlog import Backlog
from .axes import Axes
from .calendar import Calendar
from .labels import LabelPlacer
from .outages import outages_of
from .picture import Picture, check_run
from .point_labels import place_beside
from .scene import WIDTH, Box, Label, Mark, Polyline, Scene

HEIGHT, _BELOW = 84, 66  # px: height of a chart, and the gap to the next one


def lag(run: Run, service: str, *, width: int = WIDTH) -> Picture:
    """A picture of the lag of a service over time: how many events the broker has stored for it that it
    has not committed yet, and the age of the oldest one since its publish (the staleness). Outages of
    the service are marked. The broker counts while the run is played again. Raises Misuse if the service
    subscribes to no event or the run cannot be played again, and Unknown if there is no such service."""
    check_run("lag", run)
    backlog = Backlog(run, service)
    scene, end, name = Scene(width, 0), max(run.end, 1), clean(service, 60)
    most, (aged, age) = backlog.most, backlog.oldest
    window = moment(0), moment(end)
    top = Axes([0, 1, most.waiting], window, 50, HEIGHT, width)
    below = Axes([0, age / 1000], window, top.bottom + _BELOW, HEIGHT, width)
    top.left = below.left = max(top.left, below.left)
    levels = [(moment(level.time), level.waiting) for level in backlog.levels]
    traces = top.steps(0, levels, window[1], "lag", "events waiting")
    title = f"lag of {name}: events stored and not yet committed"
    room = draw_chart(scene, top, title, traces, words=False)
    ages = [(moment(time), age / 1000) for time, age in backlog.ages]
    traces = [below.line(ages, "lag", "age of the oldest, s")]
    title = f"staleness of {name}: age of the oldest of them, in seconds"
    room_below = draw_chart(scene, below, title, traces)
    parts = ["never behind"]
    if most.waiting:
        parts = [
            f"at most {counted(most.waiting, 'event')}, at {seconds(most.time)}",
            f"at most {age / 1000:g} s old, at {seconds(aged)}",
        ]
        _name_peak(room, top, most.time, most.waiting, parts[0])
        _name_peak(room_below, below, aged, age / 1000, parts[1])
    parts.append(f"{backlog.levels[-1].waiting:,} left at the end")
    parts += mark_outages(run, service, (top, below), room)
    scene.height = below.bottom + 28
    scene.shows = f"lag of {name} in {run.system.name}: {'; '.join(parts)}"
    scene.alt = clean(scene.shows, 600)
    return Picture(scene)


def mark_outages(run: Run, service: str, charts: tuple[Axes, ...], room: LabelPlacer) -> list[str]:
    """Draw the outages of a service in some charts, with their words in the first one, whose `room`
    that is. Return them in words."""
    parts = []
    for one in outages_of(run, [service], max(run.end, 1)):
        words = f"replica {one.replica} {one.what}" if one.replica else one.what
        for chart in charts:
            left, right = chart.x(moment(one.start)), chart.x(moment(one.end))
            box = left, chart.top - 10, max(2, right - left), chart.bottom - chart.top + 10
            room.scene.spans.append(
                Box(*box, one.kind, f"{clean(service, 60)} {words}, {one.when}")
            )
        x = charts[0].x(moment(one.start)) - 4
        place_beside(room, words, "on span", x, charts[0].top + 9)
        parts.append(f"{one.what} from {one.when}")
    return parts


def draw_chart(
    scene: Scene, chart: Axes, title: str, traces: Iterable[Polyline], words: bool = True
) -> LabelPlacer:
    """Draw a chart, with or without the times below it. Return a placer for its labels."""
    chart.draw_grid(scene, Calendar((chart.start, chart.end)), words=words)
    title = shorten(title, scene.width - 4, 13, True)
    scene.labels.append(Label(2, chart.top - 30, title, "lane"))
    scene.polylines += traces
    room = LabelPlacer(scene, (chart.left + 2, chart.top - 18, scene.width - 2, chart.bottom + 14))
    for trace in traces:
        room.avoid(trace.points)
    return room


def _name_peak(room: LabelPlacer, chart: Axes, time: int, value: float, words: str) -> None:
    mark = Mark(chart.x(moment(time)), chart.y(value), "fact", words)
    room.scene.marks.append(mark)
    room.taken.add(mark.extent())
    place_beside(room, words, "handled", mark.x, mark.y)


def moment(ms: int) -> int:
    return to_microseconds(ms / 1000, "")

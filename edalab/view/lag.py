"""`lag(run, service)`: how many published events a service has not yet committed, and how old."""

from ..sim.run import Run
from ..store.instants import to_microseconds
from ..text import clean, counted, seconds, shorten
from ..trace.backlog import Backlog
from ..trace.transfers import Outage
from .calendar import Calendar
from .axes import Axes
from .picture import Picture, check_run
from .labels import LabelPlacer
from .scene import Box, Label, Mark, Scene

HEIGHT, _BELOW = 84, 44  # px of a plane; from one to the title of the next
_WORDS = {"down": "down", "pause": "standing still", "cut": "cut off"}


class Lag(Picture):
    """A picture with the `backlog` that it shows: `.levels`, `.most`, `.oldest`."""

    def __init__(self, scene: Scene, backlog: Backlog):
        super().__init__(scene)
        self.backlog = backlog


def lag(run: Run, service: str, *, width: int = 900) -> Lag:
    """A picture of how far a service is behind, over time: the events published to it that it has
    not yet committed, and how old the oldest of them is (its staleness). It shows the times in which
    the service was down, stood still or was cut off."""
    check_run("lag", run)
    backlog = Backlog(run, service)
    scene, end = Scene(width, 0), max(run.end, 1)
    levels, most, (aged, age) = backlog.levels, backlog.most, backlog.oldest
    window, named = (_moment(0), _moment(end)), clean(service, 60)
    top = Axes([0, 1, most.waiting], window, 50, HEIGHT, width)
    below = Axes([0, age / 1000], window, top.bottom + _BELOW + 22, HEIGHT, width)
    top.left = below.left = max(top.left, below.left)
    calendar = Calendar(window)
    for outage in backlog.outages:
        for plane in (top, below):
            scene.spans.append(_span(outage, plane, run.end, named))
    titles = (
        f"{named}: events published and not yet committed",
        "age of the oldest of them, in seconds: how stale it is",
    )
    for plane, title in zip((top, below), titles):
        plane.draw_grid(scene, calendar, words=plane is below)
        scene.labels.append(Label(2, plane.top - 32, shorten(title, width - 4, 13, True), "lane"))
    scene.traces += top.steps(
        0,
        [(_moment(level.time), level.waiting) for level in levels],
        _moment(end),
        "lag",
        "events waiting",
    )
    scene.traces.append(below.line(_ages(backlog), "lag", "age of the oldest, s"))
    rooms = [
        LabelPlacer(scene, (plane.left + 2, plane.top - 18, width - 2, plane.bottom + 14))
        for plane in (top, below)
    ]
    for room, trace in zip(rooms, scene.traces):
        room.avoid(trace.points)
    peaks = []
    if most.waiting:
        peaks = [
            f"at most {counted(most.waiting, 'event')}, at {seconds(most.time)}",
            f"at most {age / 1000:g} s old, at {seconds(aged)}",
        ]
        for room, plane, time, value, words in zip(
            rooms, (top, below), (most.time, aged), (most.waiting, age / 1000), peaks
        ):
            scene.marks.append(Mark(plane.x(_moment(time)), plane.y(value), "fact", words))
            room.taken.add(scene.marks[-1].extent())
            room.place_beside(words, "handled", plane.x(_moment(time)), plane.y(value))
    for outage, box in zip(backlog.outages, scene.spans[::2]):
        several = run.system.services[service].replicas > 1 and outage.kind != "cut"
        replica = f"replica {outage.replica} " if several else ""
        rooms[0].place_beside(f"{replica}{_WORDS[outage.kind]}", "on span", box.x - 4, top.top + 9)
    scene.height = below.bottom + 28
    left = levels[-1].waiting
    parts = [*(peaks or ["never behind"]), f"{left:,} left at the end"]
    parts += [
        f"{_WORDS[outage.kind]} from {seconds(outage.start)}{_until(outage)}"
        for outage in backlog.outages[:4]
    ]
    scene.shows = f"lag of {named} in {run.system.name}: {'; '.join(parts)}"
    scene.alt = clean(scene.shows, 600)
    return Lag(scene, backlog)


def _ages(backlog: Backlog) -> list[tuple[int, float]]:
    """The corners of the age of the oldest event waiting: it rises with time, and falls when that event is committed."""
    corners, levels = [], backlog.levels
    ends = [*(level.time for level in levels[1:]), max(backlog.run.end, 1)]
    for level, end in zip(levels, ends):
        for time in (level.time, end):
            age = 0 if level.since is None else (time - level.since) / 1000
            corners.append((_moment(time), age))
    return corners


def _span(outage: Outage, plane: Axes, end: int, service: str) -> Box:
    left = plane.x(_moment(outage.start))
    right = plane.x(_moment(end if outage.end is None else outage.end))
    replica = f" replica {outage.replica}" if outage.replica > 1 else ""
    tip = f"{service}{replica} {_WORDS[outage.kind]}, {seconds(outage.start)}{_until(outage)}"
    width, height = max(2, right - left), plane.bottom - plane.top + 10
    return Box(left, plane.top - 10, width, height, outage.kind, tip)


def _until(outage: Outage) -> str:
    return " to the end" if outage.end is None else f" to {seconds(outage.end)}"


def _moment(ms: int) -> int:
    return to_microseconds(ms / 1000, "")

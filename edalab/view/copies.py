"""`copies(run, select)`: a value that several services keep, over time, and when their copies differ."""

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from typing import Any

from ..errors import Misuse, listed
from ..sim.clock import milliseconds
from ..sim.database import Database
from ..sim.run import Run
from ..text import clean, counted, seconds, shorten, text_width
from ..trace.spans import Trace
from .axes import Axes, number_text
from .calendar import Calendar
from .labels import LabelPlacer
from .lag import _OUTAGES, _moment
from .picture import Picture, check_run
from .point_labels import place_beside
from .scene import WIDTH, Box, Label, Polyline, Scene

_HEIGHT, _ROW = 150, 18  # px of the chart, and of a row of outages
_KINDS = ("was", "believed", "difference")  # of the lines
_MOST_LEVELS = 10  # of texts that are written beside the chart


def copies(
    run: Run,
    select: str,
    *,
    services: Iterable[str] | None = None,
    cursor: float | None = None,
    width: int = WIDTH,
) -> Picture:
    """A picture of one value in the databases of several services, over time. The times in which the
    copies differ are shaded; above are those in which a service was down, stood still or was cut off.

        copies(run, "select pieces from stock where item = 'tea'")

    `select` finds one value, a number or a text; if it finds no row, the value is None. `services`
    are two or three names; without them, all services that have what it reads. `cursor` (seconds)
    marks a moment, with the value of each copy. Raises Misuse if it finds several rows or columns."""
    check_run("copies", run, "pass the run, and cursor={}")
    marked = 0 if cursor is None else milliseconds(cursor, "copies: cursor=")
    names = _services(run, select, services)
    states = _states(run, names, select)
    rows: dict[tuple[str, str], list[tuple[int, int]]] = {}  # outages: words, kind -> times
    end = max(run.end, 100) * 41 // 40  # a little later, to show the last values
    for one in Trace.of(run).traffic.outages.values():
        if one.service in names:
            several = run.system.services[one.service].replicas > 1 and one.kind != "cut"
            name = f"{one.service}/{one.replica}" if several else one.service
            words = f"{clean(name, 24)} {_OUTAGES[one.kind]}"
            rows.setdefault((words, one.kind), []).append((one.start, one.end or end))
    scene, first_row = Scene(width, 0), 30 if cursor is None else 54
    top, window = first_row + _ROW * len(rows) + 12, (_moment(0), _moment(end))
    axes, heights = _axes([*dict.fromkeys(chain(*states.values()))], window, top, width)
    room = LabelPlacer(scene, (axes.left + 2, first_row - 2, width - 2, axes.bottom))

    def box(start: int, until: int, y: int, height: int, kind: str, words: str) -> Box:
        left, right = axes.x(_moment(start)), axes.x(_moment(until))
        tip = f"{words} from {seconds(start)} to {'the end' if until == end else seconds(until)}"
        return Box(left, y, max(1, right - left), height, kind, tip)

    select = clean(" ".join(select.split()))
    scene.labels.append(Label(2, 14, shorten(select, width - 4, 14, True), "title"))
    differ, words = 0, "never differ"
    for (start, now), until in zip(states.items(), [*[*states][1:], end], strict=True):
        if len(set(now)) > 1:
            each, height = _each(names, now), axes.bottom - top + 10
            scene.lanes.append(box(start, until, top - 10, height, "wrong", each))
            differ += min(until, run.end) - start
            words = f"at the end {each}" if until == end else f"equal again at {seconds(until)}"
            words = f"shaded: differ for {seconds(differ)} in all; {words}"
    parts = [clean(words, 300)]
    axes.draw_grid(scene, Calendar(window))
    for number, ((words, kind), times) in enumerate(rows.items()):
        y = first_row + _ROW * number
        boxes = [box(*time, y, _ROW - 2, kind, words) for time in times]
        scene.spans += boxes
        parts += [one.tip for one in boxes]
        left, _, right, _ = max(boxes, key=lambda one: one.w).extent()
        x = left if text_width(words, 11, True) + 12 < right - left else right
        places = [(x + 6, y + 8, "start"), (left - 6, y + 8, "end")]
        room.place([words, _OUTAGES[kind]], "on span", places)
    x, y = axes.left, axes.bottom + 38
    for number, (name, kind) in enumerate(zip(names, _KINDS, strict=False)):
        changes = [(_moment(time), heights[now[number]]) for time, now in states.items()]
        shift = 4 * number - 2 * (len(names) - 1)  # px: equal copies stand side by side
        for line in axes.steps(changes[0][1], changes, axes.end, kind, name):
            line.points = tuple(v + shift * (n % 2) for n, v in enumerate(line.points))
            scene.polylines.append(line)
            room.avoid(line.points)
        scene.polylines.append(Polyline((x, y, x + 28, y), kind))
        words = shorten(clean(name), 110, 11)
        scene.labels.append(Label(x + 34, y, words, "caption"))
        x += 56 + text_width(words, 11)
    scene.height = scene.write(axes.left, y + 20, axes.right, parts[0].split(" "), " ") - 2
    if marked > end:
        scene.name_cursor(axes.right, first_row - 6, seconds(marked))
    elif cursor is not None:
        x, now = axes.x(_moment(marked)), states[max(time for time in states if time <= marked)]
        scene.set_cursor(x, first_row - 6, axes.bottom, seconds(marked))
        place_beside(room, _each(names, now), "at cursor", x, top + 12)
        parts.append(f"at {seconds(marked)} {_each(names, now)}")
    scene.shows = f"copies of {select} in {listed(names)}: {'; '.join(parts)}"
    scene.alt = clean(scene.shows, 600)
    return Picture(scene)


def _services(run: Run, select: str, services: Iterable[str] | None) -> list[str]:
    """The services whose copies are drawn."""
    found, errors, why = [], [], '; name those to compare: services=["north", "south"]'
    given = [services] if isinstance(services, str) else services
    for name in dict.fromkeys(run.services if given is None else given):
        try:
            run.rows(name, select)
            found.append(name)
        except (sqlite3.Error, sqlite3.Warning) as error:  # most often it has no such table
            if given is not None:
                raise
            errors.append((not run._node(name).schema, f": {error}"))
    if 2 <= len(found) <= len(_KINDS):
        return found
    if errors and len(found) < 2:
        why = min(errors)[1]  # of a service that has tables, if there is one
    what = "copies compares two or three services, and this select runs in"
    raise Misuse(f"{what} {listed(found)}{why}")


def _states(run: Run, services: list[str], select: str) -> dict[int, tuple]:
    """The values of all copies, from the time (ms) of each save on. The saves are run again."""
    databases = {name: run._node(name).database for name in services}
    again = {name: Database(name, one.schema) for name, one in databases.items()}
    now = {name: _value(one, select, 0) for name, one in again.items()}
    states: dict[int, tuple] = {0: (*now.values(),)}
    saves = sorted((save, name) for name, one in databases.items() for save in one.saves)
    for save, name in saves:
        copy, before = again[name], again[name].connection.total_changes
        copy.shaped, copy.probes = False, 0
        copy.connection.execute("begin immediate")
        for method, sql, parameters in databases[name].saves[save]:
            with suppress(sqlite3.Error):  # the handler caught it
                getattr(copy.connection, method)(sql, parameters)
        copy.connection.execute("commit")
        if copy.shaped or copy.connection.total_changes != before:
            time = run.journal[save].time
            now[name] = _value(copy, select, time)
            states[time] = (*now.values(),)
    return states


def _value(database: Database, select: str, time: int) -> Any:
    try:
        cursor = database.connection.execute(select)
    except sqlite3.OperationalError:  # the table is made later
        return None
    rows, columns = cursor.fetchmany(2), cursor.description or ()
    if len(rows) > 1 or len(columns) != 1:
        found = "several rows" if len(columns) == 1 else counted(len(columns), "column")
        what = f"copies draws one value, but {database.service} has {found} at {seconds(time)}"
        raise Misuse(f"{what}; write one such as \"select pieces from stock where item = 'tea'\"")
    value = rows[0][0] if rows else None
    return str(value) if isinstance(value, float) and abs(value) > 1e300 else value  # inf, too


def _axes(
    values: list[Any], window: tuple[int, int], top: int, width: int
) -> tuple[Axes, dict[Any, float]]:
    """The axes, and where each value stands: numbers to scale, and None below them; if one is a
    text, each value on a level of its own, in the order in which they appear."""
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


def _each(services: list[str], values: tuple) -> str:
    """ "3 in north, 2 in south"."""
    return ", ".join(map("{} in {}".format, map(_text, values), services))

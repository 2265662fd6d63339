"""The chart of a state over time: what it was, what it was believed to be, and where the two differ."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ..errors import Misuse
from ..store.bitemporal import Hindsight, size
from ..store.instants import to_microseconds
from ..text import clean, counted, shorten, text_width
from .axes import Axes, draw_key, value_text
from .calendar import DAY, Calendar
from .labels import LabelPlacer, Place
from .point_labels import place_beside
from .scene import Box, Label, Scene
from .state_events import EventMarks

_HEIGHT = 190  # px: height of the chart
_CAPTIONS, _NARROW = 46, 660  # px of two lines of captions; below this width there may be five
_MOST_WRONG, _STEP_WIDTH = 8, 75  # wrong beliefs with values; px for each value of a step
_WIDE = 20  # px of a quarter of a wide level part
_BESIDE, _BELOW_FIRST = (-10, 11, -16, 17), (11, -10, 17, -16)  # px from a line to a text's middle


class StateChart:
    """Lays out a chart of a hindsight in `.scene`. The values must be numbers or None.

    `today` is the hindsight known today. With `as_of`, the chart shows what was known at that time,
    to the scale of today, so that it does not move while a learner travels through time. `cursor`
    marks a time. If `part` (µs since 1970) has no bound, the chart extends a little beyond
    everything that happened and was recorded."""

    def __init__(
        self,
        today: Hindsight,
        stream: str | None,
        as_of: Any,
        cursor: Any,
        part: tuple[int | None, int | None],
        width: int,
    ):
        if not today.facts:
            raise Misuse("the store has no events yet; append some, and draw again")
        known = None if as_of is None else to_microseconds(as_of, "as_of=", bound=True)
        self.known = known
        self.cursor = None if cursor is None else to_microseconds(cursor, "cursor=", bound=True)
        self.times = [at for fact in today.facts for at in (fact.happened_at, fact.recorded_at)]
        self.window = window = _window(self.times, part)
        self.hindsight = today if known is None else today.as_known(known)
        differ = self.hindsight.discrepancies
        self.wrong = [one for one in differ if one.start < window[1] and window[0] < one.end]
        self.shaded = [one for one in self.wrong if None not in (one.actual, one.believed)]
        values = []  # values outside of the part do not affect the scale
        for one in (today, self.hindsight):
            changes = [*one.actual, *one.believed]
            values += one.at(window[0])
            values += [each.value for each in changes if window[0] <= each.at <= window[1]]
        top = 50 if cursor is None else 68
        self.axes = axes = Axes(values, window, top, _HEIGHT, width)
        moments = [at for at in self.times if window[0] <= at <= window[1]] or [*window]
        self.calendar = Calendar(moments)
        self.end = window[1] if known is None else min(max(known, window[0]), window[1])
        # If the cursor is years away from all events, days are written with their year.
        written = moments + [at for at in (known, self.cursor) if at is not None]
        self.calendar.one_year = max(written) - min(written) < 365 * DAY
        self.as_known = "" if known is None else f", as known {self.calendar.on(known)}"
        captions = _CAPTIONS + 38 * (width < _NARROW)
        self.scene = Scene(width, axes.bottom + 38 + captions, axis=axes)
        bounds = axes.left + 2, axes.top - 18, width - 2, axes.bottom + 2
        self.room = LabelPlacer(self.scene, bounds)
        name = getattr(today.fold, "__name__", "").replace("_", " ").strip()
        about = f"{stream or 'all streams'}, {name if name and name != '<lambda>' else 'state'}"
        self._draw(about)

    def _draw(self, about: str) -> None:
        scene, axes = self.scene, self.axes
        title = about + (self.as_known or ": what it was, and what it was believed to be")
        title = shorten(clean(title), scene.width - 4, 14, True)
        scene.labels.append(Label(2, 14, title, "title"))
        axes.draw_grid(scene, self.calendar)
        if self.end < self.window[1]:
            x, y = axes.x(self.end), axes.top - 10
            box = x, y, axes.right - x, axes.bottom - y
            scene.lanes.append(Box(*box, "unknown", "not known yet"))
        self._draw_discrepancies()
        for kind, name, changes in (
            ("was", "by when it happened", self.hindsight.actual),
            ("believed", "as it was believed", self.hindsight.believed),
        ):
            steps = [(change.at, change.value) for change in changes]
            scene.polylines += axes.steps(self.hindsight.first, steps, self.end, kind, name)
        for trace in scene.polylines:
            self.room.avoid(trace.points)
        marks = EventMarks(self.hindsight, axes, self.calendar, self.window)
        marks.mark(scene, self.room)
        at_cursor = "" if self.cursor is None else self._draw_cursor(self.cursor)
        self._write_values()
        marks.name(self.room)
        self._draw_captions(marks)
        self._describe(about, marks, at_cursor)

    def _draw_discrepancies(self) -> None:
        axes, drawn = self.axes, 0
        for start, end, actual, believed in self.shaded:
            left, right = axes.x(start), axes.x(end)
            if right <= drawn:
                continue  # this column of pixels is filled
            drawn = max(right, left + 1)
            top, bottom = sorted((axes.y(actual), axes.y(believed)))
            when = f"{self.calendar.words(start)} to {self.calendar.words(end)}"
            tip = f"{when}: {self._both(actual, believed)}"
            box = Box(left, top, max(1, right - left), bottom - top, "wrong", tip)
            self.scene.spans.append(box)

    def _draw_cursor(self, at: int) -> str:
        """Draw the cursor. Return in words what the state was and was believed to be there."""
        axes, x = self.axes, self.axes.x(_begin_of_day(at, self.times))
        start, end = self.window
        beyond = range(end + 1, at + 1) if at > end else range(at, start)
        if any(moment in beyond for moment in self.times):  # the state there may differ
            self.scene.name_cursor(x, axes.top - 18, self.calendar.words(at))
            return ""
        actual, believed = self.hindsight.at(at)
        self.scene.set_cursor(x, axes.top - 18, axes.bottom, self.calendar.words(at))
        self.room.avoid((x, axes.top - 18, x, axes.bottom))
        both = self._both(actual, believed)
        if self.known is not None:  # what was known at `as_of`
            both = value_text(actual)
        elif actual == believed:
            both = f"was {value_text(actual)}"
        text, y = both + self.as_known, (axes.y(actual) + axes.y(believed)) // 2
        if not place_beside(self.room, text, "at cursor", x, y + 11):
            place_beside(self.room, text, "at cursor", x, axes.top)
        return f"; {self.calendar.on(at)} {both}"

    def _write_values(self) -> None:
        """Write the values next to the lines as far as there is room, the most important first."""
        axes, room = self.axes, self.room
        self._name_end()
        for one in sorted(self.shaded, key=size, reverse=True)[:_MOST_WRONG]:
            left, right, y = axes.x(one.start), axes.x(one.end), axes.y(one.believed)
            places = _places(left, right, y, 1 if y < axes.y(one.actual) else -1)
            places[-1:-1] = [(right + 6, y, "start"), (left - 6, y, "end")]
            value = value_text(one.believed)
            room.place([f"{value} as believed", value], "believed", places, over=False)
        steps = sorted(self._steps(), key=lambda step: step[0] - step[1])
        for left, right, y, peak, text in steps[: (axes.right - axes.left) // _STEP_WIDTH]:
            if peak or text_width(text, 11, True) < right - left:
                room.place([text], "was", _places(left, right, y, peak), over=False)

    def _name_end(self) -> None:
        value, axes = self.hindsight.at(self.end)[0], self.axes
        if value is not None:
            name = "as it was" if self.known is None else "as known then"
            x, y, text = axes.x(self.end), axes.y(value), value_text(value)
            places = [(x + 8, y, "start")] * (self.end < axes.end)
            places += [(x, y + dy, "end") for dy in _BESIDE]
            self.room.place([f"{text} {name}", text], "was", places, over=False)

    def _steps(self) -> Iterator[tuple[int, int, int, int, str]]:
        """The level parts of the line of actual values except the last: left, right, y, peak and text."""
        axes = self.axes
        levels = [(axes.start, self.hindsight.at(axes.start)[0])]
        for change in self.hindsight.actual:
            if axes.start < change.at <= self.end and change.value != levels[-1][1]:
                levels.append((change.at, change.value))
        heights = [axes.y(value) for _, value in levels]
        before = [heights[0], *heights]
        for number, ((at, value), (until, _)) in enumerate(pairwise(levels)):
            y, beside = heights[number], (before[number], heights[number + 1])
            if value is not None:
                peak = (y < min(beside)) - (y > max(beside))
                yield axes.x(at), axes.x(until), y, peak, value_text(value)

    def _both(self, actual: Any, believed: Any) -> str:
        actual, believed = value_text(actual), value_text(believed)
        if self.known is None:
            return f"was {actual}, believed {believed}"
        return f"believed {believed} at first, {actual} later"

    def _draw_captions(self, marks: EventMarks) -> None:
        """Draw the legend and notes below the chart. Their height is constant, so that nothing below the
        picture moves."""
        axes, known = self.axes, self.as_known or ", as known now"
        legend = [("was", "by when it happened" + known)]
        legend += [("believed", "what was believed at each moment")] if self.wrong else []
        y = draw_key(self.scene, legend, axes.left, axes.bottom + 38)
        captions = ["shaded: what a report in between got wrong"] * bool(self.shaded)
        captions += marks.captions()
        captions += ["grey: not known yet"] * (self.end < self.window[1])
        self.scene.write(axes.left, y, axes.right, captions)

    def _describe(self, about: str, marks: EventMarks, at_cursor: str) -> None:
        """Set the chart's description in one line and its alternative text."""
        hindsight, words = self.hindsight, self.calendar.words
        late = len(marks.late)
        parts = [counted(len(marks.punctual) + late, "event")]
        parts += [f"{late} recorded late"] if late else []
        parts.append(f"{value_text(hindsight.at(self.end)[0])} at the end")
        if worst := max(self.wrong, key=size, default=None):
            actual, believed = value_text(worst.actual), value_text(worst.believed)
            both = self._both(worst.actual, worst.believed)
            if self.known is None:
                both = f"believed {believed} where it was {actual}"
            parts.append(f"{both} from {words(worst.start)} to {words(worst.end)}")
        else:
            parts.append("never believed otherwise")
        self.scene.shows = f"{about}{self.as_known}{at_cursor}: {'; '.join(parts)}"
        self.scene.alt = clean(self.scene.shows, 600)


def _begin_of_day(at: int, moments: list[int]) -> int:
    """A date means the end of its day, or its beginning if nothing happened later on that day."""
    begin = at - (DAY - 1) if (at + 1) % DAY == 0 else at
    return at if any(begin < other <= at for other in moments) else begin


def _window(times: list[int], part: tuple[int | None, int | None]) -> tuple[int, int]:
    """The first and the last moment of a chart."""
    start, end = part
    every = [*times, *(at for at in part if at is not None)]  # all events may be outside the part
    first, last = min(every) if start is None else start, max(every) if end is None else end
    room = max((last - first or max(every) - min(every)) // 25, 40_000)
    return first - room * (start is None), last + room * (end is None)


def _places(left: int, right: int, y: int, peak: int) -> list[Place]:
    """The places for the label of a level part of a line: above and below its middle and, if it is
    wide, its quarters. `peak` is 1 if it is above its neighbours, -1 if below them, otherwise 0."""
    quarter, middle = (right - left) // 4, (left + right) // 2
    away = [0, -quarter, quarter] if quarter > _WIDE else [0]
    sides = _BELOW_FIRST if peak < 0 else _BESIDE
    return [(middle + dx, y + dy, "middle") for dy in sides for dx in away]

"""The chart of a state over two times: what it was, what it was believed to be, and where they differ."""

from typing import Any

from ..errors import Misuse, shown
from ..store.bitemporal import Hindsight
from ..text import clean, counted, shorten, text_width, wrapped
from .axes import Axes, value_text
from .calendar import DAY, Calendar
from .event_marks import EventMarks
from .labels import LabelPlacer
from .scene import Box, Label, Line, Scene, Trace

_HEIGHT, _LEVEL_HEIGHT = 190, 34  # px of the chart, and from one level of texts to the next
_MOST_LEVELS = 12
_LINE = 18  # px of a line of the caption


class StateChart:
    """Lays out one chart in `.scene`.

    `hindsight` is what is known today. With `known`, what was known at that moment is drawn, in
    the measures of today: so the chart stays in its place while a learner travels through time.
    `window`, `known` and `cursor` are moments in µs since 1970."""

    def __init__(
        self,
        hindsight: Hindsight,
        about: str,
        window: tuple[int, int],
        known: int | None,
        cursor: int | None,
        width: int,
    ):
        self.today, self.known, self.window = hindsight, known, window
        self.hindsight = hindsight if known is None else hindsight.as_known(known)
        values = [hindsight.first]
        for one in (hindsight, self.hindsight):
            values += [change.value for change in (*one.actual, *one.believed)]
        height, top = _height(values), 50 if cursor is None else 68
        self.axes = axes = Axes(values, window, top, height, width)
        times = [at for fact in hindsight.facts for at in (fact.happened_at, fact.recorded_at)]
        moments = [at for at in times if window[0] <= at <= window[1]] or [*window]
        self.calendar = Calendar(moments)
        self.end = window[1] if known is None else min(max(known, window[0]), window[1])
        self.cursor = None if cursor is None else _begin_of_day(cursor, moments)
        # The cursor may be years from all that happened: then a day is written with its year.
        written = moments + [at for at in (known, self.cursor) if at is not None]
        self.calendar.one_year = max(written) - min(written) < 365 * DAY
        self.scene = Scene(width, 0, axis=axes)
        self.room = LabelPlacer(
            self.scene, (axes.left + 2, axes.top - 18, width - 2, axes.bottom + 2)
        )
        self.at_cursor = ""
        self._draw(about)

    def _draw(self, about: str) -> None:
        scene, axes = self.scene, self.axes
        title = about + (self._as_known() or ": what it was, and what it was believed to be")
        title = shorten(clean(title), scene.width - 4, 14, True)
        scene.labels.append(Label(2, 14, title, "title"))
        axes.draw_grid(scene, self.calendar)
        if self.end < self.window[1]:
            x, y = axes.x(self.end), axes.top - 10
            box = x, y, axes.right - x, axes.bottom - y
            scene.lanes.append(Box(*box, "unknown", "not known yet"))
        self._draw_discrepancies()
        self._draw_lines()
        marks = EventMarks(self.hindsight, axes, self.calendar, self.window)
        marks.mark(scene, self.room)
        if self.cursor is not None:
            self._draw_cursor(self.cursor)
        marks.name(self.room)
        self._draw_captions(marks)
        self._describe(about, marks)

    def _draw_discrepancies(self) -> None:
        axes, drawn = self.axes, 0
        for start, end, actual, believed in self.hindsight.discrepancies:
            outside = end <= self.window[0] or start >= self.window[1]
            if actual is None or believed is None or outside:
                continue
            left, right = axes.x(start), axes.x(end)
            if right <= drawn:
                continue  # others fill this column of pixels
            drawn = max(right, left + 1)
            top, bottom = sorted((axes.y(actual), axes.y(believed)))
            when = f"{self.calendar.words(start)} to {self.calendar.words(end)}"
            tip = f"{when}: {self._both(actual, believed)}"
            box = Box(left, top, max(1, right - left), bottom - top, "wrong", tip)
            self.scene.spans.append(box)

    def _draw_lines(self) -> None:
        for kind, name, changes in (
            ("was", "by when it happened", self.hindsight.actual),
            ("believed", "as it was believed", self.hindsight.believed),
        ):
            steps = [(change.at, change.value) for change in changes]
            first = self.hindsight.first
            self.scene.traces += self.axes.steps(first, steps, self.end, kind, name)
        for trace in self.scene.traces:
            self.room.avoid(trace.points)

    def _draw_cursor(self, at: int) -> None:
        axes, words = self.axes, self.calendar.words(at)
        actual, believed = self.hindsight.at(at)
        x, half = axes.x(at), text_width(words, 11, True) // 2 + 8
        middle = max(half, min(self.scene.width - half, x))
        line = Line(x, axes.top - 18, x, axes.bottom, "cursor")
        pill = Box(middle - half, axes.top - 36, 2 * half, 18, "pill")
        self.scene.cursor = line, pill, Label(middle, axes.top - 27, words, "pill", "middle")
        same = f"was {value_text(actual)}"
        text = same if actual == believed else self._both(actual, believed)
        if self.known is not None:  # what it was, nobody knew for certain then
            text = f"{value_text(actual)}{self._as_known()}"
        self.at_cursor = text
        y = (axes.y(actual) + axes.y(believed)) // 2
        if not self.room.place_beside(text, "at cursor", x, y + 11):
            self.room.place_beside(text, "at cursor", x, axes.top)

    def _as_known(self) -> str:
        return "" if self.known is None else f", as known {self.calendar.on(self.known)}"

    def _both(self, actual: Any, believed: Any) -> str:
        actual, believed = value_text(actual), value_text(believed)
        if self.known is None:
            return f"was {actual}, believed {believed}"
        return f"believed {believed} at first, {actual} later"

    def _draw_captions(self, marks: EventMarks) -> None:
        """The legend, and what is not shown, below the chart. The room is that which all that is
        known today needs: what stands below the picture keeps its place."""
        scene, y = self.scene, self.axes.bottom + 38
        rows = self._captions(self.hindsight, marks, grey=self.end < self.window[1])
        marks_today = EventMarks(self.today, self.axes, self.calendar, self.window)
        most = self._captions(self.today, marks_today, grey=self.cursor is not None)
        for number, row in enumerate(rows):
            at = y + _LINE * number
            for x, kind, words in row:
                if kind:
                    scene.traces.append(Trace((x - 34, at, x - 6, at), kind))
                scene.labels.append(Label(x, at, words, "caption"))
        scene.height = y + _LINE * (max(len(rows), len(most)) - 1) + 12

    def _captions(
        self, hindsight: Hindsight, marks: EventMarks, grey: bool
    ) -> list[list[tuple[int, str, str]]]:
        """Rows of texts: where each stands, and the kind of the line that it explains."""
        left, right = self.axes.left, self.axes.right
        within = [
            one
            for one in hindsight.discrepancies
            if one.start < self.window[1] and self.window[0] < one.end
        ]
        legend = [("was", "by when it happened" + (self._as_known() or ", as known now"))]
        if within:
            legend.append(("believed", "at each moment, what was believed at that moment"))
        rows, x = [[]], left
        for kind, words in legend:
            if x + 34 + text_width(words, 11) > self.scene.width:
                rows, x = [*rows, []], left
            rows[-1].append((x + 34, kind, words))
            x += 34 + text_width(words, 11) + 22
        shaded = any(one.actual is not None and one.believed is not None for one in within)
        words = ["shaded: what a report made in between got wrong"] * shaded
        words += marks.captions() + ["grey: not known yet"] * grey
        return rows + [[(left, "", line)] for line in wrapped(words, " · ", right - left)]

    def _describe(self, about: str, marks: EventMarks) -> None:
        """The chart in one line of text, also for readers who cannot see it."""
        hindsight, words = self.hindsight, self.calendar.words
        parts = [counted(marks.shown, "event")]
        parts += [f"{len(marks.late)} recorded late"] * bool(marks.late)
        parts.append(f"{value_text(hindsight.at(self.end)[0])} at the end")
        if worst := hindsight.worst(*self.window):
            actual, believed = value_text(worst.actual), value_text(worst.believed)
            both = f"believed {believed} where it was {actual}"
            both = both if self.known is None else self._both(worst.actual, worst.believed)
            parts.append(f"{both} from {words(worst.start)} to {words(worst.end)}")
        else:
            parts.append("never believed otherwise")
        at = ""
        if self.cursor is not None:
            text = self.at_cursor.removesuffix(self._as_known())
            at = f"; {self.calendar.on(self.cursor)} {text}"
        self.scene.shows = f"{about}{self._as_known()}{at}: {'; '.join(parts)}"
        self.scene.alt = clean(self.scene.shows, 600)


def _height(values: list) -> int:
    """How high a chart of these values is. Raises Misuse for what cannot be one."""
    texts = list(dict.fromkeys(value for value in values if isinstance(value, str)))
    wrong = ""
    if texts and any(value is not None and not isinstance(value, str) for value in values):
        wrong = f"some states are numbers and some are texts, such as {shown(texts[0])}"
    elif len(texts) > _MOST_LEVELS:
        wrong = f"the states are {len(texts)} different texts, too many for a line each"
    if wrong:
        raise Misuse(f"{wrong}; say what to draw: value=lambda state: …")
    return max(60, _LEVEL_HEIGHT * (len(texts) - 1)) if texts else _HEIGHT


def _begin_of_day(at: int, moments: list[int]) -> int:
    """A date means its end; where all of that day happened at its very beginning, its beginning."""
    begin = at - (DAY - 1) if (at + 1) % DAY == 0 else at
    return at if any(begin < other <= at for other in moments) else begin

"""`as_of(store, stream, fold)`: a state by when things happened, against what was believed at each moment."""

from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from numbers import Real
from typing import Any

from ..errors import Misuse, shown
from ..store.bitemporal import Hindsight
from ..store.event_store import EventStore
from ..store.instants import moment
from ..store.stored_event import StoredEvent
from ..store.temporal import check_known
from ..text import clean, counted, shorten, text_width, wrapped
from .calendar import DAY, Calendar
from .picture import STORE, Picture, check_is
from .labels import Room
from .marked import Marked
from .plane import Plane, said
from .scene import Box, Label, Line, Scene, Trace

HEIGHT = 190  # px of the plane
LEVELS = 12  # texts that a state may be, each on a level of its own


def as_of(
    store: EventStore,
    stream: str | None,
    fold: Callable,
    start: Any = None,
    *,
    value: Callable[[Any], Any] | None = None,
    as_of: Any = None,
    cursor: Any = None,
    since: Any = None,
    until: Any = None,
    width: int = 900,
) -> Picture:
    """A picture of the state of a stream over time (None: of all streams): by when things happened, as known now or at the
    moment `as_of`; and as it was believed at each moment t, which is what `store.state(…, until=t, as_of=t)` says.

    A state is a number or a short text; of any other, `value` (a function of the state) is drawn. `cursor` marks a moment,
    `since` and `until` show that part only. What came late is marked where it happened and where it was recorded."""
    check_is("as_of", EventStore, STORE, store)
    if value is not None and not callable(value):
        raise Misuse(f"value= takes a function of the state, not {shown(value)}")
    check_known(store, stream)
    whole = Hindsight(store, stream, fold, start, _drawn(fold, value))
    if not whole.facts:
        raise Misuse("the store holds no events yet: append some, then draw what they come to")
    known = None if as_of is None else moment(as_of, "as_of=", bound=True)
    sight = whole if known is None else whole.as_known(known)
    name = getattr(fold, "__name__", "").replace("_", " ").strip()
    about = f"{stream or 'all streams'}, {name if name and name != '<lambda>' else 'state'}"
    return Picture(
        _Draft(sight, whole, known, _window(whole.facts, since, until), cursor, width).scene(about)
    )


def _drawn(fold: Callable, value: Callable | None) -> Callable[[Any], Any]:
    """What is drawn of a state: a number, a text, or None."""
    name = getattr(fold, "__name__", "the fold")

    def drawn(state: Any) -> Any:
        try:
            plain = state if value is None else value(state)
        except Exception as error:
            what = f"value= raised {type(error).__name__} ({error}) for the state {shown(state)}"
            raise Misuse(
                f"{what}; it is asked about the state before the first event, too"
            ) from None
        plain = plain.value if isinstance(plain, Enum) else plain
        if isinstance(plain, bool):
            return "yes" if plain else "no"
        if (
            plain is None
            or isinstance(plain, str)
            or isinstance(plain, Real | Decimal)
            and abs(plain) < 1e300
        ):
            return plain
        what = (
            f"a state of {name} is {shown(state)}"
            if value is None
            else f"value= returned {shown(plain)}"
        )
        raise Misuse(
            f"{what}, and a line is drawn of a number or a text; say what to draw of it: value=lambda state: …"
        )

    return drawn


def _window(facts: list[StoredEvent], since: Any, until: Any) -> tuple[int, int]:
    """From when to when: as asked for, or all that happened and was recorded, with some room at both ends."""
    first = min(fact.happened_at for fact in facts)
    last = max(max(fact.happened_at, fact.recorded_at) for fact in facts)
    room = max((last - first) // 25, 40_000)
    first = first - room if since is None else moment(since, "since=")
    last = last + room if until is None else moment(until, "until=", bound=True)
    if not first < last:
        raise Misuse("since= must be before until=: there is nothing to show between them")
    return first, last


class _Draft:
    """Lays out one picture. `whole` is what is known now: the picture keeps its measures when `sight` knows less."""

    def __init__(
        self,
        sight: Hindsight,
        whole: Hindsight,
        known: int | None,
        window: tuple[int, int],
        cursor: Any,
        width: int,
    ):
        self.sight, self.whole, self.known, self.window = sight, whole, known, window
        values = [
            change.value
            for hindsight in (whole, sight)
            for change in (*hindsight.was, *hindsight.believed)
        ]
        values = [whole.first, *values]
        texts = list(dict.fromkeys(value for value in values if isinstance(value, str)))
        if texts and any(value is not None and not isinstance(value, str) for value in values):
            what = f"some states are numbers and some are texts, such as {shown(texts[0])}"
            raise Misuse(f"{what}; say what to draw: value=lambda state: …")
        if len(texts) > LEVELS:
            what = f"the states are {len(texts)} different texts, too many for a line each"
            raise Misuse(f"{what}; say what to draw: value=lambda state: …")
        height = max(60, 34 * (len(texts) - 1)) if texts else HEIGHT
        self.plane = plane = Plane(values, window, 68 if cursor is not None else 50, height, width)
        self.moments = [
            at
            for fact in whole.facts
            for at in (fact.happened_at, fact.recorded_at)
            if window[0] <= at <= window[1]
        ]
        self.calendar = Calendar(self.moments or window)
        self.end = window[1] if known is None else min(max(known, window[0]), window[1])
        self.drawing = Scene(width, 0, axis=plane)
        self.room = Room(
            self.drawing, (plane.left + 2, plane.top - 18, width - 2, plane.bottom + 2)
        )
        self.cursor = (
            None if cursor is None else self._stands(moment(cursor, "cursor=", bound=True))
        )
        said_ = sorted(
            [*(self.moments or window), *(at for at in (known, self.cursor) if at is not None)]
        )
        self.calendar.one_year = (
            said_[-1] - said_[0] < 365 * DAY
        )  # what was asked for may be far from all that happened
        self.told = ""

    def _stands(self, at: int) -> int:
        """A date means its end; where all of that day happened at its very beginning, the cursor stands there."""
        begins = at - (DAY - 1) if (at + 1) % DAY == 0 else at
        return at if any(begins < other <= at for other in self.moments) else begins

    def scene(self, about: str) -> Scene:
        scene, plane, sight = self.drawing, self.plane, self.sight
        what = (
            ": what it was, and what it was believed to be"
            if self.known is None
            else self._as_known()
        )
        title = shorten(clean(about + what), scene.width - 4, 14, True)
        scene.labels.append(Label(2, 14, title, "title"))
        plane.draw_grid(scene, self.calendar)
        if self.end < self.window[1]:
            x = plane.x(self.end)
            scene.lanes.append(
                Box(
                    x,
                    plane.top - 10,
                    plane.right - x,
                    plane.bottom - plane.top + 10,
                    "unknown",
                    "not known yet",
                )
            )
        self._areas()
        for kind, name, changes in (
            ("was", "by when it happened", sight.was),
            ("believed", "as it was believed", sight.believed),
        ):
            scene.traces += plane.steps(
                sight.first, [(change.at, change.value) for change in changes], self.end, kind, name
            )
        for trace in scene.traces:
            self.room.cross(trace)
        marked = Marked(sight, plane, self.calendar, self.window)
        marked.mark(scene, self.room)
        if self.cursor is not None:
            self._cursor()
        marked.name(self.room)
        self._captions(marked)
        self._say(about, marked)
        return scene

    def _areas(self) -> None:
        """Where the two lines differ."""
        plane, drawn = self.plane, 0
        for start, end, was, believed in self.sight.wrong:
            if was is None or believed is None or end <= self.window[0] or start >= self.window[1]:
                continue
            left, right = plane.x(start), plane.x(end)
            if right <= drawn:
                continue  # in a column of pixels that others fill
            drawn = max(right, left + 1)
            top, bottom = sorted((plane.y(was), plane.y(believed)))
            tip = f"{self.calendar.words(start)} to {self.calendar.words(end)}: {self._both(was, believed)}"
            self.drawing.spans.append(
                Box(left, top, max(1, right - left), bottom - top, "wrong", tip)
            )

    def _cursor(self) -> None:
        plane, words, at = self.plane, self.calendar.words(self.cursor), self.cursor
        was, believed = self.sight.at(at)
        x, half = plane.x(at), text_width(words, 11, True) // 2 + 8
        middle = max(half, min(self.drawing.width - half, x))
        line = Line(x, plane.top - 18, x, plane.bottom, "cursor")
        pill = Box(middle - half, plane.top - 36, 2 * half, 18, "pill")
        self.drawing.cursor = line, pill, Label(middle, plane.top - 27, words, "pill", "middle")
        self.told = f"was {said(was)}" if was == believed else self._both(was, believed)
        if self.known is not None:  # what it was, nobody knew for certain then
            self.told = f"{said(was)}{self._as_known()}"
        self.room.cursor.append(line.extent())
        y = (plane.y(was) + plane.y(believed)) // 2
        self.room.put(self.told, "at cursor", x, y + 11) or self.room.put(
            self.told, "at cursor", x, plane.top
        )

    def _as_known(self) -> str:
        return "" if self.known is None else f", as known {self.calendar.on(self.known)}"

    def _both(self, was: Any, believed: Any) -> str:
        if self.known is None:
            return f"was {said(was)}, believed {said(believed)}"
        return f"believed {said(believed)} at first, {said(was)} later"

    def _captions(self, marked: Marked) -> None:
        """The legend, and what is not shown, below the plane. It has the height that it needs when all is known: what stands
        below the picture stays where it is when a learner goes through time."""
        scene, y = self.drawing, self.plane.bottom + 38
        rows = self._explained(self.sight, marked, grey=self.end < self.window[1])
        most = self._explained(
            self.whole,
            Marked(self.whole, self.plane, self.calendar, self.window),
            grey=self.cursor is not None,
        )
        for number, row in enumerate(rows):
            for x, kind, words in row:
                if kind:
                    scene.traces.append(
                        Trace((x - 34, y + 18 * number, x - 6, y + 18 * number), kind)
                    )
                scene.labels.append(Label(x, y + 18 * number, words, "caption"))
        scene.height = y + 18 * (max(len(rows), len(most)) - 1) + 12

    def _explained(
        self, sight: Hindsight, marked: Marked, grey: bool
    ) -> list[list[tuple[int, str, str]]]:
        """Rows of words: where each stands, and the line that it explains."""
        left, right = self.plane.left, self.plane.right
        wrong = [
            one for one in sight.wrong if one.start < self.window[1] and self.window[0] < one.end
        ]
        legend = [("was", "by when it happened" + (self._as_known() or ", as known now"))]
        legend += [("believed", "at each moment, what was believed at that moment")] * bool(wrong)
        rows, x = [[]], left
        for kind, words in legend:
            if x + 34 + text_width(words, 11) > self.drawing.width:
                rows, x = [*rows, []], left
            rows[-1].append((x + 34, kind, words))
            x += 34 + text_width(words, 11) + 22
        shaded = any(one.was is not None and one.believed is not None for one in wrong)
        words = (
            ["shaded: what a report made in between got wrong"] * shaded
            + marked.captions()
            + ["grey: not known yet"] * grey
        )
        return rows + [[(left, "", line)] for line in wrapped(words, " · ", right - left)]

    def _say(self, about: str, marked: Marked) -> None:
        """What the picture shows, in one line, and for those who cannot see it."""
        scene, sight, words = self.drawing, self.sight, self.calendar.words
        parts = [
            counted(marked.shown, "event"),
            *([f"{len(marked.late)} recorded late"] if marked.late else []),
        ]
        parts.append(f"{said(sight.at(self.end)[0])} at the end")
        if worst := sight.worst(*self.window):
            start, end, was, believed = worst
            both = (
                f"believed {said(believed)} where it was {said(was)}"
                if self.known is None
                else self._both(was, believed)
            )
            parts.append(f"{both} from {words(start)} to {words(end)}")
        else:
            parts.append("never believed otherwise")
        told = self.told.removesuffix(self._as_known())
        at = f"; {self.calendar.on(self.cursor)} {told}" if self.cursor is not None else ""
        scene.shows = f"{about}{self._as_known()}{at}: {'; '.join(parts)}"
        scene.alt = clean(scene.shows, 600)

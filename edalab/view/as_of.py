"""`as_of(store, stream, fold)`: a state by when things happened, against what was believed at each moment."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import Enum
from numbers import Real
from typing import Any

from ..errors import Misuse, Unknown, shown
from ..history.hindsight import Hindsight
from ..history.moments import moment
from ..history.store import EventStore
from ..history.stored import StoredEvent
from .calendar import Calendar, end_of_day
from .picture import Picture
from .plane import Plane, number, said
from .scene import Box, Label, Line, Mark, Scene, Trace
from .text import clean, counted, text_width, wrapped

HEIGHT = 190  # px of the plane
LEVELS = 12  # texts that a state may take, each with a line of its own
MARKED, NAMED, LATE = 120, 12, 8  # events with a mark; with words; late ones with words
_VISIBLE = 8  # px between having happened and being recorded: what came sooner is not drawn as late


class AsOf(Picture):
    """A picture with its `hindsight`, which tells the values drawn: `.was_at(moment)`, `.believed_at(moment)`, `.wrong`."""

    def __init__(self, scene: Scene, hindsight: Hindsight):
        super().__init__(scene)
        self.hindsight = hindsight


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
) -> AsOf:
    """A picture of the state of a stream over time (None: of all streams): by when things happened, as known now or at the
    moment `as_of`; and as it was believed at each moment, which is `store.state(…, until=t, as_of=t)`.

    A state is a number or a short text; of any other, `value` (a function of the state) is drawn. `cursor` marks a moment,
    `since` and `until` show that part only."""
    if stream is not None and not store.version(stream):
        raise Unknown("stream", stream, store.streams())
    drawn = _drawn(fold, value)
    hindsight = Hindsight(store, stream, fold, start, as_of, drawn)
    every = store.read(stream)
    if not every:
        raise Misuse("the store holds no events yet: append some, then draw what they come to")
    known = None if as_of is None else moment(as_of, "as_of=", bound=True)
    window = _window(every, since, until)
    return AsOf(_Draft(hindsight, every, known, window, cursor, width).scene(stream, fold), hindsight)


def _drawn(fold: Callable, value: Callable | None) -> Callable[[Any], Any]:
    """What is drawn of a state: a number, a text, or None."""
    name = getattr(fold, "__name__", "the fold")

    def drawn(state: Any) -> Any:
        try:
            plain = state if value is None else value(state)
        except Exception as error:
            raise Misuse(f"value= raised {type(error).__name__} ({error}) for the state {shown(state)}; it is asked for the first state, too") from None
        plain = plain.value if isinstance(plain, Enum) else plain
        if plain is None or isinstance(plain, str):
            return plain
        if isinstance(plain, bool):
            return "yes" if plain else "no"
        if isinstance(plain, Real | Decimal) and abs(plain) < 1e300:
            return plain
        what = f"the state of {name} is {shown(state)}" if value is None else f"value= returned {shown(plain)}"
        raise Misuse(f"{what}, and a line is drawn of a number or a text; say what to draw of it: value=lambda state: …")

    return drawn


def _window(facts: list[StoredEvent], since: Any, until: Any) -> tuple[int, int]:
    """From when to when: asked for, or all that happened and was recorded, with some room at both ends."""
    first = min(fact.happened_at for fact in facts)
    last = max(max(fact.happened_at, fact.recorded_at) for fact in facts)
    room = max((last - first) // 25, 40_000)
    first = first - room if since is None else moment(since, "since=")
    last = last + room if until is None else moment(until, "until=", bound=True)
    if not first < last:
        raise Misuse("since= must be before until=: there is nothing to show between them")
    return first, last


class _Draft:
    """Lays out one picture."""

    def __init__(self, hindsight: Hindsight, every: list[StoredEvent], known: int | None, window, cursor: Any, width: int):
        self.sight, self.every, self.known, self.window, self.width = hindsight, every, known, window, width
        self.drawing = Scene(width, 0)
        values = [hindsight.first, *(change.value for change in (*hindsight.was, *hindsight.believed))]
        texts = list(dict.fromkeys(value for value in values if isinstance(value, str)))
        if texts and any(value is not None and not isinstance(value, str) for value in values):
            raise Misuse(f"the states are numbers and texts ({shown(texts[0])}); say what to draw of them: value=lambda state: …")
        if len(texts) > LEVELS:
            raise Misuse(f"the states are {len(texts)} texts, too many for levels of their own; say what to draw: value=lambda state: …")
        height = max(60, 34 * (len(texts) - 1)) if texts else HEIGHT
        self.plane = Plane(values, window, 68 if cursor is not None else 50, height, width)
        self.moments = [at for fact in every for at in (fact.happened_at, fact.recorded_at) if window[0] <= at <= window[1]]
        self.calendar = Calendar(self.moments or window)
        self.cursor = None if cursor is None else self._stands(cursor)
        self.end = window[1] if known is None else min(max(known, window[0]), window[1])
        self.taken: list[tuple[int, int, int, int]] = []
        self.strokes: list[tuple[int, int, int, int]] = []

    def _stands(self, cursor: Any) -> int:
        """A date means its end; where nothing happened on that day but at its very beginning, the cursor stands there."""
        at = moment(cursor, "cursor=", bound=True)
        begins = at - (end_of_day(at) - at == 0) * (86_400_000_000 - 1)
        return at if any(begins < other <= at for other in self.moments) else begins

    def scene(self, stream: str | None, fold: Callable) -> Scene:
        scene, plane = self.drawing, self.plane
        name = getattr(fold, "__name__", "").replace("_", " ").strip()
        about = f"{stream or 'all streams'}, {name if name and name != '<lambda>' else 'state'}"
        scene.labels.append(Label(2, 14, clean(f"{about}: what it was, and what it was believed to be", 90), "title"))
        plane.draw_grid(scene, self.calendar)
        if self.end < self.window[1]:
            x = plane.x(self.end)
            scene.lanes.append(Box(x, plane.top - 10, plane.right - x, plane.bottom - plane.top + 10, "unknown", "not known yet"))
        self._areas()
        for kind, said_, changes in (("was", "by when it happened", self.sight.was), ("believed", "as believed at each moment", self.sight.believed)):
            course = [(change.at, change.value) for change in changes]
            scene.traces += plane.steps(self.sight.first, course, self.end, kind, said_)
        for trace in scene.traces:
            corners = list(zip(trace.points[::2], trace.points[1::2]))
            self.strokes += [(min(a, c), min(b, d), max(a, c), max(b, d)) for (a, b), (c, d) in zip(corners, corners[1:])]
        if self.cursor is not None:
            self._cursor()
        named = self._facts()
        self._captions(named)
        self._say(about, named)
        return scene

    def _areas(self) -> None:
        """Where the two lines differ."""
        plane = self.plane
        for start, end, was, believed in self.sight.wrong:
            left, right = plane.x(start), plane.x(end)
            if was is None or believed is None or end <= self.window[0] or start >= self.window[1]:
                continue
            top, bottom = sorted((plane.y(was), plane.y(believed)))
            tip = f"{self.calendar.words(start)} to {self.calendar.words(end)}: was {said(was)}, believed {said(believed)}"
            self.drawing.spans.append(Box(left, top, max(1, right - left), bottom - top, "wrong", tip))

    # -- events

    def _facts(self) -> int:
        """Marks for the events and words for some: those that came late, and those that changed most. Returns how many
        have words."""
        plane, scene, facts = self.plane, self.drawing, []
        before = self.sight.first
        for change in self.sight.was:
            step = _step(before, change.value) if len(change.facts) == 1 else 0
            facts += [(fact, change, step) for fact in change.facts]
            before = change.value
        shown_ = [entry for entry in facts if self._within(entry[0].happened_at) or self._within(entry[0].recorded_at)]
        late = [entry for entry in shown_ if plane.x(entry[0].recorded_at) - plane.x(entry[0].happened_at) >= _VISIBLE]
        self.late, self.shown = len(late), len(shown_)
        quiet = [entry for entry in shown_ if entry not in late and self._within(entry[0].happened_at)]
        for fact, change, step in quiet if len(quiet) <= MARKED else ():
            scene.marks.append(Mark(plane.x(fact.happened_at), self._y(change.value), "fact", self._tip(fact, change, step)))
        learned = {}
        for fact, change, step in late:
            if self._within(fact.happened_at):
                scene.marks.append(Mark(plane.x(fact.happened_at), self._y(change.value), "late", self._tip(fact, change, step)))
            if self._within(fact.recorded_at):
                spot = plane.x(fact.recorded_at), self._y(self.sight.believed_at(_moment(fact.recorded_at)))
                learned.setdefault(spot, []).append(in_words(fact, step))
        for (x, y), words in learned.items():
            tip = clean(f"recorded then: {', '.join(words)}", 300)
            scene.marks += [Mark(x, y, "blank", tip), Mark(x, y, "learned", tip)]
        self.taken += [mark.extent() for mark in scene.marks]
        wrong = {id(entry[0]): abs(_size(entry[2])) * (entry[0].recorded_at - entry[0].happened_at) for entry in late}
        names = sum([self._name_late(*entry) for entry in sorted(late, key=lambda entry: -wrong[id(entry[0])])[:LATE]])
        for fact, change, step in sorted(quiet, key=lambda entry: -abs(_size(entry[2]))):
            if names >= NAMED:
                break
            names += self._put(in_words(fact, step), "fact", plane.x(fact.happened_at), self._y(change.value), clear=True)
        return names

    def _name_late(self, fact: StoredEvent, change, step: Any) -> bool:
        """Say a late event where it happened, and go on where it was recorded; or all in one place."""
        words, (then, later) = in_words(fact, step), (self.calendar.words(at) for at in (fact.happened_at, fact.recorded_at))
        if then == later:
            then, later = (self.calendar.words(at, exactly=True) for at in (fact.happened_at, fact.recorded_at))
        on = "at" if self.calendar.virtual or self.calendar.one_day else "on"
        x, y = self.plane.x(fact.happened_at), self._y(change.value)
        there = self.plane.x(fact.recorded_at), self._y(self.sight.believed_at(_moment(fact.recorded_at)))
        if self._within(fact.happened_at) and self._within(fact.recorded_at):
            if self._put(f"{words} {on} {then} …", "late", x, y):
                return self._put(f"… recorded {on} {later}", "late", *there) or True
        at = (x, y) if self._within(fact.happened_at) else there
        return self._put(f"{words} {on} {then}, recorded {on} {later}", "late", *at)

    def _put(self, words: str, kind: str, x: int, y: int, clear: bool = False) -> bool:
        """Write words beside a point where there is room; `clear`: only where no line runs through them."""
        for strict in (True,) if clear else (True, False):
            for anchor, dx, dy in (("start", 8, -11), ("end", -8, -11), ("start", 8, 12), ("end", -8, 12), ("start", 8, -26), ("end", -8, -26), ("start", 8, 27), ("end", -8, 27)):
                label = Label(x + dx, y + dy, clean(words, 90), kind, anchor, clean(words))
                left, top, right, bottom = box = label.extent()
                inside = 2 <= left and right <= self.width - 2 and self.plane.top - 16 <= top and bottom <= self.plane.bottom + 2
                if inside and not any(map(_crosses(box), self.taken)) and not (strict and any(map(_crosses(box), self.strokes))):
                    self.drawing.labels.append(label)
                    self.taken.append(box)
                    return True
        return False

    def _tip(self, fact: StoredEvent, change, step: Any) -> str:
        late = f", recorded {self.calendar.words(fact.recorded_at)}" if fact.late else ""
        when = f"happened {self.calendar.words(fact.happened_at)}{late}"
        return clean(f"{fact.stream} {fact.version}: {in_words(fact, step)}, {when}; then {said(change.value)}", 300)

    def _within(self, at: int) -> bool:
        return self.window[0] <= at <= self.window[1]

    def _y(self, value: Any) -> int:
        return self.plane.bottom if value is None else self.plane.y(value)

    # -- the cursor

    def _cursor(self) -> None:
        plane, scene = self.plane, self.drawing
        at, words = self.cursor, self.calendar.words(self.cursor)
        self.was, self.believed = self.sight.was_at(_moment(at)), self.sight.believed_at(_moment(at))
        x, half = plane.x(at), text_width(words, 11, True) // 2 + 8
        middle = max(half, min(self.width - half, x))
        pill = Box(middle - half, plane.top - 36, 2 * half, 18, "pill")
        scene.cursor = Line(x, plane.top - 18, x, plane.bottom, "cursor"), pill, Label(middle, plane.top - 27, words, "pill", "middle")
        self.told = f"was {said(self.was)}" + ("" if self.was == self.believed else f", believed {said(self.believed)}")
        y = (self._y(self.was) + self._y(self.believed)) // 2
        self._put(self.told, "at cursor", x, y + 11) or self._put(self.told, "at cursor", x, plane.top)

    # -- words

    def _captions(self, named: int) -> None:
        """The legend, and what is not shown, below the plane."""
        scene, plane = self.drawing, self.plane
        x, y = plane.left, plane.bottom + 38
        now = "now" if self.known is None else f"on {self.calendar.words(self.known)}"
        lines = [("was", f"by when it happened, as known {now}"), ("believed", "as it was believed at each moment")]
        for kind, words in lines:
            scene.traces.append(Trace((x, y, x + 28, y), kind))
            scene.labels.append(Label(x + 34, y, words, "caption"))
            x += 34 + text_width(words, 11) + 22
        words = []
        if any(box.kind == "wrong" for box in scene.spans):
            words.append("shaded: what a report made in between got wrong")
        if self.late:
            words.append("filled: when it happened, open: when it was recorded")
        if self.end < self.window[1]:
            words.append("grey: not known yet")
        hidden = len(self.every) - self.shown
        if named < self.shown:
            words.append(f"{named} of {counted(self.shown, 'event')} named")
        if hidden:
            words.append(f"{counted(hidden, 'event')} not shown")
        for line in wrapped(words, " · ", plane.right - plane.left):
            y += 18
            scene.labels.append(Label(plane.left, y, line, "caption"))
        scene.height = y + 12

    def _say(self, about: str, named: int) -> None:
        """What the picture shows, in one line, and for those who cannot see it."""
        scene, sight = self.drawing, self.sight
        last = sight.was[-1].value if sight.was else sight.first
        parts = [counted(self.shown, "event"), *([f"{self.late} recorded late"] if self.late else [])]
        parts.append(f"{said(last)} at the end")
        if sight.wrong:
            worst = max(sight.wrong, key=lambda w: (abs(_size(_step(w.believed, w.was))), w.end - w.start))
            when = f"{self.calendar.words(worst.start)} to {self.calendar.words(worst.end)}"
            parts.append(f"believed {said(worst.believed)} where it was {said(worst.was)} from {when}")
        else:
            parts.append("never believed otherwise")
        at = f" at {self.calendar.words(self.cursor)} ({self.told})" if self.cursor is not None else ""
        known = f" as known on {self.calendar.words(self.known)}" if self.known is not None else ""
        scene.shows = f"{about}{known}{at}: {'; '.join(parts)}"
        scene.alt = clean(scene.shows, 600)


def in_words(fact: StoredEvent, step: Any = 0) -> str:
    """An event in a few words: those of its type, and the number that it is about, which is that by which the state changed
    (`step`) or its only one."""
    words = fact.type
    if words.isidentifier():
        words = " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", words)).lower() or words
    numbers = {name: n for name, n in fact.data.items() if isinstance(n, int | float) and not isinstance(n, bool) and not name.endswith("id")}
    same = [n for n in numbers.values() if step and abs(n) == abs(step)] or [n for n in numbers.values() if len(numbers) == 1]
    if not same:
        return clean(words, 40)
    last = words.split(" ")[-1]
    return clean(f"{last if last[-1:] in 'dnt' else words} {number(same[0])}", 40)


def _step(before: Any, after: Any) -> Any:
    """By how much a value changed; of texts, whether."""
    if isinstance(before, str) or isinstance(after, str) or before is None or after is None:
        return int(before != after)
    return after - before


def _size(step: Any) -> float:
    return float(step)


def _crosses(box: tuple[int, int, int, int]) -> Callable[[tuple[int, int, int, int]], bool]:
    left, top, right, bottom = box
    return lambda other: left - 2 <= other[2] and other[0] <= right + 2 and top <= other[3] and other[1] <= bottom


def _moment(at: int):
    from ..history.moments import as_datetime

    return as_datetime(at)

"""The layout of a timeline: its lanes and their rows, bars, labels and arrows.

Everything is laid out with room for all lines of labels and all tracks of arrows. Then the empty
lines and tracks are removed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain

from ..text import seconds, shorten, text_width
from ..trace.transfers import Outage
from .arrows import BAR, BESIDE, RADIUS, TRACK, TRACKS, head, rounded, route
from .axis import Axis
from .bar_names import name_bars
from .drawn import Drawn
from .items import Bar, Hop, SpanEvent, outage_words
from .labels import LabelPlacer, Taken
from .scene import Arrow, Box, Label, Mark, Scene
from .timeline_labels import place_labels, px_beyond

LEAST = 16  # px: least width of a bar
_DENSE = 0.2  # of the px that the moments need: with fewer, arrows cannot be kept apart
_SPARE = 40  # px after the last moment, at least
_OUTAGE = BAR + 8  # px: high enough to be seen behind a bar
_LINE, _GAP = 15, 30  # px: height of a line of labels, gap between two lanes
_LEVELS = (3, 2, 1, -1, -2)  # lines of labels above and below a row of bars
_ROW = (len(_LEVELS) + 2) * _LINE  # a bar takes two lines
_WITHIN = ("save", "undone", "send", "receive", "note", "doubled", "no answer", "unconfirmed")
_UNMARKED = ("save", "undone", "send", "receive")
Owner = tuple[SpanEvent, bool]  # of an arrow: its source, and whether it is sent again


@dataclass(eq=False)
class Row:
    """A row of bars in a lane, centred at `y`. `outages` are (left, right) in px."""

    lane: int
    y: int
    outages: list[tuple[int, int]] = field(default_factory=list)

    def level(self, number: int) -> int:
        """The middle of a line of labels: 0 is the line of the bars, 1 the first line above them."""
        side = (number > 0) - (number < 0)
        return self.y - number * _LINE - side * 7


class Layout:
    """Lays out the items of a timeline in `scene`, to the right of the names of the lanes.

    `beside` are the items of other timelines with the same lanes and the same axis."""

    def __init__(
        self,
        drawn: Drawn,
        services: list[str],
        scene: Scene,
        top: int,
        beside: Sequence[Drawn] = (),
    ):
        self.drawn, self.scene, self.services, self.window = drawn, scene, services, drawn.window
        self.names = [shorten(name, max(130, scene.width // 5), 13, True) for name in services]
        widest = max([text_width(name, 13, True) for name in self.names], default=40)
        self.left, self.right = widest + 36, scene.width - 12
        self.placer = LabelPlacer(scene, (self.left + 4, 0, self.right - 5, 10**6), _LINE)
        self.rows: dict[tuple[str, int], list[Row]] = {}
        self.marks: list[SpanEvent] = []
        self._tops: list[int] = []  # the y of each lane
        self._tracks, self._used = Taken(TRACK), [0] * (len(services) + 1)
        # The vertical parts of arrows at and next to each x.
        self._beside: defaultdict[int, list[tuple[int, int, Owner]]] = defaultdict(list)
        all_bars = [bar for one in (drawn, *beside) for bar in one.bars]
        self.titles = name_bars(all_bars, drawn.journal)
        self._set_times([drawn, *beside])
        self._set_rows()
        self._set_marks()
        ways = [(hop, route(self, hop)) for hop in drawn.hops]
        for _, way in [] if self.dense else ways:
            self.placer.avoid([*chain.from_iterable(way)])
        for x in self.axis.slits():
            self.placer.avoid((x, 0, x, self._tops[-1]))
        place_labels(self)
        self._draw_bars()
        real = self._squeeze(top)
        for hop, way in ways:
            corners = [(x, real[y]) for x, y in way]
            pointed = "" if hop.stop else head(corners)
            points = rounded(corners, 0 if self.dense else RADIUS)
            scene.arrows.append(Arrow(points, hop.kind, pointed, hop.tip))
            if hop.stop:
                x, y = corners[-1]
                scene.marks.append(Mark(x + 5, y, hop.stop, hop.tip))
        self.top, self.bottom = top + 10, real[-1]
        self.axis.draw(scene, self.top, self.bottom, scene.width)

    # -- x

    def _set_times(self, drawn: list[Drawn]) -> None:
        """Set the axis, and the x of everything that has a time."""
        start, end = self.window
        instants: dict[int, int] = {start: 0, end: 0}
        for one in drawn:
            self._reserve(one, instants)
        left, right = self.left + 10, self.right - _SPARE
        axis = Axis(instants, left, right)
        crowded = axis.shrunk < 1  # then words have no room in any case
        if not crowded and (more := px_beyond(drawn, self.titles, axis, left, self.right - 5)):
            axis = Axis(instants, left, right - min(more, (right - left) // 3))
        self.axis, self.dense = axis, axis.shrunk < _DENSE
        least = max(4, int(LEAST * axis.shrunk) - 2)
        for event in self.drawn.events:
            event.x = axis.x(event.time, event.x)
        for bar in self.drawn.bars:
            bar.x, until = axis.x(bar.start, bar.x), axis.x(end if bar.end is None else bar.end)
            bar.w = max(least, until - bar.x)
            self._set_inner(bar)
        inner = [event for bar in self.drawn.bars for event in bar.inner if event.what == "crash"]
        self._crashes = {(event.service, event.replica, event.time): event.x for event in inner}

    def _reserve(self, drawn: Drawn, instants: dict[int, int]) -> None:
        """Add the times of all items to `instants`, with room for items that take no time."""
        start, end = self.window
        ranks: dict[tuple[str, int, int], int] = {}

        def reserve(item: Bar | SpanEvent, time: int, room: int) -> int:
            """Reserve `room` px for an item in its instant. Return the px before it."""
            key = item.service, item.replica, time
            rank = ranks.get(key, 0)
            ranks[key] = rank + room
            instants[time] = max(instants.get(time, 0), rank + room)
            return rank

        for bar in drawn.bars:
            bar.x = reserve(bar, bar.start, LEAST if bar.start == bar.end else 0)
            for time in (bar.end, *(event.time for event in bar.inner)):
                instants.setdefault(end if time is None else time, 0)
        for event in drawn.events:
            event.x = reserve(event, event.time, 6 if event.what == "receive" else 10)
        for stretch in drawn.stretches:
            for time in (stretch.start, stretch.end):
                if time is not None and start < time < end:
                    instants.setdefault(time, 0)

    def _set_inner(self, bar: Bar) -> None:
        """Set the x of the events in a bar: in order, with the event that ended it at its end."""
        right = bar.x + bar.w
        for number, event in enumerate(bar.inner):
            within = event.what in _WITHIN
            late = right - (4 * (len(bar.inner) - number) if within else 0)
            early = min(bar.x + 3 * (number + 1), right)
            event.x = max(min(self.axis.x(event.time), late), early)
            if not within and event.time == bar.end:  # on the edge, a ring looks like a plus
                event.x = right + 9 * (event.what == "refused")

    def extent(self, stretch: Outage) -> tuple[int, int]:
        """The left and right x of a stretch, limited to what is shown."""
        start, end = self.window
        crash = stretch.service, stretch.replica, stretch.start
        x = self._crashes.get(crash, self.axis.x(max(stretch.start, start)))
        until = end if stretch.end is None else min(stretch.end, end)
        return x, max(x + 3, self.axis.x(until))

    # -- rows

    def _set_rows(self) -> None:
        """Set the rows: overlapping bars are below each other, and each replica has rows of its own."""
        ends: dict[tuple[str, int], list[int]] = {}
        for item in [*self.drawn.bars, *self.drawn.events, *self.drawn.stretches]:
            ends.setdefault((item.service, item.replica), [])
        for bar in sorted(self.drawn.bars, key=lambda bar: bar.x):
            mine = ends[bar.service, bar.replica]
            bar.row = next((row for row, end in enumerate(mine) if end < bar.x), len(mine))
            mine[bar.row : bar.row + 1] = [bar.x + bar.w]
        y = 0
        for lane, name in enumerate(self.services):
            y += _GAP
            self._tops.append(y)
            for key in sorted(key for key in ends if key[0] == name) or [(name, 1)]:
                self.rows[key] = []
                for _ in range(max(1, len(ends.get(key, ())))):
                    self.rows[key].append(Row(lane, y + 4 * _LINE))
                    y += _ROW
        self._tops.append(y + _GAP)
        for bar in self.drawn.bars:
            y = self.row(bar).y
            self.placer.taken.add((bar.x - 1, y - 9, bar.x + bar.w, y + 8))
        for stretch in self.drawn.stretches:
            if stretch.kind != "waiting":
                self.rows[stretch.service, stretch.replica][0].outages.append(self.extent(stretch))

    def _set_marks(self) -> None:
        stand: dict[Row, list[int]] = {}
        for event in self.drawn.all_events():
            if event.what not in _UNMARKED:
                taken = stand.setdefault(row := self.row(event), [])
                while any(abs(event.x - x) < 11 for x in taken) and event.x < self.right - 12:
                    event.x += 1
                taken.append(event.x)
                self.marks.append(event)
                self.placer.taken.add((event.x - 7, row.y - 7, event.x + 6, row.y + 7))
            elif event.what == "send" and not event.bar:
                y = self.row(event).y
                self.placer.taken.add((event.x - 4, y - 4, event.x + 3, y + 4))

    # -- queries for routing arrows

    def row(self, item: Bar | SpanEvent) -> Row:
        bar = item if isinstance(item, Bar) else item.bar
        return self.rows[item.service, item.replica][bar.row if bar else 0]

    def clear(self, row: Row, left: int, right: int) -> bool:
        """Whether an arrow can run along a row from `left` to `right`, clear of bars and outages."""
        outages = any(start < right and left < end for start, end in row.outages)
        return not outages and self.placer.taken.free((left, row.y - 9, right - 1, row.y + 8))

    def track(self, gap: int, x1: int, x2: int) -> int:
        """Reserve a track in the gap above a lane and return its y. If there are many, they share the last."""
        left, right = sorted((x1, x2))
        number, y = 0, self._tops[gap] - 5
        while number < TRACKS - 1 and not self._tracks.free((left, y, right, y)):
            number, y = number + 1, y - TRACK
        self._tracks.add((left - 6, y, right + 6, y))
        self._used[gap] = max(self._used[gap], number + 1)
        return y

    def column(self, first: int, others: Iterable[int], y1: int, y2: int, hop: Hop) -> int:
        """Reserve a vertical part of an arrow and return its x: `first`, or if that is next to an arrow
        with another owner, one of the `others`. If none is free or the picture is dense, it is `first`."""
        if self.dense:
            return first
        top, bottom, owner = min(y1, y2), max(y1, y2), (hop.source, hop.kind == "again")

        def is_free(x: int) -> bool:
            beside = self._beside[x]
            return all(
                end <= top or bottom <= start or other == owner for start, end, other in beside
            )

        x = next(filter(is_free, chain((first,), others)), first)
        for near in range(x - BESIDE + 1, x + BESIDE):
            self._beside[near].append((top, bottom, owner))
        return x

    # -- items

    def _draw_bars(self) -> None:
        """Draw the stretches, bars and marks of the rows."""
        scene = self.scene
        still: defaultdict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        for stretch in self.drawn.stretches:
            y = self.rows[stretch.service, stretch.replica][0].y
            x, right = self.extent(stretch)
            if stretch.kind == "pause":
                still[stretch.service, stretch.replica].append((x, right))
            half = 3 if stretch.kind == "waiting" else _OUTAGE // 2
            until = f" to {seconds(stretch.end)}" if stretch.end is not None else " to the end"
            tip = f"{stretch.service} {outage_words(stretch) or stretch.kind}, {seconds(stretch.start)}{until}"
            right -= 2 * (stretch.kind == "waiting")  # a gap between two questions
            scene.spans.append(Box(x, y - half, right - x, 2 * half, stretch.kind, tip))
        for bar in self.drawn.bars:
            y = self.row(bar).y - BAR // 2
            scene.bars.append(Box(bar.x, y, bar.w, BAR, bar.kind, bar.tip))
            for event in bar.inner:
                if event.what == "save":
                    scene.bars.append(Box(event.x - 1, y, 2, BAR, "saved"))
                elif event.what == "undone":
                    scene.bars.append(Box(event.x - 2, y, 4, BAR, "undone save"))
            for start, end in still[bar.service, bar.replica]:
                left, right = max(bar.x, start) + 1, min(bar.x + bar.w, end) - 1
                if left < right:
                    scene.bars.append(Box(left, y + 1, right - left, BAR - 2, "still", bar.tip))
        sends = [event for event in self.drawn.events if event.what == "send"]
        sent = "published" if all(event.service == "client" for event in sends) else "sent"
        for event in [*self.marks, *sends]:
            what = sent if event.what == "send" else event.what
            scene.marks.append(Mark(event.x, self.row(event).y, what, event.tip))

    def _squeeze(self, top: int) -> list[int]:
        """Remove the empty lines. Return the new y of each y."""
        keep, taken = bytearray(self._tops[-1]), self.placer.taken
        for gap, end in enumerate(self._tops):
            room = TRACK * self._used[gap] + (10 if gap < len(self.services) else 0)
            keep[end - room : end] = b"\1" * room
        for row in (row for rows in self.rows.values() for row in rows):
            keep[row.y - 14 : row.y + 14] = b"\1" * 28
            for level in _LEVELS:
                y = row.level(level)
                if level == 1 or not taken.free((self.left, y, self.right, y)):
                    keep[y - 7 : y + 8] = b"\1" * _LINE
        real = list(accumulate(keep, initial=top))
        scene = self.scene
        for box in (*scene.spans, *scene.bars):
            box.y = real[box.y]
        for item in (*scene.labels, *scene.marks):
            item.y = real[item.y]
        self._draw_lanes(real)
        return real

    def _draw_lanes(self, real: list[int]) -> None:
        scene, left = self.scene, self.left
        for lane, (name, short) in enumerate(zip(self.services, self.names, strict=True)):
            y, end = real[self._tops[lane]], real[self._tops[lane + 1] - _GAP]
            scene.lanes.append(Box(left, y, self.right - left, end - y, "lane", name))
            scene.labels.append(Label(left - 22, (y + end) // 2, short, "lane", "end", name))
            replicas = [key for key in self.rows if key[0] == name]
            for key in replicas if len(replicas) > 1 else ():
                y, number = real[self.rows[key][0].y], key[1]
                text, tip = str(number), f"replica {number}"
                scene.labels.append(Label(left - 6, y, text, "replica", "end", tip))

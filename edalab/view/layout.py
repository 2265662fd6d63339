"""Where the items of a timeline stand: lanes and their rows, bars, words and arrows.

x is settled first, then rows, routes and words; y comes last, when it is known how many lines of
words a row needs.
"""

from ..text import clean, seconds, shorten, text_width
from .arrows import TRACK, arrow, route
from .axis import Axis
from .scene import Box, Label, Mark, Scene
from .drawn import Bar, Drawn, Event, Stretch
from .words import BAR, LINE, Row, place_words

LEAST, GAP = 16, 10  # px: least width of a bar, between lanes


class Layout:
    """Lays out what is drawn of a trace into `scene`, to the right of the names of the lanes."""

    def __init__(
        self, drawn: Drawn, services: list[str], window: tuple[int, int], scene: Scene, top: int
    ):
        self.drawn, self.scene, self.services, self.window = drawn, scene, services, window
        names = [shorten(name, 130, 13, True) for name in services]
        widest = max([text_width(name, 13, True) for name in names], default=40)
        self.left, self.right = widest + 36, scene.width - 12
        self.top = top
        self.lane_of = {name: number for number, name in enumerate(services)}
        self.rows: dict[tuple[str, int], list[Row]] = {}
        self.row_of: dict[Bar, Row] = {}
        self.tracks: list[list[list[tuple[int, int]]]] = [[] for _ in range(len(services) + 1)]
        self.events: list[Event] = [p for p in drawn.events if window[0] <= p.time <= window[1]]
        self.words: list[tuple[Row, int, int, str, str]] = []
        self.spoken: set[tuple] = set()
        self._set_times()
        self._set_rows()
        routes = [route(self, link) for link in drawn.links]
        place_words(self)
        self._set_heights()
        self._emit()
        for link, way in zip(drawn.links, routes):
            if way:
                self.scene.arrows.append(arrow(self, link, *way))

    # -- x

    def _set_times(self) -> None:
        """The axis, and the x of all that has a time. What takes no time gets room within its instant."""
        start, end = self.window
        instants = {start: 0, end: 0}
        ranks: dict[tuple, int] = {}

        def moment(item: Bar | Event, time: int, room: int) -> int:
            at = item.service, item.replica, time
            rank = ranks.get(at, 0)
            ranks[at] = rank + room
            instants[time] = max(instants.get(time, 0), rank + room)
            return rank

        for bar in self.drawn.bars:
            begin, stop = bar.start, end if bar.end is None else bar.end
            bar.x = moment(bar, begin, LEAST if begin == stop else 0)
            instants.setdefault(stop, 0)
            for event in bar.inner:
                instants.setdefault(event.time, 0)
        for event in self.events:
            event.rank = moment(event, event.time, 10 if event.what != "hear" else 0)
        for span in self.drawn.stretches:
            for time in (span.start, span.end):
                if time is not None and start < time < end:
                    instants.setdefault(time, 0)
        last = max(self.drawn.bars, key=lambda bar: bar.start, default=None)
        words = text_width(f"{last.type} {last.subject or last.words}", 11, True) if last else 0
        self.axis = Axis(instants, self.left + 10, self.right - max(40, min(150, words - 10)))
        least = max(4, int(LEAST * self.axis.shrunk) - 2)
        for bar in self.drawn.bars:
            end_x = self.axis.x(end if bar.end is None else bar.end)
            bar.x = self.axis.x(bar.start, bar.x)
            bar.w = max(least, end_x - bar.x)
            right = bar.x + bar.w
            for number, event in enumerate(bar.inner):
                at_end = event.what not in (
                    "save",
                    "send",
                    "hear",
                    "note",
                    "doubled",
                    "no answer",
                    "unconfirmed",
                )
                late = right - (0 if at_end else 4 * (len(bar.inner) - number))
                early = min(bar.x + 3 * (number + 1), right)
                event.x = max(min(self.axis.x(event.time), late), early)
                if at_end and event.time == bar.end:
                    event.x = right
        for event in self.events:
            event.x = self.axis.x(event.time, event.rank)

    # -- rows

    def _set_rows(self) -> None:
        """Bars that overlap stand in rows below each other, each replica in rows of its own."""
        stacked: dict[tuple[str, int], list[int]] = {}
        for item in [*self.drawn.bars, *self.events, *self.drawn.stretches]:
            stacked.setdefault((item.service, item.replica), [])
        for bar in sorted(self.drawn.bars, key=lambda bar: bar.x):
            ends = stacked[bar.service, bar.replica]
            for row, end in enumerate(ends):
                if end < bar.x:
                    break
            else:
                row = len(ends)
                ends.append(0)
            bar.row, ends[row] = row, bar.x + bar.w
        for number, name in enumerate(self.services):
            keys = sorted(key for key in stacked if key[0] == name) or [(name, 1)]
            for key in keys:
                self.rows[key] = [Row(number) for _ in range(max(1, len(stacked.get(key, ()))))]
        for bar in self.drawn.bars:
            row = self.row_of[bar] = self.rows[bar.service, bar.replica][bar.row]
            row.take(0, bar.x - 1, bar.x + bar.w + 1)
        for span in self.drawn.stretches:
            if span.kind != "waiting" and span.service in self.lane_of and self.within(span):
                x, width = self.extent(span)
                self.rows[span.service, span.replica][0].spans.append((x, x + width))
        self.marks: list[tuple[Event, Row]] = []
        inner = [event for bar in self.drawn.bars for event in bar.inner]
        for event in [*inner, *self.events]:
            if event.what not in ("save", "send", "hear"):
                row = self.row(event)
                taken = [other.x for other, its in self.marks if its is row]
                while any(abs(event.x - x) < 11 for x in taken) and event.x < self.right - 12:
                    event.x += 1
                self.marks.append((event, row))
                row.take(0, event.x - 7, event.x + 7)
            elif event.what == "send" and not event.bar:
                self.row(event).take(0, event.x - 4, event.x + 4)

    def extent(self, span: Stretch) -> tuple[int, int]:
        """The x and the width of a stretch, as far as it is within the window."""
        start, end = self.window
        x = self.axis.x(max(span.start, start))
        return x, max(3, self.axis.x(end if span.end is None else min(span.end, end)) - x)

    def within(self, span: Stretch) -> bool:
        return span.start <= self.window[1] and (span.end is None or span.end >= self.window[0])

    def row(self, item: Bar | Event) -> Row:
        bar = item if isinstance(item, Bar) else item.bar
        return self.row_of[bar] if bar else self.rows[item.service, item.replica][0]

    # -- y

    def _set_heights(self) -> None:
        y, self.boxes = self.top, []
        for number, name in enumerate(self.services):
            y += GAP + TRACK * len(self.tracks[number])
            start = y
            for key, rows in self.rows.items():
                if key[0] == name:
                    for row in rows:
                        row.y = y + 2 + LINE * row.above + BAR // 2
                        y = row.y + BAR // 2 + LINE * row.below + (2 if row.below else 6)
            self.boxes.append((start, y - start))
        self.bottom = y + TRACK * len(self.tracks[-1])

    # -- items

    def _emit(self) -> None:
        scene, left, right = self.scene, self.left, self.right
        for name, (y, height) in zip(self.services, self.boxes):
            scene.lanes.append(Box(left, y, right - left, height, "lane", name))
            short = shorten(name, 130, 13, True)
            scene.labels.append(Label(left - 22, y + height // 2, short, "lane", "end", name))
            replicas = [key[1] for key in self.rows if key[0] == name]
            for replica in replicas if len(replicas) > 1 else ():
                y, tip = self.rows[name, replica][0].y, f"replica {replica}"
                scene.labels.append(Label(left - 6, y, str(replica), "replica", "end", tip))
        self.axis.draw(scene, self.top + GAP, self.bottom, scene.width, 14)
        for span in self.drawn.stretches:
            rows = self.rows.get((span.service, span.replica))
            if rows and self.within(span):
                half = 3 if span.kind == "waiting" else BAR // 2
                until = f" to {seconds(span.end)}" if span.end is not None else " to the end"
                tip = f"{span.service} {span.words or span.kind}, {seconds(span.start)}{until}"
                x, width = self.extent(span)
                scene.spans.append(Box(x, rows[0].y - half, width, 2 * half, span.kind, tip))
        for bar in self.drawn.bars:
            y, kind = self.row(bar).y - BAR // 2, "struck" if bar.struck else "handled"
            scene.bars.append(Box(bar.x, y, bar.w, BAR, kind, _tip(bar)))
            for event in bar.inner:
                if event.what == "save":
                    scene.bars.append(Box(event.x - 1, y, 2, BAR, "saved"))
        for event, row in self.marks:
            scene.marks.append(Mark(event.x, row.y, event.what, event.tip))
        for event in self.events:
            if event.what == "send":
                scene.marks.append(Mark(event.x, self.row(event).y, "published", event.tip))
        for row, level, x, text, kind in self.words:
            until, y = x + text_width(text, 11, True), row.y
            if level:
                y += (BAR // 2 + LINE * abs(level) - LINE // 2) * (-1 if level > 0 else 1)
            elif kind == "struck" and any(start <= x and until <= end for start, end in row.spans):
                kind = "on span"
            scene.labels.append(Label(x, y, text, kind))


def _tip(bar: Bar) -> str:
    """The tool-tip of a bar."""
    until = seconds(bar.end) if bar.end is not None else "unfinished"
    replica = f" replica {bar.replica}" if bar.replica > 1 else ""
    about = f" ({bar.subject})" if bar.subject else ""
    handled = f"{bar.type} {bar.id}{about}, {seconds(bar.start)} to {until}"
    inner = [
        f"saved at {seconds(event.time)}" if event.what == "save" else event.words
        for event in bar.inner
    ]
    parts = [f"{bar.service}{replica}: {handled}", bar.words, *inner]
    return clean(", ".join(filter(None, parts)), 300)

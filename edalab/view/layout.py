"""Where the items of a story stand: lanes and their rows, bars, words that find room, arrows that find a way.

x is settled first, then rows, ways and words; y comes last, when it is known how many lines of words a row needs.
"""

from ..text import clean, seconds, shorten, text_width
from .arrows import TRACK, arrow, route
from .axis import Axis
from .rows import BAR, LINE, Row
from .scene import Box, Label, Line, Mark, Scene
from .story import Handling, Point, Story
from .words import place_words

LEAST, GAP = 16, 10  # px: least width of a bar, between lanes


class Layout:
    """Lays a story out into `scene`, between the names of the lanes at the left and the scene's right edge."""

    def __init__(
        self, story: Story, services: list[str], window: tuple[int, int], scene: Scene, top: int
    ):
        self.story, self.scene, self.services, self.window = story, scene, services, window
        widest = max(
            [text_width(shorten(name, 130, 13, True), 13, True) for name in services], default=40
        )
        self.left, self.right = widest + 36, scene.width - 12
        self.top = top
        self.lane_of = {name: number for number, name in enumerate(services)}
        self.rows: dict[tuple[str, int], list[Row]] = {}
        self.row_of: dict[Handling, Row] = {}
        self.tracks: list[list[list[tuple[int, int]]]] = [[] for _ in range(len(services) + 1)]
        self.points: list[Point] = [p for p in story.points if window[0] <= p.time <= window[1]]
        self.words: list[tuple[Row, int, int, str, str]] = []
        self.spoken: set[tuple] = set()
        self._set_times()
        self._set_rows()
        routes = [route(self, passage) for passage in story.passages]
        place_words(self)
        self._set_heights()
        self._emit()
        for passage, way in zip(story.passages, routes):
            if way:
                self.scene.arrows.append(arrow(self, passage, *way))

    # -- x

    def _set_times(self) -> None:
        """The axis, and the x of all that has a time. What takes no time gets room of its own within its instant."""
        start, end = self.window
        instants = {start: 0, end: 0}
        ranks: dict[tuple, int] = {}

        def moment(item: Handling | Point, time: int, room: int) -> int:
            at = item.service, item.replica, time
            rank = ranks.get(at, 0)
            ranks[at] = rank + room
            instants[time] = max(instants.get(time, 0), rank + room)
            return rank

        for handling in self.story.handlings:
            begin, stop = handling.start, end if handling.end is None else handling.end
            handling.x = moment(handling, begin, LEAST if begin == stop else 0)
            instants.setdefault(stop, 0)
            for point in handling.inner:
                instants.setdefault(point.time, 0)
        for point in self.points:
            point.rank = moment(point, point.time, 10 if point.what != "hear" else 0)
        for span in self.story.spans:
            for time in (span.start, span.end):
                if time is not None and start < time < end:
                    instants.setdefault(time, 0)
        last = max(self.story.handlings, key=lambda handling: handling.start, default=None)
        words = text_width(f"{last.type} {last.subject or last.words}", 11, True) if last else 0
        self.axis = Axis(instants, self.left + 10, self.right - max(40, min(150, words - 10)))
        least = max(4, int(LEAST * self.axis.shrunk) - 2)
        for handling in self.story.handlings:
            end_x = self.axis.x(end if handling.end is None else handling.end)
            handling.x = self.axis.x(handling.start, handling.x)
            handling.w = max(least, end_x - handling.x)
            right = handling.x + handling.w
            for number, point in enumerate(handling.inner):
                at_end = point.what not in ("save", "send", "hear", "note", "doubled", "no answer")
                late = right - (0 if at_end else 4 * (len(handling.inner) - number))
                point.x = max(
                    min(self.axis.x(point.time), late), min(handling.x + 3 * (number + 1), right)
                )
                if at_end and point.time == handling.end:
                    point.x = right
        for point in self.points:
            point.x = self.axis.x(point.time, point.rank)
        for span in self.story.spans:
            span.x = self.axis.x(max(span.start, start))
            span.w = max(3, self.axis.x(end if span.end is None else min(span.end, end)) - span.x)

    # -- rows

    def _set_rows(self) -> None:
        """Handlings that overlap stand in rows below each other, each replica in rows of its own."""
        stacked: dict[tuple[str, int], list[int]] = {}
        for item in [*self.story.handlings, *self.points, *self.story.spans]:
            stacked.setdefault((item.service, item.replica), [])
        for handling in sorted(self.story.handlings, key=lambda handling: handling.x):
            ends = stacked[handling.service, handling.replica]
            for row, end in enumerate(ends):
                if end < handling.x:
                    break
            else:
                row = len(ends)
                ends.append(0)
            handling.row, ends[row] = row, handling.x + handling.w
        for number, name in enumerate(self.services):
            keys = sorted(key for key in stacked if key[0] == name) or [(name, 1)]
            for key in keys:
                self.rows[key] = [Row(number) for _ in range(max(1, len(stacked.get(key, ()))))]
        for handling in self.story.handlings:
            row = self.row_of[handling] = self.rows[handling.service, handling.replica][
                handling.row
            ]
            row.take(0, handling.x - 1, handling.x + handling.w + 1)
        for span in self.story.spans:
            if span.kind != "waiting" and span.service in self.lane_of and self.within(span):
                self.rows[span.service, span.replica][0].spans.append((span.x, span.x + span.w))
        self.marks: list[tuple[Point, Row]] = []
        inner = [point for handling in self.story.handlings for point in handling.inner]
        for point in [*inner, *self.points]:
            if point.what not in ("save", "send", "hear"):
                row = self.row(point)
                taken = [other.x for other, its in self.marks if its is row]
                while any(abs(point.x - x) < 11 for x in taken) and point.x < self.right - 12:
                    point.x += 1
                self.marks.append((point, row))
                row.take(0, point.x - 7, point.x + 7)
            elif point.what == "send" and not point.handling:
                self.row(point).take(0, point.x - 4, point.x + 4)

    def within(self, span) -> bool:
        return span.start <= self.window[1] and (span.end is None or span.end >= self.window[0])

    def row(self, item: Handling | Point) -> Row:
        handling = item if isinstance(item, Handling) else item.handling
        return self.row_of[handling] if handling else self.rows[item.service, item.replica][0]

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
            scene.labels.append(
                Label(left - 22, y + height // 2, shorten(name, 130, 13, True), "lane", "end", name)
            )
            replicas = [key for key in self.rows if key[0] == name]
            if len(replicas) > 1:
                for key in replicas:
                    y = self.rows[key][0].y
                    scene.labels.append(
                        Label(left - 6, y, str(key[1]), "replica", "end", f"replica {key[1]}")
                    )
        self._emit_axis()
        for span in self.story.spans:
            rows = self.rows.get((span.service, span.replica))
            if rows and self.within(span):
                half = 3 if span.kind == "waiting" else BAR // 2
                until = f" to {seconds(span.end)}" if span.end is not None else " to the end"
                tip = f"{span.service} {span.words or span.kind}, {seconds(span.start)}{until}"
                scene.spans.append(Box(span.x, rows[0].y - half, span.w, 2 * half, span.kind, tip))
        for handling in self.story.handlings:
            row = self.row(handling)
            kind = "struck" if handling.struck else "handled"
            scene.bars.append(
                Box(handling.x, row.y - BAR // 2, handling.w, BAR, kind, told(handling))
            )
            for point in handling.inner:
                if point.what == "save":
                    scene.bars.append(Box(point.x - 1, row.y - BAR // 2, 2, BAR, "saved"))
        for point, row in self.marks:
            scene.marks.append(Mark(point.x, row.y, point.what, point.tip))
        for point in self.points:
            if point.what == "send":
                scene.marks.append(Mark(point.x, self.row(point).y, "published", point.tip))
        for row, level, x, text, kind in self.words:
            until = x + text_width(text, 11, True)
            on_span = (
                kind == "struck"
                and not level
                and any(start <= x and until <= end for start, end in row.spans)
            )
            offset = (
                0
                if not level
                else (BAR // 2 + LINE * abs(level) - LINE // 2) * (-1 if level > 0 else 1)
            )
            scene.labels.append(Label(x, row.y + offset, text, "on span" if on_span else kind))

    def _emit_axis(self) -> None:
        scene, top = self.scene, self.top + GAP
        for start, end, begin, until in self.axis.cuts:
            middle = (start + end) // 2
            for x in (middle - 3, middle + 3):
                scene.lines.append(
                    Line(x, top, x, self.bottom, "break", f"{seconds(until - begin)} cut short")
                )
        last = -100
        for x, text in self.axis.ticks():
            width = text_width(text, 10)
            if x - width // 2 > last + 8 and x + width // 2 < scene.width:
                scene.lines.append(Line(x, top, x, self.bottom, "grid"))
                scene.labels.append(Label(x, self.bottom + 14, text, "axis", "middle"))
                last = x + width // 2


def told(handling: Handling) -> str:
    """A handling in words, for its tool-tip."""
    until = seconds(handling.end) if handling.end is not None else "unfinished"
    who = handling.service + (f" replica {handling.replica}" if handling.replica > 1 else "")
    about = f" ({handling.subject})" if handling.subject else ""
    said = f"{who}: {handling.type} {handling.id}{about}, {seconds(handling.start)} to {until}"
    inner = [
        f"saved at {seconds(point.time)}" if point.what == "save" else point.words
        for point in handling.inner
    ]
    return clean(", ".join(filter(None, [said, handling.words, *inner])), 300)

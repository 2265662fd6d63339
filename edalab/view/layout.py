"""Where the items of a story stand: lanes and their rows, bars, words that find room, arrows that find a way.

x is settled first, then rows, then ways, then words; y comes last, when it is known how many lines of words a row needs.
"""

from .axis import Axis
from .look import LABELS
from .scene import Arrow, Box, Label, Line, Mark, Scene
from .story import Handling, Passage, Point, Story
from .text import counted, seconds, shorten, text_width

BAR, LINE, LEAST = 18, 15, 16  # px: height of a bar, of a line of words; least width of a bar
GAP, TRACK = 10, 4  # px between lanes, and for each arrow that runs there
_WORDS = LABELS["struck"]


class Row:
    """One line of bars. `taken` says what stands at which level: 0 the bars, 1, 2 … words above, -1, -2 … below;
    `wires` likewise, where arrows pass: words avoid them if they can."""

    def __init__(self, lane: int):
        self.lane, self.y = lane, 0
        self.above, self.below = 1, 0  # lines of words
        self.spans: list[tuple[int, int]] = []
        self.taken: dict[tuple[int, int], list[tuple[int, int]]] = {}  # (level, x // 64) -> from x, to x
        self.wires: dict[tuple[int, int], list[tuple[int, int]]] = {}  # level 1 above, -1 below

    def free(self, level: int, left: int, right: int, wires: bool = False) -> bool:
        side = 1 if level > 0 else -1
        for cell in range(left >> 6, (right >> 6) + 1):
            for start, end in self.taken.get((level, cell), ()):
                if start < right and left < end:
                    return False
            if wires and level:
                for start, end in self.wires.get((side, cell), ()):
                    if start < right and left < end:
                        return False
        return True

    def clear(self, left: int, right: int) -> bool:
        """Whether an arrow can run along the bars' level."""
        return self.free(0, left, right) and not any(start < right and left < end for start, end in self.spans)

    def take(self, level: int, left: int, right: int) -> None:
        self.above, self.below = max(self.above, level), max(self.below, -level)
        for cell in range(left >> 6, (right >> 6) + 1):
            self.taken.setdefault((level, cell), []).append((left, right))

    def pass_wire(self, left: int, right: int, above: bool = True, below: bool = True) -> None:
        for cell in range((left - 2) >> 6, ((right + 2) >> 6) + 1):
            if above:
                self.wires.setdefault((1, cell), []).append((left - 2, right + 2))
            if below:
                self.wires.setdefault((-1, cell), []).append((left - 2, right + 2))


class Layout:
    """Lays a story out into `scene`, between the names of the lanes at the left and the scene's right edge."""

    def __init__(self, story: Story, services: list[str], window: tuple[int, int], scene: Scene, top: int):
        self.story, self.scene, self.services, self.window = story, scene, services, window
        widest = max([text_width(shorten(name, 130, 13, True), 13, True) for name in services], default=40)
        self.left, self.right = widest + 36, scene.width - 12
        self.top = top
        self.lane_of = {name: number for number, name in enumerate(services)}
        self.rows: dict[tuple[str, int], list[Row]] = {}
        self.tracks: list[list[list[tuple[int, int]]]] = [[] for _ in range(len(services) + 1)]
        self.points: list[Point] = [p for p in story.points if window[0] <= p.time <= window[1]]
        self.words: list[tuple[Row, int, int, str, str]] = []
        self.spoken: set[tuple] = set()
        self._set_times()
        self._set_rows()
        routes = [self._route(passage) for passage in story.passages]
        self._place_words()
        self._set_heights()
        self._emit()
        for passage, route in zip(story.passages, routes):
            if route:
                self.scene.arrows.append(self._arrow(passage, *route))

    # -- x

    def _set_times(self) -> None:
        """The axis, and the x of all that has a time. What takes no time gets room of its own within its instant."""
        start, end = self.window
        instants = {start: 0, end: 0}
        ranks: dict[tuple, int] = {}

        def moment(key: tuple, time: int, room: int) -> int:
            rank = ranks.get((*key, time), 0)
            ranks[*key, time] = rank + room
            instants[time] = max(instants.get(time, 0), rank + room)
            return rank

        for handling in self.story.handlings:
            key = handling.service, handling.replica
            begin, stop = handling.start, end if handling.end is None else handling.end
            handling.x = moment(key, begin, LEAST if begin == stop else 0)
            instants.setdefault(stop, 0)
            for point in handling.inner:
                instants.setdefault(point.time, 0)
        for point in self.points:
            point.rank = moment((point.service, point.replica), point.time, 10 if point.what != "hear" else 0)
        for span in self.story.spans:
            for time in (span.start, span.end):
                if time is not None and start < time < end:
                    instants.setdefault(time, 0)
        last = max(self.story.handlings, key=lambda handling: handling.start, default=None)
        words = text_width(f"{last.type} {last.subject or last.words}", 11, True) if last else 0
        self.axis = Axis(instants, self.left + 10, self.right - max(40, min(150, words - 10)))
        for handling in self.story.handlings:
            end_x = self.axis.x(end if handling.end is None else handling.end)
            rank, handling.x = handling.x, self.axis.x(handling.start, handling.x)
            least = max(4, int(LEAST * self.axis.shrunk) - 2)
            handling.w = max(least, end_x - handling.x)
            right = handling.x + handling.w
            for number, point in enumerate(handling.inner):
                at_end = point.what not in ("save", "send", "hear", "note", "doubled", "no answer")
                late = right - (0 if at_end else 4 * (len(handling.inner) - number))
                point.x = max(min(self.axis.x(point.time), late), min(handling.x + 3 * (number + 1), right))
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
            self._row(handling).take(0, handling.x - 1, handling.x + handling.w + 1)
        for span in self.story.spans:
            if span.kind != "waiting" and span.service in self.lane_of and self._within(span):
                self.rows[span.service, span.replica][0].spans.append((span.x, span.x + span.w))
        self.marks: list[tuple[Point, Row]] = []
        inner = [point for handling in self.story.handlings for point in handling.inner]
        for point in [*inner, *self.points]:
            row = self._row(point)
            if point.what not in ("save", "send", "hear"):
                taken = [other.x for other, its in self.marks if its is row]
                while any(abs(point.x - x) < 11 for x in taken) and point.x < self.right - 12:
                    point.x += 1
                self.marks.append((point, row))
                row.take(0, point.x - 7, point.x + 7)
            elif point.what == "send" and not point.handling:
                row.take(0, point.x - 4, point.x + 4)

    def _within(self, span) -> bool:
        return span.start <= self.window[1] and (span.end is None or span.end >= self.window[0])

    def _row(self, item: Handling | Point) -> Row:
        handling = item if isinstance(item, Handling) else item.handling
        return self.rows[item.service, item.replica][handling.row if handling else 0]

    # -- ways

    def _route(self, passage: Passage):
        """How an arrow goes: (way, x1, row, x2, row, side it comes from, track)."""
        source, target = passage.source, passage.target
        if source.service not in self.lane_of or source.time < self.window[0]:
            return None
        row = self._row(source)
        if passage.stop or target is None:
            row.take(-1, source.x - 2, source.x + 23)
            return "stub", source.x, row, source.x + 16, row, 1, 0
        if target.service not in self.lane_of or (isinstance(target, Point) and target.time < self.window[0]):
            return None
        goal = self._row(target)
        down = goal.lane > row.lane or goal.lane == row.lane and goal is not row and goal.lane >= row.lane
        between = [r for rows in self.rows.values() for r in rows if min(row.lane, goal.lane) < r.lane < max(row.lane, goal.lane)]
        x1, x2 = source.x, target.x
        if row is goal and source.handling is not target:
            begin = source.handling.x + source.handling.w + 1 if source.handling else x1 + 5
            begin = max(begin, x1 + 8 if source.what == "failed" else 0)
            if isinstance(target, Handling) and x2 - begin >= 8 and row.clear(begin, x2 - 2):
                row.take(0, begin, x2)
                return "straight", begin, row, x2, goal, 1, 0
        elif row is not goal and (isinstance(target, Point) or x2 - x1 < 14):
            x2 += 0 if isinstance(target, Point) else min(5, target.w // 2)
            row.pass_wire(x1, x1, above=not down, below=down)
            goal.take(1 if down else -1, x2 - 5, x2 + 5)
            for other in between:
                other.pass_wire(min(x1, x2), max(x1, x2))
            return "drop", x1, row, x2, goal, 1 if down else -1, 0
        elif row is not goal and goal.clear(x1 + 2, x2 - 2):
            row.pass_wire(x1, x1, above=not down, below=down)
            goal.pass_wire(x1, min(x2, x1 + 10), above=down, below=not down)
            for other in between:
                other.pass_wire(x1, x1 + 3)
            return "curve", x1, row, x2, goal, 1 if down else -1, 0
        # Something stands in the way: along the gap beside the target's lane, and into the bar from its side or its edge.
        side = 1 if row.lane <= goal.lane else -1
        room = isinstance(target, Handling) and goal.free(0, x2 - 15, x2 - 1)
        enter = x2 - 12 if room else x2 + (min(5, target.w // 2) if isinstance(target, Handling) else 0)
        gap = goal.lane if side > 0 else goal.lane + 1
        track = self._track(gap, min(x1, enter), max(x1, enter))
        leaves_up = row.lane >= goal.lane if side > 0 else True
        row.pass_wire(x1, x1, above=leaves_up, below=not leaves_up)
        goal.pass_wire(enter, enter, above=side > 0, below=side < 0)
        if not room:
            goal.take(side, enter - 5, enter + 5)
        for other in between:
            other.pass_wire(x1, x1)
        return "over" if room else "over top", x1, row, enter if not room else x2, goal, side, track

    def _track(self, gap: int, left: int, right: int) -> int:
        """A line of its own in the gap between two lanes; where there are many they share."""
        tracks = self.tracks[gap]
        for number, taken in enumerate(tracks):
            if all(right < start or end < left for start, end in taken):
                taken.append((left - 6, right + 6))
                return number
        if len(tracks) < 5:
            tracks.append([(left - 6, right + 6)])
            return len(tracks) - 1
        return len(tracks) - 1

    # -- words

    def _place_words(self) -> None:
        """What went wrong speaks first; what is healthy is said where there is room left; the rest is in the tool-tips."""
        marks = [(point, row) for point, row in self.marks if point.words and not self._said_already(point)]
        for handling in self.story.handlings:
            if handling.struck:
                self._say_bar(handling, "struck")
        for span in self.story.spans:
            if span.words and span.service in self.lane_of and self._within(span):
                x, row = span.x + 6, self.rows[span.service, span.replica][0]
                self._try(row, "struck", [span.words], [(level, x, "start") for level in (0, 1, -1, 2)])
        for point, row in marks:
            if point.what not in ("takeover", "note"):
                self._say_mark(point, row, "struck")
        for passage in self.story.passages:
            if passage.words and self._row(passage.source).lane >= 0:
                x = passage.source.x
                places = ((-1, x + 26, "start"), (-1, x - 4, "end"), (-2, x, "start"), (1, x, "start"))
                self._try(self._row(passage.source), "remark" if passage.stop == "unheard" else "struck", [passage.words], places)
        for point, row in marks:
            if point.what in ("takeover", "note"):
                self._say_mark(point, row, "remark")
        for handling in self.story.handlings:
            if not handling.struck:
                self._say_bar(handling, "handled")

    def _said_already(self, point: Point) -> bool:
        """Whether its words would only repeat those of its neighbour: an error after its cause, the same error once more."""
        handling = point.handling
        if point.what != "failed" or handling is None:
            return False
        key = (handling.service, handling.id, point.words)
        again = key in self.spoken
        self.spoken.add(key)
        return again or any(other.what in ("no answer", "dead letter") for other in handling.inner)

    def _say_mark(self, point: Point, row: Row, kind: str) -> None:
        x, handling = point.x, point.handling
        beside = x
        if handling:  # words beside it begin behind its handling and what else is marked there
            beside = max([handling.x + handling.w, *(other.x for other in handling.inner if other.words)])
        places = [(0, beside + 11, "start")]
        places += [(-1, x - 5, "start"), (-1, x, "middle"), (-1, x + 6, "end")]
        places += [(level, x + shift, anchor) for level in (1, 2, -2, 3) for shift, anchor in ((-5, "start"), (6, "end"))]
        self._try(row, kind, [shorten(point.words, 300, 11, True)], places)

    def _say_bar(self, handling: Handling, kind: str) -> None:
        row, x, name = self._row(handling), handling.x, handling.type
        if handling.words:
            texts = [f"{name}: {handling.words}", handling.words]
        else:
            texts = [f"{name} {handling.subject}", name] if handling.subject and len(handling.subject) <= 12 else [name]
        ends = ((x, "start"), (x + 12, "start"), (x + handling.w, "end"))
        levels = (1, -1, 2, -2) if kind == "struck" else (1, -1)
        self._try(row, kind, texts, [(level, at, anchor) for level in levels for at, anchor in ends])

    def _try(self, row: Row, kind: str, texts: list[str], places) -> None:
        """Put the first text that fits at the first place where it does; what is healthy gets out of the way of arrows."""
        look = LABELS[kind]
        tries = [(text, wires) for wires in (True, False) for text in texts]
        if kind == "struck":
            tries = [(text, wires) for text in texts for wires in (True, False)]
        for text, wires in tries:
            width = text_width(text, look.size, look.bold)
            for level, x, anchor in places:
                left = x - {"start": 0, "middle": width // 2, "end": width}[anchor]
                if left >= self.left + 4 and left + width <= self.right - 5 and row.free(level, left - 3, left + width + 3, wires):
                    return self._put(row, level, left, text, kind, width)
        for level, x, anchor in places:  # shortened, at the first place where it says anything
            for room in (110, 80, 50):
                if anchor == "start" and x + room < self.right - 4 and row.free(level, x - 3, x + room):
                    text = shorten(texts[-1], room - 3, look.size, look.bold)
                    if text:
                        return self._put(row, level, x, text, kind, text_width(text, look.size, look.bold))
                    break

    def _put(self, row: Row, level: int, x: int, text: str, kind: str, width: int) -> None:
        row.take(level, x, x + width)
        self.words.append((row, level, x, text, kind))

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
            scene.labels.append(Label(left - 22, y + height // 2, shorten(name, 130, 13, True), "lane", "end", name))
            replicas = [key for key in self.rows if key[0] == name]
            if len(replicas) > 1:
                for key in replicas:
                    scene.labels.append(Label(left - 6, self.rows[key][0].y, str(key[1]), "replica", "end", f"replica {key[1]}"))
        self._emit_axis()
        for span in self.story.spans:
            rows = self.rows.get((span.service, span.replica))
            if rows and self._within(span):
                half = 3 if span.kind == "waiting" else BAR // 2
                until = f" to {seconds(span.end)}" if span.end is not None else " to the end"
                tip = f"{span.service} {span.words or span.kind}, {seconds(span.start)}{until}"
                scene.spans.append(Box(span.x, rows[0].y - half, span.w, 2 * half, span.kind, tip))
        for handling in self.story.handlings:
            row = self._row(handling)
            scene.bars.append(Box(handling.x, row.y - BAR // 2, handling.w, BAR, "struck" if handling.struck else "handled", told(handling)))
            for point in handling.inner:
                if point.what == "save":
                    scene.bars.append(Box(point.x - 1, row.y - BAR // 2, 2, BAR, "saved", point.tip))
        for point, row in self.marks:
            scene.marks.append(Mark(point.x, row.y, point.what, point.tip))
        for point in self.points:
            if point.what == "send":
                scene.marks.append(Mark(point.x, self._row(point).y, "published", point.tip))
        for row, level, x, text, kind in self.words:
            on_span = level == 0 and any(start <= x <= end for start, end in row.spans)
            offset = 0 if not level else (BAR // 2 + LINE * abs(level) - LINE // 2) * (-1 if level > 0 else 1)
            scene.labels.append(Label(x, row.y + offset, text, "on span" if on_span else kind))

    def _emit_axis(self) -> None:
        scene, top = self.scene, self.top + GAP
        for start, end, begin, until in self.axis.cuts:
            middle = (start + end) // 2
            for x in (middle - 3, middle + 3):
                scene.lines.append(Line(x, top, x, self.bottom, "break", f"{seconds(until - begin)} cut short"))
        last = -100
        for x, text in self.axis.ticks():
            width = text_width(text, 10)
            if x - width // 2 > last + 8 and x + width // 2 < scene.width:
                scene.lines.append(Line(x, top, x, self.bottom, "grid"))
                scene.labels.append(Label(x, self.bottom + 14, text, "axis", "middle"))
                last = x + width // 2

    def _arrow(self, passage: Passage, way: str, x1: int, row: Row, x2: int, goal: Row, side: int, track: int) -> Arrow:
        half = BAR // 2
        y1 = row.y + (half * side if passage.source.handling else 4 * side)
        y2 = goal.y
        kind, tip = passage.kind, passage.tip
        if way == "stub":
            y2 = row.y + half + 8
            self.scene.marks.append(Mark(x2, y2, passage.stop, tip))
            return Arrow((x1, y1, x1, y2, x1, y2, x2 - 5, y2), kind, "", tip)
        if way == "straight":
            return Arrow((x1, y2, x1, y2, x2, y2, x2, y2), kind, "r", tip)
        if way == "drop":
            end = y2 - side * (half if not isinstance(passage.target, Point) or passage.target.handling else 6)
            middle = (y1 + end) // 2
            return Arrow((x1, y1, x1, middle, x2, middle, x2, end), kind, "d" if side > 0 else "u", tip)
        if way == "curve":
            return Arrow((x1, y1, x1, y1 + (y2 - y1) * 9 // 10, x1 + min(10, (x2 - x1) // 3), y2, x2, y2), kind, "r", tip)
        start, height = self.boxes[goal.lane]
        gap = start - 5 - TRACK * track if side > 0 else start + height + 5 + TRACK * track
        up = gap < row.y
        y1 = row.y + (-1 if up else 1) * (half if passage.source.handling else 4)
        bend = 6 if up else -6  # from the trunk into the gap
        points = [x1, y1, x1, y1, x1, gap + bend, x1, gap + bend, x1, gap, x1, gap, x1 + 6, gap]
        enter = x2 - 12 if way == "over" else x2
        points += [x1 + 6, gap, enter - 6, gap, enter - 6, gap, enter, gap, enter, gap, enter, gap + 6 * side]
        if way == "over":
            points += [enter, gap + 6 * side, enter, y2 - 8 * side, enter, y2 - 8 * side, enter, y2, enter + 4, y2, x2, y2]
            return Arrow(tuple(points), kind, "r", tip)
        end = y2 - half * side
        return Arrow((*points, enter, gap + 6 * side, enter, end, enter, end), kind, "d" if side > 0 else "u", tip)


def told(handling: Handling) -> str:
    """A handling in words, for its tool-tip."""
    until = seconds(handling.end) if handling.end is not None else "unfinished"
    subject = f" ({handling.subject})" if handling.subject else ""
    more = [point.words for point in handling.inner if point.words] + ([handling.words] if handling.words else [])
    who = handling.service + (f" replica {handling.replica}" if handling.replica > 1 else "")
    return f"{who}: {handling.type} {handling.id}{subject}, {seconds(handling.start)} to {until}" + "".join(f", {words}" for words in more)

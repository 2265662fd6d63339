"""`flow(run, at=seconds)`: the flow at a moment, with messages on their way and messages that wait.

The layout is that of the whole run, so only the messages move."""

from collections import Counter
from dataclasses import replace

from ..sim.run import Run
from ..text import clean, counted, seconds, shorten, text_width
from ..trace.flights import Flight
from ..trace.moment import Moment, ServiceState, WorldMoments
from ..trace.transfers import named
from .chart import MARGIN, Chart, Point, point_on
from .flow import Links
from .picture import Picture
from .scene import Box, Label, Mark, Scene

_CELL, _ROW = 20, 17  # px: width of a partition, height of a group
_NAME = 130  # px of the name of a group
_STATE, _RETRIES = 80, 114  # px for the words of a service's state, and of one that tries again
_OUTAGE_LEGEND = {
    "down": "hatched: down",
    "pause": "striped: standing still",
    "cut": "dotted: cut off",
    "cut from": "dotted, not filled: cut off from one",
}
_STATES = {
    "handling": "at work",
    "in_line": "with a line",
    "down": "down",
    "paused": "standing still",
    "cut": "cut off",
    "cut_from": "cut off from one sender",
}
# A row of a channel: the name of a consumer group, and its cells. A cell is a partition or a queue, as the
# keys in `waiting` of those who take from it.
Group = tuple[str, list[list[tuple]]]


class FlowMoments:
    """The flow of a run at any of its moments. It is laid out once and painted for each moment."""

    def __init__(self, run: Run):
        self.run, self._links, self._moments = run, Links(run), WorldMoments(run)
        self._rows = {name: self._groups(name) for name in self._links.channels}
        below = {name: _room(rows) for name, rows in self._rows.items() if rows}
        retry = {step.service for step in run.journal if step.step == "retry"}
        below |= {name: (_RETRIES if name in retry else _STATE, 14) for name in run.services}
        self._edges = self._links.edges()
        boxes, legend = self._links.boxes(), self._legend()
        self._chart = Chart(boxes, self._edges, below, legend)
        counts = ("count", "struck count")
        self._words = [label for label in self._chart.scene.labels if label.kind not in counts]
        arrows = zip(self._edges, self._chart.scene.arrows, strict=True)
        self._points = {edge[:2]: arrow.points for edge, arrow in arrows}

    def at(self, time: float) -> Picture:
        """The picture at a time (ms). From the end of the run on, it shows the whole run."""
        over, moment = time >= self.run.end, self._moments.at(time)
        whole = self._chart.scene
        scene = Scene(whole.width, whole.height, labels=[*self._words])
        self._draw_links(scene, time)
        crashes = Counter(name for when, name in self._links.crashes if when <= time)
        for name, box in self._chart.boxes.items():
            if name in moment.services:
                box = self._service(scene, name, moment.services[name], crashes[name], time)
            scene.bars.append(box)
        for name, rows in self._rows.items():
            self._draw_waiting(scene, self._chart.boxes[name], rows, moment)
        for flight in moment.flights:
            self._draw_flight(scene, flight, time)
        self._describe(scene, moment, time, over)
        return Picture(scene)

    def _legend(self) -> list[str]:
        """The meanings of the items that appear at any moment of the run."""
        flights = self._moments.flights
        seen = {
            "blue dot: on its way": True,
            "ring: answer": any(flight.kind == "reply" for flight in flights),
            "diamond: again": any(flight.again for flight in flights),
            "struck ring: lost": any(flight.stopped for flight in flights),
            "small box: partition or queue, with how many wait": self._moments.places,
            "thick frame: at work": True,
        }
        outages = dict.fromkeys(_OUTAGE_LEGEND[one.kind] for one in self._moments.outages)
        return [*(words for words, there in seen.items() if there), *outages]

    def _draw_links(self, scene: Scene, time: float) -> None:
        """Draw the arrows with their counts up to a time, pale if no message has passed yet."""
        edges = {edge[:2]: edge for edge in (link.edge(time) for link in self._links)}
        asked = {edge.target for edge in edges.values() if edge.count and "question" in edge.kind}
        drawn = zip(self._edges, self._chart.scene.arrows, self._chart.labels, strict=True)
        for whole, arrow, labels in drawn:
            edge = edges.get(whole[:2], whole)
            used = edge.count or whole.source in asked
            kind = edge.kind if used else "not yet"
            width = arrow.width and self._chart.arrow_width(edge.count)
            scene.arrows.append(replace(arrow, kind=kind, tip=edge.tip, width=width))
            for label, text in zip(labels, edge.lines if used else (), strict=False):
                kind = edge.label_kind
                scene.labels.append(replace(label, text=text, kind=kind, tip=edge.tip))

    # -- services

    def _service(
        self, scene: Scene, name: str, state: ServiceState, crashes: int, time: float
    ) -> Box:
        """Return the box of a service in its state, and write the words for that state."""
        box, replicas = self._chart.boxes[name], state.replicas
        types = [type for type, _ in state.handling]
        at_work = types[0] if len(types) == 1 else f"{len(types)} at work"
        joins = round(self.run.system.services[name].joins * 1000)
        calm = "struck service" if crashes and time >= self.run.end else "service"
        past = counted(crashes, "crash", "crashes") if crashes else "idle"
        cut_from = f"cut from {', '.join(sorted(state.cut_from))}"
        states = (  # the first that holds: kind of the box, words, kind of the words
            (state.down, "down", _of(len(state.down), replicas, "down"), "on span"),
            (state.cut, "cut", "cut off", "on span"),
            (state.cut_from, "cut from", cut_from, "on span"),
            (state.paused, "pause", _of(len(state.paused), replicas, "still"), "on span"),
            (state.in_line, "busy", f"{state.in_line:,} in line", "channel"),  # so all are at work
            (types, "busy", at_work, "channel"),
            (time < joins, calm, f"joins at {seconds(joins)}", "channel"),
            (state.next, calm, state.next.words if state.next else "", "channel"),
            (True, calm, past, "detail"),
        )
        _, kind, words, style = next(each for each in states if each[0])
        short = shorten(words, box.w - 10, 11, style == "on span")
        at = box.x + box.w // 2, box.y + box.h - 13
        scene.labels.append(Label(*at, short, style, "middle", words))
        tip = f"{name}: {words}, {counted(state.lag, 'message')} not committed"
        return replace(box, kind=kind, tip=clean(tip))

    # -- channels

    def _groups(self, channel: str) -> list[Group]:
        """The rows of a channel. Services that take from the same queue compete, and form one group."""
        groups: dict[str, list[tuple]] = {}
        for key in self._moments.places:
            name, partition, service = key
            if channel in (f"topic {name}", f"queue {name}", f"dead letters {name}"):
                groups.setdefault("" if partition is None else service, []).append(key)
        rows = [
            (name, [[key] for key in sorted(keys)] if name else [keys])
            for name, keys in groups.items()
        ]
        return [("", cells) for _, cells in rows] if len(rows) == 1 else rows

    def _draw_waiting(self, scene: Scene, box: Box, rows: list[Group], moment: Moment) -> None:
        """Draw a row for each group, with the number of messages that wait for it in each partition."""
        wide, high = _room(rows)
        left, top = box.x + (box.w - wide) // 2, box.y + box.h - high - 5
        for number, (group, cells) in enumerate(rows):
            y, numbers = top + number * _ROW, _numbers(cells, moment)
            at = left + wide - _CELL * len(numbers)
            if group:
                name = shorten(group, _NAME, 10)
                scene.labels.append(Label(at - 6, y + 7, name, "detail", "end", group))
            for place, many in enumerate(numbers):
                where = f"partition {place}: " if len(numbers) > 1 else ""
                tip = f"{where}{many:,} waiting" + (f" for {group}" if group else "")
                x = at + place * _CELL
                kind = "waiting here" if many else "none waiting"
                scene.bars.append(Box(x + 1, y, _CELL - 2, _ROW - 3, kind, tip))
                if many:
                    words = str(many) if many < 100 else "99+"
                    scene.labels.append(Label(x + _CELL // 2, y + 7, words, "in waiting", "middle"))

    # -- messages on their way

    def _draw_flight(self, scene: Scene, flight: Flight, time: float) -> None:
        channel = self._links.channel(flight.envelope)
        source, target = flight.source or channel, flight.target or channel
        share = flight.share(time)
        if flight.kind in ("publish", "deliver"):
            ways = [(source, target)]
        else:
            asker, answerer = (source, target) if flight.kind == "ask" else (target, source)
            question = f"question {answerer} {flight.envelope.type}"
            ways = [(asker, question), (question, answerer)]
            share = share if flight.kind == "ask" else 1 - share
        if not all(way in self._points for way in ways):
            return
        place = share * len(ways)
        way = min(int(place), len(ways) - 1)
        x, y = _point_along(self._points[ways[way]], place - way)
        kind = "moving answer" if flight.kind == "reply" else "moving"
        if flight.stopped and flight.share(time) == 0.5:
            kind = "lost"
        elif flight.again:
            kind = "moving again"
        tip = f"{named(flight.envelope)} on its way from {source} to {target}"
        scene.marks.append(Mark(x, y, kind, tip))

    # -- words

    def _describe(self, scene: Scene, moment: Moment, time: float, over: bool) -> None:
        """Write the caption, and set the picture's description and its alternative text."""
        parts = [f"{len(moment.flights):,} on the way"] if moment.flights else []
        groups = (cells for rows in self._rows.values() for _, cells in rows)
        if waiting := sum(sum(_numbers(cells, moment)) for cells in groups):
            parts.append(f"{waiting:,} waiting")
        for state, words in _STATES.items():
            names = [*filter(None, (_part(*each, state) for each in moment.services.items()))]
            parts += [f"{', '.join(names)} {words}"] * bool(names)
        nexts = ((name, state.next) for name, state in moment.services.items())
        parts += [f"{name} {n.words}" for name, n in nexts if n and n.how == "retried"]
        # No time here: the last cursor position of a story may be before the end of the run.
        when = "the end of the run" if over else seconds(round(time))
        said = f"at {when}: {'; '.join(parts) or 'nothing under way'}"
        short = shorten(said, scene.width - 2 * MARGIN, 11, True)
        scene.labels.append(Label(MARGIN, self._chart.caption, short, "at cursor", tip=said))
        scene.shows = f"flow of {self.run.system.name} {said}"
        tips = [mark.tip for mark in scene.marks] + [link.tip(time) for link in self._links]
        scene.alt = clean(f"Flow of {self.run.system.name} {said}. {'. '.join(tips)}.", 800)


def _point_along(points: tuple[int, ...], share: float) -> Point:
    """The point of an arrow at a fraction of its way."""
    corners = [*zip(points[::2], points[1::2], strict=True)]
    curves = [corners[start : start + 4] for start in range(0, len(corners) - 1, 3)]
    lengths = [abs(one[0][0] - one[3][0]) + abs(one[0][1] - one[3][1]) for one in curves]
    left = share * sum(lengths)
    for curve, length in zip(curves, lengths, strict=True):
        if left <= length:
            return point_on(curve, left / max(1, length))
        left -= length
    return corners[-1]


def _room(rows: list[Group]) -> Point:
    """The width and height in px of a channel's rows."""
    names = [text_width(shorten(name, _NAME, 10), 10) + 6 for name, _ in rows if name]
    cells = [len(cells) for _, cells in rows]
    return max(names, default=0) + max(cells, default=0) * _CELL, len(rows) * _ROW


def _numbers(cells: list[list[tuple]], moment: Moment) -> list[int]:
    """The number of messages that wait in each cell."""
    return [max(moment.waiting[key] for key in cell) for cell in cells]


def _of(some: int, of: int, words: str) -> str:
    """Words such as "down" or "1 of 3 down"."""
    return words if of == 1 else f"{some} of {of} {words}"


def _part(name: str, state: ServiceState, what: str) -> str:
    """The name of a service in this state, with its replicas if some are down or paused, or an empty text."""
    there = getattr(state, what)
    apart = state.replicas > 1 and (state.down or state.paused)
    if not (there and apart) or what not in ("handling", "down", "paused"):
        return name if there else ""
    numbers = {replica for _, replica in there} if what == "handling" else there
    return f"{name} (replica {', '.join(map(str, sorted(numbers)))})"

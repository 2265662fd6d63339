"""`lanes(run, key)`: the messages of one key, from the order in which they were published to the order
in which they took effect. Lines cross where a message was overtaken."""

from ..errors import Misuse, Unknown, listed
from ..model import Command, DeadLetter, Envelope, Event
from ..sim.logs import Log
from ..sim.run import Run
from ..text import clean, counted, seconds, shorten, text_width
from ..trace.key_order import Effect, effects_in_order, published_of
from ..trace.spans import Span, Trace
from .axis import Axis
from .bar_names import name_bars
from .items import Bar
from .labels import LabelPlacer
from .picture import Picture, check_run
from .scene import WIDTH, Arrow, Box, Label, Mark, Scene

MOST = 40  # messages in one picture
_LANES = 8  # of a topic with more partitions, only those in use
_ROW, _EDGE, _BAR = 46, 40, 14  # px: height of a lane, of the first and last row, of a bar
_LINE = 11  # px: height of one of several concurrent bars, with its margin
_LEGEND = (
    ("handled, struck", "bar: handling"),
    ("idle", "empty bar: of another key"),
    ("stretched", "thick line below: time stretched"),
)
Way = tuple[int | None, int]  # the partition (None in a queue) and the replica


def lanes(
    run: Run,
    key: str,
    service: str | None = None,
    *,
    held_in: str | None = None,
    width: int = WIDTH,
) -> Picture:
    """A picture of the order of one key's messages: when they were published (top), when `service`
    saved them (bottom), and between the two the partition, or the replica of a queue's consumers,
    that handled each. If an older message is saved after a newer one, their lines cross and the
    late one is red. For a service that saves nothing, the end of the handling counts.

        lanes(run, "tea")

    service: may be omitted if only one service handles messages of this key.
    held_in: the table in which the service stores messages that arrive too early. Such a message
        takes effect at the save that removes its row.

    Raises Unknown for a key, a service or a table that the run does not have."""
    check_run("lanes", run)
    trace = Trace.of(run)
    service = _service(trace, key, service)
    if held_in is not None and held_in not in (tables := run._node(service).database.tables()):
        raise Unknown("table", held_in, tables)
    spans = [span for span in _handlings(trace) if span.service == service]
    mine = [span for span in spans if span.envelope.subject == key]
    published = published_of(trace, {span.envelope.type for span in mine}, key)
    saving = any(span.saves for span in mine)
    verb = "applied" if held_in else "saved" if saving else "handled"
    effects = effects_in_order(trace, mine, published, saving, held_in)
    return Picture(_Lanes(trace, key, service, verb, spans, published, effects, width).scene)


def _handlings(trace: Trace) -> list[Span]:
    """The spans of events and commands, without what was asked, ticks and dead letters."""
    asked = {trace.envelope(number).id for number in trace.sends if trace.kind(number) == "ask"}
    every = ((span, span.envelope) for span in trace.spans if span.envelope.id not in asked)
    return [
        span
        for span, envelope in every
        if isinstance(envelope.data, Event | Command) and not isinstance(envelope, DeadLetter)
    ]


def _service(trace: Trace, key: str, service: str | None) -> str:
    """The service to draw. Raises Misuse if several handle the key and none is given."""
    handled: dict[str, dict[str, None]] = {}  # key -> services
    for span in _handlings(trace):
        if span.envelope.subject is not None:
            handled.setdefault(span.envelope.subject, {})[span.service] = None
    if key not in handled:
        raise Unknown("key", key, handled)
    services = [*handled[key]]
    if service is None and len(services) == 1:
        return services[0]
    if service is None:
        one = f'lanes(run, {key!r}, "{services[0]}")'
        raise Misuse(f"{key!r} is handled by {listed(services)}; choose one: {one}")
    if service not in services:
        raise Unknown("service", service, services, f" that handles {key!r}")
    return service


class _Lanes:
    """Lays out the picture."""

    def __init__(
        self,
        trace: Trace,
        key: str,
        service: str,
        verb: str,
        spans: list[Span],
        published: dict[str, int],
        effects: list[Effect],
        width: int,
    ):
        self.trace, self.journal, self.key, self.verb = trace, trace.run.journal, key, verb
        self.scene = scene = Scene(width, 0)
        late = [effect.place for effect in effects if effect.late]
        first = max(0, min(late, default=0) - MOST // 2) if len(published) > MOST else 0
        shown = {*range(first, min(len(published), first + MOST))}
        ids = [id for place, id in enumerate(published) if place in shown]
        self.times = {id: self.journal[published[id]].time for id in ids}
        effects = [effect for effect in effects if effect.place in shown]
        mine = [span for span in spans if span.envelope.id in self.times]
        window = self._window(mine, effects)
        others = [s for s in spans if s.envelope.subject != key and self._within(s, window)]
        ways = sorted({self._way(span) for span in (*mine, *others)}, key=str)
        log = trace.run._world.channels[mine[0].envelope.topic]
        partitions = len(log.partitions) if isinstance(log, Log) else 0
        if 0 < partitions <= _LANES:
            ways = sorted({*ways, *((number, 0) for number in range(partitions))}, key=str)
        rows = [_name(way, mine) for way in ways]
        names = ["published", *rows, f"{verb} by {clean(service, 40)}"]
        left = max(text_width(name, 11) for name in names) + 28
        self._axis(window, mine, effects, left)
        self._lines = {way: self._lines_of(way, [*mine, *others]) for way in ways}
        self._y: dict[Way, int] = {}
        y = 24 + _EDGE
        for way in ways:
            self._y[way] = y + self._height(way) // 2
            y += self._height(way)
        self.top, self.bottom = 40, y + _EDGE // 2
        self.placer = LabelPlacer(scene, (left - 6, 0, width - 4, 10**6))
        self._draw_lanes(names, left)
        for span in others:
            self._draw_bar(span, "idle")
        late_spans = {id(effect.span) for effect in effects if effect.late}
        for span in mine:
            self._draw_bar(span, "struck" if id(span) in late_spans else "handled")
        self.titles = self._titles(mine)
        for effect in effects:
            self._draw_way(effect)
        self._write_order(effects)
        lowest = max(label.y for label in scene.labels)
        self.axis.draw(scene, self.top - 12, lowest + 10, scene.width)
        self._describe(service, effects, len(published) - len(shown), left)

    # -- what is shown

    def _window(self, mine: list[Span], effects: list[Effect]) -> tuple[int, int]:
        times = [*self.times.values(), *(effect.time for effect in effects)]
        return min(times), max(*times, *(self._end(span) for span in mine))

    def _within(self, span: Span, window: tuple[int, int]) -> bool:
        return self._end(span) >= window[0] and self.journal[span.first].time <= window[1]

    def _end(self, span: Span) -> int:
        return self.trace.run.end if span.last is None else self.journal[span.last].time

    def _way(self, span: Span) -> Way:
        partition = self.journal[span.first].partition
        return (partition, 0) if partition is not None else (None, span.replica)

    def _titles(self, spans: list[Span]) -> dict[str, str]:
        """Map the id of each message to a short name that distinguishes it."""
        envelopes: dict[str, Envelope] = {span.envelope.id: span.envelope for span in spans}
        for id in self.times:
            envelopes.setdefault(id, self.trace.messages[id])
        bars = [Bar("", 1, envelope, 0) for envelope in envelopes.values()]
        titles = name_bars(bars, self.journal)
        return {bar.envelope.id: shorten(titles[bar].brief, 90, 11, True) for bar in bars}

    # -- places

    def _axis(
        self, window: tuple[int, int], mine: list[Span], effects: list[Effect], left: int
    ) -> None:
        instants = dict.fromkeys(window, 0)
        times = [self.journal[span.first].time for span in mine]
        times += [*self.times.values(), *(effect.time for effect in effects)]
        instants |= dict.fromkeys((time for time in times if window[0] <= time <= window[1]), 0)
        self.axis = Axis(instants, left + 14, self.scene.width - 50)

    def _lines_of(self, way: Way, spans: list[Span]) -> list[list[Span]]:
        """The rows of bars in a lane: more than one if it handles several messages at once."""
        lines: list[list[Span]] = []
        for span in sorted((s for s in spans if self._way(s) == way), key=lambda s: s.first):
            begin = self.journal[span.first].time
            free = (line for line in lines if self._end(line[-1]) <= begin)
            if (line := next(free, None)) is None:
                lines.append(line := [])
            line.append(span)
        return lines

    def _height(self, way: Way) -> int:
        """The height of a lane with its margins."""
        return max(_ROW, 12 + _LINE * len(self._lines[way]))

    def _bar(self, span: Span) -> tuple[int, int]:
        """The top and the height of a span's bar."""
        y, lines = self._y[self._way(span)], self._lines[self._way(span)]
        if len(lines) == 1:
            return y - _BAR // 2, _BAR
        number = next(n for n, line in enumerate(lines) if span in line)
        return y - _LINE * len(lines) // 2 + _LINE * number, _LINE - 2

    def _x(self, time: int) -> int:
        first, last = self.axis.times[0], self.axis.times[-1]
        return self.axis.x(min(max(time, first), last))

    # -- items

    def _draw_lanes(self, names: list[str], left: int) -> None:
        ys = [self.top, *self._y.values(), self.bottom]
        for name, y in zip(names, ys, strict=True):
            self.scene.labels.append(Label(left - 14, y, name, "channel", "end", name))
        for name, (way, y) in zip(names[1:], self._y.items(), strict=False):
            height = self._height(way)
            box = left - 6, y - height // 2 + 5, self.scene.width - left - 6, height - 10
            self.scene.lanes.append(Box(*box, "lane", name))

    def _draw_bar(self, span: Span, kind: str) -> None:
        x, until = self._x(self.journal[span.first].time), self._x(self._end(span))
        y, height = self._bar(span)
        begin, end = self.journal[span.first].time, self._end(span)
        what = f"{span.message} ({clean(span.envelope.subject, 40)})"
        tip = f"{what}, {seconds(begin)} to {seconds(end)}"
        box = Box(x, y, max(6, until - x), height, kind, tip)
        (self.scene.spans if kind == "idle" else self.scene.bars).append(box)

    def _draw_way(self, effect: Effect) -> None:
        """Draw the line of a message from its publish into its lane, and from there to its effect."""
        span, (y, height) = effect.span, self._bar(effect.span)
        begin = self._x(self.journal[span.first].time)
        done = max(begin + 6, self._x(effect.time))
        out = min(done, max(begin + 6, self._x(self._end(span))))  # earlier if it was held
        sent = self._x(self.times[span.envelope.id])
        kind = "late" if effect.late else "message"
        when = f"{seconds(self.times[span.envelope.id])}, {self.verb} {seconds(effect.time)}"
        tip = f"{span.message}, published {when}"
        for x1, y1, x2, y2 in (
            (sent, self.top, begin, y),
            (out, y + height, done, self.bottom - 4),
        ):
            self.scene.arrows.append(Arrow((x1, y1, x1, y1, x2, y2, x2, y2), kind, "", tip))
            self.placer.avoid((x1, y1, x2, y2))
        self.scene.marks.append(Mark(done, self.bottom, "late" if effect.late else "fact", tip))

    def _write_order(self, effects: list[Effect]) -> None:
        """Write the published messages above and the effects below, as far as there is room."""
        for id, time in self.times.items():
            self.scene.marks.append(Mark(self._x(time), self.top, "published", id))
            self._write(self.titles[id], "handled", self._x(time), self.top, -1)
        together: dict[tuple[int, str], list[str]] = {}  # one save may apply several messages
        for effect in sorted(effects, key=lambda effect: not effect.late):
            kind = "struck" if effect.late else "handled"
            begin = self._x(self.journal[effect.span.first].time)
            place = max(begin + 6, self._x(effect.time)), kind
            together.setdefault(place, []).append(self.titles[effect.span.envelope.id])
        for (x, kind), texts in together.items():
            self._write(" · ".join(texts), kind, x, self.bottom, 1)

    def _write(self, text: str, kind: str, x: int, y: int, side: int) -> None:
        """Write a text above (-1) or below (1) a mark, in the nearest line or the next one."""
        places = [(x + dx, y + side * dy, "middle") for dy in (14, 28) for dx in (0, 6, -6)]
        self.placer.place([text], kind, places)

    # -- words

    def _describe(self, service: str, effects: list[Effect], more: int, left: int) -> None:
        scene, late = self.scene, sum(effect.late for effect in effects)
        types = listed(dict.fromkeys(self.trace.messages[id].type for id in self.times))
        what = f"{counted(len(self.times), 'message')} of {clean(self.key, 40)} ({types})"
        order = "all in the order of publishing"
        if late:
            were = "was" if late == 1 else "were"
            order = f"{late} of {len(effects)} {were} {self.verb} after a newer one"
        undone = {*self.times} - {effect.span.envelope.id for effect in effects}
        held = sum(effect.held for effect in effects)
        waited = f"; {held} held back for a while" if held else ""
        missing = f"; {len(undone)} had no effect" if undone else ""
        hidden = f"; {more:,} more not shown" if more else ""
        sentence = f"{what}: {order}{waited}{missing}{hidden}."
        y = max(label.y for label in scene.labels) + 24
        meanings = (*_LEGEND, ("late", f"red: {self.verb} after a newer one of this key"))
        y = scene.write(left - 6, y, scene.width - 8, sentence.split(" "), glue=" ")
        scene.height = scene.write(left - 6, y, scene.width - 8, scene.legend(meanings)) - 2
        orders = [", ".join(self.titles[id] for id in self.times)]
        orders.append(", ".join(self.titles[effect.span.envelope.id] for effect in effects))
        scene.shows = f"lanes of {clean(self.key, 40)} in {service}: {sentence}"
        scene.alt = clean(
            f"{scene.shows} Published: {orders[0]}. {self.verb.capitalize()}: {orders[1]}.", 900
        )


def _name(way: Way, spans: list[Span]) -> str:
    partition, replica = way
    if partition is None:
        return f"replica {replica}"
    topic = next((span.envelope.topic for span in spans), "")
    return f"{shorten(topic, 90, 11)} partition {partition}"

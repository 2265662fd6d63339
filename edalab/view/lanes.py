"""`lanes(run, key)`: the messages of one key, from the order in which they were published to the order
in which they took effect. Lines cross where a message was overtaken."""

from dataclasses import dataclass

from ..errors import Misuse, Unknown, listed
from ..model import Command, DeadLetter, Event
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
    handlings = _handlings(trace)
    service = _service(handlings, key, service)
    if held_in is not None and held_in not in (tables := run._node(service).database.tables()):
        raise Unknown("table", held_in, tables)
    spans = [span for span in handlings if span.service == service]
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


def _service(handlings: list[Span], key: str, service: str | None) -> str:
    """The service to draw. Raises Misuse if several handle the key and none is given."""
    handled: dict[str, dict[str, None]] = {}  # key -> services
    for span in handlings:
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


@dataclass(slots=True, eq=False)
class _Handling:
    """The handling of a message from `start` to `end` (ms), the name of its lane, and the place of its
    bar."""

    span: Span
    start: int
    end: int
    lane: str
    y: int = 0
    h: int = _BAR


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
        self.trace, self.key, self.verb = trace, key, verb
        self.scene = scene = Scene(width, 0)
        late = [effect.place for effect in effects if effect.late]
        first = max(0, min(late, default=0) - MOST // 2) if len(published) > MOST else 0
        ids = [*published][first : first + MOST]
        self.times = {id: trace.journal[published[id]].time for id in ids}
        effects = [effect for effect in effects if effect.span.envelope.id in self.times]
        every = [self._handling(span) for span in spans]
        mine = {one.span: one for one in every if one.span.envelope.id in self.times}
        instants = [*self.times.values(), *(effect.time for effect in effects)]
        begin, end = min(instants), max([*instants, *(one.end for one in mine.values())])
        others = [one for one in every if one.span.envelope.subject != key]
        others = [one for one in others if one.end >= begin and one.start <= end]
        rows = self._rows([*mine.values()], others)
        first_row, last_row = "published", f"{verb} by {clean(service, 40)}"
        left = max(text_width(name, 11) for name in (first_row, *rows, last_row)) + 28
        instants += [one.start for one in mine.values()]
        self.axis = Axis(dict.fromkeys([*instants, end], 0), left + 14, width - 50)
        self._draw_rows(first_row, rows, last_row, left)
        self.placer = LabelPlacer(scene, (left - 6, 0, width - 4, 10**6))
        scene.spans += [self._bar(one, "idle") for one in others]
        late_spans = {effect.span for effect in effects if effect.late}
        for span, one in mine.items():
            scene.bars.append(self._bar(one, "struck" if span in late_spans else "handled"))
        for effect in effects:
            self._draw_way(effect, mine[effect.span])
        self.titles = self._titles()
        self._write_order(effects)
        lowest = max(label.y for label in scene.labels)
        self.axis.draw(scene, self.top - 12, lowest + 10, width)
        self._describe(service, effects, len(published) - len(ids), left)

    def _handling(self, span: Span) -> _Handling:
        first, last = self.trace.journal[span.first], span.last
        end = self.trace.run.end if last is None else self.trace.journal[last].time
        lane = f"replica {span.replica}"
        if first.partition is not None:
            lane = _partition(span.envelope.topic, first.partition)
        return _Handling(span, first.time, end, lane)

    def _rows(self, mine: list[_Handling], others: list[_Handling]) -> dict[str, list[_Handling]]:
        """The handlings of each lane. All partitions of a topic with few have a lane."""
        names = {one.lane for one in (*mine, *others)}
        for topic in {one.span.envelope.topic for one in mine}:
            log = self.trace.run._world.channels.get(topic)
            if isinstance(log, Log) and len(log.partitions) <= _LANES:
                names |= {_partition(topic, number) for number in range(len(log.partitions))}
        # Each name ends in a number, so a longer one of the same kind comes later.
        ordered = sorted(names, key=lambda name: (name.rpartition(" ")[0], len(name), name))
        return {name: [one for one in (*mine, *others) if one.lane == name] for name in ordered}

    def _titles(self) -> dict[str, str]:
        """Map the id of each message to a short name that distinguishes it."""
        bars = {id: Bar("", 1, self.trace.messages[id], 0) for id in self.times}
        titles = name_bars(bars.values(), self.trace.journal)
        return {id: shorten(titles[bar].brief, 90, 11, True) for id, bar in bars.items()}

    # -- items

    def _draw_rows(
        self, first: str, rows: dict[str, list[_Handling]], last: str, left: int
    ) -> None:
        """Draw the lanes and the names of all rows, and place the bars."""
        self.top, y, middles = 40, 24 + _EDGE, []
        for name, row in rows.items():
            height = self._place(row, y)
            box = left - 6, y + 5, self.scene.width - left - 6, height - 10
            self.scene.lanes.append(Box(*box, "lane", name))
            middles.append(y + height // 2)
            y += height
        self.bottom = y + _EDGE // 2
        middles = [self.top, *middles, self.bottom]
        for name, middle in zip((first, *rows, last), middles, strict=True):
            self.scene.labels.append(Label(left - 14, middle, name, "channel", "end", name))

    @staticmethod
    def _place(handlings: list[_Handling], top: int) -> int:
        """Place the bars in a lane, concurrent ones below each other. Return the height of the lane."""
        ends: list[int] = []  # of the last bar in each line
        lines: list[int] = []
        for one in (ordered := sorted(handlings, key=lambda one: one.span.first)):
            line = next((n for n, end in enumerate(ends) if end <= one.start), len(ends))
            ends[line : line + 1] = [one.end]
            lines.append(line)
        height = max(_ROW, 12 + _LINE * len(ends))
        middle = top + height // 2
        for one, line in zip(ordered, lines, strict=True):
            one.y = middle - _BAR // 2
            if len(ends) > 1:
                one.y, one.h = middle - _LINE * len(ends) // 2 + _LINE * line, _LINE - 2
        return height

    def _bar(self, one: _Handling, kind: str) -> Box:
        x, until = self.axis.x(one.start), self.axis.x(one.end)
        what = f"{one.span.message} ({clean(one.span.envelope.subject, 40)})"
        tip = f"{what}, {seconds(one.start)} to {seconds(one.end)}"
        return Box(x, one.y, max(6, until - x), one.h, kind, tip)

    def _draw_way(self, effect: Effect, one: _Handling) -> None:
        """Draw the line of a message from its publish into its lane, and from there to its effect."""
        sent, begin = self.times[one.span.envelope.id], self.axis.x(one.start)
        done = self._effect_x(effect)
        out = min(done, max(begin + 6, self.axis.x(one.end)))  # earlier if it was held
        when = f"{seconds(sent)}, {self.verb} {seconds(effect.time)}"
        tip = f"{one.span.message}, published {when}"
        for x1, y1, x2, y2 in (
            (self.axis.x(sent), self.top, begin, one.y),
            (out, one.y + one.h, done, self.bottom - 4),
        ):
            kind = "late" if effect.late else "message"
            self.scene.arrows.append(Arrow((x1, y1, x1, y1, x2, y2, x2, y2), kind, "", tip))
            self.placer.avoid((x1, y1, x2, y2))
        self.scene.marks.append(Mark(done, self.bottom, "late" if effect.late else "fact", tip))

    def _effect_x(self, effect: Effect) -> int:
        """The x of an effect, after the begin of its bar."""
        begin = self.trace.journal[effect.span.first].time
        return max(self.axis.x(begin) + 6, self.axis.x(effect.time))

    def _write_order(self, effects: list[Effect]) -> None:
        """Write the published messages above and the effects below, as far as there is room."""
        for id, time in self.times.items():
            self.scene.marks.append(Mark(self.axis.x(time), self.top, "published", id))
            self._write(self.titles[id], "handled", self.axis.x(time), self.top, -1)
        together: dict[tuple[int, str], list[str]] = {}  # one save may apply several messages
        for effect in sorted(effects, key=lambda effect: not effect.late):
            place = self._effect_x(effect), "struck" if effect.late else "handled"
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


def _partition(topic: str, number: int) -> str:
    """The name of the lane of a partition."""
    return f"{shorten(topic, 90, 11)} partition {number}"

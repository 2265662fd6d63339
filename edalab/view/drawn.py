"""The items of a timeline: a bar for each span, a mark for each event inside or outside of a span, an
arrow for each transfer, and a stretch for each outage. `layout` places them.
"""

from ..model import DeadLetter, System
from ..sim.steps import TOO_LATE, Step
from ..text import brief, clean, counted, seconds
from ..trace.faults import FAULTS, NOT_ARRIVED
from ..trace.spans import Span, Trace
from ..trace.transfers import Arrival, Outage, Transfer, named
from .excerpt import Excerpt
from .items import Bar, Hop, SpanEvent

_ENDED = ("save", "undone", "failed", "crash", "no answer", "dead letter", "refused")
_STORED = {"duplicate": "doubled", "unconfirmed": "unconfirmed"}  # faults -> their marks
_GERUNDS = {"handle": "handling", "deliver": "delivery"}
PUBLISHED_AGAIN, REDRIVEN = "published again", "redriven"
_CROWD = 100  # bars: if there are more, only those with words have a name and a tip at their arrow
_QUIET = frozenset(("deliver", "commit", "ack"))  # not drawn, unless a fault struck them
_NEXT = ("again in", "to ", "its ")  # beginnings of words about the broker's next action


class Drawn:
    """The items that are drawn for an excerpt of a run."""

    def __init__(self, excerpt: Excerpt):
        self.traffic, self.journal = Trace.of(excerpt.run).traffic, excerpt.run.journal
        self.bars: list[Bar] = []
        self.events: list[SpanEvent] = []  # events outside of any bar
        self.hops: list[Hop] = []
        self.stretches: list[Outage] = []  # also those in which the client waits for an answer
        self._bar_of: dict[Span, Bar] = {}
        self._sources: dict[Transfer, SpanEvent] = {}
        self._dropped: dict[Transfer, SpanEvent] = {}
        # (service, type, key) -> the newest version that the service has handled.
        self._newest: dict[tuple[str, str, str | None], int] = {}
        self._deaths: dict[int, SpanEvent] = {}  # the step of a dead letter -> its event
        self._answers: dict[int, Hop] = {}  # the step that sends an answer -> its hop
        self._crowded = [step.step for step in excerpt.steps].count("handle") > _CROWD
        for number in excerpt.numbers:
            step = self.journal[number]
            if step.fault or step.step not in _QUIET:
                self._draw(number, step)
        shown = set(excerpt.numbers)
        saving = {step.service for step in self.journal if step.step == "save" and not step.fault}
        for span, bar in self._bar_of.items():
            if span.last in shown:
                bar.end = self.journal[span.last].time
                bar.struck |= span.ended_by == "crash"
                if span.refused is not None:
                    self._event(span.last, "refused", f"refused: {span.refused}")
                elif bar.words and not any(event.what in _ENDED for event in bar.inner):
                    bar.outcome = "nothing saved" * (bar.service in saving)
        if excerpt.whole:
            self._draw_unheard(excerpt.run.system)
        for hop in self._answers.values():
            if excerpt.whole or hop.stop:
                self._stop(hop, "lost", "answer lost" if hop.stop else "answer too late")
        # An outage may have begun before the excerpt.
        first, last = self.window = excerpt.first, excerpt.last
        self.events = [event for event in self.events if first <= event.time <= last]
        lasting = (s for s in self.stretches if s.end is None or s.end >= first)
        self.stretches = [stretch for stretch in lasting if stretch.start <= last]

    def _draw(self, number: int, step: Step) -> None:
        detail, fault = clean(step.detail) if step.detail else "", step.fault
        match step.step:
            case what if fault == "crash" and what not in ("handle", "crash"):
                pass
            case "publish" | "ask":
                self._send(number, step)
            case "deliver" if fault in NOT_ARRIVED:
                self._deliver(number, step)
            case "handle":
                self._handle(number, step)
            case "save" if fault:
                self._event(number, "failed", f"{fault} at save")
            case "save" if self._bar(number):
                self._event(number, "save")
            case "commit" | "ack" if fault == "fenced":
                self._strike(number, "refused", "late commit refused")
            case "commit" | "ack" if fault:
                self._strike(number, "lost", f"{step.step} lost")
            case "retry" | "failure":
                self._fail(number, step)
            case "dead_letter":
                words = f"dead-lettered after {counted(step.attempt or 1, 'attempt')}"
                self._strike(number)
                self._deaths[number] = self._event(number, "dead letter", words, detail)
            case "lost" | "expired" | "discarded" | "rejected":
                self._lose(number, step)
            case "busy":
                event = self._event(number, "refused", "busy", step.detail or "")
                self._lead_to(event, number, "question", ", busy")
            case "reply":
                self._reply(number, step)
            case "answer" | "timeout":
                self._answer(number, step)
            case "crash" | "pause" | "cut":
                self._begin_outage(number, step)
            case "takeover":
                what, _, giver = detail.partition(" from ")
                self._event(number, "takeover", f"takes over {what}", giver and f"from {giver}")
            case "deduplicated":
                self._event(number, "deduplicated", "not stored again", detail)
            case "evicted":
                self._strike(number, "evicted", "evicted", detail)
            case "in_progress":
                why = "not heard" if fault else detail
                self._event(number, "in progress", "in progress" + (why and f", {why}"))
            case "join" | "leave" | "subscribe":
                self._event(number, "join", f"{step.step}s {detail}".strip())
            case "rewind":
                self._event(number, "rewind", f"rewinds {detail}")
            case "deploy":
                self._event(number, "deploy", "deploy" + self._turn(step))
            case "restore":
                self._event(number, "restore", f"restored {detail}")
                to = round(1000 * float(detail.split()[1]))
                for event in self.all_events():
                    if event.service == step.service and event.what == "save" and event.time > to:
                        event.what = "undone"
            case "note" | "skew":
                self._event(number, step.step, clean(step.detail or "", 120))

    def _bar(self, number: int) -> Bar | None:
        span = self.traffic.span_of.get(number)
        return self._bar_of.get(span) if span else None

    def _event(self, number: int, what: str, words: str = "", more: str = "") -> SpanEvent:
        step, bar = self.journal[number], self._bar(number)
        title = words or what
        event = SpanEvent(step.service, step.replica, step.time, what, bar, words, title, more)
        (self.events if bar is None else bar.inner).append(event)
        return event

    def _strike(self, number: int, what: str = "", words: str = "", more: str = "") -> None:
        if what:
            self._event(number, what, words, more)
        if bar := self._bar(number):
            bar.struck = True

    def _stop(self, hop: Hop, mark: str, words: str) -> None:
        hop.stop, hop.words, hop.target = mark, words, None
        if mark != "unheard":
            hop.kind = "stopped" if hop.kind in ("message", "late") else "struck question"
        self.hops.append(hop)

    def _source(self, number: int) -> SpanEvent | None:
        """The event that sent the message of a step, if it is drawn."""
        transfer = self.traffic.of_step.get(number)
        return self._sources.get(transfer) if transfer else None

    def _send(self, number: int, step: Step) -> None:
        transfer = self.traffic.of_step[number]
        if isinstance(transfer.envelope, DeadLetter):
            if (died := transfer.envelope.number) in self._deaths:
                self._sources[transfer] = self._deaths[died]
            return
        event = self._event(number, "send", more=named(transfer.envelope))
        self._sources[transfer] = event
        role = getattr(transfer.envelope.data, "__declared__", None)
        if event.bar and role is not None and role.refuses:
            event.bar.refuses = True
            self._event(number, "refused", "refused")
        if step.fault in _STORED:
            event.what, event.words = _STORED[step.fault], FAULTS[step.fault].words
        elif step.fault and step.fault != "delay":
            hop = Hop("question" if transfer.question else "message", event, None, event.more)
            words = "question " * transfer.question + FAULTS[step.fault].words
            self._stop(hop, "failed" if step.fault == "fail" else "lost", words)

    def all_events(self) -> list[SpanEvent]:
        """The events inside bars, then those outside of any bar."""
        return [*(event for bar in self.bars for event in bar.inner), *self.events]

    def _lead_to(self, event: SpanEvent, number: int, kind: str, more: str = "") -> None:
        """Draw an arrow to an event from the one that sent the message of a step."""
        if source := self._source(number):
            tip = named(self.traffic.of_step[number].envelope) + more
            self.hops.append(Hop(kind, source, event, tip))

    def _deliver(self, number: int, step: Step) -> None:
        words = "dropped" if step.fault == "drop" else "not delivered"
        event = self._event(number, "lost", words)
        if transfer := self.traffic.of_step.get(number):
            self._dropped[transfer] = event
        self._lead_to(event, number, "stopped", f", {words}")

    def _handle(self, number: int, step: Step) -> None:
        attempt, arrival = step.attempt or 1, self.traffic.arrival_at[number]
        envelope = arrival.span.envelope
        bar = Bar(step.service, step.replica, envelope, step.time, named(envelope))
        self.bars.append(bar)
        self._bar_of[arrival.span] = bar
        bar.struck = arrival.again or arrival.late
        if arrival.again:
            bar.words = f"attempt {attempt}" if attempt > 1 else self._again(number, arrival)
        elif arrival.late:
            bar.words = "late"
        self._note_version(bar)
        bar.named = bool(bar.words) or not self._crowded
        if source := self._source(number):
            last, before = arrival.previous, None
            if last is not None and last.last is not None and last.last < number:
                before = self._bar_of.get(last)
            if before and before.inner and bar.words not in (PUBLISHED_AGAIN, REDRIVEN):
                source = before.inner[-1]  # the broker still has it, because that attempt failed
            kind = "late" if arrival.late else "message"
            if arrival.again or self.traffic.of_step[number].question:
                kind = "again" if arrival.again else "question"
            elif bar.kind == "compensating":
                kind = "compensating"
            tip = f"{bar.name} to {bar.service}, {seconds(source.time)} to {seconds(step.time)}"
            tip += f", {bar.words}" if arrival.again else ""
            self.hops.append(Hop(kind, source, bar, tip if bar.named else ""))
        if step.fault and step.fault != "crash":
            self._event(number, "failed", f"{step.fault} before handling")

    def _note_version(self, bar: Bar) -> None:
        """Mark a bar as struck if a newer version for the same key was handled before."""
        # Not getattr: the error for a missing attribute of a message is slow to create.
        version = getattr(bar.envelope.data, "__dict__", {}).get("version")
        if isinstance(version, int):
            about = bar.service, bar.envelope.type, bar.envelope.subject
            newest = self._newest.setdefault(about, version)
            if version < newest and not bar.words:
                bar.struck, bar.words = True, f"older than v{newest}"
            self._newest[about] = max(newest, version)

    def _again(self, number: int, arrival: Arrival) -> str:
        """Why a message arrives again: it was redriven, published again or delivered again."""
        if arrival.previous is None:
            return "delivered again"
        first, transfer = arrival.previous.first, self.traffic.of_step.get(number)
        doubled = transfer is not None and transfer.fault == "duplicate"
        another = self.traffic.of_step.get(first) is not transfer
        moved = self.journal[first].offset != self.journal[number].offset
        if transfer is not None and transfer.envelope.redrives and another:
            return REDRIVEN
        return PUBLISHED_AGAIN if doubled or another or moved else "delivered again"

    def _lose(self, number: int, step: Step) -> None:
        self._strike(number)
        transfer = self.traffic.of_step.get(number)
        if step.fault == "drop" and transfer in self._dropped:
            self._dropped[transfer].words = "dropped and lost"
            return
        words = step.step + (f": {clean(step.detail, 60)}" if step.detail else "")
        event = self._event(number, "lost", words)
        if transfer and number in transfer.losses:
            self._lead_to(event, number, "struck question" if transfer.question else "stopped")

    def _draw_unheard(self, system: System) -> None:
        """Draw the messages that nobody received, because no service subscribes or because it is too early."""
        services = system.services.values()
        handled = {type_ for service in services for type_, _ in service.handlers}
        for transfer, source in self._sources.items():
            if transfer.unreceived:
                hop = Hop("message", source, None, named(transfer.envelope))
                known = transfer.envelope.type in handled
                self._stop(hop, "unheard", "not handled yet" if known else "reached nobody")

    def _reply(self, number: int, step: Step) -> None:
        about = f": {clean(step.detail, 120)}" if step.detail else ""
        tip = f"answer to {named(step.envelope)}{about}" if step.envelope else ""
        hop = self._answers[number] = Hop("answer", self._event(number, "send"), None, tip)
        if step.fault in NOT_ARRIVED:
            hop.stop = "lost"
            self._strike(number)

    def _answer(self, number: int, step: Step) -> None:
        source, missed = self._source(number), ""
        if step.step == "timeout":
            after = f" after {seconds(step.time - source.time)}" if source else ""
            self._strike(number, "no answer", f"no answer{after}")
        else:
            late = "answer too late" if step.detail == TOO_LATE else ""
            missed = "answer cut off" if step.fault else late
            event = self._event(number, "lost" if missed else "receive", missed)
            if hop := self._answers.pop(self.traffic.answer_at.get(number, -1), None):
                hop.target, hop.kind = event, "struck question" if missed else "answer"
                self.hops.append(hop)
        if source and not missed and not self._bar(number):
            where = step.service, step.replica
            self.stretches.append(Outage("waiting", *where, source.time, number, step.time))

    def _fail(self, number: int, step: Step) -> None:
        bar, detail = self._bar(number), step.detail or "failed"
        if bar and bar.inner and bar.inner[-1].what == "failed":
            return self._strike(number)
        error, _, then = detail.rpartition("; ")
        if not then.startswith(_NEXT):
            error, then = detail, ""
        # The reason of an Unreadable is long, and is the same at each attempt.
        said = "Unreadable" if error.startswith("Unreadable: ") else clean(error, 80)
        whole = [error] * (said != error) + [then] * bool(then)
        self._strike(number, "failed", brief(said), "; ".join(whole))

    def _turn(self, deploy: Step) -> str:
        """The number of a deploy among those of its service, or "" if there is only one."""
        mine = (s for s in self.journal if s.step == "deploy" and s.service == deploy.service)
        turns = list(dict.fromkeys(step.detail for step in mine))
        return f" {turns.index(deploy.detail) + 1}" * (len(turns) > 1)

    def _begin_outage(self, number: int, step: Step) -> None:
        if step.step == "crash":
            before, prevented = "", self.traffic.prevented_by.get(number)
            if prevented is not None:
                name = self.journal[prevented].step
                before = f" before {_GERUNDS.get(name, name)}"
                self._strike(prevented)
            self._strike(number, "crash", f"crash{before}")
        self.stretches.append(self.traffic.outages[number])

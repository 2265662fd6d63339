"""A run as an OpenTelemetry trace in OTLP JSON, which backends such as Jaeger and Tempo read.

Names and attributes follow OpenTelemetry's semantic conventions for messaging. The docstring of
`Run.otlp`, which leads here, says what is a span.
"""

import json
from itertools import groupby
from typing import Any

from ..errors import without_addresses
from ..model import Command, Envelope
from ..model.envelope import EPOCH
from ..sim.run import Run
from ..sim.steps import Step
from .faults import FAULTS, NOT_ARRIVED
from .spans import Span, Trace
from .transfers import Transfer

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)  # SpanKind
ERROR = 2  # StatusCode
_START = int(EPOCH.timestamp()) * 1000  # virtual 0 s, in ms


def otlp(run: Run) -> str:
    """The trace of a run as one line of OTLP JSON: see `Run.otlp`."""
    spans = _Spans(run).spans
    service_of = {number: run.journal[number].service for number in spans}
    groups = []
    for service, numbers in groupby(sorted(spans, key=service_of.__getitem__), service_of.get):
        resource = {"service.name": service, "service.namespace": run.system.name}
        scope = {"scope": {"name": "edalab"}, "spans": [spans[number] for number in numbers]}
        groups.append({"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]})
    return json.dumps({"resourceSpans": groups}, ensure_ascii=False)


class _Spans:
    """The OTLP spans of a run, by the number of the step at which each begins."""

    def __init__(self, run: Run):
        self.run, self.trace, self.journal = run, Trace.of(run), run.journal
        self.traffic = self.trace.traffic
        self.spans: dict[int, dict[str, Any]] = {}
        self.answered = self._find_answers()
        self.raised = {
            (failure.time, failure.message.id, failure.attempt): failure.error
            for failure in run.failures
            if failure.message is not None
        }
        sent = {transfer.sent: transfer for transfer in self.traffic.transfers}
        handled = {span.first: span for span in self.trace.spans}
        self.begun: dict[str, int] = {}  # a correlation id -> the first step of its story
        for number, transfer in sent.items():
            self.begun.setdefault(transfer.envelope.correlation, number)
        for number, step in enumerate(self.journal):
            if number in sent:
                self._send(number, step, sent[number])
            elif number in handled:
                self._handle(number, step, handled[number])
            else:
                self._happen(number, step)
        for span in self.trace.spans:
            if span.ended_by == "crash" and span.last is not None:
                self._crash(self.spans[span.first], span.last)

    def _find_answers(self) -> dict[int, int]:
        """A question -> where its asker got the answer or gave up."""
        found: dict[int, int] = {}
        for number, step in enumerate(self.journal):
            if step.step in ("answer", "timeout") and step.fault is None:
                transfer = self.traffic.of_step.get(number)
                if transfer is not None:
                    found.setdefault(transfer.sent, number)
        return found

    # -- which spans there are

    def _send(self, number: int, step: Step, transfer: Transfer) -> None:
        """A publish, which takes no time, or a question, which takes until its answer."""
        envelope, home, end = step.envelope, self.trace.span_of[number], number
        assert envelope is not None
        operation = "send" if isinstance(envelope.data, Command) else "publish"
        if transfer.question:
            operation, end = "ask", self.answered.get(number, home.last if home else None)
        parent = home.first if home else None
        kind = CLIENT if transfer.question else PRODUCER
        span = self._span(number, f"{operation} {envelope.topic}", kind, end, parent)
        self._describe(span, step, operation, "send")
        fault = FAULTS.get(step.fault or "")
        if fault is not None and fault.noticed:
            self._fail(span, "PublishFailed", fault.words)
        elif end is not None and self.journal[end].step == "timeout":
            self._fail(span, "Unanswered", f"{envelope.topic} did not answer in time")
        if step.fault:
            self._event(span, number, "fault")
        maker = self._maker(number, envelope)
        if maker is not None and maker is not home:
            self._link(span, maker.first)  # an outbox: one handling made it, another publishes it

    def _maker(self, number: int, envelope: Envelope) -> Span | None:
        """The handling from which a message comes."""
        handlings = self.trace.by_message.get(envelope.causation or "", ())
        made = [s for s in handlings if s.service == envelope.source and s.first < number]
        return made[-1] if made else None

    def _handle(self, number: int, step: Step, handling: Span) -> None:
        """A message is handled, a question is answered, or a tick runs."""
        transfer, envelope = self.traffic.of_step.get(number), handling.envelope
        if envelope.data is None:
            span = self._span(number, f"tick {envelope.type}", INTERNAL, handling.last)
        elif transfer is not None and transfer.question:
            name = f"answer {envelope.topic}"
            span = self._span(number, name, SERVER, handling.last, transfer.sent)
            self._describe(span, step, "answer", "process")
        else:
            span = self._span(number, f"process {envelope.topic}", CONSUMER, handling.last)
            self._describe(span, step, "process", "process")
            if transfer is not None:
                self._link(span, transfer.sent)
        if step.fault:
            self._event(span, number, "fault")

    def _happen(self, number: int, step: Step) -> None:
        """Anything else is an event of the span in which it happened. Where there is none, it is a
        span of its own: an outage, or a delivery that a fault struck."""
        transfer = self.traffic.of_step.get(number)
        home = self.traffic.span_of.get(number)
        if number in self.traffic.outages:
            outage = self.traffic.outages[number]
            span = self._span(number, outage.kind, INTERNAL, outage.last)
            self._fail(span, outage.kind, step.detail or "")
            if home is not None and home.ended_by != "crash":  # it had done all but the last step
                self._crash(self.spans[home.first], number)
        elif home is not None and step.step not in ("answer", "timeout"):
            span = self.spans[home.first]
            error = self.raised.get((step.time, home.envelope.id, step.attempt))
            if number == home.last and error is not None:
                name, message = type(error).__name__, without_addresses(str(error))
                self._fail(span, name, message)
                raised = {"exception.type": name, "exception.message": message}
                self._event(span, number, "exception", raised)
            if number == home.last and home.refused is not None:
                self._event(span, number, "refused", {"edalab.reason": home.refused})
            self._event(span, number, step.step, {"edalab.detail": step.detail})
        elif transfer is not None and transfer.question:
            asked = self.spans[transfer.sent]
            if step.step in ("lost", "timeout") and self._time(number) <= asked["endTimeUnixNano"]:
                self._event(asked, number, step.step, {"edalab.detail": step.detail})
        elif step.step == "takeover" or (step.envelope and (step.fault or step.step != "deliver")):
            self._stand_alone(number, step, transfer)

    def _stand_alone(self, number: int, step: Step, transfer: Transfer | None) -> None:
        """What happened in no span, such as a delivery that was dropped."""
        envelope, received = step.envelope, step.step == "deliver"
        if envelope is None or envelope.data is None:
            span = self._span(number, step.step, INTERNAL, number)
        else:
            operation = "receive" if received else step.step
            kind = CONSUMER if received else INTERNAL
            span = self._span(number, f"{operation} {envelope.topic}", kind, number)
            self._describe(span, step, operation, "receive" if received else "settle")
        if transfer is not None:
            self._link(span, transfer.sent)
        if step.fault in NOT_ARRIVED:
            self._fail(span, step.fault, FAULTS[step.fault].words)
        self._event(span, number, step.step, {"edalab.detail": step.detail})

    # -- what stands in a span

    def _span(
        self, number: int, name: str, kind: int, end: int | None, parent: int | None = None
    ) -> dict[str, Any]:
        """A new span from a step to another one, or to the end of the run."""
        envelope = self.journal[number].envelope
        story = self.begun.get(envelope.correlation, number) if envelope is not None else number
        span = {
            "traceId": f"{self.run.digest}{story + 1:024x}",
            "spanId": self._id(number),
            "name": name,
            "kind": kind,
            "startTimeUnixNano": self._time(number),
            "endTimeUnixNano": self._time(end),
            "attributes": [], "events": [], "links": [], "status": {},
        }  # fmt: skip
        if parent is not None:
            span["parentSpanId"] = self._id(parent)
            span["traceId"] = self.spans[parent]["traceId"]
        self.spans[number] = span
        return span

    def _describe(self, span: dict, step: Step, operation: str, kind: str) -> None:
        """Add the attributes of the message. Backends know a log's offset by Kafka's name for it."""
        envelope = step.envelope
        assert envelope is not None
        consumes = step.step not in ("publish", "ask")
        attributes = {
            "messaging.system": "edalab",
            "messaging.operation.name": operation,
            "messaging.operation.type": kind,
            "messaging.destination.name": envelope.topic,
            "messaging.client.id": f"{step.service}/{step.replica}",
            "messaging.message.id": envelope.id,
            "messaging.message.conversation_id": envelope.correlation,
            "messaging.consumer.group.name": step.service if consumes else None,
            "messaging.destination.partition.id": None if step.partition is None else str(step.partition),
            "messaging.kafka.offset": step.offset if step.partition is not None else None,
            "cloudevents.event_type": envelope.type,
            "cloudevents.event_subject": envelope.subject,
            "edalab.attempt": step.attempt,
        }  # fmt: skip
        span["attributes"] += _attributes(attributes)

    def _link(self, span: dict, number: int) -> None:
        """Say that a span was caused by an earlier one, which did not wait for it."""
        cause = self.spans[number]
        span["links"].append({"traceId": cause["traceId"], "spanId": cause["spanId"]})

    def _event(self, span: dict, number: int, name: str, more: dict | None = None) -> None:
        step = self.journal[number]
        attributes = _attributes({"edalab.fault": step.fault, **(more or {})})
        event = {"timeUnixNano": self._time(number), "name": name, "attributes": attributes}
        span["events"].append(event)

    def _fail(self, span: dict, kind: str, words: str) -> None:
        span["attributes"] += _attributes({"error.type": kind})
        span["status"] = {"code": ERROR, "message": words}

    def _crash(self, span: dict, number: int) -> None:
        self._fail(span, "crash", "its replica crashed")
        self._event(span, number, "crash", {"edalab.detail": self.journal[number].detail})

    def _id(self, number: int) -> str:
        return f"{self.run.digest}{number + 1:08x}"

    def _time(self, number: int | None) -> str:
        time = self.run.end if number is None else self.journal[number].time
        return str((_START + time) * 1_000_000)


def _attributes(values: dict[str, Any]) -> list[dict]:
    """Attributes in OTLP's form, in which a whole number is text."""
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
        if value is not None
    ]  # fmt: skip


Run._otlp = otlp  # an arrow that points down: a run knows no traces

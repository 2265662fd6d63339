"""A run as an OpenTelemetry trace in OTLP JSON, the format of backends such as Jaeger and Tempo.

Names and attributes follow OpenTelemetry's semantic conventions for messaging. This module implements
`Run.otlp`, whose docstring describes the spans.
"""

import json
from typing import Any

from ..errors import without_addresses
from ..model import Command, Envelope
from ..model.envelope import EPOCH
from ..sim.run import Run
from ..sim.steps import BUSY, Step
from .faults import FAULTS, NOT_ARRIVED
from .spans import Span, Trace
from .transfers import Transfer

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)  # SpanKind
ERROR = 2  # StatusCode
_START = int(EPOCH.timestamp()) * 1000  # virtual 0 s, in ms


def otlp(run: Run) -> str:
    """Return the trace of a run as one line of OTLP JSON. See `Run.otlp`."""
    spans: dict[str, list[dict]] = {}  # by service
    for number, span in _Export(run).spans.items():
        spans.setdefault(run.journal[number].service, []).append(span)
    groups = []
    for service in sorted(spans):
        resource = {"service.name": service, "service.namespace": run.system.name}
        scope = {"scope": {"name": "edalab"}, "spans": spans[service]}
        groups.append({"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]})
    return json.dumps({"resourceSpans": groups}, ensure_ascii=False)


class _Export:
    """The OTLP spans of a run, by the number of the step at which each begins."""

    def __init__(self, run: Run):
        self.run, self.trace, self.journal = run, Trace.of(run), run.journal
        self.traffic = traffic = self.trace.traffic
        self.spans: dict[int, dict[str, Any]] = {}
        self.raised = {
            (f.time, f.message and f.message.id, f.attempt): f.error for f in run.failures
        }
        sent = {transfer.sent: transfer for transfer in traffic.transfers}
        # A correlation id -> the first step of its story.
        self.begun = {one.envelope.correlation: one.sent for one in reversed(traffic.transfers)}
        handled = {span.first: span for span in self.trace.spans}
        for number, step in enumerate(self.journal):
            if number in sent:
                self._send(number, step, sent[number])
            elif number in handled:
                self._handle(number, step, handled[number])
            elif number in traffic.outages:
                kind, last = traffic.outages[number].kind, traffic.outages[number].last
                self._fail(self._add(number, kind, INTERNAL, last), kind, step.detail or "")
            else:
                self._happen(number, step)
        crashes = {s: s.last for s in self.trace.spans if s.last and s.ended_by == "crash"}
        for number in traffic.outages:  # a crash at the last step ends a span as well
            if number in traffic.span_of:
                crashes.setdefault(traffic.span_of[number], number)
        for victim, number in crashes.items():
            self._fail(self.spans[victim.first], "crash", "its replica crashed")
            self._event(self.spans[victim.first], number, "crash")

    # -- spans

    def _send(self, number: int, step: Step, transfer: Transfer) -> None:
        """Add the span of a publish, which takes no time, or of a question, which lasts until its answer."""
        envelope, home, end = transfer.envelope, self.trace.sent_in[number], number
        kind, operation = PRODUCER, "publish"
        if transfer.question:
            kind, operation = CLIENT, "ask"
            end = transfer.ended or (home.last if home else None)
        elif isinstance(envelope.data, Command):
            operation = "send"
        span = self._add(number, operation, kind, end, "send", home.first if home else None)
        if step.fault in FAULTS and FAULTS[step.fault].noticed:
            self._fail(span, "PublishFailed", FAULTS[step.fault].words)
        elif end is not None and self.journal[end].step == "timeout":
            self._fail(span, "Unanswered", f"{envelope.topic} did not answer in time")
        elif end is not None and self.journal[end].detail == BUSY:
            self._fail(span, "Busy", f"{envelope.topic} turned it away")
        if step.fault:
            self._event(span, number, "fault")
        handlings = self.trace.by_message.get(envelope.causation or "", ())
        made = [s for s in handlings if s.service == envelope.source and s.first < number]
        if made and made[-1] is not home:
            self._link(span, made[-1].first)  # an outbox: another span created the message

    def _handle(self, number: int, step: Step, handling: Span) -> None:
        """Add the span of a handling, of the answer to a question, of a tick or of a capture."""
        transfer, last = self.traffic.of_step.get(number), handling.last
        if handling.envelope.data is None:
            kind = "tick" if self.run.system.services[step.service].captures is None else "capture"
            span = self._add(number, f"{kind} {handling.envelope.type}", INTERNAL, last)
        elif transfer is not None and transfer.question:
            span = self._add(number, "answer", SERVER, last, "process", transfer.sent)
        else:
            span = self._add(number, "process", CONSUMER, last, "process")
            if transfer is not None:
                self._link(span, transfer.sent)
        if step.fault:
            self._event(span, number, "fault")

    def _happen(self, number: int, step: Step) -> None:
        """Add any other step as an event of the span in which it happened. Without such a span, add a
        span of its own, for example for a delivery that a fault struck."""
        transfer, home = self.traffic.of_step.get(number), self.traffic.span_of.get(number)
        if home is not None and step.step not in ("answer", "timeout"):
            span = self.spans[home.first]
            error = self.raised.get((step.time, home.envelope.id, step.attempt))
            if number == home.last and error is not None:
                name, message = type(error).__name__, without_addresses(str(error))
                self._fail(span, name, message)
                raised = {"exception.type": name, "exception.message": message}
                self._event(span, number, "exception", raised)
            if number == home.last and home.refused is not None:
                self._event(span, number, "refused", {"edalab.reason": home.refused})
            self._event(span, number, step.step)
        elif transfer is not None and transfer.question:
            asked = self.spans[transfer.sent]
            in_time = self._time(number) <= asked["endTimeUnixNano"]
            if in_time and step.step in ("lost", "timeout", "waiting", "busy"):
                self._event(asked, number, step.step)
        elif step.step == "takeover" or (step.envelope and (step.fault or step.step != "deliver")):
            how = step.step, INTERNAL, number, "settle"
            if step.step == "deliver":
                how = "receive", CONSUMER, number, "receive"
            span = self._add(number, *how)
            if transfer is not None:
                self._link(span, transfer.sent)
            if step.fault in NOT_ARRIVED:
                self._fail(span, step.fault, FAULTS[step.fault].words)
            self._event(span, number, step.step)

    # -- contents of a span

    def _add(
        self, number: int, name: str, kind: int, end: int | None,
        operation_type: str = "", parent: int | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Add a span from one step to another, or to the end of the run. The name of a message's span
        is an operation and a channel."""
        step = self.journal[number]
        envelope, attributes = step.envelope, []
        if operation_type and envelope is not None and envelope.data is not None:
            attributes = _of_message(step, envelope, name, operation_type)
            name = f"{name} {envelope.topic}"
        story = self.begun.get(envelope.correlation, number) if envelope is not None else number
        span = self.spans[number] = {
            "traceId": f"{self.run.digest}{story + 1:024x}",
            "spanId": self._id(number),
            "name": name,
            "kind": kind,
            "startTimeUnixNano": self._time(number),
            "endTimeUnixNano": self._time(end),
            "attributes": attributes, "events": [], "links": [], "status": {},
        }  # fmt: skip
        if parent is not None:
            span["parentSpanId"] = self._id(parent)
            span["traceId"] = self.spans[parent]["traceId"]
        return span

    def _link(self, span: dict, number: int) -> None:
        """Link a span to the earlier one that caused it and did not wait for it."""
        cause = self.spans[number]
        span["links"].append({"traceId": cause["traceId"], "spanId": cause["spanId"]})

    def _event(self, span: dict, number: int, name: str, more: dict | None = None) -> None:
        step = self.journal[number]
        detail = {"edalab.detail": step.detail} if name in (step.step, "crash") else {}
        attributes = _attributes({"edalab.fault": step.fault, **(more or detail)})
        event = {"timeUnixNano": self._time(number), "name": name, "attributes": attributes}
        span["events"].append(event)

    def _fail(self, span: dict, kind: str, words: str) -> None:
        span["attributes"] += _attributes({"error.type": kind})
        span["status"] = {"code": ERROR, "message": words}

    def _id(self, number: int) -> str:
        return f"{self.run.digest}{number + 1:08x}"

    def _time(self, number: int | None) -> str:
        time = self.run.end if number is None else self.journal[number].time
        return str((_START + time) * 1_000_000)


def _of_message(step: Step, envelope: Envelope, operation: str, operation_type: str) -> list[dict]:
    """The attributes of a message. The offset has Kafka's name, which backends know."""
    sends, partition = step.step in ("publish", "ask"), step.partition
    return _attributes({
        "messaging.system": "edalab",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation_type,
        "messaging.destination.name": envelope.topic,
        "messaging.client.id": f"{step.service}/{step.replica}",
        "messaging.message.id": envelope.id,
        "messaging.message.conversation_id": envelope.correlation,
        "messaging.consumer.group.name": None if sends else step.service,
        "messaging.destination.partition.id": None if partition is None else str(partition),
        "messaging.kafka.offset": None if partition is None else step.offset,
        "cloudevents.event_type": envelope.type,
        "cloudevents.event_subject": envelope.subject,
        "edalab.attempt": step.attempt,
    })  # fmt: skip


def _attributes(values: dict[str, Any]) -> list[dict]:
    """Attributes in OTLP's JSON form, which writes an integer as a string."""
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
        if value is not None
    ]  # fmt: skip


Run._otlp = otlp  # assigned here, because `sim` must not import `trace`

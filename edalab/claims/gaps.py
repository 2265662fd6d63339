"""Gaps between what a service saves and what it publishes, and between what it answers and what it could know."""

from ..model import Envelope, Event
from ..trace.faults import FAILED_TO_SEND, NOT_ARRIVED
from ..trace.spans import Span, Trace
from .delivery import Found


def find_dual_write_gaps(trace: Trace, service: str) -> Found:
    """The handlings that saved and were kept from publishing, or the reverse, where the other was not done later."""
    trace.run._node(service)  # raises Unknown
    here = [span for span in trace.spans if span.service == service]
    # By source, because a connector that captures its outbox publishes for it.
    sources = (trace.envelope(n).source for n in trace.sends if trace.kind(n) == "publish")
    publish = service in sources
    if not publish or not any(span.saves for span in here):
        return f"{service} did not both save and publish"
    found = []
    for span in here:
        if (missed := _missed(trace, span, here)) is None:
            continue
        number, kind, name = missed
        if kind == "publish" and not _published_later(trace, span, number, name):
            saved = next((save for save in span.saves if trace.changed(save)), None)
            if saved is not None:
                what = f"saved for {span.message} {trace.when(saved)}"
                sentence = f"{service} {what}, and never published the {name}"
                found.append((sentence, [saved, number]))
        fact = trace.fact(span.envelope)
        if kind == "save" and not any(s.saves for s in here if trace.fact(s.envelope) == fact):
            sent = trace.envelope(span.sent[0])
            what = f"published {sent.type} {sent.id} {trace.when(span.sent[0])}"
            sentence = f"{service} {what}, and what belongs to it was never saved"
            found.append((sentence, [span.sent[0], number]))
    return found


def _missed(trace: Trace, span: Span, here: list[Span]) -> tuple[int, str, str] | None:
    """The publish or save that a fault or an exception kept a span from after it had done the other: its step,
    "publish" or "save", and the type of message."""
    for number in span.events:
        if (fault := trace.fault(number)) is None:
            continue
        kind = trace.kind(number)
        struck = fault in NOT_ARRIVED if kind == "publish" else kind == "save"
        done = span.saves if kind == "publish" else span.sent
        if struck and done and done[0] < number:
            return number, kind, trace.envelope(number).type
    if span.finished or span.last is None:
        return None
    # No fault struck its steps, but it did not finish. A finished span that began alike shows what is missing.
    kind = "publish" if span.saves else "save"
    begun = trace.outline(span)
    for other in here if span.saves or span.sent else ():
        if other.finished and other.envelope.type == span.envelope.type:
            events = trace.outline(other)
            rest = [event for event in events[len(begun) :] if event[0] == kind]
            if rest and events[: len(begun)] == begun:
                return span.last, *rest[0]
    return None


def _published_later(trace: Trace, span: Span, number: int, name: str) -> bool:
    """Whether the message was published later, by another attempt or from an outbox."""
    struck = trace.envelope(number) if trace.kind(number) == "publish" else None
    fact = trace.fact(struck or span.envelope)
    for other in trace.published(name, NOT_ARRIVED):
        envelope = trace.envelope(other)
        # If no publish was struck, only the cause identifies the message.
        stated = trace.fact(envelope) if struck else trace.logical_id.get(envelope.causation or "")
        if stated == fact and envelope.source == span.service and other >= span.saves[0]:
            return True
    return False


def find_stale_reads(trace: Trace, name: str) -> Found:
    """The answers to a query that leave out an event about its key, published before the question."""
    replied = [(s, s.last) for s in trace.spans_of(name) if s.last and s.ended_by == "reply"]
    answered = [(span, end) for span, end in replied if trace.fault(end) in (None, "delay")]
    if not answered:
        return f"no {name} was answered"
    asked = {trace.envelope(n).id: n for n in trace.sends if trace.kind(n) == "ask"}
    found, tested = [], False
    for span, end in answered:
        question = asked[span.envelope.id]
        for number in trace.sends:
            event = trace.envelope(number)
            if number > question or not _concerns(trace, number, span):
                continue
            knows = _knows(trace, span.service, end, event, number)
            tested = tested or knows is not None
            if knows is False:
                answer = f"answered {span.message} about {event.subject} {trace.when(end)}"
                missing = f"without {event.type} {event.id}, published {trace.when(number)}"
                steps = [number, question, span.first, end]
                found.append((f"{span.service} {answer} {missing}", steps))
    none = f"no event about the key of a {name} was published before the question"
    return found if tested else none


def _concerns(trace: Trace, number: int, span: Span) -> bool:
    """Whether a step publishes an event of another service about the key of a query."""
    event = trace.envelope(number)
    return (
        event.subject is not None
        and event.subject == span.envelope.subject
        and isinstance(event.data, Event)
        and event.source != span.service
        and event.topic not in trace.system.queues
        and trace.fault(number) not in FAILED_TO_SEND
    )


def _knows(trace: Trace, service: str, end: int, event: Envelope, published: int) -> bool | None:
    """Whether a service that answers at step `end` knew an event, or a newer one of its type; None if it need not."""
    if service in trace.subscribers(event.type):
        later = [trace.envelope(n) for n in trace.published(event.type) if n >= published]
        ids = {envelope.id for envelope in later if envelope.subject == event.subject}
        spans = [s for s in trace.spans_of(event.type) if s.service == service]
        handled = [span for span in spans if span.envelope.id in ids]
        signs = [span.saves[0] for span in handled if span.saves]
        signs += [span.last for span in handled if span.finished and span.last]
        return any(number < end for number in signs)
    about, asks = (service, event.source, event.subject), []
    for number in trace.sends:
        question = trace.envelope(number)
        asked = trace.kind(number) == "ask" and question.id not in trace.in_doubt
        if (question.source, question.topic, question.subject) == about and asked and number < end:
            asks.append(number)
    return asks[-1] > published if asks else None  # an answer that it got before is older

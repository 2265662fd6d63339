"""Messages that state the same fact: one that was sent again, or those of a producer that ran twice."""

from typing import TYPE_CHECKING

from ..model import Envelope
from ..model.versions import differ, read
from .faults import FAILED_TO_SEND

if TYPE_CHECKING:
    from .spans import Span, Trace


def logical_message_ids(trace: "Trace") -> dict[str, str]:
    """Map the id of every message to the id of the first message that states the same fact.

    A message repeats an earlier one if it has the same id, or if its producer ran twice and source,
    cause, type and data are equal (except for the time of publishing). Equal messages of one
    handling are two facts, unless the first got no answer or no confirmation. Equal messages of
    two ticks are two facts, unless the first tick was interrupted."""
    sent = [trace.envelope(number) for number in trace.sends]
    original = {envelope.id: envelope.id for envelope in sent}
    causes = [(e.source, e.causation, e.type) for e in sent if (e.source, e.causation) != _CLIENT]
    if len(set(causes)) == len(causes) and not trace.in_doubt:
        return original  # the usual case
    groups: dict[tuple, list[tuple[int, Envelope, Span | None]]] = {}
    seen: set[str] = set()
    for number, envelope in zip(trace.sends, sent, strict=True):
        if envelope.id in seen:
            continue
        seen.add(envelope.id)
        producer, cause = trace.sent_in[number], envelope.causation
        if cause is None:  # the client or a tick begins a story
            if producer is None and not trace.in_doubt:
                continue
            cause = producer and producer.envelope.type
        else:
            if producer is not None and producer.envelope.id != cause:
                producer = None  # an outbox
            cause = original.get(cause, cause)
        key = envelope.source, cause, envelope.type, envelope.subject
        group = groups.get(key)
        if group is None:
            groups[key] = [(number, envelope, producer)]
            continue
        equal = [
            earlier
            for earlier in group
            if _may_repeat(producer, earlier[2]) and says_the_same(earlier[1], envelope)
        ]
        if equal:
            facts = list(dict.fromkeys(original[earlier.id] for _, earlier, _ in equal))
            already_sent = 0
            if producer is not None or envelope.source == "client":
                own = (n for n, _, by in equal if by is producer)
                already_sent = sum(_arrived(trace, n) for n in own)
            if already_sent < len(facts):
                original[envelope.id] = facts[already_sent]
        group.append((number, envelope, producer))
    return original


def _arrived(trace: "Trace", number: int) -> bool:
    """Whether a message was sent, and its sender was told so."""
    sent = trace.fault(number) not in FAILED_TO_SEND
    return sent and trace.envelope(number).id not in trace.in_doubt


_CLIENT = "client", None  # source and cause of what the client sends


def _may_repeat(producer: "Span | None", earlier: "Span | None") -> bool:
    """Whether an execution may repeat a message of an earlier one. A tick may only after a crash or a failure."""
    if producer is None or earlier is None or producer is earlier:
        return True
    return producer.envelope.data is not None or earlier.ended_by in ("crash", "failure")


def says_the_same(one: Envelope, other: Envelope) -> bool:
    """Whether two messages of a type have equal data, apart from fields that hold the time of publishing."""
    theirs, data = vars(other.data), one.data
    if differ(data.__class__, other.data.__class__):  # one of them was sent before a deploy
        try:
            data = read(data, other.data.__class__)
        except Exception:  # an upcaster is the learner's code
            return False
    return all(
        value == theirs.get(name)
        or (_is_its_time(value, one) and _is_its_time(theirs.get(name), other))
        for name, value in vars(data).items()
    )


def _is_its_time(value: object, envelope: Envelope) -> bool:
    return value.__class__ is float and value == envelope.time / 1000

"""What the messages and commits of a saga mean: which change something new, which refuse a command, which are of one key."""

from ..model import Envelope
from ..model.messages import key_of
from .spans import Span, Trace


def changes_state(trace: Trace, commit: int) -> bool:
    """Whether a commit changed a row that is no bookkeeping. Bookkeeping are the rows that hold a stored message (an
    outbox), or nothing but the id of a message, its type and the time (an inbox)."""
    time = trace.journal[commit].time
    words = {word for message in trace.messages.values() for word in (message.id, message.type)}

    def is_bookkeeping(row: tuple) -> bool:
        if any(isinstance(value, str) and Envelope.is_stored(value) for value in row):
            return True
        return any(value in trace.messages for value in row) and all(
            value in words or value in (time, time / 1000) for value in row
        )

    return not all(map(is_bookkeeping, trace.changed(commit)))


def continues(trace: Trace, earlier: Span, later: Span) -> bool:
    """Whether a span skips what an earlier one did: it begins otherwise, or has less to save than one that did not
    finish."""
    before, after = _events(trace, earlier), _events(trace, later)
    if not earlier.finished and before.count("save") > after.count("save"):
        return True
    begun = before[: before.index("save") + 1] if "save" in before else before[:1]
    return after[: len(begun)] != begun


def _events(trace: Trace, span: Span) -> list:
    steps = [trace.journal[number] for number in span.events]
    return [s.step if s.step == "save" else (s.step, s.envelope.type) for s in steps]


def is_refusal(trace: Trace, refusal: Envelope, number: int, command: Envelope) -> bool:
    """Whether a message that was published at step `number`, of a class with `refuses=`, refuses this command: it was
    published because of it, or by the asker after the answer."""
    if not of_one_key(command, refusal):
        return False
    answer = trace.answered.get(command.id)
    if answer is not None and answer < number and trace.journal[answer].service == refusal.source:
        return True
    cause, seen = refusal, set()
    while cause is not None and cause.id not in seen:
        if cause.causation == command.id:
            return True
        seen.add(cause.id)
        cause = trace.messages.get(cause.causation)
    return False


def saga_types(trace: Trace) -> set[str]:
    """The types of messages that declare a role in sagas, and those that they name."""
    roles = trace.system.saga_roles
    return set(roles) | {name for role in roles.values() for name in role[:2] if name}


def of_one_key(step: Envelope, other: Envelope) -> bool:
    """Whether two messages agree in the field that is the step's key, or the other one has no such field."""
    key = type(step.data).__declared__.key
    if key is None or key not in type(other.data).model_fields:
        return True
    return key_of(other.data, key) == step.subject


def agree(step: Envelope, other: Envelope) -> bool:
    """Whether a message has the values of a step in all the fields that both have."""
    mine, its = vars(step.data), vars(other.data)
    return all(mine[name] == its[name] for name in mine if name in its)

"""Which messages tell one and the same fact: one that came again, and what a producer said that ran twice."""

from typing import TYPE_CHECKING

from ..model import Envelope
from ..sim.steps import WIDTH

if TYPE_CHECKING:
    from .spans import Span, Trace

# After these faults nothing was published or asked, and the sender knows it.
UNSENT = ("crash", "fail", "cut")


def may_repeat(trace: "Trace") -> bool:
    """Whether any message may tell what another told before: a quick look, for the many runs where none does."""
    told, values = set(), trace.run._record
    for number in trace.sends:
        envelope = values[number * WIDTH + 3]
        cause = envelope.source, envelope.causation, envelope.type
        if cause in told:
            return True
        if cause[:2] != ("client", None):
            told.add(cause)
    return bool(trace.in_doubt)


def logical_message_ids(trace: "Trace") -> dict[str, str]:
    """The id of every message that was said -> the id of the first one that told the same fact. A message tells the
    same as an earlier one where it is the earlier one again (same id), or where its producer ran twice: same source,
    cause, type and data (but for the moment of publishing). What one handling says twice is two facts, unless it asks
    again because it got no answer or no confirmation; what two ticks say is two facts, unless the first was interrupted."""
    told: dict[str, str] = {}
    groups: dict[tuple, list[tuple]] = {}
    for number in trace.sends:
        step, envelope = trace.journal[number], trace.journal[number].envelope
        id, cause = envelope.id, envelope.causation
        if id in told:
            continue
        told[id] = id
        home = trace.span_of[number]
        if cause is None:  # the client or a tick begins a story
            if home is None and not trace.in_doubt:
                continue
            cause = home and home.envelope.type
        elif home is not None and home.envelope.id != cause:
            home = None  # told by an outbox
        through = step.fault not in UNSENT and id not in trace.in_doubt
        group = groups.setdefault(
            (envelope.source, told.get(cause, cause), envelope.type, envelope.subject), []
        )
        if group:
            same = [
                other
                for other in group
                if _again(home, other[1]) and says_the_same(other[0], envelope)
            ]
            facts = list(dict.fromkeys(told[other.id] for other, _, _ in same))
            by_one = home is not None or envelope.source == "client"
            place = sum(1 for _, where, went in same if where is home and went) if by_one else 0
            if place < len(facts):
                told[id] = facts[place]
        group.append((envelope, home, through))
    return told


def _again(home: "Span | None", earlier: "Span | None") -> bool:
    """Whether one handling may repeat what another said."""
    a_tick = (
        home is not None
        and earlier is not None
        and home.envelope.data is None
        and home is not earlier
    )
    return not a_tick or earlier.ended_by in ("crash", "failure")


def says_the_same(one: Envelope, other: Envelope) -> bool:
    """Whether two messages of a type have the same data, but for what only says when they were published."""
    theirs = vars(other.data)
    return all(
        value == theirs[name] or (_is_moment(value, one) and _is_moment(theirs[name], other))
        for name, value in vars(one.data).items()
    )


def _is_moment(value: object, envelope: Envelope) -> bool:
    return value.__class__ is float and value == envelope.time / 1000

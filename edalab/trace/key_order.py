"""The order in which one key's messages were published, and the order in which they took effect in
a service."""

from typing import NamedTuple

from .faults import NOT_ARRIVED
from .spans import Span, Trace


class Effect(NamedTuple):
    """A handling of a message of the key. `place` is its place in the order of publishing, `time` (ms)
    is when it took effect. `late`: a newer one took effect before. `held`: it waited in a table."""

    place: int
    span: Span
    time: int
    late: bool
    held: bool


def published_of(trace: Trace, types: set[str], key: str) -> dict[str, int]:
    """Map each message id of the key, in the order of publishing, to the step that published it."""
    numbers = sorted(n for name in types for n in trace.published(name, NOT_ARRIVED))
    found: dict[str, int] = {}
    for number in numbers:
        if trace.envelope(number).subject == key:
            found.setdefault(trace.envelope(number).id, number)
    return found


def effects_in_order(
    trace: Trace, spans: list[Span], published: dict[str, int], saving: bool, held_in: str | None
) -> list[Effect]:
    """The effects in the order in which they occurred. With `saving`, an effect is a save, otherwise
    a handling that finished."""
    places, done = {id: place for place, id in enumerate(published)}, []
    for span in spans:
        if (span.saves if saving else span.finished) and span.envelope.id in published:
            own = span.saves[-1] if saving else span.last or 0
            number = _applied(trace, span.service, own, held_in) if held_in else own
            if number is not None:
                done.append((number, places[span.envelope.id], span, number != own))
    effects, newest = [], -1
    for number, place, span, held in sorted(done, key=lambda each: each[:2]):
        time = trace.run.journal[number].time
        effects.append(Effect(place, span, time, place < newest, held))
        newest = max(newest, place)
    return effects


def _applied(trace: Trace, service: str, own: int, held_in: str) -> int | None:
    """The save that applied a message. If its own save put rows into the table `held_in`, it is the
    save that removed the first of them, or None if that is still stored."""
    rows = trace.run.changes(own).added.get(held_in)
    if not rows:
        return own
    saves = sorted(n for span in trace.spans if span.service == service for n in span.saves)
    removed = (
        n for n in saves if n > own and rows[0] in trace.run.changes(n).removed.get(held_in, ())
    )
    return next(removed, None)

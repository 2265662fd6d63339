"""The effects of equal executions: the saves that changed something new."""

from ..model import Envelope
from .spans import Span, Trace


def new_effects(trace: Trace, saved: list[tuple[Span, list[int]]]) -> list[tuple[Span, int]]:
    """The effects of equal executions, as (span, save that shows it). `saved` has the saves of each. One has
    no further effect if it changed nothing new or continued an interrupted one."""
    found: list[tuple[Span, int]] = []
    for span, numbers in sorted(saved, key=lambda pair: pair[0].first):
        if any(_continues(trace, earlier, span) for earlier, _ in found):
            continue
        new = [number for number in numbers if not found or changes_state(trace, number)]
        if new:
            found.append((span, new[0]))
    return found


def changes_state(trace: Trace, save: int) -> bool:
    """Whether a save changed a row that is not bookkeeping. A bookkeeping row holds a stored message
    (an outbox), or only the id of a message, its type and the time (an inbox)."""
    time = trace.journal[save].time
    types = {message.type for message in trace.messages.values()}

    def is_bookkeeping(row: tuple) -> bool:
        if any(isinstance(value, str) and Envelope.is_stored(value) for value in row):
            return True
        others = [value for value in row if value not in trace.messages]
        known = all(value in types or value in (time, time / 1000) for value in others)
        return known and len(others) < len(row)

    return not all(map(is_bookkeeping, trace.changed(save)))


def _continues(trace: Trace, earlier: Span, later: Span) -> bool:
    """Whether a span skips the work of an earlier one: it begins differently, or it has fewer saves
    than an earlier one that did not finish."""
    before, after, save = trace.outline(earlier), trace.outline(later), ("save", "")
    if not earlier.finished and before.count(save) > after.count(save):
        return True
    begun = before[: before.index(save) + 1] if save in before else before[:1]
    return after[: len(begun)] != begun

"""How often equal executions took effect: which of their commits changed something new."""

from ..model import Envelope
from .spans import Span, Trace


def effects(trace: Trace, commits: list[tuple[Span, list[int]]]) -> list[tuple[Span, int]]:
    """Each time that equal executions took effect: the span, and the commit that shows it. One that
    changed nothing new, or went on where an earlier one was interrupted, is no further effect."""
    found: list[tuple[Span, int]] = []
    for span, numbers in sorted(commits, key=lambda pair: pair[0].first):
        if any(_continues(trace, earlier, span) for earlier, _ in found):
            continue
        new = [number for number in numbers if not found or changes_state(trace, number)]
        if new:
            found.append((span, new[0]))
    return found


def changes_state(trace: Trace, commit: int) -> bool:
    """Whether a commit changed a row that is no bookkeeping. Bookkeeping is a row that holds a
    stored message (an outbox), or nothing but the id of a message, its type and the time (an inbox)."""
    time = trace.journal[commit].time
    types = {message.type for message in trace.messages.values()}

    def is_bookkeeping(row: tuple) -> bool:
        if any(isinstance(value, str) and Envelope.is_stored(value) for value in row):
            return True
        others = [value for value in row if value not in trace.messages]
        known = all(value in types or value in (time, time / 1000) for value in others)
        return known and len(others) < len(row)

    return not all(map(is_bookkeeping, trace.changed(commit)))


def _continues(trace: Trace, earlier: Span, later: Span) -> bool:
    """Whether a span skips what an earlier one did: it begins otherwise, or it saves less than one
    that did not finish."""
    before, after, save = trace.outline(earlier), trace.outline(later), ("save", "")
    if not earlier.finished and before.count(save) > after.count(save):
        return True
    begun = before[: before.index(save) + 1] if save in before else before[:1]
    return after[: len(begun)] != begun

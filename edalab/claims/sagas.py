"""The claims about sagas: each saga ends, and compensates what it did, once and in reverse.

Each `find_…` takes one saga and returns a sentence for each problem, with the numbers of the steps
that prove it. The saga map uses the same functions.
"""

from collections.abc import Callable

from ..model import Envelope
from ..trace.causality import dependent_compensations, facts_known_at
from ..trace.faults import FAILED_TO_SEND
from ..trace.saga import Occurrence, Saga, of_one_key
from ..trace.saga_effects import new_effects
from ..trace.saga_index import sagas
from ..trace.spans import Span, Trace
from .delivery import Found

Findings = list[tuple[str, list[int]]]


def judge_ends(trace: Trace, begins: str | None) -> Found:
    """The sagas that did not end, settled in two ways, or settled with a step neither done nor compensated."""
    begun = sagas(trace, [begins] if begins else ())
    if begins:
        begun = [saga for saga in begun if saga.sent.keys() - {begins} or _accepted(saga, begins)]
    if not begun:
        return "no message of a saga was sent"
    if not trace.over:
        twice = [finding for saga in begun for finding in find_two_ends(saga)]
        return twice or "the run was ended before the sagas could end"
    return [finding for saga in begun for finding in find_unsettled(saga, begins)]


def judge_each(trace: Trace, find: Callable[[Saga], Findings | None]) -> Found:
    """What `find` finds in the sagas of a run, or why none of them tests the claim."""
    found = [finding for saga in sagas(trace) if (finding := find(saga)) is not None]
    if found:
        return [piece for finding in found for piece in finding]
    if find is find_disordered:
        return "no two steps of a saga, one of which depends on the other, were compensated"
    refused = any(saga.refused for saga in sagas(trace))
    return "nothing was compensated" if refused else "nothing was refused, failed or compensated"


# -- how a saga ends


def find_unsettled(saga: Saga, begins: str | None = None) -> Findings:
    """How a saga failed to end, in a run that has ended."""
    if saga.ends:
        return find_two_ends(saga) or _settled_undone(saga)
    refused = saga.failed() | saga.refused
    if begins:
        refused.pop(begins, None)
    left = [step.type for step in saga.left if step.compensated is None]
    if not saga.final and not left and (refused or saga.compensations):
        return []
    how = "nothing was compensated"
    if left:
        how = f"{' and '.join(dict.fromkeys(left))} not compensated"
    elif saga.final:
        how = f"{saga.final} cannot be undone"
    last = saga.envelope(saga.last)
    sentence = f"{saga} stopped after {last.type} {last.id}: not settled, and {how}"
    return [(sentence, [saga.first, saga.last, *refused.values()])]


def find_two_ends(saga: Saga) -> Findings:
    """The ways in which a saga settled, if there are two or more."""
    ends: dict[str | None, dict[str, int]] = {}  # key -> type -> where
    for number in saga.ends:
        end = saga.envelope(number)
        ends.setdefault(end.subject, {}).setdefault(end.type, number)
    for ways in ends.values():
        if len(ways) > 1:
            return [(f"{saga} was settled by {' and by '.join(ways)}", list(ways.values()))]
    return []


def _settled_undone(saga: Saga) -> Findings:
    """The step that a settled saga neither did nor compensated, if there is one."""
    if saga.compensations or any(saga.role(name).refuses for name in saga.sent):
        return []
    end = saga.ends[0]
    for step in (step for name in saga.sent for step in saga.occurrences(name)):
        if step.is_command and not _ever_done(saga, step):
            what = f"{step.type} {step.message.id} was asked for and neither done nor compensated"
            sentence = f"{saga} was settled by {saga.envelope(end).type}, though {what}"
            return [(sentence, [*step.numbers, end])]
    return []


def _ever_done(saga: Saga, step: Occurrence) -> bool:
    same = [one for one in saga.occurrences(step.type) if of_one_key(step.message, one.message)]
    spans = [span for one in same for span in one.spans]
    return any(span.finished or saga.saves_in(span) for span in spans)


def _accepted(saga: Saga, begins: str) -> bool:
    """Whether a service began to handle the message that begins a saga. A message that was sent and lost also
    counts, because its client does not know of the loss; a client that asked without an answer may ask again."""
    trace = saga.trace
    for number in saga.numbers:
        if trace.envelope(number).type != begins or trace.fault(number) in FAILED_TO_SEND:
            continue
        id, sent = saga.envelope(number).id, trace.kind(number) == "publish"
        spans = trace.by_message.get(id, ())
        if any(s.finished or s.saves or s.ended_by == "dead_letter" for s in spans):
            return True
        if sent and (spans or any(lost == id for _, lost in trace.given_up)):
            return True
    return False


# -- what is compensated


def find_repeated(saga: Saga) -> Findings | None:
    """The compensations that took effect more often than their step."""
    if not saga.compensations:
        return None
    if sum(len(compensation.saved) for compensation in saga.compensations) < 2:
        return []
    # A compensation without a step is counted by itself.
    steps = dict.fromkeys(step for one in saga.compensations for step in one.compensates or [one])
    found, reported = [], set()
    for step in steps:
        # Of each type, the one that took effect most often: two with different data are separate.
        most: dict[str, Occurrence] = {}
        for one in step.compensations or [step]:
            most[one.type] = max(most.get(one.type, one), one, key=lambda each: len(each.saved))
        saved = [pair for one in most.values() for pair in one.saved]
        applied = new_effects(saga.trace, saved)
        if len(applied) < 2 or applied[-1] in reported:
            continue
        if not step.compensations or len(applied) > len(step.effects):
            reported.add(applied[-1])
            found.append(_twice(saga, next(iter(most)), applied))
    return found


def _twice(saga: Saga, name: str, applied: list[tuple[Span, int]]) -> tuple[str, list[int]]:
    (first, one), (later, other) = applied[0], applied[-1]
    when = saga.trace.when
    again = f" and again {when(other)}"
    if first.envelope.id != later.envelope.id:
        again = f",{again} for {later.message}"
    deed = f"{first.service} applied {name} twice, for {first.message} {when(one)}{again}"
    return f"in {saga} {deed}", [first.first, one, later.first, other]


def find_needless(saga: Saga) -> Findings | None:
    """The compensations that had nothing to compensate, or that followed a final step."""
    if not saga.compensations and not saga.refused:
        return None
    found, final = [], saga.final
    for compensation in saga.compensations:
        shown = compensation.shown(saga.trace.stateful)
        if shown is None:
            continue
        why, because = _why_needless(saga, compensation), list(saga.refused.values())
        if final:
            why, because = f"though {final}, which cannot be undone, was done", saga.done(final)
        if why:
            step = f"{saga.role(compensation.type).compensates}{_of(saga, compensation.message)}"
            numbers = [compensation.first, shown, *because]
            found.append((f"in {saga} {step} was compensated {why}", numbers))
    return found


def _why_needless(saga: Saga, compensation: Occurrence) -> str:
    """Why there was nothing to compensate; "" if there was something, or if that was in doubt."""
    steps = compensation.compensates
    if any(step.done is not None for step in steps):
        return ""
    refusals = saga.refusals_of([saga.role(compensation.type).compensates or ""])
    refusals = [n for n in refusals if of_one_key(compensation.message, saga.envelope(n))]
    # A span that finished without doing the step refused it, or did nothing.
    refusals += [span.last for step in steps for span in step.spans if span.finished]
    at = compensation.first
    if facts_known_at(saga, {n: {"refused"} for n in refusals if n is not None}, {at})[at]:
        return "though it was refused"
    if steps:
        return ""
    publishes = compensation.spans and not compensation.is_command
    return "" if publishes and _may_have_done(saga, compensation.spans[0]) else "and never done"


def _may_have_done(saga: Saga, publisher: Span) -> bool:
    """Whether the service that publishes a compensation had saved something in this saga before, or was still to
    receive a message of it."""
    trace, service = saga.trace, publisher.service
    before = [
        span
        for span in trace.spans
        if span.service == service
        and span.first < publisher.first
        and span.envelope.correlation in saga.correlations
    ]
    handled = {publisher.envelope.id, *(span.envelope.id for span in before if span.finished)}
    sent = [saga.envelope(number) for number in saga.numbers if number < publisher.first]
    coming = [envelope for envelope in sent if envelope.id not in handled]
    awaited = any(service in trace.subscribers(e.type) for e in coming)
    return awaited or any(span.saves for span in before)


def find_left_behind(saga: Saga) -> Findings | None:
    """The steps that a saga did and did not compensate although it went back, in a run that has ended."""
    why, when = why_back(saga), saga.trace.when
    if not why:
        return None
    if saga.final or not saga.trace.over:
        return []
    found = []
    for step in saga.left:
        done, undone, late = saga.done_steps[step], step.compensated, step.done_late
        name = f"in {saga} {step.type}{_of(saga, step.message)}"
        sentence = f"{name} was done {when(done)} and not compensated, though {why}"
        numbers = [step.first, done, *saga.refused.values()]
        if undone is not None and late is not None:
            sentence = f"{name} was done {when(late)}, after it had been compensated {when(undone)}"
            numbers = [step.first, undone, late]
        found.append((sentence, numbers))
    return found


def why_back(saga: Saga) -> str:
    """Why a saga has to compensate what it did; "" if it does not."""
    for name in saga.refused:
        return f"{name} was refused"
    for compensation in saga.compensations:
        return f"{compensation.type} was {'sent' if compensation.is_command else 'published'}"
    trace, roles = saga.trace, saga.roles.items()
    absent = sorted(name for name, role in roles if role.final and name not in saga.sent)
    # Only what this system handles or has published; another one may declare more.
    missing = [name for name in absent if trace.subscribers(name) or trace.published(name)]
    return f"it ended without {missing[0]}" if missing and saga.ends else ""


def find_disordered(saga: Saga) -> Findings | None:
    """The steps that were compensated before a step that depends on them."""
    pairs = dependent_compensations(saga)
    if not pairs:
        return None
    found, when = [], saga.trace.when
    done, undone = saga.done_steps, saga.compensated_steps
    for base, later in pairs:
        if not done[later] < undone[base] < undone[later]:
            continue
        depends = f"{later.type}, which depends on it ({when(undone[later])})"
        first = f"in {saga} {base.type} was compensated {when(undone[base])}"
        steps = [done[base], done[later], undone[base], undone[later]]
        found.append((f"{first}, before {depends}", steps))
    return found


def _of(saga: Saga, message: Envelope) -> str:
    """The words " of o1" if a message has another key than its saga; else ""."""
    other = message.subject != saga.envelope(saga.first).subject
    return f" of {message.subject}" if other else ""

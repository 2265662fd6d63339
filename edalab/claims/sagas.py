"""Decides the claims about sagas: each ends, and compensates what it did, once, in reverse and nothing else.

Each `find_…` looks at one saga and returns a sentence, and the steps of the record that prove it, for all that is wrong.
The saga map asks the same functions.
"""

from collections.abc import Callable

from ..model import Command
from ..trace.causality import dependent_compensations, facts_known_at
from ..trace.saga import Occurrences, Saga
from ..trace.saga_effects import changes_state, of_one_key
from ..trace.saga_index import sagas
from ..trace.spans import Span, Trace
from .delivery import Found, _one

Findings = list[tuple[str, list[int]]]
_NO_PAIR = "no two steps of a saga, one of which depends on the other, were compensated"


def stuck(trace: Trace, begins: str | None) -> Found:
    """Sagas that ended neither settled nor wholly compensated, that settled in two ways, or with a step in doubt."""
    begun = [
        saga
        for saga in sagas(trace, begins)
        if set(saga.sent) != {begins} or _accepted(saga, begins)
    ]
    if not begun:
        return "no message of a saga was sent"
    if not trace.ended:
        twice = [finding for saga in begun for finding in find_two_ends(saga)]
        return twice or "the run was ended before the sagas could end"
    return [finding for saga in begun for finding in find_unsettled(saga, begins)]


def compensated_twice(trace: Trace) -> Found:
    """Steps that were compensated more often than they were done."""
    return _in_all(trace, find_repeated, lambda saga: bool(saga.compensations))


def needlessly_compensated(trace: Trace) -> Found:
    """Compensations of what was never asked for or known to be refused, or after a final step."""
    return _in_all(trace, find_needless, lambda saga: bool(saga.compensations or saga.refused))


def left_behind(trace: Trace) -> Found:
    """Steps that a saga did and did not compensate when it went back."""
    return _in_all(trace, find_left_behind, lambda saga: bool(why_back(saga)))


def not_in_reverse(trace: Trace) -> Found:
    """Steps that were compensated before another one that depends on them."""
    found, tested = [], False
    for saga in sagas(trace):
        pairs = dependent_compensations(saga)
        tested = tested or bool(pairs)
        found += find_disordered(saga, pairs)
    return found if tested else _NO_PAIR


def _in_all(trace: Trace, find: Callable, tests: Callable[[Saga], bool]) -> Found:
    """What is found in the sagas of a run, or why none of them tests the claim."""
    if any(map(tests, sagas(trace))):
        return [finding for saga in sagas(trace) for finding in find(saga)]
    refused = any(saga.refused for saga in sagas(trace))
    return "nothing was compensated" if refused else "nothing was refused, failed or compensated"


# -- how a saga ends


def find_unsettled(saga: Saga, begins: str | None = None) -> Findings:
    """How a saga failed to end, in a run that has ended."""
    if saga.ends:
        return _settled_wrongly(saga)
    refused = saga.failed() | saga.refused
    refused.pop(begins, None)
    final = saga.final
    left = [_type(saga, step) for step in saga.done_steps if saga.compensated_at(step) is None]
    if not final and not left and (refused or saga.compensations):
        return []
    how = "nothing was compensated"
    if left:
        how = f"{' and '.join(dict.fromkeys(left))} not compensated"
    elif final:
        how = f"{final} cannot be undone"
    last = saga.envelope(saga.last)
    sentence = f"{saga} stopped after {last.type} {last.id}: not settled, and {how}"
    return [(sentence, [saga.first, saga.last, *refused.values()])]


def find_two_ends(saga: Saga) -> Findings:
    """Whether a saga settled in two ways."""
    ends: dict[str | None, dict[str, int]] = {}  # key -> type -> where
    for number in saga.ends:
        end = saga.envelope(number)
        ends.setdefault(end.subject, {}).setdefault(end.type, number)
    found = [
        (f"{saga} was settled by {' and by '.join(ways)}", list(ways.values()))
        for ways in ends.values()
        if len(ways) > 1
    ]
    return found[:1]


def _settled_wrongly(saga: Saga) -> Findings:
    """Whether a saga settled in two ways, or without compensation though a step was never done."""
    if twice := find_two_ends(saga):
        return twice
    if saga.compensations or any(saga.role(name).refuses for name in saga.sent):
        return []
    end = saga.ends[0]
    name = saga.envelope(end).type
    targets = {target for role in saga.roles.values() for target in role[:2]} | _finals(saga)
    steps = [step for other in saga.sent if other in targets for step in saga.occurrences(other)]
    for step in steps:
        message = saga.envelope(step[0])
        if isinstance(message.data, Command) and not _ever_done(saga, message):
            what = f"{message.type} {message.id} was asked for and neither done nor compensated"
            return [(f"{saga} was settled by {name}, though {what}", [*step, end])]
    return []


def _ever_done(saga: Saga, message) -> bool:
    steps = saga.occurrences(message.type)
    steps = [step for step in steps if of_one_key(message, saga.envelope(step[0]))]
    spans = [span for step in steps for number in step for span in saga.executions_of(number)]
    return any(span.finished or saga.commits_in(span) for span in spans)


def _accepted(saga: Saga, begins: str) -> bool:
    """Whether a service took up the message that begins a saga. A client that asked and got no answer may ask again; one
    that sent it does not know that it was lost, so a message that was lost for good counts, too."""
    trace = saga.trace
    for number in saga.sent[begins]:
        id, sent = saga.envelope(number).id, trace.journal[number].step == "publish"
        spans = trace.by_message.get(id, ())
        if any(s.finished or s.saves or s.ended_by == "dead_letter" for s in spans):
            return True
        if sent and (spans or any(lost == id for _, lost in trace.given_up)):
            return True
    return False


# -- what is compensated


def find_repeated(saga: Saga) -> Findings:
    """The compensations that took effect more often than their step."""
    compensations = saga.compensations
    if sum(len(saga.commits(group)) for group in compensations) < 2:
        return []
    of_step: dict[int, tuple[Occurrences, list[Occurrences]]] = {}
    for compensation in compensations:
        # A compensation of nothing stands for itself.
        for step in saga.compensated_by(compensation) or [compensation]:
            of_step.setdefault(step[0], (step, []))[1].append(compensation)
    found, reported = [], set()
    for step, groups in of_step.values():
        # Of each type the one that took effect most often: two with other data are two deeds.
        most: dict[str, Occurrences] = {}
        for group in groups:
            name = _type(saga, group)
            most[name] = max(most.get(name, group), group, key=lambda one: len(saga.commits(one)))
        effects = saga.effects(sorted(number for group in most.values() for number in group))
        if len(effects) < 2 or effects[-1] in reported:
            continue
        if step in groups or len(effects) > len(saga.effects(step)):
            reported.add(effects[-1])
            found.append(_twice(saga, next(iter(most)), effects))
    return found


def _twice(saga: Saga, name: str, effects: list[tuple[Span, int]]) -> tuple[str, list[int]]:
    (first, one), (later, other) = effects[0], effects[-1]
    when = saga.trace.when
    again = f" and again {when(other)}"
    if first.envelope.id != later.envelope.id:
        again = f",{again} for {_one(later)}"
    deed = f"{first.service} applied {name} twice, for {_one(first)} {when(one)}{again}"
    return f"in {saga} {deed}", [first.first, one, later.first, other]


def find_needless(saga: Saga) -> Findings:
    """The compensations that took effect and had nothing to compensate, or came after a final step."""
    found, final = [], saga.final
    for compensation in saga.compensations:
        shown = saga.shown_at(compensation, saga.trace.stateful)
        if shown is None:
            continue
        why = f"though {final}, which cannot be undone, was done" if final else ""
        why = why or why_needless(saga, compensation)
        if why:
            message = saga.envelope(compensation[0])
            step = f"{saga.role(message.type).compensates}{_of(saga, message)}"
            because = saga.done(final) if final else saga.refused.values()
            numbers = [compensation[0], shown, *because]
            found.append((f"in {saga} {step} was compensated {why}", numbers))
    return found


def why_needless(saga: Saga, compensation: Occurrences) -> str:
    """Why there was nothing to compensate; "" where there was, or where that was in doubt."""
    message = saga.envelope(compensation[0])
    name, steps = saga.role(message.type).compensates, saga.compensated_by(compensation)
    if any(saga.done_at(step) is not None for step in steps):
        return ""
    refusals = [
        n for other in saga.sent if saga.role(other).refuses == name for n in saga.sent[other]
    ]
    refusals = [n for n in refusals if of_one_key(message, saga.envelope(n))]
    spans = [span for step in steps for number in step for span in saga.executions_of(number)]
    refusals += [span.last for span in spans if span.finished]  # and did nothing
    at = compensation[0]
    if facts_known_at(saga, {number: {"refused"} for number in refusals}, {at})[at]:
        return "though it was refused"
    if steps:
        return ""
    executions = saga.executions_of(at)
    publishes = executions and not isinstance(message.data, Command)
    return "" if publishes and _may_have_done(saga, executions[0]) else "and never done"


def _may_have_done(saga: Saga, publisher: Span) -> bool:
    """Whether the service that publishes a compensation had saved something in this saga before, or had a message of it
    still to come."""
    trace, service = saga.trace, publisher.service
    before = [
        span
        for span in trace.spans
        if span.service == service
        and span.first < publisher.first
        and span.envelope.correlation in saga.correlations
    ]
    handled = {publisher.envelope.id, *(span.envelope.id for span in before if span.finished)}
    sent = [saga.envelope(number) for number in trace.sends if number < publisher.first]
    coming = [e for e in sent if e.correlation in saga.correlations and e.id not in handled]
    return any(span.saves for span in before) or any(
        handler.service == service for e in coming for handler in trace.system.handlers(e.type)
    )


def find_left_behind(saga: Saga) -> Findings:
    """The steps that a saga which went back did and did not compensate, in a run that has ended."""
    why, trace = why_back(saga), saga.trace
    if not why or saga.final or not trace.ended:
        return []
    found = []
    for step in saga.done_steps:
        message, done, undone = (
            saga.envelope(step[0]),
            saga.done_at(step),
            saga.compensated_at(step),
        )
        name = f"in {saga} {message.type}{_of(saga, message)}"
        if undone is None:
            sentence = f"{name} was done {trace.when(done)} and not compensated, though {why}"
            found.append((sentence, [step[0], done, *saga.refused.values()]))
        elif late := _done_after_its_compensation(saga, step):
            after = f"after it had been compensated {trace.when(undone)}"
            found.append((f"{name} was done {trace.when(late)}, {after}", [step[0], undone, late]))
    return found


def _done_after_its_compensation(saga: Saga, step: Occurrences) -> int | None:
    groups = saga.compensations_of(step)
    undone = [commits[0] for group in groups for _, commits in saga.commits(group)]
    if not undone:
        return None
    late = [
        commit
        for _, commits in saga.commits(step)
        for commit in commits
        if commits[0] > max(undone)
    ]
    return next((commit for commit in late if changes_state(saga.trace, commit)), None)


def why_back(saga: Saga) -> str:
    """Why a saga has to compensate what it did; "" where it need not."""
    for name in saga.refused:
        return f"{name} was refused"
    for compensation in saga.compensations:
        message = saga.envelope(compensation[0])
        how = "sent" if isinstance(message.data, Command) else "published"
        return f"{message.type} was {how}"
    missing = sorted(_finals(saga) - set(saga.sent))
    return f"it ended without {missing[0]}" if missing and saga.ends else ""


def disordered(pairs: list[tuple]) -> list[tuple]:
    """Those of the `dependent_compensations` of which the first step was compensated before the second."""
    return [pair for pair in pairs if pair[4] < pair[2] < pair[5]]


def find_disordered(saga: Saga, pairs: list[tuple]) -> Findings:
    """The steps that were compensated before one that depends on them."""
    found, when = [], saga.trace.when
    for base, done, back, step, later, its_back in disordered(pairs):
        depends = f"{_type(saga, step)}, which depends on it ({when(its_back)})"
        first = f"in {saga} {_type(saga, base)} was compensated {when(back)}"
        found.append((f"{first}, before {depends}", [done, later, back, its_back]))
    return found


def _finals(saga: Saga) -> set[str]:
    """The types with final=True that this system handles or published."""
    trace = saga.trace
    finals = (name for name, role in saga.roles.items() if role.final)
    return {name for name in finals if trace.system.handlers(name) or trace.published(name)}


def _type(saga: Saga, group: Occurrences) -> str:
    return saga.envelope(group[0]).type


def _of(saga: Saga, message) -> str:
    """ " of o1" where a message is about another key than its saga."""
    other = message.subject != saga.envelope(saga.first).subject
    return f" of {message.subject}" if other else ""

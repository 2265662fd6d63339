"""How sagas end, and what they take back: nothing twice, nothing needlessly, nothing left, and in reverse."""

from ..model import Command
from ..trace.identity import says_the_same
from ..trace.spans import Span, Trace
from .causality import facts_known_at
from .delivery import Found, _one
from .saga import Saga, Said, of_one_key
from .sagas import sagas


def _nothing_back(trace: Trace) -> str:
    """Why nothing tested a claim about compensations."""
    refused = any(saga.refused for saga in sagas(trace))
    return "nothing was compensated" if refused else "nothing was refused, failed or compensated"


def stuck(trace: Trace, begins: str | None) -> Found:
    """Neither settled nor wholly compensated when nothing is left to do; or settled in two ways, or in doubt."""
    begun = [
        saga
        for saga in sagas(trace, begins)
        if set(saga.said) != {begins} or _accepted(saga, begins)
    ]
    if not begun:
        return "no message of a saga was sent"
    if not trace.ended:
        return "the run was ended before the sagas could end"
    found = []
    for saga in begun:
        if ends := saga.ends:
            found += _settled_wrongly(saga, ends)
            continue
        steps, final = _done(saga), saga.final
        refused = {
            name: number
            for name, number in (saga.failed() | saga.refused).items()
            if name != begins
        }
        left = list(
            dict.fromkeys(_type(saga, step) for step in steps if saga.undone_at(step) is None)
        )
        if not final and not left and (refused or _undoings(saga)):
            continue
        ways = f"{' and '.join(left)} not compensated" if left else "nothing was compensated"
        ways = f"{final} cannot be undone" if final and not left else ways
        last = saga.envelope(saga.last)
        where = [saga.first, saga.last, *refused.values()]
        found.append(
            (f"{saga} stopped after {last.type} {last.id}: not settled, and {ways}", where)
        )
    return found


def _settled_wrongly(saga: Saga, said: list[int]) -> list[tuple[str, list[int]]]:
    """In two ways; or as if all were well, though a step that was asked for was never done."""
    ends: dict[str | None, dict[str, int]] = {}  # key -> type -> where
    for number in said:
        end = saga.envelope(number)
        ends.setdefault(end.subject, {}).setdefault(end.type, number)
    for ways in ends.values():
        if len(ways) > 1:
            return [(f"{saga} was settled by {' and by '.join(ways)}", list(ways.values()))]
    if _undoings(saga) or any(saga.word(name)[1] for name in saga.said):
        return []
    name, end = next(iter(next(iter(ends.values())).items()))
    steps = {target for word in saga.words.values() for target in word[:2]} | _finals(saga)
    for step in (step for other in saga.said if other in steps for step in saga.told(other)):
        message = saga.envelope(step[0])
        if isinstance(message.data, Command) and not _ever_done(saga, message):
            what = f"{message.type} {message.id} was asked for and neither done nor compensated"
            return [(f"{saga} was settled by {name}, though {what}", [*step, end])]
    return []


def _ever_done(saga: Saga, message) -> bool:
    steps = [
        step for step in saga.told(message.type) if of_one_key(message, saga.envelope(step[0]))
    ]
    handlings = [h for step in steps for number in step for h in saga.work(number)]
    return any(h.finished or saga.commits(h) for h in handlings)


def compensated_twice(trace: Trace) -> Found:
    """A step compensated more often than it was done."""
    found, tested = [], False
    for saga in sagas(trace):
        undoings = _undoings(saga)
        tested = tested or bool(undoings)
        if sum(len(saga.savings(undoing)) for undoing in undoings) < 2:
            continue
        of_step: dict[
            int, tuple[Said, list[Said]]
        ] = {}  # each step, or compensation of none, with its compensations
        for undoing in undoings:
            for step in saga.compensated(undoing) or [undoing]:
                of_step.setdefault(step[0], (step, []))[1].append(undoing)
        told = set()
        for step, its in of_step.values():
            most: dict[
                str, Said
            ] = {}  # of each type what was done most often: two that say other things are two deeds
            for undoing in its:
                name = _type(saga, undoing)
                most[name] = max(
                    most.get(name, undoing), undoing, key=lambda same: len(saga.savings(same))
                )
            times = saga.times(sorted(number for same in most.values() for number in same))
            if (
                len(times) > 1
                and times[-1] not in told
                and (step in its or len(times) > len(saga.times(step)))
            ):
                told.add(times[-1])
                found.append(_twice(saga, next(iter(most)), times))
    return found if tested else _nothing_back(trace)


def _twice(saga: Saga, name: str, times: list) -> tuple[str, list[int]]:
    (first, one), (later, other) = times[0], times[-1]
    when = saga.trace.when
    again = f" and again {when(other)}"
    if first.envelope.id != later.envelope.id:
        again = f",{again} for {_one(later)}"
    sentence = (
        f"in {saga} {first.service} applied {name} twice, for {_one(first)} {when(one)}{again}"
    )
    return sentence, [first.first, one, later.first, other]


def needlessly_compensated(trace: Trace) -> Found:
    """A compensation took effect for what was never asked for or known to be refused, or when there was no way back."""
    found, tested = [], False
    for saga in sagas(trace):
        undoings, final = _undoings(saga), saga.final
        tested = tested or bool(undoings or saga.refused)
        for undoing in undoings:
            shown = saga.shown(undoing, trace.stateful)
            why = shown is not None and (
                f"though {final}, which cannot be undone, was done"
                if final
                else needless(saga, undoing)
            )
            if why:
                message = saga.envelope(undoing[0])
                of = (
                    f" of {message.subject}"
                    if message.subject != saga.envelope(saga.first).subject
                    else ""
                )
                numbers = [
                    undoing[0],
                    shown,
                    *(saga.done(final) if final else saga.refused.values()),
                ]
                found.append(
                    (f"in {saga} {saga.word(message.type)[0]}{of} was compensated {why}", numbers)
                )
    return found if tested else _nothing_back(trace)


def needless(saga: Saga, undoing: Said) -> str:
    """Why there was nothing to compensate, or "" where there was, or where that was in doubt."""
    message = saga.envelope(undoing[0])
    name = saga.word(message.type)[0]
    steps = saga.compensated(undoing)
    if any(saga.done_at(step) is not None for step in steps):
        return ""
    refusals = [n for other in saga.said if saga.word(other)[1] == name for n in saga.said[other]]
    refusals = [n for n in refusals if of_one_key(message, saga.envelope(n))]
    refusals += [
        h.last for step in steps for number in step for h in saga.work(number) if h.finished
    ]  # and did nothing
    if facts_known_at(saga, {number: {"refused"} for number in refusals}, {undoing[0]})[undoing[0]]:
        return "though it was refused"
    if steps:
        return ""
    teller = None if isinstance(message.data, Command) else next(iter(saga.work(undoing[0])), None)
    return "" if teller and _may_do(saga, teller) else "and never done"


def _may_do(saga: Saga, teller: Span) -> bool:
    """Whether who tells of a compensation had saved something in this saga before, or had something of it still to come."""
    trace, service = saga.trace, teller.service
    before = [
        h
        for h in trace.spans
        if h.service == service
        and h.first < teller.first
        and h.envelope.correlation in saga.stories
    ]
    through = {teller.envelope.id, *(h.envelope.id for h in before if h.finished)}
    said = [saga.envelope(n) for n in trace.sends if n < teller.first]
    coming = [e for e in said if e.correlation in saga.stories and e.id not in through]
    return any(h.commits for h in before) or any(
        h.service == service for e in coming for h in trace.system.handlers(e.type)
    )


def left_behind(trace: Trace) -> Found:
    """A saga went back and did not compensate what it had done."""
    found, tested = [], False
    for saga in sagas(trace):
        why = _why_back(saga)
        tested = tested or bool(why)
        if not why or saga.final or not trace.ended:
            continue
        for step in _done(saga):
            message, done, undone = saga.envelope(step[0]), saga.done_at(step), saga.undone_at(step)
            of = (
                f" of {message.subject}"
                if message.subject != saga.envelope(saga.first).subject
                else ""
            )
            if undone is None:
                sentence = f"in {saga} {message.type}{of} was done {trace.when(done)} and not compensated, though {why}"
                found.append((sentence, [step[0], done, *saga.refused.values()]))
            elif late := _done_after_its_compensation(saga, step):
                sentence = f"in {saga} {message.type}{of} was done {trace.when(late)}, after it had been compensated"
                found.append((f"{sentence} {trace.when(undone)}", [step[0], undone, late]))
    return found if tested else _nothing_back(trace)


def _done_after_its_compensation(saga: Saga, step: Said) -> int | None:
    undone = [
        saves[0] for undoing in saga.compensations(step) for _, saves in saga.savings(undoing)
    ]
    late = [
        save
        for _, saves in saga.savings(step)
        for save in saves
        if undone and saves[0] > max(undone)
    ]
    return next((save for save in late if saga.changed(save)), None)


def _why_back(saga: Saga) -> str:
    """Why a saga has to compensate what it did, or ""."""
    for name in saga.refused:
        return f"{name} was refused"
    for undoing in _undoings(saga):
        return f"{_type(saga, undoing)} was {'sent' if isinstance(saga.envelope(undoing[0]).data, Command) else 'published'}"
    missing = sorted(_finals(saga) - set(saga.said))
    return f"it ended without {missing[0]}" if missing and saga.ends else ""


def not_in_reverse(trace: Trace) -> Found:
    """A step was compensated before another one that depends on it."""
    found, tested = [], False
    for saga in sagas(trace):
        for base, done, back, step, later, its_back in compensated_pairs(saga):
            tested = True
            if later < back < its_back:
                sentence = (
                    f"in {saga} {_type(saga, base)} was compensated {trace.when(back)}, before {_type(saga, step)}, "
                    f"which depends on it ({trace.when(its_back)})"
                )
                found.append((sentence, [done, later, back, its_back]))
    return (
        found
        if tested
        else "no two steps of a saga, one of which depends on the other, were compensated"
    )


def compensated_pairs(saga: Saga) -> list[tuple[Said, int, int, Said, int, int]]:
    """Two compensated steps, the second of which depends on the first; each with where it was done and where undone."""
    undone = [(step, saga.done_at(step), saga.undone_at(step)) for step in _done(saga)]
    undone = [(step, done, back) for step, done, back in undone if back is not None]
    if len(undone) < 2:
        return []
    begun = {step[0]: _began(saga, step) for step, _, _ in undone}
    knew = facts_known_at(saga, {done: {step[0]} for step, done, _ in undone}, set(begun.values()))
    return [
        (*base, *later) for base in undone for later in undone
        if base is not later and base[0][0] in knew[begun[later[0][0]]]
    ]  # fmt: skip


def _began(saga: Saga, step: Said) -> int:
    """Where a service first went to ask for a step, or to tell of it; with an outbox, where it saved that it would."""
    trace, message = saga.trace, saga.envelope(step[0])
    for number in saga.numbers():  # what a fault kept from being said, too
        other = saga.envelope(number)
        if number in trace.span_of and other.type == message.type and says_the_same(other, message):
            break
    home = trace.span_of[number]
    if home is not None and home.envelope.data is None and other.causation is not None:
        for handling in trace.by_message.get(other.causation, ()):
            if handling.service == other.source:
                return handling.commits[-1] if handling.commits else handling.first
    return number


def _done(saga: Saga) -> list[Said]:
    """The steps that can be compensated and were done."""
    names = dict.fromkeys(word[0] for word in saga.words.values() if word[0])
    return [step for name in names for step in saga.told(name) if saga.done_at(step) is not None]


def _undoings(saga: Saga) -> list[Said]:
    """The compensations that were asked for, or told."""
    return [same for name in saga.said if saga.word(name)[0] for same in saga.told(name)]


def _finals(saga: Saga) -> set[str]:
    """The types that cannot be undone, of those that this system has."""
    trace = saga.trace
    finals = (name for name, word in saga.words.items() if word[2])
    return {name for name in finals if trace.system.handlers(name) or trace.published(name)}


def _accepted(saga: Saga, begins: str) -> bool:
    """Whether a service took up what begins a saga. Who asked and got no answer may ask again; who sent it does not know
    that it was lost, so that a message which was begun with, or dropped, and never came again counts, too."""
    trace = saga.trace
    for number in saga.said[begins]:
        id, sent = saga.envelope(number).id, trace.journal[number].step == "publish"
        handlings = trace.by_message.get(id, ())
        if any(h.finished or h.commits or h.ended_by == "dead_letter" for h in handlings):
            return True
        if sent and (handlings or any(lost == id for _, lost in trace.given_up)):
            return True
    return False


def _type(saga: Saga, same: Said) -> str:
    return saga.envelope(same[0]).type

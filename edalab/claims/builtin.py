"""Ready-made claims, decided from the trace of a run. Each rules out one named anomaly."""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from math import isclose
from typing import Any

from ..errors import Misuse, shown
from ..model import Command, Event, Message, Query, Service
from ..model.numbers import check_whole
from ..sim.run import Run
from ..sim.steps import Step
from ..trace.spans import Trace
from . import delivery, gaps, sagas
from .claim import Claim


class Evidence:
    """A piece of evidence against a claim: a `sentence`, and the `steps` that prove it."""

    def __init__(self, sentence: str, trace: Trace, numbers: list[int]):
        self.sentence, self._trace, self._numbers = sentence, trace, numbers

    @cached_property
    def steps(self) -> list[Step]:  # made when asked for: an exploration reads the sentences only
        return self._trace.evidence(self._numbers)

    def __repr__(self) -> str:
        return f"<Evidence: {self.sentence}>"


class BuiltinClaim(Claim):
    """A claim that a function decides from the trace of a run.

    decide: returns the evidence, each as (sentence, numbers of steps), or the reason why nothing tested the claim.
    endless: whether it also judges runs that did not end by themselves."""

    def __init__(self, sentence: str, decide: Callable, *arguments: Any, endless=False):
        super().__init__(sentence)
        self.function = decide
        self.arguments = arguments
        self.endless = endless

    def _judge(self, function: Callable, run: Run) -> tuple[Any, str]:
        trace = Trace.of(run)
        found = function(trace, *self.arguments)
        if isinstance(found, str):
            return [], found
        return [Evidence(sentence, trace, numbers) for sentence, numbers in found], ""


def no_event_lost(message: type[Message]) -> Claim:
    """The claim that every service that subscribes to an event finishes handling each one that is published.

        run.check(claims.no_event_lost(OrderPlaced))

    message: the class of an event, or of a command (for the service that handles it).

    An event is lost if the broker loses it, if it is dead-lettered or given up, or if a crash interrupts its
    handling under at-most-once delivery."""
    name = _named("no_event_lost", message, (Event, Command))
    return BuiltinClaim(f"no {name} is lost", delivery.find_lost, name)


def nothing_dead_lettered(message: type[Message]) -> Claim:
    """The claim that no dead letter of this event or command waits at the end of a run. A dead letter that was redriven
    or handled does not count.

        run.check(claims.nothing_dead_lettered(OrderPlaced))"""
    name = _named("nothing_dead_lettered", message, (Event, Command))
    return BuiltinClaim(f"no {name} is left in the dead letters", delivery.find_dead_letters, name)


def handled_once(message: type[Message]) -> Claim:
    """The claim that no service repeats the effects of one fact.

        explore(shop, three_orders, [claims.handled_once(OrderPlaced)])

    message: the class of an event or a command.

    Of several handlings of one fact, at most one may change the service's database, and at most one may publish each
    message. Two messages state one fact if they have the same id, or if their producer ran twice: same source, cause
    and data. If a handler crashes between two transactions, the next attempt changes the database again in the
    second one, and breaks the claim."""
    name = _named("handled_once", message, (Event, Command))
    sentence = f"each {name} is handled once"
    return BuiltinClaim(sentence, delivery.find_duplicate_effects, name)


def in_order_per_key(event: type[Event]) -> Claim:
    """The claim that in each service, events of one key take effect in the order published (by offset in a topic).

    event: the class of an event or a command that has a key.

    An effect is a transaction that changes something, or a message. An event that a handler ignores has no effect."""
    name = _named("in_order_per_key", event, (Event, Command), key=True)
    sentence = f"{name} of one {event.__declared__.key} take effect in the order published"
    return BuiltinClaim(sentence, delivery.find_out_of_order, name)


def published_in_order(event: type[Event]) -> Claim:
    """The claim that the broker stores events with the same key in the order in which they were made. An event is made
    when the transaction that saves its envelope commits, or else when it is published.

        run.check(claims.published_in_order(OrderPlaced))

    event: the class of an event that has a key.

    Only the first publish of an event counts. `handled_once` and `in_order_per_key` judge repeated ones."""
    name = _named("published_in_order", event, (Event,), key=True)
    of_key = f"{name} of one {event.__declared__.key}"
    sentence = f"{of_key} are published in the order in which they were made"
    return BuiltinClaim(sentence, delivery.find_published_late, name)


def no_stale_read(query: type[Query]) -> Claim:
    """The claim that no answer to a query is older than an event about its key that was published before the question.

    query: the class of a query that has a key.

    An event counts if the answering service subscribes to it, or if that service has asked its publisher about the
    key, but not since the event."""
    name = _named("no_stale_read", query, (Query,), key=True)
    sentence = f"no answer to {name} is older than an event published before the question"
    return BuiltinClaim(sentence, gaps.find_stale_reads, name)


def no_dual_write_gap(service: str | Service) -> Claim:
    """The claim that a service never saves without publishing, and never publishes without saving.

    service: its name, or the service itself.

    If a fault or an exception keeps a handling from one of the two, the service must do it later."""
    name = service.name if isinstance(service, Service) else service
    if not isinstance(name, str):
        what = "takes the name of a service, such as 'orders'"
        raise Misuse(f"no_dual_write_gap {what}, not {shown(service)}")
    sentence = f"{name} neither saves without publishing nor publishes without saving"
    return BuiltinClaim(sentence, gaps.find_dual_write_gaps, name)


def saga_settled(begins: type[Message] | None = None) -> Claim:
    """The claim that every saga ends in one way: with a message declared with settles=True, or with all its steps
    compensated. A saga that settles and compensates nothing must have done each step that it asked for. Give `begins`,
    the message class that begins a saga, if that message may be lost before the first step.

    A saga consists of the messages of one correlation, and of those that a tick or the client later begins with its
    key. The class keywords `compensates=`, `refuses=`, `final=` and `settles=` define their roles. A step that asks
    for steps of its own is a nested saga, and what it publishes at its end settles only itself."""
    name = None if begins is None else _named("saga_settled", begins, (Event, Command))
    what = f"every saga that begins with {name}" if name else "every saga"
    sentence = f"{what} is settled or wholly compensated"
    return BuiltinClaim(sentence, sagas.judge_ends, name)


def compensated_once() -> Claim:
    """The claim that no step of a saga is compensated more often than it was done. A repeated request does not count
    if it changes nothing, or continues a compensation that was interrupted."""
    sentence = "no step of a saga is compensated twice"
    return BuiltinClaim(sentence, sagas.judge_each, sagas.find_repeated)


def compensated_in_reverse() -> Claim:
    """The claim that a step is compensated after the steps that depend on it. It depends on an earlier step if the
    service that requested or published it knew from this saga's messages or answers that the earlier one was done."""
    sentence = "a step is compensated after the steps that depend on it"
    return BuiltinClaim(sentence, sagas.judge_each, sagas.find_disordered)


def no_needless_compensation() -> Claim:
    """The claim that no compensation takes effect for a step that was never asked for, for one that its requester
    knew to be refused, or in a saga that has done a step declared with final=True. A step may be compensated while
    it is in doubt, or while its message is still on its way to the service that publishes the compensation."""
    sentence = "only what was done, and can be undone, is compensated"
    return BuiltinClaim(sentence, sagas.judge_each, sagas.find_needless)


def nothing_left_behind() -> Claim:
    """The claim that a saga that goes back compensates each step it did. It goes back if a step is refused (by a
    message, or by the answer Refused), if a step is compensated, or if it settles without asking for a step declared
    with final=True, unless it has done such a step. A compensation that saves nothing does not count if the step
    saved something. `ledger_balanced` checks the rows."""
    sentence = "a saga that goes back leaves nothing behind that it did"
    return BuiltinClaim(sentence, sagas.judge_each, sagas.find_left_behind)


def ledger_balanced(ledger: Callable[[Run], Mapping[str, tuple]]) -> Claim:
    """The claim that each account of a ledger balances at the end of a run. `ledger` is a function of the run that
    returns the actual and the expected value of each: {"pens": (free + reserved + shipped, 10), "money": (charged,
    price * shipped)}. Other values are not judged. `saga_map` takes the same function as `ledger=`."""
    if not callable(ledger):
        what = f"ledger_balanced takes a function of the run, not {shown(ledger)}"
        raise Misuse(f"{what}; write def ledger(run): return {{'pens': (free + sold, 10)}}")
    named = getattr(ledger, "__name__", "the ledger")
    return Claim(f"{named} is balanced")(partial(_imbalances, ledger))


def _imbalances(ledger: Callable, run: Run) -> list[str]:
    """The accounts whose actual value differs from the expected one, in words."""
    accounts = ledger(run)
    pairs = accounts.items() if isinstance(accounts, Mapping) else ()
    pairs = [(name, *pair) for name, pair in pairs if isinstance(pair, tuple) and len(pair) == 2]
    if not pairs:
        what = "return {account: (what there is, what should be)}"
        raise Misuse(f"the ledger returned {shown(accounts)}; {what}")
    wrong = (pair for pair in pairs if not _equal(*pair[1:]))
    return [f"{name}: {have}, and should be {should}" for name, have, should in wrong]


def _equal(have: Any, should: Any) -> bool:
    have, should = have or 0, should or 0  # the sum of no rows is NULL
    numbers = isinstance(have, float | int) and isinstance(should, float | int)
    return isclose(have, should, abs_tol=1e-9) if numbers else have == should


def projection_matches(
    service: str,
    sql: str,
    source: str | Callable,
    source_sql: str | None = None,
    *,
    sentence: str | None = None,
) -> Claim:
    """The claim that at the end of a run, two services return the same rows from a `select` each, in any order.

        claims.projection_matches("reports", "select id from paid", "orders", "select id from orders")

    source: the name of the other service, or a function that takes the run and returns the rows.
    source_sql: the other service's `select`; omit it with a function.
    sentence: the claim in your own words."""
    texts = isinstance(service, str) and isinstance(sql, str)
    if callable(source) == isinstance(source_sql, str) or not texts:
        raise Misuse(
            "projection_matches takes a service and a select, and what they should match: "
            "projection_matches('reports', 'select …', 'orders', 'select …'), "
            "or a function of the run in place of the last two"
        )
    other = f"{source_sql!r} in {source}"
    if callable(source):
        other = f"what {getattr(source, '__name__', 'the function')} finds"
    sentence = sentence or f"{sql!r} in {service} matches {other}"
    return Claim(sentence)(partial(_differences, service, sql, source, source_sql))


def _differences(
    service: str, sql: str, source: str | Callable, source_sql: str | None, run: Run
) -> list[str]:
    """The rows that only one side has, in words. Two rows with the same first value count as one difference."""
    where = "the other side" if callable(source) else source
    wanted = source(run) if callable(source) else run.rows(source, source_sql or "")
    missing, surplus = [tuple(row) for row in wanted], []
    for row in run.rows(service, sql):
        if row in missing:  # not by hash: a function may return lists in its rows
            missing.remove(row)
        else:
            surplus.append(row)
    found = []
    for row in surplus:
        twin = next((other for other in missing if other[0] == row[0]), None)
        if twin is not None:
            missing.remove(twin)
        has = _row(twin) if twin is not None else "no such row"
        found.append(f"{_row(row)} is in {service}, {where} has {has}")
    return found + [f"{_row(row)} is missing in {service}, {where} has it" for row in missing]


def no_poison_loop(attempts: int = 10) -> Claim:
    """The claim that no service handles a message more than `attempts` times, and none keeps the run from ending."""
    check_whole("no_poison_loop: attempts=", attempts)
    sentence = f"no message is tried more than {attempts} times or goes round for ever"
    return BuiltinClaim(sentence, delivery.find_endless_retries, attempts, endless=True)


def _named(claim: str, message: Any, kinds: tuple[type[Message], ...], key: bool = False) -> str:
    if not (isinstance(message, type) and issubclass(message, kinds)) or message in kinds:
        names = ["an event" if kind is Event else f"a {kind.__name__.lower()}" for kind in kinds]
        raise Misuse(f"{claim} takes the class of {' or '.join(names)}, not {shown(message)}")
    if key and message.__declared__.key is None:
        name = message.__wire__
        what = f"it says which of them belong together; declare class {name}(..., key='…')"
        raise Misuse(f"{claim}({name}) needs a key: {what}")
    return message.__wire__


def _row(row: tuple) -> str:
    return repr(row[0]) if len(row) == 1 else repr(row)

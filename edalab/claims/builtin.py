"""Ready-made claims: each is the sentence that one named anomaly contradicts, decided from the trace of a run."""

from collections.abc import Callable, Mapping
from functools import partial
from math import isclose
from typing import Any, NamedTuple

from ..errors import Misuse, shown
from ..model import Command, Event, Message, Query, Service
from ..model.numbers import check_whole
from ..sim.run import Run
from ..sim.steps import Step
from ..trace.spans import Trace
from . import sagas
from .claim import Claim, Verdict
from .delivery import (
    find_dead_letters,
    find_duplicate_effects,
    find_endless_retries,
    find_lost,
    find_out_of_order,
    find_published_late,
)
from .gaps import find_dual_write_gaps, find_stale_reads


class Evidence(NamedTuple):
    """What proves that a claim is broken: one sentence, and the steps it speaks of."""

    sentence: str
    steps: list[Step]

    def __repr__(self) -> str:
        return f"<Evidence: {self.sentence}>"


class BuiltinClaim(Claim):
    """A claim that a function decides from the trace of a run.

    decide: returns the evidence, each as (sentence, numbers of steps), or the reason why nothing tested the claim.
    endless: whether it also judges runs that did not end by themselves."""

    def __init__(self, sentence: str, decide: Callable, *arguments: Any, endless=False):
        super().__init__(sentence)
        self.function = self.decide = decide
        self.arguments = arguments
        self.endless = endless

    def check(self, run: Run) -> Verdict:
        """The verdict on a run."""
        trace = Trace.of(run)
        found = self.decide(trace, *self.arguments)
        if isinstance(found, str):
            return Verdict(self.sentence, "not exercised", [], found)
        evidence = [Evidence(sentence, trace.evidence(numbers)) for sentence, numbers in found]
        if not evidence:
            return Verdict(self.sentence, "holds", [], "")
        more = f", and {len(evidence) - 1:,} more" if len(evidence) > 1 else ""
        return Verdict(self.sentence, "broken", evidence, evidence[0].sentence + more)


def no_event_lost(message: type[Message]) -> Claim:
    """Every service that subscribes to an event finishes handling each one that is published.

        run.check(claims.no_event_lost(OrderPlaced))

    message: the class of an event, or of a command (for the service that handles it).

    An event is lost where the broker lost it, where it was dead-lettered or given up, and where a crash took it under
    at-most-once delivery."""
    name = _named("no_event_lost", message, (Event, Command))
    return BuiltinClaim(f"no {name} is lost", find_lost, name)


def nothing_dead_lettered(message: type[Message]) -> Claim:
    """At the end no dead letter waits that was once this event or command. One that a handler of dead letters sent back
    or settled does not wait.

        run.check(claims.nothing_dead_lettered(OrderPlaced))"""
    name = _named("nothing_dead_lettered", message, (Event, Command))
    return BuiltinClaim(f"no {name} is left in the dead letters", find_dead_letters, name)


def handled_once(message: type[Message]) -> Claim:
    """No service does twice what one fact asks for.

        explore(shop, three_orders, [claims.handled_once(OrderPlaced)])

    message: the class of an event or a command.

    Of several handlings of one fact one at most may change the service's database, and one at most may publish a
    message. Two messages state one fact where their id is the same, or where their producer ran twice: same source,
    cause and data. Where a handler crashes between two transactions, the attempt that does the second one changes the
    database, too, and breaks the claim."""
    name = _named("handled_once", message, (Event, Command))
    sentence = f"each {name} is handled once"
    return BuiltinClaim(sentence, find_duplicate_effects, name)


def in_order_per_key(event: type[Event]) -> Claim:
    """The claim that in each service, events of one key take effect in the order in which the broker stored them.

    event: the class of an event or a command that has a key.

    An effect is a transaction that changes something, or a message. An event that a handler ignores has no effect."""
    name = _named("in_order_per_key", event, (Event, Command), key=True)
    sentence = f"{name} of one {event.__declared__.key} take effect in the order published"
    return BuiltinClaim(sentence, find_out_of_order, name)


def published_in_order(event: type[Event]) -> Claim:
    """The broker stores the events of one key in the order in which they were made: that in which the transactions
    committed that saved their envelopes. An event whose envelope nobody saved was made when it was published.

        run.check(claims.published_in_order(OrderPlaced))

    event: the class of an event that has a key.

    Only the first time counts that an event is stored. Whether it is published once more is for `handled_once` and
    `in_order_per_key` to say."""
    name = _named("published_in_order", event, (Event,), key=True)
    sentence = (
        f"{name} of one {event.__declared__.key} are published in the order in which they were made"
    )
    return BuiltinClaim(sentence, find_published_late, name)


def no_stale_read(query: type[Query]) -> Claim:
    """No answer to a query is older than an event about its key that was published before the question.

    query: the class of a query that has a key.

    These events count: those that the service subscribes to, and those of a service that it had asked about that key
    before, and not since."""
    name = _named("no_stale_read", query, (Query,), key=True)
    sentence = f"no answer to {name} is older than an event published before the question"
    return BuiltinClaim(sentence, find_stale_reads, name)


def no_dual_write_gap(service: str | Service) -> Claim:
    """What a handling saves and what it publishes go together.

    service: its name, or the service itself.

    Where a handling did one, and a fault or an exception kept it from the other, the other must be done later."""
    name = service.name if isinstance(service, Service) else service
    if not isinstance(name, str):
        what = "takes the name of a service, such as 'orders'"
        raise Misuse(f"no_dual_write_gap {what}, not {shown(service)}")
    sentence = f"{name} neither saves without publishing nor publishes without saving"
    return BuiltinClaim(sentence, find_dual_write_gaps, name)


def saga_settled(begins: type[Message] | None = None) -> Claim:
    """Every saga ends, in one way: by a message declared with settles=True, or with all its steps compensated. One that
    settles and takes nothing back has done each step it asked for. `begins` is the message that begins a saga, where one
    may be forgotten before its first step.

    A saga is what has one correlation, and what a tick or the client begins later about its key; `compensates=`,
    `refuses=`, `final=` and `settles=` of the message classes say what is what. A step that
    asks for steps of its own is a saga inside this one, and what it publishes at its end settles only itself."""
    name = None if begins is None else _named("saga_settled", begins, (Event, Command))
    what = f"every saga that begins with {name}" if name else "every saga"
    sentence = f"{what} is settled or wholly compensated"
    return BuiltinClaim(sentence, sagas.judge_ends, name)


def compensated_once() -> Claim:
    """No step of a saga is compensated more often than it was done. A compensation that is asked for again, and then
    changes nothing or goes on where it was left, is no second one."""
    sentence = "no step of a saga is compensated twice"
    return BuiltinClaim(sentence, sagas.judge_each, sagas.find_repeated)


def compensated_in_reverse() -> Claim:
    """No step is compensated before a step that depends on it: one that was asked for (or, an event, done) by a service
    that knew by then, from the messages and answers it had got in this saga, that the first was done."""
    sentence = "a step is compensated after the steps that depend on it"
    return BuiltinClaim(sentence, sagas.judge_each, sagas.find_disordered)


def no_needless_compensation() -> Claim:
    """No compensation takes effect for a step that was never asked for, or that was refused and whoever compensates
    knew; nor in a saga that has done a step declared with final=True. What is in doubt may be compensated, done or not;
    so may what is still on its way to the service that tells so."""
    sentence = "only what was done, and can be undone, is compensated"
    return BuiltinClaim(sentence, sagas.judge_each, sagas.find_needless)


def nothing_left_behind() -> Claim:
    """A saga that goes back compensates each step that it did. It goes back where a step is refused (a message says so, or
    the answer is Refused), another one is compensated, or it settles without asking for any step declared with final=True;
    unless such a step was done. A compensation that saves nothing, where the step did, is none. What the rows say is for
    `ledger_balanced`."""
    sentence = "a saga that goes back leaves nothing behind that it did"
    return BuiltinClaim(sentence, sagas.judge_each, sagas.find_left_behind)


def ledger_balanced(ledger: Callable[[Run], Mapping[str, tuple]]) -> Claim:
    """The claim that each account of a ledger balances at the end of a run. `ledger` is a function of the run that
    returns the actual and the expected value of each: {"pens": (free + reserved + shipped, 10), "money": (charged,
    price * shipped)}. Other values are not judged. `saga_map` takes the same function as `ledger=`."""
    if not callable(ledger):
        what = "def ledger(run): return {'pens': (free + sold, 10)}"
        raise Misuse(
            f"ledger_balanced takes a function of the run, not {shown(ledger)}; write {what}"
        )
    named = getattr(ledger, "__name__", "the ledger")
    return Claim(f"{named} is balanced")(partial(_imbalances, ledger))


def _imbalances(ledger: Callable, run: Run) -> list[str]:
    """The accounts in which there is not what should be there."""
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
    """At the end of a run a `select` in one service finds the same rows as a `select` in another one, in any order.

        claims.projection_matches("reports", "select id from paid", "orders", "select id from orders")

    source: the name of the other service, or a function that takes the run and returns the rows.
    source_sql: its `select`; none with a function.
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
    """The rows that only one side has; those with the same first value are one difference."""
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
    """No message is handled more than `attempts` times, and none keeps the run from ending."""
    check_whole("no_poison_loop: attempts=", attempts)
    sentence = f"no message is tried more than {attempts} times or goes round for ever"
    return BuiltinClaim(sentence, find_endless_retries, attempts, endless=True)


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

"""The claims of lesson 03's exercises, on what `accounts` decides."""

from collections.abc import Iterator

from ..claims.claim import Claim
from ..model import Envelope
from ..store.event_store import EventStore
from ..store.instants import to_microseconds
from ..store.stored_event import StoredEvent
from .general import Mistakes, slips, steps
from .lesson_03_system import SUSPICIOUS, CheckFraud, Withdraw

YES, NEVER = '{"ok":true}', float("inf")  # fraud's answer in the record
DECISIONS = "MoneyWithdrawn", "WithdrawalRefused"


def asked_for(run) -> dict[str, Envelope]:
    """The commands to withdraw, by id."""
    return {step.envelope.id: step.envelope for step in steps(run, "publish", Withdraw)}


def replayed(run) -> Iterator[tuple[StoredEvent, int]]:
    """Every stored event, with the balance of its account before it."""
    totals: dict[str, int] = {}
    for fact in EventStore(run.database("accounts")).read():
        before = totals.get(fact.stream, 0)
        yield fact, before
        sign = {"MoneyDeposited": 1, "MoneyWithdrawn": -1}.get(fact.type, 0)
        totals[fact.stream] = before + sign * fact.data.get("amount", 0)


def decided(run, *types: str) -> list[StoredEvent]:
    return [fact for fact, _ in replayed(run) if fact.type in types]


def unchecked(run, type: str) -> list[StoredEvent]:
    """The decisions of a type that were stored before fraud had agreed."""
    agreed = {}
    for step in steps(run, "answer", CheckFraud):
        if step.detail == YES:
            about = step.envelope.causation, step.envelope.data.account, step.envelope.data.amount
            agreed.setdefault(about, to_microseconds(step.time / 1000, ""))
    return [
        fact
        for fact in decided(run, type)
        if agreed.get((fact.causation, fact.stream, fact.data["amount"]), NEVER) > fact.recorded_at
    ]


def wrong_decisions(run) -> Mistakes:
    commands, late = asked_for(run), {step.envelope.causation for step in steps(run, "timeout")}
    for fact in decided(run, *DECISIONS):
        command = commands[fact.causation].data if fact.causation in commands else None
        if not command or (command.account, command.amount) != (fact.stream, fact.data["amount"]):
            cause = f"because of {command}" if command else "which no command asked for"
            yield "not what was asked", f"{fact.summary} in {fact.stream}, {cause}"
    for fact in unchecked(run, "MoneyWithdrawn"):
        yield "paid unchecked", f"{fact.summary} in {fact.stream}, but fraud had not agreed"
    for_silence = late & {fact.causation for fact in unchecked(run, "WithdrawalRefused")}
    for fact, before in replayed(run):
        what = f"{fact.summary}, with {before} in {fact.stream}"
        amount = fact.data.get("amount", 0)
        if fact.type == "MoneyWithdrawn" and amount > before:
            yield "overdrawn", what
        elif fact.type == "WithdrawalRefused" and amount <= min(before, SUSPICIOUS - 1):
            yield "refused with money enough", what
            if fact.causation in for_silence:
                why = "ctx.ask gave up before fraud had answered"
                yield "refused unanswered", f"{what}; {why}"


def other_than_one_decision(run, calls: float) -> Mistakes:
    """Commands with no decision, and, if handled at most so often, with several."""
    commands, facts = asked_for(run), decided(run, *DECISIONS)
    handled = [step.envelope.id for step in steps(run, "handle")]
    for id in sorted(commands, key=[*handled, *commands].index):
        made = [fact.summary for fact in facts if fact.causation == id]
        if not made:
            yield "never decided", f"{commands[id].data} is neither paid nor refused"
        elif len(made) > 1 and handled.count(id) <= calls:
            yield "decided twice", f"{commands[id].data} leads to {' and then to '.join(made)}"


def decided_once(calls: float = NEVER) -> Claim:
    """The claim about decisions. A command may have two if it was handled more often than this."""

    @Claim("each withdrawal is paid or refused once, rightly", about=Withdraw)
    def once(run) -> Mistakes:
        yield from slips(run)
        yield from wrong_decisions(run)
        yield from other_than_one_decision(run, calls)
        errors = {one.message.id: one.error for one in run.failures if one.message}
        for message in (step.envelope for step in steps(run, "dead_letter")):
            raised = "ended as a dead letter; the error of its last attempt was"
            error = type(errors[message.id]).__name__
            yield "a dead letter", f"{message.data} {raised} {error}"

    return once

"""The claims of lesson 03's exercises, on what `accounts` decides."""

from collections.abc import Iterator

from ..claims.claim import Claim
from ..model import Envelope
from ..store.event_store import EventStore
from ..store.instants import to_microseconds
from ..store.stored_event import StoredEvent
from .general import no_slips, steps
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


@Claim("what is stored is what was asked for", about=Withdraw)
def as_asked(run):
    wanted, wrong = asked_for(run), []
    for fact in decided(run, *DECISIONS):
        command = wanted[fact.causation].data if fact.causation in wanted else None
        asked = (command.account, command.amount) if command else None
        if asked != (fact.stream, fact.data["amount"]):
            cause = f"because of {command}" if command else "which no command asked for"
            wrong.append(f"{fact.summary} in {fact.stream}, {cause}")
    return wrong


def one_decision(calls: float = NEVER) -> Claim:
    """The claim that a command has one decision, if the function was called at most that often."""

    @Claim("each command has one decision", about=Withdraw)
    def decided_once(run):
        ids = [step.envelope.id for step in steps(run, "handle")]
        facts = {id: list[str]() for id in ids if ids.count(id) <= calls}
        for fact in decided(run, *DECISIONS):
            facts.get(fact.causation, []).append(fact.summary)
        twice = [(id, " and then to ".join(all)) for id, all in facts.items() if len(all) > 1]
        return [f"{asked_for(run)[id].data} leads to {all}" for id, all in twice if id]

    return decided_once


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


@Claim("nothing is paid before fraud has agreed", about=Withdraw)
def checked(run):
    paid = unchecked(run, "MoneyWithdrawn")
    return [f"{fact.summary} in {fact.stream}, but fraud had not agreed" for fact in paid]


@Claim("nobody is paid more than the balance", about=Withdraw)
def covered(run):
    return [
        f"{fact.summary}, with {before} in {fact.stream}"
        for fact, before in replayed(run)
        if fact.type == "MoneyWithdrawn" and fact.data["amount"] > before
    ]


def turned_away(run) -> dict[str | None, str]:
    """Refusals despite enough money, in words, by the id of the command."""
    return {
        fact.causation: f"{fact.summary}, with {before} in {fact.stream}"
        for fact, before in replayed(run)
        if fact.type == "WithdrawalRefused" and fact.data["amount"] <= min(before, SUSPICIOUS - 1)
    }


@Claim("nobody is refused because fraud is late", about=Withdraw)
def not_for_silence(run):
    late = {step.envelope.causation for step in steps(run, "timeout")}
    late &= {fact.causation for fact in unchecked(run, "WithdrawalRefused")}
    why = "ctx.ask gave up before fraud had answered"
    return [f"{refused}; {why}" for id, refused in turned_away(run).items() if id in late]


@Claim("nobody is refused money that is there", about=Withdraw)
def not_turned_away(run):
    return list(turned_away(run).values())


@Claim("nothing is set aside as a dead letter", about=Withdraw)
def none_dead(run):
    errors = {one.message.id: one.error for one in run.failures if one.message}
    dead = [step.envelope for step in steps(run, "dead_letter")]
    raised = "ended as a dead letter; the error of its last attempt was"
    return [f"{one.data} {raised} {type(errors[one.id]).__name__}" for one in dead]


@Claim("each command is paid or refused", about=Withdraw)
def all_decided(run):
    causes = {fact.causation for fact in decided(run, *DECISIONS)}
    left = [command.data for id, command in asked_for(run).items() if id not in causes]
    return [f"{command} is neither paid nor refused" for command in left]


CLAIMS = {
    "raises": no_slips(Withdraw),
    "not what was asked": as_asked,
    "paid unchecked": checked,
    "decided twice": one_decision(),
    "overdrawn": covered,
    "refused unanswered": not_for_silence,
    "refused with money enough": not_turned_away,
    "a dead letter": none_dead,
    "never decided": all_decided,
}

"""The claims of lesson 03's exercises, on what `accounts` decides."""

from collections.abc import Iterator

from ..claims.claim import Claim
from ..model import Envelope
from ..store.event_store import EventStore
from ..store.instants import to_microseconds
from ..store.stored_event import StoredEvent
from .lesson_03_bank import SUSPICIOUS, Withdraw

YES, NEVER = '{"ok":true}', float("inf")  # fraud's answer as it is recorded
DECISIONS = "MoneyWithdrawn", "WithdrawalRefused"


def asked_for(run) -> dict[str, Envelope]:
    """The commands to withdraw, by id."""
    sent = [step.envelope for step in run.journal if step.step == "publish"]
    return {envelope.id: envelope for envelope in sent if envelope.type == "Withdraw"}


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
            cause = command or "nothing that anybody wanted"
            wrong.append(f"{fact.summary} in {fact.stream}, because of {cause}")
    return wrong


@Claim("nobody is paid twice for one command", about=Withdraw)
def paid_once(run):
    causes = [fact.causation for fact in decided(run, "MoneyWithdrawn")]
    return [
        f"{command.data} is paid {causes.count(id)} times"
        for id, command in asked_for(run).items()
        if causes.count(id) > 1
    ]


@Claim("what was refused is not paid", about=Withdraw)
def stays_refused(run):
    refused = {fact.causation for fact in decided(run, "WithdrawalRefused")}
    return [
        f"{fact.summary} in {fact.stream}, of a command that was refused"
        for fact in decided(run, "MoneyWithdrawn")
        if fact.causation in refused
    ]


@Claim("nothing is paid before fraud has agreed", about=Withdraw)
def checked(run):
    agreed = {}
    for step in run.journal:
        if step.step == "answer" and step.envelope.type == "CheckFraud" and step.detail == YES:
            about = step.envelope.causation, step.envelope.data.account, step.envelope.data.amount
            agreed.setdefault(about, to_microseconds(step.time / 1000, ""))
    return [
        f"{fact.summary} in {fact.stream}, and fraud had not agreed"
        for fact in decided(run, "MoneyWithdrawn")
        if agreed.get((fact.causation, fact.stream, fact.data["amount"]), NEVER) > fact.recorded_at
    ]


@Claim("nobody is paid more than the balance", about=Withdraw)
def covered(run):
    return [
        f"{fact.summary} from {before} in {fact.stream}"
        for fact, before in replayed(run)
        if fact.type == "MoneyWithdrawn" and fact.data["amount"] > before
    ]


@Claim("nobody is refused money that is there", about=Withdraw)
def not_turned_away(run):
    return [
        f"{fact.summary}, and {before} in {fact.stream}"
        for fact, before in replayed(run)
        if fact.type == "WithdrawalRefused" and fact.data["amount"] <= min(before, SUSPICIOUS - 1)
    ]


@Claim("each command is paid or refused", about=Withdraw)
def all_decided(run):
    causes = {fact.causation for fact in decided(run, *DECISIONS)}
    dead = {step.envelope.id for step in run.journal if step.step == "dead_letter"}
    errors = {one.message.id: type(one.error).__name__ for one in run.failures if one.message}
    why = {id: f"; its last attempt raised a {errors[id]}" for id in dead & errors.keys()}
    return [
        f"{command.data} is neither paid nor refused{why.get(id, '')}"
        for id, command in asked_for(run).items()
        if id not in causes
    ]


CLAIMS = {
    "not what was asked": as_asked,
    "paid twice": paid_once,
    "refused, and paid": stays_refused,
    "paid unchecked": checked,
    "overdrawn": covered,
    "refused with money enough": not_turned_away,
    "never decided": all_decided,
}

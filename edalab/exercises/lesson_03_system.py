"""The bank of lesson 03's exercises: `withdraw` is the learner's; `fraud` is slow and can refuse."""

from collections.abc import Callable

from ..model import Command, Event, Query, System
from ..store.event_store import EventStore
from .general import sent


class Deposit(Command):
    account: str
    amount: int


class Withdraw(Command, key="customer"):
    customer: str
    account: str
    amount: int


class CheckFraud(Query, key="customer"):
    customer: str
    account: str
    amount: int


class AccountOpened(Event):
    owner: str


class MoneyDeposited(Event):
    amount: int


class MoneyWithdrawn(Event):
    amount: int


class WithdrawalRefused(Event):
    amount: int


SUSPICIOUS = 1000  # `fraud` disagrees from this amount on


def balance(total, fact):
    match fact.event:
        case MoneyDeposited(amount=amount):
            return total + amount
        case MoneyWithdrawn(amount=amount):
            return total - amount
    return total


def deposit(command, ctx):
    """Deposit money. The first deposit opens the account."""
    with ctx.database as db:
        store = EventStore(db)
        past = store.read(command.account)
        if ctx.message.id not in [fact.causation for fact in past]:
            first = [] if past else [AccountOpened(owner="Ada")]
            store.append(command.account, [*first, MoneyDeposited(amount=command.amount)])


async def check(query, ctx):
    await ctx.sleep(0.6)  # a duplicate command arrives while fraud is still checking
    return {"ok": query.amount < SUSPICIOUS}


def bank_of(withdraw: Callable, variant: int) -> tuple[System, list[Callable]]:
    """Two workloads. In the first, an account covers one of two withdrawals, not both, and then one
    of all that is left. Another covers a withdrawal after a refusal, during deposits every half
    second, and one that was sent first and arrives last. In the second, a withdrawal twice exceeds
    the balance shortly before a deposit; then two people want the amount that was refused first."""
    bank = System("bank")
    accounts = bank.service("accounts", replicas=2)
    accounts.handles(Deposit)(deposit)
    accounts.handles(Withdraw, max_attempts=12)(withdraw)
    bank.service("fraud").answers(CheckFraud)(check)
    ours, theirs, odd = f"account-{7 + variant}", f"account-{9 + variant}", variant % 50

    def want(account: str, amount: int, customer: str = "Ada") -> Withdraw:
        return Withdraw(customer=customer, account=account, amount=amount)

    def put(account: str, amount: int) -> Deposit:
        return Deposit(account=account, amount=amount)

    one_fits = [put(ours, 100 + odd), put(theirs, SUSPICIOUS + 100 + odd), 3]
    one_fits += [want(ours, 40 + odd), 0.1, want(ours, 61, "Bob"), 0.1]
    one_fits += [want(theirs, SUSPICIOUS + odd), 3, want(ours, 60), want(theirs, 200, "Bob")]
    one_fits += [0.5, put(theirs, 5)] * 6
    too_early = [put(ours, 50), 3, want(ours, 80 + odd), 0.2, put(ours, 70 + odd), 1.5]
    too_early += [want(ours, 500), 0.6, put(ours, 500), 1.5]
    too_early += [want(ours, 80 + odd), want(ours, 80 + odd, "Bob")]

    async def late_and_the_others(ctx):
        # This command, client-1, arrives when client-10 and others are in the stream.
        await ctx.send(want(theirs, 50, "Cleo"), after=10)
        await sent(*one_fits)(ctx)

    return bank, [late_and_the_others, sent(*too_early)]

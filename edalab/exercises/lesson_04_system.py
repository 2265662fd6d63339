"""The bank of lesson 04's exercises: `accounts` publishes entries; the projection of `peaks` is the learner's."""

from collections.abc import Callable

from ..model import Command, Event, Query, System
from ..store.event_store import EventStore
from .general import sent


class OpenAccount(Command, key="account"):
    account: str
    owner: str


class Deposit(Command, key="account"):
    account: str
    amount: int


class Withdraw(Command, key="account"):
    account: str
    amount: int


class Changed(Event):
    amount: int


class EntryRecorded(Event, topic="entries"):
    position: int
    account: str
    amount: int


class EntriesAfter(Query):
    position: int
    most: int = 1000


CHECKPOINTS = "create table checkpoints (name text primary key, position int);"
PEAKS = "create table peaks (account text primary key, balance int, highest int);"


def at(db, name):
    last = "select ifnull(max(position), 0) from checkpoints where name = ?"
    return db.execute(last, (name,)).fetchone()[0]


def move(db, name, position):
    db.execute("insert or replace into checkpoints values (?, ?)", (name, position))


def entry(fact):
    return EntryRecorded(position=fact.position, account=fact.stream, amount=fact.data["amount"])


def carry_out(command, ctx):
    """Carry out each command once. No exercise withdraws more than the balance."""
    amount = getattr(command, "amount", 0) * (-1 if isinstance(command, Withdraw) else 1)
    with ctx.database as db:
        store = EventStore(db)
        if ctx.message.id not in [fact.causation for fact in store.read()]:
            store.append(command.account, [Changed(amount=amount)])


async def relay(ctx):
    with ctx.database as db:
        for fact in EventStore(db).follow("relay"):
            await ctx.publish(entry(fact))


def entries_after(query, ctx):
    with ctx.database as db:
        facts = EventStore(db).read(after=query.position)[: query.most]
        return [entry(fact).model_dump() for fact in facts]


def bank_with(name: str, project: Callable, schema: str, partitions=1, max_attempts=12) -> System:
    """`accounts`, and a read model with this name, with a replica for each partition of entries."""
    bank = System("bank")
    bank.topic("entries", partitions=partitions)
    accounts = bank.service("accounts")
    for command in (OpenAccount, Deposit, Withdraw):
        accounts.handles(command)(carry_out)
    accounts.every(0.2)(relay)
    accounts.answers(EntriesAfter)(entries_after)
    reader = bank.service(name, schema=CHECKPOINTS + schema, replicas=partitions)
    reader.on(EntryRecorded, max_attempts=max_attempts)(project)
    return bank


def bank_of(project: Callable, variant: int) -> tuple[System, Callable]:
    """All entries in one partition, in their order; the relay publishes two at a time."""
    return bank_with("peaks", project, PEAKS), saving(variant, 0.1)


def spread_bank_of(project: Callable, variant: int) -> tuple[System, Callable]:
    """Entries without a key, over three partitions. Four attempts end before a late one arrives."""
    return bank_with("peaks", project, PEAKS, 3, 4), saving(variant, 0.3)


def saving(variant: int, pause: float) -> Callable:
    """Ada's balance is highest at the end, after a withdrawal; Bob's is highest before one."""
    ada, bob, odd = f"ada-{variant}", f"bob-{variant}", variant % 5
    return sent(
        OpenAccount(account=ada, owner="Ada"),
        Deposit(account=ada, amount=100 + odd),
        Withdraw(account=ada, amount=30 + odd),
        Deposit(account=bob, amount=11 + odd),
        Deposit(account=ada, amount=57),
        Withdraw(account=bob, amount=3),
        pause=pause,
    )

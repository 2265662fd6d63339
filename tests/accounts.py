"""Accounts for the tests of pictures and panels: one whose story can be told, and any number made by dice."""

from datetime import UTC, datetime, timedelta
from random import Random

from edalab import Event, EventStore


class AccountOpened(Event):
    owner: str


class MoneyDeposited(Event):
    amount: int


class MoneyWithdrawn(Event):
    amount: int


def balance(total, fact):
    match fact.event:
        case MoneyDeposited(amount=amount):
            return total + amount
        case MoneyWithdrawn(amount=amount):
            return total - amount
    return total


def account_7():
    """On 22 March the balance was 110; who asked on that day was told 40."""
    store = EventStore(":memory:")
    store.append("account-7", [AccountOpened(owner="Noor")], 0, recorded="2026-03-01")
    store.append("account-7", [MoneyDeposited(amount=100)], 1, recorded="2026-03-03")
    store.append("account-7", [MoneyWithdrawn(amount=40)], 2, recorded="2026-03-08")
    store.append("account-7", [MoneyWithdrawn(amount=20)], 3, recorded="2026-03-20")
    store.append(
        "account-7", [MoneyDeposited(amount=70)], 4, happened="2026-03-12", recorded="2026-03-26"
    )
    return store


def year_of(events, late=0.05, seed=0):
    """A year with so many events, some of which were recorded days or weeks after they happened."""
    dice, store, told = Random(seed), EventStore(":memory:"), []
    happened = datetime(2025, 1, 1, 9, tzinfo=UTC)
    for _ in range(events):
        happened += timedelta(minutes=int(2 * dice.random() * 365 * 24 * 60 / events))
        kind = MoneyDeposited if dice.random() < 0.5 else MoneyWithdrawn
        recorded = (
            happened + timedelta(days=int(2 + 60 * dice.random()))
            if dice.random() < late
            else happened
        )
        told.append((recorded, happened, kind(amount=10 + 10 * int(40 * dice.random()))))
    for recorded, happened, event in sorted(told, key=lambda entry: entry[0]):
        store.append("account-1", [event], happened=happened, recorded=recorded)
    return store

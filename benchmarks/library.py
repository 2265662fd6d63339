"""What `store.py` measures, with the library `eventsourcing`, in memory or in a SQLite file."""

from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, DomainEvent, event


class Account(Aggregate):
    def __init__(self):
        self.balance = 0

    @event("MoneyDeposited")
    def deposit(self, amount, currency):
        self.balance += amount

    @event("MoneyWithdrawn")
    def withdraw(self, amount, currency):
        self.balance -= amount


class Aggregates:
    """As in its documentation: an application saves an aggregate, whose methods create and apply events."""

    def __init__(self, place: str, events: list):
        self.application = Application(
            {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": place}
        )
        self.account, self.events = Account(), events

    def append(self, batch: int) -> None:
        for first in range(0, len(self.events), batch):
            for fact in self.events[first : first + batch]:
                change = (
                    self.account.deposit
                    if type(fact).__name__ == "MoneyDeposited"
                    else self.account.withdraw
                )
                change(fact.amount, fact.currency)
            self.application.save(self.account)

    def replay(self) -> int:
        return self.application.repository.get(self.account.id).balance

    @property
    def state(self):
        return self.replay

    def close(self) -> None:
        self.application.close()


class Deposited(DomainEvent):
    amount: int
    currency: str


class Withdrawn(DomainEvent):
    amount: int
    currency: str


class Bare(Aggregates):
    """Its event store alone, with events created in advance and without aggregates."""

    def __init__(self, place: str, events: list):
        super().__init__(place, events)
        self.id: UUID = uuid4()
        kinds = {"MoneyDeposited": Deposited, "MoneyWithdrawn": Withdrawn}
        self.made = [
            kinds[type(fact).__name__](
                originator_id=self.id,
                originator_version=version,
                timestamp=DomainEvent.create_timestamp(),
                amount=fact.amount,
                currency=fact.currency,
            )
            for version, fact in enumerate(events, 1)
        ]

    def append(self, batch: int) -> None:
        for first in range(0, len(self.made), batch):
            self.application.events.put(self.made[first : first + batch])

    def replay(self) -> int:
        total = 0
        for fact in self.application.events.get(self.id):
            total += fact.amount if isinstance(fact, Deposited) else -fact.amount
        return total

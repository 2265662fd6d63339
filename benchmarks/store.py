"""The cost of an event appended and replayed, against `sqlite3` with the same rows and against the
library `eventsourcing`, in memory and in a file; and that of a question about a growing stream."""

import json
import sqlite3
from collections.abc import Iterator
from functools import partial, reduce
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from edalab import Event, EventStore

from .rows import Row, in_turns, ratios, wall

EVENTS, ROUNDS, BATCH = 100_000, 5, 100
FEWER = 10  # the library gets a tenth of the events, because it would take minutes
CURVE = (1_000, 10_000, 100_000, 1_000_000)


class MoneyDeposited(Event):
    amount: int
    currency: str


class MoneyWithdrawn(Event):
    amount: int
    currency: str


def balance(total, fact):
    match fact.event:
        case MoneyDeposited(amount=amount):
            return total + amount
        case MoneyWithdrawn(amount=amount):
            return total - amount
    return total


def movements(number: int) -> list[Event]:
    return [
        (MoneyDeposited if i % 3 else MoneyWithdrawn)(amount=i % 97, currency="EUR")
        for i in range(number)
    ]


class Edalab:
    def __init__(self, place: str, events: list[Event]):
        self.store, self.events = EventStore(place), events

    def append(self, batch: int) -> None:
        for first in range(0, len(self.events), batch):
            self.store.append(
                "account-7", self.events[first : first + batch], first, recorded=first
            )

    def replay(self) -> int:
        return reduce(balance, self.store.read("account-7"), 0)

    def state(self) -> int:
        return self.store.state("account-7", balance, 0)

    def close(self) -> None:
        self.store.close()


class Plain:
    """The same rows in the same batches, with the standard library's JSON and the same journal mode."""

    def __init__(self, place: str, events: list[Event]):
        self.connection, self.events = sqlite3.connect(place, isolation_level=None), events
        if place != ":memory:":
            self.connection.execute("pragma journal_mode = wal")
            self.connection.execute("pragma synchronous = normal")
        self.connection.execute(
            """create table events (position integer primary key, stream text, version integer, type text, schema integer, data text,
            happened integer, recorded integer, id text, correlation text, causation text, unique (stream, version))"""
        )

    def append(self, batch: int) -> None:
        execute = self.connection.execute
        for first in range(0, len(self.events), batch):
            now = first * 1_000_000
            rows = [
                (
                    n,
                    "account-7",
                    n,
                    type(e).__name__,
                    1,
                    json.dumps(e.__dict__),
                    now,
                    now,
                    None,
                    None,
                    None,
                )
                for n, e in enumerate(self.events[first : first + batch], first + 1)
            ]
            execute("begin immediate")
            self.connection.executemany(
                "insert into events values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            execute("commit")

    def replay(self) -> int:
        total = 0
        for kind, text in self.connection.execute(
            "select type, data from events where stream = 'account-7' order by version"
        ):
            amount = json.loads(text)["amount"]
            total += amount if kind == "MoneyDeposited" else -amount
        return total

    state = replay

    def close(self) -> None:
        self.connection.close()


def microseconds(side: type, place: str, batch: int, number: int) -> dict[str, float]:
    """The time per event, in µs, to append in batches, to `read` and `reduce`, and for `state`."""
    events, answers = movements(number), []
    with TemporaryDirectory() as folder:
        one = side(place if place == ":memory:" else str(Path(folder, "bank.db")), events)
        plays = {"append": partial(one.append, batch), "replay": one.replay, "state": one.state}
        taken = {
            what: wall(lambda: answers.append(play())) / number * 1e6
            for what, play in plays.items()
        }
        one.close()
    assert (
        answers[1:]
        == [sum(e.amount if type(e) is MoneyDeposited else -e.amount for e in events)] * 2
    )
    return taken


def rows(small: bool) -> Iterator[Row]:
    from .library import Aggregates, Bare

    number, rounds = (EVENTS // 10, 3) if small else (EVENTS, ROUNDS)
    sides = {"edalab": (Edalab, number), "plain `sqlite3`": (Plain, number)}
    sides |= {
        "`eventsourcing`, its aggregates": (Aggregates, number // FEWER),
        "`eventsourcing`, its bare store": (Bare, number // FEWER),
    }
    for place, where in ((":memory:", "in memory"), ("file", "in a file")):
        for batch in (1, BATCH):
            fewer = FEWER if batch == 1 and place == "file" else 1  # a file commit per event
            plays = {
                name: partial(microseconds, side, place, batch, size // fewer)
                for name, (side, size) in sides.items()
            }
            took = in_turns(plays, rounds)
            words = {"append": f"an event appended, {batch} at once"}
            if batch > 1:
                words |= {
                    "replay": "an event replayed, `read` and a fold",
                    "state": "an event replayed, `state`",
                }
            for what, said in words.items():
                mine = [taken[what] for taken in took["edalab"]]
                for name in list(sides)[1:]:
                    theirs = [taken[what] for taken in took[name]]
                    most = 2.0 if "sqlite3" in name else 1 / 5 if "aggregates" in name else None
                    beside = f"{name}: {median(theirs):.1f} µs"
                    yield Row(
                        f"{said}, {where}",
                        f"{median(mine):.1f} µs",
                        beside,
                        ratios(mine, theirs),
                        most,
                    )


def grow(store: EventStore, first: int, last: int, dice: Random) -> None:
    """Append an event per second. One in twenty is recorded up to a minute late, one in ten
    thousand up to three hours. Save a snapshot every 1,000 events, as of two minutes before."""
    for now in range(first, last, 100):
        late = [
            dice.choice([0] * 19 + [dice.randint(1, 60)])
            if dice.random() > 1e-4
            else dice.randint(60, 10_000)
            for _ in range(100)
        ]
        store.append(
            "account-7",
            movements(100),
            now,
            happened=[now + n - by for n, by in enumerate(late)],
            recorded=now + 100,
        )
        if now % 1000 == 900:
            store.snapshot("account-7", balance, 0, until=now - 120)


def questions(store: EventStore, last: int, dice: Random) -> dict[str, float]:
    """The median milliseconds of a question about a random moment in the past."""
    taken = {"until": [], "as_of": [], "both": []}
    for _ in range(100):
        moment, known = dice.randint(0, last), dice.randint(0, last)
        for name, bounds in (
            ("until", {"until": moment}),
            ("as_of", {"as_of": known}),
            ("both", {"until": moment, "as_of": known}),
        ):
            start = perf_counter()
            store.state("account-7", balance, 0, **bounds)
            taken[name].append((perf_counter() - start) * 1000)
    return {name: median(each) for name, each in taken.items()}


def curve() -> dict[str, list[tuple[int, float]]]:
    """Milliseconds per question about a stream with snapshots, by its number of events."""
    dice, store, had = Random(0), EventStore(":memory:"), 0
    found: dict[str, list[tuple[int, float]]] = {"until": [], "as_of": [], "both": []}
    for size in CURVE:
        grow(store, had, size, dice)
        had = size
        for name, taken in questions(store, size, dice).items():
            found[name].append((size, taken))
    return found

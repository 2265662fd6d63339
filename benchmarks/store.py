"""Microseconds an event takes to be appended and replayed, beside plain `sqlite3` that writes and reads the same rows and JSON, and
beside the library `eventsourcing`, in memory and in a file; then a question about the past of a stream with snapshots, while
the stream grows: `uv run --with eventsourcing python benchmarks/store.py`."""

import gc
import json
import sqlite3
import sys
from functools import partial, reduce
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from edalab import Event, EventStore

EVENTS, ROUNDS = 100_000, 5
FEWER = 10  # the library is asked for a tenth of the events: it would take minutes
FEW_COMMITS = 5  # and for single appends to a file all of them for a fifth


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
    return [(MoneyDeposited if i % 3 else MoneyWithdrawn)(amount=i % 97, currency="EUR") for i in range(number)]


class Edalab:
    name = "edalab"

    def __init__(self, place: str, events: list[Event]):
        self.store, self.events = EventStore(place), events

    def append(self, batch: int) -> None:
        for first in range(0, len(self.events), batch):
            self.store.append("account-7", self.events[first : first + batch], first, recorded=first)

    def replay(self) -> int:
        return reduce(balance, self.store.read("account-7"), 0)

    def state(self) -> int:
        return self.store.state("account-7", balance, 0)

    def close(self) -> None:
        self.store.close()


class Plain:
    """The same rows in the same batches, JSON written and read by the standard library; in a file, the same journal."""

    name = "times plain sqlite3"

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
                (n, "account-7", n, type(e).__name__, 1, json.dumps(e.__dict__), now, now, None, None, None)
                for n, e in enumerate(self.events[first : first + batch], first + 1)
            ]
            execute("begin immediate")
            self.connection.executemany("insert into events values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            execute("commit")

    def replay(self) -> int:
        total = 0
        for kind, text in self.connection.execute("select type, data from events where stream = 'account-7' order by version"):
            amount = json.loads(text)["amount"]
            total += amount if kind == "MoneyDeposited" else -amount
        return total

    state = replay

    def close(self) -> None:
        self.connection.close()


def microseconds(side: type, place: str, number: int, batch: int) -> dict[str, float]:
    """An event appended in batches, replayed by `read` and `reduce`, and by `state`."""
    events = movements(number)
    with TemporaryDirectory() as folder:
        one = side(place if place == ":memory:" else str(Path(folder, "bank.db")), events)
        taken, answers = {}, []
        for what, does in (("append", partial(one.append, batch)), ("replay", one.replay), ("state", one.state)):
            gc.collect()
            start = perf_counter()
            answers.append(does())
            taken[what] = (perf_counter() - start) / number * 1e6
        one.close()
    assert answers[1:] == [sum(e.amount if type(e) is MoneyDeposited else -e.amount for e in events)] * 2
    return taken


def compare(sides: list[type], number: int) -> None:
    """How long ours takes, how that compares with plain sqlite3 (twice as long: 2), and how many times as long the library takes."""
    for place in (":memory:", "file"):
        print(f"\n{'in memory' if place == ':memory:' else 'in a file':20}{'µs an event':>12}", *(f"{side.name:>24}" for side in sides[1:]))
        for batch in (1, 10, 100):
            ours = number // FEW_COMMITS if batch == 1 and place == "file" else number
            sizes = [ours if side in (Edalab, Plain) else ours // FEWER for side in sides]
            rounds = [[microseconds(side, place, size, batch) for side, size in zip(sides, sizes)] for _ in range(ROUNDS)]
            for what in ("append",) if batch < 100 else ("append", "replay", "state"):
                mine, *others = ([times[n][what] for times in rounds] for n in range(len(sides)))
                line = [f"{f'append, {batch} at once' if what == 'append' else what:20}{median(mine):12.2f}"]
                for side, theirs in zip(sides[1:], others):
                    ratios = sorted(a / b if side is Plain else b / a for a, b in zip(mine, theirs))
                    line.append(f"{f'{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})':>24}")
                print(*line, flush=True)


def grow(store: EventStore, first: int, last: int, dice: Random) -> None:
    """An event a second; one in twenty is recorded up to a minute late, one in ten thousand up to three hours. A snapshot every
    1,000 events, of two minutes before."""
    for now in range(first, last, 100):
        late = [dice.choice([0] * 19 + [dice.randint(1, 60)]) if dice.random() > 1e-4 else dice.randint(60, 10_000) for _ in range(100)]
        store.append("account-7", movements(100), now, happened=[now + n - by for n, by in enumerate(late)], recorded=now + 100)
        if now % 1000 == 900:
            store.snapshot("account-7", balance, 0, until=now - 120)


def questions(store: EventStore, last: int, dice: Random) -> dict[str, float]:
    """Milliseconds a question about a moment, anywhere in the past, takes."""
    taken = {"until": [], "as_of": [], "both": []}
    for _ in range(100):
        moment, known = dice.randint(0, last), dice.randint(0, last)
        for name, bounds in ("until", {"until": moment}), ("as_of", {"as_of": known}), ("both", {"until": moment, "as_of": known}):
            start = perf_counter()
            store.state("account-7", balance, 0, **bounds)
            taken[name].append((perf_counter() - start) * 1000)
    return {name: median(each) for name, each in taken.items()}


def curve() -> None:
    dice, store, had = Random(0), EventStore(":memory:"), 0
    print("\nms a question about the past of a stream with a snapshot every 1,000 events, while late ones arrive")
    print(f"{'events':>12}{'until':>10}{'as_of':>10}{'both':>10}")
    for number in (1_000, 10_000, 100_000, 1_000_000):
        grow(store, had, number, dice)
        had = number
        print(f"{number:12,}" + "".join(f"{taken:10.2f}" for taken in questions(store, number, dice).values()), flush=True)


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    sides = [Edalab, Plain]
    try:
        from library import Aggregates, Bare

        sides += [Aggregates, Bare]
    except ImportError:
        print("without the library: uv run --with eventsourcing python benchmarks/store.py")
    print(f"{number:,} events, {ROUNDS} alternating rounds, medians (and spread)")
    compare(sides, number)
    curve()


if __name__ == "__main__":
    main()

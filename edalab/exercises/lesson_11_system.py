"""The shop of lesson 11's exercises: handlers that write twice in some order, and an outbox with a relay."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from random import Random
from typing import Any

from ..model import Command, Event, System
from ..sim import simulate
from ..sim.run import Run
from .general import heard, sent


def mixed(things: Iterable, variant: int) -> list:
    """The things, in an order that differs from learner to learner."""
    dice = Random(variant)
    return sorted(things, key=lambda _: dice.random())


# -- 11.1


class Place(Command, key="order_id"):
    order_id: str


class Placed(Event, topic="placed", key="order_id"):
    order_id: str


Story = tuple[str, ...]
# The lines of a handler and of a relay, the line before which a crash strikes, and why it ends as it does.
STORIES: list[Story] = [
    tuple(line.split("|"))
    for line in """
save, publish, ack||save|a
save, publish, ack||publish|a
save, publish, ack||ack|a
publish, save, ack||save|a
publish, save, ack||ack|a
ack, save, publish||save|b
ack, save, publish||publish|b
ack, publish, save||save|b
begin, publish, commit, ack||commit|a
ack, begin, publish, commit||commit|b
look, save, publish, ack||save|a
look, save, publish, ack||publish|e
look, save, publish, ack||ack|e
look, save both, ack|publish, delete|publish|c
look, save both, ack|publish, delete|delete|c
look, save both, ack|delete, publish|publish|d
look, save both, ack|delete, publish|delete|c
""".split("\n")[1:-1]
]
PLACED = "create table orders (order_id text primary key); create table outbox (event text)"
OUTCOMES = ["lost", "invented", "twice", "fine"]


def one_order(story: Story) -> Run:
    """A run in which the shop gets one order, and crashes once."""
    shop, (handler, relays, crash, _) = System("shop"), story
    orders, lines = shop.service("orders", schema=PLACED), handler.split(", ")

    async def place(command, ctx):
        event = Placed(order_id=command.order_id)
        for line in lines:
            with ctx.database as db:
                if line == "look" and db.execute("select 1 from orders").fetchone():
                    return
                if line in ("save", "save both", "begin"):
                    insert = "insert or ignore into orders values (?)"
                    db.execute(insert, (command.order_id,))
                if line == "save both":
                    db.execute("insert into outbox values (?)", (ctx.envelope(event),))
                if line == "begin":
                    await ctx.publish(event)
            if line == "publish" and "begin" not in lines:
                await ctx.publish(event)

    async def relay(ctx):
        with ctx.database as db:
            waiting = db.execute("select rowid, event from outbox").fetchall()
        for rowid, event in waiting:
            for line in relays.split(", "):
                if line == "publish":
                    await ctx.publish(event)
                else:
                    with ctx.database as db:
                        db.execute("delete from outbox where rowid = ?", (rowid,))

    at_once = "at-most-once" if lines[0] == "ack" else "at-least-once"
    orders.handles(Place, delivery=at_once)(place)
    orders.every(1)(relay)
    shop.service("shipping").on(Placed)(heard)
    steps = {"publish": "publish.Placed", "ack": "ack.Place", "delete": "save.relay"}
    fault = f"crash orders.{steps.get(crash, 'save.Place')}"
    return simulate(shop, sent(Place(order_id="o1")), faults=[fault])


def left_by(run: Run) -> tuple[int, int, int]:
    """The number of saved orders, of events in the topic, and of times that the handler began."""
    seen = [(s.step, getattr(s.envelope, "type", ""), s.fault) for s in run.journal]
    [(orders,)] = run.rows("orders", "select count(*) from orders")
    return orders, seen.count(("publish", "Placed", None)), seen.count(("handle", "Place", None))


@lru_cache(maxsize=len(STORIES))
def outcome(story: Story) -> str:
    orders, events, _ = left_by(one_order(story))
    return "twice" if events > 1 else "lost" if not events else "fine" if orders else "invented"


def stories(variant: int) -> list[Story]:
    """Six stories: each outcome once, one more with a relay and one more without."""
    ways = mixed(STORIES, variant)
    first = {outcome(story): story for story in reversed(ways)}
    more = {bool(story[1]): story for story in ways if story not in first.values()}
    return mixed([*first.values(), *more.values()], variant + 1)


def cases(variant: int) -> dict[str, list[dict[str, Any]]]:
    """The six stories as a table."""
    columns = "case", "handler", "relay", "crash before"
    six = [(s[0], s[1], f"relay: {s[2]}" if s[1] else s[2]) for s in stories(variant)]
    return {"cases": [dict(zip(columns, (n, *s), strict=True)) for n, s in enumerate(six, 1)]}


# -- 11.2 and 11.3


class AddLines(Command, key="order_id"):
    order_id: str
    first: int
    lines: int
    large: int = 0  # the line that the broker always refuses
    wait: float = 0


class LineAdded(Event, topic="lines", key="order_id"):
    order_id: str
    line: int
    text: str


class RowParked(Event, topic="parked"):
    id: int
    order_id: str


OUTBOX = """create table outbox (id int primary key, order_id text, event text,
                attempts int default 0, state text default 'waiting');
            create table fence (token int); insert into fence values (0);"""
MOST_BYTES = 120


async def add_lines(command, ctx):
    """Take the rows' numbers first, and save the rows after a while."""
    ids = [ctx.sequence("outbox") for _ in range(command.lines)]
    await ctx.sleep(command.wait)
    with ctx.database as db:
        for line, id in enumerate(ids, command.first):
            text = "x" * (200 if line == command.large else 10)
            event = ctx.envelope(LineAdded(order_id=command.order_id, line=line, text=text))
            row = id, command.order_id, event
            db.execute("insert into outbox (id, order_id, event) values (?, ?, ?)", row)


def _shop(relay: Callable, lease: float | None = None) -> System:
    shop = System("shop")
    shop.topic("lines", max_bytes=MOST_BYTES)
    orders = shop.service("orders", replicas=2, schema=OUTBOX)
    orders.handles(AddLines)(add_lines)
    orders.every(1, lease=lease)(relay)
    shop.service("shipping").on(LineAdded)(heard)
    shop.service("support").on(RowParked)(heard)
    return shop


def relay_of(relay: Callable, variant: int) -> tuple[System, Callable]:
    """One relay and three orders: one with a line that is always refused, one with many, one late.

    The first two alternate, so that rows of the other order come after those that wait."""
    large, many, late = (f"o{n}-{variant}" for n in mixed(range(1, 4), variant))
    second = 2 + variant % 2
    return _shop(relay), sent(
        AddLines(order_id=late, first=1, lines=4, wait=1.3),
        AddLines(order_id=large, first=1, lines=second + 1, large=second),
        AddLines(order_id=many, first=1, lines=3),
        AddLines(order_id=large, first=second + 2, lines=9),
        AddLines(order_id=many, first=4, lines=7),
        6,
        AddLines(order_id=large, first=second + 11, lines=1),
        AddLines(order_id=many, first=11, lines=1),
    )


def relays_of(relay: Callable, variant: int) -> tuple[System, Callable]:
    """Two relays, one of which is the leader."""
    one, two = (f"o{n}-{variant}" for n in mixed(range(1, 3), variant))
    begun = [AddLines(order_id=order_id, first=1, lines=3) for order_id in (one, two)]
    more = [AddLines(order_id=order_id, first=4, lines=2) for order_id in (two, one)]
    return _shop(relay, lease=3), sent(*begun, 2, *more)

"""The two shops of lesson 09's exercises, `north` and `south`, which hear of each other late."""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from ..model import Command, Event, Query, System
from .general import mixed, until_answered

SHOPS = "north", "south"


class SellInNorth(Command):
    order_id: str
    pieces: int


class SellInSouth(Command):
    order_id: str
    pieces: int


SELL = {"north": SellInNorth, "south": SellInSouth}


# -- 09.1

# The guarantee, the reason, how far X's clock is ahead (s), and what is asked: when (s), at which shop, by which customer.
STORIES = """
read your writes|a|0|2 X p buys, 2.4 Y p looks
read your writes|a|0|1.5 X p sets, 2.2 Y p reads
monotonic reads|a|0|1.4 X q buys, 2 X p looks, 2.6 Y p looks
monotonic reads|a|0|1.4 X q sets, 2 X p reads, 2.6 Y p reads
sold twice|b|0|1.6 X p empties, 2.8 Y q buys
sold twice|b|0|1.2 Y p buys, 1.9 X q empties
lost write|c|2|5 X p sets, 6 Y q sets, 8 X r reads, 8.4 Y r reads
lost write|d|-2|5 Y p sets, 6 X q sets, 7 X r reads, 7.4 Y r reads
lost write|b|0|2 X p sets, 2.3 Y q sets, 8 X r reads, 8.4 Y r reads
none|a|0|2 X q buys, 2.4 Y p looks
none|b|0|1.7 X p buys, 2.6 Y q buys
none|e|0|5 X p looks, 6 Y q brings, 7 Y p looks
none|e|2|5 Y p sets, 6 X q sets, 7 Y p reads, 8 X p reads
""".split("\n")[1:-1]
PEOPLE = "ada", "bob", "cleo", "dora", "eve", "finn", "gil"
# What the history says about a question, and the answer.
ASKS = {
    "looks": ("asks how many are left", "{} left"),
    "reads": ("asks for the price", "{} euros"),
    "sets": ("sets the price to {}", "done"),
    "brings": ("brings {}", "thanks"),
}
STOCK, PRICE = 10, 20


def stories(variant: int) -> list[list[str]]:
    """Six stories, one of each kind and a second one of some kind."""
    kinds: dict[str, list[str]] = {}
    for story in mixed(STORIES, variant):
        kinds.setdefault(story.partition("|")[0], []).append(story)
    six = [kind[0] for kind in kinds.values()] + mixed(kinds.values(), variant)[0][1:2]
    return [story.split("|") for story in mixed(six, variant)]


def told(variant: int, story: int) -> list[dict[str, Any]]:
    """The questions of one of the stories (from 1), each with its answer."""
    *_, ahead, asked = stories(variant)[story - 1]
    names = [*mixed(SHOPS, variant + story), *mixed(PEOPLE, variant + story)]
    who: dict[str, str] = dict(zip("XYpqr", names, strict=False))
    changes, lines = [], []
    for n, words in enumerate(asked.split(", ")):
        at, shop, customer, asks = words.split()
        time, clock = float(at), float(at) + int(ahead) * (shop == "X")
        # A shop knows its own changes, and after the cut all. By the clocks, the later one wins.
        known = {what: new for _, what, new, of in sorted(changes) if of == shop or time > 4}
        numbers = {"empties": STOCK, "sets": 21 + 3 * n + variant % 9}
        number = numbers.get(asks, 1 + (variant + n) % 4)
        if asks == "sets":
            changes.append((clock, "price", number, shop))
        elif asks not in ("looks", "reads"):
            left = known.get(shop, 0) + (number if asks == "brings" else -number)
            changes.append((clock, shop, left, shop))
        left = STOCK + known.get("X", 0) + known.get("Y", 0)
        says, answers = ASKS.get(asks, ("buys {}", "sold"))
        line = {"time": time, "shop": who[shop], "clock": clock, "customer": who[customer]}
        answer = answers.format(left if asks == "looks" else known.get("price", PRICE))
        lines.append(line | {"asks": says.format(number), "answer": answer})
    return lines


# -- 09.2


class SalesCounted(Event, topic="sales"):
    shop: str
    pieces: int
    at: float


class LookInNorth(Query):
    customer: str
    north: int
    south: int


class LookInSouth(Query):
    customer: str
    north: int
    south: int


LOOK = {"north": LookInNorth, "south": LookInSouth}
SOLD = """create table sold (shop text primary key, pieces int, at real);
          insert into sold values ('north', 0, 0), ('south', 0, 0);"""


def counts(shop: str) -> Callable:
    """A handler that sells: it adds to the shop's number, publishes it and returns it."""

    async def sell(command, ctx):
        with ctx.database as db:
            add = "update sold set pieces = pieces + ?, at = ? where shop = ? returning pieces"
            [(pieces,)] = db.execute(add, (command.pieces, ctx.now, shop)).fetchall()
        await ctx.publish(SalesCounted(shop=shop, pieces=pieces, at=ctx.now))
        return {shop: pieces}

    return sell


def two_copies(tell: Callable, variant: int) -> tuple[System, Callable]:
    """Two shops that sell. The learner's handler receives sales, and answers the customers."""
    shops = System("shops")
    shops.topic("sales", partitions=2)
    for name in SHOPS:
        shop = shops.service(name, replicas=2, schema=SOLD)
        shop.handles(SELL[name])(counts(name))
        shop.on(SalesCounted, max_attempts=6)(tell)
        shop.answers(LOOK[name])(tell)
    unit = 1 + variant % 7

    async def people(ctx):
        seen = defaultdict(Counter)

        def buy(who, shop, pieces):
            return SELL[shop](order_id=f"{who}-{variant}", pieces=pieces * unit)

        def look(who, shop):
            token = {name: seen[f"{who}-{variant}"][name] for name in SHOPS}
            return LOOK[shop](customer=f"{who}-{variant}", **token)

        async def ask(*questions):
            answers = await until_answered(ctx, *questions)
            for question, answer in zip(questions, answers, strict=True):
                known = answer if isinstance(answer, dict) else {}
                who = getattr(question, "customer", None) or question.order_id
                seen[who] |= {name: n for name, n in known.items() if isinstance(n, int)}

        # The order of the sales decides which partition each total gets, and so which may overtake.
        await ask(buy("ada", "north", 1))
        await ask(buy("bob", "south", 5))
        await ask(buy("cleo", "north", 2))
        # While Ada waits for news of her own piece, two replicas sell at the same moment.
        await ask(look("ada", "south"), buy("finn", "south", 1), buy("gil", "south", 1))
        await ask(look("bob", "north"))
        await ask(look("ada", "north"))
        await ask(look("ada", "south"))
        await ctx.sleep(10)
        await ask(look("dora", "north"))  # she has seen nothing before, and neither has Eve
        await ask(look("eve", "south"))

    return shops, people


# -- 09.3


class MovePieces(Command):
    transfer_id: str
    pieces: int


class PiecesMoved(Event, topic="transfers"):
    transfer_id: str
    pieces: int


SHARE = """create table share (pieces int); insert into share values ({});
           create table sales (order_id text primary key, pieces int);
           create table moved (transfer_id text primary key, event text);"""
MORE_THAN_ALL, LAST = 20, "last"  # a number of pieces, and the orders that show what is left


def shares(variant: int) -> dict[str, int]:
    """The pieces of each shop at first. North sells one, and moves the others in two halves."""
    return {"north": 7 + 2 * (variant % 3), "south": 4 + variant % 3}


def two_shares(trade: Callable, variant: int) -> tuple[System, Callable]:
    """Two shops with shares of their own. North moves pieces to south. In the end, all is sold."""
    first = shares(variant)
    few = first["north"] // 2
    shops = System("shops")
    for name in SHOPS:
        shop = shops.service(name, replicas=2, schema=SHARE.format(first[name]))
        shop.handles(SELL[name])(trade)
    shops.service("north").handles(MovePieces, max_attempts=6)(trade)
    shops.service("south").on(PiecesMoved, max_attempts=6)(trade)

    async def people(ctx):
        def order(shop, name, pieces):
            return SELL[shop](order_id=f"{name}-{variant}", pieces=pieces)

        async def move(name, pieces):
            await ctx.send(MovePieces(transfer_id=f"{name}-{variant}", pieces=pieces))

        await until_answered(ctx, order("north", "n1", 1))
        left = first["south"]
        both = order("south", "s1", left - 1), order("south", "s2", 2)
        answers = await until_answered(ctx, *both)
        left -= sum(each.pieces for each in both if answers.pop(0) == "sold")
        await move("t1", few)
        await until_answered(ctx, order("south", "s3", max(left, 1)))
        await ctx.sleep(8)
        await move("t2", few)  # all that is left; and a moment later somebody wants it, too:
        await ctx.sleep(0.005 if variant % 2 else 0.02)  # while it is published, or after that
        await until_answered(ctx, order("north", "n2", few))
        await move("t3", MORE_THAN_ALL)
        await ctx.sleep(10)
        for shop in SHOPS:
            for pieces in (8, 4, 2, 1):
                await until_answered(ctx, order(shop, f"{LAST}-{shop}-{pieces}", pieces))

    return shops, people

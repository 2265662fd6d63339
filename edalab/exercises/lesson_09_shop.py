"""The two shops of lesson 09's exercises, `north` and `south`: each has a database of its own and hears of the other late."""

from collections.abc import Callable
from typing import Any

from ..errors import Unanswered
from ..model import Command, Event, Query, System

SHOPS = "north", "south"


class SellInNorth(Command):
    order_id: str
    pieces: int


class SellInSouth(Command):
    order_id: str
    pieces: int


SELL: dict[str, type[Command]] = {"north": SellInNorth, "south": SellInSouth}


async def until_answered(ctx, question) -> Any:
    """The answer, for which the client asks up to six times."""
    for _ in range(6):
        answer = (await ctx.all(ctx.ask(question)))[0]
        if not isinstance(answer, Unanswered):
            return answer
        await ctx.sleep(0.1)


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


LOOK: dict[str, type[Query]] = {"north": LookInNorth, "south": LookInSouth}
SOLD = """create table sold (shop text primary key, pieces int, at real);
          insert into sold values ('north', 0, 0), ('south', 0, 0);"""


def counts(shop: str) -> Callable:
    """How a shop sells: it adds to its own number, publishes it and tells the customer."""

    async def sell(command, ctx):
        with ctx.database as db:
            add = "update sold set pieces = pieces + ?, at = ? where shop = ? returning pieces"
            [(pieces,)] = db.execute(add, (command.pieces, ctx.now, shop)).fetchall()
        await ctx.publish(SalesCounted(shop=shop, pieces=pieces, at=ctx.now))
        return {shop: pieces}

    return sell


def two_copies(tell: Callable, variant: int) -> tuple[System, Callable]:
    """Two shops that sell. The learner's handler hears of sales, and answers customers who say what they have seen."""
    shops = System("shops")
    shops.topic("sales", partitions=3)
    for name in SHOPS:
        shop = shops.service(name, replicas=2, schema=SOLD)
        shop.handles(SELL[name])(counts(name))
        shop.on(SalesCounted, max_attempts=6)(tell)
        shop.answers(LOOK[name])(tell)
    unit = 1 + variant % 7

    async def people(ctx):
        seen = {who: dict.fromkeys(SHOPS, 0) for who in ("ada", "bob", "cleo", *SHOPS)}

        def note(who, answer):
            for shop in SHOPS:
                known = answer.get(shop) if isinstance(answer, dict) else 0
                if isinstance(known, int):
                    seen[who][shop] = max(seen[who][shop], known)

        async def buy(who, shop, pieces):
            order = SELL[shop](order_id=f"{who}-{variant}", pieces=pieces * unit)
            note(who, await until_answered(ctx, order))

        async def look(who, shop):
            question = LOOK[shop](customer=f"{who}-{variant}", **seen[who])
            note(who, await until_answered(ctx, question))

        await buy("bob", "south", 5)
        await buy("ada", "north", 1)
        await look("ada", "south")
        await look("bob", "north")
        await buy("cleo", "north", 2)
        await look("ada", "north")
        await look("ada", "south")
        await ctx.sleep(10)
        for shop in SHOPS:
            await look(shop, shop)  # somebody who has seen nothing before

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


MORE_THAN_ALL, LAST = 20, "last"  # so many pieces, and the orders by which we see what is left


def shares(variant: int) -> dict[str, int]:
    """How many pieces each shop may sell at first."""
    return {"north": 9 + variant % 4, "south": 4 + variant % 3}


def two_shares(trade: Callable, variant: int) -> tuple[System, Callable]:
    """Two shops that sell from their own shares. North hands pieces over to south. At the end, all that is left is sold."""
    first, few = shares(variant), 2 + variant % 2
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
        left, both = (
            first["south"],
            [order("south", "s1", first["south"] - 1), order("south", "s2", 2)],
        )
        for each, answer in zip(both, await ctx.all(*map(ctx.ask, both)), strict=True):
            if isinstance(answer, Unanswered):
                answer = await until_answered(ctx, each)
            left -= each.pieces if answer == "sold" else 0
        await move("t1", few)
        await until_answered(ctx, order("south", "s3", max(left, 1)))
        await ctx.sleep(8)
        await move("t2", 3)  # and somebody wants all that is left, a moment later
        await ctx.sleep(0.005)
        await until_answered(ctx, order("north", "n2", first["north"] - 1 - few))
        await move("t3", MORE_THAN_ALL)
        await ctx.sleep(10)
        for shop in SHOPS:
            for pieces in (8, 4, 2, 1):
                await until_answered(ctx, order(shop, f"{LAST}-{shop}-{pieces}", pieces))

    return shops, people

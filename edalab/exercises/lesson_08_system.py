"""The shop of lesson 08's exercises: the `provider` is outside of the transaction of `billing`."""

from collections.abc import Callable

from ..errors import Refused
from ..model import Command, Event, Query, System
from ..sim import simulate
from ..sim.run import Run
from .general import heard, sent, until_answered


class OrderPlaced(Event, topic="orders", key="order_id"):
    order_id: str
    customer: str
    amount: int


class Charge(Command):
    order_id: str
    customer: str
    amount: int
    key: str = ""


class ChargeBy(Command):
    """A request of 08.1. Only its key tells it from others, so pictures name it by its key."""

    key: str
    amount: int


class PaymentCharged(Event, topic="payments", key="order_id"):
    order_id: str
    amount: int


class CheckCard(Query):
    amount: int


CHARGES = """create table charges (order_id text, amount int);
             create table answers (key text primary key, amount int, answer text, at real);"""
OUTBOX = "create table outbox (order_id text primary key, event text);"
CARD = "create table card (most int); insert into card values (100);"


def charge(command, ctx):
    """The provider of 08.3: it stores each key with its answer. Cards are good for 100."""
    answer = "charged" if command.amount <= 100 else "declined"
    with ctx.database as db:
        row = command.key, command.amount, answer, ctx.now
        keep = "insert or ignore into answers values (?, ?, ?, ?)"
        new = not command.key or db.execute(keep, row).rowcount
        if new and answer == "charged":
            db.execute("insert into charges values (?, ?)", (command.order_id, command.amount))
        find = "select amount from answers where key = ? and amount <> ?"
        if db.execute(find, row[:2]).fetchone():
            return Refused("this key was used for another amount")
    return answer


# -- 08.1


def one_morning(variant: int) -> dict[str, int]:
    """The figures of one morning, which differ from learner to learner."""
    odd = variant // 7
    return {
        "orders": 6 + (variant - 1) % 7,
        "same_again": 2 + odd % 2,
        "published_again": 1 + odd % 4,
        "tried_again": 2 + odd % 3,
    }


KEYS: dict[str, Callable] = {
    "a": lambda event, ctx: ctx.message.id,
    "b": lambda event, ctx: event.order_id,
    "c": lambda event, ctx: f"{event.customer} {event.amount}",
    "d": lambda event, ctx: ctx.new_id(),
}


def charge_by_key(command, ctx):
    """The provider of 08.1: each key that it stores is a charge."""
    with ctx.database as db:
        row = command.key, command.amount, "charged", ctx.now
        db.execute("insert or ignore into answers values (?, ?, ?, ?)", row)


def the_morning(letter: str, variant: int) -> Run:
    """A run of that morning, in which `billing` uses the key of this letter."""
    morning = one_morning(variant)
    alone = morning["orders"] - morning["same_again"]
    orders = [
        OrderPlaced(order_id=f"o{n}", customer=f"c{n % alone}", amount=20 + n % alone)
        for n in range(morning["orders"])
    ]

    async def bill(event, ctx):
        await ctx.ask(ChargeBy(key=KEYS[letter](event, ctx), amount=event.amount))

    shop = System("shop")
    shop.service("billing").on(OrderPlaced)(bill)
    shop.service("provider", schema=CHARGES).handles(ChargeBy)(charge_by_key)
    lost = [f"drop provider.reply.ChargeBy #{2 * n + 1}" for n in range(morning["tried_again"])]
    again = orders[: morning["published_again"]]
    return simulate(shop, sent(*orders, *again), faults=lost)


# -- 08.2


def check_card(query, ctx):
    """Whether the card is good for an amount: 100 at first, 1000 after a request above 150."""
    with ctx.database as db:
        [(most,)] = db.execute("select most from card")
        if query.amount > max(most, 150):
            db.execute("update card set most = 1000")
        return query.amount <= most


def wishes(variant: int) -> dict[str, list[tuple[str, int]]]:
    """The orders and amounts requested with each key. Of two amounts, one has to be refused."""
    one, two, three = (f"o{n}-{variant}" for n in range(1, 4))
    small = 20 + variant % 30
    return {
        f"{one}/1": [(one, small), (one, small + 12)],
        f"{one}/2": [(one, small + 13)],
        f"{two}/1": [(two, small + 1), (two, small + 14)],
        f"{three}/1": [(three, 150)],  # more than the card is good for
        f"{three}/2": [(three, 151)],  # also too much, the first time
    }


def provider_of(charge_once: Callable, variant: int) -> tuple[System, Callable]:
    """Two replicas of the provider, whose handler is the learner's, and the bank that it asks."""
    shop = System("shop")
    shop.service("provider", replicas=2, schema=CHARGES).handles(Charge)(charge_once)
    shop.service("bank", schema=CARD).answers(CheckCard)(check_card)
    asked = wishes(variant)
    first, more, twice, large, larger = asked

    def charge(key, which=0):
        order_id, amount = asked[key][which]
        return Charge(order_id=order_id, customer="ada", amount=amount, key=key)

    async def people(ctx):
        await until_answered(ctx, charge(first))
        await until_answered(ctx, charge(twice), charge(twice), charge(twice, 1))
        for command in charge(first, 1), charge(more), charge(large):
            await until_answered(ctx, command)
        await until_answered(ctx, charge(larger), charge(larger))  # the bank says no, then yes
        await until_answered(ctx, charge(large))

    return shop, people


# -- 08.3


def billing_of(bill: Callable, variant: int) -> tuple[System, Callable]:
    """`billing`, whose handler is the learner's. One card is declined, one order is published
    twice, and two orders have the same customer and amount."""
    small = 20 + variant % 30
    orders = [
        OrderPlaced(order_id=f"o{n}-{variant}", customer=f"c{n % 3}", amount=amount)
        for n, amount in enumerate((small, small + 5, 150, small))
    ]
    shop = System("shop")
    shop.topic("payments", deduplicates=120)
    billing = shop.service("billing", schema=OUTBOX)
    billing.on(OrderPlaced, commit_every=10, max_attempts=6)(bill)
    shop.service("provider", schema=CHARGES).handles(Charge)(charge)
    shop.service("mail").on(PaymentCharged)(heard)  # its deliveries show what is in the topic
    return shop, sent(*orders, orders[1])

"""The shop of lesson 05's exercises: `payments` is the learner's, the others are as in the lesson."""

from collections.abc import Callable

from ..model import Command, Event, System
from .general import sent


class DepositMoney(Command):
    customer: str
    amount: int


class OrderEvent(Event):
    order_id: str
    customer: str
    pieces: int
    total: int


class OrderCreated(OrderEvent, topic="orders", key="order_id"): ...


class InventoryReserved(OrderEvent, topic="inventory", key="order_id"): ...


class PaymentCharged(OrderEvent, topic="payments", key="order_id"): ...


class PaymentRefused(OrderEvent, topic="payments", key="order_id", refuses=PaymentCharged): ...


class OrderShipped(OrderEvent, topic="parcels", key="order_id", final=True, settles=True): ...


class InventoryReleased(
    OrderEvent, topic="inventory", key="order_id", compensates=InventoryReserved
): ...


OUTBOX = """create table outbox (heard text, order_id text, news text,
                                primary key (heard, order_id));"""
RESERVATIONS = "create table reservations (order_id text primary key, pieces int);"
PARCELS = "create table parcels (order_id text, pieces int);"
ACCOUNTS = """create table accounts (customer text primary key, money int check (money >= 0));
              insert into accounts values ('{rich}', 100), ('{poor}', 10);
              create table charges (order_id text, amount int);
              create table done (heard text, order_id text, primary key (heard, order_id));"""


def through_the_outbox(work: Callable) -> Callable:
    """A handler that does a step once per order and announces it at each delivery."""

    async def step(event, ctx):
        note = type(event).__name__, event.order_id
        with ctx.database as db:
            before = "select news from outbox where heard = ? and order_id = ?"
            row = db.execute(before, note).fetchone()
            news = row[0] if row else ctx.envelope(work(db, event))
            db.execute("insert or ignore into outbox values (?, ?, ?)", (*note, news))
        await ctx.publish(news)

    step.__name__ = work.__name__
    return step


def reserve(db, order):
    db.execute("insert into reservations values (?, ?)", (order.order_id, order.pieces))
    return InventoryReserved(**dict(order))


def release(db, order):
    db.execute("delete from reservations where order_id = ?", (order.order_id,))
    return InventoryReleased(**dict(order))


def charge_or_refuse(db, order):
    paid = "update accounts set money = money - ? where customer = ? and money >= ?"
    if not db.execute(paid, (order.total, order.customer, order.total)).rowcount:
        return PaymentRefused(**dict(order))
    db.execute("insert into charges values (?, ?)", (order.order_id, order.total))
    return PaymentCharged(**dict(order))


def ship(db, order):
    db.execute("insert into parcels values (?, ?)", (order.order_id, order.pieces))
    return OrderShipped(**dict(order))


def ship_by_id(event, ctx):
    """Ship once per message. An event with another id counts as new."""
    with ctx.database as db:
        note = "insert or ignore into outbox values ('PaymentCharged', ?, null)"
        return ship(db, event) if db.execute(note, (ctx.message.id,)).rowcount else None


def deposit(command, ctx):
    update = "update accounts set money = money + ? where customer = ?"
    with ctx.database as db:
        db.execute(update, (command.amount, command.customer))


def people_of(variant: int) -> tuple[str, str]:
    """The customers who have 100 and 10. They change, so that no answer can decide by name."""
    return ("ada", "bob") if variant % 2 else ("bob", "ada")


def orders_of(variant: int) -> list[OrderCreated]:
    """Two equal orders that one customer can pay; the other can pay only the second of two."""
    rich, poor = people_of(variant)
    small, large = 20 + variant % 10, 40 + variant % 10
    one, other = ((2, small), (3, large)) if variant % 2 else ((3, large), (2, small))
    wanted = [(rich, *one), (rich, *one), (poor, *other), (poor, 1, 10)]
    return [
        OrderCreated(order_id=f"order-{16 + variant + n}", customer=who, pieces=pieces, total=total)
        for n, (who, pieces, total) in enumerate(wanted)
    ]


def shop_of(
    charge: Callable, variant: int, attempts=3, late=False
) -> tuple[System, list[Callable]]:
    """The lesson's chain without `orders`: four orders, and then money for the refused customer.

    With `late`, shipping recognises messages by id, and a second workload repeats the first order.
    """
    rich, poor = people_of(variant)
    shop = System("shop")
    inventory = shop.service("inventory", schema=RESERVATIONS + OUTBOX)
    inventory.on(OrderCreated)(through_the_outbox(reserve))
    inventory.on(PaymentRefused)(through_the_outbox(release))
    payments = shop.service("payments", schema=ACCOUNTS.format(rich=rich, poor=poor) + OUTBOX)
    payments.on(InventoryReserved, max_attempts=attempts)(charge)
    payments.handles(DepositMoney)(deposit)
    shipping = shop.service("shipping", schema=PARCELS + OUTBOX)
    shipping.on(PaymentCharged)(ship_by_id if late else through_the_outbox(ship))
    orders, deposited = orders_of(variant), DepositMoney(customer=poor, amount=90 + variant % 10)
    story = [each for order in orders for each in (order, 0.04)] + [deposited]
    return shop, [sent(*story), sent(*story, orders[0])] if late else [sent(*story)]

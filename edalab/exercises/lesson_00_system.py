"""The shop of lesson 00's exercises: an order is cancelled, and four services must be informed."""

from collections.abc import Callable

from ..errors import Unanswered
from ..model import Command, Event, System
from .general import by_name


class CancelOrder(Command):
    orderId: str


class RefundBill(Command):
    orderId: str


class SendMail(Command):
    orderId: str


class TakePoints(Command):
    orderId: str


class OrderCancelled(Event, topic="order-events", key="orderId"):
    orderId: str


ORDERS = "create table orders (orderId text primary key)"
DONE = "create table done (orderId text primary key)"
BY_COMMAND = {"billing": RefundBill, "mail": SendMail, "loyalty": TakePoints}
SUBSCRIBERS = (*BY_COMMAND, "stock")
MESSAGES = (CancelOrder, OrderCancelled, RefundBill, SendMail, TakePoints)
NAMES = by_name(*MESSAGES, Unanswered)


async def work(message, ctx):
    await ctx.sleep(0.2)
    with ctx.database as db:
        db.execute("insert or replace into done values (?)", (message.orderId,))


def take_out(event, ctx):
    with ctx.database as db:
        db.execute("delete from orders where orderId = ?", (event.orderId,))


def customers(*cancel: tuple[str, str], pause: float = 0) -> Callable:
    """A workload in which customers cancel orders, one after the other, with a pause in seconds."""

    async def workload(ctx):
        for customer, order in cancel:
            try:
                answer = await ctx.ask(CancelOrder(orderId=order), timeout=3)
                ctx.note(f"{customer} is told: {answer}")
            except Unanswered:
                ctx.note(f"{customer} gives up")
            await ctx.sleep(pause)

    return workload


def shop(cancel: Callable, variant: int) -> tuple[System, list[Callable]]:
    """Two workloads. In one, Ada cancels an order that is on record, and Bob one that is not (only
    a longer id is). In the other, Ada cancels hers twice. `stock` is new and takes only events."""
    ada, bob = ("Ada", f"order-{16 + variant}"), ("Bob", f"order-{98 + variant}")
    system = System("shop")
    on_record = f"insert into orders values ('{ada[1]}'), ('order-1'), ('{bob[1]}0')"
    system.service("orders", schema=f"{ORDERS}; {on_record}").handles(CancelOrder)(cancel)
    for name in SUBSCRIBERS:
        system.service(name, schema=DONE).on(OrderCancelled)(work)
    for name, command in BY_COMMAND.items():
        system.services[name].handles(command)(work)
    return system, [customers(ada, bob), customers(ada, ada, pause=5)]


def hearing_itself(cancel: Callable, variant: int) -> tuple[System, list[Callable]]:
    """The same shop, in which `orders` also subscribes to its own event."""
    system, workloads = shop(cancel, variant)
    system.services["orders"].on(OrderCancelled)(take_out)
    return system, workloads

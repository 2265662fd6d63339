"""The shop of lesson 00's exercises: an order is cancelled, and four services have to know of it."""

from collections.abc import Callable

from ..claims.claim import Claim
from ..errors import Unanswered
from ..model import Command, Event, System
from ..sim.run import Run


class CancelOrder(Command):
    orderId: str


class RefundBill(Command):
    orderId: str


class SendMail(Command):
    orderId: str


class TakePoints(Command):
    orderId: str


class OrderCancelled(Event, topic="orders", key="orderId"):
    orderId: str


ORDERS = "create table orders (orderId text primary key)"
DONE = "create table done (orderId text primary key)"
BY_COMMAND = {"billing": RefundBill, "mail": SendMail, "loyalty": TakePoints}
SUBSCRIBERS = (*BY_COMMAND, "stock")
NAMES = {kind.__name__: kind for kind in (OrderCancelled, RefundBill, SendMail, TakePoints)}


async def work(message, ctx):
    await ctx.sleep(0.2)
    with ctx.database as db:
        db.execute("insert or replace into done values (?)", (message.orderId,))


def take_out(event, ctx):
    with ctx.database as db:
        db.execute("delete from orders where orderId = ?", (event.orderId,))


def shop(cancel: Callable, variant: int) -> tuple[System, Callable]:
    """Ada cancels an order that is on record, and Bob one that is not. `stock` is new and takes events only."""
    ours, unknown = f"order-{16 + variant}", f"order-{98 + variant}"
    system = System("shop")
    orders = system.service(
        "orders", schema=f"{ORDERS}; insert into orders values ('{ours}'), ('order-1')"
    )
    orders.handles(CancelOrder)(cancel)
    for name in SUBSCRIBERS:
        system.service(name, schema=DONE).on(OrderCancelled)(work)
    for name, command in BY_COMMAND.items():
        system.services[name].handles(command)(work)

    async def customers(ctx):
        for customer, order in (("Ada", ours), ("Bob", unknown)):
            try:
                answer = await ctx.ask(CancelOrder(orderId=order), timeout=3)
                ctx.note(f"{customer} is told: {answer}")
            except Unanswered:
                ctx.note(f"{customer} gives up")

    return system, customers


def hearing_itself(cancel: Callable, variant: int) -> tuple[System, Callable]:
    """orders subscribes to its own event, too."""
    system, customers = shop(cancel, variant)
    system.services["orders"].on(OrderCancelled)(take_out)
    return system, customers


def orders_in_trouble(run: Run) -> bool:
    """Whether a fault struck orders itself."""
    return any(
        getattr(fault, "service", "") == "orders" or getattr(fault, "at", "").startswith("orders.")
        for fault in run.faults
    )


def answers(run: Run) -> dict[str, str]:
    """What became of each order that somebody wanted to cancel."""
    asked = [
        step.envelope.data.orderId
        for step in run.journal
        if step.service == "client" and step.step == "ask"
    ]
    noted = [
        step.detail for step in run.journal if step.service == "client" and step.step == "note"
    ]
    return dict(zip(asked, noted))


def cancelled(run: Run) -> list[str]:
    """The orders of which a customer was told that they are cancelled."""
    return [order for order, said in answers(run).items() if said.endswith(" is told: cancelled")]


def first(run: Run) -> str:
    """The order that was on record in the beginning, and that Ada cancels."""
    return next(iter(answers(run)))


def on_record(run: Run) -> list[str]:
    return [order for (order,) in run.rows("orders", "select orderId from orders")]


def done(run: Run, order: str) -> list[str]:
    """The services that have done their part for an order."""
    return [name for name in SUBSCRIBERS if (order,) in run.rows(name, "select orderId from done")]


@Claim("customers are answered, whatever happens to the other services", about=CancelOrder)
def everybody_is_answered(run):
    return (
        []
        if orders_in_trouble(run)
        else [
            f"{order}: {said}" for order, said in answers(run).items() if said.endswith("gives up")
        ]
    )


@Claim("customers are told what is so", about=CancelOrder)
def told_what_is_so(run):
    right = {order: "cancelled" if order == first(run) else "unknown" for order in answers(run)}
    told = {
        order: said.partition(" is told: ")[2]
        for order, said in answers(run).items()
        if " is told: " in said
    }
    wrong = [
        f"{order}: the customer is told {said or 'nothing'}, not {right[order]}"
        for order, said in told.items()
        if said != right[order]
    ]
    return [] if orders_in_trouble(run) else wrong


@Claim("whoever needs to know hears of every order that was cancelled", about=CancelOrder)
def everybody_hears(run):
    return [
        f"{order} is cancelled, {name} never heard of it"
        for order in cancelled(run)
        for name in SUBSCRIBERS
        if name not in done(run, order)
    ]


@Claim("an order that was cancelled is no longer on record", about=CancelOrder)
def off_the_record(run):
    return [
        f"{order} is cancelled, and is on record"
        for order in cancelled(run)
        if order in on_record(run)
    ]


@Claim("nothing else is cancelled", about=CancelOrder)
def nothing_else(run):
    others = [order for order in answers(run) if order != first(run)]
    gone = [] if "order-1" in on_record(run) else ["order-1 is gone, and nobody cancelled it"]
    return gone + [
        f"{name} was told of {order}, which never was"
        for order in others
        for name in done(run, order)
    ]


@Claim("nobody is refunded for an order that stands", about=CancelOrder)
def no_refund_for_an_order(run):
    return (
        [f"{first(run)} is refunded, and is on record"]
        if first(run) in on_record(run) and done(run, first(run))
        else []
    )


@Claim("an order that is gone is heard of", about=CancelOrder)
def gone_is_heard_of(run):
    if first(run) in on_record(run):
        return []
    return [
        f"{first(run)} is gone, {name} never heard of it"
        for name in SUBSCRIBERS
        if name not in done(run, first(run))
    ]


CLAIMS = {
    "a customer is not answered": everybody_is_answered,
    "another answer is given": told_what_is_so,
    "nobody heard of it": everybody_hears,
    "still on record": off_the_record,
    "something else is cancelled": nothing_else,
    "refunded though it stands": no_refund_for_an_order,
}

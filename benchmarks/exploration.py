"""Every single fault of a five-service order flow with three orders, claims checked on each run, beside as many plain runs
(simulated only); and beside the same faults simulated only, which says what the faults themselves make longer."""

from collections.abc import Iterator
from functools import partial
from statistics import median

from edalab import Claim, Event, System, claims, explore, simulate

from .rows import Row, in_turns, ratios, seconds

ROUNDS = 15


class OrderPlaced(Event, topic="orders", key="order_id"):
    order_id: str


class StockReserved(Event, topic="stock", key="order_id"):
    order_id: str


class PaymentCharged(Event, topic="payments", key="order_id"):
    order_id: str


class OrderShipped(Event, topic="shipments", key="order_id"):
    order_id: str


def shop() -> System:
    """Orders are taken, reserved, charged, shipped and written about: each service saves first, once an order."""
    shop = System("shop")

    def step(name: str, event: type[Event], says: type[Event] | None) -> None:
        @shop.service(name, schema="create table done (order_id text primary key)").on(event)
        async def act(event, ctx):
            with ctx.database as db:
                db.execute("insert or ignore into done values (?)", (event.order_id,))
            if says:
                await ctx.publish(says(order_id=event.order_id))

    step("orders", OrderPlaced, None)
    step("stock", OrderPlaced, StockReserved)
    step("payments", StockReserved, PaymentCharged)
    step("shipping", PaymentCharged, OrderShipped)
    step("mail", OrderShipped, None)
    return shop


async def three_orders(ctx):
    for number in range(3):
        await ctx.publish(OrderPlaced(order_id=f"o{number}"))
        await ctx.sleep(0.1)


@Claim("every order that was placed is shipped")
def all_shipped(run):
    orders = run.rows("orders", "select order_id from done")
    shipped = run.rows("shipping", "select order_id from done")
    return [order for order in orders if order not in shipped]


CLAIMS = {
    "a claim that reads rows": [all_shipped],
    "a claim that reads the journal": [claims.no_event_lost(OrderPlaced)],
    "seven claims": [
        all_shipped, claims.no_event_lost(OrderPlaced), claims.handled_once(PaymentCharged),
        claims.in_order_per_key(OrderPlaced), claims.no_dual_write_gap("stock"),
        claims.projection_matches("mail", "select * from done", "orders", "select * from done"),
        claims.no_poison_loop(),
    ],
}  # fmt: skip
MOST = {"a claim that reads rows": 1.3, "a claim that reads the journal": 1.3}


def rows(small: bool) -> Iterator[Row]:
    system = shop()
    plans = [
        schedule.faults
        for schedule in explore(system, three_orders, CLAIMS["seven claims"]).schedules
    ]

    def plain() -> None:
        for _ in plans:
            simulate(system, three_orders)

    def faulty() -> None:
        for faults in plans:
            simulate(system, three_orders, faults=faults)

    sides = {"plain": plain, "the faults simulated, nothing checked": faulty}
    sides |= {
        f"explored, {name}": partial(explore, system, three_orders, chosen)
        for name, chosen in CLAIMS.items()
    }
    took = in_turns(
        {name: partial(seconds, side) for name, side in sides.items()}, 5 if small else ROUNDS
    )
    beside = f"{len(plans):,} plain runs: {median(took['plain']) * 1000:.0f} ms"
    for name in list(sides)[1:]:
        ours, most = (
            f"{median(took[name]) * 1000:.0f} ms",
            MOST.get(name.removeprefix("explored, ")),
        )
        yield Row(
            f"every single fault: {name}", ours, beside, ratios(took[name], took["plain"]), most
        )

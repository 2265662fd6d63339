"""All single-fault schedules of a five-service order flow with three orders, claims checked on each, beside as many
plain runs (simulated only): `uv run python benchmarks/exploration.py`. Also beside the same faults
simulated only, which says what the faults themselves make longer, and what the claims cost."""

import gc
import sys
from statistics import median
from time import process_time

from edalab import Claim, Event, System, claims, explore, simulate

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
    "rows": [all_shipped],
    "the journal": [claims.no_event_lost(OrderPlaced)],
    "both": [all_shipped, claims.no_event_lost(OrderPlaced), claims.handled_once(PaymentCharged)],
    "seven": [
        all_shipped, claims.no_event_lost(OrderPlaced), claims.handled_once(PaymentCharged),
        claims.in_order_per_key(OrderPlaced), claims.no_dual_write_gap("stock"),
        claims.projection_matches("mail", "select * from done", "orders", "select * from done"),
        claims.no_poison_loop(),
    ],
}  # fmt: skip


def seconds(play) -> float:
    gc.collect()
    start = process_time()
    play()
    return process_time() - start


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    system = shop()
    first = explore(system, three_orders, CLAIMS["seven"])
    plans = [schedule.faults for schedule in first.schedules]
    steps = [len(first.run(schedule).journal) for schedule in first.schedules]

    def plain() -> None:
        for _ in plans:
            simulate(system, three_orders)

    def faulty() -> None:
        for faults in plans:
            simulate(system, three_orders, faults=faults)

    print(f"{len(plans):,} schedules of {steps[0]} to {max(steps)} steps, {rounds} alternating rounds, medians")
    kinds = {"plain runs": plain, "the same faults, simulated only": faulty}
    for name, chosen in CLAIMS.items():
        kinds[f"explored, claims that read {name}" if name != "seven" else "explored, seven claims"] = (
            lambda chosen=chosen: explore(system, three_orders, chosen)
        )
    took = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, play in kinds.items():
            took[name].append(seconds(play))
    for name, times in took.items():
        ratios = sorted(a / b for a, b in zip(times, took["plain runs"]))
        each = median(times) / len(plans) * 1e6
        print(
            f"{name:40} {median(times) * 1000:7.1f} ms  {each:6.1f} µs each  "
            f"{median(ratios):5.2f} times plain  ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()

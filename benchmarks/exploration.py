"""Every single fault of an order flow with five services and three orders, with claims checked on each run,
against as many plain runs. The same faults without claims show how much longer the faults make the runs."""

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from statistics import median

from edalab import Claim, Event, System, claims, explore, simulate

from . import flow
from .rows import Row, in_turns, ratios, seconds, wall

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
    """Five services that take, reserve, charge, ship and announce an order, each saving it once."""
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
    beside = f"as many plain runs: {median(took['plain']) * 1000:.0f} ms for {len(plans):,}"
    for name in list(sides)[1:]:
        ours, most = (
            f"{median(took[name]) * 1000:.0f} ms",
            MOST.get(name.removeprefix("explored, ")),
        )
        yield Row(
            f"every single fault: {name}", ours, beside, ratios(took[name], took["plain"]), most
        )
    yield from _of_flow(small)
    yield from _of_executors(small)


# The claims explored on a run of 14 arrows, and the highest ratios allowed to as many plain runs.
READY = {
    "a claim that reads rows": [flow.all_shipped],
    "`no_event_lost`": [claims.no_event_lost(flow.LinePacked)],
    "`handled_once`": [claims.handled_once(flow.LinePacked)],
    "`in_order_per_key`": [claims.in_order_per_key(flow.LinePacked)],
    "`no_dual_write_gap`": [claims.no_dual_write_gap("packing")],
    "`no_poison_loop`": [claims.no_poison_loop()],
}
SEVEN = [*chain.from_iterable(READY.values()), claims.handled_once(flow.LinePicked)]
SINGLE, PAIRS, TOGETHER = 1.4, 2.0, 1.6
PROCESSES, CLUSTER = 1 / 1.8, 1 / 1.6  # of one process's time


def _of_flow(small: bool) -> Iterator[Row]:
    """Claims on the 14-arrow flow, one at a time and together, under single faults and pairs."""
    rounds = 3 if small else 7
    pairs = 300 if small else 1_500
    asked = {f"one claim, {name}": (one, SINGLE) for name, one in READY.items()}
    asked["seven claims"] = SEVEN, TOGETHER
    yield from _beside_plain("single faults", 1, None, asked, rounds)
    asked = {f"one claim, {name}": (one, PAIRS) for name, one in READY.items()}
    yield from _beside_plain(f"the first {pairs:,} schedules of pairs", 2, pairs, asked, rounds)


def _beside_plain(
    what: str, faults: int, budget: int | None, asked: dict, rounds: int
) -> Iterator[Row]:
    """Explorations with some claims, each against as many plain runs."""
    system, workload = flow.in_arrows(14)
    explored = partial(explore, system, workload, faults=faults, budget=budget)
    schedules = len(explored(claims=[flow.all_shipped]).schedules)

    def plain() -> None:  # like an exploration, it keeps no run
        for _ in range(schedules):
            simulate(system, workload)

    sides = {"plain": plain}
    sides |= {name: partial(explored, claims=chosen) for name, (chosen, _) in asked.items()}
    took = in_turns({name: partial(seconds, side) for name, side in sides.items()}, rounds)
    beside = (
        f"as many plain runs: {median(took['plain']) * 1000:.0f} ms for {schedules:,} of 14 arrows"
    )
    for name, (_, most) in asked.items():
        ours = f"{median(took[name]) * 1000:.0f} ms"
        yield Row(f"{what}, {name}", ours, beside, ratios(took[name], took["plain"]), most)


def _of_executors(small: bool) -> Iterator[Row]:
    """Two processes, and a Dask cluster of two workers, against one process, in wall-clock time."""
    rounds, budget = (2, 300) if small else (5, 1_500)
    system, workload = flow.in_arrows(14)
    explored = partial(explore, system, workload, READY["`handled_once`"], faults=2, budget=budget)
    with ExitStack() as stack:
        executors = {"two processes": (stack.enter_context(ProcessPoolExecutor(2)), PROCESSES)}
        try:
            executors["a Dask cluster of two workers"] = stack.enter_context(_cluster()), CLUSTER
        except ImportError as error:
            print(f"left out: a Dask cluster: {error.name} is not installed here")
        sides = {"one": explored}
        sides |= {name: partial(explored, executor=one) for name, (one, _) in executors.items()}
        for side in sides.values():
            side()  # a warm-up, for imports and what Python specializes
        took = in_turns({name: partial(wall, side) for name, side in sides.items()}, rounds)
    beside = f"one process: {median(took['one']) * 1000:.0f} ms"
    for name, (_, most) in executors.items():
        ours = f"{median(took[name]) * 1000:.0f} ms"
        what = f"{budget:,} schedules of pairs, {name}"
        yield Row(what, ours, beside, ratios(took[name], took["one"]), most)


@contextmanager
def _cluster() -> Iterator[Executor]:
    from dask.distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        yield client.get_executor()

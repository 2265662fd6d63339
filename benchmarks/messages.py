"""The cost of a recorded message, against the same traffic in peers: 10 ms to the broker, whose
confirmation is awaited, and 10 ms to a consumer that handles one at a time."""

import asyncio
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from heapq import heappop, heappush
from statistics import median
from zlib import crc32

from edalab import Event, System, simulate

from .rows import Row, in_turns, ratios, seconds

MESSAGES, ROUNDS = 20_000, 9
SLOWER = 10  # slower peers get this many times fewer messages
CURVE = (1_000, 10_000, 100_000, 1_000_000)


class OrderPlaced(Event, topic="orders"):
    order_id: int


def edalab(messages: int, keep: list | None = None) -> int:
    shop = System("shop")
    payments = shop.service("payments")
    handled = []

    @payments.on(OrderPlaced)
    def charge(event):
        handled.append(event.order_id)

    async def orders(ctx):
        for number in range(messages):
            await ctx.publish(OrderPlaced(order_id=number))

    run = simulate(shop, orders)
    if keep is not None:
        keep.append(run)
    return len(handled)


class OrderPaid(Event, topic="paid", key="order_id"):
    order_id: int


def edalab_sleeping(messages: int) -> int:
    """A keyed topic of several partitions, a handler that sleeps and a client that sleeps."""
    shop = System("shop")
    shop.topic("paid", partitions=3)
    shipping = shop.service("shipping")
    handled = []

    @shipping.on(OrderPaid)
    async def ship(event, ctx):
        await ctx.sleep(0.005)
        handled.append(event.order_id)

    async def orders(ctx):
        for number in range(messages):
            await ctx.publish(OrderPaid(order_id=number))
            await ctx.sleep(0.005)

    simulate(shop, orders)
    return len(handled)


def in_simpy_sleeping(messages: int) -> int:
    """The same traffic in SimPy, with plain integers as messages."""
    import simpy

    environment = simpy.Environment()
    partitions = [simpy.Store(environment) for _ in range(3)]
    handled, committed = [], [0]

    def orders():
        for number in range(messages):
            yield environment.timeout(10)
            yield partitions[crc32(str(number).encode()) % 3].put(number)
            yield environment.timeout(5)

    def shipping(partition):
        while True:
            order = yield partition.get()
            yield environment.timeout(10)
            yield environment.timeout(5)
            handled.append(order)
            committed[0] += 1

    environment.process(orders())
    for partition in partitions:
        environment.process(shipping(partition))
    environment.run()
    return len(handled)


def heap(messages: int) -> int:
    """The limit: a bare heap loop with two actions and four recorded steps for each message."""
    agenda, record, handled, number = [], [], [], 0

    def arrive(order) -> None:
        nonlocal number
        record.extend((now, "publish", None, order, 0, number, 1, None, None))
        number += 1
        heappush(agenda, (now + 10, number, deliver, order))

    def deliver(order) -> None:
        nonlocal number
        record.extend((now, "deliver", None, order, 0, number, 1, None, None))
        record.extend((now, "handle", None, order, 0, number, 1, None, None))
        handled.append(order.order_id)
        record.extend((now, "commit", None, order, 0, number, 1, None, None))
        if len(handled) < messages:
            number += 1
            heappush(agenda, (now + 10, number, arrive, OrderPlaced(order_id=len(handled))))

    heappush(agenda, (10, 0, arrive, OrderPlaced(order_id=0)))
    while agenda:
        now, _, action, order = heappop(agenda)
        action(order)
    return len(handled)


def in_simpy(messages: int) -> int:
    import simpy

    environment = simpy.Environment()
    topic = simpy.Store(environment)
    handled, committed = [], [0]

    def orders():
        for number in range(messages):
            yield topic.put(OrderPlaced(order_id=number))
            yield environment.timeout(10)

    def payments():
        while True:
            order = yield topic.get()
            yield environment.timeout(10)
            handled.append(order.order_id)
            committed[0] += 1

    environment.process(orders())
    environment.process(payments())
    environment.run()
    return len(handled)


def in_salabim(messages: int) -> int:
    import salabim

    environment = salabim.Environment(trace=False)
    topic = salabim.Store("orders", env=environment)
    handled = []

    class Order(salabim.Component):  # a salabim store holds components only
        def setup(self, placed):
            self.placed = placed

    class Client(salabim.Component):
        def process(self):
            for number in range(messages):
                self.to_store(topic, Order(placed=OrderPlaced(order_id=number), process=None))
                self.hold(10)

    class Payments(salabim.Component):
        def process(self):
            while True:
                order = self.from_store(topic)
                self.hold(10)
                handled.append(order.placed.order_id)

    Client(env=environment)
    Payments(env=environment)
    environment.run()
    return len(handled)


def in_happysim(messages: int) -> int:
    from happysimulator import Entity
    from happysimulator.components.streaming import ConsumerGroup, EventLog

    handled = []
    log = EventLog("orders", num_partitions=1, append_latency=0.01)
    group = ConsumerGroup("payments", log, poll_latency=0.01)

    class Client(Entity):
        def handle_event(self, event):
            for number in range(messages):
                yield from log.append("key", OrderPlaced(order_id=number))

    class Payments(Entity):
        def handle_event(self, event):
            yield from group.join("one", self)
            while len(handled) < messages:
                for record in (yield from group.poll("one", max_records=1)):
                    handled.append(record.value.order_id)
                    yield from group.commit("one", {0: record.offset + 1})

    _play([Client("client"), Payments("consumer"), log, group], begin=2)
    return len(handled)


def in_happysim_topic(messages: int) -> int:
    from happysimulator import Entity, Event
    from happysimulator.components.messaging import Topic

    handled = []

    class Payments(Entity):
        def handle_event(self, event):
            yield 0.01
            handled.append(event.context["payload"].context["order"].order_id)

    class Client(Entity):
        def handle_event(self, event):
            for number in range(messages):
                order = {"order": OrderPlaced(order_id=number)}
                yield (
                    0.01,
                    topic.publish_sync(
                        Event(time=self.now, event_type="OrderPlaced", target=topic, context=order)
                    ),
                )

    payments, topic = Payments("payments"), Topic("orders")
    topic.subscribe(payments)
    _play([Client("client"), topic, payments], begin=1)
    return len(handled)


def _play(entities: list, begin: int) -> None:
    """Run happysim's entities, of which the first `begin` get a starting event."""
    from happysimulator import Event, Instant, Simulation

    simulation = Simulation(entities=entities)
    for entity in entities[:begin]:
        simulation.schedule(Event(time=Instant.Epoch, event_type="begin", target=entity))
    simulation.run()


def in_faststream(messages: int) -> int:
    from faststream.nats import NatsBroker, TestNatsBroker

    broker, handled = NatsBroker(), []

    @broker.subscriber("orders")
    async def charge(order: OrderPlaced):
        handled.append(order.order_id)

    async def orders() -> None:
        async with TestNatsBroker(broker) as connected:
            for number in range(messages):
                await connected.publish(OrderPlaced(order_id=number), "orders")

    asyncio.run(orders())
    return len(handled)


PEERS = {  # the peer's function, the highest ratio allowed, and how many times fewer messages
    "SimPy, by hand, no record": (in_simpy, 1.0, 1),
    "salabim, no record": (in_salabim, None, SLOWER),
    "happysim, its log and consumer group": (in_happysim, 1 / 5, 2 * SLOWER),
    "happysim, its topic: no offsets, no commits": (in_happysim_topic, None, SLOWER),
    "FastStream's test broker": (in_faststream, 1 / 15, SLOWER),
}


def microseconds(play: Callable[[int], int], messages: int) -> float:
    def checked() -> None:
        assert play(messages) == messages

    return seconds(checked) / messages * 1e6


def rows(small: bool) -> Iterator[Row]:
    messages, rounds = (MESSAGES // 5, 5) if small else (MESSAGES, ROUNDS)
    sides = {
        "edalab": partial(microseconds, edalab, messages),
        "heap": partial(microseconds, heap, messages),
    }
    for name, (play, _, slower) in PEERS.items():
        try:
            play(100)  # a warm-up, for imports and what Python specializes
        except ImportError as error:
            print(
                f"left out: {name}: {error.name} is not installed here (happysim wants Python 3.13)"
            )
        else:
            sides[name] = partial(microseconds, play, messages // slower)
    edalab(100), heap(100)
    took = in_turns(sides, rounds)
    ours = f"{median(took['edalab']):.1f} µs"
    for name in list(sides)[2:]:
        most = PEERS[name][1]
        beside = f"{name}: {median(took[name]):.1f} µs"
        yield Row(
            "a message, full record kept", ours, beside, ratios(took["edalab"], took[name]), most
        )
    beside = f"the limit: a bare heap loop: {median(took['heap']):.1f} µs"
    yield Row("a message, full record kept", ours, beside, ratios(took["edalab"], took["heap"]))
    yield from _sleeping(messages, rounds)
    yield from _of_a_run(messages, rounds)
    yield _memory(messages)
    yield _flat(CURVE[:2] if small else CURVE, rounds)


def _sleeping(messages: int, rounds: int) -> Iterator[Row]:
    """Keys and sleeps, against SimPy with plain integers."""
    try:
        in_simpy_sleeping(100)
    except ImportError:
        return
    edalab_sleeping(100)
    took = in_turns(
        {
            "edalab": partial(microseconds, edalab_sleeping, messages),
            "SimPy": partial(microseconds, in_simpy_sleeping, messages),
        },
        rounds,
    )
    what = "a message of a keyed topic, its handler and the client sleep"
    ours = f"{median(took['edalab']):.1f} µs"
    beside = f"SimPy, plain integers, no record: {median(took['SimPy']):.1f} µs"
    yield Row(what, ours, beside, ratios(took["edalab"], took["SimPy"]), 1.0)


def _of_a_run(messages: int, rounds: int) -> Iterator[Row]:
    """What is computed from the record of a run, against the run itself."""
    import pandas  # noqa: F401  its import is not measured

    kept: list = []
    sides = {
        "run": lambda: seconds(lambda: edalab(messages, kept)),
        "digest": lambda: seconds(lambda: kept[-1].digest),
        "steps": lambda: seconds(lambda: kept[-1].steps),
    }
    took: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        kept.clear()
        for name, side in sides.items():  # in this order: they read the run just made
            took[name].append(side())
    for name in ("digest", "steps"):
        ours = f"{median(took[name]) / messages * 1e6:.1f} µs a message"
        yield Row(
            f"`run.{name}`, asked for once", ours, "the run itself", ratios(took[name], took["run"])
        )


def _memory(messages: int) -> Row:
    kept: list = []
    edalab(messages, kept)  # a warm-up, for what is created once
    kept.clear()

    def traced(make: Callable[[], object]) -> int:
        tracemalloc.start()
        held = make()
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert held is not None
        return size

    alone = traced(lambda: [OrderPlaced(order_id=number) for number in range(messages)])
    whole = traced(lambda: edalab(messages, kept))
    each = (whole - alone) / messages
    return Row(
        "the record kept, a message",
        f"{each:.0f} bytes",
        "600 bytes beyond the message object",
        [each / 600],
        1.0,
    )


def _flat(sizes: tuple[int, ...], rounds: int) -> Row:
    """A message in a run of many messages, against one in runs of few messages."""
    few, many = sizes[0], sizes[-1]
    rounds = min(rounds, 3)
    took = in_turns(
        {
            "few": lambda: _several(few, min(many, 20 * few)),
            "many": lambda: microseconds(edalab, many),
        },
        rounds,
    )
    ours, beside = (
        f"{median(took['many']):.1f} µs",
        f"one in a run of {few:,}: {median(took['few']):.1f} µs",
    )
    return Row(f"a message in a run of {many:,}", ours, beside, ratios(took["many"], took["few"]))


def _several(size: int, messages: int) -> float:
    return median(microseconds(edalab, size) for _ in range(messages // size))


def curve() -> dict[str, list[tuple[int, float]]]:
    """Microseconds per message, by the number of messages in a run."""
    sides = {"edalab, full record kept": edalab, "SimPy, by hand, no record": in_simpy}
    return {
        name: [(size, median(microseconds(play, size) for _ in range(3))) for size in CURVE]
        for name, play in sides.items()
    }

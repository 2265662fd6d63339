"""Microseconds a message through publish, deliver, handle and commit with the full record kept, beside the same traffic in
hand-written SimPy, which keeps none: `uv run --with simpy python benchmarks/messages.py`."""

import gc
import sys
from statistics import median
from time import process_time

import simpy

from edalab import Event, System, simulate

MESSAGES, ROUNDS = 20_000, 7


class OrderPlaced(Event, topic="orders"):
    order_id: int


def ours(messages: int) -> int:
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
    assert len(run._record) == 9 * 4 * messages
    return len(handled)


def in_simpy(messages: int) -> int:
    environment = simpy.Environment()
    topic = simpy.Store(environment)
    handled, committed = [], [0]

    def orders():
        for number in range(messages):
            yield topic.put(OrderPlaced(order_id=number))
            yield environment.timeout(10)  # to the broker, and its confirmation

    def payments():
        while True:
            order = yield topic.get()
            yield environment.timeout(10)  # to the consumer
            handled.append(order.order_id)
            committed[0] += 1

    environment.process(orders())
    environment.process(payments())
    environment.run()
    return len(handled)


def microseconds(play, messages: int) -> float:
    gc.collect()
    start = process_time()
    assert play(messages) == messages
    return (process_time() - start) / messages * 1e6


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    rounds = [(microseconds(ours, messages), microseconds(in_simpy, messages)) for _ in range(ROUNDS)]
    ratios = sorted(a / b for a, b in rounds)
    print(f"{messages:,} messages, {ROUNDS} alternating rounds, medians")
    print(f"edalab, full record  {median(a for a, _ in rounds):6.2f} µs a message")
    print(f"SimPy, no record     {median(b for _, b in rounds):6.2f} µs a message")
    print(f"ratio                {median(ratios):6.2f}   ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()

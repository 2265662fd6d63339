"""What came late to the laboratory holds together: deploys, captures, leases, dead letters, workers, bounds, late
groups, rewinds and restores, all in one system drawn at random, with every picture and claim of its run."""

import random
from random import Random

import pytest

from edalab import (
    Busy,
    Command,
    Event,
    Faults,
    Misuse,
    PublishFailed,
    Query,
    System,
    Unanswered,
    claims,
    cut,
    deploy,
    pause,
    restore,
    rewind,
    scale,
    simulate,
)
from edalab.errors import Endless
from edalab.sim.logs import Log
from edalab.view import flow, lag, load, saga_map, timeline

SWEEP = 120
SCHEMA = "create table seen (id text); create table outbox (id integer, envelope text)"
SERVICES = "orders", "billing", "stock"


class PlacedV1(Event, name="Placed", topic="placed", key="order"):
    order: str
    euros: int


class Placed(
    Event,
    version=2,
    topic="placed",
    key="order",
    upcasts={1: lambda old: {"order": old["order"], "cents": old["euros"] * 100}},
):
    order: str
    cents: int


class Charged(Event, topic="charged", key="order"):
    order: str


class Refunded(Event, topic="refunds", key="order", compensates=Charged):
    order: str


class Take(Command, key="order"):
    order: str
    n: int


class Stock(Query, key="order"):
    order: str


def placed(dice: Random, order: str) -> Event:
    return dice.choice([PlacedV1(order=order, euros=12), Placed(order=order, cents=1250)])


def shop(number: int, version: int) -> System:
    """One system in several versions. Its topics, queues and services are the same in each."""
    same, dice, system = Random(f"{number}"), Random(f"{number}/{version}"), System("shop")
    system.topic(
        "placed",
        partitions=same.randint(1, 3),
        retention=same.choice([None, None, 0.3, 5]),
        max_bytes=same.choice([None, None, 26]),
    )
    bound = same.choice([{}, {"max_length": 2}, {"max_length": 1, "overflow": "drop-oldest"}])
    system.queue("charged", prefetch=same.choice([1, 3]), ack_wait=same.choice([0.3, 5]), **bound)
    for name in SERVICES:
        limits = same.choice([{}, {"workers": 2}, {"workers": 1, "waiting": same.choice([0, 2])}])
        late = {"joins": same.choice([0.5, 4]), "starts_at": same.choice(["earliest", "latest"])}
        late = late if same.random() < 0.2 else {}
        system.service(name, replicas=same.randint(1, 3), schema=SCHEMA, **limits, **late)
    for name in SERVICES[1:]:
        takes(system.service(name), dice.choice([PlacedV1, Placed]), Charged, dice)
        takes(system.service(name), Charged, Refunded, dice)

    @system.service("stock").answers(Stock)
    async def count(query, ctx):
        await ctx.sleep(0.1)
        return 1

    relays(system, same.choice(["capture", "lease", "tick"]), dice)
    return system


def relays(system: System, how: str, dice: Random) -> None:
    """An outbox, and what publishes it."""
    orders = system.service("orders")

    @orders.handles(Take)
    async def take(command, ctx):
        number = ctx.sequence("outbox")
        await ctx.sleep(0.1 * (command.n % 2))
        with ctx.database as db:
            envelope = ctx.envelope(placed(Random(command.n), command.order))
            db.execute("insert into outbox (id, envelope) values (?, ?)", (number, envelope))

    if how == "capture":
        system.capture("orders.outbox")
        return

    @orders.every(dice.choice([0.1, 0.3]), lease=0.4 if how == "lease" else None)
    async def relay(ctx):
        with ctx.database as db:
            rows = db.execute("select id, envelope from outbox order by id").fetchall()
        for number, envelope in rows:
            try:
                await ctx.publish(envelope)
            except PublishFailed:
                ctx.note("refused")
            with ctx.database as db:
                db.execute("delete from outbox where id = ?", (number,))


def takes(service, message: type[Event], follows: type[Event], dice: Random) -> None:
    """A handler of a message, and one of its dead letters."""
    asks, pauses, fails = dice.random() < 0.5, dice.choice([0, 0.2]), dice.choice([0, 0, 0.4])
    commits, redrives = dice.choice([1, 4]), dice.choice([0, 1, 2])

    @service.on(message, max_attempts=dice.randint(1, 3), commit_every=commits)
    async def handle(event, ctx):
        await ctx.sleep(pauses)
        if asks:
            try:
                await ctx.ask(Stock(order=event.order), timeout=0.3)
            except (Busy, Unanswered) as error:
                ctx.note(type(error).__name__)
        if ctx.random.random() < fails:
            raise ValueError("unlucky")
        with ctx.database as db:
            db.execute("insert into seen (id) values (?)", (ctx.message.id,))
        try:
            await ctx.publish(follows(order=event.order), expires=3)
        except PublishFailed as error:
            ctx.note(f"full: {error.full}")

    @service.dead_letters(message)
    async def look(event, ctx):
        await ctx.sleep(0.2)
        if ctx.message.redrives < redrives:
            await ctx.redrive()
        elif redrives == 2:
            raise RuntimeError("needs a person")


def faults_of(number: int, dice: Random) -> list:
    def at_time():
        at, service = dice.choice([0, 0.02, 0.3, 1, 2.5]), dice.choice(SERVICES)
        new = shop(number, dice.randint(1, 3)).services[service]
        more = dice.choice(["", "alter table outbox add column note text"])
        return dice.choice(
            [
                deploy(new, at=at, rolling=dice.choice([0, 0.2])),
                deploy(new, at=at, migration=more if service not in migrated else ""),
                rewind(service, at=at or 0.001, to=at / 2),
                restore(service, to=at / 2, at=at + 0.1),
                scale(service, dice.randint(1, 4), at=at),
                pause(service, at, at + 2),
                cut(service, at, at + 0.7),
            ]
        )

    found, migrated = [], set()
    for _ in range(dice.randint(1, 5)):
        found.append(one := at_time())
        migrated |= {one.service} if getattr(one, "migration", "") else set()
    rate = dice.choice([0, 0, 0.1])
    rates = Faults(drop=rate, duplicate=rate, delay=rate, crash=rate / 2, unconfirmed=rate)
    return [*found, rates]


def story(number: int) -> dict:
    dice = random.Random(number)
    deeds = [(dice.choice("tpa"), dice.choice([0, 0.01, 0.4])) for _ in range(dice.randint(3, 20))]

    async def workload(ctx):
        for n, (deed, gap) in enumerate(deeds):
            try:
                if deed == "t":
                    await ctx.send(Take(order=f"o{n % 3}", n=n))
                elif deed == "p":
                    await ctx.publish(placed(Random(n), f"o{n % 3}"))
                else:
                    await ctx.ask(Stock(order=f"o{n % 3}"), timeout=0.3)
            except (Busy, PublishFailed, Unanswered) as error:
                ctx.note(type(error).__name__)
            await ctx.sleep(gap)

    faults = faults_of(number, dice)
    seed = dice.choice([0, 1])
    return {"system": shop(number, 0), "workload": workload, "seed": seed, "faults": faults}


def left_over(run) -> list[str]:
    """What should not be at the end of a run: messages that somebody could take, replicas that did not switch."""
    found = []
    for channel in run._world.channels.values():
        if isinstance(channel, Log):
            readers = [reader for readers in channel.readers for reader in readers]
            found += [f"{r.service} stands" for r in readers if r.position < len(r.records)]
        elif channel.name != "placed.dlq" and channel.name != "charged.dlq":
            for item in channel.open:
                takers = [one for one in channel.consumers if channel.is_for(one, item.envelope)]
                found += [f"{item.envelope} waits" for one in takers if one.up and not one.left]
    for service in run._world.services.values():
        up = [replica for replica in service.members if replica.up]
        found += [f"{one} did not switch" for one in up if one.version is not service.version]
        found += [f"{one} has {one.in_flight()}" for one in up if one.in_flight() or one.held]
    return found


ENDLESS = {13, 16, 47, 58, 67, 69, 81, 95}  # a handling always takes too long for its group


@pytest.mark.parametrize(
    "number", [*range(SWEEP), 450, 514]
)  # once a reader was forgotten in these
def test_all_of_it_together(number):
    if number in ENDLESS:
        with pytest.raises(Endless):
            simulate(**story(number), max_steps=100_000)
        return
    run = simulate(**story(number), max_steps=100_000)
    assert left_over(run) == []
    times = sorted({step.time for step in run.journal})
    middle = times[len(times) // 2] / 1000
    shorter = simulate(**story(number), until=middle)
    assert shorter.lines() == run.lines()[: len(shorter.journal)]  # and equal runs are equal
    world = run.at(middle)
    assert repr(world) and all(service.lag >= 0 for service in world.services.values())
    for claim in (
        *(make(Placed) for make in (claims.no_event_lost, claims.handled_once)),
        *(make(Placed) for make in (claims.published_in_order, claims.in_order_per_key)),
        claims.nothing_dead_lettered(Charged),
        claims.no_stale_read(Stock),
        claims.no_dual_write_gap("billing"),
        claims.saga_settled(),
    ):
        assert run.check(claim).outcome in ("holds", "broken", "not exercised")
    pictures = [timeline, flow, lambda run: flow(run, at=middle), saga_map]
    pictures += [lambda run, name=name: lag(run, name) for name in SERVICES]
    pictures += [lambda run, name=name: load(run, name) for name in SERVICES]
    for draw in pictures:
        try:
            assert draw(run).svg().startswith("<svg")
        except Misuse as misuse:  # what has no saga, backlog or load says so
            assert "has no saga" in str(misuse) or "services that have" in str(misuse)
    assert run.otlp() and run.cloudevents() and len(run.dead_letters) >= 0
    assert run.system.asyncapi(run)["asyncapi"] == "3.0.0"

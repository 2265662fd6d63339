"""Whole systems at random, from one dice: services, topics, queues, questions, timers, ticks, a workload, faults."""

from random import Random
from typing import NamedTuple

from edalab import (
    Command,
    Event,
    Fault,
    Faults,
    PublishFailed,
    Query,
    System,
    Unanswered,
    cut,
    pause,
)
from edalab.sim import ACTIONS, points


class GardenEvent(Event):
    key: str
    n: int
    hops: int  # how many messages may still follow from it
    tags: list[str]  # a field that a handler can change


class Sown(GardenEvent, topic="beds", key="key"): ...


class Grown(GardenEvent, topic="beds", key="key"): ...


class Picked(GardenEvent, topic="baskets", key="key"): ...


class Weighed(GardenEvent, topic="scales", key="key"): ...  # a topic that does not confirm


class Labelled(GardenEvent, topic="labels"): ...  # a declared queue


class Seen(GardenEvent): ...  # a topic that nobody declared, and no key


class GardenCommand(Command):
    key: str
    n: int
    hops: int
    tags: tuple[str, ...] = ()


class Water(GardenCommand, key="key"): ...


class Harvest(GardenCommand): ...


class Ship(GardenCommand, topic="shipments", key="key"): ...  # a declared queue


class GardenQuery(Query):
    key: str
    n: int
    hops: int
    tags: tuple[str, ...] = ()


class Forecast(GardenQuery): ...


class Stock(GardenQuery): ...


EVENTS = [Sown, Grown, Picked, Weighed, Labelled, Seen]
COMMANDS = [Water, Harvest, Ship]
QUERIES = [Forecast, Stock]
SCHEMA = "create table saves (at real, message text, attempt integer); create table outbox (envelope text)"


class Story(NamedTuple):
    """What `simulate` takes."""

    system: System
    workload: object
    seed: int
    faults: list


def story(dice: Random, faults: int = 3) -> Story:
    """A system, a workload and up to so many faults."""
    system, taken = a_system(dice)
    return Story(
        system, a_workload(dice, taken), dice.choice([0, 0, 1, 2, 3]), a_plan(dice, system, faults)
    )


# -- what handlers do: each deed is a function of (message, ctx, ...), and each saving leaves a row that tells of it


def follow(message, cls, extra: int = 0):
    """A message that follows from another."""
    return cls(key=message.key, n=message.n * 3 + extra, hops=message.hops - 1, tags=[message.key])


def leave(ctx, db) -> None:
    db.execute("insert into saves values (?, ?, ?)", (ctx.now, ctx.message.id, ctx.message.attempt))


def save(message, ctx):
    with ctx.database as db:
        leave(ctx, db)


def spoil(message, ctx):
    """A transaction that is rolled back, the first time."""
    with ctx.database as db:
        leave(ctx, db)
        if ctx.message.attempt == 1:
            raise ValueError("spoilt")


def look(message, ctx):
    with ctx.database as db:
        db.execute("select count(*) from saves").fetchone()


def remember(message, ctx):
    ctx.state["seen"] = ctx.state.get("seen", 0) + 1
    ctx.note(f"seen {ctx.state['seen']}")


def stumble(message, ctx, every: int, always: bool):
    if (message.n + (0 if always else ctx.message.attempt or 0)) % every == 0:
        raise ValueError(f"stumbled over {message.n}")


def scribble(message, ctx):
    """What a handler does to its copy of a message changes nobody else's."""
    for tags in (message.tags, ctx.message.data.tags):
        if isinstance(tags, list):
            tags.append("scribbled")


async def rest(message, ctx, seconds: float):
    try:
        await ctx.sleep(seconds)
    finally:
        ctx.state["rested"] = True  # never in the memory of a replica that came back


async def publish(message, ctx, cls, careful: bool):
    if message.hops:
        event = follow(message, cls)
        try:
            await ctx.publish(event)
            event.tags.append("too late")
        except PublishFailed as error:
            if not careful:
                raise
            ctx.note(str(error))


async def save_and_publish(message, ctx, cls):
    """The classic mistake: the event is out, whatever becomes of the transaction."""
    with ctx.database as db:
        leave(ctx, db)
        if message.hops:
            await ctx.publish(follow(message, cls, 1))
            await ctx.publish(follow(message, cls, 2))


def store(message, ctx, cls):
    """The event goes into the outbox, and a tick relays it."""
    with ctx.database as db:
        leave(ctx, db)
        if message.hops:
            db.execute("insert into outbox values (?)", (ctx.envelope(follow(message, cls)),))


async def send(message, ctx, cls, after: float, careful: bool):
    if message.hops:
        try:
            await ctx.send(follow(message, cls), after=after)
        except PublishFailed:
            if not careful:
                raise


async def ask(message, ctx, cls, timeout: float, careful: bool):
    if message.hops:
        try:
            await ctx.ask(follow(message, cls), timeout=timeout)
        except Unanswered as error:
            if not careful:
                raise
            ctx.note(str(error))


async def relay(ctx):
    with ctx.database as db:
        waiting = db.execute("select rowid, envelope from outbox order by rowid").fetchall()
    for number, envelope in waiting:
        await ctx.publish(envelope)
        with ctx.database as db:
            leave(ctx, db)
            db.execute("delete from outbox where rowid = ?", (number,))


async def breathe(ctx):
    await ctx.sleep(0.2)


def count_to_three(ctx):
    with ctx.database as db:
        if db.execute("select count(*) from saves").fetchone()[0] < 3:
            leave(ctx, db)


# -- who does what


def a_system(dice: Random):
    """A system, and the commands and queries that somebody takes in it."""
    system = System("garden")
    for name in ("beds", "baskets", "scales"):
        system.topic(name, partitions=dice.randint(1, 4), confirms=name != "scales")
    for name in ("labels", "shipments"):
        system.queue(name, max_attempts=dice.randint(1, 4))
    services = [
        system.service(name, replicas=dice.choice([1, 1, 2, 3]), schema=SCHEMA)
        for name in ["anna", "bert", "cleo", "dora", "emil"][: dice.randint(1, 5)]
    ]
    owner = {cls: dice.choice(services) for cls in COMMANDS + QUERIES if dice.random() < 0.8}
    taken = list(owner)
    for cls in EVENTS:
        for service in services:
            if dice.random() < 0.5:
                decorate = service.on(
                    cls, delivery=a_delivery(dice), max_attempts=dice.randint(1, 4)
                )
                decorate(a_handler(dice, f"see_{cls.__name__}".lower(), taken))
                if dice.random() < 0.1:  # a second function for the same message
                    service.on(cls)(a_handler(dice, f"also_see_{cls.__name__}".lower(), taken))
    for cls, service in owner.items():
        if cls in COMMANDS:
            decorate = service.handles(
                cls, delivery=a_delivery(dice), max_attempts=dice.randint(1, 4)
            )
        else:
            decorate = service.answers(cls)
        decorate(a_handler(dice, f"do_{cls.__name__}".lower(), taken, answers=cls in QUERIES))
    for service in services:
        if dice.random() < 0.5:
            tick = dice.choice([relay, relay, breathe, count_to_three])
            service.every(dice.choice([0.3, 1, 2]))(tick)
    return system, taken


def a_delivery(dice: Random) -> str:
    return dice.choice(["at-least-once", "at-least-once", "at-most-once"])


def a_handler(dice: Random, name: str, taken: list, answers: bool = False):
    """A handler that does up to four things and returns up to two messages."""
    awaited = dice.random() < 0.7
    script = [a_deed(dice, taken, awaited) for _ in range(dice.randint(0, 4))]
    returnable = EVENTS + [cls for cls in taken if cls in COMMANDS]
    returned = [dice.choice(returnable) for _ in range(0 if answers else dice.choice([0, 0, 1, 2]))]

    def result(message):
        if answers:
            return {"n": message.n, "of": [message.key]}
        return (
            [follow(message, cls, extra) for extra, cls in enumerate(returned)]
            if message.hops
            else None
        )

    async def slowly(message, ctx):
        for deed, *rest_of_it in script:
            done = deed(message, ctx, *rest_of_it)
            if done is not None:
                await done
        return result(message)

    def at_once(message, ctx):
        for deed, *rest_of_it in script:
            deed(message, ctx, *rest_of_it)
        return result(message)

    function = slowly if awaited else at_once
    function.__name__ = name
    return function


def a_deed(dice: Random, taken: list, awaited: bool) -> tuple:
    careful = dice.random() < 0.6
    deeds = [
        lambda: (save,),
        lambda: (save,),
        lambda: (remember,),
        lambda: (scribble,),
        lambda: dice.choice(
            [(spoil,), (look,), (stumble, dice.randint(2, 5), dice.random() < 0.3)]
        ),
        lambda: (store, dice.choice(EVENTS)),
    ]
    if awaited:
        commands = [cls for cls in taken if cls in COMMANDS]
        deeds += [
            lambda: (rest, dice.choice([0, 0.01, 0.3, 1.5, 6])),
            lambda: (publish, dice.choice(EVENTS), careful),
            lambda: (save_and_publish, dice.choice(EVENTS)),
        ]
        if commands:
            deeds.append(lambda: (send, dice.choice(commands), dice.choice([0, 0.5, 3]), careful))
        if taken:
            deeds.append(lambda: (ask, dice.choice(taken), dice.choice([0.05, 1, 2]), careful))
    return dice.choice(deeds)()


def a_workload(dice: Random, taken: list):
    """The outside world says one to eight things."""
    script = []
    for n in range(dice.randint(1, 8)):
        message = dice.choice(EVENTS + taken)(
            key=dice.choice("abcd"), n=n, hops=dice.randint(0, 2), tags=[]
        )
        message = type(message)(**{**message.model_dump(), "tags": [message.key]})
        script.append((message, dice.choice([0, 0, 0.05, 0.7]), dice.choice([0, 0, 2])))

    async def say(ctx):
        for message, wait, after in script:
            try:
                if isinstance(message, Event):
                    await ctx.publish(message)
                elif isinstance(message, Command) and after:
                    await ctx.send(message, after=after)
                else:
                    await ctx.ask(message)
            except (PublishFailed, Unanswered) as error:
                ctx.note(str(error))
            await ctx.sleep(wait)

    return say


# -- what goes wrong


def a_plan(dice: Random, system: System, most: int) -> list:
    """Up to so many faults of any kind."""
    return [a_fault(dice, system) for _ in range(dice.randint(0, most))]


def a_fault(dice: Random, system: System):
    kind = dice.choice(["exact"] * 4 + ["rates", "pause", "cut"])
    service = dice.choice(list(system.services))
    start = dice.choice([0, 0.015, 0.03, 0.5, 2])
    if kind == "rates":
        names = dice.sample(["drop", "duplicate", "delay", "crash", "fail"], dice.randint(1, 5))
        return Faults(**{name: dice.choice([0.02, 0.1, 0.2]) for name in names})
    if kind == "pause":
        replica = dice.randint(1, system.services[service].replicas)
        return pause(service, start, start + dice.choice([0.2, 1, 3, 8]), replica=replica)
    if kind == "cut":
        return cut(service, start, start + dice.choice([0.02, 0.5, 4]))
    return an_exact_fault(dice, system)


def an_exact_fault(dice: Random, system: System) -> Fault | str:
    known = points(system)
    speaker = dice.choice(["client", *system.services])
    sent, asked = dice.choice(EVENTS + COMMANDS).__name__, dice.choice(COMMANDS + QUERIES).__name__
    said = [(speaker, "publish", sent), (speaker, "ask", asked)]
    service, step, message = dice.choice([*known, *said, *said])
    actions = [
        do
        for do in ACTIONS[step]
        if not ((do == "crash" and service == "client") or do == "unconfirmed")
    ]
    if step == "publish" and message != "Weighed":
        actions.remove("lose")
    do = dice.choice(actions)
    if (step, message, do) == ("publish", "Weighed", "fail"):  # its topic does not confirm
        do = "lose"
    seconds = dice.choice([None, None, 0.2, 3]) if do in ("crash", "delay") else None
    fault = Fault(do, f"{service}.{step}.{message}", dice.choice([1, 1, 1, 2, 3]), seconds)
    return dice.choice([fault, str(fault)])

"""The tiny world of the example tests: letters are posted, stamped, carried and weighed."""

from edalab import Command, Event, Query, System, simulate


class Posted(Event, topic="letters", key="to"):
    to: str = "ann"
    n: int = 0


class Stamped(Event, topic="stamps", key="to"):
    to: str = "ann"
    n: int = 0


class Shouted(Event, topic="streets"):
    n: int = 0


class Handed(Event, topic="counter"):
    n: int = 0


class Carry(Command):
    n: int = 0


class Weigh(Query):
    n: int = 0


SCHEMA = "create table letters (n integer)"


def office(replicas: int = 1, partitions: int = 1, seconds: float = 0, **options):
    """A service `post` that takes `seconds` to stamp a letter, saves it and tells of it."""
    system = System("town")
    system.topic("letters", partitions=partitions)
    post = system.service("post", replicas=replicas, schema=SCHEMA)

    @post.on(Posted, **options)
    async def stamp(event, ctx):
        if seconds:
            await ctx.sleep(seconds)
        keep(ctx, event.n)
        return Stamped(to=event.to, n=event.n)

    return system


def keep(ctx, n: int) -> None:
    with ctx.database as db:
        db.execute("insert into letters values (?)", (n,))


def saying(*messages, every: float = 0):
    """A workload that publishes, sends or asks each message."""

    async def workload(ctx):
        for message in messages:
            if isinstance(message, Event):
                await ctx.publish(message)
            elif isinstance(message, Command):
                await ctx.send(message)
            else:
                await ctx.ask(message)
            await ctx.sleep(every)

    return workload


def play(system, *messages, every: float = 0, **options):
    return simulate(system, saying(*messages, every=every), **options)


def kept(run, service: str = "post") -> list[int]:
    return [n for (n,) in run.rows(service, "select n from letters order by rowid")]


def told(run, *steps: str, service: str | None = None) -> list[str]:
    """The record or some of its steps, as lines `20 post.handle Posted/1 crash`: time, step, message/attempt, fault."""
    lines = []
    for s in run.journal:
        if (not steps or s.step in steps) and service in (None, s.service):
            replica = f"-{s.replica}" if s.replica > 1 else ""
            message = f" {s.envelope.type}" if s.envelope is not None else ""
            attempt = f"/{s.attempt}" if s.attempt and message else ""
            fault = f" {s.fault}" if s.fault and s.fault != s.step else ""
            lines.append(f"{s.time} {s.service}{replica}.{s.step}{message}{attempt}{fault}")
    return lines

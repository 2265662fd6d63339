"""Where messages of a class go: events to a log or a declared queue, commands to the queue of the service that handles them."""

from ..errors import Misuse, Unknown, listed
from ..model import Command, Message, Query, Queue, Topic
from .queues import WorkQueue
from .topics import Log


def channel_for(world, cls: type[Message]):
    """The log or queue that messages of `cls` go to. Raises Unknown for a command that nobody handles."""
    system, topic = world.system, cls.__declared__.topic
    if issubclass(cls, Command):
        handlers = system.handlers(cls.__name__)
        if not handlers:
            raise world.refuse(unhandled(system, cls))
        if topic is None:
            return _kept(
                world, f"{handlers[0].service}.commands", lambda name: WorkQueue(world, name, None)
            )
        if topic not in system.queues:
            raise world.refuse(Unknown("queue", topic, system.queues))
    name = topic or cls.__name__
    queue: Queue | None = system.queues.get(name)
    if queue is not None:
        return _kept(world, name, lambda name: WorkQueue(world, name, queue.max_attempts))
    return _kept(world, name, lambda name: Log(world, system.topics.get(name) or Topic(name)))


def unhandled(system, cls: type[Message]) -> Misuse:
    """The error for a command or query that no service takes: it lists those that are taken."""
    kind, word = (Command, "handles") if issubclass(cls, Command) else (Query, "answers")
    taken = [
        h.type for s in system.services.values() for h in s.handlers.values() if h.kind is kind
    ]
    name = cls.__name__
    return Misuse(
        f"no service {word} {name}; declare one with @service.{word}({name}). "
        f"What services {word.removesuffix('s')}: {listed(taken)}"
    )


def _kept(world, name: str, make):
    channel = world.channels.get(name)
    if channel is None:
        channel = world.channels[name] = make(name)
    return channel

"""The channels of message classes: events go to a log or a declared queue, commands to their handler's queue."""

from ..errors import Misuse, Unknown, listed
from ..model import Command, Message, Query, Queue, Topic
from .logs import DatedLog, Log
from .queues import WorkQueue


def channel_for(world, cls: type[Message]) -> WorkQueue | Log:
    """The log or queue that messages of `cls` go to. Raises Misuse for a command that no service handles."""
    system, topic = world.system, cls.__declared__.topic
    name = topic or cls.__wire__
    if issubclass(cls, Command):
        handlers = system.handlers(cls.__wire__)
        if not handlers:
            raise world.refuse(unhandled(system, cls))
        if topic is None:
            name = f"{handlers[0].service}.commands"
        elif topic not in system.queues:
            raise world.refuse(Unknown("queue", topic, system.queues))
    if name not in world.channels:
        queue = system.queues.get(name)
        if queue is not None or issubclass(cls, Command):
            world.channels[name] = WorkQueue(world, queue or Queue(name, None))
        else:
            return log_of(world, name)
    return world.channels[name]


def log_of(world, name: str) -> Log:
    """The log of a topic, made when it is first used."""
    if name not in world.channels:
        topic = world.system.topics.get(name) or Topic(name)
        dated = topic.deduplicates or topic.retention or world.plan.rewinds
        world.channels[name] = (DatedLog if dated else Log)(world, topic)
    return world.channels[name]


def unhandled(system, cls: type[Message]) -> Misuse:
    """The error for a command or query that no service handles. It lists those that are handled."""
    kind, word = (Command, "handle") if issubclass(cls, Command) else (Query, "answer")
    handlers = [each for service in system.services.values() for each in service.handlers.values()]
    taken = listed([handler.type for handler in handlers if handler.kind is kind])
    declare = f"declare one with @service.{word}s({cls.__name__})"
    return Misuse(f"no service {word}s {cls.__name__}; {declare}; services {word}: {taken}")

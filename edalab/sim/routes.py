"""The channels of message classes: events go to a log or a declared queue, commands to their handler's queue."""

from ..errors import Misuse, Unknown, listed
from ..model import Command, Message, Query, Queue, Topic
from .logs import DatedLog, Log
from .queues import WorkQueue


def channel_for(world, cls: type[Message]) -> WorkQueue | Log:
    """The log or queue that messages of `cls` go to. Raises Misuse for a command that no service handles."""
    system = world.system
    if issubclass(cls, Command):
        if not system.handlers(cls.__wire__):
            raise world.refuse(unhandled(system, cls))
        if cls.__declared__.topic not in (None, *system.queues):
            raise world.refuse(Unknown("queue", cls.__declared__.topic, system.queues))
    name, is_queue = place_of(system, cls)
    if not is_queue:
        return log_of(world, name)
    if name not in world.channels:
        world.channels[name] = WorkQueue(world, system.queues.get(name) or Queue(name, None))
    return world.channels[name]


def place_of(system, cls: type[Message]) -> tuple[str, bool]:
    """The name of the channel for messages of `cls`, and whether it is a work queue."""
    name = cls.__declared__.topic or cls.__wire__
    if issubclass(cls, Command) and cls.__declared__.topic is None:
        handlers = system.handlers(cls.__wire__)
        name = f"{handlers[0].service}.commands" if handlers else name
    return name, issubclass(cls, Command) or name in system.queues


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

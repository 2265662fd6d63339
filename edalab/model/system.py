"""A system is a declaration: services, the topics and queues between them, and who handles what. It runs nothing."""

import inspect
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import Misuse, Unknown, shown
from .determinism import foreign_call
from .messages import Command, Event, Message, Query, channel_name
from .registry import SagaRole, saga_roles

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORD = {Event: "on", Command: "handles", Query: "answers"}
DELIVERIES = ("at-least-once", "at-most-once")


@dataclass(frozen=True)
class Topic:
    """A log: it keeps its messages, in order per partition, and each consumer group has a position in it."""

    name: str
    partitions: int = 1
    confirms: bool = True


@dataclass(frozen=True)
class Queue:
    """A work queue: each message goes to one consumer, is acknowledged by itself, and is dead-lettered after
    `max_attempts`."""

    name: str
    max_attempts: int = 3


@dataclass(frozen=True)
class Handler:
    """A function of a service that handles one type of message."""

    service: str
    name: str
    function: Callable
    type: str
    kind: type[Message]  # Event, Command or Query
    takes_ctx: bool
    is_async: bool
    delivery: str = "at-least-once"
    max_attempts: int = 3
    message: type[Message] = Message  # the class that it was declared with

    def __repr__(self) -> str:
        return f"<Handler {self.service}.{self.name} of {self.type}>"


@dataclass(frozen=True)
class Tick:
    """A function of a service that runs every so many seconds."""

    service: str
    name: str
    function: Callable
    seconds: float
    takes_ctx: bool
    is_async: bool


class Service:
    """A consumer group of one or more replicas, with a database and handlers of its own. Made by `System.service`."""

    def __init__(self, system: "System", name: str):
        self.system, self.name = system, name
        self.replicas, self.schema = 1, ""
        self.handlers: dict[tuple[str, str], Handler] = {}  # by (type, function name)
        self.ticks: dict[str, Tick] = {}

    def on(
        self,
        event: type[Event] | None = None,
        *,
        delivery: str = "at-least-once",
        max_attempts: int = 3,
    ) -> Callable:
        """Decorate the handler of an event: `async def` or `def`, taking (event) or (event, ctx). What it returns (a
        message or a list of them) is published before the offset is committed."""
        return self._handler(Event, event, delivery, max_attempts)

    def handles(
        self,
        command: type[Command] | None = None,
        *,
        delivery: str = "at-least-once",
        max_attempts: int = 3,
    ) -> Callable:
        """Decorate the handler of a command, of which there is one in a system. Where the command was asked, what it
        returns goes to the asker."""
        return self._handler(Command, command, delivery, max_attempts)

    def answers(self, query: type[Query] | None = None) -> Callable:
        """Decorate the function that answers a query, of which there is one in a system."""
        return self._handler(Query, query, "at-least-once", 1)

    def every(self, seconds: float | None = None) -> Callable:
        """Decorate a function, taking () or (ctx), that one replica runs every so many seconds of virtual time."""
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, int | float)
            or not 0.001 <= seconds <= 1e9
        ):
            word = f"{self.name}.every"
            raise Misuse(
                f"{word} takes seconds of at least 0.001, not {shown(seconds)}; write @{word}(1)"
            )

        def declare(function: Callable) -> Callable:
            takes, is_async = self._inspected(function, 0)
            self.ticks[function.__name__] = Tick(
                self.name, function.__name__, function, seconds, takes, is_async
            )
            self.system.revision += 1
            return function

        return declare

    def _handler(
        self, kind: type[Message], message: type[Message], delivery: str, max_attempts: int
    ) -> Callable:
        word = f"{self.name}.{_WORD[kind]}"
        if not (isinstance(message, type) and issubclass(message, Message)):
            name = type(message).__name__ if isinstance(message, Message) else "OrderPlaced"
            raise Misuse(
                f"{word} takes a message class, not {shown(message)}; write @{word}({name})"
            )
        if message in (*_WORD, Message):
            raise Misuse(
                f"{word} takes a class of your own, not {message.__name__} itself; declare class OrderPlaced(Event)"
            )
        if not issubclass(message, kind):
            right = next((_WORD[k] for k in _WORD if issubclass(message, k)), None)
            a = "an" if kind is Event else "a"
            raise Misuse(
                f"{word}: {message.__name__} is not {a} {kind.__name__}; use @{self.name}.{right}({message.__name__})"
            )
        if delivery not in DELIVERIES:
            raise Unknown("delivery", delivery, DELIVERIES)
        if not isinstance(max_attempts, int) or isinstance(max_attempts, bool) or max_attempts < 1:
            raise Misuse(
                f"{word}: max_attempts= takes a whole number from 1, not {shown(max_attempts)}"
            )

        def declare(function: Callable) -> Callable:
            takes, is_async = self._inspected(function, 1)
            type_name, name = message.__name__, function.__name__
            if kind is not Event:
                self.system._refuse_second(self.name, name, type_name, kind)
            how = takes, is_async, delivery, max_attempts, message
            self.handlers[type_name, name] = Handler(
                self.name, name, function, type_name, kind, *how
            )
            self.system.revision += 1
            return function

        return declare

    def _inspected(self, function: Callable, needed: int) -> tuple[bool, bool]:
        """Whether a handler takes ctx and whether it is a coroutine function; raises Misuse for what cannot be one."""
        if (
            not callable(function)
            or isinstance(function, type)
            or not hasattr(function, "__name__")
        ):
            what = f"a handler of {self.name} is a function, not {shown(function)}"
            raise Misuse(f"{what}; write `def` or `async def` below the @")
        where = f"{self.name}.{function.__name__}"
        if function.__name__ == "<lambda>":  # two of them for one message would replace each other
            raise Misuse(
                f"a handler of {self.name} is a lambda, which has no name; write `def charge(event):` below the @"
            )
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise Misuse(
                f"{where} has a `yield`: a handler publishes with `await ctx.publish(...)` or returns messages"
            )
        signature = inspect.signature(function)
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = [p for p in signature.parameters.values() if p.kind in positional]
        required = [p for p in parameters if p.default is p.empty]
        stray = [
            p
            for p in signature.parameters.values()
            if p.kind is p.KEYWORD_ONLY and p.default is p.empty
        ]
        context_first = needed and parameters and parameters[0].name == "ctx"
        if len(parameters) < needed or len(required) > needed + 1 or stray or context_first:
            shape = "(event) or (event, ctx)" if needed else "() or (ctx)"
            raise Misuse(f"{where} takes {signature}; a handler takes {shape}, in this order")
        takes_ctx = len(required) == needed + 1 or any(p.name == "ctx" for p in parameters[needed:])
        foreign = foreign_call(function)
        if foreign:
            raise Misuse(f"{where} uses {foreign[0]}, {foreign[1]}")
        return takes_ctx, inspect.iscoroutinefunction(function)

    def __repr__(self) -> str:
        names = [f"{h.name}({h.type})" for h in self.handlers.values()] + [
            f"{t.name}()" for t in self.ticks.values()
        ]
        return f"<Service {self.name}: {', '.join(names) or 'no handlers'}>"


class System:
    """Services and the topics and queues between them. `simulate` runs it; nothing in it knows where it will run."""

    def __init__(self, name: str):
        self.name = _name("system", name)
        self.topics: dict[str, Topic] = {}
        self.queues: dict[str, Queue] = {}
        self.services: dict[str, Service] = {}
        self.revision = 0  # counts declarations
        self._frozen: System | None = None
        self.saga_roles: dict[str, SagaRole] | None = None  # of a frozen system

    def topic(
        self, name: str, *, partitions: int | None = None, confirms: bool | None = None
    ) -> Topic:
        """Declare a log (of one partition, confirming), or look up the one of that name. With keywords that is declared
        anew, whole. With `confirms=False` the broker does not say whether it has a message."""
        if partitions is confirms is None and isinstance(name, str) and name in self.topics:
            return self.topics[name]
        partitions = 1 if partitions is None else partitions
        confirms = True if confirms is None else confirms
        _whole(f"topic {name!r}: partitions=", partitions)
        self.queues.pop(channel_name(f"{self.name}.topic", name), None)
        self.topics[name] = Topic(name, partitions, bool(confirms))
        self.revision += 1
        return self.topics[name]

    def queue(self, name: str, *, max_attempts: int | None = None) -> Queue:
        """Declare a work queue whose messages are dead-lettered after `max_attempts` (3), or look up the one of that
        name."""
        if max_attempts is None and isinstance(name, str) and name in self.queues:
            return self.queues[name]
        max_attempts = 3 if max_attempts is None else max_attempts
        _whole(f"queue {name!r}: max_attempts=", max_attempts)
        self.topics.pop(channel_name(f"{self.name}.queue", name), None)
        self.queues[name] = Queue(name, max_attempts)
        self.revision += 1
        return self.queues[name]

    def service(
        self, name: str, *, replicas: int | None = None, schema: str | None = None
    ) -> Service:
        """Declare a service (of one replica, without a schema), or look up the one of that name. With keywords that is
        declared anew, whole, and keeps its handlers. `schema` is the SQL that makes its database, once per run."""
        if replicas is schema is None and isinstance(name, str) and name in self.services:
            return self.services[name]
        replicas = 1 if replicas is None else replicas
        _whole(f"service {name!r}: replicas=", replicas)
        if _name("service", name) == "client":
            raise Misuse(
                "the service 'client' is the outside world, played by the workload; choose another name"
            )
        _try_schema(name, schema)
        service = self.services.setdefault(name, Service(self, name))
        service.replicas, service.schema = replicas, schema or ""
        self.revision += 1
        return service

    def handlers(self, type_name: str) -> list[Handler]:
        """Who handles a type of message, in the order declared."""
        return [
            h
            for s in self.services.values()
            for (handled, _), h in s.handlers.items()
            if handled == type_name
        ]

    def frozen(self) -> "System":
        """The system as it is declared now, and what message classes say of sagas now; what is declared later does not
        change it."""
        if self.saga_roles is not None:
            return self
        if self._frozen is None or self._frozen.revision != (self.revision, Message.__count__):
            copy = self._frozen = System(self.name)
            copy.saga_roles = saga_roles()
            copy.revision, copy.topics, copy.queues = (
                (self.revision, Message.__count__),
                dict(self.topics),
                dict(self.queues),
            )
            for name, service in self.services.items():
                twin = copy.services[name] = Service(copy, name)
                twin.replicas, twin.schema = service.replicas, service.schema
                twin.handlers, twin.ticks = dict(service.handlers), dict(service.ticks)
        return self._frozen

    def _refuse_second(
        self, service: str, function: str, type_name: str, kind: type[Message]
    ) -> None:
        for other in self.handlers(type_name):
            if (other.service, other.name) != (service, function):
                raise Misuse(
                    f"{type_name} already goes to {other.service}.{other.name}, and a {kind.__name__.lower()} has one "
                    f"handler; to replace {other.service}.{other.name} keep its service and name, or make the system anew "
                    "(run its cells from the top)"
                )

    def __repr__(self) -> str:
        return f"<System {self.name}: {', '.join(self.services) or 'no services'}>"


def _name(kind: str, name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Misuse(
            f"a {kind}'s name is one word of a-z, 0-9, - and _ that begins with a letter, not {shown(name)}"
        )
    return name


def _whole(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise Misuse(f"{what} takes a whole number from 1 to 1000, not {shown(value)}")


def _try_schema(service: str, schema: str | None) -> None:
    if not schema:
        return
    trial = sqlite3.connect(":memory:")
    try:
        trial.executescript(schema)
    except (sqlite3.Error, sqlite3.Warning, TypeError, ValueError) as error:
        raise Misuse(
            f"the schema of {service} is no SQL that SQLite can run ({error}): {shown(schema)}"
        ) from None
    finally:
        trial.close()

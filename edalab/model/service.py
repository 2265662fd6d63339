"""The declaration of a service: its handlers and ticks, and how messages are delivered to them."""

import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard

from ..errors import Misuse, Unknown, shown
from .determinism import foreign_call
from .messages import Command, Event, Message, Query
from .numbers import check_whole

if TYPE_CHECKING:
    from .system import System

_WORD: dict[type[Message], str] = {Event: "on", Command: "handles", Query: "answers"}
DELIVERIES = ("at-least-once", "at-most-once")


@dataclass(frozen=True)
class Handler:
    """A function of a service that handles one type of message."""

    service: str
    name: str
    function: Callable
    type: str
    kind: type[Message]  # Event, Command or Query; Message for dead letters
    takes_ctx: bool
    is_async: bool
    delivery: str = "at-least-once"
    max_attempts: int = 3
    message: type[Message] = Message  # the class that it was declared with
    commit_every: int = 1

    def __repr__(self) -> str:
        return f"<Handler {self.service}.{self.name} of {self.type}>"


@dataclass(frozen=True)
class Tick:
    """A function of a service that runs every `seconds`."""

    service: str
    name: str
    function: Callable
    seconds: float
    takes_ctx: bool
    is_async: bool
    lease: float | None = None  # seconds


class Service:
    """A consumer group of one or more replicas, with its own database and handlers. Declare it with `System.service`.

        payments = shop.service("payments", replicas=2, schema="create table charges (order_id text)")

    Decorate its functions with `on`, `handles`, `answers`, `dead_letters` and `every`."""

    def __init__(self, system: "System", name: str):
        self.system, self.name = system, name
        self.replicas, self.schema = 1, ""
        self.joins, self.starts_at = 0.0, "latest"  # when and where its group begins
        self.workers: int | None = None  # of each replica; None: no limit
        self.waiting: int | None = None  # questions in line at each replica
        self.handlers: dict[tuple[str, str], Handler] = {}  # by (type, function name)
        self.ticks: dict[str, Tick] = {}
        self.captures: tuple[str, str] | None = None  # the service and the table, of a connector

    def on(
        self,
        event: type[Event] | None = None,
        *,
        delivery: str = "at-least-once",
        max_attempts: int = 3,
        commit_every: int = 1,
    ) -> Callable:
        """Decorate the handler of an event: a `def` or `async def` that takes (event) or (event, ctx).

            @payments.on(OrderPlaced)
            async def charge(event, ctx): ...

        delivery: "at-least-once" commits the offset after the handler ends, "at-most-once" before it begins.
        max_attempts: a message of a topic is dead-lettered after its handler has raised this many times. In a declared
            queue, `System.queue(max_attempts=)` applies instead.
        commit_every: the number of messages after which a partition's offset is committed. It is also committed when no
            further message waits. After a crash, all messages since the last commit are delivered again.

        A handler may return a message or a list of messages, which are published before the offset is committed. If
        a service has several handlers of one event, one delivery runs all of them, with the options of the first."""
        options = {"max_attempts": max_attempts, "commit_every": commit_every}
        return self._handler(Event, event, delivery=delivery, **options)

    def handles(
        self,
        command: type[Command] | None = None,
        *,
        delivery: str = "at-least-once",
        max_attempts: int = 3,
    ) -> Callable:
        """Decorate the one handler of a command. `delivery` is as in `on`. The command is dead-lettered after
        `max_attempts` deliveries, which include those that ended in a crash or whose ack was lost.

        If the command was sent by `ctx.ask`, the return value is the answer. To refuse it, return or raise
        `Refused`. Raises Misuse if the system has another handler of this command."""
        return self._handler(Command, command, delivery=delivery, max_attempts=max_attempts)

    def answers(self, query: type[Query] | None = None) -> Callable:
        """Decorate the one handler of a query. It returns the answer, which must be data that JSON can encode."""
        return self._handler(Query, query, max_attempts=1)

    def dead_letters(self, message: type[Event | Command] | None = None) -> Callable:
        """Decorate the handler of this service's dead letters: the messages of a type that the service gave up.

            @billing.dead_letters(OrderPlaced)
            async def look(event, ctx):
                if "time-out" in ctx.message.reason:
                    await ctx.redrive()

        `ctx.message` is the message that was given up, with its `.reason`, `.attempts`, `.came_from` and
        `.redrives`. Each replica handles one dead letter at a time, in parallel with its other work. If the handler
        raises, the dead letter is tried again. After three attempts it stays in the dead letter queue."""
        word = f"{self.name}.dead_letters"
        kinds = (Event, Command)
        if not (isinstance(message, type) and issubclass(message, kinds)) or message in kinds:
            takes = "takes the class of an event or a command"
            raise Misuse(f"{word} {takes}, not {shown(message)}; write @{word}(OrderPlaced)")
        return partial(self._declare, Message, f"{message.__wire__}.dlq", message=message)

    def every(self, seconds: float | None = None, *, lease: float | None = None) -> Callable:
        """Decorate a tick: a function that takes () or (ctx). One replica runs it every `seconds` (at least 0.001).

            @orders.every(1, lease=3)
            async def relay(ctx): ...

        lease: seconds. One replica is the leader and runs the tick while it is up and not paused. After it has been
            down or paused for this long, another replica becomes the leader at the next run. An old leader that resumes
            finishes its run, so that two runs may overlap. `ctx.lease` tells them apart.

        Without `lease`, a run begins only after the previous one has ended."""
        word = f"{self.name}.every"
        if not _is_seconds(seconds):
            raise Misuse(
                f"{word} takes seconds of at least 0.001, not {shown(seconds)}; write @{word}(1)"
            )
        if lease is not None and not _is_seconds(lease):
            raise Misuse(f"{word}: lease= takes seconds of at least 0.001, not {shown(lease)}")

        def declare(function: Callable) -> Callable:
            takes, is_async = self._inspected(function, 0)
            name = function.__name__
            self.ticks[name] = Tick(self.name, name, function, seconds, takes, is_async, lease)
            self.system.revision += 1
            return function

        return declare

    def _handler(
        self, kind: type[Message], message: type[Message] | None, **options: Any
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
        if (delivery := options.get("delivery", DELIVERIES[0])) not in DELIVERIES:
            raise Unknown("delivery", delivery, DELIVERIES)
        for option in ("max_attempts", "commit_every"):
            check_whole(f"{word}: {option}=", options.get(option, 1))
        return partial(self._declare, kind, message.__wire__, message=message, **options)

    def _declare(
        self, kind: type[Message], type_name: str, function: Callable, **options: Any
    ) -> Callable:
        """Add a handler. Returns its function, as a decorator does."""
        how, name = self._inspected(function, 1), function.__name__
        if kind in (Command, Query):
            self.system.refuse_second_handler(self.name, name, type_name, kind)
        handler = Handler(self.name, name, function, type_name, kind, *how, **options)
        self.handlers[type_name, name] = handler
        self.system.revision += 1
        return function

    def _inspected(self, function: Callable, needed: int) -> tuple[bool, bool]:
        """Whether a handler takes ctx, and whether it is async. Raises Misuse if it cannot be a handler."""
        named = hasattr(function, "__name__")
        if not callable(function) or isinstance(function, type) or not named:
            what = f"a handler of {self.name} is a function, not {shown(function)}"
            raise Misuse(f"{what}; write `def` or `async def` below the @")
        where = f"{self.name}.{function.__name__}"
        if function.__name__ == "<lambda>":  # two lambdas for one message would replace each other
            raise Misuse(
                f"a handler of {self.name} is a lambda, which has no name; write `def charge(event):` below the @"
            )
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise Misuse(
                f"{where} has a `yield`, but a handler publishes with `await ctx.publish(...)` or returns messages"
            )
        signature = inspect.signature(function)
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = [p for p in signature.parameters.values() if p.kind in positional]
        needs = [p for p in signature.parameters.values() if p.default is p.empty]
        required = [p for p in needs if p.kind in positional]
        stray = [p for p in needs if p.kind is p.KEYWORD_ONLY]
        context_first = needed and parameters and parameters[0].name == "ctx"
        if len(parameters) < needed or len(required) > needed + 1 or stray or context_first:
            shape = "(event) or (event, ctx)" if needed else "() or (ctx)"
            raise Misuse(f"{where} takes {signature}; a handler takes {shape}, in this order")
        takes_ctx = len(required) == needed + 1 or any(p.name == "ctx" for p in parameters[needed:])
        foreign = foreign_call(function)
        if foreign:
            raise Misuse(f"{where} uses {foreign[0]}, {foreign[1]}")
        return takes_ctx, inspect.iscoroutinefunction(function)

    def twin(self, system: "System") -> "Service":
        """A copy of this declaration for another system."""
        twin = copy(self)
        twin.system, twin.handlers, twin.ticks = system, dict(self.handlers), dict(self.ticks)
        return twin

    def __repr__(self) -> str:
        names = [f"{h.name}({h.type})" for h in self.handlers.values()]
        names += [f"{t.name}()" for t in self.ticks.values()]
        names += [f"captures {'.'.join(self.captures)}"] if self.captures else []
        return f"<Service {self.name}: {', '.join(names) or 'no handlers'}>"


def _is_seconds(value: object) -> TypeGuard[float]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0.001 <= value <= 1e9

"""The context is all that a handler knows of the world: it publishes, asks, waits and saves through it."""

from random import Random
from typing import Any

from ..errors import HandlerFailed, Misuse
from ..history import Failure
from ..model import Command, Envelope, Event, Message, Query
from .budget import MOST_ATTEMPTS
from .calls import Ask, Call, Killed, Publish, Sleep
from .clock import milliseconds
from .database import Transaction


class Context:
    """What a handler may do. Times are seconds of virtual time; what has to wait is awaited."""

    _attempt = _offset = _item = _handler = None
    _coroutine = None
    _transaction = None
    _unawaited = None  # the last call made and not yet awaited; each knows the one before it
    _dead = _again = _returned = False

    def __init__(self, world, replica, source, envelope=None, epoch=0):
        self._world = world
        self._replica = replica
        self._source = source  # what the message came from, and what hears how its handling ended
        self._envelope = envelope
        self._epoch = epoch

    # -- what a handler calls

    def publish(self, event: Event) -> "Publish":
        """Hand an event (or an envelope made by `ctx.envelope`, or its stored text) to the broker, and wait for its
        confirmation. Raises PublishFailed."""
        if not isinstance(event, Event):
            event = self._publishable(event, Event, "publish")
        return Publish(self, event, 0)

    def send(self, command: Command, after: float = 0) -> "Publish":
        """Send a command to the queue of the service that handles it, to arrive in `after` seconds: a durable timer.
        Raises PublishFailed."""
        return Publish(self, self._publishable(command, Command, "send"), milliseconds(after, "send(after=)"))

    def ask(self, question: Query | Command, timeout: float = 1.0) -> "Ask":
        """Ask a service and wait for its answer, at most `timeout` seconds. Raises Unanswered."""
        if not isinstance(question, Query | Command):
            raise self._refuse(f"asks {_shown(question)}; a query or a command can be asked, an event is published")
        return Ask(self, question, milliseconds(timeout, "ask(timeout=)"))

    def sleep(self, seconds: float) -> "Sleep":
        """Let `seconds` pass."""
        return Sleep(self, milliseconds(seconds, "sleep"))

    def note(self, text: str) -> None:
        """Leave a remark on the timeline."""
        self._alive()
        self._replica.node.notes += 1
        self._world.row("note", self._replica.actor, self._envelope, None, self._offset, self._attempt, None, str(text))

    def envelope(self, event: Event | Command) -> Envelope:
        """The event in an envelope, its id and correlation fixed: what an outbox stores."""
        self._alive()
        if not isinstance(event, Event | Command):
            raise self._refuse(f"wants an envelope for {_shown(event)}; events and commands have one")
        channel, type_name, key = self._world.route(type(event))
        return self._world.mint(self, event, channel.name, type_name, key)

    def new_id(self) -> str:
        """An id that no message and no other call has."""
        self._alive()
        return self._replica.node.new_id()

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return self._world.now / 1000

    @property
    def random(self) -> Random:
        """The service's own dice, seeded by the run's seed."""
        return self._replica.node.dice

    @property
    def state(self) -> dict:
        """This replica's memory: gone after a crash."""
        self._need_service("state")
        self._alive()  # a `finally` of a crashed replica must not reach the memory of the next
        return self._replica.state

    @property
    def database(self) -> Transaction:
        """The service's database, to be used as `with ctx.database as db:`."""
        self._need_service("database")
        self._alive()
        return self._transaction or Transaction(self._replica.node.database, self)

    @property
    def message(self) -> Envelope:
        """The envelope of the message being handled, with its `attempt`."""
        self._need_service("message")
        return self._envelope.copied(self._attempt)

    def __repr__(self) -> str:
        return f"<context of {self._where()} at {self.now:g} s>"

    # -- what the simulator calls

    def _begin(self, handler) -> None:
        """Reach the `handle` point, then run the handler on the message of this context."""
        self._handler = handler
        world = self._world
        fault = self._reach_here("handle")
        if self._attempt is not None and self._attempt > MOST_ATTEMPTS:
            world.endless(f"{self._envelope.type} {self._envelope.id} came to {self._where()} over {MOST_ATTEMPTS:,} times")
        if fault is not None:
            if fault.do == "crash":
                self._replica.crash(fault)
            else:
                self._source.failed(self, HandlerFailed(f"{fault}"))
            return
        self._run(handler)

    def _run(self, handler) -> None:
        """Run the handler."""
        self._handler = handler
        data = self._envelope.data
        arguments = () if data is None else (data if data.__shared__ else data.model_copy(deep=True),)
        if handler.takes_ctx:
            arguments += (self,)
        if handler.is_async:
            self._coroutine = handler.function(*arguments)
            self._resume(None)
            return
        try:
            result = handler.function(*arguments)
        except Killed:
            return
        except Exception as error:
            self._ended(error)
        else:
            self._ended(None, result)

    def _resume(self, value: Any) -> None:
        """Go on with what was awaited: its value, or the PublishFailed or Unanswered that it raises."""
        if self._dead:
            return
        if self._replica.paused:
            self._replica.held.append((self._resume, value))
            return
        try:
            call = self._coroutine.send(value)
        except StopIteration as stop:
            self._ended(None, stop.value)
        except Killed:
            pass
        except Exception as error:
            self._ended(error)
        else:
            if self._dead or self._world.misuse:  # killed or refused, and swallowed by a bare `except`
                self._close()
            elif isinstance(call, Call):
                call.begin()
            else:
                self._close()
                raise self._refuse(
                    f"awaits {_shown(call)}, which is not of this world; await ctx.sleep, ctx.publish, ctx.send or ctx.ask"
                )

    def _ended(self, error: Exception | None, result: Any = None) -> None:
        """The handler returned or raised; what it returned is published before it counts as handled."""
        if self._dead:
            return
        if error is None and result is None and self._unawaited is self._transaction is self._world.misuse is None:
            self._source.handled(self, None)
            return
        if isinstance(error, Misuse):
            self._world.refuse(error)
        if self._world.misuse:
            raise self._world.misuse
        if self._unawaited is not None:
            call = self._unawaited
            if self._handler is not None and not self._handler.is_async:
                raise self._refuse(f"is a plain `def` and cannot await {call}; return the message, or write `async def`")
            raise self._refuse(f"forgot to await: `await {call}`")
        if self._transaction is not None:
            raise self._refuse("ended inside a transaction; write `with ctx.database as db:`")
        if error is None and result is not None and not self._returned and self._source.publishes:
            self._returned = True
            messages = result if isinstance(result, list | tuple) else [result]
            for message in messages:
                if not isinstance(message, Event | Command):
                    raise self._refuse(f"returned {_shown(message)}; a handler returns None, a message or a list of them")
            self._coroutine = self._publish_all(messages)
            self._resume(None)
        elif error is None:
            self._source.handled(self, result)
        else:
            self._source.failed(self, error)

    async def _publish_all(self, messages) -> None:
        for message in messages:
            await (self.send(message) if isinstance(message, Command) else self.publish(message))

    def _reach(self, step: str, message: str, confirms: bool = True, vain: bool = False):
        """What strikes at a point of this service, reached now, or None."""
        world = self._world
        return world.plan.strike(self._replica.service, step, message, confirms, vain) if world.faulty else None

    def _reach_here(self, step: str):
        """The same for a step of this very handling, with its row."""
        fault = self._reach(step, self._envelope.type)
        self._row(step, fault and fault.do)
        return fault

    def _row(self, step: str, fault: str | None = None, detail: str | None = None) -> None:
        """One step of the handling of this message."""
        world, partition = self._world, self._source.partition
        world.record += (
            world.now, step, self._replica.actor, self._envelope, partition, self._offset, self._attempt, fault, detail,
        )  # fmt: skip

    def _failure(self, step: str, error: Exception, more: str = "") -> None:
        """The handler raised: what follows is told by `step`."""
        name = self._handler.name if self._handler else self._coroutine.__name__
        self._world.failures.append(Failure(self._world.now, self._replica.service, name, self._envelope, self._attempt, error))
        self._row(step, None, f"{type(error).__name__}: {error}{more}")

    def _crash(self, fault) -> None:
        """The fault kills this replica, in the middle of this handler where that is what runs now."""
        self._replica.crash(fault)
        if self._coroutine is None or self._coroutine.cr_running:
            raise Killed

    def _kill(self) -> None:
        self._dead = True
        if self._coroutine is not None and not self._coroutine.cr_running:
            self._close()

    def _close(self) -> None:
        try:
            self._coroutine.close()
        except (Exception, Killed):
            pass  # a learner's `finally` may complain: the process it ran in is gone

    def _alive(self) -> None:
        if self._dead:
            raise Killed

    def _need_service(self, what: str) -> None:
        if self._replica.service == "client":
            raise self._refuse(f"uses ctx.{what}: the outside world has none; ask a service")

    def _where(self) -> str:
        return f"{self._replica.service}.{self._handler.name}" if self._handler else "the workload"

    def _refuse(self, what: str) -> Misuse:
        """Misuse, told with who did it; kept, in case the handler swallows it."""
        return self._world.refuse(Misuse(f"{self._where()} {what}"))

    def _publishable(self, message, kind, word: str):
        if isinstance(message, kind):
            return message
        if isinstance(message, str):
            try:
                return Envelope.from_stored(message, self._world.types)
            except (ValueError, KeyError, TypeError):
                raise self._refuse(f"{word}es a text that no ctx.envelope made: {_shown(message)}".replace("sendes", "sends")) from None
        if isinstance(message, Envelope):
            return message
        right = {Event: "await ctx.publish", Command: "await ctx.send", Query: "await ctx.ask"}
        hint = next((f"{right[k]}({type(message).__name__}(...))" for k in right if isinstance(message, k)), None)
        if isinstance(message, type) and issubclass(message, Message):
            hint = f"make one: {message.__name__}(...)"
        does = "publishes" if word == "publish" else "sends"
        raise self._refuse(f"{does} {_shown(message)}, which is no {kind.__name__.lower()}; {hint or 'declare a class of its own'}")


def _shown(thing: object) -> str:
    """A thing in an error message, without addresses and not too long."""
    text = thing.__name__ if isinstance(thing, type) else repr(thing)
    if " at 0x" in text:
        text = f"a {type(thing).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."

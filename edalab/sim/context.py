"""The context is all that a handler knows of the world: it publishes, asks, waits and saves through it."""

import re
import sys
from inspect import iscoroutine
from random import Random
from typing import Any

from ..errors import (
    HandlerFailed,
    InvalidMessage,
    Misuse,
    PublishFailed,
    Refused,
    Unanswered,
    shortened,
    shown,
    without_addresses,
)
from ..model import Command, Envelope, Event, Message, Query
from .calls import All, Ask, Call, Killed, Publish, Sleep
from .clock import milliseconds
from .database import Transaction
from .limits import MOST_ATTEMPTS
from .steps import Failure

MOST_UNAWAITED = 1_000  # calls of one handling at a time
LOOK_AT_NOTES = 20_000  # of one service
MOST_LIVES = 100
_RAISED = (PublishFailed, Unanswered)


def _explain(error: AttributeError) -> None:
    """Say in the learner's words what a context or a transaction does not have. Here, and not in a `__getattr__`, which
    would make every other attribute slower."""
    if isinstance(error.obj, Context):
        there = ", ".join(word for word in vars(Context) if not word.startswith("_"))
        error.args = (f"ctx has no {error.name!r}; it has {there}",)
    elif isinstance(error.obj, Transaction):
        error.args = (f"a transaction has no {error.name!r}; it has execute, executemany",)
    elif read_only := re.match(r"property '(\w+)' of 'Context' object has no setter", str(error)):
        error.args = (
            f"ctx.{read_only[1]} cannot be set; keep things in ctx.state['name'] or in ctx.database",
        )


class Context:
    """What a handler may do. Times are seconds of virtual time; what has to wait is awaited."""

    _attempt = _offset = _item = _handler = _coroutine = None
    _again = _returned = False
    _lives = 0  # times that it went on after its end

    def __init__(self, world, replica, source, envelope=None, epoch=0):
        self._world = world
        self._replica = replica
        self._source = source  # what the message came from, and what hears how its handling ended
        self._envelope = envelope
        self._epoch = epoch
        self._transaction = None
        self._unawaited = (
            None  # the last call made and not yet awaited; each knows the one before it
        )
        self._dead = False

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
        return Publish(
            self, self._publishable(command, Command, "send"), milliseconds(after, "send(after=)")
        )

    def ask(self, question: Query | Command, timeout: float = 1.0) -> "Ask":
        """Ask a service and wait for its answer, at most `timeout` seconds. Raises Unanswered."""
        if not isinstance(question, Query | Command):
            hint = (
                f"make one: {shown(question)}(...)"
                if isinstance(question, type)
                else "an event is published"
            )
            raise self._refuse(f"asks {shown(question)}; a query or a command can be asked, {hint}")
        return Ask(self, question, milliseconds(timeout, "ask(timeout=)"))

    def sleep(self, seconds: float) -> "Sleep":
        """Let `seconds` pass."""
        return Sleep(self, milliseconds(seconds, "sleep"))

    def all(self, *calls: "Call") -> "All":
        """Wait for several asks, publishes and sleeps at once: `a, b = await ctx.all(ctx.ask(x), ctx.ask(y))`.

        Each answer is what awaiting that call alone would give, or the exception that it would raise. One that fails
        does not stop the others. Publishes that are under way at once may overtake each other."""
        for number, call in enumerate(calls):
            if not isinstance(call, Call):
                if iscoroutine(call):
                    call.close()
                hint = (
                    "ctx.all(*calls)"
                    if isinstance(call, list | tuple)
                    else "ctx.all(ctx.ask(a), ctx.ask(b))"
                )
                raise self._refuse(
                    f"gives ctx.all {shown(call)}, and it takes calls that are not yet awaited; write `await {hint}`"
                )
            if call.ctx is not self or call in calls[:number]:
                raise self._refuse(
                    f"gives ctx.all {call}, which is awaited already; make a new call"
                )
        return All(self, calls)

    def note(self, text: str) -> None:
        """Leave a remark on the timeline."""
        self._alive()
        node = self._replica.node
        node.notes += 1
        if node.notes % LOOK_AT_NOTES == 0:  # a loop that never awaits would fill the memory
            self._world.budget.look_at_steps()
        text = without_addresses(str(text))
        self._world.row(
            "note",
            self._replica.actor,
            self._envelope,
            None,
            self._offset,
            self._attempt,
            None,
            text,
        )

    def envelope(self, event: Event | Command) -> Envelope:
        """The event in an envelope, its id and correlation fixed: what an outbox stores."""
        self._alive()
        if not isinstance(event, Event | Command):
            raise self._refuse(
                f"wants an envelope for {shown(event)}; events and commands have one"
            )
        channel, type_name = self._world.route(type(event))
        return self._world.mint(self, event, channel.name, type_name)

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
            world.endless(
                f"{self._envelope.type} {self._envelope.id} came to {self._where()} over {MOST_ATTEMPTS:,} times"
            )
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
        arguments = (
            () if data is None else (data if data.__shared__ else data.model_copy(deep=True),)
        )
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
        except SystemExit:
            raise self._exits() from None
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
            call = (
                self._coroutine.throw(value)
                if value.__class__ in _RAISED
                else self._coroutine.send(value)
            )
        except StopIteration as stop:
            self._ended(None, stop.value)
        except Killed:
            pass
        except SystemExit:
            raise self._exits() from None
        except Exception as error:
            self._ended(error)
        else:
            if (
                self._dead or self._world.misuse
            ):  # killed or refused, and swallowed by a bare `except`
                self._close()
                if self._world.misuse:
                    raise self._world.misuse
            elif getattr(call, "ctx", None) is self:
                call.begin()
            else:
                self._close()
                if isinstance(call, Call):
                    raise self._refuse(
                        f"awaits {call} of another message's ctx; use the ctx that came with this message"
                    )
                raise self._refuse(
                    f"awaits {shown(call)}, which is not of this world (is it asyncio's?); await ctx.sleep, ctx.publish, "
                    "ctx.send, ctx.ask or an `async def` of your own that does"
                )

    def _ended(self, error: Exception | None, result: Any = None) -> None:
        """The handler returned or raised; what it returned is published before it counts as handled."""
        if self._dead:
            return
        if (
            error is None
            and result is None
            and self._unawaited is self._transaction is self._world.misuse is None
        ):
            self._source.handled(self, None)
            return
        if isinstance(error, Refused):
            error, result = None, error
        if isinstance(error, Misuse):
            self._world.refuse(error)
        if self._world.misuse:
            raise self._world.misuse
        if self._unawaited is not None:
            raise self._forgot(self._unawaited)
        if self._transaction is not None:
            raise self._refuse("ended inside a transaction; write `with ctx.database as db:`")
        if iscoroutine(result):
            result.close()
            raise self._refuse(
                f"returned a coroutine that nobody awaits: write `return await {result.__name__}(...)`"
            )
        if isinstance(error, AttributeError):
            _explain(error)
        if isinstance(error, RuntimeError) and "event loop" in str(error):
            raise self._refuse(
                f"needs asyncio's event loop ({shortened(str(error))}), and the lab has its own; await ctx.sleep, "
                "ctx.publish, ctx.send or ctx.ask"
            )
        if result is Refused:
            raise self._refuse(
                "returned the class Refused; give the reason: Refused('not enough money')"
            )
        if isinstance(result, Refused):
            self._check_may_refuse(result)
            self._source.handled(self, result)
            return
        if error is None and result is not None and not self._returned and self._source.publishes:
            self._returned = True
            messages = result if isinstance(result, list | tuple) else [result]
            for message in messages:
                if not isinstance(message, Event | Command):
                    what = f"returned {shown(message)}; a handler returns None, a message or a list of them"
                    if getattr(self._handler, "kind", None) is Command:
                        what += ", and data only to who asks for it"
                    raise self._refuse(what)
            self._coroutine = self._publish_all(messages)
            self._resume(None)
        elif error is None:
            self._source.handled(self, result)
        else:
            self._source.failed(self, error)

    def _check_may_refuse(self, refused: Refused) -> None:
        if getattr(self._handler, "kind", Event) is Event:
            raise self._refuse(
                f"refuses ({refused.reason}), and only a command or a query can be refused: "
                "publish an event that says so, its class declared with refuses="
            )

    async def _publish_all(self, messages) -> None:
        for message in messages:
            await (self.send(message) if isinstance(message, Command) else self.publish(message))

    def _reach(self, step: str, message: str, ineffective: bool = False):
        """What strikes at a point of this service, reached now, or None."""
        node = self._replica.node
        return (
            self._world.plan.strike(node.name, step, message, ineffective) if node.faulty else None
        )

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
        where = self._world.now, self._replica.service, name
        failure = Failure(*where, self._envelope, self._attempt, error)
        self._world.failures.append(failure)
        self._row(step, None, f"{failure.name}: {without_addresses(str(error))}{more}")

    def _crash(self, fault) -> None:
        """The fault kills this replica, in the middle of this handler where that is what runs now."""
        self._replica.crash(fault)
        if self._coroutine is None or self._coroutine.cr_running:
            raise Killed

    def _kill(self) -> None:
        self._dead = True
        if self._coroutine is None or not self._coroutine.cr_running:
            self._close()
            if self._transaction is not None:
                self._transaction.__exit__(Killed, None, None)

    def _close(self) -> None:
        coroutine = self._coroutine
        for _ in range(MOST_LIVES):
            if coroutine is None or coroutine.cr_frame is None:
                return
            try:
                coroutine.close()
            except (Exception, Killed):
                pass  # a learner's `finally` may complain: the process it ran in is gone
        self._refuse(
            "goes on when its replica has crashed, as a bare `except:` keeps it alive; write `except Exception:`"
        )
        told, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            coroutine = self._coroutine = (
                None  # Python would say once more that it cannot be closed
            )
        finally:
            sys.unraisablehook = told

    def _alive(self) -> None:
        """Unwinds a handler whose replica has crashed. One that swallows even that in a loop gets no further than its next
        `await`."""
        if self._dead:
            self._lives += 1
            if self._lives < MOST_LIVES:
                raise Killed

    def _forgot(self, call: Call) -> Misuse:
        if self._handler is not None and not self._handler.is_async:
            return self._refuse(
                f"is a plain `def` and cannot await {call}; return the message, or write `async def`"
            )
        return self._refuse(f"forgot to await: `await {call}`")

    def _check_unawaited(self, call: Call) -> None:
        """A loop that never awaits would fill the memory."""
        number = 0
        while call is not None:
            call, number = call.earlier, number + 1
        if number > MOST_UNAWAITED:
            raise self._forgot(self._unawaited)

    def _exits(self) -> Misuse:
        return self._refuse(
            "calls sys.exit(), exit() or quit(), which would end the notebook; `return`, or raise an exception"
        )

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
        does = "publishes" if word == "publish" else "sends"
        if isinstance(message, str):
            try:
                return Envelope.from_stored(message, self._world.types)
            except InvalidMessage as error:
                what = f"{does} {shown(message)}, whose data its class does not read ({error})"
                raise self._refuse(f"{what}; let it read what it writes") from error
            except (ValueError, KeyError, TypeError):
                what = f"{does} {shown(message)}, a text that no ctx.envelope made; {word} a message: OrderPlaced(...)"
                raise self._refuse(what) from None
        if isinstance(message, Envelope):
            return message
        right = {Event: "await ctx.publish", Command: "await ctx.send", Query: "await ctx.ask"}
        hint = next(
            (f"{right[k]}({type(message).__name__}(...))" for k in right if isinstance(message, k)),
            None,
        )
        if isinstance(message, type) and issubclass(message, Message):
            hint = f"make one: {message.__name__}(...)"
        elif isinstance(message, list | tuple):
            hint = f"{word} one after the other"
        elif message is None:
            hint = "was a `return` forgotten where it is made?"
        else:
            hint = (
                f"declare a class for it: class SomethingHappened({kind.__name__})"
                if hint is None
                else f"write `{hint}`"
            )
        raise self._refuse(f"{does} {shown(message)}, which is no {kind.__name__.lower()}; {hint}")

"""An execution is one run of a handler: on which replica, on which message, and how far it got."""

import sys
from collections.abc import Callable, Coroutine
from inspect import iscoroutine
from types import FrameType
from typing import Any

from ..errors import (
    HandlerFailed,
    Misuse,
    PublishFailed,
    Refused,
    Unanswered,
    shortened,
    shown,
    without_addresses,
)
from ..model import Command, Envelope, Event, Handler
from .calls import Call, Killed
from .context import Context, explain_missing
from .database import Transaction
from .faults import Fault, action_of
from .limits import MOST_ATTEMPTS
from .steps import Failure

MOST_UNAWAITED = 1_000  # calls of one execution at a time
MOST_REVIVALS = 100
_RAISED = (PublishFailed, Unanswered)


class Execution:
    """One run of a handler, a tick or the workload, from its message's fetch to its end.

    source: the log's reader, the queue, the tick or the ask that its message came from. It hears how the execution
        ended: `handled(execution, result)`, `failed(execution, error)` or, after a crash, `abandoned(execution)`.
    epoch: the reader's when it fetched the message. The reader counts its owners, and so knows the work of an old one.
    unconfirmed: publishes that it did not wait for, and that the broker has not yet confirmed.
    unawaited: the last call that was made and not yet awaited. Each call knows the one before it."""

    attempt: int | None = None  # from 1, once the message is handed over
    offset: int | None = None  # of the message in its partition
    item: Any = None  # of a work queue
    handler: Handler | None = None
    coroutine: Coroutine | None = None
    redeliver = False  # a queue hands the message out once more
    returned = False  # what the handler returned is being published
    unconfirmed = 0
    unpublished: PublishFailed | None = None  # why one of those failed
    outcome: tuple = ()  # (error, result) of a handler that ended before they were confirmed
    revivals = 0  # times that it went on after its replica had crashed

    def __init__(self, world, replica, source, envelope: Envelope | None = None, epoch: int = 0):
        self.world = world
        self.replica = replica
        self.source = source
        self.envelope = envelope
        self.epoch = epoch
        self.transaction: Transaction | None = None
        self.unawaited: Call | None = None
        self.dead = False  # its replica has crashed

    # -- from its beginning to its end

    def begin(self, handler: Handler) -> None:
        """Reach the `handle` point, then run the handler."""
        self.handler = handler
        fault = self.reach("handle")
        if self.attempt is not None and self.attempt > MOST_ATTEMPTS:
            self.world.endless(
                f"{self.envelope.type} {self.envelope.id} came to {self.where()} over {MOST_ATTEMPTS:,} times"
            )
        does = action_of(fault, "crash", "fail")
        if does is None:
            self.run(handler)
        elif does == "crash":
            self.replica.crash(fault)
        else:
            self.source.failed(self, HandlerFailed(f"{fault}"))

    def run(self, handler: Handler) -> None:
        """Run the handler on the message, up to its first await."""
        self.handler = handler
        data, arguments = self.envelope.data, ()
        if data is not None:  # of a tick
            arguments = (data if data.__immutable__ else data.model_copy(deep=True),)
        if handler.takes_ctx:
            arguments += (Context(self),)
        if handler.is_async:
            self.coroutine = handler.function(*arguments)
            self.resume(None)
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

    def resume(self, value: Any) -> None:
        """Go on after an await, with its value, or with the PublishFailed or Unanswered that it raises."""
        if self.dead:
            return
        if self.replica.paused:
            self.replica.held.append((self.resume, value))
            return
        try:
            raises = value.__class__ in _RAISED
            call = self.coroutine.throw(value) if raises else self.coroutine.send(value)
        except StopIteration as stop:
            self._ended(None, stop.value)
        except Killed:
            pass
        except SystemExit:
            raise self._exits() from None
        except Exception as error:
            self._ended(error)
        else:
            if self.dead or self.world.misuse:  # and a bare `except` swallowed it
                self._close()
                if self.world.misuse:
                    raise self.world.misuse
            elif getattr(call, "execution", None) is self:
                call.begin()
            else:
                self._close()
                raise self._awaits_foreign(call)

    def _ended(self, error: Exception | None, result: Any = None) -> None:
        """The handler returned or raised. What it returned is published before the message counts as handled."""
        if self.dead:
            return
        if (
            error is None
            and result is None
            and self.unawaited is self.transaction is self.world.misuse is self.unpublished is None
            and not self.unconfirmed
        ):
            self.source.handled(self, None)
            return
        if isinstance(error, Refused):
            error, result = None, error
        self._check_end(error, result)
        if self.unconfirmed:
            self.outcome = error, result
            return
        error = error or self.unpublished
        if error is not None:
            self.source.failed(self, error)
        elif isinstance(result, Refused):
            self.source.handled(self, result)
        elif result is not None and not self.returned and self.source.publishes:
            self.returned = True
            self.coroutine = self._publish_all(result)
            self.resume(None)
        else:
            self.source.handled(self, result)

    def expect_confirmation(self) -> Callable:
        """Where the broker's answer to a publish that is not waited for goes. The handling is over after the last."""
        self.unconfirmed += 1
        return self._confirmed

    def _confirmed(self, error: PublishFailed | None) -> None:
        if self.dead:
            return
        if self.replica.paused:
            self.replica.held.append((self._confirmed, error))
            return
        self.unconfirmed -= 1
        self.unpublished = self.unpublished or error
        if not self.unconfirmed and self.outcome:
            self._ended(*self.outcome)

    def _check_end(self, error: Exception | None, result: Any) -> None:
        """Raise Misuse where a handler ends in a way that none may."""
        if isinstance(error, Misuse):
            self.world.refuse(error)
        if self.world.misuse:
            raise self.world.misuse
        if self.unawaited is not None:
            raise self._forgot(self.unawaited)
        if self.transaction is not None:
            raise self.refuse("ended inside a transaction; write `with ctx.database as db:`")
        if iscoroutine(result):
            result.close()
            raise self.refuse(
                f"returned a coroutine that nobody awaits: write `return await {result.__name__}(...)`"
            )
        if isinstance(error, AttributeError):
            explain_missing(error)
        if isinstance(error, RuntimeError) and "event loop" in str(error):
            raise self.refuse(
                f"needs asyncio's event loop ({shortened(str(error))}), and the lab has its own; await ctx.sleep, "
                "ctx.publish, ctx.send or ctx.ask"
            )
        if result is Refused:
            raise self.refuse(
                "returned the class Refused; give the reason: Refused('not enough money')"
            )
        if isinstance(result, Refused) and getattr(self.handler, "kind", Event) is Event:
            raise self.refuse(
                f"refuses ({result.reason}), and only a command or a query can be refused: "
                "publish an event that says so, its class declared with refuses="
            )

    def _publish_all(self, result: Any) -> Coroutine:
        messages = result if isinstance(result, list | tuple) else [result]
        for message in messages:
            if not isinstance(message, Event | Command):
                what = f"returned {shown(message)}; a handler returns None, a message or a list of them"
                if getattr(self.handler, "kind", None) is Command:
                    what += ", and data only to who asks for it"
                raise self.refuse(what)
        return _publish_in_turn(Context(self), messages)

    # -- points and the record

    def fault_at(self, step: str, message: str, ineffective: bool = False) -> Fault | None:
        """Count one more visit to a point of this service; return the fault that strikes there, or None."""
        service = self.replica.service
        if not service.has_faults:
            return None
        return self.world.plan.fault_at((service.name, step, message), ineffective)

    def reach(self, step: str) -> Fault | None:
        """Record a step of this execution; return the fault that strikes there, or None."""
        fault = self.fault_at(step, self.envelope.type)
        self.record_step(step, fault and fault.do)
        return fault

    def record_step(self, step: str, fault: str | None = None, detail: str | None = None) -> None:
        """Record a step of this execution."""
        world, partition = self.world, self.source.partition
        world.record += (
            world.now, step, self.replica.actor, self.envelope, partition, self.offset, self.attempt, fault, detail,
        )  # fmt: skip

    def record_failure(self, step: str, error: Exception, more: str = "") -> None:
        """Record that the handler raised. `step` is what follows, such as `retry`."""
        where = self.world.now, self.replica.service.name
        name = self.handler.name if self.handler else self.coroutine.__name__
        failure = Failure(*where, name, self.envelope, self.attempt, error)
        self.world.failures.append(failure)
        self.record_step(step, None, f"{failure.name}: {without_addresses(str(error))}{more}")

    # -- crash

    def crash(self, fault: Fault) -> None:
        """Crash this replica, in the middle of this handler if it is the one that runs now."""
        self.replica.crash(fault)
        if self.coroutine is None or self.coroutine.cr_running:
            raise Killed

    def kill(self) -> None:
        """End the handler where it is, and roll its transaction back."""
        self.dead = True
        if self.coroutine is None or not self.coroutine.cr_running:
            self._close()
            if self.transaction is not None:
                self.transaction.__exit__(Killed, None, None)

    def check_alive(self) -> None:
        """Unwind a handler whose replica has crashed. One that swallows even that ends at its next `await`."""
        if self.dead:
            self.revivals += 1
            if self.revivals < MOST_REVIVALS:
                raise Killed

    def _close(self) -> None:
        coroutine = self.coroutine
        for _ in range(MOST_REVIVALS):
            if coroutine is None or coroutine.cr_frame is None:
                return
            try:
                coroutine.close()
            except (Exception, Killed):
                pass  # a learner's `finally` may complain: the process it ran in is gone
        self.refuse(
            "goes on when its replica has crashed, as a bare `except:` keeps it alive; write `except Exception:`"
        )
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:  # Python would report once more that it cannot be closed
            coroutine = self.coroutine = None
        finally:
            sys.unraisablehook = hook

    # -- misuse

    def where(self) -> str:
        """The name of the handler, for an error."""
        name = self.replica.service.name
        return f"{name}.{self.handler.name}" if self.handler else "the workload"

    def refuse(self, what: str) -> Misuse:
        """The error for a misuse by this handler. The world keeps it, in case the handler swallows it."""
        return self.world.refuse(Misuse(f"{self.where()} {what}"))

    def check_unawaited(self, call: Call | None) -> None:
        """Raise Misuse for a loop that never awaits, before it fills the memory."""
        number = 0
        while call is not None:
            call, number = call.earlier, number + 1
        if number > MOST_UNAWAITED:
            raise self._forgot(self.unawaited)

    def _forgot(self, call: Call) -> Misuse:
        if self.handler is not None and not self.handler.is_async:
            return self.refuse(
                f"is a plain `def` and cannot await {call}; return the message, or write `async def`"
            )
        return self.refuse(f"forgot to await: `await {call}`")

    def _awaits_foreign(self, awaited: object) -> Misuse:
        if isinstance(awaited, Call):
            return self.refuse(
                f"awaits {awaited} of another message's ctx; use the ctx that came with this message"
            )
        return self.refuse(
            f"awaits {shown(awaited)}, which is not of this world (is it asyncio's?); await ctx.sleep, ctx.publish, "
            "ctx.send, ctx.ask or an `async def` of your own that does"
        )

    def _exits(self) -> Misuse:
        return self.refuse(
            "calls sys.exit(), exit() or quit(), which would end the notebook; `return`, or raise an exception"
        )


async def _publish_in_turn(ctx: Context, messages: list) -> None:
    for message in messages:
        await (ctx.send(message) if isinstance(message, Command) else ctx.publish(message))


_RUNNING = (Execution.resume.__code__, Execution.run.__code__)  # a learner's code runs above these


def running_in(frame: FrameType | None) -> Execution | None:
    """The execution whose handler runs in this frame, or in one that it calls."""
    while frame is not None and frame.f_code not in _RUNNING:
        frame = frame.f_back
    return frame and frame.f_locals["self"]

"""Executions: each is one run of a handler by a replica on a message."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import (
    Busy,
    HandlerFailed,
    Misuse,
    PublishFailed,
    Refused,
    Unanswered,
    shown,
    without_addresses,
)
from ..model import Command, Envelope, Event, Handler, Tick
from ..model.versions import differ, read
from .calls import Call, Killed
from .context import Context
from .database import Transaction
from .faults import Fault, action_of
from .limits import MOST_ATTEMPTS
from .mistakes import awaits_foreign, check_end, forgot, unreadable
from .steps import Failure

if TYPE_CHECKING:
    from .queues import Item
    from .replicas import Replica

MOST_UNAWAITED = 1_000  # calls of one execution at a time
MOST_REVIVALS = 100
_RAISED = frozenset((Busy, PublishFailed, Unanswered))


class Execution:
    """One run of a handler, a tick or the workload, from its message's fetch to its end.

    source: the log's reader, the queue, the tick or the ask that its message came from. At the end, one of its methods
        is called: `handled(execution, result)`, `failed(execution, error)` or, after a crash, `abandoned(execution)`.
    epoch: the reader's epoch when it fetched the message. Work of an older epoch belongs to an old owner.
    unconfirmed: the publishes that it did not wait for, and that the broker has not yet confirmed.
    unawaited: the last call that was made and not yet awaited. Each call refers to the one before it."""

    # None until the message is handed over and handled, and for the workload:
    attempt: int = None  # pyrefly: ignore[bad-assignment]  # from 1
    offset: int = None  # pyrefly: ignore[bad-assignment]  # of the message in its partition
    lease: int | None = None  # of a tick with a lease: the fencing token
    item: "Item" = None  # pyrefly: ignore[bad-assignment]  # of a work queue
    handler: Any = None  # a Handler or a Tick
    data: Any = None  # of its message as the handler's class reads it, if another class wrote it
    redeliver = False  # a queue hands the message out once more
    unpublished: PublishFailed | None = None  # why one of those failed
    outcome: tuple = ()  # (error, result) of a handler that ended before they were confirmed
    revivals = 0  # how often it continued after its replica had crashed

    def __init__(self, replica: "Replica", source: Any, envelope: Any = None, epoch: int = 0):
        self.envelope: Envelope = envelope
        self.world = replica.service.world
        self.replica, self.source, self.epoch = replica, source, epoch
        # Read at each await: Python reads what an object has itself faster than a default of its class.
        self.dead = False  # its replica has crashed
        self.coroutine: Any = None
        self.transaction: Transaction | None = None
        self.unawaited: Call | None = None
        self.unconfirmed: int | None = None  # there were none
        self.deadline: Any = None  # a Timer, after which the group evicts its replica

    # -- from its beginning to its end

    def begin(self, handler: Handler | Tick) -> None:
        """Reach the `handle` point, then run the handler."""
        self.handler = handler
        fault = self.reach("handle")
        if self.attempt is not None and self.attempt > MOST_ATTEMPTS:
            what = f"{self.envelope.type} {self.envelope.id} came to {self.where()}"
            self.world.endless(f"{what} over {MOST_ATTEMPTS:,} times")
        if fault is None:
            self.run(handler)
        elif action_of(fault, "crash", "fail") == "crash":
            self.replica.crash(fault)
        else:
            self.source.failed(self, HandlerFailed(f"{fault}"))

    def run(self, handler: Handler | Tick) -> None:
        """Run the handler on the message, up to its first await."""
        self.handler = handler
        data, arguments = self.envelope.data, ()
        if data is not None:  # of a tick
            writer, reader = type(data), handler.message  # pyrefly: ignore[missing-attribute]
            if writer is not reader and differ(writer, reader):
                try:
                    self.data = data = read(data, reader)
                except Exception as error:  # of the learner's upcasters, too
                    self.source.failed(self, unreadable(self, error))
                    return
            arguments = (data if data.__plain__ else data.model_copy(deep=True),)
        if handler.takes_ctx:
            arguments += (Context(self),)
        if handler.is_async:
            self.coroutine = handler.function(*arguments)
            self.resume(None)
            return
        try:
            result = handler.function(*arguments)
        except BaseException as error:
            self._raised(error)
        else:
            self._end(None, result)

    def resume(self, value: Any) -> None:
        """Continue after an await, with its value, or with the Busy, PublishFailed or Unanswered that it raises."""
        if self.dead or (self.replica.paused and self.replica.hold_back(self.resume, value)):
            return
        try:
            raises = value is not None and type(value) in _RAISED
            call = self.coroutine.throw(value) if raises else self.coroutine.send(value)
        except StopIteration as stop:
            self._end(None, stop.value)
        except BaseException as error:
            self._raised(error)
        else:
            if self.dead or self.world.misuse:  # a bare `except` swallowed it
                self._close()
                if self.world.misuse:
                    raise self.world.misuse
            elif getattr(call, "execution", None) is self:
                call.begin()
            else:
                self._close()
                raise awaits_foreign(self, call)

    def _raised(self, error: BaseException) -> None:
        if isinstance(error, SystemExit):
            raise self.refuse(
                "calls sys.exit(), exit() or quit(), which would end the notebook; write `return` or raise an exception"
            ) from None
        if isinstance(error, Exception):
            self._end(error)
        elif not isinstance(error, Killed):  # the kernel is interrupted
            raise error

    def _end(self, error: Exception | None, result: Any = None) -> None:
        """End the handler, which returned or raised. Returned messages are published before the end counts."""
        if self.dead:
            return
        if (
            error
            is result
            is self.unawaited
            is self.transaction
            is None
            is self.unconfirmed
            is self.world.misuse
            is None
        ):
            self.source.handled(self, None)
            return
        if isinstance(error, Refused):
            error, result = None, error
        check_end(self, error, result)
        if self.unconfirmed:
            self.outcome = error, result
            return
        error = error or self.unpublished
        if error is not None:
            self.source.failed(self, error)
        elif result is None or isinstance(result, Refused) or not self.source.publishes:
            self.source.handled(self, result)
        else:
            self.coroutine = self._publish_all(result)
            self.resume(None)

    def expect_confirmation(self) -> Callable:
        """The callback for a confirmation that is not waited for. The handling ends after the last one."""
        self.unconfirmed = (self.unconfirmed or 0) + 1
        return self._confirmed

    def _confirmed(self, error: PublishFailed | None) -> None:
        if self.dead or self.replica.hold_back(self._confirmed, error):
            return
        self.unconfirmed -= 1  # pyrefly: ignore[unsupported-operation]
        self.unpublished = self.unpublished or error
        if not self.unconfirmed and self.outcome:
            self._end(*self.outcome)

    async def _publish_all(self, result: Any) -> None:
        messages = result if isinstance(result, list | tuple) else [result]
        ctx = Context(self)
        for message in messages:
            if not isinstance(message, Event | Command):
                what = f"returned {shown(message)}; a handler returns None, a message or a list of them"
                if getattr(self.handler, "kind", None) is Command:
                    what += ", and data only if somebody asked for it"
                if isinstance(message, Envelope):
                    what += "; publish an envelope with `await ctx.publish(...)`"
                raise self.refuse(what)
        for message in messages:
            call = ctx.send(message) if isinstance(message, Command) else ctx.publish(message)
            await call  # pyrefly: ignore[not-async]

    # -- points and the record

    def fault_at(self, step: str, message: str, ineffective: bool = False) -> Fault | None:
        """Count a visit to a point of this service. Returns the fault that strikes there, or None."""
        service = self.replica.service
        if not service.careful:
            return None
        return self.world.plan.fault_at((service.name, step, message), ineffective)

    def reach(self, step: str) -> Fault | None:
        """Record a step of this execution. Returns the fault that strikes there, or None."""
        fault = self.fault_at(step, self.envelope.type)
        self.record_step(step, fault.do if fault is not None else None)
        return fault

    def acknowledge(self, step: str, fenced: bool = False, note: str | None = None) -> str | None:
        """Reach the `commit` or `ack` point. Returns what keeps it from the broker, or None.

        That is the action of a fault (after "crash" the replica is down), "cut", or "fenced"."""
        prevented = "fenced" if fenced else "cut" if self.replica.service.cut else None
        fault = self.fault_at(step, self.envelope.type, prevented is not None)
        if fault is not None:
            prevented = action_of(fault, "crash", "lose")
        elif fenced:
            note = f"refused: {self.fenced_because}"
        self.record_step(step, prevented, note)
        if fault is not None and prevented == "crash":
            self.replica.crash(fault)
        return prevented

    @property
    def fenced_because(self) -> str:
        """Why the broker no longer accepts its commit."""
        evicted = self.replica.evicted is self
        return "its replica was evicted" if evicted else "its partition has a new owner"

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
        """Crash the replica, and unwind this handler if it is the one that runs now."""
        runs_now = self.coroutine is None or self.coroutine.cr_running
        self.replica.crash(fault)
        if runs_now:
            raise Killed

    def kill(self) -> None:
        """End the handler where it is, and roll its transaction back."""
        self.dead = True
        if self.coroutine is None or not self.coroutine.cr_running:
            self._close()
            if self.transaction is not None:
                self.transaction.__exit__(Killed, None, None)

    def check_alive(self) -> None:
        """Unwind a handler whose replica has crashed. If it swallows even Killed, it ends at its next `await`."""
        if self.dead:
            self.revivals += 1
            if self.revivals < MOST_REVIVALS:
                raise Killed

    def _close(self) -> None:
        coroutine = self.coroutine
        for _ in range(MOST_REVIVALS):
            if coroutine is None or coroutine.cr_frame is None:
                return
            # A learner's `finally` may raise, because its process is gone.
            with suppress(Exception, Killed):
                coroutine.close()
        self.refuse(
            "goes on after its replica has crashed, because a bare `except:` keeps it alive; write `except Exception:`"
        )
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:  # Python would report again that it cannot be closed
            coroutine = self.coroutine = None
        finally:
            sys.unraisablehook = hook

    # -- misuse

    def where(self) -> str:
        """The name of the handler, for an error."""
        name = self.replica.service.name
        return f"{name}.{self.handler.name}" if self.handler else "the workload"

    def refuse(self, what: str) -> Misuse:
        """The error for a misuse by this handler. The world stores it, in case the handler swallows it."""
        return self.world.refuse(Misuse(f"{self.where()} {what}"))

    def check_unawaited(self, new: Call) -> None:
        """Raise Misuse for a loop that forgets an await, before it fills the memory."""
        number, call = 0, new.earlier  # the new one may be awaited yet
        while call is not None:
            call, number = call.earlier, number + 1
        if number >= MOST_UNAWAITED:
            raise forgot(self, new.earlier)

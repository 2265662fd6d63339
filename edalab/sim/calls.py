"""The calls that a handler awaits, such as a sleep or a publish. (Questions are in ask.py.)"""

from collections.abc import Iterator
from heapq import heappush
from typing import Any

from ..errors import PublishFailed
from ..model import Command, Envelope
from .clock import DELAY, DUPLICATE, PUBLISH, varied
from .faults import action_of
from .steps import SENDER_UNAWARE


class Killed(BaseException):
    """The exception that unwinds the handler of a crashed replica. A learner's `except Exception` does not catch it."""


class Call:
    """An operation that takes time. A method of the context makes it, and it begins when it is awaited."""

    __slots__ = ("execution", "argument", "earlier")
    waits = True  # must not be awaited inside a transaction

    def __init__(self, execution, argument: Any = None):
        if execution.dead:
            execution.check_alive()
        self.execution, self.argument = execution, argument
        self.earlier = earlier = execution.unawaited
        execution.unawaited = self
        if earlier is not None:
            execution.check_unawaited(self)

    def begin(self) -> None:
        """Begin the call. Its result goes to `execution.resume`."""
        raise NotImplementedError

    def __await__(self) -> Iterator:
        execution = self.execution
        if execution.dead:
            execution.check_alive()
            return (yield)
        if execution.unawaited is self:
            execution.unawaited = self.earlier
        else:
            self._forget()
        if execution.transaction is None:
            return (yield self)  # to `Execution.resume`, which begins this call
        if self.waits:
            raise execution.refuse(
                f"awaits {self} inside a transaction, which locks the database meanwhile; end the `with` first"
            )
        world = execution.world
        if len(world.record) > world.budget.values:  # the run's loop does not check this action
            world.budget.look()
        self.begin()

    def _forget(self) -> None:
        """Remove this call from those that nobody awaits."""
        later = self.execution.unawaited
        if later is self:
            self.execution.unawaited = self.earlier
            return
        while later is not None and later.earlier is not self:
            later = later.earlier
        if later is not None:
            later.earlier = self.earlier


class Sleep(Call):
    """The call of `ctx.sleep`, for so many milliseconds."""

    __slots__ = ()

    def begin(self) -> None:
        execution, world = self.execution, self.execution.world
        heappush(
            world.agenda, (world.now + self.argument, next(world.number), execution.resume, None)
        )

    def __repr__(self) -> str:
        return "ctx.sleep(...)"


class InProgress(Call):
    """The call of `ctx.in_progress`. It takes no time, like an acknowledgement."""

    __slots__ = ()
    waits = False

    def begin(self) -> None:
        execution = self.execution
        execution.source.extend(execution)
        if execution.transaction is None:
            execution.world.schedule(execution.world.now, execution.resume, None)

    def __repr__(self) -> str:
        return "ctx.in_progress()"


class All(Call):
    """The call of `ctx.all`: several calls at once. It returns answers or exceptions in the order of the calls."""

    __slots__ = ("answers", "missing")

    def __init__(self, execution, calls: tuple):
        super().__init__(execution, calls)
        for call in calls:
            call._forget()

    def begin(self) -> None:
        execution, calls = self.execution, self.argument
        self.answers, self.missing = [None] * len(calls), len(calls)
        if not calls:
            execution.world.schedule(execution.world.now, execution.resume, [])
        for place, call in enumerate(calls):
            if execution.dead:  # a fault at an earlier one crashed the replica
                return
            call.execution = Branch(self, place)
            call.begin()

    def __repr__(self) -> str:
        return f"ctx.all({', '.join(map(repr, self.argument))})"


class Branch:
    """The execution of one of several calls at once. The handler resumes after the last of their answers."""

    def __init__(self, together: All, place: int):
        self.together, self.place = together, place

    def __getattr__(self, name: str) -> Any:
        return getattr(self.together.execution, name)

    def resume(self, answer: Any) -> None:
        together = self.together
        together.answers[self.place] = answer
        together.missing -= 1
        if not together.missing:
            together.execution.resume(together.answers)


class Publish(Call):
    """The call of `ctx.publish` and `ctx.send`. PUBLISH ms later, the broker stores the message and confirms it.

    The handler does not wait inside a transaction, or for a topic that does not confirm."""

    __slots__ = ("envelope", "channel", "confirm")
    waits = False
    after, wait = 0, True
    detail: str | None = None

    def begin(self) -> None:
        execution, message = self.execution, self.argument
        channel = execution.world.channel_of(type(message))
        self._send_off(channel, execution.world.mint(execution, message, channel.name))

    def _send_off(self, channel, envelope: Envelope) -> None:
        """Send the envelope to its channel."""
        self.channel, self.envelope, execution = channel, envelope, self.execution
        world, replica = execution.world, execution.replica
        takes = PUBLISH if world.fixed_latencies else self._varied(replica)
        if replica.service.careful:
            in_vain = replica.service.cut or channel.refuses(envelope)
            fault = execution.fault_at("publish", envelope.type, in_vain)
            if fault is not None or in_vain:
                self._struck(fault, takes)
                return
        world.record += (
            world.now, "publish", replica.actor, envelope, None, None, None, None, self.detail,
        )  # fmt: skip
        heappush(world.agenda, (world.now + takes, next(world.number), self._arrive, None))
        self._go_on()

    def _varied(self, replica) -> int:
        """A random latency. A connection keeps its order, so a later publish does not arrive earlier."""
        now = self.execution.world.now
        replica.sent = max(replica.sent, now + varied(PUBLISH, replica.service.jitter))
        return replica.sent - now

    def _go_on(self) -> None:
        """Resume the handler at once, unless it waits. `confirm` is called when the broker confirms, or does not."""
        execution, confirms = self.execution, self.channel.confirms
        if execution.transaction is not None:
            self.confirm = None
        elif self.wait and confirms:
            self.confirm = execution.resume
        else:
            self.confirm = execution.expect_confirmation() if confirms else None
            execution.world.schedule(execution.world.now, execution.resume, None)

    def _store(self, _=None) -> bool | None:
        """Store the message in its channel. Returns True if the channel is full and rejects it."""
        if self.channel.append(self.envelope):
            return self._rejected("" if self.confirm else SENDER_UNAWARE)

    def _rejected(self, unaware: str) -> bool:
        actor, why = self.execution.replica.actor, f"{self.channel.name} is full{unaware}"
        self.execution.world.record_step("rejected", actor, self.envelope, detail=why)
        return True

    def _arrive(self, late) -> None:
        full = self._store()
        if self.confirm is None:
            return
        # A late confirmation does not reach a service that is cut off.
        if full or (late and self.execution.replica.service.cut):
            self.confirm(self._failure(full))
        else:
            self.confirm(None)

    def _failure(self, full: bool | None = None, too_large=False) -> PublishFailed:
        return PublishFailed(self.envelope.type, self.channel.name, bool(full), too_large)

    # -- what a fault does

    def _struck(self, fault, takes: int) -> None:
        execution, detail = self.execution, self.detail
        does = action_of(fault, "crash", "fail", "unconfirmed", "lose", "duplicate", "delay")
        if does is None:
            does = "cut" if execution.replica.service.cut else "too large"
            if not self.channel.confirms:
                does, detail = "lose", "cut off" if does == "cut" else does
        actor, world = execution.replica.actor, execution.world
        world.record_step("publish", actor, self.envelope, fault=does, detail=detail)
        if does == "crash":
            execution.crash(fault)
            return
        self._go_on()
        if does in ("unconfirmed", "duplicate"):
            self._after(takes, self._store)
        if does in ("unconfirmed", "fail", "cut", "too large"):
            self._fail(takes, does == "too large")
        elif does == "duplicate":
            self._after(DUPLICATE, self._resend, (takes, execution.replica.state))
        elif does == "delay":
            self._after(takes + fault.lasts(DELAY), self._arrive, True)

    def _fail(self, takes: int, too_large: bool = False) -> None:
        failure = self._failure(False, too_large)
        if self.execution.transaction is not None:
            raise failure
        if self.confirm is not None:
            self._after(takes, self.confirm, failure)

    def _resend(self, sent: tuple[int, dict]) -> None:
        """Send an unconfirmed message again, as client libraries do, unless it was lost with the replica's memory."""
        replica, (takes, memory) = self.execution.replica, sent
        if replica.state is not memory or replica.hold_back(self._resend, sent):
            return
        if replica.service.cut:
            self._fail(takes)
        else:
            self._after(takes, self._arrive)

    def _after(self, milliseconds: int, action, argument=None) -> None:
        world = self.execution.world
        world.schedule(world.now + milliseconds, action, argument)

    def __repr__(self) -> str:
        data = self.argument.data if isinstance(self.argument, Envelope) else self.argument
        return (
            f"ctx.{'send' if isinstance(data, Command) else 'publish'}({type(data).__name__}(...))"
        )


class PublishAs(Publish):
    """`ctx.publish` and `ctx.send` with options, or of a message that has its envelope.

    after, expires: ms until it arrives, and from then on how long it may wait; None: for ever."""

    __slots__ = ("after", "wait", "expires")

    def __init__(self, execution, message, after: int = 0, wait=True, expires: int | None = None):
        Publish.__init__(self, execution, message)
        self.after, self.wait, self.expires = after, wait, expires

    def begin(self) -> None:
        if isinstance(self.argument, Envelope):
            self._send_off(*self._sent_on(self.argument))
        else:
            super().begin()

    def _send_off(self, channel, envelope: Envelope) -> None:
        if self.expires is not None:
            channel.expire(envelope, self.after + self.expires)
        super()._send_off(channel, envelope)

    def _sent_on(self, message: Envelope) -> tuple:
        """The channel for a message that is in an envelope already, and its envelope there."""
        return self.execution.world.channel_of(message.data.__class__), message.copied()

    def _store(self, _=None) -> bool | None:
        if not self.after:
            return super()._store()
        self._after(self.after, self._store_later)

    def _store_later(self, _) -> None:
        if self.channel.append(self.envelope):
            self._rejected(SENDER_UNAWARE)

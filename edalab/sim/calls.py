"""What a handler awaits: a pause, a message handed to the broker, a question asked."""

from collections.abc import Iterator
from copy import deepcopy
from heapq import heappush
from typing import Any

from pydantic_core import to_json

from ..errors import PublishFailed, Refused, Unanswered, shortened, shown
from ..model import Command, Envelope
from ..model.wire import unfit
from .clock import DELAY, DELIVER, DUPLICATE, PUBLISH, milliseconds, varied


class Killed(BaseException):
    """Unwinds the handler of a replica that has crashed. Never seen by a learner's `except Exception`."""


class Call:
    """Something that takes time: made by a method of the context, begun when it is awaited."""

    __slots__ = ("ctx", "earlier")
    waits = True  # must not be awaited inside a transaction

    def __init__(self, ctx):
        if ctx._dead:
            ctx._alive()
        self.ctx = ctx
        self.earlier = earlier = ctx._unawaited
        ctx._unawaited = self
        if earlier is not None:
            ctx._check_unawaited(self)

    def __await__(self) -> Iterator:
        ctx = self.ctx
        if ctx._dead:
            ctx._alive()
            return iter((None,))
        self._forget()
        if ctx._transaction is None:
            return self._waiting()
        if self.waits:
            raise ctx._refuse(
                f"awaits {self} inside a transaction, which locks the database meanwhile; end the `with` first"
            )
        if len(ctx._world.record) > ctx._world.budget.values:  # here the run's loop has no say
            ctx._world.budget.look()
        self.begin()
        return iter(())

    def _waiting(self) -> Iterator:
        """Hands this call to `Context._resume`, which begins it; then nothing, or the answer, is what was awaited."""
        return iter((self,))

    def _forget(self) -> None:
        """No longer among the calls that nobody awaits."""
        later = self.ctx._unawaited
        if later is self:
            self.ctx._unawaited = self.earlier
            return
        while later is not None and later.earlier is not self:
            later = later.earlier
        if later is not None:
            later.earlier = self.earlier


class Sleep(Call):
    """`ctx.sleep`."""

    __slots__ = ("milliseconds",)

    def __init__(self, ctx, milliseconds: int):
        super().__init__(ctx)
        self.milliseconds = milliseconds

    def begin(self) -> None:
        world = self.ctx._world
        world.at(world.now + self.milliseconds, self.ctx._resume, None)

    def __repr__(self) -> str:
        return "ctx.sleep(...)"


class All(Call):
    """`ctx.all`: several calls at once. Their answers come in the order of the calls, each an answer or the exception."""

    __slots__ = ("calls", "answers", "missing")

    def __init__(self, ctx, calls: tuple):
        super().__init__(ctx)
        for call in calls:
            call._forget()
        self.calls = calls

    def _waiting(self) -> Iterator:
        return (yield self)

    def begin(self) -> None:
        ctx = self.ctx
        self.answers, self.missing = [None] * len(self.calls), len(self.calls)
        if not self.calls:
            ctx._world.at(ctx._world.now, ctx._resume, [])
        for place, call in enumerate(self.calls):
            if ctx._dead:  # a fault at an earlier one crashed the replica
                return
            call.ctx = Branch(self, place)
            call.begin()

    def arrived(self, place: int, answer: Any) -> None:
        """One call has its answer; after the last the handler goes on."""
        self.answers[place] = answer
        self.missing -= 1
        if not self.missing:
            self.ctx._resume(self.answers)

    def __repr__(self) -> str:
        return f"ctx.all({', '.join(map(repr, self.calls))})"


class Branch:
    """The context of one of several calls at once: that of the handler, except that its answer goes to `ctx.all`."""

    def __init__(self, whole: All, place: int):
        self._whole, self._place = whole, place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole.ctx, name)

    def _resume(self, answer: Any) -> None:
        self._whole.arrived(self._place, answer)


class Publish(Call):
    """`ctx.publish` and `ctx.send`: the broker has the message, and the publisher its confirmation, PUBLISH later.
    Inside a transaction the publisher does not wait."""

    __slots__ = ("message", "after", "envelope", "channel", "resumes")
    waits = False

    def __init__(self, ctx, message, after: int):
        Call.__init__(self, ctx)
        self.message = message
        self.after = after

    def begin(self) -> None:
        ctx, message = self.ctx, self.message
        world, replica = ctx._world, ctx._replica
        if message.__class__ is Envelope:
            self.channel, envelope = world.route(message.data.__class__).channel, message.copied()
        else:
            self.channel, type_name = world.route(message.__class__)
            envelope = world.mint(ctx, message, self.channel.name, type_name)
        self.envelope = envelope
        self.resumes = ctx._transaction is None
        takes = PUBLISH if world.exact else self._varied(replica)
        if replica.node.faulty:
            fault = ctx._reach("publish", envelope.type, replica.node.cut)
            if fault is not None or replica.node.cut:
                self._struck(fault, takes)
                return
        world.record += (
            world.now,
            "publish",
            replica.actor,
            envelope,
            None,
            None,
            None,
            None,
            None,
        )
        heappush(world.agenda, (world.now + takes, next(world.number), self._arrive, None))

    def _varied(self, replica) -> int:
        """A connection keeps its order: what is published later arrives no earlier."""
        now = self.ctx._world.now
        replica.sent = max(replica.sent, now + varied(PUBLISH, replica.node.jitter))
        return replica.sent - now

    def _arrive(self, _) -> None:
        if self.after:
            self._append(None)
        else:
            self.channel.append(self.envelope)
        if self.resumes:
            self.ctx._resume(None)

    def _append(self, _) -> None:
        if self.after:
            world = self.ctx._world
            world.at(world.now + self.after, self.channel.append, self.envelope)
        else:
            self.channel.append(self.envelope)

    def _struck(self, fault, takes: int) -> None:
        ctx = self.ctx
        world = ctx._world
        does = fault.do if fault is not None else "cut"
        world.row("publish", ctx._replica.actor, self.envelope, None, None, None, does, None)
        if does == "crash":
            ctx._crash(fault)
            return
        if does in ("fail", "cut"):
            error = PublishFailed(self.envelope.type, self.channel.name)
            if not self.resumes:
                raise error
            world.at(world.now + takes, ctx._resume, error)
            return
        if self.resumes:
            world.at(world.now + takes, ctx._resume, None)
        if does == "delay":
            takes += DELAY if fault.seconds is None else milliseconds(fault.seconds, "delay")
        if does != "lose":
            world.at(world.now + takes, self._append, None)
        if does == "duplicate":
            world.at(world.now + takes + DUPLICATE, self._append, None)

    def __repr__(self) -> str:
        data = self.message.data if isinstance(self.message, Envelope) else self.message
        return (
            f"ctx.{'send' if isinstance(data, Command) else 'publish'}({type(data).__name__}(...))"
        )


class Ask(Call):
    """`ctx.ask`: a question goes to a live replica of the service that answers it, and the answer comes back; or the
    asker gives up after its time-out. Answering goes on beside other work, as in a server."""

    __slots__ = ("question", "timeout", "envelope", "handler", "open", "timer")
    publishes = False  # what the handler returns is the answer
    partition = None

    def __init__(self, ctx, question, timeout: int):
        super().__init__(ctx)
        self.question = question
        self.timeout = timeout

    def _waiting(self) -> Iterator:
        return (yield self)

    def begin(self) -> None:
        ctx = self.ctx
        world = ctx._world
        self.handler = world.answerer(type(self.question))
        self.envelope = world.mint(
            ctx, self.question, self.handler.service, type(self.question).__name__
        )
        self.open = True
        fault = ctx._reach("ask", self.envelope.type)
        world.row(
            "ask", ctx._replica.actor, self.envelope, None, None, None, fault and fault.do, None
        )
        if fault is not None and fault.do == "crash":
            ctx._crash(fault)
            return
        self.timer = world.timer(self.timeout, self._give_up)
        if fault is None or fault.do == "delay":
            world.at(world.now + self._hop(ctx._replica.node, fault), self._arrive, None)

    def _hop(self, node, fault) -> int:
        takes = DELIVER if node.world.exact else varied(DELIVER, node.jitter)
        if fault is not None and fault.do == "delay":
            takes += DELAY if fault.seconds is None else milliseconds(fault.seconds, "delay")
        return takes

    def _arrive(self, _) -> None:
        world = self.ctx._world
        node = world.services[self.handler.service]
        replica = node.next_up()
        if replica is None or node.cut or self.ctx._replica.node.cut:
            why = (
                f"{node.name} was down"
                if replica is None
                else f"{(node if node.cut else self.ctx._replica.node).name} was cut off"
            )
            world.row("lost", (node.name, 1), self.envelope, None, None, None, None, why)
            return
        ctx = replica.context(self, self.envelope)
        ctx._attempt = 1
        replica.running[ctx] = None
        self._handle(ctx)

    def _handle(self, ctx) -> None:
        if ctx._dead:
            return
        if ctx._replica.paused:
            ctx._replica.held.append((self._handle, ctx))
        else:
            ctx._begin(self.handler)

    def handled(self, ctx, answer: Any) -> None:
        """The answer goes back."""
        world, node = ctx._world, ctx._replica.node
        ctx._replica.running.pop(ctx, None)
        try:
            if isinstance(answer, Refused):
                answer, why, told = deepcopy(answer), "", answer.note
            else:
                answer, why = deepcopy(answer), unfit(answer)
        except Exception as error:  # of the learner's own classes, too
            why = shortened(str(error))
        if why:
            raise ctx._refuse(f"answers {shown(answer)}, which no message could carry: {why}")
        if not isinstance(answer, Refused):
            told = to_json(answer).decode()
        if isinstance(answer, set | frozenset):
            raise ctx._refuse(
                f"answers a {type(answer).__name__}, whose order differs from run to run; answer sorted(...)"
            )
        fault = ctx._reach("reply", self.envelope.type, ineffective=node.cut)
        does = fault.do if fault is not None else "cut" if node.cut else None
        ctx._row("reply", does, told)
        if does == "crash":
            ctx._replica.crash(fault)
        elif does in (None, "delay"):
            world.at(world.now + self._hop(node, fault), self._answer, (answer, told))

    def failed(self, ctx, error: Exception) -> None:
        """No answer: the asker will give up."""
        ctx._replica.running.pop(ctx, None)
        ctx._failure("failure", error)

    def abandoned(self, ctx) -> None:
        """The replica crashed: no answer."""

    def _answer(self, answer: tuple[Any, str]) -> None:
        ctx = self.ctx
        if ctx._dead or not ctx._replica.up:
            return
        cut = ctx._replica.node.cut
        detail = "cut off" if cut else "too late" if not self.open else answer[1]
        ctx._world.row(
            "answer",
            ctx._replica.actor,
            self.envelope,
            None,
            None,
            None,
            "cut" if cut else None,
            detail,
        )
        if self.open and not cut:
            self.open = False
            self.timer.cancel()
            ctx._resume(answer[0])

    def _give_up(self, _) -> None:
        ctx = self.ctx
        if self.open and not ctx._dead:
            self.open = False
            ctx._world.row(
                "timeout", ctx._replica.actor, self.envelope, None, None, None, None, None
            )
            ctx._resume(Unanswered(self.handler.service, self.envelope.type, self.timeout / 1000))

    def __repr__(self) -> str:
        return f"ctx.ask({type(self.question).__name__}(...))"

"""A question goes to a live replica of the service that answers it, and the answer comes back."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from pydantic_core import to_json

from ..errors import Refused, Unanswered, shortened, shown
from ..model.wire import unfit
from .calls import Call
from .clock import DELAY, DELIVER, varied
from .faults import action_of


class Ask(Call):
    """`ctx.ask`: a question goes to a live replica of the service that answers it, and the answer comes back; or the
    asker gives up after its time-out. Answering goes on beside other work, as in a server."""

    __slots__ = ("question", "timeout", "envelope", "handler", "open", "timer")
    publishes = False  # what the handler returns is the answer
    partition = None

    def __init__(self, execution, question, timeout: int):
        super().__init__(execution)
        self.question = question
        self.timeout = timeout

    def _waiting(self) -> Iterator:
        return (yield self)

    def begin(self) -> None:
        execution = self.execution
        world = execution.world
        self.handler = world.answerer(type(self.question))
        self.envelope = world.mint(
            execution, self.question, self.handler.service, type(self.question).__name__
        )
        self.open = True
        fault = execution.fault_at("ask", self.envelope.type)
        does = action_of(fault, "crash", "drop", "delay")
        world.record_step("ask", execution.replica.actor, self.envelope, fault=does)
        if does == "crash":
            execution.crash(fault)
            return
        self.timer = world.timer(self.timeout, self._give_up)
        if does != "drop":
            world.schedule(
                world.now + self._hop(execution.replica.service, fault), self._arrive, None
            )

    def _hop(self, service, fault) -> int:
        takes = DELIVER if service.world.exact else varied(DELIVER, service.jitter)
        return takes if fault is None else takes + fault.lasts(DELAY)

    def _arrive(self, _) -> None:
        world = self.execution.world
        service = world.services[self.handler.service]
        replica = service.next_up()
        if replica is None or service.cut or self.execution.replica.service.cut:
            cut_off = service if service.cut else self.execution.replica.service
            why = f"{service.name} was down" if replica is None else f"{cut_off.name} was cut off"
            world.record_step("lost", (service.name, 1), self.envelope, detail=why)
            return
        execution = replica.new_execution(self, self.envelope)
        execution.attempt = 1
        replica.running[execution] = None
        self._handle(execution)

    def _handle(self, execution) -> None:
        if execution.dead:
            return
        if execution.replica.paused:
            execution.replica.held.append((self._handle, execution))
        else:
            execution.begin(self.handler)

    def handled(self, execution, answer: Any) -> None:
        """The answer goes back."""
        world, service = execution.world, execution.replica.service
        execution.replica.running.pop(execution, None)
        try:
            if isinstance(answer, Refused):
                answer, why, told = deepcopy(answer), "", answer.note
            else:
                answer, why = deepcopy(answer), unfit(answer)
        except Exception as error:  # of the learner's own classes, too
            why = shortened(str(error))
        if why:
            raise execution.refuse(f"answers {shown(answer)}, which no message could carry: {why}")
        if not isinstance(answer, Refused):
            told = to_json(answer).decode()
        if isinstance(answer, set | frozenset):
            raise execution.refuse(
                f"answers a {type(answer).__name__}, whose order differs from run to run; answer sorted(...)"
            )
        fault = execution.fault_at("reply", self.envelope.type, ineffective=service.cut)
        does = action_of(fault, "crash", "drop", "delay") or ("cut" if service.cut else None)
        execution.record_step("reply", does, told)
        if does == "crash":
            execution.replica.crash(fault)
        elif does in (None, "delay"):
            world.schedule(world.now + self._hop(service, fault), self._answer, (answer, told))

    def failed(self, execution, error: Exception) -> None:
        """No answer: the asker will give up."""
        execution.replica.running.pop(execution, None)
        execution.record_failure("failure", error)

    def abandoned(self, execution) -> None:
        """The replica crashed: no answer."""

    def _answer(self, answer: tuple[Any, str]) -> None:
        execution = self.execution
        if execution.dead or not execution.replica.up:
            return
        cut = execution.replica.service.cut
        detail = "cut off" if cut else "too late" if not self.open else answer[1]
        struck = "cut" if cut else None
        execution.world.record_step(
            "answer", execution.replica.actor, self.envelope, fault=struck, detail=detail
        )
        if self.open and not cut:
            self.open = False
            self.timer.cancel()
            execution.resume(answer[0])

    def _give_up(self, _) -> None:
        execution = self.execution
        if self.open and not execution.dead:
            self.open = False
            execution.world.record_step("timeout", execution.replica.actor, self.envelope)
            execution.resume(
                Unanswered(self.handler.service, self.envelope.type, self.timeout / 1000)
            )

    def __repr__(self) -> str:
        return f"ctx.ask({type(self.question).__name__}(...))"

"""Questions: each goes to a live replica of the service that answers it, and the answer returns to the asker."""

from copy import deepcopy
from typing import Any

from pydantic_core import to_json

from ..errors import Busy, Refused, Unanswered, shortened, shown
from ..model.wire import unfit
from .calls import Call
from .clock import DELAY, DELIVER
from .faults import action_of
from .steps import BUSY, TOO_LATE

_ACTIONS = ("crash", "drop", "delay")


class Ask(Call):
    """The call of `ctx.ask`: a question goes to a live replica, and its answer returns, or the asker gives up after
    its time-out. Answers run in parallel with other work, as in a server."""

    __slots__ = ("timeout", "envelope", "handler", "timer")
    publishes = False  # what the handler returns is the answer
    partition = None

    def __init__(self, execution, question, timeout: int):
        super().__init__(execution, question)
        self.timeout = timeout

    def begin(self) -> None:
        execution, question = self.execution, self.argument
        world = execution.world
        self.handler = world.answerer(type(question))
        self.envelope = world.mint(execution, question, self.handler.service)
        fault = execution.fault_at("ask", question.__wire__)
        does = action_of(fault, *_ACTIONS)
        world.record_step("ask", execution.replica.actor, self.envelope, fault=does)
        if does == "crash":
            execution.crash(fault)
            return
        self.timer = world.timer(self.timeout, self._give_up)
        if does != "drop":
            self._hop(execution.replica.service, fault, self._arrive)

    def _hop(self, service, fault, arrive, argument: Any = None) -> None:
        """Send a question or an answer one way."""
        world = service.world
        takes = service.latency(DELIVER) + (0 if fault is None else fault.lasts(DELAY))
        world.schedule(world.now + takes, arrive, argument)

    def _arrive(self, _) -> None:
        asker, world = self.execution.replica.service, self.execution.world
        service = world.services[self.handler.service]
        replica = service.next_up()
        why = f"{service.name} was down" if replica is None else service.barrier(asker)
        handler = replica and replica.version.handlers.get(self.envelope.type)
        if not why and handler is None:
            why = f"{service.name} does not answer {self.envelope.type} in this version"
        if replica is None or why:
            world.record_step("lost", (service.name, 1), self.envelope, detail=why)
            return
        self.handler, execution = handler, replica.new_execution(self, self.envelope)
        execution.attempt = 1
        self._handle(execution)

    def _handle(self, execution) -> None:
        replica = execution.replica
        if execution.dead or replica.hold_back(self._handle, execution):
            return
        if replica.admits(execution):
            execution.begin(self.handler)

    def handled(self, execution, answer: Any) -> None:
        """Send the answer back."""
        self._reply(execution, *_wire_answer(execution, answer))
        execution.replica.finish(execution)

    def turn_away(self, execution) -> None:
        """Answer with Busy, because no worker is free and the line is full."""
        self._reply(execution, Busy(self.handler.service, self.envelope.type), BUSY)

    def _reply(self, execution, answer: Any, note: str) -> None:
        service = execution.replica.service
        fault = execution.fault_at("reply", self.envelope.type, ineffective=service.cut)
        does = action_of(fault, *_ACTIONS) or ("cut" if service.cut else None)
        execution.record_step("reply", does, note)
        if does == "crash":
            execution.replica.crash(fault)
        elif does in (None, "delay"):
            self._hop(service, fault, self._answer, (answer, note))

    def failed(self, execution, error: Exception) -> None:
        """Send no answer, so that the asker gives up."""
        execution.record_failure("failure", error)
        execution.replica.finish(execution)

    def abandoned(self, execution) -> None:
        """Send no answer, because the replica crashed."""

    def _answer(self, answer: tuple[Any, str]) -> None:
        execution = self.execution
        if execution.dead or not execution.replica.up:
            return
        asker, answerer = execution.replica.service, self.handler.service
        cut = "cut off" * asker.cut or f"cut off from {answerer}" * (answerer in asker.cuts)
        detail = cut or (answer[1] if self.timer.live else TOO_LATE)
        actor, struck = execution.replica.actor, "cut" if cut else None
        execution.world.record_step("answer", actor, self.envelope, fault=struck, detail=detail)
        if self.timer.live and not cut:
            self.timer.cancel()
            execution.resume(answer[0])

    def _give_up(self, _) -> None:
        execution, service = self.execution, self.handler.service
        if not execution.dead:
            execution.world.record_step("timeout", execution.replica.actor, self.envelope)
            execution.resume(Unanswered(service, self.envelope.type, self.timeout / 1000))

    def __repr__(self) -> str:
        return f"ctx.ask({type(self.argument).__name__}(...))"


def _wire_answer(execution, answer: Any) -> tuple[Any, str]:
    """A copy of an answer, and its text in the record. Raises Misuse for data that no message could carry."""
    try:
        answer = deepcopy(answer)
        why = "" if isinstance(answer, Refused) else unfit(answer)
    except Exception as error:  # of the learner's own classes, too
        why = shortened(str(error))
    if why:
        raise execution.refuse(f"answers {shown(answer)}, which no message could carry: {why}")
    if isinstance(answer, set | frozenset):
        kind = type(answer).__name__
        raise execution.refuse(
            f"answers a {kind}, whose order differs from run to run; answer sorted(...)"
        )
    return answer, answer.note if isinstance(answer, Refused) else to_json(answer).decode()

"""Replicas with a limited number of workers: other work waits in line, or is turned away if the line is full."""

from collections import deque
from typing import TYPE_CHECKING, Any

from ..model import Handler
from .execution import Execution
from .faults import Fault
from .replicas import Replica

if TYPE_CHECKING:
    from .queues import WorkQueue
    from .readers import Reader


class LimitedReplica(Replica):
    """A replica whose `workers` limit how much it handles and answers at once. A tick needs no worker.

    line: the questions, and the sources of messages, that wait for a worker, in order of arrival. A waiting message
        stays with its broker. At most `waiting` questions are in line."""

    def __init__(self, service: Any, number: int):
        super().__init__(service, number)
        self.workers: int = service.workers
        self.line: deque[Execution | Reader | WorkQueue] = deque()
        self.handing_out = False

    @property
    def at_work(self) -> int:
        """The number of workers that are busy. A message occupies one from its fetch on."""
        work = (one.item is not None or isinstance(one.handler, Handler) for one in self.running)
        return sum(work) + (self.busy is not None)

    @property
    def questions(self) -> list[Execution]:
        """The questions and asked commands in line."""
        return [one for one in self.line if isinstance(one, Execution)]

    def admits(self, execution: Execution) -> bool:
        """Whether a worker is free for a question. If not, the question joins the line or is turned away."""
        if self.at_work < self.workers and not self.line:
            return True
        del self.running[execution]
        most, ahead = self.service.most_waiting, len(self.questions)
        if most is not None and ahead >= most:
            execution.record_step("busy", None, f"{self.at_work} at work, {ahead} in line")
            execution.source.turn_away(execution)
        else:
            self.line.append(execution)
            execution.record_step("waiting", None, f"{ahead} before it")
        return False

    def has_room(self, source: "Reader | WorkQueue") -> bool:
        """Whether a worker is free for a message. If not, its source joins the line."""
        room = self.at_work < self.workers and (self.handing_out or not self.line)
        if not room and source not in self.line:
            self.line.append(source)
        return room

    def offer(self, source: "Reader | WorkQueue") -> None:
        """Fetch a message from a source, now or when a worker is free."""
        if self.busy is not None or not self.reachable or self.has_room(source):
            super().offer(source)

    def release(self, execution: Execution | None) -> None:
        """Free the worker of a message."""
        super().release(execution)
        while self.sources and self.busy is None and self.reachable:
            self.offer(self.sources.popleft())  # joins the line if no worker is free
        self._hand_out()

    def finish(self, execution: Execution) -> None:
        """Free the worker of a question, or end a tick."""
        super().finish(execution)
        self._hand_out()

    def _hand_out(self) -> None:
        """Give free workers to what has waited longest, including questions whose asker has given up."""
        if self.handing_out:  # what begins here may also end here
            return
        self.handing_out = True
        while self.line and not self.paused and self.at_work < self.workers:
            first = self.line.popleft()
            if isinstance(first, Execution):
                self.running[first] = None
                first.begin(first.source.handler)
            elif first.partition is None:  # a queue, which may hand out several at once
                first.offer()
            else:
                self.offer(first)
        self.handing_out = False

    def in_flight(self) -> list[Execution]:
        """The executions that it fetches, handles and answers, and the questions in line."""
        return super().in_flight() + self.questions

    def crash(self, fault: Fault) -> None:
        """Crash. The questions in line are lost, too."""
        waited = self.questions
        super().crash(fault)
        self.line.clear()
        for execution in waited:
            execution.record_step("lost", None, f"{self.service.name} crashed")

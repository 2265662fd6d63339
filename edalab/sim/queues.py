"""Work queues: each message goes to one free replica, until it is acknowledged or dead-lettered."""

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Any

from ..errors import Refused, counted
from ..model import Envelope, Queue
from .channels import Channel
from .clock import DELAY, DELIVER
from .execution import Execution
from .faults import action_of
from .replicas import Replica
from .services import ServiceRuntime
from .steps import NOT_ACKNOWLEDGED, TOO_LATE


@dataclass(slots=True, eq=False)
class Item:
    """A message in a queue, and how often it was handed out."""

    envelope: Envelope
    attempt: int = 0
    execution: Any = None  # the last Execution that it was handed to
    timer: Any = None  # a Timer: the wait for its acknowledgement
    delayed: bool = False  # a fault delayed it, and does not strike it again


class WorkQueue(Channel):
    """A queue and its consumers: the replicas of every service that handles its messages."""

    publishes = True  # what a handler returns
    partition = None
    skip_fetch = False

    def __init__(self, world, declared: Queue):
        super().__init__(world, declared.name)
        self.max_attempts = declared.max_attempts  # None: the handler's own
        self.ordered_by_key = declared.ordered_by_key
        self.ack_wait = round(declared.ack_wait * 1000)
        self.prefetch = declared.prefetch
        self.parallel = declared.prefetch > 1  # handled in parallel with a replica's other work
        self.most, self.rejects = declared.max_length or inf, declared.overflow == "reject"
        self.arrives: dict[Replica, int] = {}  # when the last message handed to it arrives
        self.ready: deque[Item] = deque()
        self.open: dict[Item, None] = {}  # unfinished, as an ordered set
        self.consumers: list[Replica] = []
        self.turn = 0

    def subscribe(self, service: ServiceRuntime) -> None:
        """Add the replicas of a service to the consumers."""
        if self not in service.queues:
            service.queues.append(self)
            self.consumers += service.replicas
            self.offer()

    def lag(self, service: ServiceRuntime) -> int:
        """The number of unfinished messages that a service handles."""
        return sum(1 for item in self.open if service.handler(item.envelope.type))

    def append(self, envelope: Envelope) -> bool | None:
        """Store a message. A full queue rejects it, which returns True, or discards the oldest one."""
        if not self.handled_types.get(envelope.type):
            self.check_handled(envelope)
        if len(self.ready) >= self.most:
            if self.rejects:
                return True
            oldest = self.ready.popleft()
            del self.open[oldest]
            sender, why = (oldest.envelope.source, 1), f"{self.name} is full"
            self.world.record_step("discarded", sender, oldest.envelope, detail=why)
        item = Item(envelope)
        self.open[item] = None
        self.ready.append(item)
        self.offer()

    def offer(self) -> None:
        """Offer the ready messages to the consumers, who take turns."""
        if self.parallel:
            while self.ready and any(map(self._is_fetched_by, self._in_turn())):
                pass
            return
        for replica in self._in_turn():
            if not self.ready:
                return
            replica.offer(self)

    def _in_turn(self) -> list[Replica]:
        return self.consumers[self.turn :] + self.consumers[: self.turn]

    def _is_fetched_by(self, replica: Replica) -> bool:
        """Fetch one more message for a replica, up to the prefetch. Returns whether there was one."""
        has = sum(execution.source is self for execution in replica.running)
        if has >= self.prefetch or not replica.reachable or not replica.has_room(self):
            return False
        execution = self.next_execution(replica)
        if execution is None:
            return False
        replica.running[execution] = None
        world = self.world
        at = world.now + replica.service.latency(DELIVER)
        at = max(at, self.arrives.get(replica, 0))  # a connection keeps its order
        self.arrives[replica] = at
        world.schedule(at, self.deliver, execution)
        return True

    def next_execution(self, replica: Replica) -> Execution | None:
        """An execution for the oldest message that `replica` can handle."""
        for item in self.ready:
            if self._is_for(replica, item):
                self.ready.remove(item)
                self.turn = (self.consumers.index(replica) + 1) % len(self.consumers)
                more = self.ready and not self.parallel  # for when it is free again
                if more and self not in replica.sources:
                    replica.sources.append(self)
                execution = Execution(replica, self, item.envelope)
                execution.item = item
                return execution
        return None

    def _is_for(self, replica: Replica, item: Item) -> bool:
        """Whether a replica can handle a message now."""
        envelope, key = item.envelope, item.envelope.subject
        if envelope.type not in replica.version.handlers or envelope.source in replica.service.cuts:
            return False
        # Never twice at once, because the record could not tell the two apart.
        if self.prefetch > 1 and envelope.id in [one.envelope.id for one in replica.running]:
            return False
        if not self.ordered_by_key or key is None:
            return True
        return next(other for other in self.open if other.envelope.subject == key) is item

    def _put_back(self, item: Item) -> None:
        """Make an item ready again, before those that came after it."""
        if item in self.open:
            self.ready.appendleft(item)
            if self.prefetch > 1:  # several may come back at once, and keep their order
                ready = {*self.ready}
                self.ready = deque(one for one in self.open if one in ready)
            self.offer()

    def deliver(self, execution: Execution) -> None:
        """Deliver and handle a message. Unless it is acknowledged in time, it is handed out again."""
        if execution.dead:
            return
        replica, item, world = execution.replica, execution.item, self.world
        kept_back = item.envelope.source in replica.service.cuts
        if item not in self.open or not replica.reachable or kept_back:
            replica.release(execution)
            self._put_back(item)
            return
        execution.attempt = item.attempt + 1
        if self.deadlines and self.has_expired(execution):
            self._remove(item)
            replica.release(execution)
            return
        handler = replica.version.handlers[item.envelope.type]
        at_most_once = handler.delivery == "at-most-once"
        item.attempt, item.execution = execution.attempt, execution
        fault = None if item.delayed else execution.reach("deliver")
        action = action_of(fault, "drop", "duplicate", "delay")
        item.delayed = action == "delay"
        if fault is None or action == "duplicate":
            item.timer = world.timer(self.ack_wait, self._expired, item)
            execution.redeliver = action == "duplicate"
            if not at_most_once or self._survives_ack(execution):
                execution.begin(handler)
            return
        if action == "delay":
            item.attempt -= 1
            after = max(fault.lasts(DELAY) - DELIVER, 0)
            world.schedule(world.now + after, self._put_back, item)
        elif at_most_once:
            execution.record_step("lost", "drop", "dropped on its way; at most once")
            self._remove(item)
        else:
            item.timer = world.timer(self.ack_wait, self._expired, item)
        replica.release(execution)

    def extend(self, execution: Execution) -> None:
        """Restart the wait for an acknowledgement, unless it has run out."""
        item, prevented, why = execution.item, None, None
        if execution.replica.service.cut:
            prevented = "cut"
        elif item not in self.open:
            why = "no longer in the queue"
        elif not item.timer.live or item.attempt != execution.attempt:  # the wait has run out
            why = TOO_LATE
        execution.record_step("in_progress", prevented, why)
        if prevented is why is None:
            item.timer.cancel()
            item.timer = self.world.timer(self.ack_wait, self._expired, item)

    def abandoned(self, execution: Execution) -> None:
        """After a crash, put back a message that had not arrived. One that had arrived waits for its time-out."""
        if execution.attempt is None:
            self._put_back(execution.item)
        self._deliver_copy(execution)

    def _expired(self, item: Item) -> None:
        if item.attempt < self._limit(item):
            self._put_back(item)
        else:
            self.give_up(item)

    def give_up(self, item: Item) -> None:
        """Dead-letter a message whose last attempt was not acknowledged in time."""
        attempts = counted(item.attempt, "attempt")
        why = f"{NOT_ACKNOWLEDGED} after {attempts}; to {self.came_from}.dlq"
        item.execution.record_step("dead_letter", None, why)
        self.world.dead_letters.add(item.execution, self.came_from)
        self._remove(item)

    def _limit(self, item: Item) -> int:
        handler = item.execution.replica.service.handler(item.envelope.type)
        return self.max_attempts or handler.max_attempts

    def _remove(self, item: Item) -> None:
        self.open.pop(item, None)
        if item.timer is not None:
            item.timer.cancel()
        if item in self.ready:
            self.ready.remove(item)
        if self.ordered_by_key:
            self.offer()  # the next one of its key

    # -- how it ended

    def handled(self, execution: Execution, result: object) -> None:
        """Acknowledge the message, unless that was done before the handling."""
        note = result.note if isinstance(result, Refused) else None
        if execution.handler.delivery == "at-most-once":
            execution.record_step("done", None, note)
        elif not self._survives_ack(execution, note):
            return
        self._release(execution)

    def _survives_ack(self, execution: Execution, note: str | None = None) -> bool:
        """Reach the `ack` point. Returns False only if the replica crashed. After a lost ack the message stays open."""
        prevented = execution.acknowledge("ack", note=note)
        item, again = execution.item, self.ordered_by_key and execution.redeliver
        if prevented is None and again and execution.handler is not None:  # not at most once
            execution.redeliver = False  # the same item, so that its key waits for it
            item.timer.cancel()
            self.world.schedule(self.world.now, self._put_back, item)
        elif prevented is None:
            self._remove(item)
        return prevented != "crash"

    def failed(self, execution: Execution, error: Exception) -> None:
        """Return the message to the queue for a retry, or dead-letter it after the last attempt."""
        item = execution.item
        at_most_once = execution.handler.delivery == "at-most-once"
        has_it = item.execution is execution and item.timer.live
        if at_most_once and item not in self.open:
            execution.record_failure("lost", error)
        elif at_most_once or not has_it or execution.replica.service.cut:
            execution.record_failure("failure", error, "; its message is handed out by time-out")
        else:
            after = self.retry_after(execution, error, self._limit(item), item.attempt)
            if after is None:
                self._remove(item)
            else:
                item.timer.cancel()
                self.world.schedule(self.world.now + after - DELIVER, self._put_back, item)
        self._release(execution)

    def _release(self, execution: Execution) -> None:
        execution.replica.release(execution)
        self._deliver_copy(execution)

    def _deliver_copy(self, execution: Execution) -> None:
        """Hand the same message out again after this handling, if a `duplicate` struck its delivery. (In a queue
        ordered by key the item itself stays open and is handed out again.)"""
        begun = execution.handler
        at_most_once = begun is not None and begun.delivery == "at-most-once"
        if execution.redeliver and (at_most_once or not self.ordered_by_key):
            again = Item(execution.envelope, execution.item.attempt)
            self.open[again] = None
            self._put_back(again)

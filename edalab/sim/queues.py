"""A work queue hands each message to one free replica, until it is acknowledged or goes to the dead letters."""

from collections import deque

from ..errors import Refused
from ..model import Envelope
from .clock import ACK, DELAY, DELIVER, RETRY
from .faults import action_of


class Item:
    """A message in a queue: how often it was handed out, and whether it is done with."""

    __slots__ = ("envelope", "attempt", "timer", "delayed", "done", "actor", "holder")

    def __init__(self, envelope: Envelope, attempt: int = 0):
        self.envelope, self.attempt = envelope, attempt
        self.timer = self.actor = None
        self.holder = None  # the execution that has it, until its time is up
        self.delayed = self.done = False


class WorkQueue:
    """A queue and its consumers: the replicas of every service that handles what is in it."""

    confirms = True
    publishes = True  # what a handler returns
    partition = None
    fetch_time = DELIVER

    def __init__(self, world, name: str, max_attempts: int | None):
        self.world, self.name = world, name
        self.max_attempts = max_attempts  # None: the handler's own
        self.ready: deque[Item] = deque()
        self.open: dict[Item, None] = {}  # not yet done with, as an ordered set
        self.consumers: list = []  # replicas
        self.heard: dict[str, bool] = {}
        self.turn = 0

    def lag(self, service) -> int:
        return sum(1 for item in self.open if service.handler(item.envelope.type))

    def append(self, envelope: Envelope) -> None:
        """A message joins the queue."""
        if envelope.type not in self.heard:
            self._introduce(envelope.type)
        if not self.heard[envelope.type]:
            self.world.unheard[envelope.type] = self.world.unheard.get(envelope.type, 0) + 1
        item = Item(envelope)
        self.open[item] = None
        self.ready.append(item)
        self.offer()

    def _introduce(self, type_name: str) -> None:
        services = [
            service for service in self.world.services.values() if service.handler(type_name)
        ]
        for service in services:
            if self not in service.queues:
                service.queues.append(self)
                self.consumers += service.replicas
        self.heard[type_name] = bool(services)

    def offer(self) -> None:
        """Offer what is ready to the consumers, who take turns."""
        consumers = self.consumers[self.turn :] + self.consumers[: self.turn]
        for replica in consumers:
            if not self.ready:
                return
            replica.offer(self)

    def assign(self, replica):
        """An execution for the oldest message that `replica` can handle, or None."""
        for item in self.ready:
            if replica.service.handler(item.envelope.type):
                self.ready.remove(item)
                self.turn = (self.consumers.index(replica) + 1) % len(self.consumers)
                if self.ready and self not in replica.waiting:  # more, for when it is free again
                    replica.waiting.append(self)
                execution = replica.new_execution(self, item.envelope)
                execution.item = item
                return execution
        return None

    def _back(self, item: Item) -> None:
        """An item is ready again, before those that came after it."""
        if not item.done:
            self.ready.appendleft(item)
            self.offer()

    def deliver(self, execution) -> None:
        """The message is handed over, and handled; unless it is acknowledged in time, it is handed out again."""
        if execution.dead:
            return
        replica, item = execution.replica, execution.item
        if item.done or not replica.reachable:  # acknowledged, or out of reach
            replica.release(execution)
            self._back(item)
            return
        handler = replica.service.handler(item.envelope.type)
        at_most_once = handler.delivery == "at-most-once"
        item.attempt += 1
        execution.attempt, item.actor = item.attempt, replica.actor
        fault = None
        if not item.delayed:
            fault = execution.reach("deliver")
        item.delayed = False
        does = action_of(fault, "drop", "duplicate", "delay")
        if does == "delay":
            item.attempt -= 1
            item.delayed = True
            after = max(fault.lasts(DELAY) - DELIVER, 0)
            self.world.schedule(self.world.now + after, self._back, item)
            replica.release(execution)
            return
        if does == "drop" and at_most_once:
            execution.record_step("lost", "drop", "dropped on its way; at most once")
            self._done(item)
            replica.release(execution)
            return
        item.timer = self.world.timer(ACK, self._expired, (item, item.attempt))
        if does == "drop":
            replica.release(execution)
            return
        item.holder = execution
        execution.redeliver = does == "duplicate"
        if at_most_once and not self._acked(execution):
            return
        execution.begin(handler)

    def abandoned(self, execution) -> None:
        """The replica crashed: a message that had not arrived stays, one that had waits for its time-out."""
        if execution.attempt is None:
            self._back(execution.item)
        self._deliver_copy(execution)

    def _expired(self, handed_out: tuple[Item, int]) -> None:
        item, attempt = handed_out
        if item.done or item.attempt != attempt:
            return
        item.holder = None
        if attempt < self._limit(item):
            self._back(item)
            return
        why = f"not acknowledged after {attempt} attempt{'s' if attempt > 1 else ''}; to {self.name}.dlq"
        self.world.record_step(
            "dead_letter", item.actor, item.envelope, None, None, attempt, None, why
        )
        self._done(item)

    def _limit(self, item: Item) -> int:
        return (
            self.max_attempts
            or self.world.services[item.actor[0]].handler(item.envelope.type).max_attempts
        )

    def _done(self, item: Item) -> None:
        item.done = True
        self.open.pop(item, None)
        if item.timer is not None:
            item.timer.cancel()
        if item in self.ready:
            self.ready.remove(item)

    # -- how it ended

    def handled(self, execution, result) -> None:
        note = result.note if isinstance(result, Refused) else None
        if execution.handler.delivery == "at-most-once":
            execution.record_step("done", None, note)
        elif not self._acked(execution, note):
            return
        self._release(execution)

    def _acked(self, execution, note: str | None = None) -> bool:
        """Reach the `ack` point. False only if the replica crashed; after a lost ack the message stays open."""
        cut = execution.replica.service.cut
        fault = execution.fault_at("ack", execution.envelope.type, ineffective=cut)
        does = action_of(fault, "crash", "lose") or ("cut" if cut else None)
        execution.record_step("ack", does, note)
        if does == "crash":
            execution.replica.crash(fault)
            return False
        if does is None:
            self._done(execution.item)
        return True

    def failed(self, execution, error: Exception) -> None:
        """Given back, to be handed out again after a while; after the last attempt dead-lettered."""
        item = execution.item
        at_most_once = execution.handler.delivery == "at-most-once"
        if at_most_once and item.done:
            execution.record_failure("lost", error)
        elif (
            at_most_once
            or item.done
            or item.holder is not execution
            or execution.replica.service.cut
        ):
            execution.record_failure("failure", error, "; its message is handed out by time-out")
        elif item.attempt >= self._limit(item):
            execution.record_failure("dead_letter", error, f"; to {self.name}.dlq")
            self._done(item)
        else:
            after = RETRY * item.attempt
            execution.record_failure("retry", error, f"; again in {after / 1000:g} s")
            item.timer.cancel()
            item.holder = None
            self.world.schedule(self.world.now + after - DELIVER, self._back, item)
        self._release(execution)

    def _release(self, execution) -> None:
        execution.replica.release(execution)
        self._deliver_copy(execution)

    def _deliver_copy(self, execution) -> None:
        """A `duplicate` struck its delivery: the same message comes once more after this handling."""
        if execution.redeliver:
            again = Item(execution.envelope, execution.item.attempt)
            self.open[again] = None
            self._back(again)

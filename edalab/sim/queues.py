"""A work queue hands each message to one free replica, until it is acknowledged or goes to the dead letters."""

from collections import deque

from ..errors import Refused
from ..model import Envelope
from .clock import ACK, DELAY, DELIVER, RETRY, milliseconds


class Item:
    """A message in a queue: how often it was handed out, and whether it is done with."""

    __slots__ = ("envelope", "attempt", "timer", "delayed", "done", "actor", "holder")

    def __init__(self, envelope: Envelope, attempt: int = 0):
        self.envelope, self.attempt = envelope, attempt
        self.timer = self.actor = None
        self.holder = None  # the context that has it, until its time is up
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

    def lag(self, node) -> int:
        return sum(1 for item in self.open if node.handler(item.envelope.type))

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
        nodes = [node for node in self.world.services.values() if node.handler(type_name)]
        for node in nodes:
            if self not in node.queues:
                node.queues.append(self)
                self.consumers += node.replicas
        self.heard[type_name] = bool(nodes)

    def offer(self) -> None:
        """Offer what is ready to the consumers, who take turns."""
        consumers = self.consumers[self.turn :] + self.consumers[: self.turn]
        for replica in consumers:
            if not self.ready:
                return
            replica.offer(self)

    def assign(self, replica):
        """A context for the oldest message that `replica` can handle, or None."""
        for item in self.ready:
            if replica.node.handler(item.envelope.type):
                self.ready.remove(item)
                self.turn = (self.consumers.index(replica) + 1) % len(self.consumers)
                if (
                    self.ready and self not in replica.waiting
                ):  # there is more, for when it is free again
                    replica.waiting.append(self)
                ctx = replica.context(self, item.envelope)
                ctx._item = item
                return ctx
        return None

    def _back(self, item: Item) -> None:
        """An item is ready again, before those that came after it."""
        if not item.done:
            self.ready.appendleft(item)
            self.offer()

    def deliver(self, ctx) -> None:
        """The message is handed over, and handled; unless it is acknowledged in time, it is handed out again."""
        if ctx._dead:
            return
        replica, item = ctx._replica, ctx._item
        if (
            item.done or not replica.able
        ):  # acknowledged meanwhile, or out of reach: another may have it
            replica.release(ctx)
            self._back(item)
            return
        handler = replica.node.handler(item.envelope.type)
        at_most_once = handler.delivery == "at-most-once"
        item.attempt += 1
        ctx._attempt, item.actor = item.attempt, replica.actor
        fault = None
        if not item.delayed:
            fault = ctx._reach_here("deliver")
        item.delayed = False
        does = fault and fault.do
        if does == "delay":
            item.attempt -= 1
            item.delayed = True
            after = DELAY if fault.seconds is None else milliseconds(fault.seconds, "delay")
            self.world.at(
                self.world.now + after - DELIVER if after > DELIVER else self.world.now,
                self._back,
                item,
            )
            replica.release(ctx)
            return
        if does == "drop" and at_most_once:
            ctx._row("lost", "drop", "dropped on its way; at most once")
            self._done(item)
            replica.release(ctx)
            return
        item.timer = self.world.timer(ACK, self._expired, (item, item.attempt))
        if does == "drop":
            replica.release(ctx)
            return
        item.holder = ctx
        ctx._again = does == "duplicate"
        if at_most_once and not self._acked(ctx):
            return
        ctx._begin(handler)

    def abandoned(self, ctx) -> None:
        """The replica crashed: a message that had not arrived stays, one that had waits for its time-out."""
        if ctx._attempt is None:
            self._back(ctx._item)

    def _expired(self, handed_out: tuple[Item, int]) -> None:
        item, attempt = handed_out
        if item.done or item.attempt != attempt:
            return
        item.holder = None
        if attempt < self._limit(item):
            self._back(item)
            return
        why = f"not acknowledged after {attempt} attempt{'s' if attempt > 1 else ''}; to {self.name}.dlq"
        self.world.row("dead_letter", item.actor, item.envelope, None, None, attempt, None, why)
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

    def handled(self, ctx, result) -> None:
        note = result.note if isinstance(result, Refused) else None
        if ctx._handler.delivery == "at-most-once":
            ctx._row("done", None, note)
        elif not self._acked(ctx, note):
            return
        self._release(ctx)

    def _acked(self, ctx, note: str | None = None) -> bool:
        """The `ack` step: whether the replica survived it."""
        cut = ctx._replica.node.cut
        fault = ctx._reach("ack", ctx._envelope.type, ineffective=cut)
        does = fault.do if fault is not None else "cut" if cut else None
        ctx._row("ack", does, note)
        if does == "crash":
            ctx._replica.crash(fault)
            return False
        if does is None:
            self._done(ctx._item)
        return True

    def failed(self, ctx, error: Exception) -> None:
        """Given back, to be handed out again after a while; after the last attempt dead-lettered."""
        item = ctx._item
        at_most_once = ctx._handler.delivery == "at-most-once"
        if at_most_once and item.done:
            ctx._failure("lost", error)
        elif at_most_once or item.done or item.holder is not ctx or ctx._replica.node.cut:
            ctx._failure("failure", error, "; its message is handed out by time-out")
        elif item.attempt >= self._limit(item):
            ctx._failure("dead_letter", error, f"; to {self.name}.dlq")
            self._done(item)
        else:
            after = RETRY * item.attempt
            ctx._failure("retry", error, f"; again in {after / 1000:g} s")
            item.timer.cancel()
            item.holder = None
            self.world.at(self.world.now + after - DELIVER, self._back, item)
        self._release(ctx)

    def _release(self, ctx) -> None:
        ctx._replica.release(ctx)
        if (
            ctx._again
        ):  # the broker hands the same message out once more, whatever became of the first
            again = Item(ctx._envelope, ctx._item.attempt)
            self.open[again] = None
            self._back(again)

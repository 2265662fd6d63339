"""A topic is a log: it keeps its messages in partitions, and each group has a position in each partition."""

from zlib import crc32

from ..model import Envelope, Topic
from .clock import DELAY, DELIVER, REFETCH, RETRY, milliseconds
from .context import Context
from .limits import MOST_ATTEMPTS


class Log:
    """The partitions of a topic, and who reads them."""

    def __init__(self, world, topic: Topic):
        self.world, self.name, self.confirms = world, topic.name, topic.confirms
        self.partitions: list[list[Envelope]] = [[] for _ in range(topic.partitions)]
        self.readers: list[list[Reader]] = [[] for _ in range(topic.partitions)]
        self.heard: dict[str, bool] = {}  # whether anybody subscribes, by type
        self.turn = 0

    def append(self, envelope: Envelope) -> None:
        """A message takes the next offset of its partition: that of its key, or the next in turn."""
        heard = self.heard.get(envelope.type)
        if heard is None:
            heard = self._introduce(envelope.type)
        if not heard:
            self.world.unheard[envelope.type] = self.world.unheard.get(envelope.type, 0) + 1
        many = len(self.partitions)
        if many == 1:
            partition = 0
        elif envelope.subject is None:
            partition = self.turn % many
            self.turn += 1
        else:  # crc32, not hash(): str hashes change from one process to the next
            partition = crc32(envelope.subject.encode()) % many
        self.partitions[partition].append(envelope)
        for reader in self.readers[partition]:
            if not reader.engaged:
                reader.wake()

    def _introduce(self, type_name: str) -> bool:
        """The first message of a type: its subscribers read this log from here on, if they did not before."""
        nodes = [node for node in self.world.services.values() if node.handler(type_name)]
        for node in nodes:
            if not any(reader.log is self for reader in node.readers):
                for number, readers in enumerate(self.readers):
                    readers.append(Reader(self, number, node))
        self.heard[type_name] = bool(nodes)
        return bool(nodes)


class Reader:
    """One group's reading of one partition: its position in memory, its committed offset, and the replica that owns it.
    The epoch counts owners and restarts, so that what an old owner still does is known as such."""

    publishes = True  # what a handler returns
    __slots__ = (
        "log", "partition", "node", "records", "position", "committed", "owner", "engaged", "ctx", "epoch", "failures",
        "attempts", "handler", "fetch_time", "again", "drops", "moves",
    )  # fmt: skip

    def __init__(self, log: Log, partition: int, node):
        self.log, self.partition, self.node = log, partition, node
        self.records = log.partitions[partition]
        self.position = self.committed = len(self.records)
        self.owner = node.replicas[partition % len(node.replicas)]
        self.attempts: dict[int, int] = {}  # of offsets that may be handled again
        self.epoch = 0
        node.readers.append(self)
        self.moves = False  # its owner is to change when the message in hand is done with
        self._reset()
        self.assign_owner()

    def _reset(self) -> None:
        self.engaged = False  # a message is being fetched, handled or waited for
        self.ctx = None
        self.failures = self.drops = 0
        self.fetch_time = DELIVER  # 0: the message at the position has been handed over already
        self.again = False  # it shall be handed over once more

    def lag(self) -> int:
        return sum(
            1 for envelope in self.records[self.committed :] if self.node.handler(envelope.type)
        )

    # -- ownership

    def assign_owner(self) -> None:
        """Partition p belongs to live replica p mod n; what its live owner is handling, it may finish."""
        self.moves = False
        members = self.node.members()
        target = members[self.partition % len(members)] if members else self.owner
        if target is not self.owner:
            if self.ctx is not None and self.owner.in_session():
                self.moves = True
                return
            detail = f"{self.log.name} partition {self.partition} from replica {self.owner.number}"
            self.node.world.row(
                "takeover", target.actor, None, self.partition, self.committed, None, None, detail
            )
            if self in self.owner.waiting:
                self.owner.waiting.remove(self)
            self.owner = target
            self.rewind()
        if not self.engaged:
            self.wake()

    def rewind(self) -> None:
        """Back to the committed offset; what was in flight belongs to the past."""
        if self.ctx is not None and self.ctx._attempt:
            self.attempts[self.ctx._offset] = self.ctx._attempt
        self.epoch += 1
        self.position = self.committed
        self._reset()

    # -- one message

    def wake(self) -> None:
        """Fetch the next message that this group handles, if there is one."""
        records = self.records
        while self.position < len(records):
            self.handler = self.node.handler(records[self.position].type)
            if self.handler is not None:
                if self.owner.up:
                    self.engaged = True
                    self.owner.offer(self)
                return
            self.position += 1  # a type that nobody here handles is passed over
            if self.committed == self.position - 1:
                self.committed = self.position

    def assign(self, replica):
        """A context for the next message, fetched by `replica`; None where it is no longer its business."""
        if self.owner is not replica or self.ctx is not None or not self.engaged:
            return None
        self.ctx = ctx = Context(self.log.world, replica, self, None, self.epoch)
        return ctx

    def deliver(self, ctx) -> None:
        """The message at the position is handed over, and handled."""
        world, replica, handler = self.log.world, ctx._replica, self.handler
        if self.node.faulty and not self._reaches(ctx, replica):
            return
        offset = ctx._offset = self.position
        ctx._envelope = envelope = self.records[offset]
        ctx._attempt = attempt = self.attempts.pop(offset, 0) + 1 if self.attempts else 1
        at_most_once = handler.delivery == "at-most-once"
        if (
            self.fetch_time and not self.node.faulty and not at_most_once
        ):  # nothing can strike: two steps at once
            now, actor, partition = world.now, replica.actor, self.partition
            world.record += (
                now, "deliver", actor, envelope, partition, offset, attempt, None, None,
                now, "handle", actor, envelope, partition, offset, attempt, None, None,
            )  # fmt: skip
            ctx._run(handler)
            return
        if self.fetch_time and not self._handed_over(ctx, at_most_once):
            return
        if at_most_once:
            fault = ctx._reach_here("commit")
            if fault is None:
                self.committed = offset + 1
            elif fault.do == "crash":
                ctx._attempt -= 1
                replica.crash(fault)
                return
            else:  # not committed: it may come again
                self.attempts[offset] = attempt
        ctx._begin(handler)

    def _reaches(self, ctx, replica) -> bool:
        """Whether the replica that fetches is still there, still the owner, and within reach."""
        if ctx._dead:
            return False
        if replica.paused:
            replica.held.append((self.deliver, ctx))
            return False
        if ctx._epoch == self.epoch and not self.node.cut:
            return True
        if ctx._epoch == self.epoch:
            self.engaged, self.ctx = False, None
        replica.release(ctx)
        return False

    def _handed_over(self, ctx, at_most_once: bool) -> bool:
        """The `deliver` step: whether the message reached the consumer, now."""
        fault = ctx._reach_here("deliver")
        if fault is None:
            return True
        if fault.do == "duplicate":
            self.again = True
            return True
        world, replica = self.log.world, ctx._replica
        if fault.do == "drop" and at_most_once:
            self.committed = ctx._offset + 1
            ctx._row("lost", "drop", "dropped on its way; at most once")
            self._advance(ctx)
            return False
        self.attempts[ctx._offset] = ctx._attempt - 1
        self.ctx, ctx._attempt = None, None
        if fault.do == "drop":
            self.drops += 1
            if self.drops > MOST_ATTEMPTS:
                world.endless(
                    f"{ctx._envelope.type} to {self.node.name} is dropped again and again, over {MOST_ATTEMPTS:,} times"
                )
            world.at(world.now + REFETCH - DELIVER, self._offer_again, self.epoch)
        else:
            self.fetch_time = 0
            after = DELAY if fault.seconds is None else milliseconds(fault.seconds, "delay")
            world.at(world.now + after, self._offer_again, self.epoch)
        replica.release(ctx)
        return False

    def _offer_again(self, epoch: int) -> None:
        if epoch == self.epoch:
            self.owner.offer(self)

    # -- how it ended

    def handled(self, ctx, _) -> None:
        world = self.log.world
        if ctx._handler.delivery == "at-most-once":
            ctx._row("done")
            self._ended(ctx)
        elif self.node.faulty:
            self._commit(ctx)
        else:  # nothing can strike
            offset = ctx._offset
            world.record += (
                world.now, "commit", ctx._replica.actor, ctx._envelope, self.partition, offset, ctx._attempt, None, None,
            )  # fmt: skip
            self.committed = offset + 1
            self._advance(ctx)

    def failed(self, ctx, error: Exception) -> None:
        """Retried after a while, blocking the partition; after the last attempt dead-lettered."""
        if ctx._handler.delivery == "at-most-once":
            ctx._failure("lost", error)
            self._ended(ctx)
        elif ctx._epoch != self.epoch:
            ctx._failure("failure", error, "; its partition has a new owner")
            ctx._replica.release(ctx)
        else:
            self.failures += 1
            if self.failures >= ctx._handler.max_attempts:
                ctx._failure("dead_letter", error, f"; to {self.log.name}.dlq")
                self._commit(ctx)
                return
            world = self.log.world
            after = RETRY * self.failures
            ctx._failure("retry", error, f"; again in {after / 1000:g} s")
            self.attempts[ctx._offset] = ctx._attempt
            self.ctx, self.fetch_time = None, 0
            world.at(world.now + after, self._offer_again, self.epoch)
            ctx._replica.release(ctx)

    def abandoned(self, ctx) -> None:
        """The replica crashed: the replica rewinds its readers."""

    def _commit(self, ctx) -> None:
        fenced = ctx._epoch != self.epoch
        ineffective = "fenced" if fenced else "cut" if self.node.cut else None
        fault = ctx._reach("commit", ctx._envelope.type, ineffective=ineffective is not None)
        does = fault.do if fault is not None else ineffective
        ctx._row(
            "commit", does, "refused: its partition has a new owner" if does == "fenced" else None
        )
        if does == "crash":
            ctx._replica.crash(fault)
            return
        if does is None:
            self.committed = max(self.committed, ctx._offset + 1)
        elif not fenced:
            self.attempts[ctx._offset] = ctx._attempt
        self._ended(ctx)

    def _ended(self, ctx) -> None:
        if ctx._epoch == self.epoch:
            self._advance(ctx)
        else:
            ctx._replica.release(ctx)

    def _advance(self, ctx) -> None:
        self.position = ctx._offset + 1
        if self.again:
            self.attempts[ctx._offset] = ctx._attempt
            self.position = ctx._offset
            self.again = False
        self.engaged = False
        self.ctx = None
        self.fetch_time = DELIVER
        self.failures = self.drops = 0
        ctx._replica.release(ctx)
        if self.moves:
            self.assign_owner()
        else:
            self.wake()

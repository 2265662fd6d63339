"""A topic is a log: it keeps its messages in partitions, and each group has a position in each partition."""

from zlib import crc32

from ..model import Envelope, Topic
from .clock import DELAY, DELIVER, REFETCH, RETRY
from .execution import Execution
from .faults import action_of
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
        services = [
            service for service in self.world.services.values() if service.handler(type_name)
        ]
        for service in services:
            if not any(reader.log is self for reader in service.readers):
                for number, readers in enumerate(self.readers):
                    readers.append(Reader(self, number, service))
        self.heard[type_name] = bool(services)
        return bool(services)


class Reader:
    """One group's reading of one partition: its position in memory, its committed offset, and the replica that owns it.
    The epoch counts owners and restarts, so that what an old owner still does is known as such."""

    publishes = True  # what a handler returns
    __slots__ = (
        "log", "partition", "service", "records", "position", "committed", "owner", "engaged", "execution", "epoch", "failures",
        "attempts", "handler", "fetch_time", "again", "drops", "moves",
    )  # fmt: skip

    def __init__(self, log: Log, partition: int, service):
        self.log, self.partition, self.service = log, partition, service
        self.records = log.partitions[partition]
        self.position = self.committed = len(self.records)
        self.owner = service.replicas[partition % len(service.replicas)]
        self.attempts: dict[int, int] = {}  # by offset: the attempts made so far
        self.epoch = 0
        service.readers.append(self)
        self.moves = False  # its owner is to change when the message in hand is done with
        self._reset()
        self.assign_owner()

    def _reset(self) -> None:
        self.engaged = False  # a message is being fetched, handled or waited for
        self.execution = None
        self.failures = self.drops = 0
        self.fetch_time = (
            DELIVER  # 0: skip the fetch and the `deliver` point (a retry, or after a delay)
        )
        self.again = False  # a `duplicate` struck: hand the message over once more when it is done

    def lag(self) -> int:
        return sum(
            1 for envelope in self.records[self.committed :] if self.service.handler(envelope.type)
        )

    # -- ownership

    def assign_owner(self) -> None:
        """Partition p belongs to live replica p mod n; what its live owner is handling, it may finish."""
        self.moves = False
        members = self.service.members()
        target = members[self.partition % len(members)] if members else self.owner
        if target is not self.owner:
            if self.execution is not None and self.owner.in_session():
                self.moves = True
                return
            detail = f"{self.log.name} partition {self.partition} from replica {self.owner.number}"
            self.service.world.record_step(
                "takeover", target.actor, None, self.partition, self.committed, detail=detail
            )
            if self in self.owner.waiting:
                self.owner.waiting.remove(self)
            self.owner = target
            self.rewind()
        if not self.engaged:
            self.wake()

    def rewind(self) -> None:
        """Back to the committed offset; what was in flight belongs to the past."""
        if self.execution is not None and self.execution.attempt:
            self.attempts[self.execution.offset] = self.execution.attempt
        self.epoch += 1
        self.position = self.committed
        self._reset()

    # -- one message

    def wake(self) -> None:
        """Fetch the next message that this group handles, if there is one."""
        records = self.records
        while self.position < len(records):
            self.handler = self.service.handler(records[self.position].type)
            if self.handler is not None:
                if self.owner.up:
                    self.engaged = True
                    self.owner.offer(self)
                return
            self.position += 1  # a type that nobody here handles is passed over
            if self.committed == self.position - 1:
                self.committed = self.position

    def assign(self, replica):
        """An execution for the next message, if `replica` still owns the partition; otherwise None."""
        if self.owner is not replica or self.execution is not None or not self.engaged:
            return None
        self.execution = execution = Execution(self.log.world, replica, self, None, self.epoch)
        return execution

    def deliver(self, execution) -> None:
        """The message at the position is handed over, and handled."""
        world, replica, handler = self.log.world, execution.replica, self.handler
        if self.service.has_faults and not self._reaches(execution, replica):
            return
        offset = execution.offset = self.position
        execution.envelope = envelope = self.records[offset]
        execution.attempt = attempt = self.attempts.pop(offset, 0) + 1 if self.attempts else 1
        at_most_once = handler.delivery == "at-most-once"
        if (
            self.fetch_time and not self.service.has_faults and not at_most_once
        ):  # nothing can strike: two steps at once
            now, actor, partition = world.now, replica.actor, self.partition
            world.record += (
                now, "deliver", actor, envelope, partition, offset, attempt, None, None,
                now, "handle", actor, envelope, partition, offset, attempt, None, None,
            )  # fmt: skip
            execution.run(handler)
            return
        if self.fetch_time and not self._handed_over(execution, at_most_once):
            return
        if at_most_once:
            fault = execution.reach("commit")
            does = action_of(fault, "crash", "lose")
            if does is None:
                self.committed = offset + 1
            elif does == "crash":
                execution.attempt -= 1
                replica.crash(fault)
                return
            else:  # not committed: it may come again
                self.attempts[offset] = attempt
        execution.begin(handler)

    def _reaches(self, execution, replica) -> bool:
        """Whether the replica that fetches is still there, still the owner, and within reach."""
        if execution.dead:
            return False
        if replica.paused:
            replica.held.append((self.deliver, execution))
            return False
        if execution.epoch == self.epoch and not self.service.cut:
            return True
        if execution.epoch == self.epoch:
            self.engaged, self.execution = False, None
        replica.release(execution)
        return False

    def _handed_over(self, execution, at_most_once: bool) -> bool:
        """Reach the `deliver` point. False if the message was dropped or delayed."""
        fault = execution.reach("deliver")
        does = action_of(fault, "drop", "duplicate", "delay")
        if does is None:
            return True
        if does == "duplicate":
            self.again = True
            return True
        world, replica = self.log.world, execution.replica
        if does == "drop" and at_most_once:
            self.committed = execution.offset + 1
            execution.record_step("lost", "drop", "dropped on its way; at most once")
            self._advance(execution)
            return False
        self.attempts[execution.offset] = execution.attempt - 1
        self.execution, execution.attempt = None, None
        if does == "drop":
            self.drops += 1
            if self.drops > MOST_ATTEMPTS:
                world.endless(
                    f"{execution.envelope.type} to {self.service.name} is dropped again and again, over {MOST_ATTEMPTS:,} times"
                )
            world.schedule(world.now + REFETCH - DELIVER, self._offer_again, self.epoch)
        else:
            self.fetch_time = 0
            world.schedule(world.now + fault.lasts(DELAY), self._offer_again, self.epoch)
        replica.release(execution)
        return False

    def _offer_again(self, epoch: int) -> None:
        if epoch == self.epoch:
            self.owner.offer(self)

    # -- how it ended

    def handled(self, execution, _) -> None:
        world = self.log.world
        if execution.handler.delivery == "at-most-once":
            execution.record_step("done")
            self._ended(execution)
        elif self.service.has_faults:
            self._commit(execution)
        else:  # nothing can strike
            offset = execution.offset
            world.record += (
                world.now, "commit", execution.replica.actor, execution.envelope, self.partition, offset, execution.attempt, None, None,
            )  # fmt: skip
            self.committed = offset + 1
            self._advance(execution)

    def failed(self, execution, error: Exception) -> None:
        """Retried after a while, blocking the partition; after the last attempt dead-lettered."""
        if execution.handler.delivery == "at-most-once":
            execution.record_failure("lost", error)
            self._ended(execution)
        elif execution.epoch != self.epoch:
            execution.record_failure("failure", error, "; its partition has a new owner")
            execution.replica.release(execution)
        else:
            self.failures += 1
            if self.failures >= execution.handler.max_attempts:
                execution.record_failure("dead_letter", error, f"; to {self.log.name}.dlq")
                self._commit(execution)
                return
            world = self.log.world
            after = RETRY * self.failures
            execution.record_failure("retry", error, f"; again in {after / 1000:g} s")
            self.attempts[execution.offset] = execution.attempt
            self.execution, self.fetch_time = None, 0
            world.schedule(world.now + after, self._offer_again, self.epoch)
            execution.replica.release(execution)

    def abandoned(self, execution) -> None:
        """The replica crashed. Nothing to do here: `Replica.crash` rewinds its readers."""

    def _commit(self, execution) -> None:
        fenced = execution.epoch != self.epoch
        ineffective = "fenced" if fenced else "cut" if self.service.cut else None
        fault = execution.fault_at(
            "commit", execution.envelope.type, ineffective=ineffective is not None
        )
        does = action_of(fault, "crash", "lose") or ineffective
        execution.record_step(
            "commit", does, "refused: its partition has a new owner" if does == "fenced" else None
        )
        if does == "crash":
            execution.replica.crash(fault)
            return
        if does is None:
            self.committed = max(self.committed, execution.offset + 1)
        elif not fenced:
            self.attempts[execution.offset] = execution.attempt
        self._ended(execution)

    def _ended(self, execution) -> None:
        if execution.epoch == self.epoch:
            self._advance(execution)
        else:
            execution.replica.release(execution)

    def _advance(self, execution) -> None:
        self.position = execution.offset + 1
        if self.again:
            self.attempts[execution.offset] = execution.attempt
            self.position = execution.offset
            self.again = False
        self.engaged = False
        self.execution = None
        self.fetch_time = DELIVER
        self.failures = self.drops = 0
        execution.replica.release(execution)
        if self.moves:
            self.assign_owner()
        else:
            self.wake()

"""The readers of a group: one for each partition of a topic, with a position and an owner among the replicas."""

from typing import TYPE_CHECKING, Any

from .clock import DELAY, DELIVER, REFETCH
from .execution import Execution
from .faults import action_of
from .limits import MOST_ATTEMPTS
from .replicas import Replica
from .services import ServiceRuntime

if TYPE_CHECKING:
    from .logs import Log


class Reader:
    """One group's reading of one partition: its position, its committed offset, and the replica that owns it.

    The epoch counts owners and restarts. Work of an older epoch belongs to an old owner."""

    publishes = True  # what a handler returns

    def __init__(self, log: "Log", partition: int, service: ServiceRuntime, started: int):
        self.log, self.partition, self.service = log, partition, service
        self.records = log.partitions[partition]
        self.position = self.committed = self.started = started
        self.rewinds_to: int | None = None  # to this offset, after the message in hand
        self.owner: Replica = service.members[partition % len(service.members)]
        self.next_handler: Any = None  # of the message at the position
        self.attempts: dict[int, int] = {}  # by offset: those made so far, also before a crash
        self.epoch = 0
        self.moves = False  # whether its owner changes after the message in hand
        self.uncommitted = 0  # messages handled since the last commit, with `commit_every`
        service.readers.append(self)
        self._reset()
        self.rebalance()

    def _reset(self) -> None:
        self.engaged = False  # a message is being fetched, handled or waited for
        self.execution: Execution | None = None
        self.failures = self.drops = 0  # since the last restart
        self.skip_fetch = False  # the message has arrived: no fetch and no `deliver` point
        self.deliver_twice = False

    def lag(self) -> int:
        """The number of messages that this group handles and has not committed."""
        return self.log.count_for(self.service, self.records[self.committed :])

    # -- ownership

    def rebalance(self) -> None:
        """Assign partition p to live replica p mod n. A live owner finishes its message in hand first.
        An idle reader is woken, too: after a restart, this is what fetches again."""
        self.moves = False
        members = [replica for replica in self.service.members if replica.in_session()]
        target = members[self.partition % len(members)] if members else self.owner
        if target is not self.owner:
            if self.execution is not None and self.owner.in_session():
                self.moves = True
                return
            detail = f"{self.log.name} partition {self.partition} from replica {self.owner.number}"
            where = target.actor, None, self.partition, self.committed
            self.log.world.record_step("takeover", *where, detail=detail)
            if self in self.owner.sources:
                self.owner.sources.remove(self)
            self.owner = target
            self.back_to_commit()
        if not self.engaged:
            self.wake()

    def back_to_commit(self) -> None:
        """Return to the committed offset, or to that of a rewind. Work in flight becomes work of an old epoch."""
        if self.execution is not None and self.execution.attempt:
            self.attempts[self.execution.offset] = self.execution.attempt
        if self.rewinds_to is not None:
            where = self.owner.actor, None, self.partition, self.rewinds_to
            detail = f"{self.log.name} partition {self.partition} from offset {self.position}"
            self.log.world.record_step("rewind", *where, detail=detail)
            self.committed, self.rewinds_to, self.attempts = self.rewinds_to, None, {}
        self.position, self.uncommitted = self.committed, 0
        self.begin_anew()

    def rewind(self, offset: int) -> None:
        """Handle the messages from an offset on again, after the message in hand."""
        self.rewinds_to = offset
        if self.execution is None:
            self.back_to_commit()
            self.wake()

    def begin_anew(self) -> None:
        """Begin a message that waits for a retry anew, because the owner runs another version."""
        self.epoch += 1
        self._reset()

    # -- one message

    def wake(self) -> None:
        """Fetch the next message that this group handles, if there is one."""
        records = self.records
        while self.position < len(records):
            self.next_handler = self.owner.version.handlers.get(records[self.position].type)
            if self.next_handler is not None:
                if self.owner.up:
                    self.engaged = True
                    self.owner.offer(self)
                return
            self.position += 1  # skip a type that this group does not handle
            if self.committed == self.position - 1:
                self.committed = self.position

    def next_execution(self, replica: Replica) -> Execution | None:
        """An execution for the next message, if `replica` still owns the partition."""
        if self.owner is not replica or self.execution is not None or not self.engaged:
            return None
        self.execution = execution = Execution(replica, self, None, self.epoch)
        return execution

    def deliver(self, execution: Execution) -> None:
        """Deliver and handle the message at the position."""
        careful = self.service.careful
        if careful and not self._is_reached(execution):
            return
        offset = execution.offset = self.position
        execution.envelope = envelope = self.records[offset]
        execution.attempt = attempt = self.attempts.pop(offset, 0) + 1 if self.attempts else 1
        if careful or self.skip_fetch:
            self._deliver_with_care(execution, offset, attempt)
            return
        world, actor, partition = execution.world, execution.replica.actor, self.partition
        now = world.now
        world.record += (  # nothing can come between the two steps
            now, "deliver", actor, envelope, partition, offset, attempt, None, None,
            now, "handle", actor, envelope, partition, offset, attempt, None, None,
        )  # fmt: skip
        execution.run(self.next_handler)

    def _deliver_with_care(self, execution: Execution, offset: int, attempt: int) -> None:
        """Deliver and handle it where a fault, a bound or an early commit may come between."""
        log, handler = self.log, self.next_handler
        if log.retention and not self.skip_fetch and self._has_lost(execution):
            return
        if log.deadlines and not self.failures and log.has_expired(execution):
            self._has_committed(execution)
            self._advance(execution)
            return
        at_most_once = handler.delivery == "at-most-once"
        if not self.skip_fetch and not self._is_handed_over(execution, at_most_once):
            return
        if log.interval:
            execution.deadline = log.world.timer(log.interval, execution.replica.evict, execution)
        if at_most_once:
            prevented = execution.acknowledge("commit")
            if prevented is None:
                self.committed = offset + 1
            elif prevented == "crash":
                self.attempts[offset] = attempt - 1  # the handler did not begin
                return
            else:
                self.attempts[offset] = attempt  # it may be delivered again
        execution.begin(handler)

    def _has_lost(self, execution: Execution) -> bool:
        """Whether the message was removed before this group read it. If so, continue at the first one left."""
        handler, first = self.service.handler, self.log.first_kept(self.partition)
        gone = [at for at in range(self.position, first) if handler(self.records[at].type)]
        if not gone:
            return False
        execution.attempt = None  # pyrefly: ignore[bad-assignment]
        for number, offset in enumerate(gone, 1):
            execution.offset, execution.envelope = offset, self.records[offset]
            why = f"removed after {self.log.retention / 1000:g} s, {number} of {len(gone)}"
            execution.record_step("discarded", None, why)
        self._has_committed(execution)
        self._advance(execution)
        return True

    def _is_reached(self, execution: Execution) -> bool:
        """Whether the fetching replica is still up, still the owner, and within reach."""
        if execution.dead or execution.replica.hold_back(self.deliver, execution):
            return False
        if execution.epoch == self.epoch:
            until = self.service.cuts.get(self.records[self.position].source)
            kept_back = until is not None and not self.failures  # a retry already has its message
            if not (kept_back or self.service.cut):
                return True
            if kept_back:
                self.log.world.schedule(until, self._offer_again, self.epoch)
            self.engaged, self.execution = kept_back, None
        execution.replica.release(execution)
        return False

    def _is_handed_over(self, execution: Execution, at_most_once: bool) -> bool:
        """Reach the `deliver` point. Returns False if the message was dropped or delayed."""
        fault = execution.reach("deliver")
        action = action_of(fault, "drop", "duplicate", "delay")
        if action in (None, "duplicate"):
            self.deliver_twice = action == "duplicate"
            return True
        if fault is not None and action == "delay":
            self.skip_fetch = True
            self._offer_later(execution, fault.lasts(DELAY), execution.attempt - 1)
        elif at_most_once:
            self.committed = execution.offset + 1
            execution.record_step("lost", "drop", "dropped on its way; at most once")
            self._advance(execution)
        else:
            self.drops += 1
            if self.drops > MOST_ATTEMPTS:
                what = f"{execution.envelope.type} to {self.service.name}"
                often = f"is dropped again and again, over {MOST_ATTEMPTS:,} times"
                self.log.world.endless(f"{what} {often}")
            self._offer_later(execution, REFETCH - DELIVER, execution.attempt - 1)
        return False

    def _offer_later(self, execution: Execution, after: int, attempts: int) -> None:
        """Fetch the message again in `after` ms. `attempts` is the number of attempts made so far."""
        self.attempts[execution.offset] = attempts
        self.execution = None
        world = self.log.world
        world.schedule(world.now + after, self._offer_again, self.epoch)
        self._let_go(execution)

    def _offer_again(self, epoch: int) -> None:
        if epoch == self.epoch:
            self.owner.offer(self)

    # -- how it ended

    def handled(self, execution: Execution, _result: object) -> None:
        """Commit the offset, unless that was done before the handling."""
        if not (self.service.careful or self.failures or execution.epoch != self.epoch):
            world, offset = execution.world, execution.offset
            world.record += (
                world.now, "commit", execution.replica.actor, execution.envelope, self.partition, offset, execution.attempt, None, None,
            )  # fmt: skip
            self.position = self.committed = offset + 1
            if self.attempts:
                self._has_committed(execution)
            self.engaged, self.execution = False, None
            execution.replica.release(execution)
            self.wake()
        elif execution.handler.delivery == "at-most-once":
            execution.record_step("done")
            self._advance(execution)
        elif execution.handler.commit_every > 1 and not self._is_due(execution):
            execution.record_step("done")
            self.attempts[execution.offset] = execution.attempt  # it may be delivered again
            self._advance(execution)
        else:
            self._commit(execution)

    def failed(self, execution: Execution, error: Exception) -> None:
        """Retry later, which blocks the partition, or dead-letter the message after the last attempt."""
        if execution.handler.delivery == "at-most-once":
            execution.record_failure("lost", error)
            self._advance(execution)
        elif execution.epoch != self.epoch:
            execution.record_failure("failure", error, f"; {execution.fenced_because}")
            self._advance(execution)
        else:
            self.failures += 1
            most = execution.handler.max_attempts
            after = self.log.retry_after(execution, error, most, self.failures)
            if after is None:
                self._commit(execution)
            else:
                self.skip_fetch = True
                self._offer_later(execution, after, execution.attempt)

    def abandoned(self, execution: Execution) -> None:
        """Cancel the deadline. The crash itself rewinds the readers of its replica."""
        if execution.deadline is not None:
            execution.deadline.cancel()

    def _is_due(self, execution: Execution) -> bool:
        """Whether this offset is committed now. (An old owner always tries to, and is refused.)"""
        self.uncommitted += 1
        idle = execution.offset + 1 == len(self.records)
        enough = self.uncommitted >= execution.handler.commit_every
        return enough or idle or self.moves or execution.epoch != self.epoch

    def _has_committed(self, execution: Execution) -> None:
        self.committed, self.uncommitted = execution.offset + 1, 0
        if self.attempts:
            self.attempts = {at: n for at, n in self.attempts.items() if at >= self.committed}

    def _commit(self, execution: Execution) -> None:
        fenced = execution.epoch != self.epoch
        prevented = execution.acknowledge("commit", fenced)
        if prevented == "crash":
            return
        if prevented is None:
            self._has_committed(execution)
        elif not fenced:
            self.uncommitted, self.attempts[execution.offset] = 0, execution.attempt
        self._advance(execution)

    def _advance(self, execution: Execution) -> None:
        if execution.epoch != self.epoch:  # an old owner ended, which changes nothing here
            self._let_go(execution)
            return
        self.position = execution.offset + 1
        if self.deliver_twice:
            self.position = execution.offset
            self.attempts[execution.offset] = execution.attempt
        self._reset()
        self._let_go(execution)
        if self.rewinds_to is not None:
            self.back_to_commit()
        if self.moves:
            self.rebalance()
        else:
            self.wake()

    def _let_go(self, execution: Execution) -> None:
        """Free the replica, which rejoins the group if it was evicted."""
        execution.replica.release(execution)
        if execution.deadline is not None:
            execution.deadline.cancel()
            execution.replica.join(execution)

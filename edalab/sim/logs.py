"""Logs: a topic stores its messages in partitions, and each group has a reader in each partition."""

from bisect import bisect_left
from zlib import crc32

from ..model import Envelope, Topic
from .channels import Channel
from .readers import Reader
from .services import ServiceRuntime


class Log(Channel):
    """The partitions of a topic, and their readers."""

    def __init__(self, world, topic: Topic):
        super().__init__(world, topic.name, topic.confirms)
        self.partitions: list[list[Envelope]] = [[] for _ in range(topic.partitions)]
        self.readers: list[list[Reader]] = [[] for _ in range(topic.partitions)]
        self.turn = 0
        self.max_bytes = topic.max_bytes
        self.interval = round((topic.max_poll_interval or 0) * 1000)
        self.retention = round((topic.retention or 0) * 1000)

    def append(self, envelope: Envelope) -> None:
        """Store a message at the next offset of its key's partition, or without a key of the next partition in turn."""
        if not self.handled_types.get(envelope.type):
            self.check_handled(envelope)
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

    def first_kept(self, partition: int) -> int:
        """The oldest offset that retention has not removed."""
        return 0

    def grow(self, partitions: int) -> bool:
        """Increase the number of partitions to `partitions`, if that is more. Stored messages stay where they are."""
        groups, before = [reader.service for reader in self.readers[0]], len(self.partitions)
        for number in range(before, partitions):
            self.partitions.append([])
            self.readers.append([Reader(self, number, service, 0) for service in groups])
            detail = f"{self.name} partition {number}"
            for reader in self.readers[number]:
                where = reader.owner.actor, None, number, 0
                self.world.record_step("takeover", *where, detail=detail)
        return partitions > before

    def count_for(self, service: ServiceRuntime, envelopes: list[Envelope]) -> int:
        """How many of some of its messages a service handles."""
        if service.handlers.keys() >= self.handled_types.keys():
            return len(envelopes)
        return sum(1 for envelope in envelopes if service.handler(envelope.type))

    def subscribe(self, service: ServiceRuntime) -> None:
        """Add readers for a service, unless it has them already."""
        if not any(reader.log is self for reader in service.readers):
            late = self.world.system.services[service.name].joins and service.earliest
            for number, readers in enumerate(self.readers):
                start = self.first_kept(number) if late else len(self.partitions[number])
                readers.append(Reader(self, number, service, start))


class DatedLog(Log):
    """A log that knows when each message was stored: it deduplicates, forgets, or is rewound to a time."""

    def __init__(self, world, topic: Topic):
        super().__init__(world, topic)
        self.window = round(topic.deduplicates * 1000)
        self.times: list[list[int]] = [[] for _ in self.partitions]  # by offset
        self.stored: dict[str, int] = {}  # when each id was stored

    def append(self, envelope: Envelope) -> None:
        """Store a message, unless one with its id was stored within the window."""
        now, before = self.world.now, self.stored.get(envelope.id)
        if before is not None and now - before <= self.window:
            since = f"stored {(now - before) / 1000:g} s ago"
            self.world.record_step("deduplicated", (envelope.source, 1), envelope, detail=since)
            return
        if self.window:
            self.stored[envelope.id] = now
        super().append(envelope)
        for times, records in zip(self.times, self.partitions, strict=True):
            times += [now] * (len(records) - len(times))

    def grow(self, partitions: int) -> bool:
        self.times += [[] for _ in range(len(self.partitions), partitions)]
        return super().grow(partitions)

    def first_kept(self, partition: int) -> int:
        return self.first_since(partition, self.world.now - self.retention) if self.retention else 0

    def first_since(self, partition: int, time: int) -> int:
        """The first offset that was stored at a time (ms) or later."""
        return bisect_left(self.times[partition], time)

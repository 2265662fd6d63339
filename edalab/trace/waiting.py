"""The messages that the broker keeps for a service, in each partition and queue, with their times."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from math import inf
from typing import Any, NamedTuple

from ..model import DeadLetter, Envelope
from ..sim.logs import Log
from .spans import Trace

Place = tuple[str, int | None, str]  # a channel, a partition of it (None in a queue), a service
_CLOSES = ("ack", "dead_letter", "expired", "discarded")  # a message of a queue


class Kept(NamedTuple):
    """A message that the broker keeps for a service from `start`, when it is stored, to `end`, when
    the service commits or acknowledges it or it expires (ms). `name` is the result of `name_of`."""

    start: float
    end: float
    envelope: Envelope
    name: Any


def name_of(service: str, partition: int | None, offset: int | None, envelope: Envelope) -> Any:
    """A name for a message in the hands of a service: its place in a log, or its id in a queue,
    where no other service has it at the same time."""
    return envelope.id if partition is None else (service, envelope.topic, partition, offset)


def kept_messages(
    trace: Trace, stored: dict[tuple[str, str], list[int]]
) -> dict[Place, list[Kept]]:
    """All messages that the broker kept for the services that handle them. A queue keeps one for each service that may
    take it. `stored` maps (channel, message id) to the times (ms) at which the copies were stored."""
    services = {e.type: trace.subscribers(e.type) for e in trace.messages.values()}
    committed, closed, doubled = _read_steps(trace)
    found: dict[Place, list[Kept]] = defaultdict(list)
    for channel, keeper in trace.run._world.channels.items():
        if isinstance(keeper, Log):
            for partition, service, kept in _in_log(keeper, services, committed, stored):
                found[channel, partition, service].append(kept)
        else:
            takers = {replica.service.name for replica in keeper.consumers}
            for (name, id), times in stored.items():
                if name == channel:
                    envelope, key = trace.messages[id], (name, id)
                    copies = _in_queue(envelope, sorted([*times, *doubled[key]]), closed[key])
                    letter = isinstance(envelope, DeadLetter)
                    for service in services[envelope.type]:
                        if service in takers and (not letter or envelope.source == service):
                            found[channel, None, service] += copies
        if channel in trace.system.topics:
            for _, _, service in [key for key in found if key[0] == channel]:
                for partition in range(trace.system.topics[channel].partitions):
                    found[channel, partition, service] += []  # list empty partitions, too
    return found


def _in_log(
    log: Log,
    services: dict[str, list[str]],
    committed: dict[Place, list[tuple]],
    stored: dict[tuple[str, str], list[int]],
) -> Iterator[tuple[int, str, Kept]]:
    """The messages kept in a log. A commit covers all offsets up to it, until a rewind."""
    copies: Counter[str] = Counter()  # so far, by message id
    for partition, records in enumerate(log.partitions):
        start: float = 0
        readers = {reader.service.name: reader for reader in log.readers[partition]}
        for offset, envelope in enumerate(records):
            times = stored[log.name, envelope.id]
            start = max(start, times[min(copies[envelope.id], len(times) - 1)])
            copies[envelope.id] += 1
            for service in services[envelope.type]:
                if service not in readers:  # the group has not joined
                    continue
                name = name_of(service, partition, offset, envelope)
                joins = round(log.world.system.services[service].joins * 1000)
                readings = committed[log.name, partition, service]
                readings = [(joins, readers[service].started, readings[0][2]), *readings[1:]]
                ends = [*(since for since, *_ in readings[1:]), inf]
                for (since, first, commits), last in zip(readings, ends, strict=True):
                    at = bisect_left(commits, (offset, 0))
                    end = min(commits[at][1] if at < len(commits) else inf, last)
                    if offset >= first and max(start, since) <= end:
                        yield partition, service, Kept(max(start, since), end, envelope, name)


def _in_queue(envelope: Envelope, starts: list[float], ends: list[float]) -> list[Kept]:
    """The copies of a message that a queue keeps, each until one is acknowledged or given up."""
    ends, found = [*ends], []
    for start in starts:
        end = next((time for time in ends if time >= start), inf)
        if end in ends:
            ends.remove(end)
        found.append(Kept(start, end, envelope, envelope.id))
    return found


def _read_steps(trace: Trace) -> tuple[dict, dict, dict]:
    """Three maps. The first has the readings of each place in a log, as (start, first offset, [(committed offset,
    time)]), of which a rewind begins a new one. The others have, for each (queue, message id), the times at which
    copies were acknowledged or given up, and the times at which a delivery made another copy."""
    committed, closed, doubled = defaultdict(_first), defaultdict(list), defaultdict(list)
    for number, step in enumerate(trace.journal):
        envelope, dropped = step.envelope, step.step == "lost" and step.fault == "drop"
        if step.step == "rewind":
            place = (step.detail or "").split()[0], step.partition, step.service
            committed[place].append((step.time, step.offset or 0, []))
        if envelope is None:
            continue
        if step.step == "deliver" and step.fault == "duplicate" and step.offset is None:
            after = [s for s in trace.by_message.get(envelope.id, ()) if s.first > number]
            ends = [inf if s.last is None else trace.journal[s.last].time for s in after[:1]]
            doubled[envelope.topic, envelope.id] += ends
        elif step.offset is not None and (
            dropped or (step.step in ("commit", "expired", "discarded") and not step.fault)
        ):
            place = envelope.topic, step.partition, step.service
            committed[place][-1][2].append((step.offset, step.time))
        elif step.offset is None and (dropped or (step.step in _CLOSES and not step.fault)):
            closed[envelope.topic, envelope.id].append(step.time)
    return committed, closed, doubled


def _first() -> list[tuple[int, int, list]]:
    return [(0, 0, [])]

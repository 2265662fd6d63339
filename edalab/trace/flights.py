"""The flights of a run: each journey of a message, a question or an answer, with its start and end.

The record does not hold the time at which the broker stored a message. It is PUBLISH after the send
with seed 0. With any other seed this is an estimate, which stays before the next delivery."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from ..model import Envelope
from ..sim.clock import DELAY, DELIVER, DUPLICATE, PUBLISH
from ..sim.faults import Fault
from ..sim.steps import Step
from .spans import Trace
from .transfers import Transfer


class Flight(NamedTuple):
    """A message on its way from `start` to `end` (ms). `kind` is publish, deliver, ask or reply.

    source, target: services, or None for the channel of the message.
    place: the partition and offset of a delivery.
    stopped: the message does not arrive, and a picture stops it halfway.
    again: the message is sent or delivered another time."""

    start: int
    end: int
    kind: str
    source: str | None
    target: str | None
    envelope: Envelope
    place: tuple[int | None, int | None] = (None, None)
    stopped: bool = False
    again: bool = False

    def share(self, time: float) -> float:
        """The fraction of the way that is covered at a time (ms)."""
        share = (time - self.start) / (self.end - self.start)
        return min(share, 0.5) if self.stopped else share


class Flights:
    """All flights of a trace, in `every`."""

    def __init__(self, trace: Trace):
        self._traffic, self._journal = trace.traffic, trace.run.journal
        ways = [*self._ways(trace)]
        self._delivered: dict[str, list[int]] = defaultdict(list)
        for flight in ways:
            if flight.kind == "deliver":
                self._delivered[flight.envelope.id].append(flight.end)
        self._delays: dict[tuple, list[int]] = defaultdict(list)  # point -> delays that struck
        for fault in trace.run.faults:
            if isinstance(fault, Fault) and fault.do == "delay":
                self._delays[fault.point].append(fault.lasts(DELAY))
        messages = [transfer for transfer in self._traffic.transfers if not transfer.question]
        publishes = [flight for transfer in messages for flight in self._publishes(transfer)]
        self.every = [*publishes, *ways]

    def _publishes(self, transfer: Transfer) -> Iterator[Flight]:
        """The flight to the broker, and another one if the client library sends the message again."""
        step, fault = self._journal[transfer.sent], transfer.fault
        if fault == "crash":
            return
        takes, starts = PUBLISH, [step.time]
        if fault == "delay":
            takes += self._delays[step.service, "publish", transfer.envelope.type].pop(0)
        if fault == "duplicate":
            starts += self._sent_again(step)
        for number, start in enumerate(starts):
            end = start + takes
            delivered = self._delivered[transfer.envelope.id]
            if (after := bisect_right(delivered, start)) < len(delivered):
                end = max(start, min(end, delivered[after] - DELIVER))
            way = "publish", step.service, None, transfer.envelope
            yield Flight(start, end, *way, stopped=not transfer.reached_broker, again=number > 0)

    def _sent_again(self, step: Step) -> list[int]:
        """The time at which an unconfirmed message was sent again, unless an outage of its sender prevented it."""
        due = step.time + DUPLICATE
        for one in self._traffic.outages.values():
            between = one.start <= due and (one.end is None or one.end >= step.time)
            if between and one.service == step.service and not one.sender:
                return []
        return [due]

    def _ways(self, trace: Trace) -> Iterator[Flight]:
        """The flights of deliveries, questions and answers. A delayed delivery ends when the handling
        begins."""
        answered = {sent: received for received, sent in self._traffic.answer_at.items()}
        at_door = {  # question id -> the step at which it waits or is turned away
            step.envelope.id: number
            for number, step in enumerate(self._journal)
            if step.step in ("waiting", "busy") and step.envelope
        }
        late: dict[tuple[str, str], Flight] = {}
        for number, transfer in self._traffic.of_step.items():
            step, message = self._journal[number], transfer.envelope
            key, time, kind = (step.service, message.id), step.time, step.step
            if kind == "handle" and key in late:
                yield late.pop(key)._replace(end=time)
            elif kind == "deliver" and not transfer.question:
                flight = Flight(
                    max(time - DELIVER, 0), time, kind, None, step.service, message,
                    (step.partition, step.offset), step.fault == "drop", (step.attempt or 1) > 1,
                )  # fmt: skip
                if step.fault == "delay":
                    late[key] = flight
                else:
                    yield flight
            elif kind in ("ask", "reply") and transfer.question and step.fault != "crash":
                spans = trace.by_message.get(message.id) if kind == "ask" else None
                arrived = spans[0].first if spans else answered.get(number)
                if kind == "ask":
                    arrived = at_door.get(message.id, arrived)
                end = time + DELIVER if arrived is None else self._journal[arrived].time
                struck = kind == "reply" and arrived and self._journal[arrived].fault
                asker, answerer = self._journal[transfer.sent].service, message.topic
                way = (asker, answerer) if kind == "ask" else (answerer, asker)
                stopped = bool(arrived is None or struck)
                yield Flight(time, end, kind, *way, message, stopped=stopped)
        yield from late.values()

"""The world of a run at any moment: the messages on their way, those that wait, and the services' states.

The messages on their way are read from the trace. For all else the run is played again, and the broker counts what
waits."""

from bisect import bisect_right
from typing import Any, NamedTuple

from ..model import DeadLetter
from ..sim.execution import Execution
from ..sim.queues import Item, WorkQueue
from ..sim.readers import Reader
from ..sim.replicas import Replica
from ..sim.run import Run
from ..sim.services import ServiceRuntime
from ..sim.world import World
from .flights import Flight, Flights
from .handed import Handed, Next
from .spans import Trace


class ServiceState(NamedTuple):
    """A service at a moment. `down` and `paused` are numbers of replicas, `cut_from` are the senders from which alone
    the service is cut off, and `handling` has a message type and the number of the replica for each handling. `in_line`
    is how many questions wait for a worker, and `lag` how many messages the service has not yet committed or
    acknowledged. `ahead` are names of messages that wait for it, and `next` says when the first of them comes."""

    replicas: int
    down: set[int]
    paused: set[int]
    cut: bool
    cut_from: set[str]
    handling: list[tuple[str, int]]
    in_line: int
    lag: int
    ahead: list[Any]
    next: Next | None = None


class Moment(NamedTuple):
    """The world at a moment. `waiting` maps (channel, partition, service) to the number of messages
    that the broker has not yet delivered to the service. The partition of a queue is None."""

    flights: list[Flight]
    waiting: dict[tuple[str, int | None, str], int]
    services: dict[str, ServiceState]


class WorldMoments:
    """The moments of a run. `flights`, `outages` and `places` (the keys of `waiting`) are those of the whole run."""

    def __init__(self, run: Run):
        self._run, trace = run, Trace.of(run)
        self.flights = sorted(Flights(trace).every, key=lambda flight: flight.start)
        self.outages = [*trace.traffic.outages.values()]
        self._handed, self._end = Handed(trace), _look(run._world)
        self.places = self._end.waiting.keys()
        self._first: tuple[float, Moment] | None = None
        self._every: dict[int, Moment] = {}  # by time
        self._times: list[int] = []

    def at(self, time: float) -> Moment:
        """The world at a time (ms), after all steps at that time."""
        _, waiting, states = self._seen(time)
        waiting = dict.fromkeys(self.places, 0) | waiting
        flights = [one for one in self.flights if one.start <= time < one.end]
        services = {
            name: state._replace(next=self._handed.next_of(name, state.ahead, time))
            for name, state in states.items()
        }
        return Moment(flights[::-1], waiting, services)  # the latest flight first

    def _seen(self, time: float) -> Moment:
        """The world at a time. The first time is often the only one, so the run is played no further."""
        if time >= self._run.end:
            return self._end
        if self._first is None:
            self._first = time, _look(self._run._replay(int(time)))
        if self._first[0] == time:
            return self._first[1]
        if not self._every:
            self._every = self._run._over_time(_look)
            self._times = [*self._every]
        return self._every[self._times[bisect_right(self._times, time) - 1]]


def _look(world: World) -> Moment:
    """The world now, without the messages on their way."""
    waiting, services = {}, {}
    for name, service in world.services.items():
        state = services[name] = _state(service)
        for reader in service.readers:
            if isinstance(reader, Reader):
                number, first = _waiting_in_log(reader)
                waiting[reader.log.name, reader.partition, name] = number
                state.ahead.extend(first)
        for queue in service.queues:
            items = _waiting_in_queue(queue, service)
            waiting[queue.name, None, name] = len(items)
            again = (item.envelope.id for item in items if item.attempt or not state.handling)
            state.ahead.extend(again)
    return Moment([], waiting, services)


def _waiting_in_log(reader: Reader) -> tuple[int, list[Any]]:
    """How many messages wait in a partition, and, if any do, the name of the one that comes next, which may be on its
    way already."""
    delayed = reader.skip_fetch and not reader.failures  # on its way
    first = max(reader.position, reader.committed)
    begin = max(reader.position + (delayed or _is_in_hand(reader.execution)), first)
    number = reader.log.count_for(reader.service, reader.records[begin:])
    return number, [(reader.service.name, reader.log.name, reader.partition, first)] * (number > 0)


def _waiting_in_queue(queue: WorkQueue, service: ServiceRuntime) -> list[Item]:
    """The messages that wait for a service in a queue. One in the hands of another service does not wait, and a
    service takes only its own dead letters."""
    fetched = (one for replica in queue.consumers for one in replica.in_flight())
    in_hand = {one.item for one in fetched if _is_in_hand(one)}
    return [
        item
        for item in queue.open
        if not (item in in_hand or item.delayed)
        and service.handler(item.envelope.type)
        and (item.envelope.source == service.name or not isinstance(item.envelope, DeadLetter))
    ]


def _is_in_hand(execution: Execution | None) -> bool:
    """Whether a message is handled, or on its way to a replica that a pause or a cut does not keep it from."""
    if execution is None or execution.handler is not None:
        return execution is not None
    return not (execution.replica.paused or execution.replica.service.cut)


def _state(service: ServiceRuntime) -> ServiceState:
    replicas = service.replicas
    fetched = (one for replica in replicas for one in Replica.in_flight(replica))  # not in line
    return ServiceState(
        replicas=len(service.members),
        down={replica.number for replica in replicas if not replica.up},
        paused={replica.number for replica in replicas if replica.paused},
        cut=service.cut,
        cut_from={*service.cut_from},
        handling=[
            (one.envelope.type, one.replica.number)
            for one in fetched
            if one.handler is not None and not one.replica.paused
        ],
        in_line=service.in_line,
        lag=service.lag,
        ahead=[],
    )

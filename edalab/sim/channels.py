"""What topics and work queues share: subscriptions, expiry and retries."""

from math import inf

from ..model import Envelope
from .clock import RETRY
from .execution import Execution
from .services import ServiceRuntime


class Channel:
    """A store of the broker for messages: a topic's log or a work queue."""

    def __init__(self, world, name: str, confirms: bool = True):
        self.world, self.name, self.confirms = world, name, confirms
        self.came_from = name  # where its messages were published
        self.deadlines: dict[Envelope, int] = {}  # when those that expire must be handed over
        self.handled_types: dict[str, bool] = {}  # whether any service handles this type of message

    max_bytes: int | None = None  # of a topic that refuses larger messages

    def refuses(self, envelope: Envelope) -> bool:
        """Whether a message is too large."""
        most = self.max_bytes
        return most is not None and len(envelope.data.model_dump_json().encode()) > most

    def expire(self, envelope: Envelope, after: int) -> None:
        """Hand a message over only if that is within so many ms."""
        self.deadlines[envelope] = self.world.now + after
        for service in self.world.services.values():
            service.careful = True

    def subscribe(self, service: ServiceRuntime) -> None:
        """Subscribe a service to this channel, unless it is subscribed already."""
        raise NotImplementedError

    def append(self, envelope: Envelope) -> bool | None:
        """Store a message. Returns True if the channel is full and rejects it."""
        raise NotImplementedError

    def lag(self, service: ServiceRuntime) -> int:
        """The number of unfinished messages that a service handles in a queue. (For a log, its readers count them.)"""
        return 0

    def check_handled(self, envelope: Envelope) -> None:
        """Subscribe the services that handle a type at its first message, and count a message that nobody handles."""
        name, world = envelope.type, self.world
        if name not in self.handled_types:
            services = [service for service in world.services.values() if service.handler(name)]
            for service in services:
                if not service.joins:  # otherwise it subscribes later
                    self.subscribe(service)
            self.handled_types[name] = bool(services)
        if not self.handled_types[name]:
            world.unhandled_events[name] += 1

    def has_expired(self, execution: Execution) -> bool:
        """Whether a message is handed over after its expiry. If so, `expired` is recorded in place of `deliver`."""
        late = self.world.now - self.deadlines.get(execution.envelope, inf)
        if late > 0:
            execution.record_step("expired", None, f"{late / 1000:g} s too late")
        return late > 0

    def retry_after(self, execution: Execution, error: Exception, most: int, n: int) -> int | None:
        """Record the n-th failure. Returns the ms until the retry; None if it was the last attempt."""
        if n >= most:
            execution.record_failure("dead_letter", error, f"; to {self.came_from}.dlq")
            self.world.dead_letters.add(execution, self.came_from)
            return None
        after = RETRY * n
        execution.record_failure("retry", error, f"; again in {after / 1000:g} s")
        return after

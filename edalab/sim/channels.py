"""What a topic and a work queue share: who takes their messages, and what follows a failure."""

from math import inf

from ..model import Envelope
from .clock import RETRY
from .execution import Execution
from .services import ServiceRuntime


class Channel:
    """Where the broker keeps messages: a topic's log or a work queue."""

    def __init__(self, world, name: str, confirms: bool = True):
        self.world, self.name, self.confirms = world, name, confirms
        self.came_from = name  # where its messages were published
        self.deadlines: dict[Envelope, int] = {}  # by when those that expire are to be handed over
        self.heard: dict[str, bool] = {}  # whether any service handles this type of message

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
        """Let a service take messages of this channel, if it does not yet."""
        raise NotImplementedError

    def append(self, envelope: Envelope) -> bool | None:
        """Store a message. Returns True where it is full, and does not."""
        raise NotImplementedError

    def lag(self, service: ServiceRuntime) -> int:
        """The messages of a queue that a service handles and that are not done with. (Of a log its readers know.)"""
        return 0

    def check_heard(self, envelope: Envelope) -> None:
        """Subscribe the services at the first message of a type; count one that nobody handles."""
        name, world = envelope.type, self.world
        if name not in self.heard:
            services = [service for service in world.services.values() if service.handler(name)]
            for service in services:
                if not service.joins:  # or else it subscribes later
                    self.subscribe(service)
            self.heard[name] = bool(services)
        if not self.heard[name]:
            world.unheard[name] += 1

    def has_expired(self, execution: Execution) -> bool:
        """Whether a message is handed over too late. Then that is recorded in place of its `deliver`."""
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

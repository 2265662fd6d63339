"""Dead letters: messages that a service gave up, in a queue for its handlers of dead letters, if it has any."""

from typing import TYPE_CHECKING, Any

from ..model import DeadLetter, Envelope, Queue
from .execution import Execution
from .queues import Item, WorkQueue
from .replicas import Replica
from .services import ServiceRuntime
from .steps import WIDTH

if TYPE_CHECKING:
    from .channels import Channel
    from .world import World

WAIT = 60  # seconds, because a handler of dead letters may take longer


class DeadLetters:
    """The dead letters of a run, with or without a handler for them, in the order in which they were given up."""

    def __init__(self, world: "World"):
        self.world = world
        self.letters: list[DeadLetter] = []

    def add(self, execution: Execution, came_from: str) -> None:
        """Add a dead letter for the message that was given up in the last step of the record."""
        world, died, replica = self.world, execution.envelope, execution.replica
        name = f"{came_from}.dlq"
        reason = (world.record[-1] or "").removesuffix(f"; to {name}")
        letter = DeadLetter(
            "", f"{died.type}.dlq", died.data, replica.service.name, died.subject, name, world.now,
            died.correlation, died.id, died.depth + 1, None, died.redrives, reason,
            execution.attempt, came_from, died, len(world.record) // WIDTH - 1,
        )  # fmt: skip
        self.letters.append(letter)
        self._offer(letter, replica)

    def offer_to(self, replica: Replica) -> None:
        """Publish the dead letters that a replica's service gave up before it had a handler for them."""
        for letter in self.letters:
            if letter.source == replica.service.name and not letter.id:
                self._offer(letter, replica)

    def _offer(self, letter: DeadLetter, replica: Replica) -> None:
        world, service, name = self.world, replica.service, letter.topic
        if service.handler(letter.type) is not None:
            letter.id = service.new_id()
            world.record_step("publish", replica.actor, letter)
            queue = world.channels.setdefault(name, LetterQueue(world, name, letter.came_from))
            queue.subscribe(service)
            queue.append(letter)

    def way_back(self, letter: DeadLetter) -> "Channel":
        """The channel that a dead letter is sent back to: its queue, or for a topic the service's queue for retries,
        because a log would deliver it to every group again."""
        world, name = self.world, f"{letter.came_from}.{letter.source}.retry"
        channel = world.channels[letter.came_from]
        if isinstance(channel, WorkQueue):
            return channel
        if name not in world.channels:
            world.channels[name] = queue = OwnQueue(world, name, letter.came_from)
            queue.subscribe(world.services[letter.source])
        return world.channels[name]


class OwnQueue(WorkQueue):
    """A queue for messages that came from another channel. Services do not subscribe to it by type."""

    def __init__(self, world: "World", name: str, came_from: str, ack_wait: float = 5):
        super().__init__(world, Queue(name, None, ack_wait=ack_wait))
        self.came_from = came_from

    def check_handled(self, envelope: Envelope) -> None:
        """Do nothing, because its consumers have subscribed already."""


class LetterQueue(OwnQueue):
    """A dead letter queue. Each replica handles one at a time, in parallel with its other work. Those given up stay."""

    def __init__(self, world: "World", name: str, came_from: str):
        super().__init__(world, name, came_from, WAIT)
        self.parallel = True

    def _is_for(self, replica: Replica, item: Item) -> bool:
        """Whether the replica's service gave the message up, and can handle it now."""
        return item.envelope.source == replica.service.name and super()._is_for(replica, item)

    def lag(self, service: ServiceRuntime) -> int:
        return sum(item.envelope.source == service.name for item in self.open)

    def failed(self, execution: Execution, error: Exception) -> None:
        """Retry the dead letter. After the last attempt it stays in the queue."""
        item = execution.item
        if item.execution is execution and item.attempt >= self._limit(item):
            execution.record_failure("failure", error, f"; stays in {self.name}")
            item.timer.cancel()
            self._release(execution)
        else:
            super().failed(execution, error)

    def give_up(self, item: Item) -> None:
        """Leave the dead letter in the queue."""

    def _remove(self, item: Item) -> None:
        super()._remove(item)
        letter: Any = item.envelope
        letter.state = "redriven" if letter.redriven else "handled"

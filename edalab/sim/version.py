"""The versions of a service: the handlers and ticks that its replicas run. A deploy switches to another version."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import Misuse
from ..model import Handler, Service, wire_copy
from ..model.versions import differ
from .steps import WIDTH
from .ticks import Ticking

if TYPE_CHECKING:
    from .replicas import Replica


class Version:
    """The handlers and ticks of a service, and the SQL that migrates its database when the first replica switches."""

    def __init__(self, declared: Service, number: int = 1, migration: str = ""):
        self.number, self.migration, self.ticks = number, migration, declared.ticks
        by_type: dict[str, list[Handler]] = {}
        for handler in declared.handlers.values():
            by_type.setdefault(handler.type, []).append(handler)
        self.handlers = {name: _in_turn(handlers) for name, handlers in by_type.items()}

    def begin(self, replica: "Replica") -> None:
        """Switch a replica to this version. The first one migrates the database, and subscribes to new types."""
        service = replica.service
        world = service.world
        world.record_step("deploy", replica.actor, detail=f"version {self.number}")
        if service.version.number >= self.number:
            return
        if self.migration:
            try:
                service.database.migrate(self.migration, len(world.record) // WIDTH - 1)
            except Misuse as misuse:
                raise world.refuse(misuse) from None
        service.version, service.handlers = self, service.handlers | self.handlers
        world.ticks += [Ticking(world, tick, self) for tick in self.ticks.values()]
        if not service.joins:
            service.subscribe()  # it may handle other types now
        world.dead_letters.offer_to(replica)


def _in_turn(handlers: list[Handler]) -> Handler:
    """A handler that runs several handlers in turn and returns the messages of all."""
    if len(handlers) == 1:
        return handlers[0]
    first = handlers[0]
    for other in handlers:
        if differ(first.message, other.message):
            both = f"in {first.name} and as {_form(other)} in {other.name}"
            what = f"{first.service} reads {first.type} as {_form(first)} {both}"
            raise Misuse(f"{what}; a service reads a message as one class: declare both with it")

    async def all_of_them(event, ctx):
        messages = []
        for handler in handlers:
            own = wire_copy(event)  # what one handler changes in it, the next one does not see
            result = handler.function(own, ctx) if handler.takes_ctx else handler.function(own)
            result = await result if handler.is_async else result
            if result is not None:
                messages += result if isinstance(result, list | tuple) else [result]
        return messages

    names = " and ".join(handler.name for handler in handlers)
    return replace(handlers[0], name=names, function=all_of_them, takes_ctx=True, is_async=True)


def _form(handler: Handler) -> str:
    return f"{handler.message.__name__} (version {handler.message.__declared__.version})"

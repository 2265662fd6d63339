"""The redrive of a dead letter: it is published again, only for the service that gave it up."""

from typing import Any

from .calls import PublishAs
from .limits import MOST_ATTEMPTS


class Redrive(PublishAs):
    """The call of `ctx.redrive`."""

    __slots__ = ("detail",)

    def __init__(self, execution):
        super().__init__(execution, execution.envelope)
        self.detail = f"redriven from {self.argument.topic}"

    def _sent_on(self, message: Any) -> tuple:
        world, died = self.execution.world, message.died
        if died.redrives >= MOST_ATTEMPTS:
            what = f"{died.type} {died.id} of {message.source} is redriven again and again"
            world.endless(f"{what}, over {MOST_ATTEMPTS:,} times")
        channel = world.dead_letters.way_back(message)
        sent = died.copied()
        sent.topic, sent.redrives = channel.name, died.redrives + 1
        return channel, sent

    def _store(self, _=None) -> bool | None:
        full = super()._store()
        self.argument.redriven |= not full
        return full

    def __repr__(self) -> str:
        return "ctx.redrive()"

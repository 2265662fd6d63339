"""Errors for mistakes in handlers: a forgotten await, a foreign awaitable, a wrong way to end."""

from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

from ..errors import (
    InvalidMessage,
    Misuse,
    Refused,
    Unreadable,
    listed,
    shortened,
    shown,
    without_addresses,
)
from ..model import Event, Message
from .calls import Call
from .context import explain_missing

if TYPE_CHECKING:
    from .execution import Execution


def check_end(execution: "Execution", error: Exception | None, result: Any) -> None:
    """Raise Misuse if a handler ended in a way that is not allowed."""
    world = execution.world
    if isinstance(error, Misuse):
        world.refuse(error)
    if world.misuse:
        raise world.misuse
    if execution.unawaited is not None:
        raise forgot(execution, execution.unawaited)
    if isinstance(error, AttributeError):
        explain_missing(error)
    what = None
    if execution.transaction is not None:
        what = "ended inside a transaction; write `with ctx.database as db:`"
    elif iscoroutine(result):
        result.close()
        what = (
            f"returned a coroutine that nobody awaits: write `return await {result.__name__}(...)`"
        )
    elif isinstance(error, RuntimeError) and "event loop" in str(error):
        instead = "await ctx.sleep, ctx.publish, ctx.send or ctx.ask"
        needs = f"needs asyncio's event loop ({shortened(str(error))}), and the lab has its own"
        what = f"{needs}; {instead}"
    elif result is Refused:
        what = "returned the class Refused; give the reason: Refused('not enough money')"
    elif isinstance(result, Refused) and getattr(execution.handler, "kind", Event) is Event:
        what = (
            f"refuses ({result.reason}), and only a command or a query can be refused; "
            "publish an event instead, and declare its class with refuses="
        )
    if what:
        raise execution.refuse(what)


def forgot(execution: "Execution", call: Call | None) -> Misuse:
    """The error for a call that was not awaited."""
    if execution.handler is None or execution.handler.is_async:
        return execution.refuse(f"forgot to await: `await {call}`")
    instead = "return the message, or write `async def`"
    return execution.refuse(f"is a plain `def` and cannot await {call}; {instead}")


def awaits_foreign(execution: "Execution", awaited: object) -> Misuse:
    """The error for an await of something other than a call of this handler's context."""
    if isinstance(awaited, Call):
        instead = "of another message's ctx; use the ctx that came with this message"
        return execution.refuse(f"awaits {awaited} {instead}")
    return execution.refuse(
        f"awaits {shown(awaited)}, which the lab does not know (is it asyncio's?); await ctx.sleep, ctx.publish, "
        "ctx.send, ctx.ask or an `async def` of your own that does"
    )


def unreadable(execution: "Execution", error: Exception) -> Unreadable:
    """The error for a message that the handler's class cannot read, with the reason."""
    envelope, reader, where = execution.envelope, execution.handler.message, execution.where()
    kind = "" if isinstance(error, InvalidMessage) else f"{type(error).__name__}: "
    found = Unreadable(
        f"{where} cannot read {envelope.type} {envelope.id}: it is {_form(type(envelope.data))}, and {where} reads "
        f"{_form(reader)}: {kind}{without_addresses(str(error))}"
    )
    found.__cause__ = error
    return found


def _form(cls: type[Message]) -> str:
    fields = listed(cls.model_fields)
    return f"version {cls.__declared__.version} with the fields {fields}"

"""The context: through it a handler publishes, asks, waits and saves."""

from inspect import iscoroutine
from random import Random
from typing import TYPE_CHECKING

from ..errors import InvalidMessage, shown, without_addresses
from ..model import Command, DeadLetter, Delivery, Envelope, Event, Message, Query
from .ask import Ask
from .calls import All, Call, InProgress, Publish, PublishAs, Sleep
from .clock import milliseconds
from .database import Transaction
from .limits import NOTES_BETWEEN_LOOKS
from .redrive import Redrive

if TYPE_CHECKING:
    from .execution import Execution


class Context:
    """The `ctx` of a handler, a tick or a workload, with everything that it may do.

        @payments.on(OrderPlaced)
        async def charge(event: OrderPlaced, ctx: edalab.Context):
            with ctx.database as db:
                db.execute("insert into charges values (?)", (event.order_id,))
            await ctx.publish(PaymentCharged(order_id=event.order_id))

    Await `publish`, `send`, `ask`, `sleep`, `in_progress`, `redrive` and `all`. Times are seconds of virtual time."""

    def __init__(self, execution: "Execution"):
        self._execution = execution

    def publish(
        self, event: Event | Envelope | str, wait: bool = True, expires: float | None = None
    ) -> Publish:
        """Publish an event, and wait for the broker's confirmation (10 ms).

            await ctx.publish(OrderPlaced(order_id="o1"))

        event: an event, an envelope from `ctx.envelope`, or the text of one that an outbox stored.
        wait: False to continue at once. Publishes that are under way at once may overtake each other. The handling ends
            when all are confirmed, and fails if one is not.
        expires: seconds from now after which the event is no longer delivered.

        Raises PublishFailed if the broker does not confirm. The event may then be stored or not. It does not wait
        inside `with ctx.database`, or for a topic with `confirms=False`."""
        if wait and expires is None and isinstance(event, Event):
            return Publish(self._execution, event)
        sent = self._publishable(event, Event, "publish")
        late = None if expires is None else milliseconds(expires, "publish(expires=)")
        return PublishAs(self._execution, sent, wait=wait, expires=late)

    def send(
        self, command: Command | Envelope | str, after: float = 0, expires: float | None = None
    ) -> Publish:
        """Send a command to the queue of the service that handles it, and wait for the broker's confirmation (10 ms).

            await ctx.send(CancelOrder(order_id="o1"), after=600)

        after: seconds until the command arrives: a timer that survives a crash.
        expires: seconds from now, or from the end of `after`, after which the command is no longer delivered.

        Raises PublishFailed if the broker does not confirm."""
        sent = self._publishable(command, Command, "send")
        late = None if expires is None else milliseconds(expires, "send(expires=)")
        return PublishAs(self._execution, sent, milliseconds(after, "send(after=)"), expires=late)

    def ask(self, question: Query | Command, timeout: float = 1.0) -> Ask:
        """Ask another service, and wait for its answer, which is what its handler returns.

            stock = await ctx.ask(GetStock(item="pen"), timeout=0.5)

        timeout: seconds to wait.

        A service that refuses answers with a `Refused`. Raises Unanswered if no answer arrives in time, which leaves
        in doubt whether the service did it, and Busy if the service turns the question away."""
        if not isinstance(question, Query | Command):
            made = isinstance(question, type)
            hint = f"make one: {shown(question)}(...)" if made else "an event is published"
            raise self._execution.refuse(
                f"asks {shown(question)}; a query or a command can be asked, {hint}"
            )
        return Ask(self._execution, question, milliseconds(timeout, "ask(timeout=)"))

    def sleep(self, seconds: float) -> Sleep:
        """Wait for some seconds of virtual time: `await ctx.sleep(0.5)`. A crash during this time ends the handler."""
        return Sleep(self._execution, milliseconds(seconds, "sleep"))

    def in_progress(self) -> InProgress:
        """Restart the queue's wait for this message's acknowledgement, `ack_wait` from now: `await ctx.in_progress()`.

        It takes no time. It has no effect after the wait has run out, or while the service is cut off. Raises Misuse
        if no queue waits."""
        execution = self._execution
        execution.check_alive()
        if execution.item is None or execution.handler.delivery == "at-most-once":
            raise execution.refuse(
                "calls ctx.in_progress(), but no queue waits for its acknowledgement; call it only for a message of a "
                "queue that is delivered at least once"
            )
        return InProgress(execution)

    def redrive(self) -> Redrive:
        """Send the dead letter being handled back to where it came from: the same envelope, for this service only.

            await ctx.redrive()

        A message of a topic goes to this service's queue for retries, and a message of a queue goes back to that queue.
        Its attempts count from 1 again, and `ctx.message.redrives` is the number of times that it was sent back.

        Raises PublishFailed if the broker does not confirm, and Misuse if no dead letter is being handled."""
        execution = self._in_service("redrive")
        if not isinstance(execution.envelope, DeadLetter):
            raise execution.refuse(
                "calls ctx.redrive(), but handles no dead letter; call it in a handler below "
                f"@{execution.replica.service.name}.dead_letters(OrderPlaced)"
            )
        return Redrive(execution)

    def all(self, *calls: Call) -> All:
        """Await several asks, publishes and sleeps at once.

            flight, hotel = await ctx.all(ctx.ask(BookFlight(trip=1)), ctx.ask(BookHotel(trip=1)))

        Returns a list in the order of the calls: each answer, or the exception that awaiting the call alone would
        raise. A call that fails does not stop the others. Publishes that run at once may overtake each other."""
        for number, call in enumerate(calls):
            if not isinstance(call, Call):
                if iscoroutine(call):
                    call.close()
                several = isinstance(call, list | tuple)
                hint = "ctx.all(*calls)" if several else "ctx.all(ctx.ask(a), ctx.ask(b))"
                raise self._execution.refuse(
                    f"gives ctx.all {shown(call)}, which takes calls that are not awaited yet; write `await {hint}`"
                )
            if call.execution is not self._execution or call in calls[:number]:
                raise self._execution.refuse(
                    f"gives ctx.all {call}, which is awaited already; make a new call"
                )
        return All(self._execution, calls)

    def note(self, text: object) -> None:
        """Record a remark, which the timeline shows."""
        execution = self._execution
        execution.check_alive()
        world, service = execution.world, execution.replica.service
        service.notes += 1
        # Finds a loop that never awaits.
        if world.budget is not None and service.notes % NOTES_BETWEEN_LOOKS == 0:
            world.budget.look_at_steps()
        where = execution.envelope, None, execution.offset, execution.attempt
        detail = without_addresses(str(text))
        world.record_step("note", execution.replica.actor, *where, detail=detail)

    def envelope(self, event: Event | Command) -> Envelope:
        """Put an event or a command into an envelope with a fixed id and correlation, for an outbox to store.

        with ctx.database as db:
            db.execute("insert into outbox values (?)", (ctx.envelope(OrderPlaced(order_id="o1")),))"""
        execution = self._execution
        execution.check_alive()
        if not isinstance(event, Event | Command):
            raise execution.refuse(
                f"asks for an envelope of {shown(event)}; only events and commands have one"
            )
        channel = execution.world.channel_of(type(event))
        return execution.world.mint(execution, event, channel.name)

    def new_id(self) -> str:
        """A new id, different from those of all messages and all other calls. Equal runs get the same ids."""
        self._execution.check_alive()
        return self._execution.replica.service.new_id()

    def sequence(self, name: str) -> int:
        """The next number of a sequence of the service: 1, 2, 3 and so on.

            number = ctx.sequence("orders")

        All replicas share it. It is independent of transactions: a rollback or a crash gives no number back, and of
        two transactions the one with the higher number may commit first."""
        execution = self._in_service("sequence")
        if not isinstance(name, str) or not name:
            what = f"gives ctx.sequence {shown(name)}, which takes a name"
            raise execution.refuse(f'{what}; write ctx.sequence("orders")')
        return execution.replica.service.next_number(name)

    @property
    def lease(self) -> int:
        """The number of this run's lease, in a tick declared with `lease=`: a fencing token. It is 1 for the first
        leader, and grows by 1 with each new leader. A run of a leader that has lost its lease keeps its old number."""
        execution = self._in_service("lease")
        if execution.lease is None:
            how = f"@{execution.replica.service.name}.every(1, lease=3)"
            raise execution.refuse(
                f"uses ctx.lease, which only a tick with a lease has; write {how}"
            )
        return execution.lease

    @property
    def now(self) -> float:
        """Seconds since the run began, by the clock of this service."""
        return self._execution.replica.service.clock / 1000

    @property
    def random(self) -> Random:
        """The service's own random numbers, a `random.Random` seeded by the run's seed: `ctx.random.random()`."""
        return self._execution.replica.service.dice

    @property
    def state(self) -> dict:
        """This replica's memory, a dict. A crash or a deploy empties it."""
        return self._in_service("state").replica.state

    @property
    def database(self) -> Transaction:
        """The service's SQLite database. Each `with` block is one transaction.

            with ctx.database as db:
                row = db.execute("select amount from accounts where id = ?", (event.id,)).fetchone()

        A block commits at its end, and rolls back on an exception or a crash. All replicas share the database."""
        execution = self._in_service("database")
        return execution.transaction or Transaction(execution.replica.service.database, execution)

    @property
    def message(self) -> Delivery:
        """The envelope of the message being handled: `.id`, `.correlation`, `.attempt` (from 1) and so on."""
        execution = self._in_service("message")
        assert execution.envelope is not None  # only the client handles no message
        return execution.envelope.copied(execution.attempt, execution.data)

    def __repr__(self) -> str:
        return f"<context of {self._execution.where()} at {self.now:g} s>"

    def _in_service(self, name: str) -> "Execution":
        """The execution. Raises Misuse in the workload, and unwinds a handler whose replica has crashed."""
        execution = self._execution
        if execution.replica.service.name == "client":
            raise execution.refuse(f"uses ctx.{name}, which the outside world lacks; ask a service")
        execution.check_alive()
        return execution

    def _publishable(self, message: object, kind: type[Message], verb: str) -> Message | Envelope:
        """The message or envelope for `publish` or `send`. Raises Misuse unless it is of this kind or an envelope."""
        if isinstance(message, (kind, Envelope)):
            return message
        error, what = None, f"{'publishes' if verb == 'publish' else 'sends'} {shown(message)}"
        if isinstance(message, str):
            try:
                return Envelope.from_stored(message, self._execution.world.types)
            except InvalidMessage as unread:
                error = unread
                what += f", whose class cannot read its own data ({unread}); fix the class"
            except (ValueError, KeyError, TypeError):
                what += f", a text that ctx.envelope did not make; {verb} a message, or the envelope that it makes of one"
        else:
            what += f", which is not {'an' if kind is Event else 'a'} {kind.__name__.lower()}; {_hint(message, kind, verb)}"
        raise self._execution.refuse(what) from error


def _hint(message: object, kind: type[Message], verb: str) -> str:
    """What to write in place of an object that cannot be published or sent."""
    for other, call in ((Event, "publish"), (Command, "send"), (Query, "ask")):
        if isinstance(message, other):
            instead = f"`await ctx.{call}({type(message).__name__}(...))`"
            return f"write {instead}, or {verb} {'an' if kind is Event else 'a'} {kind.__name__.lower()}"
    if isinstance(message, type) and issubclass(message, Message):
        return f"make one: {message.__name__}(...)"
    if isinstance(message, list | tuple):
        return f"{verb} one after the other"
    if message is None:
        return "did you forget a `return` where you make it?"
    return f"declare a class for it: class SomethingHappened({kind.__name__})"


def explain_missing(error: AttributeError) -> None:
    """Add to the error of a missing attribute what a context or a transaction has. This is done here because a
    `__getattr__` would make every other attribute slower."""
    if isinstance(error.obj, Context):
        names = ", ".join(name for name in vars(Context) if not name.startswith("_"))
        error.args = (f"ctx has no {error.name!r}; it has {names}",)
    elif isinstance(error.obj, Transaction):
        error.args = (f"a transaction has no {error.name!r}; it has execute, executemany",)

"""Right sagas in other ways than those of `wrong_sagas`: what a claim must not accuse."""

from wrong_sagas import (
    ASKED,
    CREATED,
    DANCE,
    ORDERS,
    STEPS,
    TABLES,
    UNDO,
    WORK,
    ChargePayment,
    InventoryRefused,
    InventoryReleased,
    InventoryReserved,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderShipped,
    PaymentCharged,
    PaymentRefunded,
    PaymentRefused,
    PlaceOrder,
    RefundPayment,
    ReleaseInventory,
    ReserveInventory,
    ShipOrder,
    charge,
    choreographed,
    created,
    insist,
    lead,
    led,
    orchestrated,
    orders,
    refund,
    try_once,
)  # fmt: skip

from edalab import Command, Event, Refused, System, Unanswered

OUTBOX = "; create table outbox (n integer primary key, envelope text)"
INBOX = "; create table inbox (id text primary key)"


def relayed(system: System) -> System:
    """Every service empties its outbox."""
    for service in system.services.values():

        @service.every(0.5)
        async def relay(ctx):
            with ctx.database as db:
                stored = db.execute("select n, envelope from outbox order by n").fetchall()
            for number, envelope in stored:
                await ctx.publish(envelope)
                with ctx.database as db:
                    db.execute("delete from outbox where n = ?", (number,))

    return system


def by_inbox_and_outbox() -> System:
    """Choreographed; what came is noted, and what is to be said, in the transaction that does the work."""
    system = System("dance")
    for name, schema in TABLES.items():
        system.service(name, schema=schema + OUTBOX + INBOX)

    def join(name, message, word, done, refused):
        def step(event, ctx):
            with ctx.database as db:
                if not db.execute(
                    "insert or ignore into inbox values (?)", (ctx.message.id,)
                ).rowcount:
                    return
                said = done if WORK[word](db, event.order_id) else refused
                envelope = ctx.envelope(said(order_id=event.order_id))
                db.execute("insert into outbox (envelope) values (?)", (envelope,))

        step.__name__ = word
        system.services[name].on(message)(step)

    for (name, message), does in DANCE.items():
        join(name, message, *does)
    return relayed(system)


class StepDone(Event, topic="answers", key="order_id"):
    order_id: str
    step: str


class ReservationRefused(Event, topic="answers", key="order_id", refuses=ReserveInventory):
    order_id: str


class ChargeRefused(Event, topic="answers", key="order_id", refuses=ChargePayment):
    order_id: str


class ShippingRefused(Event, topic="answers", key="order_id", refuses=ShipOrder):
    order_id: str


class Remind(Command, key="order_id"):
    order_id: str
    state: str


PLAN = {  # state -> what is sent, the next state, the next where it is refused
    "reserve": (ReserveInventory, "charge", "cancelled"),
    "charge": (ChargePayment, "ship", "release"),
    "ship": (ShipOrder, "completed", "refund"),
    "refund": (RefundPayment, "release", None),
    "release": (ReleaseInventory, "cancelled", None),
    "completed": (OrderCompleted, None, None),
    "cancelled": (OrderCancelled, None, None),
}
REFUSALS = {"reserve": ReservationRefused, "charge": ChargeRefused, "ship": ShippingRefused}


def by_messages() -> System:
    """Orchestrated by commands and events alone, with durable timers; the workers remember refusals, and answer by an
    outbox, again each time that they are asked."""
    system = System("shop")
    leader = system.service(
        "orders", schema="create table log (order_id text primary key, state text)" + OUTBOX
    )

    async def say(ctx, state, order_id):
        message = PLAN[state][0](order_id=order_id)
        if isinstance(message, Event):
            await ctx.publish(message)
        else:
            await ctx.send(message)
            await ctx.send(Remind(order_id=order_id, state=state), after=2)

    def state_of(ctx, order_id, move=lambda state: None):
        with ctx.database as db:
            db.execute("insert or ignore into log values (?, 'reserve')", (order_id,))
            [(state,)] = db.execute("select state from log where order_id = ?", (order_id,))
            if to := move(state):
                db.execute("update log set state = ? where order_id = ?", (to, order_id))
            return to or state

    @leader.handles(PlaceOrder, max_attempts=5)
    async def place(command, ctx):
        await say(ctx, state_of(ctx, command.order_id), command.order_id)

    @leader.on(StepDone, max_attempts=5)
    async def go_on(event, ctx):
        state = state_of(
            ctx, event.order_id, lambda state: PLAN[state][1] if state == event.step else None
        )
        await say(ctx, state, event.order_id)

    def hear(refusal, step):
        async def turn_back(event, ctx):
            state = state_of(
                ctx, event.order_id, lambda state: PLAN[state][2] if state == step else None
            )
            await say(ctx, state, event.order_id)

        leader.on(refusal, max_attempts=5)(turn_back)

    for step, refusal in REFUSALS.items():
        hear(refusal, step)

    @leader.handles(Remind)
    async def remind(command, ctx):
        if state_of(ctx, command.order_id) == command.state:
            await say(ctx, command.state, command.order_id)

    def work(word, name, command):
        def step(command, ctx):
            with ctx.database as db:
                if WORK[word](db, command.order_id):
                    answer = StepDone(order_id=command.order_id, step=word)
                else:
                    db.execute("insert or ignore into refusals values (?)", (command.order_id,))
                    answer = REFUSALS[word](order_id=command.order_id)
                db.execute("insert into outbox (envelope) values (?)", (ctx.envelope(answer),))

        step.__name__ = word
        system.services[name].handles(command, max_attempts=5)(step)

    for name, schema in TABLES.items():
        system.service(
            name, schema=f"{schema}; create table refusals (order_id text primary key){OUTBOX}"
        )
    for word, (name, command) in ASKED.items():
        work(word, name, command)
    return relayed(system)


def by_ticks() -> System:
    """Orchestrated by a tick that reads the log: no message causes the next."""
    system = orchestrated()
    leader = system.services["orders"]

    @leader.handles(PlaceOrder, max_attempts=5)
    def place(command, ctx):
        with ctx.database as db:
            db.execute("insert or ignore into log values (?, 0, 'on')", (command.order_id,))

    @leader.every(0.5)
    async def go_on(ctx):
        with ctx.database as db:
            open_ = db.execute("select * from log where way in ('on', 'back')").fetchall()
        for order_id, done, way in open_:
            order = {"order_id": order_id}
            if way == "on" and done < len(STEPS):
                answer = await insist(ctx, STEPS[done](**order))
                done, way = (done + 1, "on") if answer == "done" else (done, "back")
            elif way == "back" and done:
                await insist(ctx, UNDO[STEPS[done - 1]](**order))
                done -= 1
            else:
                await ctx.publish(
                    OrderCompleted(**order) if way == "on" else OrderCancelled(**order)
                )
                way = "ended"
            with ctx.database as db:
                db.execute(
                    "update log set done = ?, way = ? where order_id = ?", (done, way, order_id)
                )

    return system


class ChargeCard(Command, key="order_id"):
    order_id: str


class RefundCard(Command, key="order_id"):
    order_id: str


def by_a_bank() -> System:
    """Orchestrated; `payments` keeps nothing itself, and refuses where the bank does."""
    system = orchestrated(led(ask=_true_is_done))
    system.service("bank", schema=TABLES["payments"])
    system.services["payments"].handlers.clear()

    def pass_on(command, asked, word, work):
        async def step(command, ctx):
            return await insist(ctx, asked(order_id=command.order_id))

        def carry_out(command, ctx):
            with ctx.database as db:
                return work(db, command.order_id) or Refused("it cannot be had")

        step.__name__ = carry_out.__name__ = word
        system.services["payments"].handles(command)(step)
        system.services["bank"].handles(asked)(carry_out)

    pass_on(ChargePayment, ChargeCard, "charge", charge)
    pass_on(RefundPayment, RefundCard, "refund", refund)
    return system


async def _true_is_done(ctx, command):
    answer = await insist(ctx, command)
    return "done" if answer is True else answer


class ReserveItem(Command, key="order_id"):
    order_id: str
    item: str
    attempt: int


class ReleaseItem(Command, key="order_id", compensates=ReserveItem):
    order_id: str
    item: str


def of_a_basket() -> System:
    """Three equal steps, each for another item; every attempt says which one it is."""
    system = System("shop")
    inventory = system.service(
        "inventory", schema="create table held (item text primary key, held int)"
    )

    async def insist_on(ctx, **data):
        for attempt in range(1, 9):
            try:
                return await ctx.ask(ReserveItem(attempt=attempt, **data))
            except Unanswered:
                await ctx.sleep(0.1)

    @system.service("orders").handles(PlaceOrder, max_attempts=5)
    async def place(command, ctx):
        held, order_id = [], command.order_id
        for item in ("pen", "ink", order_id):
            if not await insist_on(ctx, order_id=order_id, item=item):
                break
            held.append(item)
        else:
            return OrderCompleted(order_id=order_id)
        for item in held[::-1]:
            await insist(ctx, ReleaseItem(order_id=order_id, item=item))
        return OrderCancelled(order_id=order_id)

    @inventory.handles(ReserveItem)
    def reserve(command, ctx):
        if command.item == "far":
            return Refused("sold out")
        with ctx.database as db:
            db.execute(
                "insert or ignore into held values (?, 1)", (command.order_id + command.item,)
            )
        return True

    @inventory.handles(ReleaseItem)
    def release(command, ctx):
        with ctx.database as db:
            db.execute(
                "update held set held = 0 where item = ? and held",
                (command.order_id + command.item,),
            )

    return system


class CancelOrder(Command, key="order_id"):
    order_id: str


def cancelled_by_the_customer() -> System:
    """A second message of the client begins a story of its own, and takes back what the first one did."""

    async def reserve_and_charge(command, ctx):
        await insist(ctx, ReserveInventory(order_id=command.order_id))
        await insist(ctx, ChargePayment(order_id=command.order_id))

    system = orchestrated(reserve_and_charge)

    @system.services["orders"].handles(CancelOrder, max_attempts=5)
    async def cancel(command, ctx):
        for undo in (RefundPayment, ReleaseInventory):
            await insist(ctx, undo(order_id=command.order_id))
        return OrderCancelled(order_id=command.order_id)

    return system


async def two_thought_better_of(ctx):
    for order_id in ("o1", "o2"):
        await ctx.send(PlaceOrder(order_id=order_id))
    await ctx.sleep(8)
    for order_id in ("o1", "o2"):
        await ctx.send(CancelOrder(order_id=order_id))


async def impatient(ctx):
    for order_id in ("o1", "far"):
        for _ in range(2):
            await ctx.send(PlaceOrder(order_id=order_id))
            await ctx.sleep(0.05)


def all_at_once() -> System:
    """Choreographed; two services begin at the same time, and one that hears first of the other's refusal does not begin."""
    system = System("dance")
    for name, who, done, refused, undone, other in (
        (
            "inventory",
            "rare",
            InventoryReserved,
            InventoryRefused,
            InventoryReleased,
            PaymentRefused,
        ),
        ("payments", "poor", PaymentCharged, PaymentRefused, PaymentRefunded, InventoryRefused),
    ):
        service = system.service(
            name, schema="create table effects (order_id text primary key, live int)"
        )

        def begin(event, ctx, who=who, done=done, refused=refused):
            if event.order_id == who:
                return refused(order_id=event.order_id)
            with ctx.database as db:
                db.execute("insert or ignore into effects values (?, 1)", (event.order_id,))
                [(live,)] = db.execute(
                    "select live from effects where order_id = ?", (event.order_id,)
                )
            return done(order_id=event.order_id) if live else None

        def take_back(event, ctx, undone=undone):
            with ctx.database as db:
                db.execute(
                    "insert into effects values (?, 0) on conflict do update set live = 0",
                    (event.order_id,),
                )
            return undone(order_id=event.order_id)

        service.on(OrderCreated)(begin)
        service.on(other)(take_back)
    shipping = system.service(
        "shipping",
        schema="create table heard (order_id text, what text, primary key (order_id, what))",
    )

    def ship(event, ctx):
        with ctx.database as db:
            db.execute(
                "insert or ignore into heard values (?, ?)", (event.order_id, type(event).__name__)
            )
            [(both,)] = db.execute(
                "select count(*) = 2 from heard where order_id = ?", (event.order_id,)
            )
        return OrderShipped(order_id=event.order_id) if both else None

    for message in (InventoryReserved, PaymentCharged):
        shipping.on(message)(ship)
    return system


class FetchItem(Command, key="order_id"):
    order_id: str


class WrapItem(Command, key="order_id"):
    order_id: str


class PutItemBack(Command, key="order_id", compensates=FetchItem):
    order_id: str


class UnwrapItem(Command, key="order_id", compensates=WrapItem):
    order_id: str


class ItemReady(Event, topic="items", key="order_id", settles=True):
    order_id: str


class ItemGivenUp(Event, topic="items", key="order_id", settles=True):
    order_id: str


def with_a_saga_inside() -> System:
    """Orchestrated; the first step is a saga of its own, with a coordinator and an end of its own. It refuses where it
    had to go back."""
    system = orchestrated(led(ask=_true_is_done))
    fetching = system.service(
        "fetching", schema="create table log (order_id text primary key, done int, way text)"
    )
    system.services["inventory"].handlers.clear()
    undone_by = {FetchItem: PutItemBack, WrapItem: UnwrapItem}

    @fetching.handles(ReserveInventory, max_attempts=5)
    async def fetch(command, ctx):
        end = await lead(
            command, ctx, list(undone_by), undone_by=undone_by, ends=(ItemReady, ItemGivenUp)
        )
        await ctx.publish(end)
        return isinstance(end, ItemReady) or Refused("an item cannot be had")

    @fetching.handles(ReleaseInventory, max_attempts=5)
    async def give_back(command, ctx):
        for undo in (UnwrapItem, PutItemBack):
            await insist(ctx, undo(order_id=command.order_id))
        with ctx.database as db:
            db.execute("update log set way = 'given back' where order_id = ?", (command.order_id,))

    for step, undo in undone_by.items():
        service = system.service(
            step.__name__, schema="create table effects (order_id text primary key, live int)"
        )

        def do(command, ctx):
            if (command.order_id, type(command)) == ("rare", WrapItem):
                return Refused("no paper")
            with ctx.database as db:
                db.execute("insert or ignore into effects values (?, 1)", (command.order_id,))
            return "done"

        def take_back(command, ctx):
            with ctx.database as db:
                db.execute("update effects set live = 0 where order_id = ?", (command.order_id,))

        service.handles(step)(do)
        service.handles(undo)(take_back)
    return system


RIGHT = {
    "choreographed, refused at other steps": (choreographed, created("poor", "rare")),
    "choreographed, by inbox and outbox": (by_inbox_and_outbox, CREATED),
    "choreographed, all at once": (all_at_once, created("o1", "poor", "rare")),
    "orchestrated, refused at other steps": (orchestrated, orders("poor", "rare")),
    "orchestrated, taken back when in doubt": (lambda: orchestrated(led(ask=try_once)), ORDERS),
    "orchestrated, by messages": (by_messages, orders("far")),
    "orchestrated, by messages, refused at another step": (by_messages, orders("poor")),
    "orchestrated, by ticks": (by_ticks, ORDERS),
    "orchestrated, by a bank": (by_a_bank, orders("poor", "far")),
    "orchestrated, of a basket": (of_a_basket, ORDERS),
    "orchestrated, with a saga inside": (with_a_saga_inside, orders("o1", "far", "rare")),
    "orchestrated, ordered twice": (orchestrated, impatient),
    "orchestrated, cancelled by the customer": (cancelled_by_the_customer, two_thought_better_of),
}

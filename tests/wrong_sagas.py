"""Two right sagas of one shop, choreographed and orchestrated, and wrong ones: each the smallest change from a right one."""

from collections.abc import Callable
from typing import NamedTuple

from edalab import Claim, Command, Event, PublishFailed, Refused, System, Unanswered, claims
from edalab.errors import SaveFailed

# -- the messages


class PlaceOrder(Command, key="order_id"):
    order_id: str


class ReserveInventory(Command, key="order_id"):
    order_id: str


class ChargePayment(Command, key="order_id"):
    order_id: str


class ShipOrder(Command, key="order_id", final=True):
    order_id: str


class ReleaseInventory(Command, key="order_id", compensates=ReserveInventory):
    order_id: str


class RefundPayment(Command, key="order_id", compensates=ChargePayment):
    order_id: str


class TellCustomer(Command, key="order_id"):
    order_id: str


class OrderCompleted(Event, topic="ends", key="order_id", settles=True):
    order_id: str


class OrderCancelled(Event, topic="ends", key="order_id", settles=True):
    order_id: str


class OrderCreated(Event, topic="orders", key="order_id"):
    order_id: str


class InventoryReserved(Event, topic="inventory", key="order_id"):
    order_id: str


class InventoryRefused(Event, topic="inventory", key="order_id", refuses=InventoryReserved):
    order_id: str


class InventoryReleased(Event, topic="inventory", key="order_id", compensates=InventoryReserved):
    order_id: str


class PaymentCharged(Event, topic="payments", key="order_id"):
    order_id: str


class PaymentRefused(Event, topic="payments", key="order_id", refuses=PaymentCharged):
    order_id: str


class PaymentRefunded(Event, topic="payments", key="order_id", compensates=PaymentCharged):
    order_id: str


class OrderShipped(Event, topic="parcels", key="order_id", final=True, settles=True):
    order_id: str


class ShipmentRefused(Event, topic="parcels", key="order_id", refuses=OrderShipped):
    order_id: str


# -- what the services do in their databases: once, however often they are asked; True, or False where they refuse

TABLES = {
    "inventory": "create table stock (free int); insert into stock values (10);"
    "create table held (order_id text primary key, held int)",
    "payments": "create table charges (order_id text primary key, amount int)",
    "shipping": "create table parcels (order_id text primary key)",
}


def reserve(db, order_id):
    if order_id == "rare":
        return False
    if db.execute("insert or ignore into held values (?, 1)", (order_id,)).rowcount:
        db.execute("update stock set free = free - 1")
    return True


def release(db, order_id):
    if db.execute("update held set held = 0 where order_id = ? and held", (order_id,)).rowcount:
        db.execute("update stock set free = free + 1")
    else:
        db.execute(
            "insert or ignore into held values (?, 0)", (order_id,)
        )  # should it still come: too late
    return True


def charge(db, order_id):
    if order_id == "poor":
        return False
    db.execute("insert or ignore into charges values (?, 20)", (order_id,))
    return True


def refund(db, order_id):
    db.execute("update charges set amount = 0 where order_id = ? and amount", (order_id,))
    db.execute("insert or ignore into charges values (?, 0)", (order_id,))
    return True


def ship(db, order_id):
    if order_id == "far":
        return False
    db.execute("insert or ignore into parcels values (?)", (order_id,))
    return True


WORK = {"reserve": reserve, "charge": charge, "ship": ship, "release": release, "refund": refund}


def books(run):
    """A pen is free or sent off, reserved for who gets it, and paid by who gets it."""
    [(free,)] = run.rows("inventory", "select free from stock")
    held = run.rows("inventory", "select order_id from held where held order by 1")
    [(charged,)] = run.rows("payments", "select sum(amount) from charges")
    sent = run.rows("shipping", "select order_id from parcels order by 1")
    return {
        "pens": (free + len(sent), 10),
        "reserved": (held, sent),
        "money": (charged, 20 * len(sent)),
    }


# -- choreographed: each service goes on when it hears of the one before

DANCE = {
    ("inventory", OrderCreated): ("reserve", InventoryReserved, InventoryRefused),
    ("payments", InventoryReserved): ("charge", PaymentCharged, PaymentRefused),
    ("shipping", PaymentCharged): ("ship", OrderShipped, ShipmentRefused),
    ("payments", ShipmentRefused): ("refund", PaymentRefunded, None),
    ("inventory", PaymentRefunded): ("release", InventoryReleased, None),
    ("inventory", PaymentRefused): ("release", InventoryReleased, None),
}


def choreographed(dance=DANCE, carry_out=None, **changes) -> System:
    system = System("dance")
    for name, schema in TABLES.items():
        system.service(name, schema=schema)
    for (name, message), (word, done, refused) in dance.items():
        step = _heard((WORK | changes)[word], done, refused, carry_out or _in_one_transaction)
        step.__name__ = word
        system.services[name].on(message)(step)
    return system


def _heard(work, done, refused, carry_out):
    def step(event, ctx):
        return (done if carry_out(ctx, work, event.order_id) else refused)(order_id=event.order_id)

    return step


def _in_one_transaction(ctx, work, order_id):
    with ctx.database as db:
        return work(db, order_id)


# -- orchestrated: `orders` asks one after the other, and writes down how far it is

ASKED = {"reserve": ("inventory", ReserveInventory), "charge": ("payments", ChargePayment), "ship": ("shipping", ShipOrder),
         "release": ("inventory", ReleaseInventory), "refund": ("payments", RefundPayment)}  # fmt: skip
STEPS = [ReserveInventory, ChargePayment, ShipOrder]
UNDO = {ReserveInventory: ReleaseInventory, ChargePayment: RefundPayment}


async def insist(ctx, command):
    """Ask until there is an answer: what is in doubt may be done by now, and is not done twice."""
    for _ in range(8):
        try:
            return await ctx.ask(command)
        except Unanswered:
            await ctx.sleep(0.1)
    raise TimeoutError(f"{command} is still in doubt")


async def try_once(ctx, command):
    """Ask once, and go back if there is no answer; but not from what cannot be undone."""
    if type(command) not in UNDO:
        return await insist(ctx, command)
    try:
        return await ctx.ask(command, timeout=0.5)
    except Unanswered:
        return "in doubt"


async def lead(
    command,
    ctx,
    steps=STEPS,
    ask=insist,
    undo=insist,
    back=lambda done: done[::-1],
    undone_by=UNDO,
    ends=(OrderCompleted, OrderCancelled),
):
    """The coordinator. Its log says how many steps are done, and once it goes back, are or may be."""
    order = {"order_id": command.order_id}
    with ctx.database as db:
        db.execute("insert or ignore into log values (?, 0, 'on')", (command.order_id,))
        [(done, way)] = db.execute(
            "select done, way from log where order_id = ?", (command.order_id,)
        )
    while way == "on" and done < len(steps):
        answer = await ask(ctx, steps[done](**order))
        way = "on" if answer == "done" else "back"
        done += not isinstance(answer, Refused)
        with ctx.database as db:
            db.execute(
                "update log set done = ?, way = ? where order_id = ?", (done, way, command.order_id)
            )
    if way == "on":
        return ends[0](**order)
    for step in back([step for step in steps[:done] if step in undone_by]):
        await undo(ctx, undone_by[step](**order))
    return ends[1](**order)


def led(**otherwise):
    """The coordinator, but for what is told."""

    async def place(command, ctx):
        return await lead(command, ctx, **otherwise)

    return place


def orchestrated(place=led(), delivery="at-least-once", **changes) -> System:
    system = System("shop")
    orders = system.service(
        "orders", schema="create table log (order_id text primary key, done int, way text)"
    )
    orders.handles(PlaceOrder, delivery=delivery, max_attempts=5)(place)
    for name, schema in TABLES.items():
        system.service(name, schema=schema)
    for word, (name, command) in ASKED.items():
        step = _asked((WORK | changes)[word])
        step.__name__ = word
        system.services[name].handles(command)(step)
    return system


def _asked(work):
    def step(command, ctx):
        with ctx.database as db:
            return "done" if work(db, command.order_id) else Refused("it cannot be had")

    return step


# -- the outside world


def orders(*order_ids):
    async def place(ctx):
        for order_id in order_ids:
            await ctx.send(PlaceOrder(order_id=order_id))

    return place


def created(*order_ids):
    async def create(ctx):
        for order_id in order_ids:
            await ctx.publish(OrderCreated(order_id=order_id))

    return create


# -- the wrong ones


class Wrong(NamedTuple):
    """A wrong saga: the claim that names it, the number of faults that takes, and the other claims that break as well."""

    claim: Claim
    faults: int
    workload: Callable
    also: tuple[Claim, ...]
    build: Callable[[], System]


SETTLED, ONCE, REVERSE = (
    claims.saga_settled(),
    claims.compensated_once(),
    claims.compensated_in_reverse(),
)
NEEDED, NOTHING_LEFT, BALANCED = (
    claims.no_needless_compensation(),
    claims.nothing_left_behind(),
    claims.ledger_balanced(books),
)
CLAIMS = [SETTLED, ONCE, REVERSE, NEEDED, NOTHING_LEFT, BALANCED]
WRONG: dict[str, Wrong] = {}

ORDERS, CREATED = orders("o1", "far"), created("o1", "far")


def wrong(claim: Claim, faults: int, workload: Callable, *also: Claim) -> Callable:
    def enter(build):
        WRONG[build.__name__.replace("_", " ")] = Wrong(claim, faults, workload, also, build)
        return build

    return enter


# -- compensates twice


def release_again(db, order_id):
    db.execute("update held set held = 0 where order_id = ?", (order_id,))
    db.execute("update stock set free = free + 1")
    return True


@wrong(ONCE, 1, ORDERS, BALANCED)
def compensates_twice_when_asked_again():
    return orchestrated(release=release_again)


@wrong(ONCE, 1, CREATED, BALANCED)
def compensates_twice_when_it_hears_it_again():
    return choreographed(release=release_again)


@wrong(ONCE, 0, CREATED, BALANCED, REVERSE)
def compensates_for_two_reasons():
    both = DANCE | {("inventory", ShipmentRefused): ("release", InventoryReleased, None)}
    return choreographed(both, release=release_again)


# -- leaves something behind


@wrong(NOTHING_LEFT, 0, ORDERS, BALANCED)
def forgets_one_step():
    return orchestrated(
        led(back=lambda done: [step for step in done if step is not ReserveInventory])
    )


@wrong(SETTLED, 0, CREATED, NOTHING_LEFT, BALANCED)
def nobody_listens_to_the_refund():
    return choreographed(
        {key: does for key, does in DANCE.items() if key[1] is not PaymentRefunded}
    )


@wrong(NOTHING_LEFT, 1, ORDERS, BALANCED)
def swallows_a_compensation_that_got_no_answer():
    async def try_to(ctx, command):
        try:
            await ctx.ask(command)
        except Unanswered:
            ctx.note("whatever")

    return orchestrated(led(undo=try_to))


@wrong(NOTHING_LEFT, 1, CREATED, SETTLED, BALANCED)
def swallows_a_compensation_that_was_not_saved():
    def carry_out(ctx, work, order_id):
        try:
            return _in_one_transaction(ctx, work, order_id)
        except SaveFailed:
            if work is not release:
                raise
            return True

    return choreographed(carry_out=carry_out)


@wrong(NOTHING_LEFT, 1, ORDERS, BALANCED)
def does_not_know_what_was_taken_back_before_it_came():
    def release_what_is_there(db, order_id):
        if db.execute("update held set held = 0 where order_id = ? and held", (order_id,)).rowcount:
            db.execute("update stock set free = free + 1")
        return True

    return orchestrated(led(ask=try_once), release=release_what_is_there)


@wrong(NOTHING_LEFT, 0, orders("poor"), BALANCED)
def goes_on_though_a_step_was_refused():
    async def ask(ctx, command):
        await insist(ctx, command)
        return "done"

    system = orchestrated(led(steps=[ReserveInventory, ChargePayment], ask=ask))

    @system.services["payments"].handles(ChargePayment)
    def charge(command):
        return Refused("no money")

    return system


@wrong(NOTHING_LEFT, 1, ORDERS, BALANCED)
def does_all_the_same_what_was_taken_back_before_it_came():
    def release_and_note(db, order_id):
        if db.execute("update held set held = 0 where order_id = ? and held", (order_id,)).rowcount:
            db.execute("update stock set free = free + 1")
        db.execute("insert or ignore into held values (?, 0)", (f"not {order_id}",))
        return True

    return orchestrated(led(ask=try_once), release=release_and_note)


# -- in the wrong order


@wrong(REVERSE, 0, ORDERS)
def compensates_in_forward_order():
    return orchestrated(led(back=lambda done: done))


@wrong(REVERSE, 0, CREATED)
def compensates_everywhere_at_once():
    at_once = {key: does for key, does in DANCE.items() if key[1] is not PaymentRefunded}
    return choreographed(
        at_once | {("inventory", ShipmentRefused): ("release", InventoryReleased, None)}
    )


# -- takes silence for an answer


def silence_means(answer, step):
    async def ask(ctx, command):
        if not isinstance(command, step):
            return await insist(ctx, command)
        try:
            return await ctx.ask(command)
        except Unanswered:
            return answer

    return ask


@wrong(NEEDED, 1, ORDERS, BALANCED)
def takes_a_time_out_for_a_failure_and_ships_unpaid():
    return orchestrated(led(ask=silence_means(Refused("no answer"), ShipOrder)))


@wrong(NOTHING_LEFT, 1, ORDERS, BALANCED)
def takes_a_time_out_for_a_failure_and_keeps_the_money():
    return orchestrated(led(ask=silence_means(Refused("no answer"), ChargePayment)))


@wrong(NOTHING_LEFT, 1, ORDERS, SETTLED, BALANCED)
def takes_the_first_time_out_for_a_failure_and_keeps_the_stock():
    return orchestrated(led(ask=silence_means(Refused("no answer"), ReserveInventory)))


@wrong(SETTLED, 1, ORDERS, BALANCED)
def takes_a_time_out_for_a_success_and_ships_unpaid():
    return orchestrated(led(ask=silence_means("done", ChargePayment)))


@wrong(claims.handled_once(ChargePayment), 1, ORDERS, BALANCED)
def takes_a_time_out_for_a_failure_and_charges_twice():
    def charge_again(db, order_id):
        return db.execute(
            "insert into charges values (?, 20) on conflict do update set amount = amount + 20",
            (order_id,),
        )

    return orchestrated(charge=charge_again)


# -- compensates what it must not


@wrong(NEEDED, 0, ORDERS, NOTHING_LEFT, BALANCED)
def releases_the_stock_of_another_order():
    async def mistake(ctx, command):
        return await insist(
            ctx,
            ReleaseInventory(order_id="o1") if isinstance(command, ReleaseInventory) else command,
        )

    return orchestrated(led(undo=mistake))


@wrong(BALANCED, 0, ORDERS, ONCE)
def releases_whatever_stock_comes_first():
    def release_first(db, order_id):
        if db.execute(
            "update held set held = 0 where rowid = (select min(rowid) from held where held)"
        ).rowcount:
            db.execute("update stock set free = free + 1")
        return True

    return orchestrated(release=release_first)


@wrong(NEEDED, 0, orders("o1", "poor"))
def takes_back_what_was_refused():
    async def ask(ctx, command):
        return "done" if await insist(ctx, command) == "done" else "in doubt"

    return orchestrated(led(ask=ask))


@wrong(NEEDED, 0, created("o1", "rare"))
def takes_back_what_it_refused_itself():
    return choreographed(
        DANCE | {("inventory", InventoryRefused): ("release", InventoryReleased, None)}
    )


@wrong(NEEDED, 1, ORDERS, BALANCED)
def goes_back_after_the_final_step():
    steps = [*STEPS, TellCustomer]
    system = orchestrated(led(steps=steps, ask=silence_means(Refused("no answer"), TellCustomer)))

    @system.service("mail").handles(TellCustomer)
    def tell(command):
        return "done"

    return system


# -- does not end, or ends twice


@wrong(claims.saga_settled(PlaceOrder), 1, ORDERS, SETTLED, NOTHING_LEFT, BALANCED)
def keeps_the_saga_log_in_memory():
    return orchestrated(delivery="at-most-once")


@wrong(SETTLED, 0, ORDERS)
def marks_it_done_before_the_last_step():
    async def ask(ctx, command):
        if isinstance(command, ShipOrder):
            await ctx.publish(OrderCompleted(order_id=command.order_id))
        return await insist(ctx, command)

    return orchestrated(led(ask=ask))


@wrong(SETTLED, 1, ORDERS)
def swallows_that_its_end_was_not_published():
    async def place(command, ctx):
        try:
            await ctx.publish(await lead(command, ctx))
        except PublishFailed:
            ctx.note("whatever")

    return orchestrated(place)


@wrong(claims.saga_settled(OrderCreated), 1, CREATED, BALANCED)
def does_not_say_again_what_it_did():
    def reserve_once(db, order_id):
        if db.execute("select 1 from held where order_id = ?", (order_id,)).fetchone():
            raise LookupError("I have done that")
        return reserve(db, order_id)

    return choreographed(reserve=reserve_once)

"""Small systems with one known mistake each, and the smallest change that mends it: `build(mended)`."""

from collections.abc import Callable
from typing import NamedTuple

from edalab import Claim, Command, Event, Query, System, Unanswered, claims


class Pair(NamedTuple):
    """A mistake: the claim it breaks, and how many faults that takes."""

    claim: Claim
    faults: int
    build: Callable[[bool], System]
    workload: Callable


PAIRS: dict[str, Pair] = {}


def planted(claim: Claim, faults: int, workload: Callable) -> Callable:
    def plant(build):
        PAIRS[build.__name__.replace("_", " ")] = Pair(claim, faults, build, workload)
        return build

    return plant


class PlaceOrder(Command, key="order_id"):
    order_id: str


class OrderPlaced(Event, topic="orders", key="order_id"):
    order_id: str


class PaymentCharged(Event, topic="payments", key="order_id"):
    order_id: str


class ChargeCard(Command, key="order_id"):
    order_id: str


async def one_order(ctx):
    await ctx.publish(OrderPlaced(order_id="o1"))


async def two_orders(ctx):
    for order_id in ("o1", "o2"):
        await ctx.publish(OrderPlaced(order_id=order_id))


async def two_requests(ctx):
    for order_id in ("o1", "o2"):
        await ctx.send(PlaceOrder(order_id=order_id))


CHARGES = "create table charges (id text primary key, order_id text)"


def told(system: System) -> System:
    """Somebody hears of payments."""

    @system.service("mail", schema="create table mails (order_id text primary key)").on(
        PaymentCharged
    )
    def write(event, ctx):
        with ctx.database as db:
            db.execute("insert or ignore into mails values (?)", (event.order_id,))

    return system


# -- handled twice


@planted(claims.handled_once(OrderPlaced), 1, one_order)
def a_redelivery_is_charged_again(mended):
    system = System("shop")

    @system.service("payments", schema="create table charges (order_id text)").on(OrderPlaced)
    def charge(event, ctx):
        with ctx.database as db:
            if (
                mended
                and db.execute(
                    "select 1 from charges where order_id = ?", (event.order_id,)
                ).fetchone()
            ):
                return
            db.execute("insert into charges values (?)", (event.order_id,))

    return system


@planted(claims.handled_once(OrderPlaced), 1, two_orders)
def dedup_is_recorded_after_the_side_effect(mended):
    system = System("shop")
    schema = "create table seen (id text primary key); create table charges (order_id text)"

    @system.service("payments", schema=schema).on(OrderPlaced)
    def charge(event, ctx):
        id = ctx.message.id
        with ctx.database as db:
            if db.execute("select 1 from seen where id = ?", (id,)).fetchone():
                return
            db.execute("insert into charges values (?)", (event.order_id,))
            if mended:
                db.execute("insert into seen values (?)", (id,))
        if not mended:
            with ctx.database as db:
                db.execute("insert into seen values (?)", (id,))

    return system


@planted(claims.handled_once(OrderPlaced), 1, two_requests)
def dedup_by_message_id_under_a_producer_that_ran_twice(mended):
    system = System("shop")

    @system.service("orders").handles(PlaceOrder)
    async def place(command, ctx):
        await ctx.publish(OrderPlaced(order_id=command.order_id))

    @system.service("payments", schema=CHARGES).on(OrderPlaced)
    def charge(event, ctx):
        known = event.order_id if mended else ctx.message.id
        with ctx.database as db:
            db.execute("insert or ignore into charges values (?, ?)", (known, event.order_id))

    return system


@planted(claims.handled_once(OrderPlaced), 1, two_orders)
def what_was_handled_is_remembered_in_memory(mended):
    system = System("shop")

    @system.service("payments", schema=CHARGES).on(OrderPlaced)
    def charge(event, ctx):
        if not mended:
            if event.order_id in ctx.state:
                return
            ctx.state[event.order_id] = True
        with ctx.database as db:
            id = event.order_id if mended else ctx.new_id()
            db.execute("insert or ignore into charges values (?, ?)", (id, event.order_id))

    return system


async def two_orders_far_apart(ctx):
    await ctx.publish(OrderPlaced(order_id="o1"))
    await ctx.sleep(1)
    await ctx.publish(OrderPlaced(order_id="o2"))


@planted(claims.handled_once(OrderPlaced), 2, two_orders_far_apart)
def only_the_last_message_is_remembered(mended):
    system = System("shop")
    schema = "create table seen (id text); create table charges (order_id text)"

    @system.service("payments", schema=schema).on(OrderPlaced)
    def charge(event, ctx):
        with ctx.database as db:
            if db.execute("select 1 from seen where id = ?", (ctx.message.id,)).fetchone():
                return
            if not mended:
                db.execute("delete from seen")
            db.execute("insert into seen values (?)", (ctx.message.id,))
            db.execute("insert into charges values (?)", (event.order_id,))

    return system


@planted(claims.handled_once(ChargeCard), 1, one_order)
def a_command_is_asked_again_after_a_late_success(mended):
    system = System("shop")

    @system.service("orders").on(OrderPlaced)
    async def pay(event, ctx):
        for _ in range(3):
            try:
                return await ctx.ask(ChargeCard(order_id=event.order_id)) and None
            except Unanswered:
                ctx.note("is the card charged or not?")

    @system.service("bank", schema=CHARGES).handles(ChargeCard)
    def charge(command, ctx):
        id = command.order_id if mended else ctx.message.id
        with ctx.database as db:
            db.execute("insert or ignore into charges values (?, ?)", (id, command.order_id))
        return "charged"

    return system


# -- lost


async def two_charges(ctx):
    for order_id in ("o1", "o2"):
        await ctx.send(ChargeCard(order_id=order_id))


@planted(claims.no_event_lost(ChargeCard), 1, two_charges)
def the_ack_comes_before_the_work(mended):
    system = System("shop")

    @system.service("bank", schema=CHARGES).handles(
        ChargeCard, delivery="at-least-once" if mended else "at-most-once"
    )
    def charge(command, ctx):
        with ctx.database as db:
            db.execute(
                "insert or ignore into charges values (?, ?)", (command.order_id, command.order_id)
            )

    return system


@planted(claims.no_event_lost(OrderPlaced), 1, two_orders)
def the_offset_is_committed_before_the_work(mended):
    system = System("shop")

    @system.service("payments", schema=CHARGES).on(
        OrderPlaced, delivery="at-least-once" if mended else "at-most-once"
    )
    def charge(event, ctx):
        with ctx.database as db:
            db.execute(
                "insert or ignore into charges values (?, ?)", (event.order_id, event.order_id)
            )

    return system


@planted(claims.no_event_lost(OrderPlaced), 1, two_orders)
def dead_lettered_and_forgotten(mended):
    system = System("shop")

    @system.service("payments", schema=CHARGES).on(OrderPlaced, max_attempts=3 if mended else 1)
    def charge(event, ctx):
        with ctx.database as db:
            db.execute(
                "insert or ignore into charges values (?, ?)", (event.order_id, event.order_id)
            )

    return system


@planted(claims.no_event_lost(OrderPlaced), 2, two_orders)
def tried_once_more_and_no_more(mended):
    system = System("shop")

    @system.service("payments", schema=CHARGES).on(OrderPlaced, max_attempts=3 if mended else 2)
    def charge(event, ctx):
        with ctx.database as db:
            db.execute(
                "insert or ignore into charges values (?, ?)", (event.order_id, event.order_id)
            )

    return system


class Measured(Event, topic="measurements", key="sensor"):
    sensor: str
    value: int


class Measure(Command, key="sensor"):
    sensor: str


async def one_measurement(ctx):
    await ctx.send(Measure(sensor="s1"))


@planted(claims.no_event_lost(Measured), 1, one_measurement)
def a_topic_that_does_not_confirm(mended):
    system = System("plant")
    system.topic("measurements", confirms=mended)

    @system.service("sensors").handles(Measure)
    async def measure(command, ctx):
        await ctx.publish(Measured(sensor=command.sensor, value=7))

    @system.service("archive", schema="create table measured (value int)").on(Measured)
    def archive(event, ctx):
        with ctx.database as db:
            db.execute("insert into measured values (?)", (event.value,))

    return system


# -- out of order


class AddressChanged(Event, topic="addresses", key="customer"):
    customer: str
    address: str
    version: int


class ChangeAddress(Command, key="customer"):
    customer: str
    address: str


async def ada_moves(ctx):
    await ctx.send(ChangeAddress(customer="ada", address="home"))
    await ctx.sleep(0.2)
    await ctx.send(ChangeAddress(customer="ada", address="work"))


def customers_of(system):
    """Customers publish each change, and publish it again where its command comes again: behind what is newer."""
    schema = "create table changes (command text primary key, event text)"

    @system.service("customers", schema=schema).handles(ChangeAddress)
    async def change(command, ctx):
        with ctx.database as db:
            sql = "select event from changes where command = ?"
            known = db.execute(sql, (ctx.message.id,)).fetchone()
            if known:
                event = known[0]
            else:
                version = db.execute("select count(*) + 1 from changes").fetchone()[0]
                event = ctx.envelope(AddressChanged(**command.model_dump(), version=version))
                db.execute("insert into changes values (?, ?)", (ctx.message.id, event))
        await ctx.publish(event)


@planted(claims.in_order_per_key(AddressChanged), 1, ada_moves)
def an_older_snapshot_published_again_over_a_newer_one(mended):
    system = System("shop")
    customers_of(system)
    schema = "create table addresses (customer text primary key, address text, version int)"

    @system.service("mail", schema=schema).on(AddressChanged)
    def copy(event, ctx):
        newer = "where excluded.version > version" if mended else ""
        update = f"do update set address = excluded.address, version = excluded.version {newer}"
        sql = f"insert into addresses values (?, ?, ?) on conflict {update}"
        with ctx.database as db:
            db.execute(sql, (event.customer, event.address, event.version))

    return system


@planted(claims.in_order_per_key(AddressChanged), 2, ada_moves)
def the_newest_version_is_remembered_in_memory(mended):
    system = System("shop")
    customers_of(system)
    schema = "create table addresses (customer text primary key, address text, version int)"

    @system.service("mail", schema=schema).on(AddressChanged)
    def copy(event, ctx):
        with ctx.database as db:
            found = db.execute(
                "select version from addresses where customer = ?", (event.customer,)
            ).fetchone()
            newest = (found[0] if found else 0) if mended else ctx.state.get(event.customer, 0)
            if event.version > newest:
                ctx.state[event.customer] = event.version
                db.execute(
                    "insert or replace into addresses values (?, ?, ?)",
                    (event.customer, event.address, event.version),
                )

    return system


# -- stale


class ChangePrice(Command, key="sku"):
    sku: str
    price: int
    version: int


class PriceChanged(Event, topic="prices", key="sku"):
    sku: str
    price: int
    version: int


class GetPrice(Query, key="sku"):
    sku: str


class GetQuote(Query, key="sku"):
    sku: str
    version: int = 0  # the newest that the asker knows of


def catalog(system: System) -> System:
    schema = "create table prices (sku text primary key, price int, version int)"
    catalog = system.service("catalog", schema=schema)

    @catalog.handles(ChangePrice)
    async def change(command, ctx):
        with ctx.database as db:
            db.execute(
                "insert or replace into prices values (?, ?, ?)",
                (command.sku, command.price, command.version),
            )
        await ctx.publish(
            PriceChanged(sku=command.sku, price=command.price, version=command.version)
        )
        return command.version

    @catalog.answers(GetPrice)
    def price(query, ctx):
        with ctx.database as db:
            return db.execute("select price from prices where sku = ?", (query.sku,)).fetchone()[0]

    return system


async def price_goes_up(ctx):
    for version in (1, 2):
        try:
            await ctx.ask(ChangePrice(sku="pen", price=version, version=version))
            await ctx.ask(GetQuote(sku="pen"), timeout=3)
        except Unanswered:
            ctx.note("no quote")


@planted(claims.no_stale_read(GetQuote), 0, price_goes_up)
def a_cache_is_read_after_the_change(mended):
    system = catalog(System("shop"))

    @system.service("shop").answers(GetQuote)
    async def quote(query, ctx):
        if mended or query.sku not in ctx.state:
            ctx.state[query.sku] = await ctx.ask(GetPrice(sku=query.sku))
        return ctx.state[query.sku]

    return system


async def reads_what_was_written(ctx):
    for version in (1, 2):
        try:
            known = await ctx.ask(ChangePrice(sku="pen", price=version, version=version))
            await ctx.sleep(0.5)
            await ctx.ask(GetQuote(sku="pen", version=known))
        except Unanswered:
            ctx.note("no quote")


@planted(claims.no_stale_read(GetQuote), 1, reads_what_was_written)
def a_copy_answers_though_it_is_behind(mended):
    system = catalog(System("shop"))
    shop = system.service(
        "shop", schema="create table prices (sku text primary key, price int, version int)"
    )

    @shop.on(PriceChanged)
    def copy(event, ctx):
        with ctx.database as db:
            db.execute(
                "insert into prices values (?, ?, ?) on conflict do update "
                "set price = excluded.price, version = excluded.version where excluded.version > version",
                (event.sku, event.price, event.version),
            )

    @shop.answers(GetQuote)
    def quote(query, ctx):
        with ctx.database as db:
            found = db.execute(
                "select price, version from prices where sku = ?", (query.sku,)
            ).fetchone()
        if mended and (found is None or found[1] < query.version):
            raise LookupError("not there yet: ask again")
        return found

    return system


# -- dual writes


@planted(claims.no_dual_write_gap("payments"), 1, two_orders)
def published_after_the_save_without_an_outbox(mended):
    system = told(System("shop"))
    payments = system.service(
        "payments",
        schema="create table charges (order_id text); create table outbox (envelope text)",
    )

    @payments.on(OrderPlaced)
    async def charge(event, ctx):
        charged = PaymentCharged(order_id=event.order_id)
        with ctx.database as db:
            if db.execute("select 1 from charges where order_id = ?", (event.order_id,)).fetchone():
                return
            db.execute("insert into charges values (?)", (event.order_id,))
            if mended:
                db.execute("insert into outbox values (?)", (ctx.envelope(charged),))
        if not mended:
            await ctx.publish(charged)

    @payments.every(1)
    async def relay(ctx):
        with ctx.database as db:
            stored = db.execute("select rowid, envelope from outbox").fetchall()
        for rowid, envelope in stored:
            await ctx.publish(envelope)
            with ctx.database as db:
                db.execute("delete from outbox where rowid = ?", (rowid,))

    return system


@planted(claims.no_dual_write_gap("payments"), 1, two_orders)
def an_outbox_is_emptied_before_it_is_published(mended):
    system = told(System("shop"))
    payments = system.service(
        "payments",
        schema="create table charges (order_id text); create table outbox (envelope text)",
    )

    @payments.on(OrderPlaced)
    def charge(event, ctx):
        with ctx.database as db:
            if not db.execute(
                "select 1 from charges where order_id = ?", (event.order_id,)
            ).fetchone():
                db.execute("insert into charges values (?)", (event.order_id,))
                db.execute(
                    "insert into outbox values (?)",
                    (ctx.envelope(PaymentCharged(order_id=event.order_id)),),
                )

    @payments.every(1)
    async def relay(ctx):
        with ctx.database as db:
            stored = [envelope for (envelope,) in db.execute("select envelope from outbox")]
            if not mended:
                db.execute("delete from outbox")
        for envelope in stored:
            await ctx.publish(envelope)
        if mended and stored:
            with ctx.database as db:
                for envelope in stored:
                    db.execute("delete from outbox where envelope = ?", (envelope,))

    return system


class ShipOrder(Command, key="order_id"):
    order_id: str


@planted(claims.no_dual_write_gap("orders"), 0, two_requests)
def sent_from_a_transaction_that_rolls_back(mended):
    system = System("shop")

    @system.service("orders", schema="create table orders (order_id text primary key)").handles(
        PlaceOrder
    )
    async def place(command, ctx):
        with ctx.database as db:
            if not mended:
                await ctx.send(ShipOrder(order_id=command.order_id))
            db.execute("insert or ignore into orders values (?)", (command.order_id,))
            if command.order_id == "o2":
                raise ValueError("out of stock")
        if mended:
            await ctx.send(ShipOrder(order_id=command.order_id))

    @system.service("shipping", schema="create table parcels (order_id text primary key)").handles(
        ShipOrder
    )
    def ship(command, ctx):
        with ctx.database as db:
            db.execute("insert or ignore into parcels values (?)", (command.order_id,))

    return system


# -- projections


class TicketBought(Event, topic="tickets", key="customer"):
    customer: str
    price: int


async def the_same_twice(ctx):
    await ctx.publish(TicketBought(customer="ada", price=5))
    await ctx.publish(TicketBought(customer="ada", price=5))


def bought(run):
    """The tickets that the client bought, by the record."""
    return [
        (
            len(
                {
                    s.envelope.id
                    for s in run.journal
                    if s.step == "publish" and s.service == "client"
                }
            ),
        )
    ]


@planted(
    claims.projection_matches("billing", "select count(*) from bills", bought), 0, the_same_twice
)
def dedup_by_payload(mended):
    system = System("box-office")

    @system.service(
        "billing", schema="create table bills (id text primary key, customer text, price int)"
    ).on(TicketBought)
    def bill(event, ctx):
        id = ctx.message.id if mended else f"{event.customer} {event.price}"
        with ctx.database as db:
            db.execute(
                "insert or ignore into bills values (?, ?, ?)", (id, event.customer, event.price)
            )

    return system


class PageViewed(Event, topic="views", key="visitor"):
    visitor: str
    page: str


async def three_views(ctx):
    for visitor in ("ada", "bob", "cyd"):
        await ctx.publish(PageViewed(visitor=visitor, page="home"))


VIEWED = "select page, count(*) from views group by page"


def viewed(run):
    """Views by page, by the record."""
    views = {
        s.envelope.id
        for s in run.journal
        if s.step == "publish" and s.envelope.type == "PageViewed"
    }
    return [("home", len(views))]


@planted(claims.projection_matches("counts", "select * from counts", viewed), 0, three_views)
def replicas_count_in_their_own_memory(mended):
    system = System("site")
    system.topic("views", partitions=2)
    schema = "create table seen (id text primary key); create table counts (page text primary key, n int)"

    @system.service("counts", replicas=2, schema=schema).on(PageViewed)
    def count(event, ctx):
        with ctx.database as db:
            if db.execute("select 1 from seen where id = ?", (ctx.message.id,)).fetchone():
                return
            db.execute("insert into seen values (?)", (ctx.message.id,))
            found = db.execute("select n from counts where page = ?", (event.page,)).fetchone()
            before = (found[0] if found else 0) if mended else ctx.state.get(event.page, 0)
            ctx.state[event.page] = before + 1
            db.execute("insert or replace into counts values (?, ?)", (event.page, before + 1))

    return system


@planted(claims.projection_matches("counts", "select * from counts", viewed), 1, three_views)
def a_projection_that_applies_twice(mended):
    system = System("site")
    schema = "create table seen (id text primary key); create table counts (page text primary key, n int)"

    @system.service("counts", schema=schema).on(PageViewed)
    def count(event, ctx):
        with ctx.database as db:
            if (
                mended
                and not db.execute(
                    "insert or ignore into seen values (?)", (ctx.message.id,)
                ).rowcount
            ):
                return
            db.execute(
                "insert into counts values (?, 1) on conflict do update set n = n + 1",
                (event.page,),
            )

    return system


@planted(claims.projection_matches("counts", "select * from counts", viewed), 1, three_views)
def a_projection_that_skips(mended):
    system = System("site")
    schema = "create table seen (id text primary key); create table counts (page text primary key, n int)"

    @system.service("counts", schema=schema).on(PageViewed)
    def count(event, ctx):
        with ctx.database as db:
            if not db.execute("insert or ignore into seen values (?)", (ctx.message.id,)).rowcount:
                return
            if mended:
                db.execute(
                    "insert into counts values (?, 1) on conflict do update set n = n + 1",
                    (event.page,),
                )
        if not mended:
            with ctx.database as db:
                db.execute(
                    "insert into counts values (?, 1) on conflict do update set n = n + 1",
                    (event.page,),
                )

    return system


class Remind(Command, key="order_id"):
    order_id: str


@planted(
    claims.projection_matches("mail", "select * from reminders", "orders", "select * from orders"),
    1,
    two_orders,
)
def a_timer_kept_in_memory(mended):
    system = System("shop")

    @system.service("orders", schema="create table orders (order_id text primary key)").on(
        OrderPlaced
    )
    async def wait(event, ctx):
        with ctx.database as db:
            if db.execute("select 1 from orders where order_id = ?", (event.order_id,)).fetchone():
                return
            db.execute("insert into orders values (?)", (event.order_id,))
            if mended:
                await ctx.send(Remind(order_id=event.order_id), after=10)
        if not mended:
            await ctx.sleep(10)
            await ctx.send(Remind(order_id=event.order_id))

    @system.service("mail", schema="create table reminders (order_id text primary key)").handles(
        Remind
    )
    def remind(command, ctx):
        with ctx.database as db:
            db.execute("insert or ignore into reminders values (?)", (command.order_id,))

    return system


# -- sagas


class ReserveStock(Command, key="order_id"):
    order_id: str


class ReleaseStock(Command, key="order_id", compensates=ReserveStock):
    order_id: str


class StockReserved(Event, topic="stock", key="order_id"):
    order_id: str


class TakePayment(Command, key="order_id"):
    order_id: str


class PaymentTaken(Event, topic="saga-payments", key="order_id"):
    order_id: str


class PaymentRefused(Event, topic="saga-payments", key="order_id", refuses=TakePayment):
    order_id: str


class OrderShipped(Event, topic="shipped", key="order_id", settles=True):
    order_id: str


TEN_IN_STOCK = "create table stock (free int); insert into stock values (10)"
STOCK = f"create table reservations (order_id text primary key, released int); {TEN_IN_STOCK}"


def order_saga(release_twice=False, forget=False, in_memory=False) -> System:
    """`orders` leads: reserve the stock, take the payment, then ship; or release the stock, the payment refused."""
    system = System("shop")
    orders = system.service("orders", schema="create table orders (order_id text primary key)")

    @orders.handles(PlaceOrder)
    async def place(command, ctx):
        if in_memory:
            ctx.state[command.order_id] = "placed"
        else:
            with ctx.database as db:
                db.execute("insert or ignore into orders values (?)", (command.order_id,))
        await ctx.send(ReserveStock(order_id=command.order_id))

    @orders.on(StockReserved)
    async def pay(event, ctx):
        if in_memory:
            ctx.state[event.order_id]  # only orders that we know
        else:
            with ctx.database as db:
                db.execute("select * from orders where order_id = ?", (event.order_id,)).fetchone()[
                    0
                ]
        await ctx.send(TakePayment(order_id=event.order_id))

    @orders.on(PaymentTaken)
    async def ship(event, ctx):
        await ctx.publish(OrderShipped(order_id=event.order_id))

    @orders.on(PaymentRefused)
    async def give_up(event, ctx):
        if not forget:
            await ctx.send(ReleaseStock(order_id=event.order_id))

    stock = system.service("stock", schema=STOCK)

    @stock.handles(ReserveStock)
    async def reserve(command, ctx):
        with ctx.database as db:
            if db.execute(
                "insert or ignore into reservations values (?, 0)", (command.order_id,)
            ).rowcount:
                db.execute("update stock set free = free - 1")
        await ctx.publish(StockReserved(order_id=command.order_id))

    @stock.handles(ReleaseStock)
    def release(command, ctx):
        with ctx.database as db:
            held = "update reservations set released = 1 where order_id = ?" + (
                "" if release_twice else " and not released"
            )
            if db.execute(held, (command.order_id,)).rowcount:
                db.execute("update stock set free = free + 1")

    payments = system.service(
        "payments", schema="create table payments (order_id text primary key)"
    )

    @payments.handles(TakePayment)
    async def take(command, ctx):
        if command.order_id == "poor":
            await ctx.publish(PaymentRefused(order_id=command.order_id))
            return
        with ctx.database as db:
            db.execute("insert or ignore into payments values (?)", (command.order_id,))
        await ctx.publish(PaymentTaken(order_id=command.order_id))

    return system


async def one_without_money(ctx):
    await ctx.send(PlaceOrder(order_id="poor"))


async def one_with_money(ctx):
    await ctx.send(PlaceOrder(order_id="rich"))


@planted(claims.compensated_once(), 1, one_without_money)
def a_compensation_that_is_not_idempotent(mended):
    return order_saga(release_twice=not mended)


@planted(claims.nothing_left_behind(), 0, one_without_money)
def a_forgotten_compensation(mended):
    return order_saga(forget=not mended)


@planted(claims.saga_settled(), 1, one_with_money)
def a_saga_that_lives_in_memory(mended):
    return order_saga(in_memory=not mended)


class BookTrip(Command, key="trip"):
    trip: str


class BookFlight(Command, key="trip"):
    trip: str


class CancelFlight(Command, key="trip", compensates=BookFlight):
    trip: str


class TripBooked(Event, topic="trips", key="trip", settles=True):
    trip: str


class TripCancelled(Event, topic="trips", key="trip", refuses=BookTrip, settles=True):
    trip: str


async def one_trip(ctx):
    await ctx.send(BookTrip(trip="t1"))


@planted(claims.nothing_left_behind(), 1, one_trip)
def a_time_out_that_was_a_late_success(mended):
    system = System("travel")

    @system.service("trips", schema="create table cancelled (trip text primary key)").handles(
        BookTrip
    )
    async def book(command, ctx):
        try:
            await ctx.ask(BookFlight(trip=command.trip))
        except Unanswered:  # booked or not: cancel it
            with ctx.database as db:
                db.execute("insert or ignore into cancelled values (?)", (command.trip,))
            if mended:
                await ctx.send(CancelFlight(trip=command.trip))
            await ctx.publish(TripCancelled(trip=command.trip))
        else:
            await ctx.publish(TripBooked(trip=command.trip))

    airline = system.service(
        "airline", schema="create table flights (trip text primary key, cancelled int)"
    )

    @airline.handles(BookFlight)
    def book_flight(command, ctx):
        with ctx.database as db:
            db.execute("insert or ignore into flights values (?, 0)", (command.trip,))

    @airline.handles(CancelFlight)
    def cancel_flight(command, ctx):
        with ctx.database as db:
            db.execute(
                "insert into flights values (?, 1) on conflict do update set cancelled = 1 where not cancelled",
                (command.trip,),
            )

    return system


class OrderCreated(Event, topic="created", key="order_id"):
    order_id: str


class StockHeld(Event, topic="held", key="order_id"):
    order_id: str


class StockFreed(Event, topic="held", key="order_id", compensates=StockHeld):
    order_id: str


class PaymentMade(Event, topic="paid", key="order_id", settles=True):
    order_id: str


class PaymentDeclined(Event, topic="paid", key="order_id", refuses=PaymentMade):
    order_id: str


async def one_created(ctx):
    await ctx.publish(OrderCreated(order_id="o1"))


def choreography(frees=True, guarded=True) -> System:
    """Nobody leads: stock is held, the payment is declined, and the stock is freed."""
    system = System("shop")
    schema = f"create table held (order_id text primary key, freed int); {TEN_IN_STOCK}"
    inventory = system.service("inventory", schema=schema)

    @inventory.on(OrderCreated)
    def hold(event, ctx):
        with ctx.database as db:
            if db.execute("insert or ignore into held values (?, 0)", (event.order_id,)).rowcount:
                db.execute("update stock set free = free - 1")
        return StockHeld(order_id=event.order_id)

    @system.service("payments").on(StockHeld)
    def pay(event):
        return PaymentDeclined(order_id=event.order_id)

    if frees:

        @inventory.on(PaymentDeclined)
        def free(event, ctx):
            with ctx.database as db:
                guard = " and not freed" if guarded else ""
                if db.execute(
                    f"update held set freed = 1 where order_id = ?{guard}", (event.order_id,)
                ).rowcount:
                    db.execute("update stock set free = free + 1")
            return StockFreed(order_id=event.order_id)

    return system


@planted(claims.saga_settled(), 0, one_created)
def nobody_listens_to_the_refusal(mended):
    return choreography(frees=mended)


@planted(claims.compensated_once(), 1, one_created)
def an_event_that_frees_the_stock_twice(mended):
    return choreography(guarded=mended)


# -- poison


@planted(claims.no_poison_loop(), 0, one_order)
def a_message_that_can_never_be_handled(mended):
    system = System("shop")

    @system.service("payments").on(OrderPlaced, max_attempts=3 if mended else 500)
    def charge(event):
        raise ValueError("no such currency")

    return system


@planted(claims.no_poison_loop(), 0, two_charges)
def a_message_that_sends_itself_again(mended):
    system = System("shop")

    @system.service("bank").handles(ChargeCard)
    async def charge(command, ctx):
        try:
            raise ValueError("no such card")
        except ValueError:
            if mended:
                raise
            await ctx.send(ChargeCard(order_id=command.order_id), after=1)

    return system

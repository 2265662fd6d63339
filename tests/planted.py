"""Small systems with one known mistake each, and the smallest change that mends it: `build(mended)`."""

from collections.abc import Callable
from typing import NamedTuple

from edalab import (
    Claim,
    Command,
    Event,
    PublishFailed,
    Query,
    System,
    Unanswered,
    claims,
)


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


def saves(service, message, sql: str, *fields: str, **options) -> None:
    """A handler that is one statement with fields of its message."""
    declare = service.on if issubclass(message, Event) else service.handles

    @declare(message, **options)
    def save(message, ctx):
        with ctx.database as db:
            db.execute(sql, [getattr(message, field) for field in fields])


def charges(service, message, **options) -> None:
    """Each order is charged once, however often it comes."""
    sql = "insert or ignore into charges values (?, ?)"
    saves(service, message, sql, "order_id", "order_id", **options)


def told(system: System) -> System:
    """Somebody hears of payments."""
    mail = system.service("mail", schema="create table mails (order_id text primary key)")
    saves(mail, PaymentCharged, "insert or ignore into mails values (?)", "order_id")
    return system


# -- handled twice


@planted(claims.handled_once(OrderPlaced), 1, one_order)
def a_redelivery_is_charged_again(mended):
    system = System("shop")

    @system.service("payments", schema="create table charges (order_id text)").on(OrderPlaced)
    def charge(event, ctx):
        with ctx.database as db:
            sql = "select 1 from charges where order_id = ?"
            if not (mended and db.execute(sql, (event.order_id,)).fetchone()):
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
    delivery = "at-least-once" if mended else "at-most-once"
    charges(system.service("bank", schema=CHARGES), ChargeCard, delivery=delivery)
    return system


@planted(claims.no_event_lost(OrderPlaced), 1, two_orders)
def the_offset_is_committed_before_the_work(mended):
    system = System("shop")
    delivery = "at-least-once" if mended else "at-most-once"
    charges(system.service("payments", schema=CHARGES), OrderPlaced, delivery=delivery)
    return system


@planted(claims.no_event_lost(OrderPlaced), 1, two_orders)
def dead_lettered_and_forgotten(mended):
    system = System("shop")
    attempts = 3 if mended else 1
    charges(system.service("payments", schema=CHARGES), OrderPlaced, max_attempts=attempts)
    return system


@planted(claims.nothing_dead_lettered(OrderPlaced), 1, two_orders)
def dead_letters_that_nobody_reads(mended):
    system = System("shop")
    payments = system.service("payments", schema=CHARGES)
    charges(payments, OrderPlaced, max_attempts=1)
    if mended:

        @payments.dead_letters(OrderPlaced)
        async def send_back(event, ctx):
            await ctx.redrive()

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

    archive = system.service("archive", schema="create table measured (value int)")
    saves(archive, Measured, "insert into measured values (?)", "value")
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


async def ada_moves_twice_at_once(ctx):
    for address in ("home", "work"):
        await ctx.send(ChangeAddress(customer="ada", address=address))


@planted(claims.published_in_order(AddressChanged), 1, ada_moves_twice_at_once)
def a_relay_that_skips_what_the_broker_did_not_take(mended):
    system = System("shop")
    schema = "create table outbox (id integer primary key, event text)"
    customers = system.service("customers", schema=schema)

    @customers.handles(ChangeAddress)
    def change(command, ctx):
        event = AddressChanged(**command.model_dump(), version=1)
        with ctx.database as db:
            db.execute("insert into outbox (event) values (?)", (ctx.envelope(event),))

    @customers.every(1)
    async def relay(ctx):
        with ctx.database as db:
            waiting = db.execute("select id, event from outbox order by id").fetchall()
        for id, event in waiting:
            try:
                await ctx.publish(event)
            except PublishFailed:
                if mended:
                    break
                continue
            with ctx.database as db:
                db.execute("delete from outbox where id = ?", (id,))

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


def payments_with_outbox(publishes_itself=False, deletes_first=False) -> System:
    system = told(System("shop"))
    schema = "create table charges (order_id text); create table outbox (envelope text)"
    payments = system.service("payments", schema=schema)

    @payments.on(OrderPlaced)
    async def charge(event, ctx):
        charged = PaymentCharged(order_id=event.order_id)
        with ctx.database as db:
            if db.execute("select 1 from charges where order_id = ?", (event.order_id,)).fetchone():
                return
            db.execute("insert into charges values (?)", (event.order_id,))
            if not publishes_itself:
                db.execute("insert into outbox values (?)", (ctx.envelope(charged),))
        if publishes_itself:
            await ctx.publish(charged)

    @payments.every(1)
    async def relay(ctx):
        with ctx.database as db:
            stored = db.execute("select rowid, envelope from outbox").fetchall()
            if deletes_first:
                db.execute("delete from outbox")
        for rowid, envelope in stored:
            await ctx.publish(envelope)
            if not deletes_first:
                with ctx.database as db:
                    db.execute("delete from outbox where rowid = ?", (rowid,))

    return system


@planted(claims.no_dual_write_gap("payments"), 1, two_orders)
def published_after_the_save_without_an_outbox(mended):
    return payments_with_outbox(publishes_itself=not mended)


@planted(claims.no_dual_write_gap("payments"), 1, two_orders)
def an_outbox_is_emptied_before_it_is_published(mended):
    return payments_with_outbox(deletes_first=not mended)


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

    shipping = system.service("shipping", schema="create table parcels (order_id text primary key)")
    saves(shipping, ShipOrder, "insert or ignore into parcels values (?)", "order_id")
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


def viewed(run):
    """Views by page, by the record."""
    views = {
        s.envelope.id
        for s in run.journal
        if s.step == "publish" and s.envelope.type == "PageViewed"
    }
    return [("home", len(views))]


@planted(claims.projection_matches("counts", "select * from counts", viewed), 1, three_views)
def a_projection_that_applies_twice(mended):
    system = System("site")
    schema = "create table seen (id text primary key);"
    schema += "create table counts (page text primary key, n int)"

    @system.service("counts", schema=schema).on(PageViewed)
    def count(event, ctx):
        with ctx.database as db:
            new = db.execute("insert or ignore into seen values (?)", (ctx.message.id,)).rowcount
            if new or not mended:
                sql = "insert into counts values (?, 1) on conflict do update set n = n + 1"
                db.execute(sql, (event.page,))

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


class PaymentRefused(Event, topic="saga-payments", key="order_id", refuses=TakePayment):
    order_id: str


STOCK = """
create table stock (free int); insert into stock values (10);
create table reservations (order_id text primary key, released int);
"""


def order_saga(release_twice=False, forget=False) -> System:
    """`orders` leads: reserve the stock, take the payment, and release the stock, as the payment is refused."""
    system = System("shop")
    orders = system.service("orders")

    @orders.handles(PlaceOrder)
    async def place(command, ctx):
        await ctx.send(ReserveStock(order_id=command.order_id))

    @orders.on(StockReserved)
    async def pay(event, ctx):
        await ctx.send(TakePayment(order_id=event.order_id))

    @orders.on(PaymentRefused)
    async def give_up(event, ctx):
        if not forget:
            await ctx.send(ReleaseStock(order_id=event.order_id))

    stock = system.service("stock", schema=STOCK)

    @stock.handles(ReserveStock)
    async def reserve(command, ctx):
        with ctx.database as db:
            sql = "insert or ignore into reservations values (?, 0)"
            if db.execute(sql, (command.order_id,)).rowcount:
                db.execute("update stock set free = free - 1")
        await ctx.publish(StockReserved(order_id=command.order_id))

    @stock.handles(ReleaseStock)
    def release(command, ctx):
        held = "" if release_twice else " and not released"
        with ctx.database as db:
            sql = f"update reservations set released = 1 where order_id = ?{held}"
            if db.execute(sql, (command.order_id,)).rowcount:
                db.execute("update stock set free = free + 1")

    @system.service("payments").handles(TakePayment)
    async def take(command, ctx):
        await ctx.publish(PaymentRefused(order_id=command.order_id))

    return system


async def one_without_money(ctx):
    await ctx.send(PlaceOrder(order_id="poor"))


@planted(claims.compensated_once(), 1, one_without_money)
def a_compensation_that_is_not_idempotent(mended):
    return order_saga(release_twice=not mended)


@planted(claims.nothing_left_behind(), 0, one_without_money)
def a_forgotten_compensation(mended):
    return order_saga(forget=not mended)


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

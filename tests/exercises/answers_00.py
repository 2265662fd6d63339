"""Answers to the exercises of lesson 00 as learners write them: right ones, and wrong ones by the anomaly they have."""

from decimal import Decimal

from edalab import Event, PublishFailed, Unanswered
from edalab.exercises.lesson_00_system import (
    CancelOrder,
    OrderCancelled,
    RefundBill,
    SendMail,
    TakePoints,
)

# -- 00.1


def calculated():
    on_the_way = 4 * 0.02
    return int((1 - on_the_way) / 3 * 100) / 100, "c"


def a_list():
    return [0.3, "c"]


def with_names():
    seconds, reason = 3 / 10, "c"
    return seconds, reason


def a_third():
    return 0.33, "b"


def half_a_second():
    return 0.5, "c"


def all_at_once():
    return 0.98, "a"


def backwards():
    return -1, "c"


def a_fifth():
    return 0.2, "c"


def wrong_reason_a():
    return 0.3, "a"


def wrong_reason_b():
    return 0.3, "b"


def wrong_reason_d():
    return 0.3, "d"


def the_letter_first():
    return "c", 0.3


def in_thousandths():
    return 0.298, "c"


def not_rounded():
    return (1 - 4 * 0.02) / 3, "c"


def in_hundredths():
    return 30, "c"


def in_quotes():
    return "0.30", "c"


def as_decimal():
    return Decimal("0.30"), "c"


def only_the_number():
    return 0.3


RIGHT_1 = [calculated, a_list, with_names, as_decimal]
WRONG_1 = {
    "too long": [a_third, half_a_second, all_at_once],
    "longer is possible": [a_fifth],
    "between two steps": [in_thousandths, not_rounded],
    "another reason": [wrong_reason_a, wrong_reason_b, wrong_reason_d],
    "no value and reason": [the_letter_first, backwards, in_quotes, only_the_number],
    "not in seconds": [in_hundredths],
}


# -- 00.2


def known(ctx, order):
    with ctx.database as db:
        return db.execute("select 1 from orders where orderId = ?", (order,)).fetchone()


def take_out(ctx, order):
    with ctx.database as db:
        return db.execute("delete from orders where orderId = ?", (order,)).rowcount


async def with_helpers(command, ctx):
    if not known(ctx, command.orderId):
        return "unknown"
    take_out(ctx, command.orderId)
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def other_names(order, context):
    number, answer = order.orderId, "unknown"
    with context.database as db:
        found = db.execute(
            "delete from orders where orderId = :number returning orderId", {"number": number}
        ).fetchall()
    if found:
        await context.publish(OrderCancelled(orderId=number))
        answer = "cancelled"
    return answer


async def with_notes(command, ctx):
    """Notes and waits, which nobody asked for."""
    ctx.note("somebody cancels")
    await ctx.sleep(0.1)
    if take_out(ctx, command.orderId) == 0:
        return "unknown"
    await ctx.publish(OrderCancelled(**command.model_dump()))
    return "cancelled"


async def tries_to_publish_again(command, ctx):
    if not take_out(ctx, command.orderId):
        return "unknown"
    for _ in range(3):
        try:
            await ctx.publish(OrderCancelled(orderId=command.orderId))
            return "cancelled"
        except PublishFailed:
            await ctx.sleep(0.1)
    raise RuntimeError("the broker is away")


async def tries_three_times_and_says_nothing(command, ctx):
    """The customer is told None."""
    if not take_out(ctx, command.orderId):
        return "unknown"
    for _ in range(3):
        try:
            await ctx.publish(OrderCancelled(orderId=command.orderId))
            return "cancelled"
        except PublishFailed:
            await ctx.sleep(0.1)


async def tries_three_times_and_goes_on(command, ctx):
    if not take_out(ctx, command.orderId):
        return "unknown"
    for _ in range(3):
        try:
            await ctx.publish(OrderCancelled(orderId=command.orderId))
            break
        except Exception:
            pass
    return "cancelled"


async def an_event_for_each(command, ctx):
    """Billing refunds the bill four times."""
    if not take_out(ctx, command.orderId):
        return "unknown"
    for _service in ("billing", "mail", "loyalty", "stock"):
        await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def publishes_twice(command, ctx):
    if not take_out(ctx, command.orderId):
        return "unknown"
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def asks_for_a_moment_and_publishes(command, ctx):
    """All is answered in time, and billing refunds the bill twice."""
    if not take_out(ctx, command.orderId):
        return "unknown"
    for kind in (RefundBill, SendMail, TakePoints):
        try:
            await ctx.ask(kind(orderId=command.orderId), timeout=0.4)
        except Unanswered:
            pass
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


class OrderPlaced(Event, topic="order-events", key="orderId"):
    orderId: str


async def publishes_the_other_event(command, ctx):
    if not take_out(ctx, command.orderId):
        return "unknown"
    await ctx.publish(OrderPlaced(orderId=command.orderId))
    return "cancelled"


async def asks_in_turn(command, ctx):
    if not take_out(ctx, command.orderId):
        return "unknown"
    for kind in (RefundBill, SendMail, TakePoints):
        await ctx.ask(kind(orderId=command.orderId))
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def asks_with_the_usual_patience(command, ctx):
    """A second for each service: too long if all of them are cut off."""
    if not take_out(ctx, command.orderId):
        return "unknown"
    for kind in (RefundBill, SendMail, TakePoints):
        try:
            await ctx.ask(kind(orderId=command.orderId))
        except Unanswered:
            pass
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def takes_a_longer_id_for_it(command, ctx):
    with ctx.database as db:
        gone = "delete from orders where instr(orderId, ?) > 0"
        if not db.execute(gone, (command.orderId,)).rowcount:
            return "unknown"
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def by_class(command, ctx):
    match command:
        case CancelOrder(orderId=order) if take_out(ctx, order):
            await ctx.publish(OrderCancelled(orderId=order))
            return "cancelled"
    return "unknown"


async def asks_and_goes_on(command, ctx):
    """Catches what goes unanswered, and Ada has given up by then."""
    if not take_out(ctx, command.orderId):
        return "unknown"
    for kind in (RefundBill, SendMail, TakePoints):
        try:
            await ctx.ask(kind(orderId=command.orderId), timeout=5)
        except Unanswered:
            pass
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def says_nothing(command, ctx):
    if take_out(ctx, command.orderId):
        await ctx.publish(OrderCancelled(orderId=command.orderId))


async def sends_commands(command, ctx):
    if not take_out(ctx, command.orderId):
        return "unknown"
    for kind in (RefundBill, SendMail, TakePoints):
        await ctx.send(kind(orderId=command.orderId))
    return "cancelled"


def only_saves(command, ctx):
    return "cancelled" if take_out(ctx, command.orderId) else "unknown"


async def accepts_what_failed(command, ctx):
    if not take_out(ctx, command.orderId):
        return "unknown"
    try:
        await ctx.publish(OrderCancelled(orderId=command.orderId))
    except PublishFailed:
        ctx.note("never mind")
    return "cancelled"


async def only_publishes(command, ctx):
    if not known(ctx, command.orderId):
        return "unknown"
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def publishes_first(command, ctx):
    if not known(ctx, command.orderId):
        return "unknown"
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    take_out(ctx, command.orderId)
    return "cancelled"


async def always_the_same(command, ctx):
    if command.orderId != "order-17":
        return "unknown"
    take_out(ctx, command.orderId)
    await ctx.publish(OrderCancelled(orderId="order-17"))
    return "cancelled"


async def publishes_what_is_unknown(command, ctx):
    found = take_out(ctx, command.orderId)
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled" if found else "unknown"


async def takes_all_out(command, ctx):
    if not known(ctx, command.orderId):
        return "unknown"
    with ctx.database as db:
        db.execute("delete from orders")
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def takes_the_cursor_for_the_row(command, ctx):
    with ctx.database as db:
        if not db.execute("select 1 from orders where orderId = ?", (command.orderId,)):
            return "unknown"
        db.execute("delete from orders where orderId = ?", (command.orderId,))
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


def only_says_so(command, ctx):
    return "cancelled"


async def publishes_in_the_transaction(command, ctx):
    """What is published stays published if the transaction fails."""
    with ctx.database as db:
        found = db.execute("delete from orders where orderId = ?", (command.orderId,))
        if not found.rowcount:
            return "unknown"
        await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def returns_the_event(command, ctx):
    """What the handler of a question returns is the answer, and is not published."""
    return OrderCancelled(orderId=command.orderId) if take_out(ctx, command.orderId) else "unknown"


async def catches_everything(command, ctx):
    try:
        if not take_out(ctx, command.orderId):
            return "unknown"
        await ctx.publish(OrderCancelled(orderId=command.orderId))
    except Exception:
        ctx.note("never mind")
    return "cancelled"


async def raises_at_what_is_unknown(command, ctx):
    if not known(ctx, command.orderId):
        raise KeyError(command.orderId)
    return await with_helpers(command, ctx)


async def event_and_commands(command, ctx):
    """More than needed: the three are told by commands, too, which nobody waits for."""
    if not take_out(ctx, command.orderId):
        return "unknown"
    await ctx.all(
        ctx.publish(OrderCancelled(orderId=command.orderId)),
        *(ctx.ask(kind(orderId=command.orderId)) for kind in (RefundBill, SendMail, TakePoints)),
    )
    return "cancelled"


async def publishes_without_await(command, ctx):
    take_out(ctx, command.orderId)
    ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def says_unknown_if_it_failed(command, ctx):
    """The event may be out, and the customer reads that there is no such order."""
    if not take_out(ctx, command.orderId):
        return "unknown"
    try:
        await ctx.publish(OrderCancelled(orderId=command.orderId))
    except Exception:
        return "unknown"
    return "cancelled"


async def says_failed(command, ctx):
    if not take_out(ctx, command.orderId):
        return "unknown"
    try:
        await ctx.publish(OrderCancelled(orderId=command.orderId))
    except PublishFailed:
        return "please try again"
    return "cancelled"


async def sends_and_publishes(command, ctx):
    """Billing refunds the bill twice."""
    if not take_out(ctx, command.orderId):
        return "unknown"
    for kind in (RefundBill, SendMail, TakePoints):
        await ctx.send(kind(orderId=command.orderId))
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def puts_it_back(command, ctx):
    """Puts back what could not be published: not after a crash, and not if the event is out."""
    if not take_out(ctx, command.orderId):
        return "unknown"
    try:
        await ctx.publish(OrderCancelled(orderId=command.orderId))
    except PublishFailed:
        with ctx.database as db:
            db.execute("insert into orders values (?)", (command.orderId,))
        raise
    return "cancelled"


async def remembers_whom_it_answered(command, ctx):
    """What is cancelled stays cancelled, so it says so each time."""
    if command.orderId in ctx.state:
        return "cancelled"
    answer = await with_helpers(command, ctx)
    if answer == "cancelled":
        ctx.state[command.orderId] = True
    return answer


async def notes_what_is_gone(command, ctx):
    """So that it can publish again what may not have got out."""
    with ctx.database as db:
        db.execute("create table if not exists gone (orderId text primary key)")
        if db.execute("delete from orders where orderId = ?", (command.orderId,)).rowcount:
            db.execute("insert into gone values (?)", (command.orderId,))
        note = db.execute("select * from gone where orderId = ?", (command.orderId,)).fetchone()
    if note is None:
        return "unknown"
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def marks_the_order(command, ctx):
    """A mark instead of the deletion, and a look at the number alone."""
    with ctx.database as db:
        db.execute("create table if not exists ever as select orderId from orders")
        ever = db.execute("select 1 from ever where orderId = ?", (command.orderId,)).fetchone()
        db.execute("delete from orders where orderId = ?", (command.orderId,))
    if not ever:
        return "unknown"
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def unknown_the_second_time(command, ctx):
    """Even if the first time failed, and the order stands."""
    if command.orderId in ctx.state:
        return "unknown"
    ctx.state[command.orderId] = True
    return await with_helpers(command, ctx)


RIGHT_2 = [by_class, with_helpers, other_names, with_notes, tries_to_publish_again]
WRONG_2 = {
    "a customer is not answered": [asks_in_turn, asks_and_goes_on, asks_with_the_usual_patience],
    "wrong answer": [
        takes_the_cursor_for_the_row,
        takes_a_longer_id_for_it,
        says_nothing,
        only_says_so,
        returns_the_event,
        says_unknown_if_it_failed,
        says_failed,
        tries_three_times_and_says_nothing,
        unknown_the_second_time,
    ],
    "cancelled again": [
        remembers_whom_it_answered,
        notes_what_is_gone,
        marks_the_order,
        always_the_same,
    ],
    "nobody heard of it": [
        only_saves,
        accepts_what_failed,
        catches_everything,
        tries_three_times_and_goes_on,
        publishes_the_other_event,
    ],
    "some never heard of it": [sends_commands],
    "told more than once": [
        sends_and_publishes,
        an_event_for_each,
        publishes_twice,
        asks_for_a_moment_and_publishes,
    ],
    "still on record": [only_publishes],
    "something else is cancelled": [publishes_what_is_unknown, takes_all_out],
    "refunded though it stands": [publishes_first, publishes_in_the_transaction, puts_it_back],
    "misuse": [publishes_without_await],
    "raises": [raises_at_what_is_unknown],
}


# -- 00.3


async def in_few_lines(command, ctx):
    if known(ctx, command.orderId) is None:
        return "unknown"
    return (await ctx.publish(OrderCancelled(orderId=command.orderId))) or "cancelled"


async def publish_and_then_take_out(command, ctx):
    """More than needed: what is published is taken out by hearing it, too."""
    if not known(ctx, command.orderId):
        return "unknown"
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    take_out(ctx, command.orderId)
    return "cancelled"


async def with_patience(order, context):
    with context.database as db:
        orders = [number for (number,) in db.execute("select orderId from orders")]
    while order.orderId in orders:
        try:
            await context.publish(OrderCancelled(orderId=order.orderId))
        except PublishFailed:
            await context.sleep(0.2)
        else:
            return "cancelled"
    return "unknown"


async def before_and_after(command, ctx):
    if not known(ctx, command.orderId):
        return "unknown"
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    take_out(ctx, command.orderId)
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def says_so_in_any_case(command, ctx):
    if not known(ctx, command.orderId):
        return "unknown"
    try:
        await ctx.publish(OrderCancelled(orderId=command.orderId))
    except PublishFailed:
        pass
    return "cancelled"


async def does_not_look(command, ctx):
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def says_unknown_though_it_is_out(command, ctx):
    if not known(ctx, command.orderId):
        return "unknown"
    try:
        await ctx.publish(OrderCancelled(orderId=command.orderId))
    except PublishFailed:
        return "unknown"
    return "cancelled"


async def says_nothing_if_it_failed(command, ctx):
    if not known(ctx, command.orderId):
        return "unknown"
    try:
        await ctx.publish(OrderCancelled(orderId=command.orderId))
    except PublishFailed:
        return None
    return "cancelled"


async def looks_for_a_part_of_the_id(command, ctx):
    with ctx.database as db:
        like = "select 1 from orders where orderId like ?"
        if not db.execute(like, (f"%{command.orderId}%",)).fetchone():
            return "unknown"
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


async def publishes_for_what_was_there(command, ctx):
    """Every order that it has ever seen."""
    if not known(ctx, command.orderId) and command.orderId not in ctx.state:
        return "unknown"
    ctx.state[command.orderId] = True
    await ctx.publish(OrderCancelled(orderId=command.orderId))
    return "cancelled"


RIGHT_3 = [
    in_few_lines,
    publish_and_then_take_out,
    publishes_in_the_transaction,
    with_patience,
    only_publishes,
]
WRONG_3 = {
    "gone, and nobody heard of it": [
        with_helpers,
        other_names,
        tries_to_publish_again,
        puts_it_back,
        accepts_what_failed,
    ],
    "nobody heard of it": [says_so_in_any_case, only_saves],
    "a customer is not answered": [asks_in_turn],
    "wrong answer": [
        does_not_look,
        looks_for_a_part_of_the_id,
        says_nothing,
        returns_the_event,
        says_unknown_though_it_is_out,
        says_nothing_if_it_failed,
    ],
    "some never heard of it": [sends_commands],
    "cancelled again": [publishes_for_what_was_there],
    "told more than once": [an_event_for_each, before_and_after, event_and_commands],
}

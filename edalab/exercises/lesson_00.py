"""Exercises of lesson 00: delays that add up, an event instead of questions, and a single write."""

from math import floor

from ..errors import Unanswered
from ..model import Command, System
from ..practice.exercise import Anomaly, Exercise, explored, hints_of
from ..practice.explained import Refuted, explained
from ..sim import cut, simulate
from ..sim.run import Run
from . import lesson_00_system as shop
from .general import steps
from .lesson_00_claims import gone_is_heard_of, is_told

HINTS = hints_of("""
a customer is not answered
    What is the customer waiting for in this run, and do you need it for your answer?
    Every `await ctx.ask(...)` waits for another service.
    Save, publish and `return "cancelled"`. Ask nobody.
wrong answer
    What became of the order in this run, and what was the customer told?
    When publishing raises an error, the event may be out all the same, so you can't be sure of any answer. A bare `return` answers None.
    Let the error pass, so that no answer is given, or publish again until it works.
wrong answer, by itself
    Is this order on record, and what did your function answer?
    Look at each place where your function ends, and at the condition that leads there. `execute` returns something that counts as true even if there is no row. If your function ends without a `return`, it answers None.
    Write `return "cancelled"` if there was such an order, and `return "unknown"` if there was none. There was none if `fetchone()` returns None after a `select`, or if `rowcount` is 0 after a `delete`.
cancelled again
    Ada cancelled this order before. When she cancels it again, what makes your function go on as if it were the first time?
    The order is gone by then, so there is no such order. Does your function ask the table, or something else that it remembers? What does it do before it looks?
    If you find no row, `return "unknown"` and do nothing else, whether or not there was a row once. You need no note of what was cancelled.
nobody heard of it, by itself
    Which line of your function tells the other services, and by which message?
    All four of them subscribe to OrderCancelled, and to no other event.
    Write `await ctx.publish(OrderCancelled(orderId=command.orderId))` before you return the answer.
nobody heard of it
    Which error did this fault raise in your function, and what did you tell the customer all the same?
    If you catch an error, you have to deal with it. An order is cancelled only when its event is published.
    Let the error pass, so that no answer is given, or publish again until it works.
some never heard of it
    Which service is missing here, and which messages does it accept?
    A command goes to one service that you have to know. `stock` takes no commands.
    Publish OrderCancelled. It reaches everybody who subscribes, even services that you don't know.
told more than once
    Which messages about this order does each service receive in this run?
    Each message makes a service do its work again. One OrderCancelled reaches all four.
    Publish OrderCancelled once, and send no commands.
still on record
    Where does `orders` keep its orders, and which line of yours deletes this one?
    You have to change the table `orders`, inside `with ctx.database as db:`.
    The statement is `delete from orders where orderId = ?`, with `(command.orderId,)`.
something else is cancelled
    Which order did the customer name, is it on record, and what else did your function do here?
    Tell the services only if this orderId is in the table, and delete only the row that has it.
    The statement is `delete from orders where orderId = ?`. Without `where` it deletes all orders. If there is no such row, `return "unknown"` and do nothing else.
refunded though it stands
    Is the event out in this run, and what happened to the order before and after that?
    You can't take back what you have published, and an error from `publish` doesn't mean that the event isn't out.
    End the transaction that deletes the order, publish after it, and never put the order back.
gone, and nobody heard of it
    When this fault struck, what had your function already done, and what not yet?
    Your function writes to two places, the table and the topic, and in this run it wrote to only one of them. After a crash no `except` runs.
    Write to one place only, the topic. `orders` receives its own event as the others do, and deletes the order then.
""")


# -- 00.1


class PlaceOrder(Command):
    orderId: str


class WriteBill(Command):
    orderId: str


class AddPoints(Command):
    orderId: str


WORK = {"billing": WriteBill, "mail": shop.SendMail, "loyalty": AddPoints}


def patience(variant: int) -> float:
    """Ada's patience in s. A third of it, less the messages' time, is never a whole hundredth."""
    return round(1 + 0.03 * ((variant - 1) % 60), 2)


def in_turn(seconds: float, variant: int) -> Run:
    """A run in which `orders` asks three services, each of which works for this many seconds."""

    async def slowly(message, ctx):
        await ctx.sleep(seconds)
        with ctx.database as db:
            db.execute("insert or replace into done values (?)", (message.orderId,))

    async def place(command, ctx):
        for kind in WORK.values():
            await ctx.ask(kind(orderId=command.orderId))
        with ctx.database as db:
            db.execute("insert or replace into orders values (?)", (command.orderId,))
        return "accepted"

    async def ada(ctx):
        try:
            await ctx.ask(PlaceOrder(orderId="17"), timeout=patience(variant))
        except Unanswered:
            ctx.note("Ada gives up")

    system = System("shop")
    system.service("orders", schema=shop.ORDERS).handles(PlaceOrder)(place)
    for name, command in WORK.items():
        system.service(name, schema=shop.DONE).handles(command)(slowly)
    return simulate(system, ada)


def answered(run: Run) -> bool:
    return not steps(run, "timeout", service="client")


def as_long_as_possible(seconds: float, variant: int) -> Anomaly | str:
    run = in_turn(seconds, variant)
    if seconds > 3:
        return Anomaly("not in seconds", f"{seconds:g} s is longer than Ada waits")
    longer = round(seconds + 0.01, 2)
    if not answered(run):
        evidence = f"{3 * seconds:g} s of work one after the other, and Ada has given up by then"
        return Anomaly("too long", evidence, run)
    if answered(in_turn(longer, variant)):
        evidence = f"with {longer:g} s each she has her answer in time as well"
        return Anomaly("longer is possible", evidence, in_turn(longer, variant))
    return f"{seconds:g} s each, and Ada is answered; {longer:g} s, and she is not"


def against(seconds: float, variant: int) -> Refuted:
    run, longer = in_turn(seconds, variant), in_turn(seconds + 0.01, variant)
    begun, done = (
        [s.time / 1000 for s in steps(run, name) if s.service in WORK]
        for name in ("handle", "save")
    )
    third = floor(patience(variant) / 3 * 100) / 100
    gave_up = len(steps(longer, "timeout", service="orders")) or "none"
    at_once = f"here mail begins at {begun[1]:g} s, after billing is done, at {done[0]:g} s"
    left = f"(b) would leave {third:g} s for each; here they work for so long, and Ada gives up"
    unanswered = "(d) would mean that a question of orders went unanswered"
    return {
        "a": (f"(a) would mean that all three work at once; {at_once}", run),
        "b": (left, in_turn(third, variant)),
        "d": (f"{unanswered}; here {gave_up} did, and Ada gives up", longer),
    }


# -- 00.2 and 00.3


CUT_OFF = [[cut("mail", 0, 5)], [cut(name, 0, 5) for name in shop.SUBSCRIBERS]]
NO_BROKER = [[f"fail orders.publish.OrderCancelled #{nth}" for nth in range(1, 6)]]
TELL = explored(shop.shop, is_told, HINTS, alone=CUT_OFF + NO_BROKER)
WRITE_ONCE = explored(shop.hearing_itself, gone_is_heard_of, HINTS, alone=CUT_OFF)

EXERCISES = [
    explained(
        "00.1",
        "As long as Ada waits",
        ("a number of seconds", (0, 3_000, 0.01)),
        lambda variant: {"patience": patience(variant)},
        as_long_as_possible,
        "c",
        against,
        hints_of("""
            too long
                When does Ada give up in this run, and how much of her patience went into work?
                The work of the three adds up. Look at the gaps between the bars. Nobody works there, so what takes time?
                There are four questions, and each of them travels for 0.02 s, its answer included. Subtract that from her patience, and divide the rest among the three.
            longer is possible
                How much of her patience is left when Ada has her answer?
                Divide what is left among the three.
                Go up in steps of 0.01 until she gives up. The answer is the last value before that.
            not in seconds
                Did you give seconds, or did you give hundredths or thousandths of a second?
                `work` sleeps for 0.1 s. How would you write a quarter of a second?
                Divide hundredths by 100, so that 25 of them are 0.25.
            another reason
                Does this run agree with your reason?
                Look at the bars and at the gaps between them. What does Ada wait for, one after the other?
                The three never work at the same time, and no message travels while one of them works.
        """),
    ),
    Exercise("00.2", "Tell them", "command, ctx", TELL, HINTS, shop.NAMES),
    Exercise("00.3", "One place to write to", "command, ctx", WRITE_ONCE, HINTS, shop.NAMES),
]

"""Exercises of lesson 00: waiting that adds up, an event in place of questions, one place to write to."""

from math import floor

from ..errors import Unanswered
from ..model import Command, System
from ..practice.exercise import Anomaly, Exercise, explained, explored
from ..sim import cut, simulate
from ..sim.run import Run
from .lesson_00_shop import (
    CLAIMS,
    DONE,
    NAMES,
    ORDERS,
    SUBSCRIBERS,
    SendMail,
    gone_is_heard_of,
    hearing_itself,
    shop,
)

HINTS = {
    "a customer is not answered": (
        "What is the customer waiting for in this run, and is it needed for the answer?",
        "Every `await ctx.ask(...)` waits for another service.",
        'Save, publish and `return "cancelled"`; ask nobody.',
    ),
    "another answer is given": (
        "Was this order on record, and what was the customer told?",
        "What does your function return at each of its ends?",
        '`return "cancelled"` where there was such an order and `return "unknown"` where there was none.',
    ),
    "nobody heard of it": (
        "How were the services to learn of it, all of them?",
        "One message reaches everybody who subscribes to it, those you do not know included.",
        "`await ctx.publish(OrderCancelled(...))` before the answer is given; where that fails, there must be no answer.",
    ),
    "still on record": (
        "Where does orders keep its orders, and who takes this one out?",
        "Change the table orders within `with ctx.database as db:`.",
        "`delete from orders where orderId = ?`, with command.orderId.",
    ),
    "something else is cancelled": (
        "Which order did the customer name, and is it on record?",
        "Look into the table before anything else, for this orderId.",
        '`select 1 from orders where orderId = ?`: where no row is found, `return "unknown"` and do nothing.',
    ),
    "refunded though it stands": (
        "In which order does your function save and publish, and what lies between the two here?",
        "What is published is out in the world, even if the next line never runs.",
        "If orders deletes the order itself, it has to save first and publish afterwards. If it hears its own event, it need not delete anything here.",
    ),
    "gone, and nobody heard of it": (
        "What had your function done when this fault struck, and what had it not?",
        "Two places were to be written, the table and the topic, and one was. To catch an error does not help who has crashed.",
        "Write to one place only: publish. orders hears its own event as the others do, and takes the order out then.",
    ),
}


# -- 00.1


class PlaceOrder(Command):
    orderId: str


class WriteBill(Command):
    orderId: str


class AddPoints(Command):
    orderId: str


WORK = {"billing": WriteBill, "mail": SendMail, "loyalty": AddPoints}


def patience(variant: int) -> float:
    """How many seconds Ada waits. Less the time of the messages, a third is never a whole hundredth."""
    return round(1 + 0.03 * ((variant - 1) % 60), 2)


def in_turn(seconds: float, variant: int) -> Run:
    """A run in which `orders` asks three services, each of which works for so many seconds."""

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
    system.service("orders", schema=ORDERS).handles(PlaceOrder)(place)
    for name, command in WORK.items():
        system.service(name, schema=DONE).handles(command)(slowly)
    return simulate(system, ada)


def answered(run: Run) -> bool:
    return not any(step.service == "client" and step.step == "timeout" for step in run.journal)


def as_long_as_possible(seconds: float, variant: int) -> Anomaly | str:
    run = in_turn(seconds, variant)
    longer = floor(seconds * 100 + 1.001) / 100  # the next hundredth
    if not answered(run):
        evidence = f"three times {seconds:g} s, and Ada has given up before the answer came"
        return Anomaly("too long", evidence, run)
    if answered(in_turn(longer, variant)):
        evidence = f"with {longer:g} s each she has her answer in time as well"
        return Anomaly("longer is possible", evidence, in_turn(longer, variant))
    return f"{seconds:g} s each, and Ada is answered; {longer:g} s, and she is not"


def _the_slowest(seconds: float, variant: int) -> tuple[str, Run]:
    run = in_turn(seconds, variant)
    begun, done = (
        [s.time / 1000 for s in run.journal if s.service in WORK and s.step == step]
        for step in ("handle", "save")
    )
    evidence = f"here mail begins at {begun[1]:g} s, when billing is done, at {done[0]:g} s"
    return f"(a) would mean that all three work at once; {evidence}", run


def _only_the_work(seconds: float, variant: int) -> tuple[str, Run]:
    third = floor(patience(variant) / 3 * 100) / 100
    evidence = f"(b) would leave {third:g} s for each; here they work for so long, and Ada gives up"
    return evidence, in_turn(third, variant)


def _gives_up_on_each(seconds: float, variant: int) -> tuple[str, Run]:
    run = in_turn(seconds + 0.01, variant)
    own = sum(step.service == "orders" and step.step == "timeout" for step in run.journal)
    evidence = f"here {own or 'none'} did, and Ada gives up"
    return f"(d) would mean that a question of orders went unanswered; {evidence}", run


# -- 00.2 and 00.3


CUT_OFF = [[cut("mail", 0, 5)], [cut(name, 0, 5) for name in SUBSCRIBERS]]
IN_ONE_PLACE = CLAIMS | {"gone, and nobody heard of it": gone_is_heard_of}
TELL = explored(shop, CLAIMS, alone=CUT_OFF)
WRITE_ONCE = explored(hearing_itself, IN_ONE_PLACE, alone=CUT_OFF)

EXERCISES = [
    explained(
        "00.1",
        "As long as Ada waits",
        ("a number of seconds", (0, 60)),
        lambda variant: {"patience": patience(variant)},
        as_long_as_possible,
        {"a": _the_slowest, "b": _only_the_work, "c": None, "d": _gives_up_on_each},
        {
            "too long": (
                "At what second would the answer have come in this run, and when did Ada give up?",
                "In the picture, measure what lies between two bars: who works then?",
                "Each of the four questions and answers is on its way for 0.02 s. What is left of Ada's patience, shared by three?",
            ),
            "longer is possible": (
                "How much of her patience is left when Ada has her answer?",
                "Share what is left among the three.",
                "Go up in steps of 0.01 until she gives up: the answer is the last value before that.",
            ),
            "another reason": (
                "Does this run agree with your reason?",
                "Look at the bars and at what lies between them: what does Ada wait for, one after the other?",
                "She waits for the work of the three and for every message on its way, for they come one after the other.",
            ),
        },
    ),
    Exercise("00.2", "Tell them", "command, ctx", TELL, HINTS, NAMES),
    Exercise("00.3", "One place to write to", "command, ctx", WRITE_ONCE, HINTS, NAMES),
]

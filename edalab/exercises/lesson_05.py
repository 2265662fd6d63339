"""Exercises of lesson 05: a payment that is made or refused once, and always announced."""

from ..practice.exercise import Anomaly, Exercise, explained, explored, nothing_dead
from ..sim import Fault, simulate
from ..sim.run import Run
from . import lesson_05_claims as claims
from .lesson_05_shop import (
    InventoryReserved,
    PaymentCharged,
    PaymentRefused,
    charge_or_refuse,
    orders_of,
    shop_of,
    through_the_outbox,
)

CLAIMS = {
    "a dead letter": nothing_dead("payments", InventoryReserved),
    "charged twice": claims.charged_once,
    "the books do not balance": claims.balanced,
    "speaks of something else": claims.says_what_it_heard,
    "shipped unpaid": claims.paid_before,
    "refused, and charged": claims.stays_refused,
    "never released": claims.released,
    "paid, and never shipped": claims.paid_is_sent,
    "refused with money enough": claims.not_turned_away,
}
HINTS = {
    "a dead letter": (
        "What does your function raise, and does another attempt help?",
        "Too little money is an outcome too, and inventory is waiting to hear about it.",
        "Look at the account before you charge it, and publish PaymentRefused if it holds too little.",
    ),
    "charged twice": (
        "How often did payments handle the event of this order? How could it have known the second time that the work was done?",
        "Note which orders are done, and look at your notes before you charge. What if a crash comes between the charge and the note?",
        "Put the look, the charge and the insert into done into one `with ctx.database as db:`, so all of them are saved or none.",
    ),
    "the books do not balance": (
        "What does your function write to accounts, and what to charges?",
        "For each charge, add a row to charges and take the same amount from the account of this customer, and of nobody else.",
        "Do both in the same transaction, the insert and `update accounts set money = money - ? where customer = ?`.",
    ),
    "speaks of something else": (
        "Which order does the event describe that your function publishes?",
        "The events carry the same four fields, and inventory and shipping rely on them.",
        "Use `PaymentCharged(**event.model_dump())` to pass all of them on as they are.",
    ),
    "shipped unpaid": (
        "What had shipping heard when it sent the parcel, and what had payments saved by then?",
        "A crash can come between saving and publishing. Which of the two has to come first?",
        "Save the charge first, leave the `with`, and then publish what you saved.",
    ),
    "refused, and charged": (
        "What did payments answer for this order the first time, and what has happened to the account since?",
        "A charged order leaves a trace. Does a refused one?",
        "Note the refusal as well, in the same table, and look there before you look at the account.",
    ),
    "never released": (
        "What did payments do when the event came for the second time?",
        "inventory releases the tea when it gets PaymentRefused. Where can payments see that it still has to publish that event?",
        "Save `ctx.envelope(...)` in outbox, in the same transaction as the charge or the refusal. Publish it at each attempt, whether you found it there or have just made it.",
    ),
    "paid, and never shipped": (
        "What did payments do when the event came for the second time?",
        "The charge and its note are saved. Where can payments see that it still has to publish the event?",
        "Save `ctx.envelope(...)` in outbox, in the same transaction as the charge or the refusal. Publish it at each attempt, whether you found it there or have just made it.",
    ),
    "refused with money enough": (
        "How much was in the account, and how much did this order cost?",
        "Look at the first and the second order of a customer, and at an order that costs exactly what is in the account.",
        "Refuse if money < total, and only then.",
    ),
}
HINTS |= {
    "never released, by itself": (
        "What does inventory wait for, and what was published about this order?",
        "Each order is either charged or refused, and payments publishes which. For which order does your function do neither?",
        "If money < event.total, note that and publish PaymentRefused. Keep one note for each order, and save it together with the work.",
    ),
    "paid, and never shipped, by itself": (
        "What does shipping wait for?",
        "Only payments sees the row in charges. Can your function charge an order without publishing anything?",
        "After the transaction that charges the order, publish PaymentCharged or return it.",
    ),
}
NAMES = {cls.__name__: cls for cls in (InventoryReserved, PaymentCharged, PaymentRefused)}


def at_payments(fault: Fault) -> bool:
    return fault.at.startswith(("payments.", "inventory.publish.InventoryReserved"))


def redelivery(fault: Fault) -> bool:
    silences = fault.at.startswith("payments.publish") and fault.do in ("crash", "fail")
    return at_payments(fault) and not silences


THERE = "at payments and on the way there"
REDELIVERED = f"{THERE}, but for those that keep it from publishing", redelivery
ONCE = explored(shop_of, CLAIMS, only=REDELIVERED)
ANNOUNCED = explored(shop_of, CLAIMS, only=(THERE, at_payments))


# -- 05.1


def refusals(variant: int) -> int:
    """How many times in a row the broker refuses the first PaymentCharged: from 4 to 20."""
    return 4 + variant % 17


def refused_by_the_broker(attempts: int, variant: int) -> Run:
    """A run of the lesson's last design with a broker that refuses."""
    faults = [f"fail payments.publish.PaymentCharged #{n + 1}" for n in range(refusals(variant))]
    shop, people = shop_of(through_the_outbox(charge_or_refuse), variant, attempts)
    return simulate(shop, people, faults=faults)


def enough(attempts: int, variant: int) -> Anomaly | str:
    run = refused_by_the_broker(attempts, variant)
    if lost := run.check(claims.paid_is_sent).cause:
        evidence = f"after {attempts} attempts it is a dead letter: {lost}"
        return Anomaly("paid, and never shipped", evidence, run)
    fewer = refused_by_the_broker(max(1, attempts - 1), variant)
    if attempts > 1 and not fewer.check(claims.paid_is_sent).cause:
        return Anomaly("more than needed", f"{attempts - 1} attempts survive it as well", run)
    both = f"with {attempts} attempts and with {attempts - 1}"
    return f"the same {refusals(variant)} refusals, {both}"


def _charged_once(attempts: int, variant: int) -> tuple[str, Run]:
    run = refused_by_the_broker(attempts, variant)
    times = claims.charged(run)[orders_of(variant)[0].order_id]
    evidence = f"here is {times}, made by the first attempt"
    return f"(b) would leave more than one charge; {evidence}", run


def _no_giving_in(attempts: int, variant: int) -> tuple[str, Run]:
    evidence = f"here all {attempts - 1} were refused, and there was no other"
    run = refused_by_the_broker(attempts - 1, variant)
    return f"(c) would let {attempts - 1} attempts do; {evidence}", run


def _nobody_else(attempts: int, variant: int) -> tuple[str, Run]:
    evidence = "(d) would publish it some time later; here it lies in the outbox until the end"
    return evidence, refused_by_the_broker(attempts - 1, variant)


EXERCISES = [
    explained(
        "05.1",
        "Enough attempts",
        ("a whole number of attempts", range(1, 101)),
        lambda variant: {"refusals": refusals(variant)},
        enough,
        {"a": None, "b": _charged_once, "c": _no_giving_in, "d": _nobody_else},
        {
            "paid, and never shipped": (
                "How often did payments get the event of this order, and what happened the last time?",
                "Each refusal by the broker uses up one attempt. How many must be left after the last refusal?",
                "You need one attempt more than there are refusals.",
            ),
            "more than needed": (
                "Is there a smaller number that survives the same refusals?",
                "Go down by one at a time until paid_is_sent breaks.",
                "The answer is the last value before the first one that breaks.",
            ),
            "another reason": (
                "Does this run agree with your reason?",
                "Count in its timeline what payments saves (the ticks), and what it publishes.",
                "The first attempt saves the charge and the envelope. Every later one finds the envelope and publishes it.",
            ),
        },
    ),
    Exercise("05.2", "Charge or refuse, once", "event, ctx", ONCE, HINTS, NAMES),
    Exercise("05.3", "Always announced", "event, ctx", ANNOUNCED, HINTS, NAMES),
]

"""Exercises of lesson 05: a payment that is made or refused once, and that is never left unsaid."""

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
        "That somebody has not enough money is an answer, and whoever asked waits for it.",
        "Look at the account before you charge it, and say PaymentRefused where there is too little.",
    ),
    "charged twice": (
        "How often did payments handle the event of this order, and how could it have known the second time?",
        "Note what is done for each order, and look before you work. When is the note saved, if the crash comes in between?",
        "One `with ctx.database as db:` around the look, the charge and the insert into done: they stand or fall together.",
    ),
    "the books do not balance": (
        "What does your function write into accounts, and what into charges?",
        "Each charge is a row in charges and as much less in accounts, of this customer and no other.",
        "Write both in the same transaction: `update accounts set money = money - ? where customer = ?`, and the insert.",
    ),
    "speaks of something else": (
        "Which order is the event about that your function publishes?",
        "The events carry the same four fields, and inventory and shipping rely on them.",
        "`PaymentCharged(**event.model_dump())` passes all of them on as they are.",
    ),
    "shipped unpaid": (
        "What did shipping know when it sent the parcel, and what was saved in payments by then?",
        "A crash can come between any two steps. Which of the two must have happened when the other is heard of?",
        "Save the charge first, leave the `with`, and publish what is saved.",
    ),
    "refused, and charged": (
        "What did payments say of this order the first time, and what has happened to the account since?",
        "Of an order that was charged there is a trace. Is there one of an order that was refused?",
        "Note the refusal as well, in the same table, and look there before you look at the account.",
    ),
    "never released": (
        "What did payments do when the event came for the second time?",
        "inventory releases what it has set aside when it hears PaymentRefused. Who remembers that it has not been said yet?",
        "Keep what is to be said in the same transaction, `ctx.envelope(...)` in outbox, and publish it each time, found or new.",
    ),
    "paid, and never shipped": (
        "What did payments do when the event came for the second time?",
        "The charge is saved, and so is the note that it is done. Who remembers what has not been said yet?",
        "Keep what is to be said in the same transaction, `ctx.envelope(...)` in outbox, and publish it each time, found or new.",
    ),
    "refused with money enough": (
        "How much was in the account, and how much did this order cost?",
        "Look at the first and at the second order of one customer, and at one that takes the last coin.",
        "Refuse where money < total, and nowhere else.",
    ),
}
HINTS |= {
    "never released, by itself": (
        "What does inventory wait for, and what was said of this order?",
        "Each order is either charged or refused, and both are said. Is there a way through your function without either, for each order?",
        "Where money < event.total, note it and publish PaymentRefused. Note each order by itself, and only with the work.",
    ),
    "paid, and never shipped, by itself": (
        "What does shipping wait for?",
        "The row in charges is seen by payments alone. Is there a way through your function that charges and says nothing?",
        "After the transaction in which the order was charged, publish PaymentCharged, or return it.",
    ),
}
NAMES = {cls.__name__: cls for cls in (InventoryReserved, PaymentCharged, PaymentRefused)}


def at_payments(fault: Fault) -> bool:
    return fault.at.startswith(("payments.", "inventory.publish.InventoryReserved"))


def redelivery(fault: Fault) -> bool:
    return at_payments(fault) and not (
        fault.at.startswith("payments.publish") and fault.do in ("crash", "fail")
    )


AT_PAYMENTS = "at payments and on the way there", at_payments
REDELIVERY = (
    "at payments and on the way there, but for those that keep it from publishing",
    redelivery,
)


# -- 05.1


def refused_by_the_broker(attempts: int, variant: int) -> Run:
    """The lesson's last design; the broker refuses the first PaymentCharged five times in a row."""
    faults = [f"fail payments.publish.PaymentCharged #{n}" for n in range(1, 6)]
    return simulate(
        *shop_of(through_the_outbox(charge_or_refuse), variant, attempts), faults=faults
    )


def enough(attempts: float, variant: int) -> Anomaly | str:
    if attempts != int(attempts) or not 1 <= attempts <= 100:
        return Anomaly(
            "no value and reason",
            f"the value is {attempts:g}; attempts are whole numbers from 1 to 100",
        )
    run = refused_by_the_broker(int(attempts), variant)
    if lost := run.check(claims.paid_is_sent).cause:
        return Anomaly(
            "paid, and never shipped",
            f"after {attempts:g} attempts it is a dead letter: {lost}",
            run,
        )
    if (
        attempts > 1
        and not refused_by_the_broker(int(attempts) - 1, variant).check(claims.paid_is_sent).cause
    ):
        return Anomaly("more than needed", f"{attempts - 1:g} attempts survive it as well", run)
    return f"the same five refusals, with {attempts:g} attempts and with {attempts - 1:g}"


def _charged_once(variant: int) -> Anomaly:
    run = refused_by_the_broker(6, variant)
    times = claims.charged(run)[orders_of(variant)[0].order_id]
    return Anomaly(
        "another reason",
        f"(b) would leave more than one charge; here is {times}, made by the first attempt",
        run,
    )


def _no_giving_in(variant: int) -> Anomaly:
    run = refused_by_the_broker(5, variant)
    return Anomaly(
        "another reason",
        "(c) would let five attempts do; here five were refused, and there was no sixth",
        run,
    )


def _nobody_else(variant: int) -> Anomaly:
    run = refused_by_the_broker(5, variant)
    return Anomaly(
        "another reason",
        "(d) would publish it some time later; here it lies in the outbox until the end",
        run,
    )


EXERCISES = [
    Exercise(
        "05.1",
        "Attempts enough",
        "",
        explained(enough, {"a": None, "b": _charged_once, "c": _no_giving_in, "d": _nobody_else}),
        {
            "paid, and never shipped": (
                "How often was the event of this order handed to payments, and what came of the last time?",
                "Each refusal of the broker uses up one attempt. What must be left after the last refusal?",
                "One attempt more than there are refusals.",
            ),
            "more than needed": (
                "Is there a smaller number that survives the same?",
                "Go down by one at a time until paid_is_sent breaks.",
                "The answer is the last value before the first one that breaks.",
            ),
            "another reason": (
                "Does this run agree with your reason?",
                "Count in its timeline what payments saves (the dark ticks), and what it publishes.",
                "The first attempt saves charge and envelope; every other finds the envelope, and publishes that.",
            ),
        },
    ),
    Exercise(
        "05.2",
        "Charge or refuse, once",
        "event, ctx",
        explored(shop_of, CLAIMS, only=REDELIVERY),
        HINTS,
        NAMES,
    ),
    Exercise(
        "05.3",
        "Never left unsaid",
        "event, ctx",
        explored(shop_of, CLAIMS, only=AT_PAYMENTS),
        HINTS,
        NAMES,
    ),
]

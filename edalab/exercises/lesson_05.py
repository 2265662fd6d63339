"""Exercises of lesson 05: a payment that is made or refused once, and always announced."""

from functools import partial

from ..practice.exercise import Anomaly, Exercise, explored, hints_of
from ..practice.explained import Refuted, explained
from ..sim import Fault, simulate
from ..sim.run import Run
from . import lesson_05_system as tea
from .general import by_name, sent, steps
from .lesson_05_claims import settled, wrong_ends

HINTS = hints_of("""
raises
    What does the message say? Is it about too little money, or which value does that line meet?
    Too little money is an answer and not an error. If a constraint failed, which row did it protect? A column can't hold an event, but it can hold what `ctx.envelope(...)` makes of it.
    Compare money and total before you charge. If there is too little, raise nothing, note that the order is refused, and publish PaymentRefused. Take the money from this customer only, and save an event as `ctx.envelope(outcome)`.
a dead letter
    What does your function raise in this run, and does another attempt help?
    Each attempt meets the same tables. It is no error if an order is done already, or if an account is empty.
    Look at your notes before you write to them, with the same values of `heard` and `order_id`, and leave the function if the order is done.
charged twice
    How often did payments handle the event of this order? How could it have known the second time that the work was done?
    Note which orders are done, and look for exactly this note before you charge, by the same `heard` and `order_id`. What if a crash comes between the charge and the note, or empties ctx.state? Do you delete or replace notes?
    Look for the note, charge the order and write the note in one `with ctx.database as db:`, so that you save all of it or nothing. Keep the note after you publish.
the books do not balance
    What does your function write to accounts, and what to charges?
    For each charge, add a row to charges and take the same amount from the account of this customer, and of nobody else.
    Do both in the same transaction, the insert and `update accounts set money = money - ? where customer = ?`.
speaks of something else
    Which order did your function handle, and which one does the event describe that it publishes?
    The event has the same four fields as the one you handle. If you read it from the outbox, which row do you take?
    Pass all four on with `PaymentCharged(**event.model_dump())`. In the outbox, look for `where order_id = ?`.
two answers
    What did payments answer for this order, at once or when the event came again, and what had it saved before each answer?
    An order has one answer, so one call may not publish both. What do your tables say about a charged order before you publish, and about a refused one? What do you do with that when the event comes again?
    Save both outcomes, and look there before you look at the account. Never refuse an order that is charged, nor charge one that is refused. Publish after the `with`.
shipped unpaid
    What had shipping heard when it sent the parcel, and what had payments saved by then?
    A crash can come between saving and publishing. Which of the two has to come first?
    Save the charge first, leave the `with`, and then publish what you saved.
never released | paid, and never shipped
    Did the event come to payments a second time, and what was in its tables by then?
    A note without its work is as bad as work without its note. And if you catch an exception, the event does not come again.
    Look for the note, do the work and write the note in one `with ctx.database as db:`. Catch no exception that you can't put right.
refused with money enough
    Which exception did your function meet in this run, and what did it take that for?
    A bare `except` or `except Exception` also catches what has nothing to do with money, such as a database that can't save.
    Don't catch such an exception, and the event comes again. Compare money and total instead, or catch IntegrityError alone.
refused with money enough, by itself
    How much was in the account, and how much did this order cost?
    Look at the first and the second order of a customer, and at an order that costs exactly what is in the account.
    Refuse if money < total, and only then.
told twice
    How often does your function publish its answer, and what does it return?
    A message that your function returns is published, too.
    Write `await ctx.publish(...)` or `return ...`, and not both. Do it once.
never released, by itself | paid, and never shipped, by itself
    What do inventory and shipping wait for, and what was published about this order?
    Each order is either charged or refused, and payments publishes which of the two. For which orders does your function not do so? If it found a note, which one? If it only saves an event in a table, who publishes that?
    Look for the note of this very order. If there is none, charge it and publish PaymentCharged, or, if money < event.total, note that and publish PaymentRefused. No other service does that for you.
""")

IN_THE_OUTBOX = HINTS | hints_of("""
never released | paid, and never shipped
    Did the event come to payments a second time, and if so, why did payments not publish anything then?
    You need to know what to publish even if the work is done. And if you catch the broker's error, the event does not come again.
    In the same transaction as the work, save what you publish in outbox, as `ctx.envelope(...)`. Publish it each time the event comes, and catch none of its errors.
shipped twice
    By which id does shipping know that it has heard an event before, and which ids did yours have?
    Each time you construct an event and publish it, it gets a new id, so shipping takes it for news. What could you save, so that the second copy has the id of the first?
    Save `ctx.envelope(...)` in outbox, in the same transaction as the charge. If the event comes again, publish the saved envelope, and nothing else.
""")


NAMES = by_name(tea.InventoryReserved, tea.PaymentCharged, tea.PaymentRefused)
THERE = "at payments or on the way there"


def at_payments(fault: Fault) -> bool:
    there = fault.at.startswith(("payments.", "inventory.publish.InventoryReserved"))
    return there and not fault.at.endswith("DepositMoney")


def redelivery(fault: Fault) -> bool:
    silences = fault.at.startswith("payments.publish") and fault.do in ("crash", "fail")
    return at_payments(fault) and not silences


NO_SILENCE = f"{THERE} that lets payments publish"
CRASH = [["crash payments.commit.InventoryReserved #1"]]  # the lesson's crash, tried first
ONCE = explored(tea.shop_of, settled, HINTS, alone=CRASH, only=(NO_SILENCE, redelivery))
ANNOUNCED = explored(
    partial(tea.shop_of, late=True), settled, IN_THE_OUTBOX, only=(THERE, at_payments)
)


# -- 05.2


def failures(variant: int) -> int:
    """How many times in a row the publish of PaymentCharged fails: from 4 to 20."""
    return 4 + variant % 17


def unpublished(attempts: int, variant: int) -> Run:
    """A run of the lesson's final design with one order, whose payment fails to be published."""
    faults = [f"fail payments.publish.PaymentCharged #{n + 1}" for n in range(failures(variant))]
    shop, _ = tea.shop_of(tea.through_the_outbox(tea.charge_or_refuse), variant, attempts)
    rich, _ = tea.people_of(variant)
    order = next(order for order in tea.orders_of(variant) if order.customer == rich)
    return simulate(shop, sent(order), faults=faults)


def enough(attempts: int, variant: int) -> Anomaly | str:
    run = unpublished(attempts, variant)
    if lost := dict(wrong_ends(run)).get("paid, and never shipped"):
        evidence = f"after attempt {attempts} it is a dead letter: {lost}"
        return Anomaly("paid, and never shipped", evidence, run)
    fewer = unpublished(max(1, attempts - 1), variant)
    if attempts > 1 and not dict(wrong_ends(fewer)):
        return Anomaly("more than needed", f"{attempts - 1} attempts survive it as well", run)
    return f"with {attempts} attempts the order is shipped, and with {attempts - 1} it is a dead letter"


def against(attempts: int, variant: int) -> Refuted:
    run, fewer = unpublished(attempts, variant), unpublished(attempts - 1, variant)
    first = steps(run, "publish", service="payments")[0]
    one, at = f"{first.envelope.subject}, {first.envelope.id}", first.time / 1000
    tried = f"here it tried to publish at {at:g} s, and that failed"
    lost = f"here all {attempts - 1} attempts failed, and it never was"
    saved = f"here the outbox has one for {one}, and each attempt tried that one"
    return {
        "b": (f"(b) would let the first attempt publish nothing; {tried}", run),
        "c": (f"(c) would deliver it some time later; {lost}", fewer),
        "d": (f"(d) would save {attempts} envelopes; {saved}", run),
    }


EXERCISES = [
    Exercise("05.1", "Charge or refuse, once", "event, ctx", ONCE, HINTS, NAMES),
    explained(
        "05.2",
        "Enough attempts",
        ("a whole number of attempts", range(1, 101)),
        lambda variant: {"failures": failures(variant)},
        enough,
        "a",
        against,
        hints_of("""
            paid, and never shipped
                How often did payments get the event of this order, and what happened the last time?
                Each failed publish uses up one attempt. How many must you have left after the last failure?
                You need one attempt more than there are failures.
            more than needed
                Is there a smaller number that survives the same failures?
                Go down by one at a time until paid_is_sent breaks.
                The answer is the last value before the first one that breaks.
            another reason
                Does this run agree with your reason?
                Count in its timeline what payments saves (the ticks), and what it publishes.
                The first attempt saves the charge and the envelope. Every later one finds the envelope and publishes it.
        """),
    ),
    Exercise("05.3", "Always announced", "event, ctx", ANNOUNCED, IN_THE_OUTBOX, NAMES),
]

"""The claims of lesson 00's exercises, on what customers are told and services learn."""

from typing import Any

from ..claims.claim import Claim
from ..errors import listed
from ..sim.run import Run
from .general import steps
from .lesson_00_system import NAMES, SUBSCRIBERS, CancelOrder


def orders_in_trouble(run: Run) -> bool:
    """Whether a fault struck `orders` itself."""
    return any(
        getattr(fault, "service", "") == "orders" or getattr(fault, "at", "").startswith("orders.")
        for fault in run.faults
    )


def questions(run: Run) -> list[Any]:
    """The steps in which a customer asked to cancel an order."""
    return steps(run, "ask", service="client")


def answers(run: Run) -> list[tuple[str, str]]:
    """For each request to cancel, the order and the customer's note about the answer."""
    orders = [step.envelope.data.orderId for step in questions(run)]
    notes = [step.detail or "" for step in steps(run, "note", service="client")]
    return list(zip(orders, notes, strict=False))  # a run that was stopped has fewer notes


def cancelled(run: Run) -> list[str]:
    """The orders that their customers were told are cancelled."""
    told = [order for order, note in answers(run) if note.endswith(" is told: cancelled")]
    return list(dict.fromkeys(told))


def first(run: Run) -> str:
    """The order that Ada cancels, which is on record at the beginning."""
    return questions(run)[0].envelope.data.orderId


def again(run: Run) -> list[Any]:
    """The requests with which Ada cancels that order again, if any."""
    return [step for step in questions(run)[1:] if step.envelope.data.orderId == first(run)]


def on_record(run: Any) -> list[str]:
    return [order for (order,) in run.rows("orders", "select orderId from orders")]


def done(run: Run, order: str) -> list[str]:
    """The services that have done their part for an order."""
    return [name for name in SUBSCRIBERS if (order,) in run.rows(name, "select orderId from done")]


def unheard(run: Run, order: str, what: str) -> list[str]:
    """Sentences about the services that have not done their part for an order that is `what`."""
    deaf = [name for name in SUBSCRIBERS if name not in done(run, order)]
    return [f"{order} is {what}, but {name} never heard of it" for name in deaf]


@Claim("customers are answered, whatever happens to the other services", about=CancelOrder)
def everybody_is_answered(run):
    if orders_in_trouble(run):
        return []
    return [f"{order}: {note}" for order, note in answers(run) if note.endswith("gives up")]


@Claim("every customer gets the right answer", about=CancelOrder)
def answered_rightly(run):
    wrong = []
    for number, (order, note) in enumerate(answers(run)):
        right = "unknown" if number and order not in on_record(run) else "cancelled"
        _, answered, answer = note.partition(" is told: ")
        if answered and answer != right and not (again(run) and answer == "cancelled"):
            wrong.append(f"{order}: the customer is told {answer or 'nothing'}, not {right}")
    return wrong


@Claim("an order that is gone is not cancelled again", about=CancelOrder)
def not_again(run):
    told = []
    for asked in again(run):
        told = [
            f"{step.envelope.type} is sent once more"
            for step in run.journal
            if (step.service, step.step) in (("orders", "publish"), ("orders", "ask"))
            and step.envelope.causation == asked.envelope.id
        ]
        if [note for _, note in answers(run)[1:] if note.endswith(": cancelled")]:
            told.append("Ada is told once more that it is cancelled")
        if told and first(run) in on_record(run.at(asked.time / 1000)):  # slow, so it comes last
            return []  # her first request had no effect
    return [f"{first(run)} was gone, and {what}" for what in told]


@Claim("the services learn of every cancelled order", about=CancelOrder)
def somebody_hears(run):
    deaf = [order for order in cancelled(run) if not done(run, order)]
    kinds = {step.envelope.type for step in steps(run, "publish")} - NAMES.keys()
    strange = [
        f"{kind} is published, and nobody subscribes to it" for kind in sorted(kinds) if deaf
    ]
    return strange + [said for order in deaf for said in unheard(run, order, "cancelled")]


@Claim("every service learns of every cancelled order", about=CancelOrder)
def everybody_hears(run):
    return [said for order in cancelled(run) for said in unheard(run, order, "cancelled")]


@Claim("no service learns twice of an order", about=CancelOrder)
def told_once(run):
    asks = steps(run, "ask", service="orders")
    may_repeat = any(getattr(fault, "do", "") != "delay" for fault in run.faults)
    if may_repeat or (asks and not run.faults):  # asks break another claim first
        return []
    told = [(s.service, s.envelope) for s in steps(run, "handle")]
    told = [(name, message.type) for name, message in told if message.data.orderId == first(run)]
    kinds = {name: [kind for by, kind in told if by == name] for name in SUBSCRIBERS}
    return [f"{name} received {listed(by)}" for name, by in kinds.items() if len(by) > 1]


@Claim("a cancelled order is no longer on record", about=CancelOrder)
def off_the_record(run):
    kept = [order for order in cancelled(run) if order in on_record(run)]
    return [f"{order} is cancelled, and still on record" for order in kept]


@Claim("nothing else is cancelled", about=CancelOrder)
def nothing_else(run):
    wrong = [] if "order-1" in on_record(run) else ["order-1 is gone, and nobody cancelled it"]
    for order, _ in answers(run):
        if order != first(run):
            wrong += [f"{name} handled {order}, which does not exist" for name in done(run, order)]
    return wrong


@Claim("nobody is refunded for an order that stands", about=CancelOrder)
def no_refund_for_an_order(run):
    refunded = first(run) in on_record(run) and done(run, first(run))
    return [f"{first(run)} is refunded, and still on record"] if refunded else []


@Claim("every service learns of an order that is gone", about=CancelOrder)
def gone_is_heard_of(run):
    return [] if first(run) in on_record(run) else unheard(run, first(run), "gone")


CLAIMS = {
    "a customer is not answered": everybody_is_answered,
    "wrong answer": answered_rightly,
    "cancelled again": not_again,
    "nobody heard of it": somebody_hears,
    "some never heard of it": everybody_hears,
    "told more than once": told_once,
    "still on record": off_the_record,
    "something else is cancelled": nothing_else,
    "refunded though it stands": no_refund_for_an_order,
}

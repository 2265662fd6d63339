"""The claims of lesson 00's exercises, on what customers are told and services learn."""

from typing import Any

from ..claims.claim import Claim
from ..errors import listed
from ..sim.run import Run
from .general import Mistakes, steps
from .lesson_00_system import NAMES, SUBSCRIBERS, CancelOrder


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


def wrong_answers(run: Run) -> Mistakes:
    in_trouble = any(" orders." in str(fault) for fault in run.faults)
    for number, (order, note) in enumerate(answers(run)):
        if note.endswith("gives up") and not in_trouble:
            yield "a customer is not answered", f"{order}: {note}"
        right = "unknown" if number and order not in on_record(run) else "cancelled"
        _, answered, answer = note.partition(" is told: ")
        if answered and answer != right and not (again(run) and answer == "cancelled"):
            what = f"{order}: the customer is told {answer or 'nothing'}, not {right}"
            yield "wrong answer", what


def cancelled_again(run: Run) -> Mistakes:
    found = []
    for asked in again(run):
        sent = steps(run, "publish", service="orders") + steps(run, "ask", service="orders")
        caused = [s.envelope.type for s in sent if s.envelope.causation == asked.envelope.id]
        found = [f"{kind} is sent once more" for kind in caused]
        if [note for _, note in answers(run)[1:] if note.endswith(": cancelled")]:
            found.append("Ada is told once more that it is cancelled")
        if found and first(run) in on_record(run.at(asked.time / 1000)):  # slow, so it comes last
            return  # her first request had no effect
    for what in found:
        yield "cancelled again", f"{first(run)} was gone, and {what}"


def not_heard_of(run: Run) -> Mistakes:
    deaf = [order for order in cancelled(run) if not done(run, order)]
    kinds = {step.envelope.type for step in steps(run, "publish")} - NAMES.keys()
    for kind in sorted(kinds) if deaf else ():
        yield "nobody heard of it", f"{kind} is published, and nobody subscribes to it"
    for order in cancelled(run):
        for evidence in unheard(run, order, "cancelled"):
            yield "nobody heard of it" if order in deaf else "some never heard of it", evidence


def told_twice(run: Run) -> Mistakes:
    asks = steps(run, "ask", service="orders")
    may_repeat = any(getattr(fault, "do", "") != "delay" for fault in run.faults)
    if may_repeat or (asks and not run.faults):  # asks are another mistake, too
        return
    for name in SUBSCRIBERS:
        handled = [s.envelope for s in steps(run, "handle", service=name)]
        if len(kinds := [m.type for m in handled if m.data.orderId == first(run)]) > 1:
            yield "told more than once", f"{name} received {listed(kinds)}"


def wrong_effects(run: Run) -> Mistakes:
    recorded = on_record(run)
    for order in cancelled(run):
        if order in recorded:
            yield "still on record", f"{order} is cancelled, and still on record"
    if "order-1" not in recorded:
        yield "something else is cancelled", "order-1 is gone, and nobody cancelled it"
    for order, _ in answers(run):
        for name in done(run, order) if order != first(run) else ():
            yield "something else is cancelled", f"{name} handled {order}, which does not exist"
    if first(run) in recorded and done(run, first(run)):
        yield "refunded though it stands", f"{first(run)} is refunded, and still on record"


def misinformed(run: Run) -> Mistakes:
    for wrong in (wrong_answers, cancelled_again, not_heard_of, told_twice, wrong_effects):
        yield from wrong(run)


@Claim("every service learns of a cancelled order, and customers are answered", about=CancelOrder)
def is_told(run: Run) -> Mistakes:
    yield from misinformed(run)


@Claim("every service learns of an order that is gone", about=CancelOrder)
def gone_is_heard_of(run: Run) -> Mistakes:
    yield from misinformed(run)
    if first(run) not in on_record(run):
        for evidence in unheard(run, first(run), "gone"):
            yield "gone, and nobody heard of it", evidence

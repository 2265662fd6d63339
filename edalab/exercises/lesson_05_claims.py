"""What must hold in the shop of lesson 05, whatever happens to `payments`."""

from ..claims.claim import Claim
from ..errors import listed
from ..trace.spans import Trace
from .general import Mistakes, dead_letters, slips, steps
from .lesson_05_system import DepositMoney, InventoryReserved, OrderEvent


def orders(run) -> dict[str, OrderEvent]:
    """The orders that have reached `payments`."""
    events = [step.envelope.data for step in steps(run, "handle", service="payments")]
    return {event.order_id: event for event in events if not isinstance(event, DepositMoney)}


def charged(run) -> dict[str, int]:
    """How often each order is charged."""
    return dict(run.rows("payments", "select order_id, count(*) from charges group by order_id"))


def in_table(run, service: str, table: str) -> list[str]:
    rows = run.rows(service, f"select order_id from {table} order by order_id")
    return [order for (order,) in rows]


def money(run) -> dict[str, int]:
    return dict(run.rows("payments", "select customer, money from accounts order by customer"))


def wrong_books(run) -> Mistakes:
    known, paid, had = orders(run), charged(run), money(run.at(0))
    should = dict(had)
    for order, n in paid.items():
        if n > 1:
            yield "charged twice", f"{order} is charged {n} times"
    for order, amount in run.rows("payments", "select order_id, amount from charges"):
        cost = known[order].total if order in known else "nothing"
        if amount != cost:
            yield "the books do not balance", f"{amount} is charged for {order}, which costs {cost}"
        if order in known:
            should[known[order].customer] -= known[order].total
    for save in steps(run, "save", service="payments"):
        if isinstance(save.envelope.data, DepositMoney) and not save.fault:
            should[save.envelope.data.customer] += save.envelope.data.amount
    has = money(run)
    for who, amount in should.items():
        if has.get(who) != amount:
            yield "the books do not balance", f"{who} has {has.get(who)} and should have {amount}"
    for order, data in known.items():
        if data.total <= had[data.customer] and order not in paid:
            what = f"there was enough money for {order}, but it was refused"
            yield "refused with money enough", what


def wrong_events(run) -> Mistakes:
    known = orders(run)
    for step in steps(run, "publish", service="payments"):
        published = dict(step.envelope.data)
        order = known.get(str(published.get("order_id")), {"order_id": "no such order"})
        for name, value in dict(order).items():
            if published.get(name) != value:
                says = f"{step.envelope.type} says {name} {published.get(name)}"
                yield "speaks of something else", f"{says}; it was {value}"
    told = set()
    for span in Trace.of(run).spans_of("InventoryReserved"):
        steps_in_it = [run.journal[n] for n in span.events]
        published, order = [s for s in steps_in_it if s.step == "publish"], span.envelope.subject
        subjects = [step.envelope.subject for step in published]
        others = [step.envelope.subject for step in published if step.envelope.id in told]
        if others and order not in subjects and not any(step.fault for step in published):
            what = f"payments handled {order}, and published {listed(others)} again"
            yield "speaks of something else", what
        told.update(step.envelope.id for step in published)
        n = subjects.count(order)
        if n > 1 and not run.faults:
            yield "told twice", f"payments handled {order}, and published {n} events about it"


def wrong_ends(run) -> Mistakes:
    """Orders that are charged and refused, or neither, and parcels that are not paid for."""
    published = steps(run, "publish", service="payments")
    arrived = [step.envelope for step in published if step.fault not in ("crash", "fail")]
    told, paid = {(each.subject, each.type) for each in arrived}, charged(run)
    sent, kept = in_table(run, "shipping", "parcels"), in_table(run, "inventory", "reservations")
    for order in orders(run):
        charged_too = order in paid or (order, "PaymentCharged") in told
        if (order, "PaymentRefused") in told and charged_too:
            is_charged = "is charged" if order in paid else "announced as charged"
            yield "two answers", f"{order} was refused, and {is_charged}"
        if order not in paid and order in kept:
            why = "no PaymentRefused came for it, and its tea is still set aside"
            yield "never released", f"{order} is not charged, {why}"
    for order in sent:
        if order not in paid:
            yield "shipped unpaid", f"{order} is shipped, and not charged"
    # This needs a fault at the save, and run.at(...) is slow.
    if any(save.fault for save in steps(run, "save", service="payments")):
        for save in steps(run, "save", service="shipping"):
            order, seconds = save.envelope.subject, save.time / 1000
            if order not in charged(run.at(seconds)):
                what = f"{order} was shipped at {seconds:g} s, and not charged by then"
                yield "shipped unpaid", what
    for order in paid:
        if order not in sent:
            yield "paid, and never shipped", f"{order} is charged, and shipping never heard of it"


def shipped_twice(run) -> Mistakes:
    ordered = [s.envelope.subject for s in steps(run, "publish", service="client")]
    if len(set(ordered)) == len(ordered):  # so that graver mistakes are found first
        return
    sent = in_table(run, "shipping", "parcels")
    for order in sorted({order for order in sent if sent.count(order) > 1}):
        heard = [s.envelope for s in steps(run, "handle", service="shipping")]
        ids = sorted({envelope.id for envelope in heard if envelope.subject == order})
        what = f"shipping sent a parcel for {order} for each of the ids {listed(ids)}"
        yield "shipped twice", what


@Claim("each order is charged or refused, once, and all hear of it", about=InventoryReserved)
def settled(run) -> Mistakes:
    for wrong in (slips, dead_letters, wrong_books, wrong_events, wrong_ends, shipped_twice):
        yield from wrong(run)

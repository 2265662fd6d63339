"""What must hold in the shop of lesson 05, whatever happens to `payments`."""

from ..claims.claim import Claim
from ..errors import listed
from .general import no_slips, nothing_dead, steps
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


@Claim("nobody pays twice", about=InventoryReserved)
def charged_once(run):
    return [f"{order} is charged {n} times" for order, n in charged(run).items() if n > 1]


@Claim("money and charges agree", about=InventoryReserved)
def balanced(run):
    known, wrong, should = orders(run), [], money(run.at(0))
    for order, amount in run.rows("payments", "select order_id, amount from charges"):
        cost = known[order].total if order in known else "nothing"
        if amount != cost:
            wrong.append(f"{amount} is charged for {order}, which costs {cost}")
        if order in known:
            should[known[order].customer] -= known[order].total
    for save in steps(run, "save", service="payments"):
        if isinstance(save.envelope.data, DepositMoney) and not save.fault:
            should[save.envelope.data.customer] += save.envelope.data.amount
    has = money(run)
    return wrong + [
        f"{who} has {has.get(who)} and should have {amount}"
        for who, amount in should.items()
        if has.get(who) != amount
    ]


@Claim("payments publishes the order that it received", about=InventoryReserved)
def says_what_it_heard(run):
    known, wrong = orders(run), []
    for step in steps(run, "publish", service="payments"):
        published = dict(step.envelope.data)
        order = known.get(str(published.get("order_id")), {"order_id": "no such order"})
        for name, value in dict(order).items():
            if published.get(name) != value:
                says = f"{step.envelope.type} says {name} {published.get(name)}"
                wrong.append(f"{says}; it was {value}")
    return wrong + _only_repeats_others(run)


def _only_repeats_others(run) -> list[str]:
    """The handlings that publish known events of other orders, and nothing about their own."""
    wrong, known = [], set()
    for order, published in _handlings(run):
        others = [step.envelope.subject for step in published if step.envelope.id in known]
        own = any(step.fault or step.envelope.subject == order for step in published)
        if order and others and not own:
            wrong.append(f"payments handled {order}, and published {listed(others)} again")
        known.update(step.envelope.id for step in published)
    return wrong


def _handlings(run) -> list[tuple[str, list]]:
    """For each handling of `payments`, the order and the steps in which it published something."""
    handlings = []
    for step in run.journal:
        if (step.service, step.step) == ("payments", "handle"):
            handlings.append((step.envelope.subject, []))
        elif (step.service, step.step) == ("payments", "publish"):
            handlings[-1][1].append(step)
    return handlings


@Claim("payments answers each event once", about=InventoryReserved)
def told_once(run):
    return [
        f"payments handled {order}, and published {n} events about it"
        for order, published in _handlings(run)
        if (n := [s.envelope.subject for s in published].count(order)) > 1 and not run.faults
    ]


@Claim("each order is shipped once", about=InventoryReserved)
def shipped_once(run):
    ordered = [s.envelope.subject for s in steps(run, "publish", service="client")]
    if len(set(ordered)) == len(ordered):  # so that graver mistakes are found first
        return []
    sent, wrong = in_table(run, "shipping", "parcels"), []
    for order in sorted({order for order in sent if sent.count(order) > 1}):
        heard = [s.envelope for s in steps(run, "handle", service="shipping")]
        ids = sorted({envelope.id for envelope in heard if envelope.subject == order})
        wrong.append(f"shipping sent a parcel for {order} for each of the ids {listed(ids)}")
    return wrong


@Claim("nothing is shipped before it is paid for", about=InventoryReserved)
def paid_before(run):
    wrong = [
        f"{order} is shipped, and not charged"
        for order in in_table(run, "shipping", "parcels")
        if order not in charged(run)
    ]
    # This needs a fault at the save, and run.at(...) is slow.
    if any(save.fault for save in steps(run, "save", service="payments")):
        for save in steps(run, "save", service="shipping"):
            order, seconds = save.envelope.subject, save.time / 1000
            if order not in charged(run.at(seconds)):
                wrong.append(f"{order} was shipped at {seconds:g} s, and not charged by then")
    return wrong


@Claim("every paid order is shipped", about=InventoryReserved)
def paid_is_sent(run):
    sent = in_table(run, "shipping", "parcels")
    return [
        f"{order} is charged, and shipping never heard of it"
        for order in charged(run)
        if order not in sent
    ]


@Claim("an order is charged or refused, and never both", about=InventoryReserved)
def one_answer(run):
    arrived = [
        s for s in steps(run, "publish", service="payments") if s.fault not in ("crash", "fail")
    ]
    told = {(step.envelope.subject, step.envelope.type) for step in arrived}
    paid = charged(run)
    return [
        f"{order} was refused, and {'is charged' if order in paid else 'announced as charged'}"
        for order in orders(run)
        if (order, "PaymentRefused") in told
        and (order in paid or (order, "PaymentCharged") in told)
    ]


@Claim("tea that is not paid for is released", about=InventoryReserved)
def released(run):
    kept = in_table(run, "inventory", "reservations")
    return [
        f"{order} is not charged, no PaymentRefused came for it, and its tea is still set aside"
        for order in orders(run)
        if order not in charged(run) and order in kept
    ]


@Claim("nobody with enough money is refused", about=InventoryReserved)
def not_turned_away(run):
    had = money(run.at(0))
    return [
        f"there was enough money for {order}, but it was refused"
        for order, data in orders(run).items()
        if data.total <= had[data.customer] and order not in charged(run)
    ]


CLAIMS = {
    "raises": no_slips(InventoryReserved),
    "a dead letter": nothing_dead(InventoryReserved, "payments"),
    "charged twice": charged_once,
    "the books do not balance": balanced,
    "speaks of something else": says_what_it_heard,
    "two answers": one_answer,
    "shipped unpaid": paid_before,
    "never released": released,
    "paid, and never shipped": paid_is_sent,
    "refused with money enough": not_turned_away,
    "told twice": told_once,
    "shipped twice": shipped_once,
}

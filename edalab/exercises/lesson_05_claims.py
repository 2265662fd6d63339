"""What must hold in the shop of lesson 05, whatever happens to `payments`."""

import sqlite3

from ..claims.claim import Claim
from ..errors import listed
from .lesson_05_shop import InventoryReserved, OrderEvent


def orders(run) -> dict[str, OrderEvent]:
    """The orders that have reached `payments`."""
    steps = [s for s in run.journal if (s.service, s.step) == ("payments", "handle")]
    envelopes = [step.envelope for step in steps if step.envelope.type == "InventoryReserved"]
    return {envelope.subject: envelope.data for envelope in envelopes}


def charged(run) -> dict[str, int]:
    """How often each order is charged."""
    return dict(run.rows("payments", "select order_id, count(*) from charges group by order_id"))


def in_table(run, service: str, table: str) -> list[str]:
    rows = run.rows(service, f"select order_id from {table} order by order_id")
    return [order for (order,) in rows]


def had(run) -> dict[str, int]:
    """The money in each account at the beginning."""
    before = sqlite3.connect(":memory:")
    before.executescript(run.system.services["payments"].schema)
    return dict(before.execute("select customer, money from accounts").fetchall())


@Claim("nobody pays twice", about=InventoryReserved)
def charged_once(run):
    return [f"{order} is charged {n} times" for order, n in charged(run).items() if n > 1]


@Claim("money and charges agree", about=InventoryReserved)
def balanced(run):
    known, wrong = orders(run), []
    for order, amount in run.rows("payments", "select order_id, amount from charges"):
        cost = known[order].total if order in known else "nothing"
        if amount != cost:
            wrong.append(f"{amount} is charged for {order}, which costs {cost}")
    paid = [known[order] for order in charged(run) if order in known]
    in_account = "select money from accounts where customer = ?"
    deposited = "select ifnull(sum(amount), 0) from deposits where customer = ?"
    for who, first in had(run).items():
        money = [row[0] for row in run.rows("payments", in_account, (who,))]
        [(added,)] = run.rows("payments", deposited, (who,))
        should = first + added - sum(order.total for order in paid if order.customer == who)
        if money != [should]:
            wrong.append(f"{who} has {listed(money)}, and should have {should}")
    return wrong


@Claim("payments publishes the order that it received", about=InventoryReserved)
def says_what_it_heard(run):
    known, wrong = orders(run), []
    for step in run.journal:
        if (step.service, step.step) == ("payments", "publish"):
            published = dict(step.envelope.data)
            order = known.get(str(published.get("order_id")))
            for name, value in dict(order or {"order_id": "no such order"}).items():
                if published.get(name) != value:
                    says = f"{step.envelope.type} says {name} {published.get(name)}"
                    wrong.append(f"{says}; it was {value}")
    return wrong + _only_repeats_others(run)


def _only_repeats_others(run) -> list[str]:
    """Handlings that publish again what is known of other orders, and nothing about their own."""
    wrong, known = [], set()
    for order, steps in _handlings(run):
        others = [step.envelope.subject for step in steps if step.envelope.id in known]
        own = any(step.fault or step.envelope.subject == order for step in steps)
        if order and others and not own:
            wrong.append(f"payments handled {order}, and published {listed(others)} again")
        known.update(step.envelope.id for step in steps)
    return wrong


def _handlings(run) -> list[tuple[str, list]]:
    """Which order `payments` handled, each time, and what it published then."""
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
        for order, steps in _handlings(run)
        if (n := [s.envelope.subject for s in steps].count(order)) > 1 and not run.faults
    ]


@Claim("nothing is shipped before it is paid for", about=InventoryReserved)
def paid_before(run):
    wrong = [
        f"{order} is shipped, and not charged"
        for order in in_table(run, "shipping", "parcels")
        if order not in charged(run)
    ]
    saves = [s for s in run.journal if s.step == "save"]
    # It takes a fault at this save; and run.at(...) takes its time.
    if any(save.service == "payments" and save.fault for save in saves):
        for save in saves:
            order, seconds = save.envelope.subject, save.time / 1000
            if save.service == "shipping" and order not in charged(run.at(seconds)):
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


@Claim("a refused order stays refused", about=InventoryReserved)
def stays_refused(run):
    kept = in_table(run, "inventory", "reservations")
    return [
        f"{order} was released, and is charged"
        for order in orders(run)
        if order in charged(run) and order not in kept
    ]


@Claim("tea that is not paid for is released", about=InventoryReserved)
def released(run):
    kept = in_table(run, "inventory", "reservations")
    return [
        f"{order} is neither charged nor refused, and its tea is still set aside"
        for order in orders(run)
        if order not in charged(run) and order in kept
    ]


@Claim("nobody with enough money is refused", about=InventoryReserved)
def not_turned_away(run):
    able = [order for order, data in orders(run).items() if data.total <= had(run)[data.customer]]
    return [
        f"there was enough money for {order}, but it was refused"
        for order in able
        if order not in charged(run)
    ]

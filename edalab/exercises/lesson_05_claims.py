"""What must hold in the shop of lesson 05, whatever happens to `payments`."""

import sqlite3

from ..claims.claim import Claim
from ..errors import listed
from .lesson_05_shop import InventoryReserved, OrderEvent


def orders(run) -> dict[str, OrderEvent]:
    """The orders that have reached `payments`."""
    heard = [s for s in run.journal if (s.service, s.step) == ("payments", "handle")]
    return {
        s.envelope.subject: s.envelope.data for s in heard if s.envelope.type == "InventoryReserved"
    }


def charged(run) -> dict[str, int]:
    """How often each order is charged."""
    return dict(run.rows("payments", "select order_id, count(*) from charges group by order_id"))


def in_table(run, service: str, table: str) -> list[str]:
    return [
        order for (order,) in run.rows(service, f"select order_id from {table} order by order_id")
    ]


def had(run) -> dict[str, int]:
    """What was in each account in the beginning."""
    before = sqlite3.connect(":memory:")
    before.executescript(run.system.services["payments"].schema)
    return dict(before.execute("select customer, money from accounts").fetchall())


@Claim("nobody pays twice", about=InventoryReserved)
def charged_once(run):
    return [
        f"{order} is charged {times} times" for order, times in charged(run).items() if times > 1
    ]


@Claim("money and charges agree", about=InventoryReserved)
def balanced(run):
    known, wrong = orders(run), []
    for order, amount in run.rows("payments", "select order_id, amount from charges"):
        if order not in known or amount != known[order].total:
            wrong.append(
                f"{amount} is charged for {order}, which costs {known[order].total if order in known else 'nothing'}"
            )
    for who, first in had(run).items():
        money = sum(
            run.rows("payments", "select money from accounts where customer = ?", (who,)), ()
        )
        [(came,)] = run.rows(
            "payments", "select ifnull(sum(amount), 0) from deposits where customer = ?", (who,)
        )
        should = (
            first
            + came
            - sum(
                known[order].total
                for order in charged(run)
                if order in known and known[order].customer == who
            )
        )
        if money != (should,):
            wrong.append(f"{who} has {listed(money)}, and should have {should}")
    return wrong


@Claim("payments speaks of the order that it heard of", about=InventoryReserved)
def says_what_it_heard(run):
    known, wrong = orders(run), []
    for said in [s.envelope for s in run.journal if (s.service, s.step) == ("payments", "publish")]:
        heard = dict(
            known.get(getattr(said.data, "order_id", None)) or {"order_id": "no such order"}
        )
        told = dict(said.data)
        wrong += [
            f"{said.type} says {name} {told.get(name)}; it was {heard[name]}"
            for name in heard
            if told.get(name) != heard[name]
        ]
    return wrong


@Claim("nothing is shipped before it is paid for", about=InventoryReserved)
def paid_before(run):
    wrong = [
        f"{order} is shipped, and not charged"
        for order in in_table(run, "shipping", "parcels")
        if order not in charged(run)
    ]
    if any(
        (s.service, s.step) == ("payments", "save") and s.fault for s in run.journal
    ):  # else it cannot be: at(...) takes its time
        for s in run.journal:
            if (s.service, s.step) == ("shipping", "save") and s.envelope.subject not in charged(
                run.at(s.time / 1000)
            ):
                wrong.append(
                    f"{s.envelope.subject} was shipped at {s.time / 1000:g} s, and not charged by then"
                )
    return wrong


@Claim("who paid gets a parcel", about=InventoryReserved)
def paid_is_sent(run):
    sent = in_table(run, "shipping", "parcels")
    return [
        f"{order} is charged, and shipping never heard of it"
        for order in charged(run)
        if order not in sent
    ]


@Claim("what was refused stays refused", about=InventoryReserved)
def stays_refused(run):
    kept = in_table(run, "inventory", "reservations")
    return [
        f"{order} was released, and is charged"
        for order in orders(run)
        if order in charged(run) and order not in kept
    ]


@Claim("what is not paid for is released", about=InventoryReserved)
def released(run):
    kept = in_table(run, "inventory", "reservations")
    return [
        f"{order} is neither charged nor refused, and its tea is still set aside"
        for order in orders(run)
        if order not in charged(run) and order in kept
    ]


@Claim("who has the money is not refused", about=InventoryReserved)
def not_turned_away(run):
    able = [order for order, data in orders(run).items() if data.total <= had(run)[data.customer]]
    return [
        f"there was money enough for {order}, and it was refused"
        for order in able
        if order not in charged(run)
    ]

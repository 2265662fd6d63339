"""What belongs to one saga, what counts as done, and what a ledger says: on the smallest runs that show it."""

import pytest
from wrong_sagas import (
    ORDERS,
    OrderCancelled,
    OrderCompleted,
    PlaceOrder,
    RefundPayment,
    ReleaseInventory,
    ReserveInventory,
    charge,
    led,
    orchestrated,
    orders,
)  # fmt: skip

from edalab import Command, Event, Misuse, System, Unanswered, claims, simulate
from edalab.trace.causality import facts_known_at
from edalab.trace.saga_index import sagas
from edalab.trace.spans import Trace


def sagas_of(run):
    return sagas(Trace.of(run))


# -- whose story


def test_each_order_is_a_saga_named_by_its_correlation_and_key():
    assert [str(saga) for saga in sagas_of(simulate(orchestrated(), ORDERS))] == [
        "the saga of client-1 (o1)",
        "the saga of client-2 (far)",
    ]


def test_what_the_client_asks_again_or_says_again_goes_on_with_the_same_saga():
    async def asks_again(ctx):
        for _ in range(2):
            try:
                await ctx.ask(PlaceOrder(order_id="o1"), timeout=0.05)
            except Unanswered:
                ctx.note("again")

    async def presses_twice(ctx):
        for _ in range(2):
            await ctx.send(PlaceOrder(order_id="o1"))

    for workload in (asks_again, presses_twice):
        [saga] = sagas_of(simulate(orchestrated(), workload))
        assert list(saga.correlations) == ["client-1", "client-2"]


def test_another_message_of_the_client_about_the_key_goes_on_with_the_saga_and_an_equal_one_with_other_data_does_not():
    class Take(Command, key="customer"):
        customer: str
        seat: int

    class GiveBack(Command, key="customer", compensates=Take):
        customer: str
        seat: int

    class Leave(Command, key="customer"):
        customer: str

    async def two_seats(ctx):
        for seat in (1, 2):
            await ctx.send(Take(customer="ada", seat=seat))
        await ctx.send(GiveBack(customer="ada", seat=2))

    system = orchestrated()
    seats = system.service("seats", schema="create table taken (seat int primary key)")

    @seats.handles(Take)
    def take(command, ctx):
        with ctx.database as db:
            db.execute("insert or ignore into taken values (?)", (command.seat,))

    @seats.handles(GiveBack)
    def give_back(command, ctx):
        with ctx.database as db:
            db.execute("delete from taken where seat = ?", (command.seat,))

    one, two = sagas_of(simulate(system, two_seats))
    assert (list(one.correlations), list(two.correlations)) == (
        ["client-1"],
        ["client-2", "client-3"],
    )


def test_a_saga_that_was_forgotten_before_its_first_step_is_known_by_what_begins_it():
    async def place(command, ctx):
        with ctx.database as db:
            db.execute("insert into log values (?, 0, 'on')", (command.order_id,))

    run = simulate(orchestrated(place), ORDERS)
    assert run.check(claims.saga_settled()).cause == "no message of a saga was sent"
    assert run.check(claims.saga_settled(PlaceOrder)).cause == (
        "the saga of client-1 (o1) stopped after PlaceOrder client-1: not settled, and nothing was compensated, and 1 more"
    )


@pytest.mark.parametrize("fault", ["crash", "fail"])
def test_what_begins_a_saga_and_is_lost_was_sent_for_good_and_may_be_asked_again(fault):
    def shop(delivery):
        system = System("shop")

        @system.service("orders").handles(PlaceOrder, delivery=delivery)
        def place(command, ctx): ...

        return system

    async def sends(ctx):
        await ctx.send(PlaceOrder(order_id="o1"))

    async def asks(ctx):
        try:
            await ctx.ask(PlaceOrder(order_id="o1"), timeout=1)
        except Unanswered:
            ctx.note("gives up")

    struck = simulate(shop("at-most-once"), sends, faults=[f"{fault} orders.handle.PlaceOrder #1"])
    assert struck.check(claims.saga_settled(PlaceOrder)).outcome == "broken"
    dropped = simulate(shop("at-most-once"), sends, faults=["drop orders.deliver.PlaceOrder #1"])
    assert dropped.check(claims.saga_settled(PlaceOrder)).outcome == "broken"
    asked = simulate(shop("at-least-once"), asks, faults=[f"{fault} orders.handle.PlaceOrder #1"])
    assert asked.check(claims.saga_settled(PlaceOrder)).outcome == "not exercised"


# -- what is done, and how often


def test_a_step_that_is_asked_again_is_one_step_and_done_once():
    run = simulate(orchestrated(), orders("o1"), faults=["drop payments.reply.ChargePayment #1"])
    [saga] = sagas_of(run)
    [step] = saga.occurrences("ChargePayment")
    assert len(step.numbers) == 2 and len(step.effects) == len(step.saved) == 1


def test_a_step_that_its_service_does_again_is_done_twice():
    def charge_again(db, order_id):
        return charge(db, order_id) and db.execute("update charges set amount = amount + 20")

    run = simulate(
        orchestrated(charge=charge_again),
        orders("o1"),
        faults=["drop payments.reply.ChargePayment #1"],
    )
    [saga] = sagas_of(run)
    assert len(saga.occurrences("ChargePayment")[0].effects) == 2


class RefundBegun(Event, key="order_id"):
    order_id: str


def test_a_compensation_in_two_transactions_that_a_crash_parts_is_done_once():
    system = orchestrated()

    @system.services["payments"].handles(RefundPayment)
    async def refund(command, ctx):
        with ctx.database as db:
            db.execute(
                "update charges set amount = 1 where amount = 20 and order_id = ?",
                (command.order_id,),
            )
        await ctx.publish(RefundBegun(order_id=command.order_id))
        with ctx.database as db:
            db.execute(
                "update charges set amount = 0 where amount = 1 and order_id = ?",
                (command.order_id,),
            )
        return "done"

    for fault in ("crash payments.publish.RefundBegun #1", "crash payments.save.RefundPayment #2"):
        run = simulate(system, ORDERS, faults=[fault])
        assert run.faults and run.check(claims.compensated_once()).outcome == "holds", run


# -- before and after


def test_a_service_knows_what_it_heard_of_and_what_led_to_that():
    [saga] = sagas_of(simulate(orchestrated(), orders("o1")))
    steps = [
        saga.occurrences(name)[0] for name in ("ReserveInventory", "ChargePayment", "ShipOrder")
    ]
    facts = {step.done: {number} for number, step in enumerate(steps)}
    knew = facts_known_at(saga, facts, {step.first for step in steps})
    assert [sorted(knew[step.first]) for step in steps] == [[], [0], [0, 1]]


def test_the_evidence_against_the_order_of_compensations_names_both_steps_and_moments():
    verdict = simulate(orchestrated(led(back=lambda done: done)), orders("far")).check(
        claims.compensated_in_reverse()
    )
    assert verdict.cause == (
        "in the saga of client-1 (far) ReserveInventory was compensated at 0.09 s, before ChargePayment, "
        "which depends on it (at 0.11 s)"
    )
    assert [step.envelope.type for step in verdict.evidence[0].steps] == [
        "ReserveInventory", "ChargePayment", "ReleaseInventory", "RefundPayment",
    ]  # fmt: skip


def test_a_saga_that_says_two_ends_is_settled_wrongly_and_one_that_says_one_end_twice_is_not():
    async def place(command, ctx):
        end = OrderCompleted(order_id=command.order_id)
        return [
            end,
            OrderCancelled(order_id=command.order_id) if command.order_id == "far" else end,
        ]

    verdict = simulate(orchestrated(place), ORDERS).check(claims.saga_settled())
    assert (
        verdict.cause
        == "the saga of client-2 (far) was settled by OrderCompleted and by OrderCancelled"
    )


def test_what_is_in_doubt_may_be_taken_back_and_what_was_never_asked_for_may_not():
    async def place(command, ctx):
        try:
            await ctx.ask(ReserveInventory(order_id=command.order_id), timeout=0.01)
        except Unanswered:
            await ctx.ask(ReleaseInventory(order_id=command.order_id))
        if command.order_id == "far":
            await ctx.ask(RefundPayment(order_id=command.order_id))
        return OrderCancelled(order_id=command.order_id)

    verdict = simulate(orchestrated(place), ORDERS).check(claims.no_needless_compensation())
    assert [piece.sentence for piece in verdict.evidence] == [
        "in the saga of client-2 (far) ChargePayment was compensated and never done"
    ]


# -- the ledger


def test_a_ledger_is_balanced_where_each_account_holds_what_it_should():
    def books(run):
        [(free,)] = run.rows("inventory", "select free from stock")
        return {"pens": (free, 9), "cents": (0.1 + 0.2, 0.3), "refunds": (None, 0), "told": free}

    run = simulate(orchestrated(), orders("o1"))
    assert str(run.check(claims.ledger_balanced(books))) == "✓ holds: books is balanced"
    verdict = simulate(orchestrated(), orders("far")).check(claims.ledger_balanced(books))
    assert verdict.evidence == ["pens: 10, and should be 9"]


@pytest.mark.parametrize("returned", [7, {}, {"pens": 10}, {"pens": [10, 10]}, [("pens", 10, 10)]])
def test_a_ledger_that_says_nothing_of_what_should_be_is_refused(returned):
    with pytest.raises(Misuse, match="return {account:"):
        simulate(orchestrated(), orders("o1")).check(claims.ledger_balanced(lambda run: returned))

"""Lesson 05 says what its runs say: each design of the saga is broken where the text says it is, and the last one nowhere."""

import lessons
import pytest
from scenes import graph_of

from edalab import claims, explore, simulate
from edalab.trace.spans import Trace
from edalab.view import saga_map

NAME = "05-choreographed-saga"


@pytest.fixture(scope="module")
def lesson():
    return lessons.definitions(NAME)


def broken(result) -> dict[str, int]:
    """In how many schedules each claim is broken, of those that are at all."""
    return {
        claim.name: len(result.broken(claim)) for claim in result.claims if result.broken(claim)
    }


@pytest.fixture(scope="module")
def singles(lesson):
    """Every single fault against each of the designs."""
    designs = {
        "naive": lesson.shop_of(lesson.STEPS),
        "compensating": lesson.shop_of(lesson.MENDED),
        "noted after": lesson.shop_of(lesson.MENDED, lesson.noted_after, lesson.DONE),
        "once": lesson.shop_of(lesson.MENDED, lesson.once, lesson.DONE),
        "outbox": lesson.mended,
    }
    return {name: explore(shop, lesson.two_orders, lesson.CLAIMS) for name, shop in designs.items()}


def test_a_refused_payment_leaves_stock_behind_without_any_fault(lesson):
    run = simulate(lesson.shop_of(lesson.STEPS), lesson.two_orders)
    outcomes = {claim.name: run.check(claim).outcome for claim in lesson.PROMISES}
    assert outcomes == {
        "charged_once": "holds", "stock_adds_up": "broken", "paid_is_sent": "holds", "orders_knows": "broken",
    }  # fmt: skip
    assert lesson.stock(run) == 5
    assert run.rows("orders", "select state from orders where order_id = 'order-18'") == [
        ("created",)
    ]


def test_the_naive_shop_breaks_its_promises_under_every_fault(singles):
    every = len(singles["naive"].schedules)
    found = broken(singles["naive"])
    assert found["stock_adds_up"] == found["orders_knows"] == every
    assert 0 < found["charged_once"] < every and "paid_is_sent" not in found


def test_compensation_ends_every_order_and_leaves_only_what_is_handled_twice(singles):
    result = singles["compensating"]
    found = broken(result)
    assert (
        "orders_knows" not in found and "every saga is settled or wholly compensated" not in found
    )
    assert {"charged_once", "stock_adds_up"} < set(found)
    for schedule in result.schedules:
        if "broken" in schedule.outcomes:
            trace = Trace.of(result.run(schedule))
            facts = [(h.service, trace.logical_id[h.envelope.id]) for h in trace.spans]
            assert len(facts) > len(set(facts)), f"{schedule}: no message was handled twice"


def test_noted_in_a_transaction_of_its_own_a_charge_is_forgotten_by_a_crash_in_between(
    singles, lesson
):
    found = singles["noted after"].broken(lesson.charged_once)
    assert len(found) == 2
    assert {(fault.do, fault.at) for schedule in found for fault in schedule.faults} == {
        ("crash", "payments.save.InventoryReserved"), ("fail", "payments.save.InventoryReserved"),
    }  # fmt: skip


def test_once_is_broken_just_where_something_is_to_be_published(singles):
    result = singles["once"]
    assert "charged_once" not in broken(result)
    struck = {schedule.faults[0] for schedule in result.schedules if "broken" in schedule.outcomes}
    assert {(fault.do, fault.point[1]) for fault in struck} == {
        ("crash", "publish"),
        ("fail", "publish"),
    }
    tried = {schedule.faults[0] for schedule in result.schedules[1:]}
    assert struck == {
        fault for fault in tried
        if fault.point[1] == "publish" and fault.point[0] != "client" and fault.do in ("crash", "fail")
    }  # fmt: skip


def test_published_inside_the_transaction_an_order_is_announced_that_is_not_there(lesson):
    shop = lesson.shop_of(lesson.MENDED, lesson.inside, lesson.DONE)
    result = explore(shop, lesson.two_orders, lesson.CLAIMS)
    left_behind = lesson.SAGAS[1].name
    assert broken(result) == {"orders_knows": 6, left_behind: 2}  # three for each order, and Bob's
    assert {s.faults[0].at for s in result.broken(left_behind)} == {
        "inventory.publish.InventoryReserved", "inventory.save.OrderCreated",
    }  # fmt: skip
    red = {(s.faults[0].do, s.faults[0].at) for s in result.broken("orders_knows")}
    assert ("crash", "orders.save.PlaceOrder") in red
    run = simulate(shop, lesson.two_orders, faults=lesson.GAP)
    assert run.rows("orders", "select state from orders where order_id = 'order-17'") == [
        ("created",)
    ]
    handled = [
        s.envelope.type
        for s in run.journal
        if s.step == "handle" and s.service == "orders" and s.envelope.subject == "order-17"
    ]
    assert handled == ["PlaceOrder", "OrderShipped", "PlaceOrder"]


def test_the_last_design_survives_every_single_fault(singles):
    assert broken(singles["outbox"]) == {}
    assert all(singles["outbox"].outcome(claim) == "holds" for claim in singles["outbox"].claims)


def test_the_last_design_holds_every_claim_under_all_pairs_of_faults_of_two_orders(lesson):
    more = [
        claims.no_needless_compensation(),
        claims.ledger_balanced(lesson.books),
        claims.no_dual_write_gap("payments"),
    ]
    result = explore(lesson.mended, lesson.two_orders, [*lesson.CLAIMS, *more], faults=2)
    assert result.coverage.startswith("every single fault; every pair")
    assert broken(result) == {} and not result.endless
    assert all(result.outcome(claim) == "holds" for claim in result.claims)
    assert len(lesson.CLAIMS) == 7
    assert "No pair of faults breaks any of the seven claims" in lessons.prose(NAME)


def test_the_bill_is_as_the_text_reads_it(lesson):
    once_each = {way: [lesson.rows[crash, way] for crash in lesson.CRASHES] for way in lesson.WAYS}
    assert all((row["charges"], row["parcels"]) == (1, 1) for row in once_each["outbox"])
    assert any(row["charges"] == 2 for row in once_each["plainly"])
    assert any((row["charges"], row["parcels"]) == (1, 0) for row in once_each["once"])
    calm, again, _ = once_each["outbox"]
    assert (
        again["messages"] - calm["messages"] == 2
    )  # the charge once more, and the parcel down the chain


def test_three_failures_leave_the_outbox_full_and_the_parcel_unsent(lesson):
    assert lesson.given_up.rows(
        "payments", "select order_id from outbox where news is not null"
    ) == [("order-17",)]
    assert lesson.given_up.check(lesson.paid_is_sent).outcome == "broken"
    assert [
        step.envelope.type for step in lesson.given_up.journal if step.step == "dead_letter"
    ] == ["InventoryReserved"]


def test_late_and_lost_look_the_same_on_the_map_and_not_in_the_books(lesson):
    late, lost = (saga_map(run, "order-17", cursor=10) for run in (lesson.waiting, lesson.lost))
    assert [step.name for step in late.story.steps][:3] == [step.name for step in lost.story.steps]
    assert {
        (graph_of(late).nodes["PaymentCharged"]["state"]),
        graph_of(lost).nodes["PaymentCharged"]["state"],
    } == {"failed"}
    assert (
        lesson.books(lesson.waiting.at(10))["money"] == 0
        and lesson.books(lesson.lost.at(10))["money"] == 20
    )
    assert lesson.orders_in(lesson.waiting, "shipping", "parcels") == ["order-17"]
    assert lesson.orders_in(lesson.lost, "shipping", "parcels") == []


def test_the_books_say_of_each_break_what_its_claims_say(lesson):
    naive, silent = lesson.books(lesson.naive), lesson.books(lesson.silent)
    assert naive == {"stock": (5, 8), "money": 20, "pieces sent": (2, 2)}
    assert silent == {"stock": (8, 8), "money": 20, "pieces sent": (0, 2)}
    assert lesson.books(lesson.compensated) == {
        "stock": (8, 8),
        "money": 20,
        "pieces sent": (2, 2),
    }


def test_tea_is_sold_that_is_not_there_and_no_claim_says_so(lesson):
    async def too_much(ctx):
        await ctx.send(lesson.PlaceOrder(order_id="order-19", customer="ada", pieces=12, total=20))

    run = simulate(lesson.mended, too_much)
    assert lesson.stock(run) < 0
    assert "broken" not in [run.check(claim).outcome for claim in lesson.CLAIMS]


def test_a_customer_is_turned_away_by_a_reservation_that_is_released_later(lesson):
    def ended(run):
        return dict(run.rows("orders", "select * from orders"))["order-20"], lesson.stock(run)

    patient = simulate(lesson.shop_of(lesson.PATIENT), lesson.three_orders)
    assert ended(lesson.hurt) == ("cancelled", 8)
    assert ended(patient) == ("shipped", 2)
    assert all(patient.check(claim).outcome == "holds" for claim in lesson.CLAIMS)


def test_the_lock_holds_if_it_may_wait_long_enough_and_without_it_nobody_waits(lesson):
    def tried(steps, attempts):
        shop = lesson.shop_of(steps, lesson.outbox, lesson.OUTBOX, attempts=attempts)
        return explore(shop, lesson.three_orders, lesson.CLAIMS)

    impatient, patient = tried(lesson.PATIENT, 3), tried(lesson.PATIENT, 10)
    late = impatient.broken(lesson.SAGAS[0])
    assert len(impatient.schedules) - 1 == 221 and len(late) == 18
    assert {  # each time it is her second order, whose message is given up
        (step.service, step.envelope.type, step.envelope.subject)
        for schedule in late
        for step in impatient.run(schedule).journal
        if step.step == "dead_letter"
    } == {("inventory", "OrderCreated", "order-20")}
    assert broken(patient) == broken(tried(lesson.CAREFUL, 3)) == {}


def test_a_payment_that_is_saved_and_not_announced_is_only_late_if_there_is_an_outbox(lesson):
    late = simulate(lesson.mended, lesson.ada_orders, faults=lesson.LONG)
    seen = [
        (graph_of(drawn).nodes["PaymentCharged"]["state"], lesson.books(run.at(10)))
        for run in (late, lesson.lost)
        for drawn in [saga_map(run, "order-17", cursor=10)]
    ]
    assert seen[0] == seen[1] and seen[0][1]["money"] == 20
    assert lesson.orders_in(late, "shipping", "parcels") == ["order-17"]


def test_the_story_of_an_order_is_that_order_alone(lesson):
    story = lesson.story(lesson.both, "order-18", until=100)
    assert list(story.message) == [
        "PlaceOrder", "OrderCreated", "InventoryReserved", "PaymentRefused", "InventoryReleased",
    ]  # fmt: skip
    assert list(story["caused by"])[1:] == list(story.id)[:-1]  # each is the reason for the next


def test_the_story_lists_what_was_published_alone(lesson):
    so_far = ["PlaceOrder", "OrderCreated", "InventoryReserved"]
    for run in (
        lesson.both,
        lesson.waiting,
        lesson.lost,
    ):  # late or lost, the messages are the same
        assert list(lesson.story(run, "order-17", until=10).message) == so_far
    again = simulate(lesson.mended, lesson.two_orders, faults=lesson.AGAIN)
    assert list(lesson.story(again, "order-17", until=100).message).count("PaymentCharged") == 1

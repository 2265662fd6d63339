"""Lesson 06 says what its runs say: each design of the coordinator is broken where the text says it is, and the last one nowhere."""

import re
from concurrent.futures import ProcessPoolExecutor

import lessons
import pytest

from edalab import explore, simulate
from edalab.view import saga_map

NAME = "06-orchestrated-saga"


@pytest.fixture(scope="module")
def lesson():
    return lessons.definitions(NAME)


@pytest.fixture(scope="module")
def singles(lesson):
    """Every single fault against each of the designs."""
    promises = [*lesson.CLAIMS, lesson.told_once]
    return {
        name: explore(shop, lesson.two_orders, promises) for name, shop in lesson.DESIGNS.items()
    }


def struck(result, claims) -> set[tuple[str, str]]:
    """The faults, (action, point), under which any of these claims is broken."""
    return {
        (fault.do, fault.at)
        for claim in claims
        for schedule in result.broken(claim)
        for fault in schedule.faults
    }


def broken(result, claims) -> list:
    """The schedules that break any of these claims."""
    return list(
        {
            schedule.faults: schedule for claim in claims for schedule in result.broken(claim)
        }.values()
    )


def test_without_a_fault_one_order_is_shipped_and_the_other_taken_back(lesson):
    for shop in lesson.DESIGNS.values():
        run = simulate(shop, lesson.two_orders)
        assert run.rows("shipping", "select * from parcels") == [("order-17", 2)]
        assert lesson.ledger(run) == {"stock": (8, 8), "money": (90, 90), "sent": (2, 2)}


def test_in_memory_a_crash_leaves_orders_hanging_a_late_answer_and_a_failed_refund_leave_something_behind(
    lesson, singles
):
    balanced, settled, left_behind = lesson.CLAIMS
    assert [lesson.crashed.check(claim).outcome for claim in lesson.CLAIMS] == [
        "broken",
        "broken",
        "holds",
    ]
    assert lesson.ada_has(lesson.late) == "a bill and no tea"
    assert lesson.ledger(lesson.kept)["money"] == (90 - 80, 90)
    hanging = struck(singles["in memory"], [settled])
    assert {point.split(".")[0] for _, point in hanging} == {"orders"}
    assert {do for do, _ in hanging} == {"crash", "fail", "unconfirmed", "drop"}
    assert {point for do, point in hanging if do == "drop"} == {"orders.deliver.PlaceOrder"}
    for schedule in broken(singles["in memory"], [balanced, left_behind]):
        [fault] = schedule.faults
        timed_out = any(
            step.step == "timeout" for step in singles["in memory"].run(schedule).journal
        )
        assert timed_out or (fault.do, fault.point[0]) == ("crash", "orders")


def test_the_log_leaves_no_order_hanging_and_asks_twice_where_it_could_not_be_written(
    lesson, singles
):
    balanced, settled, _ = lesson.CLAIMS
    assert singles["saga log"].outcome(settled) == "holds"
    again = {("crash", "orders.save.Continue"), ("fail", "orders.save.Continue")}
    assert again <= struck(singles["saga log"], [balanced])
    assert lesson.twice.rows("payments", "select money from accounts where customer = 'ada'") == [
        (100 - 2 * 20,)
    ]
    assert not {
        at
        for do, at in struck(singles["saga log"], lesson.CLAIMS) - again
        if at.startswith("orders.") and do == "crash"
    }


def test_the_log_says_where_an_order_is_while_nobody_is_at_work_on_it(lesson):
    said = {
        t: dict(lesson.logged.at(t).rows("orders", "select order_id, state from sagas"))["order-17"]
        for t in (0.07, 3, 6)
    }
    assert said == {0.07: "charging", 3: "shipping", 6: "shipped"}


def test_with_steps_that_are_done_once_only_answers_that_do_not_come_are_left(lesson, singles):
    result = singles["+ done once"]
    found = broken(result, lesson.CLAIMS)
    assert found
    for schedule in found:
        [fault] = schedule.faults
        assert not (fault.point[0] == "orders" and fault.do in ("crash", "fail"))
        assert any(step.step == "timeout" for step in result.run(schedule).journal), schedule


def test_a_lost_answer_at_the_pivot_sends_the_tea_for_nothing(lesson):
    assert lesson.ada_has(lesson.unpaid) == "tea for nothing"
    assert lesson.unpaid.check(lesson.BACK[-1]).outcome == "broken"
    assert lesson.ada_has(lesson.patient) == "tea, and paid for it"


def test_an_order_whose_shipping_was_asked_for_twice_is_drawn_as_one_way_forward(lesson):
    labels = saga_map(
        lesson.patient, "order-17"
    ).scene.labels  # first the boxes, then the lines below
    height = {label.text: label.y for label in reversed(labels)}
    assert height["OrderCompleted"] == height["ShipOrder"] == height["PlaceOrder"]


def test_asking_again_mends_all_but_the_end_that_is_told_twice(lesson, singles):
    result = singles["+ asked again"]
    assert not broken(result, lesson.CLAIMS)
    assert lesson.again.check(lesson.told_once).outcome == "broken"
    for schedule in result.broken(lesson.told_once):
        run = result.run(schedule)
        orders = [
            step.envelope.data.order_id
            for step in run.journal
            if step.step == "handle" and step.envelope.type == "Continue"
        ]
        assert len(orders) > len(set(orders)), schedule


def test_the_coordinator_survives_every_single_fault(singles):
    result = singles["+ told once"]
    assert not broken(result, result.claims)
    assert all(result.outcome(claim) == "holds" for claim in result.claims)


def test_the_coordinator_holds_every_claim_under_all_pairs_of_faults_of_two_orders(lesson):
    every = [*lesson.CLAIMS, lesson.told_once, *lesson.BACK]
    with ProcessPoolExecutor(2) as executor:
        result = explore(lesson.mended, lesson.two_orders, every, faults=2, executor=executor)
    assert result.coverage.startswith("every single fault; every pair")
    assert not broken(result, every) and not result.endless
    assert all(result.outcome(claim) == "holds" for claim in every)
    assert [f"{len(result.schedules):,}"] == re.findall(
        r"([\d,]+) schedules with up to two faults", lessons.prose(NAME)
    )


def test_whoever_waits_behind_an_order_in_doubt_waits_too(lesson):
    good, lost, away = (lesson.ended(run) for run in lesson.days.values())
    assert lost["order-19"] - good["order-19"] == pytest.approx(1, abs=0.05)
    assert all(60 < end < 62 for end in away.values())


def test_with_two_replicas_one_that_stood_still_tells_the_end_again(lesson):
    run = simulate(lesson.doubled, lesson.two_orders, faults=lesson.PAUSED)
    assert [run.check(claim).outcome for claim in (*lesson.CLAIMS, lesson.told_once)] == [
        "holds"
    ] * 3 + ["broken"]


def test_the_comparison_is_as_the_text_reads_it(lesson):
    chain, star = (lesson.compared(kind) for kind in ("choreography", "orchestration"))
    assert star["messages of the services"] == 2 * chain["messages of the services"]
    assert all(chain[name] < star[name] for name in chain if name.endswith("(s)"))
    for kind in (chain, star):
        survived, tried = kind["single faults survived"].split(" of ")
        assert survived == tried and kind["storms survived"] == "50 of 50"
    assert int(chain["… with three attempts"].split()[0]) > int(
        star["… with three attempts"].split()[0]
    )
    assert lesson.order_19("choreography") == "stock 0 of 8, money 10 of 90, sent 2 of 2"
    assert lesson.order_19("orchestration") == "stock 8 of 8, money 90 of 90, sent 2 of 2"
    assert (chain["one step more changes"], star["one step more changes"]) == (
        "inventory, payments",
        "orders",
    )
    assert chain["orders says of 17"] == "created, shipped"
    assert star["orders says of 17"] == "reserving, charging, shipping, shipped"


def test_the_longer_shops_hold_too_and_refuse_bob_by_the_check(lesson):
    for shop in lesson.LONGER.values():
        assert not broken(explore(shop, lesson.ada_and_bob, lesson.PROMISES), lesson.PROMISES)
        run = simulate(shop, lesson.ada_and_bob)
        assert run.rows("checks", "select customer from checked") == [("ada",)]
        assert lesson.ledger(run)["stock"] == (8, 8)

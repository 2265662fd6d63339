"""Lesson 06 says what its runs say: each design of the coordinator is broken where the text says it is, and the last one nowhere."""

import re
from concurrent.futures import ProcessPoolExecutor

import lessons
import pytest

from edalab import explore, pause, simulate
from edalab.view import saga_map

NAME = "06-orchestrated-saga"
AT_THE_DOOR = "client.publish", "orders.deliver", "orders.ack"  # where an order comes twice


@pytest.fixture(scope="module")
def lesson():
    return lessons.definitions(NAME)


@pytest.fixture(scope="module")
def singles(lesson):
    """Every single fault against each of the designs."""
    promises = [*lesson.CLAIMS, lesson.one_email]
    return {
        name: explore(lesson.the_shop(name), lesson.two_orders, promises) for name in lesson.DESIGNS
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


def outcomes(run, claims) -> list[str]:
    return [run.check(claim).outcome for claim in claims]


def test_without_a_fault_one_order_is_shipped_and_the_other_taken_back(lesson):
    for shop in lesson.DESIGNS.values():
        run = simulate(shop, lesson.two_orders)
        assert run.rows("shipping", "select * from parcels") == [("order-17", 2)]
        assert lesson.ledger(run) == {"stock": (8, 8), "money": (90, 90), "sent": (2, 2)}


def test_the_three_breaks_are_those_of_the_text(lesson):
    assert outcomes(lesson.crashed, lesson.CLAIMS) == [
        "broken",
        "broken",
        "holds",
        "broken",
        "holds",
    ]
    assert lesson.ada_has(lesson.late) == "a bill and no tea"
    assert lesson.ledger(lesson.kept)["money"] == (90 - 80, 90)


def test_the_red_marks_of_the_first_matrix_have_the_three_causes_that_the_text_sorts_them_by(
    lesson, singles
):
    result, settled = singles["in memory"], lesson.CLAIMS[1]
    unfinished = struck(result, [settled])
    assert {point.split(".")[0] for _, point in unfinished} == {"orders"}
    assert {do for do, _ in unfinished} == {"crash", "fail", "unconfirmed", "drop"}
    assert {at for do, at in unfinished if do == "drop"} == {"orders.deliver.PlaceOrder"}
    twice = struck(result, [lesson.shipped_once])
    assert {at for _, at in twice} == {f"{point}.PlaceOrder" for point in AT_THE_DOOR}
    forward, back = "ReserveInventory ChargePayment ShipOrder", "RefundPayment ReleaseInventory"
    for schedule in broken(result, lesson.CLAIMS):
        [fault] = schedule.faults
        if (fault.do, fault.at) not in unfinished | twice:
            assert fault.point[2] in f"{forward} {back}".split()
            steps = [step.step for step in result.run(schedule).journal]
            assert "timeout" in steps, schedule


def test_the_log_leaves_no_order_unfinished_and_asks_twice_where_it_could_not_be_written(
    lesson, singles
):
    balanced, settled, *_ = lesson.CLAIMS
    assert singles["saga log"].outcome(settled) == "holds"
    again = {("crash", "orders.save.Continue"), ("fail", "orders.save.Continue")}
    assert again <= struck(singles["saga log"], [balanced])
    gravest = singles["saga log"].broken(lesson.shipped_once)
    assert {str(fault) for schedule in gravest for fault in schedule.faults} == {
        f"{do} orders.save.Continue #3" for do in ("crash", "fail")
    }
    money = "select money from accounts where customer = 'ada'"
    assert lesson.twice.rows("payments", money) == [(100 - 2 * 20,)]
    others = struck(singles["saga log"], lesson.CLAIMS) - again
    assert not {at for do, at in others if at.startswith("orders.") and do == "crash"}


def test_the_log_says_where_an_order_is_while_nobody_is_at_work_on_it(lesson):
    states = "select order_id, state from sagas"
    seen = {t: dict(lesson.logged.at(t).rows("orders", states))["order-17"] for t in (0.07, 3, 6)}
    assert seen == {0.07: "charging", 3: "shipping", 6: "shipped"}


def test_with_steps_that_are_done_once_only_answers_that_do_not_come_are_left(lesson, singles):
    result = singles["+ done once"]
    red = broken(result, lesson.CLAIMS)
    assert red
    for schedule in red:
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


def test_without_a_tombstone_a_late_question_takes_tea_for_a_cancelled_order(lesson):
    run = lesson.no_tombstone
    states = dict(run.rows("orders", "select order_id, state from sagas"))
    assert states == {"order-19": "cancelled", "order-21": "cancelled"}
    assert lesson.ledger(run)["stock"] == (5, 10)
    assert lesson.ledger(lesson.remembered)["stock"] == (10, 10)


def test_with_one_replica_the_late_question_comes_too_late_to_do_harm(lesson):
    shop = lesson.shop_of(
        lesson.driven_by(lesson.order_saga(lesson.PLAN)), lesson.once, lesson.DONE
    )
    run = simulate(shop, lesson.two_large_orders, faults=lesson.HELD_UP)
    assert run.rows("orders", "select state from sagas where order_id = 'order-21'") == [
        ("shipped",)
    ]
    assert lesson.ledger(run)["stock"] == (5, 5)


def test_asking_again_mends_all_but_the_end_that_is_announced_twice(lesson, singles):
    result = singles["+ asked again"]
    assert not broken(result, lesson.CLAIMS)
    for schedule in result.broken(lesson.one_email):
        orders = [
            step.envelope.data.order_id
            for step in result.run(schedule).journal
            if step.step == "handle" and step.envelope.type == "Continue"
        ]
        assert len(orders) > len(set(orders)), schedule


def test_two_emails_have_the_two_causes_of_the_text_and_the_last_coordinator_neither(lesson):
    for shop, outcome in ((lesson.waiting, "broken"), (lesson.mended, "holds")):
        for faults in (lesson.LOSE, lesson.PAUSE):
            run = simulate(shop, lesson.two_orders, faults=faults)
            assert outcomes(run, [lesson.one_email]) == [outcome]
            assert outcomes(run, lesson.CLAIMS) == ["holds"] * 5


@pytest.mark.parametrize("step", ["RefundPayment #1", "ReleaseInventory #1", "ShipOrder #2"])
@pytest.mark.parametrize("end", [5.12, 5.15, 8.14])
def test_a_replica_that_loses_the_race_finishes_the_order_if_the_faster_one_crashes(
    lesson, end, step
):
    faults = [pause("orders", 0.14, end), f"crash orders.ask.{step}"]
    run = simulate(lesson.mended, lesson.two_orders, faults=faults)
    every = [*lesson.CLAIMS, lesson.one_email, *lesson.BACK]
    assert outcomes(run, every) == ["holds"] * len(every)


def test_each_fault_of_play_is_first_survived_where_the_answer_says(lesson):
    def first(fault):
        every = [*lesson.CLAIMS, lesson.one_email]
        for name in [*lesson.DESIGNS]["Continue" in fault :]:  # in memory it does not exist
            run = simulate(lesson.the_shop(name), lesson.two_orders, faults=[fault])
            if "broken" not in outcomes(run, every):
                return name

    assert first("drop shipping.reply.ShipOrder #1") == "+ asked again"
    assert first("fail payments.handle.RefundPayment #1") == "+ asked again"
    assert first("crash orders.save.Continue #2") == "+ done once"
    assert first("lose orders.ack.Continue #1") == "+ announced once"


def test_the_coordinator_survives_every_single_fault(lesson, singles):
    result = singles["+ announced once"]
    assert not broken(result, result.claims)
    assert all(result.outcome(claim) == "holds" for claim in result.claims)
    every = [*lesson.CLAIMS, lesson.one_email, *lesson.BACK]
    assert not broken(explore(lesson.mended, lesson.two_orders, every), every)


def test_the_coordinator_holds_every_claim_under_all_pairs_of_faults_of_two_orders(lesson):
    every = [*lesson.CLAIMS, *lesson.BACK]
    with ProcessPoolExecutor(2) as executor:
        result = explore(lesson.one_replica, lesson.two_orders, every, faults=2, executor=executor)
    assert result.coverage.startswith("every single fault; every pair")
    assert not broken(result, every) and not result.endless
    assert all(result.outcome(claim) == "holds" for claim in every)


def test_an_order_behind_one_in_doubt_waits_too(lesson):
    good, lost, away = (lesson.ended(run) for run in lesson.days.values())
    assert max(good.values()) < 0.25
    assert lost["order-17"] - good["order-17"] == pytest.approx(2, abs=0.05)
    assert lost["order-19"] - good["order-19"] == pytest.approx(1, abs=0.05)
    assert all(60 < end < 62 for end in away.values())


def test_a_refused_refund_is_hidden_by_one_plan_and_told_by_the_other(lesson):
    hidden = lesson.leaving(lesson.PLAN)
    state = "select state from sagas"
    assert hidden.rows("orders", state) == [("cancelled",)]
    assert lesson.ledger(hidden)["money"] == (110 - 80, 110)
    assert lesson.stuck.rows("orders", state) == [("needs a person",)]
    assert "broken" in outcomes(lesson.stuck, lesson.CLAIMS[:2])


def test_nobody_is_sent_an_order_twice_once_the_steps_are_done_once(lesson, singles):
    red = {name for name, each in singles.items() if each.broken(lesson.shipped_once)}
    assert red == {"in memory", "saga log"}


def test_the_comparison_is_as_the_text_reads_it(lesson):
    chain, star = (lesson.compared(shop) for shop in lesson.SHOPS.values())
    assert star["messages of the services"] == 2 * chain["messages of the services"]
    assert 0 < star["17 shipped at (s)"] - chain["17 shipped at (s)"] < 0.02
    away = "17 shipped at (s), payments cut off till 5 s"
    assert star[away] - chain[away] > 1
    for shop in (chain, star):
        assert re.fullmatch(r"0 of \d+", shop["single faults that break a claim"])


def test_both_shops_take_order_19_back_equally_fast(lesson):
    ends = []
    for shop in lesson.SHOPS.values():
        saved = simulate(shop, lesson.three_orders).steps.query(
            "step == 'save' and service == 'inventory'"
        )
        ends.append(saved.time.max())
    assert 0 < ends[1] - ends[0] < 0.02


def test_one_more_service_changes_the_plan_alone_or_two_other_services_of_the_chain(lesson):
    class CheckCustomer(lesson.Order, key="order_id"): ...

    class CustomerChecked(lesson.Fact, topic="checks", key="order_id"): ...

    class CustomerRejected(
        lesson.Fact, topic="checks", key="order_id", refuses=CustomerChecked
    ): ...

    sql = "insert into checked values (:customer)"
    tables = {"checks": "create table checked (customer text check (customer <> 'bob'));"}
    plan = lesson.PLAN | {
        "reserving": (lesson.ReserveInventory, "checking", "cancelled"),
        "checking": (CheckCustomer, "charging", "releasing"),
    }
    reserved = lesson.InventoryReserved
    chain = lesson.CHAIN | {
        ("checks", reserved): lesson.announces(sql, CustomerChecked, CustomerRejected),
        ("payments", CustomerChecked): lesson.CHAIN["payments", reserved],
        ("inventory", CustomerRejected): lesson.announces(lesson.RELEASE, lesson.InventoryReleased),
    }
    del chain["payments", reserved]
    orders = lesson.driven_by(lesson.order_saga(plan))
    steps = lesson.STEPS | {CheckCustomer: ("checks", sql)}
    for shop in (
        lesson.choreographed(chain, lesson.CHAIN_TABLES | tables),
        lesson.shop_of(orders, lesson.once, lesson.DONE, steps, lesson.TABLES | tables),
    ):
        assert not broken(explore(shop, lesson.three_orders, lesson.CLAIMS), lesson.CLAIMS)
        run = simulate(shop, lesson.three_orders)
        assert run.rows("checks", "select distinct customer from checked") == [("ada",)]
        assert lesson.ledger(run)["stock"] == (8, 8)
    assert {name for name, _ in chain.keys() ^ lesson.CHAIN.keys()} == {
        "checks", "payments", "inventory",
    }  # fmt: skip

"""Lesson 10 says what its runs say: who reads whom, which deploys are safe, and what a gate sees."""

from itertools import pairwise

import lessons
import pytest

from edalab import compatibility, deploy, explore, simulate
from edalab.exercises.lesson_10_system import edits, tried
from edalab.view import timeline

NAME = "10-schema-evolution"
ALL_VERSIONS = (1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def lesson():
    return lessons.definitions(NAME)


def verdicts(run, claims) -> list[str]:
    return [run.check(claim).outcome for claim in claims]


def test_without_a_deploy_every_order_is_billed_right(lesson):
    run = simulate(lesson.shop(), lesson.six_orders)
    assert lesson.bills(run) == {str(number): 1250 for number in range(1, 7)}
    assert verdicts(run, lesson.CLAIMS) == ["holds", "holds"]


def test_on_monday_three_bills_are_a_hundred_times_too_high_and_nothing_fails(lesson):
    bills = lesson.bills(lesson.monday)
    assert bills == {**dict.fromkeys("123", 1250), **dict.fromkeys("456", 125000)}
    assert verdicts(lesson.monday, lesson.CLAIMS) == ["broken", "holds"]
    assert not lesson.monday.failures
    assert not {"dead_letter", "retry"} & {step.step for step in lesson.monday.journal}


def test_going_back_to_version_1_leaves_the_wrong_bills(lesson):
    plan = [deploy(lesson.shop(writer=writer).services["orders"], at=at)
            for writer, at in ((2, 2.5), (1, 3.5))]  # fmt: skip
    run = simulate(lesson.shop(), lesson.six_orders, faults=plan)
    assert run.check(lesson.billed_right).evidence == ["4"]


def test_on_tuesday_the_renamed_field_is_unreadable_three_times_for_each_event(lesson):
    run = lesson.tuesday
    assert verdicts(run, lesson.CLAIMS) == ["holds", "broken"]
    assert run.check(lesson.all_billed).evidence == ["4", "5", "6"]
    assert len(run.failures) == 9 and "OrderPlacedV1 needs total" in str(run.failures[0].error)
    assert [step.step for step in run.journal].count("dead_letter") == 3
    assert "Unreadable" in timeline(run).svg()


def test_the_grid_of_writers_and_readers(lesson):
    words = {"r": "reads", "w": "reads wrongly", "-": "cannot read"}
    expected = {1: "rrw--", 2: "wwr--", 3: "---r-", 4: "r-wrr"}
    assert [*lesson.grid] == [f"reads {reader}" for reader in (1, "1 strict", 2, 3, 4)]
    for writer, row in expected.items():
        assert [*lesson.grid.loc[f"writes {writer}"]] == [words[sign] for sign in row]
    assert (lesson.grid == "reads").sum().sum() == 7


def test_a_strict_reader_of_version_3_breaks_the_second_step(lesson):
    class OrderPlacedV3Exactly(
        lesson.Event, name="OrderPlaced", version=3, topic="orders", reads="strict"
    ):
        order_id: str
        cents: int

    def reads(reader):
        return [lesson.outcome(writer, reader) for writer in (1, 2, 3, 4)]

    lesson.READERS["3 exactly"] = OrderPlacedV3Exactly, lesson.READERS[3][1]
    assert reads("my 3") == ["cannot read", "cannot read", "reads", "reads"]
    assert reads("3 exactly") == ["cannot read", "cannot read", "reads", "cannot read"]


def test_in_three_steps_every_order_is_billed_and_all_three_forms_are_published(lesson):
    assert verdicts(lesson.in_time, lesson.CLAIMS) == ["holds", "holds"]
    published = [step.envelope.data.__declared__.version for step in lesson.in_time.journal
                 if (step.step, step.service) == ("publish", "orders")]  # fmt: skip
    assert published == [1, 1, 4, 4, 4, 3]


def test_each_step_may_be_taken_back(lesson):
    orders = {writer: lesson.shop(writer=writer).services["orders"] for writer in (1, 3, 4)}
    billing = {reader: lesson.shop(reader=reader).services["billing"] for reader in (1, 3)}
    stages = [orders[4], billing[3], orders[3]]
    back = [orders[1], billing[1], orders[4]]
    for done, undo in enumerate(back):
        plan = lesson.deployed([*stages[: done + 1], undo], *[1.5, 2.5, 3.5][: done + 1], 4.5)
        run = simulate(lesson.shop(), lesson.six_orders, faults=plan)
        assert verdicts(run, lesson.CLAIMS) == ["holds", "holds"]


def test_an_event_that_still_waits_is_read_only_with_upcasters(lesson):
    assert lesson.late.check(lesson.all_billed).evidence == ["2"]
    assert "version 1" in str(lesson.late.failures[0].error) and len(lesson.late.failures) == 3
    assert verdicts(lesson.upcast, lesson.CLAIMS) == ["holds", "holds"]
    assert [lesson.outcome(writer, 5) for writer in ALL_VERSIONS] == ["reads"] * 5


def test_a_reader_that_moves_when_it_has_handled_every_old_event_loses_none(lesson):
    moves = lesson.deployed(lesson.three_steps(), 1.5, 3.5, 4.5)
    run = simulate(lesson.shop(), lesson.six_orders, faults=lesson.STILL + moves)
    assert verdicts(run, lesson.CLAIMS) == ["holds", "holds"]


def test_the_story_of_order_2_shows_its_three_attempts_and_the_deploy_before_them(lesson):
    picture = timeline(lesson.late, "client-2").svg()
    assert all(word in picture for word in ("v1", "attempt 3", "dead-lettered", ">deploy<"))
    assert "PlaceOrder 3" not in picture


def test_a_store_reads_as_the_highest_version_if_it_has_every_step(lesson):
    class CallMadeV1(lesson.Event, name="CallMade", version=1):
        seconds: int

    store = lesson.EventStore(":memory:")
    store.append("call-1", [CallMadeV1(seconds=3)], recorded="2026-01-05")
    assert store.read("call-1")[0].event == CallMadeV1(seconds=3)

    class CallMadeV3(lesson.Event, name="CallMade", version=3, upcasts={1: dict, 2: dict}):
        seconds: int

    assert store.read("call-1")[0].event == CallMadeV3(seconds=3)

    class CallMadeV4(lesson.Event, name="CallMade", version=4, upcasts={1: dict, 2: dict}):
        seconds: int

    assert store.read("call-1")[0].event == CallMadeV1(seconds=3)


def test_an_int_reads_a_whole_float_and_no_other(lesson):
    class Weighed(lesson.Event, version=1):
        weight: int

    assert Weighed.model_validate_json('{"weight": 12.0}').weight == 12
    with pytest.raises(ValueError, match="fractional part"):
        Weighed.model_validate_json('{"weight": 12.5}')


def test_old_events_in_an_outbox_and_in_a_store_are_of_version_1(lesson):
    billed = [lesson.from_outbox(reader) for reader in (1, 3, 5)]
    assert billed == [{"1": 1250}, {}, {"1": 1250}]
    fact = lesson.store.read("order-1")[0]
    assert fact.schema == 1 and fact.event == lesson.OrderPlacedV5(order_id="1", cents=1250)


def test_a_reader_that_accepts_both_forms_reads_what_waits_without_an_upcaster(lesson):
    class OrderPlacedV3Either(lesson.Event, name="OrderPlaced", version=3, topic="orders"):
        order_id: str
        total: float | None = None
        cents: int | None = None

    def cents(event):
        return round(100 * event.total) if event.cents is None else event.cents

    lesson.READERS["3 either"] = OrderPlacedV3Either, cents
    expand, _, contract = lesson.three_steps()
    steps = [expand, lesson.shop(reader="3 either").services["billing"], contract]
    plan = lesson.STILL + lesson.deployed(steps, 1.5, 2.5, 4.5)
    run = simulate(lesson.shop(), lesson.six_orders, faults=plan)
    del lesson.READERS["3 either"]
    assert verdicts(run, lesson.CLAIMS) == ["holds", "holds"]


def test_a_default_bills_nothing_without_an_error(lesson):
    run = simulate(lesson.shop(1, "3 default"), lesson.ada_orders(1))
    assert lesson.bills(run) == {"1": 0} and not run.failures
    assert verdicts(run, lesson.CLAIMS) == ["broken", "holds"]


def test_in_a_rolling_deploy_two_versions_are_published_in_turn(lesson):
    def unread(reader):
        return [order for order, cents in lesson.rolled(reader)[1].items() if cents == "no bill"]

    assert [unread(reader) for reader in (1, 3, 5)] == [["3", "5", "6"], ["1", "2", "4"], []]
    run = lesson.rolled(5)[0]
    assert verdicts(run, lesson.CLAIMS) == ["holds", "holds"]


def test_the_gate_lets_mondays_change_pass_and_stops_tuesdays(lesson):
    found = {pair: (gate.backward, gate.forward, gate.first)
             for pair, gate in lesson.CHANGES.items()}  # fmt: skip
    assert found == {
        (1, 2): (True, True, "any order"),
        (1, 3): (False, False, "neither: expand and contract"),
        (1, 4): (False, True, "writers first"),
        (4, 5): (True, False, "readers first"),
        (1, 5): (True, False, "readers first"),
    }


def test_the_gate_stops_tuesdays_deploy_of_the_writer_alone_and_lets_each_step_pass(lesson):
    def first(old, new):
        return compatibility(lesson.document(*old), lesson.document(*new)).first

    assert first((1, 1), (3, 1)) == "neither: expand and contract"
    assert first((1, 1), (2, 1)) == "any order"
    steps = (1, 1), (4, 1), (4, 3), (3, 3)
    found = [first(old, new) for old, new in pairwise(steps)]
    assert found == ["writers first", "any order", "readers first"]
    # It compares the newest versions, so what is safe from 4 to 3 would not pass as a writer's deploy ...
    assert not compatibility(lesson.document(4, 3), lesson.document(3, 3)).forward
    # ... and passes if the last form has the highest number.
    renamed = (1, 1), (4, 1), (4, 5), (5, 5)
    gates = [compatibility(lesson.document(*a), lesson.document(*b)) for a, b in pairwise(renamed)]
    assert gates[0].forward and gates[1].backward and gates[2].forward


def test_the_gate_finds_no_change_in_the_step_that_lost_an_old_event(lesson):
    assert not compatibility(lesson.document(4, 1), lesson.document(4, 3)).changes
    # One that compares the new reader with version 1, too, refuses it.
    assert not compatibility(lesson.document(1, 1), lesson.document(3, 3)).backward
    payload = lesson.document(1, 1)["components"]["messages"]["OrderPlaced"]["payload"]
    assert payload["required"] == ["order_id", "total"]


def test_the_gate_says_what_the_grid_says_but_for_the_meaning(lesson):
    for (old, new), gate in lesson.CHANGES.items():
        assert gate.backward == (lesson.outcome(old, new) != "cannot read")
        assert gate.forward == (lesson.outcome(new, old) != "cannot read")


def test_a_gate_that_knows_no_upcasters_finds_from_1_to_5_what_it_finds_from_1_to_3(lesson):
    class OrderPlacedV5Bare(lesson.Event, name="OrderPlaced", version=5, topic="orders"):
        order_id: str
        cents: int

    bare = lesson.System("shop")
    bare.service("billing").on(OrderPlacedV5Bare)(lesson.save_amount(None))
    found = compatibility(lesson.document(1, 1), bare.asyncapi())
    assert found.first == lesson.CHANGES[1, 3].first
    document = lesson.shop(5, 5).asyncapi()["components"]["messages"]
    assert [
        message["x-upcasts"] for message in document.values() if message["name"] == "OrderPlaced"
    ] == [[1, 2, 3, 4]]


def test_of_the_new_versions_only_4_passes_the_contract_test_of_reader_1(lesson):
    read = [lesson.outcome(writer, reader=1) for writer in ALL_VERSIONS]
    assert read == ["reads", "reads wrongly", "cannot read", "reads", "cannot read"]


def outcomes(result) -> dict[str, list[str]]:
    """The outcomes of the claims for each order of the deploys."""
    found = {}
    for one in result.orders:
        found.setdefault(", ".join(one.order), []).append(one.outcome)
    return found


def test_of_six_orders_those_with_both_readers_first_are_safe_at_every_moment(lesson):
    holds, broken = "holds", "broken"
    assert outcomes(lesson.tried) == {
        "orders, billing, loyalty": [holds, broken, broken],
        "orders, loyalty, billing": [holds, broken, broken],
        "billing, orders, loyalty": [holds, holds, broken],
        "billing, loyalty, orders": [holds, holds, holds],
        "loyalty, orders, billing": [holds, broken, holds],
        "loyalty, billing, orders": [holds, holds, holds],
    }
    assert {one.tried for one in lesson.tried.orders} == {84} and lesson.safe_orders(
        lesson.tried
    ) == 2
    assert "every order of 3 deploys, at every choice of moments" in lesson.tried.coverage


def test_without_upcasters_no_order_of_the_three_jumps_is_safe(lesson):
    jump = lesson.jump(3)
    result = explore(lesson.shop(loyalty=1), lesson.ada_orders(2), lesson.ALL, deploys=jump)
    assert all("broken" in found for found in outcomes(result).values())


def test_expand_migrate_contract_is_the_best_order_and_safe_only_with_upcasters(lesson):
    broken = {", ".join(one.order): one.broken for one in lesson.expanded.orders
              if one.claim == lesson.all_billed.sentence}  # fmt: skip
    assert broken["orders, billing, orders 2"] == min(broken.values()) > 0
    assert not any(one.broken for one in lesson.expanded.orders
                   if one.claim == lesson.billed_right.sentence)  # fmt: skip
    assert lesson.safe_orders(lesson.expanded) == 0
    found = outcomes(lesson.in_steps(new=5))
    safe = [order for order, verdicts in found.items() if verdicts == ["holds", "holds"]]
    assert sorted(safe) == ["billing, orders, orders 2", "orders, billing, orders 2"]


def test_the_price_of_each_way(lesson):
    two, three = [lesson.three_steps(new) for new in (3, 5)]
    rows = [
        lesson.price(3, two[:0:-1], 1.5, 2.5),
        lesson.price(4, two, 1.5, 2.5, 4.5),
        lesson.price(4, three, 1.5, 2.5, 4.5),
        lesson.price(5, three[1:], 1.5, 4.5),
    ]
    assert [[*row.values()] for row in rows] == [
        [2, 29, 1, 1],
        [3, 42, 0, 1],
        [3, 42, 0, 0],
        [2, 29, 0, 0],
    ]


def test_with_two_fields_only_an_order_may_be_lost_though_all_services_run(lesson):
    times = 1.032, 1.036, 4.5
    assert [*lesson.price(4, lesson.three_steps(3), *times).values()][2:] == [1, 1]
    assert [*lesson.price(4, lesson.three_steps(5), *times).values()][2:] == [0, 0]
    steps = lesson.deployed(lesson.three_steps(3), *times)
    run = simulate(lesson.shop(), lesson.six_orders, faults=steps)
    assert run.check(lesson.all_billed).evidence == ["2"]
    assert {failure.message.data.__declared__.version for failure in run.failures} == {1}


def test_in_the_panel_deploys_and_pairs_are_red_that_the_text_names(lesson):
    def red(writer=1, reader=1, plan=()):
        run = simulate(lesson.the_shop(writer, reader), lesson.six_orders, faults=plan)
        return [claim.name for claim in lesson.CLAIMS if run.check(claim).outcome == "broken"]

    def missed(*plan):
        run = simulate(lesson.the_shop(), lesson.six_orders, faults=plan)
        return run.check(lesson.all_billed).evidence

    assert lesson.panel.plan.value == "deploy orders at 2.5 s"
    orders = lesson.new_orders.at(2.5)
    assert missed(orders) == ["4", "5", "6"]
    assert red(plan=[orders, lesson.new_billing.at(1.5)]) == []
    assert missed(orders, lesson.new_billing.at(3.5)) == ["4"]
    assert red(2, 1) == ["billed_right"]
    green = {reader for reader in lesson.READERS
             if all(not red(writer, reader) for writer in ALL_VERSIONS)}  # fmt: skip
    assert green == {5}


def test_a_picture_of_mondays_shop_names_the_version_that_all_its_events_have(lesson):
    run = simulate(lesson.the_shop(writer=2), lesson.six_orders)
    texts = " ".join(label.text for label in timeline(run).scene.labels)
    assert "v2" in texts and "v1" not in texts


def test_the_story_of_one_order_shows_the_deploy_before_it(lesson):
    correlation = lesson.tuesday.failures[0].message.correlation
    picture = timeline(lesson.tuesday, correlation).svg()
    assert ">deploy<" in picture and "diamond: deploy" in picture and "v3" in picture


def test_the_evidence_against_a_strict_reader_names_the_field_that_it_lacks():
    some = [edit for variant in range(1, 9) for edit in edits(variant)]
    told = [tried(edit, 1, backward) for edit in some for backward in (True, False)]
    assert any("has no field 'note'; fields: order_id, total" in words for words in told)

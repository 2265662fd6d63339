"""The fault matrix: every schedule has its mark, only what a fault adds is red, and any size is legible."""

from itertools import pairwise
from pathlib import Path

import pytest
from scenes import extent
from test_explore import OrderPlaced, charged, charged_once, shop, two_orders

from edalab import Claim, Event, System, explore
from edalab.panels.fault_picker import EveryFault
from edalab.view import matrix
from edalab.view.fault_marks import mark, outcome
from edalab.view.fault_matrix import COLUMNS, why_empty


def orders(number):
    async def workload(ctx):
        for count in range(number):
            await ctx.publish(OrderPlaced(order_id=f"o{count}"))

    return workload


def marked(picture):
    """The first schedule of each mark."""
    return [cell.schedules[0] for cell in picture.cells if len(cell.schedules) == 1]


def empty(picture):
    return [cell for cell in picture.cells if not cell.schedules]


def counts(picture):
    return [cell for cell in picture.cells if len(cell.schedules) > 1]


def texts(picture):
    return [label.text for label in picture.scene.labels]


def test_every_schedule_has_its_mark_in_its_row_and_column():
    result = explore(shop(), two_orders, [charged_once, charged])
    picture = matrix(result)
    assert set(marked(picture)) == set(result.schedules[1:]) and not counts(picture)
    points = {one.faults[0].at for one in marked(picture)}
    assert len(points) == len({cell.y for cell in picture.cells})
    broken = {one: mark(result, one) for one in marked(picture) if mark(result, one)}
    assert broken == dict.fromkeys(result.broken(charged_once), "A")


def test_the_digest_says_what_is_shown_and_changes_with_it():
    naive, mended = (
        matrix(explore(shop(dedup=dedup), two_orders, [charged_once])) for dedup in (False, True)
    )
    assert "0 broken (none)" in repr(mended) and repr(naive) != repr(mended)
    assert repr(naive) == repr(matrix(explore(shop(), two_orders, [charged_once])))


def test_only_what_a_fault_breaks_is_red_and_the_rest_is_named_once():
    hopeless = Claim("nothing helps")(lambda run: ["as always"])
    result = explore(shop(), two_orders, [hopeless, charged_once])
    picture = matrix(result)
    broken = len(result.broken(charged_once))
    assert {mark(result, one) for one in marked(picture)} == {"", "B"}
    assert "✗ nothing helps" in " ".join(texts(picture)) and picture.broke == broken
    assert f"{broken} add to what is broken" in texts(picture)[0]
    assert f"{broken} broken (each order is charged once {broken}); without any fault: nothing helps" in repr(picture)  # fmt: skip
    picker = EveryFault([hopeless, charged_once], print)
    picker.show(result.system, two_orders, 0)
    assert picker.title == f"Every fault: {broken} ✗"
    assert not [sign for *_, runs in picker.marks.cells for _, sign, _ in runs if "✗ A" in sign]


def test_a_fault_that_adds_to_what_a_claim_reports_without_any_is_red_with_a_plus():
    @Claim("nothing is charged")
    def nothing_charged(run):
        return run.rows("payments", "select order_id, count(*) from charges group by 1")

    @Claim("nobody handles an order")
    def unhandled(run):
        return [step for step in run.journal if step.step == "save"][:1]

    result = explore(shop(), two_orders, [nothing_charged, unhandled])
    picture = matrix(result)
    twice = explore(shop(), two_orders, [charged_once]).broken(charged_once)
    assert twice and {one.faults for one in twice} == {
        one.faults for one in marked(picture) if mark(result, one) == "A+"
    }
    assert {mark(result, one) for one in marked(picture)} == {"", "A+"}  # another time adds nothing
    assert f"{len(twice)} add to what is broken" in texts(picture)[0]
    assert f"adds to “nothing is charged”: {len(twice)}" in texts(picture)
    assert f"{len(twice)} broken (adds to nothing is charged {len(twice)})" in repr(picture)
    found = {outcome(result, one) for one in marked(picture) if mark(result, one)}
    assert "✗ nothing is charged: o1, 2" in found
    picker = EveryFault([nothing_charged, unhandled], print)
    picker.show(result.system, two_orders, 0)
    assert picker.title == f"Every fault: {len(twice)} ✗"
    signs = {sign for *_, runs in picker.marks.cells for _, sign, _ in runs}
    assert signs == {"✓", "✗ A+"}


def test_where_marks_are_many_what_breaks_a_claim_stands_first_and_what_has_no_room_is_counted():
    @Claim("every other run is fine")
    def every_other(run):
        return ["no"] * (int(run.digest, 16) % 2)

    result = explore(shop(), orders(12), [every_other])
    picture = matrix(result)
    assert "+2: two more than there is room for" not in " ".join(texts(picture))
    rows = {}
    for one in marked(picture):
        rows.setdefault((one.faults[0].at, one.faults[0].do), []).append(mark(result, one))
    assert ["A", ""] in rows.values() and ["", "A"] not in rows.values()
    narrow = matrix(result, 440)
    assert "+2: two more than there is room for" in " ".join(texts(narrow))
    few = matrix(explore(shop(), orders(1), [charged_once]))
    assert not [word for word in texts(few) if word.startswith(("+", "×")) or "alike" in word]


def test_a_long_claim_keeps_its_count_and_one_that_nothing_breaks_is_not_red():
    @Claim("nothing that anybody ever asked for is missing in any of the tables of this shop " * 2)
    def fine(run):
        return []

    picture = matrix(explore(shop(), orders(1), [charged_once, fine]), 440)
    [legend] = [text for text in texts(picture) if text.startswith("breaks “nothing")]
    assert legend.endswith("…: 0")
    reds = [label.text for label in picture.scene.labels if label.kind == "in broken"]
    assert "B" not in reds and "B" in texts(picture)


def test_few_marks_stand_in_the_order_of_the_run_below_what_their_letters_mean():
    @Claim("the last order gets through")
    def last(run):
        faults = [fault for fault in run.faults if fault.nth == 3]
        return ["no"] * len(faults)

    picture = matrix(explore(shop(), orders(3), [last]))
    rows = {}
    for cell in picture.cells:
        for one in cell.schedules:
            rows.setdefault((one.faults[0].at, one.faults[0].do), []).append(
                (cell.x, one.faults[0].nth)
            )
    assert all(row == sorted(row, key=lambda mark: mark[1]) for row in rows.values())
    assert any(len(row) == 3 for row in rows.values())
    [letter] = [label for label in picture.scene.labels if "the last order" in label.text]
    assert letter.y < min(bar.y for bar in picture.scene.lanes)


@pytest.mark.parametrize("width", [440, 624, 900])
@pytest.mark.parametrize("number", [1, 4, 12])
def test_every_run_has_a_mark_or_is_among_those_that_a_count_stands_for(number, width):
    result = explore(shop(), orders(number), [charged_once, charged])
    picture = matrix(result, width)
    folded = [schedule for cell in counts(picture) for schedule in cell.schedules]
    alone = marked(picture)
    assert {*alone, *folded} == set(result.schedules[1:]) and len(alone) == len(set(alone))
    written = [word for word in texts(picture) if word[:1] in ("+", "×") and word[1:].isdigit()]
    assert len(counts(picture)) == len(written)
    assert bool(folded) == (len(alone) < len(result.schedules) - 1)
    for fold in counts(picture):
        (at,) = {(schedule.faults[0].at, schedule.faults[0].do) for schedule in fold.schedules}
        assert fold.tip == f"{at[1]} {at[0]}: {len(fold.schedules)} runs"


def test_an_empty_cell_says_why_in_the_words_of_the_page_about_faults():
    silent = shop()
    silent.topic("orders", confirms=False)
    page = " ".join(
        (Path(__file__).parent.parent / "docs" / "faults.md").read_text("utf-8").split()
    )
    whys = set()
    for system, budget in ((shop(), None), (silent, None), (shop(), 12)):
        result = explore(system, two_orders, [charged_once], budget=budget)
        picture = matrix(result)
        boxes = {(cell.x, cell.y) for cell in picture.cells}
        assert len(boxes) == len(picture.cells)
        whys |= {cell.tip for cell in empty(picture)}
    deliver = "the step deliver has no crash, only drop, duplicate, delay"
    assert deliver in whys
    told = {why for why in whys if not why.startswith("the step ")}
    assert told == {
        "at the client, explore tries only duplicate and delay",
        "a publish can be lost only with confirms=False",
        "not tried: the exploration stopped before",
    }
    silent_service = why_empty(silent, ("payments", "publish", "OrderPlaced"), "fail")
    assert silent_service == "fail exists only where the topic confirms"
    plain = page.replace("`", "").lower()
    for why in (*told, silent_service, "the step has no"):
        assert why.lower() in plain, why


def test_names_of_columns_are_whole_and_columns_are_alike_where_there_is_room():
    result = explore(shop(), two_orders, [charged_once, charged])
    for width in (624, 900):
        heads = [label for label in matrix(result, width).scene.labels if label.tip in COLUMNS]
        assert [label.text for label in heads] == [label.tip for label in heads]
    steps = {b.x - a.x for a, b in pairwise(heads)}
    assert max(steps) - min(steps) <= 1


def test_an_exploration_of_no_fault_is_a_picture_too():
    picture = matrix(explore(shop(), two_orders, [charged_once], faults=0))
    assert texts(picture)[0] == "Single faults: 0 tried, none breaks a claim"
    assert not picture.cells and "survived" not in texts(picture)


class Passed(Event, topic="passed", key="name"):
    name: str


def chain(services):
    """Services that pass a message on, one to the next."""
    system = System("chain")
    fields = {"__annotations__": {"name": str}, "__module__": __name__}
    kinds = [type(f"PassedTo{number}", (Event,), dict(fields)) for number in range(services)]
    for number in range(services):
        service = system.service(f"service-number-{number}", schema="create table seen (name text)")

        def pass_on(event, ctx, number=number):
            with ctx.database as db:
                db.execute("insert into seen values (?)", (event.name,))
            return kinds[number + 1](name=event.name) if number + 1 < services else None

        pass_on.__name__ = f"pass_on_{number}"
        service.on(kinds[number])(pass_on)

    async def one(ctx):
        await ctx.publish(kinds[0](name="x"))

    return system, one


def long_names():
    kinds = [
        type(name, (Event,), {"__annotations__": {"name": str}, "__module__": __name__})
        for name in ("TheOrderOfACustomerWasPlaced", "ThePaymentOfTheOrderWasCharged")
    ]
    system = System("long-names")
    payments = system.service("the-payments-of-all-the-customers", schema="create table t (a)")

    @payments.on(kinds[0])
    def charge(event, ctx):
        with ctx.database as db:
            db.execute("insert into t values (1)")
        return kinds[1](name=event.name)

    async def many(ctx):
        for number in range(12):
            await ctx.publish(kinds[0](name=f"{number}"))

    return system, many


@pytest.mark.parametrize("width", [440, 624, 900])
def test_names_of_any_length_leave_room_for_the_count_of_a_cell(width):
    @Claim("every other run is fine")
    def every_other(run):
        return ["no"] * (int(run.digest, 16) % 2)

    system, many = long_names()
    for claim in (Claim("all is well")(lambda run: []), every_other):
        result = explore(system, many, [claim])
        picture = matrix(result, width)
        left_out = len(result.schedules) - 1 - len(marked(picture))
        written = [word for word in texts(picture) if word[:1] in ("+", "×") and word[1:].isdigit()]
        assert left_out and len(written) == len(counts(picture))
        assert {label.text for label in picture.scene.labels} >= set(COLUMNS)


@pytest.mark.parametrize("width", [480, 600, 900])
@pytest.mark.parametrize("number", [1, 3, 12])
def test_marks_and_words_stay_in_the_picture_and_apart(number, width):
    hopeless = [Claim(f"{n} is not one of our numbers")(lambda run: ["no"]) for n in range(9)]
    picture = matrix(explore(shop(), orders(number), [charged_once, charged, *hopeless]), width)
    for item in picture.scene.items():
        left, top, right, bottom = extent(item)
        assert left >= -6 and right <= picture.scene.width + 1 and top >= -2, item
        assert bottom <= picture.scene.height, item
    labels = [item for item in picture.scene.labels if item.kind != "in broken" and item.text]
    for number, one in enumerate(labels):
        for other in labels[number + 1 :]:
            a, b = one.extent(), other.extent()
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (one, other)


def test_a_system_of_six_services_is_drawn_whole():
    system, one = chain(6)
    result = explore(system, one, [Claim("nothing is lost")(lambda run: [])])
    picture = matrix(result)
    assert len(marked(picture)) == len(result.schedules) - 1
    assert set(texts(picture)) >= set(system.services)


def test_what_was_not_exercised_is_neither_green_nor_red():
    async def nothing_for_payments(ctx):
        await ctx.publish(Passed(name="x"))

    result = explore(shop(), nothing_for_payments, [charged_once])
    assert {mark(result, one) for one in marked(matrix(result))} == {"–"}


def test_pairs_are_not_counted_among_the_single_faults():
    singles, pairs = (
        matrix(explore(shop(), orders(1), [charged_once, charged], faults=faults))
        for faults in (1, 2)
    )
    assert repr(singles).rsplit(";", 1)[0] == repr(pairs).rsplit(";", 1)[0]
    assert [cell.tip for cell in singles.cells] == [cell.tip for cell in pairs.cells]


def test_what_only_another_seed_or_a_second_fault_breaks_is_said_below_and_what_needs_no_fault_is_no_count():
    run_of_seed_1 = Claim("holds at seed 0")(lambda run: ["broken"] * run.seed)
    result = explore(shop(), two_orders, [run_of_seed_1], seeds=[0, 1])
    others = len(result.schedules) // 2
    words = f"not in this picture: {others} runs with another seed or two faults, of which {others} break a claim"
    assert any(words in label.text for label in matrix(result).scene.labels)
    always = explore(shop(), two_orders, [Claim("never holds")(lambda run: ["broken"])])
    assert "never holds: broken without any fault" in repr(always)
    assert "not in this picture" not in matrix(always).svg()
    assert {outcome(always, one) for one in always.schedules[1:]} == {
        "adds nothing to what is broken"
    }
    assert "adds nothing" in texts(matrix(always)) and "survived" not in texts(matrix(always))

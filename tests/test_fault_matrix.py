"""The fault matrix: every schedule has its mark, only what a fault breaks is red, and any size is legible."""

import pytest
from test_explore import OrderPlaced, charged, charged_once, shop, two_orders

from edalab import Claim, Event, System, explore
from edalab.panels.fault_picker import EveryFault
from edalab.view import matrix


def orders(number):
    async def workload(ctx):
        for count in range(number):
            await ctx.publish(OrderPlaced(order_id=f"o{count}"))

    return workload


def texts(picture):
    return [label.text for label in picture.scene.labels]


def test_every_schedule_has_its_mark_in_its_row_and_column():
    result = explore(shop(), two_orders, [charged_once, charged])
    cells = matrix(result).cells
    assert {cell.schedule for cell in cells} == set(result.schedules[1:])
    assert len({cell.schedule.faults[0].at for cell in cells}) == len({cell.y for cell in cells})
    broken = {cell.schedule: cell.mark for cell in cells if cell.mark}
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
    assert {cell.mark for cell in picture.cells} == {"", "B"}
    assert "✗ nothing helps" in " ".join(texts(picture)) and picture.broke == broken
    assert f"{broken} break a claim" in texts(picture)[0]
    assert f"{broken} broken (each order is charged once {broken}); without any fault: nothing helps" in repr(picture)  # fmt: skip
    picker = EveryFault([hopeless, charged_once], print)
    picker.show(result.system, two_orders, 0)
    assert picker.title == f"Every fault: {broken} ✗"
    assert not [name for name, _ in picker.choice.options if "✗ A" in name]


def test_what_breaks_a_claim_stands_first_and_what_has_no_room_is_counted():
    @Claim("every other run is fine")
    def every_other(run):
        return ["no"] * (int(run.digest, 16) % 2)

    picture = matrix(explore(shop(), orders(12), [every_other]))
    assert "+2: two more than there is room for" not in " ".join(texts(picture))
    rows = {}
    for cell in picture.cells:
        rows.setdefault((cell.y, cell.schedule.faults[0].do), []).append(cell.mark)
    assert ["A", ""] in rows.values() and ["", "A"] not in rows.values()
    narrow = matrix(explore(shop(), orders(12), [every_other]), 440)
    assert "+2: two more than there is room for" in " ".join(texts(narrow))
    few = matrix(explore(shop(), orders(1), [charged_once]))
    assert not [word for word in texts(few) if word.startswith(("+", "×")) or "alike" in word]


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


@pytest.mark.parametrize("width", [480, 600, 900])
@pytest.mark.parametrize("number", [1, 3, 12])
def test_marks_and_words_stay_in_the_picture_and_apart(number, width):
    hopeless = [Claim(f"{n} is not one of our numbers")(lambda run: ["no"]) for n in range(9)]
    picture = matrix(explore(shop(), orders(number), [charged_once, charged, *hopeless]), width)
    for item in picture.scene.items():
        left, top, right, bottom = item.extent()
        assert left >= -6 and right <= width + 1 and top >= -2, item
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
    assert len(picture.cells) == len(result.schedules) - 1
    assert set(texts(picture)) >= set(system.services)


def test_what_was_not_exercised_is_neither_green_nor_red():
    async def nothing_for_payments(ctx):
        await ctx.publish(Passed(name="x"))

    result = explore(shop(), nothing_for_payments, [charged_once])
    assert {cell.mark for cell in matrix(result).cells} == {"–"}


def test_pairs_are_not_counted_among_the_single_faults():
    singles, pairs = (
        matrix(explore(shop(), orders(1), [charged_once, charged], faults=faults))
        for faults in (1, 2)
    )
    assert repr(singles).rsplit(";", 1)[0] == repr(pairs).rsplit(";", 1)[0]
    assert [cell.mark for cell in singles.cells] == [cell.mark for cell in pairs.cells]

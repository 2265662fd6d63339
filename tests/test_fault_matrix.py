"""The fault matrix: every schedule has its mark, in the order of the story, and the picture is legible at any size."""

import pytest
from test_explore import OrderPlaced, charged, charged_once, shop, two_orders

from edalab import Claim, Event, System, explore
from edalab.view import matrix


class Passed(Event, topic="passed", key="name"):
    name: str


def chain(services):
    """Services that pass a message on, one to the next."""
    system = System("chain")
    kinds = [
        type(
            f"PassedTo{number}",
            (Event,),
            {"__annotations__": {"name": str}, "__module__": __name__},
        )
        for number in range(services)
    ]
    for number in range(services):
        service = system.service(f"service-number-{number}", schema="create table seen (name text)")

        def pass_on(event, ctx, number=number):
            with ctx.database as db:
                db.execute("insert into seen values (?)", (event.name,))
            return kinds[number + 1](name=event.name) if number + 1 < services else None

        pass_on.__name__ = f"pass_on_{number}"
        service.on(kinds[number])(pass_on)
    return system, kinds[0]


def test_every_schedule_has_its_mark_in_its_row_and_column():
    result = explore(shop(), two_orders, [charged_once, charged])
    picture = matrix(result)
    assert [cell.schedule for cell in picture.cells] and {
        cell.schedule for cell in picture.cells
    } == set(result.schedules[1:])
    rows = {}
    for cell in picture.cells:
        assert (
            rows.setdefault(cell.y, cell.schedule.faults[0].point) == cell.schedule.faults[0].point
        )
    broken = [cell for cell in picture.cells if cell.said]
    assert {cell.schedule for cell in broken} == set(result.broken(charged_once)) and {
        cell.said for cell in broken
    } == {"A"}
    assert " 2 single faults" not in repr(
        picture
    ) and f"{len(result.schedules) - 1} single faults" in repr(picture)


def test_the_digest_says_what_is_shown_and_changes_with_it():
    naive, mended = (
        matrix(explore(shop(dedup=dedup), two_orders, [charged_once])) for dedup in (False, True)
    )
    assert "0 broken (none)" in repr(mended) and repr(naive) != repr(mended)
    assert repr(naive) == repr(matrix(explore(shop(), two_orders, [charged_once])))


def orders(number):
    async def workload(ctx):
        for count in range(number):
            await ctx.publish(OrderPlaced(order_id=f"o{count}"))

    return workload


@pytest.mark.parametrize("width", [600, 900])
@pytest.mark.parametrize("number", [1, 3, 12])
def test_marks_and_words_stay_in_the_picture_and_apart(number, width):
    picture = matrix(explore(shop(), orders(number), [charged_once, charged]), width)
    for item in picture.scene.items():
        left, top, right, bottom = item.extent()
        assert left >= -6 and right <= width + 1 and top >= -2 and bottom <= picture.scene.height, (
            item
        )
    labels = [item for item in picture.scene.labels if item.kind != "in broken"]
    for number, one in enumerate(labels):
        for other in labels[number + 1 :]:
            a, b = one.extent(), other.extent()
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (one, other)
    assert picture.png().startswith(b"\x89PNG") and "<svg" in picture.svg()


def test_what_does_not_fit_into_a_cell_is_counted():
    seen = []

    @Claim("two runs of three are fine")
    def two_of_three(run):
        seen.append(run.digest)
        return ["no"] if len(seen) % 3 == 0 else []

    picture = matrix(explore(shop(), orders(12), [two_of_three]))
    words = [label.text for label in picture.scene.labels]
    assert (
        any(word.startswith("+") for word in words)
        and "more than there is room for; in red: not all survived" in words
    )
    few = [label.text for label in matrix(explore(shop(), orders(1), [charged_once])).scene.labels]
    assert not [word for word in few if word.startswith(("+", "×", "more than", "alike"))]
    assert all(item.extent()[2] <= picture.scene.width + 1 for item in picture.scene.items())


def test_a_system_of_six_services_is_drawn_whole():
    system, first = chain(6)

    async def one(ctx):
        await ctx.publish(first(name="x"))

    @Claim("the last hears of it")
    def heard(run):
        return [] if run.rows("service-number-5", "select * from seen") else ["it did not"]

    result = explore(system, one, [heard])
    picture = matrix(result)
    assert len(picture.cells) == len(result.schedules) - 1
    assert {label.text for label in picture.scene.labels} >= set(system.services)


def test_what_was_not_exercised_is_neither_green_nor_red():
    async def nothing_for_payments(ctx):
        await ctx.publish(Passed(name="x"))

    result = explore(shop(), nothing_for_payments, [charged_once])
    assert {cell.said for cell in matrix(result).cells} == {"–"}


def test_pairs_are_not_counted_among_the_single_faults():
    singles, pairs = (
        matrix(explore(shop(), orders(1), [charged_once, charged], faults=faults))
        for faults in (1, 2)
    )
    assert repr(singles).rsplit(";", 1)[0] == repr(pairs).rsplit(";", 1)[0]
    assert [cell.said for cell in singles.cells] == [cell.said for cell in pairs.cells]

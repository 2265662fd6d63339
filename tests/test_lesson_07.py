"""Lesson 07 says what its runs say: each design loses the order where the text says so, and each fix keeps it under every fault."""

import lessons
import pytest

from edalab import claims, explore, repartition, scale, simulate
from edalab.view import lanes

NAME = "07-ordering"


@pytest.fixture(scope="module")
def lesson():
    return lessons.definitions(NAME)


def price(run, product="tea"):
    return dict(run.rows("web", "select product, price from pages"))[product]


def late(run, product):
    """How many messages of a product `lanes` draws in red."""
    return sum(mark.kind == "late" for mark in lanes(run, product).scene.marks)


def red(lesson, show, way, **options):
    system = lesson.shop(show, **{"event": lesson.PriceChanged} | way)
    result = explore(system, lesson.tea_rises, [lesson.newest_shown], **options)
    return result.broken(lesson.newest_shown)


def test_one_reader_keeps_the_order_and_three_lose_it_without_a_fault(lesson):
    assert [*lesson.saved(lesson.one_reader).values()] == [10, 20, 30, 40]
    assert [*lesson.saved(lesson.spread).values()] == [10, 40, 20, 30]
    assert lesson.spread.check(lesson.newest_shown).outcome == "broken"


def test_a_key_keeps_the_order_and_tea_waits_for_no_product_but_the_cup(lesson):
    products = "tea", "coffee", "milk", "cup"
    run = simulate(lesson.keyed_shop, lesson.rises(*products))
    assert run.check(lesson.newest_shown).outcome == "holds"
    steps = [s for s in run.journal if s.step == "handle" and s.service == "web"]
    partitions = {step.envelope.subject: step.partition for step in steps}
    assert partitions == {"tea": 0, "coffee": 1, "milk": 2, "cup": 0}
    assert late(lesson.keyed, "tea") == 0


def test_of_the_ways_by_key_no_fault_at_web_breaks_one_and_a_plain_queue_is_broken_without(lesson):
    broken = {name: one.broken(lesson.newest_shown) for name, one in lesson.found.items()}
    assert {name: len(schedules) for name, schedules in broken.items()} == {
        "topic by key": 0,
        "queue": 28,
        "queue by key": 0,
    }
    assert not broken["queue"][0].faults and len(lesson.found["queue"].schedules) == 37
    ends = [simulate(one.system, lesson.tea_rises).end for one in lesson.found.values()]
    assert ends == [1370, 1660, 3170]


def test_in_a_queue_by_key_the_cup_does_not_wait_for_tea(lesson):
    both = lesson.rises("tea", "cup")
    first = {
        name: next(iter(lesson.saved(simulate(lesson.found[name].system, both), "cup")))
        for name in ("topic by key", "queue by key")
    }
    assert first == {"topic by key": 2.05, "queue by key": 1.06}


@pytest.mark.parametrize(("pause", "shown"), [(1, 40), (4, 50)])
def test_a_partition_that_is_added_while_prices_are_unread_loses_the_order(lesson, pause, shown):
    assert late(lesson.moved, "tea") == 2

    async def one_more(ctx):
        await lesson.three_rise(ctx)
        await ctx.sleep(pause)
        await ctx.send(lesson.SetPrice(product="tea", price=50, version=5))

    run = simulate(lesson.keyed_shop, one_more, faults=[repartition("prices", 4, at=1.2)])
    assert price(run) == shown


def test_a_retry_overtakes_in_a_queue_and_blocks_a_log(lesson):
    queue, topic = (lesson.saved(lesson.retried[name]) for name in ("queue", "topic"))
    assert [*queue.values()] == [10, 20, 40, 30] and [*topic.values()] == [10, 20, 30, 40]
    assert max(topic) == 1.47 and max(lesson.saved(lesson.one_reader)) == 1.37


def test_publishes_in_flight_lose_the_order_and_waiting_costs_a_second(lesson):
    waits, flies = lesson.flights[True], lesson.flights[False]
    assert (price(waits), price(flies)) == (40, 20)
    calm = simulate(lesson.listing(True), lesson.tea_list)
    last = [max(lesson.saved(run)) for run in (waits, calm)]
    assert last == [2.37, 1.37] and lesson.saved(waits)[2.37] == 40


def test_two_owners_that_wait_overtake_each_other_and_one_does_not(lesson):
    assert [*lesson.saved(lesson.two_owners).values()] == [10, 30, 40, 20]
    one = simulate(lesson.shop(event=lesson.PriceChanged), lesson.tea_rises, faults=lesson.SLOW)
    assert price(one) == 40


def test_two_owners_overtake_each_other_without_a_fault_if_one_takes_longer(lesson):
    system = lesson.shop(event=lesson.PriceChanged, owners=2)

    async def publish_price(command, ctx):
        await ctx.sleep(0.5 if command.version == 1 else 0)
        await ctx.publish(lesson.PriceChanged(**command.model_dump()))

    system.services["catalogue"].handles(lesson.SetPrice)(publish_price)
    assert [*lesson.saved(simulate(system, lesson.tea_rises)).values()][:2] == [20, 10]


@pytest.mark.parametrize(
    ("prefetch", "calm", "end"), [(1, 40, 2710), (2, 40, 1390), (3, 40, 2050), (5, 30, 2050)]
)
def test_a_consumer_with_prefetch_loses_the_order_without_a_fault(lesson, prefetch, calm, end):
    system = lesson.shop(event=lesson.PriceChanged, queue=True, prefetch=prefetch)
    run = simulate(system, lesson.tea_and_cup)
    assert (price(run), run.end) == (calm, end)
    assert run.check(lesson.newest_shown).outcome == ("holds" if prefetch < 3 else "broken")


def test_a_queue_by_key_keeps_the_order_of_a_consumer_with_prefetch(lesson):
    found = {name: lesson.at_web(one, lesson.tea_and_cup) for name, one in lesson.several.items()}
    assert [len(one.schedules) for one in found.values()] == [73, 73]
    assert [len(one.broken(lesson.newest_shown)) for one in found.values()] == [73, 0]
    ends = [simulate(one, lesson.tea_and_cup).end for one in lesson.several.values()]
    assert ends == [2050, 1390]
    saved = lesson.saved(simulate(lesson.several["queue"], lesson.tea_and_cup))
    assert [*saved.values()] == [10, 40, 20, 30]


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9, 1.2, 1.5, 2.0])
def test_a_reader_that_joins_while_prices_are_unread_keeps_the_order(lesson, at):
    products = "tea", "coffee", "cup"
    run = simulate(lesson.scarce, lesson.rises(*products), faults=[scale("web", 2, at=at)])
    assert run.check(lesson.newest_shown).outcome == "holds"
    assert not sum(late(run, product) for product in products)
    assert (lesson.scaled.end, simulate(lesson.scarce, lesson.tea_and_coffee).end) == (1840, 2710)
    readers = {s.replica for s in lesson.scaled.journal if s.step == "handle" and s.partition == 1}
    assert readers == {2}


def test_the_newest_wins_under_every_single_fault_in_every_design(lesson):
    naive = {name: len(red(lesson, lesson.show_price, way)) for name, way in lesson.DESIGNS.items()}
    one = red(lesson, lesson.show_price, lesson.DESIGNS["queue, one reader"])
    assert sum(fault.point[0] == "web" for found in one for fault in found.faults) == 20
    assert min(naive.values()) == naive["topic by key"] == 18
    at_the_owner = {"client", "catalogue"}
    for schedule in red(lesson, lesson.show_price, lesson.WAYS["topic by key"]):
        assert {fault.point[0] for fault in schedule.faults} <= at_the_owner
    for way in lesson.DESIGNS.values():
        assert not red(lesson, lesson.show_newest, way)
    assert (
        simulate(lesson.owners, lesson.tea_rises, faults=lesson.SLOW)
        .check(lesson.newest_shown)
        .outcome
        == "holds"
    )
    handled_late = lanes(simulate(lesson.newest_shop, lesson.three_rise, faults=lesson.MORE), "tea")
    assert "all in the order of publishing; 2 had no effect" in handled_late.scene.shows


def test_the_newest_wins_under_every_pair_of_faults(lesson):
    async def two_prices(ctx):
        for version in (1, 2):
            await ctx.send(lesson.SetPrice(product="tea", price=10 * version, version=version))
            await ctx.sleep(0.3)

    result = explore(lesson.newest_shop, two_prices, [lesson.newest_shown], faults=2)
    assert len(result.schedules) == 1366 and not result.broken(lesson.newest_shown)
    for way, runs in (("topic by key", 799), ("queue by key", 859)):
        system = lesson.found[way].system
        only_web = {"faults": 2, "leave_out": ["client", "catalogue"]}
        result = explore(system, lesson.tea_rises, [lesson.newest_shown], **only_web)
        assert len(result.schedules) == runs and not result.broken(lesson.newest_shown), way


def test_holding_back_keeps_both_claims_under_every_pair_of_faults_at_web(lesson):
    system, workload = lesson.stocked(lesson.hold_back), lesson.moves("tea")
    result = explore(system, workload, lesson.BOTH, faults=2, leave_out=["client", "warehouse"])
    assert [result.outcome(claim) for claim in lesson.BOTH] == ["holds"] * 2


def test_the_picture_of_holding_back_says_when_each_move_was_applied(lesson):
    plain, applied = lanes(lesson.held_back, "tea"), lanes(lesson.held_back, "tea", held_in="held")
    assert "2 of 4 were saved after a newer one" in plain.scene.shows
    assert "all in the order of publishing; 2 held back" in applied.scene.shows


def test_where_the_newest_wins_a_difference_is_lost_and_adding_up_shows_less_than_nothing(lesson):
    for skip, outcomes in ((True, ["broken", "broken"]), (False, ["holds", "broken"])):
        system = lesson.stocked(lesson.counter(skip))
        run = simulate(system, lesson.three_move, faults=lesson.MORE_MOVES)
        assert [run.check(claim).outcome for claim in lesson.BOTH] == outcomes
    twice = ["duplicate web.deliver.StockMoved #1"]
    for workload, faults in (lesson.moves("tea"), []), (lesson.three_move, lesson.MORE_MOVES):
        system = lesson.stocked(lesson.counter(False))
        run = simulate(system, workload, faults=[*faults, *twice])
        assert run.check(lesson.each_counts).outcome == "broken"


def test_a_handler_that_counts_nothing_does_not_pass(lesson):
    def ignore(event, ctx):
        pass

    run = simulate(lesson.stocked(ignore), lesson.moves("tea"))
    assert run.check(lesson.each_counts).outcome == "broken"


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("bounded", [False, True])
def test_holding_back_keeps_both_claims_under_every_single_fault(lesson, bounded, partitions):
    tick, handler = (lesson.go_on, lesson.count_late) if bounded else (None, lesson.hold_back)
    system = lesson.stocked(handler, tick=tick, partitions=partitions)
    lost = claims.no_event_lost(lesson.StockMoved)
    result = explore(system, lesson.tea_and_wait, [*lesson.BOTH, lost])
    assert [result.outcome(claim) for claim in result.claims] == ["holds"] * 3
    for at in (0.2, 0.5, 0.8):
        faults = [repartition("moves", 4, at=at)]
        run = simulate(system, lesson.three_move, faults=faults if partitions == 3 else [])
        assert [run.check(claim).outcome for claim in lesson.BOTH] == ["holds"] * 2
        shown = "select left from shown where product = 'tea'"
        assert run.rows("web", shown) == [(10,), (8,), (5,), (1,)]


def test_without_a_bound_a_lost_move_holds_the_product_back_for_ever(lesson):
    assert lesson.stuck.rows("web", "select number from held") == [(3,), (4,)]
    assert lesson.bounded.rows("web", "select * from stock") == [("tea", 3, 4)]
    assert lesson.bounded.rows("web", "select * from gaps") == [("tea", 2)]


def test_a_gap_that_makes_the_next_move_impossible_leaves_it_parked(lesson):
    first = [f"fail web.handle.StockMoved #{nth}" for nth in (1, 2, 3)]
    system = lesson.stocked(lesson.count_late, tick=lesson.go_on)
    run = simulate(system, lesson.tea_and_wait, faults=first)
    assert run.rows("web", "select * from stock") == [("tea", 0, 1)]
    assert run.rows("web", "select number from held") == [(2,), (3,), (4,)]


def test_a_dead_letter_that_is_put_back_counts_and_leaves_no_gap(lesson):
    async def put_back(ctx):
        await lesson.moves("tea")(ctx)
        await ctx.sleep(10 - ctx.now)
        await ctx.send(lesson.MoveStock(product="tea", by=-2, number=2))

    system = lesson.stocked(lesson.count_late, tick=lesson.go_on)
    run = simulate(system, put_back, faults=lesson.LOST)
    assert run.rows("web", "select * from stock") == [("tea", 1, 4)]
    assert run.rows("web", "select * from gaps") == []


def test_a_poison_message_delays_the_other_product_unless_its_key_is_parked(lesson):
    assert round(lesson.delay, 1) == 4.4 and lesson.nearest == "four or five seconds"
    sooner = lesson.last_tea(lesson.cups_and_tea(lesson.refuse, -20, attempts=3)) - lesson.usual
    assert round(sooner, 1) == 0.2
    assert lesson.last_tea(lesson.parked) == lesson.usual
    assert lesson.parked.rows("web", "select left from stock where product = 'tea'") == [(1,)]
    held = "select number from held where product = 'cup'"
    assert lesson.parked.rows("web", held) == [(2,), (3,), (4,)]


def test_more_than_two_partitions_do_not_help_a_hot_key(lesson):
    ends = {many: run.end for many, run in lesson.nights.items()}
    assert ends == {1: 14630, 2: 8630, 4: 8630, 8: 8630}
    for many, run in lesson.nights.items():
        steps = [s for s in run.journal if s.step == "handle" and s.service == "web"]
        [tea] = {step.partition for step in steps if step.envelope.subject == "tea"}
        others = {step.partition for step in steps if step.envelope.subject != "tea"}
        assert (tea in others) == (many == 1)


def test_the_panel_opens_broken_and_each_knob_does_what_the_text_says(lesson):
    workload, more = lesson.rises("tea", "cake"), [repartition("prices", 4, at=0.5)]

    def outcome(*faults, **knobs):
        run = simulate(lesson.played(**knobs), workload, faults=faults)
        return run.check(lesson.newest_shown).outcome

    assert outcome() == "broken" and outcome(key="product") == "holds"
    assert outcome(*more, key="product") == "broken"
    assert outcome(*more, key="product", show="newest wins") == "holds"
    assert outcome(key="product", way="queue") == "broken"
    assert outcome(key="product", way="queue by key") == "holds"
    ends = {}
    for replicas in (1, 2, 3):
        groups = lesson.played(key="product", way="queue by key", replicas=replicas)
        ends[replicas] = simulate(groups, workload).end
    assert ends[2] < ends[1] < ends[3]

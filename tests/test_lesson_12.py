"""Lesson 12 says what its runs say: what one bad order and one slow provider do, and what each fix is worth."""

import lessons
import pytest

from edalab import explore, simulate

NAME = "12-streams-and-queues"


@pytest.fixture(scope="module")
def lesson():
    return lessons.definitions(NAME)


def in_time(lesson, run):
    return lesson.load(run, "payments").table.in_time


def well(lesson, run, since, until):
    """Whether at least 14 charges are answered in time in each of these seconds."""
    return (in_time(lesson, run)[since:until] >= 14).all()


def test_on_the_log_everybody_behind_the_bad_order_waits_and_on_the_queue_nobody_does(lesson):
    log, queue = lesson.charged_after(lesson.on_log), lesson.charged_after(lesson.on_queue)
    assert list(log) == ["1", "2", "4", "5", "6", "7"] and set(queue) == set(log)
    assert (log["4"], queue["4"]) == (2.18, 0.68)
    assert all(log[order] - queue[order] > 1.4 for order in "4567")
    assert log["1"] == queue["1"] and log["2"] == queue["2"]


def test_the_queue_hands_out_the_bad_order_six_times(lesson):
    handled = [s.envelope.data.order_id for s in lesson.on_queue.journal
               if s.step == "handle" and s.service == "billing"]  # fmt: skip
    assert len(handled) == 12 and handled.count("3") == 6


def test_twelve_attempts_are_a_wait_of_seven_seconds(lesson):
    run = simulate(lesson.shop(log=True, attempts=12), lesson.seven_order)
    assert lesson.charged_after(run)["4"] == pytest.approx(7, abs=0.5)


def test_a_handler_that_knows_never_from_later_holds_up_nobody(lesson):
    sorted_out, queue = (
        lesson.charged_after(lesson.sorted_out),
        lesson.charged_after(lesson.on_queue),
    )
    assert all(sorted_out[order] <= queue[order] for order in sorted_out)
    [letter] = lesson.sorted_out.dead_letters.itertuples()
    assert (letter.attempts, letter.came_from, letter.state) == (1, "orders", "waiting")
    assert "19,90" in letter.reason
    outcomes = [lesson.sorted_out.check(claim).outcome
                for claim in (lesson.none_gone, lesson.all_charged, lesson.no_letters)]  # fmt: skip
    assert outcomes == ["holds", "broken", "broken"]


def test_a_crash_uses_up_the_only_attempt_of_a_good_order(lesson):
    def letters(attempts):
        system = lesson.shop(lesson.retrying(), attempts=attempts)
        faults = ["crash billing.handle.TeaOrdered #2"]
        run = simulate(system, lesson.seven_order, faults=faults)
        return {order.order_id for order in run.dead_letters.data}

    assert letters(attempts=1) == {"2", "3"} and letters(attempts=3) == {"3"}


def test_a_letter_is_sent_back_in_vain_before_the_repair_and_charged_after_it(lesson):
    early, late = lesson.repaired(5), lesson.repaired(12)
    assert list(early.dead_letters.state) == ["redriven", "waiting"]
    assert list(early.dead_letters.redrives) == [0, 1]
    assert list(late.dead_letters.state) == ["redriven"]
    assert list(lesson.sent_back) == ["sent back at 5 s", "sent back at 12 s"]
    assert not early.check(lesson.all_charged) and late.check(lesson.all_charged)
    assert early.check(lesson.none_gone) and late.check(lesson.none_gone)


def test_a_letter_that_is_sent_back_again_and_again_goes_round(lesson):
    async def again(event, ctx):
        await ctx.redrive()

    system = lesson.shop(lesson.retrying(), attempts=1, letters=again)
    run = simulate(system, lesson.seven_order, until=10)
    assert {order.order_id for order in run.dead_letters.data} == {"3"}
    assert len(run.dead_letters) == 288


def test_no_single_fault_makes_an_order_disappear_and_its_letter_comes_back(lesson):
    bill = lesson.retrying(ask=lesson.charge_with_comma)
    system = lesson.shop(bill, attempts=6, letters=lesson.send_back_once(12))
    result = explore(system, lesson.seven_order, [lesson.none_gone], leave_out=["client"])
    assert result.outcome(lesson.none_gone) == "holds"


def test_without_limits_the_shop_is_well_as_soon_as_the_provider_is(lesson):
    run = simulate(lesson.friday(), lesson.crowd())
    assert well(lesson, run, 12, 29) and run.check(lesson.all_charged)


def test_with_four_workers_it_stays_down_although_they_do_twenty_charges_a_second(lesson):
    table = lesson.load(lesson.storm, "payments").table
    assert (table.in_time[10:30] < 14).sum() == 20  # the prediction
    assert not table.in_time[6:].any() and set(table.too_late[11:120]) == {20}
    assert set(table.at_work[11:120]) == {4} and set(table.asked[12:29]) == {90}
    assert well(lesson, lesson.storm, 1, 5)
    assert table.index[-1] == 121  # a minute and a half after the last order
    assert len(lesson.placed(lesson.storm)) == 450 == len(lesson.charged(lesson.storm))
    assert len(lesson.storm.dead_letters) == 375


def test_backoff_makes_the_offered_load_grow_more_slowly_and_not_less(lesson):
    for pause, most in ((lesson.backoff, 75), (lesson.jitter, 78)):
        run = simulate(lesson.friday(lesson.retrying(pause), workers=4), lesson.crowd())
        table = lesson.load(run, "payments").table
        assert table.asked.max() == most and table.asked[10] > 20 and not table.in_time[6:].any()
    again = lesson.results["backoff, jitter"]["well again"]
    assert again == "never"  # the prediction


@pytest.mark.parametrize("since", [5, 20, 100])
def test_a_budget_that_saves_no_more_than_ten_ends_the_storm_after_a_long_good_time(lesson, since):
    bill = lesson.WAYS["retry budget"]["bill"]
    system = lesson.friday(bill, workers=4, slow=(since, since + 5))
    run = simulate(system, lesson.crowd(seconds=since + 25))
    assert lesson.load(run, "payments").table.asked.max() <= 26
    assert well(lesson, run, since + 22, since + 24) and len(run.dead_letters) in (309, 311)


def test_with_a_budget_the_line_gets_shorter_more_slowly_than_without_retries(lesson):
    for way, each_second in (("retry budget", 3.5), ("no retry", 5)):
        run = simulate(lesson.friday(workers=4, **lesson.WAYS[way]), lesson.crowd())
        line = lesson.load(run, "payments").table.waiting
        assert (line[11] - line[19]) / 8 == pytest.approx(each_second, abs=0.1)


def test_a_breaker_with_backoff_closes_into_a_crowd(lesson):
    bill = lesson.retrying(lesson.jitter, ask=lesson.with_breaker)
    run = simulate(lesson.friday(bill, workers=4), lesson.crowd())
    table = lesson.load(run, "payments").table
    assert table.asked.max() == 60 and (table.in_time[10:30] == 0).sum() > 5
    assert (table.in_time[10:30] >= 14).sum() < 8
    asked = list(table.asked)
    waves = [asked[at] for at in range(6, 30) if asked[at - 1] < asked[at] > max(20, asked[at + 1])]
    assert waves == [41, 51, 53, 60]


@pytest.mark.parametrize(("until", "survives"), [(6, True), (7, False), (8, False)])
def test_the_shop_survives_one_slow_second_and_not_two(lesson, until, survives):
    run = simulate(lesson.friday(workers=4, slow=(5, until)), lesson.crowd())
    assert well(lesson, run, 15, 29) == survives


def test_no_fix_is_enough_alone(lesson):
    found = {way: (row["well again"], row["dead letters"], row["not charged"])
             for way, row in lesson.results.items()}  # fmt: skip
    assert list(lesson.asking_less.index) == list(lesson.WAYS)[:6]
    assert found == {
        "at once": ("never", 375, 0),
        "no retry": (19, 196, 0),
        "backoff, jitter": ("never", 375, 0),
        "retry budget": (27, 309, 0),
        "breaker": (13, 112, 91),
        "breaker, backoff, jitter": ("never", 17, 3),
        "line of 20": ("never", 373, 41),
        "line of 10": (11, 74, 45),
        "line of 10, backoff": (11, 0, 0),
        "line of 10, backoff, jitter": (11, 0, 0),
    }
    asked = {way: row["asked"] for way, row in lesson.results.items()}
    assert asked["at once"] == asked["backoff, jitter"] == 2325
    waits = [row["median wait"] for row in lesson.results.values()]
    assert waits == [50.6, 0.5, 92.4, 2.1, 0.2, 10.2, 1.2, 0.2, 0.6, 0.6]
    best = simulate(lesson.friday(workers=4, **lesson.WAYS[list(lesson.WAYS)[-1]]), lesson.crowd())
    assert max(lesson.charged_after(best).values()) == pytest.approx(30, abs=2)
    assert {way for way, row in lesson.results.items() if row["turned away"]} == {
        way for way in lesson.results if way.startswith("line")
    }


def test_jitter_spreads_those_who_come_back(lesson):
    letters = {name: len(run.dead_letters) for name, run in lesson.opened.items()}
    assert letters == {"backoff": 209, "backoff, jitter": 41}
    busy = {name: (in_time(lesson, run)[7:30] >= 20).sum() for name, run in lesson.opened.items()}
    assert busy["backoff"] < 10 < 20 < busy["backoff, jitter"]
    table = lesson.load(lesson.opened["backoff"], "payments").table
    assert list(table.index[table.busy > 150]) == [0, 1, 3, 7, 15, 31]  # the waves
    assert set(table.at_work[19:31]) == {3}
    assert table.busy[31] > 200  # who waited for their next attempt until then
    assert set(lesson.opened["backoff, jitter"].dead_letters.reason.str.partition(":")[0]) == {
        "Busy"
    }


def test_a_sale_turns_nobody_away_if_no_more_are_in_hand_than_there_is_room_for(lesson):
    def sale(pause, **limits):
        system = lesson.friday(lesson.retrying(pause), slow=(0, 0), workers=4, **limits)
        run = simulate(system, lesson.sale_opens)
        return len(run.dead_letters), lesson.load(run, "payments").table.busy.sum()

    for pause in (lesson.backoff, lesson.jitter):
        assert sale(pause, waiting=10, prefetch=14) == (0, 0)
    assert sale(lesson.jitter, waiting=10, prefetch=20)[0] == 3
    assert sale(lesson.jitter, waiting=0)[0] == 106  # what the ten places are for


@pytest.mark.parametrize(("places", "again"), [(0, 11), (15, 11), (16, "never")])
def test_a_line_may_be_as_long_as_the_time_that_the_work_leaves(lesson, places, again):
    assert lesson.measure(bill=lesson.retrying(), waiting=places)["well again"] == again


def test_the_line_of_the_slow_second_that_the_shop_survives_is_short_enough(lesson):
    run = simulate(lesson.friday(workers=4, slow=(5, 6)), lesson.crowd())
    assert lesson.load(run, "payments").table.waiting.max() == 14


def test_a_consumer_that_takes_twenty_at_once_floods_nobody(lesson):
    row = lesson.measure(**lesson.takes_20)
    assert (row["in time"], row["dead letters"], row["turned away"]) == (450, 0, 0)
    bounded = lesson.measure(**lesson.queue_of_50)
    assert (bounded["in time"], bounded["dead letters"], bounded["turned away"]) == (421, 0, 29)
    assert bounded["not charged"] == 0
    assert (row["median wait"], bounded["median wait"]) == (2.9, 1.2)
    longer = [lesson.measure(**how, slow=(5, 15)) for how in (lesson.takes_20, lesson.queue_of_50)]
    assert [each["median wait"] for each in longer] == [8.1, 1.5]
    assert [each["turned away"] for each in longer] == [0, 108]
    at_once = lesson.measure(bill=lesson.retrying(), prefetch=20)
    assert at_once["well again"] == "never"


def test_without_any_line_and_with_backoff_nobody_is_given_up(lesson):
    row = lesson.measure(bill=lesson.retrying(lesson.jitter), waiting=0)
    assert row["dead letters"] == row["not charged"] == 0
    at_once = lesson.measure(bill=lesson.retrying(), waiting=0)
    assert at_once["well again"] == 11 and at_once["in time"] == 376


def test_vouchers_with_places_of_their_own_dont_notice_the_provider(lesson):
    assert lesson.slowest_voucher(lesson.TeaOrdered) == 4.916
    assert lesson.slowest_voucher(lesson.VoucherUsed) == 0.02


def test_a_redrive_of_all_letters_brings_a_fast_provider_down_and_a_slow_one_does_not(lesson):
    assert (lesson.pressed.dead_letters.time < 60).sum() == 150
    assert not in_time(lesson, lesson.pressed)[75:].any()
    found = lesson.counted(lesson.pressed)
    assert (found["in time"], found["letters left"]) == (173, 427) and 173 + 427 == 600
    assert lesson.counted(lesson.saturday(gap=0.25))["letters left"] == 0
    faster = lesson.saturday(gap=0.12)
    served = in_time(lesson, faster)
    assert (served[71:78] >= 19).all() and not served[79:].any()
    back = [s.time for s in faster.journal if s.step == "publish" and s.envelope.redrives]
    assert sum(71_000 <= time < 81_000 for time in back) == pytest.approx(70, abs=3)


def test_goodput_falls_to_nothing_or_stays_at_what_the_workers_can_do(lesson):
    naive, kept = lesson.curves.values()
    assert [rate for rate in lesson.rates if abs(naive[rate] - rate) < 1] == [5, 10, 15, 20]
    assert naive[22] == 7.2 and all(naive[rate] < 1 for rate in (25, 30, 40))
    assert all(kept[rate] == pytest.approx(min(rate, 20), abs=1) for rate in lesson.rates)


def test_only_a_log_can_be_read_from_the_beginning_and_again(lesson):
    assert list(lesson.ways.values()) == [(150, 150), (300, 300), (300, 525)]


def test_retention_removes_what_a_slow_group_has_not_read_and_nobody_is_told(lesson):
    assert not lesson.lost and len(lesson.lost.evidence) == 281
    assert not lesson.behind_time.failures and not len(lesson.behind_time.dead_letters)
    assert not lesson.behind_time.check(lesson.claims.no_event_lost(lesson.TeaOrdered))


def test_in_the_panel_a_short_line_and_backoff_are_green_and_a_limit_alone_has_a_price(lesson):
    def red(way, slow):
        run = simulate(lesson.the_shop(way, slow), lesson.crowd())
        claims = lesson.none_gone, lesson.all_charged, lesson.no_letters
        return {claim.name for claim in claims if not run.check(claim)}

    best = ["line of 10, backoff", "line of 10, backoff, jitter"]
    assert [way for way in lesson.WAYS if not red(way, 5)] == best
    assert {way for way in lesson.WAYS if red(way, 1)} == {"no retry", "line of 10"}
    given_up = {
        way: simulate(lesson.the_shop(way, 1), lesson.crowd()) for way in ("no retry", "line of 10")
    }
    assert [len(run.dead_letters) for run in given_up.values()] == [4, 4]
    never = [run.check(lesson.all_charged).evidence for run in given_up.values()]
    assert [len(orders) for orders in never] == [0, 1]

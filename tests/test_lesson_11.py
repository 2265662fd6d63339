"""Lesson 11 says what its runs say: which fault each way to write twice falls to, how an outbox fails, and what a log
brings back."""

import lessons
import pytest

from edalab import Command, PublishFailed, System, explore, pause, restore, rewind, simulate
from edalab.exercises import lesson_11_system
from edalab.exercises.lesson_11_claims import one_relay, rows_of
from edalab.view import timeline

NAME = "11-dual-writes-and-recovery"
AT_CLIENT = ["client"]


@pytest.fixture(scope="module")
def lesson():
    return lessons.definitions(NAME)


def points(result, claim) -> set[tuple[str, str]]:
    """The single faults that break a claim, by what they do and where."""
    return {(fault.do, fault.at) for schedule in result.broken(claim) for fault in schedule.faults}


def outcomes(lesson, system, workload, faults=1) -> list[str]:
    result = explore(system, workload, lesson.CLAIMS, faults=faults, leave_out=AT_CLIENT)
    return [result.outcome(claim) for claim in lesson.CLAIMS]


def test_save_first_loses_publish_first_invents_and_an_outbox_only_doubles(lesson):
    table = lesson.count(lesson.WAYS)
    assert {way: tuple(row) for way, row in table.T.items()} == {
        "save, then publish": (2, 0, 1, 9),
        "publish, then save": (0, 3, 1, 8),
        "publish inside": (0, 3, 1, 8),
        "outbox, relay": (0, 0, 4, 14),
        "outbox, capture": (0, 0, 3, 13),
    }


def test_save_first_loses_the_order_by_a_crash_or_a_failed_publish(lesson):
    shop, left_out = lesson.shop(), ["client", "shipping"]
    result = explore(shop, lesson.ada_orders, lesson.CLAIMS, leave_out=left_out)
    publish = "orders.publish.OrderPlaced"
    assert points(result, lesson.none_lost) == {("crash", publish), ("fail", publish)}
    assert points(result, lesson.none_twice) == {("duplicate", publish)}


def test_what_is_left_of_the_order_after_a_crash(lesson):
    assert lesson.saved(lesson.between) == {("17", 1)} and lesson.labels(lesson.between) == []
    assert not lesson.saved(lesson.rolled_back) and lesson.labels(lesson.rolled_back) == [("17", 1)]
    for take in (lesson.publish_then_save, lesson.publish_inside):
        result = explore(
            lesson.shop(take), lesson.ada_orders, lesson.CLAIMS, leave_out=["client", "shipping"]
        )
        assert points(result, lesson.none_invented) == {
            ("unconfirmed", "orders.publish.OrderPlaced"),
            ("crash", "orders.save.PlaceOrder"),
            ("fail", "orders.save.PlaceOrder"),
        }


def test_a_relay_that_marks_first_loses_orders(lesson):
    async def my_relay(ctx):
        for number, _, event in lesson.rows(ctx, lesson.UNSENT):
            lesson.mark(ctx, number)
            await ctx.publish(event)

    table = lesson.count({"mine": {"take": lesson.save_with_event, "relay": my_relay}})
    assert [*table.loc["mine"]] == [2, 0, 1, 15]


def test_the_two_messages_of_a_relay_have_one_id_and_the_inbox_knows_it(lesson):
    first, second = lesson.unmarked.rows("shipping", "select message from labels")
    assert first == second
    for how in (lesson.OUTBOX, lesson.CAPTURE):
        shop = lesson.shop(ship=lesson.print_once, **how)
        assert outcomes(lesson, shop, lesson.ada_orders) == ["holds"] * 3


def test_a_lower_number_that_commits_later_is_passed_by_without_a_fault(lesson):
    assert lesson.labels(lesson.passed_by) == [("18", 1)] and not lesson.passed_by.faults
    saves = [(s.time, s.envelope.type) for s in lesson.passed_by.journal if s.step == "save"]
    assert (510, "PlaceOrder") in saves and (210, "relay_above") in saves
    notes = [(s.time, s.detail) for s in lesson.passed_by.journal if s.step == "note"]
    numbers, asked = [(10, "number 1"), (10, "number 2")], [(200, 0), (400, 2), (600, 2), (800, 2)]
    assert notes == numbers + [(time, f"above {last}") for time, last in asked]
    shop = lesson.shop(lesson.save_numbered, lesson.relay_above)
    assert lesson.labels(simulate(shop, lesson.two_order, until=9)) == [("18", 1)]
    lucky = simulate(shop, lesson.two_order, seed=2, until=0.9)
    assert lesson.labels(lucky) == [("18", 1), ("17", 9)]


def test_who_waits_at_a_gap_waits_for_ever_where_a_number_was_never_used(lesson):
    async def relay_to_gap(ctx):
        [(last,)] = lesson.rows(ctx, "select last from progress")
        for number, _, event in lesson.rows(ctx, lesson.ABOVE):
            if number > last + 1:
                break
            await ctx.publish(event)
            lesson.keep(ctx, number)
            last = number

    shop = lesson.shop(lesson.save_numbered, relay_to_gap)
    quiet, crashed = (
        simulate(shop, lesson.two_order, faults=faults) for faults in ([], [lesson.CRASHED])
    )
    assert lesson.labels(quiet) == [("17", 9), ("18", 1)] and lesson.labels(crashed) == []
    assert lesson.saved(crashed) == {("18", 1)}


@pytest.mark.parametrize("how", ["relay", "captured"])
def test_marks_and_capture_pass_no_number_by(lesson, how):
    by = {"relay": lesson.relay} if how == "relay" else {"captured": True}
    shop = lesson.shop(lesson.save_numbered, ship=lesson.print_once, **by)
    assert outcomes(lesson, shop, lesson.two_order) == ["holds"] * 3


@pytest.mark.parametrize("how", ["relay", "captured"])
def test_marks_publish_in_the_order_of_the_numbers_and_capture_in_that_of_the_commits(lesson, how):
    async def two_of_one_order(ctx):
        await ctx.all(
            ctx.ask(lesson.PlaceOrder(order_id="17", cups=9)),
            ctx.ask(lesson.PlaceOrder(order_id="17", cups=1)),
        )

    by = {"relay": lesson.relay, "every": 1} if how == "relay" else {"captured": True}
    run = simulate(lesson.shop(lesson.save_numbered, **by), two_of_one_order)
    assert lesson.cups(run) == ("9, 1" if how == "relay" else "1, 9")
    assert bool(run.check(lesson.IN_ORDER)) == (how == "captured")


def test_a_row_that_the_broker_refuses_stops_a_connector(lesson):
    shop = lesson.shop(ship=lesson.print_once, **lesson.CAPTURE)
    shop.topic("orders", max_bytes=200)
    run = simulate(shop, lesson.a_greeting, until=8)
    assert lesson.labels(run) == [] and run.at(8).services["orders-capture"].lag == 3


def test_a_refused_row_is_waited_for_skipped_or_parked(lesson):
    table = {then: [*lesson.refused(then).values()] for then in ("waits", "skips", "parks")}
    assert table == {
        "waits": ["3.03 s", "1, 2", "holds", "holds"],
        "skips": ["0.22 s", "2, 1", "broken", "broken"],
        "parks": ["0.22 s", "1, 2", "holds", "holds"],
    }


def test_two_relays_print_an_old_label_last_unless_a_token_or_an_inbox_stops_it(lesson):
    assert lesson.cups(lesson.still) == "1, 1, 2, 3, 2"
    assert "takeover" in {step.step for step in lesson.still.journal}
    late = [
        (s.envelope.data.order_id, s.envelope.data.cups)
        for s in lesson.still.journal
        if s.step == "publish" and s.replica == 1 and s.time >= 3000
    ]
    assert late == [("18", 1), ("17", 2)]
    ways = {
        "marks": (lesson.relay, lesson.print_label),
        "marks, inbox": (lesson.relay, lesson.print_once),
        "taken, inbox": (lesson.take_rows, lesson.print_once),
        "fenced": (lesson.fenced, lesson.print_label),
        "fenced, inbox": (lesson.fenced, lesson.print_once),
    }
    assert {name: [*lesson.judged(*way).values()] for name, way in ways.items()} == {
        "marks": ["1, 1, 2, 3, 2", "holds", "broken"],
        "marks, inbox": ["1, 2, 3", "holds", "holds"],
        "taken, inbox": ["1, 3, 2", "broken", "broken"],
        "fenced": ["1, 1, 2, 3", "holds", "holds"],
        "fenced, inbox": ["1, 2, 3", "holds", "holds"],
    }


@pytest.mark.parametrize("inbox", [False, True])
def test_rows_that_somebody_took_are_given_back_and_only_their_order_is_lost(lesson, inbox):
    result = explore(
        lesson.the_shop("takes rows", inbox),
        lesson.changes_her_mind,
        [lesson.none_lost, lesson.up_to_date],
        leave_out=AT_CLIENT,
    )
    assert result.outcome(lesson.none_lost) == "holds"
    assert result.outcome(lesson.up_to_date) == "broken"


def test_a_longer_lease_prints_no_old_label_and_makes_everybody_wait(lesson):
    system = lesson.shop(lesson.save_with_event, lesson.relay, replicas=2, lease=5)
    still = simulate(system, lesson.changes_her_mind, faults=[pause("orders", 0.205, 3)])
    assert lesson.cups(still) == "1, 2, 3"
    bobs = "select at from labels where order_id = '18'"
    assert still.rows("shipping", bobs) == [(3.02,)]
    down = ["crash orders.publish.OrderPlaced for 60 s"]
    crashed = simulate(system, lesson.changes_her_mind, faults=down)
    assert crashed.rows("shipping", bobs) == [(5.23,)]


def test_a_restored_service_lacks_what_the_broker_believes_it_has_read(lesson):
    assert len(lesson.old.check(lesson.none_lost).evidence) == 3
    assert all(lesson.cured.check(claim) for claim in lesson.CLAIMS)
    owner = simulate(lesson.safe, lesson.ten_orders, faults=[restore("orders", to=3.5, at=6.5)])
    broken = [claim for claim in lesson.CLAIMS if not owner.check(claim)]
    assert broken == [lesson.none_invented]
    assert len(owner.check(lesson.none_invented).evidence) == 3

    def insert_what_is_missing(event, ctx):
        with ctx.database as db:
            lesson.save(db, event)

    shop = lesson.shop(ship=lesson.print_once, **lesson.OUTBOX)
    shop.service("orders").on(lesson.OrderPlaced)(insert_what_is_missing)
    faults = [restore("orders", to=3.5, at=6.5), rewind("orders", at=7, to=2)]
    again = simulate(shop, lesson.ten_orders, faults=faults)
    assert all(again.check(claim) for claim in lesson.CLAIMS)


def test_the_rewind_brings_five_orders_and_the_inbox_knows_two_of_them(lesson):
    handled, saved = (
        [
            s.envelope.data.order_id
            for s in lesson.cured.journal
            if (s.service, s.step) == ("shipping", step) and 7000 <= s.time < 7100
        ]
        for step in ("handle", "save")
    )
    assert handled == [*"23456"] and saved == [*"456"]


def test_a_queue_has_nothing_to_rewind_to_and_the_orders_are_still_saved(lesson):
    class PrintLabel(Command):
        order_id: str
        cups: int

    async def save_then_send(order, ctx):
        with ctx.database as db:
            lesson.save(db, order)
        await ctx.send(PrintLabel(order_id=order.order_id, cups=order.cups))
        return "thanks"

    shop = System("shop")
    shop.service("orders", schema=lesson.ORDERS).handles(lesson.PlaceOrder)(save_then_send)
    shop.service("shipping", schema=lesson.LABELS).handles(PrintLabel)(lesson.print_once)
    run = simulate(shop, lesson.ten_orders, faults=[lesson.BACKUP, lesson.AGAIN])
    assert len(lesson.saved(run)) == 10 and len(lesson.labels(run)) == 7
    assert len(run.check(lesson.none_lost).evidence) == 3


def test_the_picture_of_the_rewind_shows_five_orders_that_come_again(lesson):
    [note] = [s for s in lesson.cured.journal if s.step == "rewind"]
    assert note.time == 7000 and "from offset 7" in str(note)
    picture = timeline(lesson.cured, claims=lesson.CLAIMS, start=6.98, end=7.12).svg()
    said = "{0}: delivered again", ">{0} again"
    again = [n for n in range(10) if any(words.format(n) in picture for words in said)]
    assert again == [2, 3, 4, 5, 6]


def test_an_order_comes_each_second_because_an_answer_takes_two_hundredths(lesson):
    asked, answered = (
        [s.time for s in lesson.cured.journal if s.step == step and s.service == "client"]
        for step in ("ask", "answer")
    )
    assert [end - start for start, end in zip(asked, answered, strict=True)] == [20] * 10
    assert asked == [1000 * n for n in range(10)]


def test_a_mail_goes_out_again_with_a_rewind_unless_it_has_a_key(lesson):
    assert lesson.mails("key text") == 15 and lesson.mails("key text unique") == 10


def test_a_service_and_a_read_model_rebuilt_from_the_log_equal_the_live_ones(lesson):
    assert lesson.labels(lesson.anew) == lesson.labels(lesson.live)
    assert {*lesson.anew.rows("report", "select * from cups")} == lesson.saved(lesson.live)
    assert len(lesson.labels(lesson.live)) == 10
    ids = "select order_id, message from labels"
    assert {*lesson.anew.rows("shipping", ids)} == {*lesson.live.rows("shipping", ids)}
    at = "select at from labels"
    assert not {*lesson.anew.rows("shipping", at)} & {*lesson.live.rows("shipping", at)}
    lost = simulate(lesson.rebuilt, lesson.ten_orders, faults=lesson.EMPTY[:1])
    assert lesson.labels(lost) == []


def test_polling_waits_half_its_interval_and_capture_does_not(lesson):
    ways = {
        "at once": lesson.price(),
        "0.05": lesson.price(every=0.05, **lesson.OUTBOX),
        "0.2": lesson.price(**lesson.OUTBOX),
        "1": lesson.price(every=1, **lesson.OUTBOX),
        "capture": lesson.price(**lesson.CAPTURE),
    }
    assert {way: tuple(row.values()) for way, row in ways.items()} == {
        "at once": (20, 20, 20),
        "0.05": (50, 70, 40),
        "0.2": (125, 220, 40),
        "1": (563, 1010, 40),
        "capture": (30, 30, 20),
    }


def test_who_saves_and_publishes_at_once_loses_an_order_only_by_a_fault(lesson):
    run = simulate(lesson.shop(ship=lesson.print_once), lesson.orders_come(20, gap=0.37))
    assert run.check(lesson.none_lost) and len(lesson.labels(run)) == 20


def test_a_slot_that_nobody_reads_keeps_the_log(lesson):
    assert lesson.slot == [0, 10, 20, 29, 0]
    assert all(lesson.unread.check(claim) for claim in lesson.CLAIMS)


def test_in_the_panel_the_claims_turn_red_that_the_text_names(lesson):
    claims_shown = [*lesson.CLAIMS, lesson.up_to_date]

    def red(relay, inbox, *faults):
        run = simulate(lesson.the_shop(relay, inbox), lesson.changes_her_mind, faults=faults)
        return [claim for claim in claims_shown if not run.check(claim)]

    still = pause("orders", 0.205, 3)
    assert red("marks", False, still) == [lesson.none_twice, lesson.up_to_date]
    fine = [
        (relay, inbox)
        for relay in lesson.RELAYS
        for inbox in (False, True)
        if not red(relay, inbox, still)
    ]
    assert fine == [("marks", True), ("fenced", True)]
    last = [relay for relay in lesson.RELAYS if lesson.up_to_date not in red(relay, False, still)]
    assert last == ["fenced"]
    backup, again = restore("shipping", to=1.5, at=4), rewind("shipping", at=5, to=0)
    for inbox in (False, True):
        assert red("marks", inbox, backup) == [lesson.none_lost, lesson.up_to_date]
    assert red("marks", False, backup, again) == [lesson.none_twice]
    assert red("marks", True, backup, again) == []


def test_a_run_of_the_exercise_may_end_with_the_news_and_the_row_is_tried_once_more(lesson):
    """A failed publish of `RowParked` that escapes: the third attempt isn't counted."""

    async def relay(ctx):
        waiting = """select id, order_id, event, attempts from outbox where state = 'waiting' and
                     order_id not in (select order_id from outbox where state = 'parked') order by id
                     limit 10"""
        stuck = set()
        for id, order_id, event, attempts in lesson.rows(ctx, waiting):
            if order_id in stuck:
                continue
            done = "sent", attempts
            try:
                await ctx.publish(event)
            except PublishFailed:
                stuck.add(order_id)
                done = "waiting", attempts + 1
                if attempts == 2:
                    await ctx.publish(lesson_11_system.RowParked(id=id, order_id=order_id))
                    done = "parked", 3
            with ctx.database as db:
                db.execute("update outbox set state = ?, attempts = ? where id = ?", (*done, id))

    system, people = lesson_11_system.relay_of(relay, 0)
    for faults, often in ([], 3), (["fail orders.publish.RowParked"], 4):
        run = simulate(system, people, faults=faults, until=16)
        assert run.check(one_relay)
        [large] = [row for row in rows_of(run) if row.large]
        tries = [
            s
            for s in run.journal
            if s.step == "publish" and s.envelope.type == "LineAdded"
            if (s.envelope.data.order_id, s.envelope.data.line) == large.line
        ]
        assert len(tries) == often


@pytest.mark.parametrize("later", ["in this run", "in later runs"])
def test_a_verdict_of_the_exercise_names_the_row_that_was_refused(lesson, later):
    waiting = "select id, order_id, event from outbox where state = 'waiting' order by id limit 10"

    async def relay(ctx):
        stuck = set()
        for id, order_id, event in lesson.rows(ctx, waiting):
            if order_id in stuck:
                continue
            state = "sent"
            try:
                await ctx.publish(event)
            except PublishFailed:
                state = "parked"
                if later != "in this run":
                    stuck.add(order_id)
            with ctx.database as db:
                db.execute("update outbox set state = ? where id = ?", (state, id))

    run = simulate(*lesson_11_system.relay_of(relay, 0), until=16)
    [large] = [row for row in rows_of(run) if row.large]
    order, line = large.line
    why = f"and line {line} (row {large.id}) was refused"
    mistake = "out of order", f"line {line + 1} of {order} is published, {why}"
    assert mistake in run.check(one_relay).evidence


def test_in_pictures_of_the_exercise_each_event_goes_somewhere():
    pictures = [
        timeline(lesson_11_system.one_order(story)).svg() for story in lesson_11_system.STORIES
    ]
    assert not any("reached nobody" in picture for picture in pictures)
    assert any(">Placed o1<" in picture for picture in pictures)

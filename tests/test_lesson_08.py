"""Lesson 08 says what its runs say: each way is broken where the text says it is, and the key by order nowhere."""

import lessons
import pytest

from edalab import cut, explore, simulate
from edalab.errors import Endless

NAME = "08-idempotency"


@pytest.fixture(scope="module")
def lesson():
    return lessons.definitions(NAME)


def points(result, claim) -> set[tuple[str, str]]:
    """The single faults that break a claim, by what they do and where."""
    return {(fault.do, fault.at) for schedule in result.broken(claim) for fault in schedule.faults}


def test_of_the_five_ways_only_the_key_by_order_is_never_wrong(lesson):
    table = lesson.count(lesson.WAYS)
    assert {way: tuple(row) for way, row in table.T.items()} == {
        "at most once": (2, 9, 19),
        "at least once": (7, 0, 19),
        "inbox, noted before": (0, 6, 21),
        "inbox, noted after": (6, 0, 21),
        "key by order": (0, 0, 19),
    }


def test_at_most_once_charges_twice_only_what_the_broker_got_or_delivered_twice(lesson):
    result = explore(lesson.shop(delivery="at-most-once"), lesson.ada_orders, lesson.CLAIMS)
    assert points(result, lesson.never_twice) == {
        ("duplicate", "client.publish.OrderPlaced"),
        ("duplicate", "billing.deliver.OrderPlaced"),
    }


def test_at_least_once_charges_twice_wherever_the_charge_is_made_and_the_handling_not_committed(
    lesson,
):
    result = explore(lesson.shop(), lesson.ada_orders, lesson.CLAIMS)
    assert points(result, lesson.never_twice) == {
        ("duplicate", "client.publish.OrderPlaced"),
        ("duplicate", "billing.deliver.OrderPlaced"),
        ("delay", "billing.ask.Charge"),
        ("crash", "provider.reply.Charge"),
        ("drop", "provider.reply.Charge"),
        ("delay", "provider.reply.Charge"),
        ("crash", "billing.commit.OrderPlaced"),
    }
    assert lesson.charges(lesson.again)["17"] == 2 and lesson.charges(lesson.crashed)["17"] == 0


def test_an_inbox_fails_between_the_note_and_the_charge_whatever_comes_first(lesson):
    for way, claim in (("before", lesson.all_charged), ("after", lesson.never_twice)):
        how = lesson.WAYS[f"inbox, noted {way}"]
        result = explore(lesson.shop(**how), lesson.ada_orders, lesson.CLAIMS)
        [other] = [one for one in lesson.CLAIMS if one is not claim]
        assert len(result.broken(claim)) == 6 and result.broken(other) == []
        for schedule in result.broken(claim):
            run = result.run(schedule)
            handled = [s for s in run.journal if (s.service, s.step) == ("billing", "handle")]
            assert len(handled) == 2, schedule  # the order came again

    async def my_bill(event, ctx):
        if not lesson.seen(ctx):
            await lesson.bill(event, ctx)
            lesson.note(ctx)

    assert [*lesson.count({"mine": {"billing": my_bill}}).loc["mine"]] == [6, 0, 21]


def test_the_key_by_order_survives_every_pair_of_faults_and_other_timings(lesson):
    shop = lesson.shop(**lesson.WAYS["key by order"])
    pairs = explore(shop, lesson.ada_orders, lesson.CLAIMS, faults=2)
    assert pairs.coverage.startswith("every single fault; every pair") and not pairs.endless
    seeds = explore(shop, lesson.ada_orders, lesson.CLAIMS, seeds=range(3))
    for result in (pairs, seeds):
        assert [result.outcome(claim) for claim in lesson.CLAIMS] == ["holds", "holds"]
    run = simulate(shop, lesson.ada_orders, faults=[cut("provider", 0, 2)])
    assert lesson.charges(run)["17"] == 1


def test_the_table_of_ways_and_faults(lesson):
    table = {
        way: [lesson.times(how, fault) for fault in lesson.FAULTS.values()]
        for way, how in lesson.WAYS.items()
    }
    assert lesson.OFTEN == ["never", "·", "twice"]
    assert table == {
        "at most once": [2, 2, 0, 1, 1],
        "at least once": [2, 2, 1, 2, 2],
        "inbox, noted before": [1, 1, 0, 1, 1],
        "inbox, noted after": [1, 1, 1, 2, 1],
        "key by order": [1, 1, 1, 1, 1],
    }


def test_a_known_key_with_another_amount_is_answered_with_a_lie_or_refused(lesson):
    assert lesson.told(lesson.changed).values.tolist() == [
        ["17", 20, "charged"],
        ["17", 32, "charged"],
    ]
    shop = lesson.shop(lesson.bill_with_key, lesson.charge_or_refuse)
    refused = simulate(shop, lesson.ada_adds_a_cup)
    told = "refused: this key was used for another amount"
    assert [*lesson.told(refused).loc[1]] == ["17", 32, told]
    assert lesson.charges(refused)["17"] == 1

    async def bill_by_amount(event, ctx):
        key = f"{event.order_id} {event.amount}"
        await ctx.ask(lesson.Charge(**event.model_dump(), key=key))

    both = simulate(lesson.shop(bill_by_amount, lesson.charge_or_refuse), lesson.ada_adds_a_cup)
    assert both.rows("provider", "select sum(amount) from charges") == [(52,)]


def test_who_looks_and_charges_later_is_overtaken_by_the_second_question(lesson):
    assert points(lesson.racing, lesson.never_twice) == {("delay", "billing.ask.Charge")}
    assert len(lesson.racing.schedules) == 20
    run = lesson.racing.smallest(lesson.never_twice)
    begun, saved = (
        [s.time for s in run.journal if (s.service, s.step) == ("provider", step)]
        for step in ("handle", "save")
    )
    assert len(begun) == 2 and begun[1] < saved[0]


def test_the_constraint_survives_two_at_once_under_every_pair(lesson):
    async def look_then_insert(command, ctx):
        with ctx.database as db:
            find = "select answer from answers where key = ?"
            row = db.execute(find, (command.key,)).fetchone()
        if not row:
            await ctx.sleep(0.2)
            with ctx.database as db:
                charge = command.key, command.amount, "charged", ctx.now
                db.execute("insert into charges values (?, ?)", (command.order_id, command.amount))
                db.execute("insert into answers values (?, ?, ?, ?)", charge)
        return "charged"

    raised = []
    for provider in (lesson.charge_if_new, look_then_insert):
        shop = lesson.shop(lesson.bill_with_key, provider)
        result = explore(shop, lesson.ada_orders, [lesson.never_twice], faults=2)
        assert result.outcome(lesson.never_twice) == "holds"
        run = simulate(shop, lesson.ada_orders, faults=["delay billing.ask.Charge"])
        raised.append(sum("UNIQUE" in (step.detail or "") for step in run.journal))
    assert raised[0] == 0 < raised[1]  # with a plain insert the second request gets an error


def test_two_publications_have_two_ids_unless_an_outbox_keeps_the_envelope(lesson):
    assert len(lesson.stored(lesson.doubted)) == len({*lesson.stored(lesson.doubted).values()}) == 2
    assert lesson.charges(lesson.doubted)["17"] == 2
    assert lesson.stored(lesson.by_order) == lesson.stored(lesson.doubted)
    assert lesson.charges(lesson.by_order)["17"] == 1
    assert len(lesson.stored(lesson.relayed)) == lesson.charges(lesson.relayed)["17"] == 1
    steps = [s.step for s in lesson.relayed.journal]
    assert steps.count("deduplicated") == 1


def test_the_window_of_the_topic_ends_and_the_key_does_not(lesson):
    soon, late = lesson.times_with_outage(1), lesson.times_with_outage(121)
    assert (soon, late) == ({"stored": 1, "charged": 1}, {"stored": 2, "charged": 2})
    with_key = lesson.times_with_outage(121, **lesson.WAYS["key by order"])
    assert with_key == {"stored": 2, "charged": 1}


@pytest.mark.parametrize("take", ["publish_order", "save_order"])
def test_the_whole_shop_with_a_key_by_order_survives_every_single_fault(lesson, take):
    relay = lesson.relay if take == "save_order" else None
    shop = lesson.whole_shop(getattr(lesson, take), relay, **lesson.WAYS["key by order"])
    result = explore(shop, lesson.ada_clicks, lesson.CLAIMS)
    assert [result.outcome(claim) for claim in lesson.CLAIMS] == ["holds", "holds"]


def test_a_batch_that_comes_again_is_charged_again_without_a_key(lesson):
    assert len(lesson.batch.check(lesson.never_twice).evidence) == 10
    threes = simulate(lesson.shop(commit_every=3), lesson.twelve_order, faults=lesson.CRASH)
    assert len(threes.check(lesson.never_twice).evidence) == 3
    shop = lesson.shop(commit_every=10, **lesson.WAYS["key by order"])
    result = explore(shop, lesson.twelve_order, lesson.CLAIMS)
    assert [result.outcome(claim) for claim in lesson.CLAIMS] == ["holds", "holds"]


def slow_times(lesson, interval=None, faults=(), until=60, **how):
    shop = lesson.slow_shop(**how)
    if interval:
        shop.topic("orders", max_poll_interval=interval)
    return lesson.charges(simulate(shop, lesson.ada_orders, faults=faults, until=until))["17"]


def test_a_slow_handler_charges_twice_without_a_fault_and_telling_the_queue_mends_the_wait(lesson):
    run = lesson.slow
    assert lesson.charges(run)["17"] == 2 and {step.fault for step in run.journal} == {None}
    [again] = [s for s in run.journal if s.step == "deliver" and s.attempt == 2]
    assert again.replica == 2 and 5_000 < again.time < 5_100
    table = {
        tuple(how): [slow_times(lesson, faults=faults, **how) for faults in ([], lesson.STILL)]
        for how in ({}, {"tells": True}, {"provider": lesson.charge_once})
    }
    assert table == {(): [2, 2], ("tells",): [1, 2], ("provider",): [1, 1]}


def test_a_slow_handler_of_a_topic_is_evicted_for_ever_unless_the_interval_is_longer(lesson):
    assert [slow_times(lesson, interval) for interval in (5, 7)] == [11, 1]
    assert slow_times(lesson, 5, provider=lesson.charge_once) == 1
    with pytest.raises(Endless):
        slow_times(lesson, 5, until=None)


def test_what_is_noted_in_the_transaction_of_its_effect_has_its_effect_once(lesson):
    handled = [s for s in lesson.crash.journal if s.step == "handle"]
    assert len(handled) == 22 and lesson.crash.check(lesson.revenue_is_right)
    result = explore(lesson.books, lesson.twelve_order, [lesson.revenue_is_right])
    assert result.outcome(lesson.revenue_is_right) == "holds"


def test_an_inbox_costs_a_transaction_and_a_key_costs_a_row(lesson):
    runs = [simulate(lesson.shop(**how), lesson.ada_orders) for how in lesson.WAYS.values()]
    assert [sum(step.step == "save" for step in run.journal) for run in runs] == [1, 1, 2, 2, 1]
    assert [len(run.rows("provider", "select * from answers")) for run in runs] == [0, 0, 0, 0, 1]


def test_a_key_keeps_a_no_and_is_kept_until_nobody_tries_again(lesson):
    tried = simulate(lesson.shop(provider=lesson.charge_if_covered), lesson.ada_tries_again)
    assert [*lesson.told(tried)["answer"]] == ["declined", "declined", "charged"]
    kept = [lesson.times(lesson.forgetting(seconds), lesson.DOWN) for seconds in (60, 86400)]
    assert kept == [2, 1]
    lost = simulate(
        lesson.shop(**lesson.WAYS["key by order"]), lesson.ada_orders, faults=lesson.THRICE
    )
    assert "dead_letter" in [s.step for s in lost.journal] and not lesson.charges(lost)


def test_in_the_panel_the_ways_turn_red_that_the_text_names(lesson):
    def red(fault, orders=1, commit_every=1):
        return {
            way
            for way in lesson.WAYS
            for run in [
                simulate(
                    lesson.the_shop(way, commit_every), lesson.customers(orders), faults=[fault]
                )
            ]
            if not all(run.check(claim) for claim in lesson.CLAIMS)
        }

    assert red("drop provider.reply.Charge") == {"at least once", "inbox, noted after"}
    assert red("drop billing.ask.Charge") == {"at most once", "inbox, noted before"}
    assert red("crash billing.commit.OrderPlaced", 12, 10) == {"at least once"}

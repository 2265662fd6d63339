"""Lesson 04 says what its runs say: each projection is broken where the text says it is, and the last one nowhere."""

import lessons
import pytest

from edalab import EventStore, explore, simulate

NAME = "04-cqrs"


@pytest.fixture(scope="module")
def lesson():
    return lessons.definitions(NAME)


def points(result, claim) -> set[tuple[str, str]]:
    """The single faults that break a claim, by what they do and where."""
    return {(fault.do, fault.at) for schedule in result.broken(claim) for fault in schedule.faults}


def test_to_fold_costs_more_with_every_event_and_to_look_up_does_not(lesson):
    folded, rows = lesson.folded, lesson.rows_read
    assert 3 < folded[40] / folded[20] < 4 and rows[40] / rows[20] < 2.1
    last = lesson.answers(simulate(lesson.two_models, lesson.audited(40)))[-2:]
    assert [answer["read"] for _, _, answer in last] == [
        1,
        2,
    ]  # one row for Ada, one for each customer


def test_both_models_answer_the_same_when_all_is_quiet(lesson):
    one, split = (
        lesson.answers(simulate(bank, lesson.audited(6)))
        for bank in (lesson.one_model, lesson.two_models)
    )
    known = [
        [{name: value for name, value in answer.items() if name != "read"} for _, _, answer in told]
        for told in (one, split)
    ]
    assert known[0] == known[1]


def test_a_sum_is_wrong_wherever_an_entry_is_handled_twice_and_a_maximum_nowhere(lesson):
    result = explore(lesson.two_models, lesson.ada_saves, lesson.DRIFT)
    sums, tops = lesson.DRIFT
    assert result.broken(tops) == [] and len(result.broken(sums)) > 0
    for schedule in result.schedules:
        run = result.run(schedule)
        saved = [
            s.envelope.data
            for s in run.journal
            if (s.service, s.step, s.fault) == ("balances", "save", None)
        ]
        positions = [entry.position for entry in saved if entry.amount]
        assert (schedule in result.broken(sums)) == (len(set(positions)) < len(positions)), schedule


def test_only_a_relay_that_does_not_wait_lets_one_entry_overtake_another_in_one_partition(
    lesson, monkeypatch
):
    held_up = {("delay", "accounts.publish.EntryRecorded")}
    result = explore(lesson.bank_of(lesson.checkpoint_beside), lesson.ada_saves, lesson.DRIFT)
    assert points(result, lesson.DRIFT[0]) == points(result, lesson.DRIFT[1]) == held_up
    assert len({*result.broken(lesson.DRIFT[0]), *result.broken(lesson.DRIFT[1])}) == 2

    async def relay(ctx):
        with ctx.database as db:
            store = EventStore(db)
            new = store.read(after=store.checkpoint("relay"))
        for fact in new:
            await ctx.publish(lesson.entry(fact))
        with ctx.database as db:
            for _ in zip(EventStore(db).follow("relay"), new, strict=False):
                """Its checkpoint moves past it."""

    monkeypatch.setitem(lesson.bank_of.__globals__, "relay", relay)
    result = explore(lesson.bank_of(lesson.checkpoint_beside), lesson.ada_saves, lesson.DRIFT)
    assert [result.outcome(claim) for claim in lesson.DRIFT] == ["holds", "holds"]


def test_a_table_in_the_same_transaction_is_never_wrong(lesson):
    result = explore(lesson.same_transaction, lesson.audited(2), [lesson.in_step])
    assert result.outcome(lesson.in_step) == "holds"


def test_a_checkpoint_saved_ahead_skips_what_a_crash_comes_between(lesson):
    assert lesson.ahead.check(lesson.DRIFT[0]).outcome == "broken"
    assert lesson.ahead.rows("balances", "select balance from balances") == [(-20,)]
    beside = lesson.bank_of(lesson.checkpoint_beside)
    for faults in (lesson.AGAIN, lesson.BETWEEN):
        assert simulate(beside, lesson.ada_saves, faults=faults).check(lesson.DRIFT[0])
    result = explore(beside, lesson.ada_saves, lesson.DRIFT)
    assert points(result, lesson.DRIFT[0]) == {("delay", "accounts.publish.EntryRecorded")}
    assert len(result.broken(lesson.DRIFT[0])) == 2 and len(result.broken(lesson.DRIFT[1])) == 1


def test_with_three_partitions_a_checkpoint_beside_the_table_leaves_only_what_is_overtaken(lesson):
    for schedule in lesson.spread.schedules:
        if "broken" in schedule.outcomes:
            run = lesson.spread.run(schedule)
            orders = {
                service: [
                    s.envelope.data.position
                    for s in run.journal
                    if (s.service, s.step, s.fault) == (service, "handle", None)
                ]
                for service in ("balances", "largest")
            }
            assert any(order != sorted(order) for order in orders.values()), schedule
    actions = {
        fault.do for schedule in lesson.spread.broken(lesson.DRIFT[0]) for fault in schedule.faults
    }
    assert {"drop", "delay", "crash"} <= actions
    naive = simulate(
        lesson.bank_of(lesson.simply, partitions=3), lesson.ada_saves, faults=lesson.LATE
    )
    assert naive.check(lesson.DRIFT[0]).outcome == "holds"  # the naive one survives it


def test_who_waits_dead_letters_what_comes_after_the_gap(lesson):
    dead = {
        (s.service, s.envelope.data.position)
        for s in lesson.stuck.journal
        if s.step == "dead_letter"
    }
    assert dead == {("balances", 3), ("balances", 4)}
    assert lesson.stuck.check(lesson.DRIFT[0]).outcome == "broken"


def test_who_fetches_what_is_missing_survives_every_single_fault_also_under_other_timings(lesson):
    result = explore(lesson.mended_bank(), lesson.ada_saves, lesson.DRIFT, seeds=range(3))
    assert all(result.outcome(claim) == "holds" for claim in lesson.DRIFT)


def test_who_fetches_what_is_missing_survives_every_pair_of_faults_of_the_whole_story(lesson):
    result = explore(
        lesson.mended_bank(names=["balances"]), lesson.ada_saves, lesson.DRIFT[:1], faults=2
    )
    assert result.coverage.startswith("every single fault; every pair")
    assert result.outcome(lesson.DRIFT[0]) == "holds" and not result.endless


def test_a_gap_costs_one_question(lesson):
    run = simulate(lesson.mended_bank(), lesson.ada_saves, faults=lesson.LATE)
    asked = [s.service for s in run.journal if s.step == "ask" and s.service != "client"]
    assert asked == ["balances"]


def test_who_asks_at_once_misses_their_own_deposit_and_who_says_the_position_never_does(lesson):
    assert lesson.answers(lesson.impatient)[-1][2] == {"balance": None, "position": 0}
    assert lesson.answers(lesson.patient)[-1][2] == {"balance": 100, "position": 2}
    late = [told[-1][0] for told in map(lesson.answers, (lesson.impatient, lesson.patient))]
    assert late[1] - late[0] == pytest.approx(0.2)  # a fifth of a second
    result = explore(
        lesson.mended_bank(lesson.look_when_there),
        lesson.by_position,
        [lesson.never_back],
        seeds=range(3),
    )
    assert result.outcome(lesson.never_back) == "holds"


def test_emptied_in_place_an_account_is_gone_until_the_next_entry(lesson):
    assert list(lesson.seen(lesson.emptied).loc["balance"].fillna(0)) == [
        10,
        20,
        30,
        0,
        0,
        0,
        40,
        40,
        40,
        40,
    ]
    assert lesson.emptied.check(lesson.never_back).outcome == "broken"


def test_rebuilt_beside_the_live_one_no_answer_is_missing_wrong_or_older_under_any_single_fault(
    lesson,
):
    assert list(lesson.seen(lesson.switched).loc["balance"]) == [
        10,
        20,
        30,
        30,
        30,
        30,
        40,
        40,
        40,
        40,
    ]
    claims = [lesson.never_back, lesson.fits, lesson.DRIFT[0]]
    result = explore(lesson.beside, lesson.rebuilding, claims)
    assert all(result.outcome(claim) == "holds" for claim in claims) and not result.endless
    for schedule in result.schedules:  # and each comes to its end: one table, one checkpoint
        run = result.run(schedule)
        assert run.rows("balances", "select name from checkpoints") == [("balances",)], schedule
        positions = run.rows("balances", "select position from checkpoints")
        assert positions == [(len(EventStore(run.database("accounts"))),)], schedule


def test_what_was_wrong_is_right_again_after_a_rebuild(lesson):
    def spoil_and_begin(command, ctx):
        with ctx.database as db:
            db.execute("update balances set balance = balance + 1000")
        lesson.begin_beside(command, ctx)

    run = simulate(lesson.bank_that(spoil_and_begin, lesson.fill_beside), lesson.rebuilding)
    assert run.check(lesson.DRIFT[0]).outcome == "holds"
    assert run.check(lesson.fits).outcome == "broken"  # what was told in between


def test_a_last_entry_given_up_is_missing_until_the_next_one(lesson):
    async def one_more(ctx):
        await lesson.ada_saves(ctx)
        await lesson.ask(ctx, lesson.Deposit(account="ada", amount=5))

    ended, went_on = (
        simulate(lesson.mended_bank(), story, faults=lesson.THRICE)
        for story in (lesson.ada_saves, one_more)
    )
    assert [s.envelope.data.position for s in ended.journal if s.step == "dead_letter"] == [4]
    assert (ended.check(lesson.DRIFT[0]).outcome, went_on.check(lesson.DRIFT[0]).outcome) == (
        "broken",
        "holds",
    )


def test_a_client_that_tries_again_deposits_twice_and_the_read_model_agrees(lesson):
    assert lesson.retried.rows("balances", "select balance from balances") == [(200,)]
    assert lesson.retried.check(lesson.DRIFT[0]).outcome == "holds"


def test_a_late_entry_makes_who_asks_by_position_wait_and_who_asks_at_once_not(lesson):
    slow = ["delay balances.deliver.EntryRecorded #5"]

    def waited(asking):
        run = simulate(lesson.the_bank("fetches gaps"), lesson.saving(asking), faults=slow)
        asked = {
            s.step: s.time for s in run.journal if s.envelope and s.envelope.type == "WhatBalance"
        }
        return asked["answer"] - asked["ask"], run.check(lesson.never_back).outcome

    assert waited("at once") == (20, "broken")
    time, outcome = waited("by position")
    assert time > 1000 and outcome == "holds"

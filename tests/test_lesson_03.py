"""Lesson 03 says what its runs say: each step of the mend cures what the text says, and the past is what plain pandas finds."""

import sqlite3
import subprocess
import sys
from collections import Counter

import lessons
import pandas
import pytest

from edalab import explore, simulate
from tools import store

NAME = "03-event-sourcing"


@pytest.fixture(scope="module")
def lesson():
    return lessons.definitions(NAME)


@pytest.fixture(scope="module")
def broken(lesson):
    """The single faults that break each claim, for a design and what is withdrawn."""

    def tried(withdraw, *amounts, **more):
        result = explore(
            lesson.bank_with(withdraw, lesson.open_stream),
            lesson.withdrawals(*amounts),
            lesson.ALL,
            **more,
        )
        assert all(result.outcome(claim) != "not exercised" for claim in lesson.ALL)
        return {claim: {str(s.faults[0]) for s in result.broken(claim)} for claim in lesson.ALL}

    return tried


SLOW = {"delay accounts.ask.CheckFraud #1", "delay fraud.reply.CheckFraud #1"}


def test_the_column_loses_an_update_wherever_the_answer_about_ada_is_slow(lesson):
    balance = "select balance from balances"

    def off(run):
        return run.rows("accounts", balance)[0][0] != 100 - sum(lesson.paid(run))

    result = explore(
        lesson.column, lesson.both_fit, [lesson.once, lesson.adds_up(lesson.in_column)]
    )
    assert {str(s.faults[0]) for s in result.schedules if s.faults and off(result.run(s))} == SLOW
    assert {str(s.faults[0]) for s in result.broken(result.claims[1])} == SLOW
    opened = [
        step.time
        for s in result.schedules
        for step in result.run(s).journal
        if step.step == "save" and step.envelope.type == "OpenAccount"
    ]
    assert max(opened) < 12_000  # before the first withdrawal, whatever goes wrong
    assert lesson.raced.rows("accounts", balance) == [(60,)]


def test_appending_loses_nothing_and_decides_on_an_old_balance(lesson, broken):
    found = broken(lesson.withdraw_by_events, 40, 80)
    assert found[lesson.ALL[0]] == set() and found[lesson.covered] == SLOW and found[lesson.once]
    assert broken(lesson.withdraw_by_events, 40, 20)[lesson.ALL[0]] == set()
    assert lesson.in_stream(lesson.kept) == 40 and lesson.in_stream(lesson.overdrawn) == -20


def test_the_expected_version_leaves_only_commands_that_come_twice(lesson, broken):
    found = broken(lesson.withdraw_expecting, 40, 80)
    assert found[lesson.covered] == set() == found[lesson.ALL[0]]
    assert found[lesson.once] and all(
        at.startswith(("duplicate", "crash accounts.ack", "lose accounts.ack"))
        for at in found[lesson.once]
    )
    error = lesson.refused.failures[0].error
    assert [fact.event.amount for fact in error.theirs] == [80] and [
        event.amount for event in error.yours
    ] == [40]


@pytest.mark.parametrize("amounts", [(40, 20), (40, 80)], ids=["both fit", "one fits"])
def test_the_last_design_survives_every_single_fault_at_several_timings(lesson, broken, amounts):
    assert set.union(*broken(lesson.withdraw_once, *amounts, seeds=range(4)).values()) == set()


def test_the_last_design_is_safe_under_every_pair_and_leaves_one_person_out_under_two(lesson):
    bank = lesson.bank_with(lesson.withdraw_once, lesson.open_stream)
    result = explore(bank, lesson.both_fit, lesson.ALL, faults=2)
    assert [len(result.broken(claim)) for claim in lesson.ALL] == [0, 0, 0, 2]
    for schedule in result.broken(lesson.served):
        run = result.run(schedule)
        assert lesson.paid(run) == [20] and len(run.failures) == 3
        assert "not appended: MoneyWithdrawn(amount=40)" in str(run.failures[2].error)
        assert [s.step for s in run.journal if s.step == "dead_letter"] == ["dead_letter"]


@pytest.mark.parametrize("amounts", [(40, 20), (40, 80)], ids=["both fit", "one fits"])
def test_one_transaction_loses_nothing_and_pays_whoever_can_be_paid(lesson, amounts):
    """Without an expected version, in a column and in a stream."""
    column = lesson.bank_with(lesson.withdraw_at_once, lesson.open_row)
    claim = lesson.adds_up(lesson.in_column)
    assert (
        explore(column, lesson.withdrawals(*amounts), [claim], seeds=range(4)).outcome(claim)
        == "holds"
    )
    stream = lesson.bank_with(lesson.withdraw_in_one, lesson.open_stream)
    claims = [*lesson.SAFE, lesson.served]
    result = explore(stream, lesson.withdrawals(*amounts), claims, seeds=range(4))
    assert [result.outcome(claim) for claim in claims] == ["holds"] * 3


def test_the_second_sitting_runs_in_a_fresh_process():
    cells = [c.source for c in lessons.read(NAME).cells if c.cell_type == "code"]
    [start] = [n for n, source in enumerate(cells) if "from edalab import Event, Ev" in source]
    asked = "\n".join([*cells[start:], "assert (was, believed) == (130, 60)"])
    subprocess.run([sys.executable, "-c", asked], check=True, cwd=store.ROOT)


def test_the_decider_is_tested_by_events_alone(lesson):
    given, W40 = lesson.given_when_then, lesson.MoneyWithdrawn(amount=40)
    D100 = lesson.MoneyDeposited(amount=100)  # the second sitting has classes of its own
    given([D100, W40, lesson.MoneyWithdrawn(amount=20)], lesson.want40, [W40])
    with pytest.raises(AssertionError):
        given([D100], lesson.want40, [])


def test_an_event_that_holds_a_result_loses_an_update(lesson):
    assert lesson.facts(lesson.updated).state("account-7", lesson.newest, 100) == 60


def test_who_decides_on_a_screen_needs_the_version_that_was_seen(lesson):
    left = {
        e: lesson.in_stream(simulate(lesson.bank_for_rent(e), lesson.rent)) for e in (False, True)
    }
    assert left == {False: 0, True: 60}


def test_a_handler_that_refuses_everybody_is_safe_and_pays_nobody(lesson):
    bank = lesson.bank_with(lesson.withdraw_never, lesson.open_stream)
    result = explore(bank, lesson.both_fit, [*lesson.SAFE, lesson.served])
    assert [result.outcome(claim) for claim in result.claims] == ["holds", "holds", "broken"]


def test_a_rule_about_two_accounts_needs_one_stream(lesson):
    for stream_of, left in ((lambda account: account, -60), (lambda account: "household", 20)):
        assert lesson.together(lesson.household(stream_of)) == left
    safe = lesson.Claim("together they are not below zero", about=lesson.Withdraw)(
        lambda run: [1] if lesson.facts(run).state(None, lesson.balance, 0) < 0 else []
    )
    one = lesson.household(lambda account: "household")
    found = explore(one, lesson.each_wants_80, [safe])
    assert all(
        str(s.faults[0]).startswith(("duplicate", "crash accounts.ack", "lose accounts.ack"))
        for s in found.broken(safe)
    )


def test_with_a_second_thought_the_second_withdrawal_is_refused(lesson):
    assert lesson.in_stream(lesson.refused) == 20
    notes = [step.detail for step in lesson.refused.journal if step.step == "note"]
    assert notes == ["refused"]


def test_a_rule_about_two_accounts_also_holds_in_one_transaction(lesson):
    async def withdraw(command, ctx):
        await ctx.ask(lesson.CheckFraud(**command.model_dump()), timeout=5)
        with ctx.database as db:
            store = lesson.EventStore(db)
            events = lesson.decide(command, store.state(None, lesson.balance, 0))
            if events:
                store.append(command.account, events)

    assert lesson.together(lesson.bank_with(withdraw, lesson.open_stream)) == 20


def account(lesson, until, as_of="2025-12-31"):
    """The balance of account 7, from the table alone."""
    rows = lesson.table[lesson.table.account == "account-7"].drop_duplicates("id")
    known = rows[(rows.happened.str[:10] <= until) & (rows.recorded.str[:10] <= as_of)]
    sign = known.type.map({"MoneyWithdrawn": -1, "AccountOpened": 0}).fillna(1)
    return int((known.amount.fillna(0) * sign.astype(int)).sum())


@pytest.mark.parametrize("until", ["2025-03-03", "2025-03-04", "2025-04-20", "2025-12-31"])
@pytest.mark.parametrize("as_of", ["2025-03-05", "2025-04-20", "2025-12-31"])
def test_the_past_of_account_7_is_what_pandas_finds(lesson, until, as_of):
    told = lesson.year.state("account-7", lesson.balance, 0, until=until, as_of=as_of)
    assert told == account(lesson, until, as_of)


def test_what_was_and_what_was_believed_on_the_days_of_the_text(lesson):
    assert (lesson.was, lesson.believed) == (130, 60)
    assert (
        account(lesson, "2025-03-03", "2025-03-03") == 60
    )  # what the bank knew of when it paid out 80
    assert (
        account(lesson, "2025-03-04", "2025-03-04") == -20 and account(lesson, "2025-03-04") == 50
    )
    assert (
        account(lesson, "2025-04-20", "2025-04-20") == 550 and account(lesson, "2025-04-20") == 100
    )


def test_no_account_was_ever_overdrawn_and_one_was_believed_to_be(lesson):
    assert len(lesson.year.streams()) == 30 and (lesson.happened, lesson.learned) == (
        [],
        ["account-7"],
    )
    rows = lesson.table.drop_duplicates("id")
    amounts = (
        rows.amount.fillna(0)
        .astype(int)
        .where(rows.type != "MoneyWithdrawn", -rows.amount.fillna(0).astype(int))
    )
    assert set(rows.account[amounts.groupby(rows.account).cumsum() < 0]) == {"account-7"}


def test_no_event_is_deleted(lesson):
    with pytest.raises(sqlite3.Error, match="events are facts, none is deleted: append a new one"):
        lesson.year.connection.execute("delete from stored_events where type = 'DepositCorrected'")


def test_six_rows_came_twice(lesson):
    assert (
        len(lesson.year.refused) == 6 and lesson.year.refused.reason.str.contains("already").all()
    )


def test_the_files_of_tests_are_what_pandas_finds(lesson):
    rows = pandas.read_json(store.ROOT / "data" / "history.jsonl", lines=True)
    added = rows[(rows.type == "FileAdded") & rows.stream.str.contains("test")]
    for hour in lesson.HOURS:
        until = pandas.to_datetime(added.happened) <= pandas.Timestamp(hour)
        assert lesson.history.state(None, lesson.files_of_tests, 0, until=hour) == until.sum()


def test_a_snapshot_is_begun_from_unless_something_happened_before_it(lesson):
    assert list(lesson.rows.values()) == [(1000, 1000), (0, 1000), (10, 1010), (1011, 1011)]


def test_one_replica_is_never_too_late_and_four_leave_people_out(lesson):
    late, unpaid = (
        {n: {lesson.effort(n, seed)[at] for seed in range(3)} for n in (1, 2, 4)} for at in (3, 4)
    )
    assert late[1] == {0} and late[2] <= {15, 16} and min(late[4]) == 19 and max(late[4]) == 27
    assert unpaid[1] == {0} and min(unpaid[4]) == 2 and max(unpaid[4]) == 5
    assert all(lesson.effort(n, 0)[5] == 800 + 10 * lesson.effort(n, 0)[4] for n in (1, 2, 4))


@pytest.mark.parametrize("replicas", [2, 4, 8])
def test_about_half_of_the_crowd_is_decided_two_or_three_times_over(lesson, replicas):
    run = simulate(
        lesson.bank_with(lesson.withdraw_once, lesson.open_stream, replicas), lesson.crowd
    )
    handled = Counter(
        s.envelope.id for s in run.journal if s.step == "handle" and s.envelope.type == "Withdraw"
    )
    assert (
        len(handled) == 20
        and {*handled.values()} <= {1, 2, 3}
        and 8 <= sum(times > 1 for times in handled.values()) <= 12
    )


def test_of_a_crowd_two_are_not_paid_and_only_progress_notices(lesson):
    run = simulate(lesson.bank_with(lesson.withdraw_once, lesson.open_stream, 4), lesson.crowd)
    assert (
        lesson.in_stream(run) == 1000 - sum(lesson.paid(run)) == 820
        and run.check(lesson.once).outcome == "holds"
        and len(run.check(lesson.served).evidence) == 2
    )


def test_who_presses_twice_is_paid_twice(lesson):
    assert (
        lesson.in_stream(
            simulate(
                lesson.bank_with(lesson.withdraw_once, lesson.open_stream),
                lesson.withdrawals(40, 40),
            )
        )
        == 20
    )

"""The ready claims on known answers: each planted mistake is found at its smallest number of faults, by name, and the
smallest change that mends it stays green on all single and all paired faults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from planted import (
    PAIRS,
    AddressChanged,
    GetQuote,
    OrderPlaced,
    PageViewed,
    PlaceOrder,
    TakePayment,
    one_order,
    two_orders,
)

from edalab import (
    Claim,
    Command,
    Event,
    Misuse,
    Query,
    System,
    Unanswered,
    claims,
    explore,
    pause,
    simulate,
)

TESTS = Path(__file__).parent


@pytest.mark.parametrize("name", PAIRS)
def test_a_planted_mistake_is_found_at_the_smallest_number_of_faults(name):
    claim, faults, build, workload = PAIRS[name]
    result = explore(build(False), workload, [claim], faults=faults)
    smallest = result.smallest(claim)
    assert smallest is not None, result
    assert len(result.broken(claim)[0].faults) == len(smallest.faults) == faults
    verdict = smallest.check(claim)
    assert verdict.outcome == "broken" and len(verdict.evidence) and "\n" not in verdict.cause
    if type(claim) is not Claim:
        assert all(piece.steps for piece in verdict.evidence)
        assert verdict.cause.startswith(verdict.evidence[0].sentence)


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_mended_stays_green_on_all_single_and_all_paired_faults(name):
    claim, _, build, workload = PAIRS[name]
    result = explore(build(True), workload, [claim], faults=2)
    assert result.smallest(claim) is None and result.outcome(claim) == "holds", result
    assert "every single fault; every pair" in result.coverage and not result.endless


def test_every_ready_claim_has_a_planted_mistake():
    files = [TESTS / name for name in ("planted.py", "wrong_sagas.py")]
    planted = "".join(path.read_text(encoding="utf-8") for path in files)
    assert [name for name in claims.__all__ if f"claims.{name}(" not in planted] == []


# -- not exercised


async def idle(ctx):
    await ctx.sleep(1)


@pytest.mark.parametrize("name", PAIRS)
def test_where_nothing_happens_nothing_was_tested(name):
    claim, _, build, _ = PAIRS[name]
    if "projection that" in name:
        claim = claims.projection_matches("counts", "select * from counts", lambda run: [])
    elif name == "dedup by payload":
        claim = claims.projection_matches("billing", "select * from bills", lambda run: [])
    for mended in (False, True):
        verdict = simulate(build(mended), idle).check(claim)
        assert verdict.outcome == "not exercised" and verdict.cause, verdict


SCHEMA = "create table charges (order_id text primary key, at real)"


def shop(handler=None, **options):
    system = System("shop")
    if handler:
        system.service("payments", schema=SCHEMA).on(OrderPlaced, **options)(handler)
    return system


def test_not_exercised_says_what_was_missing():
    def look(event):
        pass

    run = simulate(shop(look), one_order)
    nobody = simulate(shop(), one_order)
    unsaved = claims.projection_matches("payments", "select * from charges", lambda run: [])
    gone_back = "nothing was refused, failed or compensated"
    pairs = "no two steps of a saga, one of which depends on the other, were compensated"
    missing = {
        claims.no_event_lost(AddressChanged): "no AddressChanged was published",
        claims.handled_once(OrderPlaced): "no handling of OrderPlaced saved or published anything",
        claims.in_order_per_key(OrderPlaced): "no service handled two OrderPlaced of one key",
        claims.no_stale_read(GetQuote): "no GetQuote was answered",
        claims.no_dual_write_gap("payments"): "payments did not both save and publish",
        claims.saga_settled(): "no message of a saga was sent",
        claims.compensated_once(): gone_back,
        claims.nothing_left_behind(): gone_back,
        claims.no_needless_compensation(): gone_back,
        claims.compensated_in_reverse(): pairs,
        unsaved: "payments.charges never had a row",
        claims.no_poison_loop(): "no message was tried a second time",
    }
    for claim, words in missing.items():
        assert (run.check(claim).outcome, run.check(claim).cause) == ("not exercised", words)
    lost, handled = claims.no_event_lost(OrderPlaced), claims.handled_once(OrderPlaced)
    assert nobody.check(lost).cause == "no service subscribes to OrderPlaced"
    assert nobody.check(handled).cause == "no OrderPlaced was handled"


# -- what counts as an effect, and as the same fact


def test_writing_the_same_again_is_no_second_effect():
    def charge(event, ctx):
        with ctx.database as db:
            db.execute("insert or replace into charges values (?, 1)", (event.order_id,))

    def charge_late(event, ctx):
        with ctx.database as db:
            db.execute("insert or replace into charges values (?, ?)", (event.order_id, ctx.now))

    claim = claims.handled_once(OrderPlaced)
    for handler, outcome in ((charge, "holds"), (charge_late, "broken")):
        assert explore(shop(handler), two_orders, [claim]).outcome(claim) == outcome


def test_a_handling_after_one_that_changed_nothing_is_the_first_effect():
    async def charge(event, ctx):
        paid = ctx.message.attempt == 1 or "paid"
        with ctx.database as db:
            db.execute("insert or replace into charges values (?, ?)", (event.order_id, paid))
        if ctx.message.attempt == 1:
            raise ValueError("not yet")

    def shop(charged=""):
        system = System("shop")
        schema = "create table charges (order_id text primary key, state)"
        system.service("payments", schema=schema + charged).on(OrderPlaced)(charge)
        return system

    claim = claims.handled_once(OrderPlaced)
    charged = "; insert into charges values ('o1', 1)"
    assert simulate(shop(), one_order).check(claim).outcome == "broken"
    assert simulate(shop(charged), one_order).check(claim).outcome == "holds"


def test_a_save_that_changed_nothing_overtakes_nothing_and_leaves_no_gap():
    async def ada_moves(ctx):
        for version in (1, 2):
            await ctx.publish(AddressChanged(customer="ada", address="home", version=version))

    async def keep(event, ctx):
        rest = "" if event.version == 2 else " || '!'"
        with ctx.database as db:
            db.execute(f"update addresses set address = address{rest}")
        if event.version == 2:
            await ctx.publish(PageViewed(visitor="ada", page="moved"))

    system = System("shop")
    schema = "create table addresses (address text); insert into addresses values ('home')"
    system.service("mail", schema=schema).on(AddressChanged, max_attempts=1)(keep)
    again = ["lose mail.commit.AddressChanged #1", "crash mail.commit.AddressChanged #2"]
    run = simulate(system, ada_moves, faults=again)
    assert run.check(claims.in_order_per_key(AddressChanged)).outcome == "holds"
    run = simulate(system, ada_moves, faults=["fail mail.publish.PageViewed #1"])
    assert run.check(claims.no_dual_write_gap("mail")).outcome == "holds"


def test_a_save_and_a_publish_in_two_attempts_are_one_effect_each():
    async def charge(event, ctx):
        with ctx.database as db:
            db.execute("insert or ignore into charges values (?, 1)", (event.order_id,))
        if ctx.message.attempt == 2 or event.order_id != "o1":
            await ctx.publish(PageViewed(visitor=event.order_id, page="receipt"))
        else:
            raise ValueError("not yet")

    run = simulate(shop(charge), one_order)
    assert len(run.failures) == 1 and run.check(claims.handled_once(OrderPlaced)).outcome == "holds"


def test_two_equal_orders_of_the_client_are_two_facts_and_what_one_handling_says_twice_too():
    async def twice_the_same(ctx):
        for _ in range(2):
            await ctx.publish(OrderPlaced(order_id="o1"))

    def charge(event, ctx):
        with ctx.database as db:
            db.execute("insert or replace into charges values (?, ?)", (event.order_id, ctx.now))
        return [PageViewed(visitor="ada", page="home")] * 2

    system = shop(charge)

    @system.service("counts", schema="create table views (page text)").on(PageViewed)
    def count(event, ctx):
        with ctx.database as db:
            db.execute("insert into views values (?)", (event.page,))

    run = simulate(system, twice_the_same)
    for message in (OrderPlaced, PageViewed):
        assert run.check(claims.handled_once(message)).outcome == "holds"


def test_a_producer_that_ran_twice_is_known_though_its_messages_say_when_and_in_two_steps():
    class Charged(Event, key="order_id"):
        order_id: str
        at: float

    class MailWanted(Event, key="order_id"):
        order_id: str

    def charge(event, ctx):
        return Charged(order_id=event.order_id, at=ctx.now)

    def want_mail(event, ctx):
        with ctx.database as db:
            db.execute("insert into seen values (?)", (event.at,))
        return MailWanted(order_id=event.order_id)

    def mail(event, ctx):
        with ctx.database as db:
            db.execute("insert into mails values (?)", (event.order_id,))

    system = shop(charge)
    system.service("rules", schema="create table seen (at real)").on(Charged)(want_mail)
    system.service("mail", schema="create table mails (order_id text)").on(MailWanted)(mail)
    run = simulate(system, one_order, faults=["crash payments.commit.OrderPlaced #1"])
    for message, sender in ((Charged, "payments"), (MailWanted, "rules")):
        cause = run.check(claims.handled_once(message)).cause
        assert f"told twice, as {sender}-1 and {sender}-2" in cause


def test_a_tick_that_was_interrupted_and_says_it_again_tells_one_fact():
    system = System("shop")
    orders = system.service("orders", schema="create table sent (n int)")

    @orders.every(1)
    async def announce(ctx):
        with ctx.database as db:
            if db.execute("select 1 from sent").fetchone():
                return
        await ctx.publish(OrderPlaced(order_id="o1"))
        with ctx.database as db:
            db.execute("insert into sent values (1)")

    @system.service("payments", schema="create table charges (order_id text)").on(OrderPlaced)
    def charge(event, ctx):
        with ctx.database as db:
            db.execute("insert into charges values (?)", (event.order_id,))

    run = simulate(system, idle, faults=["crash orders.save.announce #1"])
    assert "told twice" in run.check(claims.handled_once(OrderPlaced)).cause
    assert run.check(claims.no_dual_write_gap("orders")).outcome == "holds"


def test_a_run_that_was_cut_off_has_lost_nothing_yet():
    async def charge(event, ctx):
        await ctx.sleep(10)

    claim = claims.no_event_lost(OrderPlaced)
    assert simulate(shop(charge), one_order, until=1).check(claim).outcome == "holds"
    assert simulate(shop(charge), one_order).check(claim).outcome == "holds"


def test_a_save_that_no_publish_followed_is_a_gap_where_other_handlings_of_its_kind_publish():
    async def charge(event, ctx):
        with ctx.database as db:
            if db.execute("select 1 from charges where order_id = ?", (event.order_id,)).fetchone():
                return
            db.execute("insert into charges values (?, 1)", (event.order_id,))
        if event.order_id == "o2" and ctx.message.attempt == 1:
            raise ValueError("between the two")
        await ctx.publish(PageViewed(visitor=event.order_id, page="receipt"))

    verdict = simulate(shop(charge), two_orders).check(claims.no_dual_write_gap("payments"))
    assert (
        verdict.cause
        == "payments saved for OrderPlaced client-2 at 0.04 s, and never published the PageViewed"
    )


def test_a_run_that_does_not_end_is_judged_by_the_claim_about_loops_alone():
    loop, _, build, workload = PAIRS["a message that sends itself again"]
    result = explore(build(False), workload, [loop, claims.no_event_lost(OrderPlaced)], faults=0)
    assert result.schedules[0].outcomes == ("broken", "not exercised") and result.endless


# -- seeds and executors


class Deposit(Command):
    amount: int


class GetBalance(Query):
    pass


class SetBalance(Command):
    balance: int


def bank() -> System:
    """Two tellers read the balance, add and write it back; the second begins when the first is long done, at seed 0."""
    system = System("bank")
    accounts = system.service(
        "accounts", schema="create table account (balance int); insert into account values (0)"
    )

    @accounts.answers(GetBalance)
    def balance(query, ctx):
        with ctx.database as db:
            return db.execute("select balance from account").fetchone()[0]

    @accounts.handles(SetBalance)
    def set_balance(command, ctx):
        with ctx.database as db:
            db.execute("update account set balance = ?", (command.balance,))

    @system.service("tellers", replicas=2).handles(Deposit)
    async def deposit(command, ctx):
        balance = await ctx.ask(GetBalance())
        await ctx.ask(SetBalance(balance=balance + command.amount))

    return system


async def two_deposits(ctx):
    await ctx.send(Deposit(amount=10))
    await ctx.sleep(0.03)
    await ctx.send(Deposit(amount=10))


def deposited(run):
    """What was deposited, by the record."""
    sent = [s.envelope for s in run.journal if s.step == "publish"]
    return [(sum(envelope.data.amount for envelope in sent if envelope.type == "Deposit"),)]


BALANCE = claims.projection_matches("accounts", "select balance from account", deposited)


def test_two_racing_writers_hold_under_one_timing_and_are_found_under_others():
    one = explore(bank(), two_deposits, [BALANCE], faults=0)
    assert one.outcome(BALANCE) == "holds" and "timing of seed 0 only" in one.coverage
    many = explore(bank(), two_deposits, [BALANCE], faults=0, seeds=range(20))
    assert many.outcome(BALANCE) == "broken" and many.smallest(BALANCE).seed != 0
    assert "timings of 20 seeds" in many.coverage


SCRIPT = """
import hashlib, sys
from concurrent.futures import ProcessPoolExecutor
sys.path.insert(0, sys.argv[1])
from planted import PAIRS
from edalab import explore

if __name__ == "__main__":
    told = []
    with ProcessPoolExecutor(2) as pool:
        for name in ("a compensation that is not idempotent", "dedup by message id under a producer that ran twice"):
            claim, _, build, workload = PAIRS[name]
            here = explore(build(False), workload, [claim], seeds=(0, 1))
            there = explore(build(False), workload, [claim], seeds=(0, 1), executor=pool)
            assert here.schedules == there.schedules and repr(here) == repr(there)
            told += [repr(here), *map(repr, here.schedules), *(here.run(s).digest for s in here.schedules)]
            told += [str(here.smallest(claim).check(claim))]
    print(hashlib.sha256("\\n".join(told).encode()).hexdigest())
"""


def test_the_result_is_the_same_in_order_and_by_processes_under_five_hash_seeds(tmp_path):
    script = tmp_path / "explored.py"
    script.write_text(SCRIPT, encoding="utf-8")
    said = set()
    for seed in "01234":
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, script, TESTS],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        said.add(done.stdout)
    assert len(said) == 1


# -- bad input


def idle_run(claim):
    return simulate(shop(), idle).check(claim)


EVENT_OR_COMMAND = "takes the class of an event or a command, not"


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: claims.no_event_lost("OrderPlaced"), f"{EVENT_OR_COMMAND} 'OrderPlaced'"),
        (lambda: claims.no_event_lost(Event), "not Event"),
        (lambda: claims.handled_once(GetQuote), f"{EVENT_OR_COMMAND} GetQuote"),
        (lambda: claims.no_stale_read(OrderPlaced), "takes the class of a query, not OrderPlaced"),
        (lambda: claims.in_order_per_key(Deposit), r"declare class Deposit\(\.\.\., key='…'\)"),
        (lambda: claims.no_dual_write_gap(3), "takes the name of a service"),
        (lambda: claims.projection_matches("reports", "select 1", "orders"), "they should match"),
        (lambda: claims.saga_settled("PlaceOrder"), f"{EVENT_OR_COMMAND} 'PlaceOrder'"),
        (lambda: claims.ledger_balanced({"pens": 10}), "a function of the run, not {'pens': 10}"),
        (lambda: idle_run(claims.ledger_balanced(lambda run: 7)), "the ledger returned 7; return"),
        (lambda: claims.no_poison_loop(attempts=0), "attempts= takes a whole number"),
        (lambda: idle_run(claims.no_dual_write_gap("payment")), "no service 'payment'"),
        (lambda: claims.handled_once(OrderPlaced)(idle), "is a claim already; write run.check"),
    ],
)
def test_bad_arguments_are_told(make, words):
    with pytest.raises(Misuse, match=words):
        make()


def test_a_ready_claim_that_does_not_exist_is_told_with_those_that_do():
    with pytest.raises(
        AttributeError,
        match="no ready claim 'no_lost_event'; ready claims: .*Did you mean 'no_event_lost'",
    ):
        claims.no_lost_event


def test_two_ready_claims_are_the_same_where_they_claim_the_same():
    once = claims.handled_once(OrderPlaced)
    assert once == claims.handled_once(OrderPlaced) != claims.handled_once(PlaceOrder)
    result = explore(shop(), idle, [once, claims.saga_settled()], faults=0)
    outcomes = [result.outcome(claims.saga_settled()), result.outcome(once.sentence)]
    assert outcomes == ["not exercised"] * 2
    assert repr(claims.handled_once(TakePayment)) == "<Claim each TakePayment is handled once>"


def test_evidence_reads_as_a_sentence_and_holds_the_steps():
    claim, _, build, workload = PAIRS["dead lettered and forgotten"]
    verdict = explore(build(False), workload, [claim]).smallest(claim).check(claim)
    assert repr(verdict.evidence[0]).startswith(
        "<Evidence: OrderPlaced client-1, published at 0 s, was dead-lettered by payments"
    )
    assert [step.step for step in verdict.evidence[0].steps] == ["publish", "dead_letter"]


def test_an_event_that_the_answering_service_neither_hears_nor_asked_about_does_not_concern_it():
    class Seen(Event, topic="seen", key="sku"):
        sku: str

    system = System("shop")

    @system.service("shop").answers(GetQuote)
    def quote(query):
        return 1

    async def looks(ctx):
        await ctx.publish(Seen(sku="pen"))
        try:
            await ctx.ask(GetQuote(sku="pen"))
        except Unanswered:
            pass

    assert simulate(system, looks).check(claims.no_stale_read(GetQuote)).outcome == "not exercised"


def test_a_commit_that_is_fenced_is_no_refusal_so_its_compensation_counts():
    """The first replica compensates, is paused, and its commit is fenced; the second compensates again."""

    class Booked(Event, topic="bookings", key="id"):
        id: str

    class Left(Event, topic="leavers", key="id"):
        id: str

    class Unbooked(Event, topic="unbookings", key="id", compensates=Booked):
        id: str

    system = System("hotel")
    desk = system.service(
        "desk", replicas=2, schema="create table beds (id); create table freed (id)"
    )

    @desk.on(Left)
    async def leave(event, ctx):
        with ctx.database as db:
            db.execute("insert into freed values (?)", (event.id,))
        await ctx.publish(Unbooked(id=event.id))
        await ctx.sleep(0.5)

    async def guest(ctx):
        await ctx.publish(Booked(id="o1"))
        await ctx.sleep(1)
        await ctx.publish(Left(id="o1"))

    run = simulate(system, guest, faults=[pause("desk", 1.2, 4)])
    assert any(step.fault == "fenced" for step in run.journal)
    assert len(run.rows("desk", "select * from freed")) == 2
    assert run.check(claims.compensated_once()).outcome == "broken"


def test_rows_with_lists_in_them_are_told_apart_and_raise_nothing():
    system = System("shop")
    system.service("pay", schema="create table charges (order_id text)")

    async def nobody(ctx):
        pass

    run = simulate(system, nobody)
    claim = claims.projection_matches("pay", "select * from charges", lambda run: [("o1", [1, 2])])
    verdict = run.check(claim)
    assert verdict.outcome == "broken" and "is missing in pay" in verdict.cause

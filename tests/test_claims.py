"""A claim is decided by the evidence against it, and what nothing tested never holds."""

import types
from functools import partial

import pytest

from edalab import Claim, Command, Event, Misuse, Query, System, simulate
from edalab.claims.claim import Verdict

SINGLE = "crash payments.commit.OrderPlaced #2"


class OrderPlaced(Event, topic="orders", key="order_id"):
    order_id: str


class PaymentCharged(Event, key="order_id"):
    order_id: str


class PaymentRefunded(Event, key="order_id"):
    order_id: str


class Balance(Query):
    order_id: str


class ForgetAll(Command):
    pass


SCHEMA = """
create table charges (order_id text, total real);
create table refunds (order_id text);
create table settings (name text);
insert into settings values ('currency');
create view charged as select order_id from charges;
"""


def shop():
    shop = System("shop")
    payments = shop.service("payments", schema=SCHEMA)

    @payments.on(OrderPlaced)
    async def charge(event, ctx):
        with ctx.database as db:
            db.execute("insert into charges values (?, 1)", (event.order_id,))
        await ctx.publish(PaymentCharged(order_id=event.order_id))

    @payments.answers(Balance)
    def balance(query):
        return 1

    @payments.handles(ForgetAll)
    def forget(command, ctx):
        with ctx.database as db:
            db.execute("delete from charges")
            db.execute("delete from settings")

    return shop


async def two_orders(ctx):
    for number in (1, 2):
        await ctx.publish(OrderPlaced(order_id=f"o{number}"))


async def no_orders(ctx):
    await ctx.sleep(1)


async def orders_then_forget(ctx):
    await two_orders(ctx)
    await ctx.sleep(1)
    await ctx.send(ForgetAll())


def play(workload=two_orders, faults=()):
    return simulate(shop(), workload, faults=faults)


CHARGED_TWICE = "select order_id, count(*) n from charges group by 1 having n > 1"


@Claim("each order is charged once", about=PaymentCharged)
def charged_once(run):
    return [f"{order} was charged {n} times" for order, n in run.rows("payments", CHARGED_TWICE)]


def claim(function, **about):
    return Claim("it is so", **about)(function)


ONCE = "each order is charged once"


@pytest.mark.parametrize(
    ("options", "evidence", "said"),
    [
        ({}, [], f"<✓ holds: {ONCE}>"),
        (
            {"faults": [SINGLE]},
            ["o2 was charged 2 times"],
            f"<✗ broken: {ONCE}: o2 was charged 2 times>",
        ),
        (
            {"workload": no_orders},
            [],
            f"<– not exercised: {ONCE}: no PaymentCharged was published>",
        ),
        (  # evidence outweighs that none was published
            {"faults": [f"fail payments.publish.PaymentCharged #{n}" for n in range(1, 7)]},
            ["o1 was charged 3 times"],
            f"<✗ broken: {ONCE}: o1 was charged 3 times",
        ),
    ],
)
def test_a_verdict_is_decided_by_the_evidence_and_by_what_was_published(options, evidence, said):
    verdict = play(**options).check(charged_once)
    assert verdict.evidence[:1] == evidence and repr(verdict).startswith(said)
    assert bool(verdict) == (verdict.outcome == "holds") and verdict.claim == ONCE


def test_a_message_that_failed_to_be_sent_exercises_no_claim_and_a_question_does():
    async def ask(ctx):
        await ctx.ask(Balance(order_id="o1"))

    faults = [f"fail payments.publish.PaymentCharged #{n}" for n in range(1, 7)]
    about_payments = claim(lambda run: None, about=PaymentCharged)
    assert play(faults=faults).check(about_payments).outcome == "not exercised"
    assert play(ask).check(claim(lambda run: [], about=Balance)).outcome == "holds"


def pandas_table(run):
    import pandas

    return pandas.read_sql(CHARGED_TWICE, run.database("payments"))


def yields(run):
    for order, n in run.rows("payments", CHARGED_TWICE):
        yield f"{order} was charged {n} times"


@pytest.mark.parametrize(
    ("function", "cause"),
    [
        (lambda run: run.rows("payments", CHARGED_TWICE), "o2, 2"),
        (lambda run: tuple(run.rows("payments", CHARGED_TWICE)), "o2, 2"),
        (lambda run: dict(run.rows("payments", CHARGED_TWICE)), "o2 2"),
        (lambda run: set(run.rows("payments", CHARGED_TWICE)), "o2, 2"),
        (lambda run: map(str, run.rows("payments", CHARGED_TWICE)), "('o2', 2)"),
        (
            lambda run: [dict(order=o, n=n) for o, n in run.rows("payments", CHARGED_TWICE)],
            "order o2, n 2",
        ),
        (pandas_table, "order_id o2, n 2"),
        (lambda run: pandas_table(run)["n"], "0 2"),
        (lambda run: pandas_table(run)["n"].to_numpy(), "2"),
        (yields, "o2 was charged 2 times"),
    ],
)
def test_evidence_comes_in_many_forms(function, cause):
    assert play().check(claim(function)).outcome == "holds"
    broken = play(faults=[SINGLE]).check(claim(function))
    assert (broken.outcome, broken.cause) == ("broken", cause)


@pytest.mark.parametrize(
    ("function", "cause"),
    [
        (lambda run: [s for s in run.journal if s.step == "crash"], "payments crash at 0.05 s"),
        (
            lambda run: [s for s in run.journal if s.step == "save"],
            "payments save OrderPlaced client-1 at",
        ),
        (
            lambda run: [s.envelope for s in run.journal if s.step == "handle"],
            "OrderPlaced client-1, and 2 more",
        ),
        (lambda run: ["very\n  long " * 1000], "very long very long"),
    ],
)
def test_steps_messages_and_long_texts_are_one_line_of_evidence(function, cause):
    verdict = play(faults=[SINGLE]).check(claim(function))
    assert verdict.cause.startswith(cause)
    assert "\n" not in repr(verdict) and len(repr(verdict)) < 300


@pytest.mark.parametrize("nothing", [None, [], (), {}, set(), iter(()), (n for n in ())])
def test_every_kind_of_nothing_is_no_evidence(nothing):
    def nothing_after_looking(run):
        run.rows("payments", "select * from charges")
        return nothing

    assert play().check(claim(nothing_after_looking)).outcome == "holds"


@pytest.mark.parametrize(
    "answer",
    [
        True,
        False,
        0,
        3,
        0.5,
        "o2 charged twice",
        "",
        b"x",
        object(),
        OrderPlaced(order_id="o1"),
        print,
    ],
)
def test_what_is_no_evidence_is_refused_with_a_sentence(answer):
    with pytest.raises(
        Misuse,
        match="the claim 'it is so' cannot be checked: .* returned .*; return the evidence against",
    ) as caught:
        play().check(claim(lambda run: answer))
    assert "0x" not in str(caught.value)


# -- not exercised, without about=


def rows(sql):
    return lambda run: run.rows("payments", sql)


NOTHING_READ = "it read no table and no step of the run"
NO_CHARGES, NO_REFUNDS = "payments.charges never had a row", "payments.refunds never had a row"


@pytest.mark.parametrize(
    ("read", "workload", "untested"),
    [
        (rows("select * from charges where 0"), two_orders, ""),
        (rows("select count(*) from charges where 0 having count(*) > 0"), two_orders, ""),
        (rows("select order_id from charged where 0"), two_orders, ""),
        (rows("select * from charges"), no_orders, NO_CHARGES),
        (rows("select * from charged"), no_orders, NO_CHARGES),
        (rows("select * from refunds"), two_orders, NO_REFUNDS),
        (rows("select * from charges, refunds"), two_orders, ""),
        (
            lambda run: run.database("payments").execute("select * from refunds"),
            two_orders,
            NO_REFUNDS,
        ),
        (rows("select * from charges"), orders_then_forget, ""),  # emptied later
        (rows("select * from settings"), orders_then_forget, ""),  # filled by the schema
        (
            lambda run: run.at(1.0).rows("payments", "select * from refunds"),
            two_orders,
            NO_REFUNDS,
        ),
        (lambda run: run.at(1.0).rows("payments", "select * from charges where 0"), two_orders, ""),
        (lambda run: [] if run.at(1.0).services["payments"].up else ["down"], two_orders, ""),
        (lambda run: run.steps[run.steps.step == "dead_letter"], two_orders, ""),
        (lambda run: [s for s in run.journal if s.step == "lost"], two_orders, ""),
        (lambda run: run.failures, two_orders, ""),
        (lambda run: run.failures, no_orders, "nothing happened"),
        (lambda run: [], two_orders, NOTHING_READ),
        (lambda run: None if run.seed == 0 else [run.system], two_orders, NOTHING_READ),
    ],
)
def test_a_claim_that_looked_where_nothing_ever_was_is_not_exercised(read, workload, untested):
    verdict = play(workload).check(claim(read))
    assert (verdict.outcome, verdict.cause) == ("not exercised" if untested else "holds", untested)


def test_a_row_that_was_rolled_back_was_never_there():
    run = play(faults=[f"fail payments.save.OrderPlaced #{n}" for n in range(1, 7)])
    assert run.check(claim(rows("select * from charges"))).outcome == "not exercised"


def test_checking_leaves_the_run_as_it_was():
    run = play()
    before = run.digest
    for _ in range(2):
        assert run.check(claim(rows("select * from charges where 0"))).outcome == "holds"
    assert run.digest == before and run.rows("payments", "select count(*) from charges") == [(2,)]


# -- mistakes


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (
            lambda run: run.rows("payments", "select * from charge"),
            "no such table: charge; tables of payments: charges",
        ),
        (
            lambda run: run.database("payments").execute("select * from charge"),
            "no such table: charge",
        ),
        (lambda run: run.rows("payments", "selct 1"), "syntax error"),
        (
            lambda run: run.rows("payment", "select 1"),
            "no service 'payment'; services: payments. Did you mean 'payments'",
        ),
        (
            lambda run: run.steps["servce"],
            "raised KeyError: 'servce'",
        ),
        (lambda run: run.stpes, "raised AttributeError"),
        (lambda run: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda run: (1 / 0 for _ in "a"), "raised ZeroDivisionError"),
    ],
)
def test_a_claim_that_raises_is_named(function, said):
    run = play()
    with pytest.raises(Misuse) as caught:
        run.check(claim(function))
    assert str(caught.value).startswith("the claim 'it is so' cannot be checked: ") and said in str(
        caught.value
    )
    assert caught.value.run is run


async def later(run):
    return []


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda: Claim(lambda run: []), "begins with its sentence"),
        (lambda: Claim(""), "begins with its sentence"),
        (
            lambda: Claim("x", about="PaymentCharged"),
            "about= takes a message class, not 'PaymentCharged'",
        ),
        (lambda: Claim("x", about=shop), "about= takes a message class, not a function (shop)"),
        (lambda: Claim("x")(later), "a plain function of one run: `def later"),
        (lambda: Claim("x")(lambda: []), "a plain function of one run"),
        (lambda: Claim("x")(lambda run, other: []), "a plain function of one run"),
        (lambda: Claim("x")(partial(lambda a, b: [])), "a plain function of one run: `def claim"),
        (lambda: Claim("x")("charges"), "not by 'charges'"),
        (lambda: Claim("x").check(play()), "decides nothing yet"),
        (lambda: charged_once(play()), "write run.check"),
        (
            lambda: charged_once.check(play().at(0.01)),
            "is checked on a whole run, charged_once.check(run), not on <shop at 0.01 s",
        ),
        (
            lambda: play().check(yields),
            "run.check takes a claim, not a function (yields); write @Claim",
        ),
        (
            lambda: play().check("charged_once"),
            "run.check takes a claim, not 'charged_once'",
        ),
    ],
)
def test_mistakes_in_declaring_a_claim(declare, said):
    with pytest.raises(Misuse) as caught:
        declare()
    assert said in str(caught.value) and "0x" not in str(caught.value)


def test_a_claim_of_a_cell_run_again_is_the_same_claim():
    again = Claim("each order is charged exactly once")(
        types.FunctionType(yields.__code__, globals(), "charged_once")
    )
    assert again == charged_once and {charged_once: 1}[again] == 1 and again != claim(yields)
    assert repr(charged_once) == "<Claim charged_once: each order is charged once>"


def test_a_verdict_gives_each_anomaly_in_words_and_without_times():
    def verdict(evidence, outcome="broken"):
        return Verdict("all is well", outcome, evidence, "").anomalies

    assert verdict(["late at 0.3 s", "by 20 ms", "2 sent"]) == ("late at …", "by …", "2 sent")
    assert verdict([("o1", 2)]) == ("o1, 2",) and verdict({"o1": 2, "o2": 3}) == ("o1 2", "o2 3")
    table = pytest.importorskip("pandas").DataFrame({"order": ["o1", "o2"], "times": [2, 3]})
    assert verdict(table) == ("order o1, times 2", "order o2, times 3")
    assert verdict(table["times"]) == ("0 2", "1 3")
    assert verdict([], "holds") == ()

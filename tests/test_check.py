"""`check` puts a function on trial: it finds the anomaly, never lets a wrong answer pass, and survives whatever it is given."""

import json
import sys

import pytest

from edalab import Claim, Event, System, Unanswered
from edalab.errors import Unknown
from edalab.practice import check, enrol, learner
from edalab.practice.exercise import Exercise, explored

SCHEMA = "create table charges (order_id text primary key, total integer); create table seen (id text)"


class OrderPlaced(Event, key="order_id"):
    order_id: str
    total: int


class PaymentCharged(Event, key="order_id"):
    order_id: str


@Claim("each order is charged once")
def charged_once(run):
    placed = {s.envelope.data.order_id for s in run.journal if s.step == "publish" and s.envelope.type == "OrderPlaced"}
    rows = dict(run.rows("payments", "select order_id, count(*) from charges group by 1"))
    return [f"{order} was charged {rows.get(order, 0)} times" for order in sorted(placed) if rows.get(order, 0) != 1]


@Claim("who charged says so", about=OrderPlaced)
def told(run):
    said = {s.envelope.data.order_id for s in run.journal if s.step == "publish" and s.envelope.type == "PaymentCharged" and s.fault != "crash"}
    return [order for (order,) in run.rows("payments", "select order_id from charges") if order not in said]


def build(charge, variant):
    shop = System("shop")
    payments = shop.service("payments", schema=SCHEMA)
    payments.on(OrderPlaced)(charge)

    async def one_order(ctx):
        await ctx.publish(OrderPlaced(order_id=f"order-{variant}", total=variant))

    return shop, one_order


HINTS = {"not charged once": ("Question?", "Pointer.", "Idea."), "not told": ("Who else?", "Publish.", "Return it.")}
ONE = Exercise(
    "05.2", "Charge", "event, ctx", explored(build, {"not charged once": charged_once, "not told": told}), HINTS,
    {"OrderPlaced": OrderPlaced, "PaymentCharged": PaymentCharged},
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_exercise(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["edalab.practice.check"], "exercise", lambda id: ONE)
    monkeypatch.setenv(learner.FILE, str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


def right(event, ctx):
    with ctx.database as db:
        db.execute("insert into charges values (?, ?) on conflict do nothing", (event.order_id, event.total))
    return PaymentCharged(order_id=event.order_id)


def test_a_stub_is_not_attempted():
    def with_raise(event, ctx):
        """Charge it."""
        raise NotImplementedError

    async def with_words(event, ctx):
        """Charge it."""
        raise NotImplementedError("your code here")

    def with_dots(event, ctx): ...

    def with_pass(event, ctx):
        pass

    for stub in (with_raise, with_words, with_dots, with_pass):
        assert check(stub, "05.2").outcome == "not attempted"


def test_a_right_answer_is_correct_and_says_how_much_was_tried(one_exercise):
    result = check(right, "05.2")
    assert result.correct and str(result).startswith("05.2 correct: ") and "every single fault, in two timings" in str(result)
    assert json.loads(one_exercise.read_text())["exercises"]["05.2"]["outcome"] == "correct"


def test_sync_and_async_with_and_without_a_helper_are_all_correct():
    async def charge(event, ctx):
        _charge(event, ctx)
        await ctx.publish(PaymentCharged(order_id=event.order_id))

    assert check(charge, "05.2").correct


def _charge(event, ctx):
    with ctx.database as db:
        if not db.execute("select 1 from charges where order_id = ?", (event.order_id,)).fetchone():
            db.execute("insert into charges values (?, ?)", (event.order_id, event.total))


def test_a_wrong_answer_is_told_its_anomaly_the_run_and_hints_that_grow_plainer():
    def charge(event, ctx):
        with ctx.database as db:
            if db.execute("select 1 from charges").fetchone():
                return None
            db.execute("insert into charges values (?, ?)", (event.order_id, event.total))
        return PaymentCharged(order_id=event.order_id)

    results = [check(charge, "05.2") for _ in range(4)]
    assert {result.anomaly for result in results} == {"not told"}
    assert [result.hint for result in results] == ["Who else?", "Publish.", "Return it.", "Return it."]
    assert [str(f) for f in results[0].run.faults] == ["crash payments.publish.PaymentCharged #1"]
    bundle, _ = results[0]._repr_mimebundle_()
    assert bundle["image/png"] and "when: crash payments.publish.PaymentCharged #1" in bundle["text/plain"]


def test_an_answer_that_does_nothing_does_not_pass():
    def charge(event, ctx):
        return event and None

    assert check(charge, "05.2").outcome == "not yet"


def test_an_answer_that_raises_is_told_the_line():
    def charge(event, ctx):
        return PaymentCharged(order_id=event.orderid)

    result = check(charge, "05.2")
    assert (result.anomaly, result.evidence) == (
        "raises", "line 2 of charge raised AttributeError: OrderPlaced has no 'orderid'; fields: order_id, total",
    )  # fmt: skip


@pytest.mark.parametrize("within", ["sync", "swallowing", "in a helper", "async"])
def test_an_answer_that_loops_for_ever_is_stopped(within):
    def sync(event, ctx):
        while True:
            pass

    def swallowing(event, ctx):
        while True:
            try:
                event.total + 1
            except Exception:
                pass

    def in_a_helper(event, ctx):
        _spin()

    async def awaiting(event, ctx):
        while True:
            await ctx.sleep(0)

    answer = {"sync": sync, "swallowing": swallowing, "in a helper": in_a_helper, "async": awaiting}[within]
    result = check(answer, "05.2")
    assert (result.outcome, result.anomaly) == ("not yet", "does not end" if within != "async" else "misuse")


def _spin():
    n = 0
    while True:
        n += 1


def test_what_is_printed_is_kept_short(capsys):
    def charge(event, ctx):
        print("x" * 10_000_000)
        return right(event, ctx)

    result = check(charge, "05.2")
    assert result.correct and len(str(result)) < 2_000 and "characters)" in str(result)
    assert capsys.readouterr().out == ""


def test_what_is_no_function_or_takes_other_parameters_is_told():
    class Charge:
        pass

    async def coroutine(event, ctx): ...

    def other(order): ...

    def three(event, ctx, more): ...

    said = [check(given, "05.2").evidence for given in (Charge, coroutine(1, 2), None, 3, print, three)]
    assert said[0] == "check takes a function that was written with def, not the class Charge"
    assert "leave out the parentheses" in said[1] and "not None" in said[2] and "leave out the parentheses" in said[3]
    assert said[5].endswith("takes (event, ctx, more), and here it is called with (event, ctx); write def three(event, ctx):")
    assert check(other, "05.2").outcome == "not attempted"  # a handler may leave out ctx


def test_the_names_of_the_exercise_are_those_it_came_with():
    namespace = {"OrderPlaced": None, "PaymentCharged": int}
    exec("def charge(event, ctx):\n with ctx.database as db:\n"
         "  db.execute('insert into charges values (?, ?) on conflict do nothing', (event.order_id, event.total))\n"
         " assert isinstance(event, OrderPlaced)\n return PaymentCharged(order_id=event.order_id)\n", namespace)  # fmt: skip
    assert check(namespace["charge"], "05.2").correct


def test_nothing_passes_before_all_has_been_tried(monkeypatch, one_exercise):
    class Stopped(Exercise):
        pass

    for error, words in ((KeyboardInterrupt(), "interrupted"), (RuntimeError("a hole"), "RuntimeError: a hole"), (None, "nothing")):
        def trial(answer, variant, error=error):
            if error is not None:
                raise error

        monkeypatch.setattr(sys.modules["edalab.practice.check"], "exercise", lambda id, trial=trial: Exercise("05.2", "", "event, ctx", trial, {}))
        result = check(right, "05.2")
        assert (result.outcome, result.anomaly) == ("not yet", "not finished") and words in result.evidence
    assert json.loads(one_exercise.read_text())["exercises"]["05.2"]["outcome"] == "not yet"


def test_what_was_correct_once_stays_correct(one_exercise):
    def wrong(event, ctx):
        raise Unanswered("payments", "x", 1)

    check(right, "05.2")
    check(wrong, "05.2")
    kept = json.loads(one_exercise.read_text())["exercises"]["05.2"]
    assert kept["outcome"] == "correct" and kept["tries"] == 2 and kept["anomalies"] == {"raises": 1}


def test_each_learner_has_a_variant():
    assert learner.variant() == 1
    assert enrol("Ada") == f"Ada, variant {learner.variant()}" and learner.variant() != 1


def test_a_damaged_file_is_put_aside(one_exercise):
    one_exercise.write_text("{")
    assert check(right, "05.2").correct
    assert one_exercise.with_suffix(".damaged.json").read_text() == "{"


def test_an_unknown_exercise_is_told_with_those_there_are(monkeypatch):
    monkeypatch.undo()
    with pytest.raises(Unknown, match="no exercise '99.9'"):
        check(right, "99.9")

"""`check` puts a function on trial: it finds the anomaly, never lets a wrong answer pass, and survives whatever it is given."""

import itertools
import json
import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy
import pytest

from edalab import Claim, Event, System, simulate, stuck
from edalab.errors import Hung, Misuse
from edalab.model import declared_in, message_types
from edalab.practice import check, enrol, learner
from edalab.practice.answer import Answer
from edalab.practice.check import Result
from edalab.practice.exercise import Anomaly, Exercise, explored, hints_of
from edalab.practice.explained import explained

SCHEMA = (
    "create table charges (order_id text primary key, total integer); create table seen (id text)"
)


class OrderPlaced(Event, key="order_id"):
    order_id: str
    total: int


class PaymentCharged(Event, key="order_id"):
    order_id: str


@Claim("each order is charged once, and announced", about=OrderPlaced)
def charged_once(run):
    placed = {
        s.envelope.data.order_id
        for s in run.journal
        if s.step == "publish" and s.envelope.type == "OrderPlaced"
    }
    rows = dict(run.rows("payments", "select order_id, count(*) from charges group by 1"))
    for order in sorted(placed):
        if rows.get(order, 0) != 1:
            yield "not charged once", f"{order} was charged {rows.get(order, 0)} times"
    said = {
        s.envelope.data.order_id
        for s in run.journal
        if s.step == "publish" and s.envelope.type == "PaymentCharged" and s.fault != "crash"
    }
    for (order,) in run.rows("payments", "select order_id from charges"):
        if order not in said:
            yield "not told", order


def build(charge, variant):
    shop = System("shop")
    payments = shop.service("payments", schema=SCHEMA)
    payments.on(OrderPlaced)(charge)

    async def one_order(ctx):
        await ctx.publish(OrderPlaced(order_id=f"order-{variant}", total=variant))

    return shop, one_order


HINTS = {
    "not charged once": ("Question?", "Pointer.", "Idea."),
    "not told": ("Who else?", "Publish.", "Return it."),
}
ONE = Exercise(
    "05.2", "Charge", "event, ctx", explored(build, charged_once, HINTS), HINTS,
    {"OrderPlaced": OrderPlaced, "PaymentCharged": PaymentCharged},
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_exercise(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules["edalab.practice.check"], "exercise", lambda id: ONE)
    monkeypatch.setenv(learner.FILE, str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


def right(event, ctx):
    with ctx.database as db:
        db.execute(
            "insert into charges values (?, ?) on conflict do nothing",
            (event.order_id, event.total),
        )
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
    assert (
        result.correct
        and str(result).startswith("05.2 correct: ")
        and "every single fault, in two timings" in str(result)
    )
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
    assert [result.hint for result in results] == [
        "Who else?",
        "Publish.",
        "Return it.",
        "Return it.",
    ]
    assert [str(f) for f in results[0].run.faults] == ["crash payments.publish.PaymentCharged #1"]


def test_what_goes_wrong_by_itself_has_hints_of_its_own(monkeypatch):
    def silent(event, ctx):
        _charge(event, ctx)

    def once(event, ctx):
        with ctx.database as db:
            if db.execute("select 1 from charges").fetchone():
                return None
        return right(event, ctx)

    hints = HINTS | {"not told, by itself": ("Who says it?", "Somebody must.", "You.")}
    monkeypatch.setattr(
        sys.modules["edalab.practice.check"], "exercise", lambda id: replace(ONE, hints=hints)
    )
    assert [check(answer, "05.2").hint for answer in (silent, once, silent)] == [
        "Who says it?",
        "Publish.",
        "You.",
    ]


def test_what_is_shown_is_a_text_and_below_it_the_timeline_of_the_failing_run(monkeypatch):
    def charge(event, ctx):
        with ctx.database as db:
            db.execute("insert into charges values (?, ?)", (event.order_id, event.total))

    shown = []
    monkeypatch.setattr("IPython.display.display", lambda thing, raw=False: shown.append(thing))
    check(charge, "05.2")._ipython_display_()
    text, picture = shown
    assert (
        text["text/plain"]
        == "05.2 not yet: not told\norder-1\nwhen nothing goes wrong\nHint: Who else?"
    )
    assert "<b>not told</b>" in text["text/html"] and picture.png()
    check(right, "05.2")._ipython_display_()
    assert len(shown) == 3 and "05.2 correct" in shown[2]["text/plain"]


def test_of_a_large_run_the_picture_is_the_story_that_the_evidence_names_first():
    shop = System("shop")

    @shop.service("payments").on(OrderPlaced)
    def charge(event): ...

    async def orders(ctx):
        for n in range(50):
            await ctx.publish(OrderPlaced(order_id=f"order-{n}", total=n))

    run = simulate(shop, orders)
    evidence = "at 7 s order-17 was charged 3 times, after order-4, as order-171 was not"
    picture = Result("05.2", "not yet", Anomaly("twice", evidence, run)).picture()
    assert "the story of OrderPlaced client-18 (order-17)" in picture.svg()
    assert Result("05.2", "not yet", Anomaly("twice", "at 7 s", run)).picture().svg()


def test_an_answer_that_does_nothing_does_not_pass():
    def charge(event, ctx):
        return event and None

    assert check(charge, "05.2").outcome == "not yet"


def test_an_answer_that_raises_is_told_the_line():
    def charge(event, ctx):
        return PaymentCharged(order_id=event.orderid)

    result = check(charge, "05.2")
    assert (result.anomaly, result.evidence) == (
        "raises", "line 2 of charge raised AttributeError: OrderPlaced has no 'orderid'; fields: order_id, total. "
        "Did you mean 'order_id'?",
    )  # fmt: skip


WAYS = [
    "sync",
    "swallowing",
    "swallowing all",
    "in a helper",
    "in a helper elsewhere",
    "async",
    "a generator",
    "in SQL",
    "in SQL, row by row",
]
WAYS += ["in SQL, swallowing"]


@pytest.mark.parametrize("within", WAYS)
def test_an_answer_that_loops_for_ever_is_stopped(within, monkeypatch):
    monkeypatch.setattr(stuck, "SECONDS", 1)

    def sync(event, ctx):
        while True:
            pass

    def swallowing(event, ctx):
        while True:
            try:
                event.total + 1
            except Exception:
                pass

    def swallowing_all(event, ctx):
        while True:
            try:
                event.nothing + 1
                break
            except:  # noqa: E722
                pass

    def in_a_helper(event, ctx):
        _spin()

    def around(function):
        return lambda event, ctx: function(event, ctx)

    def elsewhere(event, ctx, spin=around(lambda event, ctx: _spin())):
        spin(event, ctx)

    async def awaiting(event, ctx):
        while True:
            await ctx.sleep(0)

    def generating(event, ctx):
        return any(n < 0 for n in itertools.count())

    def in_sql(event, ctx):
        with ctx.database as db:
            db.execute(f"{NUMBERS} select count(*) from numbers")

    def row_by_row(event, ctx):
        with ctx.database as db:
            return db.execute(f"{NUMBERS} select n from numbers where n < 0").fetchall()

    def in_sql_swallowing(event, ctx):
        try:
            with ctx.database as db:
                db.execute(f"insert into charges {NUMBERS} select n, 1 from numbers")
        except Exception:
            pass

    answers = [
        sync,
        swallowing,
        swallowing_all,
        in_a_helper,
        elsewhere,
        awaiting,
        generating,
        in_sql,
        row_by_row,
        in_sql_swallowing,
    ]
    answer = dict(zip(WAYS, answers, strict=True))[within]
    result = check(answer, "05.2")
    assert (result.outcome, result.anomaly) == ("not yet", "does not end")


NUMBERS = "with recursive numbers(n) as (select 1 union all select n + 1 from numbers)"


@pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="no timer counts the processor's time here"
)
@pytest.mark.parametrize("swallowed", [(), Exception, BaseException])
def test_one_line_that_never_ends_is_stopped(monkeypatch, swallowed):
    def charge(event, ctx):
        try:
            re.match("(a+)+$", "a" * 60 + "b")
        except swallowed:
            return right(event, ctx)

    monkeypatch.setattr(stuck, "SECONDS", 0.1)
    monkeypatch.setattr(stuck, "PROBE_EVERY", 0.1)
    result = check(charge, "05.2")
    said = "payments.charge runs for ever without an await: line 3 of charge"
    assert result.anomaly == "does not end" and said in result.evidence
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)


def test_a_loop_in_a_thread_is_found_although_a_frame_could_not_be_read_once(monkeypatch):
    look, failed = stuck.Watched.look, []

    def first_in_vain(watched, frame):
        if not failed:
            failed.append(frame)
            raise AttributeError("'function' object has no attribute 'f_code'")
        return look(watched, frame)

    monkeypatch.setattr(stuck.Watched, "look", first_in_vain)
    monkeypatch.setattr(stuck, "SECONDS", 0.1)
    monkeypatch.setattr(stuck, "PROBE_EVERY", 0.05)

    raised = []

    def endless():
        try:
            with stuck.watched("the count"):
                _spin()
        except Hung as hung:
            raised.append(str(hung))

    thread = threading.Thread(target=endless, daemon=True)
    thread.start()
    thread.join(60)
    assert failed and "the count runs for ever" in raised[0]


def test_a_check_works_in_a_thread_as_well():
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(check, right, "05.2").result().correct


def _spin():
    n = 0
    while True:
        n += 1


async def patiently(event, ctx):
    while True:
        try:
            await ctx.sleep(1)
            event.nothing + 1
            break
        except:  # noqa: E722
            pass


def test_a_handler_that_waits_for_ever_and_swallows_everything_is_stopped():
    assert check(patiently, "05.2").anomaly == "does not end"


def test_a_function_that_only_returns_a_text_is_an_attempt():
    def charge(event, ctx):
        return "charged"

    assert check(charge, "05.2").outcome == "not yet"


seen, calls = {}, 0


def test_what_a_function_keeps_outside_of_itself_does_not_help_it():
    def in_a_dict(event, ctx):
        seen[event.order_id] = True
        return right(event, ctx)

    def in_a_number(event, ctx):
        global calls
        calls += 1
        return right(event, ctx)

    def in_a_default(event, ctx, known=[]):  # noqa: B006
        known.append(event.order_id)
        return right(event, ctx)

    def on_itself(event, ctx):
        on_itself.known.append(event.order_id)
        return right(event, ctx)

    on_itself.known = []
    around = []

    def in_a_closure(event, ctx):
        around.append(event.order_id)
        return right(event, ctx)

    def only_when_something_fails(event, ctx):
        if ctx.message.attempt > 1:
            seen[event.order_id] = True
        return right(event, ctx)

    class Memory:
        _known = []

        @classmethod
        def add(cls, id):
            seen[id] = True

    def in_a_class(event, ctx):
        Memory._known.append(event.order_id)
        return right(event, ctx)

    def by_a_method(event, ctx, memory=Memory()):
        memory.add(event.order_id)
        return right(event, ctx)

    def around_it(work):
        return lambda event, ctx: work(event, ctx)

    several = [
        in_a_dict,
        in_a_number,
        in_a_default,
        on_itself,
        in_a_closure,
        in_a_class,
        by_a_method,
    ]
    in_a_decorated_one = around_it(in_a_number)
    in_a_decorated_one.__name__ = "in_a_decorated_one"
    for answer in (*several, in_a_decorated_one, only_when_something_fails):
        seen.clear()
        result = check(answer, "05.2")
        assert (result.outcome, result.anomaly) == ("not yet", "changes what is outside"), (
            answer.__name__
        )
    assert result.evidence == "only_when_something_fails changed seen, which lies outside of it"


def test_what_a_function_keeps_in_a_class_of_the_exercise_does_not_help_it():
    def on_the_class(event, ctx):
        OrderPlaced.seen = [*getattr(type(event), "seen", []), event.order_id]
        return right(event, ctx)

    assert check(on_the_class, "05.2").anomaly == "changes what is outside"


def test_whatever_it_raises_it_has_not_passed():
    class Leaving(BaseException):
        pass

    def charge(event, ctx):
        raise Leaving("now")

    result = check(charge, "05.2")
    assert (result.anomaly, result.evidence) == ("raises", "line 2 of charge raised Leaving: now")


def test_the_second_timing_is_at_another_time_for_answers_that_know_the_first():
    def charge(event, ctx):
        return right(event, ctx) if ctx.now < 1 else None

    trial = explored(build, charged_once, HINTS, only=("of none", lambda fault: False))
    found = trial(Answer(charge, "event, ctx", ONE.names), 1)
    assert (found.name, found.run.journal[0].time) == ("not charged once", 1100)
    assert (
        trial(Answer(right, "event, ctx", ONE.names), 1)
        == "2 runs, every single fault of none, in two timings"
    )


def test_a_late_or_long_fault_is_tried_by_itself_and_beside_every_single_one():
    def charge(event, ctx):
        if ctx.message.attempt > 2:
            return None
        return right(event, ctx)

    again = ["crash payments.publish.PaymentCharged #1"]
    never = ["crash payments.handle.OrderPlaced #9"]
    tried = {}
    for name, more in {
        "single": {},
        "beside": {"beside": [again]},
        "alone": {"alone": [again]},
        "never": {"beside": [never]},
    }.items():
        trial = explored(build, charged_once, HINTS, **more)
        tried[name] = trial(Answer(charge, "event, ctx", ONE.names), 1)
    assert (
        tried["beside"].name == "not told"
        and [str(f) for f in tried["beside"].run.faults][0] == again[0]
    )
    assert len(tried["beside"].run.faults) == 2
    assert tried["alone"].endswith(f"every single fault, and under {again[0]}, in two timings")
    assert tried["never"] == tried["single"]  # what never happened is not said to have been tried


def test_hints_are_three_lines_below_one_name_or_several():
    three = ("Why?", "There.", "So.")
    text = "\n    lost | lost, by itself\n        Why?\n        There.\n        So.\n    "
    assert hints_of(text) == {"lost": three, "lost, by itself": three}
    with pytest.raises(ValueError):
        hints_of("lost\n  Why?\n  There.")


def trial_of(judge, among=(0, 9, 0.5)):
    """The trial of an exercise that asks for a number and the letter of a reason, which is (a)."""
    no = dict.fromkeys("bcd", ("no", None))
    what = "a number", among
    return explained("05.9", "", what, lambda v: {}, judge, "a", lambda *_: no, {}).trial


@pytest.mark.parametrize("value", [0, 10, 2.5, -3, 10**9])
def test_a_value_that_cannot_be_tried_is_told_what_can(value):
    trial = trial_of(lambda value, variant: "well", range(1, 10))
    said = f"the value is {value:g}; it is a number from 1 to 9"
    assert trial(Answer(lambda: (value, "a"), "", {}), 1).evidence == said
    assert trial(Answer(lambda: (9.0, "a"), "", {}), 1) == "well"


@pytest.mark.parametrize(
    "returned",
    [
        None,
        3,
        (3,),
        (3, "a", "b"),
        ("3", "a"),
        (True, "a"),
        (float("nan"), "a"),
        (float("inf"), "a"),
        (3, "e"),
        (3, None),
    ],
)
def test_a_value_and_a_reason_are_a_number_and_a_letter_of_the_list(returned):
    trial = trial_of(lambda value, variant: "well")
    assert trial(Answer(lambda: returned, "", {}), 1).name == "no value and reason"


@pytest.mark.parametrize(
    "returned",
    [(3, "a"), [3.0, " A"], (numpy.int64(3), "(a)"), (numpy.float64(3), "a:"), (Fraction(3), "a.")],
)
def test_a_number_is_a_number_and_a_letter_a_letter_however_they_are_written(returned):
    trial = trial_of(lambda value, variant: "well" if value == 3 else Anomaly("wrong", str(value)))
    assert trial(Answer(lambda: returned, "", {}), 1) == "well"


def test_a_wrong_reason_is_told_when_the_value_is_right():
    trial = trial_of(lambda value, variant: "well" if value == 3 else Anomaly("wrong", str(value)))
    found = [
        trial(Answer(lambda answer=answer: answer, "", {}), 1)
        for answer in ((3, "A"), (3, "b"), (2, "b"))
    ]
    assert found[0] == "well" and [anomaly.name for anomaly in found[1:]] == [
        "another reason",
        "wrong",
    ]


def test_reading_what_is_outside_is_no_fault():
    rates = {"card": 1}

    def charge(event, ctx):
        return right(event, ctx) if rates["card"] else None

    assert check(charge, "05.2").correct


def test_what_differs_from_run_to_run_is_found():
    class Counter:
        def __reduce__(self):
            raise TypeError("this cannot be compared")

        n = 0

    def charge(event, ctx, counter=Counter()):
        counter.n += 1
        ctx.note(f"handled for the {counter.n}th time")
        return right(event, ctx)

    assert check(charge, "05.2").anomaly == "two runs differ"


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

    said = [
        check(given, "05.2").evidence for given in (Charge, coroutine(1, 2), None, 3, print, three)
    ]
    assert said[0] == "check takes a function that was written with def, not the class Charge"
    assert (
        "in parentheses behind its name" in said[1]
        and "not None" in said[2]
        and "in parentheses behind its name" in said[3]
    )
    assert check("right", "05.2").evidence.endswith("not 'right': leave out the quotes")
    assert said[5].endswith(
        "takes (event, ctx, more), and here it is called with (event, ctx); write def three(event, ctx):"
    )
    assert check(other, "05.2").outcome == "not attempted"  # a handler may leave out ctx


def test_the_names_of_the_exercise_need_not_be_there():
    namespace = {}
    exec("def charge(event, ctx):\n with ctx.database as db:\n"
         "  db.execute('insert into charges values (?, ?) on conflict do nothing', (event.order_id, event.total))\n"
         " assert isinstance(event, OrderPlaced)\n return PaymentCharged(order_id=event.order_id)\n", namespace)  # fmt: skip
    assert check(namespace["charge"], "05.2").correct


def test_a_function_that_destroys_what_it_works_with_harms_the_next_check_in_nothing():
    def drops_the_table(event, ctx):
        with ctx.database as db:
            db.execute("drop table charges")

    def deletes_a_class(event, ctx):
        global PaymentCharged
        del PaymentCharged

    def changes_the_event(event, ctx):
        event.total = 0

    found = [
        check(answer, "05.2") for answer in (drops_the_table, deletes_a_class, changes_the_event)
    ]
    assert [result.anomaly for result in found] == ["misuse", "changes what is outside", "misuse"]
    assert "no such table" in found[0].evidence and "events are facts" in found[2].evidence
    assert check(right, "05.2").correct and PaymentCharged


def test_cells_may_be_copied_deleted_and_in_any_order(one_exercise):
    notebook = {"PaymentCharged": PaymentCharged, "OrderPlaced": OrderPlaced}
    cell = (
        "def charge(event, ctx):\n with ctx.database as db:\n"
        "  db.execute('insert into charges values (?, ?) on conflict do nothing', (event.order_id, event.total))\n"
        " return PaymentCharged(order_id=event.order_id)\n"
    )
    exec(cell, notebook)
    exec(cell.replace("charge(", "charge_again("), notebook)
    charge = notebook["charge"]
    del notebook["charge"], notebook["PaymentCharged"], notebook["OrderPlaced"]
    assert check(charge, "05.2").correct and check(notebook["charge_again"], "05.2").correct
    assert list(json.loads(one_exercise.read_text())["exercises"]) == ["05.2"]


def test_a_message_class_of_the_notebook_with_the_same_name_changes_nothing():
    def right_then(event, ctx):
        return right(event, ctx)

    class PaymentCharged(Event, topic="elsewhere", key="amount"):
        amount: int

    assert check(right_then, "05.2").correct


def test_by_name_an_exercises_class_is_meant_while_it_is_checked_and_the_learners_else():
    from edalab.exercises import lesson_02

    class AddressChanged(Event):
        customer: str

    theirs, ours = AddressChanged, lesson_02.AddressChanged
    assert message_types()["AddressChanged"] is theirs
    with declared_in(lesson_02.__name__):
        assert message_types()["AddressChanged"] is ours
    assert message_types()["AddressChanged"] is theirs


def test_a_function_that_returns_a_value_may_be_async_and_has_nothing_to_wait_for():
    async def three():
        return 3

    async def waits():
        await Forever()

    class Forever:
        def __await__(self):
            yield

    assert Answer(three, "", {}).call() == 3
    with pytest.raises(Misuse, match="waits awaits something"):
        Answer(waits, "", {}).call()


def test_nothing_passes_before_all_has_been_tried(monkeypatch, one_exercise):
    for error, words in (
        (KeyboardInterrupt(), "interrupted"),
        (RuntimeError("a hole"), "RuntimeError: a hole"),
        (None, "nothing"),
    ):

        def trial(answer, variant, error=error):
            if error is not None:
                raise error

        monkeypatch.setattr(
            sys.modules["edalab.practice.check"],
            "exercise",
            lambda id, trial=trial: Exercise("05.2", "", "event, ctx", trial, {}),
        )
        result = check(right, "05.2")
        assert (result.outcome, result.anomaly) == (
            "not yet",
            "not finished",
        ) and words in result.evidence
    assert json.loads(one_exercise.read_text())["exercises"]["05.2"]["outcome"] == "not yet"


def test_what_was_correct_once_stays_correct(one_exercise):
    def wrong(event, ctx):
        raise ValueError("payments")

    check(right, "05.2")
    check(wrong, "05.2")
    kept = json.loads(one_exercise.read_text())["exercises"]["05.2"]
    assert kept["outcome"] == "correct" and kept["anomalies"] == {"raises": 1}


def test_each_learner_has_a_variant():
    assert learner.variant() == 1
    assert enrol("Ada") == f"Ada, variant {learner.variant()}" and learner.variant() != 1


def test_a_damaged_file_is_put_aside(one_exercise):
    one_exercise.write_text("{")
    with pytest.warns(UserWarning, match="is now called .*damaged.json"):
        assert check(right, "05.2").correct
    assert one_exercise.with_suffix(".damaged.json").read_text() == "{"


def test_a_second_damaged_file_does_not_replace_the_first(one_exercise):
    for number, text in enumerate(("{first", "{second", "{third")):
        one_exercise.write_text(text)
        name = ("damaged", "damaged-2", "damaged-3")[number]
        with pytest.warns(UserWarning, match=rf"is now called .*\.{name}\.json"):
            check(right, "05.2")
        assert one_exercise.with_suffix(f".{name}.json").read_text() == text
    assert one_exercise.with_suffix(".damaged.json").read_text() == "{first"

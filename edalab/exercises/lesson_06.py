"""Exercises of lesson 06: how long to wait for an answer, the next step, and when to give up."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import partial

from ..model import System
from ..practice.answer import Answer
from ..practice.exercise import Anomaly, Exercise, Trial, explored, hints_of
from ..practice.explained import Refuted, explained
from ..sim import Fault, enumerate_faults, simulate
from ..sim.run import Run
from .general import sent
from .lesson_06_claims import coordinated, wrong_ends
from .lesson_06_system import NAMES, in_memory, led_by, orders_of, shop_of

HINTS = hints_of("""
never ends
    Where does this order stop, or at which step does it go round in circles?
    Write down its log at that moment, line by line. What does your function return for it?
    Use the log to find out what is done, undone and refused. Return OrderCompleted or OrderCancelled when nothing is left to do.
shipped unpaid | shipped, and still in stock
    Did your function ask for ShipOrder too early, or turn back after it had asked? What did the log say then?
    ShipOrder can't be undone. What must you know before you ask for it, and what may you do once you have asked?
    Go forward only while nothing is refused. Your undos add lines to the log, and after them you must not go forward again.
another end is announced
    Did shipping send a parcel in this run, and what does the last message say?
    OrderCompleted means that the parcel is on its way. OrderCancelled means that nothing is left behind.
    Return OrderCompleted when ShipOrder is done. Return OrderCancelled when a step was refused and every step that was done is undone.
never refunded | never released
    Was this step done? Which line of the log says so, or leaves it open?
    On the way back you undo every step that is done. What about a step that may be done, and an undo without an answer?
    You know nothing about a step without an answer. On the way back, undo it too, and ask for each undo until the log says that it is done.
never refunded, by itself | never released, by itself
    Write down the log of this run. Which lines say "done", and which of these steps have you undone?
    After a refusal, each step that is done is left to undo. Your function is called again after each undo, with the whole log.
    Return the undo of a step that is done and not undone yet. Return OrderCancelled when no such step is left.
in another order
    In which order were the steps done, and in which order were they undone?
    The docstring names the steps in the order in which they are done. A later one may depend on an earlier one. Which has to be undone first?
    Forward, ReserveInventory comes first. Back, go from the last step that is done to the first, with `reversed(done)`, and return the undo of the first one that is not undone yet.
undone, and never done
    Which line of the log says that the step you undo here was done, or may have been?
    A step that was refused, or that you never asked for, has changed nothing.
    Undo the steps whose last answer is "done" (in 06.3 also a step that you gave up on). After "refused" there is nothing to undo, even if an earlier answer was missing.
asked too often
    How often did this order get no answer to the same question, and what did your function ask for next?
    Ada can't wait for ever. As long as ShipOrder was not asked for, you can still turn back. Once you have turned back, the undos add lines to the log, and you must not go forward again.
    Count in the whole log, with `log.count((step, "no answer"))`. From three on, undo and cancel in the same way as after a refusal.
cancelled, and nobody refused
    Which line of the log made your function give up, and was it too early?
    As long as no step is refused, you go forward. Once or twice without an answer is no refusal.
    Go back if a line of the log says "refused" (in 06.3 also after three times "no answer" to one and the same step before ShipOrder).
forward again
    Which line of this log turned the order back, and what did your function look at when it asked for a forward step after that?
    Your undos add lines to the log, so the last line no longer says that a step was refused. Does your function still know then?
    Look at the whole log in each call. Once any of its lines says "refused" or names an undo, return only undos, and then OrderCancelled.
changes what is outside
    What does your function remember from its earlier calls, and where is that after a crash?
    Only the log is saved. After a crash, or in a second replica, your function has nothing else, and other orders call it in between.
    In each call, work out everything that you need from `log`. Count the lines there, and keep no list, counter or dict for the next call.
""")


# -- 06.1


def late(variant: int) -> float:
    """By how many seconds a message can be late."""
    return 1 + (variant - 1) % 30 / 10


def delayed(seconds: float, variant: int, faults: Sequence = ()) -> Run:
    """A run of the lesson's first coordinator with this time-out. Nobody refuses the order."""
    shop = shop_of(partial(in_memory, timeout=seconds))
    return simulate(shop, sent(orders_of(variant)[0]), faults=list(faults))


def left_by_a_late_message(seconds: float, variant: int) -> Anomaly | None:
    """The anomaly in the first run in which one late message leaves something behind, if any."""
    for fault in enumerate_faults(delayed(seconds, variant)):
        if fault.do == "delay" and fault.at.split(".")[1] in ("ask", "reply"):
            run = delayed(seconds, variant, [replace(fault, seconds=late(variant))])
            found = dict(wrong_ends(run))
            for name in ("shipped unpaid", "never refunded", "never released"):
                if name in found:
                    evidence = f"after {seconds:g} s without an answer, {found[name]}"
                    return Anomaly("taken for a refusal", evidence, run)
    return None


def long_enough(seconds: float, variant: int) -> Anomaly | str:
    shorter = round(seconds - 0.1, 1)
    if left_behind := left_by_a_late_message(seconds, variant):
        return left_behind
    if left_by_a_late_message(shorter, variant) is None:
        return Anomaly("longer than needed", f"a time-out of {shorter:g} s is long enough, too")
    return f"{seconds:g} s survives every late question and answer, and {shorter:g} s does not"


def against(seconds: float, variant: int) -> Refuted:
    lost = delayed(seconds, variant, ["drop payments.reply.ChargePayment #1"])
    kept = delayed(0.5, variant, ["delay payments.reply.ChargePayment #1"])
    slow = delayed(60, variant)
    b, c = (dict(wrong_ends(run))["never refunded"] for run in (lost, kept))
    end = f"with a time-out of 60 s, it ends at {slow.journal[-1].time / 1000:g} s"
    return {
        "b": (f"(b) would survive an answer that is lost; here {b}", lost),
        "c": (f"(c) would leave no charge behind; here {c}", kept),
        "d": (f"(d) would make this order, to which nothing happens, slower; {end}", slow),
    }


# -- 06.2 and 06.3


def _asked(shows_doubt: bool, **faults) -> Trial:
    def trial(answer: Answer, variant: int) -> Anomaly | str:
        def build(next_step: Callable, variant: int) -> tuple[System, list[Callable]]:
            by = partial(led_by, next_step=next_step, shows_doubt=shows_doubt, answered=answered)
            return shop_of(by), [*map(sent, orders_of(variant))]

        answered: dict[tuple, str] = {}
        judged = explored(build, coordinated, HINTS, **faults)(answer, variant)
        return judged if "two runs differ" in judged else _remembers(answer, answered) or judged

    return trial


def _remembers(answer: Answer, answered: dict[tuple, str]) -> Anomaly | None:
    """The anomaly of the shortest log that gets another answer the second time, if any."""
    again, others = copy(answer), []
    for log, before in sorted(answered.items(), key=lambda item: -len(item[0])):
        again.function, step = partial(answer.function, [*log]), None
        with suppress(Exception):
            step = again.call()
        if getattr(step, "__name__", step) != before:
            others.append(f"for the log {[*log]} it returned {before}, and later something else")
    return Anomaly("changes what is outside", others[-1]) if others else None


def _crash(fault: Fault) -> bool:
    return fault.at.startswith("orders.") and fault.do == "crash"


def _doubt(fault: Fault) -> bool:
    return _crash(fault) or fault.at.split(".")[1] in ("ask", "reply")


LOST = [f"drop inventory.reply.ReserveInventory #{n}" for n in (1, 2)]
AWAY = [  # longer than a customer may wait; in the last, a question arrives after its undo
    ["crash payments.reply.ChargePayment #1 for 60 s"],
    [*LOST, "drop payments.reply.ChargePayment #1"],
    ["crash inventory.reply.ReserveInventory #1 for 60 s"],
    ["crash shipping.reply.ShipOrder #1 for 60 s"],
    ["crash payments.handle.ChargePayment #1 for 3 s", "delay orders.ask.ChargePayment #3 for 5 s"],
]
NEXT = _asked(False, only=("that crashes the coordinator", _crash))
UNANSWERED = _asked(True, alone=AWAY, only=("that may leave a question without an answer", _doubt))


EXERCISES = [
    explained(
        "06.1",
        "Long enough to wait",
        ("a number of seconds", (0.1, 10_000, 0.1)),
        lambda variant: {"late": late(variant)},
        long_enough,
        "a",
        against,
        hints_of("""
            taken for a refusal
                When did the service answer, and when did the coordinator stop waiting?
                Your figures say by how much a message is late. What else takes time between a question and its answer?
                Your time-out has to be longer than the delay, the way there, the work and the way back together.
            longer than needed
                Did you give seconds, and is there a shorter time-out that survives the same faults?
                Go down in steps of 0.1 until the coordinator takes a late answer for a refusal.
                The answer is the last value before the first one that breaks.
            another reason
                Does this run agree with your reason?
                When does each answer come, if it comes? What has the service done by then, and does it learn how long anybody waits?
                A time-out is only the longest time that you wait. If you wait longer, a late answer comes in time, but a lost one never comes.
        """),
    ),
    Exercise("06.2", "What comes next", "log", NEXT, HINTS, NAMES),
    Exercise("06.3", "When nobody answers", "log", UNANSWERED, HINTS, NAMES),
]

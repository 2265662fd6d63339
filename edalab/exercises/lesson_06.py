"""Exercises of lesson 06: how long to wait, what comes next, and what comes next when nobody answers."""

from dataclasses import replace
from math import ceil

from ..practice.exercise import Anomaly, Exercise, explained, explored
from ..sim import enumerate_faults, simulate
from ..sim.run import Run
from . import lesson_06_claims as claims
from .lesson_06_shop import COMMANDS, ENDS, UNDO, in_memory, led_by, orders_of, placed, shop_of

CLAIMS = {
    "never ends": claims.every_order_ends,
    "shipped unpaid": claims.paid,
    "shipped, and still in stock": claims.reserved,
    "never refunded": claims.refunded,
    "never released": claims.released,
    "not in reverse": claims.in_reverse,
    "undone, and never done": claims.nothing_needless,
    "another end is told": claims.told_as_it_was,
    "cancelled, and nobody refused": claims.not_given_up,
}
HINTS = {
    "never ends": (
        "Where does the story of this order stop, or go round and round?",
        "Write down its log as it is there, line by line. What does your function return for it, or does it raise?",
        "Decide by what the log says is done, undone and refused, and return OrderCompleted or OrderCancelled when nothing is left to do.",
    ),
    "shipped unpaid": (
        "What did the log say of ChargePayment and of ShipOrder when the next step was chosen?",
        "ShipOrder cannot be undone. What must be known before it is asked for, and what once it has been?",
        "Ask for ShipOrder when ReserveInventory and ChargePayment are done; from then on go back only if it is refused.",
    ),
    "shipped, and still in stock": (
        "What did the log say of ReserveInventory and of ShipOrder when the next step was chosen?",
        "ShipOrder cannot be undone. What must be known before it is asked for, and what once it has been?",
        "Ask for ShipOrder when ReserveInventory and ChargePayment are done; from then on go back only if it is refused.",
    ),
    "never refunded": (
        "Was the money taken, and which line of the log says so, or leaves it open?",
        "On the way back every step that is done has to be undone. And one that may be done?",
        "Return RefundPayment until the log says that it is done; of a step without an answer you know nothing, so ask for it again.",
    ),
    "never released": (
        "Was the tea set aside, and which line of the log says so, or leaves it open?",
        "On the way back every step that is done has to be undone. And one that may be done?",
        "Return ReleaseInventory until the log says that it is done; of a step without an answer you know nothing, so ask for it again.",
    ),
    "not in reverse": (
        "In which order were the steps done, and in which were they undone?",
        "What was built last stands on what was built first.",
        "Go through what is done from the end: `reversed(done)`, and the first that is not undone yet comes next.",
    ),
    "undone, and never done": (
        "What did the service answer to the step that is undone here?",
        "A step that was refused has changed nothing.",
        "Undo the steps whose answer is done, and no others.",
    ),
    "another end is told": (
        "Has shipping sent a parcel in this run, and what does the end say?",
        "OrderCompleted means that the parcel is out, OrderCancelled that nothing is left behind.",
        "Return OrderCompleted when ShipOrder is done, and OrderCancelled when a step was refused and all that was done is undone.",
    ),
    "cancelled, and nobody refused": (
        "Which line of the log made your function give up?",
        "As long as every answer is done, the way leads forward.",
        "Go back only when the log has a line with refused in it.",
    ),
}
NAMES = COMMANDS | ENDS | {"UNDO": UNDO}


# -- 06.1


def late(variant: int) -> float:
    """By how many seconds a message can be late."""
    return 1 + (variant - 1) % 30 / 10


def delayed(seconds: float, variant: int, faults: list = ()) -> Run:
    """An order that nobody refuses, and the lesson's first coordinator, which waits so long for each answer."""
    story = placed(orders_of(variant)[0])
    return simulate(shop_of(in_memory(seconds)), story, faults=list(faults))


def in_doubt(seconds: float, variant: int) -> tuple[Run, str] | None:
    """The first run in which a single message is late, and something is left behind; with what it is."""
    for fault in enumerate_faults(delayed(seconds, variant)):
        if fault.do == "delay" and fault.at.split(".")[1] in ("ask", "reply"):
            run = delayed(seconds, variant, [replace(fault, seconds=late(variant))])
            for claim in (claims.paid, claims.refunded, claims.released):
                if cause := run.check(claim).cause:
                    return run, cause
    return None


def long_enough(seconds: float, variant: int) -> Anomaly | str:
    if found := in_doubt(seconds, variant):
        told = f"after {seconds:g} s without an answer: {found[1]}"
        return Anomaly("taken for a refusal", told, found[0])
    shorter = ceil(seconds * 10 - 1.001) / 10  # the tenth before
    if shorter >= 0.1 and in_doubt(shorter, variant) is None:
        told = f"{shorter:g} s wait long enough for everything that is late, too"
        return Anomaly("longer than needed", told)
    return f"every question and every answer late, with {seconds:g} s and with {shorter:g} s"


def _lost_is_lost(seconds: float, variant: int) -> tuple[str, Run]:
    run = delayed(seconds, variant, ["drop payments.reply.ChargePayment #1"])
    told = f"here {run.check(claims.refunded).cause}"
    return f"(b) would survive an answer that is lost; {told}", run


def _nobody_takes_back(seconds: float, variant: int) -> tuple[str, Run]:
    run = delayed(0.5, variant, ["delay payments.reply.ChargePayment #1"])
    return f"(c) would leave no charge behind; here {run.check(claims.refunded).cause}", run


def _no_slower(seconds: float, variant: int) -> tuple[str, Run]:
    run = delayed(60, variant)
    told = f"here it ends at {run.journal[-1].time / 1000:g} s"
    return f"(d) would make this order wait for a minute at each step; {told}", run


# -- 06.2 and 06.3


def _answered(next_step, variant: int):
    return shop_of(led_by(next_step, in_doubt=False)), [
        placed(order) for order in orders_of(variant)
    ]


def _unanswered(next_step, variant: int):
    return shop_of(led_by(next_step, in_doubt=True)), [
        placed(order) for order in orders_of(variant)
    ]


CRASHES = (
    "that crashes the coordinator",
    lambda fault: fault.at.startswith("orders.") and fault.do == "crash",
)
DOUBTS = (
    "that may leave a question without an answer",
    lambda fault: CRASHES[1](fault) or fault.at.split(".")[1] in ("ask", "reply"),
)
AWAY = [  # asking once more is not enough
    ["crash payments.handle.ChargePayment #1 for 5 s"],
    ["crash shipping.handle.ShipOrder #1 for 5 s"],
    ["crash payments.reply.RefundPayment #1 for 5 s"],
]


EXERCISES = [
    explained(
        "06.1",
        "Long enough to wait",
        ("a number of seconds", (0.1, 60)),
        lambda variant: {"late": late(variant)},
        long_enough,
        {"a": None, "b": _lost_is_lost, "c": _nobody_takes_back, "d": _no_slower},
        {
            "taken for a refusal": (
                "When did the service answer, and when did the coordinator stop waiting?",
                "A late message comes as much later as your figures say. What else takes time between question and answer?",
                "The time-out has to be longer than the delay, the way there, the work and the way back together.",
            ),
            "longer than needed": (
                "Is there a shorter time-out that survives the same?",
                "Go down in steps of 0.1 until something that is late is taken for a refusal.",
                "The answer is the last value before the first one that breaks.",
            ),
            "another reason": (
                "Does this run agree with your reason?",
                "Look at the hourglass: what has the service done by then, and does it hear that nobody waits any more?",
                "What is late comes in time if one waits longer; what is lost never comes.",
            ),
        },
    ),
    Exercise(
        "06.2", "What comes next", "log", explored(_answered, CLAIMS, only=CRASHES), HINTS, NAMES
    ),
    Exercise(
        "06.3",
        "When nobody answers",
        "log",
        explored(_unanswered, CLAIMS, alone=AWAY, only=DOUBTS),
        HINTS,
        NAMES,
    ),
]

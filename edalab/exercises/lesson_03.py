"""Exercises of lesson 03: what was known on which day, and withdrawals decided rightly, and once."""

from datetime import date, timedelta

from ..errors import ConcurrencyError, Unanswered
from ..practice.exercise import Anomaly, Exercise, explained, explored
from ..sim import Fault
from ..store.event_store import EventStore
from . import lesson_03_bank as bank
from . import lesson_03_claims as claims

OURS = "AccountOpened MoneyDeposited MoneyWithdrawn WithdrawalRefused CheckFraud Withdraw balance"
NAMES = {name: getattr(bank, name) for name in OURS.split()}
NAMES |= {"EventStore": EventStore, "ConcurrencyError": ConcurrencyError, "Unanswered": Unanswered}
HINTS = {
    "not what was asked": (
        "Which account and which amount does the command name, and which does the event?",
        "The stream is named like the account, and the event has the command's amount. Who causes it, the store notes by itself.",
        "`append(command.account, [MoneyWithdrawn(amount=command.amount)])`, or the same with WithdrawalRefused.",
    ),
    "paid twice": (
        "How often did accounts handle this command, and how could it have known the second time?",
        "Each stored event has a causation: the id of the message that was handled. `ctx.message.id` is that of the present one.",
        "If an event of this stream has the causation ctx.message.id, it is decided: return. Look whenever you read for a decision.",
    ),
    "refused, and paid": (
        "What did accounts decide about this command the first time, and what has happened to the account since?",
        "A refusal is a decision, too, and there is an event of it in the stream.",
        "Look for the causation ctx.message.id among all events of the stream, not among the withdrawals only.",
    ),
    "paid unchecked": (
        "What had fraud said about this withdrawal when it was stored?",
        'fraud answers with {"ok": True} or {"ok": False}, and a question without an answer is not a yes.',
        'Await `ctx.ask(CheckFraud(account=command.account, amount=command.amount))`, and pay only if its answer["ok"] is true.',
    ),
    "overdrawn": (
        "What was in the account when your function decided, and what when it appended?",
        "While one replica waits for fraud, the other one works. Which number tells whether anything was stored meanwhile?",
        "Note the version of this stream where you read it, and append with expected_version=. Who comes second decides again.",
    ),
    "refused with money enough": (
        "What was in the account when the refusal was stored?",
        "A refusal is decided on a balance as well, and that may be an old one. Compare with the command's amount exactly, too.",
        "Refuse where the balance is less than command.amount or fraud has said no (silence is no answer), with the expected version, too.",
    ),
    "never decided": (
        "Which way through your function did this command take, and what did it leave in the stream?",
        "Each command ends as MoneyWithdrawn or as WithdrawalRefused. What if it is handled again, what if two of them are alike?",
        "Append one of the two in every case; a ConcurrencyError is not to be swallowed: let it out, or read and decide again.",
    ),
}


def late(fault: Fault) -> bool:
    return fault.do == "delay"


def withdrawal(fault: Fault) -> bool:
    return fault.at.endswith((".Withdraw", "reply.CheckFraud"))


RIGHTLY = explored(bank.bank_of, claims.CLAIMS, only=("that makes something late", late))
OF_WITHDRAWALS = "of a withdrawal and of fraud's answer", withdrawal
ONCE = explored(bank.bank_of, claims.CLAIMS, only=OF_WITHDRAWALS)


# -- 03.1

CORRECTED = [  # in data/bank-2025.csv: an account, the day of a deposit, the day it was recorded,
    # the balance at the end of the former, and the balance that was believed until the latter
    ("account-9", "2025-04-26", "2025-05-03", 2950, 3220),
    ("account-9", "2025-05-24", "2025-06-04", 3143, 12863),
    ("account-25", "2025-05-24", "2025-06-05", 2044, 20404),
    ("account-25", "2025-09-24", "2025-09-29", 3892, 22252),
    ("account-1", "2025-09-30", "2025-10-08", 3677, 5477),
    ("account-13", "2025-11-24", "2025-11-30", 4212, 13212),
    ("account-10", "2025-04-11", "2025-04-24", 2509, 3949),
]


def corrected(variant: int) -> tuple[str, date, date, int, int]:
    account, day, recorded, was, believed = CORRECTED[(variant - 1) % len(CORRECTED)]
    return account, date.fromisoformat(day), date.fromisoformat(recorded), was, believed


def which(variant: int) -> dict[str, str]:
    account, day, recorded, *_ = corrected(variant)
    return {"account": account, "day": f"{day}", "month": f"{recorded:%B}"}


def known(number: int, variant: int) -> Anomaly | str:
    _, day, recorded, was, believed = corrected(variant)
    eve, of_month = recorded - timedelta(1), f"{recorded:%B}"
    if number < recorded.day:
        known = f"the report on {_day(day)} says {believed}; it was {was}"
        if recorded.replace(day=number) < day:
            known = f"{_day(day)} is still to come"
        return Anomaly("not yet known", f"on {number} {of_month} {known}")
    if number > recorded.day:
        evidence = f"on {number - 1} {of_month} the report on {_day(day)} says {was} as well"
        return Anomaly("known before", evidence)
    return f"the report on {_day(day)}, as of {eve.day} and of {_day(recorded)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"


def _as_happened(number: int, variant: int) -> tuple[str, None]:
    _, day, _, was, believed = corrected(variant)
    report = f"the report of {_day(day)} itself"
    return f"(a) would make {report} right; it says {believed}, and it was {was}", None


def _changed(number: int, variant: int) -> tuple[str, None]:
    _, _, recorded, _, believed = corrected(variant)
    asked = f"ask today what was known on {_day(recorded - timedelta(1))}"
    return f"(c) would leave nothing of the old amount; but {asked}, and it is {believed}", None


def _until_later(number: int, variant: int) -> tuple[str, None]:
    recorded = corrected(variant)[2]
    report = f"until={_day(recorded)}, as of {_day(recorded - timedelta(1))}"
    return f"(d) would make {report}, right; but that report has the wrong amount, too", None


EXERCISES = [
    explained(
        "03.1",
        "Known on which day",
        ("a day of the month, a whole number", range(1, 32)),
        which,
        known,
        {"a": _as_happened, "b": None, "c": _changed, "d": _until_later},
        {
            "not yet known": (
                "What does the report get wrong on that day, and what had been recorded by then?",
                "Look at the end of `year.table(account, balance, 0, until=day)`: which event happened on that day and was recorded later?",
                "Keep until at the day of your figures, and move as_of from day to day until the state is that without as_of.",
            ),
            "known before": (
                "What does the report say that was written the day before?",
                "Go back with as_of one day at a time. A date alone means the end of that day.",
                "The answer is the first day as_of which the state is that without as_of.",
            ),
            "another reason": (
                "Does this number agree with your reason?",
                "Which of the two times does until look at, and which as_of?",
                "A correction has happened at once, and counts in a report from when it is recorded.",
            ),
        },
    ),
    Exercise("03.2", "Decide on what there is", "command, ctx", RIGHTLY, HINTS, NAMES),
    Exercise("03.3", "Decide once", "command, ctx", ONCE, HINTS, NAMES),
]

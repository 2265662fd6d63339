"""Exercises of lesson 03: what was known on which day, withdrawals that decide on what there is, and each of them once."""

from ..errors import ConcurrencyError, Unanswered
from ..practice.exercise import Anomaly, Exercise, explained, explored
from ..sim import Fault
from ..store.event_store import EventStore
from . import lesson_03_bank as bank
from . import lesson_03_claims as claims

OURS = (
    "AccountOpened",
    "MoneyDeposited",
    "MoneyWithdrawn",
    "WithdrawalRefused",
    "CheckFraud",
    "Withdraw",
    "balance",
)
NAMES = {name: getattr(bank, name) for name in OURS}
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


# -- 03.1

EARLIER = "2025-04-24T07:27:13Z"
ACCOUNT_9 = [  # type, amount, happened, recorded; what came before 26 April in one sum
    ("MoneyDeposited", 2920, EARLIER, EARLIER),
    ("MoneyDeposited", 300, "2025-04-26T10:35:05Z", "2025-04-26T10:35:05Z"),
    ("MoneyWithdrawn", 123, "2025-04-27T09:55:50Z", "2025-04-27T09:55:50Z"),
    ("MoneyDeposited", -270, "2025-04-26T10:35:05Z", "2025-05-03T18:46:32Z"),  # the correction
    ("MoneyWithdrawn", 166, "2025-05-13T17:56:29Z", "2025-05-13T17:56:29Z"),
]


def said(until: str, as_of: str | None) -> int:
    """What a report says that account 9 had on a day, by what was known on another."""
    store = EventStore(":memory:")
    for kind, amount, happened, recorded in ACCOUNT_9:
        store.append(
            "account-9", [NAMES[kind](amount=amount)], happened=happened, recorded=recorded
        )
    return store.state("account-9", bank.balance, 0, until=until, as_of=as_of)


def known(day: float, variant: int) -> Anomaly | str:
    if day != int(day) or not 1 <= day <= 31:
        return Anomaly(
            "no value and reason",
            f"the value is {day:g}; the days of May are whole numbers from 1 to 31",
        )
    day = int(day)
    was, told = said("2025-04-26", None), said("2025-04-26", f"2025-05-{day:02}")
    if told != was:
        return Anomaly(
            "not yet known", f"on {day} May the report on 26 April says {told}; it was {was}"
        )
    if day > 1 and said("2025-04-26", f"2025-05-{day - 1:02}") == was:
        return Anomaly(
            "known before", f"on {day - 1} May the report on 26 April says {was} as well"
        )
    return f"the report on 26 April, as of {day - 1} and of {day} May"


def _as_happened(variant: int) -> Anomaly:
    told = said("2025-04-26", "2025-04-30")
    return Anomaly(
        "another reason",
        f"(a) would make the report of 30 April right; it says {told}, and it was {said('2025-04-26', None)}",
    )


def _changed(variant: int) -> Anomaly:
    told = said("2025-04-26", "2025-05-02")
    return Anomaly(
        "another reason",
        f"(c) would leave nothing of the old amount; but ask today what was known on 2 May, and it is {told}",
    )


def _until_later(variant: int) -> Anomaly:
    told, was = said("2025-05-05", "2025-05-02"), said("2025-05-05", None)
    return Anomaly(
        "another reason",
        f"(d) would make until=5 May, as of 2 May, right; that says {told}, and it was {was}",
    )


EXERCISES = [
    Exercise(
        "03.1",
        "Known on which day",
        "",
        explained(known, {"a": _as_happened, "b": None, "c": _changed, "d": _until_later}),
        {
            "not yet known": (
                "What does account 9 get wrong on that day, and what had been recorded by then?",
                'Look at the end of `year.table("account-9", balance, 0, until="2025-04-30")`: which event happened on the 26th and was recorded later?',
                "Keep until at 26 April, and move as_of from day to day until the state is that without as_of.",
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
    Exercise(
        "03.2",
        "Decide on what there is",
        "command, ctx",
        explored(bank.bank_of, claims.CLAIMS, only=("that makes something late", late)),
        HINTS,
        NAMES,
    ),
    Exercise(
        "03.3",
        "Decide once",
        "command, ctx",
        explored(
            bank.bank_of, claims.CLAIMS, only=("of a withdrawal and of fraud's answer", withdrawal)
        ),
        HINTS,
        NAMES,
    ),
]

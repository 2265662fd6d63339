"""Exercises of lesson 03: decide correctly, decide once, and find the day a fact became known."""

from datetime import date, timedelta

from ..errors import ConcurrencyError, Unanswered
from ..practice.exercise import Anomaly, Exercise, explored, hints_of
from ..practice.explained import Refuted, explained
from ..store.event_store import EventStore
from . import lesson_03_system as bank
from .general import by_name
from .lesson_03_claims import decided_once

OURS = "AccountOpened MoneyDeposited MoneyWithdrawn WithdrawalRefused CheckFraud Withdraw balance"
NAMES = {name: getattr(bank, name) for name in OURS.split()}
NAMES |= by_name(EventStore, ConcurrencyError, Unanswered)
HINTS = hints_of("""
raises
    What does the message say, and may this error leave your function?
    If it is Unanswered, how long does your ctx.ask wait, and how long does fraud need? If you raise it yourself, the queue delivers the command again, and that doesn't help. Otherwise print the values that this line uses.
    Give ctx.ask more than 0.6 seconds. Append WithdrawalRefused if fraud says no, and let a ConcurrencyError out as it is. Every name that you use must be a parameter, or be defined or imported before.
not what was asked
    Which account and which amount does the command name, and which does the event?
    Each account has a stream of its own name, and the event has the command's amount. The store adds the cause.
    Write `append(command.account, [MoneyWithdrawn(amount=command.amount)])`, or the same with WithdrawalRefused.
paid unchecked
    What had fraud answered about this withdrawal when it was stored?
    fraud answers with {"ok": True} or {"ok": False}. No answer is not a yes.
    Await `ctx.ask(CheckFraud(**command.model_dump()))`, and pay only if `answer["ok"]` is true.
decided twice
    Which call of your function stored each of these events, and how could the second have known of the first?
    A command may lead to one payment or one refusal. Each stored event has a causation, the id of its command.
    Read the stream `command.account`, and return if an event of any type has the causation ctx.message.id. Append with the version of that read, a refusal too.
decided twice, by itself
    Which path does this command take through your function, and how often does it append on that path?
    Nothing was delivered twice here, so one call of your function stored both events.
    Put the second append under an `else`, or return after the first one.
overdrawn
    What was in the account when your function decided, and what was in it when it appended?
    Is it the balance of `command.account` alone, as the fold `balance` counts it? And which number tells you what was stored while you waited for fraud?
    Deposits add money, withdrawals take it, and refusals change nothing. Append with expected_version=, the version from the read on which you decided. The second writer then reads and decides again.
refused unanswered
    What had fraud answered when the refusal was stored?
    No answer is not a no. How long does your ctx.ask wait, and what does your function do after that?
    Let the `Unanswered` out, however often you asked. The queue then delivers the command again. A longer timeout only makes it rarer.
refused with money enough
    What was in the account when the refusal was stored, and what did your function take it to be?
    You decide on a balance when you refuse, too, and it may be an old one. Does the last euro count, and do you count as `balance` does?
    Refuse only if the balance is less than command.amount or fraud said no, and append the refusal with the expected version. A refusal takes no money.
a dead letter
    What did each attempt at this command raise, and why would the next one raise it again?
    A ConcurrencyError each time means that the stream never has the version you expect. Unanswered each time means that you don't wait long enough.
    Expect the number of all events in the stream when you read it. If the command has been decided already, just return.
never decided
    Which path did this command take through your function, and what did it leave in the stream?
    Did you drop a ConcurrencyError or an Unanswered? Or did you take the command for another with the same amount, or mark it as done too early?
    Append one of the two on every path, and let both of these errors out. Recognise a command by its ctx.message.id alone, and mark it where you append.
misuse
    The sentence above says what went wrong. What does it tell you to write instead?
    Is it about an id? The store takes each id only once, and a new id doesn't tell you that a command has come again. Is it about a call? Compare it with the same call in the lesson.
    In an `async def`, await ctx.ask outside of every `with ctx.database`, and append a list. Recognise a command by ctx.message.id, which is the same at each delivery, and look for it before you append.
""")
LATE = "that makes something late", lambda fault: fault.do == "delay"
OF_WITHDRAWALS = (
    "of a withdrawal and of fraud's answer",
    lambda fault: fault.at.endswith((".Withdraw", "reply.CheckFraud")),
)
# Three late questions in a row about a command. After 5 s without an ack it is delivered again.
ASK = "delay accounts.ask.CheckFraud"
LATE_ASKS = [[f"{ASK} #{n}" for n in range(1, 10)], [f"{ASK} #{n} for 2 s" for n in (4, 5, 6)]]
RIGHTLY = explored(bank.bank_of, decided_once(1), HINTS, alone=LATE_ASKS, only=LATE)
ONCE = explored(bank.bank_of, decided_once(), HINTS, only=OF_WITHDRAWALS)


# -- 03.3

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
    eve = _day(recorded - timedelta(1))
    if number == recorded.day:
        return f"the balance of {_day(day)}, in the reports of {eve} and of {_day(recorded)}"
    if number < recorded.day or number == day.day:  # 26 means 26 April
        evening = day if number == day.day else recorded.replace(day=number)
        known = f"the report gives {believed} for {_day(day)}, and the account had {was}"
        if evening < day:
            known = f"{_day(day)} is still to come"
        return Anomaly("not yet known", f"on {_day(evening)} {known}")
    earlier = f"the report of {number - 1} {recorded:%B} already gives {was} for {_day(day)}"
    return Anomaly("known before", f"your {number} is read as {number} {recorded:%B}; {earlier}")


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"


def against(number: int, variant: int) -> Refuted:
    _, day, recorded, was, believed = corrected(variant)
    eve, then = _day(recorded - timedelta(1)), _day(recorded)
    at_once = f"(a) would make the report of {_day(day)} right, but it gives {believed}, not {was}"
    changed = f"(c) would leave no trace of {believed}, but as of {eve} you still get it today"
    later = f"(d) would make until={then}, as of {eve}, right, but that is wrong too"
    return {"a": (at_once, None), "c": (changed, None), "d": (later, None)}


EXERCISES = [
    Exercise("03.1", "Decide on what there is", "command, ctx", RIGHTLY, HINTS, NAMES),
    Exercise("03.2", "Decide once", "command, ctx", ONCE, HINTS, NAMES),
    explained(
        "03.3",
        "Known on which day",
        ("a day of the month, a whole number", range(1, 32)),
        which,
        known,
        "b",
        against,
        hints_of("""
            not yet known
                What does the report get wrong on that day, and what had been recorded by then?
                Look at the end of `year.table(account, balance, 0, until=day)`. Which event happened on that day and was recorded later?
                Keep `until` at the day in your figures, and move `as_of` from day to day until you get the same state as without `as_of`.
            known before
                What does the report of the day before give?
                Leave `until` at the day in your figures, and go back with `as_of` one day at a time. A date alone means the end of that day.
                Find the first day for `as_of` on which you get the same state as without `as_of`.
            another reason
                Does this number agree with your reason?
                Which of the two times does `until` limit, and which one does `as_of` limit?
                The store only adds events and changes none. A correction belongs to the day on which it happened, and a report knows it from the day on which it was recorded.
        """),
    ),
]

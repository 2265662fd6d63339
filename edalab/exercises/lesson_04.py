"""Exercises of lesson 04: the checkpoint that a table needs, a projection that counts each entry once, and none too early."""

from ..errors import Unanswered
from ..practice.exercise import Anomaly, Exercise, explained, explored
from ..sim import Fault, enumerate_faults, simulate
from ..sim.run import Run
from . import lesson_04_bank as bank
from . import lesson_04_claims as claims

NAMES = {name: getattr(bank, name) for name in ("EntryRecorded", "EntriesAfter", "at", "move")} | {
    "Unanswered": Unanswered
}
HINTS = {
    "a dead letter": (
        "What does your function raise, and what would have to happen for the next attempt to succeed?",
        "What it waits for stands behind this entry, in the same partition, and cannot come before this one is out of the way.",
        "Do not wait for what is missing: fetch it, `await ctx.ask(EntriesAfter(position=…))`, and return without an error.",
    ),
    "applied twice": (
        "How often was this entry handled, and what did the table know of the first time?",
        "An entry has a position. Is the checkpoint saved when the table is, and is it looked at before each entry, fetched ones too?",
        "In one `with ctx.database as db:` look at the checkpoint, change the table, and move the checkpoint to this entry's position.",
    ),
    "skipped": (
        "What did the checkpoint say when this entry came, and was the entry in the table by then?",
        "A checkpoint says: all up to here is in the table. What if the table is not saved, and what if an earlier entry is still to come?",
        "Save table and checkpoint in one transaction; and if an entry is not the next one, ask for EntriesAfter(position=the checkpoint).",
    ),
    "overtaken": (
        "In which order did the entries come, and in which were they stored?",
        "A sum is the same in any order, the highest balance is not.",
        "Count an entry only if its position is the checkpoint's and one more. What is missing before it can be asked for: EntriesAfter.",
    ),
    "drift": (
        "Take the entries of this account in their order, with pen and paper: what are balance and highest after each?",
        "Both belong to one account. A new account begins with what its first entry says, and highest is looked at after each entry.",
        "balance becomes balance + amount, and highest the larger one of itself and the *new* balance, where the account is the entry's.",
    ),
}
AGAIN = {
    "a dead letter": (
        "What does your function raise, and is it an error that an entry comes twice?",
        "An entry that is in the table already is nothing to be tried again: twelve attempts later it is there still.",
        "Return without having changed anything.",
    )
}
LATE = [["delay accounts.publish.EntryRecorded #3"]]


def in_order(fault: Fault) -> bool:
    return fault.at.startswith("peaks.") or str(fault).startswith(
        "duplicate accounts.publish.EntryRecorded"
    )


def at_peaks(fault: Fault) -> bool:
    return (
        in_order(fault)
        or fault.at == "accounts.reply.EntriesAfter"
        or str(fault).startswith("delay accounts.publish.EntryRecorded")
    )


# -- 04.1


def entries(variant: int) -> tuple[list[int], int]:
    """The amounts of Ada's entries, and how many are in the backup; no two balances are equal."""
    number, odd = (variant - 1) % 7, (variant - 1) // 7 % 10
    amounts = [0, 100 + 3 * odd] + [-30 - odd, 10 + odd] * 4
    kept = (3, 2, 4, 5, 6, 7, 8)[number]
    return amounts[: max(4, kept + 1 + odd % 2)], kept


def backup(variant: int) -> dict:
    amounts, kept = entries(variant)
    return {"amounts": amounts, "backup": sum(amounts[:kept])}


async def project(event, ctx):
    """The lesson's last projection."""
    with ctx.database as db:
        seen = bank.at(db, "balances")
    entries = [event]
    if event.position > seen + 1:
        entries = [
            bank.EntryRecorded(**fields)
            for fields in await ctx.ask(bank.EntriesAfter(position=seen))
        ]
    with ctx.database as db:
        for entry in entries:
            if entry.position == bank.at(db, "balances") + 1:
                db.execute(
                    "update balances set balance = balance + ? where account = ?",
                    (entry.amount, entry.account),
                )
                bank.move(db, "balances", entry.position)


def restored(checkpoint: int, variant: int, faults: list = ()) -> Run:
    """`balances` begins with the table of the backup and this checkpoint; all entries are published once more."""
    amounts, kept = entries(variant)
    table = f"""create table balances (account text primary key, balance int);
                insert into balances values ('ada', {sum(amounts[:kept])});"""
    checkpoints = f"{bank.CHECKPOINTS} insert into checkpoints values ('balances', {checkpoint});"
    system = bank.bank_with("balances", project, "")
    system.service("balances", schema=table + checkpoints)
    story = [bank.OpenAccount(account="ada", owner="Ada")] + [
        bank.Deposit(account="ada", amount=amount)
        if amount > 0
        else bank.Withdraw(account="ada", amount=-amount)
        for amount in amounts[1:]
    ]
    return simulate(system, bank.people(*story), faults=list(faults))


def goes_on(checkpoint: int, variant: int) -> Anomaly | str:
    amounts, kept = entries(variant)
    first = restored(checkpoint, variant)
    faults = [fault for fault in enumerate_faults(first) if fault.at.startswith("balances.")]
    tried = [first, *(restored(checkpoint, variant, [fault]) for fault in faults)]
    for run in tried:
        if told := _off(run, amounts):
            name = "skipped" if checkpoint > kept else "applied twice"
            return Anomaly(name, f"from checkpoint {checkpoint} on, {told}", run)
    return f"{len(tried)} runs from checkpoint {checkpoint} on, every single fault of balances"


def _off(run: Run, amounts: list[int]) -> str:
    [(balance,)] = run.rows("balances", "select balance from balances")
    right = balance == sum(amounts)
    return "" if right else f"ada comes to {balance}, should have {sum(amounts)}"


def _the_next(checkpoint: int, variant: int) -> tuple[str, Run]:
    run, entry = restored(checkpoint + 1, variant), checkpoint + 1
    told = f"from there on that entry is taken for an old one, and {_off(run, entries(variant)[0])}"
    return f"(b) would make it {entry}; {told}", run


def _all_there_are(checkpoint: int, variant: int) -> tuple[str, Run]:
    amounts = entries(variant)[0]
    told = "the store has that many, and the table has not seen the last of them"
    return f"(c) would make it {len(amounts)}; {told}", restored(len(amounts), variant)


def _lower_does(checkpoint: int, variant: int) -> tuple[str, Run]:
    run = restored(0, variant)
    told = f"here it does not, and {_off(run, entries(variant)[0])}"
    return f"(d) would let 0 do as well; {told}", run


EXERCISES = [
    explained(
        "04.1",
        "The checkpoint of a backup",
        ("a position, a whole number", range(1001)),
        backup,
        goes_on,
        {"a": None, "b": _the_next, "c": _all_there_are, "d": _lower_does},
        {
            "applied twice": (
                "Which entries are in the table of the backup already, and which are added to it here?",
                "Write down what Ada has after each of her entries, and find what the backup says.",
                "All entries up to the one that makes it that much are in the table: the checkpoint is the position of that one.",
            ),
            "skipped": (
                "Which entry is neither in the table of the backup nor added to it here?",
                "Write down what Ada has after each of her entries, and find what the backup says. What comes behind it has to be counted.",
                "The first entry behind the checkpoint is the next to be counted: the checkpoint is the position before.",
            ),
            "another reason": (
                "Does this run agree with your reason?",
                "Compare with the checkpoint the position of each entry that comes: which of them pass?",
                "A checkpoint says: up to and with this position everything is in the table, and nothing behind it.",
            ),
        },
    ),
    Exercise(
        "04.2",
        "Each entry once",
        "event, ctx",
        explored(
            bank.bank_of,
            claims.CLAIMS,
            only=("of peaks and on the way there that keeps the order", in_order),
        ),
        HINTS | AGAIN,
        NAMES,
    ),
    Exercise(
        "04.3",
        "None too early",
        "event, ctx",
        explored(
            bank.bank_of,
            claims.CLAIMS,
            LATE,
            only=("of peaks, on the way there and back", at_peaks),
        ),
        HINTS,
        NAMES,
    ),
]

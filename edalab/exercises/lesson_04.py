"""Exercises of lesson 04: the checkpoint that a table needs, a projection that counts each entry once, and none too early."""

from ..errors import Unanswered
from ..practice.exercise import Anomaly, Exercise, explained, explored
from ..sim import Fault, possible, simulate
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

BACKUP = """create table balances (account text primary key, balance int);
            insert into balances values ('ada', 70);"""
STORY = bank.people(
    bank.OpenAccount(account="ada", owner="Ada"),
    bank.Deposit(account="ada", amount=100),
    bank.Withdraw(account="ada", amount=30),
    bank.Deposit(account="ada", amount=10),
)


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


def restored(checkpoint: int, faults: list) -> Run:
    """`balances` begins with the table of the backup and this checkpoint; all entries are published once more."""
    system = bank.bank_with("balances", project, "")
    checkpoints = f"{bank.CHECKPOINTS} insert into checkpoints values ('balances', {checkpoint});"
    system.service("balances", schema=BACKUP + checkpoints)
    return simulate(system, STORY, faults=faults)


def goes_on(checkpoint: float, variant: int) -> Anomaly | str:
    if checkpoint != int(checkpoint) or not 0 <= checkpoint <= 1000:
        return Anomaly(
            "no value and reason", f"the value is {checkpoint:g}; a checkpoint is a position, or 0"
        )
    first = restored(int(checkpoint), [])
    tried = [first] + [
        restored(int(checkpoint), [fault])
        for fault in possible(first)
        if fault.at.startswith("balances.")
    ]
    for run in tried:
        [(balance,)] = run.rows("balances", "select balance from balances")
        if balance != 80:
            name = "skipped" if balance == 70 else "applied twice"  # nothing was added
            return Anomaly(
                name,
                f"from checkpoint {checkpoint:g} on, ada comes to {balance}, should have 80",
                run,
            )
    return f"{len(tried)} runs from checkpoint {checkpoint:g} on, every single fault of balances"


def _the_next(variant: int) -> Anomaly:
    return Anomaly(
        "another reason",
        "(b) would make it 4; from there on the entry 4 is taken for an old one, and ada stays at 70",
        restored(4, []),
    )


def _all_there_are(variant: int) -> Anomaly:
    return Anomaly(
        "another reason",
        "(c) would make it 4, too: the store has that many; and the table has not seen the last of them",
        restored(4, []),
    )


def _lower_does(variant: int) -> Anomaly:
    run = restored(0, [])
    [(balance,)] = run.rows("balances", "select balance from balances")
    return Anomaly(
        "another reason",
        f"(d) would let 0 do as well; here it does, and ada comes to {balance}, should have 80",
        run,
    )


EXERCISES = [
    Exercise(
        "04.1",
        "The checkpoint of a backup",
        "",
        explained(goes_on, {"a": None, "b": _the_next, "c": _all_there_are, "d": _lower_does}),
        {
            "applied twice": (
                "Which entries are in the table of the backup already, and which are added to it here?",
                "Write down what Ada has after each of her four entries, and find the 70.",
                "All entries up to the one that makes it 70 are in the table: the checkpoint is the position of that one.",
            ),
            "skipped": (
                "Which entry is neither in the table of the backup nor added to it here?",
                "Write down what Ada has after each of her four entries, and find the 70. What comes behind it has to be counted.",
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

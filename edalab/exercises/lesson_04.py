"""Exercises of lesson 04: a table's checkpoint, and a projection that counts each entry once, in order."""

from collections.abc import Sequence

from ..errors import Unanswered
from ..model import Command
from ..practice.exercise import Anomaly, Exercise, explored, hints_of
from ..practice.explained import Refuted, explained
from ..sim import Fault, enumerate_faults, simulate
from ..sim.run import Run
from . import lesson_04_system as bank
from .general import by_name, sent
from .lesson_04_claims import agrees

NAMES = by_name(bank.EntryRecorded, bank.EntriesAfter, Unanswered)
HINTS = hints_of("""
skipped, by itself | applied twice, by itself
    No fault struck in this run. If you go through it with pen and paper, what are the table and the checkpoint after each entry?
    Is there a row for a new account, and does your SQL add to the balance that is there? What is the checkpoint after an entry?
    Insert a row for a new account and otherwise add to it. The checkpoint is the position of the last entry that you counted.
published
    Who publishes this entry once more?
    If your function returns a message, it is published, and so it comes back to peaks.
    Return nothing, and publish nothing.
a dead letter
    What does your function raise, and what has to happen before the next attempt can succeed?
    The entry that you wait for is in another partition and may arrive after your last attempt. Meanwhile everything behind this entry waits too.
    Don't wait for the missing entries. Fetch them with `await ctx.ask(EntriesAfter(position=…))`, give the answer its time, and return without an error.
applied twice
    How many times was this entry added, and what did the table know about the first time?
    Do you compare each entry with the checkpoint, the fetched ones and the one that arrived, in the transaction that counts it? While you ask, another replica may count them.
    In one `with ctx.database as db:` look at the checkpoint, change the table, and move the checkpoint to this entry's position, and never back.
unanswered
    What does your function do when no answer comes, and is the entry delivered again after that?
    If your function ends without an error, the broker takes the entry as handled. It delivers it again only if the function fails.
    Let Unanswered through, or ask again until there is an answer.
skipped
    What did the checkpoint say when this entry arrived, and was it in the table by then?
    Which entries were still to come? Two may be missing, and another replica may go further while you ask. Did the answer hold this entry? Then find what left it out, such as a `return`, an error that you catch, or ctx.state, which a crash empties.
    If an entry is not the next one, ask for all EntriesAfter(position=the checkpoint). Afterwards look at the checkpoint again, and count each entry of the answer that is the next one then, of any account. Never replace a newer table by an older one, and let errors through.
overtaken
    In which order did the entries arrive, and in which order were they stored?
    A sum is the same in any order, but the highest balance isn't.
    Count an entry only if its position is the checkpoint plus one. You can ask for the entries before it with EntriesAfter.
drift
    Take the entries of this account in order, with pen and paper. What are balance and highest after each one?
    Both belong to one account, and the columns are account, balance, highest. A new account begins with 0 and 0, and you look at highest after each entry.
    Set balance to balance + amount, and highest to the larger of highest and the *new* balance, for the entry's account only.
""")
HINTS_ONCE = HINTS | hints_of("""
a dead letter
    What does your function raise? Is it an error if an entry arrives twice?
    Another attempt doesn't help, because the entry is still in the table the next time.
    Return without changing anything.
applied twice
    How many times was this entry added, and what did the table know about the first time?
    Is this entry still *later* than the checkpoint when it comes again? The checkpoint must move together with the table, under the name that you look at, and never back. A crash empties ctx.state.
    In one `with ctx.database as db:` look at the checkpoint. If the entry is later, change the table and move the checkpoint to the entry's position, otherwise change neither.
skipped
    What did the checkpoint say when this entry arrived, and was it in the table by then?
    If only the checkpoint is saved, the entry looks counted. If your function catches an error and returns, the broker takes the entry as handled.
    Save the table and the checkpoint in one transaction, and let an error through, so that the entry is delivered again.
""")


def near(fault: Fault) -> bool:
    """Whether a fault strikes `peaks` or an answer to it, or duplicates a published entry."""
    there = fault.at == "accounts.reply.EntriesAfter" or fault.at.startswith("peaks.")
    return there or str(fault).startswith("duplicate accounts.publish.EntryRecorded")


NEAR = "of peaks and on the way there and back", near
AGAIN = "crash accounts.save.relay #2"  # the relay publishes entries 3 and 4, crashes, and publishes them again
ONCE = explored(bank.bank_of, agrees, HINTS_ONCE, alone=[[AGAIN]], only=NEAR)
DELAY, REPLY = "delay peaks.deliver.EntryRecorded", "delay accounts.reply.EntriesAfter"
LATE = [["drop peaks.deliver.EntryRecorded #3"], [f"{DELAY} #5 for 60 s"]]
MEANWHILE = [[f"{DELAY} #3 for 60 s", f"{DELAY} #4 for {s} s"] for s in (60, 0.35)]  # two missing
MEANWHILE += [  # another replica counts before a late answer arrives, which is #1 if you ask only about a gap
    [f"{DELAY} #5 for 0.5 s", f"{REPLY} #1 for 0.5 s"],
    ["drop peaks.deliver.EntryRecorded #4", f"{REPLY} #1 for 0.5 s", f"{REPLY} #4 for 0.5 s"],
    [f"{DELAY} #2 for 60 s", f"{REPLY} #1 for 0.5 s"],
    [f"{REPLY} #5 for 0.4 s", f"{REPLY} #6 for 0.5 s"],
    [f"{DELAY} #5 for 60 s", *(f"drop accounts.reply.EntriesAfter #{n}" for n in (1, 2))],
]
NONE_TOO_EARLY = explored(bank.spread_bank_of, agrees, HINTS, LATE, MEANWHILE, NEAR)


# -- 04.1


def entries(variant: int) -> tuple[list[int], int]:
    """The amounts of Ada's entries, and how many of them the backup has; no two balances are equal."""
    number, odd = (variant - 1) % 7, (variant - 1) // 7 % 10
    amounts = [0, 100 + 3 * odd] + [-30 - odd, 10 + odd] * 4
    kept = (3, 2, 4, 5, 6, 7, 8)[number]
    return amounts[: max(4, kept + 1 + odd % 2)], kept


def backup(variant: int) -> dict[str, object]:
    amounts, kept = entries(variant)
    return {"amounts": amounts, "backup": sum(amounts[:kept])}


def project(event, ctx):
    """The lesson's projection, with a checkpoint next to the table."""
    count = "update balances set balance = balance + ? where account = ?"
    with ctx.database as db:
        if event.position > bank.at(db, "balances"):
            db.execute(count, (event.amount, event.account))
            bank.move(db, "balances", event.position)


def restored(checkpoint: int, variant: int, faults: Sequence = ()) -> Run:
    """A run in which `balances` begins with the backup and a checkpoint, and gets all entries."""
    amounts, kept = entries(variant)
    table = f"""create table balances (account text primary key, balance int);
                insert into balances values ('ada', {sum(amounts[:kept])});
                insert into checkpoints values ('balances', {checkpoint});"""
    system = bank.bank_with("balances", project, table)
    story: list[Command] = [bank.OpenAccount(account="ada", owner="Ada")]
    for amount in amounts[1:]:
        kind = bank.Deposit if amount > 0 else bank.Withdraw
        story.append(kind(account="ada", amount=abs(amount)))
    return simulate(system, sent(*story, pause=0.3), faults=list(faults))


def goes_on(checkpoint: int, variant: int) -> Anomaly | str:
    amounts, kept = entries(variant)
    first = restored(checkpoint, variant)
    faults = [fault for fault in enumerate_faults(first) if fault.at.startswith("balances.")]
    tried = [first, *(restored(checkpoint, variant, [fault]) for fault in faults)]
    for run in tried:
        if evidence := _off(run, amounts):
            name = "skipped" if checkpoint > kept else "applied twice"
            last = f", though the last entry is {len(amounts)}" * (checkpoint > len(amounts))
            return Anomaly(name, f"from checkpoint {checkpoint} on{last}, {evidence}", run)
    return f"{len(tried)} runs from checkpoint {checkpoint} on, every single fault of balances"


def _off(run: Run, amounts: list[int]) -> str:
    [(balance,)] = run.rows("balances", "select balance from balances")
    should = sum(amounts)
    return "" if balance == should else f"ada's balance is {balance}; it should be {should}"


def against(checkpoint: int, variant: int) -> Refuted:
    amounts, _ = entries(variant)
    would = {  # the checkpoint that the reason suggests
        "b": (checkpoint + 1, "(b) would make it {}, so that entry looks like an old one"),
        "c": (len(amounts), "(c) would make it {}, so the last ones look like old ones"),
        "d": (0, "(d) would let {} do as well, but here it doesn't"),
    }
    runs = {letter: restored(wrong, variant) for letter, (wrong, _) in would.items()}
    return {
        letter: (f"{sentence.format(wrong)}, and {_off(runs[letter], amounts)}", runs[letter])
        for letter, (wrong, sentence) in would.items()
    }


EXERCISES = [
    explained(
        "04.1",
        "The checkpoint of a backup",
        ("a position, a whole number", range(1001)),
        backup,
        goes_on,
        "a",
        against,
        hints_of("""
            applied twice
                Which entries are already in the backup's table, and which does this run add?
                Write down what Ada has after each of her entries, and find the balance of the backup.
                All entries up to the one that leads to this balance are in the table, so the checkpoint is the position of that entry.
            skipped
                Which entry is neither in the backup's table nor added to it here?
                Write down what Ada has after each of her entries, and find the balance of the backup. You have to count every entry after that one.
                The first entry after the checkpoint is the next one to be counted, so the checkpoint is the position before it.
            another reason
                Does this run agree with your reason?
                Compare the position of each entry that arrives with the checkpoint. Which of them are counted?
                A checkpoint says that everything up to and including this position is in the table, and nothing after it.
        """),
    ),
    Exercise("04.2", "Each entry once", "event, ctx", ONCE, HINTS_ONCE, NAMES),
    Exercise("04.3", "None too early", "event, ctx", NONE_TOO_EARLY, HINTS, NAMES),
]

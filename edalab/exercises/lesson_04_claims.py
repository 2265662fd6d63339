"""What must hold for the read model of the exercises of lesson 04, and how often each entry was counted where it does not."""

from functools import reduce
from itertools import product

from ..claims.claim import Claim
from ..practice.exercise import nothing_dead
from ..store.event_store import EventStore
from .lesson_04_bank import EntryRecorded, entry


def recorded(run) -> dict[str, list[int]]:
    """The amounts of each account's entries, in order."""
    found: dict[str, list[int]] = {}
    for fact in EventStore(run.database("accounts")).read():
        found.setdefault(fact.stream, []).append(entry(fact).amount)
    return found


def after_each(total_and_top: tuple[int, int], amount: int) -> tuple[int, int]:
    total, top = total_and_top
    return total + amount, max(top, total + amount)


def wrong_rows(run, kind: str) -> list[str]:
    """Rows of `peaks` that do not say what the entries come to, for this reason: an entry counts twice or not at all, they
    count in another order, or as something else."""
    rows = {
        account: row
        for account, *row in run.rows("peaks", "select account, balance, highest from peaks")
    }
    wrong = []
    for account, amounts in recorded(run).items():
        should, row = reduce(after_each, amounts, (0, 0)), rows.pop(account, None)
        if row is None or tuple(row) != should:
            found, what = _why(amounts, row, should)
            if found == kind:
                wrong.append(f"{account} has {_said(row)}, should have {_said(should)}: {what}")
    if kind == "drift":
        wrong += [f"there is a row of {account}, and no such account" for account in rows]
    return wrong


def _said(row) -> str:
    return "no row" if row is None else f"{row[0]} and at most {row[1]}"


def _why(amounts: list[int], row: list | None, should: tuple[int, int]) -> tuple[str, str]:
    """How often each entry must have been counted to come to this balance: with as little wrong as possible."""
    if row is None:
        return "skipped", "none of its entries counts"
    counts = [
        times for times in product(range(4), repeat=len(amounts)) if _sum(times, amounts) == row[0]
    ]
    times = min(
        counts,
        key=lambda times: sum(abs(n - 1) for n, amount in zip(times, amounts) if amount),
        default=None,
    )
    if times is None:
        return "drift", "no entries come to that"
    off = [(amount, n) for amount, n in zip(amounts, times) if amount and n != 1]
    if not off:
        return "order", "each entry counts once"
    said = ", ".join(
        f"{amount} counts {n} times" if n else f"{amount} does not count" for amount, n in off
    )
    return ("skipped" if any(n == 0 for _, n in off) else "twice"), said


def _sum(times: tuple, amounts: list[int]) -> int:
    return sum(n * amount for n, amount in zip(times, amounts))


def out_of_order(run) -> bool:
    """Whether `peaks` was handed an entry after a later one for the first time."""
    seen: list[int] = []
    for step in run.journal:
        if (step.service, step.step) == (
            "peaks",
            "handle",
        ) and step.envelope.data.position not in seen:
            seen.append(step.envelope.data.position)
    return seen != sorted(seen)


@Claim("no entry counts twice", about=EntryRecorded)
def not_twice(run):
    return wrong_rows(run, "twice")


@Claim("every entry counts", about=EntryRecorded)
def not_skipped(run):
    return wrong_rows(run, "skipped")


@Claim("entries count in their order", about=EntryRecorded)
def in_order(run):
    return wrong_rows(run, "order") if out_of_order(run) else []


@Claim("the table says what the entries come to", about=EntryRecorded)
def no_drift(run):
    return wrong_rows(run, "drift") + ([] if out_of_order(run) else wrong_rows(run, "order"))


CLAIMS: dict[str, Claim] = {
    "a dead letter": nothing_dead("peaks", EntryRecorded),
    "applied twice": not_twice,
    "skipped": not_skipped,
    "overtaken": in_order,
    "drift": no_drift,
}

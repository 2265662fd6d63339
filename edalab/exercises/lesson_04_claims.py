"""The claims of lesson 04's exercises, and, for a broken one, how often each entry was counted."""

from itertools import accumulate, product
from operator import mul

from ..claims.claim import Claim
from ..store.event_store import EventStore
from .general import Mistakes, slips, steps
from .lesson_04_system import EntryRecorded, entry


def recorded(run) -> dict[str, list[int]]:
    """The amounts of each account's entries, in order."""
    amounts: dict[str, list[int]] = {}
    for fact in EventStore(run.database("accounts")).read():
        amounts.setdefault(fact.stream, []).append(entry(fact).amount)
    return amounts


def wrong_rows(run) -> Mistakes:
    """The rows of `peaks` that differ from the sum of the entries, each with one mistake."""
    found = run.rows("peaks", "select account, balance, highest from peaks")
    rows = {account: row for account, *row in found}
    for account, amounts in recorded(run).items():
        should, row = (sum(amounts), max(accumulate(amounts))), rows.pop(account, None)
        if row is None or tuple(row) != should:
            reason, what = _swapped(run, account) or _why(amounts, row, should)
            has = f"{account}: {_in_words(row)}; should be {_in_words(should)}"
            yield reason, f"{has}; {what}"
    for account in rows:
        yield "drift", f"there is a row of {account}, and no such account"


def _swapped(run, account: str) -> tuple[str, str] | None:
    """Evidence that a balance was once above its highest, which no count of entries explains."""
    above = "select balance, highest from peaks where account = ? and balance > highest"
    for seconds in (save.time / 1000 for save in steps(run, "save", service="peaks")):
        for row in run.at(seconds).rows("peaks", above, (account,)):
            return "drift", f"at {seconds:g} s it was {_in_words(row)}"


def _in_words(row) -> str:
    return "no row" if row is None else f"balance {row[0]}, highest {row[1]}"


def _why(amounts: list[int], row: list | None, should: tuple[int, int]) -> tuple[str, str]:
    """What is wrong with a row, and how often each entry counts, with the fewest wrong counts."""
    if row is None:
        return "skipped", "none of its entries counts"
    if len(amounts) > 2 and row[0] == amounts[-1]:
        return "skipped", "only its last entry counts, as if it had overwritten the others"
    if row[0] == sum(map(abs, amounts)) != should[0]:
        return "drift", "a withdrawal is added"
    amounts = [*filter(None, amounts)]
    counts = product(range(4), repeat=len(amounts))
    fitting = [times for times in counts if sum(map(mul, times, amounts)) == row[0]]
    if not fitting:
        return "drift", "no entries come to that"
    times = min(fitting, key=lambda times: sum(abs(n - 1) for n in times))
    off = [(amount, n) for amount, n in zip(amounts, times, strict=True) if n != 1]
    if not off:
        return "overtaken", "each entry counts once"
    evidence = ", ".join(
        f"{amount} counts {n} times" if n else f"{amount} does not count" for amount, n in off
    )
    return ("skipped" if any(n == 0 for _, n in off) else "applied twice"), evidence


def positions(run, step: str) -> list[int]:
    """The positions that `peaks` handled or asked for, without repetitions."""
    data = [s.envelope.data for s in steps(run, step, service="peaks")]
    return list(dict.fromkeys(each.position for each in data if hasattr(each, "position")))


@Claim("the table agrees with its entries", about=EntryRecorded)
def agrees(run) -> Mistakes:
    """The mistake that each wrong row shows, with what else speaks for it."""
    yield from slips(run)
    for s in steps(run, "publish", service="peaks"):
        what = f"peaks publishes {s.envelope.type} {s.envelope.id}"
        yield "published", f"{what} at {s.time / 1000:g} s"
    for s in steps(run, "dead_letter", service="peaks"):
        yield "a dead letter", f"peaks gave up: {s.detail}"
    after, handled = ", ".join(map(str, positions(run, "ask"))), positions(run, "handle")
    for name, row in wrong_rows(run):
        if name == "skipped":
            if positions(run, "timeout"):
                yield "unanswered", row
            row += after and f"; peaks asked for the entries after {after}"
        elif name == "overtaken" and handled == sorted(handled):
            name = "drift"
        yield name, row

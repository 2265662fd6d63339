"""Make data/bank-2025.csv: a year of bank accounts, with known irregularities. data/README.md lists them.

    uv run python tools/make_bank.py

Account 7 is written by hand, so that a lesson can tell its story. The other accounts are generated from a
seed. Only the function `random()` is used, because it gives the same numbers in every version of Python.
"""

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

PLACE = Path(__file__).resolve().parent.parent / "data" / "bank-2025.csv"
COLUMNS = [
    "id",
    "account",
    "type",
    "version",
    "happened",
    "recorded",
    "owner",
    "amount",
    "currency",
    "corrects",
]
OWNERS = (
    "Ada Bram Chidi Dana Emre Fatou Noor Goran Hana Ivo Jun Kofi Lena Malik Nadia Otis Pia Quinn Rosa Sami "
    "Tess Umar Vera Wout Xenia Yann Zoe Aron Bela Cleo"
).split()
CURRENCIES_KEPT_FROM = datetime(2025, 4, 1)  # deposits recorded from then on have version 2
LATE, CORRECTED, TWICE = 39, 7, 5  # and one of each in account 7


def account_7() -> list[dict]:
    """An account whose events fit on a page, with each irregularity once."""

    def at(month, day, hour, minute=0):
        return datetime(2025, month, day, hour, minute)

    again = fact("MoneyDeposited", at(7, 1, 9), amount=120)
    return [
        fact("AccountOpened", at(1, 7, 10), owner="Noor"),
        fact("MoneyDeposited", at(1, 7, 10, 5), amount=100),
        fact("MoneyWithdrawn", at(2, 11, 16, 40), amount=40),
        fact("MoneyDeposited", at(3, 2, 14, 30), recorded=at(3, 6, 9), amount=70),
        fact("MoneyWithdrawn", at(3, 4, 12, 15), amount=80),
        fact("MoneyDeposited", at(4, 14, 11), amount=500),
        fact("DepositCorrected", at(4, 14, 11), recorded=at(4, 24, 15, 20), amount=-450),
        fact("MoneyWithdrawn", at(5, 6, 18, 5), amount=30),
        again,
        {**again, "recorded": at(7, 1, 9, 2)},
        fact("MoneyWithdrawn", at(8, 19, 13, 50), amount=60),
        fact("MoneyDeposited", at(10, 7, 8, 45), amount=80),
        fact("MoneyWithdrawn", at(11, 11, 17, 30), amount=45),
        fact("MoneyDeposited", at(12, 16, 9, 10), amount=25),
    ]


def account(owner: str, dice: Random) -> list[dict]:
    """An account with its wages, deposits and withdrawals, recorded as they happened and never overdrawn."""
    day = datetime(2025, 1, 2) + timedelta(days=below(dice, 18 if below(dice, 4) else 180))
    facts = [fact("AccountOpened", moment(day, dice), owner=owner)]
    wages, payday = 10 * (80 + below(dice, 150)), 24 + below(dice, 4)
    balance = 50 * (2 + below(dice, 10))
    facts.append(
        fact("MoneyDeposited", facts[0]["happened"] + timedelta(minutes=5), amount=balance)
    )
    while (day := day + timedelta(days=1)).year == 2025:
        if day.day == payday:
            facts.append(fact("MoneyDeposited", moment(day, dice), amount=wages))
            balance += wages
        elif below(dice, 100) < 2:
            facts.append(
                fact("MoneyDeposited", moment(day, dice), amount=5 * (1 + below(dice, 40)))
            )
            balance += facts[-1]["amount"]
        elif below(dice, 100) < 15 and balance >= 20:
            amount = 5 + below(dice, min(balance, wages // 3) - 5)
            facts.append(fact("MoneyWithdrawn", moment(day, dice), amount=amount))
            balance -= amount
    return facts


def spoil(facts: list[dict], dice: Random) -> None:
    """Add late arrivals, corrections and duplicates, each to a different event."""
    moves = [
        f for f in facts if f["type"] != "AccountOpened" and f["happened"] < datetime(2025, 12, 15)
    ]
    for f in taken(moves, LATE, dice):
        f["recorded"] = moment(f["happened"] + timedelta(days=1 + below(dice, 9)), dice)
    for f in taken(moves, TWICE, dice):
        facts.append({**f, "recorded": f["recorded"] + timedelta(seconds=1 + below(dice, 200))})
    for f in taken([f for f in moves if f["type"] == "MoneyDeposited"], CORRECTED, dice):
        meant, f["amount"] = f["amount"], 10 * f["amount"]  # one zero too many
        found = moment(f["happened"] + timedelta(days=2 + below(dice, 12)), dice)
        facts.append(
            {**f, "type": "DepositCorrected", "recorded": found, "amount": meant - f["amount"]}
        )


def fact(type: str, happened: datetime, recorded: datetime | None = None, **data) -> dict:
    return {"type": type, "happened": happened, "recorded": recorded or happened, **data}


def taken(facts: list[dict], number: int, dice: Random) -> list[dict]:
    """Remove some of the facts, and return them."""
    return [facts.pop(below(dice, len(facts))) for _ in range(number)]


def below(dice: Random, number: int) -> int:
    return int(dice.random() * number)


def moment(day: datetime, dice: Random) -> datetime:
    """A moment of that day at which people are awake."""
    return datetime(day.year, day.month, day.day, 7) + timedelta(seconds=below(dice, 15 * 3600))


def year() -> list[dict]:
    """All rows, in the order they were recorded."""
    dice, facts = Random(2025), []
    for number, owner in enumerate(OWNERS, 1):
        if number != 7:
            facts += [{**f, "account": f"account-{number}"} for f in account(owner, dice)]
    spoil(facts, dice)
    facts += [{**f, "account": "account-7"} for f in account_7()]
    return sorted(facts, key=lambda f: f["recorded"])


def text() -> str:
    """The content of the file."""
    written, ids = io.StringIO(), {}
    file = csv.DictWriter(written, COLUMNS, lineterminator="\n")
    file.writeheader()
    for f in year():
        deposit, kept = f["type"] == "MoneyDeposited", f["recorded"] >= CURRENCIES_KEPT_FROM
        f["id"] = ids.setdefault((f["account"], f["type"], f["happened"]), f"tx-{len(ids) + 1:04}")
        f["version"] = 2 if deposit and kept else 1
        if deposit and kept:
            f["currency"] = "EUR"
        if f["type"] == "DepositCorrected":
            f["corrects"] = ids[f["account"], "MoneyDeposited", f["happened"]]
        file.writerow(
            {**f, **{name: f[name].isoformat() + "Z" for name in ("happened", "recorded")}}
        )
    return written.getvalue()


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8", newline="\n")
    print(f"{PLACE.name}: {len(text().splitlines()) - 1} rows")

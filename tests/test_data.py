"""The files in data/ are what their page says, and come again to the byte."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from edalab import Event, read_table

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
PAGE = (DATA / "README.md").read_text(encoding="utf-8")
BANK = {
    "type": "type",
    "subject": "account",
    "time": "happened",
    "recorded": "recorded",
    "id": "id",
    "version": "version",
}


def explained(name):
    """The columns that the page explains: the names in the first cells of the rows of a file's first table."""
    table = PAGE.partition(f"## `{name}`")[2].partition("| --- |")[2].partition("\n\n")[0]
    return {
        field
        for row in table.splitlines()[1:]
        for field in re.findall(r"`(\w+)`", row.split("|")[1])
    }


def balance(total, fact):
    if fact.type == "AccountOpened":
        return total
    return total + (-1 if fact.type == "MoneyWithdrawn" else 1) * fact.data["amount"]


@pytest.fixture(scope="module")
def rows():
    frame = pandas.read_csv(DATA / "bank-2025.csv")
    return frame.assign(
        wait=pandas.to_datetime(frame["recorded"]) - pandas.to_datetime(frame["happened"])
    )


@pytest.fixture(scope="module")
def bank():
    class MoneyDeposited(
        Event, version=2, upcasts={1: lambda data: data}
    ):  # other tests declare one of version 1
        pass

    yield read_table(pandas.read_csv(DATA / "bank-2025.csv"), **BANK)
    MoneyDeposited.__name__ += " of the tests of data/"


def test_every_file_has_its_page_and_none_is_large():
    files = {path.name for path in DATA.iterdir()} - {"README.md"}
    assert files == set(re.findall(r"^## `(.*)`$", PAGE, re.MULTILINE))
    assert all((DATA / name).stat().st_size < 300_000 for name in files)


def made(script, seed):
    """What a script in tools/ would write."""
    code = f"import sys; sys.path.insert(0, 'tools'); import {script}; sys.stdout.buffer.write({script}.text().encode())"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout


def kept(name):
    """A file, with the ends of lines that it was committed with: git on Windows may have written others."""
    return (DATA / name).read_bytes().replace(b"\r\n", b"\n")


@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_bank_comes_again_to_the_byte(seed):
    assert made("make_bank", seed) == kept("bank-2025.csv")


def test_the_bank_has_the_rows_that_the_page_lists(rows):
    assert (
        len(rows) == 1986
        and rows["account"].nunique() == 30
        and "30 bank accounts, 1,986 rows" in PAGE
    )
    types = {
        "AccountOpened": 30,
        "MoneyDeposited": 556,
        "MoneyWithdrawn": 1392,
        "DepositCorrected": 8,
    }
    assert rows["type"].value_counts().to_dict() == types
    assert all(f"`{name}` ({number:,}" in PAGE for name, number in types.items())
    assert list(rows["id"].drop_duplicates()) == [f"tx-{n:04}" for n in range(1, 1981)]
    assert (
        rows["recorded"].is_monotonic_increasing
        and rows[["happened", "recorded"]].stack().str.startswith("2025-").all()
    )
    assert set(rows.columns.drop("wait")) == explained("bank-2025.csv")
    filled = {
        "owner": {"AccountOpened"},
        "amount": types.keys() - {"AccountOpened"},
        "currency": {"MoneyDeposited"},
    }
    for column, of in {**filled, "corrects": {"DepositCorrected"}}.items():
        assert set(rows.loc[rows[column].notna(), "type"]) == of


def irregular(rows):
    """Rows of each irregularity, from the file alone."""
    again = rows["id"].duplicated()
    corrections = rows["type"] == "DepositCorrected"
    late = (rows["wait"] > pandas.Timedelta(0)) & ~again & ~corrections
    old = (rows["type"] == "MoneyDeposited") & (rows["version"] == 1)
    return {
        "late arrivals": late,
        "corrections": corrections,
        "duplicates": again,
        "old schema": old,
    }


def test_the_irregularities_are_just_those_listed(rows):
    listed = re.findall(r"^\| ([a-z ]+): .* \| (\d+) \| (\d+)", PAGE, re.MULTILINE)
    found = irregular(rows)
    assert listed == [
        (what, str(where.sum()), str((where & (rows["account"] == "account-7")).sum()))
        for what, where in found.items()
    ]
    kinds = pandas.DataFrame(found)
    assert kinds[["late arrivals", "corrections", "duplicates"]].sum(axis=1).max() == 1
    assert (
        rows.loc[~kinds.drop(columns="old schema").any(axis=1), "wait"] == pandas.Timedelta(0)
    ).all()


def test_late_arrivals_come_one_to_nine_days_late(rows):
    late = rows[irregular(rows)["late arrivals"]]
    days = (
        pandas.to_datetime(late["recorded"]).dt.normalize()
        - pandas.to_datetime(late["happened"]).dt.normalize()
    )
    assert (days.dt.days.min(), days.dt.days.max()) == (1, 9) and set(late["type"]) == {
        "MoneyDeposited",
        "MoneyWithdrawn",
    }


def test_a_correction_takes_a_nought_away(rows):
    corrections = rows[rows["type"] == "DepositCorrected"]
    deposits = rows[~rows["id"].duplicated()].set_index("id").loc[corrections["corrects"]]
    assert (deposits["type"] == "MoneyDeposited").all()
    assert (deposits["happened"].values == corrections["happened"].values).all()
    assert (deposits["account"].values == corrections["account"].values).all()
    assert (
        deposits["amount"].values + corrections["amount"].values == deposits["amount"].values / 10
    ).all()
    days = (
        pandas.to_datetime(corrections["recorded"]).dt.normalize()
        - pandas.to_datetime(corrections["happened"]).dt.normalize()
    )
    assert (days.dt.days.min(), days.dt.days.max()) == (5, 13)


def test_a_duplicate_differs_in_nothing_but_when_it_was_recorded(rows):
    twice = rows[rows["id"].duplicated(keep=False)].drop(columns=["recorded", "wait"])
    assert len(twice) == 12 and len(twice.drop_duplicates()) == 6
    again = rows[rows["id"].duplicated()]
    first = rows.drop_duplicates("id").set_index("id").loc[again["id"]]
    between = pandas.to_datetime(again["recorded"].tolist()) - pandas.to_datetime(
        first["recorded"].tolist()
    )
    assert pandas.Timedelta(0) < between.min() and between.max() < pandas.Timedelta(minutes=5)


def test_deposits_have_a_currency_from_april_on(rows):
    deposits = rows[rows["type"] == "MoneyDeposited"]
    new = deposits["recorded"] >= "2025-04-01"
    assert (deposits["version"] == new + 1).all() and (
        deposits["currency"].fillna("") == new.map({True: "EUR", False: ""})
    ).all()
    assert (rows.loc[rows["type"] != "MoneyDeposited", "version"] == 1).all()


def test_duplicates_are_refused_and_nothing_else_is(rows, bank):
    assert len(bank) == 1980 and list(bank.refused.index) == list(
        rows.index[rows["id"].duplicated()]
    )
    assert bank.refused["reason"].str.contains("is that of row").all()
    assert sum(not fact.late for fact in bank.read()) == 1980 - 48


def test_no_account_is_ever_overdrawn_but_in_belief(bank):
    for name in bank.streams():
        assert bank.table(name, balance, 0)["state"].min() >= 0
    assert bank.state("account-7", balance, 0, until="2025-03-05") == 50
    assert bank.state("account-7", balance, 0, until="2025-03-05", as_of="2025-03-05") == -20
    assert bank.state("account-7", balance, 0) == 190


# This project's own history.


@pytest.fixture(scope="module")
def history():
    rows = pandas.read_json(DATA / "history.jsonl", lines=True)
    return read_table(rows, type="type", subject="stream", time="happened", recorded="recorded")


def test_the_history_comes_again_to_the_byte():
    until = re.search(
        r'UNTIL = "(.*)"', (ROOT / "tools" / "make_history.py").read_text(encoding="utf-8")
    )[1]
    there = subprocess.run(
        ["git", "merge-base", "--is-ancestor", until, "HEAD"],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
    )
    if there.returncode or (ROOT / ".git" / "shallow").exists():
        pytest.skip(
            f"this folder is no full git clone with the commit {until[:7]} that the file ends with"
        )
    assert f"commit `{until[:7]}`" in PAGE and made("make_history", "0") == kept("history.jsonl")


def test_the_history_has_the_events_that_the_page_lists(history):
    types = {"CommitMade": 83, "FileAdded": 134, "FileChanged": 242}
    assert pandas.Series([fact.type for fact in history.read()]).value_counts().to_dict() == types
    assert all(f"`{name}` ({number})" in PAGE for name, number in types.items())
    assert (
        repr(history) == "<EventStore: 459 events in 135 streams>"
        and "459 events in 135 streams" in PAGE
    )
    assert (
        not any(fact.late for fact in history.read())
        and len({fact.recorded.date() for fact in history.read()}) == 1
    )
    lines = history.state(
        None, lambda total, fact: total + fact.data.get("added", 0) - fact.data.get("removed", 0), 0
    )
    assert lines == 22745 and "134 files of 22,745 lines" in PAGE


def test_the_history_s_events_are_those_that_read_git_makes(history):

    assert {type(fact.event).__name__ for fact in history.read()} == {
        "CommitMade",
        "FileAdded",
        "FileChanged",
    }


def test_the_history_names_nobody():
    rows = [json.loads(line) for line in kept("history.jsonl").splitlines()]
    assert {row["author"] for row in rows} == {"the edalab developers"} and b"@" not in kept(
        "history.jsonl"
    )
    assert {field for row in rows for field in row} == explained("history.jsonl")

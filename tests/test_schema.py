"""A file of events: nothing in it is changed or forgotten, a killed process leaves nothing half-written, and what is no store
is told in a sentence and left as it is."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from random import Random

import pytest
from bookkeeping import Credited, Debited, account, balance, refused

from edalab import ConcurrencyError, EventStore

# -- facts stay


CHANGES = [
    ("update stored_events set data = '{}'", "none is changed"),
    ("update or replace stored_events set position = 1 where position = 2", "none is changed"),
    ("delete from stored_events", "none is deleted"),
    (
        "insert or replace into stored_events select * from stored_events where position = 1",
        "append a new one",
    ),
    (
        "replace into stored_events select 4, stream, 1, type, schema, '{}', 0, 9, null, null, null from stored_events",
        "append a new one",
    ),
    (
        "replace into stored_events select 4, 'b', 1, type, schema, '{}', 0, 9, 'mine', null, null from stored_events",
        "append a new one",
    ),
    (
        "insert into stored_events select * from stored_events where true on conflict (position) do update set data = '{}'",
        "append a new one",
    ),
]


@pytest.mark.parametrize(("sql", "words"), CHANGES)
@pytest.mark.parametrize("recursive", [False, True])
def test_the_database_refuses_to_change_or_forget_a_fact(tmp_path, sql, words, recursive):
    store = account(1, 2, place=tmp_path / "bank.db")
    store.append("account-7", [Debited(amount=1)], recorded=9, ids=["mine"])
    before = store.connection.execute("select * from stored_events").fetchall()
    connection = sqlite3.connect(tmp_path / "bank.db")
    connection.execute(f"pragma recursive_triggers = {recursive}")
    with pytest.raises(sqlite3.IntegrityError, match=words):
        connection.execute(sql)
    connection.close()
    assert store.connection.execute("select * from stored_events").fetchall() == before
    assert store.append("account-7", [Credited(amount=1)], 3, recorded=9) == 4


# -- a file


def test_a_file_is_made_and_opened_again(tmp_path):
    with EventStore(tmp_path / "bank.db") as store:
        assert repr(store) == "<EventStore: 0 events in 0 streams>"
        store.append("account-7", [Credited(amount=1)], recorded=0)
        assert repr(store) == "<EventStore: 1 event in 1 stream>"
    with EventStore(str(tmp_path / "bank.db")) as store:
        assert store.state("account-7", balance, 0) == 1
    assert os.listdir(tmp_path) == ["bank.db"]  # one file, to be copied


def test_a_name_may_hold_anything(tmp_path):
    snowman = os.fsdecode("é☃.db".encode(sys.getfilesystemencoding(), "ignore"))
    for name in ("a b?c=d#e%20.db", snowman, "file:x", "x.csv"):
        account(1, 2, place=tmp_path / name).close()
        assert len(EventStore(tmp_path / name)) == 2


def test_two_connections_see_each_others_events_and_do_not_overwrite(tmp_path):
    one, other = (EventStore(tmp_path / "bank.db") for _ in range(2))
    one.append("account-7", [Credited(amount=100)], 0, recorded=0)
    assert other.version("account-7") == 1
    other.append("account-7", [Debited(amount=80)], 1, recorded=1)
    with pytest.raises(
        ConcurrencyError,
        match="is at version 2, not 1; stored since: .*Debited.*; not appended: Debited",
    ):
        one.append("account-7", [Debited(amount=50)], 1, recorded=1)
    assert other.state("account-7", balance, 0) == one.state("account-7", balance, 0) == 20


def test_tables_that_were_rolled_back_are_made_again(tmp_path):
    store = EventStore(tmp_path / "bank.db")
    store.connection.execute("begin")
    store.append("account-7", [Credited(amount=1)], recorded=0)
    store.connection.execute("rollback")
    assert (
        store.read() == [] and store.append("account-7", [Credited(amount=1)], 0, recorded=0) == 1
    )


def test_a_connection_of_the_learners_own_is_used_as_it_is(tmp_path):
    connection = sqlite3.connect(tmp_path / "mine.db")  # opens transactions by itself
    connection.execute("create table balances (account text)")
    store = EventStore(connection)
    store.append("account-7", [Credited(amount=1)], recorded=0)
    assert not connection.in_transaction  # its own, committed
    connection.execute("insert into balances values ('7')")  # opens one
    store.append("account-7", [Credited(amount=2)], recorded=0)
    for _ in store.follow("x"):
        pass
    assert connection.in_transaction
    connection.rollback()
    assert (len(store), store.checkpoint("x")) == (1, 0)
    assert connection.execute("select count(*) from balances").fetchone() == (0,)
    for _ in store.follow("x"):
        pass
    assert not connection.in_transaction and store.checkpoint("x") == 1
    assert len(EventStore(tmp_path / "mine.db")) == 1  # its tables are there, and others


# -- a process is killed


WRITER = """
import sys
from edalab import Event, EventStore
class Killed(Event):
    batch: int
    of: int
    text: str = "x" * 300
store = EventStore(sys.argv[1])
number = store.version("account-7") // 7
while True:
    store.append("account-7", [Killed(batch=number, of=n) for n in range(7)], number * 7, recorded=number, ids=[f"{number}.{n}" for n in range(7)])
    number += 1
    print(number, flush=True)
"""


def test_a_process_killed_in_mid_append_leaves_nothing_half_written(tmp_path):
    dice, path, done, kills = Random(0), tmp_path / "bank.db", 0, 0
    for _ in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True
        )
        writer.stdout.readline()
        time.sleep(dice.random() * 0.05)
        os.kill(writer.pid, signal.SIGKILL)
        told = writer.stdout.read().split()
        assert writer.wait() == -signal.SIGKILL
        kills += bool(told)
        done = max(done, int(told[-1]) if told else 0)
        if dice.random() < 0.3:  # otherwise the next process finds what the killed one left
            continue
        with EventStore(path) as store:
            facts = store.read("account-7")
            assert (
                len(facts) % 7 == 0 and len(facts) // 7 >= done
            )  # whole batches, and none that was said to be there is lost
            assert [(fact.data["batch"], fact.data["of"]) for fact in facts] == [
                divmod(n, 7) for n in range(len(facts))
            ]
            assert store.connection.execute("pragma integrity_check").fetchone() == ("ok",)
            done = len(facts) // 7
    assert kills > 5 and done > kills
    with EventStore(path) as store:
        assert (
            store.append("account-7", [Credited(amount=1)], done * 7, recorded=10**6)
            == done * 7 + 1
        )


# -- what is no store


def cut(path):
    account(*range(60), place=path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def damaged(path):
    account(*range(60), place=path).close()
    whole = bytearray(path.read_bytes())
    whole[4096:8192] = b"\xff" * 4096
    path.write_bytes(whole)


def text(path):
    path.write_text("amount,currency\n" * 500)


@pytest.mark.parametrize("make", [text, cut, damaged])
def test_a_file_that_is_no_store_is_told_and_left_as_it_is(tmp_path, make):
    path = tmp_path / "bank.db"
    make(path)
    before = path.read_bytes()
    words = "bank.db cannot be read as an event store", "nothing was changed"
    refused(lambda: EventStore(path).read(), *words)
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", [None, b"bank.db", EventStore])
def test_a_place_that_is_none(place):
    takes = "EventStore takes the path of a file, ':memory:', a sqlite3 connection"
    refused(lambda: EventStore(place), takes, "with ctx.database as db")


def test_a_folder_must_be_there(tmp_path):
    words = "no folder", "for the event store 'bank.db'", "make it first"
    refused(lambda: EventStore(tmp_path / "no" / "bank.db"), *words)


def test_a_locked_file_is_told_and_nothing_is_lost(tmp_path):
    one, other = (account(place=tmp_path / "bank.db") for _ in range(2))
    one.append("account-7", [Credited(amount=1)], recorded=0)
    one.connection.execute("begin immediate")
    other.connection.execute("pragma busy_timeout = 10")
    write = lambda: other.append("account-7", [Credited(amount=2)], recorded=1)  # noqa: E731
    refused(
        write, "bank.db is locked: another connection is writing to it", "try again when it is done"
    )
    assert len(other.read()) == 1 and not other.connection.in_transaction
    one.connection.execute("rollback")
    assert write() == 2


def test_a_closed_store_says_so(tmp_path):
    store = account(1, place=tmp_path / "bank.db")
    store.close()
    for use in (
        lambda: store.read(),
        lambda: len(store),
        lambda: store.append("a", [Credited(amount=1)], recorded=1),
        lambda: [*store.follow("x")],
    ):
        refused(use, "bank.db was closed; open it again")
    assert "was closed" in repr(store)

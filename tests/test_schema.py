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
from edalab.store.stored_event import COLUMNS

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
@pytest.mark.parametrize(
    "way", ["its own connection", "another one", "one that fires triggers again"]
)
def test_the_database_refuses_to_change_or_forget_a_fact(tmp_path, sql, words, way):
    store = account(1, 2, place=tmp_path / "bank.db")
    store.append("account-7", [Debited(amount=1)], recorded=9, ids=["mine"])
    before = store.connection.execute("select * from stored_events").fetchall()
    connection = (
        store.connection if way == "its own connection" else sqlite3.connect(tmp_path / "bank.db")
    )
    if way == "one that fires triggers again":
        connection.execute("pragma recursive_triggers = on")
    with pytest.raises(sqlite3.IntegrityError, match=words):
        connection.execute(sql)
    connection.close() if connection is not store.connection else None
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


def test_the_learners_own_tables_are_not_in_the_way():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for name in ("events", "snapshots", "checkpoints", "streams"):
        connection.execute(f"create table {name} (name text)")
    store = EventStore(connection)
    store.append("account-7", [Credited(amount=1)], recorded=0)
    store.snapshot("account-7", balance, 0)
    assert [fact.version for fact in store.follow("x")] == [1]
    assert connection.execute("select count(*) from events").fetchone() == (0,)


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
    for _ in range(25):
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
    assert kills > 10 and done > kills
    with EventStore(path) as store:
        assert (
            store.append("account-7", [Credited(amount=1)], done * 7, recorded=10**6)
            == done * 7 + 1
        )


# -- what is no store


def bytes_of(path):
    return path.read_bytes() if path.is_file() else None


def foreign(path):
    with sqlite3.connect(path) as connection:
        connection.execute("create table cats (name text)")
    connection.close()


def cut(path):
    account(*range(60), place=path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def damaged(path):
    account(*range(60), place=path).close()
    whole = bytearray(path.read_bytes())
    whole[4096:8192] = b"\xff" * 4096
    path.write_bytes(whole)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            foreign,
            [
                "bank.db is a database of something else (tables: cats)",
                "a file of its own",
                "or pass a sqlite3 connection",
            ],
        ),
        (
            lambda path: path.write_text("amount,currency\n" * 500),
            ["bank.db is no event store that can be read", "left as it is"],
        ),
        (lambda path: path.mkdir(), ["is a folder; an event store is a file"]),
        (cut, ["bank.db is no event store that can be read"]),
    ],
    ids=["foreign", "a text", "a folder", "cut off at half"],
)
def test_a_file_that_is_no_store_is_told_and_left_as_it_is(tmp_path, make, words):
    path = tmp_path / "bank.db"
    make(path)
    before = bytes_of(path)
    refused(lambda: EventStore(path), *words)
    assert bytes_of(path) == before and os.listdir(tmp_path) == ["bank.db"]


def test_pages_that_were_overwritten_are_told_when_they_are_read(tmp_path):
    path = tmp_path / "bank.db"
    damaged(path)
    refused(
        lambda: EventStore(path).read(), "bank.db is no event store that can be read", "malformed"
    )


@pytest.mark.parametrize(
    "place", [None, b"bank.db", sqlite3.connect(":memory:").cursor(), EventStore]
)
def test_a_place_that_is_none(place):
    refused(
        lambda: EventStore(place),
        "EventStore takes the path of a file, ':memory:', a sqlite3 connection",
        "with ctx.database as db",
    )


def test_a_folder_must_be_there(tmp_path):
    words = "no folder", "for the event store 'bank.db'", "make it first"
    refused(lambda: EventStore(tmp_path / "no" / "bank.db"), *words)


def test_a_file_that_may_only_be_read_can_be_read(tmp_path, monkeypatch):
    path = tmp_path / "bank.db"
    account(1, 2, place=path).close()
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everything
    store = EventStore(path)
    assert store.state("account-7", balance, 0) == 3
    for write in (
        lambda: store.append("account-7", [Credited(amount=1)], recorded=9),
        lambda: store.snapshot("account-7", balance, 0),
        lambda: list(store.follow("x")),
    ):
        refused(write, "bank.db can only be read", "nothing was changed")
    assert len(store.read()) == 2


def test_who_may_only_read_a_file_sees_what_its_writer_just_stored(tmp_path, monkeypatch):
    path = tmp_path / "bank.db"
    writer = account(1, 2, place=path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert (
        EventStore(path).state("account-7", balance, 0) == 3
    )  # and not nothing: it all is in the file beside it
    writer.append("account-7", [Credited(amount=3)], recorded=9)
    assert EventStore(path).state("account-7", balance, 0) == 6


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


def test_a_commit_that_fails_is_rolled_back():
    class Full(sqlite3.Connection):
        """A connection whose disk is full when it commits."""

        full = False

        def cursor(self, *_):
            return super().cursor(FullCursor)

    class FullCursor(sqlite3.Cursor):
        def execute(self, sql, *values):
            if sql == "commit" and self.connection.full:
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    connection = sqlite3.connect(":memory:", isolation_level=None, factory=Full)
    store = EventStore(connection)
    store.append("account-7", [Credited(amount=1)], recorded=0)
    connection.full = True
    refused(
        lambda: store.append("account-7", [Credited(amount=2)], recorded=1),
        "database or disk is full; nothing was changed",
    )
    assert not connection.in_transaction and len(store) == 1
    connection.full = False
    assert store.append("account-7", [Credited(amount=2)], recorded=1) == 2


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


def test_a_connection_that_was_given_stays_open():
    connection = sqlite3.connect(":memory:")
    with EventStore(connection) as store:
        store.append("a", [Credited(amount=1)], recorded=1)
    assert len(EventStore(connection)) == 1
    connection.close()
    refused(lambda: EventStore(connection), "the database was closed")


def test_a_table_that_only_has_the_name_is_not_written_to():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("create table stored_events (name text)")
    store = EventStore(connection)
    for use in (lambda: store.read(), lambda: store.append("a", [Credited(amount=1)], recorded=1)):
        refused(use, "has a table of its own where the event store's would be", "rename that table")
    assert (
        connection.execute("select count(*) from stored_events").fetchone() == (0,)
        and not connection.in_transaction
    )


def test_the_columns_are_those_of_the_table():
    names = [row[1] for row in account(1).connection.execute("pragma table_info(stored_events)")]
    assert ", ".join(names) == COLUMNS

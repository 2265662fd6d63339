"""Which rows a save changed: its statements run once more on a copy."""

from collections import Counter
from random import Random

import pytest
from postoffice import Posted, play
from systems import story

from edalab import System, simulate
from edalab.sim import enumerate_faults
from edalab.sim.database import Transaction

SCHEMA = "create table letters (n integer primary key, text text)"


def changes(*transactions, schema: str = SCHEMA):
    """The rows that each save of a handler added and removed that has one transaction for each of
    these functions."""
    system = System("town")

    @system.service("post", schema=schema).on(Posted, max_attempts=1)
    def stamp(event, ctx):
        for work in transactions:
            with ctx.database as db:
                work(db)

    run = play(system, Posted())
    return [run.changes(n) for n, step in enumerate(run.journal) if step.step == "save"]


def insert(n, text="x"):
    return lambda db: db.execute("insert or replace into letters values (?, ?)", (n, text))


def test_a_save_adds_rows_and_takes_others_away():
    def remove(db):
        db.execute("delete from letters where n = 1")

    assert changes(insert(1), insert(2), remove) == [
        ({"letters": [(1, "x")]}, {}),
        ({"letters": [(2, "x")]}, {}),
        ({}, {"letters": [(1, "x")]}),
    ]


def test_to_write_the_same_row_again_changes_nothing():
    assert changes(insert(1), insert(1), insert(1, "y")) == [
        ({"letters": [(1, "x")]}, {}),
        ({}, {}),
        ({"letters": [(1, "y")]}, {"letters": [(1, "x")]}),
    ]


def test_numbers_that_are_equal_and_stored_differently_are_told_apart():
    schema = "create table letters (n, text)"
    for n in (1, 1.0):
        [found] = changes(insert(n), schema=schema)
        assert repr(found.added) == repr({"letters": [(n, "x")]})


def test_a_statement_that_failed_fails_once_more():
    def twice(db):
        db.execute("insert into letters values (1, 'x')")
        try:
            db.execute("insert into letters values (1, 'y')")
        except Exception:
            db.execute("insert into letters values (2, 'y')")

    assert changes(twice) == [({"letters": [(1, "x"), (2, "y")]}, {})]


def test_rows_that_a_generator_gives_are_those_that_it_gave():
    def many(db):
        db.executemany("insert into letters values (?, ?)", ((n, "x") for n in (1, 2)))

    assert changes(many) == [({"letters": [(1, "x"), (2, "x")]}, {})]


def test_parameters_count_as_they_were_when_the_statement_ran():
    def many(db):
        row = [1, "x"]
        db.execute("insert into letters values (?, ?)", row)
        row[0] = 2
        named = {"n": 3}
        db.executemany("insert into letters values (:n, 'x')", [named])
        named["n"] = 4

    assert changes(many) == [({"letters": [(1, "x"), (3, "x")]}, {})]


def test_a_table_that_is_made_or_dropped_has_its_rows():
    def make(db):
        db.execute("create table more (n)")
        db.execute("insert into more values (5)")

    def drop(db):
        db.execute("drop table more")

    assert changes(make, drop) == [({"more": [(5,)]}, {}), ({}, {"more": [(5,)]})]


def test_the_changes_are_known_in_any_order():
    system = System("town")

    @system.service("post", schema=SCHEMA).on(Posted)
    def stamp(event, ctx):
        for n in range(3):
            with ctx.database as db:
                db.execute("insert into letters values (?, ?)", (n, object.__name__))

    run = play(system, Posted())
    saves = [n for n, step in enumerate(run.journal) if step.step == "save"]
    found = [run.changes(save) for save in reversed(saves)]
    assert found == [({"letters": [(n, "object")]}, {}) for n in (2, 1, 0)]


@pytest.mark.parametrize("number", range(12))
def test_they_are_what_the_tables_held_before_and_after_each_save(number, monkeypatch):
    system, workload, seed, _ = story(dice := Random(number), faults=0)
    leave, read = Transaction.__exit__, {}

    def noting(transaction, *raised):
        database = transaction._database
        saves = len(database.saves)
        leave(transaction, *raised)
        if len(database.saves) > saves:
            before, now = read.get(database, {}), database.read()
            read[database] = now
            counts = {t: (Counter(before.get(t, [])), Counter(now[t])) for t in now}
            added = {table: [*(b - a).elements()] for table, (a, b) in counts.items() if b - a}
            removed = {table: [*(a - b).elements()] for table, (a, b) in counts.items() if a - b}
            found.append((added, removed))

    monkeypatch.setattr(Transaction, "__exit__", noting)
    found: list = []
    plain = simulate(system, workload, seed=seed)
    for fault in dice.sample(there_are := enumerate_faults(plain), min(5, len(there_are))):
        found.clear()
        run = simulate(system, workload, seed=seed, faults=[fault])
        saves = [n for n, s in enumerate(run.journal) if s.step == "save" and s.fault is None]
        assert [run.changes(save) for save in saves] == found

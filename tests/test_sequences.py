"""Numbers that are given out before the commit: `ctx.sequence`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab import Command, Event, Faults, Misuse, System, pause, simulate


class Save(Command):
    n: int
    wait: float = 0


class Saved(Event):
    number: int


def registry(replicas=2, fails=()):
    """Two replicas, each of which takes a number, waits, and saves it."""
    system = System("town")
    schema = "create table letters (id int, n int, first bool)"
    office = system.service("office", replicas=replicas, schema=schema)

    @office.handles(Save, max_attempts=1)
    async def save(command, ctx):
        number = ctx.sequence("letters")
        ctx.note(number)
        await ctx.sleep(command.wait)
        with ctx.database as db:
            parcel = ctx.sequence("parcels")
            db.execute("insert into letters values (?, ?, ?)", (number, command.n, parcel == 1))
            if command.n in fails:
                raise ValueError("no stamp")

    return system


def workload(*waits):
    async def several(ctx):
        for n, wait in enumerate(waits):
            await ctx.send(Save(n=n, wait=wait))

    return several


def taken(run):
    return [int(s.detail) for s in run.journal if s.step == "note"]


def test_the_lower_number_commits_later():
    run = simulate(registry(), workload(1, 0.2))
    assert run.rows("office", "select id, n from letters order by rowid") == [(2, 1), (1, 0)]
    assert run.rows("office", "select n from letters where first") == [(1,)]


def test_no_rollback_and_no_crash_gives_a_number_back():
    run = simulate(registry(1, fails=[0]), workload(0, 0, 0), faults=["crash office.save.Save #1"])
    assert taken(run) == [1, 2, 3] and run.rows("office", "select id from letters") == [(3,)]


@given(
    st.lists(st.integers(0, 8).map(lambda n: n / 10), max_size=8),
    st.integers(1, 3),
    st.integers(0, 3),
    st.floats(0, 0.3),
)
def test_numbers_go_up_by_one_whatever_happens(waits, replicas, seed, rate):
    faults = [Faults(crash=rate, fail=rate, drop=rate), pause("office", 0.1, 0.5)]
    run = simulate(registry(replicas, [1]), workload(*waits), seed=seed, faults=faults)
    assert taken(run) == list(range(1, len(taken(run)) + 1))
    saves = [number for number, s in enumerate(run.journal) if s.step == "save"]
    added = [row for save in saves for row in run.changes(save).added.get("letters", [])]
    assert sorted(added) == sorted(run.rows("office", "select * from letters"))


@pytest.mark.parametrize(
    ("name", "says"),
    [(1, "which takes a name"), ("", 'write ctx.sequence("orders")')],
)
def test_a_name_that_is_none_is_refused(name, says):
    system = System("town")

    @system.service("office").every(1)
    def tick(ctx):
        ctx.sequence(name)

    with pytest.raises(Misuse) as error:
        simulate(system, workload(), until=2)
    assert says in str(error.value)


def test_the_client_has_no_database_and_so_no_sequence():
    async def outside(ctx):
        ctx.sequence("orders")

    with pytest.raises(Misuse, match="ctx.sequence, which the outside world lacks"):
        simulate(registry(), outside)

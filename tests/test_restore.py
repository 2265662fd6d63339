"""A database is restored from a backup: it goes back in time, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab import Event, Faults, Misuse, Query, System, claims, explore, restore, simulate
from edalab.sim import parse_plan
from edalab.trace.compare import Comparison
from edalab.view import compare, copies, timeline


class Sold(Event, topic="sales", key="item"):
    item: str
    n: int


class Count(Query):
    pass


SCHEMA = "create table sales (n int primary key, item text); create table items (item text primary key, total int)"


def shop():
    system = System("shop")
    billing = system.service("billing", schema=SCHEMA)

    @billing.on(Sold)
    def bill(event, ctx):
        ctx.state["seen"] = ctx.state.get("seen", 0) + 1
        with ctx.database as db:
            number = ctx.sequence("sales")
            db.execute("insert or ignore into sales values (?, ?)", (event.n, event.item))
            sql = "insert into items values (?, ?) on conflict do update set total = total + ?"
            db.executemany(sql, [(event.item, number, event.n)])

    copy = system.service("copy", schema="create table sales (n int, item text)")

    @copy.on(Sold)
    def keep(event, ctx):
        with ctx.database as db:
            db.execute("insert into sales values (?, ?)", (event.n, event.item))

    return system


def sales(number=6, every=1.0):
    async def workload(ctx):
        for n in range(number):
            await ctx.publish(Sold(item="ab"[n % 2], n=n))
            await ctx.sleep(every)

    return workload


def rows(world, service="billing"):
    return world.rows(service, "select n from sales order by n")


def test_what_was_saved_after_the_backup_is_gone_and_the_position_knows_nothing_of_it():
    run = simulate(shop(), sales(), faults=[restore("billing", to=2.5, at=4.5)])
    assert rows(run) == [(0,), (1,), (2,), (5,)] and len(rows(run, "copy")) == 6
    assert run.at(4.4).services["billing"].lag == 0 and rows(run.at(4.4)) == [
        (n,) for n in range(5)
    ]
    assert rows(run.at(4.5)) == [(0,), (1,), (2,)]
    assert run.at(4.5).services["billing"].state == {"seen": 5}
    lost = claims.projection_matches(
        "billing", "select n from sales", "copy", "select n from sales"
    )
    assert run.check(lost).outcome == "broken"
    # Sequences go on: the restored total of b has the number 6 of the last sale in it.
    assert run.rows("billing", "select * from items where item = 'b'") == [("b", 2 + 5)]


def test_what_a_restore_removed_is_a_change_of_its_step():
    run = simulate(shop(), sales(), faults=[restore("billing", to=2.5, at=4.5)])
    number = next(n for n, s in enumerate(run.journal) if s.step == "restore")
    step, changes = run.journal[number], run.changes(number)
    assert (step.time, step.service, step.detail) == (4500, "billing", "to 2.5 s")
    assert changes.removed["sales"] == [(3, "b"), (4, "a")] and "sales" not in changes.added
    last = max(n for n, s in enumerate(run.journal) if s.step == "save" and s.service == "billing")
    assert run.changes(last).added["sales"] == [(5, "b")]


RESTORES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 30)).map(
        lambda pair: restore("billing", to=pair[0] / 10, at=(pair[0] + pair[1]) / 10)
    ),
    max_size=3,
    unique_by=lambda fault: fault.start,
)


@given(RESTORES, st.integers(0, 2), st.floats(0, 0.2))
def test_a_database_is_what_was_committed_by_then(faults, seed, rate):
    """Read again: each save adds a row, and a restore takes back what came after."""
    more = [Faults(crash=rate, fail=rate, drop=rate)]
    run = simulate(shop(), sales(8, 0.45), seed=seed, faults=[*faults, *more])
    history, state = [], ()  # (time, rows)
    for number, s in enumerate(run.journal):
        if s.service != "billing":
            continue
        if s.step == "save" and not s.fault:
            state = (*state, s.envelope.data.n) if s.envelope.data.n not in state else state
        elif s.step == "restore":
            then = float(s.detail.split()[1]) * 1000
            state = next((old for time, old in reversed(history) if time <= then), ())
        else:
            continue
        history.append((s.time, state))
        assert s.step == "restore" or "sales" not in run.changes(number).removed
    assert rows(run) == [(n,) for n in sorted(state)]
    for time, old in history:
        if [at for at, _ in history].count(time) == 1:
            assert rows(run.at(time / 1000)) == [(n,) for n in sorted(old)]
    kept = [set(changed) for changed in both_ways(run)]
    assert kept[0] == kept[1]
    assert not set(run.faults) & set(run.unfired)


def both_ways(run):
    """The rows of billing at the end, and those that all its changes leave."""
    left = []
    for number, s in enumerate(run.journal):
        if s.service == "billing" and s.step in ("save", "restore"):
            changes = run.changes(number)
            for table in ("sales", "items"):
                for row in changes.removed.get(table, []):
                    left.remove(row)
                left += changes.added.get(table, [])
    yield run.rows("billing", "select * from sales") + run.rows("billing", "select * from items")
    yield left


def test_a_restore_keeps_the_run_alive_and_one_that_changes_nothing_does_not_happen():
    late = restore("billing", to=1.5, at=30)
    run = simulate(shop(), sales(3), faults=[late])
    assert run.end == 30_000 and run.faults == [late] and rows(run) == [(0,), (1,)]
    nothing = restore("billing", to=8, at=9)
    assert simulate(shop(), sales(3), faults=[nothing]).unfired == [nothing]


def test_rows_that_somebody_is_still_reading_do_not_hinder_a_restore():
    system = shop()

    @system.services["billing"].every(1)
    async def read(ctx):
        with ctx.database as db:
            found = db.execute("select n from sales order by n")
        for _ in found:
            await ctx.sleep(0.4)

    run = simulate(system, sales(), faults=[restore("billing", to=2.5, at=4.5)])
    assert rows(run) == [(0,), (1,), (2,), (5,)]


def test_a_connector_goes_on_after_its_database_was_restored():
    system = System("shop")
    schema = "create table outbox (event text)"
    orders = system.service("orders", schema=schema)

    @orders.every(1)
    def sell(ctx):
        if ctx.now < 5:
            with ctx.database as db:
                event = ctx.envelope(Sold(item="a", n=round(ctx.now)))
                db.execute("insert into outbox values (?)", (event,))

    system.capture("orders.outbox")
    run = simulate(system, sales(0), faults=[restore("orders", to=1.5, at=3.5)], until=6)
    sent = [s.envelope.data.n for s in run.journal if s.step == "publish"]
    assert sent == [1, 2, 3, 4] and len(run.rows("orders", "select * from outbox")) == 2


def test_pictures_show_it():
    fault = restore("billing", to=2.5, at=4.5)
    run = simulate(shop(), sales(), faults=[fault])
    assert "restored to 2.5 s" in timeline(run).svg()
    assert "differ" in repr(copies(run, "select count(*) from sales"))
    assert "restored (to 2.5 s)" in repr(compare(simulate(shop(), sales()), run))
    assert run.otlp()


def test_a_comparison_says_since_when_a_restored_table_differs():
    fault = restore("copy", to=2.5, at=4.5)
    runs = simulate(shop(), sales()), simulate(shop(), sales(), faults=[fault])
    assert Comparison(*runs).lasting.time == 4500


def test_a_claim_that_explore_asks_sees_restored_rows():
    fault = restore("billing", to=1.2, at=2.2)
    three = claims.projection_matches("billing", "select count(*) from sales", lambda run: [(2,)])
    assert simulate(shop(), sales(3), faults=[fault]).check(three).outcome == "holds"
    assert explore(shop(), sales(2), [three]).smallest(three) is None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: restore("billing", to=5, at=2),
            "it goes back to an earlier time; give a to= before at=",
        ),
        (lambda: restore("billng", to=1, at=2), "Did you mean 'billing'"),
        (lambda: restore("client", to=1, at=2), "restore one of billing"),
        (lambda: restore("billing", to="1", at=2), "restore billing: to= takes seconds"),
        (lambda: restore(1, to=1, at=2), "restore takes the name of a service"),
        (lambda: "restore billing to 2 s", "is not a fault"),
    ],
)
def test_a_wrong_restore_is_refused(make, says):
    with pytest.raises(Misuse) as error:
        simulate(shop(), sales(1), faults=[make()])
    assert says in str(error.value)


def test_a_restore_travels_as_text():
    fault = restore("billing", to=2, at=5)
    assert str(fault) == "restore billing to 2 s at 5 s" and parse_plan(str([fault])) == [fault]

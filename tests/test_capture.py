"""Change data capture: what is inserted into a table is published in the order of the commits, at least once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab import (
    Command,
    Event,
    Faults,
    Misuse,
    System,
    claims,
    cut,
    deploy,
    explore,
    pause,
    simulate,
)
from edalab.view import flow, timeline


class OrderPlaced(Event, topic="orders", key="order_id"):
    order_id: str
    line: int = 0


class PlaceOrder(Command, key="order_id"):
    order_id: str
    lines: int = 1
    fails: bool = False


class Bill(Command):
    order_id: str


SCHEMA = "create table orders (id text); create table outbox (id integer primary key, event text)"


def shop(replicas=1, deletes=False):
    system = System("shop")
    system.topic("orders", partitions=2)
    orders = system.service("orders", replicas=replicas, schema=SCHEMA)

    @orders.handles(PlaceOrder)
    async def place(command, ctx):
        await ctx.sleep(0.02)
        with ctx.database as db:
            db.execute("insert into orders values (?)", (command.order_id,))
            for line in range(command.lines):
                event = OrderPlaced(order_id=command.order_id, line=line)
                db.execute("insert into outbox (event) values (?)", (ctx.envelope(event),))
            if deletes:
                db.execute("delete from outbox")
            if command.fails:
                raise ValueError("sold out")

    system.capture("orders.outbox")
    billing = system.service("billing", schema="create table bills (id text, line int)")

    @billing.on(OrderPlaced)
    def bill(event, ctx):
        with ctx.database as db:
            db.execute("insert into bills values (?, ?)", (event.order_id, event.line))

    return system


def orders(*lines):
    async def workload(ctx):
        for number, many in enumerate(lines):
            fails = many == 2
            await ctx.send(PlaceOrder(order_id=f"o{number % 3}", lines=many, fails=fails))

    return workload


def published(run):
    return [s for s in run.journal if s.step == "publish" and s.service == "orders-capture"]


def test_rows_are_published_in_their_envelopes_10_ms_after_the_commit_even_those_deleted_at_once():
    for deletes in (False, True):
        run = simulate(shop(deletes=deletes), orders(1, 3))
        save = next(s.time for s in run.journal if s.step == "save")
        assert published(run)[0].time == save + 10
        ids = [s.envelope.id for s in published(run)]
        assert ids == ["orders-1", "orders-2", "orders-3", "orders-4"]
        assert {s.envelope.causation for s in published(run)} == {"client-1", "client-2"}
        assert len(run.rows("billing", "select * from bills")) == 4
        left = run.rows("orders", "select count(*) from outbox")
        assert left == [(0 if deletes else 4,)]


def test_what_is_rolled_back_is_not_captured():
    run = simulate(shop(), orders(2))
    assert published(run) == [] and run.failures


def test_a_crash_before_the_position_is_stored_publishes_the_transaction_again():
    run = simulate(shop(), orders(1, 1), faults=["crash orders-capture.commit.outbox"])
    assert [s.envelope.id for s in published(run)] == ["orders-1", "orders-1", "orders-2"]
    lost = simulate(shop(), orders(1, 1), faults=["lose orders-capture.commit.outbox"])
    assert [s.envelope.id for s in published(lost)] == ["orders-1", "orders-2"]


def test_a_publish_that_fails_is_tried_again_and_what_comes_after_it_waits():
    faults = [f"fail orders-capture.publish.OrderPlaced #{n}" for n in (1, 2)]
    run = simulate(shop(), orders(1, 1), faults=faults)
    times = [(s.time - published(run)[0].time, s.envelope.id) for s in published(run)]
    assert [id for _, id in times] == ["orders-1", "orders-1", "orders-1", "orders-2"]
    assert [time for time, _ in times[:3]] == [0, 110, 320]
    assert run.check(claims.no_event_lost(OrderPlaced)).outcome == "holds"


def test_a_log_that_nobody_reads_grows():
    run = simulate(shop(), orders(1, 3, 1), faults=[pause("orders-capture", 0, 5)])
    assert run.at(4).services["orders-capture"].lag == 3
    assert run.at(6).services["orders-capture"].lag == 0 == run._world.services["orders"].lag


FAULTS = st.lists(
    st.builds(
        lambda do, start, lasts: do("orders-capture", start, start + lasts),
        st.sampled_from([pause, cut]),
        st.floats(0, 1),
        st.floats(0.1, 2),
    ),
    max_size=2,
)


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=6),
    FAULTS,
    st.integers(1, 2),
    st.booleans(),
    st.integers(0, 3),
    st.floats(0, 0.2),
)
def test_all_that_was_committed_is_published_in_that_order_and_nothing_else(
    lines, windows, replicas, deletes, seed, rate
):
    faults = [*windows, Faults(crash=rate, fail=rate, unconfirmed=rate / 2, drop=rate)]
    run = simulate(shop(replicas, deletes), orders(*lines), seed=seed, faults=faults)
    # Read again: what each commit saved, how far the connector has got, and how far it remembers.
    transactions, position, stored = [], 0, 0
    expected: list[str] = []
    for number, s in enumerate(run.journal):
        if s.step == "save" and s.service == "orders" and not s.fault:
            many = s.envelope.data.lines
            added = run.changes(number).added.get("outbox", [])
            assert len(added) == (0 if deletes else many)
            transactions.append((s.time, s.envelope.id, many))
        elif s.service == "orders-capture":
            if s.step == "handle":
                saved, cause, many = transactions[position]
                assert saved < s.time and s.envelope.id == f"orders-capture.outbox-{position + 1}"
                expected = [(cause, line) for line in range(many)]
            elif s.step == "publish":
                cause, line = expected.pop(0)
                assert (s.envelope.causation, s.envelope.data.line) == (cause, line)
            elif s.step == "commit" and s.fault != "crash":
                assert not expected
                position += 1
                stored = stored if s.fault else position
            elif s.step == "crash":
                position = stored
    assert position == len(transactions)
    assert run.at(run.end / 1000).services["orders-capture"].lag == position - stored
    assert claims_hold(run)


def claims_hold(run):
    dead = {s.envelope.type for s in run.journal if s.step == "dead_letter"}
    lost = "OrderPlaced" not in dead and run.check(claims.no_event_lost(OrderPlaced)).outcome
    gap = run.check(claims.no_dual_write_gap("orders")).outcome
    return lost != "broken" and gap != "broken"


def test_explore_finds_the_crash_that_publishes_twice_and_none_that_loses():
    lost, twice = claims.no_event_lost(OrderPlaced), claims.handled_once(OrderPlaced)
    gap = claims.no_dual_write_gap("orders")
    found = explore(shop(), orders(1, 1), [lost, twice, gap], leave_out=["client", "billing"])
    assert found.smallest(lost) is None and found.smallest(gap) is None
    crash = simulate(shop(), orders(1), faults=["crash orders-capture.commit.outbox"])
    assert crash.check(twice).outcome == "broken" and found.smallest(twice) is not None


def test_the_flow_and_the_timeline_draw_the_connector():
    run = simulate(shop(), orders(1, 1), faults=["crash orders-capture.commit.outbox"])
    edge = flow(run).graph.edges["orders", "orders-capture"]
    assert (edge["kind"], edge["count"]) == ("capture", 3)
    assert "outbox: attempt 2" in timeline(run).svg()
    assert "orders-capture" in flow(run, at=1).svg() and run.otlp()


def test_a_run_without_a_connector_does_not_change():
    system = shop()
    del system.services["orders-capture"]
    assert "orders-capture" not in str(simulate(system, orders(1)).lines())
    assert repr(shop().services["orders-capture"]) == (
        "<Service orders-capture: captures orders.outbox>"
    )


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("outbox", 'write shop.capture("orders.outbox")'),
        (7, "takes a service and a table, not 7"),
        ("order.outbox", "Did you mean 'orders'"),
        ("orders.outbx", "Did you mean 'outbox'"),
    ],
)
def test_a_table_that_is_none_is_refused(table, says):
    system = shop()
    del system.services["orders-capture"]
    with pytest.raises(Misuse) as error:
        system.capture(table)
        simulate(system, orders(1))
    assert says in str(error.value)


def test_a_row_without_an_envelope_is_refused():
    system = shop()

    @system.services["orders"].handles(Bill)
    def note(command, ctx):
        with ctx.database as db:
            db.execute("insert into outbox (event) values (?)", (command.order_id,))

    async def one(ctx):
        await ctx.send(Bill(order_id="o1"))

    with pytest.raises(Misuse, match=r"orders.note inserts into orders.outbox a row without"):
        simulate(system, one)


REBUILT = """create table new (id integer primary key, event text, note text);
insert into new (id, event) select id, event from outbox; drop table outbox; alter table new rename to outbox"""
REPEATED = "insert into outbox (event) select event from outbox"


@pytest.mark.parametrize("migration, at_once", [(REBUILT, []), (REPEATED, ["orders-1"])])
def test_a_migration_is_captured_and_so_is_what_comes_after_it(migration, at_once):
    async def one_and_one_later(ctx):
        await ctx.send(PlaceOrder(order_id="o1"))
        await ctx.sleep(5)
        await ctx.send(PlaceOrder(order_id="o2"))

    faults = [deploy(shop().services["orders"], at=2, migration=migration)]
    run = simulate(shop(), one_and_one_later, faults=faults)
    assert [s.envelope.id for s in published(run)] == ["orders-1", *at_once, "orders-2"]
    assert [s.envelope.id for s in published(run) if 2000 <= s.time < 3000] == at_once


def test_a_service_has_one_connector():
    system = shop()
    system.capture("orders.outbox")
    with pytest.raises(Misuse, match="orders-capture captures orders.outbox already"):
        system.capture("orders.orders")

"""What a service gave up: who reads it, sends it back or settles it, and what the run says of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab import (
    Command,
    Event,
    Faults,
    Misuse,
    PublishFailed,
    System,
    claims,
    deploy,
    explore,
    simulate,
)
from edalab.errors import Endless
from edalab.sim import enumerate_faults
from edalab.view import flow, lag, timeline

FOREVER = 99


class OrderPlaced(Event, topic="orders", key="order_id"):
    order_id: str
    fails: int = 0  # so many attempts, counted over all redrives
    then: str = "redrive"


class Pay(Command):
    order_id: str
    fails: int = 0
    then: str = "redrive"


def shop(reads=(OrderPlaced, Pay), queue=False, replicas=1, partitions=2):
    system = System("shop")
    (system.queue if queue else system.topic)(
        "orders", **{} if queue else {"partitions": partitions}
    )
    schema = "create table bills (order_id text)"
    billing = system.service("billing", replicas=replicas, schema=schema)
    if not queue:
        system.service("mail").on(OrderPlaced)(ignore)

    @billing.on(OrderPlaced)
    @billing.handles(Pay)
    def bill(message, ctx):
        envelope = ctx.message
        if envelope.redrives * 3 + envelope.attempt <= message.fails:
            raise ValueError("no address")
        with ctx.database as db:
            db.execute("insert into bills values (?)", (message.order_id,))

    async def look(message, ctx):
        died = ctx.message
        ctx.note(
            f"{died.id} {died.type} {died.reason} {died.attempts} {died.came_from} {died.redrives}"
        )
        if message.then == "raise":
            raise RuntimeError("who knows")
        if message.then == "redrive" and died.redrives < 2:
            await ctx.redrive()

    for message in reads:
        billing.dead_letters(message)(look)
    return system


def ignore(event):
    """A handler to which nothing happens."""


def sends(*messages):
    async def workload(ctx):
        for message in messages:
            try:
                await (ctx.send if isinstance(message, Command) else ctx.publish)(message)
            except PublishFailed:
                ctx.note("not confirmed")

    return workload


def told(run, *names):
    return [
        (s.time, s.service, s.step, s.envelope.type, s.attempt)
        for s in run.journal
        if s.step in names and s.service != "mail"
    ]


def bills(run):
    return [id for (id,) in run.rows("billing", "select order_id from bills")]


def test_a_dead_letter_is_read_with_its_reason_and_sent_back_to_the_service_alone():
    run = simulate(shop(), sends(OrderPlaced(order_id="o1", fails=4)))
    assert told(run, "deliver", "handle", "dead_letter", "ack") == [
        (20, "billing", "deliver", "OrderPlaced", 1),
        (20, "billing", "handle", "OrderPlaced", 1),
        (120, "billing", "handle", "OrderPlaced", 2),
        (320, "billing", "handle", "OrderPlaced", 3),
        (320, "billing", "dead_letter", "OrderPlaced", 3),
        (330, "billing", "deliver", "OrderPlaced.dlq", 1),
        (330, "billing", "handle", "OrderPlaced.dlq", 1),
        (340, "billing", "ack", "OrderPlaced.dlq", 1),
        (350, "billing", "deliver", "OrderPlaced", 1),
        (350, "billing", "handle", "OrderPlaced", 1),
        (450, "billing", "deliver", "OrderPlaced", 2),
        (450, "billing", "handle", "OrderPlaced", 2),
        (450, "billing", "ack", "OrderPlaced", 2),
    ]
    (note,) = [s.detail for s in run.journal if s.step == "note"]
    assert note == "client-1 OrderPlaced ValueError (line 6): no address 3 orders 0"
    assert bills(run) == ["o1"]
    (back,) = [s for s in run.journal if (s.detail or "").startswith("redriven")]
    assert back.envelope.id == "client-1" and back.envelope.topic == "orders.billing.retry"
    assert [s.step for s in run.journal if s.service == "mail"] == ["deliver", "handle", "commit"]
    for claim in (claims.no_event_lost, claims.handled_once, claims.nothing_dead_lettered):
        assert run.check(claim(OrderPlaced)).outcome == "holds"


def test_from_a_queue_it_goes_back_into_that_queue():
    run = simulate(shop(), sends(Pay(order_id="o1", fails=3)))
    topics = [s.envelope.topic for s in run.journal if s.step == "publish"]
    assert topics == ["billing.commands", "billing.commands.dlq", "billing.commands"]
    queue = simulate(shop(queue=True), sends(OrderPlaced(order_id="o1", fails=3)))
    topics = [s.envelope.topic for s in queue.journal if s.step == "publish"]
    assert topics == ["orders", "orders.dlq", "orders"] and bills(queue) == ["o1"]


def test_the_table_has_a_row_for_each_death_and_the_claim_names_those_that_wait():
    messages = [
        OrderPlaced(order_id="o1", fails=4),
        OrderPlaced(order_id="o2", fails=FOREVER, then="drop"),
        OrderPlaced(order_id="o3", fails=FOREVER, then="raise"),
        OrderPlaced(order_id="o4", fails=FOREVER),
    ]
    run = simulate(shop(partitions=1), sends(*messages))
    table = run.dead_letters
    assert list(table.columns) == (
        "id service type data reason attempts came_from time redrives state".split()
    )
    rows = sorted(zip([d.order_id for d in table.data], table.redrives, table.state, strict=True))
    assert rows == [
        ("o1", 0, "redriven"),
        ("o2", 0, "handled"),
        ("o3", 0, "waiting"),
        ("o4", 0, "redriven"),
        ("o4", 1, "redriven"),
        ("o4", 2, "handled"),
    ]
    assert set(table.came_from) == {"orders"} and set(table.attempts) == {3}
    assert set(table.reason) == {"ValueError (line 6): no address"}
    verdict = run.check(claims.nothing_dead_lettered(OrderPlaced))
    assert verdict.outcome == "broken" and len(verdict.evidence) == 1
    assert "client-3 was dead-lettered by billing" in str(verdict)
    assert "waits in orders.dlq" in str(verdict)
    lost = str(run.check(claims.no_event_lost(OrderPlaced)).evidence)
    assert [id for id in ("client-1", "client-2", "client-3", "client-4") if id in lost] == [
        "client-2", "client-3", "client-4",
    ]  # fmt: skip
    failed = [s.detail for s in run.journal if s.step == "failure"]
    assert failed == ["RuntimeError (line 7): who knows; stays in orders.dlq"]


def test_without_a_handler_a_run_is_as_it_was_and_its_dead_letters_wait():
    orders = [OrderPlaced(order_id="o1", fails=FOREVER), OrderPlaced(order_id="o2")]
    run = simulate(shop(reads=()), sends(*orders))
    assert list(run.dead_letters.state) == ["waiting"] and bills(run) == ["o2"]
    assert not [s for s in run.journal if s.envelope and "dlq" in s.envelope.type]
    assert run.check(claims.nothing_dead_lettered(OrderPlaced)).outcome == "broken"
    calm = simulate(shop(), sends(orders[1]))
    assert calm.check(claims.nothing_dead_lettered(OrderPlaced)).outcome == "holds"
    none = calm.check(claims.nothing_dead_lettered(Pay))
    assert none.outcome == "not exercised" and "no Pay was published" in str(none)


def test_dead_letters_that_wait_are_handed_to_a_version_that_is_deployed_later():
    orders = [OrderPlaced(order_id=f"o{n}", fails=3 * (n > 1)) for n in range(4)]
    new = deploy(shop(reads=[OrderPlaced]).services["billing"], at=30, rolling=5)
    run = simulate(shop(reads=[], replicas=2), sends(*orders), faults=[new])
    assert list(run.dead_letters.state) == ["redriven"] * 2
    assert sorted(bills(run)) == ["o0", "o1", "o2", "o3"]
    assert list(run.dead_letters.time) == [0.34, 0.65]  # when they died, not when they are read
    published = [s for s in run.journal if s.step == "publish" and s.envelope.type.endswith(".dlq")]
    assert [s.time for s in published] == [30000, 30000]
    again = [s.time for s in run.journal if s.step == "handle" and s.envelope.redrives]
    assert len(again) == 2 and min(again) > 30000
    alt = timeline(run).scene.alt
    assert "dead-lettered" in alt and run.at(29).services["billing"].lag == 0
    for start in (0, 20):  # with the deaths in the picture, and without them
        assert timeline(run, start=start).svg()
    assert "orders.dlq" in flow(run).svg()
    assert run.check(claims.nothing_dead_lettered(OrderPlaced)).outcome == "holds"


def test_a_dead_letter_that_waits_for_its_time_holds_up_no_other_work():
    system = shop(reads=())
    billing = system.service("billing")

    @billing.dead_letters(OrderPlaced)
    async def later(event, ctx):
        await ctx.sleep(max(0.5, 20 - ctx.now))
        await ctx.redrive()

    orders = [OrderPlaced(order_id=f"o{n}", fails=3 * (n < 3)) for n in range(6)]
    run = simulate(system, sends(*orders))
    back = [s.time for s in run.journal if (s.detail or "").startswith("redriven")]
    assert back == [20000, 20520, 21040]
    saved = [s.time for s in run.journal if s.step == "save"]
    assert len(saved) == 6 and max(saved[:3]) < 2000


def test_two_services_read_their_own_dead_letters():
    system = shop()
    stock = system.service("stock")

    @stock.on(OrderPlaced)
    def reserve(event):
        raise KeyError("pen")

    @stock.dead_letters(OrderPlaced)
    def note(event, ctx):
        ctx.note(ctx.message.reason)

    run = simulate(system, sends(OrderPlaced(order_id="o1", fails=3)))
    notes = [(s.service, s.detail) for s in run.journal if s.step == "note"]
    assert notes == [
        ("billing", "client-1 OrderPlaced ValueError (line 6): no address 3 orders 0"),
        ("stock", "KeyError (line 3): 'pen'"),
    ]
    assert sorted(zip(run.dead_letters.service, run.dead_letters.state, strict=True)) == [
        ("billing", "redriven"),
        ("stock", "handled"),
    ]


@pytest.mark.parametrize(
    ("fault", "redrives"),
    [
        ("fail billing.publish.OrderPlaced", 2),  # tried again, nothing stored the first time
        ("unconfirmed billing.publish.OrderPlaced", 2),
        ("duplicate billing.publish.OrderPlaced", 1),
        ("delay billing.publish.OrderPlaced for 3 s", 1),
        ("crash billing.publish.OrderPlaced", 2),
        ("crash billing.handle.OrderPlaced.dlq", 1),
        ("fail billing.handle.OrderPlaced.dlq", 1),
        ("lose billing.ack.OrderPlaced.dlq", 2),
        ("drop billing.deliver.OrderPlaced.dlq", 1),
        ("duplicate billing.deliver.OrderPlaced.dlq", 2),
    ],
)
def test_faults_strike_a_redrive_as_any_publish_and_a_dead_letter_as_any_message(fault, redrives):
    run = simulate(shop(), sends(OrderPlaced(order_id="o1", fails=3)), faults=[fault])
    assert not run.unfired and str(run.faults[0]).startswith(fault.split(" for")[0])
    back = [s for s in run.journal if (s.detail or "").startswith("redriven")]
    assert len(back) == redrives
    twice = fault.split()[0] in ("unconfirmed", "lose") or fault.startswith("duplicate")
    assert bills(run) == ["o1"] * (2 if twice else 1)
    assert run.check(claims.no_event_lost(OrderPlaced)).outcome == "holds"
    assert run.check(claims.handled_once(OrderPlaced)).outcome == ("broken" if twice else "holds")
    assert list(run.dead_letters.state) == ["redriven"]


def test_a_redrive_that_loops_is_found():
    system = shop(reads=())
    billing = system.service("billing")

    @billing.dead_letters(OrderPlaced)
    async def again(event, ctx):
        await ctx.redrive()

    with pytest.raises(
        Endless, match=r"OrderPlaced client-1 of billing is redriven again and again, over 1,000"
    ):
        simulate(system, sends(OrderPlaced(order_id="o1", fails=10**6)))
    report = explore(
        system,
        sends(OrderPlaced(order_id="o1", fails=10**6)),
        [claims.no_poison_loop(20)],
        budget=3,
    )
    assert "✗" in str(report) or "broken" in str(report)


def test_explore_tries_the_points_of_dead_letters():
    run = simulate(shop(), sends(OrderPlaced(order_id="o1", fails=3)))
    tried = {f.at for f in enumerate_faults(run)}
    assert {
        "billing.deliver.OrderPlaced.dlq",
        "billing.handle.OrderPlaced.dlq",
        "billing.ack.OrderPlaced.dlq",
        "billing.publish.OrderPlaced",
    } <= tried


def test_pictures_know_it():
    orders = [OrderPlaced(order_id=f"o{n}", fails=3) for n in range(3)]
    run = simulate(shop(partitions=1), sends(*orders))
    drawn = timeline(run).svg()
    assert "redriven" in drawn and "OrderPlaced.dlq" in drawn
    nodes = flow(run).graph.nodes
    assert "dead letters orders.dlq" in nodes and "queue orders.billing.retry" in nodes
    assert "topic orders.dlq" not in nodes
    assert "0 left at the end" in repr(lag(run, "billing"))
    early = simulate(shop(partitions=1), sends(*orders), until=0.33)
    assert "dead letter" in repr(timeline(early))
    run.otlp(), run.cloudevents()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (None, "billing.dead_letters takes the class of an event or a command, not None"),
        (Event, "takes the class of an event or a command, not Event; write @billing"),
        (OrderPlaced(order_id="o"), "takes the class of an event or a command, not OrderPlaced("),
    ],
)
def test_it_takes_a_class(wrong, says):
    with pytest.raises(Misuse) as error:
        System("shop").service("billing").dead_letters(wrong)(ignore)
    assert says in str(error.value)


def test_only_a_handler_of_dead_letters_redrives():
    system = System("shop")

    @system.service("billing").on(OrderPlaced)
    async def bill(event, ctx):
        await ctx.redrive()

    with pytest.raises(
        Misuse, match=r"billing.bill calls ctx.redrive\(\), but handles no dead letter; call it"
    ):
        simulate(system, sends(OrderPlaced(order_id="o1")))


# -- an independent reading of the record

FIELDS = {
    "order_id": st.sampled_from("abc"),
    "fails": st.sampled_from([0, 0, 2, 3, 4, 7, FOREVER]),
    "then": st.sampled_from(["redrive", "redrive", "raise", "drop"]),
}
ORDERS = st.lists(
    st.builds(OrderPlaced, **FIELDS) | st.builds(Pay, **FIELDS), min_size=1, max_size=8
)
RATES = st.sampled_from([0, 0.05, 0.2])


@given(ORDERS, st.booleans(), st.integers(1, 2), st.integers(0, 3), RATES)
def test_no_dead_letter_vanishes_and_each_goes_back_to_its_service_alone(
    messages, queue, replicas, seed, rate
):
    faults = [
        Faults(drop=rate, delay=rate, duplicate=rate, crash=rate / 2, fail=rate, unconfirmed=rate)
    ]
    run = simulate(shop(queue=queue, replicas=replicas), sends(*messages), seed=seed, faults=faults)
    died, letters, back, handled, under_way = {}, {}, {}, {}, {}
    previous = None
    for s in run.journal:
        envelope = s.envelope
        if envelope is None or envelope.data is None:
            previous = s
            continue
        id, is_letter = envelope.id, envelope.type.endswith(".dlq")
        if is_letter:
            assert s.service == "billing" and envelope.topic.endswith(".dlq"), s
        if s.step == "dead_letter":
            died[id] = died.get(id, 0) + (s.service == "billing")
        if s.step == "publish" and is_letter:
            assert previous.step == "dead_letter" and previous.envelope.id == envelope.causation
            assert envelope.data == previous.envelope.data and id not in letters
            letters[id] = envelope
        elif is_letter and s.step in ("deliver", "handle"):
            assert id in letters
            if s.step == "handle":
                under_way[s.replica] = envelope
        elif is_letter and s.step == "ack" and s.fault is None:
            handled[id] = s
        elif s.step == "publish" and (s.detail or "").startswith("redriven"):
            letter = under_way[s.replica]
            assert letter.causation == id and letter.data == envelope.data
            assert envelope.redrives == letter.redrives + 1
            if s.fault not in ("fail", "crash", "cut"):
                back.setdefault(letter.id, []).append(s)
        elif s.step in ("deliver", "handle") and envelope.redrives:
            assert s.service == "billing" and s.partition is None, s
            assert any(
                b.envelope.id == id and b.time < s.time for some in back.values() for b in some
            )
        previous = s
    table = run._world.dead_letters.letters
    assert len(table) == sum(died.values()) == len(letters)
    for letter in table:
        there = letter.id in handled
        assert (letter.state == "waiting") == (not there)
        if there and not rate:
            assert (letter.state == "redriven") == (letter.id in back)
    if not rate:  # what is not billed lies in the dead letters, or was dropped there
        billed = sorted(bills(run))
        given = [
            m.order_id for m in messages if m.fails < 9 and (m.fails < 3 or m.then == "redrive")
        ]
        assert billed == sorted(given)

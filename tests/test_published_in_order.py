"""`claims.published_in_order`: as their envelopes were saved, so are events of one key published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edalab import Command, Event, Misuse, PublishFailed, System, claims, pause, simulate


class Changed(Event, topic="changes", key="item"):
    item: str
    n: int


class Change(Command, key="item"):
    item: str
    n: int
    wait: float = 0


class Free(Event):
    n: int


SCHEMA = "create table outbox (id int, n integer primary key, event text, sent bool default false)"
IN_ORDER = claims.published_in_order(Changed)


def shop(relay="marks", partitions=1, replicas=2):
    """The number is taken first, the row saved after a while; the envelope is made in the transaction."""
    system = System("shop")
    system.topic("changes", partitions=partitions)
    owner = system.service("owner", replicas=replicas, schema=SCHEMA)

    @owner.handles(Change)
    async def change(command, ctx):
        id = ctx.sequence("outbox")
        await ctx.sleep(command.wait)
        event = Changed(item=command.item, n=command.n)
        if relay == "none":
            await ctx.publish(event)
            return
        with ctx.database as db:
            sql = "insert into outbox (id, event) values (:id, :event)"
            db.execute(sql, {"id": id, "event": ctx.envelope(event)})

    if relay == "capture":
        system.capture("owner.outbox")
    elif relay == "checkpoint":

        @owner.every(1)
        async def publish(ctx):
            with ctx.database as db:
                sql = "select id, event from outbox where id > ? order by id"
                waiting = db.execute(sql, (ctx.state.get("last", 0),)).fetchall()
            for id, event in waiting:
                await ctx.publish(event)
                ctx.state["last"] = id

    else:
        column = {"marks": "n", "by number": "id", "backwards": "n desc"}.get(relay, "n")

        @owner.every(1)
        async def publish(ctx):
            with ctx.database as db:
                sql = f"select n, event from outbox where not sent order by {column}"
                waiting = db.execute(sql).fetchall()
            for n, event in waiting:
                try:
                    await ctx.publish(event)
                except PublishFailed:
                    continue
                with ctx.database as db:
                    db.execute("update outbox set sent = true where n = ?", (n,))

    return system


def changes(*waits, items="a"):
    async def workload(ctx):
        for n, wait in enumerate(waits):
            await ctx.send(Change(item=items[n % len(items)], n=n, wait=wait))
        await ctx.sleep(4)

    return workload


def outcome(relay, *waits, items="a", **more):
    return simulate(shop(relay), changes(*waits, items=items), **more).check(IN_ORDER).outcome


def test_a_relay_that_skips_a_refused_row_breaks_it_and_the_evidence_names_both():
    fault = "fail owner.publish.Changed #1"
    verdict = simulate(shop(), changes(0, 0), faults=[fault]).check(IN_ORDER)
    assert verdict.outcome == "broken"
    assert verdict.cause == (
        "Changed owner-1 of a, made at 0.02 s, was published at 2 s, after the newer owner-2"
    )
    assert [s.step for s in verdict.evidence[0].steps] == ["save", "save", "publish", "publish"]


def test_the_order_is_that_of_the_commits_and_not_of_the_numbers():
    assert outcome("marks", 0.5, 0) == "holds"
    assert outcome("by number", 0.5, 0) == "broken"
    assert outcome("backwards", 0, 0) == "broken"
    assert outcome("capture", 0.5, 0) == "holds"


def test_keys_are_judged_apart_and_what_nobody_saved_was_made_when_it_was_published():
    assert outcome("backwards", 0, 0, items="ab") == "not exercised"
    assert outcome("none", 0.5, 0) == "holds"
    assert outcome("none") == "not exercised"


def test_to_publish_again_what_was_published_is_not_out_of_order():
    assert outcome("marks", 0, 0, faults=["crash owner.save.publish #2"]) == "holds"
    faults = ["fail owner.save.publish #1", pause("owner", 1.015, 2.5)]
    assert outcome("marks", 0, 0, 0, faults=faults) == "holds"


@given(
    st.sampled_from(["marks", "by number", "backwards", "capture", "checkpoint", "none"]),
    st.lists(st.integers(0, 4).map(lambda n: n / 10), min_size=1, max_size=6),
    st.sampled_from(["a", "ab"]),
    st.integers(1, 3),
    st.integers(0, 3),
    st.lists(st.integers(1, 4), max_size=2, unique=True),
)
def test_it_is_what_the_record_says(relay, waits, items, partitions, seed, failing):
    """Read again: the rows in the order in which they were added, and what the topic's consumers would read."""
    service = "owner-capture" if relay == "capture" else "owner"
    faults = [f"fail {service}.publish.Changed #{n}" for n in failing]
    workload = changes(*waits, items=items)
    run = simulate(shop(relay, partitions), workload, seed=seed, faults=faults)
    made = {}
    for number, s in enumerate(run.journal):
        if s.step == "save" and relay != "none":
            for row in run.changes(number).added.get("outbox", []):
                if row[3] == 0:
                    made.setdefault(row[2].split('"id": "')[1].split('"')[0], number)
        elif s.step == "publish" and s.service == "owner" and relay == "none":
            made.setdefault(s.envelope.id, number)
    stored = {}
    channel = run._world.channels.get("changes")
    for records in channel.partitions if channel else []:
        for envelope in records:
            by_key = stored.setdefault(envelope.subject, [])
            if envelope.id not in by_key:
                by_key.append(envelope.id)
    wrong = [ids for ids in stored.values() if ids != sorted(ids, key=made.get)]
    alone = all(len(ids) < 2 for ids in stored.values())
    expected = "broken" if wrong else "not exercised" if alone else "holds"
    assert run.check(IN_ORDER).outcome == expected


def test_an_event_without_a_key_has_no_order_to_keep():
    with pytest.raises(Misuse, match=r"published_in_order\(Free\) needs a key"):
        claims.published_in_order(Free)
    with pytest.raises(Misuse, match="takes the class of an event"):
        claims.published_in_order(Change)

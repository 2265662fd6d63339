"""Ticks: what one replica does every so many seconds, and what does not keep a run alive."""

import pytest
from postoffice import SCHEMA, Posted, Stamped, keep, kept, play, told

from edalab import Misuse, System, pause


def with_an_outbox():
    """Saves the event to publish in its own transaction; a tick sends what waits there."""
    system = System("town")
    post = system.service("post", schema="create table outbox (envelope text)")

    @post.on(Posted)
    def stamp(event, ctx):
        with ctx.database as db:
            db.execute("insert into outbox values (?)", (ctx.envelope(Stamped(n=event.n)),))

    @post.every(1)
    async def relay(ctx):
        with ctx.database as db:
            waiting = db.execute("select rowid, envelope from outbox").fetchall()
        for number, envelope in waiting:
            await ctx.publish(envelope)
            with ctx.database as db:
                db.execute("delete from outbox where rowid = ?", (number,))

    @system.service("archive", schema=SCHEMA).on(Stamped)
    def file(event, ctx):
        keep(ctx, event.n)

    return system


def test_a_run_ends_when_each_tick_has_run_once_more_and_did_nothing():
    run = play(with_an_outbox(), Posted(n=1))
    assert told(run, "handle", "publish", "done")[2:] == [
        "1000 post.handle relay", "1000 post.publish Stamped", "1010 post.done relay", "1020 archive.handle Stamped/1",
        "2000 post.handle relay", "2000 post.done relay",
    ]  # fmt: skip


def test_an_outbox_sends_the_same_envelope_again_after_a_crash():
    run = play(with_an_outbox(), Posted(n=1), faults=["crash post.save.relay"])
    sent = [
        (s.envelope.id, s.envelope.correlation, s.envelope.causation)
        for s in run.journal
        if s.step == "publish"
    ]
    assert sent == [
        ("client-1", "client-1", None),
        ("post-1", "client-1", "client-1"),
        ("post-1", "client-1", "client-1"),
    ]
    assert kept(run, "archive") == [1, 1]


@pytest.mark.parametrize(
    "fault",
    [
        "crash post.handle.relay",
        "fail post.handle.relay",
        "fail post.publish.Stamped",
        "fail post.save.relay",
    ],
)
def test_a_tick_that_was_struck_is_tried_again(fault):
    run = play(with_an_outbox(), Posted(n=1), faults=[fault])
    assert set(kept(run, "archive")) == {1} and run.rows("post", "select * from outbox") == []


def test_ticks_of_several_services_that_overlap_let_a_run_end():
    system = System("town")
    for name in ("anna", "bert", "cleo"):

        @system.service(name).every(0.3)
        async def breathe(ctx):
            await ctx.sleep(0.2)

        @system.service(name).every(0.1)
        def blink():
            pass

    assert play(system, Posted()).end < 2000


def test_a_tick_that_always_fails_ends_too():
    system = System("town")

    @system.service("post").every(1)
    def tick():
        raise ValueError("always")

    run = play(system, Posted())
    assert "post.tick raised ValueError 10 times" in repr(run)


def test_a_tick_that_always_has_something_to_do_is_stopped_by_name():
    system = System("town")

    @system.service("post", schema=SCHEMA).every(1)
    def tick(ctx):
        keep(ctx, 1)

    with pytest.raises(Misuse, match="post.tick always has something to do") as error:
        play(system, Posted())
    assert error.value.run.rows("post", "select count(*) from letters")[0][0] > 100


def test_two_runs_of_a_tick_never_overlap():
    system = System("town")

    @system.service("post").every(1)
    async def tick(ctx):
        await ctx.sleep(2.5)

    run = play(system, Posted(), every=7)
    assert told(run, "handle", "done")[:4] == [
        "1000 post.handle tick",
        "3500 post.done tick",
        "4000 post.handle tick",
        "6500 post.done tick",
    ]


def test_a_tick_runs_on_the_first_replica_that_is_up_and_does_not_stand_still():
    system = System("town")

    @system.service("post", replicas=2).every(1)
    def tick():
        pass

    run = play(
        system, Posted(), every=4, faults=[pause("post", 1.5, 2.5), "crash post.handle.tick #3"]
    )
    assert [(s.time, s.replica) for s in run.journal if s.step == "handle"][:4] == [
        (1000, 1),
        (2000, 2),
        (3000, 1),
        (4000, 2),
    ]


def test_a_story_begins_with_what_a_tick_publishes():
    system = System("town")

    @system.service("post", schema=SCHEMA).every(1)
    async def tick(ctx):
        with ctx.database as db:
            first = not db.execute("select * from letters").fetchall()
            if first:
                db.execute("insert into letters values (1)")
        if first:
            await ctx.publish(Stamped())

    run = play(system)
    stamped = next(s.envelope for s in run.journal if s.step == "publish")
    assert (stamped.correlation, stamped.causation) == ("post-1", None)

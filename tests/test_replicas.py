"""Replicas crash, come back, stand still and are cut off; partitions move to those that live."""

from postoffice import SCHEMA, Posted, Stamped, keep, kept, office, play, told

from edalab import System, cut, pause

KEYS = {"ann": 1, "eve": 0}  # of two partitions


def remembering(replicas: int = 1):
    system = System("town")
    system.topic("letters", partitions=2)

    @system.service("post", replicas=replicas, schema=SCHEMA).on(Posted)
    async def stamp(event, ctx):
        ctx.state["seen"] = ctx.state.get("seen", 0) + 1
        ctx.note(f"{ctx.state['seen']} seen")
        keep(ctx, event.n)
        await ctx.sleep(0.1)

    return system


def notes(run) -> list[str]:
    return [s.detail for s in run.journal if s.step == "note"]


def test_a_crash_takes_the_memory_and_leaves_the_database():
    run = play(remembering(), Posted(n=1), Posted(n=2), faults=["crash post.commit.Posted #2"])
    assert notes(run) == ["1 seen", "2 seen", "1 seen"]
    assert kept(run) == [1, 2, 2]


def test_a_crash_at_an_await_leaves_what_was_saved_before_it_and_nothing_after():
    system = System("town")
    post = system.service("post", schema=SCHEMA)

    @post.on(Posted)
    async def stamp(event, ctx):
        keep(ctx, 1)
        await ctx.sleep(2)
        keep(ctx, 2)

    @post.every(1)
    def tick():
        pass

    run = play(system, Posted(), faults=["crash post.handle.tick #1"])
    assert kept(run) == [1, 1, 2]


def test_a_crash_in_a_transaction_rolls_it_back():
    system = System("town")

    @system.service("post", schema=SCHEMA).on(Posted)
    async def stamp(event, ctx):
        with ctx.database as db:
            db.execute("insert into letters values (1)")
            await ctx.publish(Stamped())

    run = play(system, Posted(), faults=["crash post.publish.Stamped"])
    assert kept(run) == [1] and run.at(0.5).rows("post", "select * from letters") == []


def test_the_finally_of_a_dead_handler_does_not_reach_the_new_memory():
    system = System("town")

    @system.service("post").on(Posted)
    async def stamp(event, ctx):
        try:
            await ctx.publish(Stamped())
        finally:
            ctx.state["tidy"] = True

    run = play(system, Posted(), faults=["crash post.publish.Stamped for 5 s"])
    assert run.at(2).services["post"].state == {}
    assert run.at(9).services["post"].state == {"tidy": True}


def test_no_except_catches_a_crash():
    system = System("town")

    @system.service("post").on(Posted)
    async def stamp(event, ctx):
        try:
            await ctx.publish(Stamped())
        except:  # noqa: E722
            ctx.note("alive")

    run = play(system, Posted(), faults=["crash post.publish.Stamped"])
    assert told(run, "note", "handle") == ["20 post.handle Posted/1", "1030 post.handle Posted/2"]


def test_a_replica_that_comes_back_in_time_keeps_its_partitions():
    run = play(remembering(2), Posted(), faults=["crash post.handle.Posted"])
    assert not told(run, "takeover")
    assert {s.replica for s in run.journal if s.step == "handle"} == {2}


def test_partitions_move_after_the_session_time_out_and_come_back():
    run = play(remembering(2), Posted(to="ann"), faults=["crash post.handle.Posted for 3 s"])
    assert told(run, "crash", "takeover", "restart", "handle") == [
        "20 post-2.handle Posted/1 crash", "20 post-2.crash", "1020 post.takeover", "1030 post.handle Posted/2",
        "3020 post-2.restart", "3020 post-2.takeover",
    ]  # fmt: skip
    moves = [s for s in run.journal if s.step == "takeover"]
    assert [(s.detail, s.offset) for s in moves] == [
        ("letters partition 1 from replica 2", 0), ("letters partition 1 from replica 1", 1),
    ]  # fmt: skip


def test_what_is_being_handled_moves_when_it_has_ended():
    run = play(
        remembering(2),
        Posted(to="ann"),
        Posted(to="ann"),
        every=3,
        faults=["crash post.handle.Posted #1 for 3.06 s"],
    )
    back = next(s for s in run.journal if s.step == "takeover" and s.replica == 2)
    ended = [s.time for s in run.journal if s.step == "commit" and s.time <= back.time]
    assert not any(s.fault == "fenced" for s in run.journal) and back.time in ended


def test_a_late_commit_of_an_old_owner_is_fenced_and_changes_nothing():
    run = play(
        remembering(2),
        Posted(to="ann", n=1),
        Posted(to="ann", n=2),
        faults=[pause("post", 0.05, 5, replica=2)],
    )
    assert told(run, "pause", "takeover", "handle", "commit", "resume") == [
        "20 post-2.handle Posted/1", "50 post-2.pause", "1050 post.takeover", "1060 post.handle Posted/2",
        "1160 post.commit Posted/2", "1170 post.handle Posted/1", "1270 post.commit Posted/1", "5000 post-2.resume",
        "5000 post-2.commit Posted/1 fenced", "5000 post-2.takeover",
    ]  # fmt: skip
    assert kept(run) == [1, 1, 2]
    assert run.at(4.999).services["post"].lag == run.at(9).services["post"].lag == 0


def test_a_short_pause_moves_nothing():
    run = play(remembering(2), Posted(to="ann"), faults=[pause("post", 0.05, 0.9, replica=2)])
    assert told(run, "takeover", "commit") == ["900 post-2.commit Posted/1"]


def test_pauses_that_overlap_are_one_long_pause():
    run = play(remembering(), Posted(), faults=[pause("post", 0.05, 2), pause("post", 1, 4)])
    assert told(run, "pause", "resume") == ["50 post.pause", "4000 post.resume"] and not run.unfired


def test_what_is_down_cannot_stand_still():
    late = pause("post", 1, 3)
    run = play(remembering(), Posted(), faults=["crash post.handle.Posted for 5 s", late])
    assert run.unfired == [late] and not told(run, "pause")


def test_cuts_that_overlap_are_one_long_cut():
    run = play(
        remembering(), Posted(), faults=[cut("post", 0.05, 2), cut("post", 1, 4), cut("post", 1, 4)]
    )
    assert told(run, "cut", "heal") == ["50 post.cut", "4000 post.heal"] and not run.unfired


def test_one_that_is_cut_off_goes_on_and_nothing_of_it_is_heard():
    run = play(remembering(), Posted(n=1), Posted(n=2), faults=[cut("post", 0.05, 3)])
    assert told(run, "handle", "commit", "heal", "deliver") == [
        "20 post.deliver Posted/1", "20 post.handle Posted/1", "120 post.commit Posted/1 cut", "3000 post.heal",
        "3010 post.deliver Posted/1", "3010 post.handle Posted/1", "3110 post.commit Posted/1",
    ]  # fmt: skip


def test_publishes_of_one_that_is_cut_off_fail():
    run = play(office(seconds=0.1, max_attempts=9), Posted(), faults=[cut("post", 0.1, 0.3)])
    assert told(run, "publish", "retry", service="post")[:2] == [
        "120 post.publish Stamped cut",
        "130 post.retry Posted/1",
    ]
    assert run.failures[0].error.topic == "stamps"


def test_a_healed_service_keeps_what_its_replicas_held():
    run = play(remembering(2), Posted(to="ann"), Posted(to="eve"), faults=[cut("post", 0.01, 5)])
    assert not told(run, "takeover")
    assert {s.envelope.subject: s.partition for s in run.journal if s.step == "handle"} == KEYS


def test_ids_are_counted_per_service_and_survive_a_crash():
    run = play(office(), Posted(), Posted(), faults=["crash post.commit.Posted #1"])
    published = [s for s in run.journal if s.step == "publish" and s.service == "post"]
    assert [s.envelope.id for s in published] == ["post-1", "post-2", "post-3"]

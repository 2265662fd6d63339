"""Virtual time: whole milliseconds, equal times in the order scheduled, an end when nothing is left to do."""

import gc
import itertools
import time

import pytest
from postoffice import Posted, Shouted, Stamped, kept, office, play, told

from edalab import Misuse, System, simulate


def test_a_month_passes_in_no_time():
    async def wait(ctx):
        await ctx.sleep(30 * 24 * 3600)
        ctx.note(f"{ctx.now}")

    began = time.perf_counter()
    run = simulate(office(), wait)
    assert run.end == 30 * 24 * 3600 * 1000 and time.perf_counter() - began < 60


def test_equal_times_happen_in_the_order_scheduled():
    system = System("town")
    for name in ("anna", "bert", "cleo"):

        @system.service(name).on(Shouted)
        async def hear(event, ctx):
            await ctx.sleep(1 if event.n else 2)
            ctx.note("heard")

    run = play(system, Shouted(n=0), every=0.99)
    assert [s.service for s in run.journal if s.step == "note"] == ["anna", "bert", "cleo"]


def test_seconds_are_rounded_to_whole_milliseconds():
    async def wait(ctx):
        for _ in range(3):
            await ctx.sleep(0.0126)
            ctx.note(f"{ctx.now}")

    run = simulate(office(), wait)
    assert [s.time for s in run.journal] == [13, 26, 39] and run.journal[0].detail == "0.013"


def test_at_seed_0_latencies_are_the_named_constants_and_another_seed_varies_them():
    runs = {seed: play(office(), *[Posted(n=n) for n in range(5)], seed=seed) for seed in range(4)}
    waits = {
        seed: [b.time - a.time for a, b in itertools.pairwise(run.journal) if b.time > a.time]
        for seed, run in runs.items()
    }
    assert set(waits[0]) == {10}
    assert all(len(set(waits[seed])) > 3 for seed in (1, 2, 3))
    assert len({run.digest for run in runs.values()}) == 4
    assert all(kept(run) == [0, 1, 2, 3, 4] for run in runs.values())


def test_until_ends_a_run_at_the_end_of_that_moment():
    assert told(play(office(), Posted(), until=0.02))[-1] == "20 post.publish Stamped"
    assert told(play(office(), Posted(), until=0.019)) == ["0 client.publish Posted"]
    assert told(play(office(), Posted(), until=0)) == ["0 client.publish Posted"]


def test_a_run_without_anything_to_do_has_no_steps():
    async def nothing(ctx):
        pass

    run = simulate(office(), nothing)
    assert run.journal == [] and run.end == 0 and len(run.steps) == 0


def test_windows_do_not_keep_a_run_alive():
    run = play(office(), Posted(), faults=["pause post from 5 s to 6 s"])
    assert run.end == 30 and len(run.unfired) == 1


def test_what_was_begun_before_the_end_of_the_workload_is_finished():
    run = play(office(seconds=60), Posted())
    assert run.end == 60_030


def test_the_dice_of_a_service_are_its_own():
    def throws(*names):
        system = System("town")
        for name in names:

            @system.service(name).on(Shouted)
            def hear(event, ctx):
                ctx.note(f"{ctx.random.random()}")

        run = play(system, Shouted(), Shouted(), seed=7)
        return [s.detail for s in run.journal if s.step == "note" and s.service == "anna"]

    assert throws("anna") == throws("bert", "anna", "cleo") and len(set(throws("anna"))) == 2


def test_correlation_is_inherited_and_begins_with_the_clients():
    system = office()

    @system.service("archive").on(Stamped)
    def file(event, ctx):
        return Shouted()

    run = play(system, Posted())
    sent = {s.envelope.type: s.envelope for s in run.journal if s.step == "publish"}
    assert {e.correlation for e in sent.values()} == {"client-1"}
    causes = [sent[name].causation for name in ("Posted", "Stamped", "Shouted")]
    assert causes == [None, "client-1", "post-1"]


def test_a_system_changed_during_or_after_a_run_changes_no_run():
    system = office()
    run = play(system, Posted(n=1))

    @system.services["post"].on(Posted)
    def stamp(event):
        raise ValueError("replaced")

    assert kept(run) == [1] and run.at(1).rows("post", "select * from letters") == [(1,)]
    assert play(system, Posted()).failures


def test_every_error_of_simulate_carries_the_run_so_far():
    async def wrong(ctx):
        await ctx.publish(Posted())
        await ctx.publish("a text")

    with pytest.raises(Misuse) as error:
        simulate(office(), wrong)
    run = error.value.run
    assert told(run) == ["0 client.publish Posted"]
    assert run.at(run.end / 1000).now == 0


def test_a_run_leaves_the_collection_of_garbage_as_it_was():
    async def wait(ctx):
        seen.append(gc.get_threshold())
        await ctx.sleep(1)
        raise SystemExit

    seen, before = [], gc.get_threshold()
    with pytest.raises(Misuse):
        simulate(office(), wait)
    assert gc.get_threshold() == before and seen[0][0] == before[0] and seen[0][1:] != before[1:]

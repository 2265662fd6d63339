"""How far a service is behind: counted from the record alone, as the world at each moment would count it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import flaws

from edalab import Command, Event, Misuse, System, cut, pause, rewind, simulate
from edalab.trace.backlog import Backlog
from edalab.view import lag
from edalab.view.outages import outages_of


class StockMoved(Event, topic="stock", key="shelf"):
    shelf: str


class StockCounted(Event, topic="stock", key="shelf"):
    shelf: str


class LabelWanted(Event, topic="labels"):
    shelf: str


class CountShelves(Command):
    shelf: str


def shelves(replicas=1, partitions=1, delivery="at-least-once"):
    shop = System("shop")
    shop.topic("stock", partitions=partitions)
    shop.queue("labels", max_attempts=2)
    view = shop.service("view", replicas=replicas, schema="create table moves (shelf text)")
    printer = shop.service("printer")

    @view.on(StockMoved, delivery=delivery)
    async def project(event, ctx):
        await ctx.sleep(0.12)
        with ctx.database as db:
            db.execute("insert into moves values (?)", (event.shelf,))

    @printer.on(LabelWanted)
    async def print_label(event, ctx):
        await ctx.sleep(0.05)

    @printer.handles(CountShelves)
    def count(command): ...

    return shop


async def moves(ctx):
    for number in range(12):
        await ctx.publish(StockMoved(shelf=f"s{number % 3}"))
        if number % 3 == 0:
            await ctx.publish(StockCounted(shelf="s1"))  # the view does not care
            await ctx.publish(LabelWanted(shelf="s1"))
        await ctx.sleep(0.11)


def waiting_at(backlog, time):
    return [level for level in backlog.levels if level.time <= time][-1].waiting


def assert_as_the_world_counts(run, service):
    """At moments at which nothing is on its way to the broker."""
    backlog = Backlog(run, service)
    published = [step.time for step in run.journal if step.step == "publish"]
    times = sorted({step.time for step in run.journal})[:: max(1, len(run.journal) // 25)]
    for time in [*times, run.end]:
        if not any(time - 10 <= other <= time for other in published):
            assert waiting_at(backlog, time) == run.at(time / 1000).services[service].lag, time


POINTS = st.sampled_from(
    [
        "crash view.handle",
        "crash view.save",
        "crash view.commit",
        "lose view.commit",
        "fail view.handle",
        "drop view.deliver",
    ]
)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(POINTS, st.integers(1, 9)), max_size=3), st.integers(1, 2), st.integers(1, 3)
)
def test_what_waits_is_what_the_world_says_under_any_faults(faults, replicas, partitions):
    texts = list(dict.fromkeys(f"{point}.StockMoved #{nth}" for point, nth in faults))
    assert_as_the_world_counts(simulate(shelves(replicas, partitions), moves, faults=texts), "view")


@pytest.mark.parametrize(
    "fault", [cut("view", 0.3, 1), pause("view", 0.3, 1.9), pause("view", 0.3, 0.6)]
)
@pytest.mark.parametrize("replicas", [1, 2])
def test_also_when_it_is_cut_off_or_stands_still(fault, replicas):
    assert_as_the_world_counts(simulate(shelves(replicas, 2), moves, faults=[fault]), "view")


def test_of_a_queue_what_is_not_acknowledged_waits():
    for faults in (
        [],
        ["fail printer.handle.LabelWanted #1", "fail printer.handle.LabelWanted #2"],
        ["lose printer.ack.LabelWanted #1"],
    ):
        run = simulate(shelves(), moves, faults=faults)
        assert Backlog(run, "printer").most.waiting >= 1
        assert_as_the_world_counts(run, "printer")


def test_at_most_once_waits_only_until_it_was_handed_over():
    run = simulate(
        shelves(delivery="at-most-once"), moves, faults=["fail view.handle.StockMoved #2"]
    )
    assert_as_the_world_counts(run, "view")
    assert Backlog(run, "view").levels[-1].waiting == 0


def test_what_the_broker_never_had_does_not_wait():
    run = simulate(shelves(), moves, faults=["fail client.publish.StockMoved #1"])
    assert Backlog(run, "view").levels == [(0, 0, None)]


def test_age_counts_from_when_the_oldest_was_published():
    run = simulate(shelves(), moves, faults=["crash view.commit.StockMoved #1"])
    backlog = Backlog(run, "view")
    crash = next(step.time for step in run.journal if step.step == "crash")
    first = next(
        step.time
        for step in run.journal
        if step.step == "commit" and step.fault is None and step.envelope.type == "StockMoved"
    )
    before = [level for level in backlog.levels if level.time < first][-1]
    assert first > crash and before.since == 0 and backlog.oldest[1] >= first - before.since
    assert backlog.most.waiting == 10
    assert [one.what for one in outages_of(run, ["view"], run.end)] == ["down"]


def test_the_picture_says_the_peak_and_what_befell_the_service():
    run = simulate(shelves(), moves, faults=["crash view.commit.StockMoved #1"])
    picture = lag(run, "view")
    most, (aged, age) = Backlog(run, "view").most, Backlog(run, "view").oldest
    said = f"at most 10 events, at {most.time / 1000:g} s; at most {age / 1000:g} s old, at {aged / 1000:g} s; 0 left at the end"
    assert repr(picture).startswith(f"lag of view in shop: {said}; down from")
    assert [label.text for label in picture.scene.labels if label.kind == "on span"] == ["down"]
    calm = lag(simulate(shelves(), moves, until=0.005), "printer")
    assert "never behind" in repr(calm) and not flaws(calm.scene)


@pytest.mark.parametrize("width", [624, 900])
@pytest.mark.parametrize(
    "faults",
    [
        [],
        ["crash view.commit.StockMoved #1"],
        [pause("view", 0.3, 1.9), "crash view.save.StockMoved #6"],
        [cut("view", 0, 1)],
    ],
)
def test_the_picture_is_legible_and_the_same_each_time(faults, width):
    run = simulate(shelves(2, 2), moves, faults=faults)
    picture = lag(run, "view", width=width)
    assert not flaws(picture.scene) and repr(picture) == repr(lag(run, "view", width=width))
    assert {box.kind for box in picture.scene.spans} == {
        outage.kind for outage in outages_of(run, ["view"], run.end)
    }
    assert picture.png().startswith(b"\x89PNG") and "<svg" in picture.svg()


def test_a_service_that_does_not_exist_or_hears_no_event_is_said():
    shop = shelves()
    shop.service("office").handles(CountShelves)
    with pytest.raises(Misuse, match="no service 'views'; services: view, printer"):
        lag(simulate(shelves(), moves), "views")
    quiet = shelves()
    quiet.service("office")
    with pytest.raises(Misuse, match="office subscribes to no event.*: view, printer"):
        lag(simulate(quiet, moves), "office")


def test_two_rewinds_at_one_moment_and_copies_of_what_was_sent_back_are_counted():
    system = System("shop")
    view = system.service("view")

    @view.on(StockMoved, max_attempts=1)
    def project(event, ctx):
        if not ctx.message.redrives:
            raise ValueError("unknown shelf")

    @view.dead_letters(StockMoved)
    async def look(event, ctx):
        await ctx.redrive()
        await ctx.sleep(1)
        await ctx.redrive()

    async def one(ctx):
        await ctx.publish(StockMoved(shelf="a"))

    copies = [f"duplicate view.deliver.StockMoved #{n}" for n in (2, 3, 4)]
    for faults in ([rewind("view", at=2), rewind("view", at=2)], copies):
        levels = Backlog(simulate(system, one, faults=faults), "view").levels
        assert levels[-1].waiting == 0

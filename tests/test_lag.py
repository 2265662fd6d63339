"""How far a service is behind: the events that the broker stored for it and that it has not committed."""

import pytest
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


async def three(ctx):
    for shelf in "abc":
        await ctx.publish(StockMoved(shelf=shelf), wait=False)


def levels(run, service="view"):
    return [level[:2] for level in Backlog(run, service).levels]


LATER = cut("view", 0.15, 0.5), pause("view", 0.15, 0.5)


@pytest.mark.parametrize(
    ("faults", "falls"),  # 3 are stored at 0.01 s, and each takes 0.01 s to deliver and 0.12 s
    [
        ([], [(140, 2), (270, 1), (400, 0)]),
        (["lose view.commit.StockMoved #1"], [(270, 1), (400, 0)]),
        (["crash view.handle.StockMoved #2"], [(140, 2), (1280, 1), (1410, 0)]),
        (["fail view.handle.StockMoved #2"], [(140, 2), (370, 1), (500, 0)]),
        (LATER[:1], [(140, 2), (630, 1), (760, 0)]),
        (LATER[1:], [(140, 2), (620, 1), (750, 0)]),
        (
            ["duplicate client.publish.StockMoved #3"],
            [(140, 2), (270, 1), (400, 0), (510, 1), (640, 0)],
        ),
    ],
)
def test_an_event_waits_from_when_it_is_stored_until_it_is_committed(faults, falls):
    run = simulate(shelves(), three, faults=faults)
    assert levels(run) == [(0, 0), (10, 3), *falls]


def test_at_most_once_waits_only_until_it_is_delivered():
    run = simulate(shelves(delivery="at-most-once"), three)
    assert levels(run) == [(0, 0), (10, 3), (20, 2), (150, 1), (280, 0)]


def test_an_event_of_a_queue_waits_until_it_is_acknowledged():
    async def labels(ctx):
        for shelf in "abc":
            await ctx.publish(LabelWanted(shelf=shelf), wait=False)

    calm, lost = (
        simulate(shelves(), labels, faults=f) for f in ([], ["lose printer.ack.LabelWanted #1"])
    )
    assert levels(calm, "printer") == [(0, 0), (10, 3), (70, 2), (130, 1), (190, 0)]
    assert levels(lost, "printer") == [(0, 0), (10, 3), (130, 2), (190, 1), (5080, 0)]


def test_events_that_it_does_not_handle_do_not_wait():
    assert levels(simulate(shelves(), moves, until=0.05)) == [(0, 0), (10, 1)]


def test_what_a_handler_prints_is_not_printed_again(capsys):
    shop = shelves()

    @shop.services["view"].on(StockCounted)
    def count_once(event):
        print("counted")

    run = simulate(shop, moves)
    assert "counted" in capsys.readouterr().out
    lag(run, "view")
    assert not capsys.readouterr().out


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
        assert levels(simulate(system, one, faults=faults))[-1][1] == 0

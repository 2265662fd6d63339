"""The order of one key's messages: how they were published, through which partition they went, and how they took effect."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import flaws
from test_queues import movers, six_moves
from test_together import ENDLESS, story
from test_windows import MOVED, PriceChanged, changes, shop

from edalab import Command, Event, Faults, Misuse, System, repartition, simulate
from edalab.errors import Unknown
from edalab.trace.spans import Trace
from edalab.view import lanes


def marks(picture, kind):
    return [mark for mark in picture.scene.marks if mark.kind == kind]


def sentence(picture):
    return picture.scene.shows.partition(": ")[2]


def effects(run, key):
    """What took effect, from the tables of the record alone: ids in the order of their saves."""
    return [
        step.envelope.id
        for step in run.journal
        if step.step == "save" and not step.fault and step.envelope.subject == key
    ]


def late(run, key):
    """How many saves came after one of a newer message."""
    published = [s.envelope.id for s in run.journal if s.step == "publish"]
    order = [published.index(id) for id in effects(run, key)]
    return sum(place < max(order[:number]) for number, place in enumerate(order) if number)


def test_a_key_that_moved_crosses_itself_and_the_late_one_is_red():
    fault = repartition("prices", 3, at=0.25)
    workload = changes(6, 0.1, [MOVED, "x", "y"])
    run = simulate(shop(replicas=3, seconds=1), workload, faults=[fault])
    picture = lanes(run, MOVED)
    assert (
        sentence(picture)
        == f"6 messages of {MOVED} (PriceChanged): 1 of 6 was saved after a newer one."
    )
    assert len(marks(picture, "late")) == 1 and len(marks(picture, "fact")) == 5
    names = [label.text for label in picture.scene.labels if label.kind == "channel"]
    assert names == ["published", *(f"prices partition {n}" for n in range(3)), "saved by web"]
    assert "Published: 10, 20, 30, 40, 50, 60. Saved: 10, 30, 40, 20, 50, 60." in picture.scene.alt
    assert {box.kind for box in picture.scene.spans} >= {"idle"} and not flaws(picture.scene)
    said = words(picture, "handled") + words(picture, "struck")
    assert sorted(said) == sorted([str(10 * n) for n in range(1, 7)] * 2), "above and below"


def test_without_an_overtaking_nothing_is_red():
    picture = lanes(simulate(shop(), changes(4, 0.1)), "tea")
    assert sentence(picture) == "4 messages of tea (PriceChanged): all in the order of publishing."
    assert not marks(picture, "late") and "red" not in " ".join(words(picture, "caption"))


@pytest.mark.parametrize("prefetch", [1, 2, 5])
def test_what_a_replica_handles_at_once_does_not_hide_one_another(prefetch):
    system = shop(seconds=0.5)
    system.queue("prices", prefetch=prefetch)
    picture = lanes(simulate(system, changes(6, 0.05, ["tea", "rye"])), "tea")
    boxes = [box for box in [*picture.scene.bars, *picture.scene.spans] if box.kind != "stretched"]
    [lane] = picture.scene.lanes
    lines = {
        y: sorted((box for box in boxes if box.y == y), key=lambda box: box.x)
        for y in {box.y for box in boxes}
    }
    assert len(lines) == prefetch
    for y, line in lines.items():
        assert lane.y < y and y + line[0].h < lane.y + lane.h
        assert all(one.x + one.w <= next.x + 1 for one, next in pairwise(line))
    assert all(above + lines[above][0].h < below for above, below in pairwise(sorted(lines)))
    assert not flaws(picture.scene)


class Moved(Event, topic="moves", key="product"):
    product: str
    number: int


def moving(*numbers):
    async def workload(ctx):
        for number in numbers:
            await ctx.publish(Moved(product="tea", number=number))

    return workload


def holding():
    """A service that applies moves in the order of their numbers, and holds back those that come too early."""
    system = System("shop")
    system.queue("moves")
    tables = "create table held (number int); create table applied (number int)"

    @system.service("web", replicas=3, schema=tables).on(Moved)
    def apply(event, ctx):
        with ctx.database as db:
            db.execute("insert into held values (?)", (event.number,))
            while True:
                [(last,)] = db.execute("select count(*) from applied")
                if not db.execute("delete from held where number = ?", (last + 1,)).rowcount:
                    break
                db.execute("insert into applied values (?)", (last + 1,))

    return system


def words(picture, kind):
    return [label.text for label in picture.scene.labels if label.kind == kind]


def test_of_a_queue_the_lanes_are_the_replicas_that_compete():
    picture = lanes(simulate(movers(False), six_moves), "a")
    replicas = [f"replica {number}" for number in (1, 2, 3)]
    assert words(picture, "channel") == ["published", *replicas, "saved by store"]
    assert "1 of 3 was saved after a newer one" in sentence(picture)
    picture = lanes(simulate(movers(True), six_moves), "a")
    assert "all in the order of publishing" in sentence(picture)


@given(st.integers(0, 10_000), st.sampled_from((0.0, 0.1, 0.25)))
@settings(max_examples=40, deadline=None)
def test_the_count_of_late_ones_is_that_of_the_record_under_any_faults(seed, rate):
    faults = [Faults(delay=rate, duplicate=rate, crash=rate / 3, fail=rate / 3)]
    for system, key, workload in (
        (movers(False), "a", six_moves),
        (shop(replicas=3, seconds=0.2, partitions=3), "tea", changes(5, 0.05, ["tea", "rye"])),
    ):
        run = simulate(system, workload, seed=seed, faults=faults)
        if not effects(run, key):
            continue
        picture = lanes(run, key)
        assert len(marks(picture, "late")) == late(run, key)
        assert len(marks(picture, "late") + marks(picture, "fact")) == len(effects(run, key))
        assert not flaws(picture.scene)


def test_what_had_no_effect_and_what_is_not_shown_is_said():
    run = simulate(movers(True, fails=[("a", 1)]), six_moves)
    assert "1 had no effect" in sentence(lanes(run, "a"))
    run = simulate(shop(), changes(60, 0.05))
    picture = lanes(run, "tea")
    assert "20 more not shown" in sentence(picture) and len(marks(picture, "fact")) == 40


def test_a_service_that_saves_nothing_is_judged_by_when_it_was_done():
    system = shop()

    @system.service("mail").on(PriceChanged)
    def tell(event): ...

    run = simulate(system, changes(3, 0.1))
    with pytest.raises(Misuse, match=r'choose one: lanes\(run, .tea., "web"\)'):
        lanes(run, "tea")
    assert "3 messages of tea" in sentence(lanes(run, "tea", "mail"))


def test_a_message_that_is_held_back_is_applied_where_its_row_is_removed():
    run = simulate(holding(), moving(1, 2, 3), faults=["delay web.deliver.Moved #1 for 1 s"])
    assert "1 of 3 was saved after a newer one" in sentence(lanes(run, "tea"))
    picture = lanes(run, "tea", held_in="held")
    assert sentence(picture).endswith("all in the order of publishing; 2 held back for a while.")
    assert words(picture, "channel")[-1] == "applied by web" and not flaws(picture.scene)
    assert words(picture, "handled") == ["1", "2", "3", "1", "2 · 3"]
    stuck = simulate(holding(), moving(2, 3, 4))
    assert sentence(lanes(stuck, "tea", held_in="held")).endswith("; 3 had no effect.")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("coffee",), "no key 'coffee'"), (("tea", "mail"), "no service 'mail'")],
)
def test_a_key_or_a_service_that_is_not_there_is_told_with_those_that_are(arguments, says):
    with pytest.raises(Misuse, match="no table 'helt'"):
        lanes(simulate(shop(), changes(2, 0.1)), "tea", held_in="helt")
    with pytest.raises(Misuse, match=says):
        lanes(simulate(shop(), changes(2, 0.1)), *arguments)
    with pytest.raises(Misuse, match="lanes takes a run"):
        lanes("tea", "tea")


@pytest.mark.parametrize("number", [n for n in range(24) if n not in ENDLESS])
def test_messages_of_one_key_may_come_through_several_channels_and_a_question_is_none(number):
    run = simulate(**story(number))
    trace = Trace.of(run)
    spans = [span for span in trace.spans if span.envelope.data is not None]
    asked = {trace.envelope(number).id for number in trace.sends if trace.kind(number) == "ask"}
    no_message = asked | {span.envelope.id for span in spans if span.envelope.type.endswith(".dlq")}
    for key, service in {(span.envelope.subject, span.service) for span in spans}:
        mine = [span for span in spans if (span.envelope.subject, span.service) == (key, service)]
        drawn = [span for span in mine if span.envelope.id not in no_message]
        if drawn:
            scene = lanes(run, key, service).scene
            shown = [bar for bar in scene.bars if bar.kind != "break"]
            assert len(shown) == len(drawn) or "more not shown" in scene.shows
        else:
            with pytest.raises(Unknown):
                lanes(run, key, service)


def test_a_command_that_is_asked_for_is_in_no_lane():
    class Weigh(Command, key="product"):
        product: str

    system = System("market")

    @system.service("scales").handles(Weigh)
    def weigh(command):
        return "done"

    async def ask(ctx):
        await ctx.ask(Weigh(product="tea"))

    with pytest.raises(Unknown, match="no key 'tea'"):
        lanes(simulate(system, ask), "tea")


def test_a_partition_of_a_second_topic_has_a_lane_of_its_own():
    class Weighed(Event, topic="scales", key="product"):
        product: str

    class Priced(Event, topic="prices", key="product"):
        product: str

    market = System("market")
    market.topic("scales", partitions=2)

    for message in (Weighed, Priced):

        @market.service("shop").on(message)
        def take(event): ...

    async def workload(ctx):
        await ctx.publish(Weighed(product="tea"))
        await ctx.publish(Priced(product="tea"))

    scene = lanes(simulate(market, workload), "tea").scene
    names = ["prices partition 0", "scales partition 0", "scales partition 1"]
    assert [lane.tip for lane in scene.lanes] == names


class Emailed(Event, topic="emails", key="item"):
    item: str


def test_replica_10_stands_below_replica_2():
    shop = System("shop")
    shop.queue("emails")

    @shop.service("mail", replicas=11).on(Emailed)
    def write(event): ...

    async def many(ctx):
        for _ in range(11):
            await ctx.publish(Emailed(item="tea"), wait=False)

    scene = lanes(simulate(shop, many), "tea").scene
    names = [box.tip for box in scene.lanes]
    assert names == [f"replica {number}" for number in range(1, 12)]

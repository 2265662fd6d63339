"""Copies of a value: read from the record alone, as the databases at each moment have it."""

import sqlite3
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import flaws

from edalab import Event, Misuse, System, cut, pause, simulate
from edalab.trace.copies import values_over_time
from edalab.view import copies

SELECT = "select pieces from stock where item = 'tea'"


class Sold(Event, topic="stock", key="item"):
    item: str
    pieces: int


class Renamed(Event, topic="stock", key="item"):
    item: str
    to: str


def shops(*names, replicas=1, rows="insert into stock values ('tea', 10);"):
    shops = System("shops")
    shops.service("till")  # has no table
    for name in names:
        schema = f"create table stock (item text primary key, pieces);{rows}"
        shop = shops.service(name, replicas=replicas, schema=schema)

        @shop.on(Sold)
        async def take_out(event, ctx):
            with ctx.database as db:
                db.execute("insert or ignore into stock values (?, 20)", (event.item,))
                change = "update stock set pieces = pieces - ? where item = ? and ? != 0"
                db.execute(change, (event.pieces, event.item, event.pieces))

        @shop.on(Renamed)
        async def rename(event, ctx):
            with ctx.database as db:
                db.execute("delete from stock where item = ? and ? = ''", (event.item, event.to))
                db.execute("update stock set pieces = ? where item = ?", (event.to, event.item))

    return shops


async def sales(ctx):
    for number in range(6):
        await ctx.publish(Sold(item="tea", pieces=number % 4))
        await ctx.sleep(0.3)


async def words(ctx):
    for to in ("ordered", "paid", "lying on a very long shelf in the north of the town", ""):
        await ctx.publish(Renamed(item="tea", to=to))
        await ctx.sleep(0.3)


def values_at(run, time):
    states = values_over_time(run, SELECT, None)[1]
    return states[max(since for since in states if since <= time)]


def tips(picture):
    return [box.tip for box in picture.scene.lanes]


POINTS = st.sampled_from(
    ["crash {}.handle", "crash {}.save", "fail {}.save", "drop {}.deliver", "lose {}.commit"]
)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(POINTS, st.sampled_from(["north", "south"]), st.integers(1, 6)), max_size=3),
    st.integers(0, 5),
    st.booleans(),
)
def test_the_copies_are_as_the_databases_have_them_after_each_save(faults, seed, cut_off):
    asked = list(dict.fromkeys(f"{at.format(name)}.Sold #{nth}" for at, name, nth in faults))
    asked += [cut("south", 0.5, 1.2)] * cut_off
    run = simulate(shops("north", "south"), sales, faults=asked, seed=seed)
    saves = sorted({step.time for step in run.journal if step.step == "save"})
    differ = 0
    for time, until in zip([0, *saves], [*saves, run.end], strict=True):
        world = run.at(time / 1000)
        pieces = [world.rows(name, SELECT)[0][0] for name in ("north", "south")]
        assert values_at(run, time) == tuple(pieces)
        differ += (until - time) * (pieces[0] != pieces[1])
    found = repr(copies(run, SELECT))
    assert (f"differ for {differ / 1000:g} s in all" in found) == (differ > 0), found


def test_the_time_in_which_they_differ_is_shaded_and_said():
    run = simulate(shops("north", "south"), sales, faults=[cut("south", 0.5, 1.2)])
    picture = copies(run, SELECT)
    assert tips(picture) == [
        "7 in north, 9 in south from 0.64 s to 0.95 s",
        "4 in north, 9 in south from 0.95 s to 1.21 s",
        "4 in north, 7 in south from 1.21 s to 1.22 s",
    ]
    assert "differ for 0.58 s in all; equal again at 1.22 s; south cut off from 0.5 s" in repr(
        picture
    )
    assert [label.text for label in picture.scene.labels if label.kind == "on span"] == [
        "south cut off"
    ]


def test_copies_that_differ_at_the_end_are_said_with_their_values():
    run = simulate(shops("north", "south"), sales, faults=[cut("south", 0.5, 9)], until=1.4)
    picture = copies(run, SELECT)
    assert "at the end 4 in north, 9 in south; south cut off from 0.5 s to the end" in repr(picture)
    assert tips(picture)[-1].endswith("to the end")
    assert f"differ for {run.end / 1000 - 0.64:g} s in all" in repr(picture)


def test_lines_of_equal_copies_stand_where_the_value_is_and_the_last_value_is_written():
    picture = copies(simulate(shops("north", "south"), sales), SELECT)
    north, south = [line.points for line in picture.scene.polylines if line.tip]
    assert south == north
    assert [label.text for label in picture.scene.labels if label.kind == "handled"] == ["3"]


def test_copies_that_never_differ_have_no_shade():
    picture = copies(simulate(shops("north", "south"), sales), SELECT)
    assert "in north, south: never differ;" in repr(picture) and not tips(picture)


def test_three_copies_differ_where_one_of_them_does():
    run = simulate(shops("north", "south", "west"), sales, faults=["crash west.save.Sold #2"])
    assert "7 in north, 7 in south, 9 in west from" in " ".join(tips(copies(run, SELECT)))
    two = copies(run, SELECT, services=["north", "south"])
    assert "in north, south: never differ" in repr(two)


def test_texts_and_no_row_have_levels_of_their_own():
    run = simulate(shops("north", "south"), words, faults=[cut("south", 0.2, 0.5)])
    picture = copies(run, SELECT)
    ticks = [label.text for label in picture.scene.labels if label.anchor == "end"]
    assert ticks == ["10", "ordered", "paid", "lying on a very lon…", "none"]
    assert not flaws(picture.scene)
    late = simulate(shops("north", "south", rows=""), sales)
    ticks = [one.text for one in copies(late, SELECT).scene.labels if one.kind == "axis"]
    assert {"none", "16"} <= {*ticks}


def test_a_table_that_is_made_later_has_no_value_before():
    makers = System("makers")
    for name in ("north", "south"):

        @makers.service(name).on(Sold)
        async def make(event, ctx):
            with ctx.database as db:
                db.execute("create view if not exists stock as select 'tea' item, 5 pieces")

    run = simulate(makers, sales)
    assert [values_at(run, 0), values_at(run, 500)] == [(None, None), (5, 5)]


def test_a_statement_that_failed_changes_no_copy():
    careful = System("careful")
    for name in ("north", "south"):
        schema = "create table stock (item text, pieces integer check (pieces >= 0));"
        schema += "insert into stock values ('tea', 3);"

        @careful.service(name, schema=schema).on(Sold)
        async def take_out(event, ctx):
            with ctx.database as db:
                with suppress(sqlite3.IntegrityError):
                    db.execute("update stock set pieces = pieces - ?", (event.pieces,))
                db.execute("update stock set item = 'tea'")

    run = simulate(careful, sales)  # 0, 1, 2, 3, 0 and 1 pieces, of which 3 and 1 are too many
    assert values_at(run, 1500) == (0, 0)


def test_texts_that_differ_only_at_their_end_differ():
    run = simulate(shops("north", "south", rows=""), sales, faults=["crash south.save.Sold #1"])
    long = "select printf('%.300c', 'x') || pieces from stock"
    assert "differ for" in repr(copies(run, long))


def test_a_service_that_was_named_and_cannot_run_the_select_is_an_error():
    run = simulate(shops("north", "south"), sales, until=0.5)
    with pytest.raises(
        sqlite3.OperationalError, match="no such table: stock; tables of till: none"
    ):
        copies(run, SELECT, services=["north", "south", "till"])


@pytest.mark.parametrize("width", [400, 624, 840])
@pytest.mark.parametrize(
    "faults",
    [
        [],
        [cut("south", 0.5, 1.2)],
        [pause("south", 0.3, 1.9), "crash north.save.Sold #4", cut("south", 1.5, 2)],
        ["crash south.save.Sold #1", "crash south.save.Sold #3", pause("north", 0, 9, 2)],
    ],
)
def test_the_picture_is_legible_and_the_same_each_time(faults, width):
    run = simulate(shops("north", "south", replicas=2), sales, faults=faults, seed=4)
    picture = copies(run, SELECT, width=width)
    assert not flaws(picture.scene)
    assert picture.svg() == copies(run, SELECT, width=width).svg()
    outages = {box.kind for box in picture.scene.spans}
    assert outages <= {"cut", "down", "pause"} and bool(outages) == bool(faults)
    assert picture.png().startswith(b"\x89PNG")


def test_long_names_and_texts_have_room():
    names = [f"{place}_side_of_the_old_harbour_town" for place in ("north", "south", "west")]
    run = simulate(shops(*names), words, faults=[cut(names[1], 0.2, 9)], until=0.8)
    select = "select pieces || ', lying on a very long shelf in the north' from stock"
    for width in (400, 624, 840):
        picture = copies(run, select, width=width)
        said = [one.text for one in picture.scene.labels if one.kind == "on span"]
        assert not flaws(picture.scene) and said[0].endswith("cut off")


def test_hundreds_of_changes_have_room():
    async def many(ctx):
        for number in range(200):
            await ctx.publish(Sold(item="tea", pieces=(-1) ** number * (number % 7 + 1)))
            await ctx.sleep(0.05)

    run = simulate(shops("north", "south"), many, seed=2, faults=[cut("south", 3, 6)])
    assert not flaws(copies(run, SELECT).scene)
    named = "select 'state ' || pieces || ' of the tea in the shop' from stock"
    assert not flaws(copies(run, named).scene)


@pytest.mark.parametrize(
    "select, options, words",
    [
        (
            "select pieces from stok",
            {},
            "runs in none: no such table: stok; tables of north: stock",
        ),
        (SELECT, dict(services=["north"]), "two or three services, .* runs in north; name those"),
        (SELECT, dict(services="north"), "two or three services, .* runs in north; name those"),
        ("select 1", {}, "runs in till, north, south, west; name those to compare: services="),
        (SELECT, dict(services=["north", "sooth"]), "no service 'sooth'.*Did you mean 'south'"),
        ("select 1; select 2", {}, "runs in none: You can only execute one statement at a time"),
        ("", {"services": ["north", "south"]}, "but north has 0 columns at 0 s; write one such as"),
        ("select item, pieces from stock", {}, "but north has 2 columns at 0 s; write one such as"),
        ("select 1 from stock union select 2", {}, "but north has several rows at 0 s; write"),
        ("delete from stock", {}, "rows only reads"),
        (5, {}, "takes a select as a text, not 5"),
        (SELECT, dict(width=0), "width= takes pixels"),
    ],
)
def test_what_cannot_be_drawn_is_said_with_the_way_out(select, options, words):
    run = simulate(shops("north", "south", "west"), sales, until=0.5)
    with pytest.raises(Misuse, match=words):
        copies(run, select, **options)
    with pytest.raises(Misuse, match="copies takes a run.*pass the run"):
        copies(run.at(0.1), select, **options)

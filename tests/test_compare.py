"""compare: the first difference of two runs in words, what differs in their tables, and both on one time axis."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenes import flaws
from systems import story

from edalab import Event, Misuse, Query, System, cut, pause, simulate
from edalab.errors import Endless
from edalab.sim.points import enumerate_faults
from edalab.trace.compare import Comparison
from edalab.view import compare

dice = st.randoms(use_true_random=False)
some = settings(max_examples=20, suppress_health_check=list(HealthCheck))
few = settings(max_examples=10, suppress_health_check=list(HealthCheck))


class CakeOrdered(Event, topic="cakes", key="cake"):
    cake: str
    price: int = 5


class CakePaid(Event, topic="cakes_paid", key="cake"):
    cake: str


class PriceOfCake(Query):
    cake: str


def thank(event): ...


def insert(event, ctx):
    with ctx.database as db:
        db.execute("insert into charges values (?, ?)", (event.cake, event.price))
    return CakePaid(cake=event.cake)


def insert_once(event, ctx):
    with ctx.database as db:
        if not db.execute("select 1 from charges where cake = ?", (event.cake,)).fetchone():
            db.execute("insert into charges values (?, ?)", (event.cake, event.price))
    return CakePaid(cake=event.cake)


def note_first(event, ctx):
    with ctx.database as db:
        db.execute("insert into charges values (?, ?)", (event.cake, event.price))
    ctx.note("charged")
    with ctx.database as db:
        db.execute("insert into notes values (?)", (event.cake,))
    return CakePaid(cake=event.cake)


def insert_double(event, ctx):
    with ctx.database as db:
        db.execute("insert into charges values (?, ?)", (event.cake, 2 * event.price))
    return CakePaid(cake=event.cake)


CHARGES = "create table charges (cake text, price integer);"


def bakery(handler=insert, schema=CHARGES, more=()):
    bakery = System("bakery")
    bakery.service("payments", schema=schema).on(CakeOrdered)(handler)
    for service in ("mail", *more):
        bakery.service(service).on(CakePaid)(thank)
    return bakery


def orders(number=2, price=5):
    async def workload(ctx):
        for n in range(number):
            await ctx.publish(CakeOrdered(cake=f"c{n + 1}", price=price))
            await ctx.sleep(0.1)

    return workload


CRASH = "crash payments.commit.CakeOrdered #2"
BASE = simulate(bakery(), orders())


def compared(*faults, handler=insert, number=2, **options):
    return Comparison(
        BASE, simulate(bakery(handler), orders(number), faults=list(faults), **options)
    )


# -- the first difference


def test_equal_runs_are_the_same():
    comparison = compared()
    assert comparison.sentence == "The runs are the same."
    assert (comparison.first, comparison.lasting, comparison.tables) == (None, None, [])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (CRASH, "payments crashes at commit of CakeOrdered #2 (c2) in the second run, and commits in the first"),
        ("fail payments.handle.CakeOrdered #1", "payments fails at handle of CakeOrdered #1 (c1) in the second run, and handles in the first"),
        ("lose mail.commit.CakePaid #2", "mail loses the commit of CakePaid #2 (c2) in the second run, and commits in the first"),
        ("drop mail.deliver.CakePaid #1", "the deliver of CakePaid #1 (c1) at mail is dropped in the second run, and not in the first"),
        ("duplicate client.publish.CakeOrdered #2", "the publish of CakeOrdered #2 (c2) at client is doubled in the second run, and not in the first"),
        ("unconfirmed payments.publish.CakePaid #1", "payments gets no confirmation at publish of CakePaid #1 (c1) in the second run, and publishes in the first"),
        (pause("mail", 0.02, 3), "mail stands still in the second run, and not in the first one"),
        (cut("payments", 0.01, 1), "payments is cut off in the second run, and not in the first one"),
    ],
)  # fmt: skip
def test_a_fault_is_the_first_difference_and_is_named_as_it_is_asked_for(fault, words):
    comparison = compared(fault)
    assert comparison.sentence == f"From here on the runs differ: {words}."


def test_the_run_with_the_fault_is_named_wherever_it_stands():
    turned = Comparison(simulate(bakery(), orders(), faults=[CRASH]), BASE)
    words = "payments crashes at commit of CakeOrdered #2 (c2) in the first run, and commits in the second"
    assert turned.first.sentence == words


def test_a_fix_that_changes_nothing_until_the_fault_strikes_differs_where_it_does():
    before, after = (
        simulate(bakery(handler), orders(), faults=[CRASH]) for handler in (insert, insert_once)
    )
    comparison = Comparison(before, after)
    assert comparison.first.sentence == (
        "payments saves at CakeOrdered #3 (c2) in the first run, and not in the second one"
    )
    struck = next(n for n, step in enumerate(before.journal) if step.fault)
    assert comparison.first.number > struck
    (table,) = comparison.tables
    assert (table.name, table.rows) == ("payments.charges", ([("c2", 5)], []))
    assert comparison.lasting.time == comparison.first.time
    assert comparison.lasting.sentence == (
        "payments.charges has the row (c2, 5) once more in the first run"
    )


def test_a_fix_that_adds_a_step_differs_early_and_the_first_row_that_stays_is_told_too():
    schema = CHARGES + "create table notes (cake text);"
    faults = ["duplicate mail.deliver.CakePaid #1", "fail payments.handle.CakeOrdered #2"]
    before = simulate(bakery(insert, schema), orders(), faults=faults)
    after = simulate(bakery(note_first, schema), orders(), faults=faults)
    comparison = Comparison(before, after)
    assert "payments notes “charged” in the second run" in comparison.sentence
    assert comparison.lasting.sentence == "payments.notes has the row (c1) only in the second run"


def test_a_table_differs_from_the_moment_on_since_which_it_never_was_the_same_again():
    late, twice = "delay payments.deliver.CakeOrdered #2 for 20 s", CRASH
    comparison = Comparison(*(simulate(bakery(), orders(), faults=[one]) for one in (late, twice)))
    saved = {
        run: [s.time for s in run.journal if s.step == "save" and s.envelope.subject == "c2"]
        for run in comparison.runs
    }
    (only_late,), (first, *_) = (saved[run] for run in comparison.runs)
    assert (
        first < only_late
    )  # from the first on the second run has one row more, then two, then one
    assert comparison.lasting.time == first


def test_a_table_that_one_run_lacks_is_told_and_the_first_row_is_of_a_table_that_both_have():
    schema = CHARGES + "create table notes (cake text);"
    after = simulate(
        bakery(note_first, schema), orders(), faults=["crash payments.save.CakeOrdered #4"]
    )
    comparison = Comparison(BASE, after)
    missing = {table.name: table.missing for table in comparison.tables}
    assert missing == {
        "payments.charges": "",
        "payments.notes": "the first run has no such table",
    }
    assert "payments.charges has the row (c2, 5) once more" in comparison.lasting.sentence


def test_rows_too_long_for_their_place_show_their_key_and_what_differs():
    def wordy(price):
        def insert_text(event, ctx):
            with ctx.database as db:
                values = event.cake, "a long text " * 9, "another one " * 9, price
                db.execute("insert into charges values (?, ?, ?, ?)", values)

        schema = "create table charges (cake text, said text, heard text, price integer)"
        return simulate(bakery(insert_text, schema), orders(1))

    labels = [label.text for label in compare(wordy(5), wordy(7)).scene.labels]
    assert {"cake, price", "c1, 5", "c1, 7"} <= {*labels}


def test_tables_may_differ_where_no_step_does():
    comparison = compared(handler=insert_double)
    assert comparison.first is None
    assert comparison.sentence == (
        "Step by step the runs are the same, and yet their tables differ."
    )
    assert (
        "payments.charges has the row (c1, 10) only in the second run"
        in comparison.lasting.sentence
    )


def test_runs_of_other_workloads_seeds_and_systems_say_what_differs_first():
    dearer = Comparison(BASE, simulate(bakery(), orders(price=7))).sentence
    assert "with price=7 in the second run, and with price=5 in the first" in dearer
    longer = compared(number=3).sentence
    assert (
        "client publishes CakeOrdered #3 (c3) in the second run, and not in the first one" in longer
    )
    seeds = Comparison(BASE, simulate(bakery(), orders(), seed=7))
    assert seeds.seeds == "The seeds are 0 and 7."
    assert (
        "in the second one only at" in seeds.sentence
        or "in the first one only at" in seeds.sentence
    )


def test_a_class_that_is_declared_again_does_not_differ():
    class CakeOrdered(Event, topic="cakes", key="cake"):
        cake: str
        price: int = 5

    async def workload(ctx):
        for n in (1, 2):
            await ctx.publish(CakeOrdered(cake=f"c{n}"))
            await ctx.sleep(0.1)

    assert Comparison(BASE, simulate(bakery(), workload)).sentence == "The runs are the same."


@some
@given(dice)
def test_before_the_step_of_a_fault_both_records_are_equal_and_none_is_unequal_to_itself(dice):
    tale = story(dice, faults=0)
    try:
        run = simulate(tale.system, tale.workload, seed=tale.seed)
        itself = Comparison(run, run)
        assert itself.sentence == "The runs are the same." and itself.lasting is None
        possible = enumerate_faults(run)
        if not possible:
            return
        fault = dice.choice(possible)
        other = simulate(tale.system, tale.workload, seed=tale.seed, faults=[fault])
    except Endless:
        return
    struck = next(
        number
        for number, step in enumerate(other.journal)
        if step.fault == fault.do and (step.service, step.step) == fault.point[:2]
    )
    first = Comparison(run, other).first
    assert first.number <= struck
    assert run.lines()[: first.number] == other.lines()[: first.number]
    assert run.lines()[first.number] != other.lines()[first.number]


@few
@given(dice)
def test_no_picture_of_two_runs_has_words_on_words_or_outside_of_it(dice):
    tale = story(dice)
    try:
        run = simulate(tale.system, tale.workload, seed=tale.seed)
        other = simulate(tale.system, tale.workload, seed=tale.seed, faults=tale.faults)
    except Endless:
        return
    for width, cursor in ((900, None), (624, run.end / 2000), (400, None)):
        assert flaws(compare(run, other, width=width, cursor=cursor).scene) == []


# -- the picture


def words(picture):
    return [label.text for label in picture.scene.labels]


def test_both_runs_stand_above_each_other_with_the_same_instants_at_the_same_x():
    other = simulate(bakery(), orders(), faults=[CRASH])
    scene = compare(BASE, other).scene
    lanes = [lane.tip for lane in scene.lanes]
    assert lanes == ["client", "payments", "mail"] * 2
    upper, lower = (
        [bar.x for bar in scene.bars if bar.kind == "handled" and (bar.y < scene.lanes[3].y) == up]
        for up in (True, False)
    )
    assert upper[0] == lower[0] and set(upper) & set(lower)
    lines = [line for line in scene.lines if line.kind == "difference"]
    assert len({line.x1 for line in lines}) == 1 and len(lines) == 2


def test_the_sentence_the_headings_and_the_rows_are_written():
    other = simulate(bakery(), orders(), faults=[CRASH])
    picture = compare(BASE, other, names=("calm", "crashed"))
    text = " ".join(words(picture))
    for expected in (
        "From here on the runs differ: payments crashes at commit of CakeOrdered #2 (c2)",
        "First run: calm", "No fault struck.", "Second run: crashed", f"Struck: {CRASH}.",
        "payments.charges", "cake, price", "c2, 5 (once more)", "only in the second run",
        "has the row (c2, 5) once more in the second run",
    ):  # fmt: skip
        assert expected in text
    assert repr(picture).startswith("two runs of bakery: From here on the runs differ: payments")
    assert "only in the second run c2, 5" in picture.scene.alt
    assert picture.svg().startswith("<svg") and "aria-label" in picture.svg()


@pytest.mark.parametrize("width", [400, 690])
def test_long_names_of_runs_have_a_line_of_their_own(width):
    names = "W" * 200, "kept, refusal=an error that is not caught, handling=by id"
    picture = compare(BASE, BASE, names=names, width=width)
    assert flaws(picture.scene) == []
    assert any("handling=by id" in f"{label.text} {label.tip}" for label in picture.scene.labels)


def test_equal_runs_are_drawn_without_marks():
    picture = compare(BASE, BASE)
    assert words(picture)[0] == "The runs are the same."
    assert not [line for line in picture.scene.lines if line.kind == "difference"]
    assert "At the end" not in " ".join(words(picture))


def test_of_large_runs_the_story_that_differs_first_is_shown_and_the_hidden_steps_counted():
    many = orders(60)
    runs = [
        simulate(bakery(), many, faults=faults)
        for faults in ([], ["crash payments.commit.CakeOrdered #40"])
    ]
    picture = compare(*runs)
    text = " ".join(words(picture))
    assert "has the row (c40, 5) once more in the second run" in text
    assert "Shown: the story of CakeOrdered client-40 (c40)" in text and "hidden" in text
    assert len([bar for bar in picture.scene.bars if bar.kind in ("handled", "struck")]) < 10
    assert any(line.kind == "difference" for line in picture.scene.lines)
    assert "CakeOrdered client-3 (c3)" in " ".join(words(compare(*runs, "c3")))


def test_of_very_long_runs_the_rows_are_compared_at_the_end_only():
    runs = [
        simulate(bakery(), orders(301), faults=faults)
        for faults in ([], ["crash payments.commit.CakeOrdered #290"])
    ]
    text = " ".join(words(compare(*runs)))
    assert "At the end their tables differ." in text and "c290, 5 (once more)" in text


def test_in_the_lanes_of_a_run_that_does_not_have_the_story_it_says_so():
    shorter, longer = simulate(bakery(), orders(2)), simulate(bakery(), orders(4))
    picture = compare(shorter, longer, "c4")
    assert "this run has no such story" in words(picture) and flaws(picture.scene) == []
    assert "Shown: nothing, for this run has no such story" in " ".join(words(picture))
    assert "nothing happened here" in words(compare(shorter, longer, start=0.001, end=0.002))
    with pytest.raises(Misuse, match="no story 'c9'"):
        compare(shorter, longer, "c9")


@pytest.mark.parametrize("more", [1, 10, 40])
def test_where_one_run_only_has_the_story_that_differs_both_show_what_was_near(more):
    shorter, longer = simulate(bakery(), orders(40)), simulate(bakery(), orders(40 + more))
    for one, other in ((shorter, longer), (longer, shorter)):
        picture = compare(one, other)
        middle = picture.scene.lanes[3].y
        handled = [bar for bar in picture.scene.bars if bar.kind == "handled"]
        upper = sum(bar.y < middle for bar in handled)
        assert 0 < upper <= 40 and 0 < len(handled) - upper <= 40
        assert flaws(picture.scene) == []


def test_a_run_that_ended_before_the_first_difference_says_when():
    async def later(ctx):
        await orders(45)(ctx)
        await ctx.sleep(20)
        await ctx.publish(CakeOrdered(customer="c1", cake="late"))

    run = simulate(bakery(), orders(45))
    picture = compare(run, simulate(bakery(), later))
    assert f"this run ended at {run.end / 1000:g} s" in " ".join(words(picture))


def test_the_cursor_crosses_both_timelines():
    scene = compare(BASE, simulate(bakery(), orders(), faults=[CRASH]), cursor=0.1).scene
    line, _, label = scene.cursor
    assert label.text == "0.1 s" and line.y1 < scene.lanes[0].y and line.y2 > scene.lanes[-1].y


def test_a_run_of_another_system_has_lanes_for_the_services_of_both():
    other = simulate(bakery(more=["reports"]), orders())
    scene = compare(BASE, other).scene
    assert [lane.tip for lane in scene.lanes] == ["client", "payments", "mail", "reports"] * 2


def test_what_is_no_run_is_misuse():
    with pytest.raises(Misuse, match="compare takes a run, such as simulate"):
        compare(BASE, "the other")
    with pytest.raises(Misuse, match="this is the world as it was at 0.1 s: pass the run"):
        compare(BASE.at(0.1), BASE)
    with pytest.raises(Misuse, match="names= takes two names"):
        compare(BASE, BASE, names="before")
    with pytest.raises(Misuse, match="cursor= takes seconds"):
        compare(BASE, BASE, cursor="soon")


def test_a_run_that_was_stopped_can_be_compared():
    looping = System("loop")

    class Ping(Event):
        n: int

    @looping.service("a", schema="create table t (n integer)").on(Ping)
    def again(event, ctx):
        with ctx.database as db:
            db.execute("insert into t values (?)", (event.n,))
        return Ping(n=event.n + 1)

    async def begin(ctx):
        await ctx.publish(Ping(n=0))

    with pytest.raises(Endless) as stopped:
        simulate(looping, begin)
    run = stopped.value.run
    short = simulate(looping, begin, until=0.5)
    assert "From here on the runs differ" in repr(compare(short, run))

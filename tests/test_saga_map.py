"""saga_map: what became of a saga, in words and as a graph, for both styles; the ledger; many at once; what is no saga."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import pytest
from right_sagas import by_ticks
from scenes import flaws, graph_of
from weddings import (
    COMMANDS,
    DONE,
    EFFECTS,
    NOT_DONE,
    UNDO,
    UNDONE,
    WORK,
    PlanWedding,
    WeddingAnnounced,
    WeddingCalledOff,
    choreographed,
    many,
    one_announced,
    one_wedding,
    orchestrated,
)  # fmt: skip
from wrong_sagas import orders

from edalab import Command, Misuse, Query, System, pause, simulate
from edalab.claims.saga_outcome import outcome
from edalab.model import Message
from edalab.trace.saga_story import stories
from edalab.view import saga_map


class Case(NamedTuple):
    """A wedding of three steps: what goes wrong, the headline, and how some of the steps stand in the end."""

    build: Callable[..., System]
    headline: str
    states: dict[str, str]
    faults: tuple[str, ...]
    what: dict

    def run(self, steps=3):
        what = self.what | ({"refuse": steps - 1} if self.what.get("refuse") else {})
        workload = one_wedding if self.build is orchestrated else one_announced
        run = simulate(self.build(steps, **what), workload, faults=list(self.faults))
        assert run.unfired == []
        return run


def led(headline, states, *faults, **what) -> Case:
    return Case(orchestrated, headline, states, faults, what)


def danced(headline, states, *faults, **what) -> Case:
    return Case(choreographed, headline, states, faults, what)


CASES = {
    "led: done": led("done", {"BookHall": "done", "WeddingPlanned": "done"}),
    "led: refused at once": led("refused at BookHall, nothing to compensate", {"BookHall": "refused"}, refuse=0),
    "led: refused and compensated": led(
        "refused at OrderCake, compensated",
        {"BookHall": "compensated", "HireBand": "compensated", "OrderCake": "refused", "CancelHall": "done"},
        refuse=2,
    ),
    "led: in doubt": led(
        "ended with HireBand in doubt (it was not carried out)", {"HireBand": "in doubt"},
        "drop planners.ask.HireBand", on_timeout="ignore",
    ),
    "led: a late success": led("done, HireBand 0.31 s late", {"HireBand": "done"}, slow=1),
    "led: a late success, left behind": led(
        "ended, but HireBand is not compensated", {"HireBand": "late", "WeddingCalledOff": "done"}, slow=1, on_timeout="ignore"
    ),
    "led: an answer lost, asked again": led("done, HireBand asked twice", {"HireBand": "done"}, "drop bands.reply.HireBand"),
    "led: a time-out, compensated": led(
        "HireBand got no answer, compensated", {"HireBand": "compensated"}, "drop bands.reply.HireBand", on_timeout="compensate"
    ),
    "led: a time-out, compensated to be safe": led(
        "HireBand got no answer, compensated", {"HireBand": "compensated", "DismissBand": "idle", "BookHall": "compensated"},
        "drop planners.ask.HireBand", on_timeout="compensate",
    ),
    "led: a compensation failed and was tried again": led(
        "refused at OrderCake, compensated", {"CancelHall": "done"}, refuse=2, undo_fails=2
    ),
    "led: a compensation fails for ever": led(
        "stuck, BookHall is not compensated (refused at OrderCake)", {"CancelHall": "failed", "BookHall": "done"},
        refuse=2, undo_fails=99,
    ),
    "led: the letters are out": led(
        "compensated, with one thing that cannot be undone", {"PostInvitations": "done", "BookHall": "compensated"},
        refuse=2, mail=1,
    ),
    "led: forgotten": led("ended, but BookHall is not compensated", {"BookHall": "done"}, refuse=2, forget=0),
    "led: compensated in forward order": led(
        "BookHall was compensated at 0.5 s, before HireBand, which depends on it (at 0.62 s)",
        {"BookHall": "compensated", "CancelHall": "done"}, refuse=2, forward=True,
    ),
    "led: compensated twice": led("DismissBand and CancelHall done twice", {"CancelHall": "done twice"}, refuse=2, twice=True),
    "led: the coordinator crashed": led("done, PlanWedding at try 2", {"OrderCake": "done"}, "crash planners.ask.OrderCake"),
    "danced: done": danced("done", {"HallBooked": "done", "WeddingPlanned": "done"}),
    "danced: refused at once": danced("refused at HallBooked, nothing to compensate", {"HallBooked": "refused"}, refuse=0),
    "danced: refused and compensated": danced(
        "refused at CakeOrdered, compensated",
        {"HallBooked": "compensated", "CakeOrdered": "refused", "BandDismissed": "done", "HallCancelled": "done"},
        refuse=2,
    ),
    "danced: nobody compensates": danced(
        "stuck, HallBooked is not compensated (refused at CakeOrdered)", {"HallBooked": "done", "BandDismissed": "done"},
        refuse=2, deaf=0,
    ),
    "danced: given up": danced(
        "stuck, bands gave up after 3 tries, HallBooked is not compensated", {"HallBooked": "done", "bands": "failed"}, dies=1
    ),
    "danced: a compensation failed and was tried again": danced(
        "refused at CakeOrdered, compensated", {"HallCancelled": "done"}, refuse=2, undo_fails=2
    ),
    "danced: the letters are out": danced(
        "compensated, with one thing that cannot be undone", {"InvitationsPosted": "done"}, refuse=2, mail=True
    ),
    "danced: after a crash": danced("done, BandHired at try 2", {"BandHired": "done"}, "crash bands.publish.BandHired"),
    "danced: done twice": danced(
        "BandHired and CakeOrdered done twice", {"BandHired": "done twice"}, "crash bands.commit.HallBooked", guarded=False
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_headline_says_what_became_of_the_saga(name):
    case = CASES[name]
    picture = saga_map(case.run())
    words = f"Wedding w1: {case.headline}"
    assert " ".join(label.text for label in picture.scene.labels if label.kind == "title") == words
    assert words in repr(picture) and words in picture.scene.alt
    states = dict(graph_of(picture).nodes(data="state"))
    assert {step: states[step] for step in case.states} == case.states


@pytest.mark.parametrize("steps", [3, 6, 12])
@pytest.mark.parametrize("name", CASES)
def test_nothing_overlaps_and_no_arrow_runs_through_a_box(name, steps):
    run = CASES[name].run(steps)
    for width in (900, 624):
        scene = saga_map(
            run, width=width, ledger=lambda world: {"halls": 0, "money": (1.5, 2.5)}
        ).scene
        assert flaws(scene) == []
        boxes = [box for box in scene.bars if box.h > 30]
        assert len(boxes) > 1
        assert [
            f"{arrow.tip} crosses {box.tip}"
            for arrow in scene.arrows
            for box in boxes
            if crosses(arrow, box)
        ] == []
        assert (
            width < 900 or [label.text for label in scene.labels if label.text.endswith("…")] == []
        )


def crosses(arrow, box) -> bool:
    points = list(zip(arrow.points[::2], arrow.points[1::2], strict=True))
    for number in range(0, len(points) - 1, 3):
        curve = points[number : number + 4]
        for part in range(1, 20):
            t, u = part / 20, 1 - part / 20
            weights = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
            x, y = (
                sum(weight * point[axis] for weight, point in zip(weights, curve, strict=True))
                for axis in (0, 1)
            )
            if box.x + 2 < x < box.x + box.w - 2 and box.y + 2 < y < box.y + box.h - 2:
                return True
    return False


@pytest.mark.parametrize("build", [orchestrated, choreographed])
def test_the_graph_leads_forward_to_the_refusal_and_back_in_reverse(build):
    graph = graph_of(saga_map(Case(build, "", {}, (), {"refuse": 11}).run(12)))
    steps = [name for name, kind in graph.nodes(data="kind") if kind == "step"]
    undone = [name for name, kind in graph.nodes(data="kind") if kind == "compensation"]
    assert len(steps) == 13 and len(undone) == 11
    assert all(graph.edges[pair]["kind"] == "next" for pair in itertools.pairwise(steps))
    back = [steps[-1], *undone]
    assert all(graph.edges[pair]["kind"] == "undo" for pair in itertools.pairwise(back))
    assert [graph.nodes[name]["compensates"] for name in undone] == steps[-2:0:-1]
    assert (
        graph.nodes[steps[1]]["service"] == "halls"
        and graph.nodes[undone[-1]]["start"] > graph.nodes[undone[0]]["end"] - 0.1
    )


def test_the_cursor_shows_the_saga_as_it_stood():
    run = CASES["led: a compensation failed and was tried again"].run()
    said = {
        cursor: saga_map(run, cursor=cursor).scene.labels[0].text
        for cursor in (0, 0.1, 0.55, 1, 60)
    }
    assert said == {
        0: "Wedding w1 at 0 s: under way, PlanWedding sent",
        0.1: "Wedding w1 at 0.1 s: under way, BookHall asked, no answer yet",
        0.55: "Wedding w1 at 0.55 s: refused at OrderCake, 1 of 2 compensated",
        1: "Wedding w1 at 1 s: refused at OrderCake, 1 of 2 compensated",
        60: "Wedding w1 at 60 s: refused at OrderCake, compensated",
    }
    early = graph_of(saga_map(run, cursor=0.1)).nodes(data="state")
    assert dict(early) == {
        "PlanWedding": "under way", "BookHall": "under way", "HireBand": "not yet", "OrderCake": "not yet",
        "DismissBand": "not yet", "CancelHall": "not yet", "WeddingCalledOff": "not yet",
    }  # fmt: skip
    failed = graph_of(saga_map(run, cursor=1)).nodes["CancelHall"]
    assert (failed["state"], failed["words"]) == ("failed", "failed")


def test_a_step_whose_asker_crashes_before_it_asks_was_never_asked_for():
    faults = ["crash planners.ask.HireBand #1"]
    run = simulate(orchestrated(), one_wedding, faults=faults, until=0.5)
    at = graph_of(saga_map(run)).nodes["HireBand"]
    assert (at["state"], at["words"]) == ("failed", "never asked for")
    crash = [mark.tip for mark in saga_map(run).scene.marks if mark.kind == "crash"]
    assert any("crash of planners before it asks" in tip for tip in crash)


def time_in(tip: str) -> int:
    """The ms of a tip that ends in a time, such as "halls: crash at 1.5 s"."""
    return round(float(tip.rpartition(" at ")[2].removesuffix(" s")) * 1000)


@pytest.mark.parametrize("name", CASES)
def test_nothing_that_comes_after_the_cursor_is_drawn_and_the_end_is_the_end(name):
    run = CASES[name].run()
    story = stories(run)[0]
    for time in story.times:
        picture = saga_map(run, cursor=time / 1000)
        line = picture.scene.cursor[0]
        marks = [mark for mark in picture.scene.marks if mark.y > line.y1]
        assert all(time_in(mark.tip) <= time for mark in marks)
        bars = [bar for bar in picture.scene.bars if bar.y > line.y1 and bar.h == 12]
        assert all(bar.x <= line.x1 for bar in bars)
        assert flaws(picture.scene) == []
    last = saga_map(run, cursor=run.end / 1000)
    assert last.outcome == saga_map(run).outcome and dict(graph_of(last).nodes(data=True)) == dict(
        graph_of(saga_map(run)).nodes(data=True)
    )


def test_what_is_asked_for_and_not_answered_is_in_doubt_until_it_is_resolved():
    run = CASES["led: an answer lost, asked again"].run()
    states = [
        graph_of(saga_map(run, cursor=cursor)).nodes["HireBand"] for cursor in (0.2, 0.5, 1.16, 2)
    ]
    assert [(state["state"], state["words"]) for state in states] == [
        ("under way", "asked, no answer yet"),
        ("done", "done, no answer"),
        ("in doubt", "done, but no answer"),
        ("done", "asked twice"),
    ]
    assert "under way, HireBand in doubt" in repr(saga_map(run, cursor=1.16))
    run = simulate(orchestrated(3), one_wedding, faults=["drop planners.ask.HireBand"])
    again = graph_of(saga_map(run, cursor=1.4)).nodes["HireBand"]
    assert (again["state"], again["words"]) == ("in doubt", "no answer, asked again")


def test_where_the_way_back_stops_is_marked_once_and_who_gave_up_is_not_said_to_be_done():
    deaf = saga_map(danced("", {}, refuse=2, deaf=3).run(6))
    assert [label.text for label in deaf.scene.labels].count("stuck here") == 1
    flowers, stuck = (
        next(label for label in deaf.scene.labels if label.text == text)
        for text in ("FlowersOrdered", "stuck here")
    )
    assert stuck.x < flowers.x < stuck.x + 160 and 0 < flowers.y - stuck.y < 30
    graph = graph_of(saga_map(CASES["led: a compensation fails for ever"].run()))
    assert (
        graph.nodes["PlanWedding"]["words"] == "given up after 3 tries"
        and graph.nodes["PlanWedding"]["tries"] == 3
    )


def test_what_is_compensated_and_was_never_done_is_drawn_as_that():
    system = System("hasty")

    @system.service("halls", schema=EFFECTS).on(WeddingAnnounced)
    def cancel(event, ctx):
        with ctx.database as db:
            db.execute("insert into effects values (?, 0)", (event.wedding,))
        return UNDONE[0](wedding=event.wedding)

    picture = saga_map(simulate(system, one_announced))
    assert picture.scene.labels[0].text == "Wedding w1: HallBooked was compensated and never done"
    assert (
        graph_of(picture).nodes["HallBooked"]["state"] == "never done"
        and flaws(picture.scene) == []
    )


class BeginTask(Command):
    pass


class DoTask(Command):
    pass


class UndoTask(Command, compensates=DoTask):
    pass


def test_a_saga_whose_messages_have_no_key_is_named_by_its_correlation():
    system = System("keyless")

    @system.service("clerks").handles(BeginTask)
    async def lead(command, ctx):
        await ctx.ask(DoTask())
        await ctx.ask(UndoTask())

    @system.service("workers").handles(DoTask)
    def do(command): ...

    @system.services["workers"].handles(UndoTask)
    def undo(command): ...

    async def begin(ctx):
        await ctx.send(BeginTask())

    assert saga_map(simulate(system, begin)).scene.labels[0].text == "Saga client-1: compensated"


@pytest.mark.parametrize(
    "name, kinds, words",
    [
        (
            "led: the letters are out",
            {"PlanWedding": "done", "BookHall": "undone", "PostInvitations": "final", "CancelHall": "compensation",
             "OrderCake": "compensation", "WeddingCalledOff": "compensation"},
            "cannot be undone",
        ),
        ("led: forgotten", {"BookHall": "left behind", "HireBand": "undone", "DismissBand": "compensation"}, "not compensated"),
    ],
)  # fmt: skip
def test_a_box_looks_as_its_step_stands(name, kinds, words):
    scene = saga_map(CASES[name].run()).scene
    drawn = {box.tip.partition(" (")[0]: box.kind for box in scene.bars if box.h > 30}
    assert kinds.items() <= drawn.items()
    assert any(words in label.text for label in scene.labels if label.kind == "detail")


def test_a_saga_that_tells_two_ends_is_inconsistent():
    system = choreographed(1)

    @system.services["halls"].on(DONE[0])
    def think_better_of_it(event):
        return WeddingCalledOff(wedding=event.wedding)

    picture = saga_map(simulate(system, one_announced))
    assert picture.outcome == "inconsistent"
    assert (
        picture.scene.labels[0].text
        == "Wedding w1: was settled by WeddingPlanned and by WeddingCalledOff"
    )


class IsHallFree(Query, key="wedding"):
    wedding: str


def test_a_question_is_no_step():
    system = choreographed(1)

    @system.services["halls"].answers(IsHallFree)
    def is_free(query):
        return True

    async def look_first(ctx):
        await ctx.ask(IsHallFree(wedding="w1"))
        await one_announced(ctx)

    assert list(graph_of(saga_map(simulate(system, look_first)))) == [
        "WeddingAnnounced",
        "HallBooked",
        "WeddingPlanned",
    ]


def test_who_never_got_a_message_is_where_the_saga_stands_still():
    system = choreographed(3)
    system.topic("halls-facts", confirms=False)
    picture = saga_map(simulate(system, one_announced, faults=["lose halls.publish.HallBooked #1"]))
    assert (
        picture.scene.labels[0].text
        == "Wedding w1: stuck, bands never got HallBooked, HallBooked is not compensated"
    )
    in_box, in_row = [mark.tip for mark in picture.scene.marks if "never" in mark.tip]
    assert in_box.startswith("bands (bands): never got HallBooked")
    assert in_row == "bands: never HallBooked never came at 0.12 s"
    assert flaws(picture.scene) == []


def test_who_tells_of_a_compensation_and_saved_nothing_changed_nothing():
    system = choreographed(2, refuse=1)

    @system.services["halls"].on(NOT_DONE[1])
    def undo(event):
        return UNDONE[0](wedding=event.wedding)

    graph = graph_of(saga_map(simulate(system, one_announced)))
    assert (graph.nodes["HallCancelled"]["state"], graph.nodes["HallCancelled"]["words"]) == (
        "idle",
        "changed nothing",
    )
    assert graph.nodes["HallBooked"]["state"] == "done"


# -- what was saved and never said


def silent() -> System:
    """Halls are booked and bands hired once; who finds that done says nothing."""
    system = System("weddings")
    for number, heard in enumerate((WeddingAnnounced, DONE[0])):
        worker = system.service(WORK[number][0], schema=EFFECTS)

        def once(event, ctx, said=DONE[number]):
            with ctx.database as db:
                if db.execute("select 1 from effects").fetchone():
                    return
                db.execute("insert into effects values (?, 1)", (event.wedding,))
            return said(wedding=event.wedding)

        worker.on(heard)(once)
    return system


@pytest.mark.parametrize(
    "name", ["led: refused and compensated", "danced: refused and compensated"]
)
def test_a_refusal_has_one_ring_in_its_row_however_many_hear_of_it(name):
    marks = saga_map(CASES[name].run()).scene.marks
    assert len([mark for mark in marks if ": refused " in mark.tip and ";" not in mark.tip]) == 1


def test_compensations_that_go_up_beside_each_other_have_tracks_of_their_own():
    scene = saga_map(simulate(orchestrated(12, refuse=11), one_wedding)).scene
    edge = max(bar.x + bar.w for bar in scene.bars if bar.h > 30)
    far = [max(arrow.points[::2]) for arrow in scene.arrows if arrow.kind == "undo"]
    tracks = [x for x in far if x > edge + 4]
    assert len(tracks) == len(set(tracks)) == 2


def test_a_step_that_was_saved_and_never_said_has_its_tick_and_no_cross_where_it_only_returned():
    run = simulate(silent(), one_announced, faults=["crash bands.publish.BandHired #1"])
    scene = saga_map(run).scene
    ticks = [bar for bar in scene.bars if bar.kind == "saved" and "BandHired" in bar.tip]
    assert [bar.tip.partition(" at ")[0] for bar in ticks] == ["BandHired saved"]
    crosses = [mark for mark in scene.marks if mark.tip.startswith("BandHired: ")]
    assert {mark.kind for mark in crosses} == {"crash"} and crosses[0].x > ticks[0].x + ticks[0].w
    bars = [bar for bar in scene.bars if bar.tip.startswith("BandHired, ")]
    assert [bar.kind for bar in sorted(bars, key=lambda bar: bar.x)] == ["failed", "idle"]
    assert any("tick: done or saved" in label.text for label in scene.labels)


@pytest.mark.parametrize("name", CASES)
def test_every_mark_of_the_rows_is_in_the_legend(name):
    scene = saga_map(CASES[name].run(), width=624).scene
    top = next(label.y for label in scene.labels if label.text == "When")
    shapes = {"crash": "cross:", "failed": "triangle:", "dead letter": "square:", "refused": "barred ring:", "no answer": "hourglass:",
              "lost": "struck ring:", "doubled": "two dots:", "published": "dot: published"}  # fmt: skip
    legend = " · ".join(label.text for label in scene.labels if label.kind == "caption")
    assert {
        mark.kind for mark in scene.marks if mark.y > top and shapes[mark.kind] not in legend
    } == set()


# -- the ledger


def ledger(world):
    halls, bands = (
        world.rows(service, "select count(*) from effects where live")[0][0]
        for service in ("halls", "bands")
    )
    return {"halls": 3 - halls, "money": 100.0 - 30 * bands}


def written(picture) -> list[str]:
    labels = picture.scene.labels
    title = next(label for label in labels if label.text.startswith("Ledger"))
    below = [label for label in labels if label.y > title.y and label.x >= title.x]
    rows = {}
    for label in below:
        rows.setdefault(label.y, []).append(label.text)
    return [" | ".join(filter(None, row)) for _, row in sorted(rows.items())][:3]


def test_the_ledger_shows_what_the_books_said_before_and_after_and_should_say():
    compensated = saga_map(CASES["led: refused and compensated"].run(), ledger=ledger)
    assert written(compensated) == [
        "before | after | should be",
        "halls | 3 | 3 | ✓ | 3",
        "money | 100.00 | 100.00 | ✓ | 100.00",
    ]
    assert "ledger halls 3, money 100.00" in repr(compensated)
    assert written(saga_map(CASES["led: done"].run(), ledger=ledger)) == [
        "before | after",
        "halls | 3 | 2",
        "money | 100.00 | 70.00",
    ]


def test_the_ledger_follows_the_cursor():
    run = CASES["led: refused and compensated"].run()
    assert written(saga_map(run, ledger=ledger, cursor=0.2)) == [
        "before | now", "halls | 3 | 2", "money | 100.00 | 100.00"
    ]  # fmt: skip
    assert written(saga_map(run, ledger=ledger, cursor=0.3))[2] == "money | 100.00 | 70.00"


def test_before_a_saga_begins_its_ledger_knows_no_later_time_than_now():
    async def two(ctx):
        await ctx.send(PlanWedding(wedding="w1"))
        await ctx.sleep(5)
        await ctx.send(PlanWedding(wedding="w2"))

    run = simulate(orchestrated(), two)
    early, late = (saga_map(run, "w2", ledger=ledger, cursor=cursor) for cursor in (0, 5))
    assert written(early)[1] == "halls | 3 | 3" and written(late)[1] == "halls | 2 | 2"


def test_what_the_books_should_say_is_said_when_the_saga_is_over():
    def judged(world):
        return {"bands": (world.rows("bands", "select count(*) from effects where live")[0][0], 0)}

    run = CASES["led: refused and compensated"].run()
    assert written(saga_map(run, ledger=judged, cursor=0.3))[:2] == [
        "before | now",
        "bands | 0 | 1",
    ]
    assert written(saga_map(run, ledger=judged))[:2] == [
        "before | after | should be",
        "bands | 0 | 0 | ✓ | 0",
    ]


def test_the_verdict_stands_at_what_is_and_not_at_what_should_be():
    wrong = saga_map(CASES["led: forgotten"].run(), ledger=lambda world: {"halls": (2, 3)})
    assert written(wrong)[1] == "halls | 2 | 2 | ✗ | 3"
    kinds = {label.text: label.kind for label in wrong.scene.labels}
    assert (kinds["✗"], kinds["3"]) == ("failed", "channel")


@pytest.mark.parametrize("name", CASES)
def test_boxes_stay_where_they_are_from_moment_to_moment(name):
    assert_nothing_jumps(CASES[name].run(), 624)


def test_nothing_jumps_where_there_are_several_sagas():
    assert_nothing_jumps(simulate(choreographed(3, refuse=2), many(3)), 900)


def assert_nothing_jumps(run, width):
    story = saga_map(run).story
    scenes = [
        saga_map(run, ledger=ledger, cursor=time / 1000, width=width).scene for time in story.times
    ]
    names = {step.name for step in story.steps}
    places = {
        tuple((label.text, label.x, label.y) for label in scene.labels if label.text in names)
        for scene in scenes
    }
    assert len(places) == 1 and len({scene.height for scene in scenes}) == 1


# -- many


def test_five_hundred_sagas_are_a_table_and_the_worst_of_them_drawn_at_once():
    faults = ["crash bands.commit.HallBooked #7", "fail bands.handle.HallBooked #9"]
    run = simulate(choreographed(5, guarded=False), many(500), faults=faults)
    picture = saga_map(run)
    words = [label.text for label in picture.scene.labels]
    assert words[0] == "500 sagas of this run" and words[1] == "inconsistent" and "done" in words
    assert (
        f"{picture.story.title} (1 of 500 sagas)" in repr(picture)
        and picture.outcome == "inconsistent"
    )
    assert flaws(picture.scene) == [] and picture.scene.height < 600
    counts = {label.text for label in picture.scene.labels if label.text.isdigit()}
    assert counts & {str(number) for number in range(491, 500)}


def test_one_of_many_is_shown_by_its_correlation_or_its_key():
    run = simulate(choreographed(3), many(20))
    by_id, by_key = saga_map(run, "client-7"), saga_map(run, "w7")
    assert by_id.scene.labels[0].text == "Wedding w7: done" and repr(by_id) == repr(by_key)


@pytest.mark.parametrize("first", [[], [pause("halls", 0, 0.5)]])
def test_a_saga_that_came_to_nothing_before_a_word_of_sagas_was_said_is_one_too(first):
    faults = [f"fail halls.handle.WeddingAnnounced #{n}" for n in (1, 2, 3)]
    run = simulate(choreographed(3), many(2), faults=[*first, *faults])
    assert [outcome(story).sentence for story in stories(run)] == [
        "stuck, halls gave up after 3 tries",
        "done",
    ]


# -- what is no saga


class AskTheWay(Command):
    pass


def test_a_run_without_a_saga_is_told_so():
    system = System("town")

    @system.service("signs").handles(AskTheWay)
    def point(command):
        pass

    async def ask(ctx):
        await ctx.send(AskTheWay())

    run = simulate(system, ask)
    with pytest.raises(
        Misuse,
        match="this run has no saga: no message was sent whose class is declared with compensates=, refuses=, final=",
    ):
        saga_map(run)
    with pytest.raises(Misuse, match="this run has no saga"):
        saga_map(run, "client-1")


def test_where_no_class_speaks_of_sagas_it_is_said_how_to_declare_one(monkeypatch):
    monkeypatch.setattr("edalab.model.system.saga_roles", dict)
    monkeypatch.setattr(Message, "__count__", 0)
    with pytest.raises(
        Misuse,
        match="this run has no saga: no message was sent whose class is declared with compensates=",
    ):
        saga_map(CASES["led: done"].run())


def test_an_unknown_saga_lists_those_there_are():
    run = simulate(choreographed(3), many(3))
    with pytest.raises(
        Misuse,
        match="no saga 'client-9'; sagas: client-1, client-2, client-3. Did you mean 'client-",
    ):
        saga_map(run, "client-9")
    with pytest.raises(Misuse, match="no saga 'w9'; sagas: w1, w2, w3"):
        saga_map(run, "w9")


def going_round(times: int | None) -> System:
    system = System("round")
    halls, bands = (
        system.service("halls", schema="create table asked (n int)"),
        system.service("bands"),
    )

    @halls.on(WeddingAnnounced)
    def book(event):
        return DONE[0](wedding=event.wedding)

    @halls.on(DONE[1])
    def book_again(event, ctx):
        with ctx.database as db:
            db.execute("insert into asked values (1)")
            [(asked,)] = db.execute("select count(*) from asked")
        return DONE[0](wedding=event.wedding) if times is None or asked < times else None

    @bands.on(DONE[0])
    def hire(event):
        return DONE[1](wedding=event.wedding)

    return system


def test_a_saga_that_goes_round_and_round_is_no_endless_picture():
    with pytest.raises(Misuse) as stopped:
        simulate(going_round(None), one_announced)
    picture = saga_map(stopped.value.run)
    assert list(graph_of(picture).edges) == [
        ("WeddingAnnounced", "HallBooked"),
        ("HallBooked", "BandHired"),
    ]
    assert [arrow.tip for arrow in picture.scene.arrows if arrow.kind == "again"] == [
        "BandHired led to HallBooked again, 499 times"
    ]
    assert flaws(picture.scene) == []
    assert len(list(picture.scene.items())) < 1_600  # 500 handlings in each row, and one map
    assert flaws(saga_map(simulate(going_round(3), one_announced)).scene) == []


def test_a_step_is_a_command_and_the_events_that_tell_how_it_ended():
    system = System("letters")
    halls = system.service("halls", schema="create table booked (wedding text primary key)")
    planners = system.service("planners")

    @halls.handles(COMMANDS[0])
    def book(command, ctx):
        with ctx.database as db:
            db.execute("insert or ignore into booked values (?)", (command.wedding,))
        return DONE[0](wedding=command.wedding)

    @planners.on(WeddingAnnounced)
    def begin(event):
        return COMMANDS[0](wedding=event.wedding)

    @planners.on(DONE[0])
    def undo(event):
        return UNDO[0](wedding=event.wedding)

    @halls.handles(UNDO[0])
    def cancel(command, ctx):
        with ctx.database as db:
            db.execute("delete from booked")

    graph = graph_of(saga_map(simulate(system, one_announced)))
    assert list(graph.edges) == [("WeddingAnnounced", "BookHall"), ("BookHall", "CancelHall")]
    assert graph.nodes["BookHall"]["state"] == "compensated"


def test_a_coordinator_that_goes_on_by_a_tick_tells_one_story():
    picture = saga_map(simulate(by_ticks(), orders("o1")))
    steps = ["PlaceOrder", "ReserveInventory", "ChargePayment", "ShipOrder", "OrderCompleted"]
    assert list(graph_of(picture).edges) == list(itertools.pairwise(steps))
    assert picture.outcome == "done" and picture.scene.labels[0].text == "Order o1: done"
    assert picture.story.at().histories[picture.story.steps[-1]].bars == []


# -- refusals, and marks


@pytest.mark.parametrize(
    ("name", "step", "who", "why"),
    [
        ("led: refused and compensated", "OrderCake", "bakers · refused", "no date is free"),
        ("danced: refused and compensated", "CakeOrdered", "bakers · refused", "CakeRefused"),
    ],
)
def test_the_box_of_a_refused_step_says_who_refused_it_and_why(name, step, who, why):
    picture = saga_map(CASES[name].run())
    [box] = [bar for bar in picture.scene.bars if bar.tip.startswith(f"{step} (")]
    inside = [label.text for label in picture.scene.labels if label.tip == box.tip]
    assert inside == [step, who, why]
    assert graph_of(picture).nodes[step]["words"] == f"refused: {why}"
    assert f"refused: {why}" in [label.text for label in picture.scene.labels]  # behind its row


@pytest.mark.parametrize(
    ("name", "faults", "step", "kind"),
    [
        ("danced: done", ["crash bands.publish.BandHired #1 for 60 s"], "BandHired", "crash"),
        ("led: a compensation fails for ever", [], "CancelHall", "failed"),
        ("danced: given up", [], "bands", "dead letter"),
        ("danced: refused and compensated", [], "CakeOrdered", "refused"),
        ("led: in doubt", [], "HireBand", "no answer"),
    ],
)
def test_the_mark_in_a_box_is_one_of_those_in_its_row(name, faults, step, kind):
    case = CASES[name]
    run = case._replace(faults=(*case.faults, *faults)).run()
    scene = saga_map(run, cursor=min(run.end / 1000, 30)).scene
    [in_box] = [mark.kind for mark in scene.marks if mark.tip.startswith(f"{step} (")]
    assert in_box == kind
    assert kind in {mark.kind for mark in scene.marks if mark.tip.startswith(f"{step}: ")}


@pytest.mark.parametrize("name", CASES)
def test_a_mark_hides_no_tick_and_no_mark_hides_another(name):
    run = CASES[name].run()
    for cursor in (None, *(time / 1000 for time in stories(run)[0].times)):
        scene = saga_map(run, cursor=cursor).scene
        top = next(label.y for label in scene.labels if label.text == "When")
        marks = [mark for mark in scene.marks if mark.y > top]
        for tick in (bar for bar in scene.bars if bar.kind == "saved"):
            left, right = tick.x, tick.x + tick.w
            assert right - left > 2
            row = [mark for mark in marks if tick.y < mark.y < tick.y + tick.h]
            assert all(mark.x <= left - 5 or mark.x >= right + 5 for mark in row)
        kinds = {(mark.x, mark.y, mark.kind) for mark in marks}
        assert len(kinds) == len({(x, y) for x, y, _ in kinds})


def test_a_compensation_that_never_came_leaves_no_hole_at_an_earlier_moment():
    run = CASES["danced: nobody compensates"].run()
    names = {step.name for step in stories(run)[0].steps}
    for cursor in (None, 0.1, 0.3):
        boxes = [bar for bar in saga_map(run, cursor=cursor).scene.bars if bar.h > 30]
        assert {bar.tip.partition(" (")[0] for bar in boxes} == names
    whole = saga_map(run).scene
    [left] = [bar for bar in whole.bars if bar.tip.startswith("HallBooked (")]
    assert left.kind == "left behind" and "HallCancelled was never sent" in left.tip


SIGNS = {
    "row": "bar", "idle": "grey bar", "waiting": "grey line", "saved": "tick", "crash": "cross", "failed": "triangle", "dead letter": "square",
    "refused": "barred ring", "no answer": "hourglass", "lost": "struck ring", "doubled": "two dots",
    "published": "dot", "break": "dashed gap", "stretched": "thick line below",
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_legend_of_each_moment_explains_every_sign_that_is_there_and_no_other(name):
    run = CASES[name].run()
    for time in stories(run)[0].times:
        scene = saga_map(run, cursor=time / 1000, width=624).scene
        top = next(label.y for label in scene.labels if label.text == "When")
        rows = [bar for bar in scene.bars if bar.y > top]
        kinds = {"row" if bar.h == 12 else bar.kind for bar in rows}
        kinds |= {bar.kind for bar in rows if bar.kind == "idle"}
        kinds |= {item.kind for item in (*scene.spans, *scene.marks)}
        legend = " · ".join(label.text for label in scene.labels if label.kind == "caption")
        named = {item.partition(":")[0] for item in legend.split(" · ")} - {""}
        assert named == {SIGNS[kind] for kind in kinds - {"final"}}


@pytest.mark.parametrize("name", CASES)
def test_a_mark_stands_behind_its_bar_and_where_it_stands_at_every_later_moment(name):
    run = CASES[name].run()
    places = {}
    for time in stories(run)[0].times:
        scene = saga_map(run, cursor=time / 1000).scene
        top = next(label.y for label in scene.labels if label.text == "When")
        for mark in (mark for mark in scene.marks if mark.y > top):
            assert abs(places.setdefault(mark.tip, mark.x) - mark.x) <= 8  # at the end of its bar
            bars = [bar for bar in scene.bars if bar.h == 12 and bar.y < mark.y < bar.y + 12]
            begun = [float(bar.tip.rpartition(", ")[2].partition(" s")[0]) for bar in bars]
            earlier = [
                b for b, at in zip(bars, begun, strict=True) if at * 1000 <= time_in(mark.tip)
            ]
            assert all(bar.x <= mark.x for bar in earlier)


def test_a_cursor_before_or_after_a_saga_stands_beside_its_axis_and_not_at_a_time_of_the_saga():
    async def later(ctx):
        await ctx.sleep(1)
        await one_wedding(ctx)
        await ctx.sleep(3)

    run = simulate(orchestrated(3), later)
    first, *_, last = stories(run)[0].times
    pictures = [saga_map(run, cursor=time / 1000) for time in (0, first, last, run.end)]
    before, begin, end, after = (picture.scene.cursor[0].x1 for picture in pictures)
    assert before < begin and end < after and run.end > last
    assert not any(flaws(picture.scene) for picture in pictures)


def test_a_cursor_in_time_that_is_left_out_stands_in_the_gap_and_no_word_stands_over_it():
    run = CASES["danced: done"]._replace(faults=("crash bands.publish.BandHired for 60 s",)).run()
    for cursor in (1, 30, 59):
        scene = saga_map(run, cursor=cursor).scene
        [gap] = [bar for bar in scene.bars if bar.kind == "break"]
        assert gap.x < scene.cursor[0].x1 < gap.x + gap.w
        said = [label for label in scene.labels if label.text == "saved, then crashed"]
        [word] = [label for label in said if label.kind == "failed"]
        [bar] = [bar for bar in scene.bars if bar.tip.startswith("BandHired, ")]
        assert 0 < bar.x - word.extent()[2] < 12


def test_the_axis_ends_where_the_last_handling_ends():
    picture = saga_map(CASES["danced: done"].run())
    ends = [bar.end for one in picture.story.at().histories.values() for bar in one.bars]
    assert picture.scene.axis.times[-1] == max(ends) > picture.story.times[-1]


class GoOn(Command, key="wedding"):
    wedding: str


def test_the_map_shows_a_crash_of_the_coordinator_between_two_steps():
    system = orchestrated(1)
    planners = system.services["planners"]

    class Remind(Command, key="wedding"):
        wedding: str

    @planners.handles(Remind)
    async def begin(command, ctx):
        await ctx.send(GoOn(wedding=command.wedding))

    @planners.handles(GoOn)
    async def go_on(command, ctx):
        await ctx.ask(COMMANDS[0](wedding=command.wedding))

    async def remind(ctx):
        await ctx.send(Remind(wedding="w1"))

    run = simulate(system, remind, faults=["crash planners.handle.GoOn #1"])
    assert run.unfired == []
    scene = saga_map(run).scene
    [cross] = [mark for mark in scene.marks if mark.kind == "crash"]
    crashed = next(step.time for step in run.journal if step.step == "crash")
    assert cross.tip.partition(": ")[2] == f"crash of planners in GoOn at {crashed / 1000:g} s"


def test_who_leads_a_saga_is_under_way_and_has_no_tick_as_long_as_its_handling_is_open():
    run = CASES["led: done"].run()
    [bar] = stories(run)[0].at().histories[stories(run)[0].steps[0]].bars
    for time in range(bar.start, bar.end, 10):
        picture = saga_map(run, cursor=time / 1000)
        assert graph_of(picture).nodes["PlanWedding"]["state"] == "under way"
        assert not [b for b in picture.scene.bars if b.tip.startswith("PlanWedding done")]
    assert graph_of(saga_map(run, cursor=bar.end / 1000)).nodes["PlanWedding"]["state"] == "done"

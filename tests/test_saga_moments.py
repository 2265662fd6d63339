"""A saga at every moment: the picture and the claims agree, and only what was recorded by then counts."""

from contextlib import suppress

import pytest
import right_sagas
import test_saga_map
import wrong_sagas
from scenes import graph_of
from test_booking import (
    BookFlight,
    BookHotel,
    BookTrip,
    TripBooked,
    TripCancelled,
    agency,
    one_trip,
)

from edalab import Command, Event, PublishFailed, Refused, System, claims, explore, simulate
from edalab.claims.saga_outcome import outcome
from edalab.trace.saga_index import until
from edalab.trace.saga_story import stories
from edalab.view import saga_map

CLAIMS = [
    claims.compensated_once(), claims.compensated_in_reverse(), claims.no_needless_compensation(),
    claims.nothing_left_behind(),
]  # fmt: skip


def times(run) -> list[int]:
    return sorted({step.time for step in run.journal})


def struck(build, workload, every=5):
    """A run without a fault, and some of those with a single fault."""
    result = explore(build(), workload, [claims.saga_settled()])
    return [result.run(schedule) for schedule in list(result.schedules)[::every]]


def smallest(name):
    claim, _, workload, _, build = wrong_sagas.WRONG[name]
    return explore(build(), workload, [claim]).smallest(claim)


RUNS = {
    **{
        f"right: {name}": lambda made=made: struck(*made, every=40)
        for name, made in right_sagas.RIGHT.items()
    },
    **{f"wrong: {name}": lambda name=name: [smallest(name)] for name in wrong_sagas.WRONG},
    **{
        f"wedding: {name}": lambda case=case: [case.run()]
        for name, case in test_saga_map.CASES.items()
    },
    "booked": lambda: struck(lambda: agency(), one_trip),
    "booked, no flight": lambda: struck(lambda: agency(["rome"], noting=True), one_trip),
    "booked carelessly": lambda: struck(lambda: agency(["rome"], careless=True), one_trip),
}


@pytest.mark.parametrize("name", RUNS)
def test_at_every_moment_the_map_calls_wrong_what_a_claim_calls_broken_and_nothing_else(name):
    for run in RUNS[name]():
        begun = {type(step.envelope.data) for step in run.journal if step.service == "client"}
        asked = [*CLAIMS, claims.saga_settled(), *map(claims.saga_settled, sorted(begun, key=str))]
        for time in times(run):
            verdicts = map(until(run, time).check, asked)
            broken = [verdict.cause for verdict in verdicts if verdict.outcome == "broken"]
            found = [outcome(story, time) for story in stories(run)]
            wrong = [one for one in found if one.word in ("inconsistent", "stuck")]
            doubtful = [one for one in found if one.word in ("in doubt", "not undone")]
            assert wrong or doubtful or not broken, (run.faults, time, broken)
            # A step that is done twice is for the claim `handled_once`.
            unproven = [one for one in wrong if not one.sentence.endswith(("twice", "times"))]
            assert broken or not unproven, (run.faults, time, unproven)


@pytest.mark.parametrize("name", ["wedding: danced: after a crash", "booked, no flight"])
def test_what_happens_later_changes_nothing_about_an_earlier_moment(name):
    """The whole run as it stood at a moment is the run that was recorded by then."""
    for run in RUNS[name]():
        for time in times(run):
            part = until(run, time)
            then, before = (
                [outcome(story, at).word for story in stories(one)]
                for one, at in ((run, time), (part, None))
            )
            assert [word for word in then if word != "not begun"] == before


# -- what was drawn wrongly once


def states(run, time=None) -> dict[str, str]:
    picture = saga_map(run, cursor=None if time is None else time / 1000)
    return dict(graph_of(picture).nodes(data="state"))


class OrderTaxi(Command, key="trip", final=True):
    trip: str


def taxis(answer) -> System:
    system = System("taxis")

    @system.service("trips").handles(BookTrip)
    async def book(command, ctx):
        answer = await ctx.ask(OrderTaxi(trip=command.trip))
        refused = isinstance(answer, Refused)
        return (TripCancelled if refused else TripBooked)(trip=command.trip)

    taxis = system.service("taxis", schema="create table notes (trip text)")

    @taxis.handles(OrderTaxi)
    def order(command, ctx):
        with ctx.database as db:
            db.execute("insert into notes values (?)", (command.trip,))
        return answer

    return system


def test_a_last_step_that_refuses_with_a_note_is_never_drawn_as_done():
    run = simulate(taxis(Refused("none is free")), one_trip)
    end = run.end
    refused = next(s.time for s in run.journal if s.step == "reply")
    for time in times(run):
        state = states(run, time)["OrderTaxi"]
        assert state == "refused" if time >= refused else state in ("not yet", "under way", "done")
    assert saga_map(run).outcome == saga_map(run, cursor=end / 1000).outcome == "refused"
    assert run.check(claims.nothing_left_behind()).outcome == "holds"


def test_a_reason_is_read_without_what_sqlite_says_before_the_condition():
    reason = "CHECK constraint failed: pieces <= 5"
    run = simulate(taxis(Refused(reason)), one_trip)
    picture = saga_map(run)
    texts = [label.text for label in picture.scene.labels]
    assert {"pieces <= 5", "refused: pieces <= 5"} <= {*texts}
    assert not [text for text in texts if "CHECK" in text] and reason in picture.scene.alt


def test_what_was_saved_before_a_refusal_has_its_tick_at_every_cursor():
    run = simulate(taxis(Refused("none is free")), one_trip)
    saved = next(step.time for step in run.journal if step.step == "save")
    for time in [time for time in stories(run)[0].times if time >= saved]:
        ticks = [bar for bar in saga_map(run, cursor=time / 1000).scene.bars if bar.kind == "saved"]
        assert [tick.tip for tick in ticks if "OrderTaxi" in tick.tip] != []


def test_false_is_an_answer_and_the_step_is_done():
    run = simulate(taxis(False), one_trip)
    saved = next(s.time for s in run.journal if s.step == "save")
    assert {states(run, t)["OrderTaxi"] for t in times(run) if t >= saved} == {"done"}
    assert saga_map(run).outcome == "done"
    assert "refused" not in run.check(claims.nothing_left_behind()).cause.replace("was refused", "")


def test_a_booking_that_is_asked_again_and_changes_nothing_new_is_done_once():
    run = simulate(agency(), one_trip, faults=["drop hotels.reply.BookHotel #1"])
    assert states(run)["BookHotel"] == "done"
    assert {states(run, time)["BookHotel"] for time in times(run)} >= {"in doubt", "done"}


class RoomBooked(Event, key="trip", topic="rooms"):
    trip: str


class RoomCancelled(Event, key="trip", topic="rooms", compensates=RoomBooked):
    trip: str


class TripPlanned(Event, key="trip", topic="trips"):
    trip: str


def rooms() -> System:
    system = System("rooms")

    @system.service("hotels", schema="create table booked (trip text primary key)").on(TripPlanned)
    async def book(event, ctx):
        with ctx.database as db:
            db.execute("insert or ignore into booked values (?)", (event.trip,))
        await ctx.publish(RoomBooked(trip=event.trip))

    return system


async def plan(ctx):
    await ctx.publish(TripPlanned(trip="rome"))


def test_what_was_saved_before_a_crash_has_its_tick_at_every_cursor():
    run = simulate(rooms(), plan, faults=["crash hotels.publish.RoomBooked #1"])
    saved = next(s.time for s in run.journal if s.step == "save")
    published = next(s.time for s in run.journal if s.step == "publish" and s.time > saved)
    for time in [time for time in times(run) if time >= saved]:
        bars = saga_map(run, cursor=time / 1000).scene.bars
        assert f"RoomBooked saved at {saved / 1000:g} s" in [bar.tip for bar in bars]
        assert (states(run, time)["RoomBooked"] == "done") == (time >= published)


def test_classes_of_a_later_cell_change_nothing_about_claims_and_pictures_of_an_earlier_run():
    run, claim = simulate(agency(["rome"], careless=True), one_trip), claims.nothing_left_behind()
    words = [outcome(story, time).word for story in stories(run) for time in times(run)]

    class CancelHotel(Command, key="trip"):
        trip: str

    class TripCancelled(Event, key="trip"):
        trip: str

    again = simulate(agency(["rome"], careless=True), one_trip)
    assert again.digest == run.digest
    part = until(run, run.end - 1)
    assert stories(part)[0].roles == stories(run)[0].roles
    vars(run).pop("_stories")
    assert words == [outcome(story, time).word for story in stories(run) for time in times(run)]
    assert run.check(claim).outcome == "broken"


def test_evidence_never_says_that_nothing_was_refused_where_something_was():
    run = simulate(agency(["rome"], careless=True), one_trip)
    assert run.check(claims.compensated_once()).cause == "nothing was compensated"
    assert all("nothing was refused" not in run.check(claim).cause for claim in CLAIMS)


def test_a_trip_that_is_led_shows_both_branches_under_way_at_once():
    run = simulate(agency(), one_trip)
    asked = next(s.time for s in run.journal if s.step == "ask")
    at_once = states(run, asked)
    assert at_once["BookHotel"] == at_once["BookFlight"] == "under way"
    assert {type(s.envelope.data) for s in run.journal if s.step == "ask"} == {
        BookHotel,
        BookFlight,
    }


@pytest.mark.parametrize(
    ("max_bytes", "faults", "why"),
    [(30, [], "too large"), (1_000, ["fail post.publish.TripPosted #1"], "not confirmed")],
)
def test_a_publish_that_is_too_large_is_marked_as_one_that_failed(max_bytes, faults, why):
    class TripAsked(Event, key="trip"):
        trip: str

    class TripPosted(Event, key="trip", topic="posts", settles=True):
        trip: str

    system = System("agency")
    system.topic("posts", max_bytes=max_bytes)

    @system.service("post").on(TripAsked)
    async def post(event, ctx):
        with suppress(PublishFailed):
            await ctx.publish(TripPosted(trip=event.trip * 20))

    async def one(ctx):
        await ctx.publish(TripAsked(trip="rome"))

    [story] = stories(simulate(system, one, faults=faults))
    [*_, posted] = story.at().histories.values()
    assert [event[1:] for event in posted.events][0] == ("failed", why)


def test_an_end_that_leaves_something_behind_is_inconsistent_also_where_its_asker_is_in_doubt():
    run = smallest("takes the first time out for a failure and keeps the stock")
    assert run.check(claims.nothing_left_behind()).outcome == "broken"
    wrong = outcome(stories(run)[0])
    assert wrong[:2] == ("inconsistent", "ended, but ReserveInventory is not compensated")
    assert [step.name for step in wrong.left] == ["ReserveInventory"]


def test_an_end_before_the_final_step_is_under_way_as_long_as_the_run_goes_on():
    run = smallest("marks it done before the last step")
    story = stories(run)[0]
    ended = run.journal[story.saga.ends[0]].time
    assert outcome(story, ended).word == "under way" and outcome(story).word == "done"


def test_each_thing_of_a_basket_counts_among_the_compensated():
    build, workload = right_sagas.RIGHT["orchestrated, of a basket"]
    run = simulate(build(), workload)
    words = [outcome(story, time).sentence for story in stories(run) for time in times(run)]
    assert {"0 of 2 compensated", "1 of 2 compensated"} <= {word.split(", ")[-1] for word in words}


def test_a_saga_that_went_forward_and_has_no_end_is_stuck_whatever_other_systems_declare():
    run = simulate(rooms(), plan)
    roles = run.system.saga_roles.items()  # of every class that was declared by then
    run.system.saga_roles = {name: role for name, role in roles if not role.settles}
    assert run.check(claims.saga_settled()).outcome == "broken"
    assert [outcome(story).sentence for story in stories(run)] == ["stuck after RoomBooked"]


def test_a_refusal_counts_for_the_map_and_the_claims_once_it_is_published():
    build, workload = right_sagas.RIGHT["choreographed, all at once"]
    run = simulate(build(), workload, faults=["fail inventory.publish.InventoryRefused #1"])
    story = next(one for one in stories(run) if one.subject == "rare")
    sent = [step for step in run.journal if step.step == "publish" and step.envelope]
    failed, said = [s.time for s in sent if s.envelope.type == "InventoryRefused"]
    for time in times(run):
        moment = story.at(time)
        [reserved] = [step for step in story.steps if step.name == "InventoryReserved"]
        refused = moment.states[reserved].name == "refused"
        assert refused == ("InventoryReserved" in moment.saga.refused) == (time >= said > failed)

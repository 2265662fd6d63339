"""A trip is booked as a user would write it: hotel and flight at once, and what was booked is cancelled when one refuses."""

import pytest
from scenes import graph_of

from edalab import Command, Event, Refused, System, Unanswered, claims, explore, simulate
from edalab.view import saga_map


class BookTrip(Command, key="trip"):
    trip: str


class BookHotel(Command, key="trip"):
    trip: str


class BookFlight(Command, key="trip"):
    trip: str


class CancelHotel(Command, key="trip", compensates=BookHotel):
    trip: str


class CancelFlight(Command, key="trip", compensates=BookFlight):
    trip: str


class TripBooked(Event, key="trip", settles=True):
    trip: str


class TripCancelled(Event, key="trip", settles=True, refuses=BookTrip):
    trip: str


UNDO = {BookHotel: CancelHotel, BookFlight: CancelFlight}
BOOKED = "create table booked (trip text primary key)"


async def insist(ctx, command):
    while True:
        try:
            return await ctx.ask(command)
        except Unanswered:
            await ctx.sleep(0.5)


def agency(full=(), careless=False, noting=False) -> System:
    """`full` trips have no flight. Careless, nothing is cancelled. `noting`, a refusal is noted in the database."""
    system = System("agency")
    trips = system.service("trips", schema="create table ends (trip text primary key, way text)")

    @trips.handles(BookTrip, max_attempts=10)
    async def book(command, ctx):
        steps = [BookHotel(trip=command.trip), BookFlight(trip=command.trip)]
        answers = await ctx.all(*map(ctx.ask, steps))
        if any(isinstance(answer, Unanswered) for answer in answers):
            answers = [await insist(ctx, step) for step in steps]
        booked = [step for step, answer in zip(steps, answers, strict=True) if answer]
        if len(booked) == len(steps):
            return TripBooked(trip=command.trip)
        for step in booked if not careless else ():
            await insist(ctx, UNDO[type(step)](trip=command.trip))
        return TripCancelled(trip=command.trip)

    hotels = system.service("hotels", schema=BOOKED)
    flights = system.service("flights", schema=BOOKED + "; create table notes (trip text)")

    def reserve(command, ctx):
        if isinstance(command, BookFlight) and command.trip in full:
            if noting:
                with ctx.database as db:
                    db.execute("insert into notes values (?)", (command.trip,))
            return Refused("the flight is full")
        with ctx.database as db:
            db.execute("insert or ignore into booked values (?)", (command.trip,))
        return True

    def cancel(command, ctx):
        with ctx.database as db:
            db.execute("delete from booked where trip = ?", (command.trip,))

    for service, booking in ((hotels, BookHotel), (flights, BookFlight)):
        service.handles(booking)(reserve)
        service.handles(UNDO[booking])(cancel)
    return system


async def one_trip(ctx):
    await ctx.send(BookTrip(trip="rome"))


CLAIMS = [
    claims.saga_settled(), claims.compensated_once(), claims.nothing_left_behind(),
    claims.no_needless_compensation(), claims.compensated_in_reverse(),
]  # fmt: skip


@pytest.mark.parametrize("full", [(), ("rome",)])
@pytest.mark.parametrize("noting", [False, True])
def test_a_trip_booked_at_once_holds_every_claim_under_every_single_fault(full, noting):
    result = explore(agency(full, noting=noting), one_trip, CLAIMS)
    assert [claim.sentence for claim in CLAIMS if result.broken(claim)] == [], result


@pytest.mark.parametrize("noting", [False, True])
def test_a_refusal_is_drawn_as_one_though_it_was_noted_in_the_database(noting):
    picture = saga_map(simulate(agency(["rome"], noting=noting), one_trip))
    assert picture.outcome == "compensated"
    words = picture.scene.shows
    assert "refused: BookTrip, BookFlight" in words and "compensated: BookHotel" in words


def test_a_booking_that_is_left_behind_is_found_without_any_fault():
    run = simulate(agency(["rome"], careless=True), one_trip)
    verdict = run.check(claims.nothing_left_behind())
    assert verdict.outcome == "broken" and "BookHotel" in verdict.cause


def test_what_is_asked_at_once_is_led_to_by_what_came_before_both():
    graph = graph_of(saga_map(simulate(agency(["rome"]), one_trip)))
    assert ("BookTrip", "BookHotel") in graph.edges and ("BookTrip", "BookFlight") in graph.edges
    assert ("BookHotel", "BookFlight") not in graph.edges
    assert graph.nodes["BookFlight"]["words"] == "refused: the flight is full"

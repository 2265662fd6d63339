"""A topic with `max_bytes=` refuses a larger message each time that it is published: what a relay meets as a poison row."""

from contextlib import suppress

import pytest

from edalab import Event, Misuse, PublishFailed, System, claims, simulate
from edalab.trace.saga_story import stories
from edalab.view import flow, timeline


class Noted(Event, topic="notes", key="to"):
    to: str
    text: str


TOO_LARGE = "the broker rejected Noted: it is too large for notes"


async def two_notes(ctx):
    for text in ("x" * 50, "short"):
        try:
            await ctx.publish(Noted(to="ann", text=text))
            ctx.note("confirmed")
        except PublishFailed as error:
            ctx.note(str(error))


def town(max_bytes=60, **topic):
    system = System("town")
    system.topic("notes", max_bytes=max_bytes, **topic)

    @system.service("ann", schema="create table notes (text)").on(Noted)
    def read(event, ctx):
        with ctx.database as db:
            db.execute("insert into notes values (?)", (event.text,))

    return system


def notes(run):
    return [(s.time, s.detail) for s in run.journal if s.step == "note"]


def test_the_publisher_of_a_large_message_gets_publish_failed_and_nothing_is_stored():
    run = simulate(town(), two_notes)
    assert notes(run) == [(10, TOO_LARGE), (20, "confirmed")]
    assert run.rows("ann", "select * from notes") == [("short",)]
    assert [s.fault for s in run.journal if s.step == "publish"] == ["too large", None]
    assert run.check(claims.no_event_lost(Noted)).outcome == "holds" and not run.faults


def test_bytes_are_those_of_the_json_text():
    size = len(Noted(to="ann", text="x" * 50).model_dump_json())
    assert [s.fault for s in simulate(town(size), two_notes).journal if s.step == "publish"] == [
        None,
        None,
    ]
    euros = Noted(to="ann", text="€" * 50)

    async def one(ctx):
        await ctx.publish(euros)

    with_three_bytes_each = simulate(town(size), one)
    assert with_three_bytes_each.journal[0].fault == "too large"


def test_it_is_counted_as_a_visit_and_only_a_crash_strikes_there():
    system = town()

    @system.service("bob").every(1)
    async def write(ctx):
        if ctx.now < 4:
            await ctx.publish(Noted(to="ann", text="x" * 50 if ctx.now < 2 else "short"))

    async def nothing(ctx):
        await ctx.sleep(6)

    faults = ["unconfirmed bob.publish.Noted #1", "fail bob.publish.Noted #2"]
    run = simulate(system, nothing, faults=faults)
    sent = [s.fault for s in run.journal if s.step == "publish"]
    assert sent == ["too large", "fail", None] and str(run.unfired[0]).startswith("unconfirmed")
    run = simulate(system, nothing, faults=["crash bob.publish.Noted #1"])
    assert next(s.fault for s in run.journal if s.step == "publish") == "crash"


def test_a_topic_that_does_not_confirm_loses_it_silently():
    run = simulate(town(confirms=False), two_notes)
    assert [s.detail for s in run.journal if s.step == "note"] == ["confirmed", "confirmed"]
    assert run.rows("ann", "select * from notes") == [("short",)]
    first = next(s for s in run.journal if s.step == "publish")
    assert (first.fault, first.detail) == ("lose", "too large")


def test_inside_a_transaction_the_publisher_is_told_at_once():
    system = town()

    @system.service("bob", schema="create table sent (n int)").every(1)
    async def write(ctx):
        try:
            with ctx.database as db:
                db.execute("insert into sent values (1)")
                await ctx.publish(Noted(to="ann", text="x" * 50))
        except PublishFailed as error:
            ctx.note(str(error))

    async def nothing(ctx):
        await ctx.sleep(1)

    assert notes(simulate(system, nothing, until=1)) == [(1000, TOO_LARGE)]


def test_the_saga_map_shows_a_step_that_was_too_large():
    class Read(Event, topic="notes", key="to", final=True, settles=True):
        to: str
        text: str = "x" * 50

    system = town()

    @system.service("bob").on(Noted)
    async def reply(event, ctx):
        with suppress(PublishFailed):
            await ctx.publish(Read(to=event.to))

    async def one_note(ctx):
        await ctx.publish(Noted(to="ann", text="short"))

    (story,) = stories(simulate(system, one_note))
    events = [event for history in story.at().histories.values() for event in history.events]
    assert ("failed", "too large") in [(event.what, event.words) for event in events]


def test_pictures_name_it():
    run = simulate(town(), two_notes)
    assert "too large" in timeline(run).svg() and "too large" in flow(run).svg() and run.otlp()


@pytest.mark.parametrize("most", [0, 1.5, True, "60"])
def test_a_wrong_limit_is_refused(most):
    with pytest.raises(Misuse, match="topic 'notes': max_bytes= takes a whole number from 1"):
        town(most)

"""Questions and asked commands: an answer in time, or the asker gives up and does not know."""

import pytest
from postoffice import SCHEMA, Carry, Posted, Stamped, Weigh, keep, kept, play, told

from edalab import System, Unanswered, cut, pause, simulate
from edalab.errors import Misuse


def scales(seconds: float = 0, replicas: int = 1):
    system = System("town")
    scale = system.service("scale", replicas=replicas, schema=SCHEMA)

    @scale.answers(Weigh)
    async def weigh(query, ctx):
        await ctx.sleep(seconds)
        return {"grams": query.n}

    @scale.handles(Carry)
    def carry(command, ctx):
        keep(ctx, command.n)
        return Posted(n=command.n)

    return system


def asking(*questions, timeout: float = 1.0):
    async def ask(ctx):
        for question in questions:
            try:
                ctx.note(f"{await ctx.ask(question, timeout=timeout)}")
            except Unanswered as error:
                ctx.note(f"{error}")

    return ask


def notes(run) -> list[str]:
    return [s.detail for s in run.journal if s.step == "note"]


def test_a_question_takes_ten_milliseconds_each_way():
    run = simulate(scales(), asking(Weigh(n=5)))
    assert told(run) == [
        "0 client.ask Weigh",
        "10 scale.handle Weigh/1",
        "10 scale.reply Weigh/1",
        "20 client.answer Weigh",
        "20 client.note",
    ]
    assert notes(run) == ["{'grams': 5}"]


def test_an_asked_command_is_carried_out_and_its_result_goes_to_the_asker_alone():
    run = simulate(scales(), asking(Carry(n=3)))
    assert notes(run) == ["Posted(to='ann', n=3)"] and kept(run, "scale") == [3]
    assert not told(run, "publish", "ack")


def test_the_asker_gives_up_and_the_error_names_service_message_and_wait():
    run = simulate(scales(seconds=2), asking(Weigh(), timeout=0.5))
    assert notes(run) == ["scale did not answer Weigh within 0.5 s"]
    assert issubclass(Unanswered, TimeoutError)


def test_a_late_answer_is_recorded_and_changes_nothing():
    run = simulate(scales(seconds=2), asking(Weigh(n=1), Weigh(n=2), timeout=1.5))
    assert [(s.time, s.envelope.data.n, s.detail) for s in run.journal if s.step == "answer"] == [
        (2020, 1, "too late"),
        (3520, 2, "too late"),
    ]
    assert [s.time for s in run.journal if s.step == "timeout"] == [1500, 3000]


def test_questions_are_answered_side_by_side_and_beside_other_work():
    system = scales(seconds=1)

    @system.services["scale"].on(Posted)
    async def stamp(event, ctx):
        await ctx.sleep(5)

    async def two(ctx):
        await ctx.publish(Posted())
        await ctx.publish(Asked(n=1))
        await ctx.publish(Asked(n=2))

    class Asked(Posted, topic="questions"): ...

    for name in ("anna", "bert"):

        @system.service(name).on(Asked)
        async def ask(event, ctx):
            await ctx.ask(Weigh(n=event.n), timeout=3)

    run = simulate(system, two)
    assert [s.time for s in run.journal if s.step == "handle" and s.envelope.type == "Weigh"] == [
        40,
        40,
        1070,
        1070,
    ]


def test_replicas_that_are_up_take_turns():
    run = simulate(scales(replicas=3), asking(*[Weigh()] * 4))
    assert [s.replica for s in run.journal if s.step == "handle"] == [1, 2, 3, 1]


def test_a_question_to_a_service_that_is_down_is_lost():
    system = scales()

    @system.services["scale"].on(Posted)
    def stamp(event):
        pass

    async def ask(ctx):
        await ctx.publish(Posted())
        await ctx.sleep(0.5)
        with pytest.raises(Unanswered):
            await ctx.ask(Weigh(), timeout=0.1)

    run = simulate(system, ask, faults=["crash scale.handle.Posted"])
    assert [(s.step, s.detail) for s in run.journal if s.step == "lost"] == [
        ("lost", "scale was down")
    ]


@pytest.mark.parametrize(("start", "why"), [(0, "lost"), (0.015, "answer in vain")])
def test_who_is_cut_off_is_not_asked_and_does_not_answer(start, why):
    run = simulate(scales(seconds=0.1), asking(Weigh()), faults=[cut("scale", start, 3)])
    assert notes(run) == ["scale did not answer Weigh within 1 s"]
    assert told(run, "lost", "reply") == (
        ["10 scale.lost Weigh"] if why == "lost" else ["110 scale.reply Weigh/1 cut"]
    )


def test_a_replica_that_stands_still_answers_when_it_goes_on():
    run = simulate(scales(), asking(Weigh()), faults=[pause("scale", 0.005, 2)])
    assert told(run, "timeout", "handle", "answer") == [
        "1000 client.timeout Weigh",
        "2000 scale.handle Weigh/1",
        "2010 client.answer Weigh",
    ]


def test_a_failing_answerer_gives_no_answer_and_is_not_asked_again():
    system = System("town")

    @system.service("scale").answers(Weigh)
    def weigh(query):
        raise ValueError("broken")

    run = simulate(system, asking(Weigh()))
    assert told(run, "handle", "failure", "timeout") == [
        "10 scale.handle Weigh/1",
        "10 scale.failure Weigh/1",
        "1000 client.timeout Weigh",
    ]
    assert repr(run.failures[0]).startswith(
        "<scale.weigh raised ValueError (line 3): broken on Weigh client-1, attempt 1>"
    )


def test_an_asker_that_crashed_hears_no_answer():
    system = scales(seconds=0.5)
    anna = system.service("anna")

    @anna.on(Posted)
    async def ask(event, ctx):
        await ctx.ask(Weigh())

    @anna.every(0.2)
    def tick():
        pass

    run = play(system, Posted(), faults=["crash anna.handle.tick #1"])
    assert "530 scale.reply Weigh/1" in told(run)
    assert told(run, "answer") == ["1730 anna.answer Weigh"]  # that of the second attempt


def test_an_answer_is_a_copy():
    system = System("town")

    @system.service("scale").answers(Weigh)
    def weigh(query, ctx):
        return ctx.state.setdefault("all", [1])

    async def ask(ctx):
        (await ctx.ask(Weigh())).append(2)
        ctx.note(f"{await ctx.ask(Weigh())}")

    assert notes(simulate(system, ask)) == ["[1]"]


def test_an_unanswered_handler_is_tried_again_with_a_new_question():
    system = scales()

    @system.service("anna").on(Posted)
    async def ask(event, ctx):
        await ctx.ask(Weigh())

    run = play(system, Posted(), faults=["drop anna.ask.Weigh #1"])
    assert [s.envelope.id for s in run.journal if s.step == "ask"] == ["anna-1", "anna-2"]
    assert told(run, "commit") == ["1140 anna.commit Posted/2"]


def test_a_command_sent_later_arrives_later_whatever_becomes_of_the_sender():
    system = System("town")

    @system.service("scale", schema=SCHEMA).handles(Carry)
    def carry(command, ctx):
        keep(ctx, command.n)

    @system.service("anna").on(Posted)
    async def order(event, ctx):
        await ctx.send(Carry(n=event.n), after=5)

    run = play(system, Posted(n=1), faults=["crash anna.commit.Posted for 60 s"])
    assert told(run, "deliver", service="scale") == [
        "5040 scale.deliver Carry/1",
        "65060 scale.deliver Carry/1",
    ]


@pytest.mark.parametrize("call", ["ask.Weigh", "publish.Stamped"])
def test_a_bare_except_in_a_loop_around_a_call_is_told_what_to_write(call):
    system = scales()
    office = system.service("office")

    @office.on(Posted)
    async def stamp(event, ctx):
        message = Stamped(n=1)
        while True:
            try:
                return await (ctx.ask(Weigh(n=1)) if "ask" in call else ctx.publish(message))
            except:  # noqa: E722
                pass

    with pytest.raises(Misuse, match="write `except Exception:`"):
        play(system, Posted(), faults=[f"crash office.{call} #1"])

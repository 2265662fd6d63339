"""Who writes a message and who reads it may know it by different classes: then its data crosses as JSON."""

import json
from random import Random

import pytest

from edalab import (
    Command,
    Event,
    EventStore,
    Misuse,
    Query,
    System,
    Unanswered,
    Unreadable,
    claims,
    simulate,
)
from edalab.model import message_types
from edalab.view import timeline


def to_cents(old: dict) -> dict:
    return {"number": old["number"], "cents": round(old["euros"] * 100)}


class BilledV1(Event, name="Billed", version=1, topic="bills", key="number"):
    number: str
    euros: float


class BilledV2(Event, name="Billed", version=2, topic="bills", key="number", upcasts={1: to_cents}):
    number: str
    cents: int


class BilledBare(Event, name="Billed", version=2, topic="bills"):
    number: str
    cents: int


class BilledStrict(Event, name="Billed", version=2, topic="bills", reads="strict"):
    number: str


class BilledPart(Event, name="Billed", version=1, topic="bills"):
    number: str


def town(*readers, **options) -> System:
    system = System("town")
    for number, reader in enumerate(readers, 1):

        @system.service(f"reader{number}").on(reader, **options)
        def see(event, ctx):
            ctx.note(f"{event!r}; {ctx.message.data!r}")

    return system


def publishing(*messages):
    async def workload(ctx):
        for message in messages:
            await ctx.publish(message)

    return workload


def notes(run) -> list[str]:
    return [s.detail for s in run.journal if s.step == "note"]


def test_a_handler_and_its_context_get_the_message_as_its_class_reads_it():
    run = simulate(town(BilledV2), publishing(BilledV1(number="b1", euros=12.5)))
    assert notes(run) == ["BilledV2(number='b1', cents=1250); BilledV2(number='b1', cents=1250)"]


def test_the_record_keeps_the_message_as_it_was_written():
    run = simulate(town(BilledV2), publishing(BilledV1(number="b1", euros=12.5)))
    (envelope,) = {s.envelope for s in run.journal if s.step == "handle"}
    assert (envelope.type, envelope.data) == ("Billed", BilledV1(number="b1", euros=12.5))
    (sent,) = json.loads(run.cloudevents())
    assert sent["dataschema"].endswith(":Billed:1") and sent["data"]["euros"] == 12.5
    (sent,) = json.loads(simulate(town(), publishing(BilledV2(number="b", cents=1))).cloudevents())
    assert sent["dataschema"].endswith(":Billed:2")


def test_a_tolerant_reader_ignores_what_it_does_not_know_and_a_strict_one_fails():
    one = publishing(BilledV1(number="b1", euros=12.5), BilledV2(number="b2", cents=3))
    run = simulate(town(BilledPart), one)
    assert notes(run)[0] == "BilledPart(number='b1'); BilledPart(number='b1')" and not run.failures
    strict = simulate(town(BilledStrict), publishing(BilledV2(number="b2", cents=3)))
    assert not notes(strict) and "has no field 'cents'" in str(strict.failures[0].error)


def test_what_cannot_be_read_is_tried_again_and_dead_lettered_without_the_handler():
    run = simulate(town(BilledBare), publishing(BilledV1(number="b1", euros=12.5)))
    assert [s.step for s in run.journal if s.service == "reader1"] == [
        "deliver", "handle", "retry", "handle", "retry", "handle", "dead_letter", "commit"
    ]  # fmt: skip
    assert str(run.failures[0].error) == (
        "reader1.see cannot read Billed client-1: it is version 1 with the fields number, euros, and reader1.see reads "
        "version 2 with the fields number, cents: BilledBare needs cents"
    )
    assert isinstance(run.failures[0].error, Unreadable) and not notes(run)
    assert "was dead-lettered" in run.check(claims.no_event_lost(BilledV2)).cause


def test_at_most_once_it_is_lost():
    run = simulate(
        town(BilledBare, delivery="at-most-once"), publishing(BilledV1(number="b", euros=1))
    )
    assert [s.step for s in run.journal if s.service == "reader1"][-1] == "lost"


def test_an_upcaster_that_raises_makes_a_message_unreadable():
    class Weighed(Event, version=2, upcasts={1: lambda old: {"grams": old["kilo"] * 1000}}):
        grams: float

    class WeighedV1(Event, name="Weighed", version=1):
        kilos: float

    run = simulate(town(Weighed), publishing(WeighedV1(kilos=2)))
    assert str(run.failures[0].error).endswith("KeyError: 'kilo'") and run.failures[0].line == ""


def test_commands_and_queries_cross_too_and_an_unreadable_question_has_no_answer():
    class PackV1(Command, name="Pack", version=1):
        item: str

    class Pack(Command, version=2, upcasts={1: lambda old: {"items": [old["item"]]}}):
        items: list[str]

    class GetSizeV1(Query, name="GetSize", version=1):
        item: str

    class GetSize(Query, version=2):
        item: str
        unit: str

    town, told = System("town"), []

    @town.service("depot").handles(Pack)
    def pack(command, ctx):
        return command.items

    @town.service("depot").answers(GetSize)
    def size(query, ctx):
        return query.unit

    async def asking(ctx):
        told.append(await ctx.ask(PackV1(item="pen")))
        with pytest.raises(Unanswered):
            await ctx.ask(GetSizeV1(item="pen"))
        told.append(await ctx.ask(GetSize(item="pen", unit="cm")))

    run = simulate(town, asking)
    assert told == [["pen"], "cm"] and [type(f.error) for f in run.failures] == [Unreadable]


def test_an_outbox_keeps_the_version_of_what_it_stores():
    town = System("town")
    town.service("till", schema="create table outbox (text)")

    @town.service("till").on(BilledPart)
    async def relay(event, ctx):
        if event.number == "b1":
            with ctx.database as db:
                text = ctx.envelope(BilledV2(number="b2", cents=3))
                db.execute("insert into outbox values (?)", (text,))
            with ctx.database as db:
                ((text,),) = db.execute("select text from outbox").fetchall()
            assert json.loads(text)["version"] == 2
            await ctx.publish(text)

    run = simulate(town, publishing(BilledV1(number="b1", euros=1)))
    sent = [s.envelope.data for s in run.journal if s.step == "publish"]
    assert sent == [BilledV1(number="b1", euros=1), BilledV2(number="b2", cents=3)]


def test_an_old_text_is_upcast_where_no_class_of_its_version_is_declared():
    class Signed(Event, version=3, upcasts={1: lambda d: d | {"b": 1}, 2: lambda d: d | {"c": 1}}):
        a: int
        b: int
        c: int

    text = (
        '{"id": "old-1", "type": "Signed", "source": "till", "subject": null, "topic": "Signed", "time": 0, '
        '"correlation": "old-1", "causation": null, "depth": 0, "data": {"a": 1}}'
    )
    run = simulate(town(Signed), publishing(text))
    assert notes(run) == ["Signed(a=1, b=1, c=1); Signed(a=1, b=1, c=1)"]


def test_a_store_reads_an_old_fact_as_its_own_class_where_an_upcaster_is_missing():
    class CountedV1(Event, name="Counted", version=1):
        pens: int

    store = EventStore(":memory:")
    store.append("stock", [CountedV1(pens=3)], recorded="2026-01-01")
    assert store.read("stock")[0].event == CountedV1(pens=3)

    class Counted(Event, version=2):
        items: int

    assert store.read("stock")[0].event == CountedV1(pens=3)

    class Counted(Event, version=2, upcasts={1: lambda old: {"items": old["pens"]}}):
        items: int

    assert store.read("stock")[0].event == Counted(items=3)
    assert message_types()["Counted"] is Counted


def test_a_class_declared_again_is_handed_over_as_it_is():
    def declared():
        class Mowed(Event, version=2):
            lawn: str

        return Mowed

    first, second, got = declared(), declared(), []
    town = System("town")

    @town.service("reader").on(first)
    def see(event):
        got.append(type(event))

    simulate(town, publishing(second(lawn="north")))
    assert got == [second]


def test_one_version_with_two_sets_of_fields_is_warned_about():
    class Dug(Event, version=1):
        hole: str

    class DugAgain(Event, name="Dug", version=1):
        hole: str
        deep: int = 1

    with pytest.warns(UserWarning, match="version 1 of Dug has the fields hole: str in Dug, and"):
        simulate(town(DugAgain), publishing(Dug(hole="h")))


@pytest.mark.parametrize(
    "declare, words",
    [
        (lambda: type(Event)("Odd", (Event,), {}, name="two words"), "name= takes one word"),
        (lambda: type(Event)("Odd", (Event,), {}, name=3), "name= takes one word"),
        (lambda: type(Event)("Odd", (Event,), {}, reads="loosely"), "tolerant, strict"),
        (lambda: simulate(twice_read(), publishing()), "a service reads a message as one class"),
    ],
)
def test_misuse_is_told(declare, words):
    with pytest.raises(Misuse, match=words):
        declare()


def twice_read() -> System:
    system = town(BilledV1)

    @system.service("reader1").on(BilledV2)
    def see_too(event): ...

    return system


FIELDS = "abcd"


def form(dice: Random, version: int, **keywords) -> type[Event]:
    """A class with some of four fields, some of which have a default; upcasters double what they find, or rename it."""
    names = [name for name in FIELDS if dice.random() < 0.6] or ["a"]
    defaults = {name: dice.randint(0, 9) for name in names if dice.random() < 0.3}
    body = {"__annotations__": dict.fromkeys(names, int), **defaults}
    body |= {"__module__": __name__, "__qualname__": f"Form{version}"}
    return type(Event)(
        f"Form{version}{dice.random()}", (Event,), body, name="Formed", version=version, **keywords
    )


def chain(dice: Random, version: int) -> dict[int, tuple[str, str]]:
    """Renames of a field, from some of the older versions."""
    steps = range(1, version)
    return {v: (dice.choice(FIELDS), dice.choice(FIELDS)) for v in steps if dice.random() < 0.7}


def renaming(old: str, new: str):
    return lambda data: {(new if name == old else name): value for name, value in data.items()}


def read_by_hand(data: dict, written: int, reader: type[Event], renames: dict) -> dict | None:
    """What a reader gets, by the rules of docs/faults.md; None where it cannot read it."""
    for version in range(written, reader.__declared__.version):
        if version in renames:
            old, new = renames[version]
            data = {(new if name == old else name): value for name, value in data.items()}
    known = reader.model_fields
    if reader.__declared__.reads == "strict" and data.keys() - known.keys():
        return None
    if any(info.is_required() and name not in data for name, info in known.items()):
        return None
    return {name: data.get(name, info.default) for name, info in known.items()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(150))
def test_what_handlers_get_is_what_an_independent_reading_of_the_rules_says(seed):
    dice = Random(seed)
    writer = form(dice, dice.randint(1, 3))
    version = dice.randint(1, 4)
    renames = chain(dice, version)
    upcasts = {v: renaming(*names) for v, names in renames.items()}
    reader = form(dice, version, upcasts=upcasts, reads=dice.choice(["tolerant", "strict"]))
    data = {name: dice.randint(10, 99) for name in writer.model_fields}
    got = []
    system = System("town")

    @system.service("reader").on(reader)
    def see(event, ctx):
        got.append(dict(event))
        assert ctx.message.data == event and type(event) is reader

    run = simulate(system, publishing(writer(**data)))
    expected = read_by_hand(data, writer.__declared__.version, reader, renames)
    assert got == ([] if expected is None else [expected])
    assert len(run.failures) == (3 if expected is None else 0)
    assert all(isinstance(failure.error, Unreadable) for failure in run.failures)


def test_the_readings_tried_are_of_every_kind():
    kinds = set()
    for seed in range(150):
        dice = Random(seed)
        writer, version = form(dice, dice.randint(1, 3)), dice.randint(1, 4)
        renames = chain(dice, version)
        reader = form(dice, version, reads=dice.choice(["tolerant", "strict"]))
        data = {name: dice.randint(10, 99) for name in writer.model_fields}
        written = writer.__declared__.version
        read = read_by_hand(data, written, reader, renames)
        kinds.add(
            (reader.__declared__.reads, (written > version) - (written < version), bool(read))
        )
    assert len(kinds) == 12


def test_a_timeline_names_the_version_of_a_message_where_there_are_several():
    async def both(ctx):
        await ctx.publish(BilledV1(number="a", euros=1))
        await ctx.publish(BilledV2(number="b", cents=100))

    async def one(ctx):
        await ctx.publish(BilledV1(number="a", euros=1))
        await ctx.publish(BilledV1(number="b", euros=2))

    picture = timeline(simulate(town(BilledV2), both)).svg()
    assert ">Billed a, v1<" in picture and ">Billed b, v2<" in picture
    assert "v1<" not in timeline(simulate(town(BilledV2), one)).svg()


def test_a_timeline_says_why_a_message_is_unreadable_in_the_tool_tip_only():
    async def old(ctx):
        await ctx.publish(BilledV1(number="a", euros=1))

    picture = timeline(simulate(town(BilledBare), old)).svg()
    assert ">Unreadable<" in picture and "needs cents" in picture


class BilledLine(Event):
    sku: str


class BilledLineNoted(Event):
    sku: str
    note: str


class ListedV1(Event, name="Listed", topic="lists"):
    first: BilledLineNoted
    lines: list[BilledLineNoted]
    by_name: dict[str, BilledLineNoted | None]


class Listed(Event, version=2, topic="lists"):
    first: BilledLine
    lines: list[BilledLine]
    by_name: dict[str, BilledLine | None]


class ListedStrict(Event, name="Listed", version=2, topic="lists", reads="strict"):
    first: BilledLine
    lines: list[BilledLine]
    by_name: dict[str, BilledLine | None]


def test_a_tolerant_reader_ignores_also_what_a_class_within_its_own_does_not_know():
    line = BilledLineNoted(sku="a", note="urgent")

    async def one(ctx):
        await ctx.publish(ListedV1(first=line, lines=[line, line], by_name={"x": line, "y": None}))

    run = simulate(town(Listed, ListedStrict, max_attempts=1), one)
    plain = BilledLine(sku="a")
    read = Listed(first=plain, lines=[plain, plain], by_name={"x": plain, "y": None})
    assert [s.detail for s in run.journal if s.step == "note"] == [f"{read!r}; {read!r}"]
    assert [f.service for f in run.failures] == ["reader2"]


def test_an_upcaster_that_fails_on_a_stored_envelope_is_named():
    class Kept(Event, version=3, topic="kept", upcasts={2: lambda old: {"n": old["m"]}}):
        n: int

    async def publish(ctx):
        text = ctx.envelope(Kept(n=1)).stored().replace('"version": 3', '"version": 1')
        await ctx.publish(text)

    with pytest.raises(Misuse, match="whose class cannot read its own data .KeyError: 'm'"):
        simulate(town(), publish)

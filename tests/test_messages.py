"""Messages are found by the name of their type; their keys are what JSON says; what JSON cannot say is refused when they are made."""

import json
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from math import inf, nan
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_serializer, field_validator

from edalab import Event, EventStore, Misuse, Query, System, claims, simulate
from edalab.errors import InvalidMessage
from edalab.model import message_types


def test_of_two_classes_with_one_name_the_last_is_meant_whatever_they_derive_from():
    class Base(Event):
        a: int

    class DeclaredTwice(Base):
        pass

    class DeclaredTwice(Event):
        b: int

    assert message_types()["DeclaredTwice"] is DeclaredTwice

    class DeclaredTwice(Base):
        pass

    assert message_types()["DeclaredTwice"] is DeclaredTwice


# -- keys


class Colour(Enum):
    RED = "red"


class Size(StrEnum):
    BIG = "big"


class Level(IntEnum):
    HIGH = 3


class Place(BaseModel):
    city: str
    floor: int = 0


class Painted(Event, key="it"):
    it: Any


def sent(*events, partitions=12):
    """A run in which the client publishes these events, and their envelopes."""
    system = System("house")
    system.topic(type(events[0]).__name__, partitions=partitions)
    system.service("painters").on(type(events[0]))(nothing)

    async def publish(ctx):
        for event in events:
            await ctx.publish(event)

    run = simulate(system, publish)
    return run, [step.envelope for step in run.journal if step.step == "publish"]


def nothing(event):
    pass


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (None, None),
        ("None", "None"),
        ("", ""),
        ("é ☃", "é ☃"),
        (7, "7"),
        (1.5, "1.5"),
        (True, "true"),
        (Colour.RED, "red"),
        (Size.BIG, "big"),
        (Level.HIGH, "3"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Decimal("1.50"), "1.50"),
        (date(2026, 1, 1), "2026-01-01"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00Z"),
        (time(9), "09:00:00"),
        (timedelta(days=1), "P1D"),
        ([1, "a"], '[1,"a"]'),
        (Place(city="Delft"), '{"city":"Delft","floor":0}'),
    ],
)
def test_a_key_is_what_the_json_of_its_field_says(value, key):
    run, [envelope] = sent(Painted(it=value))
    assert envelope.subject == key
    [told] = json.loads(run.cloudevents())
    assert told.get("subject") == told.get("partitionkey") == (key or None)
    said = told["data"]["it"]
    assert key == (
        said
        if said is None or isinstance(said, str)
        else json.dumps(said).replace(", ", ",").replace(": ", ":")
    )


def test_the_type_of_a_key_may_be_any():
    class Declared(Event, key="it"):
        it: Colour | Size | UUID | int | None
        rest: list[str] = []

    class Told(Event, key="it"):
        it: str | None

        @field_serializer("it")
        def lower(self, it):
            return None if it == "nobody" else it and it.lower()

    class Secret(Event, key="it"):
        it: str = Field(exclude=True)

    assert sent(Secret(it="ada"))[1][0].subject is None
    _, declared = sent(*[Declared(it=it) for it in (None, Colour.RED, Size.BIG, UUID(int=1), 5)])
    assert [e.subject for e in declared] == [None, "red", "big", str(UUID(int=1)), "5"]
    _, told = sent(*[Told(it=it) for it in ("RED", "nobody", None)])
    assert [e.subject for e in told] == ["red", None, None]


def test_messages_without_a_key_take_turns_and_promise_no_order():
    class Moved(Event, key="who"):
        who: str | None = None

    run, _ = sent(*[Moved()] * 12, Moved(who="None"))
    partitions = Counter(s.partition for s in run.journal if s.step == "handle")
    assert sorted(partitions.values()) == [1] * 11 + [2]
    verdict = run.check(claims.in_order_per_key(Moved))
    assert (verdict.outcome, verdict.cause) == (
        "not exercised",
        "no service handled two Moved of one key",
    )


def test_a_question_without_a_key_is_about_no_event():
    class Renamed(Event):
        name: str

    class WhoIs(Query, key="who"):
        who: str | None = None

    system = System("house")
    people = system.service("people")
    people.on(Renamed)(nothing)
    people.answers(WhoIs)(nothing)

    async def work(ctx):
        await ctx.publish(Renamed(name="ada"))
        await ctx.ask(WhoIs())

    verdict = simulate(system, work, faults=["delay people.deliver.Renamed for 9 s"]).check(
        claims.no_stale_read(WhoIs)
    )
    assert verdict.outcome == "not exercised"


@given(
    st.lists(
        st.none() | st.text(max_size=3) | st.integers() | st.booleans(), min_size=2, max_size=4
    )
)
def test_equal_keys_go_to_one_partition_and_the_sdk_is_told_what_the_data_say(values):
    run, envelopes = sent(*[Painted(it=value) for value in values])
    handled = [(s.envelope.subject, s.partition) for s in run.journal if s.step == "handle"]
    assert len(dict(pair for pair in handled if pair[0] is not None)) == len(
        {pair for pair in handled if pair[0] is not None}
    )
    assert [e.subject is None for e in envelopes] == [value is None for value in values]
    assert len(run.digest) == 8 and repr(run) and len(json.loads(run.cloudevents())) == len(values)


# -- what cannot go on the wire

HALF = "\ud83d"


class Anything(Event):
    it: Any


class Nested(Event):
    it: Anything


class Texts(Event):
    exact: Decimal = Decimal(1)
    it: str | list[str] | dict[str, float] = ""


class Number(Event):
    exact: Decimal = Decimal(1)
    it: float | int | tuple[float, ...] = 0


class Inner(Event):
    it: Place


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Texts(it=HALF), []),
        (lambda: Texts(it=["a", HALF]), []),
        (lambda: Texts(it={HALF: 1}), []),
        (lambda: Texts(it={"a": nan}), []),
        (lambda: Number(it=nan), []),
        (lambda: Number(it=-inf), []),
        (lambda: Number(it=(1, inf)), []),
        (lambda: Anything(it=HALF), ["half of a character"]),
        (lambda: Anything(it=[{HALF: 1}]), ["half of a character"]),
        (lambda: Anything(it={"a": (1, nan)}), ["JSON has no NaN"]),
        (lambda: Anything(it=inf), ["JSON has no Infinity"]),
        (lambda: Anything(it=nothing), ["a function", "use what JSON has"]),
        (lambda: Anything(it=Place.model_construct(city=HALF)), ["half of a character"]),
        (lambda: Inner(it=Place.model_construct(city=nan)), ["JSON has no NaN"]),
        (lambda: Nested(it={"it": HALF}), ["half of a character"]),
        (lambda: Nested.model_validate({"it": {"it": nan}}), ["JSON has no NaN"]),
    ],
)
def test_what_cannot_go_on_the_wire_is_refused_when_the_message_is_made_and_its_field_is_named(
    make, words
):
    with pytest.raises(InvalidMessage) as caught:
        make()
    said = str(caught.value)
    assert "it" in said and "exact" not in said and said.encode()
    for word in words:
        assert word in said and "cannot go on the wire" in said


def test_half_a_character_in_a_typed_field_is_named_with_its_place():
    class Typed(Event):
        one: str = ""
        many: list[str] = []
        named: dict[str, str] = {}

    for data, place in [
        ({"one": HALF}, "Typed.one"),
        ({"many": ["a", HALF]}, "Typed.many.1"),
        ({"named": {"a": HALF}}, "Typed.named.a"),
        ({"named": {HALF: "a"}}, "a key of Typed.named"),
    ]:
        with pytest.raises(InvalidMessage) as caught:
            Typed(**data)
        assert str(caught.value).startswith(f"{place} holds half of a character")
    with pytest.raises(InvalidMessage) as caught:
        Typed(named={3: "a"})
    assert str(caught.value) == "a key of Typed.named should be a valid string, not 3"


def test_what_validation_does_not_see_is_refused_all_the_same():
    class Defaulted(Event):
        limit: float = inf

    class Doubtful(Event):
        limit: float

        @field_validator("limit")
        def unknown(cls, limit):
            return nan

    class Allowed(Event):
        limit: float = Field(allow_inf_nan=True)

    for make in (Defaulted, lambda: Doubtful(limit=1), lambda: Allowed(limit=nan)):
        with pytest.raises(
            InvalidMessage, match="limit=(inf|nan) cannot go on the wire: JSON has no"
        ):
            make()
    assert Defaulted(limit=5).limit == 5


def test_a_message_that_is_changed_after_it_was_made_is_refused_when_it_is_sent():
    for change, words in (({HALF: 1}, "half of a character"), ({"a": nan}, "JSON has no NaN")):
        event = Texts(it={"a": 1.0})
        event.it.update(change)
        with pytest.raises(Misuse, match=f"^the workload sends off Texts, which .*: it=.*{words}"):
            sent(event)


class Mixed(Event):
    text: str
    any: Any
    keys: dict[str, Any] = {}
    number: float | None = None
    raw: bytes = b""
    kind: Literal["a", "é"] = "é"


SURROGATES = st.characters(categories=["Cs"])
ANY_TEXT = st.text(st.characters() | SURROGATES, max_size=4)
ANY_DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda parts: st.lists(parts, max_size=2) | st.dictionaries(ANY_TEXT, parts, max_size=2),
    max_leaves=4,
)


@given(
    ANY_TEXT,
    ANY_DATA,
    st.dictionaries(ANY_TEXT, ANY_DATA, max_size=2),
    st.none() | st.floats(),
    st.binary(max_size=4),
)
@example("a", "\ud83d\ude00", {}, None, b"")
@example("a", "\ufffd NaN", {}, None, b"\xff\xff")
def test_a_message_that_can_be_made_is_told_by_the_wire_as_it_is_and_any_other_is_refused(
    text, any, keys, number, raw
):
    data = {"text": text, "any": any, "keys": keys, "number": number}
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        with pytest.raises(InvalidMessage):
            Mixed(**data, raw=raw)
        return
    run, _ = sent(Mixed(**data, raw=raw))
    [told] = json.loads(run.cloudevents())
    told["data"].pop("raw")
    assert told["data"] == data | {"kind": "é"} and repr(run) and run.digest
    store = EventStore(":memory:")
    store.append("a", [Mixed(**data, raw=raw)], recorded=0)
    assert store.read("a")[0].event == Mixed(**data, raw=raw)


def test_bytes_are_base64_as_any_decoder_reads_it_and_older_texts_are_read_too():
    class Scanned(Event, key="page"):
        page: bytes
        parts: list[bytes | str] = []

    scanned = Scanned(page=b"\xfb\xff", parts=[b"\xff", "ÿ"])
    assert scanned.model_dump_json() == '{"page":"+/8=","parts":["/w==","ÿ"]}'
    assert scanned.model_dump()["page"] == b"\xfb\xff" and sent(scanned)[1][0].subject == "+/8="

    class Kept(Event):
        first: Scanned
        other: bytes | None = None

    both = Kept(first=Scanned(page=b"\xff"), other=b"\xff")
    assert both.model_dump_json() == '{"first":{"page":"/w==","parts":[]},"other":"/w=="}'
    anything = Anything(it=[{"raw": b"\xfb\xff"}, (b"\xff",)])
    assert '[{"raw":"+/8="},["/w=="]]' in anything.model_dump_json()
    for text in ("+/8=", "-_8="):
        assert Scanned.model_validate_json(f'{{"page":"{text}"}}').page == b"\xfb\xff"


# -- outboxes


def test_the_row_of_an_outbox_is_sent_as_it_was_and_one_that_cannot_be_read_says_why():
    class Kept(Event, key="who"):
        who: str | None
        rest: list[float] = []

    class Picky(Event):
        n: int

        @field_validator("n")
        def twice(cls, n):
            if n > 2:
                raise ValueError("more than 2")
            return 2 * n

    def work(event, change=lambda text: text):
        async def workload(ctx):
            await ctx.publish(change(ctx.envelope(event).stored()))

        return simulate(System("house"), workload)

    [told] = json.loads(work(Kept(who=None, rest=[0.5])).cloudevents())
    assert "subject" not in told and told["data"] == {"who": None, "rest": [0.5]}
    no_envelope = "a text that ctx.envelope did not make"
    for old, new in (("null", '"\\ud83d"'), ("0.5", "NaN"), ('"Kept"', '"Kepd"'), ("}", "")):
        with pytest.raises(Misuse, match=no_envelope):
            work(Kept(who=None, rest=[0.5]), lambda text, old=old, new=new: text.replace(old, new))
    with pytest.raises(
        Misuse, match=r"whose class cannot read its own data \(Picky.n: more than 2\)"
    ):
        work(Picky(n=2))


# -- topics


def test_a_topic_may_have_dots_wherever_it_is_named():
    class Ordered(Event, topic="shop.orders"):
        n: int = 0

    system = System("shop")
    system.topic("shop.orders", partitions=3)
    system.queue("shop.mails")
    system.service("billing").on(Ordered)(nothing)

    async def work(ctx):
        for _ in range(3):
            await ctx.publish(Ordered())

    run = simulate(system, work)
    assert {s.partition for s in run.journal if s.step == "handle"} == {0, 1, 2}


def test_a_topic_and_a_queue_are_looked_up_by_their_names_and_declared_anew_by_keywords():
    system = System("shop")
    topic, queue = system.topic("orders", partitions=3), system.queue("mails", max_attempts=5)
    assert system.topic("orders") is topic and system.queue("mails") is queue
    assert system.topic("orders", confirms=False).partitions == 1
    assert system.queue("orders").max_attempts == 3 and "orders" not in system.topics


def test_two_functions_for_one_message_have_a_copy_each():
    class Basket(Event):
        items: list[int]

    shop = System("shop")
    till = shop.service("till")

    @till.on(Basket)
    def add(event):
        event.items.append(9)

    @till.on(Basket)
    def read(event, ctx):
        ctx.note(event.items)

    async def one(ctx):
        await ctx.publish(Basket(items=[1]))

    assert [step.detail for step in simulate(shop, one).journal if step.step == "note"] == ["[1]"]

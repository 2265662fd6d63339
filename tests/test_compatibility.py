"""What two AsyncAPI documents say of who reads whom, held against messages that are really read."""

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError, create_model

from edalab import Command, Event, Misuse, System, compatibility


def ignore(message): ...


def document(*classes: type) -> dict:
    """The document of a system in which a service handles these messages, as it is read from a file."""
    system = System("shop")
    service = system.service("billing")
    for cls in classes:
        (service.handles if issubclass(cls, Command) else service.on)(cls)(ignore)
    return json.loads(json.dumps(system.asyncapi()))


def ordered(
    base: type = Event,
    *,
    topic="orders",
    key=None,
    version=1,
    upcasts=None,
    reads="tolerant",
    **fields,
):
    """A version of the class Ordered: `total=int`, or `total=(int, 0)` for a field with a default."""
    pairs = {name: f if isinstance(f, tuple) else (f, ...) for name, f in fields.items()}
    words = {"topic": topic, "key": key, "version": version, "upcasts": upcasts or {}}
    words["reads"] = reads
    return create_model("Ordered", __base__=base, __cls_kwargs__=words, **pairs)


def changes(before: type, after: type) -> list[tuple]:
    gate = compatibility(document(before), document(after))
    return [(c.field, c.change, c.first) for c in gate.changes]


class Line(BaseModel):
    pieces: int


class LineOfGrams(BaseModel):
    pieces: int
    grams: int


NEITHER = "neither: expand and contract"


@pytest.mark.parametrize(
    "before, after, said",
    [
        ({}, {"cents": int}, [("cents", "added, required", "writers first")]),
        ({}, {"cents": (int, 0)}, [("cents", "added, with a default", "any order")]),
        ({"total": float}, {}, [("total", "removed, required", "readers first")]),
        ({"total": (float, 0)}, {}, [("total", "removed, with a default", "any order")]),
        (
            {"total": float},
            {"cents": int},
            [
                ("total", "removed, required", "readers first"),
                ("cents", "added, required", "writers first"),
            ],
        ),
        ({"total": int}, {"total": float}, [("total", "integer → number", "readers first")]),
        ({"total": float}, {"total": int}, [("total", "number → integer", "writers first")]),
        ({"total": float}, {"total": str}, [("total", "number → string", NEITHER)]),
        (
            {"state": Literal["new"]},
            {"state": Literal["new", "paid"]},
            [("state", "'paid' added", "readers first")],
        ),
        (
            {"state": Literal["new", "paid"]},
            {"state": Literal["new"]},
            [("state", "'paid' removed", "writers first")],
        ),
        (
            {"note": (str | None, None)},
            {"note": str},
            [("note", "string or null → string, required now", "writers first")],
        ),
        ({"note": (str, "")}, {"note": str}, [("note", "required now", "writers first")]),
        ({"note": str}, {"note": (str, "")}, [("note", "with a default now", "readers first")]),
        (
            {"lines": list[Line]},
            {"lines": list[LineOfGrams]},
            [("lines", "another array of object", "writers first")],
        ),
        ({"n": int}, {"n": (int, Field(ge=0))}, [("n", "another integer", "writers first")]),
        ({"n": list[int]}, {"n": list[float]}, [("n", "array of integer → array of number", "readers first")]),
        ({"n": int}, {"n": (int, 5)}, [("n", "with a default now", "readers first")]),
        ({"total": float}, {"total": float}, []),
        ({"total": (float, 1)}, {"total": (float, 2)}, []),
        ({"title": str}, {"title": int}, [("title", "string → integer", NEITHER)]),
        ({"a": int, "version": 1}, {"a": int, "version": 2}, [("", "version 1 → 2, the same fields", "any order")]),
        ({"a": int, "topic": "sales"}, {"a": int}, [("", "topic sales → orders", NEITHER)]),
        ({"a": int}, {"a": int, "key": "a"}, [("", "key None → a, order is lost across it", "any order")]),
    ],
)  # fmt: skip
def test_who_is_deployed_first(before, after, said):
    assert changes(ordered(**before), ordered(**after)) == said


def test_a_strict_reader_does_not_read_a_field_that_it_does_not_know():
    plain, more = ordered(a=int, reads="strict"), ordered(a=int, note=(str, ""), reads="strict")
    assert changes(plain, more) == [("note", "added, with a default", "readers first")]
    assert changes(more, plain) == [("note", "removed, with a default", "writers first")]


def test_a_class_with_an_upcaster_reads_the_older_version():
    new = ordered(version=2, upcasts={1: dict}, cents=int)
    assert changes(ordered(total=float), new) == [
        ("total", "removed, required", "readers first"),
        ("cents", "added, required, upcast", "any order"),
    ]
    newer = ordered(version=3, upcasts={2: dict}, cents=int)  # no way from version 1
    assert not compatibility(document(ordered(total=float)), document(newer)).backward


@pytest.mark.parametrize("base", [Event, Command])
def test_a_new_message_needs_its_reader_first_and_an_old_one_its_writer(base):
    before, after = document(ordered(Event, a=int)), document()
    other = create_model("Other", __base__=base)
    assert [c.first for c in compatibility(document(), document(other)).changes] == ["readers first"]  # fmt: skip
    assert [c.first for c in compatibility(document(other), document()).changes] == ["writers first"]  # fmt: skip
    assert compatibility(before, after).first == "writers first"


def test_of_each_message_the_newest_versions_are_compared():
    system = System("shop")
    system.service("billing").on(ordered(total=float))(ignore)
    system.service("mail").on(ordered(version=2, cents=int))(ignore)
    both, old = system.asyncapi(), document(ordered(total=float))
    assert [c.field for c in compatibility(old, both).changes] == ["total", "cents"]
    assert compatibility(both, document(ordered(version=2, cents=int))).changes == []


def test_a_recursive_model_is_compared_once():
    class Node(BaseModel):
        n: int
        parts: list["Node"] = []

    before = ordered(node=Node)
    plain = Node

    class Node(BaseModel):
        n: float
        parts: list["Node"] = []

    assert plain is not Node
    assert changes(before, ordered(node=Node)) == [("node", "another object", "readers first")]
    assert changes(before, before) == []


def test_it_is_a_table_whose_last_line_says_what_it_does_not_see():
    gate = compatibility(document(ordered(total=float)), document(ordered(total=float, cents=int)))
    assert repr(gate).splitlines() == [
        "message    field  change           backward  forward  deploy first",
        "Ordered    cents  added, required  no        yes      writers first",
        "all of it                          no        yes      writers first",
        "Fields and types are compared. No gate sees another meaning of a field, or old messages that wait.",
    ]
    assert (gate.backward, gate.forward, gate.first) == (False, True, "writers first")


def test_cents_in_a_field_of_euros_pass():
    assert compatibility(document(ordered(total=float)), document(ordered(total=float))).backward


@pytest.mark.parametrize("wrong", [3, {}, {"components": {"messages": [1]}}, None])
def test_another_document_is_misuse(wrong):
    with pytest.raises(Misuse, match="^compatibility takes two documents of System.asyncapi, not "):
        compatibility(document(), wrong)


# -- what it says, and what is read

# A type, and values of it that some reader of another type does not take.
VALUES: dict[object, list] = {
    int: [7], float: [1.5, 2], str: ["a", "other"], bool: [True], Literal["a"]: ["a"], Literal["a", "b"]: ["a", "b"],
    int | None: [7, None], str | int: ["a", "other", 7], list[int]: [[7]], list[float]: [[1.5]], dict[str, int]: [{"a": 7}],
    Line: [{"pieces": 7}], LineOfGrams: [{"pieces": 7, "grams": 7}], list[Line]: [[{"pieces": 7}]],
}  # fmt: skip
TYPES = st.sampled_from(list(VALUES))
SCHEMAS = st.dictionaries(st.sampled_from("abc"), st.tuples(TYPES, st.booleans()), max_size=3)


def fields_of(schema: dict) -> dict:
    return {n: (kind, ... if needed else VALUES[kind][0]) for n, (kind, needed) in schema.items()}


def messages(schema: dict) -> list[dict]:
    """Messages in which each field has each of its values, and is left out if it may be, one at a time."""
    first = {name: VALUES[kind][0] for name, (kind, _) in schema.items()}
    found = [first]
    for name, (kind, needed) in schema.items():
        found += [{**first, name: value} for value in VALUES[kind]]
        found += [] if needed else [{n: value for n, value in first.items() if n != name}]
    return found


def agrees_with_reading(old: dict, new: dict, how: str = "tolerant") -> None:
    before, after = ordered(**fields_of(old), reads=how), ordered(**fields_of(new), reads=how)
    gate = compatibility(document(before), document(after))
    for says, written, wanted in ((gate.backward, old, new), (gate.forward, new, old)):
        extra = {"extra": "forbid" if how == "strict" else "ignore"}
        reader = create_model("Reader", __config__=extra, **fields_of(wanted))
        if says:
            assert all(reads(reader, data) for data in messages(written))
        else:  # by what its types say: pydantic takes True for 1, too
            assert not all(reads(reader, data, strict=True) for data in messages(written))


def reads(reader: type[BaseModel], data: dict, **how) -> bool:
    try:
        reader.model_validate_json(json.dumps(data), **how)
    except ValidationError:
        return False
    return True


@given(SCHEMAS, SCHEMAS, st.sampled_from(["tolerant", "strict"]))
def test_what_is_compatible_is_read_and_what_is_not_has_a_message_that_is_not_read(old, new, how):
    agrees_with_reading(old, new, how)


@pytest.mark.parametrize("one", VALUES, ids=str)
def test_every_type_is_read_as_every_other_one_or_is_not(one):
    for other in VALUES:
        for needed in (True, False):
            agrees_with_reading({"a": (one, True)}, {"a": (other, needed)})

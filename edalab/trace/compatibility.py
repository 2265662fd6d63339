"""Compatibility of two AsyncAPI documents: whether new readers read old messages (backward) and old readers read new
ones (forward), for each change of a message. This decides which services to deploy first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import Misuse, shown

_FIRST = {
    (True, True): "any order",
    (True, False): "readers first",
    (False, True): "writers first",
    (False, False): "neither: expand and contract",
}
_BLIND = "Fields and types are compared. No gate sees another meaning of a field, or old messages that wait."
_INSIDE = ("items", "additionalProperties")
_WORDS = ("title", "description", "default", "examples", "$defs")


@dataclass(frozen=True)
class Change:
    """A change of a message, and whether it is backward and forward compatible."""

    message: str
    field: str
    change: str
    backward: bool  # new readers read old messages
    forward: bool  # old readers read new messages

    @property
    def first(self) -> str:
        """Which to deploy first: readers, writers, any order or neither (expand and contract)."""
        return _FIRST[self.backward, self.forward]


class Compatibility:
    """The changes between two AsyncAPI documents, and which services to deploy first. `compatibility` returns it."""

    def __init__(self, changes: list[Change]):
        self.changes = changes
        self.backward = all(change.backward for change in changes)
        self.forward = all(change.forward for change in changes)
        self.first = _FIRST[self.backward, self.forward]

    def __repr__(self) -> str:
        rows = [["message", "field", "change", "backward", "forward", "deploy first"]]
        for c in (*self.changes, Change("all of it", "", "", self.backward, self.forward)):
            can = ["yes" if reads else "no" for reads in (c.backward, c.forward)]
            rows.append([c.message, c.field, c.change, *can, c.first])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([*lines, _BLIND])


def compatibility(before: dict[str, Any], after: dict[str, Any]) -> Compatibility:
    """Compare two AsyncAPI documents and report for each change which services to deploy first.

        gate = compatibility(old_shop.asyncapi(), new_shop.asyncapi())
        assert gate.forward  # deploy orders first; use .backward to deploy its readers first

    before, after: what `System.asyncapi` returned, or what `json.load` read from a file.

    The newest version of each message in `before` is compared with the newest in `after`, as in a schema registry.
    *Backward* means that new readers read old messages, and *forward* that old readers read new messages. If a change
    is only backward compatible, deploy the readers first, and if it is only forward compatible, the writers. If it is
    neither, expand and contract: add the new field, move the readers, and then take the old field away. A field with a
    default may be missing. A class that declares an upcaster for the older version reads all messages of that version.

    `.changes` lists the changes. `.backward`, `.forward` and `.first` summarize all of them. Only fields and types are
    compared, not their meaning: cents in a field of euros pass. Raises Misuse for other documents."""
    old, new = _newest(before), _newest(after)
    changes = [_message_changes(name, old.get(name), new.get(name)) for name in {**old, **new}]
    return Compatibility([change for some in changes for change in some])


def _newest(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The newest version of each message, by name."""
    newest: dict[str, dict] = {}
    try:
        for key, message in document["components"]["messages"].items():
            known = newest.get(message["name"])
            if known is None or known["x-version"] < message["x-version"]:
                channels = document["channels"].values()
                places = ", ".join(c["address"] for c in channels if key in c["messages"])
                payload = _plain(message["payload"], message["payload"].get("$defs", {}), ())
                newest[message["name"]] = {**message, "payload": payload, "topic": places}
    except (KeyError, TypeError, AttributeError):
        what = f"compatibility takes two documents of System.asyncapi, not {shown(document)}"
        raise Misuse(what) from None
    return newest


def _plain(schema: Any, models: dict[str, Any], within: tuple[str, ...]) -> Any:
    """A schema with each $ref replaced by its target, and without titles, descriptions and examples."""
    if isinstance(schema, list):
        return [_plain(part, models, within) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        model = schema["$ref"].rpartition("/")[2]
        again = model in within  # it is recursive
        return {"type": model} if again else _plain(models[model], models, (*within, model))
    plain = {n: _plain(part, models, within) for n, part in schema.items() if n not in _WORDS}
    if "properties" in schema:  # a field may also be called title or default
        fields = schema["properties"].items()
        plain["properties"] = {name: _plain(part, models, within) for name, part in fields}
    if "const" in plain:
        plain["enum"] = [plain.pop("const")]
    return plain


def _message_changes(name: str, old: Any, new: Any) -> Iterator[Change]:
    """The changes of a message, which may have been added or removed."""
    if old is None or new is None:
        yield Change(name, "", "removed" if new is None else "added", old is None, new is None)
        return
    was, now = old["x-version"], new["x-version"]
    upcast = was < now and was in new["x-upcasts"]
    ones, others = (message["payload"].get("properties", {}) for message in (old, new))
    for field in {**ones, **others}:
        what = _difference(field, old["payload"], new["payload"])
        backward = _reads_field(field, old["payload"], new["payload"])
        forward = _reads_field(field, new["payload"], old["payload"])
        if what:
            note = ", upcast" if upcast and not backward else ""
            yield Change(name, field, what + note, backward or upcast, forward)
    if old["payload"] == new["payload"] and was != now:
        yield Change(name, "", f"version {was} → {now}, the same fields", True, True)
    if old["topic"] != new["topic"]:
        yield Change(name, "", f"topic {old['topic']} → {new['topic']}", False, False)
    if old["x-key"] != new["x-key"]:
        what = f"key {old['x-key']} → {new['x-key']}, order is lost across it"
        yield Change(name, "", what, True, True)


def _difference(field: str, old: dict, new: dict) -> str:
    """What changed in a field, in words; "" if nothing did."""
    one, two = (schema.get("properties", {}).get(field) for schema in (old, new))
    needed, needs = (field in schema.get("required", ()) for schema in (old, new))
    if one is None or two is None:
        kind = "required" if needed or needs else "with a default"
        return f"{'added' if one is None else 'removed'}, {kind}"
    words = []
    if "enum" in one and "enum" in two:
        words += [f"{value!r} added" for value in two["enum"] if value not in one["enum"]]
        words += [f"{value!r} removed" for value in one["enum"] if value not in two["enum"]]
    elif one != two:
        was, now = _written(one), _written(two)
        words.append(f"{was} → {now}" if was != now else f"another {now}")
    if needed != needs:
        words.append("required now" if needs else "with a default now")
    return ", ".join(words)


def _written(schema: dict) -> str:
    """The name of a schema's type, such as "array of string"."""
    if "anyOf" in schema:
        return " or ".join(map(_written, schema["anyOf"]))
    kind = "enum" if "enum" in schema else schema.get("format", schema.get("type", "anything"))
    return f"array of {_written(schema['items'])}" if "items" in schema else kind


def _reads_field(name: str, writer: dict, reader: dict) -> bool:
    """Whether a reader of an object accepts every value of this field that a writer writes, or its absence."""
    written = writer.get("properties", {}).get(name)
    wanted = reader.get("properties", {}).get(name, reader.get("additionalProperties", {}))
    if isinstance(wanted, bool):
        return wanted
    needed = name in reader.get("required", ()) and name not in writer.get("required", ())
    return not needed and (written is None or _reads(written, wanted))


def _reads(writer: dict, reader: dict) -> bool:
    """Whether a reader's schema accepts each value that a writer's schema allows. False if in doubt."""
    if "anyOf" in writer:
        return all(_reads(option, reader) for option in writer["anyOf"])
    if "anyOf" in reader:
        return any(_reads(writer, option) for option in reader["anyOf"])
    if "enum" in writer and "enum" in reader:
        return all(value in reader["enum"] for value in writer["enum"])
    if "properties" in writer and reader.get("type") == "object":
        names = {**writer["properties"], **reader.get("properties", {})}
        return all(_reads_field(name, writer, reader) for name in names)
    for limit, value in reader.items():
        if limit in _INSIDE and isinstance(value, dict):
            if not isinstance(writer.get(limit), dict) or not _reads(writer[limit], value):
                return False
        elif value != writer.get(limit) and (value, writer.get(limit)) != ("number", "integer"):
            return False
    return True

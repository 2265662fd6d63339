"""An event as a store keeps it: with its place in a stream, and when it happened and was recorded."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from keyword import iskeyword
from typing import Any, NamedTuple

from pydantic_core import ValidationError, from_json

from ..errors import Misuse, choices, listed, shortened, shown
from ..model import Command, Event, Query, message_types
from ..model.messages import Message
from .instants import as_datetime

COLUMNS = "position, stream, version, type, schema, data, happened, recorded, "
COLUMNS += "id, correlation, causation"


class StoredEvent(NamedTuple):
    """A stored fact: `.event` is the message, `.stream` and `.version` its place, `.position` that
    among all streams, `.happened` and `.recorded` its two times (UTC). In a simulation
    `.correlation` and `.causation` are those of the message that was handled.

    It is a row of the table: `schema` is the version of the message class, `text` the data as
    JSON, `happened_at` and `recorded_at` are in µs since 1970."""

    position: int
    stream: str
    version: int
    type: str
    schema: int
    text: str
    happened_at: int
    recorded_at: int
    own_id: str | None
    correlation: str | None
    causation: str | None

    # Neither `event` nor `data` is kept: a long list of facts takes twice the time to fold then.

    @property
    def event(self) -> Event:
        """The message, as its class is declared now. Raises Misuse where no class of its name is
        declared, where the class is of an older version, or where an upcaster is missing."""
        cls, version, read = declared(self.type)
        if cls is None:
            raise Misuse(f"{self._place} is {_undeclared(self.type)}")
        try:
            return read(self.text if self.schema == version else json.dumps(self.data))
        except ValueError as error:
            raise Misuse(f"{self._place}{_unfit(error, self, version)}") from None

    @property
    def data(self) -> dict[str, Any]:
        """The fields as plain data, upcast where the class is known."""
        data = from_json(self.text)
        cls, now, _ = declared(self.type)
        if cls is None or self.schema == now:
            return data
        upcasts = cls.__declared__.upcasts
        what = f"{self._place} is a {self.type} in the form of version {self.schema}"
        if self.schema > now:
            fix = f"declare it as it is now: class {self.type}(Event, version={self.schema})"
            raise Misuse(f"{what}, and the class declared is version {now}; {fix}")
        for version in range(self.schema, now):
            if version not in upcasts:
                fix = f"version={now}, upcasts={{{version}: function_of_its_data}})"
                what += f", and nothing turns version {version} into {version + 1}"
                raise Misuse(f"{what}; declare class {self.type}(Event, {fix}")
            data = upcasts[version](data)
            if not isinstance(data, dict):
                name = getattr(upcasts[version], "__name__", "the upcaster")
                what = f"{name}, which upcasts {self.type} from version {version}"
                raise Misuse(f"{what}, returned no dict; return its new data")
        return data

    @property
    def happened(self) -> datetime:
        """When it happened."""
        return as_datetime(self.happened_at)

    @property
    def recorded(self) -> datetime:
        """When the store learned of it."""
        return as_datetime(self.recorded_at)

    @property
    def late(self) -> bool:
        """Whether it was recorded later than it happened."""
        return self.recorded_at > self.happened_at

    @property
    def id(self) -> str:
        """Its own id, or else `<stream>-<version>`."""
        return self.own_id or f"{self.stream}-{self.version}"

    @property
    def said(self) -> str:
        """The event in a few words, whether its class is known or not."""
        fields = ", ".join(f"{name}={value!r}" for name, value in from_json(self.text).items())
        return shortened(f"{self.type}({fields})")

    @property
    def _place(self) -> str:
        """In an error: "version" is said there of the class, and not of the stream."""
        return f"event {self.version} of {self.stream}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or hasattr(type(self), name):
            return self.__getattribute__(name)  # a property that raised: its error again
        fields, where = from_json(self.text), f"fact.event.{name}"
        if name not in fields:
            where = f"its fields are those of fact.event: {listed(fields)}"
        what = f"a stored event has no {name!r} of its own, but holds your event: {where}"
        raise AttributeError(what, name=name, obj=self)

    def __repr__(self) -> str:
        when = f"{self.happened:%Y-%m-%d %H:%M:%S}"
        when += f", recorded {self.recorded:%Y-%m-%d %H:%M:%S}" if self.late else ""
        return f"<StoredEvent {self.stream} version {self.version}: {self.said}, {when}>"


def _undeclared(type: str) -> str:
    """What to do about an event whose class is not there."""
    name = _as_name(type, "Event")
    theirs = [other for other, (cls, *_) in _classes.items() if not _of_edalab(cls)]
    passed = "a fold passes over events by fact.type, before it asks for fact.event"
    if name != type:
        fix = f"rename it in the table, column.astype(str).replace({type!r}, {name!r})"
        what = f"{shown(type)}, which cannot be the name of a class"
        return f"{what}; {fix}, or read its .data; {passed}"
    what = f"a {type}, and no event of that name is declared; declare class {type}(Event)"
    return f"{what}, or read its .data; {passed}; events declared: {choices(type, theirs)}"


def _of_edalab(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def _as_name(text: str, first: str, between: str = "") -> str:
    """A text as the name of a class, or with something between its words that of a field."""
    if text.isidentifier() and not iskeyword(text) and text[0] != "_":
        return text
    words = re.findall(r"[^\W_]+", text)
    name = between.join(words if between else (word[0].upper() + word[1:] for word in words))
    return name if name.isidentifier() and not iskeyword(name) else first + name


def _unfit(error: ValueError, fact: StoredEvent, version: int) -> str:
    """Why the data of an event is none of its class."""
    found = error.errors() if isinstance(error, ValidationError) else []
    names = [".".join(map(str, one["loc"])) for one in found]
    if found and all(one["type"] == "extra_forbidden" for one in found):
        renamed = {name: _as_name(name, "field_", "_") for name in names}
        renamed = {name: other for name, other in renamed.items() if name != other}
        fields = f"rename those that no field can be: frame = frame.rename(columns={renamed}), and "
        return (
            f" has what class {fact.type} has no field for: {listed(names)}; if these are columns "
            "of a table, read_table takes such as recorded=, id= and version=; else "
            f"{fields * bool(renamed)}make them fields of the class, or leave them out: "
            f"frame = frame.drop(columns={names})"
        )
    said = shortened(str(error).partition("For further")[0], 200)
    empty = "give a field that may be empty a default; "
    return (
        f": {shortened(fact.text)} does not fit class {fact.type} of version {version}: {said}; "
        f"{empty * any(one['type'] == 'missing' for one in found)}where the class has changed "
        "since, give it a new version= and upcasts="
    )


def written(event: Event) -> tuple[str, int, str]:
    """The type of an event, its version, and its data as JSON. Raises Misuse for what is no event,
    and where reading the JSON would give something else."""
    writer = _writer(type(event))
    if writer is None:
        raise Misuse(f"{_no_event(event)}; append events: class MoneyDeposited(Event)")
    name, version, to_json, kept = writer
    try:
        text = to_json(event).decode()
    except ValueError as error:
        raise _lossy(event, shortened(str(error))) from None
    if not kept or "null" in text:  # which NaN becomes
        _check_again(event, text)
    return name, version, text


@lru_cache
def _writer(cls: type) -> tuple[str, int, Callable, bool] | None:
    """What is needed to write events of a class, and whether its fields hold only what JSON gives
    back as it was: to read each event again would take a third of the time of an append."""
    if issubclass(cls, Event):
        plain = _is_plain(cls.__pydantic_core_schema__, "model")
        to_json = cls.__pydantic_serializer__.to_json
        return cls.__name__, cls.__declared__.version, to_json, plain


def _no_event(given: object) -> str:
    for kind in (Command, Query):
        if isinstance(given, kind):
            return f"{shown(given)} is a {kind.__name__.lower()}, and a store keeps what happened"
    return f"{shown(given)} is no event"


def _check_again(event: Event, text: str) -> None:
    fields = type(event).model_fields
    try:
        again = vars(event.__pydantic_validator__.validate_json(text))
        changed = [name for name in fields if again[name] != getattr(event, name)]
    except ValidationError as error:
        again = from_json(text)
        wrong = [one["loc"][:1] for one in error.errors() if one["type"] != "extra_forbidden"]
        changed = [name for place in wrong for name in place if name in fields]
        if not changed:
            what = f"its class does not read its own JSON, {shortened(text)}"
            raise _lossy(event, what) from None
    for name in changed[:1]:
        if name not in again:
            raise _lossy(event, f"JSON leaves out {name}")
        value = shown(getattr(event, name))
        raise _lossy(event, f"JSON makes of {name}={value} {shown(again[name])}")


def _lossy(event: Event, what: str) -> Misuse:
    types = "give its fields types that JSON keeps: numbers, texts, times, lists"
    return Misuse(f"{shown(event)} cannot be stored: {what}; {types}")


def is_text(value: Any) -> bool:
    """Whether a value is a text that is not empty and that SQLite and JSON can keep: without half
    a character."""
    try:
        return isinstance(value, str) and value.encode() != b""
    except UnicodeEncodeError:
        return False


def _is_plain(schema: Any, also: str = "") -> bool:
    if isinstance(schema, list):
        return all(map(_is_plain, schema))
    if not isinstance(schema, dict):
        return True
    kind = schema.get("type", "str")
    plain = not isinstance(kind, str) or kind in (*_PLAIN, also)  # `type` may be a field's name
    return plain and not schema.keys() & _CHANGING and all(map(_is_plain, schema.values()))


# Not "model": where one is a field, one of a class of it can be given, whose own fields would be left out.
_PLAIN = "model-fields model-field default nullable str int float bool none list literal".split()
_CHANGING = {"serialization", "serialization_exclude", "serialization_alias", "validation_alias"}


_classes: dict[str, tuple[type[Event], int, Callable]] = {}
_counted = -1


def declared(name: str) -> tuple[type[Event] | None, int, Callable | None]:
    """The event class of a name as it is declared now, its version, and what reads its JSON. To
    look all this up for each event would take half of the time of a replay."""
    global _counted
    if _counted != Message.__count__:
        _classes.clear()
        for other, cls in message_types().items():
            if issubclass(cls, Event):
                read = cls.__pydantic_validator__.validate_json
                _classes[other] = cls, cls.__declared__.version, read
        _counted = Message.__count__
    return _classes.get(name, _NONE)


_NONE = None, 0, None

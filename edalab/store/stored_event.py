"""A stored event, with its place in a stream, and when it happened and was recorded."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, get_args

from pydantic_core import ValidationError, from_json

from ..errors import Misuse, choices, listed, shortened, shown
from ..model import Event, class_of, message_types
from ..model.messages import Message
from ..model.versions import NotUpcast, upcast, upcasters_missing
from .instants import as_datetime

COLUMNS = "position, stream, version, type, schema, data, happened, recorded, "
COLUMNS += "id, correlation, causation"


class StoredEvent(NamedTuple):
    """A stored fact: `.event` is the message, `.stream` and `.version` its place, `.position` its
    place among all streams, `.happened` and `.recorded` its two times (UTC). In a simulation,
    `.causation` is the id of the message that was handled, `.correlation` its correlation id.

    It is a row of the table: `schema` is the version of the message class, `text` the data as JSON;
    `happened_at` and `recorded_at` are in µs since 1970."""

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

    # `event` and `data` are not cached: to fold a long list of facts would take twice the time.

    @property
    def event(self) -> Event:
        """The message, as its class is declared now, or, if an upcaster is missing, as the class of
        the stored version. Raises Misuse if no class of its name is declared, if the class has an
        older version, or if both an upcaster and the older class are missing."""
        declared = declaration(self.type)
        if declared is None:
            raise Misuse(f"{self._place} is {_undeclared(self.type)}")
        cls, version, read = declared
        try:
            older = self.schema < version and upcasters_missing(cls, self.schema)
            if older and (written := _written(Message.__count__, self.type, self.schema)):
                return written.__pydantic_validator__.validate_json(self.text)
            return read(self.text if self.schema == version else json.dumps(self.data))
        except ValueError as error:
            raise Misuse(f"{self._place}{_unfit(error, self, version)}") from None

    @property
    def data(self) -> dict[str, Any]:
        """The fields as plain data, upcast if the class is declared."""
        data = from_json(self.text)
        declared = declaration(self.type)
        if declared is None or self.schema == declared[1]:
            return data
        cls, now, _ = declared
        what = f"{self._place} is a {self.type} in the form of version {self.schema}"
        if self.schema > now:
            fix = f"declare it as it is now: class {self.type}(Event, version={self.schema})"
            raise Misuse(f"{what}, and the class declared is version {now}; {fix}")
        try:
            return upcast(cls, data, self.schema)
        except NotUpcast as missing:
            fix = f"version={now}, upcasts={{{missing.version}: a function that returns its new data}})"
            raise Misuse(f"{what}, and {missing}; declare class {self.type}(Event, {fix}") from None

    @property
    def happened(self) -> datetime:
        """When the event happened."""
        return as_datetime(self.happened_at)

    @property
    def recorded(self) -> datetime:
        """When the store learned of the event."""
        return as_datetime(self.recorded_at)

    @property
    def late(self) -> bool:
        """Whether the event was recorded after it happened."""
        return self.recorded_at > self.happened_at

    @property
    def id(self) -> str:
        """The event's own id, or `<stream>-<version>` if it has none."""
        return self.own_id or f"{self.stream}-{self.version}"

    @property
    def summary(self) -> str:
        """The type and the fields on one line, whether the class is declared or not."""
        fields = ", ".join(f"{name}={value!r}" for name, value in from_json(self.text).items())
        return shortened(f"{self.type}({fields})")

    @property
    def _place(self) -> str:
        """The event's place as error messages put it, where "version" is that of the class."""
        return f"event {self.version} of {self.stream}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or hasattr(type(self), name):
            return self.__getattribute__(name)  # a property raised: raise its error again
        fields, where = from_json(self.text), f"fact.event.{name}"
        if name not in fields:
            where = f"its fields are those of fact.event: {listed(fields)}"
        what = f"a stored event has no {name!r} of its own, but holds your event: {where}"
        raise AttributeError(what, name=name, obj=self)

    def __repr__(self) -> str:
        when = f"{self.happened:%Y-%m-%d %H:%M:%S}"
        when += f", recorded {self.recorded:%Y-%m-%d %H:%M:%S}" if self.late else ""
        return f"<StoredEvent {self.stream} version {self.version}: {self.summary}, {when}>"


def _undeclared(type: str) -> str:
    """An error message about an event whose class is not declared, with what to do."""
    hint = "or read its .data; a fold passes over events by fact.type, before it asks for "
    hint += "fact.event"
    if not type.isidentifier():
        what = f"{shown(type)}, which cannot be the name of a class; rename it in the table"
        return f"{what}, {hint}"
    classes = {name: cls for name, (cls, *_) in _declarations(Message.__count__).items()}
    theirs = [name for name in classes if not classes[name].__module__.startswith("edalab.")]
    what = f"a {type}, and no event of that name is declared; declare class {type}(Event)"
    return f"{what}, {hint}; events declared: {choices(type, theirs)}"


def _unfit(error: ValueError, fact: StoredEvent, version: int) -> str:
    """Why the data of an event does not fit its class, and what to do."""
    errors = error.errors() if isinstance(error, ValidationError) else []
    if errors and all(one["type"] == "extra_forbidden" for one in errors):
        names = [".".join(map(str, one["loc"])) for one in errors]
        return (
            f" has data that class {fact.type} has no field for: {listed(names)}; if these are columns "
            "of a table, name them in read_table as recorded=, id= or version=; else make them "
            f"fields of the class, or leave them out: frame = frame.drop(columns={names})"
        )
    reason = shortened(str(error).partition("For further")[0], 200)
    return (
        f": {shortened(fact.text)} does not fit class {fact.type} of version {version}: {reason}; "
        "give a field that may be empty a default; if the class has changed since, give it a "
        "new version= and upcasts="
    )


def to_row(event: Event) -> tuple[str, int, str]:
    """The type of an event, its version, and its data as JSON. Raises Misuse if it is not an event,
    or if reading the JSON would give something else."""
    writer = _writer(type(event))
    if writer is None:
        what = f"{shown(event)} is not an event, and a store keeps only events"
        raise Misuse(f"{what}; append events: class MoneyDeposited(Event)")
    name, version, to_json, read_again = writer
    try:
        text = to_json(event).decode()
        if read_again or "null" in text:  # NaN becomes null
            again = event.__pydantic_validator__.validate_json(text)
            if again != event:
                raise ValueError(f"read again from JSON it is {shown(again)}")
    except ValueError as error:
        types = "give its fields types that JSON keeps: numbers, texts, times, lists"
        what = f"{shown(event)} cannot be stored: {shortened(str(error), 150)}"
        raise Misuse(f"{what}; {types}") from None
    return name, version, text


@lru_cache
def _writer(cls: type[Event]) -> tuple[str, int, Callable[[Event], bytes], bool] | None:
    """The name and version of an event class, its JSON serializer, and whether JSON may lose
    information. Only then is each event read again, in a third of the time of an append."""
    if not issubclass(cls, Event):
        return None
    kinds = {str, int, float, bool, type(None)}
    exact = cls.__plain__ and all(
        field.alias is None and {*(get_args(field.annotation) or [field.annotation])} <= kinds
        for field in cls.model_fields.values()
    )
    to_json = cls.__pydantic_serializer__.to_json
    return cls.__wire__, cls.__declared__.version, to_json, not exact


def is_text(value: object) -> bool:
    """Whether a value is a text that is not empty and that SQLite and JSON can store: one without
    lone surrogates."""
    try:
        return isinstance(value, str) and value.encode() != b""
    except UnicodeEncodeError:
        return False


def declaration(name: str) -> "tuple[type[Event], int, Callable[[str], Event]] | None":
    """The event class of a name as declared now, its version, and a function to read its JSON."""
    return _declarations(Message.__count__).get(name)


@lru_cache(maxsize=16)
def _written(count: int, name: str, version: int) -> type[Message] | None:
    """The class of a stored version, at a `count` of the declared classes."""
    return class_of(name, version)


@lru_cache(maxsize=1)  # looking this up for each event would take half of a replay's time
def _declarations(count: int) -> dict[str, tuple[type[Event], int, Callable[[str], Event]]]:
    """The event classes by name, at a `count` of the declared classes."""
    return {
        name: (cls, cls.__declared__.version, cls.__pydantic_validator__.validate_json)
        for name, cls in message_types().items()
        if issubclass(cls, Event)
    }

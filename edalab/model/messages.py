"""Message classes: typed, immutable events, commands and queries, matched by the name of their type."""

import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import to_json

from ..errors import InvalidMessage, Misuse, Unknown, choices, shortened, shown
from .numbers import check_whole
from .wire import HALF_CHARACTER, of_the_wire

_CHANNEL = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
READS = ("tolerant", "strict")
_TAKEN = {
    ".dlq": "dead letters",
    ".retry": "messages sent back from there",
    ".commands": "the commands of a service",
}


def channel_name(kind: str, name: Any) -> str:
    """The name, if a topic or queue may have it. Raises Misuse otherwise."""
    if not isinstance(name, str) or not _CHANNEL.fullmatch(name):
        what = "words of a-z, 0-9, - and _ with dots between them, beginning with a letter"
        raise Misuse(f"{kind} takes {what}, such as 'orders' or 'shop.orders', not {shown(name)}")
    for ending, what in _TAKEN.items():
        if name.endswith(ending):
            other = name.removesuffix(ending)
            raise Misuse(f"{kind} {name!r} ends in {ending}, where {what} go; write {other!r}")
    return name


@dataclass(frozen=True, slots=True)
class Declared:
    """The class keywords of a message."""

    topic: str | None = None
    key: str | None = None
    version: int = 1
    compensates: str | None = None
    refuses: str | None = None
    final: bool = False
    settles: bool = False
    upcasts: dict[int, Callable[[dict], dict]] = field(default_factory=dict, hash=False)
    name: str | None = None
    reads: str = "tolerant"

    @property
    def has_saga_role(self) -> bool:
        return any((self.compensates, self.refuses, self.final, self.settles))


def _check_wire(what: str, declared: Declared) -> None:
    """Raise Misuse for an invalid `name=`, and Unknown for an invalid `reads=`."""
    if (name := declared.name) is not None and not (isinstance(name, str) and name.isidentifier()):
        raise Misuse(f"{what} name= takes one word such as 'OrderPlaced', not {shown(name)}")
    if declared.reads not in READS:
        raise Unknown("reading", declared.reads, READS)


def _upcasts(what: str, declared: Declared) -> dict:
    """A copy of a class's upcasters. Raises Misuse if `upcasts=` is invalid."""
    upcasts, last = declared.upcasts or {}, declared.version - 1
    known = range(1, last + 1)
    if isinstance(upcasts, dict) and all(v in known and callable(f) for v, f in upcasts.items()):
        return dict(upcasts)
    older = f" (1 to {last})" if last else ""
    takes = f"upcasts= takes a dict from an older version{older} to a function of its data"
    first = "" if last else "; version=1 has no older version"
    raise Misuse(f"{what} {takes}, not {shown(upcasts)}{first}")


class Message(BaseModel):
    """The base class of messages. Declare an `Event`, a `Command` or a `Query`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_bytes="base64",
        val_json_bytes="base64",
        allow_inf_nan=False,
        str_min_length=0,  # any length, but pydantic then checks each text for half a character
    )
    __declared__: ClassVar[Declared] = Declared()
    __wire__: ClassVar[str] = "Message"  # the name on the wire: `name=`, or that of the class
    # Grows with each declared class, so that a cache by name can see that it is stale.
    __count__: ClassVar[int] = 0
    __number__: ClassVar[int] = 0  # the count when this class was declared
    __instead__: ClassVar[str] = "ask a new question"  # of changing one
    # JSON encodes each value of its fields as it is, and none can change, so readers share one object.
    __plain__: ClassVar[bool] = True

    def __init__(self, /, *values: Any, **data: Any) -> None:
        if values:
            name, fields = type(self).__name__, type(self).model_fields
            names = ", ".join(f"{field}=..." for field in fields)
            raise Misuse(f"{name} takes its fields by name: {name}({names})")
        try:
            self.__pydantic_validator__.validate_python(data, self_instance=self)
        except ValidationError as error:
            raise _invalid(type(self), error) from error

    # Pydantic may construct a message without calling this `__init__`.
    __init__.__pydantic_base_init__ = True  # pyrefly: ignore[missing-attribute]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        cls.__plain__, schema = of_the_wire(handler(source), handler.resolve_ref_schema)
        return schema

    # The keywords are handled below, once pydantic knows the fields.
    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        what = f"class {cls.__name__}:"
        if unknown := [word for word in keywords if word not in Declared.__dataclass_fields__]:
            known = ", ".join(Declared.__dataclass_fields__)
            raise Misuse(f"{what} no keyword {', '.join(map(repr, unknown))}; keywords: {known}")
        declared = Declared(**keywords)
        if declared.topic is not None:
            channel_name(f"{what} topic=", declared.topic)
        _check_wire(what, declared)
        key, fields = declared.key, cls.model_fields
        if key is not None and (not isinstance(key, str) or key not in fields):
            here = ", ".join(fields) or "none"
            raise Misuse(f"{what} key={shown(key)} is not a field; fields: {here}")
        check_whole(f"{what} version=", declared.version)
        for name, info in fields.items():
            if _has_set(info.annotation):
                why = "is a set, whose order differs from run to run; use a list or a tuple"
                raise Misuse(f"{what} the field {name} {why}")
        for word in ("compensates", "refuses"):
            other = keywords.get(word)
            if other is None:
                continue
            if not (isinstance(other, type) and issubclass(other, Message)):
                takes = f"{word}= takes a message class, not {shown(other)}"
                raise Misuse(f"{what} {takes}; declare that first and name it without quotes")
            keywords[word] = other.__wire__
        keywords["upcasts"] = _upcasts(what, declared)
        cls.__declared__ = Declared(**keywords)
        cls.__wire__ = declared.name or cls.__name__
        cls.__number__ = Message.__count__ = Message.__count__ + 1

    @classmethod
    def model_validate(cls, *data: Any, **options: Any) -> Self:
        try:
            return super().model_validate(*data, **options)
        except ValidationError as error:
            raise _invalid(cls, error) from error

    @classmethod
    def model_validate_json(cls, *data: Any, **options: Any) -> Self:
        try:
            return super().model_validate_json(*data, **options)
        except ValidationError as error:
            raise _invalid(cls, error) from error

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy of the message with the fields of `update`. Their values are checked as in a new message."""
        copy = super().model_copy(deep=deep)
        return type(self)(**{**dict(copy), **update}) if update else copy

    # The class is frozen already. Unlike pydantic's error, this one says what to do instead.
    def __setattr__(self, name: str, value: Any) -> None:  # pyrefly: ignore[bad-class-definition]
        raise Misuse(f"{type(self).__name__}.{name} cannot be changed; {self.__instead__}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            return super().__getattr__(name)  # pyrefly: ignore[missing-attribute]
        fields = choices(name, type(self).model_fields)
        raise AttributeError(f"{type(self).__name__} has no {name!r}; fields: {fields}")

    def __delattr__(self, name: str) -> None:  # pyrefly: ignore[bad-class-definition]
        setattr(self, name, None)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__repr_args__())
        return f"{type(self).__name__}({fields})"

    __str__ = __repr__


class Event(Message):
    """A fact, named in the past tense. Declare a class of your own with typed fields. Its instances are immutable.

        class OrderPlaced(Event, topic="orders", key="order_id"):
            order_id: str

    `topic` is where it is published (default: its name), and `key` the field that orders and partitions it. For sagas,
    `compensates` and `refuses` name another message class, `final=True` marks a step that cannot be undone, and
    `settles=True` a message that ends the saga.

    `version` numbers the forms of a message, and `upcasts` maps an older version to a function that turns its data into
    the next version's. They apply in an event store, and if handler and publisher have different versions. Such classes
    share one `name` on the wire. A handler ignores fields unknown to its class; with `reads="strict"` they are errors.

        class OrderPlacedV1(Event, name="OrderPlaced", version=1, topic="orders"):
            total: float

        class OrderPlaced(Event, version=2, topic="orders", upcasts={1: to_cents}):
            cents: int"""

    __instead__: ClassVar[str] = "events are facts: publish a new one"


class Command(Message):
    """A request to one service, named in the imperative. The service may refuse it with `Refused`. See `Event`."""

    __instead__: ClassVar[str] = "commands are sent as they are: send a new one"


class Query(Message):
    """A question to one service, which changes nothing. See `Event`."""


def _invalid(cls: type[Message], error: ValidationError) -> InvalidMessage:
    """The error for invalid data of a message, in one sentence."""
    unknown, missing, wrong = [], [], {}
    for one in error.errors(include_url=False, include_context=False):
        path, kind = [cls.__name__, *map(str, one["loc"])], one["type"]
        if kind in ("extra_forbidden", "missing"):
            (missing if kind == "missing" else unknown).append((".".join(path[:-1]), path[-1]))
        else:  # several errors about one value belong to the types of a union
            wrong.setdefault((*path[:2], id(one["input"])), []).append((path, one))
    said = [f"{where} has no field {name!r}" for where, name in unknown]
    if unknown and unknown[0][0] == cls.__name__:
        said[0] += f"; fields: {choices(unknown[0][1], cls.model_fields)}"
    said += [
        f"{where} needs {name}"
        for where, name in missing
        if not any(f"Did you mean {name!r}?" in text for text in said)
    ]
    for errors in wrong.values():
        path, one = errors[0]
        words = " or ".join(dict.fromkeys(_words(other) for _, other in errors))
        words = words.replace(" or should be ", " or ")
        where = ".".join(path[:2] if len(errors) > 1 else path)
        if path[-1] == "[key]":
            where = f"a key of {'.'.join(path[:-2])}"
        value = f", not {shown(one['input'])}"
        if words.startswith("should "):
            said.append(f"{where} {words}{value}")
        elif words == HALF_CHARACTER:
            said.append(f"{where} {words}")
        else:
            said.append(words if words.startswith(where) else f"{where}: {words}")
    return InvalidMessage(shortened("; ".join(said), 400))


def _words(error: Any) -> str:
    """The text of a pydantic error about a value, to be put after the name of its field."""
    if isinstance(error["input"], str) and not error["input"].isprintable():
        try:
            error["input"].encode()
        except UnicodeEncodeError:
            return HALF_CHARACTER
    message = re.sub("^(Value error|Assertion failed), |, (unable|input) .*", "", error["msg"])
    return re.sub(r"^[A-Z][\w ]*? (?=should )", "", message)


def wire_copy(message: Message) -> Message:
    """The message as another process would receive it: a deep copy, unless no field can be changed in place."""
    return message if message.__plain__ else message.model_copy(deep=True)


def key_of(message: Message, field: str | None) -> str | None:
    """The value of a message's key field in JSON, as text; None if it has no key field, or if the value is null."""
    if field is None or (value := getattr(message, field)) is None:
        return None
    if type(value) in (str, int) and message.__plain__:
        return str(value)
    data: Any = message.model_dump(mode="json", include={field})
    value = data.get(field) if isinstance(data, dict) else data  # of a class with a serializer
    return value if value is None or isinstance(value, str) else to_json(value).decode()


def fields_of(cls: type[Message]) -> dict[str, str]:
    """The fields of a message class, with their types as written."""
    return {name: _written(info.annotation) for name, info in cls.model_fields.items()}


def _written(annotation: Any) -> str:
    plain = isinstance(annotation, type) and not typing.get_args(annotation)
    return annotation.__name__ if plain else str(annotation)


def fits(known: type[Message], cls: type[Message]) -> bool:
    """Whether `cls` can replace `known`: it has all fields of `known`, and defaults for its other fields."""
    was, now = fields_of(known), fields_of(cls)
    more = [name for name in now if name not in was]
    return was.items() <= now.items() and not any(cls.model_fields[n].is_required() for n in more)


def _has_set(annotation: Any) -> bool:
    is_set = (typing.get_origin(annotation) or annotation) in (set, frozenset)
    return is_set or any(map(_has_set, typing.get_args(annotation)))

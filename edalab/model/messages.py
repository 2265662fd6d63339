"""Messages are facts, requests and questions: typed, immutable, and matched by the name of their type."""

import types
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from ..errors import Misuse, shown

_SCALARS = (
    str,
    int,
    float,
    bool,
    bytes,
    type(None),
    Decimal,
    date,
    datetime,
    time,
    timedelta,
    UUID,
)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the class keywords of a message say."""

    topic: str | None = None
    key: str | None = None
    version: int = 1
    compensates: str | None = None
    refuses: str | None = None
    final: bool = False
    settles: bool = False
    upcasts: dict[int, Callable[[dict], dict]] = field(default_factory=dict, hash=False)


class Message(BaseModel):
    """What services say to each other. Declare an `Event`, a `Command` or a `Query`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64"
    )
    __declared__: ClassVar[Declared] = Declared()
    __count__: ClassVar[int] = (
        0  # classes declared so far: whoever looks them up by name knows when to look again
    )
    __number__: ClassVar[int] = 0  # of this class among them
    __shared__: ClassVar[bool] = (
        True  # no field can be changed in place, so one object may serve every reader
    )

    def __init__(self, /, *values: Any, **data: Any) -> None:
        if values:
            names = ", ".join(f"{name}=..." for name in type(self).model_fields)
            raise Misuse(
                f"{type(self).__name__} takes its fields by name: {type(self).__name__}({names})"
            )
        self.__pydantic_validator__.validate_python(data, self_instance=self)

    __init__.__pydantic_base_init__ = True  # pydantic may construct without calling it

    def __init_subclass__(
        cls, **keywords: Any
    ) -> None:  # read below, once pydantic knows the fields
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        topic=None,
        key=None,
        version=1,
        compensates=None,
        refuses=None,
        final=False,
        settles=False,
        upcasts=None,
        **unknown,
    ) -> None:
        name = cls.__name__
        if unknown:
            known = ", ".join(Declared.__dataclass_fields__)
            raise Misuse(
                f"class {name}: no keyword {', '.join(map(repr, unknown))}; keywords: {known}"
            )
        if topic is not None and (not isinstance(topic, str) or not topic):
            raise Misuse(
                f"class {name}: topic= takes the name of a topic or queue, not {shown(topic)}; write topic='orders'"
            )
        if key is not None and (not isinstance(key, str) or key not in cls.model_fields):
            raise Misuse(
                f"class {name}: key={shown(key)} is no field; fields: {', '.join(cls.model_fields) or 'none'}"
            )
        if not isinstance(version, int) or version < 1:
            raise Misuse(
                f"class {name}: version= takes a whole number from 1, not {shown(version)}"
            )
        for name_of_field, info in cls.model_fields.items():
            if _has_set(info.annotation):
                what = f"the field {name_of_field} is a set, whose order differs from run to run; use a list or a tuple"
                raise Misuse(f"class {name}: {what}")
        for word, other in (("compensates", compensates), ("refuses", refuses)):
            if other is not None and not (isinstance(other, type) and issubclass(other, Message)):
                what = f"{word}= takes a message class, not {shown(other)}; declare that first and name it without quotes"
                raise Misuse(f"class {name}: {what}")
        upcasts = {} if upcasts is None else upcasts
        if not isinstance(upcasts, dict) or not all(
            old in range(1, version) and callable(f) for old, f in upcasts.items()
        ):
            older = (
                f"an older version (1 to {version - 1})"
                if version > 1
                else "an older version, and version=1 has none before it"
            )
            what = f"upcasts= takes a dict from {older} to a function of its data, not {shown(upcasts)}"
            raise Misuse(f"class {name}: {what}")
        names = (other.__name__ if other else None for other in (compensates, refuses))
        cls.__declared__ = Declared(
            topic, key, version, *names, bool(final), bool(settles), dict(upcasts)
        )
        cls.__shared__ = all(_unchanging(info.annotation) for info in cls.model_fields.values())
        cls.__number__ = Message.__count__ = Message.__count__ + 1

    def __setattr__(self, name: str, value: Any) -> None:
        kind = next(kind for kind in (Event, Command, Query, Message) if isinstance(self, kind))
        what = {
            Event: "events are facts: publish a new one",
            Command: "commands are sent as they are: send a new one",
        }
        raise Misuse(
            f"{type(self).__name__}.{name} cannot be changed; {what.get(kind, 'ask a new question')}"
        )

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_"):
                raise
            fields = ", ".join(type(self).model_fields) or "none"
            raise AttributeError(
                f"{type(self).__name__} has no {name!r}; fields: {fields}"
            ) from None

    def __delattr__(self, name: str) -> None:
        setattr(self, name, None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__repr_str__(', ')})"

    __str__ = __repr__


class Event(Message):
    """A fact, named in the past tense. `topic=` names where it is published, `key=` the field that orders it."""


class Command(Message):
    """A request to one service, named in the imperative. It may be refused."""


class Query(Message):
    """A question to one service. It changes nothing."""


def on_the_wire(message: Message) -> Message:
    """The message as another process would see it: a copy of its own, where a field could be changed in place."""
    return message if message.__shared__ else message.model_copy(deep=True)


@contextmanager
def declared_in(module: str) -> Iterator[None]:
    """Within, of message classes with one name the one of this module is meant, or of one whose name begins with it."""
    global _meant
    before, _meant = _meant, module
    Message.__count__ += 1
    try:
        yield
    finally:
        _meant = before
        Message.__count__ += 1


_meant = ""
_PACKAGE = __name__.partition(".")[0]


def message_types() -> dict[str, type[Message]]:
    """Every message class there is, by name; of two with one name, the one declared last. What exercises declare comes
    before the learner's own while they are checked, and after it otherwise."""
    found: dict[str, type[Message]] = {}
    ahead = [Event, Command, Query]
    while ahead:
        for cls in ahead.pop(0).__subclasses__():
            ahead.append(cls)
            if cls.__name__ not in found or _precedence(found[cls.__name__]) < _precedence(cls):
                found[cls.__name__] = cls
    return found


class SagaRole(NamedTuple):
    """What a message class says of sagas; the first two are names of types."""

    compensates: str | None
    refuses: str | None
    final: bool
    settles: bool


def saga_roles() -> dict[str, SagaRole]:
    """The message classes that say something of sagas, by name, as they are declared now."""
    declared = {name: cls.__declared__ for name, cls in message_types().items()}
    roles = {
        name: SagaRole(d.compensates, d.refuses, d.final, d.settles) for name, d in declared.items()
    }
    return {name: role for name, role in roles.items() if any(role)}


def _precedence(cls: type[Message]) -> tuple[bool, bool, int]:
    return (
        cls.__module__.startswith(_meant or " "),
        cls.__module__.partition(".")[0] != _PACKAGE,
        cls.__number__,
    )


def _has_set(annotation: Any) -> bool:
    return (typing.get_origin(annotation) or annotation) in (set, frozenset) or any(
        map(_has_set, typing.get_args(annotation))
    )


def _unchanging(annotation: Any) -> bool:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return all(map(_unchanging, arguments))
    if origin in (tuple, frozenset):
        return all(_unchanging(a) for a in arguments if a is not Ellipsis)
    if origin is typing.Literal:
        return True
    if origin is typing.Annotated:
        return _unchanging(arguments[0])
    if not isinstance(annotation, type):
        return False
    return issubclass(annotation, (*_SCALARS, Enum)) or (
        issubclass(annotation, Message) and annotation.__shared__
    )

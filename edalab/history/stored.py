"""An event as a store keeps it: a fact with its place in a stream and two times, when it happened and when it was recorded."""

import json
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from ..errors import Misuse, listed, shortened
from ..model import Event, message_types
from ..model.messages import Message
from .moments import as_datetime

COLUMNS = "position, stream, version, type, schema, data, happened, recorded, id, correlation, causation"


class Row(NamedTuple):
    """A row of the table `events`. `schema` is the version of the message class, `data` JSON, times are in µs since 1970."""

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


class StoredEvent(Row):
    """A stored fact: `.event` is the message, `.stream` and `.version` its place, `.position` that among all streams,
    `.happened` and `.recorded` its two times (UTC); in a simulation `.correlation` and `.causation` say what caused it."""

    @cached_property
    def event(self) -> Event:
        """The message, as its class is declared now. Raises Misuse where no class of its name is declared, where the
        class is of an older version, or where an upcaster is missing."""
        cls = _class_of(self.type)
        if cls is None:
            known = [name for name, other in message_types().items() if issubclass(other, Event)]
            raise Misuse(
                f"{self._place} is a {self.type}, and no class of that name is declared; declare class {_identifier(self.type)}(Event), "
                f"or read its .data; events declared: {listed(known)}"
            )
        try:
            if self.schema == cls.__declared__.version:
                return cls.__pydantic_validator__.validate_json(self.text)
            return cls.__pydantic_validator__.validate_json(json.dumps(self.data))
        except ValueError as error:
            raise Misuse(
                f"{self._place}: {shortened(self.text)} does not fit class {self.type} of version {cls.__declared__.version}: "
                f"{shortened(str(error).partition('For further')[0], 200)}; where the class has changed since, give it a new version= "
                "and upcasts="
            ) from None

    @cached_property
    def data(self) -> dict[str, Any]:
        """The fields as plain data, upcast where the class is known."""
        data, cls = json.loads(self.text), _class_of(self.type)
        if cls is None or self.schema == cls.__declared__.version:
            return data
        now, upcasts = cls.__declared__.version, cls.__declared__.upcasts
        if self.schema > now:
            raise Misuse(f"{self._place} is a {self.type} of version {self.schema}, and the class declared is of version {now}")
        for version in range(self.schema, now):
            if version not in upcasts:
                raise Misuse(
                    f"{self._place} is a {self.type} of version {self.schema}, and nothing turns version {version} into "
                    f"{version + 1}; declare class {self.type}(Event, version={now}, upcasts={{{version}: function_of_its_data}})"
                )
            data = upcasts[version](dict(data))
            if not isinstance(data, dict):
                name = getattr(upcasts[version], "__name__", "the upcaster")
                raise Misuse(f"{name}, which upcasts {self.type} from version {version}, returned no dict; return its new data")
        return data

    @property
    def happened(self) -> datetime:
        """When it happened."""
        return as_datetime(self.happened_at)

    @property
    def recorded(self) -> datetime:
        """When the store was told."""
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
        fields = ", ".join(f"{name}={value!r}" for name, value in json.loads(self.text).items())
        return shortened(f"{self.type}({fields})")

    @property
    def _place(self) -> str:
        return f"{self.stream} version {self.version}"

    def __repr__(self) -> str:
        when = f"{self.happened:%Y-%m-%d %H:%M:%S}" + (f", recorded {self.recorded:%Y-%m-%d %H:%M:%S}" if self.late else "")
        return f"<StoredEvent {self._place}: {self.said}, {when}>"


_classes: dict[str, type[Message]] = {}
_as_of_count = -1


def _class_of(name: str) -> type[Message] | None:
    """The message class of a name, as declared now. To walk through all classes for each event takes too long."""
    global _classes, _as_of_count
    if _as_of_count != Message.__count__:
        _classes, _as_of_count = message_types(), Message.__count__
    return _classes.get(name)


def _identifier(name: str) -> str:
    return name if name.isidentifier() else "…"

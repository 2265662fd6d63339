"""Envelopes: messages with the CloudEvents attributes that the broker reads."""

import json
import re
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic_core import from_json, to_json

from ..errors import InvalidMessage
from .messages import Message, wire_copy
from .registry import class_of, message_types
from .versions import upcast

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # virtual 0 s
# Control characters and noncharacters, which a CloudEvents attribute must not contain.
_LAST = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_DISALLOWED = re.compile(f"[\0-\x1f\x7f-\x9f\ufdd0-\ufdef{_LAST}]")


@dataclass(slots=True, repr=False, eq=False)
class Envelope:
    """A message with the CloudEvents attributes that the broker reads."""

    id: str
    type: str
    data: Any  # a Message of any class; None for a tick
    source: str  # the service that published it
    subject: str | None  # its key
    topic: Any  # the name of its topic or queue; None for a tick
    time: int  # ms
    correlation: Any  # the id of the message that began its chain; None for a tick
    causation: str | None
    depth: int  # the number of messages in its chain of causes
    redrives = 0  # of one that was never sent back

    def copied(self, attempt: int | None = None, read: Message | None = None) -> "Delivery":
        """A copy for a handler, with the number of the attempt and the data as the handler's class read them.
        Changes to its data affect no other reader."""
        data = self.data if read is None else read
        data = data if data is None else wire_copy(data)
        return Delivery(
            self.id, self.type, data, self.source, self.subject, self.topic, self.time,
            self.correlation, self.causation, self.depth, attempt, self.redrives,
        )  # fmt: skip

    def cloudevent(self, system: str) -> dict[str, Any]:
        """The message as a CloudEvents 1.0 structured JSON event."""
        attributes = {
            "specversion": "1.0",
            "id": self.id,
            "source": f"/{system}/{self.source}",
            "type": _attribute(self.type),
            "subject": _attribute(self.subject),
            "time": timestamp(self.time),
            "datacontenttype": "application/json",
            "dataschema": f"urn:edalab:{system}:{quote(self.type, '')}:{self.data.__declared__.version}",
            "partitionkey": _attribute(self.subject),
            "correlationid": self.correlation,
            "causationid": self.causation,
            "data": json.loads(self.data.model_dump_json()),
        }
        return {name: value for name, value in attributes.items() if value is not None}

    def stored(self) -> str:
        """This envelope as text for a column of an outbox. `ctx.publish` takes the text and publishes the envelope."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        version = self.data.__declared__.version
        fields |= {"version": version} if version > 1 else {}
        return json.dumps({**fields, "data": self.data.model_dump(mode="json")})

    @classmethod
    def from_stored(cls, text: str, types: dict[tuple, type[Message]]) -> "Envelope":
        """The envelope in a text of `stored`. Its data get the class of their version, from `types` (by name and
        version) or the declared classes, or else the current class, which upcasts them. Raises InvalidMessage if the
        class cannot read the data, another ValueError for any other text, and KeyError for an unknown type."""
        stored: Any = from_json(text, allow_inf_nan=False)
        if not isinstance(stored, dict) or {*stored, "version"} != _STORED:
            raise ValueError("not a stored envelope")
        name, version, data = stored["type"], stored.pop("version", 1), stored["data"]
        of_version = types.get((name, version)) or class_of(name, version)
        if of_version is None:
            of_version = message_types()[name]
            try:
                data = upcast(of_version, data, version, optional=True)
            except Exception as error:  # of the learner's upcasters, too
                raise InvalidMessage(f"{type(error).__name__}: {error}") from error
        stored["data"] = of_version.model_validate_json(to_json(data))
        return cls(**stored)

    @classmethod
    def is_stored(cls, text: str) -> bool:
        """Whether a text has the form that `stored` writes."""
        try:
            return text.startswith('{"id": ') and {*json.loads(text), "version"} == _STORED
        except ValueError:
            return False

    def __conform__(self, protocol: object) -> str:  # what sqlite3 calls to store an object
        return self.stored()

    def __repr__(self) -> str:
        return f"<Envelope {self.id}: {self.data if self.data is not None else self.type}>"


_FIELDS = [field.name for field in fields(Envelope)]
_STORED = {*_FIELDS, "version"}


@dataclass(slots=True, repr=False, eq=False)
class Delivery(Envelope):
    """An envelope that is handed to a handler, or was sent back from the dead letters."""

    attempt: int | None = None  # set while it is handled
    redrives: int = 0  # how often it was sent back


@dataclass(slots=True, repr=False, eq=False)
class DeadLetter(Delivery):
    """A message that the service `source` gave up. Its handler sees the id, data and other attributes of that message.

    `reason` is the error's text, `attempts` the number of attempts, and `came_from` the message's topic or queue."""

    reason: str = ""
    attempts: int = 0
    came_from: str = ""
    died: Any = None  # the Envelope that was given up
    number: int = 0  # of the step that gave it up
    redriven: bool = False
    state: str = "waiting"  # later "redriven" or "handled"

    def copied(self, attempt: int | None = None, read: Message | None = None) -> Delivery:
        seen = self.died.copied(attempt, read)
        return replace(self, **{one.name: getattr(seen, one.name) for one in fields(Delivery)})


def _attribute(text: str | None) -> str | None:
    """A text as a CloudEvents attribute, with disallowed characters percent-encoded; None for an empty text."""
    return _DISALLOWED.sub(lambda found: quote(found[0]), text) if text else None


def timestamp(milliseconds: int) -> str:
    """A virtual time in RFC 3339 format, as CloudEvents requires."""
    time = EPOCH + timedelta(milliseconds=milliseconds)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")

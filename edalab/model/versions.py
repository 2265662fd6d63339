"""Reading a message with another class than its writer's: the data are converted to JSON and upcast."""

from contextlib import suppress
from functools import lru_cache, reduce
from operator import getitem
from typing import Any

from pydantic_core import from_json, to_json

from ..errors import InvalidMessage
from .messages import Message, fields_of, fits


class NotUpcast(ValueError):
    """The error for data of a `version` that no upcaster turns into the next version."""

    def __init__(self, version: int):
        super().__init__(f"nothing turns version {version} into {version + 1}")
        self.version = version


@lru_cache(maxsize=1_000)  # asked for each message that a run handles
def differ(writer: type[Message], reader: type[Message]) -> bool:
    """Whether two classes with the same name on the wire are different forms of it. Classes with the same Python
    name and version count as one class that a cell declared again."""
    return _form(writer) != _form(reader)


def _form(cls: type[Message]) -> tuple[str, int]:
    return cls.__name__, cls.__declared__.version


def clash(written: type[Message], known: type[Message], who: str) -> str:
    """What is wrong if `who` knows a class and gets `written`, another one of its version; "" if nothing is."""
    version = written.__declared__.version
    if version != known.__declared__.version:
        return ""
    there, here = fields_of(known), fields_of(written)
    again = not differ(written, known)
    if fits(known, written) if again else there.items() <= here.items():
        return ""
    if again:
        return (
            f"the class {written.__name__} was declared again: {who} expects one with the fields {_typed(there)}, and "
            f"gets one with {_typed(here)}; run the cell of {who} again, and those that make one"
        )
    return (
        f"version {version} of {written.__wire__} has the fields {_typed(here)} in {written.__name__}, and {_typed(there)} "
        f"in {known.__name__}, as which {who} reads it; give one of them another version="
    )


def _typed(fields: dict[str, str]) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in fields.items()) or "none"


def upcasters_missing(cls: type[Message], written: int) -> bool:
    """Whether a class lacks an upcaster for a step from version `written` to its own."""
    return not {*range(written, cls.__declared__.version)} <= {*cls.__declared__.upcasts}


def upcast(cls: type[Message], data: Any, written: int, optional: bool = False) -> dict:
    """Data of version `written`, upcast step by step to the version of the class. Raises NotUpcast if an upcaster
    returns no dict or is missing; with `optional`, a missing one is skipped."""
    for version in range(written, cls.__declared__.version):
        upcaster = cls.__declared__.upcasts.get(version)
        if upcaster is None and optional:
            continue
        data = None if upcaster is None else upcaster(data)
        if not isinstance(data, dict):
            raise NotUpcast(version)
    return data


def read(message: Message, reader: type[Message]) -> Message:
    """A message as another class reads it: upcast by that class's upcasters, and without the fields that the class,
    or one nested in it, does not know, unless it reads strictly. Raises ValueError, and whatever an upcaster raises."""
    data = from_json(message.model_dump_json())
    data = upcast(reader, data, message.__declared__.version, optional=True)
    try:
        return reader.model_validate_json(to_json(data))
    except InvalidMessage as error:
        errors: Any = error.__cause__
        unknown = [one["loc"] for one in errors.errors() if one["type"] == "extra_forbidden"]
        if reader.__declared__.reads == "strict" or not unknown:
            raise
    for *path, name in unknown:
        with suppress(LookupError, TypeError):  # pydantic's path also names the types of a union
            del reduce(getitem, path, data)[name]
    return reader.model_validate_json(to_json(data))

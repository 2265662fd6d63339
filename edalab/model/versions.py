"""Who writes a message and who reads it may know it by different classes: then its data crosses as JSON."""

from contextlib import suppress
from functools import lru_cache, reduce
from operator import getitem
from typing import Any

from pydantic_core import from_json, to_json

from ..errors import InvalidMessage
from .messages import Message, fields_of, fits


class NotUpcast(ValueError):
    """Nothing turns the data of a `version` into those of the next one."""

    def __init__(self, version: int):
        super().__init__(f"nothing turns version {version} into {version + 1}")
        self.version = version


@lru_cache(maxsize=1_000)  # asked for each message that a run handles
def differ(writer: type[Message], reader: type[Message]) -> bool:
    """Whether two classes with one name on the wire are two forms of it. Those with the same Python name and version
    are one class, which a cell declared again."""
    return _form(writer) != _form(reader)


def _form(cls: type[Message]) -> tuple[str, int]:
    return cls.__name__, cls.__declared__.version


def clash(written: type[Message], known: type[Message], who: str) -> str:
    """What is wrong where somebody who knows a class gets messages of another one of its version; "" where nothing is."""
    version = written.__declared__.version
    if version != known.__declared__.version:
        return ""
    there, here = fields_of(known), fields_of(written)
    if not differ(written, known):
        text = (
            f"the class {written.__name__} was declared again: {who} expects one with the fields {_typed(there)}, and "
            f"gets one with {_typed(here)}; run the cell of {who} again, and those that make one"
        )
        return "" if fits(known, written) else text
    return (
        ""
        if there.items() <= here.items()
        else (
            f"version {version} of {written.__wire__} has the fields {_typed(here)} in {written.__name__}, and {_typed(there)} "
            f"in {known.__name__}, as which {who} reads it; give one of them another version="
        )
    )


def _typed(fields: dict[str, str]) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in fields.items()) or "none"


def upcasters_missing(cls: type[Message], written: int) -> bool:
    """Whether a class has no upcaster for one of the steps from an older version to its own."""
    return not {*range(written, cls.__declared__.version)} <= {*cls.__declared__.upcasts}


def upcast(cls: type[Message], data: Any, written: int, optional: bool = False) -> dict:
    """Data of an older version as the class has them, upcast step by step. Raises NotUpcast where an upcaster returns no
    dict, or is missing; an `optional` one is left out."""
    for version in range(written, cls.__declared__.version):
        upcaster = cls.__declared__.upcasts.get(version)
        if upcaster is None and optional:
            continue
        data = None if upcaster is None else upcaster(data)
        if not isinstance(data, dict):
            raise NotUpcast(version)
    return data


def read(message: Message, reader: type[Message]) -> Message:
    """A message as another class reads it: upcast as far as the class has upcasters, then without the fields that it,
    or a class within it, does not know, unless it reads strictly. Raises ValueError, and what an upcaster raises."""
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
        with suppress(
            LookupError, TypeError
        ):  # a path of pydantic's also names the types of a union
            del reduce(getitem, path, data)[name]
    return reader.model_validate_json(to_json(data))

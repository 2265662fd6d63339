"""The check that a message can be encoded as JSON in UTF-8. A message that cannot is refused when it is made."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationInfo
from pydantic_core import core_schema, to_json

from ..errors import shortened, shown

HALF_CHARACTER = "holds half of a character, which UTF-8 cannot encode; leave it out"


def unfit(value: Any, field: str | None = None) -> str:
    """Why JSON cannot encode a value, or one field of a message, and what to do; "" if it can."""
    only = None if field is None else {field}
    try:
        if not _DOUBTFUL.search(to_json(value, include=only)):
            return ""
        # Again, as plain data: with a field's type, pydantic writes null for NaN, and U+FFFD for half of a character.
        plain = _ANYTHING.dump_python(value, include=only, warnings=False)
        text = to_json(plain, bytes_mode="base64", fallback=str)
        json.loads(text, parse_constant=_no_number)
    except Exception as error:  # of the learner's own classes, too
        if "surrogates" in str(error):
            return f"it {HALF_CHARACTER}"
        why = shortened(str(error).removeprefix("Error serializing to JSON: "))
        return f"{why}; use what JSON has, such as numbers, texts, lists, dicts and None"
    return ""


def unfit_field(message: BaseModel) -> str:
    """The first field of a message that JSON cannot encode, and why; "" if it can encode all."""
    why = unfit(message)
    if not why:
        return ""
    for name in type(message).model_fields:
        if its := unfit(message, name):
            return f"{name}={shown(getattr(message, name))} cannot go on the wire: {its}"
    return f"{shown(message)} cannot go on the wire: {why}"


def _no_number(word: str) -> None:
    raise ValueError(f"JSON has no {word}")


_ANYTHING = TypeAdapter(Any)
_DOUBTFUL = re.compile(b"null|NaN|Infinity|\xef\xbf\xbd")


def _with_base64(value: Any) -> Any:
    """A value in which all bytes are encoded as standard base64. Pydantic's own encoding is URL-safe base64."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, dict):
        return {key: _with_base64(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_with_base64(part) for part in value]
    return value


_BASE64 = core_schema.plain_serializer_function_ser_schema(_with_base64, when_used="json")


def of_the_wire(schema: Any, resolve: Callable[[Any], Any]) -> tuple[bool, Any]:
    """Whether a message is plain: its field types accept only values that JSON can encode and that nobody can change in
    place. Also the schema, which checks each message that is not plain."""
    model, parts = resolve(schema), [*_parts(resolve(schema))]
    plain = model["type"] == "model" and all(_is_plain(part, model) for part in parts)
    for part in parts:
        if part["type"] in ("bytes", "any"):
            part.setdefault("serialization", _BASE64)
    if not plain:
        schema = core_schema.with_info_after_validator_function(_checked, schema)
    return plain, schema


def _checked(message: BaseModel, info: ValidationInfo) -> BaseModel:
    if info.mode != "json" and (wrong := unfit_field(message)):
        raise ValueError(wrong)  # pydantic expects a ValueError from a validator
    return message


def _parts(schema: Any) -> Iterator[dict]:
    """A pydantic schema, and all schemas nested in it."""
    if isinstance(schema, dict):
        yield schema
        inner = [schema[name] for name in _INNER if name in schema]
        if isinstance(choices := schema.get("choices"), dict):  # of a tagged union, by tag
            inner = [*choices.values()]
        inner += schema.get("fields", {}).values()
    else:
        inner = schema
    for part in inner:
        if isinstance(part, dict | list | tuple):
            yield from _parts(part)


_INNER = "schema choices items_schema keys_schema values_schema".split()
_PLAIN = "str int float bool none bytes decimal date datetime time timedelta uuid".split()
_PLAIN += "nullable union tuple model-field model-fields".split()
# Settings that change how JSON encodes a field, or that accept more than its type does.
_BEYOND = "serialization_exclude computed_fields allow_inf_nan post_init default_factory".split()


def _is_plain(part: dict, whole: dict) -> bool:
    kind, config = part["type"], part.get("config", {})
    if any(map(part.get, _BEYOND)) or part.get("serialization", _BASE64) != _BASE64:
        return False
    if kind == "model" and part is whole:
        ours = config.get("allow_inf_nan") is False and "str_min_length" in config
        return ours and config.get("extra_fields_behavior") == "forbid"
    if kind == "model":
        return getattr(part["cls"], "__plain__", False)
    if kind == "default":
        return part.get("default").__hash__ is not None and not unfit(part.get("default"))
    if kind in ("literal", "enum"):
        return not any(map(unfit, part.get("expected") or part["members"]))
    return kind in _PLAIN

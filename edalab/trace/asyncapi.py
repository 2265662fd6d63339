"""A system as an AsyncAPI 3.0 document: its channels, the messages that each service receives and sends, and their
schemas. This module implements `System.asyncapi`, whose docstring describes the document.
"""

import re
from typing import Any
from urllib.parse import quote

from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema

from ..errors import Misuse, shown
from ..model import Command, Event, Message, Query, System
from ..sim.run import Run


def asyncapi(system: System, *runs: Run) -> dict[str, Any]:
    """Return the AsyncAPI document of a system. See `System.asyncapi`."""
    handlers = [h for service in system.services.values() for h in service.handlers.values()]
    used = [(handler.service, "receive", handler.message) for handler in handlers]
    for run in runs:
        if not isinstance(run, Run) or run.system.name != system.name:
            raise Misuse(f"{system.name}.asyncapi takes runs of {system.name}, not {shown(run)}")
        sent = [s for s in run.journal if s.step in ("publish", "ask") and s.service != "client"]
        used += [(s.service, "send", type(s.envelope.data)) for s in sent if s.envelope]
    channels, operations, messages = {}, {}, {}
    for service, action, cls in dict.fromkeys(used):
        key, place, message = _key(cls), _place(system, cls), _message(system, cls)
        if messages.setdefault(key, message) != message:
            version = cls.__declared__.version
            what = f"two classes {message['name']} of version {version} differ"
            raise Misuse(f"{what}; give the newer one version={version + 1}")
        channel = channels.setdefault(place, {"address": place, "messages": {}})
        channel["messages"][key] = {"$ref": f"#/components/messages/{key}"}
        operations[f"{service}.{action}.{key}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{place}"},
            "messages": [{"$ref": f"#/channels/{place}/messages/{key}"}],
            "tags": [{"name": service}],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": system.name, "version": "1.0.0"},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _place(system: System, cls: type[Message]) -> str:
    """The channel of a message class. The channel of a query is the service that answers it."""
    service = next((handler.service for handler in system.handlers(cls.__wire__)), "nobody")
    default = f"{service}.commands" if issubclass(cls, Command) else cls.__wire__
    return service if issubclass(cls, Query) else cls.__declared__.topic or default


def _key(cls: type[Message]) -> str:
    """The key of a message in the document, using only characters that AsyncAPI allows."""
    version = cls.__declared__.version
    name = re.sub(r"[^\w.-]", "_", cls.__wire__, flags=re.ASCII)
    return name if version == 1 else f"{name}.v{version}"


def _message(system: System, cls: type[Message]) -> dict[str, Any]:
    """A message, with its CloudEvents attributes as headers and its data as payload."""
    declared, name = cls.__declared__, cls.__wire__
    dataschema = f"urn:edalab:{system.name}:{quote(name, '')}:{declared.version}"
    texts = ["id", "source", "time", "correlationid", "causationid"]
    texts += ["subject", "partitionkey"] if declared.key else []
    headers = {attribute: {"type": "string"} for attribute in texts}
    for attribute, value in {"specversion": "1.0", "type": name, "dataschema": dataschema}.items():
        headers[attribute] = {"const": value}
    refs = f"#/components/messages/{_key(cls)}/payload/$defs/{{model}}"
    try:
        payload = cls.model_json_schema(False, refs, schema_generator=_Schema)
    except PydanticInvalidForJsonSchema as error:
        raise Misuse(f"{name} has no JSON Schema: {error.message}") from None
    if declared.reads == "tolerant":
        payload.pop("additionalProperties", None)
    kind = next(kind for kind in (Event, Command, Query) if issubclass(cls, kind))
    return {
        "name": name,
        "tags": [{"name": kind.__name__.lower()}],
        "headers": {"type": "object", "properties": headers},
        "correlationId": {"location": "$message.header#/correlationid"},
        "payload": payload,
        "x-version": declared.version,
        "x-key": declared.key,
        "x-upcasts": sorted(declared.upcasts),
    }


class _Schema(GenerateJsonSchema):
    """JSON Schema without OpenAPI's discriminator, which AsyncAPI writes in another way."""

    def tagged_union_schema(self, schema: Any) -> dict[str, Any]:
        return {"anyOf": super().tagged_union_schema(schema)["oneOf"]}


System._asyncapi = asyncapi  # assigned here, because `model` must not import `trace`

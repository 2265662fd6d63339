"""The declarations of a system: its messages, services, topics and queues."""

from .determinism import foreign_call
from .envelope import DeadLetter, Delivery, Envelope, timestamp
from .messages import Command, Event, Message, Query, wire_copy
from .registry import TURN, class_of, declared_in, message_types
from .service import Handler, Service, Tick
from .system import Queue, System, Topic

__all__ = [
    "TURN",
    "Command",
    "DeadLetter",
    "Delivery",
    "Envelope",
    "Event",
    "Handler",
    "Message",
    "Query",
    "Queue",
    "Service",
    "System",
    "Tick",
    "Topic",
    "class_of",
    "declared_in",
    "foreign_call",
    "message_types",
    "timestamp",
    "wire_copy",
]

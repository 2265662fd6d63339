"""edalab: build, break and mend event-driven systems in a notebook."""

import sys

try:
    from . import claims
    from .claims.claim import Claim
    from .claims.explore import explore
    from .errors import (
        Busy,
        ConcurrencyError,
        Misuse,
        PublishFailed,
        Refused,
        Unanswered,
        Unreadable,
    )
    from .model import Command, Event, Query, System
    from .sim import (
        Context,
        Fault,
        Faults,
        cut,
        deploy,
        pause,
        repartition,
        restore,
        rewind,
        scale,
        simulate,
        skew,
    )
    from .store import EventStore, read_table
    from .trace import asyncapi as _asyncapi  # noqa: F401  for `System.asyncapi`
    from .trace import otlp as _otlp  # noqa: F401  for `Run.otlp`
    from .trace.compatibility import compatibility
except Exception:  # an older Python, or one in which the course is not installed
    if sys.argv[:2] != ["-m", "doctor"]:  # the doctor reports it
        raise

__version__ = "0.1.0"

__all__ = [
    "Busy",
    "Claim",
    "Command",
    "ConcurrencyError",
    "Context",
    "Event",
    "EventStore",
    "Fault",
    "Faults",
    "Misuse",
    "PublishFailed",
    "Query",
    "Refused",
    "System",
    "Unanswered",
    "Unreadable",
    "claims",
    "compatibility",
    "cut",
    "deploy",
    "explore",
    "pause",
    "read_git",
    "read_table",
    "repartition",
    "restore",
    "rewind",
    "scale",
    "simulate",
    "skew",
]


def __getattr__(name: str):
    if name == "read_git":  # imported late: it declares event classes that few programs need
        from .store.from_git import read_git

        return read_git
    raise AttributeError(f"module 'edalab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

"""Every error a learner can meet: each names the thing, lists what exists and says what to do."""

import sqlite3
from collections.abc import Iterable
from difflib import get_close_matches


class Misuse(Exception):
    """The lab was used wrongly. Raised at once; where a run was under way, `.run` holds the record so far."""

    run = None


class Unknown(Misuse, LookupError):
    """A name that does not exist: the message lists those that do."""

    def __init__(self, kind: str, name: object, known: Iterable[str]):
        known = list(known)
        plural = kind[:-1] + "ies" if kind.endswith("y") else kind + "s"
        listed = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "") if known else "none"
        near = get_close_matches(str(name), known, n=1)
        hint = f". Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"no {kind} {name!r}; {plural}: {listed}{hint}")


class Endless(Misuse):
    """The run would not have ended: a budget stopped it, and the message names what kept going."""


class Unanswered(TimeoutError):
    """A question or an asked command got no answer in time. Whether it was carried out is not known: it is in doubt."""

    def __init__(self, service: str, message: str, seconds: float):
        super().__init__(f"{service} did not answer {message} within {seconds:g} s")
        self.service, self.message, self.seconds = service, message, seconds


class PublishFailed(ConnectionError):
    """The broker did not confirm a message: it is not in the topic, and the publisher must decide what to do."""

    def __init__(self, message: str, topic: str):
        super().__init__(f"the broker did not confirm {message} to {topic}")
        self.message, self.topic = message, topic


class HandlerFailed(RuntimeError):
    """What a handler raises where a `fail` fault strikes it."""


class SaveFailed(sqlite3.OperationalError):
    """What a transaction raises where a `fail` fault strikes its commit: it was rolled back."""

"""The declaration of a system: its services, and the topics and queues between them."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ..errors import Misuse, Unknown, shown
from .messages import Declared, Message, channel_name
from .numbers import check_whole
from .registry import saga_roles
from .service import Handler, Service

OVERFLOWS = ("reject", "drop-oldest")
STARTS = ("earliest", "latest")
_OPTIONS = {  # numbers, each with the least and the most
    **dict.fromkeys(("deduplicates", "joins"), (0, 1_000_000_000)),  # seconds
    **dict.fromkeys(("max_poll_interval", "retention", "ack_wait"), (0.001, 1_000_000_000)),
    **dict.fromkeys(("partitions", "replicas", "workers"), (1, 1000)),
    **dict.fromkeys(("max_attempts", "prefetch", "max_length"), (1, 1000)),
    "waiting": (0, 1000),
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Topic:
    """A log that keeps its messages, in order within each partition. Each consumer group has its own position in it."""

    name: str
    partitions: int = 1
    confirms: bool = True
    deduplicates: float = 0  # seconds
    max_poll_interval: float | None = None  # seconds
    max_bytes: int | None = None
    retention: float | None = None  # seconds


@dataclass(frozen=True)
class Queue:
    """A work queue. Each message goes to one consumer, is acknowledged individually, and is dead-lettered after
    `max_attempts`."""

    name: str
    max_attempts: int | None = 3  # None: the handler's own
    ordered_by_key: bool = False
    ack_wait: float = 5  # seconds
    prefetch: int = 1
    max_length: int | None = None  # messages that wait
    overflow: str = "reject"


class System:
    """The declaration of services, and of the topics and queues between them. Run it with `simulate`.

    shop = System("shop")
    shop.topic("orders", partitions=3)
    payments = shop.service("payments", replicas=2)"""

    def __init__(self, name: str):
        self.name = _name("system", name)
        self.topics: dict[str, Topic] = {}
        self.queues: dict[str, Queue] = {}
        self.services: dict[str, Service] = {}
        self.revision = 0  # counts declarations
        self._frozen: System | None = None
        self._frozen_at = 0, 0  # the revision and Message.__count__ of that copy
        self.saga_roles: dict[str, Declared] | None = None  # of a frozen system

    def topic(
        self,
        name: str,
        *,
        partitions: int | None = None,
        confirms: bool | None = None,
        deduplicates: float | None = None,
        max_poll_interval: float | None = None,
        max_bytes: int | None = None,
        retention: float | None = None,
    ) -> Topic:
        """Declare a topic, which is a log, or look one up by its name alone.

            shop.topic("orders", partitions=3)

        partitions: from 1 to 1,000 (1). Messages with the same key go to the same partition and keep their order there.
        confirms: whether the broker confirms a publish (True). With False, a publish can be lost without an error.
        deduplicates: seconds during which the broker confirms, but does not store, a message whose id it has already
            stored (0). An envelope from `ctx.envelope` keeps its id, however often it is published.
        max_poll_interval: seconds from the delivery or retry of a message to its commit (no limit). A replica that
            takes longer is evicted: its partitions move to the other replicas, its commit is refused, and it rejoins
            when its handler ends. If it is the only replica, it then receives the message again.
        max_bytes: the largest size of a message's data as JSON, in bytes (no limit). The broker refuses a larger
            message each time that it is published, which raises `PublishFailed`.
        retention: seconds after which a message is removed, whether read or not (never). A group that had not reached
            it continues at the oldest message left.

        Any keyword redeclares the topic, with defaults for the others. A topic that is not declared has the
        defaults. Raises Misuse for a name that no topic may have."""
        return self._channel(
            Topic, self.topics, self.queues, name, partitions=partitions, confirms=confirms, deduplicates=deduplicates,
            max_poll_interval=max_poll_interval, max_bytes=max_bytes, retention=retention,
        )  # fmt: skip

    def queue(
        self,
        name: str,
        *,
        max_attempts: int | None = None,
        ordered_by_key: bool | None = None,
        ack_wait: float | None = None,
        prefetch: int | None = None,
        max_length: int | None = None,
        overflow: str | None = None,
    ) -> Queue:
        """Declare a work queue, or look one up by its name alone. Each of its messages goes to one consumer.

        max_attempts: how often a message is handed out without an acknowledgement before it is dead-lettered (3).
        ordered_by_key: with True, messages with the same key are handed out one at a time, each after the previous one
            was acknowledged (with at-most-once delivery: as its handler begins) or dead-lettered.
        ack_wait: seconds after which a message that was not acknowledged is handed out again (5). `ctx.in_progress`
            restarts this wait. A late acknowledgement is accepted.
        prefetch: how many different messages of the queue each replica handles at once (1). With more than 1, they run
            in parallel with its other work. They arrive in order, and a crash interrupts all of them.
        max_length: how many messages may wait, not counting those being handled (no limit).
        overflow: what a full queue does: "reject" the new message, so that its publisher gets PublishFailed, or
            "drop-oldest", which discards the message that has waited longest ("reject").

        Raises Misuse for a name that no queue may have."""
        if overflow not in (None, *OVERFLOWS):
            raise Unknown("overflow", overflow, OVERFLOWS)
        if overflow and max_length is None:
            raise Misuse(f"queue {name!r}: overflow= goes with max_length=, such as max_length=100")
        return self._channel(
            Queue, self.queues, self.topics, name, max_attempts=max_attempts, ordered_by_key=ordered_by_key,
            ack_wait=ack_wait, prefetch=prefetch, max_length=max_length, overflow=overflow,
        )  # fmt: skip

    def _channel(self, kind: Any, here: dict, others: dict, name: str, **options: Any) -> Any:
        """Declare a topic or a queue with the options that are given, or look one up where none is."""
        given = {option: value for option, value in options.items() if value is not None}
        if not given and isinstance(name, str) and name in here:
            return here[name]
        word = kind.__name__.lower()
        _check_options(word, name, given)
        others.pop(channel_name(f"{self.name}.{word}", name), None)
        here[name] = kind(name, **given)
        self.revision += 1
        return here[name]

    def service(
        self,
        name: str,
        *,
        replicas: int | None = None,
        schema: str | None = None,
        joins: float | None = None,
        starts_at: str | None = None,
        workers: int | None = None,
        waiting: int | None = None,
    ) -> Service:
        """Declare a service, or look one up by its name alone.

        replicas: from 1 to 1,000 (1).
        schema: the SQL that creates its SQLite database at the beginning of each run.
        joins: seconds until the service subscribes to topics and queues (0). It answers questions before that, too.
        starts_at: where it then begins in a topic: at the "earliest" message that is kept, or after the "latest"
            ("latest").
        workers: how many handlings and answers run at once in each replica (no limit). Others wait in line, in the
            order of their arrival. A question is answered even if its asker has given up.
        waiting: how many questions and asked commands may wait in line at each replica (no limit). The next asker gets
            `Busy` at once. Requires `workers=`.

        Any keyword redeclares the service, with defaults for the others. The service keeps its handlers. Raises
        Misuse for a name that no service may have, and for SQL that SQLite cannot run."""
        options = {"replicas": replicas, "workers": workers, "waiting": waiting, "joins": joins}
        given = {option: value for option, value in options.items() if value is not None}
        looked_up = not given and schema is starts_at is None
        if looked_up and isinstance(name, str) and name in self.services:
            return self.services[name]
        _check_options("service", name, given)
        if waiting is not None and workers is None:
            why = "since without a limit nobody waits; write workers=4"
            raise Misuse(f"service {name!r}: waiting= needs workers=, {why}")
        if _name("service", name) == "client":
            what = "the service 'client' is the outside world, played by the workload"
            raise Misuse(f"{what}; choose another name")
        _try_schema(name, schema)
        service = self.services.setdefault(name, Service(self, name))
        if starts_at not in (None, *STARTS):
            raise Unknown("starts_at", starts_at, STARTS)
        if starts_at and joins is None:
            raise Misuse(f"service {name!r}: starts_at= goes with joins=, such as joins=10")
        service.replicas, service.schema = replicas or 1, schema or ""
        service.joins, service.starts_at = joins or 0, starts_at or "latest"
        service.workers, service.waiting = workers, waiting
        self.revision += 1
        return service

    def capture(self, table: str) -> Service:
        """Declare a connector that publishes what transactions insert into a table: change data capture.

            shop.capture("orders.outbox")

        table: the service and its table. Each row holds an envelope from `ctx.envelope`, which is published unchanged,
            even if the same transaction deletes the row again.

        The connector is a service of its own, here `orders-capture`, so it can crash, be paused or be cut off. It
        publishes in commit order, 10 ms after each commit. It stores its position after each transaction, and a
        crash takes it back to there. Raises Misuse for an unknown service. A run raises it for an unknown table."""
        service, dot, name = table.partition(".") if isinstance(table, str) else ("", "", "")
        if not (service and dot and name):
            what = f"capture takes a service and a table, not {shown(table)}"
            raise Misuse(f'{what}; write {self.name}.capture("orders.outbox")')
        if service not in self.services:
            raise Unknown("service", service, self.services)
        connector = self.service(f"{service}-capture")
        if (has := connector.captures or (service, name)) != (service, name):
            what = f"{connector.name} captures {'.'.join(has)} already, and has one table"
            raise Misuse(f"{what}; for another one build a new system (run its cells from the top)")
        connector.captures = service, name
        self.revision += 1
        return connector

    def handlers(self, type_name: str) -> list[Handler]:
        """The handlers of a type of message, in the order of their declaration."""
        everywhere = [h for s in self.services.values() for h in s.handlers.values()]
        return [handler for handler in everywhere if handler.type == type_name]

    def asyncapi(self, *runs: Any) -> dict[str, Any]:
        """This system as an AsyncAPI 3.0 document, for `json.dump`. Our tests read it with AsyncAPI's own parser.

            document = shop.asyncapi(simulate(shop, orders))

        Handlers declare what services receive. What services send is not declared, so pass runs that show it.
        `compatibility` compares two such documents. Raises Misuse for a message that has no JSON Schema, and for two
        classes with the same name and version that differ."""
        return System._asyncapi(self, *runs)

    _asyncapi: Callable[..., dict[str, Any]]  # set by edalab/trace/asyncapi.py

    def frozen(self) -> "System":
        """A copy that later declarations do not change, with the current saga roles of the message classes."""
        if self.saga_roles is not None:
            return self
        now = self.revision, Message.__count__
        if self._frozen is None or self._frozen_at != now:
            copy, self._frozen_at = System(self.name), now
            copy.saga_roles, copy.revision = saga_roles(), self.revision
            copy.topics, copy.queues = dict(self.topics), dict(self.queues)
            for name, service in self.services.items():
                copy.services[name] = service.twin(copy)
            self._frozen = copy
        return self._frozen

    def refuse_second_handler(
        self, service: str, function: str, type_name: str, kind: type[Message]
    ) -> None:
        for other in self.handlers(type_name):
            if (other.service, other.name) != (service, function):
                raise Misuse(
                    f"{type_name} already goes to {other.service}.{other.name}, and a {kind.__name__.lower()} has one "
                    f"handler; to replace {other.service}.{other.name} use its service and its name again, or build a new "
                    "system (run its cells from the top)"
                )

    def __repr__(self) -> str:
        return f"<System {self.name}: {', '.join(self.services) or 'no services'}>"


def _name(kind: str, name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        takes = "one word of a-z, 0-9, - and _ that begins with a letter"
        raise Misuse(f"a {kind}'s name is {takes}, not {shown(name)}")
    return name


def _check_options(kind: str, name: object, given: dict[str, Any]) -> None:
    """Raise Misuse for a number that an option does not take."""
    for option in filter(_OPTIONS.get, given):
        value, (least, most) = given[option], _OPTIONS[option]
        takes, types = "a whole number", int
        if most > 1000:
            takes, types = "seconds", int | float
        if isinstance(value, bool) or not isinstance(value, types) or not least <= value <= most:
            up_to = f"{most:,}" if most > 1000 else most
            what = f"{kind} {name!r}: {option}= takes {takes} from {least} to {up_to}"
            raise Misuse(f"{what}, not {shown(value)}")
    if "max_bytes" in given:
        check_whole(f"{kind} {name!r}: max_bytes=", given["max_bytes"])


def _try_schema(service: str, schema: str | None) -> None:
    try:
        with closing(sqlite3.connect(":memory:")) as trial:
            trial.executescript(schema or "")
    except (sqlite3.Error, sqlite3.Warning, TypeError, ValueError) as error:
        what = f"SQLite cannot run the schema of {service}"
        raise Misuse(f"{what} ({error}): {shown(schema)}") from None

"""A deploy replaces what the replicas of a service run, one after the other, while everything goes on."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from ..errors import Misuse, shown
from ..model import Service, System
from .at_time import SECONDS, Timed, check_service
from .clock import milliseconds
from .version import Version

if TYPE_CHECKING:
    from .world import World

_TEXT = re.compile(rf"deploy +([\w-]+) +at +{SECONDS} *s?(?: +rolling +{SECONDS} *s?)?")


@dataclass(frozen=True, repr=False)
class Deploy(Timed):
    """From a time on (seconds) the replicas of a service run the handlers and ticks of another declaration of it."""

    do: ClassVar[str] = "deploy"
    keeps_alive: ClassVar[bool] = True
    new: Service
    start: float | None = None
    rolling: float = 0
    migration: str = ""

    def __post_init__(self):
        if not isinstance(self.new, Service):
            takes = 'deploy takes a service of another system, such as new.services["billing"]'
            raise Misuse(f"{takes}, not {shown(self.new)}")
        if not isinstance(self.migration, str):
            what = f"deploy {self.service}: migration= takes SQL as a text"
            raise Misuse(f"{what}, not {shown(self.migration)}")
        milliseconds(self.rolling, f"deploy {self.service}: rolling=")
        if self.start is not None:
            milliseconds(self.start, f"deploy {self.service}: at=")
        # As it is declared now: a run must not change with later declarations.
        object.__setattr__(self, "new", self.new.system.frozen().services[self.service])

    @property
    def service(self) -> str:
        return self.new.name

    def at(self, seconds: float) -> "Deploy":
        """The same deploy at another time."""
        return replace(self, start=seconds)

    def __str__(self) -> str:
        at = "" if self.start is None else f" at {self.start:g} s"
        rolling = f" rolling {self.rolling:g} s" if self.rolling else ""
        return f"deploy {self.service}{at}{rolling}"

    def __repr__(self) -> str:  # no text that could be pasted: it holds a service
        return f"<{self}>"

    def check(self, system: System) -> None:
        check_service(self, system)
        if system.services[self.service].captures is not None:
            raise Misuse(f"{self}: a connector has no handlers to deploy")
        if self.start is None:
            raise Misuse(f"{self} takes at=, in seconds; only explore(deploys=[...]) chooses it")

    def strike(self, world: "World") -> bool:
        service = world.services[self.service]
        number = service.latest.number + 1
        service.latest = version = Version(self.new, number, self.migration)
        every = milliseconds(self.rolling, "rolling=")
        first, *others = service.serving
        for turn, replica in enumerate(others, 1):
            world.schedule(world.now + turn * every, replica.deploy, version)
        first.deploy(version)
        return True


def deploy(
    service: Service, at: float | None = None, rolling: float = 0, migration: str = ""
) -> Deploy:
    """From `at` on (seconds), the replicas of a service run the handlers and ticks that another system declares for it.

        migration = "alter table bills add column cents integer"
        simulate(old, busy_day, faults=[deploy(new.services["billing"], at=5, rolling=2, migration=migration)])

    service: of another system, with the name of one in the system that runs, as it is declared now. Only its
        handlers and ticks count, and not its `schema=` or `workers=`.
    rolling: seconds from one replica to the next; between them, both versions run.
    migration: SQL that is run once, in one transaction, as the first replica switches. The run raises Misuse if
        SQLite refuses it.

    A replica finishes what it has in hand, then switches. Its partitions stay with it, and its `ctx.state` is lost. The
    database, the logs and the positions in them stay. A run does not end before `at`. `explore(deploys=)` chooses
    `at` itself."""
    return Deploy(service, at, rolling, migration)


def parse_deploy(text: str, known: Iterable[Deploy]) -> Deploy | None:
    """A deploy from its text form; None if it is another text. Raises Misuse for one that is none of the `known`, for a
    text cannot hold what is deployed."""
    if not text.startswith("deploy "):
        return None
    match = _TEXT.fullmatch(text)
    service, at, rolling = match.groups() if match else ("billing", "5", None)
    offered = [one.at(float(at)) for one in known]
    for one in offered:
        if match and one.service == service and float(rolling or one.rolling) == one.rolling:
            return one
    if offered:
        texts = " or ".join(f"'{one}'" for one in offered)
        raise Misuse(f"{shown(text)} is no deploy on offer; write {texts}")
    fix = f'write deploy(new.services["{service}"], at={at})'
    raise Misuse(f"{shown(text)} does not say which handlers are deployed; {fix}")


@lru_cache(maxsize=64)  # one for all runs of an exploration
def with_deployed(system: System, services: tuple[Service, ...]) -> System:
    """A system that also has the handlers, ticks, topics and queues of what is deployed to it."""
    both = System(system.name)
    both.saga_roles, both.revision = system.saga_roles, system.revision
    both.topics, both.queues = dict(system.topics), dict(system.queues)
    both.services = dict(system.services)
    for new in services:
        here = system.topics.keys() | system.queues.keys()
        both.topics |= {name: one for name, one in new.system.topics.items() if name not in here}
        both.queues |= {name: one for name, one in new.system.queues.items() if name not in here}
        if (old := both.services.get(new.name)) is not None:
            twin = both.services[new.name] = old.twin(both)
            twin.handlers = old.handlers | new.handlers | old.handlers
            twin.ticks = old.ticks | new.ticks | old.ticks
    return both

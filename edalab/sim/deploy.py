"""Deploys: the replicas of a service switch to other handlers and ticks, one after the other, during a run."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from ..errors import Misuse, shown
from ..model import Service, System
from .at_time import SECONDS, AtTime
from .clock import milliseconds
from .version import Version

if TYPE_CHECKING:
    from .world import World

_TEXT = re.compile(rf"deploy +([\w-]+) +at +({SECONDS}) *s?(?: +rolling +({SECONDS}) *s?)?")


@dataclass(frozen=True, repr=False)
class Deploy(AtTime):
    """A switch of a service's replicas, at a time (seconds), to the handlers and ticks of another declaration of it."""

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
        # Frozen, so that later declarations do not change a run.
        object.__setattr__(self, "new", self.new.system.frozen().services[self.service])

    @property
    def service(self) -> str:
        return self.new.name

    def at(self, seconds: float) -> "Deploy":
        """The same deploy at another time."""
        return replace(self, start=seconds)

    def __str__(self) -> str:
        at = "" if self.start is None else f" at {self.start:.15g} s"
        rolling = f" rolling {self.rolling:.15g} s" if self.rolling else ""
        return f"deploy {self.service}{at}{rolling}"

    def __repr__(self) -> str:  # not text for `faults=`, because it holds a service
        return f"<{self}>"

    def check(self, system: System) -> None:
        super().check(system)
        if system.services[self.service].captures is not None:
            raise Misuse(f"{self}: a connector has no handlers to deploy")
        if self.start is None:
            raise Misuse(f"{self} takes at=, in seconds; only explore(deploys=[...]) chooses it")

    def strike(self, world: "World") -> bool:
        service = world.services[self.service]
        number = service.latest.number + 1
        service.latest = version = Version(self.new, number, self.migration)
        every = milliseconds(self.rolling, "rolling=")
        first, *others = service.members
        for turn, replica in enumerate(others, 1):
            world.schedule(world.now + turn * every, replica.deploy, version)
        first.deploy(version)
        return True


def deploy(
    service: Service, at: float | None = None, rolling: float = 0, migration: str = ""
) -> Deploy:
    """A deploy: from `at` on (seconds), a service's replicas run the handlers and ticks of another declaration of it.

        migration = "alter table bills add column cents integer"
        simulate(old, busy_day, faults=[deploy(new.services["billing"], at=5, rolling=2, migration=migration)])

    service: a service of another system, as it is declared now, with the name of one in the system that runs. Only its
        handlers and ticks are used, and not its `schema=` or `workers=`.
    rolling: seconds from one replica's switch to the next. In between, both versions run.
    migration: SQL that runs once, in one transaction, when the first replica switches. The run raises Misuse if SQLite
        rejects it.

    A replica finishes its work in hand and then switches. It keeps its partitions, but loses its `ctx.state`. The
    database, the logs and the positions do not change. A run does not end before `at`. `explore(deploys=)` chooses
    `at` itself."""
    return Deploy(service, at, rolling, migration)


def parse_deploy(text: str, known: Iterable[Deploy]) -> Deploy | None:
    """The `known` deploy that a text names, at the text's time; None for a text of something else. Raises Misuse for
    an unknown deploy, because a text cannot hold handlers."""
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
        raise Misuse(f"{shown(text)} is not a deploy on offer; write {texts}")
    fix = f'write deploy(new.services["{service}"], at={at})'
    raise Misuse(f"{shown(text)} does not say which handlers are deployed; {fix}")


@lru_cache(maxsize=64)  # one for all runs of an exploration
def with_deployed(system: System, services: tuple[Service, ...]) -> System:
    """A system that also has the handlers, ticks, topics and queues of the services deployed to it."""
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

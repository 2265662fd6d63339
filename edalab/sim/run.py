"""A run is what happened, once: every picture, table and verdict is read from it."""

import json
from collections import Counter
from collections.abc import Callable
from functools import cache, cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from ..errors import Misuse, Unknown, listed, needed_for, shortened, shown
from ..model import System
from .clock import milliseconds
from .steps import Failure, Step, rows_of, steps_of

if TYPE_CHECKING:
    import sqlite3

    import pandas


# Steps whose detail may be the text of an exception.
_RAISED = ("retry", "dead_letter", "lost", "failure")


class Run:
    """The record of a simulation. `seed` and `faults` make it again; `end` is the time of its last step in ms."""

    def __init__(
        self, system: System, record: list, world: Any, replay: Callable[..., Any], seed: int
    ):
        self.system, self.seed = system, seed
        self._record, self._world, self._replay = record, world, replay

    @property
    def services(self) -> list[str]:
        """The services, in the order declared."""
        return list(self._world.services)

    @property
    def end(self) -> int:
        return self.journal[-1].time if self._record else 0

    @cached_property
    def journal(self) -> list[Step]:
        """Every step, in the order they happened."""
        return steps_of(self._record)

    @cached_property
    def steps(self) -> "pandas.DataFrame":
        """A row a step: time (s), service, replica, step, message (its id), type, topic, partition, offset, attempt,
        correlation, causation, fault, detail. Words that do not apply are "", numbers <NA>."""
        with needed_for("run.steps"):
            import pandas

        rows = []
        for s in self.journal:
            e = s.envelope
            message = (e.id, e.type, e.topic) if e else (None, None, None)
            causes = (e.correlation, e.causation) if e else (None, None)
            where = s.service, s.replica, s.step
            position = s.partition, s.offset, s.attempt
            rows.append((s.time / 1000, *where, *message, *position, *causes, s.fault, s.detail))
        columns = "time service replica step message type topic partition offset attempt correlation causation fault detail"
        table = pandas.DataFrame(rows, columns=columns.split())
        numbers = ["partition", "offset", "attempt"]
        words = [name for name in table.columns if name not in ("time", "replica", *numbers)]
        table[words] = table[words].fillna("")
        return table.astype(dict.fromkeys(numbers, "Int64"))

    @cached_property
    def digest(self) -> str:
        """Eight hex digits that are the same wherever the same happened."""
        written, quoted = {None: '""'}, cache(json.dumps)
        lines = []
        for time, step, (service, replica), e, partition, offset, attempt, fault, detail in rows_of(
            self._record
        ):
            id = e and e.id
            if id not in written:
                data = e.data.model_dump_json() if e.data is not None else ""
                written[id] = json.dumps(
                    f"{id} {e.type} {e.topic} {e.correlation} {e.causation} {data}"
                )
            if detail and step in _RAISED:
                # Python's own words differ from version to version: the exception's name does not.
                detail = detail.partition(":")[0].partition(" (line ")[0]
            numbers = ["null" if n is None else str(n) for n in (partition, offset, attempt)]
            where = str(time), quoted(step), quoted(service), str(replica)
            words = *where, written[id], *numbers, quoted(fault), quoted(detail)
            lines.append(f"[{', '.join(words)}]")
        return blake2b("".join(lines).encode(), digest_size=4).hexdigest()

    @property
    def faults(self) -> list:
        """The faults that struck; each prints as text that can be pasted into `faults=`."""
        return list(self._world.plan.struck)

    @property
    def unfired(self) -> list:
        """The faults that were asked for by name and never happened."""
        return self._world.plan.unfired()

    @property
    def failures(self) -> list[Failure]:
        """The exceptions that handlers raised, each with its `.traceback`."""
        return list(self._world.failures)

    def rows(self, service: str, sql: str, parameters: tuple = ()) -> list[tuple]:
        """What a `select` finds in a service's database at the end of the run."""
        return self._node(service).rows(sql, parameters)

    def database(self, service: str) -> "sqlite3.Connection":
        """A service's database at the end of the run, for `pandas.read_sql` or `EventStore`; it cannot be written to."""
        return self._node(service).database.readable()

    def at(self, seconds: float) -> Any:
        """The world as it was at a moment: `.services["payments"].up`, `.state`, `.lag`, `.in_flight`, `.rows(service, sql)`,
        `.database(service)`."""
        return self._replay(milliseconds(seconds, "run.at"))

    @cached_property
    def changes(self) -> dict[int, dict[str, list[tuple]]]:
        """The number of a save in the journal -> table -> the rows that it added or removed. Played again to be known
        where the run did not note it."""
        noted = self._world.changes
        return self._replay(None, keeps_changes=True).changes if noted is None else noted

    def check(self, claim: Any) -> Any:
        """The verdict of a claim on this run."""
        if not hasattr(claim, "sentence"):
            what = f"run.check takes a claim, and {shown(claim)} is none"
            raise Misuse(f'{what}; write @Claim("what should be true") above its function')
        return claim.check(self)

    def cloudevents(self) -> str:
        """Every message that was published, sent or asked, as a CloudEvents 1.0 JSON batch."""
        seen = {s.envelope.id: s.envelope for s in self.journal if s.step in ("publish", "ask")}
        return json.dumps(
            [envelope.cloudevent(self.system.name) for envelope in seen.values()], indent=1
        )

    def _node(self, service: str):
        if not isinstance(service, str) or service not in self._world.services:
            raise Unknown("service", service, self._world.services)
        return self._world.services[service]

    def _said(self) -> list[str]:
        """What a reader must not miss."""
        said = []
        if self.faults:
            said.append("struck: " + listed(self.faults, 3))
        if self.unfired:
            said.append("never happened: " + listed(self.unfired, 3))
        raised = Counter((f.service, f.handler, type(f.error).__name__) for f in self.failures)
        told = [
            f"{service}.{handler} raised {error}" + (f" {times} times" if times > 1 else "")
            for (service, handler, error), times in raised.items()
        ]
        if told:
            said.append(listed(told, 3))
        dead = [
            f"{s.envelope.type} {s.envelope.id}" for s in self.journal if s.step == "dead_letter"
        ]
        if dead:
            said.append(listed(dead, 3) + " dead-lettered")
        unheard = [f"{times} {name}" for name, times in self._world.unheard.items()]
        if unheard:
            said.append(listed(unheard, 3) + " published to nobody: no service subscribes")
        at = next((n for n, failure in enumerate(self.failures) if failure.line), None)
        if at is not None:
            first = self.failures[at]
            why = f"{type(first.error).__name__} in {first.line}: {shortened(str(first.error))}"
            said.append(f"{why}, see run.failures[{at}].traceback")
        return said

    def __repr__(self) -> str:
        steps = f"{len(self.journal)} steps in {self.end / 1000:g} s"
        return (
            f"<Run {self.digest} of {self.system.name}, seed {self.seed}: "
            + "; ".join([steps, *self._said()])
            + ">"
        )

"""The record of a run, from which every picture, table and verdict is made."""

import json
from collections import Counter
from collections.abc import Callable
from functools import cache, cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from ..errors import Misuse, Unknown, listed, needed_for, shortened, shown
from ..model import System
from .changes import NO_CHANGES, Changes, changes_of
from .clock import milliseconds
from .steps import WIDTH, Failure, Step, rows_of, steps_of

if TYPE_CHECKING:
    import sqlite3

    import pandas

    from .plan import Struck
    from .services import ServiceRuntime
    from .world import World

_COLUMNS = "time service replica step message type topic partition offset attempt correlation causation fault detail"


class Run:
    """The record of a simulation. `seed` and `faults` reproduce it. `end` is the time of its last step, in ms."""

    def __init__(self, system: System, record: list, world: "World", replay: Callable, seed: int):
        self.system, self.seed = system, seed
        self._record, self._world, self._replay = record, world, replay
        self._changes: dict[str, dict[int, Changes]] = {}  # by service

    @property
    def services(self) -> list[str]:
        """The names of the services, in the order of their declaration."""
        return list(self._world.services)

    @property
    def end(self) -> int:
        return self._record[-WIDTH] if self._record else 0

    @cached_property
    def journal(self) -> list[Step]:
        """All steps, in the order in which they happened."""
        return steps_of(self._record)

    @cached_property
    def steps(self) -> "pandas.DataFrame":
        """A row for each step: time (s), service, replica, step, message (its id), type, topic, partition, offset,
        attempt, correlation, causation, fault, detail. Texts that do not apply are "", numbers <NA>."""
        with needed_for("run.steps"):
            import pandas

        table = pandas.DataFrame(self.journal, columns=Step._fields)
        table["time"] = [step.time / 1000 for step in self.journal]
        for name in ("id", "type", "topic", "correlation", "causation"):
            table[name] = [getattr(step.envelope, name, "") for step in self.journal]
        table = table.rename(columns={"id": "message"})[_COLUMNS.split()]
        numbers = ["partition", "offset", "attempt"]
        texts = table.columns.difference(["time", "replica", *numbers])
        table[texts] = table[texts].fillna("")
        return table.astype(dict.fromkeys(numbers, "Int64"))

    @cached_property
    def digest(self) -> str:
        """Eight hex digits, which are equal for runs in which the same happened."""
        return blake2b("".join(self.lines()).encode(), digest_size=4).hexdigest()

    def lines(self) -> list[str]:
        """Every step as a line of text. The lines are equal for runs in which the same happened."""
        written, quoted = {None: '""'}, cache(json.dumps)
        lines = []
        for time, step, (service, replica), e, *position, fault, detail in rows_of(self._record):
            id = e and e.id
            if id not in written:
                data = e.data.model_dump_json() if e.data is not None else ""
                written[id] = json.dumps(
                    f"{id} {e.type} {e.topic} {e.correlation} {e.causation} {data}"
                )
            if detail and step in ("retry", "dead_letter", "lost", "failure"):
                # The texts of Python's errors differ from version to version, but not their names.
                detail = detail.partition(":")[0].partition(" (line ")[0]
            numbers = ["null" if n is None else str(n) for n in position]
            where = str(time), quoted(step), quoted(service), str(replica)
            values = *where, written[id], *numbers, quoted(fault), quoted(detail)
            lines.append(f"[{', '.join(values)}]")
        return lines

    @property
    def faults(self) -> "list[Struck]":
        """The faults that struck. Each, except a deploy, prints as text that can be pasted into `faults=`."""
        return list(self._world.plan.struck)

    @property
    def unfired(self) -> "list[Struck]":
        """The faults that were requested individually (not as rates) and did not strike."""
        return self._world.plan.unfired()

    @property
    def failures(self) -> list[Failure]:
        """The exceptions that handlers raised, each with its `.traceback`."""
        return list(self._world.failures)

    @property
    def dead_letters(self) -> "pandas.DataFrame":
        """A row for each message that a service gave up: id, service, type, data, reason (the error's text),
        attempts, came_from (its topic or queue), time (s), redrives (how often it had been sent back) and state. The
        state is "waiting" until a handler of dead letters ends without an error; then it is "redriven" if the
        handler sent the message back, or else "handled". A message that is given up again has another row."""
        with needed_for("run.dead_letters"):
            import pandas

        columns = "id service type data reason attempts came_from time redrives state".split()
        letters = self._world.dead_letters.letters
        rows = [
            (d.died.id, d.source, d.died.type, d.data, d.reason, d.attempts, d.came_from, d.time / 1000, d.redrives, d.state)
            for d in letters
        ]  # fmt: skip
        return pandas.DataFrame(rows, columns=columns)

    def rows(self, service: str, sql: str, parameters: tuple = ()) -> list[tuple]:
        """The rows that a `select` finds in a service's database at the end of the run."""
        return self._node(service).database.rows(sql, parameters)

    def database(self, service: str) -> "sqlite3.Connection":
        """A service's database at the end of the run, for `pandas.read_sql` or `EventStore`. It is read-only."""
        return self._node(service).database.readable()

    def _node(self, service: str) -> "ServiceRuntime":
        if not isinstance(service, str):
            raise Unknown("service", service, self._world.services)
        return self._world.services[service]

    def at(self, seconds: float) -> "World":
        """The world at a time (seconds): `.services["payments"]` with `.up`, `.state`, `.lag` and `.in_flight`, and
        `.rows(service, sql)` and `.database(service)`."""
        return self._replay(milliseconds(seconds, "run.at"))

    def _over_time(self, look: Callable[["World"], Any]) -> dict[int, Any]:
        """What `look` returns for the world at the end of each moment (ms). The run is played again once."""
        found: dict[int, Any] = {}

        def note(world: "World") -> None:
            found[world.now] = look(world)

        self._replay(None, note)
        return found

    def changes(self, save: int) -> Changes:
        """The rows that a save, by its number in the journal, added and removed."""
        service, _ = self._record[save * WIDTH + 2]
        if service not in self._changes:
            self._changes[service] = changes_of(self._node(service).database)
        return self._changes[service].get(save, NO_CHANGES)

    def check(self, claim: Any) -> Any:
        """The verdict of a claim on this run."""
        if not hasattr(claim, "sentence"):
            what = f"run.check takes a claim, not {shown(claim)}"
            raise Misuse(f'{what}; write @Claim("what should be true") above its function')
        return claim.check(self)

    def cloudevents(self) -> str:
        """Every message that was published, sent or asked, as a CloudEvents 1.0 JSON batch."""
        envelopes = [s.envelope for s in self.journal if s.step in ("publish", "ask")]
        events = {e.id: e.cloudevent(self.system.name) for e in envelopes if e is not None}
        return json.dumps([*events.values()], indent=1)

    def otlp(self) -> str:
        """The run as an OpenTelemetry trace: one line of OTLP JSON, the format that tools such as Jaeger and Tempo
        read. Our tests read it back with OpenTelemetry's own classes.

            Path("run.json").write_text(run.otlp(), encoding="utf-8")

        Each publish and send is a PRODUCER span, and each handling is a CONSUMER span, including a second handling of
        the same message. It links to the publish, which does not wait for it. A question is a CLIENT span, and the
        handling that answers it is its SERVER child. The publishes and questions of a handler are children of its
        handling. Saves, notes, acknowledgements, exceptions and faults are events. Outages are spans of their own, and
        so are deliveries that a fault struck.

        All spans that go back to one message of the client share a trace id. The ids derive from the run's digest
        and the numbers of its steps, and virtual 0 s is 2026-01-01T00:00:00Z, so the same run exports the same text.
        A publish takes no time, because the record holds only when it began. Each service is a resource with its
        `service.name`."""
        return Run._otlp(self)

    _otlp: Callable[["Run"], str]  # set by edalab/trace/otlp.py

    def __repr__(self) -> str:
        failures = self.failures
        raised = Counter(
            f"{f.service}.{f.handler} raised {type(f.error).__name__}" for f in failures
        )
        dead = [s.envelope for s in self.journal if s.envelope and s.step == "dead_letter"]
        unheard = self._world.unhandled_events.items()
        parts = [f"{len(self.journal)} steps in {self.end / 1000:g} s"]
        for beginning, things, ending in (
            ("struck: ", self.faults, ""),
            ("never happened: ", self.unfired, ""),
            ("", [f"{text} {n} times" if n > 1 else text for text, n in raised.items()], ""),
            ("", [f"{envelope.type} {envelope.id}" for envelope in dead], " dead-lettered"),
            ("", [f"{n} {name}" for name, n in unheard], " published to nobody: no service subscribes"),
        ):  # fmt: skip
            if things:
                parts.append(beginning + listed(things, 3) + ending)
        for number, failure in enumerate(failures):
            if failure.line:
                why = f"{type(failure.error).__name__} in {failure.line}: {shortened(str(failure.error))}"
                parts.append(f"{why}, see run.failures[{number}].traceback")
                break
        return f"<Run {self.digest} of {self.system.name}, seed {self.seed}: {'; '.join(parts)}>"

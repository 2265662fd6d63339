"""Change data capture: a connector reads the log of a service's database, and publishes inserted rows."""

from collections import Counter
from typing import TYPE_CHECKING

from ..errors import Misuse, Unknown
from ..model import Envelope, Tick
from .clock import CAPTURE, RETRY
from .execution import Execution

if TYPE_CHECKING:
    from .context import Context
    from .services import ServiceRuntime

_INSERTED = "temp.edalab_inserted"


class Capturing:
    """A connector at run time: it publishes the envelopes in the rows that each transaction inserted, in commit order,
    one transaction after the other.

    log: for each transaction, the time from which the connector may read it, and its envelopes.
    committed: the stored position, which survives a crash of the connector. `position` is in its memory."""

    publishes = False
    partition = None

    def __init__(self, service: "ServiceRuntime", captured: "ServiceRuntime", table: str):
        self.service, self.captured, self.table = service, captured, table
        self.world, self.owner = service.world, service.replicas[0]
        self.log: list[tuple[int, list[Envelope]]] = []
        self.position = self.committed = 0
        self.attempts: Counter[int] = Counter()  # by position
        self.execution: Execution | None = None
        self.failures = 0  # of the transaction at the position
        self.handler = Tick(service.name, table, self._publish, 0, True, True)
        service.readers.append(self)
        captured.database.capture = self
        if table not in (tables := captured.database.tables()):
            raise Unknown("table", table, tables, f" of {captured.name}")
        self.watch()

    def watch(self) -> None:
        """Make SQLite record each inserted row, even if the same transaction deletes it. If a migration has dropped
        the table, nothing is recorded."""
        connection, database = self.captured.database.connection, self.captured.database
        quoted = ['"{}"'.format(name.replace('"', '""')) for name in database.columns(self.table)]
        name = '"{}"'.format(self.table.replace('"', '""'))
        connection.execute("drop trigger if exists temp.edalab_captures")
        connection.execute(f"drop table if exists {_INSERTED}")
        connection.execute(f"create table {_INSERTED} ({', '.join(quoted) or 'no_column'})")
        if quoted:
            row = ", ".join(f"new.{column}" for column in quoted)
            into = f"insert into {_INSERTED.partition('.')[2]} values ({row})"
            watch = f"create temp trigger edalab_captures after insert on main.{name}"
            connection.execute(f"{watch} begin {into}; end")

    def append(self, who: str) -> None:
        """Append what a committed transaction inserted to the log."""
        connection, world = self.captured.database.connection, self.world
        rows = connection.execute(f"select * from {_INSERTED} order by rowid").fetchall()
        if not rows:
            return
        connection.execute(f"delete from {_INSERTED}")
        envelopes = [self._envelope(row, who) for row in rows]
        due = world.now + self.service.latency(CAPTURE)
        self.log.append((due, envelopes))
        world.schedule(due, self.wake, None)

    def _envelope(self, row: tuple, who: str) -> Envelope:
        stored = [one for one in row if isinstance(one, str) and Envelope.is_stored(one)]
        if not stored:
            where = f"{self.captured.name}.{self.table}"
            what = f"{who} inserts into {where} a row without an envelope, and {self.service.name} publishes it"
            raise self.world.refuse(Misuse(f"{what}; insert ctx.envelope(event)"))
        return Envelope.from_stored(stored[0], self.world.types)

    # -- one transaction after the other

    def wake(self, _: None = None) -> None:
        """Publish the next transaction, if there is one and the connector is able to."""
        if self.execution is not None or not self.owner.reachable or self.position == len(self.log):
            return
        if self.log[self.position][0] > self.world.now:
            return
        number = self.position + 1
        who, now = self.service.name, self.world.now
        id = f"{who}.{self.table}-{number}"
        envelope = Envelope(id, self.table, None, who, None, None, now, None, None, 0)
        self.execution = execution = self.owner.new_execution(self, envelope)
        self.attempts[self.position] += 1
        execution.attempt = self.attempts[self.position]
        execution.begin(self.handler)

    async def _publish(self, ctx: "Context") -> None:
        for envelope in self.log[self.position][1]:
            await ctx.publish(envelope)  # pyrefly: ignore[not-async]

    def handled(self, execution: Execution, _result: object) -> None:
        """Store the position, and continue."""
        prevented = execution.acknowledge("commit")
        if prevented == "crash":
            return
        self.failures = 0
        self.position += 1
        if prevented is None:
            self.committed = self.position
        self._let_go(execution)

    def failed(self, execution: Execution, error: Exception) -> None:
        """Retry the transaction later. Later transactions wait for it."""
        self.failures += 1
        after = RETRY * self.failures
        execution.record_failure("retry", error, f"; again in {after / 1000:g} s")
        due = self.world.now + after
        self.log[self.position] = due, self.log[self.position][1]
        self._let_go(execution)
        self.world.schedule(due, self.wake, None)

    def abandoned(self, execution: Execution) -> None:
        """Do nothing, because the crash of the connector rewinds it."""

    def _let_go(self, execution: Execution) -> None:
        execution.replica.running.pop(execution, None)
        self.execution = None
        self.wake()

    # -- what a service does with each of its readers

    def lag(self) -> int:
        """The number of transactions after the stored position."""
        return len(self.log) - self.committed

    def back_to_commit(self) -> None:
        """Return to the stored position."""
        self.position, self.execution, self.failures = self.committed, None, 0

    begin_anew = back_to_commit

    def rebalance(self) -> None:
        """Continue, because the connector is reachable again."""
        self.wake()

"""The SQLite database of each service, and the transactions in which handlers use it, one at a time."""

import re
import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import Misuse, SaveFailed, listed, shown
from ..model import Envelope
from .faults import action_of
from .steps import WIDTH

if TYPE_CHECKING:
    from .capture import Capturing
    from .execution import Execution

_SHAPING = {*range(sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_DROP_VIEW + 1)}
_SHAPING = _SHAPING - {sqlite3.SQLITE_DELETE} | {sqlite3.SQLITE_ALTER_TABLE}
# A statement that would end the transaction, even after a comment.
_ENDING = re.compile(
    r"(?:[\s;]|--[^\n]*(?:\n|$)|/\*.*?\*/)*(?:begin|commit|end|rollback|savepoint|release)\b",
    re.I | re.S,
)
Rows = dict[str, list[tuple]]  # by table
Statement = tuple[str, str, Any]  # a method of the connection, SQL, parameters
_PROBE, _MOST_PROBES = 1_000_000, 50  # instructions between two probes, and probes in a transaction


class Database:
    """A service's database: durable, shared by its replicas, made when first used."""

    def __init__(self, service: str, schema: str):
        self.service, self.schema = service, schema
        self.inserted: set[str] = set()  # tables for which an insert was compiled
        self.shaped = False  # a table was made, changed or dropped since the transaction began
        self.probes = 0
        self.capture: Capturing | None = None  # is called after each save
        self._only_read = False
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        if schema:
            _made(schema).backup(connection)
        # Numbers of saves in the journal -> their statements.
        self.saves: dict[int, list[Statement]] = {}
        self.use(connection)

    def use(self, connection: sqlite3.Connection) -> None:
        """Use this connection from now on."""
        self.connection = connection
        connection.set_authorizer(self._authorize)
        connection.set_progress_handler(self._interrupts, _PROBE)
        if self.capture is not None:
            self.capture.watch()

    def _authorize(self, action: int, table: str | None, *_: object) -> int:
        """Allow every action. Record which tables are inserted into, and whether the schema changes."""
        if action == sqlite3.SQLITE_INSERT and table and not table.startswith("sqlite_"):
            self.inserted.add(table)
        elif action in _SHAPING:
            self.shaped = True
        return sqlite3.SQLITE_OK

    def _interrupts(self) -> bool:
        self.probes += 1
        return self.probes > _MOST_PROBES

    def tables(self) -> list[str]:
        """The names of its tables."""
        sql = "select name from sqlite_master where type = 'table' order by rowid"
        names = [name for (name,) in self.connection.execute(sql)]
        return [name for name in names if not name.startswith("sqlite_")]

    def read(self) -> Rows:
        """All rows, by table."""
        return {table: self.rows_of(table) for table in self.tables()}

    def rows_of(self, table: str, most: int = -1) -> list[tuple]:
        """The rows of a table, at most `most` of them."""
        name = table.replace('"', '""')
        return self.connection.execute(f'select * from "{name}" limit {most}').fetchall()

    def readable(self) -> sqlite3.Connection:
        """The connection, read-only from now on, because code that reads a run must not change it."""
        if not self._only_read:
            self.connection.execute("pragma query_only = on")
            self.connection.set_progress_handler(None, 0)
            self._only_read = True
        return self.connection

    def rows(self, sql: str, parameters: tuple = ()) -> list[tuple]:
        """The rows that a `select` finds. Raises SQLite's error, with the tables that exist."""
        if not isinstance(sql, str):
            raise Misuse(f"rows takes a select as a text, not {shown(sql)}")
        try:
            return self.readable().execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            if "readonly" in str(error):
                what = f"rows only reads, and {shown(sql)} would change {self.service}'s database"
                raise Misuse(f"{what}; give it a select") from None
            self.explain(error, parameters)
            raise

    def explain(self, error: sqlite3.Error, parameters: object) -> None:
        """Add to SQLite's error what exists, or what to do, if its text does not say so."""
        text = str(error)
        if isinstance(parameters, str):
            hint = f" The parameters are a tuple: ({parameters!r},)"
        elif "is not supported" in text:
            hint = "; store its fields, or str() of it"
        elif isinstance(error, sqlite3.IntegrityError) or "bindings" in text:
            return
        else:
            tables = [f"{name}({', '.join(self.columns(name))})" for name in self.tables()]
            hint = f"; tables of {self.service}: {listed(tables) if tables else 'none, give the service a schema='}"
        error.args = (text + hint, *error.args[1:])

    def migrate(self, script: str, step: int) -> None:
        """Run SQL statements in one transaction, recorded as the save of a step. Raises Misuse if a statement fails."""
        statements, statement, self.probes = [], "", 0
        self.connection.execute("begin immediate")
        try:
            for part in script.split(";"):
                statement += part + ";"
                if sqlite3.complete_statement(statement):  # and not a ; in a text or a trigger
                    self.connection.execute(statement)
                    statements.append(("execute", statement, ()))
                    statement = ""
            if statement.strip(" \n;"):
                self.connection.execute(statement)
            self.connection.execute("commit")
        except sqlite3.Error as error:
            if self.connection.in_transaction:
                self.connection.execute("rollback")
            self.explain(error, ())
            what = f"SQLite cannot run the migration of {self.service}"
            raise Misuse(f"{what} ({error}): {shown((statement or script).strip())}") from None
        self.saves[step] = statements
        if self.capture is not None:
            self.capture.append(f"the migration of {self.service}")
            self.capture.watch()  # the table may be another one now

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns."""
        sql = "select name from pragma_table_info(?)"
        return [name for (name,) in self.connection.execute(sql, (table,))]


@lru_cache(maxsize=64)
def _made(schema: str) -> sqlite3.Connection:
    """An empty database with this schema. Copying it takes a tenth of the time of making a new one for every run."""
    template = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    template.executescript(schema)
    return template


class Transaction:
    """`with ctx.database as db`: BEGIN IMMEDIATE, then COMMIT at the end (the `save` point, if something was written) or
    ROLLBACK on an exception."""

    __slots__ = ("_changes", "_database", "_execution", "_statements")

    def __init__(self, database: Database, execution: "Execution"):
        self._database, self._execution = database, execution

    def __enter__(self) -> "Transaction":
        execution, database = self._execution, self._database
        execution.check_alive()
        if execution.transaction is not None:
            what = "opens a transaction inside another; end the first `with ctx.database`"
            raise execution.refuse(what)
        database.connection.execute("begin immediate")
        self._changes = database.connection.total_changes
        self._statements: list[Statement] = []
        database.shaped, database.probes = False, 0
        execution.transaction = self
        return self

    def __exit__(self, kind: type | None, error: object, trace: object) -> None:
        execution, database = self._execution, self._database
        if execution.transaction is not self:
            return
        execution.transaction = None
        connection = database.connection
        if kind is not None or execution.dead:
            if connection.in_transaction:  # SQLite itself has rolled back what it interrupted
                connection.execute("rollback")
            if database.probes > _MOST_PROBES:
                statement = f"an SQL statement of {execution.where()}"
                execution.world.endless(f"{statement} runs for ever; make it end")
            return
        wrote = database.shaped or connection.total_changes != self._changes
        fault = execution.reach("save") if wrote else None
        if fault is None:
            try:
                connection.execute("commit")
            except sqlite3.Error:  # a deferred constraint
                connection.execute("rollback")
                raise
            if wrote:  # the last step of the record is this save
                save = len(execution.world.record) // WIDTH - 1
                database.saves[save] = self._statements
                if database.capture is not None:
                    database.capture.append(execution.where())
            return
        connection.execute("rollback")
        if action_of(fault, "crash", "fail") == "fail":
            raise SaveFailed(f"{fault}: nothing was saved")
        execution.crash(fault)

    def execute(self, sql: str, parameters: object = ()) -> sqlite3.Cursor:
        """Run one SQL statement in the transaction, as `sqlite3.Connection.execute`."""
        return self._run("execute", sql, _own(parameters))

    def executemany(self, sql: str, parameters: Iterable) -> sqlite3.Cursor:
        """Run one SQL statement for each row of parameters, as `sqlite3.Connection.executemany`."""
        return self._run("executemany", sql, [_own(row) for row in parameters])

    def _run(self, method: str, sql: str, parameters: Any) -> sqlite3.Cursor:
        """Run a statement, and store it. Nobody else can change its parameters."""
        execution = self._execution
        execution.check_alive()
        if execution.transaction is not self:
            around = "write `with ctx.database as db:` around it"
            raise execution.refuse(f"calls database.{method} outside a transaction; {around}")
        if not isinstance(sql, str):
            raise TypeError(f"{method} takes SQL as a text, not {shown(sql)}")
        does = _does(sql)
        if does == "ends":
            self._refuse_end()
        if does == "writes":
            self._statements.append((method, sql, parameters))
        try:
            return getattr(self._database.connection, method)(sql, parameters)
        except sqlite3.Error as error:
            self._database.explain(error, parameters)
            raise

    @property
    def now(self) -> float:
        """Seconds since the run began, by the clock of this service."""
        return self._execution.replica.service.clock / 1000

    @property
    def message(self) -> Envelope | None:
        """The envelope of the message being handled; None in a tick."""
        envelope = self._execution.envelope
        return envelope if envelope.data is not None else None

    def _refuse_end(self, *_: object) -> NoReturn:
        by = "`with ctx.database as db:` commits at its end and rolls back on an exception"
        raise self._execution.refuse(f"ends a transaction by hand; {by}")

    commit = rollback = executescript = _refuse_end

    def __repr__(self) -> str:
        return f"<database of {self._database.service}: {', '.join(self._database.tables()) or 'no tables'}>"


@lru_cache(maxsize=256)  # handlers run the same few statements again and again
def _does(sql: str) -> str:
    """What a statement does: it "ends" the transaction, "reads" or "writes"."""
    if _ENDING.match(sql):
        return "ends"
    return "reads" if sql.lstrip()[:6].lower() == "select" else "writes"


def _own(parameters: object) -> object:
    return parameters.copy() if isinstance(parameters, list | dict) else parameters

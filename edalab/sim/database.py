"""Each service has a real SQLite database of its own, and a handler works in it through one transaction at a time."""

import sqlite3
from collections import Counter
from functools import lru_cache

from ..errors import Misuse, SaveFailed, listed, shown
from .faults import action_of

_SHAPING = {
    *range(sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_CREATE_VIEW + 1),
    sqlite3.SQLITE_ALTER_TABLE,
}
_SHAPING |= set(range(sqlite3.SQLITE_DROP_INDEX, sqlite3.SQLITE_DROP_VIEW + 1))
_LOOK, _MOST = 1_000_000, 50  # instructions between two looks, and looks in one transaction
_ENDING = (sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT)


class Database:
    """A service's database: durable, shared by its replicas, made when first used."""

    def __init__(self, service: str, schema: str):
        self.service, self.schema = service, schema
        self.inserted: set[str] = set()  # tables a statement to insert into was compiled for
        self.shaped = False  # a table was made, changed or dropped since the transaction began
        self._ours = self._only_read = False
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        if schema:
            _made(schema).backup(self.connection)
        self.contents: dict[str, list[tuple]] = {}  # as they were when `changes` was last asked
        self._selects: dict[str, str] | None = None
        self.connection.set_authorizer(self._authorize)
        self.looks = 0
        self.connection.set_progress_handler(self._goes_on, _LOOK)

    def _authorize(self, action: int, first: str | None, *_) -> int:
        if action == sqlite3.SQLITE_INSERT and first and not first.startswith("sqlite_"):
            self.inserted.add(first)
        elif action in _SHAPING:
            self.shaped = True
        return sqlite3.SQLITE_DENY if action in _ENDING and not self._ours else sqlite3.SQLITE_OK

    def _goes_on(self) -> bool:
        self.looks += 1
        return self.looks > _MOST  # interrupts the statement

    def transact(self, words: str) -> None:
        """Begin or end a transaction, as `with` alone may. The words have two blanks: SQLite keeps compiled statements by
        their text, and one that was allowed here must not be found again by a learner's `commit`."""
        self._ours = True
        try:
            self.connection.execute(words.replace(" ", "  "))
        finally:
            self._ours = False

    def tables(self) -> list[str]:
        """The names of its tables."""
        rows = self.connection.execute(
            "select name from sqlite_master where type = 'table' order by rowid"
        )
        return [name for (name,) in rows if not name.startswith("sqlite_")]

    def changes(self) -> dict[str, list[tuple]]:
        """The rows that are new or gone since this was last asked, by table. Only where something changed."""
        before, self.contents = self.contents, self.read()
        found = {}
        for table, new in self.contents.items():
            if rows := _difference(before.pop(table, []), new):
                found[table] = rows
        return found | {table: rows for table, rows in before.items() if rows}  # of dropped tables

    def keep_contents(self) -> None:
        """Remember the rows that there are before the first transaction."""
        self.contents = dict(_initial_contents(self.schema))

    def read(self) -> dict[str, list[tuple]]:
        """All rows, by table."""
        if self._selects is None or self.shaped:
            quoted = {table: table.replace('"', '""') for table in self.tables()}
            self._selects = {table: f'select * from "{name}"' for table, name in quoted.items()}
        execute = self.connection.execute
        return {table: execute(sql).fetchall() for table, sql in self._selects.items()}

    def readable(self) -> sqlite3.Connection:
        """The connection, no longer to be written to: whoever looks at a run must not change it."""
        if not self._only_read:
            self.connection.execute("pragma query_only = on")
            self.connection.set_progress_handler(None, 0)
            self._only_read = True
        return self.connection

    def rows(self, sql: str, parameters: tuple = ()) -> list[tuple]:
        """What a `select` finds. Raises the error of SQLite with the tables there are."""
        if not isinstance(sql, str):
            raise Misuse(f"rows takes a select as a text, not {shown(sql)}")
        try:
            return self._told(self.readable().execute, sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if "readonly" not in str(error):
                raise
            what = f"rows only reads, and {shown(sql)} would change {self.service}'s database; give it a select"
            raise Misuse(what) from None

    def _told(self, execute, sql: str, parameters) -> sqlite3.Cursor:
        try:
            return execute(sql, parameters)
        except sqlite3.Error as error:
            if "not authorized" in str(error):
                raise Misuse(
                    f"{self.service}'s database: {sql.split()[0]!r} is not yours to run; `with ctx.database as db:` begins, "
                    "commits at its end and rolls back on an exception"
                ) from None
            error.args = (f"{error}{self._hint(error, parameters)}", *error.args[1:])
            raise

    def _hint(self, error: sqlite3.Error, parameters: object) -> str:
        """What there is, or what to do, where SQLite's own words do not say it."""
        if isinstance(error, sqlite3.IntegrityError):
            return ""
        if isinstance(parameters, str):
            return f" The parameters are a tuple: ({parameters!r},)"
        if "is not supported" in str(error):
            return "; store its fields, or str() of it"
        if "bindings" in str(error):
            return ""
        tables = [f"{name}({', '.join(self._columns(name))})" for name in self.tables()]
        return f"; tables of {self.service}: {listed(tables) if tables else 'none, give the service a schema='}"

    def _columns(self, table: str) -> list[str]:
        sql = "select name from pragma_table_info(?)"
        return [name for (name,) in self.connection.execute(sql, (table,))]


@lru_cache(maxsize=64)
def _made(schema: str) -> sqlite3.Connection:
    """An empty database of this schema. To copy it takes a tenth of the time of making it anew, which every run would."""
    template = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    template.executescript(schema)
    return template


def _difference(old: list[tuple], new: list[tuple]) -> list[tuple]:
    """The rows that only one of two tables has, whatever their order."""
    if new[: len(old)] == old:  # most often rows were added, or none was
        return new[len(old) :]
    before, after = Counter(old), Counter(new)
    return [*(before - after).elements(), *(after - before).elements()]


@lru_cache(maxsize=64)
def _initial_contents(schema: str) -> dict[str, list[tuple]]:
    """The rows that a schema itself inserts, by table."""
    return Database("", schema).read()


class Transaction:
    """`with ctx.database as db`: BEGIN IMMEDIATE, then COMMIT at the end (the `save` point, if something was written) or
    ROLLBACK on an exception."""

    __slots__ = ("_database", "_execution", "_changes")

    def __init__(self, database: Database, execution):
        self._database, self._execution = database, execution

    def __enter__(self) -> "Transaction":
        execution = self._execution
        execution.check_alive()
        if execution.transaction is not None:
            raise execution.refuse(
                "opens a transaction inside another; one `with ctx.database` at a time"
            )
        connection = self._database.connection
        self._database.transact("begin immediate")
        self._changes = connection.total_changes
        self._database.shaped, self._database.looks = False, 0
        execution.transaction = self
        return self

    def __exit__(self, kind, error, trace) -> bool:
        execution, connection = self._execution, self._database.connection
        if execution.transaction is not self:
            return False
        execution.transaction = None
        if kind is not None or execution.dead:
            if connection.in_transaction:  # SQLite itself has rolled back what it interrupted
                self._database.transact("rollback ")
            if self._database.looks > _MOST:
                execution.world.endless(
                    f"a statement in SQL of {execution.where()} goes on and on; let it find an end"
                )
            return False
        wrote = self._database.shaped or connection.total_changes != self._changes
        fault = execution.reach("save") if wrote else None
        if fault is None:
            try:
                self._database.transact("commit ")
            except sqlite3.Error:  # a deferred constraint
                self._database.transact("rollback ")
                raise
            if execution.world.changes is not None and wrote:
                execution.world.keep_changes(self._database)
            return False
        self._database.transact("rollback ")
        if action_of(fault, "crash", "fail") == "fail":
            raise SaveFailed(f"{fault}: nothing was saved")
        execution.crash(fault)  # raises
        return False

    def execute(self, sql: str, parameters: object = ()) -> sqlite3.Cursor:
        """Run one SQL statement in the transaction, as `sqlite3.Connection.execute`."""
        self._check_open("execute")
        return self._database._told(self._database.connection.execute, sql, parameters)

    def executemany(self, sql: str, parameters: object) -> sqlite3.Cursor:
        """Run one SQL statement for each row of parameters, as `sqlite3.Connection.executemany`."""
        self._check_open("executemany")
        return self._database._told(self._database.connection.executemany, sql, parameters)

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return self._execution.world.now / 1000

    @property
    def message(self):
        """The envelope of the message being handled; None in a tick."""
        envelope = self._execution.envelope
        return envelope if envelope.data is not None else None

    def _check_open(self, word: str) -> None:
        self._execution.check_alive()
        if self._execution.transaction is not self:
            raise self._execution.refuse(
                f"calls database.{word} outside a transaction; write `with ctx.database as db:` around it"
            )

    def _refused(self, *_):
        raise self._execution.refuse(
            "ends or scripts a transaction by hand; `with ctx.database as db:` commits at its end and rolls back on an exception"
        )

    commit = rollback = executescript = _refused

    def _by_with(self, *_):
        raise self._execution.refuse(
            "opens the database in another way; write `with ctx.database as db:`"
        )

    __call__ = __aenter__ = __aexit__ = __await__ = _by_with

    def __repr__(self) -> str:
        return f"<database of {self._database.service}: {', '.join(self._database.tables()) or 'no tables'}>"

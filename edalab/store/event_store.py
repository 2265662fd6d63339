"""An append-only store of events in streams. A wrong fact is corrected by a further fact."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConcurrencyError, Misuse, counted, shown
from ..model import Event, Message
from . import append
from .fold import check_fold, replay
from .schema import Database
from .snapshots import fold_name, save_snapshot
from .stored_event import StoredEvent, is_text, to_row
from .temporal import (
    PAIR,
    Difference,
    Question,
    check_number,
    check_stream,
    last_number,
    pair,
    stream_names,
)

if TYPE_CHECKING:
    import pandas

_MOVE = """insert into stored_checkpoints select ?, ?
    where ? = (select ifnull(max(position), 0) from stored_checkpoints where name = ?)
    on conflict (name) do update set position = excluded.position"""


class EventStore:
    """Streams of events in a SQLite database.

    `place` is the path of a file (created if there is none), `":memory:"`, a sqlite3 connection,
    or, in a handler, the `db` of `with ctx.database as db`. The store then shares its transaction.

        store = EventStore("bank.db")
        store.append("account-7", [MoneyDeposited(amount=100)], recorded="2026-03-03")
        store.state("account-7", lambda total, fact: total + fact.event.amount, 0)    # 100

    Every event has two times: when it happened (valid time) and when it was recorded. A time is a
    datetime with a time zone, a date, ISO text, or a number of seconds of virtual time. A date as a
    bound (`until=`, `as_of=`) means the end of that day, UTC.

    Invalid arguments raise Misuse, which says what to write instead."""

    def __init__(self, place: "str | Path | Any"):
        self.notes: list[str] = []  # remarks of `read_table` or `read_git` on their input
        self.refused: pandas.DataFrame | None = None  # the rows that `read_table` could not read
        self._database = Database(place)

    @property
    def connection(self) -> Any:
        """The connection to the database."""
        return self._database.connection

    def append(
        self,
        stream: str,
        events: Iterable[Event],
        expected_version: int | None = None,
        *,
        happened: Any = None,
        recorded: Any = None,
        ids: Iterable[str] | None = None,
    ) -> int:
        """Append events to a stream, all or none, and return its new version. Versions begin at 1.

        `expected_version` is the version that the decision was based on: 0 for a new stream, None
        for any. If the stream has another version, ConcurrencyError reports both sides.
        `happened` is one time, or a list with one for each event. The default is `recorded`.
        `recorded` is the time at which the store learns of the events. In a simulation, the default
        is the service's current time; elsewhere it is required. In one store it never goes back.
        `ids` are the events' own ids, each unique in the store. A second one raises Misuse."""
        check_stream(stream, all_streams=False)
        if not isinstance(events, Iterable) or isinstance(events, str | dict | Message):
            call = f"store.append({stream!r}, [{shown(events)}])"
            raise Misuse(f"append takes a list of events: {call}")
        events = list(events)
        rows = list(map(to_row, events))
        if expected_version is not None:
            what = "expected_version= takes a version: 0 for a new stream, None for any"
            check_number(expected_version, what)
        times = append.EventTimes(happened, recorded, self.connection, len(rows))
        texts = None if ids is None else append.listed_ids(ids, len(rows))
        with self._database.transaction() as db:
            end = append.end_of(db, stream)
            if expected_version is not None and expected_version != end.version:
                behind = expected_version < end.version
                theirs = self.read(stream, after=expected_version) if behind else []
                raise ConcurrencyError(stream, expected_version, end.version, theirs, events)
            append.insert(db, end, rows, times, texts)
        return end.version + len(rows)

    def read(
        self, stream: str | None = None, after: int = 0, until: Any = None, as_of: Any = None
    ) -> list[StoredEvent]:
        """The events of a stream after the version `after`, by version. Without a stream, the
        events of all streams after the position `after`, in the order in which they were stored.

        `until` selects events that happened at that time or before, `as_of` those that were
        recorded at that time or before."""
        check_number(after, "after= takes a version, or without a stream a position")
        return Question(self._database, stream, until, as_of).read(after)

    def version(self, stream: str) -> int:
        """The version of a stream's last event, or 0 if it has no events."""
        check_stream(stream, all_streams=False)
        return last_number(self._database, stream)

    def streams(self) -> list[str]:
        """The names of the streams, in the order in which they began."""
        return stream_names(self._database)

    def __len__(self) -> int:
        return last_number(self._database, None)

    def state(
        self,
        stream: str | None,
        fold: Callable,
        start: Any = None,
        until: Any = None,
        as_of: Any = None,
    ) -> Any:
        """The state that results from folding the events of a stream (None: of all streams).

        `fold(state, fact)` returns the next state; `fact` is a StoredEvent, `fact.event` your
        event. The fold begins with a copy of `start` and receives the events in the order in which
        they happened. `until` selects the state at that time, `as_of` the state as it was known at
        that time. A stream without events has the state `start`.

            store.state("account-7", balance, 0, until="2026-03-15", as_of="2026-03-22")"""
        question = Question(self._database, stream, until, as_of)
        last = question.last_snapshot(fold, start)
        with closing(question.facts(last)) as facts:  # left open, they would keep the file locked
            return replay(fold, last.state_or(start), facts, start)

    def snapshot(
        self, stream: str, fold: Callable, start: Any = None, until: Any = None, as_of: Any = None
    ) -> Any:
        """Save a state as JSON and return it. Later calls of `state` continue from it.

        A snapshot never changes an answer. It is used for the same fold only, which is recognised
        by its code and by the `repr` of the values that the code names. A change that shows in
        neither is not noticed. It is not used where an event appended later makes a difference."""
        check_stream(stream, all_streams=False)
        question = Question(self._database, stream, until, as_of)
        last, name = question.last_snapshot(fold, start), fold_name(fold, start)
        facts = list(question.facts(last))
        state = replay(fold, last.state_or(start), facts, start)
        if facts:
            new = last.extended(facts, state)
            save_snapshot(self._database, stream, name, new, question.known)
        return state

    def table(
        self,
        stream: str | None = None,
        fold: Callable | None = None,
        start: Any = None,
        until: Any = None,
        as_of: Any = None,
    ) -> "pandas.DataFrame":
        """A DataFrame of the events that lead to a state, in the order in which they happened. Its
        columns are position, stream, version, type, happened, recorded, the fields of the data and,
        with a fold, the state after each event. The arguments are those of `state`."""
        question = Question(self._database, stream, until, as_of)
        question.check_exists()
        table = question.table()
        if fold is not None:
            check_fold(fold)
            state, states = deepcopy(start), []
            for fact in question.facts():
                state = replay(fold, state, [fact], start)
                states.append(deepcopy(state))
            table["state"] = states
        return table

    def difference(
        self,
        stream: str | None,
        fold: Callable,
        start: Any = None,
        until: Any = None,
        as_of: Any = None,
    ) -> Difference:
        """The difference between two moments: the states `.before` and `.after`, and the events
        that `.came` and `.went`. `until` or `as_of` (or both) is a pair, the earlier moment first.

            store.difference("account-7", balance, 0, until="2026-03-22", as_of=("2026-03-24", None))"""
        if not any(isinstance(bound, tuple | list) for bound in (until, as_of)):
            raise Misuse(PAIR)
        check_fold(fold)
        bounds = zip(pair(until), pair(as_of), strict=True)
        earlier, later = (Question(self._database, stream, *moment) for moment in bounds)
        later.check_exists()
        before, after = list(earlier.facts()), list(later.facts())
        was, now = (replay(fold, deepcopy(start), facts, start) for facts in (before, after))
        old, new = set(before), set(after)
        came = [fact for fact in after if fact not in old]
        went = [fact for fact in before if fact not in new]
        return Difference(was, now, came, went)

    def follow(self, name: str) -> Iterator[StoredEvent]:
        """A catch-up subscription: the events of all streams that the reader with this name has not
        seen yet, in the order in which they were stored.

        The reader's checkpoint moves past an event when the loop requests the next one, within the
        transaction that is open. So an event whose handling did not finish is delivered again.
        Raises Misuse if another loop has moved the checkpoint: of several loops with one name, only
        one can continue."""
        seen = self.checkpoint(name)
        while facts := self.read(after=seen):
            for fact in facts:
                yield fact
                with self._database.transaction() as db:
                    if not db.execute(_MOVE, (name, fact.position, seen, name)).rowcount:
                        raise Misuse(
                            f"the checkpoint of {name!r} is at {self.checkpoint(name)}, and this "
                            f"loop left it at {seen}: another loop uses that name, or a transaction "
                            "of this one was rolled back; give each loop a name of its own, and "
                            "begin the loop again after a rollback"
                        )
                seen = fact.position

    def checkpoint(self, name: str) -> int:
        """The position of the last event that a reader has seen, or 0 if it has seen none."""
        if not is_text(name):
            what = "a reader has a name, such as 'balances', under which its checkpoint is kept"
            raise Misuse(f"{what}, not {shown(name)}")
        sql = "select position from stored_checkpoints where name = ?"
        return self._database.value(sql, name) or 0

    def lag(self, name: str) -> int:
        """The number of events that a reader has not seen yet."""
        return len(self) - self.checkpoint(name)

    def close(self) -> None:
        """Close the file. A connection that was passed in stays open."""
        if self._database.is_file:
            self.connection.close()

    def __enter__(self) -> "EventStore":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            sql = "select count(*) from stored_events where version = 1"
            streams = counted(self._database.value(sql) or 0, "stream")
            content = f"{counted(len(self), 'event')} in {streams}"
        except Misuse as misuse:
            content = str(misuse)
        return "<EventStore: " + "; ".join([content, *self.notes]) + ">"

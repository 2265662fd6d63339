"""An event store keeps events in streams and forgets nothing: a fact is corrected by another fact."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConcurrencyError, Misuse, counted, needed_for, shown
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

    `place` is the path of a file (made where there is none), `":memory:"`, a sqlite3 connection,
    or, in a handler, the `db` of `with ctx.database as db`: the store then shares its transaction.

        store = EventStore("bank.db")
        store.append("account-7", [MoneyDeposited(amount=100)], recorded="2026-03-03")
        store.state("account-7", lambda total, fact: total + fact.event.amount, 0)    # 100

    Every event has two times: when it happened (valid time) and when it was recorded. A time is a
    datetime with a time zone, a date or ISO text, or a number: seconds of virtual time. A date
    that bounds a question (`until=`, `as_of=`) means the end of that day, UTC.

    What cannot be meant raises Misuse, with what to write instead."""

    def __init__(self, place: "str | Path | Any"):
        self.notes: list[str] = []  # remarks of `read_table` or `read_git` on what they read
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
        for any. Where the stream is at another, ConcurrencyError shows both sides.
        `happened` is one time, or a list with one for each event; by default `recorded`.
        `recorded` is the time at which the store learns of the events. In a simulation it is the
        service's now; elsewhere it must be given. In one store it never goes back.
        `ids` are ids of the events' own, each unique in the store; a second one raises Misuse."""
        check_stream(stream, all_streams=False)
        if not isinstance(events, Iterable) or isinstance(events, str | dict | Message):
            call = f"store.append({stream!r}, [{shown(events)}])"
            raise Misuse(f"append takes a list of events: {call}")
        events = list(events)
        rows = list(map(to_row, events))
        if expected_version is not None:
            what = "expected_version= takes a version: 0 for a new stream, None for any"
            check_number(expected_version, what)
        moments = append.Moments(happened, recorded, self.connection, len(rows))
        texts = None if ids is None else append.listed_ids(ids, len(rows))
        with self._database.transaction() as db:
            end = append.end_of(db, stream)
            if expected_version is not None and expected_version != end.version:
                behind = expected_version < end.version
                theirs = self.read(stream, after=expected_version) if behind else []
                raise ConcurrencyError(stream, expected_version, end.version, theirs, events)
            append.insert(db, end, rows, moments, texts)
        return end.version + len(rows)

    def read(
        self, stream: str | None = None, after: int = 0, until: Any = None, as_of: Any = None
    ) -> list[StoredEvent]:
        """The events of a stream behind the version `after`, by version; or, without a stream,
        those of all streams behind the position `after`, in the order in which they were stored.

        `until`: only what happened at that time or before. `as_of`: only what was recorded at that
        time or before."""
        check_number(after, "after= takes a version, or without a stream a position")
        return Question(self._database, stream, until, as_of).read(after)

    def version(self, stream: str) -> int:
        """The version of a stream: that of its last event, 0 where there is none."""
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
        """The state that the events of a stream lead to (None: those of all streams).

        `fold(state, fact)` returns the next state; `fact` is a StoredEvent, `fact.event` your
        event. It begins with a copy of `start` and is given the events in the order in which they
        happened. `until`: the state at that time; `as_of`: as it was known at that time. A stream
        that nobody has written to yet is at its start.

            store.state("account-7", balance, 0, until="2026-03-15", as_of="2026-03-22")"""
        question = Question(self._database, stream, until, as_of)
        last = question.last_snapshot(fold, start)
        with closing(question.facts(last)) as facts:  # left open, they would keep the file locked
            return replay(fold, last.state_or(start), facts, start)

    def snapshot(
        self, stream: str, fold: Callable, start: Any = None, until: Any = None, as_of: Any = None
    ) -> Any:
        """Keep a state, as JSON, and return it: later states are computed from there on.

        A snapshot never changes an answer. It serves the same fold only, known by its code and
        by the `repr` of the values that this names; a change that shows in neither goes unnoticed.
        It serves no question to which a later event makes a difference."""
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
        """The events that lead to a state, in the order in which they happened, as a DataFrame:
        position, stream, version, type, happened, recorded and the fields of the data; with a
        fold, the state after each. The arguments are those of `state`."""
        with needed_for("EventStore.table"):
            import pandas  # noqa: F401
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
        """What differs between two moments, of which `until` or `as_of` (or both) is a pair: the
        states `.before` and `.after`, and the events that `.came` and `.went`.

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
        """The events of all streams that the reader of this name has not seen yet, in the order in
        which they were stored: a catch-up subscription.

        The reader's checkpoint moves past an event when the loop asks for the next one, within the
        transaction that is open; so an event whose handling was not finished comes again. Raises
        Misuse where another loop has moved the checkpoint: of several under one name only one goes
        on."""
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
        """The position of the last event that a reader has seen, 0 at first."""
        if not is_text(name):
            what = "a reader has a name, such as 'balances', under which its checkpoint is kept"
            raise Misuse(f"{what}, not {shown(name)}")
        sql = "select position from stored_checkpoints where name = ?"
        return self._database.value(sql, name) or 0

    def lag(self, name: str) -> int:
        """How many events a reader has not seen yet."""
        return len(self) - self.checkpoint(name)

    def close(self) -> None:
        """Close the file. A connection that was given stays open."""
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

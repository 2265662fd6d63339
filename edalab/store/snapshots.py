"""A snapshot is a state kept at a version, from which a replay goes on; it never changes an answer."""

import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from types import FunctionType
from typing import Any, NamedTuple

from ..errors import Misuse, shown
from .fold import fingerprint
from .schema import Database
from .stored_event import StoredEvent, declared

FOREVER = 2**63 - 1  # the largest number that SQLite keeps

_FIND = """select happened, version, events, since, classes, state from stored_snapshots
    where stream = ? and fold = ? and happened <= ? and since <= ? and overtaken > ?
    order by happened desc, version desc"""
_ANY = "select 1 from stored_snapshots where stream = ? limit 1"
_LATER = """select min(version) from stored_events
    where stream = ? and version > ? and (happened, version) < (?, ?)"""
_OVERTAKE = """update stored_snapshots set overtaken = ?
    where stream = ? and happened > ? and overtaken > ?"""


class Snapshot(NamedTuple):
    """A kept state: `happened` and `version` of its last event, the number of its `events`, the
    highest version among them (`since`), and as JSON the fingerprints of their classes and the
    state itself. Without a state it stands for the time before the first event."""

    happened: int = -FOREVER
    version: int = 0
    events: int = 0
    since: int = 0
    classes: str = "{}"
    state: str | None = None

    def state_or(self, start: Any) -> Any:
        """The kept state, or a copy of the start."""
        return deepcopy(start) if self.state is None else json.loads(self.state)


def find_snapshot(
    database: Database, stream: str | None, fold: Callable, start: Any, until: int, known: int
) -> Snapshot:
    """The last snapshot of this fold that ends at `until` (µs since 1970) or before, and holds
    just the events up to version `known`; or the empty one."""
    if database.value(_ANY, stream):
        outdated: set[str] = set()  # classes that are declared in another way now
        try:
            values = stream, fold_name(fold, start), until, known, known
            for snapshot in map(Snapshot._make, database.rows(_FIND, values)):
                if snapshot.classes in outdated:
                    continue
                if snapshot.classes == _fingerprints(json.loads(snapshot.classes)):
                    return snapshot
                outdated.add(snapshot.classes)
        except Misuse:  # this fold may have changed unseen
            pass
    return Snapshot()


def save_snapshot(
    database: Database,
    stream: str,
    name: str,
    last: Snapshot,
    facts: list[StoredEvent],
    state: Any,
    known: int,
) -> None:
    """Keep the state that `facts` lead to from the `last` snapshot on. `known` is the last version
    of the stream that was read: an event behind it may belong before the end of these."""
    end, since = facts[-1], max(last.since, *(fact.version for fact in facts))
    classes = _fingerprints({*json.loads(last.classes), *(fact.type for fact in facts)})
    mark = end.happened_at, end.version, last.events + len(facts), since
    row = stream, name, *mark, classes, _as_json(state)
    with database.transaction() as db:
        overtaken = database.value(_LATER, stream, known, end.happened_at, end.version)
        marks = ", ".join("?" * 9)
        db.execute(f"insert into stored_snapshots values ({marks})", (*row, overtaken or FOREVER))


def overtake(db, stream: str, version: int, happened: int) -> None:
    """Note that a new event happened before the end of some snapshots: from this version on these
    serve only questions about earlier knowledge."""
    db.execute(_OVERTAKE, (version, stream, happened, version))


def fold_name(fold: Callable, start: Any) -> str:
    """The name of a fold with a hash of what it computes and begins with."""
    if not isinstance(fold, FunctionType):
        what = "a snapshot is kept for a function, known again by its code"
        raise Misuse(f"{what}; {shown(fold)} is none")
    return f"{fold.__name__} {fingerprint(fold, start)}"


def _fingerprints(types: Iterable[str]) -> str:
    """Of event classes as they are declared now: another class may read an event differently."""
    return json.dumps({name: fingerprint(declared(name)[0]) for name in sorted(types)})


def _as_json(state: Any) -> str:
    try:
        if _is_plain(state, set()):
            return json.dumps(state)
    except (ValueError, RecursionError):  # a number or a nesting without end
        pass
    what = "numbers, texts, lists and dicts with texts as keys, none of which is in it twice"
    raise Misuse(
        f"the state {shown(state)} cannot be kept as JSON and read again as it was; "
        f"build it of {what}"
    )


def _is_plain(value: Any, seen: set[int]) -> bool:
    if type(value) in (list, dict):
        if id(value) in seen:  # read again these would be two, and a fold would change only one
            return False
        seen.add(id(value))
    if type(value) is list:
        return all(_is_plain(part, seen) for part in value)
    if type(value) is dict:
        return all(type(name) is str and _is_plain(part, seen) for name, part in value.items())
    return type(value) in (str, int, float, bool, type(None))

"""A snapshot is a saved state from which a replay can continue. It never changes an answer."""

import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from types import FunctionType
from typing import Any, NamedTuple

from ..errors import Misuse, shown
from .fold import fingerprint
from .schema import Database
from .stored_event import StoredEvent, declaration

FOREVER = 2**63 - 1  # the largest integer in SQLite

_COLUMNS = "happened, version, events, since, classes, state"
_FIND = f"""select {_COLUMNS} from stored_snapshots
    where stream = ? and fold = ? and happened <= ? and since <= ?
    order by happened desc, version desc"""
_ANY = "select 1 from stored_snapshots where stream = ? limit 1"
_SAVE = f"insert into stored_snapshots (stream, fold, {_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?)"
_LATER = """select 1 from stored_events
    where stream = ? and version > ? and (happened, version) < (?, ?) limit 1"""


class Snapshot(NamedTuple):
    """A saved state: `happened` and `version` of its last event, the number of its `events`, the
    highest version among them (`since`), and, as JSON, the fingerprints of their classes and the
    state itself. Without a state, it is the beginning, before the first event."""

    happened: int = -FOREVER
    version: int = 0
    events: int = 0
    since: int = 0
    classes: str = "{}"
    state: str | None = None

    def state_or(self, start: Any) -> Any:
        """The saved state, or a copy of `start`."""
        return deepcopy(start) if self.state is None else json.loads(self.state)

    def extended(self, facts: list[StoredEvent], state: Any) -> "Snapshot":
        """The snapshot after some more facts, which lead to `state`."""
        classes = _fingerprints({*json.loads(self.classes), *(fact.type for fact in facts)})
        since = max(self.since, *(fact.version for fact in facts))
        last, events = facts[-1], self.events + len(facts)
        mark = last.happened_at, last.version
        return Snapshot(*mark, events, since, classes, _as_json(state))


BEGINNING = Snapshot()


def find_snapshot(
    database: Database, stream: str | None, fold: Callable, start: Any, until: int, known: int
) -> Snapshot:
    """The last snapshot of this fold that ends at `until` (µs since 1970) or before and contains
    only events up to version `known`; BEGINNING if there is none."""
    if isinstance(fold, FunctionType) and database.value(_ANY, stream):
        values = stream, fold_name(fold, start), until, known
        for snapshot in map(Snapshot._make, database.rows(_FIND, values)):
            if snapshot.classes == _fingerprints(json.loads(snapshot.classes)):
                return snapshot
    return BEGINNING


def save_snapshot(database: Database, stream: str, name: str, new: Snapshot, known: int) -> None:
    """Save a snapshot, unless an event after `known`, the last version when it was made, happened
    before the snapshot's end."""
    with database.transaction() as db:
        if not database.value(_LATER, stream, known, new.happened, new.version):
            db.execute(_SAVE, (stream, name, *new))


def fold_name(fold: Callable, start: Any) -> str:
    """The name of a fold with a hash of the fold and its start."""
    if not isinstance(fold, FunctionType):
        what = "a snapshot is kept for a function and recognises it by its code"
        raise Misuse(f"{what}; {shown(fold)} is not a function with code")
    return f"{fold.__qualname__} {fingerprint(fold, start)}"


def _fingerprints(types: Iterable[str]) -> str:
    """The fingerprints of event classes as declared now, because another may read differently."""
    classes = {name: declaration(name) for name in sorted(types)}
    return json.dumps({name: fingerprint(found and found[0]) for name, found in classes.items()})


def _as_json(state: Any) -> str:
    try:
        if _is_plain(state, set()):
            return json.dumps(state)
    except (ValueError, RecursionError):  # too many digits, or too many levels
        pass
    what = "numbers, texts, lists and dicts with texts as keys, and use none of them twice"
    raise Misuse(
        f"the state {shown(state)} cannot be kept as JSON and read again as it was; "
        f"build it from {what}"
    )


def _is_plain(value: Any, seen: set[int]) -> bool:
    if type(value) in (list, dict):
        if id(value) in seen:  # read from JSON it would be two, and a fold would change only one
            return False
        seen.add(id(value))
    if type(value) is list:
        return all(_is_plain(part, seen) for part in value)
    if type(value) is dict:
        return all(type(name) is str and _is_plain(part, seen) for name, part in value.items())
    return type(value) in (str, int, float, bool, type(None))

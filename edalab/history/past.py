"""What was, and what was believed: the state of a stream at any moment, by either time, why, and what changed."""

import json
from collections.abc import Callable
from copy import deepcopy
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import Misuse, shown
from .moments import as_datetime, moment
from .stored import COLUMNS, StoredEvent

if TYPE_CHECKING:
    import pandas

    from .store import EventStore

_FOREVER = 2**63 - 1


class Difference(NamedTuple):
    """What differs between two moments: the states, and the events that only the later one (`came`) or only the earlier
    one (`went`) knows."""

    before: Any
    after: Any
    came: list[StoredEvent]
    went: list[StoredEvent]

    def __repr__(self) -> str:
        facts = [f"+ {fact!r}" for fact in self.came] + [f"- {fact!r}" for fact in self.went]
        return "\n".join([f"<Difference: {shown(self.before)} became {shown(self.after)}>", *facts])


def state(store: "EventStore", stream: str | None, fold: Callable, start: Any, until: Any, as_of: Any) -> Any:
    """See EventStore.state."""
    _check(store, stream, fold)
    kept = _kept(store, stream, fold, start, until, as_of)
    if kept is None:
        return _folded(deepcopy(start), fold, _facts(store, stream, until, as_of), start)
    happened, version, text = kept
    return _folded(json.loads(text), fold, _facts(store, stream, until, as_of, (happened, version)), start)


def snapshot(store: "EventStore", stream: str, fold: Callable, start: Any, until: Any, as_of: Any) -> Any:
    """See EventStore.snapshot."""
    _check(store, stream, fold)
    if stream is None:
        raise Misuse("a snapshot is that of one stream; give its name")
    facts = _facts(store, stream, until, as_of)
    found = _folded(deepcopy(start), fold, facts, start)
    if not facts:
        return found
    try:
        text = json.dumps(found)
        lost = json.loads(text) != found
    except (TypeError, ValueError):
        lost = True
    if lost:
        what = "numbers, texts, lists and dicts with texts as keys"
        raise Misuse(f"the state {shown(found)} cannot be kept as JSON and read again as it was; build it of {what}")
    last, since = facts[-1], max(fact.recorded_at for fact in facts)
    later = "select min(recorded) from events where stream = ? and (happened, version) < (?, ?) and recorded > ?"
    known = _bound(as_of, "as_of=")
    overtaken = None if as_of is None else store._value(later, (stream, last.happened_at, last.version, known))
    kept = (stream, _name(fold, start), last.happened_at, last.version, since, overtaken, text)
    with store._transaction():
        store.connection.execute("insert into snapshots values (?, ?, ?, ?, ?, ?, ?)", kept)
    return found


def overtake(store: "EventStore", stream: str, happened: int, recorded: int) -> None:
    """An event came that happened before what some snapshots end with: they serve only questions about earlier knowledge."""
    store.connection.execute(
        "update snapshots set overtaken = ? where stream = ? and happened > ? and overtaken is null", (recorded, stream, happened)
    )


def table(store: "EventStore", stream, fold: Callable | None, start: Any, until: Any, as_of: Any) -> "pandas.DataFrame":
    """See EventStore.table."""
    import pandas

    _check(store, stream, fold)
    facts = _facts(store, stream, until, as_of)
    columns = ["position", "stream", "version", "type", "happened", "recorded"]
    rows = [{name: getattr(fact, name) for name in columns} | fact.data for fact in facts]
    found = pandas.DataFrame(rows, columns=list(dict.fromkeys([*columns, *(name for row in rows for name in row)])))
    if fold is not None:
        now, states = deepcopy(start), []
        for fact in facts:
            now = _folded(now, fold, [fact], start)
            states.append(deepcopy(now))
        found["state"] = states
    return found


def difference(store: "EventStore", stream, fold: Callable, start: Any, until: Any, as_of: Any) -> Difference:
    """See EventStore.difference."""
    if not any(isinstance(bound, tuple | list) and len(bound) == 2 for bound in (until, as_of)):
        raise Misuse("difference takes two moments: until=(the earlier, the later), or as_of=(the earlier, the later)")
    (first, last), (once, now) = (bound if isinstance(bound, tuple | list) else (bound, bound) for bound in (until, as_of))
    before, after = _facts(store, stream, first, once), _facts(store, stream, last, now)
    then, later = {fact.position for fact in before}, {fact.position for fact in after}
    return Difference(
        state(store, stream, fold, start, first, once),
        state(store, stream, fold, start, last, now),
        [fact for fact in after if fact.position not in then],
        [fact for fact in before if fact.position not in later],
    )


def _facts(store: "EventStore", stream: str | None, until: Any, as_of: Any, mark: tuple | None = None) -> list[StoredEvent]:
    """The events in the order they happened, of all streams or of one, there behind a mark (happened, version)."""
    where, values = ("1", []) if stream is None else ("stream = ?", [stream])
    if mark is not None:
        where, values = where + " and (happened, version) > (?, ?)", [*values, *mark]
    for column, what, bound in (("happened", "until=", until), ("recorded", "as_of=", as_of)):
        if bound is not None:
            where, values = f"{where} and {column} <= ?", [*values, _bound(bound, what)]
    return store._select(where, values, "happened, position" if stream is None else "happened, version")


def _kept(store: "EventStore", stream: str | None, fold: Callable, start: Any, until: Any, as_of: Any) -> tuple | None:
    """The last snapshot that ends before the moment asked for and holds just what was known then."""
    if stream is None or not hasattr(fold, "__code__"):
        return None
    sql = """select happened, version, state from snapshots where stream = ? and fold = ? and happened <= ? and since <= ?
        and (overtaken is null or overtaken > ?) order by happened desc, version desc limit 1"""
    known = _bound(as_of, "as_of=")
    values = (stream, _name(fold, start), _bound(until, "until="), known, known)
    return next(iter(store._rows(sql, values)), None)


def _bound(value: Any, what: str) -> int:
    return _FOREVER if value is None else moment(value, what, bound=True)


def _folded(now: Any, fold: Callable, facts: list[StoredEvent], start: Any) -> Any:
    for fact in facts:
        now = fold(now, fact)
        if now is None and start is not None:
            name = getattr(fold, "__name__", "the fold")
            raise Misuse(f"{name} returned None for {fact.stream} version {fact.version}, {fact.said}; return the new state")
    return now


def _check(store: "EventStore", stream: Any, fold: Any) -> None:
    if fold is not None and not callable(fold):
        raise Misuse(f"a fold is a function of a state and a stored event that returns the new state, not {shown(fold)}")
    if stream is not None and not isinstance(stream, str):
        raise Misuse(f"a stream has a name, such as 'account-7', or None stands for all of them, not {shown(stream)}")


def _name(fold: Callable, start: Any) -> str:
    """A fold as its code stands, with what that uses: a snapshot made by other code is none of its own."""
    if not hasattr(fold, "__code__"):
        raise Misuse(f"a snapshot is kept for a function, known again by its code; {shown(fold)} is none")
    digest, ahead, seen = blake2b(repr((start, fold.__defaults__)).encode(), digest_size=8), [fold], set()
    while ahead:
        thing = ahead.pop()
        code = getattr(thing, "__code__", thing)
        if code in seen:
            continue
        seen.add(code)
        digest.update(repr((code.co_code, code.co_names, code.co_varnames)).encode())
        used = [cell.cell_contents for cell in getattr(thing, "__closure__", None) or ()]
        used += [thing.__globals__[name] for name in code.co_names if name in getattr(thing, "__globals__", ())]
        for other in [*used, *code.co_consts]:
            if hasattr(other, "__code__") or hasattr(other, "co_code"):
                ahead.append(other)
            else:
                digest.update(shown(other).encode())
    return f"{fold.__name__} {digest.hexdigest()}"

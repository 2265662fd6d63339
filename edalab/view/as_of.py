"""`as_of(store, stream, fold)`: a state over time, by when events happened and by what was known at each moment."""

from collections.abc import Callable
from decimal import Decimal
from numbers import Real
from typing import Any

from ..errors import Misuse, Unknown, shown
from ..store.bitemporal import Hindsight, Replay
from ..store.event_store import EventStore
from ..store.instants import to_microseconds
from ..store.temporal import check_stream
from .picture import STORE, Picture, check_is
from .scene import WIDTH
from .state_chart import StateChart


def as_of(
    store: EventStore,
    stream: str | None,
    fold: Callable,
    start: Any = None,
    *,
    value: Callable[[Any], Any] | None = None,
    as_of: Any = None,
    cursor: Any = None,
    since: Any = None,
    until: Any = None,
    width: int = WIDTH,
) -> Picture:
    """A picture of the state of a stream over time, or of all streams if `stream` is None.

    One line shows the state by when events happened, as known today or at the time `as_of`. The
    other line shows what was believed at each moment t: `store.state(…, until=t, as_of=t)`. An
    event that was recorded late is marked both where it happened and where it was recorded.

    A state must be a number or None. For any other state, pass `value`, a function of the state.
    `cursor` marks a time. `since` and `until` limit what is drawn, not what is folded, so the
    lines begin at the state after all events before `since`. `width` is in pixels. Raises Misuse
    for an invalid time, and for a `since` that is not before `until`.

        as_of(store, "account-7", balance, 0, cursor="2026-03-22")"""
    check_is("as_of", EventStore, STORE, store)
    drawn = drawn_value(fold, value)
    check_stream(stream)
    facts = store.read(stream)
    if not facts and stream is not None:
        raise Unknown("stream", stream, store.streams())
    part, hindsight = part_of_time(since, until), Hindsight(facts, Replay(fold, start, drawn))
    return Picture(StateChart(hindsight, stream, as_of, cursor, part, width).scene)


def part_of_time(since: Any, until: Any) -> tuple[int | None, int | None]:
    """The bounds of a picture in µs since 1970, each None if there is no bound."""
    start = None if since is None else to_microseconds(since, "since=")
    end = None if until is None else to_microseconds(until, "until=", bound=True)
    if start is not None and end is not None and start >= end:
        raise Misuse("since= must be before until=: there is nothing to show between them")
    return start, end


def drawn_value(fold: Callable, value: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """A function that returns the value to draw for a state: a number, or None."""
    if value is not None and not callable(value):
        raise Misuse(f"value= takes a function of the state, not {shown(value)}")

    def drawn(state: Any) -> Any:
        try:
            plain = state if value is None else value(state)
        except Exception as error:
            what = f"value= raised {type(error).__name__} ({error}) for the state {shown(state)}"
            hint = "it is asked about the state before the first event, too"
            raise Misuse(f"{what}; {hint}") from None
        if plain is None or (_is_number(plain) and abs(plain) < 1e300):
            return plain
        what = f"a state of {getattr(fold, '__name__', 'the fold')} is {shown(state)}"
        what = what if value is None else f"value= returned {shown(plain)}"
        hint = "say what to draw: value=lambda state: …"
        raise Misuse(f"{what}, and the line needs a number; {hint}")

    return drawn


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal)

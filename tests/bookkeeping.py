"""An event store as a plain Python list, which the real one is held against, and events and folds for both."""

from functools import reduce
from types import SimpleNamespace

import pytest

from edalab import Event, EventStore, Misuse

ZERO = 1_767_225_600_000_000  # virtual 0 s in microseconds since 1970


class Credited(Event):
    amount: int


class Debited(Event):
    amount: int


RATE = {"EUR": 1}  # what a fold uses, and a test changes


def amount_of(fact, times=1):
    sign = 1 if isinstance(fact.event, Credited) else -1
    return sign * times * fact.event.amount * RATE["EUR"]


def balance(total, fact):
    match fact.event:
        case Credited(amount=amount):
            return total + amount * RATE["EUR"]
        case Debited(amount=amount):
            return total - amount_of(fact) * -1
    return total


def course(state, fact):
    """The whole way there: two orders of the same events come to different states."""
    return {
        "facts": [*state["facts"], [fact.stream, fact.version]],
        "sum": state["sum"] + amount_of(fact),
    }


def changed(state, fact):
    """It changes the state that it is given, instead of making another."""
    state["facts"].append(f"{fact.stream} {fact.version} {fact.event.amount}")
    return state


def multiplied(factor):
    def fold(total, fact, plus=0):
        return total * factor + amount_of(fact) + plus

    return fold


class Book:
    """Facts in a list, and each question answered by walking through all of them."""

    def __init__(self):
        self.facts: list[SimpleNamespace] = []
        self.checkpoints: dict[str, int] = {}

    def append(self, stream, events, happened, recorded, ids):
        for number, event in enumerate(events):
            version = self.version(stream) + 1
            self.facts.append(
                SimpleNamespace(
                    position=len(self.facts) + 1,
                    stream=stream,
                    version=version,
                    event=event,
                    happened=happened[number],
                    recorded=recorded,
                    id=ids[number] if ids else f"{stream}-{version}",
                )
            )

    def read(self, stream=None, after=0, until=None, as_of=None):
        return [
            fact
            for fact in self.facts
            if stream in (None, fact.stream)
            and (fact.position if stream is None else fact.version) > after
            and (until is None or fact.happened <= until)
            and (as_of is None or fact.recorded <= as_of)
        ]

    def as_happened(self, stream, until=None, as_of=None):
        return sorted(
            self.read(stream, 0, until, as_of), key=lambda fact: (fact.happened, fact.position)
        )

    def state(self, stream, fold, start, until=None, as_of=None):
        return reduce(fold, self.as_happened(stream, until, as_of), start)

    def version(self, stream):
        return sum(fact.stream == stream for fact in self.facts)

    def streams(self):
        return list(dict.fromkeys(fact.stream for fact in self.facts))

    def last(self):
        return self.facts[-1].recorded if self.facts else 0


def seen(fact):
    """A stored event as the book has it."""
    happened, recorded = (
        (fact.happened_at - ZERO) / 1_000_000,
        (fact.recorded_at - ZERO) / 1_000_000,
    )
    return (
        fact.position,
        fact.stream,
        fact.version,
        fact.type,
        fact.event,
        fact.data,
        happened,
        recorded,
        fact.id,
    )


def told(fact):
    event = fact.event
    name, data = type(event).__name__, {"amount": event.amount}
    return (
        fact.position,
        fact.stream,
        fact.version,
        name,
        event,
        data,
        fact.happened,
        fact.recorded,
        fact.id,
    )


def refused(function, *words, error=Misuse):
    """Calling the function raises one sentence of bearable length, without addresses, that says all of this."""
    with pytest.raises(error) as caught:
        function()
    text = str(caught.value)
    assert "\n" not in text and len(text) < 500 and " at 0x" not in text, text
    for word in words:
        assert word in text, f"{word!r} is not in: {text}"
    return caught.value


def account(*amounts, place=":memory:"):
    """A store with a credit each second."""
    store = EventStore(place)
    for second, amount in enumerate(amounts):
        store.append("account-7", [Credited(amount=amount)], recorded=second)
    return store

"""Which message classes there are, and what each says of sagas."""

from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from threading import RLock

from .messages import Command, Declared, Event, Message, Query

# A kernel handles a cell in one thread, and messages of widgets in others (its subshells). What reads and changes what
# all of them share takes turns: an exercise that is checked, a panel that follows a hand.
TURN = RLock()
_meant = ""
_own: frozenset[type[Message]] = frozenset()
_PACKAGE = __name__.partition(".")[0]


@contextmanager
def declared_in(module: str, own: Collection[type[Message]] = ()) -> Generator[None]:
    """Within it, a name that several message classes share means the one among `own`, or else the class declared in
    this module, or in one whose name begins with it."""
    global _meant, _own
    with TURN:
        before, _meant, _own = (_meant, _own), module, frozenset(own)
        Message.__count__ += 1
        try:
            yield
        finally:
            _meant, _own = before
            Message.__count__ += 1


def message_types() -> dict[str, type[Message]]:
    """Every message class, by its name on the wire. If several share it, it means the highest version, and of a class
    that was declared again the last. Classes of an exercise come first while that exercise is checked; otherwise the
    learner's own do."""
    found: dict[str, type[Message]] = {}
    for cls in _declared_last():
        name = cls.__wire__
        if name not in found or _newer(found[name]) < _newer(cls):
            found[name] = cls
    return found


def class_of(name: str, version: int) -> type[Message] | None:
    """The class of one version of a message, if it is declared."""
    same = [
        cls
        for cls in _declared_last()
        if (cls.__wire__, cls.__declared__.version) == (name, version)
    ]
    return max(same, key=_precedence, default=None)


def _declared_last() -> Collection[type[Message]]:
    """The classes by their names on the wire and in Python; of those that share both, the one that is meant."""
    found: dict[tuple[str, str], type[Message]] = {}
    for cls in _declared():
        names = cls.__wire__, cls.__name__
        if names not in found or _precedence(found[names]) < _precedence(cls):
            found[names] = cls
    return found.values()


def _declared() -> Iterator[type[Message]]:
    ahead = [Event, Command, Query]
    while ahead:
        for cls in ahead.pop(0).__subclasses__():
            ahead.append(cls)
            yield cls


def saga_roles() -> dict[str, Declared]:
    """What the message classes declared so far say of sagas, by class name; only those that say something."""
    declared = {name: cls.__declared__ for name, cls in message_types().items()}
    return {name: d for name, d in declared.items() if d.has_saga_role}


def _newer(cls: type[Message]) -> tuple:
    *first, number = _precedence(cls)
    return *first, cls.__declared__.version, number


def _precedence(cls: type[Message]) -> tuple[bool, bool, bool, int]:
    return (
        cls in _own,
        cls.__module__.startswith(_meant or " "),
        cls.__module__.partition(".")[0] != _PACKAGE,
        cls.__number__,
    )

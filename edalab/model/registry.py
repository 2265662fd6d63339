"""The registry of message classes, by their names on the wire, and of their roles in sagas."""

from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from threading import RLock

from .messages import Command, Declared, Event, Message, Query

# A kernel runs cells in one thread, and the messages of widgets in others (its subshells). Code that changes what all
# of them share holds this lock, such as the check of an exercise or the update of a panel.
TURN = RLock()
_meant = ""
_own: frozenset[type[Message]] = frozenset()
_PACKAGE = __name__.partition(".")[0]


@contextmanager
def declared_in(module: str, own: Collection[type[Message]] = ()) -> Generator[None]:
    """A context in which a name shared by several message classes means the one in `own`, or else the one declared
    in `module`, or in a module whose name begins with `module`."""
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
    """Every message class, by its name on the wire. If several share it, the highest version counts, and of a class
    that was declared again, the last declaration. While an exercise is checked, its classes take precedence over all
    others; otherwise the learner's classes do."""
    found: dict[str, type[Message]] = {}
    for cls in _declared_last():
        name = cls.__wire__
        if name not in found or _rank(found[name]) < _rank(cls):
            found[name] = cls
    return found


def class_of(name: str, version: int) -> type[Message] | None:
    """The class of one version of a message; None if it is not declared."""
    same = [
        cls
        for cls in _declared_last()
        if (cls.__wire__, cls.__declared__.version) == (name, version)
    ]
    return max(same, key=_rank_of_equal_names, default=None)


def _declared_last() -> Collection[type[Message]]:
    """The message classes. Of those with equal names on the wire and in Python, only the preferred one."""
    found: dict[tuple[str, str], type[Message]] = {}
    for cls in _declared():
        names = cls.__wire__, cls.__name__
        if names not in found or _rank_of_equal_names(found[names]) < _rank_of_equal_names(cls):
            found[names] = cls
    return found.values()


def _declared() -> Iterator[type[Message]]:
    ahead = [Event, Command, Query]
    while ahead:
        for cls in ahead.pop(0).__subclasses__():
            ahead.append(cls)
            yield cls


def saga_roles() -> dict[str, Declared]:
    """The class keywords of all declared message classes with a role in sagas, by name on the wire."""
    declared = {name: cls.__declared__ for name, cls in message_types().items()}
    return {name: d for name, d in declared.items() if d.has_saga_role}


def _rank(cls: type[Message]) -> tuple:
    *first, number = _rank_of_equal_names(cls)
    return *first, cls.__declared__.version, number


def _rank_of_equal_names(cls: type[Message]) -> tuple[bool, bool, bool, int]:
    return (
        cls in _own,
        cls.__module__.startswith(_meant or " "),
        cls.__module__.partition(".")[0] != _PACKAGE,
        cls.__number__,
    )

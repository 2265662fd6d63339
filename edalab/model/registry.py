"""Which message classes there are, and what each says of sagas."""

from collections.abc import Collection, Generator
from contextlib import contextmanager

from .messages import Command, Declared, Event, Message, Query

_meant, _own = "", frozenset()
_PACKAGE = __name__.partition(".")[0]


@contextmanager
def declared_in(module: str, own: Collection[type[Message]] = ()) -> Generator[None]:
    """Within it, a name that several message classes share means the one among `own`, or else the class declared in
    this module, or in one whose name begins with it."""
    global _meant, _own
    before, _meant, _own = (_meant, _own), module, frozenset(own)
    Message.__count__ += 1
    try:
        yield
    finally:
        _meant, _own = before
        Message.__count__ += 1


def message_types() -> dict[str, type[Message]]:
    """Every message class, by name. If two share a name, it means the one declared last. Classes of an exercise come
    first while that exercise is checked; otherwise the learner's own do."""
    found: dict[str, type[Message]] = {}
    ahead = [Event, Command, Query]
    while ahead:
        for cls in ahead.pop(0).__subclasses__():
            ahead.append(cls)
            if cls.__name__ not in found or _precedence(found[cls.__name__]) < _precedence(cls):
                found[cls.__name__] = cls
    return found


def saga_roles() -> dict[str, Declared]:
    """What the message classes declared so far say of sagas, by class name; only those that say something."""
    declared = {name: cls.__declared__ for name, cls in message_types().items()}
    return {name: d for name, d in declared.items() if d.has_saga_role}


def _precedence(cls: type[Message]) -> tuple[bool, bool, bool, int]:
    return (
        cls in _own,
        cls.__module__.startswith(_meant or " "),
        cls.__module__.partition(".")[0] != _PACKAGE,
        cls.__number__,
    )

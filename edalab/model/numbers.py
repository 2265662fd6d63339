"""The check that an argument is a whole number."""

from ..errors import Misuse, shown


def is_whole(value: object, least: int = 1) -> bool:
    """Whether a value is a whole number of at least `least`. True and False do not count."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def check_whole(what: str, value: object, least: int = 1) -> None:
    """Raise Misuse, which names `what`, unless a value is a whole number of at least `least`."""
    if not is_whole(value, least):
        raise Misuse(f"{what} takes a whole number from {least}, not {shown(value)}")

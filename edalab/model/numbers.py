"""The one check of whole numbers, for whoever takes one."""

from ..errors import Misuse, shown


def is_whole(value: object, least: int = 1) -> bool:
    """Whether a value is a whole number from `least`. True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def check_whole(what: str, value: object, least: int = 1) -> None:
    """Raise Misuse, naming `what`, for anything but a whole number from `least`."""
    if not is_whole(value, least):
        raise Misuse(f"{what} takes a whole number from {least}, not {shown(value)}")

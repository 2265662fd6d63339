"""The effect of each fault at publish, ask, deliver and reply: whether the message arrives and its sender notices."""

from typing import NamedTuple


class Meaning(NamedTuple):
    """The effect of a fault at `publish`, `ask`, `deliver` and `reply`.

    arrives: the message reaches the broker, the consumer or the asker.
    noticed: the sender gets an error, or crashes.
    words: the name of the fault in pictures.
    column: its column in the fault matrix, or "" if `explore` does not try it."""

    arrives: bool
    noticed: bool
    words: str
    column: str


FAULTS = {
    "crash": Meaning(False, True, "crash", "crash"),
    "fail": Meaning(False, True, "not confirmed", "fail"),
    "unconfirmed": Meaning(True, True, "stored, not confirmed", "unconfirmed"),
    "cut": Meaning(False, True, "cut off", ""),
    "too large": Meaning(False, True, "too large", ""),
    "lose": Meaning(False, False, "lost silently", "lose/drop"),
    "drop": Meaning(False, False, "dropped", "lose/drop"),
    "duplicate": Meaning(True, False, "published twice", "duplicate"),
    "delay": Meaning(True, False, "late", "delay"),
}
NOT_ARRIVED = frozenset(name for name, fault in FAULTS.items() if not fault.arrives)
# Nothing was published or asked, and the sender knows it.
FAILED_TO_SEND = frozenset(name for name in NOT_ARRIVED if FAULTS[name].noticed)
# The sender got an error, although the message is stored.
IN_DOUBT = frozenset(name for name, fault in FAULTS.items() if fault.arrives and fault.noticed)

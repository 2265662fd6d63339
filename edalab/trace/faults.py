"""What each fault means for the message that it strikes: whether it arrives, and who notices."""

from typing import NamedTuple


class Meaning(NamedTuple):
    """What a fault means at `publish`, `ask`, `deliver` and `reply`.

    arrives: the message gets where the step takes it: to the broker, a consumer or the asker.
    noticed: its sender gets an error, or crashes.
    words: how pictures name it.
    column: its column in the fault matrix; "" for what `explore` does not try."""

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
# After these nothing was published or asked, and the sender knows it.
FAILED_TO_SEND = frozenset(name for name in NOT_ARRIVED if FAULTS[name].noticed)
# After these the sender got an error, and the message is stored all the same.
IN_DOUBT = frozenset(name for name, fault in FAULTS.items() if fault.arrives and fault.noticed)

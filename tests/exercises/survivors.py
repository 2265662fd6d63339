"""Mutants of the teachers' solutions that are correct as well, and why."""

AGAIN = "the same version is the same event: to write it again changes nothing"

SOON = "the exercise does not say when: sooner or later is as right"

SURVIVORS: dict[str, dict[str, str]] = {
    "01.3": {
        "5 -> 6": SOON,
        "5 -> 4": SOON,
        "5 -> 0": SOON,
    },
    "02.2": {
        "GtE: known[0] > event.version": AGAIN,
        "0 -> -1": "the row has one column: its first is its last",
    },
    "02.3": {
        "excluded.version > addresses.version -> excluded.version >= addresses.version": AGAIN,
    },
}

"""What a single fault adds to the anomalies that claims report without it: its mark in the fault
matrix, and its words."""

from collections import Counter

from ..claims.exploration import Exploration, Schedule
from ..text import clean

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ENDLESS, UNTESTED, SURVIVED = "∞", "–", ""


def always_broken(result: Exploration, number: int) -> bool:
    """Whether the claim with this number is broken without any fault."""
    return result.schedules[0].outcomes[number] == "broken"


def added(result: Exploration, schedule: Schedule) -> dict[int, list[str]]:
    """Map the number of each claim to the anomalies that it reports under a schedule's faults and not
    without them. The times of anomalies are ignored."""
    both = zip(schedule.anomalies, result.schedules[0].anomalies, strict=True)
    found = {number: Counter(now) - Counter(calm) for number, (now, calm) in enumerate(both)}
    return {number: [*new] for number, new in found.items() if new}


def letter(result: Exploration, number: int) -> str:
    """The letter of a claim, with a + if it is also broken without any fault."""
    return LETTERS[number % len(LETTERS)] + "+" * always_broken(result, number)


def mark(result: Exploration, schedule: Schedule) -> str:
    """The letters of the claims that a schedule's faults broke or added to, or else another sign."""
    untested = all(outcome == "not exercised" for outcome in schedule.outcomes)
    letters = "".join(letter(result, number) for number in added(result, schedule))
    return ENDLESS if schedule.endless else letters or (UNTESTED if untested else SURVIVED)


def outcome(result: Exploration, schedule: Schedule) -> str:
    """The outcome of a schedule in words."""
    spared = "not exercised" if mark(result, schedule) == UNTESTED else "survived"
    spared = "adds nothing to what is broken" if "broken" in schedule.outcomes else spared
    sentences = []
    for number, anomalies in added(result, schedule).items():
        more = clean(f": {'; '.join(anomalies)}", 120) * always_broken(result, number)
        sentences.append(f"✗ {result.claims[number].sentence}{more}")
    return schedule.endless or "; ".join(sentences) or spared

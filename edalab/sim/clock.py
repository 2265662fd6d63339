"""Virtual time, which is whole milliseconds inside and seconds outside, and the durations that the laboratory uses."""

from random import Random

from ..errors import Misuse, shown

PUBLISH = 10  # from a publisher to the broker, and its confirmation
DELIVER = 10  # from the broker to a consumer, and one way of a question or an answer
CAPTURE = 10  # from a commit to the connector that reads the log of the database
RESTART = 1_000  # a crashed replica restarts; with seed 0 just before it loses its partitions
SESSION = 1_000  # a silent replica loses its partitions
RETRY = 100  # before the second attempt; 200 before the third, and so on
REFETCH = 500  # a dropped delivery of a log is fetched again
DUPLICATE = 500  # a publish whose confirmation was lost is sent again
DELAY = 1_000  # what a `delay` fault adds

_LONGEST = 1e9  # seconds: some thirty years


def milliseconds(seconds: float, what: str) -> int:
    """Seconds as whole milliseconds. Raises Misuse, naming `what`, for anything but a number from 0 to 1e9."""
    if type(seconds) is float and 0.0 <= seconds <= _LONGEST:  # most often
        return round(seconds * 1000.0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds != seconds:
        raise Misuse(f"{what} takes seconds, a number, not {shown(seconds)}")
    if not 0 <= seconds <= _LONGEST:
        raise Misuse(f"{what} takes seconds from 0 to 1,000,000,000, not {shown(seconds, 20)}")
    return round(seconds * 1000)


def varied(base: int, dice: Random) -> int:
    """A random latency from half to three times `base`, so that races show."""
    return round(base * (0.5 + 2.5 * dice.random()))

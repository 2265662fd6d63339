"""Runs that between them use everything: `python tests/representative.py > tests/digests.json` writes their digests."""

import json
import sys
from hashlib import blake2b
from pathlib import Path
from random import Random

sys.path[:0] = [
    str(Path(__file__).parent),
    str(Path(__file__).parent.parent),
]  # this runs under any Python, by itself

from accounts import account_7, balance  # noqa: E402
from planted import PAIRS  # noqa: E402
from postoffice import Posted, office, play  # noqa: E402
from systems import story  # noqa: E402

from edalab import Faults, cut, explore, pause, simulate  # noqa: E402
from edalab.view import as_of, flow, lag, matrix, saga_map, timeline  # noqa: E402

LETTERS = [Posted(to=to, n=n) for n, to in enumerate("abcabcabc")]


def busy(**options):
    return play(office(replicas=3, partitions=4, seconds=0.2), *LETTERS, **options)


def digests() -> dict[str, str]:
    runs = {
        "nothing goes wrong": busy(),
        "other timings": busy(seed=5),
        "a crash": busy(faults=["crash post.commit.Posted #2 for 4 s"]),
        "a failing save": busy(faults=["fail post.save.Posted #3"]),
        "a pause": busy(faults=[pause("post", 0.1, 3, replica=2)]),
        "a cut": busy(faults=[cut("post", 0.1, 3)]),
        "random faults": busy(
            seed=1, faults=[Faults(drop=0.1, duplicate=0.1, delay=0.1, crash=0.1, fail=0.1)]
        ),
        "at most once": play(
            office(delivery="at-most-once"), *LETTERS, seed=2, faults=[Faults(crash=0.2)]
        ),
    }
    for number in (
        12,
        203,
        377,
        546,
        731,
    ):  # whole systems with questions, queues, timers and ticks
        tale = story(Random(number))
        runs[f"story {number}"] = simulate(
            tale.system, tale.workload, seed=tale.seed, faults=tale.faults
        )
    return {name: run.digest for name, run in runs.items()}


def explorations() -> dict[str, str]:
    """Digests of every single fault tried on systems with a known mistake, the verdict on the smallest
    failing run, and all pictures as SVG. They are compared between runtimes, not stored: how a picture
    looks may change."""
    found = {}
    for name, pair in PAIRS.items():
        if pair.faults > 1:
            continue  # 300 schedules each
        result = explore(pair.build(False), pair.workload, [pair.claim], faults=pair.faults)
        run = result.smallest(pair.claim)
        pictures = [timeline(run), flow(run)]
        pictures += [matrix(result)] if pair.faults else []
        pictures += [saga_map(run)] if "saga" in pair.claim.sentence else []
        found[name] = _digest(result, run.digest, run.check(pair.claim), *pictures)
    found["a backlog"] = _digest(lag(busy(), "post"))
    found["an account"] = _digest(as_of(account_7(), "account-7", balance, 0))
    return found


def _digest(*things) -> str:
    texts = [text for thing in things for text in (repr(thing), getattr(thing, "svg", str)())]
    return blake2b("".join(texts).encode(), digest_size=4).hexdigest()


if __name__ == "__main__":
    print(json.dumps(digests(), indent=1))

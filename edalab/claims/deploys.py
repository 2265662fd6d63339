"""The orders in which services can be deployed, and the moments of a run at which each deploy can happen."""

from collections.abc import Iterable, Iterator
from itertools import combinations_with_replacement, permutations
from math import comb
from typing import Any

from ..errors import Misuse, shown
from ..model import System
from ..sim import Deploy
from ..sim.run import Run
from ..sim.steps import rows_of

Placed = tuple[tuple[int, int], ...]  # (number of a deploy, ms), in their order
_MOST = 6  # deploys, which have 720 orders


class Deploys:
    """The deploys of an exploration: the `orders`, as numbers of the `given` deploys, and the number of `choices` of
    moments for each order. Several deploys of one service keep the order in which they are given."""

    def __init__(self, given: Iterable[Deploy], system: System):
        self.given, self.choices = _checked(given, system), 0
        numbers = range(len(self.given))
        services = [one.service for one in self.given]
        pairs = [(a, b) for b in numbers for a in range(b) if services[a] == services[b]]
        self.orders = [
            order
            for order in permutations(numbers)
            if all(order.index(a) < order.index(b) for a, b in pairs)
        ]

    def plans(self, run: Run) -> Iterator[Placed]:
        """Every choice of moments for every order. A moment is a time at which a deployed service does something in
        `run`, which has no deploys, or just after the last. Choices among a few moments far apart come first."""
        services, many = {one.service for one in self.given}, len(self.given)
        times = {time for time, _, (service, _), *_ in rows_of(run._record) if service in services}
        moments = _spread([*sorted(times), max(times, default=0) + 1])
        self.choices += comb(len(moments) + many - 1, many)
        return self._plans(moments, many)

    def _plans(self, moments: list[int], many: int) -> Iterator[Placed]:
        for number, moment in enumerate(moments, 1):
            for others in combinations_with_replacement(moments[:number], many - 1):
                times = sorted((moment, *others))
                for order in self.orders:
                    yield tuple(zip(order, times, strict=True))

    def at(self, placed: Placed) -> tuple[Deploy, ...]:
        """The deploys at their moments."""
        return tuple(self.given[number].at(time / 1000) for number, time in placed)


def order_of(deploys: Iterable[Deploy]) -> tuple[str, ...]:
    """The services of some deploys, in order. The second deploy of a service is named like "billing 2"."""
    names: list[str] = []
    for one in deploys:
        nth = sum(name.partition(" ")[0] == one.service for name in names) + 1
        names.append(f"{one.service} {nth}" if nth > 1 else one.service)
    return tuple(names)


def _spread(moments: list[int]) -> list[int]:
    """The moments in another order: the first, the last, the middle one, the middles of both halves, and so on."""
    last, parts = len(moments) - 1, 1
    found = dict.fromkeys((moments[0], moments[last]))
    while len(found) < len(moments):
        parts *= 2
        found |= dict.fromkeys(moments[part * last // parts] for part in range(parts + 1))
    return [*found]


def _checked(given: Any, system: System) -> tuple[Deploy, ...]:
    takes = 'deploys= takes a list such as [deploy(new.services["billing"])]'
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise Misuse(f"{takes}, not {shown(given)}")
    given = tuple(given)
    for one in given:
        if not isinstance(one, Deploy):
            raise Misuse(f"{takes}, and {shown(one)} is not a deploy")
        one.at(0).check(system)
    if len(given) > _MOST:
        raise Misuse(f"deploys= takes at most {_MOST} deploys, not {len(given)}")
    return given

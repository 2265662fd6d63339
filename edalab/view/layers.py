"""Boxes in layers, in the order in which messages first reach them: the same design always gives
the same places. An arrow over several layers passes each of them at a place of its own, so that it
runs through no box."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

APART, BESIDE = 18, 10  # px between boxes of a layer; between arrows passing it


@dataclass(eq=False)
class Node:
    """A box of a layer, or (with no size) the place where an arrow passes it."""

    layer: int
    w: int = 0
    h: int = 0
    before: list["Node"] = field(default_factory=list)  # neighbours in the layer before
    after: list["Node"] = field(default_factory=list)
    along: int = 0  # its middle, in the direction of the layers
    across: int = 0


def place(
    nodes: list[Node], edges: list[tuple[Node, Node]], gaps: dict[int, int], upright: bool
) -> list[list[Node]]:
    """Give each node its `along` and `across` (from 0). Return for each edge the nodes it runs by.
    `gaps` are the px wanted behind each layer; `upright`: the layers lie below each other."""
    layers: list[list[Node]] = [[] for _ in range(max(node.layer for node in nodes) + 1)]
    for node in nodes:
        layers[node.layer].append(node)
    ways = [_way(source, target, layers) for source, target in edges]
    for pair in (pair for way in ways for pair in pairwise(way)):
        first, second = sorted(pair, key=lambda node: node.layer)
        first.after.append(second)
        second.before.append(first)
    for layer, down in _sweeps(layers, 6):
        share = {
            node: number / max(1, len(other) - 1)
            for other in layers
            for number, node in enumerate(other)
        }
        middle = {}
        for number, node in enumerate(layer):
            beside = [share[other] for other in (node.before if down else node.after)]
            middle[node] = _mean(beside, (number + 0.5) / len(layer))
        layer.sort(key=middle.__getitem__)
    _set_across(layers, upright)
    at = 0
    for number, layer in enumerate(layers):
        size = max((node.h if upright else node.w for node in layer), default=0)
        for node in layer:
            node.along = at + size // 2
        at += size + gaps.get(number, 0)
    return ways


def _way(source: Node, target: Node, layers: list[list[Node]]) -> list[Node]:
    """Source and target, and between them a place in each layer that the edge passes."""
    step = 1 if target.layer > source.layer else -1
    passed = [Node(layer) for layer in range(source.layer + step, target.layer, step)]
    for node in passed:
        layers[node.layer].append(node)
    return [source, *passed, target]


def _sweeps(layers: list[list[Node]], times: int) -> Iterator[tuple[list[Node], bool]]:
    """Each layer, down and up in turns."""
    for sweep in range(times):
        down = sweep % 2 == 0
        yield from ((layer, down) for layer in (layers if down else reversed(layers)))


def _set_across(layers: list[list[Node]], upright: bool) -> None:
    """Side by side in their order, each as near to its neighbours as the others allow."""
    for layer in layers:
        places = _spread([0] * len(layer), layer, upright)
        for node, at in zip(layer, places, strict=True):
            node.across = at - places[-1] // 2
    for layer, down in _sweeps(layers, 7):
        wished = [
            int(_mean([other.across for other in _pulling(node, down)], node.across))
            for node in layer
        ]
        pushed = _spread(wished, layer, upright)
        back = _spread([-at for at in reversed(wished)], layer[::-1], upright)
        for node, one, other in zip(layer, pushed, reversed(back), strict=True):
            node.across = (one - other) // 2
    nodes = [node for layer in layers for node in layer]
    least = min(node.across - (node.w if upright else node.h) // 2 for node in nodes)
    for node in nodes:
        node.across -= least


def _spread(wished: list[int], layer: list[Node], upright: bool) -> list[int]:
    """The places that are wished, moved on where they are too near to the one before."""
    placed = wished[:1]
    for at, pair in zip(wished[1:], pairwise(layer), strict=True):
        sizes = [node.w if upright else node.h for node in pair]
        apart = (sum(sizes) + 1) // 2 + (APART if all(sizes) else BESIDE) + 1
        placed.append(max(at, placed[-1] + apart))
    return placed


def _pulling(node: Node, down: bool) -> list[Node]:
    """The neighbours to be near: on one side, boxes rather than arrows: chains are straight."""
    neighbours = (node.before or node.after) if down else (node.after or node.before)
    return [other for other in neighbours if other.w] or neighbours


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise

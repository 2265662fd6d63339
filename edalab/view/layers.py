"""Boxes in layers, in the order in which messages first reach them: the same design always gives the same places.

An arrow over several layers passes each of them at a place of its own, so that it runs through no box.
"""

from dataclasses import dataclass, field

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
    """Give each node its `along` and `across` (from 0), and return for each edge the nodes it runs by. `gaps` are the
    px wanted behind each layer; `upright` says that the layers lie below each other."""
    layers: list[list[Node]] = [[] for _ in range(max(node.layer for node in nodes) + 1)]
    for node in nodes:
        layers[node.layer].append(node)
    ways = [_way(source, target, layers) for source, target in edges]
    for way in ways:
        for one, other in zip(way, way[1:]):
            first, second = (one, other) if one.layer < other.layer else (other, one)
            first.after.append(second)
            second.before.append(first)
    for sweep in range(6):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            place_of = {node: number for other in layers for number, node in enumerate(other)}
            middle = {}
            for node in layer:
                beside = [
                    place_of[n] / max(1, len(layers[n.layer]) - 1)
                    for n in (node.before if down else node.after)
                ]
                middle[node] = _mean(beside, (place_of[node] + 0.5) / len(layer))
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


def _set_across(layers: list[list[Node]], upright: bool) -> None:
    """Side by side in their order, each as near to its neighbours as the others allow."""
    for layer in layers:
        at = 0
        for one, other in zip([None, *layer], layer):
            at += _apart(one, other, upright) if one else 0
            other.across = at
        for node in layer:
            node.across -= at // 2
    for sweep in range(7):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wished = [
                int(_mean([n.across for n in _pulling(node, sweep % 2 == 0)], node.across))
                for node in layer
            ]
            pushed = list(wished)
            for number in range(1, len(layer)):
                pushed[number] = max(
                    wished[number],
                    pushed[number - 1] + _apart(layer[number - 1], layer[number], upright),
                )
            pulled = list(wished)
            for number in range(len(layer) - 2, -1, -1):
                pulled[number] = min(
                    wished[number],
                    pulled[number + 1] - _apart(layer[number], layer[number + 1], upright),
                )
            for node, one, other in zip(layer, pushed, pulled):
                node.across = (one + other) // 2
    least = min(
        node.across - (node.w if upright else node.h) // 2 for layer in layers for node in layer
    )
    for layer in layers:
        for node in layer:
            node.across -= least


def _pulling(node: Node, down: bool) -> list[Node]:
    """The neighbours to be near: those on one side, boxes rather than passing arrows, so that chains are straight."""
    neighbours = (node.before or node.after) if down else (node.after or node.before)
    return [other for other in neighbours if other.w] or neighbours


def _apart(one: Node, other: Node, upright: bool) -> int:
    sizes = (one.w, other.w) if upright else (one.h, other.h)
    return (sum(sizes) + 1) // 2 + (APART if all(sizes) else BESIDE) + 1


def _mean(values: list, otherwise):
    return sum(values) / len(values) if values else otherwise

"""Boxes in layers, in the order in which messages first reach them, so that a design always has the same
layout. A long chain is folded into rows. An arrow across several layers has a place of its own in each,
so that it does not run through a box."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

APART, BESIDE = 18, 10  # px between boxes of a layer, and between passing arrows
BETWEEN = 34  # px between rows


@dataclass(eq=False)
class Node:
    """A box in a layer, or (without a size) the place at which an arrow passes the layer."""

    layer: int
    length: int = 0  # in the direction of the layers
    breadth: int = 0  # across the layers
    room: int = 0  # the breadth to reserve
    before: list["Node"] = field(default_factory=list)  # neighbours in the previous layer
    after: list["Node"] = field(default_factory=list)
    along: int = 0  # its middle in the direction of the layers
    across: int = 0


def place(
    nodes: list[Node], edges: list[tuple[Node, Node]], gaps: dict[int, int]
) -> list[list[Node]]:
    """Set `along` and `across` (from 0) of each node. Return the nodes that each edge passes, including
    its ends. `gaps` are the px to leave after each layer."""
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
    _set_across(layers)
    at = 0
    for number, layer in enumerate(layers):
        size = max((node.length for node in layer), default=0)
        for node in layer:
            node.along = at + size // 2
        at += size + gaps.get(number, 0)
    return ways


class Rows:
    """The layers from left to right, in as few rows as fit into `room` px. Every second row runs back and
    is upside down, so that arrows turn from one row to the next without crossing.

    width, height: the size of all rows, with the room at the sides in which arrows turn.
    row: the row of each layer."""

    def __init__(self, nodes: list[Node], gaps: dict[int, int], room: int):
        self._ends: dict[int, tuple[int, int]] = {}  # layer -> its left and right edge
        for layer in sorted({node.layer for node in nodes}):
            here = [node for node in nodes if node.layer == layer]
            left = min(node.along - node.length // 2 for node in here)
            self._ends[layer] = left, max(node.along + node.length // 2 for node in here)
        turn = max(gaps.values(), default=0) + 8
        self.row, widths = self._fold(room, turn)
        rows = [[n for n in nodes if self.row[n.layer] == row] for row in range(len(widths))]
        self._starts = [min(self._ends[node.layer][0] for node in row) for row in rows]
        self._tops = [min(node.across - node.room // 2 for node in row) for row in rows]
        bottoms = [max(node.across + node.room // 2 for node in row) for row in rows]
        self._heights = [b - top for top, b in zip(self._tops, bottoms, strict=True)]
        self._left = turn * (len(rows) > 2)
        self._right = self._left + max(widths)
        # The first row is aligned to the right, where arrows turn.
        self._first = self._right - widths[0]
        self.width = self._right + turn * (len(rows) > 1)
        self.height = sum(self._heights) + BETWEEN * (len(rows) - 1)

    def _fold(self, room: int, turn: int) -> tuple[dict[int, int], list[int]]:
        """The row of each layer and the width of each row. The rows are few and about equally wide."""
        total = max(end for _, end in self._ends.values())
        for count in range(1, len(self._ends) + 1):
            widest = room - turn * min(count - 1, 2)
            for limit in range(total // count, widest + 1, 4):
                found = self._filled(limit)
                if len(found[1]) <= count and max(found[1]) <= widest:
                    return found
        return self._filled(room - 2 * turn)  # a single box is wider than the room

    def _filled(self, limit: int) -> tuple[dict[int, int], list[int]]:
        row, widths, start = {}, [], 0
        for layer, (left, right) in self._ends.items():
            if not widths or right - start > limit:
                widths.append(0)
                start = left
            row[layer], widths[-1] = len(widths) - 1, right - start
        return row, widths

    def spot(self, across: int, along: int, layer: int) -> tuple[int, int]:
        """The x and y of a place in a layer."""
        row = self.row[layer]
        x, y = along - self._starts[row], across - self._tops[row]
        above = sum(self._heights[:row]) + BETWEEN * row
        if row % 2:
            return self._right - x, above + self._heights[row] - y
        return x + (self._left if row else self._first), above + y

    def side(self, row: int) -> int:
        """The x at which arrows leave a row for the next one."""
        return self._left if row % 2 else self._right


def _way(source: Node, target: Node, layers: list[list[Node]]) -> list[Node]:
    """The source, a new node in each layer that the edge passes, and the target."""
    step = 1 if target.layer > source.layer else -1
    passed = [Node(layer) for layer in range(source.layer + step, target.layer, step)]
    for node in passed:
        layers[node.layer].append(node)
    return [source, *passed, target]


def _sweeps(layers: list[list[Node]], times: int) -> Iterator[tuple[list[Node], bool]]:
    """Yield each layer and whether the sweep goes down, alternately down and up."""
    for sweep in range(times):
        down = sweep % 2 == 0
        yield from ((layer, down) for layer in (layers if down else reversed(layers)))


def _set_across(layers: list[list[Node]]) -> None:
    """Set `across` of each node: in the layer's order, as near to its neighbours as possible."""
    for layer in layers:
        places = _spread([0] * len(layer), layer)
        for node, at in zip(layer, places, strict=True):
            node.across = at - places[-1] // 2
    for layer, down in _sweeps(layers, 7):
        wished = [
            int(_mean([other.across for other in _pulling(node, down)], node.across))
            for node in layer
        ]
        pushed = _spread(wished, layer)
        back = _spread([-at for at in reversed(wished)], layer[::-1])
        for node, one, other in zip(layer, pushed, reversed(back), strict=True):
            node.across = (one - other) // 2
    nodes = [node for layer in layers for node in layer]
    least = min(node.across - node.room // 2 for node in nodes)
    for node in nodes:
        node.across -= least


def _spread(wished: list[int], layer: list[Node]) -> list[int]:
    """The wished places, each moved on if it is too near to the previous one."""
    placed = wished[:1]
    for at, pair in zip(wished[1:], pairwise(layer), strict=True):
        sizes = [node.room for node in pair]
        apart = (sum(sizes) + 1) // 2 + (APART if all(sizes) else BESIDE) + 1
        placed.append(max(at, placed[-1] + apart))
    return placed


def _pulling(node: Node, down: bool) -> list[Node]:
    """The neighbours on one side that attract a node: boxes if there are any, so that chains are straight."""
    neighbours = (node.before or node.after) if down else (node.after or node.before)
    return [other for other in neighbours if other.length] or neighbours


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise

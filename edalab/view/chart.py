"""A chart of boxes and arrows: from left to right, or, where that gets too wide, downwards."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import fsum
from typing import NamedTuple

from ..text import clean, shorten, text_width
from .labels import LabelPlacer, Place
from .layers import Node, place
from .scene import Arrow, Box, Label, Scene
from .theme import LABELS

MARGIN, NARROWEST, WIDEST = 16, 420, 900  # px
_NODES = ("client", "service", "struck service")
_ALONE, _CROWDED = (8, 9, 7, 10, 6, 11, 5), (12, 13, 11, 10, 9, 8, 7, 6, 5, 14)
_LEGEND = (  # kinds of boxes and arrows, and what they mean
    ("topic", "round: topic"), ("queue", "dashed box: queue"), ("message", "×: how many messages"),
    ("question", "dotted: question, answered on the way back"), ("stopped", "red: struck by a fault"),
)  # fmt: skip


class Edge(NamedTuple):
    """An arrow from box to box. Its text stands in its middle, or near the end that it shares with
    no other: its target where it is one of many `out` of its source, else its source."""

    source: str
    target: str
    kind: str
    text: str
    tip: str
    count: int
    out: bool = False


def chart(
    boxes: dict[str, tuple[str, list[str]]],
    edges: list[Edge],
    services: list[str],
    below: dict[str, tuple[int, int]] | None = None,
) -> "Chart":
    """A chart of boxes (id -> kind, lines of text) and edges. `below` is the room (width and height)
    that a box has below its lines for what else is to stand in it."""
    below, depth = below or {}, _depths(boxes, edges, services)
    words = {}
    for name, (kind, lines) in boxes.items():
        look = LABELS["node" if kind in _NODES else "channel"]
        words[name] = [shorten(lines[0], 150, look.size, look.bold)]
        words[name] += [shorten(line, 150, 10) for line in lines[1:]]
    gaps: dict[int, int] = {}
    for edge in edges:
        low, high = sorted((depth[edge.source], depth[edge.target]))
        for layer in range(low, high):
            gaps[layer] = max(gaps.get(layer, 44), text_width(edge.text, 11, True) + 34)
    for upright in (False, True):
        sizes = {
            name: _size(boxes[name][0], words[name], *below.get(name, (0, 0))) for name in boxes
        }
        nodes = {name: Node(depth[name], *sizes[name]) for name in boxes}
        ends = [(nodes[edge.source], nodes[edge.target]) for edge in edges]
        room = dict.fromkeys(gaps, 36) if upright else gaps
        ways = place(list(nodes.values()), ends, room, upright)
        ends_at = [node.along + (node.h if upright else node.w) // 2 for node in nodes.values()]
        if max(ends_at) <= WIDEST - 2 * MARGIN:
            break
    return Chart(boxes, edges, words, nodes, ways, upright, below)


def _size(kind: str, words: list[str], wide: int, high: int) -> tuple[int, int]:
    look = LABELS["node" if kind in _NODES else "channel"]
    widths = [text_width(word, 10) for word in words[1:]]
    widths.append(text_width(words[0], look.size, look.bold))
    return max(30, wide, *widths) + 22, (30 if look.bold else 24) + 13 * (len(words) - 1) + high


def _depths(boxes, edges: list[Edge], services: list[str]) -> dict[str, int]:
    """Services on even layers and channels on odd ones, as far from the start as the first message had to go."""
    reached: dict[str, list[str]] = {}
    for edge in edges:
        reached.setdefault(edge.source, []).append(edge.target)
    into = {edge.target for edge in edges}
    asked = [name for name in services if name in reached]
    first = ["client"] * ("client" in reached) + [name for name in asked if name not in into]
    depth: dict[str, int] = {}
    for start in [*first, *asked]:
        if start not in depth:
            depth[start], queue = 0, [start]
            for name in queue:  # breadth first; the queue grows
                for other in reached.get(name, ()):
                    if other not in depth:
                        depth[other] = depth[name] + 1
                        queue.append(other)
    last = max(depth.values(), default=0)
    depth |= {name: last for name in boxes if name not in depth}
    for edge in edges:
        if boxes[edge.source][0] == "question":  # one that leads back stands on its way back
            askers = [depth[other.source] for other in edges if other.target == edge.source]
            if depth[edge.target] < min(askers):
                depth[edge.source] = min(askers) - 1
    return depth


class Chart:
    """Placed nodes and ways, drawn into a `scene`: the `boxes` by name, and for each edge its arrow
    and its label, if there was room for one."""

    def __init__(
        self,
        boxes,
        edges: list[Edge],
        words,
        nodes: dict[str, Node],
        ways: list[list[Node]],
        upright: bool,
        below: dict[str, tuple[int, int]],
    ):
        self.upright, self.below = upright, below
        self.boxes: dict[str, Box] = {}
        self.labels: list[Label | None] = []
        every = [node for way in ways for node in way] + list(nodes.values())
        across = max(node.across + (node.w if upright else node.h) // 2 for node in every)
        along = max(node.along + (node.h if upright else node.w) // 2 for node in every)
        side, wide, high = MARGIN, along, across
        if upright:
            side = max([MARGIN, *(text_width(edge.text, 11, True) // 2 for edge in edges)])
            wide, high = across, along
        self.scene = scene = Scene(max(NARROWEST, wide + 2 * side), high + 2 * MARGIN)
        self.left = (scene.width - wide) // 2
        for name, node in nodes.items():
            kind, lines = boxes[name]
            self._box(name, kind, lines, words[name], node)
        self._arrows(edges, ways)
        legend = scene.legend(_LEGEND)
        scene.height = scene.write(MARGIN, scene.height + 2, scene.width - MARGIN, legend) - 2

    def spot(self, across: int, along: int) -> tuple[int, int]:
        x, y = (across, along) if self.upright else (along, across)
        return x + self.left, y + MARGIN

    def _box(self, name: str, kind: str, lines: list[str], words: list[str], node: Node) -> None:
        x, y = self.spot(node.across, node.along)
        tip = clean(name + "".join(f", {line}" for line in lines if line not in name))
        box = Box(x - node.w // 2, y - node.h // 2, node.w, node.h, kind, tip)
        self.boxes[name] = box
        self.scene.bars.append(box)
        y -= self.below.get(name, (0, 0))[1] // 2
        for number, word in enumerate(words):
            label = "detail" if number else "node" if kind in _NODES else "channel"
            at = y + 13 * number - 13 * (len(words) - 1) // 2
            self.scene.labels.append(Label(x, at, word, label, "middle", clean(lines[number])))

    def _arrows(self, edges: list[Edge], ways: list[list[Node]]) -> None:
        counts = [edge.count for edge in edges if edge.kind == "message"] or [0]
        spread, ports, curves = max(counts) - min(counts), self._ports(ways), []
        for number, (edge, way) in enumerate(zip(edges, ways, strict=True)):
            points = [
                self.spot(*point)
                for point in self._hops(way, ports[number, way[0]], ports[number, way[-1]])
            ]
            forward = way[-1].layer > way[-2].layer
            head = ("ud" if self.upright else "lr")[forward]
            head = "" if edge.target.startswith("question ") else head
            heavy = spread and edge.kind == "message"
            width = round(1.2 + 1.8 * (edge.count - min(counts)) / spread, 1) if heavy else 0
            flat = tuple(value for point in points for value in point)
            self.scene.arrows.append(Arrow(flat, edge.kind, head, edge.tip, width))
            curves.append(points[-4:] if edge.out else points[3::-1])
        placer = LabelPlacer(self.scene, (2, 0, self.scene.width - 2, self.scene.height))
        for box in self.scene.bars:
            placer.taken.add(box.extent())
        for x, y in [arrow.points[-2:] for arrow in self.scene.arrows if arrow.head]:
            placer.taken.add((x - 9, y - 9, x + 9, y + 9))
        hubs = [(edge.out, edge.source if edge.out else edge.target) for edge in edges]
        crowd = Counter(hubs)
        for edge, curve, hub in zip(edges, curves, hubs, strict=True):
            kind = "struck count" if edge.kind in ("stopped", "struck question") else "count"
            places = _along(curve, _ALONE if self.upright or crowd[hub] < 2 else _CROWDED)
            label = placer.place([edge.text], kind, places) if edge.text else None
            if label:
                label.tip = edge.tip
            self.labels.append(label)

    def _ports(self, ways: list[list[Node]]) -> dict[tuple[int, Node], int]:
        """Where on the side of a box each arrow ends (px from its middle): not all in one point."""
        sides: dict[tuple[Node, bool], list[tuple[int, int]]] = {}
        for number, way in enumerate(ways):
            for end, after in ((way[0], way[1]), (way[-1], way[-2])):
                sides.setdefault((end, after.layer > end.layer), []).append((after.across, number))
        ports = {}
        for (node, _), arrows in sides.items():
            step = min(14, ((node.w if self.upright else node.h) - 8) // len(arrows))
            for place_, (_, number) in enumerate(sorted(arrows)):
                ports[number, node] = (2 * place_ - len(arrows) + 1) * step // 2
        return ports

    def _hops(self, way: list[Node], first: int, last: int) -> list[tuple[int, int]]:
        """(across, along) of the start and of three points more for each curve, from layer to layer."""
        step = 1 if way[-1].layer > way[-2].layer else -1
        half = [(node.h if self.upright else node.w) // 2 for node in way]
        stops = [(way[0].across + first, way[0].along + step * half[0])]
        for node in way[1:-1]:
            stops += [(node.across, node.along - step * 13), (node.across, node.along + step * 13)]
        stops.append((way[-1].across + last, way[-1].along - step * (half[-1] + 1)))
        points = [stops[0]]
        for (a, b), (c, d) in pairwise(stops):
            points += [(a, (b + d) // 2), (c, (b + d) // 2), (c, d)]
        return points


def _along(curve: list[tuple[int, int]], parts: tuple[int, ...]) -> Iterator[Place]:
    """Where the text of an arrow may stand: on its curve at these sixteenths of it, or beside it."""
    for shift, anchor in ((0, "middle"), (8, "start"), (-8, "end"), (18, "start"), (-18, "end")):
        for part in parts:
            t, u = part / 16, 1 - part / 16
            weights = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
            x, y = (
                round(fsum(weight * value for weight, value in zip(weights, values, strict=True)))
                for values in zip(*curve, strict=True)
            )
            yield x + shift, y, anchor

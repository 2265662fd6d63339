"""A chart of boxes and arrows from left to right, continued in a row below if it gets too wide."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import fsum
from typing import NamedTuple

from ..text import clean, shorten, text_width
from .labels import LabelPlacer, Place
from .layers import Node, Rows, place
from .scene import WIDTH, Arrow, Box, Label, Scene
from .theme import LABELS

MARGIN, NARROWEST = 16, 420  # px
_LINE, _TEXT = 13, 14  # px between lines in a box, and between lines at an arrow
_NODES = ("client", "service", "struck service")
_LEGEND = (  # kinds of boxes and arrows, and what they mean
    ("service", "green: service"), ("topic", "round: topic"), ("queue", "dashed box: queue"), ("count, struck count", "×: how many messages"),
    ("question", "dotted: asked, and answered on the way back"), ("stopped, struck question", "red: struck by a fault, again, unanswered or set aside"),
)  # fmt: skip
Point = tuple[int, int]
Stop = tuple[int, int, int]  # across, along, and the layer


class Edge(NamedTuple):
    """An arrow between two boxes, with lines of text."""

    source: str
    target: str
    kind: str
    lines: list[str]
    tip: str
    count: int

    @property
    def label_kind(self) -> str:
        return "struck count" if self.kind in ("stopped", "struck question") else "count"

    def size(self) -> Point:
        """The width and height of its text in px."""
        widths = [text_width(line, 11, True) for line in self.lines]
        return max(widths, default=0), _TEXT * len(self.lines)


class _Fan(NamedTuple):
    """The arrows at one side of a box. They turn near that box, and are straight at their other ends,
    where their texts have room."""

    count: int
    out: bool  # whether they leave the box

    @property
    def turn(self) -> int:
        """The px needed for their turn."""
        return 24 + 5 * self.count


class Chart:
    """A chart of boxes (id -> kind, lines of text) and edges, drawn into a `scene`. `boxes` are the
    boxes by id, `labels` those of each edge. `below` maps a box to the room (width and height in px)
    to keep free below its lines. `captions` follow the legend and reserve one more line above it,
    at the height `caption`."""

    def __init__(
        self,
        boxes: dict[str, tuple[str, list[str]]],
        edges: list[Edge],
        below: dict[str, tuple[int, int]] | None = None,
        captions: list[str] | None = None,
    ):
        self.boxes: dict[str, Box] = {}
        self._edges, self._below = edges, below or {}
        depth = _depths(boxes, edges)
        self._fans = _fans(edges, depth)
        nodes = {name: self._node(name, depth[name], *boxes[name]) for name in boxes}
        ends = [(nodes[edge.source], nodes[edge.target]) for edge in edges]
        gaps = self._make_room(nodes)
        ways = place([*nodes.values()], ends, gaps)
        every = dict.fromkeys([*nodes.values(), *(node for way in ways for node in way)])
        self._rows = rows = Rows([*every], gaps, WIDTH - 2 * MARGIN)
        width = max(NARROWEST, rows.width + 2 * MARGIN)
        self.scene = scene = Scene(width, rows.height + 2 * MARGIN)
        self._left = (width - rows.width) // 2
        for name, node in nodes.items():
            self._draw_box(name, *boxes[name], node)
        self._draw_arrows(ways)
        self.caption, right = scene.height + 2, scene.width - MARGIN
        y = self.caption if captions is None else self.caption + 18
        for texts in (scene.legend(_LEGEND), captions or []):
            y = scene.write(MARGIN, y, right, texts)
        scene.height = y - 2

    def _node(self, name: str, layer: int, kind: str, lines: list[str]) -> Node:
        wide, high = self._below.get(name, (0, 0))
        w = 22 + max(30, wide, *(label.width() for label in _labels(kind, lines)))
        h = high + (30 if kind in _NODES else 24) + _LINE * (len(lines) - 1)
        return Node(layer, w, h, h)

    def _make_room(self, nodes: dict[str, Node]) -> dict[int, int]:
        """Reserve room between boxes for the texts of their arrows. Return the px to the right of each
        layer for the arrows that pass there."""
        gaps: dict[int, int] = {}
        for edge, fan in zip(self._edges, self._fans, strict=True):
            source, target, (width, height) = nodes[edge.source], nodes[edge.target], edge.size()
            node = target if fan.out else source
            node.room = max(node.room, height - 14)
            room = width + (24 + fan.turn if fan.count > 1 else 34)
            for layer in range(*sorted((source.layer, target.layer))):
                gaps[layer] = max(gaps.get(layer, 44), room)
        return gaps

    def _spot(self, across: int, along: int, layer: int) -> Point:
        x, y = self._rows.spot(across, along, layer)
        return x + self._left, y + MARGIN

    def _draw_box(self, name: str, kind: str, lines: list[str], node: Node) -> None:
        x, y = self._spot(node.across, node.along, node.layer)
        w, h = node.length, node.breadth
        tip = clean(name + "".join(f", {line}" for line in lines if line not in name))
        self.boxes[name] = Box(x - w // 2, y - h // 2, w, h, kind, tip)
        self.scene.bars.append(self.boxes[name])
        y -= self._below.get(name, (0, 0))[1] // 2 + _LINE * (len(lines) - 1) // 2
        for number, label in enumerate(_labels(kind, lines)):
            label.x, label.y = x, y + _LINE * number
            self.scene.labels.append(label)

    def _draw_arrows(self, ways: list[list[Node]]) -> None:
        counts = [edge.count for edge in self._edges if edge.kind == "message"] or [0]
        self._counts = min(counts), max(counts)
        ports, places = self._ports(ways), []
        for number, (edge, way) in enumerate(zip(self._edges, ways, strict=True)):
            fan, ends = self._fans[number], (ports[number, way[0]], ports[number, way[-1]])
            curves = [self._curve(*pair) for pair in pairwise(self._stops(way, *ends, edge, fan))]
            near = curves[-1] if fan.out else curves[0][::-1]
            places.append([*_along(near[3:7] if len(near) > 4 else near)])
            back = self._rows.row[way[-1].layer] % 2 == 1
            head = "lr"[(way[-1].layer > way[-2].layer) != back]
            head = "" if edge.target.startswith("question ") else head
            width = self.arrow_width(edge.count) if edge.kind == "message" else 0
            points = [*curves[0], *(point for curve in curves[1:] for point in curve[1:])]
            flat = tuple(value for point in points for value in point)
            self.scene.arrows.append(Arrow(flat, edge.kind, head, edge.tip, width))
        self._write_lines(places)

    def arrow_width(self, count: int) -> float:
        """The width in px of an arrow for so many messages, or 0 if all arrows have the same count."""
        fewest, most = self._counts
        if most == fewest:
            return 0
        return round(1.2 + 1.8 * max(0, count - fewest) / (most - fewest), 1)

    def _write_lines(self, places: list[list[Place]]) -> None:
        """Write the texts of the arrows: the first line at one of its places, the others next to it."""
        scene, lines = self.scene, max((len(edge.lines) for edge in self._edges), default=0)
        placer = LabelPlacer(scene, (2, 0, scene.width - 2, scene.height + _TEXT * lines))
        for box in scene.bars:
            placer.taken.add(box.extent())
        for x, y in [arrow.points[-2:] for arrow in scene.arrows if arrow.head]:
            placer.taken.add((x - 9, y - 9, x + 9, y + 9))
        self.labels: list[list[Label]] = [[] for _ in self._edges]
        for number in range(lines):  # counts first, so that no other line takes their places
            for edge, labels, spots in zip(self._edges, self.labels, places, strict=True):
                if not len(labels) == number < len(edge.lines):
                    continue
                if labels:
                    last = labels[-1]
                    spots = [(last.x, last.y + dy, last.anchor) for dy in (_TEXT, -_TEXT)]
                if label := placer.place([edge.lines[number]], edge.label_kind, spots):
                    label.tip = edge.tip
                    labels.append(label)
                    scene.height = max(scene.height, label.y + _TEXT)

    def _ports(self, ways: list[list[Node]]) -> dict[tuple[int, Node], int]:
        """The offset (px from the middle) at which each arrow meets the side of a box."""
        sides: dict[tuple[Node, bool], list[tuple[int, int]]] = {}
        for number, way in enumerate(ways):
            for end, after in ((way[0], way[1]), (way[-1], way[-2])):
                sides.setdefault((end, after.layer > end.layer), []).append((after.across, number))
        ports = {}
        for (node, _), arrows in sides.items():
            step = min(14, (node.breadth - 8) // len(arrows))
            for place_, (_, number) in enumerate(sorted(arrows)):
                ports[number, node] = (2 * place_ - len(arrows) + 1) * step // 2
        return ports

    def _stops(self, way: list[Node], first: int, last: int, edge: Edge, fan: _Fan) -> list[Stop]:
        """The stops of an arrow: its ends, and the ends of its straight parts."""
        step = 1 if way[-1].layer > way[-2].layer else -1
        begin, end = way[0], way[-1]
        stops = [(begin.across + first, begin.along + step * begin.length // 2, begin.layer)]
        for node in way[1:-1]:
            stops += [(node.across, node.along + way_ * 13, node.layer) for way_ in (-step, step)]
        stops.append((end.across + last, end.along - step * (end.length // 2 + 1), end.layer))
        straight = edge.size()[0] + 26
        if fan.count > 1:
            (across, along, layer), back = stops[-fan.out], -step if fan.out else step
            stops.insert(-1 if fan.out else 1, (across, along + back * straight, layer))
        return stops

    def _curve(self, one: Stop, other: Stop) -> list[Point]:
        """The points of the curve between two stops. From one row to another it turns at their side."""
        (x, y), (to_x, to_y) = self._spot(*one), self._spot(*other)
        rows = sorted(self._rows.row[layer] for *_, layer in (one, other))
        if rows[0] == rows[1]:
            middle = (x + to_x) // 2
            return [(x, y), (middle, y), (middle, to_y), (to_x, to_y)]
        side, further, out = self._rows.side(rows[0]) + self._left, max, 1
        if rows[0] % 2:
            further, out = min, -1
        begin, end = further(x, side), further(to_x, side)
        beside = further(begin, end) + out * min(44, 20 + abs(to_y - y) // 5)
        turn = [(begin, y), (beside, y), (beside, to_y), (end, to_y)]
        return [(x, y), (x, y), (begin, y), *turn, (end, to_y), (to_x, to_y), (to_x, to_y)]


def _labels(kind: str, lines: list[str]) -> list[Label]:
    """The labels of a box's lines, shortened to fit and not placed yet."""
    kinds = ["node" if kind in _NODES else "channel"] + ["detail"] * (len(lines) - 1)
    looks = [LABELS[kind] for kind in kinds]
    words = [shorten(t, 200, look.size, look.bold) for t, look in zip(lines, looks, strict=True)]
    rows = zip(words, kinds, lines, strict=True)
    return [Label(0, 0, word, kind, "middle", clean(line)) for word, kind, line in rows]


def _depths(boxes: dict[str, tuple[str, list[str]]], edges: list[Edge]) -> dict[str, int]:
    """The layer of each box: its distance from the start along the arrows, or the last layer if it has none."""
    reached: dict[str, list[str]] = {}
    for edge in edges:
        reached.setdefault(edge.source, []).append(edge.target)
    into = {edge.target for edge in edges}
    senders = [name for name, (kind, _) in boxes.items() if kind in _NODES and name in reached]
    depth: dict[str, int] = {}
    for start in sorted(senders, key=lambda name: name != "client" and name in into):
        if start not in depth:
            depth[start], queue = 0, [start]
            for name in queue:  # breadth first: it grows in the loop
                for other in reached.get(name, ()):
                    if other not in depth:  # from a database a service is captured: no channel
                        between = {boxes[name][0], boxes[other][0]} <= {*_NODES}
                        depth[other] = depth[name] + 1 + between
                        queue.append(other)
    last = max(depth.values(), default=0)
    depth |= {name: last for name in boxes if name not in depth}
    for edge in edges:
        if boxes[edge.source][0] == "question":  # before its asker, if it leads back
            askers = [depth[other.source] for other in edges if other.target == edge.source]
            if depth[edge.target] < min(askers):
                depth[edge.source] = min(askers) - 1
    return depth


def _fans(edges: list[Edge], depth: dict[str, int]) -> list[_Fan]:
    """The larger of the fans at the two ends of each edge."""

    def sides(edge: Edge) -> tuple[tuple[str, bool], tuple[str, bool]]:
        source, target = depth[edge.source], depth[edge.target]
        return (edge.source, target > source), (edge.target, source > target)

    sizes = Counter(side for edge in edges for side in sides(edge))
    counts = [[sizes[side] for side in sides(edge)] for edge in edges]
    return [_Fan(max(here, there), here > there) for here, there in counts]


def _along(curve: list[Point]) -> Iterator[Place]:
    """The places for the text of an arrow: on the curve near its middle, or next to it."""
    for shift, anchor in ((0, "middle"), (8, "start"), (-8, "end"), (18, "start"), (-18, "end")):
        for part in (8, 9, 7, 10, 6, 11, 5):
            x, y = point_on(curve, part / 16)
            yield x + shift, y, anchor


def point_on(curve: Sequence[Point], t: float) -> Point:
    """The point of a cubic curve at parameter `t`, from 0 to 1."""
    u = 1 - t
    weights = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
    x, y = (
        round(fsum(weight * value for weight, value in zip(weights, values, strict=True)))
        for values in zip(*curve, strict=True)
    )
    return x, y

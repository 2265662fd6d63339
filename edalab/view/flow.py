"""`flow(run)`: who talks to whom, through what, how often, and where it went wrong, as a graph drawn from the design."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from .look import LABELS
from .layers import Node, place
from .picture import Picture
from .scene import Arrow, Box, Label, Scene
from .text import clean, counted, shorten, text_width, wrapped

MARGIN, NARROWEST, WIDEST = 16, 420, 900  # px
_LEGEND = (  # kinds of boxes and arrows, and what a reader may need told about them
    ("topic", "round: topic"),
    ("queue", "dashed box: queue"),
    ("question", "dotted: question, answered on the way back"),
    ("message", "×: how many messages"),
    ("stopped", "red: struck by a fault"),
)
_PARTS = {"crash": ("crash", "crashes"), "dead letter": ("dead letter", "dead letters")}


class Flow(Picture):
    """A picture with a `graph`: a networkx.DiGraph of services and the client by name, and channels as "topic orders" or
    "queue emails"; its edges have `kind` (publish, deliver, ask, dead letter), `count`, `types` and `faults`."""

    def __init__(self, scene: Scene, links: "_Links"):
        super().__init__(scene)
        self._links = links

    @cached_property
    def graph(self):
        return self._links.graph()


def flow(run) -> Flow:
    """A picture of a run as a graph of services, topics and queues; edges carry counts of messages, faults are marked."""
    links = _Links(run)
    return Flow(_scene(run, links), links)


@dataclass(eq=False)
class Link:
    """All messages of one kind between two nodes."""

    source: str
    target: str
    kind: str
    types: Counter = field(default_factory=Counter)
    faults: Counter = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.types.total()

    def tip(self) -> str:
        types = ", ".join(f"{number:,} {name}" for name, number in self.types.items())
        return clean(
            f"{self.source} to {self.target}, {self.kind}: {types or 'none'}"
            + (f"; {self.words()}" if self.faults else "")
        )

    def said(self) -> str:
        return shorten(f" · {self.words()}", 130, 11, True) if self.faults else ""

    def words(self) -> str:
        return ", ".join(f"{number:,} {name}" for name, number in self.faults.items())


class _Links:
    """The journal counted."""

    def __init__(self, run):
        self.run = run
        self.links: dict[tuple[str, str, str], Link] = {}
        self.channels: dict[str, str] = {}  # id -> kind
        self.crashes: Counter = Counter()
        seen: set[tuple] = set()
        asked: dict[str, Link] = {}
        sent: dict[str, str] = {}
        for row in run.journal:
            envelope = row.envelope
            if row.step == "crash":
                self.crashes[row.service] += 1
            elif envelope is None or envelope.data is None and row.step != "note":
                continue
            elif row.step == "ask":
                if row.fault != "crash":
                    link = asked[envelope.id] = self._link(row.service, envelope.topic, "ask")
                    link.types[envelope.type] += 1
            elif row.step == "timeout":
                asked[envelope.id].faults["unanswered"] += 1
            elif row.step == "publish" and row.fault != "crash":
                channel = sent[envelope.id] = self._channel(envelope.topic)
                link = self._link(row.service, channel, "publish")
                link.types[envelope.type] += 1
                if row.fault:
                    link.faults[_FAULTS.get(row.fault, row.fault)] += 1
            elif envelope.id in asked or envelope.topic is None:
                continue
            elif row.step in ("deliver", "handle", "lost", "dead_letter"):
                channel = sent.get(envelope.id) or self._channel(envelope.topic)
                link = self._link(channel, row.service, "deliver")
                if row.step == "handle":
                    link.types[envelope.type] += 1
                    if (row.service, envelope.id) in seen:
                        link.faults["again"] += 1
                    seen.add((row.service, envelope.id))
                elif row.step == "deliver" and row.fault in ("drop", "delay"):
                    link.faults[_FAULTS[row.fault]] += 1
                elif row.step == "lost":
                    link.faults["lost"] += 1
                elif row.step == "dead_letter":
                    dead = f"dead letters {envelope.topic}.dlq"
                    self.channels[dead] = "dead letters"
                    self._link(row.service, dead, "dead letter").types[envelope.type] += 1

    def _channel(self, name: str) -> str:
        system = self.run.system
        kind = "queue" if name in system.queues or name.endswith(".commands") and name not in system.topics else "topic"
        self.channels[f"{kind} {name}"] = kind
        return f"{kind} {name}"

    def _link(self, source: str, target: str, kind: str) -> Link:
        return self.links.setdefault((source, target, kind), Link(source, target, kind))

    def graph(self):
        import networkx

        graph = networkx.DiGraph(name=self.run.system.name)
        if any(link.source == "client" for link in self.links.values()):
            graph.add_node("client", kind="client")
        for name in self.run.services:
            graph.add_node(name, kind="service", crashes=self.crashes[name])
        for name, kind in self.channels.items():
            graph.add_node(name, kind=kind)
        for link in self.links.values():
            graph.add_edge(
                link.source,
                link.target,
                kind=link.kind,
                count=link.count,
                types=dict(link.types),
                faults=dict(link.faults),
            )
        return graph


_FAULTS = {
    "lose": "lost",
    "fail": "failed",
    "drop": "dropped",
    "delay": "late",
    "duplicate": "doubled",
    "cut": "cut off",
}


def _layers(links: list[Link], services: list[str]) -> dict[str, int]:
    """Services on even layers and channels on odd ones, as far from the start as the first message had to go."""
    reached: dict[str, list[str]] = {}
    for link in links:
        reached.setdefault(link.source, []).append(link.target)
    into = {link.target for link in links}
    starts = ["client"] if "client" in reached else []
    starts += [name for name in services if name in reached and name not in into]
    layers: dict[str, int] = {}
    for start in [*starts, *services]:
        if start in layers or start not in starts and start not in into:
            continue
        layers[start] = 0
        queue = [start]
        for name in queue:  # breadth first
            for other in reached.get(name, ()):
                if other not in layers:
                    layers[other] = layers[name] + 1
                    queue.append(other)
    last = max(layers.values(), default=0)
    return layers | {name: last for name in services if name not in layers}


def _scene(run, links: _Links) -> Scene:
    """The graph as boxes and arrows: questions pass a box of their own, so that all arrows lead from layer to layer."""
    texts: dict[str, tuple[str, list[str]]] = {}  # id -> kind, lines
    used = {link.source for link in links.links.values()}
    if "client" in used:
        texts["client"] = ("client", ["client"])
    for name in run.services:
        crashes = links.crashes[name]
        texts[name] = (
            "struck service" if crashes else "service",
            [name] + ([counted(crashes, *_PARTS["crash"])] if crashes else []),
        )
        if name not in used and not any(link.target == name for link in links.links.values()):
            texts[name][1].append("no messages")
    drawn: list[tuple[str, str, Link, str, str]] = []  # from, to, link, label, kind of arrow
    for link in links.links.values():
        if link.kind == "ask":
            for type_, number in link.types.items():
                middle = f"question {link.target} {type_}"
                texts.setdefault(middle, ("question", [type_]))
                kind = "struck question" if link.faults else "question"
                drawn.append((link.source, middle, link, f"×{number:,}" + link.said(), kind))
                drawn.append((middle, link.target, Link(middle, link.target, "ask"), "", "question"))
            continue
        drawn.append((link.source, link.target, link, f"×{link.count:,}" + link.said(),
                      "stopped" if link.faults or link.kind == "dead letter" else "message"))  # fmt: skip
    for name, kind in links.channels.items():
        title = name.removeprefix(kind + " ")
        types = list(
            dict.fromkeys(t for link in links.links.values() if name in (link.source, link.target) for t in link.types)
        )
        own = title.endswith(".commands") and len(types) == 1
        lines = (
            [types[0]]
            if own
            else [title]
            if types in ([title], []) or kind == "dead letters"
            else [title, ", ".join(types)]
        )
        texts[name] = (kind, lines)
    once: dict[tuple[str, str], tuple] = {}
    for item in drawn:
        once.setdefault(item[:2], item)
    drawn = list(once.values())
    depth = _layers([Link(source, target, "") for source, target, *_ in drawn], run.services)
    for name in texts:
        askers = [depth[source] for source, target, *_ in drawn if target == name and name.startswith("question ")]
        asked = [depth[target] for source, target, *_ in drawn if source == name]
        if askers and asked[0] < min(askers):
            depth[name] = min(askers) - 1  # a question back does not lead on
    scene = _placed(texts, drawn, depth)
    total = {
        kind: sum(link.count for link in links.links.values() if link.kind == kind)
        for kind in ("publish", "deliver", "ask", "dead letter")
    }
    faults = sum((link.faults for link in links.links.values()), Counter())
    said = [
        counted(len(run.services), "service"),
        counted(len(links.channels), "channel"),
        f"{total['publish']:,} published",
    ]
    said += [f"{total['deliver']:,} handled", f"{total['ask']:,} asked"] + [
        f"{n:,} {name}" for name, n in sorted(faults.items())
    ]
    said += [counted(total["dead letter"], *_PARTS["dead letter"])] if total["dead letter"] else []
    said += [counted(links.crashes.total(), *_PARTS["crash"])] if links.crashes else []
    scene.shows = f"flow of {run.system.name}: {', '.join(said)}"
    scene.alt = clean(f"Flow of {run.system.name}. " + " ".join(f"{link.tip()}." for link in links.links.values()), 800)
    return scene


def _placed(texts, drawn, depth) -> Scene:
    """Boxes and arrows on paper: from left to right, or, where that gets too wide, from top to bottom."""
    sizes = {}
    for name, (kind, lines) in texts.items():
        label = LABELS["node" if kind in ("client", "service", "struck service") else "channel"]
        words = [shorten(lines[0], 150, label.size, label.bold), *(shorten(line, 150, 10) for line in lines[1:])]
        width = max(text_width(words[0], label.size, label.bold), *(text_width(word, 10) for word in words[1:]), 30)
        sizes[name] = words, width + 22, (30 if label.bold else 24) + 13 * (len(words) - 1)
    widest = max([text_width(text, 11, True) for *_, text, _ in drawn], default=0)
    gaps: dict[int, int] = {}
    for source, target, _, text, _ in drawn:
        low, high = sorted((depth[source], depth[target]))
        for layer in range(low, high):
            gaps[layer] = max(gaps.get(layer, 44), text_width(text, 11, True) + 34)
    for upright in (False, True):
        nodes = {name: Node(depth[name], w, h) for name, (_, w, h) in sizes.items()}
        spaces = dict.fromkeys(gaps, 36) if upright else gaps
        ways = place(
            list(nodes.values()), [(nodes[source], nodes[target]) for source, target, *_ in drawn], spaces, upright
        )
        every = [node for way in ways for node in way] + list(nodes.values())
        across = max(node.across + (node.w if upright else node.h) // 2 for node in every)
        along = max(node.along + (node.h if upright else node.w) // 2 for node in every)
        if along <= WIDEST - 2 * MARGIN:
            break
    side = max(MARGIN, widest // 2) if upright else MARGIN
    width = max(NARROWEST, (across if upright else along) + 2 * side)
    scene = Scene(width, (along if upright else across) + 2 * MARGIN)
    left = (width - (across if upright else along)) // 2

    def spot(across: int, along: int) -> tuple[int, int]:
        return (across + left, along + MARGIN) if upright else (along + left, across + MARGIN)

    for name, node in nodes.items():
        (x, y), (kind, lines), (words, w, h) = spot(node.across, node.along), texts[name], sizes[name]
        scene.bars.append(
            Box(
                x - w // 2,
                y - h // 2,
                w,
                h,
                kind,
                clean(name + "".join(f", {line}" for line in lines if line not in name)),
            )
        )
        first = "node" if kind in ("client", "service", "struck service") else "channel"
        for number, word in enumerate(words):
            at = y + 13 * number - 13 * (len(words) - 1) // 2
            scene.labels.append(Label(x, at, word, "detail" if number else first, "middle", clean(lines[number])))
    ports = _ports(ways, upright)
    counts = [link.count for _, _, link, _, kind in drawn if kind == "message"] or [0]
    spread = max(counts) - min(counts)
    curves = []
    for number, ((_, target, link, _, kind), way) in enumerate(zip(drawn, ways)):
        points = [spot(*point) for point in _hops(way, [ports[number, way[0]], ports[number, way[-1]]], upright)]
        forward = way[-1].layer > way[-2].layer
        head = "" if target.startswith("question ") else "ud"[forward] if upright else "lr"[forward]
        width = round(1.2 + 1.8 * (link.count - min(counts)) / spread, 1) if spread and kind == "message" else 0
        scene.arrows.append(Arrow(tuple(value for point in points for value in point), kind, head, link.tip(), width))
        curves.append(points[:4] if link.kind != "deliver" else points[-4:])
    taken = [box.extent() for box in scene.bars]
    taken += [(x - 9, y - 9, x + 9, y + 9) for x, y in (arrow.points[-2:] for arrow in scene.arrows if arrow.head)]
    hubs = [(link.kind, link.source if link.kind == "deliver" else target) for _, target, link, *_ in drawn]
    crowd = Counter(hubs)
    for (_, _, link, text, kind), curve, hub in zip(drawn, curves, hubs):
        if text:
            style = "struck count" if kind in ("stopped", "struck question") else "count"
            alone = upright or crowd[hub] < 2
            _say(scene, taken, text, style, curve if link.kind == "deliver" else curve[::-1], alone, link.tip())
    kinds = {item.kind for item in scene.items()}
    legend = [words for kind, words in _LEGEND if kind in kinds]
    for line in wrapped(legend, " · ", scene.width - 2 * MARGIN):
        scene.labels.append(Label(MARGIN, scene.height + 2, line, "caption"))
        scene.height += 16
    return scene


def _ports(ways: list[list[Node]], upright: bool) -> dict[tuple[int, Node], int]:
    """Where on the side of a box each arrow ends, so that they do not end in one point: px from the middle of the side."""
    sides: dict[tuple[Node, bool], list[tuple[int, int]]] = {}
    for number, way in enumerate(ways):
        for end, next_ in ((way[0], way[1]), (way[-1], way[-2])):
            sides.setdefault((end, next_.layer > end.layer), []).append((next_.across, number))
    ports = {}
    for (node, _), arrows in sides.items():
        step = min(14, ((node.w if upright else node.h) - 8) // len(arrows))
        for place_, (_, number) in enumerate(sorted(arrows)):
            ports[number, node] = (2 * place_ - len(arrows) + 1) * step // 2
    return ports


def _hops(way: list[Node], ends: list[int], upright: bool) -> list[tuple[int, int]]:
    """(across, along) of the start and of three points more for each curve, from layer to layer."""
    step = 1 if way[-1].layer > way[-2].layer else -1
    half = [(node.h if upright else node.w) // 2 for node in way]
    stops = [(way[0].across + ends[0], way[0].along + step * half[0])]
    for node in way[1:-1]:
        stops += [(node.across, node.along - step * 13), (node.across, node.along + step * 13)]
    stops.append((way[-1].across + ends[1], way[-1].along - step * (half[-1] + 1)))
    points = [stops[0]]
    for (a, b), (c, d) in zip(stops, stops[1:]):
        points += [(a, (b + d) // 2), (c, (b + d) // 2), (c, d)]
    return points


def _say(scene: Scene, taken: list, text: str, kind: str, curve: list[tuple[int, int]], alone: bool, tip: str) -> None:
    """Put words on a curve where there is room, or beside it: in its middle, or near the end that it shares with no other.
    Where there is none, its tool-tip says them."""
    for anchor, shift in (("middle", 0), ("start", 8), ("end", -8), ("start", 18), ("end", -18)):
        for part in (8, 9, 7, 10, 6, 11, 5) if alone else (12, 13, 11, 10, 9, 8, 7, 6, 5, 14):
            t, u = part / 16, 1 - part / 16
            weights = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
            x, y = (round(sum(w * v for w, v in zip(weights, (point[axis] for point in curve)))) for axis in (0, 1))
            label = Label(x + shift, y, text, kind, anchor, tip)
            left, top, right, bottom = label.extent()
            crossed = any(a < right + 2 and left - 2 < c and b < bottom and top < d for a, b, c, d in taken)
            if left >= 2 and right <= scene.width - 2 and not crossed:
                taken.append((left, top, right, bottom))
                scene.labels.append(label)
                return

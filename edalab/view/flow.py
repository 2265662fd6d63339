"""`flow(run)`: who talks to whom, through what, how often, and where it went wrong: a graph drawn from the design."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import needed_for
from ..text import clean, counted, shorten
from .chart import Edge, chart
from .given import check_run
from .picture import Picture
from .scene import Scene

_SAID = {
    "lose": "lost",
    "fail": "failed",
    "drop": "dropped",
    "delay": "late",
    "duplicate": "doubled",
}


class Flow(Picture):
    """A picture with a `graph`: a networkx.DiGraph of services and the client by name, and of channels as "topic
    orders" or "queue emails". Edges have `kind` (publish, deliver, ask, dead letter), `count`, `types` and `faults`."""

    def __init__(self, scene: Scene, traffic: "Traffic"):
        super().__init__(scene)
        self._traffic = traffic

    @cached_property
    def graph(self):
        return self._traffic.graph()


def flow(run) -> Flow:
    """A picture of a run as a graph of services, topics and queues; edges are counted and faults are marked."""
    check_run("flow", run)
    traffic = Traffic(run)
    return Flow(_scene(run, traffic), traffic)


@dataclass(eq=False)
class Link:
    """All messages of one kind between two nodes; questions of each type have a link of their own."""

    source: str
    target: str
    kind: str
    types: Counter = field(default_factory=Counter)
    faults: Counter = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.types.total()

    @property
    def wrong(self) -> str:
        return ", ".join(f"{number:,} {name}" for name, number in self.faults.items())

    def label(self) -> str:
        return f"×{self.count:,}" + (
            shorten(f" · {self.wrong}", 130, 11, True) if self.faults else ""
        )

    def tip(self) -> str:
        types = ", ".join(f"{number:,} {name}" for name, number in self.types.items())
        wrong = f"; {self.wrong}" if self.faults else ""
        return clean(f"{self.source} to {self.target}, {self.kind}: {types or 'none'}{wrong}")


class Traffic:
    """The journal, counted."""

    def __init__(self, run):
        self.run = run
        self.links: dict[tuple, Link] = {}
        self.channels: dict[str, str] = {}  # id -> kind
        self.crashes: Counter = Counter()
        self._asked: dict[str, Link] = {}  # id of a question -> its link
        self._handled: set[tuple[str, str]] = set()
        for row in run.journal:
            envelope = row.envelope
            if row.step == "crash":
                self.crashes[row.service] += 1
            elif envelope is None or envelope.data is None:
                continue
            elif row.step == "ask" and row.fault != "crash":
                link = self._asked[envelope.id] = self._link(
                    row.service, envelope.topic, "ask", envelope.type
                )
                link.types[envelope.type] += 1
            elif row.step == "timeout" and envelope.id in self._asked:
                self._asked[envelope.id].faults["unanswered"] += 1
            elif row.step == "publish" and row.fault != "crash":
                link = self._link(row.service, self._channel(envelope.topic), "publish")
                link.types[envelope.type] += 1
                if row.fault:
                    link.faults[_SAID.get(row.fault, row.fault)] += 1
            elif (
                row.step in ("deliver", "handle", "lost", "dead_letter")
                and envelope.id not in self._asked
            ):
                self._consumed(row, envelope)

    def _consumed(self, row, envelope) -> None:
        link = self._link(self._channel(envelope.topic), row.service, "deliver")
        if row.step == "handle":
            link.types[envelope.type] += 1
            if (row.service, envelope.id) in self._handled:
                link.faults["again"] += 1
            self._handled.add((row.service, envelope.id))
        elif row.step == "deliver" and row.fault in ("drop", "delay"):
            link.faults[_SAID[row.fault]] += 1
        elif row.step == "lost":
            link.faults["lost"] += 1
        elif row.step == "dead_letter":
            dead = f"dead letters {envelope.topic}.dlq"
            self.channels[dead] = "dead letters"
            self._link(row.service, dead, "dead letter").types[envelope.type] += 1

    def _channel(self, name: str) -> str:
        system = self.run.system
        kind = (
            "queue"
            if name in system.queues or name.endswith(".commands") and name not in system.topics
            else "topic"
        )
        self.channels[f"{kind} {name}"] = kind
        return f"{kind} {name}"

    def _link(self, source: str, target: str, kind: str, type_: str = "") -> Link:
        return self.links.setdefault((source, target, kind, type_), Link(source, target, kind))

    def graph(self):
        with needed_for("flow(run).graph"):
            import networkx

        graph = networkx.DiGraph(name=self.run.system.name)
        for name in self.nodes():
            graph.add_node(
                name, kind=self.channels.get(name, "client" if name == "client" else "service")
            )
        for name, crashes in self.crashes.items():
            graph.nodes[name]["crashes"] = crashes
        for link in self.links.values():
            ends = link.source, link.target
            if not graph.has_edge(*ends):
                graph.add_edge(*ends, kind=link.kind, count=0, types={}, faults=Counter())
            edge = graph.edges[ends]
            edge["count"] += link.count
            edge["types"].update(link.types)
            edge["faults"].update(link.faults)
        return graph

    def nodes(self) -> list[str]:
        sends = any(link.source == "client" for link in self.links.values())
        return ["client"] * sends + list(self.run.services) + list(self.channels)


def _scene(run, traffic: Traffic) -> Scene:
    """The graph as boxes and arrows. Questions pass a box of their own, so that arrows lead from layer to layer."""
    links = list(traffic.links.values())
    boxes: dict[str, tuple[str, list[str]]] = {}  # id -> kind, lines of words
    for name in traffic.nodes():
        touching = [link for link in links if name in (link.source, link.target)]
        if kind := traffic.channels.get(name):
            boxes[name] = kind, _channel_lines(name.removeprefix(kind + " "), kind, touching)
        elif crashes := traffic.crashes[name]:
            boxes[name] = "struck service", [name, counted(crashes, "crash", "crashes")]
        else:
            boxes[name] = (
                "client" if name == "client" else "service",
                [name] if touching else [name, "no messages"],
            )
    edges: dict[tuple[str, str], Edge] = {}
    for link in links:
        source, target = link.source, link.target
        kind = "stopped" if link.faults or link.kind == "dead letter" else "message"
        if link.kind == "ask":
            kind = "struck question" if link.faults else "question"
            target = f"question {link.target} {next(iter(link.types))}"
            boxes[target] = "question", list(link.types)
            edges[target, link.target] = Edge(
                target, link.target, "question", "", f"{target} is answered", 0
            )
        out = link.kind == "deliver"
        edges[source, target] = Edge(
            source, target, kind, link.label(), link.tip(), link.count, out
        )
    scene = chart(boxes, list(edges.values()), run.services)
    count = Counter()
    for link in links:
        count[link.kind] += link.count
    faults = sum((link.faults for link in links), Counter())
    said = [counted(len(run.services), "service"), counted(len(traffic.channels), "channel")]
    said += [
        f"{count['publish']:,} published",
        f"{count['deliver']:,} handled",
        f"{count['ask']:,} asked",
    ]
    said += [f"{number:,} {name}" for name, number in sorted(faults.items())]
    said += [counted(count["dead letter"], "dead letter")] if count["dead letter"] else []
    said += [counted(traffic.crashes.total(), "crash", "crashes")] if traffic.crashes else []
    scene.shows = f"flow of {run.system.name}: {', '.join(said)}"
    scene.alt = clean(
        f"Flow of {run.system.name}. " + " ".join(f"{link.tip()}." for link in links), 800
    )
    return scene


def _channel_lines(title: str, kind: str, touching: list[Link]) -> list[str]:
    """A channel says its name, and what it carries where that is not the same."""
    types = list(dict.fromkeys(type_ for link in touching for type_ in link.types))
    if kind == "dead letters" or types in ([title], []):
        return [title]
    return types if title.endswith(".commands") and len(types) == 1 else [title, ", ".join(types)]

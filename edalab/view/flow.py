"""`flow(run)`: who talks to whom, through what, how often, and where it went wrong: a graph drawn from the design."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import needed_for
from ..sim.run import Run
from ..sim.steps import Step
from ..text import clean, counted, shorten
from ..trace.faults import FAULTS
from ..trace.spans import Trace
from ..trace.transfers import Transfer
from .chart import Edge, chart
from .picture import Picture, check_run
from .scene import Scene

_FAULTS = {name: fault.words for name, fault in FAULTS.items()}


class Flow(Picture):
    """A picture with a `graph`: a networkx.DiGraph of services and the client by name, and of channels as "topic
    orders" or "queue emails". Edges have `kind` (publish, deliver, ask, dead letter), `count`, `types` and `faults`."""

    def __init__(self, scene: Scene, counts: "Counts"):
        super().__init__(scene)
        self._counts = counts

    @cached_property
    def graph(self):
        return self._counts.graph()


def flow(run) -> Flow:
    """A picture of a run as a graph of services, topics and queues; edges are counted and faults are marked."""
    check_run("flow", run)
    counts = Counts(run)
    return Flow(_scene(run, counts), counts)


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
        faults = shorten(f" · {self.wrong}", 130, 11, True) if self.faults else ""
        return f"×{self.count:,}{faults}"

    def tip(self) -> str:
        types = ", ".join(f"{number:,} {name}" for name, number in self.types.items())
        wrong = f"; {self.wrong}" if self.faults else ""
        return clean(f"{self.source} to {self.target}, {self.kind}: {types or 'none'}{wrong}")


class Counts:
    """The messages of a run, counted for each link between a service and a channel."""

    def __init__(self, run: Run):
        self.run = run
        self.links: dict[tuple, Link] = {}
        self.channels: dict[str, str] = {}  # id -> kind
        self.crashes: Counter = Counter()
        self._traffic = Trace.of(run).traffic
        for number, step in enumerate(run.journal):
            if step.step == "crash":
                self.crashes[step.service] += 1
            elif transfer := self._traffic.of_step.get(number):
                if transfer.question:
                    self._count_question(step, transfer)
                elif step.step == "publish":
                    link = self._link(step.service, self._channel(step.envelope.topic), "publish")
                    link.types[step.envelope.type] += 1
                    if step.fault:
                        link.faults[_FAULTS.get(step.fault, step.fault)] += 1
                elif step.step in ("deliver", "handle", "lost", "dead_letter"):
                    self._count_delivery(number, step)

    def _count_question(self, step: Step, transfer: Transfer) -> None:
        asker, type_ = self.run.journal[transfer.sent].service, step.envelope.type
        link = self._link(asker, step.envelope.topic, "ask", type_)
        if step.step == "ask":
            link.types[type_] += 1
        elif step.step == "timeout":
            link.faults["unanswered"] += 1

    def _count_delivery(self, number: int, step: Step) -> None:
        type_, topic = step.envelope.type, step.envelope.topic
        link = self._link(self._channel(topic), step.service, "deliver")
        if step.step == "handle":
            link.types[type_] += 1
            if self._traffic.arrival_at[number].previous:
                link.faults["again"] += 1
        elif step.step == "deliver" and step.fault in ("drop", "delay"):
            link.faults[_FAULTS[step.fault]] += 1
        elif step.step == "lost":
            link.faults["lost"] += 1
        elif step.step == "dead_letter":
            dead = f"dead letters {topic}.dlq"
            self.channels[dead] = "dead letters"
            self._link(step.service, dead, "dead letter").types[type_] += 1

    def _channel(self, name: str) -> str:
        system = self.run.system
        commands = name.endswith(".commands") and name not in system.topics
        kind = "queue" if name in system.queues or commands else "topic"
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


def _scene(run, counts: Counts) -> Scene:
    """The graph as boxes and arrows. Questions pass a box of their own, so that arrows lead from layer to layer."""
    links = list(counts.links.values())
    boxes: dict[str, tuple[str, list[str]]] = {}  # id -> kind, lines of words
    for name in counts.nodes():
        touching = [link for link in links if name in (link.source, link.target)]
        if kind := counts.channels.get(name):
            boxes[name] = kind, _channel_lines(name.removeprefix(kind + " "), kind, touching)
        elif crashes := counts.crashes[name]:
            boxes[name] = "struck service", [name, counted(crashes, "crash", "crashes")]
        else:
            kind = "client" if name == "client" else "service"
            boxes[name] = kind, [name] if touching else [name, "no messages"]
    edges: dict[tuple[str, str], Edge] = {}
    for link in links:
        source, target = link.source, link.target
        kind = "stopped" if link.faults or link.kind == "dead letter" else "message"
        if link.kind == "ask":
            kind = "struck question" if link.faults else "question"
            target = f"question {link.target} {next(iter(link.types))}"
            boxes[target] = "question", list(link.types)
            answered = Edge(target, link.target, "question", "", f"{target} is answered", 0)
            edges[target, link.target] = answered
        label, tip, out = link.label(), link.tip(), link.kind == "deliver"
        edges[source, target] = Edge(source, target, kind, label, tip, link.count, out)
    scene = chart(boxes, list(edges.values()), run.services)
    count = Counter()
    for link in links:
        count[link.kind] += link.count
    faults = sum((link.faults for link in links), Counter())
    said = [counted(len(run.services), "service"), counted(len(counts.channels), "channel")]
    said += [
        f"{count['publish']:,} published",
        f"{count['deliver']:,} handled",
        f"{count['ask']:,} asked",
    ]
    said += [f"{number:,} {name}" for name, number in sorted(faults.items())]
    said += [counted(count["dead letter"], "dead letter")] if count["dead letter"] else []
    said += [counted(counts.crashes.total(), "crash", "crashes")] if counts.crashes else []
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

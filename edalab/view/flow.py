"""`flow(run)`: the graph of services and channels, with counts of messages and faults."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf

from ..errors import needed_for
from ..model import DeadLetter, Envelope
from ..sim.clock import milliseconds
from ..sim.run import Run
from ..text import clean, counted
from ..trace.faults import FAULTS
from ..trace.spans import Trace
from .chart import Chart, Edge
from .picture import Picture, check_run
from .scene import Scene

_FAULTS = {name: fault.words for name, fault in FAULTS.items()}


@dataclass(eq=False)
class Link:
    """All messages of one kind between two nodes. Questions of each type have a link of their own.

    messages: (time in ms, type) of each. struck: (time in ms, name) of each fault.
    box: the box to which the arrow leads. A question has a box of its own between the nodes.
    The methods count only what happened up to a time (ms)."""

    source: str
    target: str
    kind: str
    box: str
    messages: list[tuple[int, str]] = field(default_factory=list)
    struck: list[tuple[int, str]] = field(default_factory=list)

    def types(self, until: float = inf) -> Counter[str]:
        return Counter(type_ for time, type_ in self.messages if time <= until)

    def faults(self, until: float = inf) -> Counter[str]:
        return Counter(name for time, name in self.struck if time <= until)

    def tip(self, until: float = inf) -> str:
        happened = ", ".join(_counts(self.types(until))) or "none"
        if faults := _counts(self.faults(until)):
            happened += f"; {', '.join(faults)}"
        return clean(f"{self.source} to {self.target}, {self.kind}: {happened}")

    def edge(self, until: float = inf) -> Edge:
        """The arrow of this link."""
        faults, count = _counts(self.faults(until)), self.types(until).total()
        kind = "stopped" if faults or self.kind == "dead letter" else "message"
        if self.kind == "ask":
            kind = "struck question" if faults else "question"
        lines = [f"×{count:,}", *faults]
        return Edge(self.source, self.box, kind, lines, self.tip(until), count)


class Flow(Picture):
    """A picture of the messages of a run, counted for each link between a service and a channel.

    `graph` is a networkx.DiGraph. Its nodes are the services, the client, and channels such as
    "topic orders" or "queue emails". Its edges have `kind` (publish, deliver, ask, dead letter,
    capture), `count`, `types` and `faults`."""

    def __init__(self, run: Run):
        self.links = links = Links(run)
        super().__init__(_drawn(links))

    @cached_property
    def graph(self):
        with needed_for("flow(run).graph"):
            import networkx

        links = self.links
        graph = networkx.DiGraph(name=links.run.system.name)
        for name in links.nodes:
            graph.add_node(name, kind=links.kind_of(name))
        for name, crashes in Counter(name for _, name in links.crashes).items():
            graph.nodes[name]["crashes"] = crashes
        for link in links:
            ends = link.source, link.target
            if not graph.has_edge(*ends):
                graph.add_edge(*ends, kind=link.kind, count=0, types={}, faults=Counter())
            edge = graph.edges[ends]
            edge["count"] += len(link.messages)
            edge["types"].update(link.types())
            edge["faults"].update(link.faults())
        return graph


class Links:
    """The links of a run, in the order in which they were first used, and the nodes that they link.

    channels: the id of a channel, such as "topic orders" -> its kind.
    crashes: (time in ms, service) of each."""

    def __init__(self, run: Run):
        self.run = run
        self._links: dict[tuple[str, ...], Link] = {}
        self.channels: dict[str, str] = {}
        self._count()
        self.crashes = [(step.time, step.service) for step in run.journal if step.step == "crash"]
        sends = any(link.source == "client" for link in self)
        self.nodes = ["client"] * sends + [*run.services, *self.channels]

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

    def _count(self) -> None:
        journal, traffic = self.run.journal, Trace.of(self.run).traffic
        for number, transfer in sorted(traffic.of_step.items()):
            step, message = journal[number], transfer.envelope
            fault = _FAULTS.get(step.fault or "", step.fault)
            match step.step:
                case "ask" | "timeout" | "busy":
                    asker = journal[transfer.sent].service
                    link = self._link(asker, message.topic, "ask", message.type)
                    fault = {"timeout": "unanswered", "busy": "busy"}.get(step.step)
                case "publish" if not isinstance(message, DeadLetter):  # which has a link already
                    link = self._link(step.service, self.channel(message), "publish")
                case "rejected" | "discarded" if step.offset is None:  # at a queue
                    link = self._link(step.service, self.channel(message), "publish")
                    fault = step.step
                case "deliver" | "lost" | "expired" | "discarded" | "handle" if (
                    not transfer.question
                ):
                    link = self._link(self.channel(message), step.service, "deliver")
                    if step.step in ("lost", "expired", "discarded"):
                        fault = step.step
                    elif step.step == "handle":
                        fault = "again" if traffic.arrival_at[number].previous else None
                    elif step.fault not in ("drop", "delay"):
                        fault = None
                case "dead_letter" if not transfer.question:
                    dead = f"dead letters {message.topic}.dlq"
                    self.channels[dead] = "dead letters"
                    link, fault = self._link(step.service, dead, "dead letter"), None
                case _:
                    continue
            if step.step in ("ask", "publish", "handle", "dead_letter"):
                link.messages.append((step.time, message.type))
            if fault:
                link.struck.append((step.time, fault))
        for name, service in self.run.system.services.items():
            taken = [s for s in journal if s.service == name and s.step == "handle"]
            if service.captures is not None and taken:
                link = self._link(service.captures[0], name, "capture")
                link.messages += [(s.time, s.envelope.type) for s in taken if s.envelope]

    def channel(self, message: Envelope) -> str:
        system, name = self.run.system, message.topic
        if name.endswith(".dlq"):
            kind = "dead letters"
        else:
            ours = name.endswith((".commands", ".retry")) and name not in system.topics
            kind = "queue" if name in system.queues or ours else "topic"
        self.channels[f"{kind} {name}"] = kind
        return f"{kind} {name}"

    def _link(self, source: str, target: str, kind: str, question: str = "") -> Link:
        box = f"question {target} {question}" if question else target
        link = Link(source, target, kind, box)
        return self._links.setdefault((source, target, kind, question), link)

    def kind_of(self, node: str) -> str:
        return self.channels.get(node, "client" if node == "client" else "service")

    def box(self, name: str) -> tuple[str, list[str]]:
        """The kind of a node and its lines. A channel lists its message types if its name does not tell them."""
        touching = [link for link in self if name in (link.source, link.target)]
        kind = self.kind_of(name)
        if name not in self.channels:
            return kind, [name] if touching else [name, "no messages"]
        title = name.removeprefix(kind + " ")
        types = list(dict.fromkeys(type_ for link in touching for type_ in link.types()))
        if kind == "dead letters" or types in ([title], []):
            return kind, [title]
        alone = title.endswith(".commands") and len(types) == 1
        return kind, types if alone else [title, ", ".join(types)]

    def boxes(self) -> dict[str, tuple[str, list[str]]]:
        """The boxes of the nodes and of the questions between them."""
        questions = {link.box: ("question", [*link.types()]) for link in self if link.kind == "ask"}
        return {name: self.box(name) for name in self.nodes} | questions

    def edges(self) -> list[Edge]:
        """The arrows: one for each link, and one from each question to the service that answers it."""
        edges: dict[tuple[str, str], Edge] = {}
        for link in self:
            if link.kind == "ask":
                tip = f"{link.box} is answered"
                edges[link.box, link.target] = Edge(link.box, link.target, "question", [], tip, 0)
            edges[link.source, link.box] = link.edge()
        return list(edges.values())


def _drawn(links: Links) -> Scene:
    """The graph of the whole run as boxes and arrows."""
    boxes, run = links.boxes(), links.run
    crashes = Counter(name for _, name in links.crashes)
    for name, number in crashes.items():
        boxes[name] = "struck service", [name, counted(number, "crash", "crashes")]
    edges = links.edges()
    if all(edge.count <= 1 for edge in edges):  # then the counts add nothing
        edges = [edge._replace(lines=edge.lines[1:]) for edge in edges]
    scene = Chart(boxes, edges).scene
    totals, faults = Counter(), Counter()
    for link in links:
        totals[link.kind] += len(link.messages)
        faults += link.faults()
    parts = [
        counted(len(run.services), "service"),
        counted(len(links.channels), "channel"),
        *(f"{totals['publish']:,} published", f"{totals['deliver']:,} handled"),
        f"{totals['ask']:,} asked",
        *_counts(dict(sorted(faults.items()))),
    ]
    if totals["dead letter"]:
        parts.append(counted(totals["dead letter"], "dead letter"))
    if crashes:
        parts.append(counted(crashes.total(), "crash", "crashes"))
    name = run.system.name
    scene.shows = f"flow of {name}: {', '.join(parts)}"
    tips = " ".join(f"{link.tip()}." for link in links)
    scene.alt = clean(f"Flow of {name}. {tips}", 800)
    return scene


def _counts(numbers: Mapping[str, int]) -> list[str]:
    return [f"{number:,} {name}" for name, number in numbers.items()]


def flow(run: Run, at: float | None = None) -> Picture:
    """A picture of a run as a graph of services, topics and queues, with counts and faults.

    at: a moment, in seconds. The picture then shows the messages on their way at that moment, how
    many wait in each queue and partition, and which services are at work or have an outage."""
    check_run("flow", run, "pass the run, and at={}")
    if at is None:
        return Flow(run)
    from .flow_moment import FlowMoments  # here, because flow_moment imports this module

    return FlowMoments(run).at(milliseconds(at, "at="))

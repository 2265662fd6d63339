"""`flow(run)`: who talks to whom, through what, how often, and where it went wrong."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import needed_for
from ..model import Envelope
from ..sim.run import Run
from ..text import clean, counted, shorten
from ..trace.faults import FAULTS
from ..trace.spans import Trace
from .chart import Edge, chart
from .picture import Picture, check_run
from .scene import Scene

_FAULTS = {name: fault.words for name, fault in FAULTS.items()}


@dataclass(eq=False)
class Link:
    """All messages of one kind between two nodes; questions of each type have a link of their own."""

    source: str
    target: str
    kind: str
    types: Counter = field(default_factory=Counter)
    faults: Counter = field(default_factory=Counter)

    @property
    def struck_by(self) -> str:
        return ", ".join(f"{number:,} {name}" for name, number in self.faults.items())

    def tip(self) -> str:
        types = ", ".join(f"{number:,} {name}" for name, number in self.types.items()) or "none"
        faults = f"; {self.struck_by}" if self.faults else ""
        return clean(f"{self.source} to {self.target}, {self.kind}: {types}{faults}")

    def edge(self, target: str) -> Edge:
        """The arrow of this link, to the box that stands for its target."""
        kind = "stopped" if self.faults or self.kind == "dead letter" else "message"
        if self.kind == "ask":
            kind = "struck question" if self.faults else "question"
        faults = shorten(f" · {self.struck_by}", 130, 11, True) if self.faults else ""
        count, out = self.types.total(), self.kind == "deliver"
        return Edge(self.source, target, kind, f"×{count:,}{faults}", self.tip(), count, out)


class Flow(Picture):
    """A picture of the messages of a run, counted for each link between a service and a channel.

    `graph` is a networkx.DiGraph of services and the client by name, and of channels as "topic
    orders" or "queue emails". Edges have `kind` (publish, deliver, ask, dead letter), `count`,
    `types` and `faults`."""

    def __init__(self, run: Run):
        self._run = run
        self._links: dict[tuple[str, ...], Link] = {}
        self._channels: dict[str, str] = {}  # id -> kind
        self._count()
        self._crashes = Counter(step.service for step in run.journal if step.step == "crash")
        sends = any(link.source == "client" for link in self._links.values())
        self._nodes = ["client"] * sends + [*run.services, *self._channels]
        super().__init__(self._drawn())

    def _count(self) -> None:
        journal, traffic = self._run.journal, Trace.of(self._run).traffic
        for number, transfer in sorted(traffic.of_step.items()):
            step, message = journal[number], transfer.envelope
            fault = _FAULTS.get(step.fault or "", step.fault)
            match step.step:
                case "ask" | "timeout":
                    asker = journal[transfer.sent].service
                    link = self._link(asker, message.topic, "ask", message.type)
                    fault = "unanswered" if step.step == "timeout" else None
                case "publish":
                    link = self._link(step.service, self._channel(message), "publish")
                case "deliver" | "lost" | "handle" if not transfer.question:
                    link = self._link(self._channel(message), step.service, "deliver")
                    if step.step == "lost":
                        fault = "lost"
                    elif step.step == "handle":
                        fault = "again" if traffic.arrival_at[number].previous else None
                    elif step.fault not in ("drop", "delay"):
                        fault = None
                case "dead_letter" if not transfer.question:
                    dead = f"dead letters {message.topic}.dlq"
                    self._channels[dead] = "dead letters"
                    link, fault = self._link(step.service, dead, "dead letter"), None
                case _:
                    continue
            if step.step in ("ask", "publish", "handle", "dead_letter"):
                link.types[message.type] += 1
            if fault:
                link.faults[fault] += 1

    def _channel(self, message: Envelope) -> str:
        system, name = self._run.system, message.topic
        commands = name.endswith(".commands") and name not in system.topics
        kind = "queue" if name in system.queues or commands else "topic"
        self._channels[f"{kind} {name}"] = kind
        return f"{kind} {name}"

    def _link(self, source: str, target: str, kind: str, question: str = "") -> Link:
        link = Link(source, target, kind)
        return self._links.setdefault((source, target, kind, question), link)

    @cached_property
    def graph(self):
        with needed_for("flow(run).graph"):
            import networkx

        graph = networkx.DiGraph(name=self._run.system.name)
        for name in self._nodes:
            kind = "client" if name == "client" else "service"
            graph.add_node(name, kind=self._channels.get(name, kind))
        for name, crashes in self._crashes.items():
            graph.nodes[name]["crashes"] = crashes
        for link in self._links.values():
            ends = link.source, link.target
            if not graph.has_edge(*ends):
                graph.add_edge(*ends, kind=link.kind, count=0, types={}, faults=Counter())
            edge = graph.edges[ends]
            edge["count"] += link.types.total()
            edge["types"].update(link.types)
            edge["faults"].update(link.faults)
        return graph

    def _drawn(self) -> Scene:
        """The graph as boxes and arrows. A question has a box of its own on its way, so that arrows
        lead from layer to layer."""
        boxes = {name: self._box(name) for name in self._nodes}
        edges: dict[tuple[str, str], Edge] = {}
        totals, faults = Counter(), Counter()
        for link in self._links.values():
            target = link.target
            if link.kind == "ask":
                target = f"question {link.target} {next(iter(link.types))}"
                boxes[target] = "question", list(link.types)
                tip = f"{target} is answered"
                edges[target, link.target] = Edge(target, link.target, "question", "", tip, 0)
            edges[link.source, target] = link.edge(target)
            totals[link.kind] += link.types.total()
            faults += link.faults
        scene = chart(boxes, list(edges.values()), self._run.services)
        parts = [
            counted(len(self._run.services), "service"),
            counted(len(self._channels), "channel"),
            *(f"{totals['publish']:,} published", f"{totals['deliver']:,} handled"),
            f"{totals['ask']:,} asked",
            *(f"{number:,} {name}" for name, number in sorted(faults.items())),
        ]
        if totals["dead letter"]:
            parts.append(counted(totals["dead letter"], "dead letter"))
        if self._crashes:
            parts.append(counted(self._crashes.total(), "crash", "crashes"))
        name = self._run.system.name
        scene.shows = f"flow of {name}: {', '.join(parts)}"
        tips = " ".join(f"{link.tip()}." for link in self._links.values())
        scene.alt = clean(f"Flow of {name}. {tips}", 800)
        return scene

    def _box(self, name: str) -> tuple[str, list[str]]:
        """The kind of a node and its lines. A channel names what it carries where its name does not."""
        touching = [link for link in self._links.values() if name in (link.source, link.target)]
        kind = self._channels.get(name)
        if kind is None:
            if crashes := self._crashes[name]:
                return "struck service", [name, counted(crashes, "crash", "crashes")]
            kind = "client" if name == "client" else "service"
            return kind, [name] if touching else [name, "no messages"]
        title = name.removeprefix(kind + " ")
        types = list(dict.fromkeys(type_ for link in touching for type_ in link.types))
        if kind == "dead letters" or types in ([title], []):
            return kind, [title]
        alone = title.endswith(".commands") and len(types) == 1
        return kind, types if alone else [title, ", ".join(types)]


def flow(run: Run) -> Flow:
    """A picture of a run as a graph of services, topics and queues, with counts and faults."""
    check_run("flow", run)
    return Flow(run)

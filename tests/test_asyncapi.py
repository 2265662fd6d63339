"""The AsyncAPI document of a system, read by AsyncAPI's own parser, which comes from npm into `.cache/` once."""

import ast
import json
import shutil
import subprocess
from enum import Enum
from typing import Annotated, Literal

import pytest
from lessons import read
from pydantic import BaseModel, Field
from test_core import ROOT, kept, missing

import edalab.practice
import edalab.view
from edalab import Command, Event, Misuse, Query, System, simulate

PARSER = "3.6.6"
PARSE = """
import { createRequire } from "node:module";
const [folder] = process.argv.slice(1);
const { Parser } = createRequire(folder + "/")("@asyncapi/parser");
const parser = new Parser(), told = {};
const documents = JSON.parse(await new Response(process.stdin).text());
for (const [name, text] of Object.entries(documents)) {
    const { document, diagnostics } = await parser.parse(text);
    const wrong = diagnostics.filter((one) => one.severity < 1);
    told[name] = {
        wrong: wrong.map((one) => `${one.path.join(".")}: ${one.message}`),
        operations: document?.operations().all().map((one) => [
            one.id(), one.action(), one.messages().all().map((message) => message.name()),
        ]),
    };
}
console.log(JSON.stringify(told));
"""


def parsed(documents: dict[str, dict]) -> dict[str, dict]:
    """What AsyncAPI's parser says of each document."""
    node = shutil.which("node") or missing("node is not installed")
    npm = (
        f"npm install @asyncapi/parser@{PARSER} --ignore-scripts --prefer-offline --fetch-retries 1"
    )
    own = ["--cache", str(ROOT / ".cache/npm")]  # without a home, npm has no place for its own
    folder = kept(f"asyncapi-{PARSER}", *npm.split(), *own, "--prefix")
    ran = subprocess.run(
        [node, "--input-type=module", "--eval", PARSE, str(folder)],
        input=json.dumps({name: json.dumps(document) for name, document in documents.items()}),
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


class Sort(Enum):
    TEA = "tea"
    CUP = "cup"


class Line(BaseModel):
    sort: Sort
    pieces: Annotated[int, Field(ge=1)]
    parts: list["Line"] = []


class Card(BaseModel):
    kind: Literal["card"]
    number: str


class Cash(BaseModel):
    kind: Literal["cash"]


class Ordered(Event, topic="orders", key="order_id"):
    order_id: str
    lines: list[Line]
    paid_by: Annotated[Card | Cash, Field(discriminator="kind")]
    of_each: dict[str, int] = {}
    size: tuple[int, float] = (1, 1.0)
    note: str | None = None
    seal: bytes = b""
    discriminator: str = ""  # a field of such a name is a field


class Größe(Event, version=3): ...


class Bill(Command):
    order_id: str


class Pack(Command, topic="packing"):
    order_id: str


class WhereIs(Query):
    order_id: str


def shop() -> System:
    system = System("shop")
    system.topic("orders", partitions=3)
    system.queue("packing")
    store = system.service("store")

    @store.on(Ordered)
    async def bill(event, ctx):
        await ctx.send(Bill(order_id=event.order_id))
        await ctx.publish(Größe())

    @store.on(Ordered)
    def also(event): ...

    @system.service("billing").handles(Bill)
    async def charge(command, ctx):
        await ctx.ask(WhereIs(order_id=command.order_id))

    @system.service("packers").handles(Pack)
    def pack(command): ...

    @store.answers(WhereIs)
    def where(query):
        return "here"

    return system


async def one_order(ctx):
    cash = {"kind": "cash"}
    await ctx.publish(Ordered(order_id="1", lines=[], paid_by=cash))  # pyrefly: ignore


@pytest.fixture(scope="module")
def document():
    return shop().asyncapi(simulate(shop(), one_order))


def test_handlers_say_what_is_received_and_a_run_what_is_sent(document):
    told = parsed({"run": document, "declared": shop().asyncapi()})
    received = [
        ["store.receive.Ordered", "receive", ["Ordered"]],
        ["store.receive.WhereIs", "receive", ["WhereIs"]],
        ["billing.receive.Bill", "receive", ["Bill"]],
        ["packers.receive.Pack", "receive", ["Pack"]],
    ]
    sent = [
        ["store.send.Bill", "send", ["Bill"]],
        ["store.send.Gr__e.v3", "send", ["Größe"]],
        ["billing.send.WhereIs", "send", ["WhereIs"]],
    ]
    assert told["declared"] == {"wrong": [], "operations": received}
    assert told["run"]["wrong"] == []
    assert sorted(told["run"]["operations"]) == sorted(received + sent)


def test_a_message_goes_where_a_run_sends_it(document):
    where = {
        message: place
        for place, channel in document["channels"].items()
        for message in channel["messages"]
    }
    run = simulate(shop(), one_order)
    went = {s.envelope.type: s.envelope.topic for s in run.journal if s.step in ("publish", "ask")}
    assert where == {**{name.replace("Größe", "Gr__e.v3"): t for name, t in went.items()}, "Pack": "packing"}  # fmt: skip


def test_headers_are_the_attributes_that_cloudevents_of_a_run_have(document):
    events = json.loads(simulate(shop(), one_order).cloudevents())
    for event in events:
        [message] = [m for m in document["components"]["messages"].values() if m["name"] == event["type"]]  # fmt: skip
        headers = message["headers"]["properties"]
        assert {*event} - {"data", "datacontenttype"} <= {*headers}
        assert {n: event[n] for n, s in headers.items() if "const" in s} == {n: s["const"] for n, s in headers.items() if "const" in s}  # fmt: skip


def test_what_is_written_and_what_is_read_may_be_two_versions_of_a_message():
    class OrderedV2(Event, name="Ordered", version=2, topic="orders"):
        cents: int

    class OrderedV1(Event, name="Ordered", topic="orders", reads="strict"):
        order_id: str

    async def place(ctx):
        await ctx.ask(Bill(order_id="1"))

    system = System("shop")
    system.service("billing").on(OrderedV1)(lambda_free)

    @system.service("orders").handles(Bill)
    async def bill(command, ctx):
        await ctx.publish(OrderedV2(cents=5))

    document = system.asyncapi(simulate(system, place))
    messages = document["channels"]["orders"]["messages"]
    assert [*messages] == ["Ordered", "Ordered.v2"]
    assert parsed({"both": document})["both"]["operations"] == [
        ["billing.receive.Ordered", "receive", ["Ordered"]],
        ["orders.receive.Bill", "receive", ["Bill"]],
        ["orders.send.Ordered.v2", "send", ["Ordered"]],
    ]
    payloads = {n: m["payload"] for n, m in document["components"]["messages"].items()}
    assert payloads["Ordered"]["additionalProperties"] is False  # it reads strictly
    assert "additionalProperties" not in payloads["Ordered.v2"]


def test_two_classes_of_one_name_and_version_need_another_version():
    class Ordered(Event, topic="orders"):
        cents: int

    system = shop()
    with pytest.raises(Misuse, match="^two classes Ordered of version 1 differ; give the newer one version=2$"):  # fmt: skip
        system.service("mail").on(Ordered)(lambda_free)
        system.asyncapi()


def lambda_free(event): ...


def test_what_is_no_run_of_the_system_and_what_has_no_schema_is_named():
    with pytest.raises(Misuse, match="^shop.asyncapi takes runs of shop, not 3$"):
        shop().asyncapi(3)  # pyrefly: ignore
    with pytest.raises(Misuse, match="^office.asyncapi takes runs of office, not <Run "):
        System("office").asyncapi(simulate(shop(), one_order))


LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))


def documents_of(lesson: str, monkeypatch) -> list[dict]:
    """The documents of the systems that a lesson's cells build, without those whose messages another one has, too, and
    without what explorations and pictures take in time."""
    systems, begin = [], System.__init__

    def noted(self, name):
        begin(self, name)
        systems.append(self)

    def left_out(*_, **__):
        raise Misuse("left out")

    names = {"__name__": f"lesson {lesson}"}
    with monkeypatch.context() as patched:
        patched.setattr(System, "__init__", noted)
        patched.setattr(edalab, "explore", left_out)
        patched.setattr(edalab.practice, "check", left_out)
        for name in edalab.view.__all__:
            patched.setattr(edalab.view, name, left_out)
        for cell in read(lesson).cells:
            if cell.cell_type == "code":
                for statement in ast.parse(cell.source).body:
                    try:
                        exec(compile(ast.Module([statement], []), lesson, "exec"), names)
                    except Exception:  # of what needs an exploration
                        pass
    frozen = [system for system in systems if system.services and system.saga_roles is None]
    documents = {frozenset(d["operations"]): d for d in (system.asyncapi() for system in frozen)}
    return [
        document for each, document in documents.items() if not any(each < o for o in documents)
    ]


def test_the_parser_takes_the_documents_of_all_lessons(monkeypatch):
    documents = {
        f"{lesson} {number}": document
        for lesson in LESSONS
        for number, document in enumerate(documents_of(lesson, monkeypatch))
    }
    told = parsed(documents)
    assert {name: said["wrong"] for name, said in told.items() if said["wrong"]} == {}
    assert {name.split()[0] for name in documents} == {*LESSONS}, sorted(documents)

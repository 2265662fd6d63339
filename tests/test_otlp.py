"""A run as an OpenTelemetry trace, read back with OpenTelemetry's own classes."""

import json
from base64 import b64encode
from collections import Counter
from random import Random

import pytest
from google.protobuf.json_format import Parse
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData
from postoffice import Carry, Handed, Posted, Shouted, Weigh, keep, office, play
from systems import story

from edalab import Refused, System, cut, simulate
from edalab.trace.spans import Trace

_IDS = ("traceId", "spanId", "parentSpanId")


def in_base64(pairs: dict) -> dict:
    """OTLP writes ids in hex digits, where protobuf's own JSON has base64."""
    return {
        key: b64encode(bytes.fromhex(value)).decode() if key in _IDS else value
        for key, value in pairs.items()
    }


class Exported:
    """What a backend holds after it read a run."""

    def __init__(self, run):
        data = Parse(json.dumps(json.loads(run.otlp(), object_hook=in_base64)), TracesData())
        self.spans, self.service_of = {}, {}
        for group in data.resource_spans:
            resource = attributes(group.resource)
            for span in group.scope_spans[0].spans:
                assert span.span_id not in self.spans
                self.spans[span.span_id] = span
                self.service_of[span.span_id] = resource["service.name"]

    def of(self, kind: str) -> list:
        return [
            s for s in self.spans.values() if s.kind == Span.SpanKind.Value(f"SPAN_KIND_{kind}")
        ]

    def named(self, name: str) -> list:
        return [span for span in self.spans.values() if span.name == name]


def attributes(thing) -> dict:
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in thing.attributes
    }


def events(span) -> list[str]:
    return [event.name for event in span.events]


def milliseconds(nanoseconds: int) -> int:
    """The virtual time of a moment."""
    return nanoseconds // 1_000_000 - 1_767_225_600_000


def duration(span) -> tuple[int, int]:
    return milliseconds(span.start_time_unix_nano), milliseconds(span.end_time_unix_nano)


def test_a_message_is_published_by_a_producer_and_processed_by_a_consumer_that_links_to_it():
    run = play(office(), Posted(to="ann", n=3))
    exported = Exported(run)
    letter, stamp = exported.of("PRODUCER")
    [handling] = exported.of("CONSUMER")
    assert [letter.name, handling.name, stamp.name] == [
        "publish letters",
        "process letters",
        "publish stamps",
    ]
    assert [link.span_id for link in handling.links] == [letter.span_id]
    assert not letter.parent_span_id and not handling.parent_span_id
    assert stamp.parent_span_id == handling.span_id and not stamp.links
    assert letter.trace_id == handling.trace_id == stamp.trace_id
    assert [exported.service_of[s.span_id] for s in (letter, handling)] == ["client", "post"]
    assert duration(letter) == (0, 0) and duration(handling) == (20, 30)
    assert events(handling) == ["save", "commit"]
    told = attributes(handling)
    assert told["messaging.system"] == "edalab" and told["messaging.operation.type"] == "process"
    assert told["messaging.destination.name"] == "letters"
    assert told["messaging.message.id"] == told["messaging.message.conversation_id"] == "client-1"
    assert told["messaging.kafka.offset"] == 0 and told["messaging.destination.partition.id"] == "0"
    assert told["messaging.consumer.group.name"] == "post"
    assert told["cloudevents.event_type"] == "Posted" and told["cloudevents.event_subject"] == "ann"


def test_a_redelivery_is_a_span_of_its_own_with_the_same_link():
    run = play(office(), Posted(), faults=["crash post.commit.Posted #1"])
    exported = Exported(run)
    first, second = exported.named("process letters")
    assert first.links == second.links and first.span_id != second.span_id
    assert [attributes(span)["edalab.attempt"] for span in (first, second)] == [1, 2]
    assert first.status.code == Status.STATUS_CODE_ERROR
    assert attributes(first)["error.type"] == "crash" and "crash" in events(first)
    assert second.status.code == Status.STATUS_CODE_UNSET
    [down] = exported.named("down")
    assert duration(down) == (30, 1030) and exported.service_of[down.span_id] == "post"


def test_a_question_is_a_client_span_and_its_answer_the_servers_child():
    system = office()

    @system.services["post"].answers(Weigh)
    async def weigh(query, ctx):
        await ctx.sleep(0.1)
        return Refused("the scales are broken")

    exported = Exported(play(system, Weigh()))
    [asked], [answered] = exported.of("CLIENT"), exported.of("SERVER")
    assert (asked.name, answered.name) == ("ask post", "answer post")
    assert answered.parent_span_id == asked.span_id and not answered.links
    assert duration(asked) == (0, 120) and duration(answered) == (10, 110)
    [refused] = [event for event in answered.events if event.name == "refused"]
    assert attributes(refused) == {"edalab.reason": "the scales are broken"}
    assert answered.status.code == Status.STATUS_CODE_UNSET  # a refusal is an answer


def test_a_question_without_an_answer_is_an_error_of_the_asker():
    system = office()

    @system.services["post"].answers(Weigh)
    def weigh(query):
        return 1

    exported = Exported(play(system, Weigh(), faults=["drop post.reply.Weigh #1"]))
    [asked] = exported.of("CLIENT")
    assert attributes(asked)["error.type"] == "Unanswered" and duration(asked) == (0, 1000)
    assert asked.status.code == Status.STATUS_CODE_ERROR


def test_an_exception_is_an_event_and_the_status_of_its_handling():
    system = office()

    @system.services["post"].on(Shouted, max_attempts=2)
    def listen(event):
        raise ValueError("too loud")

    first, last = Exported(play(system, Shouted())).named("process streets")
    assert events(first) == ["exception", "retry"] and events(last)[:2] == [
        "exception",
        "dead_letter",
    ]
    assert attributes(first)["error.type"] == "ValueError" and first.status.message == "too loud"
    told = attributes(first.events[0])
    assert told == {"exception.type": "ValueError", "exception.message": "too loud"}


def test_what_an_outbox_publishes_links_to_the_handling_that_made_it():
    system = System("town")
    post = system.service("post", schema="create table outbox (envelope text)")

    @post.on(Posted)
    def stamp(event, ctx):
        with ctx.database as db:
            db.execute("insert into outbox values (?)", (ctx.envelope(Handed(n=event.n)),))

    @post.every(1)
    async def relay(ctx):
        with ctx.database as db:
            rows = db.execute("select envelope from outbox").fetchall()
            db.execute("delete from outbox")
        for (envelope,) in rows:
            await ctx.publish(envelope)

    exported = Exported(play(system, Posted()))
    [handling], [handed] = exported.of("CONSUMER"), exported.named("publish counter")
    assert [link.span_id for link in handed.links] == [handling.span_id]
    ticks = {span.span_id for span in exported.named("tick relay")}
    assert handed.parent_span_id in ticks and handed.trace_id != handling.trace_id


def test_what_a_connector_captures_is_no_tick():
    system = System("shop")
    post = system.service("post", schema="create table outbox (envelope text)")
    system.capture("post.outbox")

    @system.service("counter").on(Handed)
    def count(event):
        pass

    @post.on(Posted)
    async def take(event, ctx):
        with ctx.database as db:
            db.execute("insert into outbox values (?)", (ctx.envelope(Handed(n=event.n)),))

    exported = Exported(play(system, Posted()))
    [captured], [published] = exported.named("capture outbox"), exported.named("publish counter")
    assert published.parent_span_id == captured.span_id
    assert not [span for span in exported.spans.values() if span.name.startswith("tick")]


@pytest.mark.parametrize(
    ("faults", "name", "error"),
    [
        (["fail client.publish.Posted #1"], "publish letters", "PublishFailed"),
        (["drop post.deliver.Posted #1"], "receive letters", "drop"),
        ([cut("post", 0.01, 2)], "cut", "cut"),
    ],
)
def test_a_fault_is_the_error_of_a_span(faults, name, error):
    exported = Exported(play(office(), Posted(), faults=faults))
    [span] = [s for s in exported.named(name) if s.status.code == Status.STATUS_CODE_ERROR]
    assert attributes(span)["error.type"] == error


def test_the_same_run_exports_the_same_text_with_ids_made_of_its_digest():
    def run():
        return play(office(), Posted(), faults=["crash post.save.Posted #1"])

    text = run().otlp()
    assert text == run().otlp() and "\n" not in text  # as a collector's file exporter writes it
    for span in Exported(run()).spans.values():
        assert span.trace_id.hex().startswith(run().digest) and len(span.trace_id) == 16
        assert span.span_id.hex().startswith(run().digest) and len(span.span_id) == 8


def test_a_command_is_sent_and_what_a_handler_notes_is_an_event():
    system = office()

    @system.services["post"].handles(Carry)
    def carry(command, ctx):
        keep(ctx, command.n)
        ctx.note("carried")

    exported = Exported(play(system, Carry()))
    [handling] = exported.of("CONSUMER")
    assert [span.name for span in exported.of("PRODUCER")] == ["send post.commands"]
    assert events(handling) == ["save", "note", "ack"]
    assert "messaging.kafka.offset" not in attributes(handling)


@given(number=st.integers(0, 2000))
def test_in_any_run_what_a_span_refers_to_exists_and_came_before_it(number):
    tale = story(Random(number))
    run = simulate(tale.system, tale.workload, seed=tale.seed, faults=tale.faults)
    exported, trace = Exported(run), Trace.of(run)
    spans = exported.spans
    for span in spans.values():
        start, end = duration(span)
        assert 0 <= start <= end <= run.end
        times = [milliseconds(event.time_unix_nano) for event in span.events]
        assert all(start <= time <= end for time in times), events(span)
        for link in span.links:
            cause = spans[link.span_id]
            assert cause.trace_id == link.trace_id and duration(cause)[0] <= start
        if span.parent_span_id:
            parent = spans[span.parent_span_id]
            assert parent.trace_id == span.trace_id and duration(parent)[0] <= start
            waited = (
                span.kind != Span.SPAN_KIND_SERVER or parent.status.code == Status.STATUS_CODE_UNSET
            )
            assert end <= duration(parent)[1] or not waited
        elif span.kind == Span.SPAN_KIND_CONSUMER:
            assert span.links
    sent = exported.of("PRODUCER") + exported.of("CLIENT")
    ids = Counter(attributes(span)["messaging.message.id"] for span in sent)
    left = [number for number in trace.sends if trace.fault(number) != "crash"]
    assert ids == Counter(trace.envelope(number).id for number in left)
    handled = [
        s for s in spans.values() if s.name.split()[0] in ("process", "answer", "tick", "capture")
    ]
    assert len(handled) == len(trace.spans)

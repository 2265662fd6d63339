"""A run is what happened: its digest, its steps, its databases, its past, and what its repr must not hide."""

import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import example, given
from hypothesis import strategies as st
from postoffice import Carry, Posted, Shouted, Stamped, Weigh, keep, kept, office, play

import edalab
from edalab import Event, Misuse, System, simulate
from edalab.view import flow, lag

BROKEN = ["crash post.commit.Posted #1", "lose post.commit.Posted #9"]


def test_equal_input_gives_an_equal_digest_and_any_difference_another():
    digests = [
        play(office(), Posted(n=1)).digest,
        play(office(), Posted(n=2)).digest,
        play(office(), Posted(n=1), seed=1).digest,
        play(office(partitions=2), Posted(n=1)).digest,
        play(office(), Posted(n=1), faults=["crash post.commit.Posted"]).digest,
        play(office(), Posted(n=1), faults=["delay post.deliver.Posted for 2 s"]).digest,
    ]
    assert len(set(digests)) == 6
    assert play(office(), Posted(n=1)).digest == digests[0]
    assert all(len(digest) == 8 and int(digest, 16) >= 0 for digest in digests)


def test_the_words_of_an_exception_do_not_change_the_digest_and_its_name_does():
    def failing(error):
        system = System("town")

        @system.service("post").on(Posted)
        def stamp(event):
            raise error

        return play(system, Posted()).digest

    assert failing(ValueError("this")) == failing(ValueError("that")) != failing(KeyError("this"))


def test_the_steps_are_a_table_with_a_row_a_step():
    run = play(office(), Posted(to="ann"), faults=["crash post.commit.Posted"])
    steps = run.steps
    assert len(steps) == len(run.journal)
    assert list(steps.columns[:5]) == ["time", "service", "replica", "step", "message"]
    commits = steps[steps.step == "commit"]
    struck = commits[["fault", "attempt", "offset"]].values.tolist()
    assert struck == [["crash", 1, 0], ["", 2, 0]]
    assert list(commits.time) == [0.03, 1.05] and set(commits.correlation) == {"client-1"}
    assert steps.groupby("step").size()["save"] == 2


def test_rows_and_database_are_those_of_the_end():
    import pandas

    run = play(office(), Posted(n=1), Posted(n=2))
    assert run.rows("post", "select n from letters where n > ?", (1,)) == [(2,)]
    assert list(pandas.read_sql("select n from letters", run.database("post")).n) == [1, 2]
    assert run.services == ["post"] and run.system.name == "town"


def test_the_world_at_a_moment():
    run = play(office(seconds=1), Posted(n=1), Posted(n=2))
    before, during, after = run.at(0), run.at(0.5), run.at(99)
    assert before.services["post"].lag == 0 and before.services["post"].in_flight == []
    post = during.services["post"]
    assert post.up and post.lag == 2 and [e.id for e in post.in_flight] == ["client-1"]
    assert during.rows("post", "select * from letters") == []
    assert after.rows("post", "select n from letters") == [(1,), (2,)]
    assert repr(after.services["post"]) == "<post: up, lag 0, 0 in flight>"


def test_the_world_at_a_moment_sees_what_is_down_and_what_is_remembered():
    system = office()

    @system.services["post"].on(Posted)
    async def stamp(event, ctx):
        ctx.state["last"] = event.n
        await ctx.sleep(0.1)

    run = play(system, Posted(n=4), faults=["crash post.commit.Posted"])
    assert run.at(0.1).services["post"].state == {"last": 4}
    assert not run.at(0.5).services["post"].up and run.at(0.5).services["post"].state == {}
    assert run.at(1.12).services["post"].up


def test_looking_at_the_past_changes_nothing():
    run = play(office(), Posted(n=1), faults=BROKEN)
    digest, told = run.digest, repr(run)
    world = run.at(0.02)
    world.services["post"].state["x"] = 1
    assert (run.digest, repr(run)) == (digest, told) and kept(run) == [1, 1]


def test_the_past_of_a_run_with_an_end_stops_there():
    run = play(office(), Posted(n=1), until=0.02)
    assert run.at(5).now == 20


def test_a_handler_that_remembers_outside_of_its_context_is_told():
    seen = []
    system = System("town")

    @system.service("post").on(Posted)
    def stamp(event, ctx):
        seen.append(event)
        ctx.note(f"{len(seen)}")
        return [Stamped()] * (len(seen) % 2)

    run = play(system, Posted())
    for look in (run.at, lambda at: flow(run, at=at), lambda at: lag(run, "post")):
        with pytest.raises(Misuse, match="cannot be played again"):
            look(0.02)
    assert "at the end of the run" in repr(flow(run, at=run.end / 1000))


def test_a_workload_that_remembers_outside_of_its_context_is_told():
    system, words = System("town"), iter("abc")

    @system.service("post").on(Posted)
    def stamp(event): ...

    async def workload(ctx):
        for _ in words:  # nothing is left for a second time
            await ctx.publish(Posted())

    run = simulate(system, workload)
    for look in (run.at, lambda at: flow(run, at=at), lambda at: lag(run, "post")):
        with pytest.raises(Misuse, match="cannot be played again, because client.publish.Posted"):
            look(0.02)


def test_the_repr_says_what_struck_what_did_not_and_what_failed():
    system = office()

    @system.services["post"].on(Shouted)
    def hear(event):
        raise NameError("who")

    text = repr(play(system, Posted(), Shouted(), faults=BROKEN))
    for words in (
        "of town, seed 0", "struck: crash post.commit.Posted #1", "never happened: lose post.commit.Posted #9",
        "post.hear raised NameError 3 times", "Shouted client-2 dead-lettered", "2 Stamped published to nobody",
    ):  # fmt: skip
        assert words in text, text
    assert "\n" not in text and " at 0x" not in text


def test_a_failure_has_a_traceback_from_the_learners_code_on():
    system = System("town")

    @system.service("post").on(Posted)
    async def stamp(event, ctx):
        await ctx.sleep(1)
        raise ValueError("torn")

    failure = play(system, Posted()).failures[0]
    assert 'raise ValueError("torn")' in failure.traceback
    assert str(failure.traceback) == repr(failure.traceback)  # a notebook shows its lines as lines
    said = "<post.stamp raised ValueError (line 4): torn on Posted client-1, attempt 1>"
    assert repr(failure) == said


TORN = """
from edalab import Event, System, simulate

class Posted(Event): pass

system = System("town")

@system.service("post").on(Posted)
def stamp(event):
    raise ValueError("torn")

async def one(ctx):
    await ctx.publish(Posted())

print(simulate(system, one).failures[0].traceback)
"""


def test_a_traceback_has_no_file_of_the_package_and_every_file_of_the_learners(tmp_path):
    """Wherever both lie: here side by side, in folders of one name and then some."""
    course = tmp_path / "edalab"
    shutil.copytree(Path(edalab.__file__).parent, course / "edalab")
    script = course / "edalab für Ada" / "edalab" / "shop.py"
    script.parent.mkdir(parents=True)
    script.write_text(TORN, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(course)}
    said = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert [line for line in said.splitlines() if line.startswith("  File ")] == [
        f'  File "{script}", line 10, in stamp'
    ]


def batch(run) -> list[CloudEvent]:
    return [
        JSONFormat().read(CloudEvent, json.dumps(event)) for event in json.loads(run.cloudevents())
    ]


def test_the_cloudevents_batch_is_read_by_the_sdk():
    first, second = batch(play(office(), Posted(to="ann", n=3)))
    attributes = first.get_id(), first.get_source(), first.get_type(), first.get_subject()
    assert attributes == ("client-1", "/town/client", "Posted", "ann")
    assert first.get_time() == datetime(2026, 1, 1, tzinfo=UTC) and first.get_specversion() == "1.0"
    assert first.get_data() == {"to": "ann", "n": 3}
    assert first.get_datacontenttype() == "application/json"
    assert second.get_time().microsecond == 20_000
    names = "partitionkey", "correlationid", "causationid"
    assert [second.get_extension(name) for name in names] == ["ann", "client-1", "client-1"]
    assert first.get_extension("causationid") is None
    assert second.get_dataschema() == "urn:edalab:town:Stamped:1"


def test_each_message_is_in_the_batch_once_and_ticks_are_not():
    system = office()

    @system.services["post"].every(1)
    def tick():
        pass

    @system.services["post"].answers(Weigh)
    def weigh(query):
        return 1

    @system.services["post"].handles(Carry)
    def carry(command, ctx):
        keep(ctx, command.n)

    run = play(system, Posted(), Weigh(), Carry(), faults=["duplicate client.publish.Posted"])
    ids = sorted(event.get_id() for event in batch(run))
    assert ids == "client-1 client-2 client-3 post-1 post-2".split()


def test_awkward_data_is_still_json_that_the_sdk_reads():
    class Odd(Event, key="name"):
        name: str
        weight: float
        when: datetime

    odd = Odd(name="", weight=1e300, when=datetime(2026, 1, 1, tzinfo=UTC))
    run = simulate(System("town"), publishing(odd, Shouted()))
    assert batch(run)[0].get_subject() is None and batch(run)[1].get_subject() is None


ATTRIBUTES = {
    "specversion": r"1\.0",
    "id": r".+",
    "source": r"/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+",  # a reference to a URI
    "type": r".+",
    "subject": r".+",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",  # RFC 3339
    "datacontenttype": r"application/json",
    "dataschema": r"urn:[a-z]+:([A-Za-z0-9_.~:-]|%[0-9A-F]{2})+",  # a URI
    "partitionkey": r".+",
    "correlationid": r".+",
    "causationid": r".+",
}
DISALLOWED = re.compile(r"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef]")


class Größe(Event, topic="sizes", key="wer"):
    wer: str
    Maß: bytes = b"\xfb\xff\xfe"


@given(st.text())
@example("a\nb")
@example("\ufffe")
@example("\U0010ffff")
@example("")
def test_whatever_the_key_each_attribute_is_what_cloudevents_1_0_allows(key):
    run = simulate(System("town-hall_2"), publishing(Größe(wer=key), Größe(wer=key)))
    for told in json.loads(run.cloudevents()):
        assert {"data"} | told.keys() <= {"data"} | ATTRIBUTES.keys()
        assert ("subject" in told) == ("partitionkey" in told) == (key != "")
        for name, value in told.items():
            if name == "data":
                assert value["wer"] == key and b64decode(value["Maß"]) == b"\xfb\xff\xfe"
            else:
                assert re.fullmatch(ATTRIBUTES[name], value, re.DOTALL), (name, value)
                assert not DISALLOWED.search(value) and not any(
                    ord(letter) & 0xFFFE == 0xFFFE for letter in value
                )
    assert [event.get_data()["wer"] for event in batch(run)] == [key, key]


def publishing(*events):
    async def publish(ctx):
        for event in events:
            await ctx.publish(event)

    return publish

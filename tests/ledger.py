"""An accountant of a run: reads the record from its beginning, holds each step against the rules, and at the end the
books against the world. It shares no code with the simulator."""

from collections import Counter, defaultdict
from zlib import crc32

from edalab import Faults
from edalab.sim import ACTIONS

ACK = 5000  # ms: the ack time-out
RESEND = 500  # ms: until a client library sends again what was not confirmed
ENDS = {"commit", "ack", "reply", "done", "retry", "dead_letter", "lost", "failure"}
OF_THE_BROKER = {
    "takeover",
    "dead_letter",
    "lost",
    "cut",
    "heal",
}  # told of a replica that may be down


class Position:
    """What one group has read of one partition."""

    def __init__(self, owner: int):
        self.owner, self.epoch = owner, 0
        self.next = self.committed = 0
        self.again = False
        self.attempts = Counter()
        self.fate = {}  # by offset

    def rewind(self):
        self.epoch += 1
        self.next, self.again = self.committed, False

    def past(self, offset: int, fate: str):
        """Done with an offset, unless it was delivered twice."""
        self.fate[offset] = fate
        self.next, self.again = offset + (not self.again), False


class Ledger:
    """The books of a run, up to `until` (ms). `check_end` compares them with the world as it is then."""

    def __init__(self, run, world=None, until: float = float("inf")):
        self.run, self.world, self.until = run, world or run._world, until
        self.rows = [s for s in run.journal if s.time <= until]
        self.system = run.system
        self.positions: dict[tuple, Position] = {}  # by service, topic, partition
        self.bars = {}  # handlings under way: (service, replica, id, offset, attempt): epoch
        self.down, self.paused, self.cut = set(), set(), set()
        self.remembered = Counter()  # by (service, replica)
        self.saved = Counter()  # (service, s, message, attempt)
        self.published = defaultdict(Counter)  # topic: how many records of each id
        self.handed_out = {}  # the last delivery of an item: id: row
        self.doubled = set()  # ids that exist more than once
        self.resends = []  # publishes that are to be sent again: (due, row)
        self.unsure = Counter()  # by id: whether a resend came before a crash at the same moment
        self.first_time = (
            Counter()
        )  # deliveries of items in queues that were not delivered before, by id
        self.owed = {}  # deliveries that a duplicate promised, by id
        self.closed = {}  # ids in queues that are done with: why
        self.given_back = set()  # ids that a failure, a delay or a dead replica gave back
        self.asked = {}  # questions without an answer: id: row
        self.questions, self.replied = set(), Counter()
        self.data = {}
        now = 0
        for row in self.rows:
            assert row.time >= now, row
            now = row.time
            self.resend_until(now)
            self.read(row)
        self.resend_until(float("inf"))

    # -- one step

    def read(self, row):
        actor = row.service, row.replica
        if row.step not in OF_THE_BROKER and row.step != "restart":
            assert actor not in self.down, f"a dead replica does something: {row}"
        if row.step not in OF_THE_BROKER | {"resume", "answer", "timeout"}:
            assert actor not in self.paused, f"a paused replica does something: {row}"
        if row.service in self.cut and row.step in ("publish", "commit", "ack", "reply"):
            silent = row.step == "publish" and not self.confirms(row) and row.fault == "lose"
            assert silent or row.fault in ("cut", "crash", "fenced"), (
                f"one that is cut off is heard: {row}"
            )
        if row.step == "deliver":
            assert row.service not in self.cut, row
        assert row.step in ACTIONS or row.fault in (None, "crash", "cut", "drop"), row
        if row.envelope is not None and row.envelope.data is not None:
            assert list(row.envelope.data.tags) in ([row.envelope.data.key], []), (
                f"altered later: {row}"
            )
        if row.step in ("crash", "pause", "resume", "cut", "heal"):
            self.disturb(row)
        getattr(self, "read_" + row.step, lambda row: None)(row)
        if row.step in ("save", "note"):
            assert row.service == "client" or self.bar(row) in self.bars, (
                f"outside of a handling: {row}"
            )
        elif row.step in ENDS and not self.goes_on(row):
            self.bars.pop(self.bar(row), None)

    def goes_on(self, row) -> bool:
        """Whether a handling ends later than with this step."""
        at_most_once = row.step in ("commit", "ack") and self.delivery(row) == "at-most-once"
        dead_in_log = (
            row.step == "dead_letter" and row.partition is not None
        )  # its offset is committed next
        given_up = row.step == "dead_letter" and row.detail.startswith(
            "not acknowledged"
        )  # by the broker alone
        return at_most_once or dead_in_log or given_up

    def bar(self, row):
        return row.service, row.replica, row.envelope and row.envelope.id, row.offset, row.attempt

    def read_handle(self, row):
        assert self.bar(row) not in self.bars, f"begins twice: {row}"
        position = self.position(row)
        self.bars[self.bar(row)] = position and position.epoch
        if position:
            self.expect(position, row)
            position.attempts[row.offset] += 1
            assert row.attempt == position.attempts[row.offset], (
                f"attempts counted {position.attempts[row.offset]}: {row}"
            )
        elif row.envelope.id in self.questions:
            assert row.attempt == 1
        elif row.envelope.data is not None:
            self.handed_out[row.envelope.id] = row

    def read_deliver(self, row):
        position = self.position(row)
        if position:
            self.expect(position, row)
            position.next = row.offset
            position.again = position.again or row.fault == "duplicate"
            if row.fault == "drop" and self.delivery(row) == "at-most-once":
                position.committed = row.offset + 1
        else:
            self.deliver_item(row)

    def expect(self, position: Position, row):
        """In a log a group gets the next message of the owner's partition, and no other."""
        assert row.replica == position.owner, f"replica {position.owner} owns the partition: {row}"
        wanted = self.skip(row.service, row.envelope.topic, row.partition, position.next)
        assert row.offset == wanted, f"offset {wanted} is next: {row}"

    def read_commit(self, row):
        position, at_most_once = self.position(row), self.delivery(row) == "at-most-once"
        epoch = position.epoch if at_most_once else self.bars[self.bar(row)]
        assert (row.fault == "fenced") == (epoch != position.epoch and row.fault != "crash"), row
        if row.fault in ("crash", "fenced"):
            return
        if row.fault is None:
            position.committed = max(position.committed, row.offset + 1)
        if not at_most_once:
            assert position.next == row.offset, row
            position.past(row.offset, "committed" if row.fault is None else "uncommitted")

    def read_done(self, row):
        position = self.position(row)
        if position and self.bars[self.bar(row)] == position.epoch:
            position.past(row.offset, "committed")

    def read_lost(self, row):
        if row.envelope.id in self.questions:
            return
        assert self.delivery(row) == "at-most-once", row
        position = self.position(row)
        if not position:
            self.close(row)
        elif row.fault == "drop" or self.bars[self.bar(row)] == position.epoch:
            position.past(row.offset, "lost")

    def read_dead_letter(self, row):
        position = self.position(row)
        if position:
            position.fate[row.offset] = "dead_letter"
        else:
            most = self.most_attempts(row)
            assert row.attempt == most or (
                row.attempt > most and row.envelope.id in self.doubled
            ), f"too early or late: {row}"
            self.close(row)

    def read_retry(self, row):
        self.given_back.add(row.envelope.id)
        assert row.partition is not None or row.attempt < self.most_attempts(row), row

    def read_takeover(self, row):
        topic = row.detail.split()[0]
        position = self.at(row.service, topic, row.partition)
        skip = lambda offset: self.skip(row.service, topic, row.partition, offset)  # noqa: E731
        assert skip(row.offset) == skip(position.committed), (
            f"not from the committed offset {position.committed}: {row}"
        )
        assert f"from replica {position.owner}" in row.detail
        position.owner = row.replica
        position.rewind()

    def read_crash(self, row):
        actor = row.service, row.replica
        self.down.add(actor)
        self.paused.discard(actor)
        self.remembered[actor] = 0
        for bar in [bar for bar in self.bars if bar[:2] == actor]:
            del self.bars[bar]
        for (service, _, _), position in self.positions.items():
            if (service, position.owner) == actor:
                position.rewind()
        for id in [id for id, row in self.asked.items() if (row.service, row.replica) == actor]:
            del self.asked[id]

    def read_restart(self, row):
        assert (row.service, row.replica) in self.down, row
        self.down.discard((row.service, row.replica))

    def read_pause(self, row):
        self.paused.add((row.service, row.replica))

    def read_resume(self, row):
        self.paused.remove((row.service, row.replica))

    def read_cut(self, row):
        self.cut.add(row.service)

    def read_heal(self, row):
        self.cut.remove(row.service)

    def read_note(self, row):
        if row.detail.startswith("seen "):
            self.remembered[row.service, row.replica] += 1
            assert row.detail == f"seen {self.remembered[row.service, row.replica]}", (
                f"remembered too much: {row}"
            )

    def read_save(self, row):
        if row.fault is None:
            self.saved[row.service, row.time / 1000, row.envelope.id, row.attempt] += 1

    def read_publish(self, row):
        envelope = row.envelope
        self.data.setdefault(envelope.id, envelope.data.model_dump())
        if row.fault not in ("crash", "fail", "lose", "cut"):
            self.store(row)
            if row.fault == "duplicate":
                self.doubled.add(envelope.id)
                self.resends.append((row.time + RESEND, row))

    def store(self, row):
        self.published[row.envelope.topic][row.envelope.id] += 1
        if self.published[row.envelope.topic][row.envelope.id] > 1:
            self.doubled.add(row.envelope.id)

    def confirms(self, row) -> bool:
        topic = self.system.topics.get(row.envelope.topic)
        return topic is None or topic.confirms

    # -- publishes that the client library sends again, as their confirmation was lost

    def resend_until(self, now: float):
        """What was due before this moment is sent again, unless the sender is cut off; later where it stands still."""
        for due, row in [entry for entry in self.resends if entry[0] < now]:
            if (row.service, row.replica) not in self.paused:
                self.resends.remove((due, row))
                if row.service not in self.cut:
                    self.store(row)

    def disturb(self, row):
        """What a replica was to send again is gone with it. What was due at the very moment of a crash, a pause or a cut
        may have been sent before it or not."""
        for due, sent in list(self.resends):
            here = sent.service == row.service and sent.replica == row.replica
            if (row.step == "crash" and here) or (due == row.time and sent.service == row.service):
                self.resends.remove((due, sent))
                self.unsure[sent.envelope.id] += due == row.time

    # -- queues

    def deliver_item(self, row):
        id, before = row.envelope.id, self.handed_out.get(row.envelope.id)
        self.owed.pop(id, None)
        if row.fault == "duplicate":
            self.doubled.add(id)
            self.owed[id] = row
        self.first_time[id] += row.attempt == 1
        if id not in self.doubled:
            assert id not in self.closed, f"handed out again after {self.closed.get(id)}: {row}"
            expected = 1 if before is None else before.attempt + (before.fault != "delay")
            assert row.attempt == expected, f"attempt {expected} is next: {row}"
            if before is not None and before.fault != "delay":
                assert id in self.given_back or row.time - before.time >= ACK, (
                    f"handed out again too early: {row}"
                )
        self.given_back.discard(id)
        self.handed_out[id] = row

    def read_ack(self, row):
        if self.handed_out[row.envelope.id].fault == "delay":
            self.handed_out[row.envelope.id] = row
        if row.fault is None:
            self.close(row)

    def close(self, row):
        self.closed[row.envelope.id] = row

    def most_attempts(self, row) -> int:
        queue = self.system.queues.get(row.envelope.topic)
        return (
            queue.max_attempts
            if queue
            else self.handler(row.service, row.envelope.type).max_attempts
        )

    # -- questions

    def read_ask(self, row):
        id = row.envelope.id
        assert id not in self.questions, row
        self.questions.add(id)
        if row.fault != "crash":
            self.asked[id] = row

    def read_reply(self, row):
        self.replied[row.envelope.id] += 1
        assert self.replied[row.envelope.id] == 1, f"answered twice: {row}"

    def read_answer(self, row):
        assert self.replied[row.envelope.id] == 1, row
        if row.detail != "too late" and row.fault is None:
            assert self.asked.pop(row.envelope.id), row

    def read_timeout(self, row):
        assert self.asked.pop(row.envelope.id), row

    # -- who handles what

    def handler(self, service: str, type_name: str):
        return next(
            h for h in self.system.services[service].handlers.values() if h.type == type_name
        )

    def delivery(self, row) -> str:
        return self.handler(row.service, row.envelope.type).delivery

    def handles(self, service: str, type_name: str) -> bool:
        return any(h.type == type_name for h in self.system.services[service].handlers.values())

    def log(self, topic: str, partition: int) -> list:
        return self.world.channels[topic].partitions[partition]

    def skip(self, service: str, topic: str, partition: int, offset: int) -> int:
        """The first offset from here on that the service handles."""
        records = self.log(topic, partition)
        while offset < len(records) and not self.handles(service, records[offset].type):
            offset += 1
        return offset

    def position(self, row) -> Position | None:
        return (
            None
            if row.partition is None
            else self.at(row.service, row.envelope.topic, row.partition)
        )

    def at(self, service: str, topic: str, partition: int) -> Position:
        first = partition % self.system.services[service].replicas + 1
        return self.positions.setdefault((service, topic, partition), Position(first))

    # -- the end

    def check_state(self):
        """What holds at any moment: the world is as the record tells."""
        for name, node in self.world.services.items():
            for replica in node.replicas:
                actor = name, replica.number
                assert replica.up == (actor not in self.down), actor
                assert replica.paused == (actor in self.paused), actor
                assert replica.state.get("seen", 0) == self.remembered[actor], actor
            assert node.up == any((name, r.number) not in self.down for r in node.replicas)
            told = Counter(id for service, _, id, *_ in self.bars if service == name)
            assert Counter(envelope.id for envelope in node.in_flight) == told, name
            lag = 0
            for reader in node.readers:
                position = self.at(name, reader.log.name, reader.partition)
                where = name, reader.log.name, reader.partition
                assert reader.owner.number == position.owner, where
                assert self.skip(*where, reader.committed) == self.skip(
                    *where, position.committed
                ), where
                lag += sum(self.handles(name, e.type) for e in reader.records[position.committed :])
            for queue in node.queues:
                lag += sum(self.handles(name, item.envelope.type) for item in queue.open)
            assert node.lag == lag, name
            rows = Counter((name, *row) for row in node.database.rows("select * from saves"))
            assert rows == Counter({key: n for key, n in self.saved.items() if key[0] == name}), (
                name
            )

    def check_end(self):
        """Where nothing is left to do, nothing has vanished."""
        self.check_state()
        assert not self.bars, f"still being handled: {self.bars}"
        assert not self.asked, f"neither answered nor given up: {self.asked}"
        assert not self.down and not self.paused and not self.cut
        assert set(self.published) <= set(self.world.channels)
        for topic, channel in self.world.channels.items():
            if hasattr(channel, "partitions"):
                self.check_log(topic, channel)
            else:
                self.check_queue(topic, channel)

    def check_log(self, topic: str, log):
        found = Counter(envelope.id for records in log.partitions for envelope in records)
        for id in found | self.published[topic]:
            known = self.published[topic][id]
            assert known <= found[id] <= known + self.unsure[id], (topic, id)
        for number, records in enumerate(log.partitions):
            for envelope in records:
                assert (
                    envelope.subject is None
                    or crc32(envelope.subject.encode()) % len(log.partitions) == number
                )
            for service in self.system.services:
                handled = [
                    offset for offset, e in enumerate(records) if self.handles(service, e.type)
                ]
                position = self.at(service, topic, number)
                read = self.skip(service, topic, number, position.next)
                assert read == len(records), f"{service} did not read {topic} {number} to its end"
                for offset in handled:
                    at_most_once = (
                        self.handler(service, records[offset].type).delivery == "at-most-once"
                    )
                    crashed = at_most_once and offset < position.committed
                    assert position.fate.get(offset) or crashed, f"{service} lost {records[offset]}"

    def check_queue(self, name: str, queue):
        still_open = Counter(item.envelope.id for item in queue.open)
        for item in queue.open:
            assert not any(self.handles(s, item.envelope.type) for s in self.system.services), (
                f"{item.envelope} was left in {name}"
            )
        for id, number in self.published[name].items():
            assert (id in self.closed) != (id in still_open), id
            most = number + self.unsure[id]
            found = self.first_time[id]
            assert (number <= found <= most) if id in self.closed else found == 0, (
                f"{id}: {number} published"
            )
            assert id not in self.owed, f"not delivered again: {self.owed[id]}"


def visits(run) -> dict[tuple, list]:
    """The steps at each point, in the order reached: what `nth` counts."""
    points = defaultdict(list)
    for row in run.journal:
        if row.step in ACTIONS:
            points[row.service, row.step, row.envelope.type].append(row)
    return points


def check_faults(run, given: list):
    """What struck is in run.faults, what did not in run.unfired, nothing in both; random faults follow their dice."""
    points = visits(run)
    told = Counter()
    for point, rows in points.items():
        for nth, row in enumerate(rows, 1):
            if row.fault in ACTIONS[row.step] and row.detail != "cut off":
                told[row.fault, ".".join(point), nth] += 1
    exact = [f for f in run.faults if hasattr(f, "at")]
    assert Counter((f.do, f.at, f.nth) for f in exact) == told
    windows = [f for f in run.faults if not hasattr(f, "at")]
    assert not any(isinstance(f, Faults) for f in run.faults + run.unfired)
    asked = Counter(str(f) for f in given if not isinstance(f, Faults))
    unfired = Counter(str(f) for f in run.unfired)
    assert unfired <= asked
    assert Counter(str(f) for f in windows) + Counter() <= asked
    fired = asked - unfired
    assert fired <= Counter(str(f) for f in run.faults), "neither struck nor unfired"
    for text in unfired:
        assert asked[text] - unfired[text] == Counter(str(f) for f in run.faults)[
            text
        ] or text not in map(str, run.faults)
    order = ["crash", "fail", "unconfirmed", "lose", "drop", "duplicate", "delay"]
    for rates in (f for f in given if isinstance(f, Faults)):
        for point, rows in points.items():
            for nth, row in enumerate(rows, 1):
                for do in ACTIONS[row.step]:
                    wrong = ("fail", "unconfirmed") if point[2] == "Weighed" else ("lose",)
                    kept = row.step == "publish" and do in wrong  # whether its topic confirms
                    impossible = (do == "crash" and row.service == "client") or kept
                    away = row.fault in ("cut", "fenced") or row.detail == "cut off"
                    vain = away and do != "crash"
                    if rates.chance(run.seed, point, do)(nth) and not impossible and not vain:
                        assert order.index(row.fault) <= order.index(do), (point, nth, do, row)

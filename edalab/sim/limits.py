"""Limits that stop a run that would not end by itself, quickly and with an error that names the cause."""

from collections import Counter

from .steps import WIDTH

MAX_STEPS = 10_000_000
NOTES_BETWEEN_LOOKS = 20_000  # of one service
DEEPEST = 1_000  # messages, each caused by the one before
MOST_ATTEMPTS = 1_000  # at one message
MOST_AT_ONCE = 100_000  # actions at one instant
MOST_WAITS = 100_000  # actions, not counting ticks, without a recorded step
MOST_BUSY_TICKS = 2_000  # ticks that did something when nothing but ticks was left
BY_CORRELATION = 10_000  # messages and notes of one correlation, or of one service's ticks; grows with `max_steps`
LARGER = "give `until=`, or a larger max_steps= if that is meant"
_REMARKS = "note", "in_progress"  # steps that send nothing
_LOOK = 20_000  # steps or actions between two checks, which are then too rare to cost time


class Budget:
    """The limits of one run. Call `look` if the record exceeds `values` in length, or an action's number `actions`."""

    def __init__(self, world, max_steps: int):
        self.world, self.max_steps = world, max_steps
        self.values, self.actions = min(_LOOK, max_steps) * WIDTH, _LOOK
        self.by_workload = max_steps // 10  # messages and notes
        self.by_correlation = int(BY_CORRELATION * max(1, max_steps / MAX_STEPS))
        self.happened, self.quiet_since = -1, 0
        self.counted = 0  # how much of the record `messages` counts
        self.messages: Counter = Counter()  # by correlation, or by the service of a tick

    def look(self) -> None:
        """Raise Endless if something runs for ever."""
        world, actions = self.world, next(self.world.number)
        self.look_at_steps()
        waits = actions - sum(tick.ran for tick in world.ticks)
        if world.step_count() != self.happened:
            self.happened, self.quiet_since = world.step_count(), waits
        elif waits - self.quiet_since > MOST_WAITS:
            often = f"again and again, over {MOST_WAITS:,} times, and nothing happens"
            world.endless(f"{self._running()} {often}; make the loop end")
        self.values = min(len(world.record) + _LOOK * WIDTH, self.max_steps * WIDTH)
        self.actions = actions + _LOOK

    def look_at_steps(self) -> None:
        """Raise Endless if the record alone shows it. The record can grow within one action."""
        world, client = self.world, self.world.client
        if len(world.record) > self.max_steps * WIDTH:
            world.endless(f"{self._last_step()}; over max_steps={self.max_steps:,} steps; {LARGER}")
        if client.minted + client.notes > self.by_workload:
            often = f"over {self.by_workload:,} messages and notes"
            world.endless(f"the workload runs for ever, {often}; make its loop end, {LARGER}")
        if len(world.record) > self.by_correlation * WIDTH:
            self._look_at_correlations()

    def _look_at_correlations(self) -> None:
        world, record, start = self.world, self.world.record, self.counted
        self.counted = len(record)
        columns = (record[start + column :: WIDTH] for column in (1, 2, 3))
        for step, (service, _), envelope in zip(*columns, strict=True):
            if step in ("publish", "ask", *_REMARKS) and envelope is not None:
                sent = step not in _REMARKS
                begins = envelope.data is None or (sent and envelope.causation is None)
                self.messages[service if begins else envelope.correlation] += 1
        self.messages.pop("client", None)  # `by_workload` limits the client
        for root, number in self.messages.most_common(1):
            often = f"over {self.by_correlation:,} messages and notes"
            if number > self.by_correlation and root in world.services:
                ticks = f"the tick {root}.{' and '.join(world.services[root].version.ticks)}"
                find = "let it find nothing to do, or give `until=`"
                world.endless(f"{ticks} always has something to do, {often}; {find}")
            elif number > self.by_correlation:
                caused = (e for e in record[3::WIDTH] if e is not None and e.correlation == root)
                types = ", ".join(dict.fromkeys(envelope.type for envelope in caused))
                find = f"find the loop that does not end, {LARGER}; now {self._running()}"
                world.endless(f"{root} set off {often} ({types}); {find}")

    def stand_still(self) -> None:
        """Raise Endless, because time does not pass."""
        often = f"over {MOST_AT_ONCE:,} actions at {self.world.now / 1000:g} s"
        self.world.endless(f"{self._running()} for no time, {often}; sleep, or make the loop end")

    def _last_step(self) -> str:
        """The last step of a message, for an error that has no better hint."""
        columns = (self.world.record[column::WIDTH][::-1] for column in (1, 2, 3))
        for step, (service, _), envelope in zip(*columns, strict=True):
            if envelope is not None:
                return f"the last step was {service}.{step}.{envelope.type}"
        return self._running()

    def _running(self) -> str:
        """The names of the handlers and the workload that wait for something."""
        world = self.world
        handling = [each for service in world.services.values() for each in service.handling()]
        names = [execution.where() for execution in handling]
        if world.workload is not None and world.workload.coroutine.cr_frame is not None:
            names.append("the workload")
        return f"{' and '.join(dict.fromkeys(names)) or 'something'} waits"

"""A run that would not end by itself is stopped, in little time and memory, by an error that names what kept going."""

from collections import Counter

from .steps import WIDTH

MAX_STEPS = 10_000_000
NOTES_BETWEEN_LOOKS = 20_000  # of one service
DEEPEST = 1_000  # messages, each caused by the one before
MOST_ATTEMPTS = 1_000  # at one message
MOST_AT_ONCE = 100_000  # actions at one instant
MOST_WAITS = 100_000  # actions, ticks apart, while nothing happens
MOST_BUSY_TICKS = 10_000  # ticks that did something when nothing but ticks was left
BY_HANDLING = 10_000  # messages and notes; this and the next grow with `max_steps`
BY_STORY = 50_000  # messages with one beginning; or by the ticks of one service
_LOOK = 20_000  # steps or actions between two looks, which then cost nothing in the run's loop


class Budget:
    """What a run may use up. `look` when the record is longer than `values` or the action's number is above `actions`."""

    def __init__(self, world, max_steps: int):
        self.world, self.max_steps = world, max_steps
        self.values, self.actions = min(_LOOK, max_steps) * WIDTH, _LOOK
        share = max(1, max_steps / MAX_STEPS)
        self.by_workload = max_steps // 10  # messages and notes
        self.by_handling, self.by_story = int(BY_HANDLING * share), int(BY_STORY * share)
        self.happened, self.quiet_since = -1, 0
        self.counted = 0  # how much of the record is in these:
        # By (service, id of the message it handles): messages and notes.
        self.handlings: Counter = Counter()
        self.stories: Counter = Counter()  # correlation: messages

    def look(self) -> None:
        """Raise Endless if something goes on and on."""
        actions = next(self.world.number)
        self.look_at_steps()
        self._look_for_waits(actions)
        self.values = min(len(self.world.record) + _LOOK * WIDTH, self.max_steps * WIDTH)
        self.actions = actions + _LOOK

    def look_at_steps(self) -> None:
        """The same for the record alone, which can grow within one action."""
        world = self.world
        if len(world.record) > self.max_steps * WIDTH:
            more = "give `until=`, or a larger max_steps= if that is meant"
            world.endless(f"{self.last_step()}; over max_steps={self.max_steps:,} steps; {more}")
        said = [
            (service.minted + service.notes, service)
            for service in (world.client, *world.services.values())
        ]
        if said[0][0] > self.by_workload:
            world.endless(
                f"the workload goes on and on, over {self.by_workload:,} messages and notes; let its loop end, "
                f"give `until=`, or a larger max_steps= if that is meant"
            )
        if any(number > self.by_handling for number, _ in said[1:]):
            self._look_for_messages()

    def _look_for_waits(self, actions: int) -> None:
        world = self.world
        actions -= sum(tick.ran for tick in world.ticks)
        if world.step_count() != self.happened:
            self.happened, self.quiet_since = world.step_count(), actions
        elif actions - self.quiet_since > MOST_WAITS:
            world.endless(
                f"{self.running()} again and again, over {MOST_WAITS:,} times, and nothing happens; let the loop end"
            )

    def _look_for_messages(self) -> None:
        record, start = self.world.record, self.counted
        self.counted = len(record)
        columns = (record[start + column :: WIDTH] for column in (1, 2, 3))
        rows = zip(*columns, strict=True)
        for step, (service, _), envelope in rows:
            if step in ("publish", "ask"):
                self.handlings[service, envelope.causation] += 1
                self.stories[envelope.correlation] += 1
            elif step == "note":
                self.handlings[service, envelope.id if envelope and envelope.data else None] += 1
        for (service, id), number in self.handlings.most_common(1):
            if id is not None and number > self.by_handling:
                self._endless_handling(service, id)
        for name, service in self.world.services.items():
            if self.handlings[name, None] > self.by_story and service.ticks:
                what = f"{name}.{' and '.join(service.ticks)} always has something to do, over {self.by_story:,} messages"
                self.world.endless(f"the tick {what}; let it find nothing to do, or give `until=`")
        for id, number in self.stories.most_common(1):
            if number > self.by_story:
                messages = (e for e in record[3::WIDTH] if e is not None)
                types = ", ".join(dict.fromkeys(e.type for e in messages if e.correlation == id))
                self.world.endless(
                    f"{id} set off over {self.by_story:,} messages, each caused by another ({types}); find the handler that "
                    "publishes what leads back to it"
                )

    def _endless_handling(self, service: str, id: str) -> None:
        record = self.world.record
        handled = next(e for e in record[3::WIDTH] if e is not None and e.id == id)
        handler = self.world.services[service].handler(handled.type)
        name = f"{service}.{handler.name}" if handler else service
        said = [
            e
            for step, e in zip(record[1::WIDTH], record[3::WIDTH])
            if step in ("publish", "ask") and e.causation == id
        ]
        what = f", the last {said[-1].type} {said[-1].id}" if said else ""
        self.world.endless(
            f"{name} goes on and on with one {handled.type} ({id}), over {self.by_handling:,} messages and notes{what}; "
            "let its loop end"
        )

    def stand_still(self) -> None:
        """Time does not pass."""
        world = self.world
        what = (
            f"{self.running()} for no time, over {MOST_AT_ONCE:,} actions at {world.now / 1000:g} s"
        )
        world.endless(f"{what}; sleep, or let the loop end")

    def last_step(self) -> str:
        """The last step of a message, for an error that knows no better."""
        record = self.world.record
        for start in range(len(record) - WIDTH, -1, -WIDTH):
            _, step, (service, _), envelope, *_ = record[start : start + WIDTH]
            if envelope is not None:
                return f"the last step was {service}.{step}.{envelope.type}"
        return self.running()

    def running(self) -> str:
        """Who waits for something, by name."""
        world = self.world
        names = [
            execution.where()
            for service in world.services.values()
            for execution in service.handling()
        ]
        if world.workload is not None and world.workload.coroutine.cr_frame is not None:
            names.append("the workload")
        return f"{' and '.join(dict.fromkeys(names)) or 'something'} waits"

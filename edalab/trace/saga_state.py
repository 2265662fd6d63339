"""The state of a saga's step at a moment, derived from its history up to then."""

from collections import Counter
from typing import TYPE_CHECKING

from ..errors import shortened
from .saga_step import StepState

if TYPE_CHECKING:
    from .saga_moment import History


def state_of(history: "History") -> StepState:
    """The state of a step at the moment of its history. The first rule that holds decides."""
    over, step, events, done = history.over, history.step, history.events, history.done
    count = Counter(event.what for event in events)
    asked, failed, missed = count["asked"], count["failed"], count["no answer"]
    compensation_begun = any(other.events for other in history.compensated_by)
    doubtful, late = history.doubtful, _lateness(history) if done else ""
    target = history.compensates
    vain = target is not None and target.done and not target.compensated
    silent = f"published nothing after {step.awaited}" if step.awaited else "never published"
    silent = f"saved but {silent}" if count["saved"] else silent
    gave_up = "gave up" if step.awaited else "given up"
    tries = f" after {history.tries:,} tries" if history.tries > 1 else ""
    twice = done + count["again"]
    answer = next((event.words for event in reversed(events) if event.what == "nothing"), "")
    idle = "did nothing" if answer in ("", "null") else f"answered {shortened(answer, 24)}"
    why = next((event.words for event in events if event.what == "refused"), "")
    crashed = "saved, then crashed" if count["saved"] else "crashed"
    if not (step.is_event or history.bars):
        crashed = "never asked for"  # its asker crashed before
    rules = (
        (not events and compensation_begun and not step.sent, "never done", "never asked for"),
        (not events, "not yet", ""),
        (count["again"], "done twice", "done twice" if twice == 2 else f"done {twice:,} times"),
        (done and history.compensated >= done, "compensated", "compensated"),
        (done and doubtful and not missed, "in doubt" if over else "done", "done, no answer"),
        (done and doubtful and late, "late", late),
        (done and doubtful, "in doubt", "done, but no answer"),
        (done and vain, "idle", "changed nothing"),
        (done, "done", late or (_effort(history, count) if done else "")),
        (count["refused"], "refused", f"refused: {why}"),
        (count["never"], "failed", f"never got {step.awaited}"),
        (count["silent"], "failed", silent),
        (count["given up"], "failed", gave_up + tries),
        (missed and not doubtful and compensation_begun, "compensated", "compensated to be safe"),
        (failed > 1 and (failed >= asked or not doubtful), "failed", f"failed {failed:,} times"),
        (failed and (failed >= asked or not doubtful), "failed", "failed"),
        (missed and doubtful, "in doubt", "no answer" + (", asked again" if asked > 1 else "")),
        (count["nothing"], "idle", "nothing to compensate" if step.compensates else idle),
        (not asked and events and events[-1].what == "crash", "failed", crashed),
        (over and asked, "in doubt", "no answer"),
        (over, "failed", "never finished"),
        (asked, "under way", "asked, no answer yet"),
        (any(bar.end is None for bar in history.bars), "under way", "at work"),
        (count["sent"], "under way", "sent"),
        (True, "under way", "under way"),
    )
    return next(StepState(name, words) for holds, name, words in rules if holds)


def _lateness(history: "History") -> str:
    """How long after a timeout it was done, in words, or "" if it was not late."""
    done, missed = history.times("done")[0], history.times("no answer")
    if missed and missed[0] <= done:
        for bar in history.bars:
            if bar.start < missed[0] and (bar.end is None or bar.end >= done):
                return f"done {(done - missed[0]) / 1000:g} s late"
    return ""


def _effort(history: "History", count: Counter) -> str:
    """The words for a step that was done, with its tries or requests if there were several."""
    first = history.times("done")[0]
    if max(history.times("given up"), default=0) > first:
        return "done, then given up"
    tries = sum(bar.start <= first for bar in history.bars)
    if tries > 1 and (count["failed"] or count["crash"]):
        return f"done at try {tries}"
    asked = count["asked"] + count["sent"]
    if asked > 1:
        return "asked twice" if asked == 2 else f"asked {asked:,} times"
    return f"done {history.done:,} times" if history.done > 1 else "done"

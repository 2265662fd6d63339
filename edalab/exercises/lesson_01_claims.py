"""The claims of lesson 01's exercises, on the letters that mail writes and how it asks accounts."""

from typing import Any

from ..claims.claim import Claim
from ..errors import Unanswered
from ..sim.run import Run
from ..sim.steps import TOO_LATE
from ..trace.spans import Trace
from .general import Mistakes, dead_letters, slips, steps
from .lesson_01_system import UserRegistered, WriteLater

HANDLING = 5  # seconds allowed for the handling of one message


def registered(run: Run) -> dict[str, str]:
    """The registered users with the addresses that they registered."""
    return dict(run.rows("accounts", "select userId, email from users where email like '%@home'"))


def letters(run: Run) -> list[tuple[str, str]]:
    return run.rows("mail", "select userId, email from letters")


def of_mail(run: Run) -> list[Any]:
    """The steps of `mail` that concern a message."""
    return [step for step in run.journal if step.service == "mail" and step.envelope]


def unwritten(run: Run) -> list[tuple[str, str]]:
    """For each user without a letter, why there is none, and the evidence."""
    found = {user for user, _ in letters(run)}
    if may_give_up(run):
        letters_kept = steps(run, "dead_letter", service="mail")
        found.update(step.envelope.data.userId for step in letters_kept)
    return [_why(run, user) for user in registered(run) if user not in found]


def may_give_up(run: Run) -> bool:
    """Whether `accounts` was down for longer than `mail` has to be patient."""
    return any(str(fault).endswith(("for 18 s", "for 300 s")) for fault in run.faults)


def _why(run: Run, user: str) -> tuple[str, str]:
    """Why a user has no letter, from what `mail` did with the last message about that user."""
    times, saved, last, message = 0, False, [], "none"
    for step in of_mail(run):
        if getattr(step.envelope.data, "userId", "") == user:
            if step.step == "handle":
                times, saved, last = times + 1, saved or "save" in last, []
                message = f"{step.envelope.type} {step.envelope.id}"
            last.append(step.step)
    why = "noted too early" if times > 1 and (saved or "ask" not in last) else "never written to"
    silent = "timeout" in last and "answer" not in last
    if may_give_up(run) and (silent or message.startswith(WriteLater.__name__)):
        why = "forgotten"
    elif silent:  # a WriteLater that was sent would have arrived
        why = "forgotten" if "publish" in last else "given up"
    odd = "".join(f"; letters has {row}" for row in letters(run) if row[0] not in registered(run))
    return why, f"nobody wrote to {user}; mail's last message about {user} was {message}{odd}"


def wrong_letters(run: Run) -> Mistakes:
    due, users = registered(run), [user for user, _ in letters(run)]
    for user, email in letters(run):
        if due.get(user) != email:
            what = f"the letter went to {email or 'no address'}"
            yield "another address", f"{user} registered {due.get(user)}, but {what}"
    for user in due:
        if (n := users.count(user)) > 1:
            yield "written to twice", f"{user} got {n} letters"


def asked_in_vain(run: Run) -> Mistakes:
    answered = set()
    for step in of_mail(run):
        if step.step == "handle":
            answered.discard(step.envelope.id)
        elif step.step == "answer" and step.detail != TOO_LATE:
            answered.add(step.envelope.causation)
        elif step.step == "ask" and step.envelope.causation in answered:
            what = f"mail asked {step.envelope.data} at {step.time / 1000:g} s"
            yield "asked in vain", f"{what}, when it already had an answer"


def announced(run: Run) -> Mistakes:
    for step in steps(run, "publish", UserRegistered, service="mail"):
        yield "announced by mail", f"mail publishes {step.envelope.data} at {step.time / 1000:g} s"


def mistakes(run: Run) -> Mistakes:
    yield from slips(run)
    for wrong in (unwritten, wrong_letters, asked_in_vain, announced):
        yield from wrong(run)
    raised = [f for f in run.failures if f.line and not isinstance(f.error, Unanswered)]
    if raised or not may_give_up(run):
        yield from dead_letters(run)


@Claim("everybody who registered gets one letter, to the address registered", about=UserRegistered)
def one_letter(run: Run) -> Mistakes:
    yield from mistakes(run)


@Claim("everybody gets one letter, and nobody is held up", about=UserRegistered)
def one_letter_later(run: Run) -> Mistakes:
    yield from mistakes(run)
    yield from held_up(run)
    yield from without_a_pause(run)


def held_up(run: Run) -> Mistakes:
    ended = "commit", "ack", "retry", "dead_letter"
    for span in Trace.of(run).spans:
        if span.service == "mail" and span.last and span.ended_by in ended:
            took = (run.journal[span.last].time - run.journal[span.first].time) / 1000
            if took > HANDLING:
                yield "others are held up", f"mail was busy with {span.message} for {took:g} s"


def without_a_pause(run: Run) -> Mistakes:
    """Messages that `mail` sends itself count as one. With two faults, one may double a message."""
    silent, origin, sent = {}, {}, False
    for step in of_mail(run) if len(run.faults) < 2 else []:
        cause, at = origin.get(step.envelope.causation, step.envelope.causation), step.time / 1000
        if step.step == "handle":
            sent = False
        elif step.step == "publish":
            if sent:
                yield "no pause", f"mail sends a second message in one call, at {at:g} s"
            origin[step.envelope.id], sent = cause, True
        elif step.step == "retry":  # the pause is the broker's
            silent.pop(origin.get(step.envelope.id, step.envelope.id), None)
        elif step.step == "timeout":
            silent[cause] = step.time
        elif step.step == "ask" and (waited := step.time - silent.get(cause, -500)) < 500:
            yield "no pause", f"mail asked again at {at:g} s, {waited / 1000:g} s after a time-out"

"""The HTML of panels: pictures, verdicts, states, tables and code. Learners' text is escaped."""

import re
from collections.abc import Iterable
from html import escape
from itertools import zip_longest
from typing import Any

from ..claims.claim import SIGNS, Claim, Verdict
from ..errors import Misuse, line_raised
from ..sim import Printed
from ..sim.run import Run
from ..sim.steps import Step
from ..text import clean, counted
from ..view.picture import Picture
from ..view.theme import FAULT, FAULT_FILL, INK, LANE, QUIET, WORK, WORK_FILL

ROWS = 100  # at most in a table
_COLOURS = {
    "holds": (WORK, WORK_FILL),
    "broken": (FAULT, FAULT_FILL),
    "not exercised": (QUIET, LANE),
}
_COLUMNS = "time service step type message fault attempt partition offset detail".split()


def error_text(error: Exception) -> str:
    """The message of an error, with the learner's line that raised it. An error other than Misuse also has
    its type and its notes."""
    misuse = isinstance(error, Misuse)
    cause = error.__cause__ if misuse else error
    line = line_raised(cause) if cause is not None else ""
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", []))
    message = str(error) if misuse else f"{type(error).__name__}: {error}{notes}"
    return message + (f" ({line})" if line else "")


def _div(kind: str, text: str) -> str:
    return f'<div class="{kind}">{escape(text)}</div>' if text else ""


def heading(text: str) -> str:
    return _div("edalab-heading edalab-quiet", text.upper())


def hint(text: str, struck: bool = False) -> str:
    kind = "struck" if struck else "edalab-quiet"
    return _div(f"edalab-hint {kind}", text).replace(".", ".<wbr>")


def error(sentence: str) -> str:
    return _div("struck", clean(sentence, 600))


def code(line: str) -> str:
    whole = re.sub(r"(?m)# .*$", r'<span class="edalab-whole">\g<0></span>', escape(line))
    return f'<div class="edalab-code">{whole}</div>'


def picture(drawn: Picture, kind: str = "picture") -> str:
    """A picture, which `panel.css` shrinks a little if it is too wide for the panel."""
    width = f"--width:{drawn.scene.width}px"
    return f'<div class="edalab-{kind}" style="{width}">{drawn.svg()}</div>'


def sheet(*parts: str) -> str:
    return f'<div class="edalab-sheet">{"".join(parts)}</div>'


def in_full(printed: Printed) -> str:
    """The printed lines in full."""
    text = escape(str(printed))
    return f'<pre class="edalab-printed" title="printed">{text}</pre>' if text else ""


def chips(claims: Iterable[Claim], verdicts: Iterable[Verdict]) -> str:
    """A chip for each claim. Its width is the same for each verdict, so that nothing below moves."""
    by_claim, chips = {verdict.claim: verdict for verdict in verdicts}, []
    for claim in claims:
        outcome, sign, tip = "not exercised", "?", "not judged"
        if (verdict := by_claim.get(claim.sentence)) is not None:
            outcome, sign, tip = verdict.outcome, SIGNS[verdict.outcome], str(verdict)
        colour, ground = _COLOURS[outcome]
        style = f"color:{INK};background:{ground};border-left:4px solid {colour}"
        chips.append(
            f'<span class="edalab-chip" style="{style}" title="{escape(tip)}">'
            f"<b>{sign}</b>{escape(clean(claim.sentence, 90))}</span>"
        )
    return "".join(chips)


def messages(sentence: str, verdicts: Iterable[Verdict], printed: Printed) -> str:
    """The error message, the causes of claims that do not hold in this run, and the printed lines."""
    why = [
        _div(
            "struck" if verdict.outcome == "broken" else "edalab-quiet",
            f"{SIGNS[verdict.outcome]} {clean(verdict.claim, 90)}: "
            + (clean(verdict.cause, 200) or verdict.outcome),
        )
        for verdict in verdicts
        if verdict.outcome != "holds"
    ]
    label = [heading("in the run shown")] if why else []  # the matrix below may show other runs
    return "".join([error(sentence), *label, *why]) + in_full(printed)


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], kinds: Iterable[str] = ()) -> str:
    """An HTML table. `kinds` are the CSS classes of its first rows. Values are shortened and escaped."""
    head = "".join(f"<th>{escape(clean(column, 40))}</th>" for column in columns)
    body = []
    for row, kind in zip_longest(rows, kinds, fillvalue=""):
        values = (clean("" if value is None else value, 80) for value in row)
        cells = "".join(f"<td>{escape(value)}</td>" for value in values)
        body.append(f'<tr class="{kind}">{cells}</tr>' if kind else f"<tr>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def steps(run: Run, seconds: float) -> str:
    """The steps of a run, with those at a time marked. If the run is long, only the steps around them."""
    journal, now = run.journal, round(seconds * 1000)
    last = sum(step.time <= now for step in journal)
    first = max(0, min(last - ROWS // 2, len(journal) - ROWS))
    rows = journal[first : first + ROWS]
    title = counted(len(journal), "step")
    if len(rows) < len(journal):
        title += f", {first + 1:,} to {first + len(rows):,} shown"
    return f"<div>{title} (<code>run.steps</code>)</div>" + _steps(rows, now)


def steps_at(run: Run, seconds: float) -> str:
    """The steps of a run at a time (s)."""
    rows = [step for step in run.journal if step.time == round(seconds * 1000)]
    return "<div><b>At this moment</b></div>" + _steps(rows[:ROWS]) if rows else ""


def _steps(steps: list[Step], now: int | None = None) -> str:
    rows, kinds = [], []
    for step in steps:
        message = (step.envelope.type, step.envelope.id) if step.envelope else ("", "")
        service = f"{step.service} {step.replica}" if step.replica > 1 else step.service
        place = step.attempt, step.partition, step.offset, step.detail
        rows.append((f"{step.time / 1000:g}", service, step.step, *message, step.fault, *place))
        kinds.append(" ".join(["now"] * (step.time == now) + ["struck"] * bool(step.fault)))
    return table(_COLUMNS, rows, kinds)


def databases(services: Iterable) -> str:
    """Every table in the services' databases, with its first rows."""
    parts = []
    for service in services:
        database = service.database
        for title in database.tables():
            quoted = title.replace('"', '""')
            cursor = database.connection.execute(f'select * from "{quoted}" limit {ROWS}')
            columns = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
            [(total,)] = database.rows(f'select count(*) from "{quoted}"')
            count = counted(total, "row") + (f", {ROWS} shown" if total > ROWS else "")
            name = f"<b>{escape(service.name)}.{escape(clean(title, 40))}</b>: {count}"
            parts.append(f"<div>{name}{table(columns, rows) if rows else ''}</div>")
    return f'<div class="edalab-side">{"".join(parts)}</div>'


def states(services: Iterable) -> str:
    """The services: whether they are up, their lag, the messages in flight, and their state in memory."""
    rows, kinds = [], []
    for service in services:
        several = len(service.replicas) > 1
        down = [replica for replica in service.replicas if not replica.up]
        paused = [replica for replica in service.replicas if replica.up and replica.paused]
        troubles = [f"replica {one.number} down" if several else "down" for one in down]
        troubles += [f"replica {one.number} stands still" for one in paused]
        troubles += ["cut off"] if service.cut else []
        troubles += [f"cut off from {sender}" for sender in service.cut_from]
        flying = ", ".join(f"{message.type} {message.id}" for message in service.in_flight)
        memory = "; ".join(clean(each.state, 120) for each in service.replicas if each.state)
        state = ", ".join(troubles) or "up"
        state += f", {service.in_line:,} in line" * (service.in_line > 0)
        rows.append((service.name, state, service.lag, flying or "–", memory or "–"))
        kinds.append("struck" if troubles else "")
    return table(("service", "is", "lag", "in flight", "state"), rows, kinds)

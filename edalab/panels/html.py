"""What a panel shows beside pictures, as HTML: verdicts, states, tables, code. All text of learners passes `escape`."""

from collections.abc import Iterable
from html import escape
from typing import Any

from ..claims.claim import SIGNS, Verdict
from ..errors import Misuse
from ..sim.run import Run
from ..sim.steps import Step
from ..text import clean, counted
from ..view.theme import FAULT, FAULT_FILL, LANE, QUIET, WORK, WORK_FILL

ROWS = 100  # of a table that a panel shows
_COLOURS = {
    "holds": (WORK, WORK_FILL),
    "broken": (FAULT, FAULT_FILL),
    "not exercised": (QUIET, LANE),
}

STYLE = """<style>
.edalab-panel .widget-html-content { line-height: 1.35; overflow-wrap: anywhere; }
.edalab-panel .widget-readout { min-width: 30px; width: auto; margin-left: 8px; }
.edalab-panel .jupyter-widget-tab > .widget-tab-contents { padding: 6px 4px 2px; overflow: hidden; }
.edalab-panel .jupyter-widget-tab > .lm-TabBar .lm-TabBar-tab { flex: 0 1 auto; min-width: 56px; }
.edalab-panel .edalab-flow { text-align: center; }
.edalab-panel .edalab-picture svg { width: 100%; max-width: 1100px !important; display: block; }
.edalab-panel .edalab-sheet { max-height: 420px; overflow: auto; font-size: 11.5px; }
.edalab-panel .edalab-side { display: flex; flex-wrap: wrap; gap: 4px 28px; }
.edalab-panel table { border-collapse: collapse; margin: 2px 0 12px; }
.edalab-panel th, .edalab-panel td { text-align: left; padding: 1px 6px 1px 4px; vertical-align: top; white-space: nowrap;
  border-bottom: 1px solid var(--jp-border-color2, #e0e0e0); }
.edalab-panel th, .edalab-panel .edalab-quiet { color: var(--jp-ui-font-color2, #6b7785); font-weight: normal; }
.edalab-panel tr.now td { background: #dbe7fd; color: #1f2933; }
.edalab-panel tr.struck td, .edalab-panel .struck { color: FAULT; }
.edalab-panel .edalab-heading { font-size: 11px; font-weight: bold; letter-spacing: .08em; margin-top: 4px; }
.edalab-panel .edalab-hint { font-size: 11px; }
.edalab-panel .edalab-chip { display: inline-block; border-radius: 5px; padding: 3px 10px; margin: 0 6px 4px 0; font-size: 13px; }
.edalab-panel .edalab-code { font: 12px/1.4 "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre-wrap; user-select: all;
  padding: 8px 10px; border-radius: 5px; background: var(--jp-layout-color2, #f5f7f9); }
</style>""".replace("FAULT", FAULT)


def told(error: Exception) -> str:
    """What an error says: a misuse its sentence, any other its type as well."""
    return str(error) if isinstance(error, Misuse) else f"{type(error).__name__}: {error}"


def chips(verdicts: Iterable[Verdict]) -> str:
    """A chip a verdict: its sign, its claim and, where there is one, its cause."""
    shown = []
    for verdict in verdicts:
        colour, ground = _COLOURS[verdict.outcome]
        cause = "not exercised" if verdict.outcome == "not exercised" else clean(verdict.cause, 90)
        words = f"{SIGNS[verdict.outcome]} {clean(verdict.claim, 90)}" + (
            f": {cause}" if cause else ""
        )
        weight = "bold" if verdict.outcome == "broken" else "normal"
        style = f"color:{colour};background:{ground};font-weight:{weight}"
        shown.append(
            f'<span class="edalab-chip" style="{style}" title="{escape(str(verdict))}">{escape(words)}</span>'
        )
    return "".join(shown)


def heading(text: str) -> str:
    return f'<div class="edalab-heading edalab-quiet">{escape(text.upper())}</div>'


def hint(text: str, struck: bool = False) -> str:
    return (
        f'<div class="edalab-hint {"struck" if struck else "edalab-quiet"}">{escape(text).replace(".", ".<wbr>")}</div>'
        if text
        else ""
    )


def error(sentence: str) -> str:
    return f'<div class="struck">{escape(clean(sentence, 600))}</div>' if sentence else ""


def code(line: str) -> str:
    return f'<div class="edalab-code">{escape(line)}</div>'


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], kinds: Iterable[str] = ()) -> str:
    """An HTML table; `kinds` are the classes of its rows. Values are cleaned, shortened and escaped."""
    head = "".join(f"<th>{escape(clean(column, 40))}</th>" for column in columns)
    kinds = iter(kinds)
    body = []
    for row in rows:
        kind = next(kinds, "")
        cells = "".join(
            f"<td>{escape(clean('' if value is None else value, 80))}</td>" for value in row
        )
        body.append(f'<tr class="{kind}">{cells}</tr>' if kind else f"<tr>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def steps(run: Run, seconds: float) -> str:
    """The steps of a run, those of the moment marked; of a long run, those around it."""
    journal, now = run.journal, round(seconds * 1000)
    last = sum(step.time <= now for step in journal)
    first = max(0, min(last - ROWS // 2, len(journal) - ROWS))
    shown = journal[first : first + ROWS]
    title = counted(len(journal), "step") + (
        f", {first + 1:,} to {first + len(shown):,} shown" if len(shown) < len(journal) else ""
    )
    return f"<div>{title} (<code>run.steps</code>)</div>" + _steps(shown, now)


def steps_at(run: Run, seconds: float) -> str:
    """What happened at one moment."""
    now = round(seconds * 1000)
    shown = [step for step in run.journal if step.time == now]
    return "<div><b>At this moment</b></div>" + _steps(shown[:ROWS]) if shown else ""


def _steps(shown: list[Step], now: int | None = None) -> str:
    columns = "time service step type message fault attempt partition offset detail".split()
    kinds = [
        " ".join(filter(None, ("now" if s.time == now else "", "struck" if s.fault else "")))
        for s in shown
    ]
    return table(columns, map(_cells, shown), kinds)


def _cells(step: Step) -> tuple:
    envelope, service = (
        step.envelope,
        f"{step.service} {step.replica}" if step.replica > 1 else step.service,
    )
    message = (envelope.type, envelope.id) if envelope else ("", "")
    return (
        f"{step.time / 1000:g}",
        service,
        step.step,
        *message,
        step.fault,
        step.attempt,
        step.partition,
        step.offset,
        step.detail,
    )


def sheet(*parts: str) -> str:
    return f'<div class="edalab-sheet">{"".join(parts)}</div>'


def databases(nodes: Iterable) -> str:
    """Every table of the services, with its first rows."""
    shown = []
    for node in nodes:
        database, name = node.database, node.name
        for title in database.tables():
            quoted = title.replace('"', '""')
            cursor = database.connection.execute(f'select * from "{quoted}" limit {ROWS}')
            columns = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
            total = (
                len(rows)
                if len(rows) < ROWS
                else database.rows(f'select count(*) from "{quoted}"')[0][0]
            )
            more = counted(total, "row") + (f", {ROWS} shown" if total > ROWS else "")
            named = f"<b>{escape(name)}.{escape(clean(title, 40))}</b>: {more}"
            shown.append(f"<div>{named}{table(columns, rows) if rows else ''}</div>")
    return f'<div class="edalab-side">{"".join(shown)}</div>'


def states(nodes: Iterable) -> str:
    """The services: whether they are up, their lag, what is in flight, their memory."""
    rows, kinds = [], []
    for node in nodes:
        down = [f"replica {replica.number} down" for replica in node.replicas if not replica.up]
        paused = [
            f"replica {replica.number} stands still"
            for replica in node.replicas
            if replica.up and replica.paused
        ]
        said = [
            *(down if len(node.replicas) > 1 else down and ["down"]),
            *paused,
            *(["cut off"] if node.cut else []),
        ]
        flying = ", ".join(f"{envelope.type} {envelope.id}" for envelope in node.in_flight)
        memory = "; ".join(clean(replica.state, 120) for replica in node.replicas if replica.state)
        rows.append((node.name, ", ".join(said) or "up", node.lag, flying or "–", memory or "–"))
        kinds.append("struck" if said else "")
    return table(("service", "is", "lag", "in flight", "state"), rows, kinds)

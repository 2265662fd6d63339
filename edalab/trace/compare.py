"""Two runs compared: the first step at which they differ, in words, and what differs in their tables
at the end."""

from collections import Counter
from functools import cached_property
from itertools import takewhile
from typing import NamedTuple

from ..sim.run import Run
from ..sim.steps import Step
from ..text import clean, seconds
from .step_words import contrast, doing

Place = tuple[str, str]  # a service and a table of it
Row = tuple
MOST_SAVES = 300


class Difference(NamedTuple):
    """Where two runs differ: a time (ms) and a sentence, and the number of the step in the record."""

    time: int
    sentence: str
    number: int = 0
    story: str | None = None  # the correlation id of the message


class TableDifference(NamedTuple):
    """A table that differs at the end, as `orders.outbox`, and the rows that only one run has; of
    a row that a run has more often, the rows it has more. `missing` says which run has no such table."""

    name: str
    columns: list[str]
    rows: tuple[list[Row], list[Row]]
    shared: frozenset[Row]  # rows that both runs have
    missing: str = ""


class Comparison:
    """Two runs side by side.

    first: the first step at which they differ, or None.
    tables: the tables that differ at the end.
    lasting: the first row of a table that differs and stays different, or None: of two runs of
        which one handles each message in more steps, this is where it matters. It is not looked
        for in runs of more than MOST_SAVES saves, for each is read again with all tables."""

    def __init__(self, run: Run, other: Run):
        self.runs = run, other

    @property
    def setting(self) -> str:
        """What the runs are of, where that differs already."""
        one, other = self.runs
        sentences = []
        if one.system.name != other.system.name:
            sentences.append(f"The systems are {one.system.name} and {other.system.name}.")
        for mine, theirs, which in ((one, other, "first"), (other, one, "second")):
            alone = [name for name in mine.services if name not in theirs.services]
            if alone:
                sentences.append(f"Only the {which} run has {', '.join(alone)}.")
        if one.seed != other.seed:
            sentences.append(f"The seeds are {one.seed} and {other.seed}.")
        return " ".join(sentences)

    @cached_property
    def sentence(self) -> str:
        """The first difference in words."""
        if self.first:
            return f"From here on the runs differ: {self.first.sentence}."
        if self.tables:
            return "Step by step the runs are the same, and yet their tables differ."
        return "The runs are the same."

    @cached_property
    def first(self) -> Difference | None:
        one, other = (run.lines() for run in self.runs)
        pairs = enumerate(zip(one, other, strict=False))
        number = next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
        if number == len(one) == len(other):
            return None
        time = min(run.journal[number].time for run in self.runs if number < len(run.journal))
        leads = self._leads(number, time, (one, other))
        steps = [self.runs[which].journal[n] for n, which in leads]
        doings = [doing(self.runs[which].journal, n) for n, which in leads]
        same_place = len({n for n, _ in leads}) < len(leads)
        if same_place and all(step.envelope for step in steps):
            sentence = contrast(*doings)
        elif leads:  # what comes first, before all the start of an outage
            outages = [lead for lead, step in zip(leads, steps, strict=True) if not step.envelope]
            sentence = self._missing(*min((same_place and outages) or leads), number)
        else:
            doings = [doing(run.journal, number) for run in self.runs]
            again = "the same steps come in another order"
            sentence = f"at {seconds(time)} {again}; {contrast(*doings)}"
        stories = [each.step.envelope.correlation for each in doings if each.step.envelope]
        return Difference(time, sentence, number, stories[-1] if stories else None)

    def _leads(self, number: int, time: int, lines: tuple[list, list]) -> list[tuple[int, int]]:
        """Of the steps at a time, from a number on, the first that the first run alone has, and the
        first that the second one alone has: the step's number, and which run."""
        instants = []
        for run in self.runs:
            numbers = range(number, len(run.journal))
            instants.append([*takewhile(lambda n, run=run: run.journal[n].time == time, numbers)])
        leads = []
        for which, mine in enumerate(lines):
            others = Counter(lines[1 - which][n] for n in instants[1 - which])
            for n in instants[which]:
                others[mine[n]] -= 1
                if others[mine[n]] < 0:
                    leads.append((n, which))
                    break
        return leads

    def _missing(self, number: int, which: int, since: int) -> str:
        """What one of the runs does, and the other one later or never."""
        here, there = (("first", "second"), ("second", "first"))[which]
        step, other = self.runs[which].journal[number], self.runs[1 - which]
        sentence = f"{doing(self.runs[which].journal, number).sentence} in the {here} run"
        if step.service not in ("client", *other.services):
            return f"{sentence}, and the {there} one has no {step.service}"
        same = _sort(step)
        later = [each.time for each in other.journal[since:] if _sort(each) == same]
        if later:
            return f"{sentence}, and in the {there} one only at {seconds(later[0])}"
        return f"{sentence}, and not in the {there} one"

    # -- tables

    @cached_property
    def tables(self) -> list[TableDifference]:
        one, other = map(_tables, self.runs)
        found = []
        for place in {**one, **other}:
            columns, mine = one.get(place, (None, Counter()))
            their_columns, theirs = other.get(place, (None, Counter()))
            lacking = "first" if columns is None else "second" if their_columns is None else ""
            missing = f"the {lacking} run has no such table" * bool(lacking)
            rows = [*(mine - theirs).elements()], [*(theirs - mine).elements()]
            if any(rows):
                named, shared = columns or their_columns or [], frozenset(mine & theirs)
                found.append(TableDifference(".".join(place), named, rows, shared, missing))
        return found

    @cached_property
    def lasting(self) -> Difference | None:
        saves = [sum(step.step == "save" for step in run.journal) for run in self.runs]
        if not self.tables or max(saves) > MOST_SAVES:
            return None
        changes = [_last_changes(run) for run in self.runs]
        found = []
        common = [table for table in self.tables if not table.missing]
        for table in common or self.tables:
            for which in (1, 0):
                for row in table.rows[which]:
                    times = [last.get((table.name, row), 0) for last in changes]
                    found.append((max(times), table, which, row))
        time, table, which, row = min(found, key=lambda item: item[0])
        more = "once more" if row in table.shared else "only"
        run = ("first", "second")[which]
        sentence = f"{table.name} has the row ({words_of(row)}) {more} in the {run} run"
        return Difference(time, sentence)

    def __repr__(self) -> str:
        return f"<{self.sentence}>"


def _sort(step: Step) -> tuple:
    """What kind of step it is, and of which message."""
    return step.service, step.step, step.envelope and step.envelope.id


def words_of(row: Row) -> str:
    """A row of a table in words."""
    return ", ".join("null" if value is None else clean(value, 40) for value in row)


def _tables(run: Run) -> dict[Place, tuple[list[str], Counter]]:
    """Every table of a run at the end: its columns, and how often it has each row."""
    found = {}
    for service in run.services:
        database = run._node(service).database
        for table in database.tables():
            quoted = table.replace('"', '""')
            cursor = database.readable().execute(f'select * from "{quoted}"')
            columns = [column[0] for column in cursor.description]
            found[service, table] = columns, Counter(cursor.fetchall())
    return found


def _last_changes(run: Run) -> dict[tuple[str, Row], int]:
    """(table, row) -> the time at which the row was added or removed for the last time."""
    return {
        (f"{step.service}.{table}", row): step.time
        for number, step in enumerate(run.journal)
        if step.step == "save"
        for table, rows in run.changes(number).items()
        for row in rows
    }

"""A comparison of two runs: the first step at which they differ, in words, and the differences between
their tables at the end."""

from collections import Counter
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from ..sim.run import Run
from ..sim.steps import Step
from ..text import clean, seconds
from .step_words import contrast, doing

TableKey = tuple[str, str]  # a service and one of its tables
Row = tuple
MOST_SAVES = 300


class Difference(NamedTuple):
    """A difference between two runs: its time (ms), a sentence, and the number of the step in the record."""

    time: int
    sentence: str
    number: int = 0
    story: str | None = None  # the correlation id of the message


class TableDifference(NamedTuple):
    """A table that differs at the end of two runs, such as `orders.outbox`. `rows` are the rows that
    only one run has, and the surplus copies of a row. `missing` names the run without such a table."""

    name: str
    columns: list[str]
    rows: tuple[list[Row], list[Row]]
    shared: frozenset[Row]  # rows that both runs have
    missing: str = ""


class Comparison:
    """A comparison of two runs.

    first: the first step at which they differ, or None.
    tables: the tables that differ at the end.
    lasting: the first difference in a table that lasts to the end, or None. It shows where two
        versions of a system differ in effect if one of them takes more steps for each message.
        Not computed if a run has more than MOST_SAVES saves, because each save is replayed."""

    def __init__(self, run: Run, other: Run):
        self.runs = run, other

    @property
    def seeds(self) -> str:
        """The seeds, if they differ."""
        one, other = (run.seed for run in self.runs)
        return f"The seeds are {one} and {other}." if one != other else ""

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
        leads = self._leads(number, time)
        steps = [self.runs[which].journal[n] for n, which in leads]
        same_place = len({n for n, _ in leads}) < len(leads)
        if same_place and all(step.envelope for step in steps):
            sentence = contrast(*(doing(self.runs[which].journal, n) for n, which in leads))
        elif leads:  # the earliest, but an outage's start first
            outages = [lead for lead, step in zip(leads, steps, strict=True) if not step.envelope]
            sentence = self._missing(*min((same_place and outages) or leads), number)
        else:
            steps = [run.journal[number] for run in self.runs]
            again = contrast(*(doing(run.journal, number) for run in self.runs))
            sentence = f"at {seconds(time)} the same steps come in another order; {again}"
        stories = [step.envelope.correlation for step in steps if step.envelope]
        return Difference(time, sentence, number, stories[-1] if stories else None)

    def _leads(self, number: int, time: int) -> list[tuple[int, int]]:
        """For each run, the first step at this time that the other run does not have, as (number, index
        of the run). Steps before `number` are ignored."""
        instants = []  # number -> line, for each run
        for run in self.runs:
            lines, steps = run.lines(), enumerate(run.journal[number:], number)
            instants.append({n: lines[n] for n, step in steps if step.time == time})
        one, other = (Counter(lines.values()) for lines in instants)
        leads = []
        for which, only in enumerate((one - other, other - one)):
            leads += [(n, which) for n, line in instants[which].items() if line in only][:1]
        return leads

    def _missing(self, number: int, which: int, since: int) -> str:
        """A sentence about a step of one run that the other run does later or never."""
        here, there = (("first", "second"), ("second", "first"))[which]
        journal, other = self.runs[which].journal, self.runs[1 - which].journal
        sentence, same = doing(journal, number).sentence, _sort(journal[number])
        later = next((step.time for step in other[since:] if _sort(step) == same), None)
        never, when = ("not ", "") if later is None else ("", f" only at {seconds(later)}")
        return f"{sentence} in the {here} run, and {never}in the {there} one{when}"

    # -- tables

    @cached_property
    def tables(self) -> list[TableDifference]:
        one, other = map(_tables, self.runs)
        found = []
        for key in {**one, **other}:
            columns, mine = one.get(key, (None, Counter()))
            their_columns, theirs = other.get(key, (None, Counter()))
            lacking = "first" if columns is None else "second" if their_columns is None else ""
            missing = f"the {lacking} run has no such table" * bool(lacking)
            rows = [*(mine - theirs).elements()], [*(theirs - mine).elements()]
            if any(rows):
                named, shared = columns or their_columns or [], frozenset(mine & theirs)
                found.append(TableDifference(".".join(key), named, rows, shared, missing))
        return found

    @cached_property
    def lasting(self) -> Difference | None:
        saves = [sum(step.step == "save" for step in run.journal) for run in self.runs]
        if not self.tables or max(saves) > MOST_SAVES:
            return None
        changes, found = _row_changes(*self.runs), []
        common = [table for table in self.tables if not table.missing]
        for table in common or self.tables:
            for which in (1, 0):
                for row in table.rows[which]:
                    more = table.rows[1].count(row) - table.rows[0].count(row)
                    time = _apart_since(changes.get((table.name, row), []), more)
                    found.append((time, table, which, row))
        time, table, which, row = min(found, key=lambda item: item[0])
        more = "once more" if row in table.shared else "only"
        run = ("first", "second")[which]
        sentence = f"{table.name} has the row ({words_of(row)}) {more} in the {run} run"
        return Difference(time, sentence)


def _sort(step: Step) -> tuple:
    """The service, the kind and the message of a step."""
    return step.service, step.step, step.envelope and step.envelope.id


def words_of(row: Row) -> str:
    """A row of a table in words."""
    return ", ".join("null" if value is None else clean(value, 40) for value in row)


def _tables(run: Run) -> dict[TableKey, tuple[list[str], Counter]]:
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


def _row_changes(one: Run, other: Run) -> dict[tuple[str, Row], list[tuple[int, int]]]:
    """Map (table, row) to changes (time, by): the second run has `by` more of the row from then on."""
    found: dict[tuple[str, Row], list[tuple[int, int]]] = {}
    for run, sign in ((one, -1), (other, 1)):
        for number, step in enumerate(run.journal):
            if step.step not in ("save", "restore"):
                continue
            for rows_of, by in zip(run.changes(number), (sign, -sign), strict=True):
                for table, rows in rows_of.items():
                    for row in rows:
                        key = f"{step.service}.{table}", row
                        found.setdefault(key, []).append((step.time, by))
    return found


def _apart_since(changes: list[tuple[int, int]], more: int) -> int:
    """The time (ms) since which the runs differ in a row. At the end the second has `more` of it."""
    before, since = more - sum(by for _, by in changes), 0
    for time, at_once in groupby(sorted(changes), key=itemgetter(0)):
        since = since if before else time
        before += sum(by for _, by in at_once)
    return since

"""Claims: sentences about every run, each with a function that returns the evidence against it. A claim is
"not exercised" on a run that tested nothing."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from ..errors import Hung, Misuse, shortened, shown
from ..model import Envelope, Message
from ..sim.run import Run
from ..sim.steps import Step
from ..stuck import watched
from ..trace.faults import FAILED_TO_SEND
from ..trace.spans import Trace
from .observed_run import ObservedRun

_POSITIONAL = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
SIGNS = {"holds": "✓", "broken": "✗", "not exercised": "–"}
_TIME = re.compile(r"\b\d[\d,.]* m?s\b")


@dataclass(frozen=True, repr=False, eq=False)
class Verdict:
    """The outcome of a claim on one run. Its truth value is whether the claim holds.

    outcome: "holds", "broken" or "not exercised".
    evidence: what the claim's function returned.
    cause: the reason in one sentence; "" if the claim holds."""

    claim: str
    outcome: str
    evidence: Any
    cause: str

    def __bool__(self) -> bool:
        return self.outcome == "holds"

    @property
    def anomalies(self) -> tuple[str, ...]:
        """Each piece of evidence in words, with … in place of times, because the times of two runs may differ."""
        pieces = _pieces(self.evidence) if self.outcome == "broken" else ()
        return tuple(_TIME.sub("…", _piece(piece)) for piece in pieces)

    def __str__(self) -> str:
        cause = f": {self.cause}" if self.cause else ""
        return f"{SIGNS[self.outcome]} {self.outcome}: {self.claim}{cause}"

    def __repr__(self) -> str:
        return f"<{self}>"


class Claim:
    """A sentence about every run. It decorates a function that returns the evidence against it.

        @Claim("each order is charged once")
        def charged_once(run):
            return run.rows("payments", "select order_id from charges group by 1 having count(*) > 1")

        run.check(charged_once)                          # a Verdict
        explore(shop, three_orders, [charged_once])      # under every single fault

    The function takes a run and returns a list, a dict, an array or a DataFrame, or it yields. If it returns evidence,
    the claim is "broken". Otherwise it "holds", or it is "not exercised" because the run tested nothing: no table that
    the function reads ever had a row.

    about: a message class. The claim is "not exercised" if no such message was published.

    Raises Misuse for an empty sentence, and for a function that does not take exactly one run."""

    endless = False  # whether it also judges runs that did not end by themselves

    def __init__(self, sentence: str, *, about: type[Message] | None = None):
        if not isinstance(sentence, str) or not sentence.strip():
            what = f"a claim begins with its sentence, not with {shown(sentence)}"
            raise Misuse(f'{what}; write @Claim("each order is charged once")')
        if about is not None and not (isinstance(about, type) and issubclass(about, Message)):
            what = f"the claim {sentence!r}: about= takes a message class"
            raise Misuse(f"{what}, not {shown(about)}")
        self.sentence = shortened(sentence, 200)
        self.about = about.__wire__ if about else None
        self.name = self.sentence
        self.function: Callable | None = None

    def __call__(self, function: Callable) -> "Claim":
        if self.function is not None:
            raise Misuse(f"{self.name} is a claim already; write run.check({self.name})")
        _refuse_unfit(function, self.sentence)
        self.function = function
        name = getattr(function, "__name__", "")
        self.name = name if name.isidentifier() else self.sentence
        return self

    def check(self, run: Run) -> Verdict:
        """The verdict on a run. Raises Misuse if its function fails, or returns something other than evidence."""
        if self.function is None:
            what = "decides nothing yet; write a function of a run below @Claim(...)"
            raise Misuse(f"the claim {self.sentence!r} {what}")
        if not isinstance(run, Run | ObservedRun):  # such as the world at a moment
            what = f"a claim is checked on a whole run, {self.name}.check(run)"
            raise Misuse(f"{what}, not on {shown(run)}")
        evidence, untested = self._judge(self.function, run)
        if evidence is not None and len(evidence):
            return Verdict(self.sentence, "broken", evidence, _cause(evidence))
        return Verdict(self.sentence, "not exercised" if untested else "holds", evidence, untested)

    def _judge(self, function: Callable, run: Run) -> tuple[Any, str]:
        """The evidence, and without evidence the reason why nothing tested the claim; "" if something did."""
        observed = ObservedRun(run, track_tables=self.about is None)
        evidence = self._ask(function, observed, run)
        if evidence is not None and len(evidence):
            return evidence, ""
        return evidence, observed.untested() if self.about is None else self._unpublished(run)

    def _ask(self, function: Callable, observed: ObservedRun, run: Run) -> Any:
        unchecked = f"the claim {self.sentence!r} cannot be checked: {self.name}"
        try:
            with watched(unchecked, patience=6):
                returned = function(observed)
                if isinstance(returned, Iterator):
                    returned = list(returned)  # a generator raises its errors here
        except Hung as hung:
            hung.run = run
            raise
        except Exception as error:
            raised = shortened(f"{type(error).__name__}: {error}", 200)
            refused = Misuse(f"{unchecked} raised {raised}")
            refused.run = run
            raise refused from error
        if isinstance(returned, Set):
            return sorted(returned, key=repr)  # a set's order differs from process to process
        table = getattr(returned, "ndim", 0)  # of pandas or numpy
        if returned is None or isinstance(returned, list | tuple | Mapping) or table:
            return returned
        if inspect.iscoroutine(returned):
            returned.close()
        raise Misuse(
            f"{unchecked} returned {shown(returned)}; return the evidence against the claim, "
            "such as a list of the rows that contradict it, empty if none does"
        )

    def _unpublished(self, run: Run) -> str:
        trace = Trace.of(run)
        sent = {trace.envelope(n).type for n in trace.sends if trace.fault(n) not in FAILED_TO_SEND}
        return "" if self.about in sent else f"no {self.about} was published"

    # Compared by name, because a cell that runs again makes a new claim with the same name.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Claim) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        name = f"{self.name}: " if self.name != self.sentence else ""
        return f"<Claim {name}{self.sentence}>"


def claims_of(given: Any, taker: str) -> list[Claim]:
    """One claim or several, as a list. Raises Misuse for anything else."""
    several = isinstance(given, Iterable) and not isinstance(given, str | Message)
    claims = list(given) if several else [given]
    for claim in claims:
        if not isinstance(claim, Claim):
            what = f"{taker} takes claims=[...], a list of claims, and {shown(claim)} is not one"
            name = getattr(claim, "__name__", "")
            if getattr(claim, "__module__", "") == "edalab.claims.builtin":
                raise Misuse(f"{what}: {name} makes one; write claims.{name}(...)")
            raise Misuse(f'{what}; write @Claim("each order is charged once") above its function')
    return claims


def _refuse_unfit(function: Any, sentence: str) -> None:
    decided = f"the claim {sentence!r} is decided by a"
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise Misuse(f"{decided} function of a run, not by {shown(function)}") from None
    needed = [p for p in parameters if p.default is p.empty and p.kind in _POSITIONAL]
    if len(needed) != 1 or inspect.iscoroutinefunction(function):
        name = getattr(function, "__name__", "claim")  # a partial has none
        raise Misuse(f"{decided} plain function of one run: `def {name}(run):`")


def _cause(evidence: Any) -> str:
    """The first piece of evidence in words, and the number of further ones."""
    more = len(evidence) - 1
    return _piece(next(_pieces(evidence))) + (f", and {more:,} more" if more else "")


def _pieces(evidence: Any) -> Iterator:
    if hasattr(evidence, "iterrows"):
        return (row for _, row in evidence.iterrows())
    if isinstance(evidence, Mapping) or hasattr(evidence, "iloc"):
        return ({name: value} for name, value in evidence.items())
    return iter(evidence)


def _piece(piece: Any) -> str:
    """A piece of evidence in words: a sentence as it is, a row as its values."""
    if hasattr(piece, "sentence"):  # of a ready-made claim
        return piece.sentence
    if isinstance(piece, Step):
        message = f" {_piece(piece.envelope)}" if piece.envelope else ""
        return f"{piece.service} {piece.step}{message} at {piece.time / 1000:g} s"
    if isinstance(piece, Envelope):
        return f"{piece.type} {piece.id}"
    if isinstance(piece, Mapping) or hasattr(piece, "items"):
        return ", ".join(f"{_piece(name)} {_piece(value)}" for name, value in piece.items())
    if isinstance(piece, tuple | list):
        return ", ".join(map(_piece, piece))
    piece = piece.item() if hasattr(piece, "item") else piece  # numpy's numbers show their type
    return shortened(piece, 200) if isinstance(piece, str) else shown(piece)

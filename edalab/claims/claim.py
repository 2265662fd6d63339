"""A claim is a sentence about every run, with a function that returns the evidence against it. Where nothing was tested it is
`not exercised`: a claim never holds for want of trying."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from ..errors import Hung, Misuse, shown
from ..model import Envelope, Message
from ..sim.run import Run
from ..sim.steps import Step
from ..stuck import watched
from .observed_run import Reading

SIGNS = {"holds": "✓", "broken": "✗", "not exercised": "–"}
_UNPUBLISHED = (
    "crash",
    "fail",
    "cut",
)  # a publish or ask that these strike put nothing into the world


@dataclass(frozen=True, repr=False, eq=False)
class Verdict:
    """What a run says about a claim. `outcome` is "holds", "broken" or "not exercised"; `evidence` is what the claim
    returned, `cause` the reason in one sentence ("" where the claim holds)."""

    claim: str
    outcome: str
    evidence: Any
    cause: str

    def __bool__(self) -> bool:
        return self.outcome == "holds"

    def __str__(self) -> str:
        return f"{SIGNS[self.outcome]} {self.outcome}: {self.claim}" + (
            f": {self.cause}" if self.cause else ""
        )

    def __repr__(self) -> str:
        return f"<{self}>"


class Claim:
    """Decorates a function of a run that returns the evidence against `sentence`: a list of rows, a DataFrame, a dict, or
    what it yields; nothing where there is none. `about=` is the message without which the claim is not exercised."""

    endless = False  # whether it judges runs, too, that did not end by themselves
    reads_changes = False  # whether it asks which rows a commit changed

    def __init__(self, sentence: str, *, about: type[Message] | None = None):
        if not isinstance(sentence, str) or not sentence.strip():
            raise Misuse(
                f'a claim begins with its sentence: write @Claim("each order is charged once"), not {_shown(sentence)}'
            )
        if about is not None and not (isinstance(about, type) and issubclass(about, Message)):
            raise Misuse(
                f"the claim {sentence!r}: about= takes a message class, not {_shown(about)}"
            )
        self.sentence = _one_line(sentence)
        self.about = about.__name__ if about else None
        self.name, self.function = self.sentence, None

    def __call__(self, function: Callable) -> "Claim":
        if self.function is not None:
            raise Misuse(f"{self.name} is a claim already; write run.check({self.name})")
        _refuse_unfit(function, self.sentence)
        self.function = function
        name = getattr(function, "__name__", "")
        self.name = name if name.isidentifier() else self.sentence
        return self

    def check(self, run: Run) -> Verdict:
        """The verdict on a run. Raises Misuse, naming this claim, where its function fails or returns no evidence."""
        if self.function is None:
            raise Misuse(
                f"the claim {self.sentence!r} decides nothing yet; write a function of a run below @Claim(...)"
            )
        if not isinstance(run, Run | Reading):  # such as the world at a moment
            raise Misuse(
                f"a claim is checked on a whole run, {self.name}.check(run), not on {shown(run)}"
            )
        with Reading(run, listens=self.about is None) as reading:
            evidence = self._ask(reading, run)
            if evidence is not None and len(evidence):
                return Verdict(self.sentence, "broken", evidence, _cause(evidence))
            untested = reading.untested() if self.about is None else self._unpublished(run)
        return Verdict(self.sentence, "not exercised" if untested else "holds", evidence, untested)

    def _ask(self, reading: Reading, run: Run) -> Any:
        try:
            with watched(f"the claim {self.sentence!r} cannot be checked: {self.name}", patience=6):
                returned = self.function(reading)
                if isinstance(returned, Iterator):
                    returned = list(returned)  # what a generator raises, it raises here
        except Hung as hung:
            hung.run = run
            raise
        except Exception as error:
            said = _one_line(f"{self.name} raised {type(error).__name__}: {error}") + reading.known(
                error
            )
            refused = Misuse(f"the claim {self.sentence!r} cannot be checked: {said}")
            refused.run = run
            raise refused from error
        if isinstance(returned, Set):
            return sorted(returned, key=repr)  # a set of words has another order in every process
        if (
            returned is None
            or isinstance(returned, list | tuple | Mapping)
            or getattr(returned, "ndim", 0)
        ):  # pandas, numpy
            return returned
        if inspect.iscoroutine(returned):
            returned.close()
        raise Misuse(
            f"the claim {self.sentence!r} cannot be checked: {self.name} returned {_shown(returned)}; return the evidence "
            "against the claim, such as a list of the rows that contradict it, empty if none does"
        )

    def _unpublished(self, run: Run) -> str:
        for step in run.journal:
            if (
                step.step in ("publish", "ask")
                and step.envelope.type == self.about
                and step.fault not in _UNPUBLISHED
            ):
                return ""
        return f"no {self.about} was published"

    # Matched by name: a cell that is run again makes a new claim of the same name.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Claim) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return (
            f"<Claim {self.name}: {self.sentence}>"
            if self.name != self.sentence
            else f"<Claim {self.sentence}>"
        )


def claims_of(given: Any, taker: str) -> list[Claim]:
    """One claim or several, as a list. Raises Misuse for what is none."""
    several = isinstance(given, Iterable) and not isinstance(given, str | Message)
    claims = list(given) if several else [given]
    for claim in claims:
        if not isinstance(claim, Claim):
            what = f"{taker} takes claims=[...], a list of claims, and {shown(claim)} is none"
            name = getattr(claim, "__name__", "")
            if getattr(claim, "__module__", "") == "edalab.claims.builtin":
                raise Misuse(f"{what}: {name} makes one; write claims.{name}(...)")
            raise Misuse(f'{what}; write @Claim("each order is charged once") above its function')
    return claims


def _refuse_unfit(function: Any, sentence: str) -> None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise Misuse(
            f"the claim {sentence!r} is decided by a function of a run, not by {_shown(function)}"
        ) from None
    needed = [
        p
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(needed) != 1 or inspect.iscoroutinefunction(function):
        raise Misuse(
            f"the claim {sentence!r} is decided by a plain function of one run: `def {function.__name__}(run):`"
        )


def _cause(evidence: Any) -> str:
    """The first piece of evidence, and how much more there is."""
    if hasattr(evidence, "iloc"):
        first = evidence.iloc[0]
        first = dict(first) if hasattr(first, "items") else {evidence.index[0]: first}
    elif isinstance(evidence, Mapping):
        first = dict([next(iter(evidence.items()))])
    else:
        first = evidence[0]
    more = len(evidence) - 1
    return _piece(first) + (f", and {more:,} more" if more else "")


def _piece(piece: Any) -> str:
    """A piece of evidence in words: a sentence as it is, a row as its values."""
    if isinstance(piece, Step):
        message = f" {piece.envelope.type} {piece.envelope.id}" if piece.envelope else ""
        return f"{piece.service} {piece.step}{message} at {piece.time / 1000:g} s"
    if isinstance(piece, Envelope):
        return f"{piece.type} {piece.id}"
    if isinstance(piece, Mapping):
        return ", ".join(f"{_piece(name)} {_piece(value)}" for name, value in piece.items())
    if isinstance(piece, tuple | list):
        return ", ".join(map(_piece, piece))
    if hasattr(piece, "item"):  # numpy's numbers show their type
        piece = piece.item()
    return _one_line(piece) if isinstance(piece, str) else _shown(piece)


def _one_line(text: str, most: int = 200) -> str:
    text = " ".join(text[: 4 * most].split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _shown(thing: object) -> str:
    text = (
        repr(thing)
        if not callable(thing)
        else f"{getattr(thing, '__name__', type(thing).__name__)}"
    )
    return _one_line(text if " at 0x" not in text else f"a {type(thing).__name__}", 80)

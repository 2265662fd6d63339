"""A learner's progress, in a small file beside the notebooks: outcomes, anomalies met, predictions."""

import os
import unicodedata
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

from pydantic import BaseModel

from ..errors import Misuse, listed, shown

FILE = "EDALAB_PROGRESS"  # the environment variable that names another file; empty: no file
_in_memory: dict[str, Any] = {}  # the progress of this process, where there is no file


class _Exercise(BaseModel):
    outcome: str = "not yet"
    tries: int = 0
    anomalies: dict[str, int] = {}
    digest: str = ""
    variant: int = 0  # that of the correct answer


class _Prediction(BaseModel):
    predicted: str
    fact: str


class Kept(BaseModel):
    """The content of the file."""

    edalab: Literal[1] = 1
    name: str = ""
    exercises: dict[str, _Exercise] = {}
    predictions: dict[str, _Prediction] = {}


def variant(name: str | None = None) -> int:
    """The number from which a learner's own figures follow. It follows from the name; 1 without one."""
    name = one_name(kept()["name"] if name is None else name)
    return 2 + crc32(name.casefold().encode()) % 99_990 if name else 1


def one_name(name: str) -> str:
    """A name in one form, in whichever way a keyboard wrote its umlauts and spaces."""
    if not isinstance(name, str):
        raise Misuse(f"a name is a text, not {shown(name)}")
    return " ".join(unicodedata.normalize("NFC", name).split())


def enrol(name: str) -> str:
    """Give your name: `enrol("Ada Lovelace")`. Exercises then have figures and timings of your own.

    Returns the name, the number of your variant, and the exercises to check again.
    """
    progress, name = kept(), one_name(name)
    if not name:
        raise Misuse('enrol takes your name: enrol("Ada Lovelace")')
    progress["name"], own = name, variant(name)
    _write(progress)
    done = progress["exercises"].items()
    old = sorted(id for id, one in done if one["variant"] not in (0, own))
    again = f"; check these again, with your own figures: {listed(old)}" if old else ""
    return f"{name}, variant {own}{again}"


def keep_outcome(id: str, outcome: str, anomaly: str, digest: str = "") -> int:
    """Keep the outcome of an answer, and return how often this exercise had this anomaly. What was
    correct once stays correct."""
    progress = kept()
    one = progress["exercises"].setdefault(id, _Exercise().model_dump())
    one["tries"] += 1
    if outcome == "correct":
        one["outcome"], one["variant"] = outcome, variant(progress["name"])
    if anomaly:
        one["anomalies"][anomaly] = one["anomalies"].get(anomaly, 0) + 1
        one["digest"] = digest
    _write(progress)
    if _path() is None:  # the hint of a cell that runs twice is the same
        return 1
    return one["anomalies"].get(anomaly, 0)


def keep_prediction(question: str, predicted: Any, fact: Any) -> None:
    """Keep a prediction that the learner made, and the fact."""
    progress = kept()
    progress["predictions"][question] = {"predicted": str(predicted), "fact": str(fact)}
    _write(progress)


def kept() -> dict[str, Any]:
    """The learner's progress. A file that cannot be read is renamed, not overwritten, with a warning."""
    path = _path()
    if path is None:
        if not _in_memory:
            _in_memory.update(Kept().model_dump())
        return _in_memory
    try:
        return Kept.model_validate_json(path.read_text(encoding="utf-8-sig")).model_dump()
    except (ValueError, PermissionError):
        with suppress(OSError):  # where nothing may be written, `_write` warns
            aside = path.replace(path.with_suffix(".damaged.json"))
            warnings.warn(
                f"{path.name} cannot be read: it is now called {aside.name}, "
                "and your progress begins anew",
                stacklevel=2,
            )
    except OSError:
        pass  # there is none yet
    return Kept().model_dump()


def _path() -> Path | None:
    where = os.environ.get(FILE, "progress.json")
    return Path(where) if where else None


def _write(progress: dict[str, Any]) -> None:
    path = _path()
    if path is None:
        return
    beside = path.with_suffix(".new")
    try:
        beside.write_text(Kept(**progress).model_dump_json(indent=1) + "\n", encoding="utf-8")
        beside.replace(path)  # at once: a kernel that dies leaves the old file or the new one
    except OSError as error:  # the verdict is shown all the same
        warnings.warn(
            f"{path.name} cannot be written ({error.strerror}): your progress is not kept",
            stacklevel=2,
        )

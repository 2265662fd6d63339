"""What a learner has done is kept in a small file beside the notebooks: outcomes, anomalies met, predictions."""

import os
import unicodedata
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

from pydantic import BaseModel

from ..errors import Misuse, listed, shown

FILE = (
    "EDALAB_PROGRESS"  # the environment variable that names another file; empty, it keeps nothing
)
_unkept: dict[str, Any] = {}  # where nothing is kept, what this process knows


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
    """What stands in the file."""

    edalab: Literal[1] = 1
    name: str = ""
    exercises: dict[str, _Exercise] = {}
    predictions: dict[str, _Prediction] = {}


def variant(name: str | None = None) -> int:
    """The number that a learner's own figures are made from: it follows from the name, and is 1 without one."""
    name = one_name(kept()["name"] if name is None else name)
    return 2 + crc32(name.casefold().encode()) % 99_990 if name else 1


def one_name(name: str) -> str:
    """A name as it is kept: one text for all the ways in which a keyboard can write an umlaut or a space."""
    if not isinstance(name, str):
        raise Misuse(f"a name is a text, not {shown(name)}")
    return " ".join(unicodedata.normalize("NFC", name).split())


def enrol(name: str) -> str:
    """Say who is learning here: exercises then have numbers and timings of your own."""
    now, name = kept(), one_name(name)
    if not name:
        raise Misuse('enrol takes your name: enrol("Ada Lovelace")')
    now["name"] = name
    _write(now)
    done = now["exercises"].items()
    old = [id for id, one in done if one["variant"] not in (0, variant(name))]
    again = f"; check these again, with your own figures: {listed(sorted(old))}" if old else ""
    return f"{name}, variant {variant(name)}{again}"


def keep_outcome(id: str, outcome: str, anomaly: str, digest: str = "") -> int:
    """Keep what became of an answer; return how often this anomaly was met in this exercise. What was correct once stays so."""
    now = kept()
    one = now["exercises"].setdefault(id, _Exercise().model_dump())
    one["tries"] += 1
    if outcome == "correct":
        one["outcome"], one["variant"] = outcome, variant(now["name"])
    if anomaly:
        one["anomalies"][anomaly] = one["anomalies"].get(anomaly, 0) + 1
        one["digest"] = digest
    _write(now)
    return (
        one["anomalies"].get(anomaly, 0) if _path() is not None else 1
    )  # else a cell run twice would say two things


def keep_prediction(question: str, predicted: Any, fact: Any) -> None:
    """Keep a prediction that was made, and what turned out."""
    now = kept()
    now["predictions"][question] = {"predicted": str(predicted), "fact": str(fact)}
    _write(now)


def kept() -> dict[str, Any]:
    """All that is kept. A file that cannot be read is put aside, not written over, and a warning says so."""
    path = _path()
    if path is None:
        return _unkept or _unkept.update(Kept().model_dump()) or _unkept
    try:
        return Kept.model_validate_json(path.read_text(encoding="utf-8-sig")).model_dump()
    except (ValueError, PermissionError):
        with suppress(OSError):  # where nothing may be written: `_write` says so
            aside = path.replace(path.with_suffix(".damaged.json"))
            warnings.warn(
                f"{path.name} cannot be read: it is now called {aside.name}, and your progress begins anew",
                stacklevel=2,
            )
    except OSError:
        pass  # there is none yet
    return Kept().model_dump()


def _path() -> Path | None:
    where = os.environ.get(FILE, "progress.json")
    return Path(where) if where else None


def _write(now: dict[str, Any]) -> None:
    path = _path()
    if path is None:
        return
    beside = path.with_suffix(".new")
    try:
        beside.write_text(Kept(**now).model_dump_json(indent=1) + "\n", encoding="utf-8")
        beside.replace(path)  # at once: a kernel that dies leaves the old file or the new one
    except OSError as error:  # a verdict is not to be lost with it
        warnings.warn(
            f"{path.name} cannot be written ({error.strerror}): your progress is not kept",
            stacklevel=2,
        )

"""What a learner has done is kept in a small file beside the notebooks: outcomes, anomalies met, predictions."""

import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

from pydantic import BaseModel

from ..errors import Misuse, shown

FILE = (
    "EDALAB_PROGRESS"  # the environment variable that names another file; empty, it keeps nothing
)
_unkept: dict[str, Any] = {}  # where nothing is kept, what this process knows


class _Exercise(BaseModel):
    outcome: str = "not yet"
    tries: int = 0
    anomalies: dict[str, int] = {}
    digest: str = ""


class _Prediction(BaseModel):
    predicted: str
    fact: str


class Kept(BaseModel):
    """What stands in the file."""

    edalab: Literal[1] = 1
    name: str = ""
    exercises: dict[str, _Exercise] = {}
    predictions: dict[str, _Prediction] = {}


def variant() -> int:
    """A number from 1 that differs from learner to learner, and is 1 for one without a name."""
    return 1 + crc32(kept()["name"].encode()) % 1_000 if kept()["name"] else 1


def enrol(name: str) -> str:
    """Say who is learning here: exercises then have numbers and timings of your own."""
    if not isinstance(name, str) or not name.strip():
        raise Misuse(f"enrol takes a name, a text, not {shown(name)}")
    now = kept()
    now["name"] = name.strip()
    _write(now)
    return f"{now['name']}, variant {variant()}"


def keep_outcome(id: str, outcome: str, anomaly: str, digest: str = "") -> int:
    """Keep what became of an answer; return how often this anomaly was met in this exercise. What was correct once stays so."""
    now = kept()
    one = now["exercises"].setdefault(id, _Exercise().model_dump())
    one["tries"] += 1
    if outcome == "correct":
        one["outcome"] = outcome
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
    """All that is kept. A file that cannot be read is put aside, not written over."""
    path = _path()
    if path is None:
        return _unkept or _unkept.update(Kept().model_dump()) or _unkept
    try:
        return Kept.model_validate_json(path.read_text(encoding="utf-8-sig")).model_dump()
    except (ValueError, PermissionError):
        with suppress(OSError):  # where nothing may be written: `_write` says so
            path.replace(path.with_suffix(".damaged.json"))
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

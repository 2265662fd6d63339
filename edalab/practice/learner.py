"""What a learner has done is kept in a small file beside the notebooks: outcomes, anomalies met, predictions."""

import json
import os
from pathlib import Path
from typing import Any
from zlib import crc32

from ..errors import Misuse, shown

FILE = "EDALAB_PROGRESS"  # the environment variable that names another file; empty, it keeps nothing
_unkept: dict[str, Any] = {}  # where nothing is kept, what this process knows


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
    one = now["exercises"].setdefault(id, {"outcome": "not yet", "tries": 0, "anomalies": {}, "digest": ""})
    one["tries"] += 1
    if outcome == "correct":
        one["outcome"] = outcome
    if anomaly:
        one["anomalies"][anomaly] = one["anomalies"].get(anomaly, 0) + 1
        one["digest"] = digest
    _write(now)
    return one["anomalies"].get(anomaly, 0) if _path() is not None else 1  # else a cell run twice would say two things


def keep_prediction(question: str, predicted: Any, fact: Any) -> None:
    """Keep a prediction that was made, and what turned out."""
    now = kept()
    now["predictions"][question] = {"predicted": str(predicted), "fact": str(fact)}
    _write(now)


def kept() -> dict[str, Any]:
    """All that is kept. A file that cannot be read is put aside, not written over."""
    path = _path()
    if path is None:
        return _unkept or _unkept.update(_empty()) or _unkept
    if not path.exists():
        return _empty()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {**_empty(), **{key: found[key] for key in _empty() if type(found[key]) is type(_empty()[key])}}
    except (ValueError, KeyError, TypeError):
        path.replace(path.with_suffix(".damaged.json"))
        return _empty()


def _empty() -> dict[str, Any]:
    return {"edalab": 1, "name": "", "exercises": {}, "predictions": {}}


def _path() -> Path | None:
    where = os.environ.get(FILE, "progress.json")
    return Path(where) if where else None


def _write(now: dict[str, Any]) -> None:
    path = _path()
    if path is None:
        return
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(path)  # at once: a kernel that dies leaves the old file or the new one

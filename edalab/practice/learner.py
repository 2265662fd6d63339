"""A learner's progress, in a small file next to the notebooks: outcomes, anomalies, predictions."""

import os
import unicodedata
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

from pydantic import BaseModel

from ..errors import Misuse, listed, shown

FILE = "EDALAB_PROGRESS"  # the environment variable that names another file; empty for no file


class Done(BaseModel):
    """The progress in one exercise."""

    outcome: str = "not yet"
    anomalies: dict[str, int] = {}
    variant: int = 0  # the variant of the correct answer


class Predicted(BaseModel):
    predicted: str
    fact: str


class SavedProgress(BaseModel):
    """A learner's progress, as stored in the file."""

    edalab: Literal[1] = 1
    name: str = ""
    exercises: dict[str, Done] = {}
    predictions: dict[str, Predicted] = {}


_in_memory = SavedProgress()  # the progress in this process, if there is no file


def variant(name: str | None = None) -> int:
    """The number that determines a learner's own figures, computed from the name; 1 without one."""
    name = one_name(saved_progress().name if name is None else name)
    return 2 + crc32(name.casefold().encode()) % 99_990 if name else 1


def one_name(name: str) -> str:
    """A name in one form, however a keyboard wrote its umlauts and spaces."""
    if not isinstance(name, str):
        raise Misuse(f"a name is a text, not {shown(name)}")
    return " ".join(unicodedata.normalize("NFC", name).split())


def enrol(name: str) -> str:
    """Enrol: `enrol("Ada Lovelace")`. Your exercises then have figures and timings of your own.

    Returns the name, the number of your variant, and the exercises to check again.
    """
    progress, name = saved_progress(), one_name(name)
    if not name:
        raise Misuse('enrol takes your name: enrol("Ada Lovelace")')
    progress.name, own = name, variant(name)
    _write(progress)
    old = sorted(id for id, done in progress.exercises.items() if done.variant not in (0, own))
    again = f"; check these again, with your own figures: {listed(old)}" if old else ""
    return f"{name}, variant {own}{again}"


def save_outcome(id: str, outcome: str, anomaly: str) -> int:
    """Save the outcome of an answer, and return how often this exercise had this anomaly. A correct
    outcome stays correct."""
    progress = saved_progress()
    done = progress.exercises.setdefault(id, Done())
    if outcome == "correct":
        done.outcome, done.variant = outcome, variant(progress.name)
    if anomaly:
        done.anomalies[anomaly] = done.anomalies.get(anomaly, 0) + 1
    _write(progress)
    # Without a file it is 1, so that a cell that runs twice shows the same hint.
    return done.anomalies.get(anomaly, 0) if _path() else 1


def save_prediction(question: str, predicted: Any, fact: Any) -> None:
    """Save a prediction that the learner made, and the fact."""
    progress = saved_progress()
    progress.predictions[question] = Predicted(predicted=str(predicted), fact=str(fact))
    _write(progress)


def saved_progress() -> SavedProgress:
    """The learner's progress. An unreadable file is renamed with a warning, not overwritten."""
    path = _path()
    if path is None:
        return _in_memory
    try:
        return SavedProgress.model_validate_json(path.read_text(encoding="utf-8-sig"))
    except (ValueError, PermissionError):
        with suppress(OSError):  # if nothing may be written, `_write` warns
            aside, number = path.with_suffix(".damaged.json"), 1
            while aside.exists():  # an earlier copy
                number += 1
                aside = path.with_suffix(f".damaged-{number}.json")
            path.replace(aside)
            became = f"it is now called {aside.name}, and your progress begins anew"
            warnings.warn(f"{path.name} cannot be read: {became}", stacklevel=2)
    except OSError:
        pass  # no file yet
    return SavedProgress()


def _path() -> Path | None:
    where = os.environ.get(FILE, "progress.json")
    return Path(where) if where else None


def _write(progress: SavedProgress) -> None:
    path = _path()
    if path is None:
        return
    beside = path.with_suffix(".new")
    try:
        beside.write_text(progress.model_dump_json(indent=1) + "\n", encoding="utf-8")
        beside.replace(path)  # atomic: a kernel that dies leaves the old file or the new one
    except OSError as error:  # the verdict is still shown
        why = f"{path.name} cannot be written ({error.strerror})"
        warnings.warn(f"{why}: your progress is not kept", stacklevel=2)

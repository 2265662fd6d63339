"""A class: each learner hands in one small file, and the teacher reads a folder of these files."""

import json
import re
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from hashlib import blake2b
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Misuse, counted, listed, needed_for, shown
from . import learner

if TYPE_CHECKING:
    import pandas


def hand_in(name: str = "", folder: str | Path = ".") -> Path:
    """Write your progress into one small JSON file for your teacher, and return its path.

    `name` is needed only if you have not enrolled. The file's name contains it and your variant.
    Raises Misuse without a name, for another name than you enrolled with, and for a missing folder.
    """
    enrolled = learner.saved_progress().name
    name = learner.one_name(name) or enrolled
    if not name:
        raise Misuse('who hands this in? hand_in("Ada Lovelace")')
    own = learner.variant(name)
    if enrolled and own != learner.variant(enrolled):
        mend = f"Leave the name out, or enrol({name!r}) and check your answers again"
        raise Misuse(f"you are enrolled as {enrolled!r}. {mend}")
    place = _folder(folder, "make it first, or leave folder= out")
    plain = re.sub(r"\W+", "-", name.lower()).strip("-") or "learner"
    # The number separates similar names, and avoids names that Windows reserves, such as con.
    path = place / f"{plain[:40]}-{own}.edalab.json"
    progress = learner.saved_progress().model_dump() | {"name": name}
    sealed = progress | {"seal": _seal(progress)}
    content = json.dumps(sealed, indent=1, ensure_ascii=False) + "\n"
    path.write_text(content, encoding="utf-8")
    return path


def classroom(folder: str | Path) -> "Classroom":
    """Read all files that learners handed in, in a folder and its subfolders, and show the class.

    Raises Misuse if the folder does not exist, or contains no such file.
    """
    place = _folder(folder, "classroom takes the one that the class handed in to")
    read, unreadable = {}, []
    for path in sorted(place.rglob("*")):  # a browser or a platform may have renamed them
        where = path.relative_to(place)
        # Jupyter's checkpoints, and the files that a Mac adds
        hidden = any(part.startswith(".") for part in where.parts)
        if ".json" in path.name.lower() and path.is_file() and not hidden:
            content = _handed_in(path)
            if isinstance(content, learner.SavedProgress):
                read[where.as_posix()] = content
            else:
                unreadable.append(f"{where.as_posix()}: {content}")
    if not read and not unreadable:
        mend = 'learners make one with hand_in("their name")'
        raise Misuse(f"there is no *.edalab.json in {str(folder)!r}; {mend}")
    names, learners = Counter(learner.variant(one.name) for one in read.values()), {}
    for where, one in read.items():
        twice = names[learner.variant(one.name)] > 1  # two learners, or one who handed in twice
        learners[f"{one.name} ({where})" if twice else one.name] = one
    return Classroom(learners, unreadable)


class Classroom:
    """The results of a class, as DataFrames. `.learners` has what each learner handed in, by name.

    `.outcomes` has a row for each learner and a column for each exercise. `.variants` has in the
    same form each learner's own variant and those of the correct answers. `.anomalies` counts the
    anomalies in each learner's answers, `.predictions` the wrong predictions of the class.
    `.unreadable` lists the files left out, with the reason and what to do.
    """

    def __init__(self, learners: dict[str, learner.SavedProgress], unreadable: list[str]):
        self.learners, self.unreadable = learners, unreadable

    @cached_property
    def outcomes(self) -> "pandas.DataFrame":
        return self._each(lambda done: done.outcome)

    @cached_property
    def variants(self) -> "pandas.DataFrame":
        table = self._each(lambda done: done.variant or "")
        table.insert(0, "own", [learner.variant(one.name) for one in self.learners.values()])
        return table

    def _each(self, field: Callable[[learner.Done], Any]) -> "pandas.DataFrame":
        done = [one.exercises for one in self.learners.values()]
        ids = sorted({id for each in done for id in each})
        rows = [[field(each[id]) if id in each else "" for id in ids] for each in done]
        return _table(rows, ids, [*self.learners])

    @cached_property
    def anomalies(self) -> "pandas.DataFrame":
        rows = [
            (id, anomaly, name, times)
            for name, one in self.learners.items()
            for id, done in one.exercises.items()
            for anomaly, times in done.anomalies.items()
        ]
        return _table(sorted(rows), ["exercise", "anomaly", "learner", "times"])

    @cached_property
    def predictions(self) -> "pandas.DataFrame":
        wrong = Counter(
            (question, made.predicted, made.fact)
            for one in self.learners.values()
            for question, made in one.predictions.items()
            if made.predicted != made.fact
        )
        most_first = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
        rows = [(*key, times) for key, times in most_first]
        return _table(rows, ["question", "predicted", "was", "learners"])

    def _head(self) -> list[str]:
        lines = [counted(len(self.learners), "learner")]
        for id in self.outcomes.columns:
            done = Counter(self.outcomes[id])
            counts = f"{done['correct']} correct, {done['not yet']} not yet"
            line = f"{id}: {counts}, {done['']} not begun"
            met = Counter(self.anomalies.loc[self.anomalies["exercise"] == id, "anomaly"])
            for anomaly, learners in met.most_common(1):
                line += f"; most met: {anomaly} ({learners})"
            lines.append(line)
        others = [
            f"{name} {id}"
            for name, one in self.learners.items()
            for id, done in sorted(one.exercises.items())
            if done.variant not in (0, 1, learner.variant(one.name))
        ]
        if others:
            lines.append(f"correct with somebody else's figures: {listed(others)}")
        lines += [f"left out: {each}" for each in self.unreadable[:12]]
        if len(self.unreadable) > 12:
            lines.append(f"left out: {len(self.unreadable) - 12} more, in .unreadable")
        return lines

    def _repr_html_(self) -> str:
        parts = [f"<div>{escape(line)}</div>" for line in self._head()]
        tables = self.outcomes, self.anomalies, self.predictions
        with _pandas().option_context("display.max_colwidth", None):  # questions are long
            # pandas' stubs take the method for a column
            parts += [one._repr_html_() for one in tables if len(one)]  # pyrefly: ignore[not-callable]
        return "".join(parts)

    def __repr__(self) -> str:
        return "\n".join(self._head())


def _pandas() -> Any:
    with needed_for("classroom"):
        import pandas

    return pandas


def _table(rows: list, columns: list[str], index: list[str] | None = None) -> "pandas.DataFrame":
    return _pandas().DataFrame(rows, index=index, columns=columns)


def _folder(folder: str | Path, otherwise: str) -> Path:
    if not isinstance(folder, str | Path):
        raise Misuse(f"a folder is a path, not {shown(folder)}; {otherwise}")
    if not Path(folder).is_dir():
        raise Misuse(f"there is no folder {str(folder)!r}; {otherwise}")
    return Path(folder)


def _handed_in(path: Path) -> learner.SavedProgress | str:
    """A learner's progress from a file, or a text that says why it is left out and what to do."""
    text = b""
    try:
        text = path.read_bytes()
        content = json.loads(text)  # in UTF-8 or in UTF-16, as some editors save it
    except OSError as error:
        return f"it cannot be opened ({error.strerror}); give yourself the right to read it"
    except (ValueError, RecursionError):
        state = "damaged" if text.strip() else "empty"
        return f"it is {state}; ask for it again, or for a new one from hand_in"
    if not isinstance(content, dict) or not {"edalab", "exercises"} <= set(content):
        return "it has nothing to do with this course; take it out of the folder"
    if content["edalab"] != learner.SavedProgress().edalab:
        other = "another version of the course wrote it"
        return f"{other}; install the same one on both sides, and have it handed in again"
    if "seal" not in content:
        return "it is a learner's progress.json; ask for the file that hand_in makes of it"
    try:
        seal = content.pop("seal")
        if seal == _seal(content):
            return learner.SavedProgress(**content)
    except (ValueError, TypeError):
        pass
    return "it was changed after it was handed in; ask for a new one from hand_in"


def _seal(content: dict) -> str:
    """A checksum that shows whether a file was edited: against mistakes, not against cheating."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return blake2b(text.encode(), digest_size=8).hexdigest()

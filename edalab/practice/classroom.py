"""A class: each learner hands in one small file, and the teacher reads a folder of them."""

import json
import re
from collections import Counter
from functools import cached_property
from hashlib import blake2b
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Misuse, counted, listed, needed_for
from . import learner

if TYPE_CHECKING:
    import pandas


def hand_in(name: str = "", folder: str | Path = ".") -> Path:
    """Write what you have done into one small JSON file for your teacher, and return where it is. Its name is made of yours
    and of the number of your variant."""
    enrolled = learner.kept()["name"]
    name = learner.one_name(name) or enrolled
    if not name:
        raise Misuse('who hands this in? hand_in("Ada Lovelace")')
    own = learner.variant(name)
    if enrolled and own != learner.variant(enrolled):
        raise Misuse(
            f"you are enrolled as {enrolled!r}. Leave the name out, or enrol({name!r}) and check your answers again"
        )
    if not Path(folder).is_dir():
        raise Misuse(
            f"there is no folder {str(folder)!r} to hand in to; make it first, or leave folder= out"
        )
    plain = re.sub(r"\W+", "-", name.lower()).strip("-") or "learner"
    # With its number no two names share a file, and none is one that Windows keeps for itself, such as con.
    path = Path(folder) / f"{plain[:40]}-{own}.edalab.json"
    text = json.dumps(learner.kept() | {"name": name}, sort_keys=True, ensure_ascii=False)
    path.write_text(
        json.dumps({**json.loads(text), "seal": _seal(text)}, indent=1, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    return path


def classroom(folder: str | Path) -> "Classroom":
    """Read all that was handed in into a folder and those in it, and show the class."""
    folder = Path(folder)
    if not folder.is_dir():
        raise Misuse(
            f"there is no folder {str(folder)!r}; classroom takes the one that the class handed in to"
        )
    read, unreadable = {}, []
    for path in sorted(folder.rglob("*")):  # whatever a browser or a platform has called it
        where = path.relative_to(folder)
        # Jupyter's checkpoints, and the files that a Mac puts beside others
        hidden = any(part.startswith(".") for part in where.parts)
        if ".json" in path.name.lower() and path.is_file() and not hidden:
            found = _handed_in(path)
            if isinstance(found, dict):
                read[where.as_posix()] = found
            else:
                unreadable.append(f"{where.as_posix()}: {found}")
    if not read and not unreadable:
        raise Misuse(
            f'there is no *.edalab.json in {str(folder)!r}; learners make one with hand_in("their name")'
        )
    names = Counter(learner.variant(one["name"]) for one in read.values())
    for where, one in read.items():
        one["own"] = learner.variant(one["name"])
        if names[one["own"]] > 1:  # two learners, or one who has handed in twice
            one["name"] += f" ({where})"
    return Classroom([*read.values()], unreadable)


class Classroom:
    """A class as DataFrames: `.outcomes` (a learner a row, an exercise a column), `.variants` (each learner's own, and that of
    each correct answer), `.anomalies` (who met which, and how often), `.predictions` (what was predicted wrongly, and by how
    many). `.unreadable` names the files left out, why, and what to do."""

    def __init__(self, learners: list[dict], unreadable: list[str]):
        self.learners, self.unreadable = learners, unreadable

    @cached_property
    def outcomes(self) -> "pandas.DataFrame":
        return self._each("outcome")

    @cached_property
    def variants(self) -> "pandas.DataFrame":
        found = self._each("variant")
        found.insert(0, "own", [one["own"] for one in self.learners])
        return found

    def _each(self, field: str) -> "pandas.DataFrame":
        with needed_for("classroom"):
            import pandas

        ids = sorted({id for one in self.learners for id in one["exercises"]})
        done = [one["exercises"] for one in self.learners]
        rows = [[each.get(id, {}).get(field) or "" for id in ids] for each in done]
        return pandas.DataFrame(rows, index=[one["name"] for one in self.learners], columns=ids)

    @cached_property
    def anomalies(self) -> "pandas.DataFrame":
        with needed_for("classroom"):
            import pandas

        rows = [
            (id, anomaly, one["name"], times)
            for one in self.learners
            for id, done in one["exercises"].items()
            for anomaly, times in done["anomalies"].items()
        ]
        found = pandas.DataFrame(rows, columns=["exercise", "anomaly", "learner", "times"])
        return found.sort_values(["exercise", "anomaly", "learner"], ignore_index=True)

    @cached_property
    def predictions(self) -> "pandas.DataFrame":
        with needed_for("classroom"):
            import pandas

        wrong: Counter = Counter()
        for one in self.learners:
            for question, said in one["predictions"].items():
                if said["predicted"] != said["fact"]:
                    wrong[question, said["predicted"], said["fact"]] += 1
        rows = [
            (*key, times)
            for key, times in sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
        ]
        return pandas.DataFrame(rows, columns=["question", "predicted", "was", "learners"])

    def _head(self) -> list[str]:
        said = [counted(len(self.learners), "learner")]
        for id in self.outcomes.columns:
            done = Counter(self.outcomes[id])
            met = Counter(self.anomalies[self.anomalies.exercise == id].anomaly)
            most = f"; most met: {met.most_common(1)[0][0]} ({max(met.values())})" if met else ""
            said.append(
                f"{id}: {done['correct']} correct, {done['not yet']} not yet, {done['']} not begun{most}"
            )
        others = [
            f"{one['name']} {id}"
            for one in self.learners
            for id, done in sorted(one["exercises"].items())
            if done["variant"] not in (0, 1, one["own"])
        ]
        said += [f"correct with somebody else's figures: {listed(others)}"] * bool(others)
        more = [f"left out: {len(self.unreadable) - 12} more, in .unreadable"]
        left_out = [f"left out: {each}" for each in self.unreadable[:12]]
        return said + left_out + more * (len(self.unreadable) > 12)

    def _repr_html_(self) -> str:
        tables = [
            table._repr_html_()
            for table in (self.outcomes, self.anomalies, self.predictions)
            if len(table)
        ]
        return "".join([*(f"<div>{escape(line)}</div>" for line in self._head()), *tables])

    def __repr__(self) -> str:
        return "\n".join(self._head())


def _handed_in(path: Path) -> dict | str:
    """What a learner has handed in, or why this file is nothing of the kind, and what to do."""
    try:
        text = path.read_bytes()
        found = json.loads(text)  # in UTF-8 or in UTF-16, as some editors save it
    except OSError as error:
        return f"it cannot be opened ({error.strerror}); give yourself the right to read it"
    except (ValueError, RecursionError):
        state = "damaged" if text.strip() else "empty"
        return f"it is {state}; ask for it again, or for a new one from hand_in"
    if not isinstance(found, dict) or not {"edalab", "exercises"} <= set(found):
        return "it has nothing to do with this course; take it out of the folder"
    if found["edalab"] != learner.Kept().edalab:
        return "another version of the course wrote it; install the same one on both sides, and have it handed in again"
    if "seal" not in found:
        return "it is a learner's progress.json; ask for the file that hand_in makes of it"
    try:
        seal = found.pop("seal")
        if seal == _seal(json.dumps(found, sort_keys=True, ensure_ascii=False)):
            return learner.Kept(**found).model_dump()
    except (ValueError, TypeError):
        pass
    return "it was changed after it was handed in; ask for a new one from hand_in"


def _seal(text: str) -> str:
    """What shows a file that an editor has changed. It is no secret: it keeps mistakes out, not cheats."""
    return blake2b(text.encode(), digest_size=8).hexdigest()

"""A class: each learner hands in one small file, and the teacher reads a folder of them."""

import json
import re
from collections import Counter
from functools import cached_property
from hashlib import blake2b
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Misuse, listed, needed_for
from . import learner

if TYPE_CHECKING:
    import pandas


def hand_in(name: str = "", folder: str | Path = ".") -> Path:
    """Write what you have done into one small JSON file for your teacher, `<name>.edalab.json`, and return where it is."""
    if name:
        learner.enrol(name)
    kept = learner.kept()
    if not kept["name"]:
        raise Misuse('who hands this in? hand_in("Ada Lovelace")')
    if not Path(folder).is_dir():
        raise Misuse(
            f"there is no folder {str(folder)!r} to hand in to; make it first, or leave folder= out"
        )
    plain = re.sub(r"\W+", "-", kept["name"].lower()).strip("-") or "learner"
    path = Path(folder) / f"{plain[:60]}.edalab.json"
    text = json.dumps(kept | {"variant": learner.variant()}, sort_keys=True, ensure_ascii=False)
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
    for path in sorted(
        folder.rglob("*.json")
    ):  # whatever a browser or a learning platform has called them
        where = path.relative_to(folder).as_posix()
        try:
            found = json.loads(path.read_text(encoding="utf-8-sig"))
            seal = found.pop("seal")
            if seal != _seal(json.dumps(found, sort_keys=True, ensure_ascii=False)):
                unreadable.append(f"{where}: it was changed after it was handed in")
            elif found["edalab"] != learner.Kept().edalab:
                unreadable.append(f"{where}: another version of the course wrote it")
            else:
                read[where] = learner.Kept(**found).model_dump()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            unreadable.append(f"{where}: it is no file that hand_in wrote")
    if not read and not unreadable:
        raise Misuse(
            f'there is no *.edalab.json in {str(folder)!r}; learners make one with hand_in("their name")'
        )
    names = Counter(one["name"] for one in read.values())
    for where, one in read.items():
        if names[one["name"]] > 1:  # two learners, or one who has handed in twice
            one["name"] += f" ({where})"
    return Classroom([*read.values()], unreadable)


class Classroom:
    """A class as DataFrames: `.outcomes` (a learner a row, an exercise a column), `.anomalies` (who met which, and how often),
    `.predictions` (what was predicted wrongly, and by how many). `.unreadable` names the files left out, and why."""

    def __init__(self, learners: list[dict], unreadable: list[str]):
        self.learners, self.unreadable = learners, unreadable

    @cached_property
    def outcomes(self) -> "pandas.DataFrame":
        with needed_for("classroom"):
            import pandas

        ids = sorted({id for one in self.learners for id in one["exercises"]})
        rows = [
            [one["exercises"].get(id, {}).get("outcome", "") for id in ids] for one in self.learners
        ]
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
        said = [f"{len(self.learners)} learners"]
        for id in self.outcomes.columns:
            done = Counter(self.outcomes[id])
            met = Counter(self.anomalies[self.anomalies.exercise == id].anomaly)
            most = f"; most met: {met.most_common(1)[0][0]} ({max(met.values())})" if met else ""
            said.append(
                f"{id}: {done['correct']} correct, {done['not yet']} not yet, {done['']} not begun{most}"
            )
        return said + ([f"left out: {listed(self.unreadable)}"] if self.unreadable else [])

    def _repr_html_(self) -> str:
        tables = [
            table._repr_html_()
            for table in (self.outcomes, self.anomalies, self.predictions)
            if len(table)
        ]
        return "".join([*(f"<div>{escape(line)}</div>" for line in self._head()), *tables])

    def __repr__(self) -> str:
        return "\n".join(self._head())


def _seal(text: str) -> str:
    """What shows a file that an editor has changed. It is no secret: it keeps mistakes out, not cheats."""
    return blake2b(text.encode(), digest_size=8).hexdigest()

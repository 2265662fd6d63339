"""The commits of a git repository as a log of events: who did what to which file, and when."""

import os
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ..errors import Misuse, counted, shown
from ..model import Event
from .event_store import EventStore
from .from_table import store_of
from .instants import to_microseconds

COMMITS = "commits"
_FIELDS = ("%H", "%P", "%an", "%aI", "%cI", "%s")
# Options for what configuration would change otherwise.
_LOG = ["-c", "log.showRoot=true", "log", "-z", "--date-order", "--reverse"]
_LOG += [f"--format=%x01{'%x00'.join(_FIELDS)}", "--no-show-signature", "--no-relative"]
_LOG += ["--encoding=UTF-8", "--no-color", "--no-mailmap"]
_LOG += ["--diff-merges=first-parent", "--raw", "--numstat", "--no-abbrev", "-M50%", "-l1000"]
_LOG += ["--diff-algorithm=default", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all"]


class CommitMade(Event):
    """A commit. `title` is the first line of its message; `authored` and `committed` are its dates.
    `files`, `lines_added` and `lines_removed` count what it changed; they are 0 for a merge, whose
    lines are those of the commits that it brings."""

    commit: str
    author: str
    title: str
    parents: tuple[str, ...]
    files: int
    lines_added: int
    lines_removed: int
    authored: str
    committed: str


class FileEvent(Event):
    """What a commit did to a file, and how many lines it added and removed: none to a binary one."""

    path: str
    added: int
    removed: int
    binary: bool
    commit: str
    author: str


class FileAdded(FileEvent):
    """A new file, or one that came back after its deletion."""


class FileChanged(FileEvent):
    """A file with other lines, or only another mode."""


class FileRenamed(FileEvent):
    """A file with another path, and perhaps other lines."""

    old_path: str


class FileDeleted(FileEvent):
    """A file that was removed, with all its lines."""


def read_git(path: "str | Path") -> EventStore:
    """The history of a git repository up to HEAD, as a store in memory. `path` is the folder of the
    repository or one in it. It needs the program git.

    **Streams.** Each file is a stream, named by its last path: it goes on through renames, and when
    the path comes back after a deletion. (Where another file took a path over, the earlier file's
    stream is `path until abc1234`.) Its events are FileAdded, FileChanged, FileRenamed and
    FileDeleted; the sum of `added` minus `removed` is the length of a text file, or of all of them.
    Every commit is a CommitMade in the stream `commits`. Submodules are left out.

    **Merges.** The files' events follow the first parents of HEAD: a merge is one step of its own
    author. So nothing counts twice, and the files after each commit are those of its tree. The
    commits that were merged are in `commits`, each with its own author and lines.

    **Times.** `happened` is the author's date, `recorded` the committer's. `as_of=` gives the branch
    as it was then, `until=` what was written by then. Clocks that went back are corrected: a
    committer's date is at least that of the commit before; an author's date is at least that of the
    last change to the same files, and at most `recorded`. CommitMade has the original dates, and
    `.notes` say how many were moved.

    Raises Misuse where there is no git, no repository or no commit, or only a shallow clone.

        read_git(".").state(None, lambda lines, fact: lines + fact.data.get("added", 0), 0)"""
    commits, branch, files = _read_commits(path), _first_parents(path), _Files()
    facts: list[tuple[int | None, Event, int, int, str | None]] = []
    late = early = now = 0
    touched: dict[str, int] = {}  # path to when it last changed
    for commit in commits:
        authored, committed = (
            to_microseconds(date, "a commit's date") for date in (commit.authored, commit.committed)
        )
        now = max(now, committed)
        changes = commit.changes.values() if commit.id in branch else ()
        paths = {path for change in changes for path in (change.path, change.old_path)}
        happened = max([min(authored, now), *(touched.get(path, 0) for path in paths)])
        touched |= dict.fromkeys(paths, happened)
        late, early = late + (now != committed), early + (happened != authored)
        facts.append((None, _commit_made(commit), happened, now, commit.id))
        for change in changes:
            number = files.number(change, commit.id)
            facts.append((number, _file_event(change, commit), happened, now, None))
    names = files.names()
    store = store_of(
        (
            COMMITS if number is None else names[number],
            type(event).__name__,
            1,
            event.model_dump_json(),
            *rest,
        )
        for number, event, *rest in facts
    )
    store.notes.append(f"up to commit {commits[-1].id[:7]}")
    for number, whose in ((late, "commit date"), (early, "author date")):
        if number:
            store.notes.append(f"{counted(number, whose)} out of line, moved")
    return store


class _Change(NamedTuple):
    """What a commit did to a file: A(dded), M(odified), T(ype changed), R(enamed) or D(eleted)."""

    status: str
    old_path: str
    path: str
    added: int = 0
    removed: int = 0
    binary: bool = False


class _Commit(NamedTuple):
    """A commit, and its changes since its first parent, by path."""

    id: str
    parents: tuple[str, ...]
    author: str
    authored: str
    committed: str
    title: str
    changes: dict[str, _Change]


def _read_commits(folder: "str | Path") -> list[_Commit]:
    """All commits that HEAD comes from, parents before children and otherwise by date."""
    if _git(folder, "rev-parse", "--is-shallow-repository") == "true\n":
        what = "is a shallow clone: only the last commits are here"
        raise Misuse(f"{shown(str(folder))} {what}; get the others with: git fetch --unshallow")
    commits: list[_Commit] = []
    changes: dict[str, _Change] = {}
    words = iter(_git(folder, *_LOG).split("\0"))
    for word in words:
        word = word.lstrip("\n")
        if word.startswith("\1"):
            changes = {}
            id, (parents, author, *dates, title) = word[1:], _take(words, len(_FIELDS) - 1)
            authored, committed = (datetime.fromisoformat(date).isoformat() for date in dates)
            all_parents = tuple(parents.split())
            commits.append(_Commit(id, all_parents, author, authored, committed, title, changes))
        elif word.startswith(":"):  # :100644 100644 old new R086, then one path or two
            status = word.split()[-1][0]
            paths = _take(words, 2 if status == "R" else 1)
            changes[paths[-1]] = _Change(status, paths[0], paths[-1])
        elif word:  # added, removed and a path, or two paths behind
            added, removed, path = word.split("\t", 2)
            path = path or _take(words, 2)[1]
            if added == "-":
                changes[path] = changes[path]._replace(binary=True)
            else:
                changes[path] = changes[path]._replace(added=int(added), removed=int(removed))
    return commits


def _take(words: Iterator[str], number: int) -> list[str]:
    return [next(words) for _ in range(number)]


def _first_parents(folder: "str | Path") -> set[str]:
    """HEAD and its first parents."""
    return set(_git(folder, "rev-list", "--first-parent", "HEAD").split())


def _git(folder: "str | Path", *words: str) -> str:
    """What git answers; a byte of a path that is no UTF-8 is written as \\xe9."""
    command = ["git", "--no-replace-objects", "-C", str(folder), *words]
    environment = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True)
    except FileNotFoundError:
        what = "git is not installed, or not on the PATH"
        raise Misuse(f"{what}; install it from https://git-scm.com") from None
    except OSError as error:  # in WebAssembly
        why = "read_git works where Python can start other programs"
        raise Misuse(f"git cannot be started here ({error.strerror}): {why}") from None
    if done.returncode:
        message = " ".join(done.stderr.decode(errors="replace").split())
        takes = "read_git takes the folder of a repository with a commit, such as '..'"
        raise Misuse(f"git cannot read {shown(str(folder))}: {message}; {takes}")
    return done.stdout.decode(errors="backslashreplace")


class _Files:
    """The files along a branch. Each has a number, which a rename does not change."""

    def __init__(self):
        self.there: dict[str, int] = {}  # path to number
        self.gone: dict[str, int] = {}  # of those deleted, the last of each path
        self.last: list[tuple[str, str]] = []  # the last path of each, and the last commit

    def number(self, change: _Change, commit: str) -> int:
        """The number of the file that a commit changes."""
        if change.status != "A" and change.old_path in self.there:
            number = self.there.pop(change.old_path)
        else:
            number = self.gone.pop(change.path, len(self.last))
        self.last[number : number + 1] = [(change.path, commit)]
        (self.gone if change.status == "D" else self.there)[change.path] = number
        return number

    def names(self) -> list[str]:
        """A name for each stream: its last path, unless another file has that now."""
        owners, names = self.gone | self.there, []
        for number, (path, end) in enumerate(self.last):
            name = path if owners.get(path) == number else f"{path} until {end[:7]}"
            names.append(f"./{name}" if name == COMMITS else name)
        return names


def _commit_made(commit: _Commit) -> CommitMade:
    own = commit.changes.values() if len(commit.parents) < 2 else ()
    return CommitMade(
        commit=commit.id,
        author=commit.author,
        title=commit.title,
        parents=commit.parents,
        files=len(own),
        lines_added=sum(change.added for change in own),
        lines_removed=sum(change.removed for change in own),
        authored=commit.authored,
        committed=commit.committed,
    )


def _file_event(change: _Change, commit: _Commit) -> FileEvent:
    fields = {name: getattr(change, name) for name in ("path", "added", "removed", "binary")}
    fields |= {"commit": commit.id, "author": commit.author}
    if change.status == "R":
        return FileRenamed(old_path=change.old_path, **fields)
    return {"A": FileAdded, "D": FileDeleted}.get(change.status, FileChanged)(**fields)

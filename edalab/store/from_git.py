"""The commits of a git repository as events: who changed which file, how, and when."""

import os
import subprocess
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import Misuse, counted, shown
from ..model import Event
from .event_store import EventStore
from .from_table import store_of
from .instants import to_microseconds

COMMITS = "commits"
# Options that override the user's git configuration.
_LOG = ["-c", "log.showRoot=true", "log", "-z", "--date-order", "--reverse"]
_LOG += ["--format=%x01%H%x00%P%x00%an%x00%aI%x00%cI%x00%s", "--no-show-signature", "--no-relative"]
_LOG += ["--encoding=UTF-8", "--no-color", "--no-mailmap"]
_LOG += ["--diff-merges=first-parent", "--raw", "--numstat", "--no-abbrev", "-M50%", "-l1000"]
_LOG += ["--diff-algorithm=default", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all"]


class CommitMade(Event):
    """A commit. `title` is the first line of its message; `authored` and `committed` are its dates.
    `files`, `lines_added` and `lines_removed` count its changes. They are 0 for a merge, because
    the merged commits count their own lines."""

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
    """A commit's change to a file, with the lines added and removed (0 for a binary file)."""

    path: str
    added: int
    removed: int
    binary: bool
    commit: str
    author: str


class FileAdded(FileEvent):
    """A new file, or a deleted file that was added again."""


class FileChanged(FileEvent):
    """A file whose lines changed, or only its mode."""


class FileRenamed(FileEvent):
    """A file whose path changed, and perhaps its lines as well."""

    old_path: str


class FileDeleted(FileEvent):
    """A file that was removed, with all its lines."""


def read_git(path: "str | Path") -> EventStore:
    """The history of a git repository up to HEAD, as a store in memory. `path` is the folder of the
    repository or one inside it. The program git must be installed.

    **Streams.** Each file is a stream, named by its last path. The stream continues through
    renames, and if a deleted path is added again. (If another file took a path over, the earlier
    file's stream is `path until abc1234`.) Its events are FileAdded, FileChanged, FileRenamed and
    FileDeleted. The sum of `added` minus `removed` is the length of a text file, or of all of them.
    Every commit is a CommitMade in the stream `commits`. Submodules are left out.

    **Merges.** The files' events follow the first parents of HEAD: a merge is one step of its own
    author. So no line counts twice, and the files after each commit are those of its tree. The
    merged commits are in `commits`, each with its own author and lines.

    **Times.** `happened` is the author's date, `recorded` the committer's. `as_of=` selects the
    branch at that time, `until=` what was written by then. Dates that go back are corrected: a
    committer's date is at least that of the commit before; an author's date is at least that of the
    last change to the same files, and at most `recorded`. CommitMade has the original dates, and
    `.notes` counts those that were moved.

    Raises Misuse if git, a repository or a commit is missing, or if the clone is shallow.

        read_git(".").state(None, lambda lines, fact: lines + fact.data.get("added", 0), 0)"""
    if _git(path, "rev-parse", "--is-shallow-repository") == "true\n":
        what = "is a shallow clone: only the last commits are here"
        raise Misuse(f"{shown(str(path), 500)} {what}; get the others with: git fetch --unshallow")
    log = _git(path, *_LOG).split("\1")[1:]
    branch = set(_git(path, "rev-list", "--first-parent", "HEAD").split())
    files, facts, late, early, now = _Files(), [], 0, 0, 0
    touched: dict[str, int] = {}  # path to when it last changed
    for commit, changes in map(_read_commit, log):
        authored = to_microseconds(commit.authored, "an author's date")
        committed = to_microseconds(commit.committed, "a commit's date")
        now = max(now, committed)
        changes = changes if commit.commit in branch else []
        paths = {path for change in changes for path in (change.path, _old_path(change))}
        happened = max([min(authored, now), *(touched.get(path, 0) for path in paths)])
        touched |= dict.fromkeys(paths, happened)
        late, early = late + (now != committed), early + (happened != authored)
        facts.append((None, commit, happened, now, commit.commit))
        facts += [(files.number(change), change, happened, now, None) for change in changes]
    names = {None: COMMITS, **dict(enumerate(files.names()))}
    store = store_of(
        (names[number], type(event).__name__, 1, event.model_dump_json(), *rest)
        for number, event, *rest in facts
    )
    store.notes.append(f"up to commit {store.read(COMMITS)[-1].id[:7]}")
    for number, whose in ((late, "commit date"), (early, "author date")):
        if number:
            store.notes.append(f"{counted(number, whose)} out of line, moved")
    return store


def _read_commit(record: str) -> tuple[CommitMade, list[FileEvent]]:
    """A commit and its changes to files, from one record of `git log`."""
    words = iter(record.split("\0"))
    id, parents, author, authored, committed, title = islice(words, 6)
    changes: dict[str, tuple[type[FileEvent], dict[str, Any]]] = {}
    for word in words:
        word = word.lstrip("\n")
        if word.startswith(":"):  # :100644 100644 old new R086, then one path or two
            status, path = word.split()[-1][0], next(words)
            fields: dict[str, Any] = {"added": 0, "removed": 0, "binary": False}
            if status == "R":
                fields["old_path"], path = path, next(words)
            fields |= {"path": path, "commit": id, "author": author}
            changes[path] = _KINDS.get(status, FileChanged), fields
        elif word:  # added, removed and a path; for a rename, two paths follow
            added, removed, path = word.split("\t", 2)
            path = path or list(islice(words, 2))[1]
            if added == "-":
                changes[path][1]["binary"] = True
            else:
                changes[path][1].update(added=int(added), removed=int(removed))
    events = [kind(**fields) for kind, fields in changes.values()]
    own = events if len(parents.split()) < 2 else []
    commit = CommitMade(
        commit=id,
        author=author,
        title=title,
        parents=tuple(parents.split()),
        files=len(own),
        lines_added=sum(event.added for event in own),
        lines_removed=sum(event.removed for event in own),
        authored=datetime.fromisoformat(authored).isoformat(),
        committed=datetime.fromisoformat(committed).isoformat(),
    )
    return commit, events


_KINDS = {"A": FileAdded, "D": FileDeleted, "R": FileRenamed}


def _old_path(change: FileEvent) -> str:
    return change.old_path if isinstance(change, FileRenamed) else change.path


def _git(folder: "str | Path", *words: str) -> str:
    """The output of git; a byte of a path that is not UTF-8 is written like \\xe9."""
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
        raise Misuse(f"git cannot read {shown(str(folder), 500)}: {message}; {takes}")
    return done.stdout.decode(errors="backslashreplace")


class _Files:
    """The files along a branch. Each has a number, which a rename does not change."""

    def __init__(self):
        self.there: dict[str, int] = {}  # path to number
        self.gone: dict[str, int] = {}  # deleted path to number
        self.last: list[FileEvent] = []  # the last change to each

    def number(self, change: FileEvent) -> int:
        """The number of the changed file."""
        if _old_path(change) in self.there and not isinstance(change, FileAdded):
            number = self.there.pop(_old_path(change))
        else:
            number = self.gone.pop(change.path, len(self.last))
        self.last[number : number + 1] = [change]
        places = self.gone if isinstance(change, FileDeleted) else self.there
        places[change.path] = number
        return number

    def names(self) -> list[str]:
        """A name for each stream: its last path, unless another file has that now."""
        owners, names = self.gone | self.there, []
        for number, last in enumerate(self.last):
            here = owners.get(last.path) == number
            name = last.path if here else f"{last.path} until {last.commit[:7]}"
            names.append(f"./{name}" if name == COMMITS else name)
        return names

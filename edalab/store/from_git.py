"""A repository's own commits are a log of events: who did what to which file, when it was written and when it was recorded."""

from bisect import bisect_right
from pathlib import Path

from ..errors import counted
from ..model import Event
from .event_store import EventStore
from .from_table import filled
from .instants import moment
from .repository import Change, Commit, commits_of

COMMITS = "commits"


class CommitMade(Event):
    """A commit. `title` is the first line of its message; `files`, `lines_added` and `lines_removed` count what it changed, and
    are 0 for a merge, whose lines are those of the commits that it brings. `authored` and `committed` are its own dates."""

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
    """What a commit did to a file, with the lines that it has more and less since; a binary file has none."""

    path: str
    added: int
    removed: int
    binary: bool
    commit: str
    author: str


class FileAdded(FileEvent):
    """A file came to be."""


class FileChanged(FileEvent):
    """A file has other lines, or only another mode."""


class FileRenamed(FileEvent):
    """A file has another path, and perhaps other lines."""

    old_path: str


class FileDeleted(FileEvent):
    """A file is gone, with all its lines."""


def read_git(path: "str | Path") -> EventStore:
    """A repository's history up to HEAD, as a store in memory. `path` is its folder or one in it.

    **Streams.** Each file is one, by its last path: it goes on through renames, and when the path comes back after a deletion.
    (Where another file took a path over, the earlier one's stream is `path until abc1234`.) Its events are FileAdded,
    FileChanged, FileRenamed and FileDeleted; in each, `added` and `removed` count lines, so that a sum of them is the file's
    length, or the repository's. A binary file has no lines. Every commit is a CommitMade in the stream `commits`.

    **Merges.** The files' events follow the branch itself, HEAD and from there each first parent: a merge is one step, by its
    own author, with all that it brings. So nothing counts twice, and which files there are, and how long, is after each commit what
    its tree says, in the end HEAD's. The merged commits are in `commits`, each with its own author and lines.

    **Times.** `happened` is the author's date, `recorded` the committer's. `as_of=` gives the branch as it was then; `until=`
    what had been written by then. Clocks that went back are set right, since a store learns in one order and a file is not changed
    before it is there: the committer's date of a commit that falls out of line becomes its neighbour's, an author's date is at least
    that of the last change to the same files, and not after `recorded`. CommitMade has the dates as they were; `.notes` say how
    many were moved."""
    commits, submodules = commits_of(path)
    recorded = _in_line(
        [None if c.committed is None else moment(c.committed, "committed") for c in commits]
    )
    branch, files, facts, early = _branch(commits), _Files(), [], 0
    touched: dict[str, int] = {}  # when a path last changed
    for commit, now in zip(commits, recorded, strict=True):
        changes = commit.changes if commit.id in branch else []
        paths = {path for change in changes for path in (change.path, change.old_path)}
        authored = now if commit.authored is None else moment(commit.authored, "authored")
        happened = max([min(authored, now), *(touched[path] for path in paths if path in touched)])
        touched |= dict.fromkeys(paths, happened)
        early += happened != authored
        facts.append((None, _made(commit), happened, now, commit.id))
        facts += [(*files.fact(change, commit), happened, now, None) for change in changes]
    names = files.names()
    store = filled(
        (
            COMMITS if number is None else names[number],
            type(event).__name__,
            1,
            event.model_dump_json(),
            happened,
            now,
            id,
        )
        for number, event, happened, now, id in facts
    )
    late = sum(
        c.committed is None or moment(c.committed, "committed") != now
        for c, now in zip(commits, recorded, strict=True)
    )
    store.notes.append(f"up to commit {commits[-1].id[:7]}")
    store.notes += [
        f"{counted(n, whose)} out of line, moved"
        for n, whose in ((late, "commit date"), (early, "author date"))
        if n
    ]
    store.notes += [f"{counted(len(submodules), 'submodule')} left out"] if submodules else []
    return store


class _Files:
    """The files along a branch, by a number each, which a rename does not change."""

    def __init__(self):
        self.there: dict[str, int] = {}  # path to number
        self.gone: dict[str, int] = {}  # of those deleted, the last of each path
        self.last: list[tuple[str, str]] = []  # the last path of each, and the last commit
        self.lines: list[int] = []

    def fact(self, change: Change, commit: Commit) -> tuple[int, Event]:
        """What happened to which file."""
        number = self._number(change)
        self.last[number] = (change.path, commit.id)
        added, removed = (
            (change.added, change.removed)
            if change.added is not None
            else (change.lines or 0, self.lines[number])
        )
        self.lines[number] += added - removed
        data = {
            "path": change.path,
            "added": added,
            "removed": removed,
            "commit": commit.id,
            "author": commit.author,
        }
        data["binary"] = change.added is None and change.lines is None
        if change.status == "R":
            return number, FileRenamed(old_path=change.old_path, **data)
        return number, {"A": FileAdded, "D": FileDeleted}.get(change.status, FileChanged)(**data)

    def _number(self, change: Change) -> int:
        if change.status == "A":
            number = self.gone.pop(change.path, len(self.last))
            if number == len(self.last):
                self.last.append((change.path, ""))
                self.lines.append(0)
            self.there[change.path] = number
        elif change.status == "R":
            number = self.there[change.path] = self.there.pop(change.old_path)
        elif change.status == "D":
            number = self.gone[change.path] = self.there.pop(change.path)
        else:
            number = self.there[change.path]
        return number

    def names(self) -> list[str]:
        """A name for each stream: its last path, unless that came to be another's."""
        owners = {path: number for path, number in [*self.gone.items(), *self.there.items()]}
        own = [
            path if owners.get(path) == number else f"{path} until {end[:7]}"
            for number, (path, end) in enumerate(self.last)
        ]
        return [f"./{name}" if name == COMMITS else name for name in own]


def _branch(commits: list[Commit]) -> set[str]:
    """HEAD and its first parents."""
    parents, branch = {c.id: c.parents[:1] for c in commits}, set()
    ahead = [commits[-1].id]
    while ahead:
        branch.add(ahead[0])
        ahead = parents[ahead[0]]
    return branch


def _made(c: Commit) -> CommitMade:
    own = c.changes if len(c.parents) < 2 else []
    files, added, removed = (
        len(own),
        sum(change.added or 0 for change in own),
        sum(change.removed for change in own),
    )
    dates = ["" if date is None else date.isoformat() for date in (c.authored, c.committed)]
    counts = {
        "files": files,
        "lines_added": added,
        "lines_removed": removed,
        "authored": dates[0],
        "committed": dates[1],
    }
    return CommitMade(
        commit=c.id, author=c.author, title=c.title, parents=tuple(c.parents), **counts
    )


def _in_line(moments: list[int | None]) -> list[int]:
    """Moments that never go back: as many as possible stay, the others become that of the one before that stays."""
    ends: list[int] = []  # the least moment with which a row of this many can end,
    places: list[int] = []  # and where it is
    before: list[int | None] = [None] * len(moments)
    for place, when in enumerate(moments):
        if when is not None:
            length = bisect_right(ends, when)
            before[place] = places[length - 1] if length else None
            ends[length : length + 1], places[length : length + 1] = [when], [place]
    place, stay = places[-1] if places else None, {}
    while place is not None:
        stay[place], place = moments[place], before[place]
    found, now = [], moments[min(stay)] if stay else 0
    for place in range(len(moments)):
        now = stay.get(place, now)
        found.append(now)
    return found

"""The commits of a git repository as a log of events: who did what to which file, and when."""

from bisect import bisect_right
from datetime import datetime
from pathlib import Path

from ..errors import counted
from ..model import Event
from .event_store import EventStore
from .from_table import store_of
from .git_log import Change, Commit, read_commits
from .instants import to_microseconds

COMMITS = "commits"


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
    repository or one in it. It needs the program git; neither configuration nor attributes change
    what it reads.

    **Streams.** Each file is a stream, named by its last path: it goes on through renames, and when
    the path comes back after a deletion. (Where another file took a path over, the earlier file's
    stream is `path until abc1234`.) Its events are FileAdded, FileChanged, FileRenamed and
    FileDeleted; the sum of `added` minus `removed` is the length of the file, or of all files. Every
    commit is a CommitMade in the stream `commits`.

    **Merges.** The files' events follow the first parents of HEAD: a merge is one step of its own
    author. So nothing counts twice, and the files after each commit are those of its tree. The
    commits that were merged are in `commits`, each with its own author and lines.

    **Times.** `happened` is the author's date, `recorded` the committer's. `as_of=` gives the branch
    as it was then, `until=` what was written by then. Clocks that went back are corrected: a
    committer's date out of line becomes its neighbour's; an author's date is at least that of the
    last change to the same files, and at most `recorded`. CommitMade has the original dates, and
    `.notes` say how many were moved.

    Raises Misuse where there is no git, no repository or no commit, or where a part of the history
    is missing: a shallow or partial clone.

        read_git(".").state(None, lambda lines, fact: lines + fact.data.get("added", 0), 0)"""
    commits, submodules = read_commits(path)
    committed = [_microseconds(commit.committed) for commit in commits]
    recorded = _in_line(committed)
    branch, files, facts, early = _first_parents(commits), _Files(), [], 0
    touched: dict[str, int] = {}  # path to when it last changed
    for commit, now in zip(commits, recorded, strict=True):
        changes = commit.changes.values() if commit.id in branch else ()
        paths = {path for change in changes for path in (change.path, change.old_path)}
        authored = now if commit.authored is None else _microseconds(commit.authored)
        happened = max([min(authored, now), *(touched[path] for path in paths if path in touched)])
        touched |= dict.fromkeys(paths, happened)
        early += happened != authored
        facts.append((None, _commit_made(commit), happened, now, commit.id))
        facts += [(*files.event(change, commit), happened, now, None) for change in changes]
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
    late = sum(map(int.__ne__, recorded, (-1 if at is None else at for at in committed)))
    store.notes.append(f"up to commit {commits[-1].id[:7]}")
    for number, whose in ((late, "commit date"), (early, "author date")):
        store.notes += [f"{counted(number, whose)} out of line, moved"] * bool(number)
    store.notes += [f"{counted(len(submodules), 'submodule')} left out"] * bool(submodules)
    return store


def _microseconds(date: datetime | None) -> int | None:
    return None if date is None else to_microseconds(date, "a commit's date")


class _Files:
    """The files along a branch. Each has a number, which a rename does not change."""

    def __init__(self):
        self.there: dict[str, int] = {}  # path to number
        self.gone: dict[str, int] = {}  # of those deleted, the last of each path
        self.last: list[tuple[str, str]] = []  # the last path of each, and the last commit
        self.lines: list[int] = []

    def event(self, change: Change, commit: Commit) -> tuple[int, FileEvent]:
        number = self._number(change)
        self.last[number] = (change.path, commit.id)
        added, removed = change.added, change.removed
        if added is None:
            added, removed = change.lines or 0, self.lines[number]
        self.lines[number] += added - removed
        data = {"path": change.path, "added": added, "removed": removed, "commit": commit.id}
        data["author"] = commit.author
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
        """A name for each stream: its last path, unless another file has that now."""
        owners = {path: number for path, number in [*self.gone.items(), *self.there.items()]}
        own = [
            path if owners.get(path) == number else f"{path} until {end[:7]}"
            for number, (path, end) in enumerate(self.last)
        ]
        return [f"./{name}" if name == COMMITS else name for name in own]


def _first_parents(commits: list[Commit]) -> set[str]:
    """HEAD and its first parents."""
    parents, branch = {commit.id: commit.parents[:1] for commit in commits}, set()
    ahead = [commits[-1].id]
    while ahead:
        branch.add(ahead[0])
        ahead = parents[ahead[0]]
    return branch


def _commit_made(commit: Commit) -> CommitMade:
    own = commit.changes.values() if len(commit.parents) < 2 else ()
    dates = (commit.authored, commit.committed)
    authored, committed = ("" if date is None else date.isoformat() for date in dates)
    return CommitMade(
        commit=commit.id,
        author=commit.author,
        title=commit.title,
        parents=tuple(commit.parents),
        files=len(own),
        lines_added=sum(change.added or 0 for change in own),
        lines_removed=sum(change.removed for change in own),
        authored=authored,
        committed=committed,
    )


def _in_line(moments: list[int | None]) -> list[int]:
    """Moments that never go back: as many as possible stay, and each other one becomes that of the
    last before it that stays. (The longest row that does not fall, by patience sorting.)"""
    ends: list[int] = []  # the least moment with which a row of this length can end,
    places: list[int] = []  # and its place
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

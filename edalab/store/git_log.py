"""The commits of a git repository and what each changed, by one `git log`.

Neither the learner's configuration nor the repository's (renames, attributes, replaced objects,
colours, language) changes the answer: git is asked through a folder made for it, which has the
repository's objects and no settings."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from ..errors import Misuse, shown

_SUBMODULE = b"160000"  # the mode of a commit of another repository: no file, and no lines here
_FIELDS = ("%H", "%P", "%an", "%ad", "%cd", "%s")
_LOG = ["log", "-z", "--date-order", "--reverse", "--date=raw", "--encoding=UTF-8"]
_LOG += [f"--format=%x01{'%x00'.join(_FIELDS)}", "--diff-merges=first-parent", "--root", "--raw"]
_LOG += ["--numstat", "--no-abbrev", "-M50%", "-l1000", "--no-ext-diff", "--no-textconv"]


class Change(NamedTuple):
    """What a commit did to a file: A(dded), M(odified), T(ype changed), R(enamed) or D(eleted).
    `added` is None where the file was binary or is now; `lines` is then how many lines it has now,
    None for a binary file."""

    status: str
    path: str
    old_path: str
    blob: bytes
    added: int | None = 0
    removed: int = 0
    lines: int | None = None


class Commit(NamedTuple):
    """A commit, its dates (None where they cannot be read), and its changes since its first
    parent, by path."""

    id: str
    parents: list[str]
    author: str
    authored: datetime | None
    committed: datetime | None
    title: str
    changes: dict[str, Change]


def read_commits(path: "str | Path") -> tuple[list[Commit], set[str]]:
    """All commits that HEAD comes from, parents before children and otherwise by date; and the
    paths of submodules."""
    with _isolated(path) as (git, head):
        words = iter(git(*_LOG, head).split(b"\0"))
        commits, submodules = [], set()
        for word in words:
            word = word.lstrip(b"\n")
            if word.startswith(b"\1"):
                fields = [word[1:], *(next(words) for _ in _FIELDS[1:])]
                id, parents, author, *dates, title = (
                    field.decode(errors="replace") for field in fields
                )
                changes: dict[str, Change] = {}
                commit = id, parents.split(), author, *map(_date, dates), title, changes
                commits.append(Commit(*commit))
            elif word.startswith(b":"):  # :100644 100644 old new R086, then one path or two
                old_mode, mode, _, blob, status = word[1:].split()
                old = _path(next(words))
                new = _path(next(words)) if status.startswith(b"R") else old
                submodules |= {new} if _SUBMODULE in (old_mode, mode) else set()
                changes[new] = Change(_status(status, old_mode, mode), new, old, blob)
            elif word:  # added, removed and a path, or two paths behind
                _count_lines(changes, word, words)
        _count_new_texts(commits, git)
    return commits, submodules


def _count_lines(changes: dict[str, Change], word: bytes, words: Iterator[bytes]) -> None:
    added, removed, path = word.split(b"\t", 2)
    name = _path(path or [next(words), next(words)][1])
    change = changes[name]
    if change.status == "":
        del changes[name]
    elif added == b"-":
        changes[name] = change._replace(added=None)
    else:
        more = int(added) if change.status != "D" else 0
        less = int(removed) if change.status != "A" else 0
        changes[name] = change._replace(added=more, removed=less)


def _count_new_texts(commits: list[Commit], git: "_Git") -> None:
    """Count the lines of files that were binary and may be text now: git says nothing of these."""
    lines: dict[bytes, int | None] = {}
    for changes in (commit.changes for commit in commits):
        for path, change in changes.items():
            if change.added is None and change.status in "MRT":
                if change.blob not in lines:
                    lines[change.blob] = _lines(git("cat-file", "blob", change.blob.decode()))
                changes[path] = change._replace(lines=lines[change.blob])


def _lines(content: bytes) -> int | None:
    """How many lines a content has, as git counts them; None where git takes it for binary."""
    if b"\0" in content[:8000]:
        return None
    return content.count(b"\n") + (content[-1:] not in (b"\n", b""))


def _status(status: bytes, old_mode: bytes, mode: bytes) -> str:
    """The letter for a reader to whom a submodule is no file: "" where there was and is none."""
    before, after = (side not in (_SUBMODULE, b"000000") for side in (old_mode, mode))
    if before and after:
        return status[:1].decode()
    return "A" if after else "D" if before else ""


@contextmanager
def _isolated(path: "str | Path") -> Iterator[tuple["_Git", str]]:
    """Git, asked about the objects of a repository through a folder without settings; and HEAD."""
    takes = "read_git takes the path of a repository's folder, such as '..'"
    if not isinstance(path, str | Path):
        raise Misuse(f"{takes}, not {shown(path)}")
    folder, name = Path(path), shown(str(path))
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise Misuse(f"{name} {what}; {takes}")
    # Not those variables with which a hook names its repository.
    theirs = _Git(folder, "GIT_CONFIG", "GIT_EXEC_PATH", "GIT_CEILING", "GIT_DISCOVERY")
    asked = "--is-shallow-repository", "--git-path", "objects", "--show-object-format"
    try:
        answer = theirs("rev-parse", *asked).decode(errors="surrogateescape")
    except Misuse as error:
        if "not a git repository" not in str(error):
            raise
        hint = "give the folder of a clone, or make one there with: git init"
        raise Misuse(f"{name} is no git repository, nor in one; {hint}") from None
    shallow, objects, format = answer.splitlines()
    if shallow == "true":
        what = "is a shallow clone: only the last commits are here"
        raise Misuse(f"{name} {what}; get the others with: git fetch --unshallow")
    try:
        head = theirs("rev-parse", "--verify", "HEAD^{commit}").decode().strip()
    except Misuse:
        fix = "make one with: git commit --allow-empty -m Begin"
        raise Misuse(f"{name} has no commit yet on its current branch; {fix}") from None
    with TemporaryDirectory() as place:
        Path(place, "refs").mkdir()
        Path(place, "HEAD").write_text("ref: refs/heads/none\n")
        longer = format == "sha256"  # an older git repeats the question
        config = f"[core]\nbare = true\nrepositoryformatversion = {int(longer)}\n"
        config += "[extensions]\nobjectformat = sha256\n" * longer
        Path(place, "config").write_text(config)
        objects = str((folder / objects).resolve())
        settings = {"GIT_DIR": place, "GIT_OBJECT_DIRECTORY": objects, "HOME": place}
        settings |= {"XDG_CONFIG_HOME": place, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}
        yield _Git(folder, "GIT_EXEC_PATH", **settings), head


class _Git:
    """The program git, asked about a folder. Of the variables of git it keeps those that begin
    with one of `kept`."""

    def __init__(self, folder: Path, *kept: str, **settings: str):
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or name.startswith(kept)
        }
        environment |= {"LC_ALL": "C", "LANGUAGE": ""} | settings
        self.folder = folder
        self._started = {"cwd": folder, "env": environment, "stdout": subprocess.PIPE}

    def __call__(self, *words: str) -> bytes:
        try:
            done = subprocess.run(["git", *words], stderr=subprocess.PIPE, **self._started)
        except FileNotFoundError:
            what = "git is not installed, or not on the PATH"
            raise Misuse(f"{what}; install it from https://git-scm.com") from None
        except OSError as error:  # in WebAssembly
            why = "read_git works where Python can start other programs"
            raise Misuse(f"git cannot be started here ({error.strerror}): {why}") from None
        if done.returncode:
            message = " ".join(done.stderr.decode(errors="replace").split())
            # Only git's everyday commands fetch what `git clone --filter` left out.
            partial = "the clone lacks a part of its files; make one without --filter. Git says: "
            partial *= "unable to read" in message
            raise Misuse(f"git cannot read {shown(str(self.folder))}: {partial}{message}")
        return done.stdout


def _path(word: bytes) -> str:
    """A file's name; a byte that is no UTF-8 is written as \\xe9."""
    return word.decode(errors="backslashreplace")


def _date(raw: str) -> datetime | None:
    """A date as git keeps it, "1767225600 +0100"."""
    try:
        seconds, offset = raw.split()
        minutes = int(offset[0] + "1") * (int(offset[1:-2]) * 60 + int(offset[-2:]))
        utc = datetime.fromtimestamp(0, timezone.utc) + timedelta(seconds=int(seconds))
        return utc.astimezone(timezone(timedelta(minutes=minutes)))
    except (ValueError, OverflowError):
        return None

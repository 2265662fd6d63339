"""What git says of a repository: its commits and what each changed, from its objects alone.

Neither the learner's configuration nor the repository's (renames, attributes, replaced objects, colours, language) changes that:
git is asked through a folder made for it, which has the repository's objects and no settings."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from ..errors import Misuse, shown

_SUBMODULE = b"160000"  # the mode of a commit of another repository: no file, and no lines here
_FIELDS = ("%H", "%P", "%an", "%ad", "%cd", "%s")
_DIFF = "-r --root --always -z --raw --numstat --no-abbrev -M50% -l1000 --no-ext-diff --no-textconv".split()


class Change(NamedTuple):
    """What a commit did to a file: A(dded), M(odified), T(urned into another type), R(enamed) or D(eleted). `added` is None
    where it was binary or is now; `lines` is then how many it has now, None for a binary file."""

    status: str
    path: str
    old_path: str
    added: int | None = 0
    removed: int = 0
    lines: int | None = None


class Commit(NamedTuple):
    """A commit, its dates (None where they cannot be read), and what changed since its first parent."""

    id: str
    parents: list[str]
    author: str
    authored: datetime | None
    committed: datetime | None
    title: str
    changes: list[Change]


def commits_of(path: "str | Path") -> tuple[list[Commit], set[str]]:
    """All commits that HEAD comes from, parents before children and otherwise by date; and the paths of submodules. Raises
    Misuse where there is no git, no repository or no commit, or where a part of the history is not here."""
    with _objects_of(path) as (git, head):
        log = git(
            "log",
            "-z",
            "--date-order",
            "--reverse",
            "--date=raw",
            "--encoding=UTF-8",
            f"--format={'%x00'.join(_FIELDS)}",
            head,
        )
        texts = [word.decode(errors="replace") for word in log.split(b"\0")]
        told = list(
            zip(*[iter(texts)] * len(_FIELDS), strict=False)
        )  # the last NUL ends the last commit
        pairs = "".join(" ".join([id, *parents.split()[:1]]) + "\n" for id, parents, *_ in told)
        words = git("diff-tree", "--stdin", *_DIFF, given=pairs.encode()).split(b"\0")[:-1]
        changes, binary, submodules = _changes(iter(words))
        lines = dict(git.lines(dict.fromkeys(binary.values())))
    for (id, file), blob in binary.items():
        changes[id][file] = changes[id][file]._replace(lines=lines[blob])
    commits = [
        Commit(
            id,
            parents.split(),
            author,
            _date(authored),
            _date(committed),
            title,
            list(changes[id].values()),
        )
        for id, parents, author, authored, committed, title in told
    ]
    return commits, submodules


def _changes(
    words: Iterator[bytes],
) -> tuple[dict[str, dict[str, Change]], dict[tuple[str, str], bytes], set[str]]:
    """The changes of each commit by file, of those that may have come to be text the object, and the paths of submodules."""
    changes: dict[str, dict[str, Change]] = {}
    binary: dict[tuple[str, str], bytes] = {}
    submodules: set[str] = set()
    for word in words:
        if word.startswith(b":"):  # :100644 100644 old new R086, then one path or two
            old_mode, mode, _, blob, status = word[1:].split()
            old = _path(next(words))
            new = _path(next(words)) if status.startswith(b"R") else old
            submodules |= {new} if _SUBMODULE in (old_mode, mode) else set()
            blobs[new] = blob
            files[new] = Change(_status(status, old_mode, mode), new, old)
        elif b"\t" in word:  # added, removed and a path, or two of them behind
            added, removed, path = word.split(b"\t", 2)
            name = _path(path or [next(words), next(words)][1])
            change = files[name]
            if change.status == "":
                del files[name]
            elif added != b"-":
                of = (
                    int(added) if change.status != "D" else 0,
                    int(removed) if change.status != "A" else 0,
                )
                files[name] = change._replace(added=of[0], removed=of[1])
            else:
                files[name] = change._replace(added=None)
                if change.status in "MRT":
                    binary[commit, name] = blobs[name]
        else:
            commit, blobs = word.decode(), {}
            files = changes[commit] = {}
    return changes, binary, submodules


def _status(status: bytes, old_mode: bytes, mode: bytes) -> str:
    """The letter, as it is for a reader to whom a submodule is no file: "" where there is none before and after."""
    before, after = (side not in (_SUBMODULE, b"000000") for side in (old_mode, mode))
    return {
        (True, True): status[:1].decode(),
        (False, True): "A",
        (True, False): "D",
        (False, False): "",
    }[before, after]


@contextmanager
def _objects_of(path: "str | Path") -> Iterator[tuple["_Git", str]]:
    """Git, asked about the objects of a repository, and the commit of its HEAD."""
    if not isinstance(path, str | Path):
        raise Misuse(
            f"read_git takes the path of a repository's folder, such as '..', not {shown(path)}"
        )
    folder, name = Path(path), shown(str(path))
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise Misuse(
            f"{name} {what}; read_git takes the path of a repository's folder, such as '..'"
        )
    kept = (
        "GIT_CONFIG",
        "GIT_EXEC_PATH",
        "GIT_CEILING",
        "GIT_DISCOVERY",
    )  # not those in which a hook names its repository
    theirs = _Git(
        {
            word: value
            for word, value in os.environ.items()
            if not word.startswith("GIT_") or word.startswith(kept)
        },
        folder,
    )
    try:
        shallow, objects, format = (
            theirs(
                "rev-parse",
                "--is-shallow-repository",
                "--git-path",
                "objects",
                "--show-object-format",
            )
            .decode(errors="surrogateescape")
            .splitlines()
        )
    except Misuse as error:
        if "not a git repository" in str(error):
            what = "is no git repository, nor in one; give the folder of a clone, or make one there with: git init"
            raise Misuse(f"{name} {what}") from None
        raise
    if shallow == "true":
        raise Misuse(
            f"{name} is a shallow clone: only the last commits are here; get the others with: git fetch --unshallow"
        )
    try:
        head = theirs("rev-parse", "--verify", "HEAD^{commit}").decode().strip()
    except Misuse:
        raise Misuse(
            f"{name} has no commit yet on its current branch; make one with: git commit --allow-empty -m Begin"
        ) from None
    with TemporaryDirectory() as place:
        Path(place, "refs").mkdir()
        Path(place, "HEAD").write_bytes(b"ref: refs/heads/none\n")
        longer = format == "sha256"  # an older git repeats the question
        config = b"[core]\nbare = true\nrepositoryformatversion = %d\n" % longer
        Path(place, "config").write_bytes(
            config + b"[extensions]\nobjectformat = sha256\n" * longer
        )
        alone = {
            word: value
            for word, value in os.environ.items()
            if not word.startswith("GIT_") or word == "GIT_EXEC_PATH"
        }
        alone |= {"GIT_DIR": place, "GIT_OBJECT_DIRECTORY": str((folder / objects).resolve())}
        alone |= {
            "HOME": place,
            "XDG_CONFIG_HOME": place,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
        }
        yield _Git(alone, folder), head


class _Git:
    """The program git with an environment, asked about a folder."""

    def __init__(self, environment: dict[str, str], folder: Path):
        self.folder = folder
        self._started = {
            "cwd": folder,
            "env": environment | {"LC_ALL": "C", "LANGUAGE": ""},
            "stdout": subprocess.PIPE,
        }

    def __call__(self, *words: str, given: bytes | None = None) -> bytes:
        try:
            done = subprocess.run(
                ["git", *words], input=given, stderr=subprocess.PIPE, **self._started
            )
        except FileNotFoundError:
            raise Misuse(
                "git is not installed, or not on the PATH; install it from https://git-scm.com"
            ) from None
        except OSError as error:  # in WebAssembly
            why = "read_git works where Python can start other programs"
            raise Misuse(f"git cannot be started here ({error.strerror}): {why}") from None
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            lacks = (
                "unable to read" in said
            )  # what `git clone --filter` left out is fetched only by git's everyday commands
            why = (
                "the clone lacks a part of its files; make one without --filter. Git says: "
                if lacks
                else ""
            )
            raise Misuse(f"git cannot read {shown(str(self.folder))}: {why}{said}")
        return done.stdout

    def lines(self, blobs: Iterable[bytes]) -> Iterator[tuple[bytes, int | None]]:
        """How many lines each blob has, as git counts them; None where git takes it for binary."""
        with subprocess.Popen(
            ["git", "cat-file", "--batch"], stdin=subprocess.PIPE, **self._started
        ) as talk:
            for blob in blobs:  # one at a time: together they may be large
                talk.stdin.write(blob + b"\n")
                talk.stdin.flush()
                content = talk.stdout.read(int(talk.stdout.readline().split()[2]) + 1)[:-1]
                text = b"\0" not in content[:8000]
                yield (
                    blob,
                    content.count(b"\n") + (content[-1:] not in (b"\n", b"")) if text else None,
                )


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

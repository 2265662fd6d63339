"""Repositories as events: the files and lines at any commit are those that git itself has, whatever its history is like."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edalab import Misuse, read_git

START = datetime(2026, 1, 1, tzinfo=UTC)
HERE = Path(__file__).resolve().parent.parent
ENVIRONMENT = {word: value for word, value in os.environ.items() if not word.startswith("GIT_")} | {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "LC_ALL": "C",
}


class Repository:
    """A repository whose commits are written straight into it, with dates of their own: at day n
    unless said otherwise."""

    def __init__(self, folder):
        self.folder, self.days, self.branches = folder, 0, set()
        folder.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words, given=None):
        options = {"cwd": self.folder, "env": ENVIRONMENT, "input": given, "timeout": 60}
        done = subprocess.run(["git", *words], capture_output=True, **options)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def commit(self, files=(), *, on="main", start=None, merge=(), author="Ada", **more):
        """One commit on a branch: `files` maps paths to contents; to None for a deletion, to (mode,
        contents) for another mode, to a str for the new path of a rename. The branch begins at
        `start`, or where it is. `authored` and `committed` are days, `title` is a message."""
        self.days += 1
        words = [f"commit refs/heads/{on}"]
        for who, name, role in ((author, "author", "authored"), ("Bo", "committer", "committed")):
            day = more.get(role)
            when = START + timedelta(days=self.days if day is None else day)
            words.append(f"{name} {who} <a@example.org> {int(when.timestamp())} +0100")
        title = more.get("title", b"A change")
        stream = "\n".join(words).encode() + b"\ndata %d\n%s\n" % (len(title), title)
        start = start or (on if on in self.branches else None)
        self.branches.add(on)
        stream += f"from {self.at(start)}\n".encode() if start else b""
        stream += b"".join(f"merge {self.at(other)}\n".encode() for other in merge)
        for path, content in dict(files).items():
            path = _quoted(path if isinstance(path, bytes) else path.encode())
            if content is None:
                stream += b"D %s\n" % path
            elif isinstance(content, str):
                stream += b"R %s %s\n" % (path, _quoted(content.encode()))
            else:
                mode, content = content if isinstance(content, tuple) else ("100644", content)
                submodule, inline = (content, b""), (b"inline", b"data %d\n%s\n")
                place, data = submodule if mode == "160000" else inline
                stream += b"M %s %s %s\n" % (mode.encode(), place, path)
                stream += data % (len(content), content) if data else b""
        self.git("fast-import", "--quiet", "--force", given=stream)
        return self.at(on)

    def at(self, name):
        return self.git("rev-parse", f"{name}^{{commit}}").decode().strip()

    def branch(self):
        """HEAD and its first parents, the first first."""
        return self.git("rev-list", "--first-parent", "--reverse", "HEAD").decode().split()

    def files(self, commit="HEAD"):
        """Path to number of lines, from the tree and its blobs."""
        found = {}
        for entry in self.git("ls-tree", "-r", "-z", commit).split(b"\0")[:-1]:
            about, path = entry.split(b"\t", 1)
            _, kind, blob = about.decode().split()
            if kind == "blob":
                content = self.git("cat-file", "blob", blob)
                lines = content.count(b"\n") + (content[-1:] not in (b"\n", b""))
                found[path.decode(errors="backslashreplace")] = 0 if b"\0" in content else lines
        return found


def _quoted(path: bytes) -> bytes:
    return b'"' + path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'


def files(state, fact):
    """The files and how many lines each has. It trusts the order: nothing is changed before it is there."""
    data = fact.data
    if fact.type == "FileAdded":
        assert data["path"] not in state
        return {**state, data["path"]: data["added"]}
    if fact.type == "FileChanged":
        return {**state, data["path"]: state[data["path"]] + data["added"] - data["removed"]}
    if fact.type == "FileRenamed":
        assert data["path"] not in state
        rest = {path: lines for path, lines in state.items() if path != data["old_path"]}
        return {**rest, data["path"]: state[data["old_path"]] + data["added"] - data["removed"]}
    if fact.type == "FileDeleted":
        assert state[data["path"]] == data["removed"]
        return {path: lines for path, lines in state.items() if path != data["path"]}
    return state


def length(lines, fact):
    return lines + fact.event.added - fact.event.removed


def steps(store, stream):
    """What happened to a file, in short."""
    return [
        (fact.type.removeprefix("File"), fact.event.path, fact.event.added, fact.event.removed)
        for fact in store.read(stream)
    ]


def commits(store):
    return [fact.event for fact in store.read("commits")]


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


def text(*lines):
    return b"".join(b"line %d\n" % line for line in lines)


def check(repository):
    """Everything that has to hold of any repository; returns its store."""
    store = read_git(repository.folder)
    branch = repository.branch()
    trees = {commit: repository.files(commit) for commit in branch}
    told = {fact.event.commit: fact for fact in store.read("commits")}
    assert sorted(told) == sorted(repository.git("rev-list", "HEAD").decode().split())
    assert len(told) == store.version("commits")
    state, by_commit = {}, {}
    for fact in store.read():
        state = files(state, fact)
        by_commit[fact.data["commit"]] = state
    assert [by_commit[commit] for commit in branch] == list(trees.values())
    assert store.state(None, files, {}) == trees[branch[-1]]  # in the order things happened
    for path, lines in trees[branch[-1]].items():
        assert store.state(f"./{path}" if path == "commits" else path, length, 0) == lines
    for commit in branch:
        moment = told[commit].recorded
        then = [other for other in branch if told[other].recorded <= moment][-1]
        assert store.state(None, files, {}, as_of=moment) == trees[then]
        store.state(None, files, {}, until=told[commit].happened)  # its assertions hold half-way
    assert all(fact.happened <= fact.recorded for fact in store.read())
    return store


# Any history.


@st.composite
def histories(draw):
    """Commits on up to three branches that touch a few paths, with merges of every kind and clocks that go wrong."""
    paths = st.sampled_from(["a", "b", "src/c d", "é", "commits"])
    lines = st.lists(st.integers(0, 9), max_size=12).map(lambda numbers: text(*numbers))
    contents = st.one_of(
        lines, lines, lines.map(lambda t: t[:-1]), lines.map(lambda t: ("100755", t))
    )
    others = st.sampled_from(["x", "y/z", "a", "b"])  # new paths of renames
    deeds = st.dictionaries(
        paths, st.one_of(contents, contents, others, others, st.none()), max_size=4
    )
    dates = st.one_of(st.none(), st.none(), st.integers(-400, 400))
    commits = st.tuples(
        st.sampled_from(["main", "main", "one", "two"]), deeds, st.booleans(), dates, dates
    )
    return draw(st.lists(commits, min_size=1, max_size=9))


def written(folder, history):
    repository, trees = Repository(folder), {}
    for branch, deeds, merges, authored, committed in history:
        others = [name for name in trees if name != branch]
        if branch not in trees and others and not merges:
            start = others[0]
            tree = dict(trees[start])
        else:  # on the branch; or a root of its own
            start, tree = None, dict(trees.get(branch, {}))
        here = {}
        for path, content in deeds.items():
            if isinstance(content, str):  # a rename: of what is there, to what is not
                if path not in tree or path in here or {content} & {path, *tree, *deeds}:
                    continue
                tree[content] = tree.pop(path)
            elif content is None:
                if path not in tree:
                    continue
                del tree[path]
            else:
                tree[path] = content
            here[path] = content
        merged = others[:1] if merges and branch in trees else []
        if merged:  # what the other branch has and this one has not
            for path, content in trees[merged[0]].items():
                if path not in tree and path not in here:
                    tree[path] = here[path] = content
        repository.commit(
            here, on=branch, start=start, merge=merged, authored=authored, committed=committed
        )
        trees[branch] = tree
    if "main" not in trees:
        repository.git("symbolic-ref", "HEAD", f"refs/heads/{next(iter(trees))}")
    return repository


@given(histories())
@settings(max_examples=50)
def test_files_and_lines_at_any_commit_are_those_of_its_tree(history):
    with TemporaryDirectory() as folder:
        check(written(Path(folder) / "repository", history))


def test_this_projects_own_history_ends_with_its_files():
    def git(*words):
        return subprocess.run(
            ["git", *words], cwd=HERE, env=ENVIRONMENT, capture_output=True, timeout=60
        )

    if git("rev-parse", "--is-shallow-repository").stdout.strip() != b"false":
        pytest.skip("this folder is no full git clone, so there is no history to read")
    store, held = (
        read_git(HERE / "tests"),
        git("ls-tree", "-r", "-z", "--name-only", "HEAD").stdout.decode().split("\0")[:-1],
    )
    assert sorted(store.state(None, files, {})) == sorted(held)
    assert store.version("commits") == int(git("rev-list", "--count", "HEAD").stdout)


# Files.


def test_a_file_goes_on_through_renames_and_changes(repository):
    repository.commit({"old.py": text(*range(20))})
    repository.commit({"old.py": text(*range(20), 99)})
    repository.commit(
        {"old.py": None, "new.py": text(*range(18), 98, 99)}
    )  # renamed and changed at once
    repository.commit({"new.py": "src/newer.py"})
    store = check(repository)
    assert store.streams() == ["commits", "src/newer.py"]
    assert steps(store, "src/newer.py") == [
        ("Added", "old.py", 20, 0),
        ("Changed", "old.py", 1, 0),
        ("Renamed", "new.py", 1, 2),
        ("Renamed", "src/newer.py", 0, 0),
    ]
    assert store.read("src/newer.py")[2].event.old_path == "old.py"


def test_a_path_that_another_file_took_over_names_that_and_the_earlier_file_until_when(repository):
    repository.commit({"a": text(*range(9)), "b": text(*range(50, 60))})
    repository.commit({"a": None})
    gone = repository.at("main")
    repository.commit({"b": "a"})
    store = check(repository)
    assert store.streams() == ["commits", f"a until {gone[:7]}", "a"]
    assert steps(store, "a") == [("Added", "b", 10, 0), ("Renamed", "a", 0, 0)]


STRANGE = ["a b", 'say "hi"', "tab\there", "new\nline", ":colon", "-dash", "back\\slash"]
STRANGE += ["été/日本.txt", "🐍", "commits"]


def test_names_may_have_anything_in_them(repository):
    repository.commit({name: text(n) for n, name in enumerate(STRANGE)})
    repository.commit({name: text(n, n) for n, name in enumerate(STRANGE)})
    repository.commit(
        {"a b": "now → here", b"latin-\xe9": text(1)},
        author="José Ångström",
        title="Füße — ok".encode(),
    )
    store = check(repository)
    there = {"./commits", "now → here", "latin-\\xe9", *STRANGE} - {"a b"}
    assert set(store.streams()) == there
    assert (commits(store)[-1].author, commits(store)[-1].title) == ("José Ångström", "Füße — ok")


# Commits and merges.


def test_a_commit_says_who_made_it_and_how_much_it_changed(repository):
    first = repository.commit({"a": text(1, 2, 3), "b": b"\0"}, title=b"Begin\n\nat length")
    repository.commit({"a": text(1, 9, 3, 4)}, author="Cleo", authored=1.5)
    store = check(repository)
    begin, change = commits(store)
    assert (begin.title, begin.author, begin.parents) == ("Begin", "Ada", ())
    assert (begin.files, begin.lines_added, begin.lines_removed) == (2, 3, 0)
    figures = change.files, change.lines_added, change.lines_removed
    assert (change.author, change.parents, figures) == ("Cleo", (first,), (1, 2, 1))
    dates = change.authored, change.committed
    assert dates == ("2026-01-02T13:00:00+01:00", "2026-01-03T01:00:00+01:00")
    fact = store.read("commits")[1]
    days = (fact.happened - START).days, (fact.recorded - START).days
    assert fact.id == change.commit and days == (1, 2)


def test_a_merge_brings_its_lines_once_and_its_commits_keep_their_authors(repository):
    base = repository.commit({"a": text(1), "b": text(2)})
    repository.commit({"b": text(2, 3, 4)}, on="work", start=base, author="Cleo")
    work = repository.commit({"c": text(*range(10, 20))}, on="work", author="Dan")
    repository.commit({"a": text(1, 5)})
    own = text(1, 5, 6)  # beside what it brings, a line
    merge = repository.commit(
        {"b": text(2, 3, 4), "c": text(*range(10, 20)), "a": own}, merge=["work"]
    )
    store = check(repository)
    found = [(commit.author, commit.lines_added) for commit in commits(store)]
    assert found == [("Ada", 2), ("Cleo", 2), ("Dan", 10), ("Ada", 1), ("Ada", 0)]
    assert steps(store, "c") == [("Added", "c", 10, 0)] and store.read("c")[0].event.commit == merge
    assert store.state("b", length, 0) == 3 and steps(store, "a")[-1] == ("Changed", "a", 1, 0)
    assert work in commits(store)[-1].parents
    dans = store.read("commits")[2]  # on the branch that Dan worked on, not on this one
    assert set(store.state(None, files, {}, as_of=dans.recorded)) == {"a", "b"}


def test_binary_files_have_no_lines_and_modes_and_links_are_changes(repository):
    repository.commit(
        {"image": b"\0\n\n", "run": text(1), "empty": b"", "link": ("120000", b"run")}
    )
    repository.commit(
        {"image": b"\0\n", "run": ("100755", text(1)), "link": text(1, 2), "empty": None}
    )
    store = check(repository)
    assert steps(store, "image") == [("Added", "image", 0, 0), ("Changed", "image", 0, 0)]
    assert [fact.event.binary for fact in store.read("image")] == [True, True]
    assert steps(store, "run")[1] == ("Changed", "run", 0, 0)
    assert steps(store, "link")[1] == ("Changed", "link", 2, 1)


def test_a_submodule_is_another_repository_and_no_file(repository):
    first = repository.commit({"a": text(1, 2)})
    repository.commit({"lib": ("160000", first.encode()), "a": text(1)})
    repository.commit({"lib": ("160000", b"1" * 40)})
    assert check(repository).streams() == ["commits", "a"]


# Clocks.


def test_an_author_s_clock_that_goes_back_changes_no_file_before_it_is_there(repository):
    repository.commit({"a": text(1), "b": text(2)})
    repository.commit({"a": text(1, 2)}, authored=-300)
    repository.commit({"c": text(3)}, authored=-200)
    repository.commit({"a": "d"}, authored=0)
    store = check(repository)
    assert [fact.happened.day for fact in store.read("d")] == [2, 2, 2]
    assert store.read("c")[0].happened == START - timedelta(
        days=200
    )  # nothing it is built on says otherwise
    assert commits(store)[1].authored.startswith(
        "2025-03-07"
    ) and "2 author dates out of line, moved" in repr(store)


def test_a_committer_s_clock_that_is_late_moves_no_other_commit(repository):
    for day in range(1, 7):
        repository.commit({"a": text(*range(day))}, committed=-1000 if day == 3 else day)
    store = check(repository)
    assert [fact.recorded.day for fact in store.read("a")] == [2, 3, 3, 5, 6, 7]
    assert "1 commit date out of line, moved" in repr(store) and len(commits(store)) == 6
    assert commits(store)[2].committed.startswith("2023-04-07")


# Wherever it is, whatever is configured.


@pytest.fixture
def known(repository):
    repository.commit({"a.txt": text(*range(20)), "b.txt": text(1), "é": text(2)})
    repository.commit({"a.txt": None, "c.txt": text(*range(19))})
    return repository


def told(folder):
    return [
        (fact.stream, fact.type, fact.data, fact.happened, fact.recorded)
        for fact in read_git(folder).read()
    ]


def test_configuration_and_language_change_nothing(known, monkeypatch):
    before = told(known.folder)
    assert [fact[1] for fact in before[-2:]] == ["CommitMade", "FileRenamed"]
    settings = (
        "diff.renames=false diff.renameLimit=1 core.quotePath=true log.showSignature=true "
        "log.showRoot=false color.ui=always i18n.logOutputEncoding=latin-1 log.date=relative "
        "diff.external=false diff.noprefix=true log.mailmap=true diff.algorithm=patience"
    )
    for setting in settings.split():
        known.git("config", *setting.split("=", 1))
    known.git("replace", known.at("HEAD"), known.at("HEAD~1"))
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert told(known.folder) == before


def test_a_folder_inside_a_bare_one_a_worktree_and_a_detached_head_are_read(known, tmp_path):
    before = told(known.folder)
    (known.folder / "deep" / "er").mkdir(parents=True)
    known.git("clone", "-q", "--bare", str(known.folder), str(tmp_path / "bare"))
    known.git("clone", "-q", "--shared", str(known.folder), str(tmp_path / "shared"))
    known.git("worktree", "add", "-q", "--detach", str(tmp_path / "worktree"))
    for folder in (
        known.folder / "deep" / "er",
        known.folder / ".git",
        tmp_path / "bare",
        tmp_path / "shared",
        tmp_path / "worktree",
    ):
        assert told(folder) == before, folder


# What cannot be read.


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere", "cannot change to"),
        ("plain", "not a git repository"),
        ("empty", "does not have any commits yet"),
        ("shallow", "is a shallow clone: only the last commits are here; get the others with"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(known, tmp_path, place, words):
    deep = tmp_path / (
        "a-folder-with-a-long-name-" * 4
    )  # the end of its path is what one looks for
    deep.mkdir()
    (deep / "plain").mkdir()
    Repository(deep / "empty")
    known.git("clone", "-q", "--depth=1", f"file://{known.folder}", str(deep / "shallow"))
    with pytest.raises(Misuse, match=words) as raised:
        read_git(deep / place)
    assert repr(str(deep / place)) in str(raised.value)


def test_where_git_cannot_be_started_it_says_so(known, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misuse, match="git is not installed, or not on the PATH"):
        read_git(known.folder)

    def none(*_, **__):
        raise OSError(138, "emscripten does not support processes.")

    monkeypatch.setattr("subprocess.run", none)
    with pytest.raises(Misuse, match="git cannot be started here .emscripten does not support"):
        read_git(known.folder)


def test_only_who_reads_a_repository_meets_its_events():
    code = (
        "import edalab; from edalab.model import message_types; print('FileAdded' in message_types());"
        "from edalab import read_git; print('FileAdded' in message_types())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", "True"]

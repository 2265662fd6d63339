"""A class: what each learner hands in, what the teacher sees, and a learner's own progress."""

import json
import sys
from pathlib import Path

import pytest

from edalab import Misuse
from edalab.practice import classroom, enrol, hand_in, learner, predict, progress
from edalab.practice.exercise import of_lesson

QUESTION = "How often is the order charged, if payments crashes before it commits?"


@pytest.fixture(autouse=True)
def own_file(monkeypatch, tmp_path):
    monkeypatch.setenv(learner.FILE, str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


@pytest.fixture
def box(tmp_path):
    (tmp_path / "box").mkdir()
    return tmp_path / "box"


def test_a_class_shows_which_exercise_which_anomaly_and_which_wrong_prediction(box, own_file):
    for name, outcome, anomaly, predicted in (
        ("Ada", "correct", "", "twice"),
        ("Émile Zo", "not yet", "charged twice", "once"),
    ):
        own_file.unlink(missing_ok=True)
        enrol(name)
        learner.save_outcome("05.2", "not yet", "charged twice")
        learner.save_outcome("05.2", outcome, anomaly)
        learner.save_prediction(QUESTION, predicted, "twice")
        hand_in(folder=box)
    assert sorted(path.name for path in box.iterdir()) == [
        f"ada-{learner.variant('Ada')}.edalab.json",
        f"émile-zo-{learner.variant('Émile Zo')}.edalab.json",
    ]
    room = classroom(box)
    assert room.outcomes.to_dict() == {"05.2": {"Ada": "correct", "Émile Zo": "not yet"}}
    assert list(room.anomalies.itertuples(index=False, name=None)) == [
        ("05.2", "charged twice", "Ada", 1), ("05.2", "charged twice", "Émile Zo", 2),
    ]  # fmt: skip
    assert list(room.predictions.itertuples(index=False, name=None)) == [
        (QUESTION, "once", "twice", 1)
    ]
    assert (
        repr(room)
        == "2 learners\n05.2: 1 correct, 1 not yet, 0 not begun; most met: charged twice (2)"
    )
    assert "Émile Zo" in room._repr_html_() and QUESTION in room._repr_html_()


def test_each_file_that_is_no_hand_in_is_told_why_and_what_to_do(box, own_file):
    handed_in = hand_in("Ada", box).read_text(encoding="utf-8")
    enrol("Ada")
    others = {
        "changed.json": handed_in.replace('"Ada"', '"Bob"'),
        "course.json": '{"course": "chemistry"}',
        "cut.json": handed_in[:-20],
        "deep.json": "[" * 100_000,
        "empty.json": " \n",
        "latin.json": handed_in.replace("Ada", "Zoë").encode("latin-1"),
        "list.json": "[]",
        "newer.json": handed_in.replace('"edalab": 1', '"edalab": 2'),
        "progress.json": own_file.read_bytes(),
        "surrogate.json": handed_in.replace('"Ada"', '"\\ud800"'),
        "twisted.json": _sealed(
            {"exercises": {"05.2": {"outcome": "not yet", "anomalies": ["x"]}}}
        ),
    }
    for name, content in others.items():
        (box / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    room = classroom(box)
    assert [*room.learners] == ["Ada"]
    assert dict(line.split(": it is ") for line in room.unreadable if ": it is " in line) == {
        "cut.json": "damaged; ask for it again, or for a new one from hand_in",
        "deep.json": "damaged; ask for it again, or for a new one from hand_in",
        "empty.json": "empty; ask for it again, or for a new one from hand_in",
        "latin.json": "damaged; ask for it again, or for a new one from hand_in",
        "progress.json": "a learner's progress.json; ask for the file that hand_in makes of it",
    }
    rest = dict(line.split(": ", 1) for line in room.unreadable if ": it is " not in line)
    changed = "it was changed after it was handed in; ask for a new one from hand_in"
    foreign = "it has nothing to do with this course; take it out of the folder"
    newer = rest.pop("newer.json")
    assert rest == {
        "changed.json": changed,
        "course.json": foreign,
        "list.json": foreign,
        "surrogate.json": changed,
        "twisted.json": changed,
    }
    assert newer.startswith("another version of the course wrote it; install the same one")
    assert all(f"left out: {line}" in repr(room) for line in room.unreadable)


def _sealed(changed: dict) -> str:
    content = learner.SavedProgress().model_dump() | changed
    return json.dumps({**content, "seal": sys.modules["edalab.practice.classroom"]._seal(content)})


def test_hand_ins_are_found_however_they_were_saved_and_wherever(box):
    handed_in = hand_in("Ada", box).read_text(encoding="utf-8")
    (box / "of a class" / "4711_Ada").mkdir(parents=True)  # as a learning platform does
    (box / "of a class" / "4711_Ada" / "ada.edalab (1).JSON").write_bytes(handed_in.encode())
    (box / "folder.edalab.json").mkdir()
    (box / "folder.edalab.json" / "bom.json").write_bytes(b"\xef\xbb\xbf" + handed_in.encode())
    (box / "ada.edalab.json.txt").write_text(handed_in, encoding="utf-16")  # as an editor does
    for hidden in ("._ada.edalab.json", ".ipynb_checkpoints/ada-checkpoint.json"):
        (box / hidden).parent.mkdir(exist_ok=True)
        (box / hidden).write_bytes(b"\0\5\x16\7")
    room = classroom(box)
    assert len(room.learners) == 4 and not room.unreadable


def test_forty_files_of_which_most_cannot_be_read_are_shown_in_a_few_lines(box):
    hand_in("Ada", box)
    for number in range(40):
        (box / f"{number:02}.json").write_text("")
    room = classroom(box)
    assert len(room.unreadable) == 40 and len(repr(room).splitlines()) == 14
    assert repr(room).endswith("left out: 28 more, in .unreadable")


def test_two_of_one_name_are_told_apart_by_their_files(box, own_file):
    first = hand_in("Ada", box)
    first.rename(box / "ada.edalab (1).json")  # as a browser does
    learner.save_outcome("05.2", "correct", "")
    (box / "Ada_4711").mkdir()
    hand_in("Bob", box / "Ada_4711")
    hand_in("ADA", box)
    assert classroom(box).outcomes["05.2"].to_dict() == {
        "Bob": "correct", "Ada (ada.edalab (1).json)": "", f"ADA ({first.name})": "correct",
    }  # fmt: skip


def test_every_name_has_a_file_of_its_own(box):
    names = [
        "Ada", "Ada!", "Ada 🦊", "Ada 🐻", "Ada Lovelace", "Ada  King", "🦊", "CON", "nul", "../Ada", "C:\\Ada",
        "Émile", "Emile", "Ångström " * 50, "𠀀" * 100, "山田 太郎", "山田 花子", "O'Neill", "Nul.",
    ]  # fmt: skip
    files = [hand_in(name, box) for name in names]
    assert len({file.name.lower() for file in files}) == len(names) == len(list(box.iterdir()))
    for file in files:
        assert file.parent == box and len(file.name.encode()) < 255
        assert file.name.split(".")[0].lower() not in {"con", "nul", "aux", "prn", "com1", "lpt1"}
    assert sorted(classroom(box).outcomes.index) == sorted(" ".join(name.split()) for name in names)


def test_a_name_is_the_same_in_whatever_way_it_is_typed(own_file):
    ways = ("Émile Zo", "E\u0301mile Zo", " Émile\u00a0 Zo\n", "émile ZO")
    assert len({learner.variant(name) for name in ways}) == 1
    assert enrol(ways[2]) == f"Émile Zo, variant {learner.variant(ways[0])}"
    with pytest.raises(Misuse, match="enrol takes your name"):
        enrol(" ")
    with pytest.raises(Misuse, match="a name is a text, not 7"):
        enrol(7)


def test_learners_hardly_ever_share_a_variant_and_nobody_has_that_of_no_name():
    names = [f"{first} {last}" for first in "Ada Bob Cleo Émile 山田".split() for last in range(18)]
    assert len({learner.variant(name) for name in names}) == 90
    assert learner.variant("") == 1 not in {learner.variant(name) for name in names}


def test_the_class_shows_with_whose_figures_an_answer_was_correct(box, own_file):
    learner.save_outcome("05.1", "correct", "")  # before enrolling
    enrol("Ada")
    learner.save_outcome("05.2", "correct", "")
    learner.save_outcome("05.3", "not yet", "charged twice")
    with pytest.raises(Misuse, match=r"enrolled as 'Ada'. Leave the name out, or enrol\('Ada L'\)"):
        hand_in("Ada L", box)
    ada, renamed = learner.variant("Ada"), learner.variant("Ada L")
    again = "check these again, with your own figures: 05.1, 05.2"
    assert enrol("Ada L") == f"Ada L, variant {renamed}; {again}"
    hand_in(folder=box)
    room = classroom(box)
    assert room.variants.loc["Ada L"].to_dict() == {
        "own": renamed, "05.1": 1, "05.2": ada, "05.3": "",
    }  # fmt: skip
    assert "correct with somebody else's figures: Ada L 05.2\n" in repr(room) + "\n"
    learner.save_outcome("05.2", "correct", "")
    hand_in("ada l", box)
    assert classroom(box).variants.loc["ada l", "05.2"] == renamed
    assert "somebody else" not in repr(classroom(box))


def test_handing_in_with_a_name_changes_nobodys_figures(box, own_file, monkeypatch):
    for where in (str(own_file), ""):  # where nothing is kept, too
        monkeypatch.setenv(learner.FILE, where)
        hand_in("Ada", box)
        assert learner.variant() == 1


def test_a_progress_that_was_edited_by_hand_is_put_aside(own_file):
    for exercises in ('{"05.2": 3}', '{"05.2": {"anomalies": 3}}', "[]"):
        own_file.write_text(
            f'{{"edalab": 1, "name": "Ada", "exercises": {exercises}, "predictions": {{}}}}'
        )
        with pytest.warns(
            UserWarning, match=r"now called progress.damaged\S*.json, and your progress"
        ):
            assert progress().correct == 0
        assert not own_file.exists() and own_file.with_suffix(".damaged.json").exists()


def test_a_folder_that_cannot_be_written_to_costs_no_verdict(monkeypatch, tmp_path):
    monkeypatch.setenv(learner.FILE, str(tmp_path / "nowhere" / "progress.json"))
    with pytest.warns(
        UserWarning, match="progress.json cannot be written .*: your progress is not kept"
    ):
        assert learner.save_outcome("05.2", "not yet", "charged twice") == 1


def test_a_file_that_may_not_be_read_costs_no_verdict(monkeypatch, own_file):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    own_file.write_text("{}", encoding="utf-8")
    for word in ("read_text", "write_text", "replace"):
        monkeypatch.setattr(Path, word, denied)
    with pytest.warns(UserWarning, match="cannot be written .Permission denied.: your progress"):
        assert learner.save_outcome("05.2", "not yet", "charged twice") == 1


def test_who_hands_in_without_a_name_or_a_folder_is_told(box):
    with pytest.raises(Misuse, match="who hands this in"):
        hand_in(folder=box)
    with pytest.raises(Misuse, match="no folder"):
        hand_in("Ada", box / "nowhere")
    with pytest.raises(Misuse, match="no folder"):
        classroom(box / "nowhere")
    for wrong in (lambda: classroom(3), lambda: hand_in("Ada", None)):
        with pytest.raises(Misuse, match="a folder is a path, not "):
            wrong()
    with pytest.raises(Misuse, match="learners make one"):
        classroom(box)


def test_a_prediction_that_was_made_is_kept_with_the_fact(own_file):
    question = predict("How often is it charged?", ["once", "twice"], "once")
    question.against("twice")
    assert learner.saved_progress().predictions == {}  # nobody predicted
    question.value = "once"
    question.against("twice", "2 charges")
    fact = learner.Predicted(predicted="once", fact="twice")
    assert learner.saved_progress().predictions == {"How often is it charged?": fact}
    assert repr(progress()).splitlines()[0].endswith("; 0 of 1 predictions came true")


def test_progress_shows_each_exercise_that_there_is():
    for one in of_lesson("05")[:1]:
        learner.save_outcome(one.id, "correct", "")
        assert (
            progress().correct == 1
            and "●" in repr(progress())
            and one.id in progress()._repr_html_()
        )
    assert progress().total == sum(len(of_lesson(lesson)) for lesson in progress().lessons)


def test_nothing_is_kept_where_the_file_is_named_empty(monkeypatch, own_file):
    monkeypatch.setenv(learner.FILE, "")
    monkeypatch.setattr(learner, "_in_memory", learner.SavedProgress())
    learner.save_outcome("05.2", "correct", "")
    assert not own_file.exists() and learner.saved_progress().exercises["05.2"].outcome == "correct"

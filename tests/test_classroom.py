"""A class: what each learner hands in, what the teacher sees, and a learner's own progress."""

import json
import sys
from pathlib import Path

import pytest

from edalab import Misuse
from edalab.practice import classroom, enrol, hand_in, learner, predict, progress
from edalab.practice.exercise import of_lesson


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
        learner.keep_outcome("05.2", "not yet", "charged twice")
        learner.keep_outcome("05.2", outcome, anomaly)
        learner.keep_prediction("How often?", predicted, "twice")
        hand_in(folder=box)
    assert sorted(path.name for path in box.iterdir()) == [
        "ada.edalab.json",
        "émile-zo.edalab.json",
    ]
    room = classroom(box)
    assert room.outcomes.to_dict() == {"05.2": {"Ada": "correct", "Émile Zo": "not yet"}}
    assert list(room.anomalies.itertuples(index=False, name=None)) == [
        ("05.2", "charged twice", "Ada", 1), ("05.2", "charged twice", "Émile Zo", 2),
    ]  # fmt: skip
    assert list(room.predictions.itertuples(index=False, name=None)) == [
        ("How often?", "once", "twice", 1)
    ]
    assert (
        repr(room)
        == "2 learners\n05.2: 1 correct, 1 not yet, 0 not begun; most met: charged twice (2)"
    )
    assert "Émile Zo" in room._repr_html_()


def test_files_that_are_damaged_foreign_or_changed_are_named_and_the_rest_is_shown(box):
    hand_in("Ada", box)
    changed = json.loads((box / "ada.edalab.json").read_text(encoding="utf-8"))
    changed["name"] = "Bob"
    (box / "bob.edalab.json").write_text(json.dumps(changed))
    (box / "cut.edalab.json").write_text("{")
    (box / "foreign.edalab.json").write_text("[]")
    room = classroom(box)
    assert [one["name"] for one in room.learners] == ["Ada"]
    assert [line.partition(":")[0] for line in room.unreadable] == [
        "bob.edalab.json",
        "cut.edalab.json",
        "foreign.edalab.json",
    ]
    assert "changed after it was handed in" in repr(room)


def test_two_of_one_name_are_told_apart_by_their_files(box, own_file):
    hand_in("Ada", box)
    (box / "ada.edalab.json").rename(box / "ada.edalab (1).json")  # as a browser does
    learner.keep_outcome("05.2", "correct", "")
    hand_in("Ada", box)
    (box / "Ada_4711").mkdir()  # as a learning platform does
    hand_in("Bob", box / "Ada_4711")
    assert classroom(box).outcomes["05.2"].to_dict() == {
        "Bob": "correct", "Ada (ada.edalab (1).json)": "", "Ada (ada.edalab.json)": "correct",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"edalab": 2}, "another version of the course"),
        ({"exercises": {"05.2": "correct"}}, "no file that hand_in wrote"),
        (
            {"exercises": {"05.2": {"outcome": "not yet", "anomalies": ["charged twice"]}}},
            "no file that hand_in wrote",
        ),
        ({"predictions": {"How often?": "once"}}, "no file that hand_in wrote"),
    ],
)
def test_what_another_version_wrote_is_named(box, changed, why):
    text = json.dumps(learner.kept() | {"name": "Ada", "variant": 1} | changed, sort_keys=True)
    (box / "ada.edalab.json").write_text(
        json.dumps(
            {**json.loads(text), "seal": sys.modules["edalab.practice.classroom"]._seal(text)}
        )
    )
    assert repr(classroom(box)).endswith(
        f"left out: ada.edalab.json: {'it is ' * why.startswith('no')}{why}{' wrote it' * why.startswith('another')}"
    )


def test_a_long_name_a_folder_and_the_wrong_file_do_no_harm(box, own_file):
    handed_in = hand_in("Ångström " * 50, box).read_bytes()
    (box / "sub.edalab.json").mkdir()
    own_file.rename(box / "progress.json")
    (box / "bom.json").write_bytes(b"\xef\xbb\xbf" + handed_in)
    room = classroom(box)
    assert len(room.learners) == 2 and [line.partition(":")[0] for line in room.unreadable] == [
        "progress.json",
        "sub.edalab.json",
    ]


def test_a_progress_that_was_edited_by_hand_is_put_aside(own_file):
    for exercises in ('{"05.2": 3}', '{"05.2": {"anomalies": 3}}', "[]"):
        own_file.write_text(
            f'{{"edalab": 1, "name": "Ada", "exercises": {exercises}, "predictions": {{}}}}'
        )
        assert (
            progress().correct == 0
            and not own_file.exists()
            and own_file.with_suffix(".damaged.json").exists()
        )


def test_a_folder_that_cannot_be_written_to_costs_no_verdict(monkeypatch, tmp_path):
    monkeypatch.setenv(learner.FILE, str(tmp_path / "nowhere" / "progress.json"))
    with pytest.warns(
        UserWarning, match="progress.json cannot be written .*: your progress is not kept"
    ):
        assert learner.keep_outcome("05.2", "not yet", "charged twice") == 1


def test_a_file_that_may_not_be_read_costs_no_verdict(monkeypatch, own_file):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    own_file.write_text("{}", encoding="utf-8")
    for word in ("read_text", "write_text", "replace"):
        monkeypatch.setattr(Path, word, denied)
    with pytest.warns(UserWarning, match="cannot be written .Permission denied.: your progress"):
        assert learner.keep_outcome("05.2", "not yet", "charged twice") == 1


def test_who_hands_in_without_a_name_or_a_folder_is_told(box):
    with pytest.raises(Misuse, match="who hands this in"):
        hand_in(folder=box)
    with pytest.raises(Misuse, match="no folder"):
        hand_in("Ada", box / "nowhere")
    with pytest.raises(Misuse, match="no folder"):
        classroom(box / "nowhere")
    with pytest.raises(Misuse, match="learners make one"):
        classroom(box)


def test_a_prediction_that_was_made_is_kept_with_the_fact(own_file):
    question = predict("How often is it charged?", ["once", "twice"], "once")
    question.against("twice")
    assert learner.kept()["predictions"] == {}  # nobody predicted
    question.value = "once"
    question.against("twice", "2 charges")
    assert learner.kept()["predictions"] == {
        "How often is it charged?": {"predicted": "once", "fact": "twice"}
    }
    assert repr(progress()).splitlines()[0].endswith("; 0 of 1 predictions came true")


def test_progress_shows_each_exercise_that_there_is():
    for one in of_lesson("05")[:1]:
        learner.keep_outcome(one.id, "correct", "")
        assert (
            progress().correct == 1
            and "●" in repr(progress())
            and one.id in progress()._repr_html_()
        )
    assert progress().total == sum(len(of_lesson(lesson)) for lesson in progress().lessons)


def test_nothing_is_kept_where_the_file_is_named_empty(monkeypatch, own_file):
    monkeypatch.setenv(learner.FILE, "")
    learner.keep_outcome("05.2", "correct", "")
    assert not own_file.exists() and learner.kept()["exercises"]["05.2"]["outcome"] == "correct"
    learner._unkept.clear()

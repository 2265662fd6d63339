"""A prediction is kept, and afterwards stands beside the fact."""

import pytest

from edalab import Misuse
from edalab.practice import predict

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
QUESTION = "How often is o2 charged?"
CHOICES = ["once", "twice", "never"]


@pytest.fixture(autouse=True)
def nothing_chosen():
    from edalab.practice.predict import _chosen

    _chosen.clear()


def test_a_notebook_that_runs_by_itself_uses_the_default():
    prediction = predict(QUESTION, CHOICES, "once")
    assert prediction.value == "once" and not prediction.made
    assert repr(prediction) == "<Prediction 'How often is o2 charged?': once, by default>"


def test_the_fact_is_not_shown_before_a_choice_was_made():
    comparison = predict(QUESTION, CHOICES, "once").against("twice", "2 charges")
    assert repr(comparison) == "Choose an answer above, then run this cell again."
    assert "2 charges" not in comparison._repr_html_()


def test_what_was_measured_stands_behind_the_choice_that_it_is():
    prediction = predict("How many bytes?", ["half", "as many", "twice"], "half")
    prediction.value = "half"
    assert (
        repr(prediction.against("as many", "1.14 times"))
        == "You predicted: half. It was: as many (1.14 times)."
    )


def test_a_number_is_told_as_the_nearest_of_choices_that_stand_for_numbers():
    prediction = predict("How many bytes?", {"half": 0.5, "as many": 1, "twice": 2}, "half")
    assert [line.strip() for line in prediction._text().splitlines()[1:]] == [
        "○ half",
        "○ as many",
        "○ twice",
    ]
    prediction.value = "twice"
    told = repr(prediction.against(1.14, "1.14 times"))
    assert told == "You predicted: twice. It was: as many (1.14 times)."


def test_a_picture_is_revealed_when_a_choice_was_made():
    prediction = predict(QUESTION, CHOICES, "once")
    assert (
        repr(prediction.reveal("the picture"))
        == "Choose an answer above, then run this cell again."
    )
    prediction.value = "twice"
    assert prediction.reveal("the picture") == "the picture"


def test_what_is_shown_gives_nothing_away():
    bundle = predict(QUESTION, CHOICES, "once")._repr_mimebundle_()
    assert bundle["text/plain"] == "How often is o2 charged?\n  ○ once\n  ○ twice\n  ○ never"
    assert bundle[WIDGET_VIEW]["model_id"]


def test_a_choice_made_in_the_notebook_is_the_value():
    prediction = predict(QUESTION, CHOICES, "once")
    prediction._control_shown()
    assert prediction._control.index is None
    prediction._control.index = 1  # what a click does
    assert prediction.value == "twice" and prediction.made
    assert prediction._repr_mimebundle_()["text/plain"].splitlines()[2] == "  ● twice"
    assert repr(prediction.against(2)) == "You predicted: twice. It was: 2."


def test_a_choice_outlives_the_cell_run_again():
    predict(QUESTION, CHOICES, "once").value = "never"
    again = predict(QUESTION, CHOICES, "once")
    again._control_shown()
    assert again.value == "never" and again._control.value == "never"


def test_a_choice_that_is_no_longer_offered_is_forgotten():
    predict(QUESTION, CHOICES, "once").value = "never"
    assert predict(QUESTION, ["once", "twice"], "twice").value == "twice"


def test_choosing_the_default_is_a_choice():
    prediction = predict(QUESTION, CHOICES, "once")
    prediction.value = "once"
    assert repr(prediction.against("once")) == "You predicted: once. It was: once."


def test_learners_words_are_escaped():
    prediction = predict("<script>alert(1)</script>?", ["<b>", "&"], "&")
    prediction.value = "<b>"
    shown = (
        prediction._control_shown().children[0].value + prediction.against("<script>")._repr_html_()
    )
    assert "<script>" not in shown and "&lt;script&gt;" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("", CHOICES, "once"), "begins with a question"),
        ((QUESTION, CHOICES, "thrice"), "no choice 'thrice'; choices: once, twice, never"),
        ((QUESTION, "once", "once"), "a list of different answers"),
        ((QUESTION, ["once"], "once"), "a list of different answers"),
        ((QUESTION, ["once", "once"], "once"), "a list of different answers"),
        ((QUESTION, range(3), 1), "a list of different answers"),
    ],
)
def test_mistakes(arguments, said):
    with pytest.raises(Misuse, match=said):
        predict(*arguments)


def test_a_wrong_choice_by_hand_says_what_there_is():
    with pytest.raises(Misuse, match="no choice 'thrice'"):
        predict(QUESTION, CHOICES, "once").value = "thrice"

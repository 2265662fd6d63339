"""A question before a run, and afterwards the learner's prediction compared with the fact."""

from html import escape
from typing import Any

from ..errors import Misuse, Unknown, needed_for, shown
from ..view.theme import FAINT, QUIET, WORK, tinted
from . import learner

_chosen: dict[str, Any] = {}  # by question; a choice survives when its cell runs again
Choices = list | tuple | dict
# ipywidgets shows each option on one line, and cuts it at the page's width.
_STYLE = """<style>
.edalab-predict .widget-radio-box label { display: flex; height: auto; margin-bottom: 4px;
  line-height: 1.3; white-space: normal; }
.edalab-predict .widget-radio-box input { flex: none; order: -1; height: 1.3em; }
</style>"""


def predict(question: str, choices: Choices, default: Any) -> "Prediction":
    """Ask for a prediction: one of a list of choices.

        charged = predict("How often is o2 charged?", ["once", "twice", "never"], "once")

    Choices in words may stand for numbers, as in `{"half": 0.5, "twice": 2}`. Until the learner
    chooses, `.value` is `default`, so that a notebook also runs without a learner.
    """
    return Prediction(question, choices, default)


class Prediction:
    """A question with its choices. `.value` is the choice, or the default, and can be set."""

    def __init__(self, question: str, choices: Choices, default: Any):
        if not isinstance(question, str) or not question.strip():
            raise Misuse(f"predict begins with a question, not {shown(question)}")
        several = isinstance(choices, Choices) and len(choices) > 1
        if not several or len({str(choice) for choice in choices}) < len(choices):
            raise Misuse(
                f"predict({question!r}): choices is a list of different answers, "
                f"not {shown(choices)}"
            )
        self.question, self.choices = question, choices
        self.default = self._one_of(choices, default)
        self._control = None

    @property
    def made(self) -> bool:
        """Whether the learner has chosen."""
        return _chosen.get(self.question) in self.choices

    @property
    def value(self) -> Any:
        return _chosen[self.question] if self.made else self.default

    @value.setter
    def value(self, choice: Any) -> None:
        _chosen[self.question] = self._one_of(self.choices, choice)
        if self._control is not None:
            self._control.value = choice

    def against(self, fact: Any, exactly: str = "") -> "PredictionAndFact":
        """Compare the learner's prediction with the fact.

        Before the learner has chosen, the result asks for a choice and hides the fact. Afterwards
        the prediction is saved as progress. `exactly` is the measured value if the choices are
        rough. If the choices stand for numbers, `fact` is a number; the nearest choice is shown.
        """
        if not self.made:
            return PredictionAndFact(None, None)
        if isinstance(self.choices, dict):
            fact = min(self.choices, key=lambda choice: abs(self.choices[choice] - fact))
        learner.save_prediction(self.question, self.value, fact)
        return PredictionAndFact(self.value, f"{fact} ({exactly})" if exactly else fact)

    def reveal(self, answer: Any) -> Any:
        """The answer, such as a picture that shows the fact; before a choice, a request for one."""
        return answer if self.made else PredictionAndFact(None, None)

    @staticmethod
    def _one_of(choices: Any, choice: Any) -> Any:
        if choice not in choices:
            raise Unknown("choice", choice, map(str, choices))
        return choice

    def _control_shown(self) -> Any:
        """The widget, created when it is first shown."""
        with needed_for("a prediction that can be clicked"):
            import ipywidgets

        if self._control is None:
            options = [(str(choice), choice) for choice in self.choices]
            value = self.value if self.made else None
            layout = {"width": "max-content", "max_width": "100%"}
            self._control = ipywidgets.RadioButtons(options=options, value=value, layout=layout)
            self._control.observe(self._choose, "value")
        question = f'<b style="font-size:14px">{escape(self.question)}</b>'
        box = ipywidgets.VBox([ipywidgets.HTML(_STYLE + question), self._control])
        box.add_class("edalab-predict")
        return box

    def _choose(self, change: Any) -> None:
        if change.new is not None:
            _chosen[self.question] = change.new

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        return self._control_shown()._repr_mimebundle_() | {"text/plain": self._text()}

    def _text(self) -> str:
        lines = [self.question]
        for choice in self.choices:
            mark = "●" if self.made and choice == self.value else "○"
            lines.append(f"  {mark} {choice}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Prediction {self.question!r}: {self.value}{'' if self.made else ', by default'}>"


class PredictionAndFact:
    """A prediction next to the fact, or, without a prediction, a request for one."""

    ASK = "Choose an answer above, then run this cell again."

    def __init__(self, predicted: Any, fact: Any):
        self.parts = [] if fact is None else [("You predicted", predicted), ("It was", fact)]

    def _repr_html_(self) -> str:
        if not self.parts:
            return f'<div style="font-size:14px;color:{tinted(QUIET)}">{self.ASK}</div>'
        boxes = [
            f'<div style="border-left:3px solid {colour};padding:2px 14px">'
            f'<div style="color:{tinted(QUIET)}">{title}</div><b>{escape(str(value))}</b></div>'
            for (title, value), colour in zip(self.parts, (FAINT, WORK), strict=True)
        ]
        return f'<div style="display:flex;gap:24px;font-size:14px">{"".join(boxes)}</div>'

    def __repr__(self) -> str:
        return " ".join(f"{title}: {value}." for title, value in self.parts) or self.ASK

"""Who has said what will happen looks more closely at what does: a question before the run, the answer beside the fact after it."""

from html import escape
from typing import Any

from ..errors import Misuse, Unknown, needed_for, shown
from ..view.theme import FAINT, QUIET, WORK, tinted
from . import learner

_chosen: dict[str, Any] = {}  # by question: what the learner chose outlives the cell's next run


def predict(question: str, choices: list | tuple | range, default: Any) -> "Prediction":
    """Ask for a prediction: one of a list of choices, or a number of a range. Until one is chosen, `.value` is `default`, so
    that a notebook also runs by itself."""
    return Prediction(question, choices, default)


class Prediction:
    """A question with its choices. `.value` is what was chosen (it can be set), `.against(fact)` puts the fact beside it.
    Come true it has where the fact is the choice; `exactly` says what was measured."""

    def __init__(self, question: str, choices: list | tuple | range, default: Any):
        if not isinstance(question, str) or not question.strip():
            raise Misuse(f"predict begins with a question, not {shown(question)}")
        if (
            not isinstance(choices, list | tuple | range)
            or len(choices) < 2
            or len({str(c) for c in choices}) < len(choices)
        ):
            raise Misuse(
                f"predict({question!r}): choices is a list of different answers or a range, not {shown(choices)}"
            )
        self.question, self.choices, self.default = (
            question,
            choices,
            self._one_of(choices, default),
        )
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

    def against(self, fact: Any, exactly: str = "") -> "Beside":
        """The prediction and what was found, side by side; one that was made is kept for the learner's progress."""
        if self.made:
            learner.keep_prediction(self.question, self.value, fact)
        return Beside(
            "You predicted" if self.made else "Predicted by default",
            self.value,
            f"{fact} ({exactly})" if exactly else fact,
        )

    @staticmethod
    def _one_of(choices: Any, choice: Any) -> Any:
        if choice not in choices:
            raise Unknown("choice", choice, map(str, choices))
        return choice

    def _control_shown(self) -> Any:
        """The widget, made when first shown."""
        with needed_for("a prediction that can be clicked"):
            import ipywidgets

        if self._control is None:
            layout, value = {"width": "max-content"}, self.value if self.made else None
            if isinstance(self.choices, range):
                low, high, step = min(self.choices), max(self.choices), abs(self.choices.step)
                layout = {"width": "420px"}
                self._control = ipywidgets.IntSlider(
                    self.value, min=low, max=high, step=step, layout=layout
                )
            else:
                options = [(str(choice), choice) for choice in self.choices]
                self._control = ipywidgets.RadioButtons(options=options, value=value, layout=layout)
            self._control.observe(self._choose, "value")
        asked = ipywidgets.HTML(f'<b style="font-size:14px">{escape(self.question)}</b>')
        return ipywidgets.VBox([asked, self._control])

    def _choose(self, change: Any) -> None:
        if change.new is not None:
            _chosen[self.question] = change.new

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        return self._control_shown()._repr_mimebundle_() | {"text/plain": self._text()}

    def _text(self) -> str:
        if isinstance(self.choices, range):
            return f"{self.question}\n  {min(self.choices)} … {max(self.choices)}" + (
                f": {self.value}" if self.made else ""
            )
        return "\n".join(
            [
                self.question,
                *(f"  {'●' if self.made and c == self.value else '○'} {c}" for c in self.choices),
            ]
        )

    def __repr__(self) -> str:
        return f"<Prediction {self.question!r}: {self.value}{'' if self.made else ', by default'}>"


class Beside:
    """A prediction beside the fact."""

    def __init__(self, said: str, predicted: Any, fact: Any):
        self.said, self.predicted, self.fact = said, str(predicted), str(fact)

    def _repr_html_(self) -> str:
        cell = '<div style="border-left:3px solid {};padding:2px 14px"><div style="color:{}">{}</div><b>{}</b></div>'
        quiet = tinted(QUIET)
        predicted = cell.format(FAINT, quiet, escape(self.said), escape(self.predicted))
        fact = cell.format(WORK, quiet, "It was", escape(self.fact))
        return f'<div style="display:flex;gap:24px;font-size:14px">{predicted}{fact}</div>'

    def __repr__(self) -> str:
        return f"{self.said}: {self.predicted}. It was: {self.fact}."

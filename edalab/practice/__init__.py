"""Exercises, predictions and progress, for learners and their teachers."""

from .check import Result, check, figures
from .classroom import classroom, hand_in
from .data import data_file
from .learner import enrol
from .predict import Prediction, predict
from .progress import progress

__all__ = [
    "Prediction",
    "Result",
    "check",
    "classroom",
    "data_file",
    "enrol",
    "figures",
    "hand_in",
    "predict",
    "progress",
]


def __dir__() -> list[str]:
    return __all__

"""Practice: commit to an answer, then look."""

from .check import Result, check
from .predict import Prediction, predict
from .progress import enrol

__all__ = ["Prediction", "Result", "check", "enrol", "predict"]

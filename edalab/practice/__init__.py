"""Practice: commit to an answer, then look."""

from .predict import Prediction, predict

__all__ = ["Prediction", "predict"]

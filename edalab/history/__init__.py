"""What happened: the steps of a run, and what can be read from them."""

from .run import Run
from .steps import WIDTH, Failure, Step

__all__ = ["WIDTH", "Failure", "Run", "Step"]

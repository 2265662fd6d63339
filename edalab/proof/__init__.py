"""Is it right? Claims about runs, the evidence against them, and every fault tried."""

from .claims import Claim, Verdict
from .explore import Exploration, Schedule, explore

__all__ = ["Claim", "Exploration", "Schedule", "Verdict", "explore"]

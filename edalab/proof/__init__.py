"""Is it right? Claims about runs, the evidence against them, and every fault tried."""

from .claims import Claim, Verdict
from .explore import Exploration, Schedule, explore
from .ready import Evidence

__all__ = ["Claim", "Evidence", "Exploration", "Schedule", "Verdict", "explore"]

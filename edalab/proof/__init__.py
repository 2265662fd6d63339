"""Is it right? Claims about runs, and the evidence against them."""

from .claims import Claim, Verdict

__all__ = ["Claim", "Verdict"]

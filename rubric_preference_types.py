"""The class handout's name for pairs, verdicts and tournaments. The code is in ``idiolect.judge`` and ``idiolect.methods.tournament``."""

from idiolect.judge.pairs import Pair
from idiolect.methods.tournament import AsyncJudge, Pattern, Referee, Reward, matches, summed_wins

__all__ = ["AsyncJudge", "Pair", "Pattern", "Referee", "Reward", "matches", "summed_wins"]

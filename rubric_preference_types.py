"""The class handout's name for pairs, verdicts and tournaments. The code is ``idiolect.judge.pairs`` and ``idiolect.methods.tournament``."""

from idiolect.judge.pairs import Pair
from idiolect.methods.tournament import PairJudge, Pattern, Referee, Reward, matches, summed_wins

__all__ = ["Pair", "PairJudge", "Pattern", "Referee", "Reward", "matches", "summed_wins"]

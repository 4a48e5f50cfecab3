"""Writers × held-out requests: style, fidelity, win rate, and intervals on every number."""

from idiolect.evaluation.compare import ORDER, choose_writers, compare
from idiolect.evaluation.results import DraftRows, Measure, Results, load_drafts, load_results

__all__ = ["ORDER", "DraftRows", "Measure", "Results", "choose_writers", "compare", "load_drafts", "load_results"]

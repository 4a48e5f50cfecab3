"""Writers × held-out requests: style, fidelity, win rate, and intervals on every number."""

from idiolect.evaluation.compare import compare
from idiolect.evaluation.contenders import ORDER, Contenders, choose_writers
from idiolect.evaluation.results import DraftRows, Measure, Results, load_drafts, load_results

__all__ = ["ORDER", "Contenders", "DraftRows", "Measure", "Results", "choose_writers", "compare", "load_drafts", "load_results"]

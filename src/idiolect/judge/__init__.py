"""Which of two drafts is better: rubrics, the Prometheus form, and judges that are models. Knows nothing of how a judge is trained."""

from idiolect.judge.model import Judge, ModelJudge, both_orders
from idiolect.judge.pairs import Pair, PairJudge, Verdict, judge_pairs
from idiolect.judge.prometheus import judge_messages, parse_verdict
from idiolect.judge.rubric import Criterion, Rubric

__all__ = [
    "Criterion",
    "Judge",
    "ModelJudge",
    "Pair",
    "PairJudge",
    "Rubric",
    "Verdict",
    "both_orders",
    "judge_messages",
    "judge_pairs",
    "parse_verdict",
]

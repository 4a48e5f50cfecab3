"""The pairwise form of Prometheus 2 (Kim et al. 2024, arXiv 2405.01535): what a judge is shown, and what its answer says.

Knows texts. Knows nothing of models.
"""

from __future__ import annotations

from typing import Literal

from idiolect.judge.pairs import Pair
from idiolect.judge.rubric import Rubric
from idiolect.prompts import render

__all__ = ["MARK", "Letter", "answer", "judge_messages", "parse_verdict"]

MARK = "[RESULT]"
Letter = Literal["A", "B"]


def judge_messages(rubric: Rubric, pair: Pair, *, reasons: bool = False) -> list[dict[str, str]]:
    """The conversation that asks which draft is better, the pair's first as A.

    The rubric comes first and the request next, so that all pairs share the one and all pairs of a request both, which a prefix
    cache then computes once. ``reasons`` asks for feedback before the verdict.
    """
    shown = render("judge", rubric=rubric.text, request=pair.request, first=pair.first, second=pair.second, reasons=reasons)
    return [{"role": "user", "content": shown}]


def answer(letter: Letter, reasons: str | None = None) -> str:
    """What a judge is taught to say."""
    return f"Feedback: {reasons} {MARK} {letter}" if reasons else f"{MARK} {letter}"


def parse_verdict(text: str) -> Letter | None:
    """The letter with which an answer ends, right after its last ``[RESULT]``; None where it does not end so.

    Nothing else counts as a verdict, least of all the words of the question: it names the form as ``[RESULT] (A or B)``.
    """
    _, mark, last = text.rpartition(MARK)
    letter = last.strip().strip("\"'*.").strip()
    if not mark or letter not in ("A", "B"):
        return None
    return "A" if letter == "A" else "B"

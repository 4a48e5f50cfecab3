"""What is wrong with a draft by its form and by its request's facts: the part of the reward that no judge decides.

Knows texts, requests and the person's own texts. Knows nothing of judges or of training.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from idiolect.corpus import Demonstration
from idiolect.tasks import FormChecker, asked_facts, invented_facts, missing_facts, usual_facts

__all__ = ["Checked", "DraftChecks"]

_BEGINNING = 5


@dataclass(frozen=True)
class Checked:
    """A draft and what was found in it."""

    text: str
    faults: tuple[str, ...]
    """Of its form: ``unfinished``, ``empty``, ``placeholder``, ``remark``, ``twice``, ``echo``, ``misspelt``."""
    facts: int
    """Facts that the request states."""
    lost: int
    """How many of them the draft lacks."""
    invented: int
    """Facts that it claims and nobody stated."""
    words: int
    length_ratio: float
    """Its words by the words that the person usually writes."""

    @property
    def well_formed(self) -> bool:
        return not self.faults

    @property
    def faithful(self) -> bool:
        """Whether it says what was asked and nothing that was not."""
        return not self.lost and not self.invented

    @property
    def wrong(self) -> int:
        """How many things are wrong with it."""
        return len(self.faults) + self.lost + self.invented

    @property
    def kept(self) -> float:
        """Share of the request's facts that it keeps; 1 for a request without facts."""
        return 1 - self.lost / self.facts if self.facts else 1.0

    @property
    def fidelity(self) -> float:
        """Share of right ones among the request's facts and the invented ones: 1 for a faithful draft."""
        return (self.facts - self.lost) / (self.facts + self.invented) if self.facts + self.invented else 1.0

    @property
    def length_fit(self) -> float:
        """1 at the person's usual length, falling to 0 with longer and with shorter drafts."""
        return min(self.length_ratio, 1 / self.length_ratio) if self.length_ratio else 0.0


class DraftChecks:
    """Checks drafts in one person's name. What that person writes all the time is no fault."""

    def __init__(self, demonstrations: Sequence[Demonstration], *, min_words: int = 3) -> None:
        texts = [row.output for row in demonstrations if row.output.strip()]
        self._form = FormChecker(texts)
        self._usual = usual_facts(texts)
        self._words = statistics.median(len(text.split()) for text in texts) if texts else None
        self._min_words = min_words

    def check(self, request: str, text: str, *, finished: bool) -> Checked:
        """``finished`` says whether the draft ended by itself, with the model's end mark."""
        facts, words = asked_facts(request), len(text.split())
        form = self._form.check(request, text, finished=finished)
        found = {
            "unfinished": form.truncated,
            "empty": words < self._min_words,
            "placeholder": bool(form.placeholders),
            "remark": bool(form.meta_comments),
            "twice": bool(form.repeated),
            "echo": _repeats(request, text),
            "misspelt": bool(form.misspelt),
        }
        return Checked(
            text=text,
            faults=tuple(name for name, there in found.items() if there),
            facts=len(facts),
            lost=len(missing_facts(facts, form.letter)),
            invented=len(invented_facts(request, form.whole, self._usual)),
            words=words,
            length_ratio=words / self._words if self._words else 1.0,
        )


def _repeats(request: str, text: str) -> bool:
    """Whether a draft is its request over again: it begins as the request does, or the request stands in it from end to end.

    A short letter may well use a request's words, so those inside say nothing.
    """
    asked, said = (" ".join(re.findall(r"\w+", part.lower())) for part in (request, text))
    begins = " ".join(asked.split()[:_BEGINNING])
    return bool(asked) and (said.startswith(begins) or f" {asked} " in f" {said} ")

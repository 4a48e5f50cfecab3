"""What a draft does to the facts of its request, and what it copies: the measures that reward hacking and memorization move.

Knows texts, facts and the person's demonstrations. Knows nothing of models or of style.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from idiolect.corpus import Demonstration, Fact
from idiolect.evaluation.overlap import CopyFinder
from idiolect.service import BestOf
from idiolect.tasks import FormChecker, asked_facts, invented_facts, missing_facts, usual_facts
from idiolect.world import Author, facts_invented

__all__ = ["Fidelity", "FidelityChecker", "fewest_faults", "invented_facts", "usual_facts"]


@dataclass(frozen=True)
class Fidelity:
    """One draft against its request."""

    facts: tuple[Fact, ...]
    lost: tuple[Fact, ...]
    invented: tuple[str, ...]
    placeholders: tuple[str, ...]
    length_ratio: float | None
    """Words of the draft by words of the person's own text; None where nothing of the person's is known."""
    verbatim_overlap: float
    """The longest run of words and marks that also stands in a demonstration, as a share of the draft."""
    copied: str
    """That run."""
    truncated: bool
    """It ran into its length, or ends in the middle of a sentence."""
    meta_comments: tuple[str, ...] = ()
    """Remarks about the draft, as a model makes them ("Here is the text:")."""
    repeated: tuple[str, ...] = ()
    """Lines, sentences and words that it says more than once, without those that the person says more than once."""
    misspelt: tuple[str, ...] = ()
    """Words that neither English, nor the person, nor the request has."""

    @property
    def kept(self) -> float | None:
        """Share of the request's facts that the draft keeps; None for a request without facts."""
        return 1 - len(self.lost) / len(self.facts) if self.facts else None

    @property
    def faults(self) -> int:
        """How much is wrong: 2 for each fact lost or invented, which misleads; 1 for each slot, remark and thing said twice, for an end
        that is cut off, and for words misspelt, however many."""
        facts, form = (self.lost, self.invented), (self.placeholders, self.meta_comments, self.repeated)
        return 2 * sum(map(len, facts)) + sum(map(len, form)) + self.truncated + bool(self.misspelt)


class FidelityChecker:
    """Checks drafts of one person.

    ``world`` says that both the person and the model belong to the simulated world, where any word outside its language
    is an invention; everywhere else facts are found by their form.
    """

    def __init__(self, demonstrations: Sequence[Demonstration], *, author: Author | None = None, world: bool = False) -> None:
        texts = [row.output for row in demonstrations if row.output.strip()]
        self._copies = CopyFinder(texts)
        self._usual_words = statistics.median(len(text.split()) for text in texts) if texts else None
        own = author.own_words if author else ()
        self._allowed = (*own, *usual_facts(texts))
        self._form = FormChecker(texts)
        self._world = world

    @property
    def own_words(self) -> str:
        """The person's texts."""
        return self._form.own_words

    def facts(self, row: Demonstration) -> tuple[Fact, ...]:
        """A request's facts: the simulator's own where it knows them, else those that the request states by form."""
        return row.facts or asked_facts(row.input)

    def check(self, row: Demonstration, text: str, *, finished: bool = True, allowed: Sequence[str] = ()) -> Fidelity:
        """A draft for a held-out row. ``finished`` says whether it ended by itself; what stands in ``allowed`` (the mail that is
        answered, the person's past mail) is no invention.
        """
        facts, form = self.facts(row), self._form.check(row.input, text, finished=finished, allowed=allowed)
        find = facts_invented if self._world else invented_facts
        invented = tuple(dict.fromkeys(find(row.input, form.whole, (*self._allowed, *allowed))))
        overlap = self._copies.overlap(text, row.input)
        usual = len(row.output.split()) or self._usual_words
        return Fidelity(
            facts=facts,
            lost=tuple(missing_facts(facts, form.letter)),
            invented=invented,
            placeholders=form.placeholders,
            length_ratio=len(text.split()) / usual if usual else None,
            verbatim_overlap=overlap.share,
            copied=overlap.text,
            truncated=form.truncated,
            meta_comments=form.meta_comments,
            repeated=form.repeated,
            # A name that nobody told is an invention already.
            misspelt=tuple(word for word in form.misspelt if word.islower() or word.lower() not in " ".join(invented).lower().split()),
        )


def fewest_faults(
    tries: int,
    checker: FidelityChecker,
    *,
    request: str | None = None,
    allowed: Sequence[str] = (),
    facts: Mapping[str, Sequence[Fact]] = MappingProxyType({}),
    facts_by: str = "",
) -> BestOf:
    """Draft so often to get one in which the ``checker`` finds nothing wrong; one that knows an author would choose by the truth.

    A ``request`` that is given stands for what the writer is asked, which may hold more; what it holds more is ``allowed``.
    ``facts`` are those of each thing that is asked, known by ``facts_by``; without them a request's facts are found by their form.
    """
    told = json.dumps([tries, checker.own_words, request, list(allowed), facts_by], ensure_ascii=False)

    def faults(asked: str, text: str, finished: bool) -> int:
        row = Demonstration(input=asked if request is None else request, output="", facts=tuple(facts.get(asked, ())))
        return checker.check(row, text, finished=finished, allowed=allowed).faults

    return BestOf(tries, faults, hashlib.sha256(told.encode()).hexdigest()[:12])

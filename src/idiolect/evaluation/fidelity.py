"""What a draft does to the facts of its request, and what it copies: the measures that reward hacking and memorization move.

Knows texts, facts and the person's demonstrations. Knows nothing of models or of style.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from idiolect.corpus import Demonstration, Fact
from idiolect.evaluation.overlap import CopyFinder
from idiolect.tasks import FORMULAS, cut_short, ending, meta_comments, missing_facts, placeholders, request_facts
from idiolect.world import Author, facts_invented

__all__ = ["Fidelity", "FidelityChecker", "invented_facts", "usual_facts"]

_LIST_MARK = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+", re.MULTILINE)
# Kinds whose appearance in a draft is a claim. A quotation is not one, and its inside is looked at by itself.
_CLAIMS = frozenset({"link", "address", "day", "time", "amount", "code", "count", "person"})
_CITATION = re.compile(r"\(see [\d,. ]+(?:above|below)?\)|\[\d{1,3}\]|\(\d{1,2}\)(?!\s?\d)")


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

    @property
    def kept(self) -> float | None:
        """Share of the request's facts that the draft keeps; None for a request without facts."""
        return 1 - len(self.lost) / len(self.facts) if self.facts else None


def usual_facts(texts: Sequence[str]) -> tuple[str, ...]:
    """Facts that stand in at least a third of a person's texts, and in three: the own name, a telephone number, a standing appointment.

    They belong to the person and not to a request, so a draft may have them.
    """
    counts = Counter(fact.value.lower() for text in texts for fact in {fact.value.lower(): fact for fact in _claims(text)}.values())
    return tuple(value for value, count in counts.items() if count >= max(3, len(texts) / 3))


def invented_facts(request: str, text: str, allowed: Sequence[str] = ()) -> tuple[str, ...]:
    """Names, days, times, amounts, codes, numbers, addresses and links of the text that stand neither in the request nor in ``allowed``."""
    context = "\n".join([request, *allowed])
    claims = _claims(text)
    plain = re.sub(r"\S+[./@]\S+", " ", text)
    known = {word.lower() for word in re.findall(r"\w+", context)}
    missing = [
        fact for fact in missing_facts(claims, context, whole=True) if not (fact.kind == "person" and _ordinary(fact.value, plain, known))
    ]
    return tuple(dict.fromkeys(fact.value for fact in missing))


def _claims(text: str) -> list[Fact]:
    """The facts that a written text claims."""
    plain = re.sub(r"[\"“”]", " ", _CITATION.sub(" ", _LIST_MARK.sub("", text)))
    found = [fact for fact in request_facts(plain) if fact.kind in _CLAIMS]
    return [fact for fact in found if not {word.lower() for word in re.findall(r"[\w'’]+", fact.value)} <= FORMULAS]


def _ordinary(value: str, text: str, known: set[str]) -> bool:
    """Whether a capitalised run is ordinary words after all: known from the context, or written small elsewhere in the text."""
    return all(
        word.lower() in known | FORMULAS or re.search(rf"\b{re.escape(word.lower())}\b", text) is not None
        for word in re.findall(r"\w+", value)
    )


class FidelityChecker:
    """Checks drafts of one person.

    ``world`` says that both the person and the model belong to the simulated world, where any word outside its language
    is an invention; everywhere else facts are found by their form.
    """

    def __init__(self, demonstrations: Sequence[Demonstration], *, author: Author | None = None, world: bool = False) -> None:
        texts = [row.output for row in demonstrations if row.output.strip()]
        self._copies = CopyFinder(texts)
        self._usual_words = statistics.median(len(text.split()) for text in texts) if texts else None
        self._usual_ending = Counter(ending(text) for text in texts).most_common(1)[0][0] if texts else "stopped"
        own = (author.name, *author.traits.values()) if author else ()
        self._allowed = (*own, *usual_facts(texts))
        # What the person writes all the time is the person's way, even where it looks like a remark.
        self._own_words = "\n".join(texts)
        self._world = world

    def facts(self, row: Demonstration) -> tuple[Fact, ...]:
        """A request's facts: the simulator's own where it knows them, else those that the request states by form."""
        return row.facts or request_facts(row.input)

    def check(self, row: Demonstration, text: str, *, finished: bool = True) -> Fidelity:
        """A draft for a held-out row. ``finished`` says whether it ended by itself."""
        facts = self.facts(row)
        slots = tuple(slot for slot in placeholders(text) if slot not in row.input)
        remarks = tuple(meta_comments(text, f"{row.input}\n{self._own_words}"))
        letter = text
        for part in (*remarks, *slots):
            letter = letter.replace(part, " ")
        truncated = not finished or cut_short(letter, self._usual_ending)
        # The last word of a text that was cut may be half a word.
        whole = re.sub(r"[^\W_]+\W*$", "", letter) if truncated else letter
        find = facts_invented if self._world else invented_facts
        overlap = self._copies.overlap(text, row.input)
        usual = len(row.output.split()) or self._usual_words
        return Fidelity(
            facts=facts,
            lost=tuple(missing_facts(facts, letter)),
            invented=tuple(dict.fromkeys(find(row.input, whole, self._allowed))),
            placeholders=slots,
            length_ratio=len(text.split()) / usual if usual else None,
            verbatim_overlap=overlap.share,
            copied=overlap.text,
            truncated=truncated,
            meta_comments=remarks,
        )

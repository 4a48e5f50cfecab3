"""What a draft does to the facts of its request, and what it copies: the measures that reward hacking and memorization move.

Knows texts, facts and the person's demonstrations. Knows nothing of models or of style.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from idiolect.corpus import Demonstration, Fact
from idiolect.tasks import missing_facts, placeholders, request_facts
from idiolect.world import Author, facts_invented, facts_kept

__all__ = ["CopyFinder", "Fidelity", "FidelityChecker", "invented_facts", "usual_facts"]

_TOKEN = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_LIST_MARK = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+", re.MULTILINE)
# Kinds whose appearance in a draft is a claim. A quotation is not one, and its inside is looked at by itself.
_CLAIMS = frozenset({"link", "address", "day", "time", "amount", "code", "count", "person"})
# Letters' formulas are often capitalised in full ("Best Regards"), which is no name.
_FORMULAS_TEXT = """
    hello hi hey dear good day morning afternoon evening best kind warm warmest regards wishes thanks thank you many yours sincerely
    truly faithfully cheers love take care talk soon all the team everyone everybody folks subject sir madam may i we it
"""
_FORMULAS = frozenset(_FORMULAS_TEXT.split())


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

    @property
    def kept(self) -> float | None:
        """Share of the request's facts that the draft keeps; None for a request without facts."""
        return 1 - len(self.lost) / len(self.facts) if self.facts else None


class CopyFinder:
    """Finds the longest run that a text shares with any of some known texts, whatever the case."""

    def __init__(self, texts: Sequence[str]) -> None:
        places: dict[str, list[int]] = defaultdict(list)
        place = 0
        for text in texts:
            for token in _TOKEN.findall(text.lower()):
                places[token].append(place)
                place += 1
            place += 1  # A gap, so that no run goes from one text into the next.
        self._places = {token: np.array(found) for token, found in places.items()}

    def longest(self, text: str) -> tuple[float, str]:
        """The run's share of the text's tokens, and the run as it stands in the text."""
        tokens = list(_TOKEN.finditer(text))
        best, end = 0, 0
        before, runs = np.empty(0, dtype=int), np.empty(0, dtype=int)
        for index, token in enumerate(tokens):
            here = self._places.get(token[0].lower(), np.empty(0, dtype=int))
            at = np.searchsorted(before, here - 1)
            goes_on = (
                (at < len(before)) & (before[np.minimum(at, len(before) - 1)] == here - 1) if len(before) else np.zeros(len(here), bool)
            )
            lengths = np.ones(len(here), dtype=int)
            lengths[goes_on] += runs[at[goes_on]]
            before, runs = here, lengths
            if len(lengths) and lengths.max() > best:
                best, end = int(lengths.max()), index + 1
        if not best:
            return 0.0, ""
        return best / len(tokens), text[tokens[end - best].start() : tokens[end - 1].end()]


def usual_facts(texts: Sequence[str]) -> tuple[str, ...]:
    """Facts that stand in at least a third of a person's texts, and in two: the own name, a telephone number, a standing appointment.

    They belong to the person and not to a request, so a draft may have them.
    """
    counts = Counter(fact.value.lower() for text in texts for fact in {fact.value.lower(): fact for fact in _claims(text)}.values())
    return tuple(value for value, count in counts.items() if count >= max(2, len(texts) / 3))


def invented_facts(request: str, text: str, allowed: Sequence[str] = ()) -> tuple[str, ...]:
    """Names, days, times, amounts, codes, numbers, addresses and links of the text that stand neither in the request nor in ``allowed``."""
    context = "\n".join([request, *allowed])
    claims = _claims(text)
    known = {word.lower() for word in re.findall(r"\w+", context)}
    missing = [fact for fact in missing_facts(claims, context) if not (fact.kind == "person" and _ordinary(fact.value, text, known))]
    return tuple(dict.fromkeys(fact.value for fact in missing))


def _claims(text: str) -> list[Fact]:
    """The facts that a written text claims."""
    plain = re.sub(r"[\"“”]", " ", _LIST_MARK.sub("", text))
    found = [fact for fact in request_facts(plain) if fact.kind in _CLAIMS]
    return [fact for fact in found if not {word.lower() for word in re.findall(r"\w+", fact.value)} <= _FORMULAS]


def _ordinary(value: str, text: str, known: set[str]) -> bool:
    """Whether a capitalised run is ordinary words after all: known from the context, or written small elsewhere in the text."""
    return all(
        word.lower() in known | _FORMULAS or re.search(rf"\b{re.escape(word.lower())}\b", text) is not None
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
        own = (author.name, *author.traits.values()) if author else ()
        self._allowed = (*own, *usual_facts(texts))
        self._world = world

    def facts(self, row: Demonstration) -> tuple[Fact, ...]:
        """A request's facts: the simulator's own where it knows them, else those that the request states by form."""
        return row.facts or request_facts(row.input)

    def check(self, row: Demonstration, text: str, *, finished: bool = True) -> Fidelity:
        """A draft for a held-out row. ``finished`` says whether it ended by itself."""
        facts = self.facts(row)
        if row.facts:
            lost = tuple(fact for fact, kept in zip(facts, facts_kept(facts, text), strict=True) if not kept)
        else:
            lost = tuple(missing_facts(facts, text))
        slots = tuple(slot for slot in placeholders(text) if slot not in row.input)
        filled = text
        for slot in slots:
            filled = filled.replace(slot, " ")
        find = facts_invented if self._world else invented_facts
        share, copied = self._copies.longest(text)
        usual = len(row.output.split()) or self._usual_words
        return Fidelity(
            facts=facts,
            lost=lost,
            invented=tuple(dict.fromkeys(find(row.input, filled, self._allowed))),
            placeholders=slots,
            length_ratio=len(text.split()) / usual if usual else None,
            verbatim_overlap=share,
            copied=copied,
            truncated=not finished,
        )

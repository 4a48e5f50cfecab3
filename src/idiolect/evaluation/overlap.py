"""The longest run of words that a text shares with known texts: what was copied.

Knows texts. Knows nothing of models, people or what the texts are for.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["CopyFinder", "Overlap"]

_TOKEN = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_MARKS = str.maketrans("’‘“”–—", "''\"\"--")
_REQUESTED_RUN = 2


@dataclass(frozen=True)
class Overlap:
    """The longest shared run."""

    tokens: int
    """Its words and marks, without those that the request itself has."""
    characters: int
    """Its length as it stands in the text."""
    share: float
    """``tokens`` by the text's own words and marks, again without the request's; 0 for an empty text."""
    text: str


class CopyFinder:
    """Finds the longest run that a text shares with any of some known texts, whatever the case, the spacing and the form of quotes."""

    def __init__(self, texts: Sequence[str]) -> None:
        places: dict[str, list[int]] = defaultdict(list)
        place = 0
        for text in texts:
            for token in _TOKEN.findall(text):
                places[_normal(token)].append(place)
                place += 1
            place += 1  # A gap, so that no run goes from one text into the next.
        self._places = {token: np.array(found) for token, found in places.items()}

    def overlap(self, text: str, request: str = "") -> Overlap:
        """The longest run, counting no token that belongs to a run of two and more tokens of the request: those were asked for."""
        tokens = list(_TOKEN.finditer(text))
        requested = CopyFinder([request])._runs(tokens) if request else np.zeros(len(tokens), int)
        own = np.ones(len(tokens), int)
        for index, length in enumerate(requested):
            if length >= _REQUESTED_RUN:
                own[index + 1 - length : index + 1] = 0
        before = np.concatenate([[0], np.cumsum(own)])
        ends = np.arange(1, len(tokens) + 1)
        lengths = self._runs(tokens)
        counted = before[ends] - before[ends - lengths]
        if not len(tokens) or not counted.max():
            return Overlap(0, 0, 0.0, "")
        end = int(counted.argmax()) + 1
        first = end - int(lengths[end - 1])
        while not own[first]:
            first += 1
        found = text[tokens[first].start() : tokens[end - 1].end()]
        return Overlap(int(counted.max()), len(found), float(counted.max() / before[-1]), found)

    def _runs(self, tokens: Sequence[re.Match[str]]) -> np.ndarray:
        """lengths_T: of the longest shared run that ends at each token."""
        longest = np.zeros(len(tokens), int)
        before, runs = np.empty(0, dtype=int), np.empty(0, dtype=int)
        for index, token in enumerate(tokens):
            here = self._places.get(_normal(token[0]), np.empty(0, dtype=int))
            lengths = np.ones(len(here), dtype=int)
            if len(before) and len(here):
                at = np.minimum(np.searchsorted(before, here - 1), len(before) - 1)
                goes_on = before[at] == here - 1
                lengths[goes_on] += runs[at[goes_on]]
            before, runs = here, lengths
            longest[index] = lengths.max() if len(lengths) else 0
        return longest


def _normal(token: str) -> str:
    return unicodedata.normalize("NFKC", token).lower().translate(_MARKS)

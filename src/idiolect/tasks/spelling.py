"""Words that nobody has: what a model writes where its spelling breaks down ("i hope yoer well p p").

Knows English words and a person's own. Knows nothing of models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from idiolect.tasks.facts import FORMULAS

if TYPE_CHECKING:
    from spellchecker import SpellChecker

__all__ = ["Spelling", "telling_words"]

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# No part of a link, an address, a code or a compound.
_ALONE = re.compile(r"(?<![\w'’@./&#:+-])[^\W\d_]+(?:['’][^\W\d_]+)*(?![\w'’@/+-]|[.:][\w/])")
_KISSES = re.compile(r"[xo]+")
_ENGLISH = 0.7
"""Share of the words of a person's texts that a dictionary of English has, from which on they are English."""
_COMMON = 1e-4
"""Share of English text from which on a word tells little: "start" is more common, "ticket" is rarer."""


def telling_words(text: str) -> list[str]:
    """The text's words and numbers in small letters, each once, without letters' formulas and words that are common in English."""
    words = dict.fromkeys(match[0].lower() for match in re.finditer(r"[^\W_]+", text))
    return [one for one in words if one not in FORMULAS and _dictionary().word_usage_frequency(one) < _COMMON]


class Spelling:
    """Finds words that neither English nor the person's ``texts`` have. It has nothing to say of texts in another language."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._own = _words(texts)
        self._english = not self._own or 1 - len(_unknown(self._own)) / len(self._own) >= _ENGLISH

    def misspelt(self, text: str, *known: str) -> list[str]:
        """The text's words that are in no dictionary, in none of the person's texts and not in ``known``, each once: names that nobody
        told are among them.

        A small letter that stands alone is one as well, but for those that English or a list has. Words with capitals inside are none.
        """
        if not self._english:
            return []
        found = dict.fromkeys(
            match[0]
            for match in _ALONE.finditer(text)
            if (match[0].islower() or match[0][1:].islower()) and not _KISSES.fullmatch(match[0]) and not _label(text, match)
        )
        words = {one: _plain(one) for one in found}
        strange = _unknown(words.values()) | {one for one in words.values() if len(one) == 1 and one not in "ai"}
        if not strange:
            return []
        strange -= self._own | _words(known)
        return [one for one, plain in words.items() if plain in strange]


def _label(text: str, match: re.Match[str]) -> bool:
    """Whether a letter numbers a point: "b)" or "c."."""
    return len(match[0]) == 1 and text[match.end() : match.end() + 1] in (")", ".", ":")


def _words(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(_plain(word) for text in texts for word in _WORD.findall(text))


def _plain(word: str) -> str:
    """A word in small letters, without a genitive's end."""
    return word.lower().replace("’", "'").removesuffix("'s")


def _unknown(words: Iterable[str]) -> set[str]:
    return _dictionary().unknown(words)


@cache
def _dictionary() -> SpellChecker:
    from spellchecker import SpellChecker

    return SpellChecker(language="en")

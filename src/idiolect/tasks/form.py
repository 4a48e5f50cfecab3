"""A draft's form, held against how the person usually writes: what is wrong with it whatever its facts are.

Knows requests and texts. Knows nothing of facts or of models.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from idiolect.tasks.faults import cut_short, ending, meta_comments, placeholders, repeated, usually_repeated
from idiolect.tasks.spelling import Spelling

__all__ = ["Form", "FormChecker"]


@dataclass(frozen=True)
class Form:
    """What is wrong with a draft, and what of it says something."""

    placeholders: tuple[str, ...]
    """Open slots that the request does not name."""
    meta_comments: tuple[str, ...]
    """Remarks about the draft."""
    repeated: tuple[str, ...]
    """What it says more than once and the person does not."""
    misspelt: tuple[str, ...]
    """Words that neither English, nor the person, nor the request has."""
    truncated: bool
    """It ran into its length, or ends in the middle of a sentence."""
    letter: str
    """The draft without slots and remarks."""
    whole: str
    """The letter without the last word of one that was cut, which may be half a word."""


class FormChecker:
    """Checks drafts in the name of the person who wrote ``texts``. What that person writes all the time is no fault."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.own_words = "\n".join(texts)
        """The person's texts: what is written there all the time is the person's way, even where it looks like a remark."""
        self._ending = Counter(map(ending, texts)).most_common(1)[0][0] if texts else "stopped"
        self._said_twice = usually_repeated(texts)
        self._spelling = Spelling(texts)

    def check(self, request: str, text: str, *, finished: bool = True, allowed: Sequence[str] = ()) -> Form:
        """``finished`` says whether the draft ended by itself; words that stand in ``allowed`` are not misspelt."""
        slots = tuple(slot for slot in placeholders(text) if slot not in request)
        remarks = tuple(meta_comments(text, f"{request}\n{self.own_words}"))
        letter = text
        for part in (*remarks, *slots):
            letter = letter.replace(part, " ")
        truncated = not finished or cut_short(letter, self._ending)
        whole = re.sub(r"[^\W_]+\W*$", "", letter) if truncated else letter
        return Form(
            placeholders=slots,
            meta_comments=remarks,
            repeated=tuple(repeated(text, self._said_twice)),
            misspelt=tuple(self._spelling.misspelt(whole, request, *allowed)),
            truncated=truncated,
            letter=letter,
            whole=whole,
        )

"""What a text shows of its writer's habits, as counts.

Knows texts. Knows nothing of authors or of models. Counts of a text depend on that text alone, so a text is counted
once however many verifiers read it. Four views (why n-grams carry most of style: arXiv 2209.06869):

- ``characters``: character n-grams of the text as it stands;
- ``masked``: the same with content words masked, so that a topic can't stand in for style: function words, marks and
  layout stay, any other word keeps its capitals and its ending only (text distortion, Stamatatos 2017);
- ``words``: sequences of function words, marks and masked words;
- ``layout``: sequences of marks, digits, spaces and line breaks, with each word as one letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["WEIGHTS", "Counts", "count_texts", "first_words", "mask", "word_count"]

WEIGHTS = {"characters": 2.0, "masked": 1.0, "words": 1.0, "layout": 0.5}
"""How much each view weighs in the similarity of two texts; chosen on the development authors of docs/LOG.md."""

_BUCKETS = 2**18

_KEPT_TEXT = """
    a about above across actually after again against ago all almost alone along already also although always am among an and another any
    anybody anyone anything anyway apart are around as aside at away back basically be because been before behind being below beside
    besides best better between beyond both but by came can cannot certain certainly clearly come comes coming could definitely despite did
    different do does doing done down due during each either else enough entirely especially etc even ever every everybody everyone
    everything everywhere exactly except far feel felt few find first following for former from fully further gave get gets getting give
    given gives giving go goes going gone gonna got great had happen happened happens hardly has have having he hence her here hers herself
    him himself his honestly how however i if in indeed instead into is it its itself just keep kept kind knew know known knows last later
    least less let lets like likely little long look looking looks lot lots made mainly make makes making many may maybe me mean means
    might mine more moreover most mostly much must my myself near nearly need needs neither never nevertheless new next no nobody none nor
    not nothing now nowhere obviously of off often oh ok okay on once one ones only onto or other others otherwise ought our ours ourselves
    out over own part per perhaps personally please possible possibly pretty probably put quite rather really regarding right said same saw
    say saying says second see seem seemed seems seen several shall she should simply since so some somebody somehow someone something
    sometimes somewhat somewhere soon still such sure surely take taken takes taking tell than thank thanks that the their theirs them
    themselves then there therefore these they thing things think thinking this those though thought three through throughout thus till to
    together too took toward towards tried truly try trying two under unless until up upon us use used using usually various very via want
    wanted wants was way ways we well went were what whatever when whenever where whereas wherever whether which while who whoever whole
    whom whose why will with within without would yes yet you your yours yourself yourselves
    don't doesn't didn't can't won't isn't i'm i've i'd i'll that's it's couldn't wouldn't shouldn't aren't wasn't weren't you're you've
    you'll you'd we're we've we'll we'd they're they've they'll there's here's he's she's let's what's haven't hasn't hadn't
    dont doesnt didnt cant wont isnt im ive thats couldnt wouldnt shouldnt arent wasnt youre theyre
    hi hello hey dear regards best cheers sincerely yours love bye mr mrs ms dr ps
"""
_KEPT = frozenset(_KEPT_TEXT.split())
_ENDINGS = ("ing", "ed", "ly", "tion", "ment", "ness", "able", "ous", "al", "er", "est", "ive", "ity", "s")
_WORD = r"[^\W\d_]+(?:['’][^\W\d_]+)*"
_TOKEN = re.compile(rf"{_WORD}|\d+|\s+|.", re.DOTALL)


@dataclass(frozen=True)
class Counts:
    """``views[name]``: a sparse matrix N×B of how often each of B hashed n-grams stands in each of N texts; ``words_N``: lengths."""

    views: dict[str, Any]
    words: np.ndarray

    def rows(self, chosen: np.ndarray) -> Counts:
        return Counts({name: matrix[chosen] for name, matrix in self.views.items()}, self.words[chosen])


def count_texts(texts: Sequence[str]) -> Counts:
    # scikit-learn takes more than a second to import.
    from sklearn.feature_extraction.text import HashingVectorizer

    def counted(values: list[Any], **how: Any) -> Any:
        plain: Any = {"alternate_sign": False, "norm": None, "lowercase": False, "dtype": np.float32}
        return HashingVectorizer(n_features=_BUCKETS, **plain, **how).transform(values)

    return Counts(
        {
            "characters": counted(list(texts), analyzer="char", ngram_range=(2, 4)),
            "masked": counted([mask(text) for text in texts], analyzer="char", ngram_range=(2, 5)),
            "words": counted([list(_word_sequences(text)) for text in texts], analyzer=_as_it_is),
            "layout": counted([_layout(text) for text in texts], analyzer="char", ngram_range=(1, 4)),
        },
        np.array([word_count(text) for text in texts]),
    )


def mask(text: str) -> str:
    """The text with each content word as its capitals and ending, and digits as ``#``."""
    return "".join(_masked(token) for token in _TOKEN.findall(text))


def word_count(text: str) -> int:
    return len(re.findall(_WORD, text))


def first_words(text: str, most: int) -> str:
    """The text up to its word number ``most``."""
    ends = [found.end() for found in re.finditer(_WORD, text)]
    return text if len(ends) <= most else text[: ends[most - 1]]


def _masked(token: str) -> str:
    plain = token.lower().replace("’", "'")
    if token[0].isdigit():
        return "#" * min(len(token), 4)
    if not token[0].isalpha() or plain in _KEPT:
        return token
    case = "AA" if len(token) > 1 and token.isupper() else "A" if token[0].isupper() else "a"
    ending = next((ending for ending in _ENDINGS if plain.endswith(ending) and len(plain) > len(ending) + 2), "")
    return f"{case}*{ending}"


def _word_sequences(text: str) -> Iterator[str]:
    """Sequences of one to three words and marks. Where a line breaks counts as a mark, other spaces do not."""
    tokens = []
    for token in _TOKEN.findall(text):
        if not token.isspace():
            shown = _masked(token)
            tokens.append(shown if "*" in shown else shown.lower())
        elif "\n" in token:
            tokens.append("\n")
    for size in (1, 2, 3):
        for start in range(len(tokens) - size + 1):
            yield " ".join(tokens[start : start + size])


def _layout(text: str) -> str:
    def letter(found: re.Match[str]) -> str:
        return ("W" if found[0][0].isupper() else "w") + ("'" if re.search("['’]", found[0]) else "")

    return re.sub(_WORD, letter, re.sub(r"\d+", "#", text))


def _as_it_is(tokens: list[str]) -> list[str]:
    return tokens

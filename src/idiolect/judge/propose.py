"""A first draft of the rubric from the person's own texts, for the person to edit.

Knows texts and their features: what most of them share becomes a criterion with their own words as good anchors. Knows no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any

from idiolect.judge.rubric import Criterion, Rubric
from idiolect.judge.seen import common, observe, parted, without_name

__all__ = ["propose"]

_FAILURES = (
    "A name, day, time, amount or place of the request is missing or wrong.",
    "Something is stated that the request does not say.",
    "A placeholder is left open, or the text speaks about itself.",
    "The text ends in the middle.",
)
_LAYOUT = {
    "bullets": "Points as a list.",
    "blocks": "Sentences apart, with empty lines.",
    "lines": "One sentence a line.",
    "one": "One paragraph.",
}
_GREETINGS = ("Dear Sir or Madam,", "Hey there!")
_ENDINGS = ("Sincerely yours,", "Cheers,")
_MOST = 3


def propose(texts: Sequence[str], title: str = "A text in the person's own voice", *, letter: bool = True) -> Rubric:
    """The rubric that the texts suggest: what they share in greeting, ending, marks, wording, layout and length; facts come last.

    Where the task is no ``letter``, greeting and ending are criteria only if most texts have one.
    """
    seen = [observe(text) for text in texts]
    greetings = [parted(text).greeting for text in texts]
    endings = [" / ".join(parted(text).ending.split("\n")) for text in texts]
    criteria = [
        *([_line("Greeting", "As the person greets.", greetings, _GREETINGS)] if letter or _most(greetings) else []),
        *([_line("Sign-off", "As the person ends.", endings, _ENDINGS)] if letter or _most(endings) else []),
        Criterion(name="Punctuation", text=_marks([one["punctuation"] for one in seen])),
        Criterion(name="Wording", text=_wording([one["wording"] for one in seen]), good=tuple(common(texts)[:_MOST])),
        Criterion(name="Layout", text=_LAYOUT[Counter(str(one["layout"]) for one in seen).most_common(1)[0][0]]),
        Criterion(name="Length", text=_length([len(text.split()) for text in texts])),
        Criterion(name="Facts", text="Every fact of the request, and no other."),
    ]
    return Rubric(title=title, criteria=tuple(criteria), failures=_FAILURES)


def _most(lines: Sequence[str]) -> bool:
    return 2 * sum(bool(line) for line in lines) > len(lines)


def _line(name: str, text: str, lines: Sequence[str], others: Sequence[str]) -> Criterion:
    """A criterion of one line of the text, with the person's as good anchors and another's as the bad one."""
    unlike = next((one for one in others if not any(line.lower().startswith(one[:6].lower()) for line in lines)), None)
    return Criterion(name=name, text=text, good=_usual(lines), bad=(unlike,) if unlike else ())


def _usual(lines: Sequence[str]) -> tuple[str, ...]:
    """The commonest forms of a line, each by its first example, names and all."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for line in lines:
        form = without_name(line)
        counts[form] += 1
        first.setdefault(form, line)
    return tuple(first[form] or "(none)" for form, _ in counts.most_common(_MOST) if counts[form] > 1 or len(counts) <= _MOST)


def _marks(seen: Sequence[Any]) -> str:
    """Exclamation marks, dashes and emoji, each by whether half of the texts have it."""
    half = len(seen) / 2
    shouts, dashes = sum(one[0] for one in seen) > half, sum(one[1] for one in seen) > half
    emoji = Counter(mark for one in seen for mark in one[2])
    used = [mark for mark, count in emoji.most_common(_MOST) if count > half / 2]
    return " ".join([
        "Exclamation marks." if shouts else "No exclamation marks.",
        "Dashes between clauses." if dashes else "No dashes.",
        f"Emoji: {' '.join(used)}." if used else "No emoji.",
    ])  # fmt: skip


def _wording(seen: Sequence[Any]) -> str:
    half = len(seen) / 2
    short, lower = sum(one[0] for one in seen) > half, sum(one[1] for one in seen) > half
    told = ["Contractions." if short else "No contractions.", "All in lower case." if lower else "Usual capitals."]
    return " ".join([*told, "The person's set phrases."])


def _length(words: Sequence[int]) -> str:
    if len(words) < 4:
        return f"About {round(median(words))} words."
    low, _, high = quantiles(words, n=4)
    return f"{round(low)} to {round(high)} words."

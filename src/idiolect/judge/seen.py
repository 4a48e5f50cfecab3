"""What two texts of the same content may differ in, feature by feature: greeting, sign-off, marks, wording, layout, length.

Knows plain texts, of whoever wrote them. Knows nothing of models or of simulated authors.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

__all__ = [
    "FEATURES", "Parts", "common", "differing", "distinctive", "observe", "parted", "runs", "sentences", "without_name", "words_and_signs",
]  # fmt: skip

FEATURES = ("greeting", "sign-off", "punctuation", "wording", "layout", "length")
_GREETING = re.compile(r"^(?P<word>[^\W\d_][^\n,!.:]{0,30}?)(?:\s+(?P<name>[A-Z][\w.'’-]*(?:\s[A-Z][\w.'’-]*)?))?(?P<mark>[,!.:]?)$")
_EMOJI = re.compile(r"[\U0001F300-\U0001FAFF\u2600-\u27BF]|(?<!\w)[:;]-?[)D(]")
_CONTRACTION = re.compile(r"\b\w+['’](?:s|re|ve|ll|d|m|t)\b", re.IGNORECASE)
_HARDLY = 0.05
_NAME = re.compile(r"(?<=\s)\S*?[A-ZÀ-Þ][\w.'’-]*(?=[,!:]?$)")
_PIECE = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]+|_+")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")


class Parts:
    """A text's greeting line, body and ending (all that follows the body's last full block); each may be empty."""

    def __init__(self, greeting: str, body: str, ending: str) -> None:
        self.greeting, self.body, self.ending = greeting, body, ending

    def joined(self) -> str:
        return "\n\n".join(part for part in (self.greeting, self.body, self.ending) if part)


def parted(text: str) -> Parts:
    """The greeting is a short first line that ends in a mark; the ending begins with a short line near the end that signs off."""
    blocks = [block for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    greeting = ""
    if blocks and "\n" not in blocks[0] and len(blocks[0].split()) <= 5 and re.search(r"[,!:]$", blocks[0]) and len(blocks) > 1:
        greeting = blocks.pop(0)
    elif blocks and "\n" in blocks[0] and _greets(first := blocks[0].split("\n")[0]):
        greeting, blocks[0] = first, blocks[0].split("\n", 1)[1]
    start = _ending(blocks)
    return Parts(greeting, "\n\n".join(blocks[:start]), "\n\n".join(blocks[start:]))


def _ending(blocks: Sequence[str]) -> int:
    """Index of the block that the ending begins with: one whose first line is short and has a comma, else the last short one."""
    last = range(len(blocks) - 1, max(0, len(blocks) - 5), -1)
    firsts = {at: blocks[at].split("\n")[0].strip() for at in last}
    commas = [at for at in last if _signs_off(firsts[at]) and "," in firsts[at]]
    others = [at for at in last if _signs_off(firsts[at])]
    return next(iter(commas or others), len(blocks))


def _greets(line: str) -> bool:
    return len(line.split()) <= 5 and bool(re.search(r"[,!:]$", line.strip()))


def _signs_off(line: str) -> bool:
    return len(line.split()) <= 4 and not re.search(r"[.?]$", line.strip()) and not line.lstrip().startswith(("-", "*", "•"))


def without_name(line: str) -> str:
    """A greeting with "…" for the name at its end and whatever is written onto that: the form that a person's greetings share."""
    return _NAME.sub("…", line)


def sentences(text: str) -> list[str]:
    """The sentences of a body, with their marks."""
    return [found.group().strip() for found in _SENTENCE.finditer(text) if re.search(r"\w", found.group())]


def observe(text: str) -> dict[str, object]:
    """Each feature of a text as a value that texts of one person tend to share."""
    parts = parted(text)
    body = parts.body or text
    match = _GREETING.fullmatch(parts.greeting)
    letters = [letter for letter in text if letter.isalpha()]
    blocks, lines = body.count("\n\n") + 1, body.count("\n") + 1
    return {
        "greeting": f"{match['word']} …{match['mark']}" if match and match["name"] else parts.greeting,
        "sign-off": parts.ending.split("\n\n")[0] if parts.ending else "",
        "punctuation": ("!" in body, bool(re.search(r"\S [—–-] ", body)), tuple(sorted(set(_EMOJI.findall(text))))),
        "wording": (bool(_CONTRACTION.search(body)), not any(letter.isupper() for letter in letters[:1]), parts.ending.split("\n\n")[1:]),
        "layout": (
            "bullets" if re.search(r"^\s*[-*•]\s", body, re.MULTILINE) else "blocks" if blocks > 1 else "lines" if lines > 1 else "one"
        ),
        "length": len(text.split()),
    }


def differing(better: str, worse: str, habits: Sequence[str] = ()) -> list[str]:
    """Features in which the two differ; ``habits`` are sentences of the person's that recur, whose lack counts as wording."""
    one, other = observe(better), observe(worse)
    found = [name for name in FEATURES if name != "length" and one[name] != other[name]]
    if "wording" not in found and any((habit in better) != (habit in worse) for habit in habits):
        found.append("wording")
    sizes = one["length"], other["length"]
    if abs(sizes[0] - sizes[1]) > 0.25 * max(*sizes, 1):  # type: ignore[operator,type-var]
        found.append("length")
    return [name for name in FEATURES if name in found]


def common(texts: Sequence[str], share: float = 0.5) -> list[str]:
    """Sentences that stand in at least this share of the texts, in the texts' order: a person's set phrases."""
    counts = Counter(sentence for text in texts for sentence in set(sentences(parted(text).body)))
    wanted = max(2.0, share * len(texts))
    ordered = dict.fromkeys(sentence for text in texts for sentence in sentences(parted(text).body))
    return [sentence for sentence in ordered if counts[sentence] >= wanted]


def distinctive(texts: Sequence[str], others: Sequence[str], share: float = 0.7) -> frozenset[str]:
    """Words and runs of signs that stand in at least this share of the person's texts and in hardly any of the others'.

    None without others, from which alone one can tell what anybody writes.
    """
    if not others:
        return frozenset()
    own, theirs = (Counter(piece for text in some for piece in set(words_and_signs(text))) for some in (texts, others))
    return frozenset(
        piece for piece, count in own.items() if count >= max(2.0, share * len(texts)) and theirs[piece] <= _HARDLY * len(others)
    )


def runs(text: str, pieces: frozenset[str]) -> list[tuple[int, int]]:
    """Where distinctive pieces follow each other with nothing but spaces between them, each run from its start to its end."""
    found: list[tuple[int, int]] = []
    broken = True
    for match in _PIECE.finditer(text):
        if match[0].lower() not in pieces:
            broken = True
        elif broken or text[found[-1][1] : match.start()].strip(" "):
            found.append(match.span())
            broken = False
        else:
            found[-1] = (found[-1][0], match.end())
    return found


def words_and_signs(text: str) -> list[str]:
    return [match[0].lower() for match in _PIECE.finditer(text)]

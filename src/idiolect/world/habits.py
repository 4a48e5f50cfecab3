"""Habits of simulated people: quirks that the pocket model was never taught to write and that no description of its names.

Traits alone can be told in a prompt, and the pocket model knows them all; what a method learns of a person shows in habits.
Each has one fixed form of words or signs at one place of the e-mail, can be seen in any text, and can be taken out again, so
that traits are seen behind it. Development and held-out authors draw from different forms; training authors have none. The model's
training shows other, random forms (``odd_habits``) that it has to read past but never to write.

Knows text. Knows nothing of intents, facts or models.
"""

from __future__ import annotations

import random
import re

from idiolect.world.vocabulary import made_up

__all__ = ["HABITS", "find_habit", "odd_habits", "sample_habits", "with_habits", "without_habits"]

HABITS = ("before_name", "body_start", "aside", "interjection", "after_sign_off", "last_line", "spelling")
_COUNT = 5
"""Habits of an author."""
_SPELLED = ("you", "to", "and")
"""The words that ``spelling`` replaces, in the order of a form's. An e-mail without any of them is rare, and no fact has one."""

_FORMS: dict[str, dict[str, tuple[str, ...]]] = {
    "development": {
        "before_name": ("~", "=", "o/"),
        "body_start": (">> ", "=> ", "|: "),
        "aside": (" (word of a scout)", " (cross my heart)", " (so says the owl)"),
        "interjection": (" Tick tock.", " Ding ding.", " Onward we row."),
        "after_sign_off": (" xx", " o_o", " =^"),
        "last_line": ("* * *", "~ ~ ~", "//end"),
        "spelling": ("yoo tu ahn", "ye tae en", "joo too und"),
    },
    "heldout": {
        "before_name": ("^", "+", "@"),
        "body_start": ("~~ ", ":: ", "// "),
        "aside": (" (hand on my hat)", " (as the fox knows)", " (no word of a lie)"),
        "interjection": (" Hop hop.", " Knock on wood.", " The kettle sings."),
        "after_sign_off": (" /\\/", " ooo", " ~*"),
        "last_line": ("= = =", "~o~o~", "|| fin"),
        "spelling": ("ya ta n", "yu te ond", "yer tuh nd"),
    },
}
_SIGNS = "~=^+@#*%&|<>/\\_:;$o"
_SENTENCE_END = re.compile(r"[.?!](?=\s|$)")


def sample_habits(split: str, rng: random.Random) -> dict[str, str]:
    """Habits with their forms for an author of a split; none in training."""
    forms = _FORMS.get(split, {})
    kinds = sorted(rng.sample(HABITS, _COUNT), key=HABITS.index) if forms else []
    return {kind: rng.choice(forms[kind]) for kind in kinds}


def odd_habits(rng: random.Random) -> dict[str, str]:
    """One to five habits of random forms that no author of any split has."""
    known = {form.strip() for forms in _FORMS.values() for some in forms.values() for form in some}

    def signs(most: int) -> str:
        return "".join(rng.choice(_SIGNS) for _ in range(rng.randint(1, most)))

    def words(count: int) -> str:
        return " ".join(made_up(rng, "train") for _ in range(count))

    def short() -> str:
        return "".join(rng.choice(letters) for letters in ("ytjdwn", "aeiou", "nhmrw")[: rng.choice((2, 3))])

    made = {
        "before_name": signs(2),
        "body_start": f"{signs(3)} ",
        "aside": f" ({words(rng.randint(2, 4))})",
        "interjection": f" {words(2).capitalize()}.",
        "after_sign_off": f" {signs(3)}",
        "last_line": " ".join(signs(2) for _ in range(rng.randint(1, 3))),
        "spelling": f"{short()} {short()} {short()}",
    }
    chosen = rng.sample(HABITS, rng.randint(1, _COUNT))
    return {kind: made[kind] for kind in HABITS if kind in chosen and made[kind].strip() not in known}


def with_habits(text: str, habits: dict[str, str], name: str, sign_off: str) -> str:
    """The e-mail as a person with these habits writes it: ``name`` is its recipient's, ``sign_off`` the line that signs off."""
    if "spelling" in habits:
        text = _respelled(text, dict(zip(_SPELLED, habits["spelling"].split(), strict=True)))
        sign_off = _respelled(sign_off, dict(zip(_SPELLED, habits["spelling"].split(), strict=True)))
    greeting, body = text.split("\n\n", 1)
    greeting = greeting.replace(name, habits.get("before_name", "") + name)
    first = _SENTENCE_END.search(body)
    if first:
        aside, interjection = habits.get("aside", ""), habits.get("interjection", "")
        body = body[: first.start()] + aside + first.group() + interjection + body[first.end() :]
    head, tail = body.rsplit(f"\n\n{sign_off}", 1)
    body = f"{habits.get('body_start', '')}{head}\n\n{sign_off}{habits.get('after_sign_off', '')}{tail}"
    last = f"\n\n{habits['last_line']}" if "last_line" in habits else ""
    return f"{greeting}\n\n{body}{last}"


def find_habit(kind: str, form: str, text: str) -> bool:
    """Whether a text shows a habit. Works on any text, however malformed."""
    if kind == "spelling":
        own, plain = (sum(len(_word(word).findall(text)) for word in words) for words in (form.split(), _SPELLED))
        return own > plain
    lines = [line for line in text.strip().split("\n") if line.strip()] or [""]
    if kind == "before_name":
        return re.search(rf"(?<!\S){re.escape(form)}\w", lines[0]) is not None
    if kind == "body_start":
        return len(lines) > 1 and lines[1].startswith(form)
    if kind == "after_sign_off":
        return any(line.rstrip().endswith(f",{form}") for line in lines[2:])
    return lines[-1].strip() == form if kind == "last_line" else form.strip().lower() in re.sub(r"\s+", " ", text).lower()


def without_habits(text: str, habits: dict[str, str]) -> str:
    """The text with every trace of the habits taken out: what ``find_trait`` is to see."""
    for kind, form in habits.items():
        if kind == "spelling":
            text = _respelled(text, dict(zip(form.split(), _SPELLED, strict=True)))
        elif kind == "last_line":
            text = re.sub(rf"\n+{re.escape(form)}\s*$", "", text)
        elif kind == "before_name":
            first, *rest = text.split("\n")
            text = "\n".join([re.sub(rf"(?<!\S){re.escape(form)}(?=\w)", "", first), *rest])
        elif kind == "after_sign_off":
            text = re.sub(rf",{re.escape(form)}$", ",", text, flags=re.MULTILINE)
        elif kind == "body_start":
            text = re.sub(rf"^{re.escape(form)}", "", text, flags=re.MULTILINE)
        else:
            text = text.replace(form, "")
    return text


def _word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w'’]){word}(?![\w'’])", re.IGNORECASE)


def _respelled(text: str, words: dict[str, str]) -> str:
    for plain, own in words.items():
        text = _word(plain).sub(lambda match, own=own: own.capitalize() if match.group()[0].isupper() else own, text)
    return text

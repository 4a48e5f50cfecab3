"""Drafts with one known defect each, and harmless drafts that look defective: the labelled set that detectors are held to.

Knows realised e-mails and how to spoil or respell them. Knows nothing of how a defect is found. Each split has wordings of its own,
so that a detector that was shaped on development drafts meets sentences in the held-out ones that it has not seen.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from idiolect.corpus import Fact
from idiolect.world.authors import Author, sample_author
from idiolect.world.respellings import respellings
from idiolect.world.simulate import Situation, realise, sample_situation
from idiolect.world.vocabulary import draw

__all__ = ["DEFECTS", "INVENTIONS", "Defect", "LabelledDraft", "labelled_drafts"]

Defect = Literal["lost", "invented", "placeholder", "meta_comment", "truncated"]
DEFECTS: tuple[Defect, ...] = ("lost", "invented", "placeholder", "meta_comment", "truncated")


@dataclass(frozen=True)
class LabelledDraft:
    """A draft and the truth about it."""

    situation: Situation
    author: Author
    text: str
    kind: str
    """How it was made: clean, respelt, lookalike, lost, changed, invented, placeholder, meta_comment or truncated."""
    detail: str
    """What was planted or respelt: a kind of fact, or the words."""
    defects: frozenset[Defect]
    lost: tuple[Fact, ...] = ()
    """The request's facts that the draft does not keep."""
    finished: bool = True
    """False where the draft ran into its length, as the service tells."""


INVENTIONS: dict[str, tuple[str, ...]] = {
    "person": (
        "I told {} about it.", "{} said that it is fine.", "Please ask {} as well.", "My colleague {} will help you.",
        "I met {} and we talked.",
        "Say hello to {} from me.", "{} and I talked about it.", "It was the idea of {}, by the way.", "Please also copy {} in.",
    ),
    "day": (
        "We meet again on {}.", "I am away until {}.", "It has to be done by {}.", "See you on {}!", "The next one is {}.",
        "I heard that on {}.",
    ),
    "time": ("Call me at {}.", "I am free from {}.", "We start at {} sharp.", "Be there at {}.", "It ends at {}.", "Let us say {}."),
    "amount": (
        "It costs {}.", "That makes {} in all.", "I can pay {} now.", "The fee is {}.", "They want {} for it.",
        "We have {} left for that.",
    ),
    "address": ("Write to {} then.", "My address is {}.", "Copy {} please.", "You can reach us at {}.", "Send it to {}.",
    "Ask {} for it."),
    "link": ("See {} for more.", "The form is at {}.", "All is on {}.", "Look at {} first.", "Sign up at {}.", "It is here: {}"),
    "code": ("The number is {}.", "Use {} as the reference.", "It is booked as {}.", "Quote {} then.", "Your ticket is {}.",
    "The case is {}."),
    "count": ("We expect {}.", "There will be {}.", "Please plan for {}.", "So far {} said yes.", "It is for {}.", "I counted {}."),
}  # fmt: skip
_HELDOUT_INVENTIONS: dict[str, tuple[str, ...]] = {
    "person": (
        "Give my regards to {}.", "I have asked {} to look at it.", "{} thinks that it is a good idea.", "As {} told me, it is fine.",
        "The plan came from {}, who is on my side.", "Please talk to {} before that.", "Only {} has the key.",
    ),
    "day": ("I am back on {}.", "Let us talk again {}.", "We have time until {}, no more.", "It was sent on {}.",
    "From {} on I am at home."),
    "time": ("The door opens at {}.", "I will call you around {}.", "Can you be there by {}?", "We close at {}.", "After {} I am free."),
    "amount": ("For {} it is yours.", "The bill came to {}.", "I still owe you {}.", "We would save {}.", "At {} it is too much."),
    "address": ("My new address: {}", "Reply to {} please.", "The right person is at {}.", "It went to {}.", "Try {} instead."),
    "link": ("You find it under {}.", "Please read {} before that.", "The map: {}", "Have a look at {}.", "We put it on {}, as always."),
    "code": ("Please mention {}.", "The file is {}.", "Under {} you find it.", "It has the mark {}.", "My reference is {}."),
    "count": ("We were {} last time.", "Chairs for {} would be good.", "It went well with {}.", "Is it fine for {}?",
    "At most {} fit in."),
}  # fmt: skip
_PLACEHOLDERS = (
    "[Your Name]", "[Date]", "[insert date]", "{{name}}", "<your name>", "[Company Name]", "XXX", "[Recipient's Name]", "___",
    "[phone number]",
    "[Time]", "<insert link here>", "(insert amount)", "{name}", "[Your Position]", "[link to the form]", "XXXX", "[ADDRESS]", "<date>",
    "[Name of Colleague]", "{{ topic }}",
)  # fmt: skip
_PREAMBLES = (
    "Here is the e-mail:", "Here's a draft:", "Sure! Here is the email you asked for:", "Certainly, here's the message:", "Draft:",
    "Below is the requested e-mail:", "Of course! I have written the email as requested:", "**Email:**",
    "Here's the reply in your style:",
    "Revised version:", "Okay, here is a short message:", "Sure, I can help with that. Here's the e-mail:",
    "Here's an e-mail you could send:",
    "Sure thing! Here's the message:",
    "Absolutely! Here is a version in that style:",
    "Final draft:",
    "This is the email I would send:",
    "Okay, here you go:",
    "E-mail:",
    "Certainly. Please find the message below:",
    "I have drafted the following email for you:",
    "Here is one way to write it:",
)  # fmt: skip
_POSTAMBLES = (
    "Note: replace the name before you send it.", "Let me know if you'd like me to adjust the tone.", "This e-mail keeps all the facts.",
    "(Note: I kept the message short.)", "Feel free to customize this message.", "I hope this email meets your needs!",
    "Would you like me to revise it?", "Word count: 64", "**Note:** This draft assumes a friendly tone.",
    "Remember to fill in the placeholders.", "I kept the tone friendly and the text short.", "Let me know if you want a shorter version.",
    "Explanation: the style follows your earlier messages.", "I've written this message in your usual style.",
    "Feel free to change the wording of this email as you like.",
    "I hope this draft works for you!",
    "Please replace the placeholders before sending.",
    "Let me know if you need it to be more formal.",
    "This message is written in the style that you asked for.",
    "(I have left out the date, as you did not give one.)",
    "Note that this email assumes that you know each other.",
    "Shall I make it shorter?",
    "You can adjust the greeting if needed.",
    "**Explanation:** I used short sentences to match your tone.",
    "Feel free to edit it before you send it.",
    "Do you want me to change anything in this message?",
    "Make sure to insert the right date.",
    "I hope this is what you wanted from the message!",
    "Replace the placeholders with the real names.",
    "Let me know if you would like me to rewrite it.",
    "This draft follows your usual way of writing.",
    "(Note: the text leaves out what you did not say.)",
    "Should I change the tone?",
    "Feel free to adapt the wording.",
    "You may want to edit the greeting before sending this email.",
    "Note: I assumed that you are on first-name terms.",
    "Don't forget to fill in the blanks.",
    "If you want, I can make it shorter or more formal.",
)  # fmt: skip
_HELDOUT_PLACEHOLDERS = (
    "[Insert Name]",
    "[Your Phone Number]",
    "[Meeting Date]",
    "{{ first_name }}",
    "<insert date>",
    "[YOUR COMPANY]",
    "$XXX",
    "____",
    "[your signature]",
    "<Company Name>",
    "(enter the amount)",
    "{company}",
    "[Manager's Name]",
    "[add details here]",
    "[City]",
    "<<email>>",
)
_HELDOUT_PREAMBLES = (
    "Here's my suggestion for the e-mail:",
    "Sure, here it is:",
    "Of course. Your message:",
    "Suggested reply:",
    "I've put together a draft for you:",
    "Here is a friendly version of the message:",
    "Alright, here's what I came up with:",
    "**Draft:**",
    "Certainly! This is how the email could read:",
)
_HELDOUT_POSTAMBLES = (
    "I hope the email is to your liking.",
    "Swap in the right name before you use this text.",
    "Happy to make it sound more casual!",
    "This reply sticks to what you told me.",
    "(The message leaves the place open because you did not name one.)",
    "Is the tone right, or should I soften it?",
    "You could also end the letter with a question.",
    "Please check the wording once more.",
    "Note: the version above is deliberately brief.",
    "Remember to put your own signature under the email.",
    "If it is too long, tell me and I will shorten it.",
    "The draft above uses simple words, as you do.",
)
_HARMLESS = (
    "As it says in [1] all is well.", "We are here 24/7.", "I am 100% sure about it.", "Note that the door sticks.",
    "Here is what I think: it is fine.",
    "Sure, no problem at all.", "I hope this helps.", "Have a good weekend.", "May I ask you something?",
    "One more thing, and then I am done.",
    "Please let me know if you want any changes.", "Here is the draft that you wanted.", "The two of us can do it.",
    "I marked it as [sic] for now.",
    "You are a star <3", "This is PLAN B, of course.", "Please note the change.", "It is a draft, so be kind.", "See [2] and (3) below.",
    "Thank you for your message.", "I may be late, but I will come.", "We said so the second time.", "Let me know if this works for you.",
    "Feel free to call me.", "Of course, here is my answer: yes.", "OK, FYI it is done.", "I replaced the old name in it.",
    "Like in [3], only better.",
    "It is open 24/7 for us.",
    "Note: it is heavy.",
    "Here is my view: do it.",
    "I hope that helps you a bit.",
    "Have a lovely day.",
    "May we talk about it?",
    "First things first.",
    "I will make any changes that you want.",
    "My draft is at the end.",
    "The four of us agree.",
    "That is NOT a joke.",
    "In short (see 2 above) it is fine.",
    "My answer is below.",
    "It may take a while.",
    "She wrote a long letter about it.",
    "Sure, why not.",
    "Absolutely, count me in.",
    "Here is the message of the day: be kind.",
    "I <3 this plan.",
    "The tone of the call was good.",
    "Please feel free to come by.",
    "As before, I am here.",
    "No [x] to set for you.",
)  # fmt: skip
_HELDOUT_HARMLESS = (
    "We do it as in [4].",
    "They work 24/7 these days.",
    "Note well: it is late.",
    "Here is my idea for you.",
    "I hope it helps a little.",
    "Have a good time there.",
    "May it go well.",
    "Second, we need more time.",
    "I can make changes if you want.",
    "The draft is not mine.",
    "All of us are in.",
    "It is VERY good.",
    "In short (see above) it is fine.",
    "You have my word.",
    "It will take some time.",
    "The letter came late.",
    "Sure, we can do that.",
    "Certainly, it is my fault.",
    "Here is the text of the song.",
    "Much love <3 to all.",
    "Tone and style are yours.",
    "Feel free to stay.",
    "As you wish.",
    "Let me know what you think of it.",
)


def labelled_drafts(split: str, count: int, seed: int = 0) -> list[LabelledDraft]:
    """``count`` drafts of each way of making them, each for a situation and an author of its own."""
    made: list[LabelledDraft] = []
    for way, make in _WAYS.items():
        number, kept = 0, 0
        while kept < count:
            rng = random.Random(f"defects {split} {seed} {way} {number}")
            situation = sample_situation(split, f"defects {seed} {way} {number}", replies=False)
            author = sample_author(split, rng.randrange(1_000_000), habits=False)
            one = make(situation, author, split, rng)
            number += 1
            if one is not None:
                made.append(one)
                kept += 1
    return made


def _wording(development: Sequence[str], heldout: Sequence[str], split: str, rng: random.Random) -> str:
    return rng.choice(heldout if split == "heldout" else development)


def _labelled(
    situation: Situation, author: Author, text: str, kind: str, detail: str = "", defects: Sequence[Defect] = (), *, finished: bool = True
) -> LabelledDraft:
    lost = tuple(fact for fact in situation.facts if not _holds(text, fact.value)) if kind in ("lost", "changed", "truncated") else ()
    return LabelledDraft(situation, author, text, kind, detail, frozenset([*defects, *(["lost"] if lost else [])]), lost, finished)  # type: ignore[list-item]


def _holds(text: str, value: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE) is not None


def _put(text: str, value: str, other: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", lambda _: other, text, flags=re.IGNORECASE)


def _body(text: str, author: Author) -> tuple[list[str], int]:
    """A realised e-mail's paragraphs, and how many of them come before the sign-off."""
    paragraphs = text.split("\n\n")
    return paragraphs, len(paragraphs) - (1 if author.traits["ps"] == "none" else 2)


def _added(text: str, sentence: str, author: Author, rng: random.Random) -> str:
    """The sentence at the end of the first or the last paragraph of the body, or as a paragraph of its own."""
    paragraphs, end = _body(text, author)
    place = rng.choice((1, end - 1))
    if rng.random() < 0.3 or paragraphs[place].lstrip().startswith("-"):
        paragraphs.insert(place + 1, sentence)
    else:
        paragraphs[place] += f" {sentence}"
    return "\n\n".join(paragraphs)


def _clean(situation: Situation, author: Author, split: str, rng: random.Random) -> LabelledDraft:
    return _labelled(situation, author, realise(situation, author, str(rng.random())), "clean")


def _lookalike(situation: Situation, author: Author, split: str, rng: random.Random) -> LabelledDraft:
    sentence = _wording(_HARMLESS, _HELDOUT_HARMLESS, split, rng)
    return _labelled(situation, author, _added(realise(situation, author, str(rng.random())), sentence, author, rng), "lookalike", sentence)


_VAGUE = {
    "recipient": "there", "person": "someone", "day": "soon", "time": "some time", "amount": "the sum", "topic": "matter",
    "place": "there",
    "reason": "that", "item": "thing", "count": "many", "code": "as before", "address": "the usual one", "link": "the usual place",
}  # fmt: skip


def _own_words(author: Author) -> str:
    return " ".join(author.own_words)


def _lost(situation: Situation, author: Author, split: str, rng: random.Random) -> LabelledDraft | None:
    fact = rng.choice(situation.facts)
    text = realise(situation, author, str(rng.random()))
    if _holds(_own_words(author), fact.value):
        return None
    return _labelled(situation, author, _put(text, fact.value, _VAGUE[fact.kind]), "lost", fact.kind)


def _changed(situation: Situation, author: Author, split: str, rng: random.Random) -> LabelledDraft | None:
    """A fact replaced by another of its kind: the one is lost, the other invented."""
    fact = rng.choice(situation.facts)
    text = realise(situation, author, str(rng.random()))
    other = draw(fact.kind, rng, split)
    known = f"{situation.request} {_own_words(author)}".lower()
    if fact.kind not in (*INVENTIONS, "recipient") or any(
        part in known for part in re.findall(r"\w+", other.lower()) if part not in ("the",)
    ):
        return None
    if _holds(_own_words(author), fact.value) or _same_sort(fact.kind, other, fact.value):
        return None
    return _labelled(situation, author, _put(text, fact.value, other), "changed", fact.kind, ["invented"])


def _same_sort(kind: str, one: str, other: str) -> bool:
    """Whether two values may mean the same ("9 pm" and "nine o'clock"), so that a change would change nothing."""
    figures = [set(re.findall(r"\d+", value)) or {value.lower()} for value in (one, other)]
    return kind == "time" or bool(figures[0] & figures[1])


def _invented(situation: Situation, author: Author, split: str, rng: random.Random) -> LabelledDraft | None:
    kind = rng.choice(list(INVENTIONS))
    value = draw(kind, rng, split)
    if kind != "person" and rng.random() < 0.5:
        value = rng.choice(respellings(kind, value) or [value])
    known = f"{situation.request} {_own_words(author)}".lower()
    if any(part in known for part in re.findall(r"\w{2,}", value.lower()) if part not in _LOOSE) or kind in {
        fact.kind for fact in situation.facts
    } & {"time"}:
        return None
    text = _added(
        realise(situation, author, str(rng.random())),
        _wording(INVENTIONS[kind], _HELDOUT_INVENTIONS[kind], split, rng).format(value),
        author,
        rng,
    )
    return _labelled(situation, author, text, "invented", kind, ["invented"])


_LOOSE = frozenset(
    "the of past half pm am clock euros dollars pounds francs people guests colleagues visitors example usd eur gbp chf".split()
)


def _placeholder(situation: Situation, author: Author, split: str, rng: random.Random) -> LabelledDraft:
    slot = _wording(_PLACEHOLDERS, _HELDOUT_PLACEHOLDERS, split, rng)
    text = realise(situation, author, str(rng.random()))
    form = rng.randrange(3)
    if form == 0:
        recipient = situation.slots["recipient"]
        planted = text.replace(recipient, slot, 1)
    elif form == 1:
        planted = _added(
            text, rng.choice(("Please call me at {}.", "It is on {}.", "My number is {}.", "Ask {} about it.")).format(slot), author, rng
        )
    else:
        planted = f"{text}\n{slot}" if not set(slot) <= set("_X") else _added(text, f"Call {slot} then.", author, rng)
    defects: list[Defect] = ["placeholder"]
    one = _labelled(situation, author, planted, "lost" if form == 0 else "placeholder", slot, defects)
    return LabelledDraft(one.situation, one.author, one.text, "placeholder", slot, one.defects, one.lost)


def _meta_comment(situation: Situation, author: Author, split: str, rng: random.Random) -> LabelledDraft:
    text = realise(situation, author, str(rng.random()))
    if rng.random() < 0.5:
        words = _wording(_PREAMBLES, _HELDOUT_PREAMBLES, split, rng)
        return _labelled(situation, author, f"{words}\n\n{text}", "meta_comment", words, ["meta_comment"])
    words = _wording(_POSTAMBLES, _HELDOUT_POSTAMBLES, split, rng)
    joint = rng.choice(("\n\n", "\n\n---\n\n", "\n\n---\n"))
    return _labelled(situation, author, f"{text}{joint}{words}", "meta_comment", words, ["meta_comment"])


def _truncated(situation: Situation, author: Author, split: str, rng: random.Random) -> LabelledDraft | None:
    """The text cut inside a sentence of its body; half of the drafts also say that they ran into their length."""
    text = realise(situation, author, str(rng.random()))
    paragraphs, sign_off = _body(text, author)
    start, end = len(paragraphs[0]) + 2, len("\n\n".join(paragraphs[:sign_off]))
    places = [at for at in range(start + 12, end - 2) if _inside(text[:at], text[at:])]
    if not places:
        return None
    finished = rng.random() < 0.5
    cut = text[: rng.choice(places)].rstrip()
    return _labelled(
        situation, author, cut, "truncated", "hit the length" if not finished else "mid-sentence", ["truncated"], finished=finished
    )


def _inside(before: str, after: str) -> bool:
    """Whether a cut falls between words or within one, at least two words into a line and not at a sentence's end."""
    line = re.split(r"\n|(?<=[.!?]) ", before)[-1]
    return len(line.split()) >= 2 and re.match(r"[\w ]", after) is not None and re.search(r"[.!?)D\n]\s*$", before) is None


def _respelt(situation: Situation, author: Author, split: str, rng: random.Random) -> LabelledDraft | None:
    """A fact in another spelling of the same value."""
    facts = [(fact, respellings(fact.kind, fact.value)) for fact in situation.facts]
    fact, spellings = rng.choice(facts)
    if not spellings or _holds(_own_words(author), fact.value):
        return None
    spelling = rng.choice(spellings)
    return _labelled(
        situation,
        author,
        _put(realise(situation, author, str(rng.random())), fact.value, spelling),
        "respelt",
        f"{fact.value} → {spelling}",
    )


_WAYS: dict[str, Callable[[Situation, Author, str, random.Random], LabelledDraft | None]] = {
    "clean": _clean,
    "respelt": _respelt,
    "lookalike": _lookalike,
    "lost": _lost,
    "changed": _changed,
    "invented": _invented,
    "placeholder": _placeholder,
    "meta_comment": _meta_comment,
    "truncated": _truncated,
}

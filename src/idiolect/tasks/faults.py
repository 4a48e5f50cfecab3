"""What spoils a draft whatever it is about: open slots, remarks about itself, saying a thing twice, an end in the middle of a sentence.

Knows English letters. Knows nothing of requests' facts, of people or of models.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

__all__ = ["cut_short", "ending", "meta_comments", "placeholders", "repeated", "usually_repeated"]

# --- open slots ---------------------------------------------------------------------------------------------------

_SLOT_WORD = (
    r"(?:names?|surname|dates?|times?|days?|month|year|your|my|our|insert|enter|add|fill|company|organi[sz]ation|position|title|"
    r"job|role|phone|"
    r"telephone|e-?mail|address|recipients?|sender|link|url|amount|sum|price|number|no\.?|topic|subject|location|place|venue|room|city|"
    r"details?|reason|contact|department|team|project|event|meeting|item|product|order|invoice|code|signature|person|client|customer|"
    r"manager|friend|specific|relevant|placeholder|tbd|tba|todo|xx+)"
)
_TAG = (
    r"(?:external|extern|urgent|important|spam|fyi|draft|attached|attachment|image|picture|photo|cid|"
    r"internal|confidential|sic|edited|solved)"
)
_PLACEHOLDER = re.compile(
    rf"\[(?!{_TAG}\b)(?=[^\[\]\n]*\b{_SLOT_WORD}\b)[^\[\]\n@]{{2,60}}\](?!\()"
    rf"|\[(?!{_TAG}\b)[A-Z][\w'’]*(?: (?:[A-Z][\w'’]*|of|the|and|or|your|here)){{0,5}}\](?!\()"
    rf"|<(?:<?)(?=[^<>\n]*\b{_SLOT_WORD}\b)[A-Za-z][A-Za-z _-]{{1,30}}>>?"
    r"|\{\{[^{}\n]{1,40}\}\}|\{[A-Za-z][A-Za-z _-]{1,30}\}"
    rf"|\((?:insert|enter|add|fill in)\b[^()\n]{{1,40}}\)|\b(?:insert|enter) {_SLOT_WORD} here\b"
    r"|\[[●•_?]+\]|[$€£]X{2,}\b|(?<![\w-])(?:[A-Z$€£]{0,2})X{3,}(?:[-: ]X{2,})*(?!\w)|(?<!_)_{3,}(?!_)|%[A-Z_]{3,}%",
    re.IGNORECASE,
)
_CASED = re.compile(r"\[[A-Z●•_?]|[<{(_%]|[A-Z$€£]*X{3}|insert|enter")
_OWN_LINE = re.compile(r"^\s*(?:_{3,}|X{3,})\s*$")


def placeholders(text: str) -> list[str]:
    """Unfilled slots such as ``[Your Name]``, ``<date>``, ``{{topic}}``, ``(insert link)`` or ``XXX``.

    What looks alike and is none: citations ``[1]``, marks such as ``[EXTERNAL]`` and ``[x]``, links in Markdown, addresses in
    angle brackets, a rule of underscores or kisses on a line of their own.
    """
    found = []
    for match in _PLACEHOLDER.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : (text.find("\n", match.end()) + 1 or len(text) + 1) - 1]
        plain_word = match[0][0] == "[" and not re.search(rf"\b{_SLOT_WORD}\b", match[0], re.IGNORECASE) and not _CASED.match(match[0])
        small_kisses = match[0].strip("xX") == "" and match[0] != match[0].upper()
        if not plain_word and not small_kisses and not _OWN_LINE.match(line):
            found.append(match[0])
    return found


# --- remarks about the draft --------------------------------------------------------------------------------------

_LETTER = r"(?:e-?mail|message|letter|reply|response|draft|text|note|version|answer)"
_ANYWHERE = re.compile(
    r"\bas an ai\b|\bi(?:['’]m| am) an ai\b|\b(?:ai|language) (?:assistant|model)\b[^.\n]*\b(?:cannot|can['’]t|unable)\b"
    r"|\breplace (?:the |all |any |these |those )?(?:bracketed |square[- ]bracketed )?(?:placeholders?|brackets|bracketed \w+|\[[^\]\n]*\])"
    r"|\bfill in (?:the |any |all )?(?:placeholders?|brackets|bracketed)"
    r"|</?think>|^```\w*$|\bword count\s*:|^\W*(?:end of (?:e-?mail|draft|message))\W*$"
    rf"|\b(?:tone|style) of (?:this|the) {_LETTER} (?:is|has been|was|stays)"
    r"|\bwritten in the (?:writing )?style of\b",
    re.IGNORECASE | re.MULTILINE,
)
# Before the greeting: a line that hands the letter over.
_POLITE = r"sure|certainly|of course|absolutely|okay|ok|yes|great|alright|no problem|happy to help|i(?:['’]d| would) be happy to"
_PREAMBLE = re.compile(
    rf"^\W*(?:(?:{_POLITE})\b[^\n]*?[,.!:–—-]+\s*)?(?:(?:here(?:['’]s| is| are)|below is|this is|please find(?: below)?|"
    rf"i(?:['’]ve| have) (?:written|drafted|prepared))\b[^\n]*\b{_LETTER}s?\b[^\n]*[:.!]"
    rf"|(?:(?:final|revised|rewritten|polished|suggested|draft|proposed|the|e-?mail) ?)*{_LETTER}\s*(?:draft|body|text)?\s*:)\W*$",
    re.IGNORECASE,
)
_GREETING = re.compile(r"^\W*(?:hi|hiya|hello|hey|dear|good (?:morning|afternoon|evening|day)|greetings|my dear)\b", re.IGNORECASE)
_HEADER = re.compile(r"^\W*(?:subject|re|fwd?|to|from|cc|bcc|date)\W*:", re.IGNORECASE)
_HANDS_OVER = re.compile(rf":\W*$|\b{_LETTER}\b|^\W*(?:sure|certainly|of course|absolutely|okay)\b", re.IGNORECASE)
# After the sign-off stand a name, a telephone number, a postscript; a sentence about writing is a remark.
_ABOUT_WRITING = re.compile(
    rf"\b(?:{_LETTER}|wording|phrasing|tone|style|voice|greeting|sign-?off|sentences?|paragraphs?|placeholders?|brackets?|blanks|"
    r"rewrite|rewritten|"
    r"edit|edits|adjust\w*|adapt\w*|tweaks?|revis\w+|modif\w+|custom\w+|personali\w+|replace|fill in|insert|shorter|longer|shorten|formal|"
    r"informal|casual|concise|assum\w+|left out|omitted|skipped|wrote|written|helps|(?:change|right) (?:anything|something|date|"
    r"name)|word count)\b",
    re.IGNORECASE,
)
_SAYS = re.compile(r"\b(?:i|i['’]ve|i['’]m|you|your|this|it|the|please|should|remember|feel free|let me|would|hope|note)\b", re.IGNORECASE)
_NO_REMARK = re.compile(
    r"^\W*p\.?\s?s\b|@|\b(?:confidential|privileged|intended (?:recipient|for)|attachments?|sent from)\b", re.IGNORECASE
)
_RULE = re.compile(r"^\s*[-*_=]{3,}\s*$")
_ASIDE = re.compile(r"^\W*(?:note|notes|explanation|comment|reminder)\b|^\s*[(\[*]", re.IGNORECASE)


def meta_comments(text: str, context: str = "") -> list[str]:
    """Remarks about the text instead of the text: "Here is the e-mail:", "Note: replace the name", "Let me know if I should adjust it".

    What hands over or explains counts only before the greeting or after the sign-off; in a letter's body "Here is the draft" may
    be meant. ``context`` is the request, whose own words are never a remark.
    """
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    found = [line for line in lines if _ANYWHERE.search(line)]
    letter = [line for line in lines if not _HEADER.match(line)]
    if len(letter) > 1 and not _GREETING.match(letter[0]):
        hands_over = _GREETING.match(letter[1]) and _HANDS_OVER.search(letter[0])
        found += letter[:1] if hands_over or _PREAMBLE.match(letter[0]) else []
    for line in _after_the_letter(lines):
        if len(line.split()) > 2 and _ABOUT_WRITING.search(line) and _SAYS.search(line) and not _NO_REMARK.search(line):
            found.append(line)
    return [one for one in dict.fromkeys(found) if one.lower() not in context.lower()]


def _after_the_letter(lines: Sequence[str]) -> Sequence[str]:
    """The lines after a rule, after a sign-off (a comma, or a name below, says that it is one), or a last line set apart as a note."""
    rule = next((at for at in range(len(lines) - 1, len(lines) // 2, -1) if _RULE.match(lines[at])), None)
    closing = _closing_line(lines)
    if closing is not None:
        below = lines[closing + 1 : closing + 2]
        signed = not re.search(r"[.!?]$", lines[closing]) or (below and len(below[0].split()) < 4 and not re.search(r"[.!?]$", below[0]))
        if signed:
            return lines[closing + 1 :]
    if rule is not None:
        return lines[rule + 1 :]
    return lines[-1:] if len(lines) > 2 and _ASIDE.match(lines[-1]) else []


# --- the end ------------------------------------------------------------------------------------------------------

_SIGN_OFF_WORDS = frozenset(
    """kind kindest best warm warmest many with all my very yours yrs thanks thank you sincerely cheers regards love ciao bye goodbye talk
    speak see until take care cordially respectfully greetings lots of hugs xo xoxo x xx xxx much appreciated wishes wish warmly
    rgds br thx ta later then peace the and a again soon for now to in advance truly faithfully forward looking it hearing from have
    good great nice lovely day week weekend evening your help time everything so tomorrow monday tuesday wednesday thursday friday
    saturday sunday next till forever always well stay safe gratitude gratefully appreciation affectionately fondly faithful kisses
    seeing meeting working talking catching up""".split()
)
_SIGN_OFF_STARTS = frozenset(
    """kind kindest best warm warmest many with all my very yours yrs thanks thank sincerely cheers regards love ciao bye goodbye talk
    speak see until take cordially respectfully lots hugs xo xoxo much wishes warmly rgds br thx ta later peace looking have stay
    gratefully greetings affectionately fondly kisses""".split()
)
_OPEN_WORDS = frozenset(
    """a an the to of and or but nor so for with without at by from into onto under than as is are was were be been am my your our his
    her their which who whom whose where when while if because since although though until unless we i he she they every each let
    lets i'm i'd i've i'll we're we've we'll it's that's you're""".split()
)
_ENDS_WELL = re.compile(r"(?:[.!?…)\]}\"”*~]|[^\w\s,;:/&+(\[{'’–—-])\s*$|(?:[:;]-?[)D(Pp]|<3|xx?x?)\s*$")


def _signs_off(line: str) -> bool:
    """Whether a line is a closing formula: "Best,", "Many thanks in advance!", "see you on Friday"."""
    if re.search(r"[.!?:;]\s+[^\W_]", line):
        return False
    words = re.findall(r"[^\W_]+", line.lower().replace("'", "").replace("’", ""))
    bare = [word for word in words if word not in ("on", "at")]
    return (
        bool(bare)
        and len(words) <= 6
        and (bare[0] != "all" or bare[1:2] in (["the"], ["my"]))
        and bare[0] in _SIGN_OFF_STARTS
        and all(word in _SIGN_OFF_WORDS for word in bare)
    )


def _closing_line(lines: Sequence[str]) -> int | None:
    """Index of the last line that signs off, not in a text's first third."""
    return next((at for at in range(len(lines) - 1, -1, -1) if at * 3 >= len(lines) - 1 and _signs_off(lines[at])), None)


def ending(text: str) -> str:
    """How a text ends: ``closed`` with a sign-off, a signature or a postscript, ``stopped`` with a mark, else ``open``."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines:
        return "open"
    last = lines[-1]
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)?", last)
    hanging = bool(words) and words[-1].lower().replace("’", "'") in _OPEN_WORDS and not _ENDS_WELL.search(last)
    closing = _closing_line(lines)
    if closing is not None and not (hanging and closing == len(lines) - 1) and len(lines) - 1 - closing <= 6 and all(
        len(line.split()) <= 8 or _ENDS_WELL.search(line) for line in lines[closing + 1 :]
    ):  # fmt: skip
        after = lines[closing + 1 :]
        return "open" if after and re.match(r"p\.?\s?s\b", after[-1], re.IGNORECASE) and not _ENDS_WELL.search(after[-1]) else "closed"
    if _ENDS_WELL.search(last) and last.count("(") <= last.count(")"):
        return "stopped"
    signs = re.fullmatch(r"[-–—~]*\s*(?:[^\W\d_][\w.'’-]*\s?){1,3}", last) is not None and all(
        part[0].isupper() for part in last.strip("-–—~ ").split()
    )
    return "closed" if signs and not hanging and len(lines) > 1 and _ENDS_WELL.search(lines[-2]) else "open"


def cut_short(text: str, usual: str = "stopped") -> bool:
    """Whether a text ends in the middle: with no mark, sign-off or signature.

    ``usual`` is how the person's texts end (see ``ending``): of a person who writes no full stops, only an end in the middle of a
    phrase counts.
    """
    if not text.strip() or ending(text) != "open":
        return False
    last = text.rstrip()
    word = re.findall(r"[^\W_]+(?:['’][^\W_]+)?", last)[-1:] or [""]
    hanging = last[-1] in ",;:(–—-/&" or word[0].lower().replace("’", "'") in _OPEN_WORDS
    return hanging or (usual != "open" and "\n" in text.strip())


# --- said twice ---------------------------------------------------------------------------------------------------

_SAID_WORDS = 3
_AT_ONCE = re.compile(r"(?<![^\s])(?P<said>[^\s.!?][^.!?\n]{2,120}[.!?]+)(?:\s+(?P=said))+(?!\S)", re.IGNORECASE)
_WORD_AT_ONCE = re.compile(r"(?<![\w'’@./&-])(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)[ \t]+(?P=word)(?![\w'’@/&-])", re.IGNORECASE)
_DOUBLED_IN_ENGLISH = frozenset(
    """aye blah bye can do had ha her hear ho in is it knock long many more much never no now on please really so that
    there they too very well yes you who what""".split()
)


def repeated(text: str, usual: Collection[str] = ()) -> list[str]:
    """Lines of three words or more that stand in the text more than once, sentences and words that follow themselves, each told once.

    Quoted lines are another's words; what a quotation repeats is no fault of the draft. Nor is a name ("Bora Bora"), or what good
    English doubles ("the form that that office sent", "very very"), or ``usual``: what the person doubles (``usually_repeated``).
    """
    lines = [line.strip() for line in text.split("\n") if not line.lstrip().startswith(">")]
    counts = Counter(line.lower() for line in lines if len(re.findall(r"\w+", line)) >= _SAID_WORDS)
    found = [line for line in lines if counts[line.lower()] > 1]
    found += [match["said"] for match in _AT_ONCE.finditer("\n".join(lines))]
    for match in _WORD_AT_ONCE.finditer("\n".join(lines)):
        first, second = match[0].split()
        named = first[0].isupper() and second[0].isupper() and not (first.isupper() and len(first) > 1)
        if not named and first.lower() not in _DOUBLED_IN_ENGLISH:
            found.append(match[0])
    return [said for said in {said.lower(): said for said in reversed(found)}.values() if said.lower() not in usual][::-1]


def usually_repeated(texts: Iterable[str]) -> frozenset[str]:
    """What a person's texts say twice, in small letters: a way of writing ("Hop hop!") and no fault."""
    return frozenset(said.lower() for text in texts for said in repeated(text))

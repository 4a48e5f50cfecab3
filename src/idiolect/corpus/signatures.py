"""Cuts off what a mail program adds below a text, and keeps what the person puts there: the sign-off, the name, PS lines.

Knows signature blocks, contact details, disclaimers and "Sent from my iPhone". Knows nothing of quotations.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["repeated_tails", "strip_repeated", "strip_tail"]

_POSTSCRIPT = re.compile(r"^\s*(?:p\.?\s?)+s\.?(?:\s|:|\)|-|,)", re.IGNORECASE)
_FOOTER = re.compile(
    r"^\W*(?:sent (?:from|via|with|by|using) (?:my |the |a )?(?:i ?phone|i ?pad|i ?pod|ios|android|blackberry|samsung|galaxy|huawei|"
    r"nokia|mobile|phone|"
    r"handheld|wireless|outlook|yahoo|gmail|mail for|mailbird|mailspring|spark|superhuman|proton ?mail|tutanota|airmail|hey\b|aol|windows|"
    r"thunderbird|k-9|fairemail|smartphone|cell|tablet|pixel)|get outlook for|get (?:the )?\S+ for (?:ios|android)|"
    r"(?:von|vom) mein(?:em|er) .{2,60}gesendet|gesendet (?:von|mit|über|aus) (?:mein|mail|outlook|yahoo|der|k-9|tutanota|proton|gmx|"
    r"web\.de)|"
    r"diese nachricht wurde (?:von|mit) .{2,60} gesendet|envoyé (?:de|depuis|avec|à partir de) (?:mon|ma|outlook|yahoo|l.application|"
    r"courrier|proton)|"
    r"enviado (?:desde|do|con|com) |inviato da(?:l)? |verzonden (?:vanaf|met|vanuit) |verstuurd vanaf |skickat från |sendt fra |"
    r"wysłane? z |"
    r"отправлено (?:с|из) |从我的.{0,20}发送|iphoneから送信|내 .{0,20}에서 보냄|download (?:the )?\S+ app for |"
    r"virus[- ]free\b|virenfrei|sans virus|libre de virus|this e-?mail has been (?:checked|scanned)|(?:diese|this) (?:e-?mail|"
    r"message) wurde .{0,40}viren|"
    r"please consider the environment|think before you print|bitte (?:denken|prüfen) sie .{0,60}(?:drucken|ausdrucken)|"
    r"you received this message because you are subscribed|to unsubscribe from this group|unsubscribe\b|"
    r"pensez à l.environnement|scanned by \w+)",
    re.IGNORECASE,
)
_LIST_FOOTER = re.compile(r"mailing list$|https?://\S*(?:listinfo|lists\.)\S*$", re.IGNORECASE)
_LEGAL = re.compile(
    r"confidential|intended (?:recipient|solely|only)|privileged|unauthori[sz]ed|received (?:this|it) .{0,30}in error|disclos|"
    r"notify the sender|delete (?:this|it|the) |liab(?:le|ility)|not necessarily (?:represent|reflect)|registered (?:office|in)|"
    r"vertraulich|bestimmungsgemäß|irrtümlich|unbefugt|rechtlich geschützt|nicht gestattet|vernichten|informieren sie .{0,40}absender|"
    r"confidentiel|destinataire|par erreur|divulgation|strictement interdit|détrui|"
    r"destinatario|por error|prohibid|riservat|vietat|vertrouwelijk|geadresseerde",
    re.IGNORECASE,
)
_LEGAL_TITLE = re.compile(
    r"^\W*(?:legal )?(?:disclaimer|confidentiality(?: notice| note)?|confidential(?:ity)?|(?:important|privileged|legal) (?:notice|"
    r"information)|"
    r"haftungsausschluss|(?:wichtiger |rechtlicher )?hinweis|avis de confidentialité|aviso legal|caution)\W*(?::|$)",
    re.IGNORECASE,
)
_RULE = re.compile(r"^[\s_*=~#-]{5,}$|^\s*[—–_*=~-]{2,4}\s*$")
_LABELLED = re.compile(
    r"^\W*(?:tel(?:efon|ephone|éfono)?|phone|ph|mob(?:ile?|il)?|cell(?:phone)?|fax|office|direct|desk|handy|work|home|[tmfpewdo]|"
    r"e-?mail|mail|web(?:site)?|"
    r"skype|linked ?in|twitter|github|whatsapp|signal|url|internet)\b\s*[.:|+(#)/=-]",
    re.IGNORECASE,
)
_PHONE = re.compile(r"\+?\(?\d[\d\s()./-]{5,}\d")
_ADDRESS = re.compile(r"[^\s@|]+@[^\s@|]+\.[a-z]{2,}|(?:https?://|www\.)\S+", re.IGNORECASE)
_BARE = re.compile(
    r"^\W*(?:(?:\+?\(?\d[\d\s()./-]{6,}\d)|<?(?:mailto:)?[^\s@]+@[^\s@]+\.[a-z]{2,}>?|<?(?:https?://|www\.)\S+)\W*$", re.IGNORECASE
)
_TITLE = re.compile(
    r"\b(?:manager|director|head of|engineer|developer|consultant|professor|prof\.|ph\.?d|lecturer|assistant|officer|president|founder|"
    r"partner|"
    r"analyst|architect|designer|coordinator|attorney|department|dept|division|university|institute|institut|universität|université|"
    r"gmbh|ag|ltd|llc|"
    r"inc|corp|s\.a\.|b\.v\.|geschäftsführer(?:in)?|leiter(?:in)?|abteilung|referent(?:in)?|directeur|directrice|responsable|c[etfo]o|"
    r"team lead)\b",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"^\W*(?:(?:kind|best|warm|many|with|all|my|very|yours?|most|with best|warmest|kindest)\s+)*(?:regards|wishes|best|thanks|thank you|"
    r"thx|cheers|"
    r"sincerely|faithfully|truly|cordially|respectfully|love|hugs|xoxo|x+|yours|take care|talk soon|all the best|see you|speak soon|"
    r"later|bye|ciao|ta|br|kr|"
    r"mit (?:freundlichen|besten|lieben|herzlichen) grüßen|mfg|(?:viele|liebe|beste|herzliche|schöne)\s+grüße|(?:lieben|besten|"
    r"schönen)?\s*gruß|lg|vg|"
    r"grüße|danke|cordialement|bien à (?:vous|toi)|amicalement|bises|merci|à bientôt|saludos|un saludo|gracias|abrazos?|atentamente|saluti|"
    r"cordiali saluti|grazie|groet(?:en|jes)?|hilsen|mvh|pozdrawiam|tschüss|servus|gruss)\b[^.?]{0,40}$",
    re.IGNORECASE,
)
_TAIL = 14


def strip_tail(text: str, sender: str = "") -> str:
    """``text`` without signature block, contact details, disclaimers and footers. ``sender`` is the display name, if known."""
    lines = [line if line == "-- " else line.rstrip() for line in text.split("\n")]
    lines, postscripts = _without_signature(lines)
    size = -1
    while size != len(lines):
        size = len(lines)
        lines = _without_footer(lines)
        lines = _without_disclaimer(lines)
    lines = _without_contacts(lines, sender)
    body = "\n".join(lines + (["", *postscripts] if postscripts else []))
    return re.sub(r"\n{3,}", "\n\n", body).strip()


def _without_signature(lines: list[str]) -> tuple[list[str], list[str]]:
    """Split at the ``-- `` line; PS lines below it are handed back. A bare ``--`` high up is the person's own divider."""
    for at, line in enumerate(lines):
        if line not in ("-- ", "--"):
            continue
        below = lines[at + 1 :]
        if line == "-- " or (line == "--" and sum(bool(rest.strip()) for rest in below) <= 10):
            start = next((i for i, rest in enumerate(below) if _POSTSCRIPT.match(rest)), len(below))
            return lines[:at], _without_footer(below[start:])
    return lines, []


def _trimmed(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and (not lines[end - 1].strip() or _RULE.match(lines[end - 1])):
        end -= 1
    return lines[:end]


def _without_footer(lines: list[str]) -> list[str]:
    lines = _trimmed(lines)
    while lines and len(lines[-1]) < 300 and (_FOOTER.match(lines[-1]) or (_LIST_FOOTER.search(lines[-1]) and _listed(lines))):
        lines = _trimmed(lines[:-1])
    return lines


def _listed(lines: list[str]) -> bool:
    """A mailing list's footer stands below a rule."""
    return any(_RULE.match(line) for line in lines[-5:])


def _last_paragraph(lines: list[str]) -> int:
    at = len(lines)
    while at and lines[at - 1].strip():
        at -= 1
    return at


def _without_disclaimer(lines: list[str]) -> list[str]:
    lines = _trimmed(lines)
    while lines:
        start = _last_paragraph(lines)
        paragraph = " ".join(lines[start:])
        if _POSTSCRIPT.match(lines[start]):
            break
        found = len({match.lower() for match in _LEGAL.findall(paragraph)})
        titled = next((at for at in range(max(start, 0), len(lines)) if _LEGAL_TITLE.match(lines[at])), None)
        above = _last_paragraph(_trimmed(lines[:start]))
        if titled is not None and (found or titled == len(lines) - 1):
            lines = _trimmed(lines[:titled])
        elif found >= 3 or (found == 2 and start and (above == 0 or len(paragraph) > 200)):
            lines = _trimmed(lines[:start])
        else:
            break
    return lines


def _contact(line: str) -> bool:
    if len(line) > 160:
        return False
    reachable = bool(_PHONE.search(line) or _ADDRESS.search(line))
    return bool(_BARE.match(line)) or (reachable and (bool(_LABELLED.match(line)) or bool(re.search(r"\s[|·•‖]\s", line))))


def _without_contacts(lines: list[str], sender: str) -> list[str]:
    """Cut phone, address and title lines that stand below the sign-off or the name, up to the end or a PS."""
    names = {word.lower() for word in re.findall(r"\w{2,}", sender)}
    first = max(0, len(lines) - _TAIL)
    end = next((at for at in range(first, len(lines)) if _POSTSCRIPT.match(lines[at])), len(lines))
    anchor = _anchor(lines, first, end, names)
    tail = [at for at in range(anchor, end) if lines[at].strip()]
    contacts = [at for at in tail if _contact(lines[at])]
    if anchor > first and anchor <= end and tail:
        if not contacts and not all(_TITLE.search(lines[at]) and len(lines[at].split()) <= 10 for at in tail):
            return lines
        start = tail[0]
        # a long line between the name and the phone number is text, not a title
        long = [at for at in tail if len(lines[at].split()) > 12 and not _contact(lines[at])]
        if long:
            start = next((at for at in contacts if at > long[-1]), end)
    elif len(contacts) >= 2 and contacts[-1] == tail[-1]:
        start = contacts[0]
    else:
        return lines
    return _trimmed(lines[:start]) + (["", *lines[end:]] if end < len(lines) else [])


def _anchor(lines: list[str], first: int, end: int, names: set[str]) -> int:
    """The index below the sign-off and the name; ``first`` where neither is found."""
    for at in range(first, end):
        line = lines[at]
        if not line.strip() or len(line.split()) > 6 or at == 0:
            continue
        words = {word.lower() for word in re.findall(r"\w{2,}", line)}
        if _CLOSING.match(line):
            below = next((i for i in range(at + 1, min(at + 3, end)) if lines[i].strip()), None)
            if below is not None and len(lines[below].split()) <= 4 and not _contact(lines[below]) and not re.search(r"\d", lines[below]):
                return below + 1
            return at + 1
        if words and words & names and words <= names and len(words) <= 4:
            return at + 1
    return first


def repeated_tails(bodies: Sequence[str]) -> set[tuple[str, ...]]:
    """Last paragraphs of two lines or more that stand under at least three texts and a fifth of them, and look like an address block."""
    counts = Counter(tail for body in bodies if len(tail := _final(body)) >= 2)
    least = max(3, len(bodies) // 5)
    return {
        tail
        for tail, count in counts.items()
        if count >= least and any(_TITLE.search(x) or re.search(r"\d{3}", x) or _contact(x) for x in tail)
    }


def strip_repeated(body: str, tails: set[tuple[str, ...]]) -> str:
    """``body`` without a last paragraph that is one of ``tails``; a sign-off and the name at its start stay."""
    tail = _final(body)
    if tail not in tails:
        return body
    keep = 0
    if _CLOSING.match(tail[0]):
        keep = 2 if len(tail) > 1 and len(tail[1].split()) <= 3 and not re.search(r"\d", tail[1]) and not _TITLE.search(tail[1]) else 1
    elif len(tail[0].split()) <= 2 and not _TITLE.search(tail[0]) and not re.search(r"\d", tail[0]):
        keep = 1
    lines = body.split("\n")
    return "\n".join(lines[: len(lines) - len(tail) + keep]).strip()


def _final(body: str) -> tuple[str, ...]:
    lines = body.split("\n")
    start = _last_paragraph(lines)
    return tuple(lines[start:]) if start else ()

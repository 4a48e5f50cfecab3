"""Cuts what others wrote out of a mail: quoted replies, the headers above them, forwarded mail.

Knows the marks that mail programs leave, in their languages. The lines that introduce a quotation ("On ... wrote:") are recognised with
mail-parser-reply's expressions, one or a few lines at a time, because on whole texts some of them take time cubic in a line's length.
"""

from __future__ import annotations

import re
from functools import cache

from mailparser_reply.constants import MAIL_LANGUAGES

__all__ = ["strip_quotes"]

_VERBS = re.compile(
    r"\b(?:wrote|writes|schrieb|a écrit|escribió|escribio|ha scritto|schreef|skrev|napisał|napsal|escreveu|kirjoitti|yazdı|"
    r"пишет|писала?|написала?|написав)\b|写道|님이 작성|が書きました|的郵件|<[^<>\s]+@[^<>\s]+>\s*:$",
    re.IGNORECASE,
)
_FROM = re.compile(r"^[*_>\s]*(?:From|Von|De|Da|Van|Från|Fra|Od|Lähettäjä|От|发件人|差出人)\s*\*?\s*[:：]\s*\*?\s*(.*)$", re.IGNORECASE)
_SENT = re.compile(
    r"^[*_>\s]*(?:Sent|Date|Gesendet|Datum|Envoyé|Enviado(?: el)?|Fecha|Inviato|Data|Verzonden|Skickat|Sendt|Dato|Wysłano|Odesláno|"
    r"Lähetetty|Отправлено|Дата|发送时间|送信日時)\s*\*?\s*[:：]",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"^[*_>\s]*(?:Subject|Betreff|Objet|Asunto|Oggetto|Assunto|Onderwerp|Ämne|Emne|Temat|Předmět|Aihe|Тема|主题|件名)\s*\*?\s*[:：]",
    re.IGNORECASE,
)
_TO = re.compile(r"^[*_>\s]*(?:To|An|À|A|Para|Aan|Till|Til|Do|Komu|Кому|收件人|宛先)\s*\*?\s*[:：]", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"^[>*\s]*-{2,}\s*(?:Original[ -]?(?:Message|Appointment|-?Nachricht)|Ursprüngliche (?:Nachricht|E-Mail)|Message d['’]origine|"
    r"Mensaje original|Messaggio originale|Mensagem original|Oorspronkelijk bericht|Ursprungligt meddelande|Oprindelig meddelelse|"
    r"Forwarded (?:message|by\b.*)|Weitergeleitete Nachricht|Message transféré|Mensaje reenviado|Messaggio inoltrato|Doorgestuurd bericht|"
    r"Пересылаемое сообщение|Исходное сообщение|转发邮件|原始邮件)\s*-*",
    re.IGNORECASE,
)
_FORWARD = re.compile(
    r"^[>*\s]*(?:Begin forwarded message|Anfang der weitergeleiteten (?:Nachricht|E-Mail)|Début du message (?:réexpédié|transféré)|"
    r"Inicio del mensaje reenviado|Inizio messaggio inoltrato)\s*:\s*$",
    re.IGNORECASE,
)
_RULE = re.compile(r"^[\s>]*[_-]{5,}\s*$")
_DIGIT_OR_ADDRESS = re.compile(r"\d|@")
_LONGEST = 400


def strip_quotes(text: str) -> str:
    """The lines that the sender typed, whether above, below or between quotations."""
    lines = _before_original(text.split("\n"))
    kept: list[str] = []
    at = 0
    while at < len(lines):
        end, certain = _introduction(lines, at)
        if end and _quoted(next((lines[i] for i in range(end, len(lines)) if lines[i].strip()), "")):
            at = end
        elif end and certain:
            break
        else:
            kept.append(lines[at])
            at += 1
    return "\n".join(line for line in kept if not _quoted(line))


def _quoted(line: str) -> bool:
    return line.lstrip().startswith((">", "|>"))


def _before_original(lines: list[str]) -> list[str]:
    """Everything above a forwarded or answered mail that is put below without quote marks."""
    for at, line in enumerate(lines):
        if (_SEPARATOR.match(line) or _FORWARD.match(line)) and not _quoted(line):
            return lines[:at]
        if _header_block(lines, at):
            while at and (_RULE.match(lines[at - 1]) or not lines[at - 1].strip()):
                at -= 1
            return lines[:at]
    return lines


def _header_block(lines: list[str], at: int) -> bool:
    """``From: ... Sent: ... Subject: ...`` of the mail answered; a traveller's "From: Berlin, To: Munich" is none."""
    start = _FROM.match(lines[at]) if len(lines[at]) <= _LONGEST and not _quoted(lines[at]) else None
    if not start:
        return False
    near = [line for line in lines[at + 1 : at + 9] if line.strip()][:6]
    sent, subject, to = (any(kind.match(line) for line in near) for kind in (_SENT, _SUBJECT, _TO))
    return (sent and (subject or to) and (subject or "@" in start[1])) or (subject and to and "@" in start[1])


@cache
def _wrote() -> tuple[re.Pattern[str], ...]:
    expressions = (language.get("wrote_header") for language in MAIL_LANGUAGES.values())
    return tuple(re.compile(expression, re.IGNORECASE) for expression in expressions if isinstance(expression, str))


_GENERIC = re.compile(r"^(?:On|Am|Le|El|Il|Op|Den|Em|Dne|Dnia|W dniu|\d|\S+,? <|.{0,80}<[^<>\s]+@).*[:：]$", re.IGNORECASE | re.DOTALL)


def _introduction(lines: list[str], at: int) -> tuple[int, bool]:
    """The index after an "On ... wrote:" that begins at ``at`` and runs over at most four lines, or 0.

    Certain if it is a mail program's, with a date or an address; else it may be the person's own line, unless quoted lines follow.
    """
    if not lines[at].strip() or _quoted(lines[at]):
        return 0, False
    for end in range(at + 1, min(at + 4, len(lines)) + 1):
        last = lines[end - 1].strip()
        if not last:
            break
        if not last.endswith((":", "：")):
            continue
        joined = " ".join(line.strip() for line in lines[at:end])
        if len(joined) > _LONGEST or not _VERBS.search(joined):
            break
        programs = any(expression.match(joined) for expression in _wrote()) or bool(_GENERIC.match(joined))
        return end, programs and bool(_DIGIT_OR_ADDRESS.search(joined))
    return 0, False

"""Bytes to text, whatever charset they claim to be in. Knows encodings, nothing of mail's structure."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

__all__ = ["clean_text", "decode_bytes"]

_SINGLE_BYTE = {"ascii", "iso8859-1", "iso8859-15", "cp1252"}
_UNSAFE = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "unicode-escape", "raw-unicode-escape", "oem", "mbcs"}
"""Codecs that are no charsets of mail; punycode is also quadratic in time."""
_WIDER = {
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "iso2022_jp": "iso2022_jp_ext",
}
"""What mailers mean when they name the narrower one."""
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def decode_bytes(data: bytes, declared: str | None = None) -> str:
    """The text of ``data``. The declared charset is believed unless it is unknown or the bytes contradict it."""
    name = _codec(declared)
    if name in _SINGLE_BYTE or name is None:
        # text in a single-byte charset is next to never valid UTF-8 by chance, while the false label is common
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    for candidate in dict.fromkeys((_WIDER.get(name or "", name), name, "utf-8-sig")):
        if candidate is None or candidate == "ascii":
            continue
        try:
            return data.decode(candidate)
        except (UnicodeError, LookupError, ValueError):
            continue
    if name in (None, "ascii", "utf-8", "utf-8-sig") and _mostly_ascii(data):
        return data.decode("cp1252", "replace")
    best = from_bytes(data[:20_000]).best()
    return data.decode(best.encoding if best else "cp1252", "replace")


def _mostly_ascii(data: bytes) -> bool:
    """Western text: a guess from a few accents is less reliable than the commonest charset."""
    return sum(byte > 127 for byte in data) * 5 < len(data)


def _codec(name: str | None) -> str | None:
    name = (name or "").strip().strip("\"'").lower().removesuffix("-i").removesuffix("-e")
    if not name or name in _UNSAFE or len(name) > 40 or not name.isascii() or "\0" in name:
        return None
    for spelling in (name, name.removeprefix("x-"), name.replace("cp-", "cp")):
        try:
            info = codecs.lookup(spelling)
        except (LookupError, ValueError):
            continue
        return info.name if info._is_text_encoding and info.name not in _UNSAFE else None
    return None


def clean_text(text: str) -> str:
    """Text with plain newlines and spaces and without invisible, control or unpaired surrogate characters."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    return _INVISIBLE.sub("", re.sub("[\u00a0\u202f\u2007]", " ", text))

"""Where mail lies: mbox, Maildir, .eml, folders and zip archives of them. Knows files and archives, not what a message says."""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from idiolect.corpus.mbox import LARGEST, read_mbox
from idiolect.errors import InputError

__all__ = ["RawMail", "detect", "read_mail"]

_HINT = "Give an mbox file, a Maildir, a folder of .eml files, a Google Takeout zip, or a .json, .jsonl or .csv file"
_HEADER = re.compile(rb"\A\s*[A-Za-z][!-9;-~]{0,100}:")
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class RawMail:
    """One message as it was found; ``problem`` instead of ``data`` where it could not be read."""

    source: str
    data: bytes
    problem: str | None = None
    discarded: bool = False
    """The folder's own flags say draft or trashed."""


def detect(source: Path) -> str:
    """The format of ``source``: mbox, maildir, folder, eml, zip, json, jsonl or csv. ``InputError`` if it is none or unreadable."""
    try:
        if source.is_dir():
            return "maildir" if _maildirs(source) else "folder"
        with source.open("rb") as file:
            head = file.read(4096)
    except FileNotFoundError as error:
        raise InputError("there is no such file or folder", where=str(source), hint="Check the path") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"could not be read: {reason}", where=str(source), hint="Check its permissions") from error
    suffix = source.suffix.lower()
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or suffix == ".zip":
        return "zip"
    if suffix in (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".mbox", ".eml"):
        return {".ndjson": "jsonl", ".tsv": "csv"}.get(suffix, suffix[1:])
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise InputError("is empty", where=str(source), hint=_HINT)
    if text.startswith(b"From "):
        return "mbox"
    if text.startswith((b"[", b"{")):
        return "json" if text.startswith(b"[") else "jsonl"
    if _HEADER.match(text):
        return "eml"
    raise InputError("is in no format known here", where=str(source), hint=_HINT)


def read_mail(source: Path, kind: str) -> Iterator[RawMail]:
    """The messages of a mail source whose format ``detect`` told. One message is in memory at a time."""
    if kind == "mbox":
        yield from _mbox_file(source, source.name)
    elif kind == "eml":
        yield _one_file(source, source.name, fatal=True)
    elif kind == "maildir":
        yield from _maildir(source)
    elif kind == "folder":
        yield from _folder(source)
    else:
        yield from _archive(source)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"could not be read: {error.strerror or error}", where=str(path), hint="Check its permissions") from error


def _mbox(stream: IO[bytes], name: str) -> Iterator[RawMail]:
    for number, (offset, data) in enumerate(read_mbox(stream), 1):
        yield RawMail(f"{name}, message {number} (byte {offset})", data)


def _mbox_file(path: Path, name: str) -> Iterator[RawMail]:
    with _reading(path), path.open("rb", buffering=_BUFFER) as stream:
        yield from _mbox(stream, name)


def _one_file(path: Path, name: str, *, fatal: bool = False, discarded: bool = False) -> RawMail:
    try:
        with path.open("rb") as file:
            return RawMail(name, file.read(LARGEST), discarded=discarded)
    except OSError as error:
        if fatal:
            raise InputError(f"could not be read: {error.strerror}", where=str(path), hint="Check its permissions") from error
        return RawMail(name, b"", problem=f"could not be read: {error.strerror}")


def _files(root: Path) -> list[Path]:
    """All files below, in the same order everywhere. Folders that cannot be listed are an error, not a silent gap."""

    def refuse(error: OSError) -> None:
        raise error

    with _reading(root):
        return sorted(Path(folder, name) for folder, _, names in os.walk(root, onerror=refuse) for name in names)


def _maildirs(root: Path) -> bool:
    return any((folder / "cur").is_dir() and (folder / "new").is_dir() for folder in (root, *(p for p in root.iterdir() if p.is_dir())))


def _maildir(root: Path) -> Iterator[RawMail]:
    for path in _files(root):
        if path.parent.name not in ("cur", "new"):
            continue
        flags = path.name.partition(":2,")[2] or path.name.partition("!2,")[2]
        yield _one_file(path, str(path.relative_to(root)), discarded="D" in flags or "T" in flags)


def _folder(root: Path) -> Iterator[RawMail]:
    found = False
    for path in _files(root):
        name = str(path.relative_to(root))
        if path.suffix.lower() == ".eml":
            found = True
            yield _one_file(path, name)
        elif path.suffix.lower() == ".mbox" or path.name == "mbox":
            found = True
            yield from _mbox_file(path, name)
    if not found:
        raise InputError("holds no .eml and no .mbox file", where=str(root), hint=_HINT)


def _archive(path: Path) -> Iterator[RawMail]:
    hint = "Download it again or unpack it yourself and import the .mbox in it"
    try:
        with zipfile.ZipFile(path) as archive:
            names = [i for i in archive.infolist() if not i.is_dir() and Path(i.filename).suffix.lower() in (".mbox", ".eml")]
            if not names:
                raise InputError("holds no .mbox and no .eml file", where=str(path), hint="Export the mail itself, in mbox format")
            for entry in names:
                with archive.open(entry) as raw:
                    if entry.filename.lower().endswith(".eml"):
                        yield RawMail(entry.filename, raw.read(LARGEST))
                    else:
                        # ZipExtFile's own readline is slow on short lines
                        yield from _mbox(io.BufferedReader(raw, _BUFFER), Path(entry.filename).name)  # type: ignore[arg-type]
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, zlib.error) as error:
        raise InputError(f"is a truncated or damaged zip ({error or 'it ends too early'})", where=str(path), hint=hint) from error
    except (RuntimeError, NotImplementedError) as error:
        raise InputError(f"cannot be unpacked: {error}", where=str(path), hint=hint) from error
    except OSError as error:
        raise InputError(f"could not be read: {error.strerror or error}", where=str(path), hint=hint) from error

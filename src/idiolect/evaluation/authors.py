"""A folder of authors and their texts: ``DIR/<author>/<text>.txt``.

Knows files and the subjects of texts. Knows nothing of style.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from idiolect.errors import InputError
from idiolect.evaluation.features import word_count

__all__ = ["Collection", "read_authors"]

_FEWEST_AUTHORS, _FEWEST_TEXTS = 4, 3


@dataclass(frozen=True)
class Collection:
    """Texts with their authors; ``subjects`` are empty where nothing says what a text is about."""

    texts: list[str]
    authors: np.ndarray
    subjects: np.ndarray

    @property
    def names(self) -> np.ndarray:
        return np.unique(self.authors)

    @property
    def labelled(self) -> bool:
        return bool((self.subjects != "").any())


def read_authors(folder: Path, topics: Path | None = None) -> Collection:
    """All texts with a word in them, by author and name.

    A text's subject is what stands before the last ``_`` of its name, when every text's name has one and some subject is
    shared by authors, or what ``topics`` says: a CSV file of ``author/text.txt,subject`` lines for every text.
    Raises ``InputError`` for a folder that holds no such collection, for a text that is no UTF-8, and for a text that ``topics`` lacks.
    """
    if not folder.is_dir():
        raise InputError("is not a folder", where=str(folder), hint="Give a folder of authors: DIR/<author>/<text>.txt")
    files = sorted(path for path in folder.glob("*/*.txt") if path.is_file())
    read = [(path, text) for path in files if word_count(text := _read(path))]
    owners = [path.parent.name for path, _ in read]
    enough = {owner for owner in owners if owners.count(owner) >= _FEWEST_TEXTS}
    if len(enough) < _FEWEST_AUTHORS:
        what = f"holds {len(enough)} authors with {_FEWEST_TEXTS} texts or more, and {_FEWEST_AUTHORS} are needed"
        raise InputError(what, where=str(folder), hint="Each author has a folder of .txt files: DIR/<author>/<text>.txt")
    read = [(path, text) for path, text in read if path.parent.name in enough]
    authors = np.array([path.parent.name for path, _ in read])
    subjects = _listed_subjects([path for path, _ in read], topics) if topics else _named_subjects([path.stem for path, _ in read], authors)
    return Collection([text for _, text in read], authors, np.array(subjects))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 at byte {error.start}", where=str(path), hint="Convert it, or take it out of the folder") from error


def _named_subjects(stems: list[str], authors: np.ndarray) -> list[str]:
    if not all("_" in stem for stem in stems):
        return [""] * len(stems)
    subjects = [stem.rsplit("_", 1)[0] for stem in stems]
    owners = {subject: {author for found, author in zip(subjects, authors, strict=True) if found == subject} for subject in set(subjects)}
    return subjects if len(owners) > 1 and max(map(len, owners.values())) > 1 else [""] * len(stems)


def _listed_subjects(paths: list[Path], topics: Path) -> list[str]:
    try:
        with topics.open(encoding="utf-8-sig", newline="") as lines:
            listed = {row[0].strip(): row[1].strip() for row in csv.reader(lines) if len(row) >= 2}
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(topics)) from error
    names = [f"{path.parent.name}/{path.name}" for path in paths]
    missing = [name for name in names if not listed.get(name)]
    if missing:
        hint = "Give each text a line: author/text.txt,subject"
        raise InputError(f"has no subject for {missing[0]} ({len(missing)} of {len(names)} texts)", where=str(topics), hint=hint)
    return [listed[name] for name in names]

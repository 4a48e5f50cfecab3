"""A teacher's answers on disk, so that a killed run asks again only for what it does not have.

Knows completions and files. Knows nothing of what was asked or what is kept.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from idiolect.service.sampling import Completion
from idiolect.workspace import append_json_line, read_json_lines

__all__ = ["AnswerLog"]


class AnswerLog:
    """Answers by (round, prompt), appended to ``<name>-<key>.jsonl`` as they come; a torn last line is asked for again."""

    def __init__(self, folder: Path, name: str, key: int) -> None:
        self.path = folder / f"{name}-{key:08x}.jsonl"
        self.rows: dict[tuple[int, str], list[Completion]] = {}
        if self.path.exists():
            for row in read_json_lines(self.path, torn_tail=True):
                self.rows[row["round"], row["prompt"]] = [Completion(**answer) for answer in row["answers"]]

    def append(self, key: tuple[int, str], answers: list[Completion]) -> None:
        self.rows[key] = answers
        append_json_line(self.path, {"round": key[0], "prompt": key[1], "answers": [asdict(answer) for answer in answers]})

"""The ZIP that is handed in, and what must be right before there is one.

Knows the handout's file names and the workspace. Looks for what is missing, unfinished or private; mends nothing.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.corpus.redaction import RedactionTable, redact
from idiolect.errors import InputError
from idiolect.workspace import Workspace, read_json, read_text, write_atomic

__all__ = ["NOTEBOOK", "Submission", "gather", "notebook_faults", "pack"]

NOTEBOOK = "tinker_personalization.ipynb"
_CODE = (
    "scripts/__init__.py",
    "scripts/sft.py",
    "scripts/train_rubric_rm.py",
    "scripts/rl_with_rubric_rm.py",
    "scripts/ditto_dpo.py",
    "rubric_preference_env.py",
    "rubric_preference_types.py",
    "data.example.json",
    ".env.example",
)
# In capitals only: "todo" is Spanish for "all", and a person may write so.
_TO_DO = re.compile(r"\b(?:TODO|FIXME|TBD)\b|NotImplementedError|(?i:your code here|\[fill in)")
_SECRETS = {
    "a Tinker key": re.compile(r"\btml-[A-Za-z0-9_-]{16,}"),
    "a key": re.compile(r"\b(?:sk|hf|ghp|wandb_v1)[-_][A-Za-z0-9_-]{20,}"),
    "a Weights & Biases key": re.compile(r"(?:WANDB_API_KEY|wandb\.login)\W{1,12}[0-9a-f]{40}\b"),
}
_KEYS = ("TINKER_API_KEY", "WANDB_API_KEY", "OPENAI_API_KEY", "HF_TOKEN")
_PRIVATE = ("email", "iban", "card", "link")
_QUOTED_WORDS = 12
_EPOCH = (2020, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Submission:
    """What would be handed in, and everything that stands against it."""

    files: dict[str, bytes]
    """Content by its name in the ZIP."""
    faults: tuple[str, ...]


def gather(project: Path, workspace: Workspace, *, own_mail: bool = False) -> Submission:
    """The files of the project and the workspace, and what is missing, unfinished or private in them.

    ``own_mail`` says that the person agrees to hand in passages of their own mail.
    """
    wanted = {NOTEBOOK: project / NOTEBOOK, **{name: project / name for name in _CODE}}
    wanted |= {"writeup.md": workspace.results / "writeup.md", "writeup.pdf": workspace.results / "writeup.pdf"}
    wanted |= {"results/compare.json": workspace.results / "compare.json", "prompt.md": workspace.prompt}
    if workspace.rubric.is_file():
        wanted["rubric.md"] = workspace.rubric
    files = {name: path.read_bytes() for name, path in wanted.items() if path.is_file()}
    faults = [f"{name}: is missing{_how(name)}" for name in wanted if name not in files]
    if NOTEBOOK in files:
        faults += notebook_faults(project / NOTEBOOK)
    if "writeup.md" in files:
        faults += _writeup_faults(workspace)
    own = {} if own_mail or workspace.truth.is_file() else _own_passages(workspace)
    for name, content in files.items():
        if not name.endswith(".pdf"):
            faults += [
                f"{name}: {fault}" for fault in _text_faults(_shown_text(name, content), simulated=workspace.truth.is_file(), own=own)
            ]
    return Submission(files, tuple(faults))


def pack(submission: Submission, out: Path) -> Path:
    """Write the ZIP; the same files give the same bytes. Raises ``InputError`` while anything stands against it."""
    if submission.faults:
        raise InputError(f"{len(submission.faults)} things stand against handing in: {'; '.join(submission.faults)}", where=str(out))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(submission.files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    write_atomic(out, buffer.getvalue())
    return out


def _how(name: str) -> str:
    if name.startswith("writeup"):
        return "; `idiolect report --writeup` writes it"
    if name == "results/compare.json":
        return "; `idiolect compare` writes it"
    if name == "prompt.md":
        return "; `idiolect prompt` writes it"
    return "; `make notebook` makes it" if name == NOTEBOOK else " from the project's folder"


def notebook_faults(path: Path) -> Iterator[str]:
    """Cells that were not executed, not in order, or failed; plots that do not show."""
    value = read_json(path)
    cells = value.get("cells") if isinstance(value, dict) else None
    if not isinstance(cells, list):
        yield f"{path.name}: is not a notebook"
        return
    code = [cell for cell in cells if cell.get("cell_type") == "code" and _joined(cell.get("source")).strip()]
    counts = [cell.get("execution_count") for cell in code]
    idle = [number for number, count in enumerate(counts, 1) if count is None]
    if idle:
        yield f"{path.name}: code cells {', '.join(map(str, idle))} were not executed; run all cells, or `make notebook`"
    elif counts != sorted(counts):
        yield f"{path.name}: its cells were not executed from top to bottom; run all cells, or `make notebook`"
    outputs = [output for cell in code for output in cell.get("outputs", ())]
    for number, cell in enumerate(code, 1):
        if any(output.get("output_type") == "error" for output in cell.get("outputs", ())):
            yield f"{path.name}: code cell {number} ended with an error"
    if not any(kind.startswith("image/") for output in outputs for kind in output.get("data", {})):
        yield f"{path.name}: no plot shows in it"


def _writeup_faults(workspace: Workspace) -> Iterator[str]:
    results, text = workspace.results / "compare.json", read_text(workspace.results / "writeup.md")
    for name in ("writeup.md", "writeup.pdf"):
        path = workspace.results / name
        if results.is_file() and path.is_file() and results.stat().st_mtime_ns > path.stat().st_mtime_ns:
            yield f"{name}: is older than the results; `idiolect report --writeup` renews it"
    for title in ("System prompt", "Checkpoints", "Rubric", "Runs", "Reward hacking", "What was tried", "Limits"):
        if f"## {title}" not in text:
            yield f"writeup.md: has no section {title!r}"


def _text_faults(text: str, *, simulated: bool, own: dict[str, str]) -> Iterator[str]:
    if found := _TO_DO.search(text):
        yield f"holds a to-do: {found[0]!r}"
    for what, pattern in _SECRETS.items():
        if pattern.search(text):
            yield f"holds {what}"
    for key in _KEYS:
        if len(value := os.environ.get(key, "")) >= 8 and value in text:
            yield f"holds the value of {key}"
    if simulated:
        return
    table = RedactionTable()
    redact(text, table)
    told = ", ".join(f"{count} {kind}" for kind, count in table.counts().items() if kind in _PRIVATE and count)
    if told:
        yield f"holds private details ({told}); `idiolect import --redact` replaces them"
    quoted = list(dict.fromkeys(own[passage] for passage in _passages(text) if passage in own)) if own else []
    if quoted:
        yield f"quotes {len(quoted)} of your own mails ({', '.join(quoted[:3])}); --own-mail says that you agree"


def _own_passages(workspace: Workspace) -> dict[str, str]:
    """Every passage of twelve words of the person's own texts → the text's id."""
    rows = [*load_demonstrations(workspace.demonstrations), *load_demonstrations(workspace.heldout)]
    return {passage: row.id for row in rows for passage in _passages(row.output)}


def _passages(text: str) -> Iterator[str]:
    """All runs of twelve words, whatever stands between them."""
    words = re.findall(r"\w+", text.casefold())
    return (" ".join(words[start : start + _QUOTED_WORDS]) for start in range(len(words) - _QUOTED_WORDS + 1))


def _shown_text(name: str, content: bytes) -> str:
    """The text of a file; of JSON its texts, of a notebook sources and outputs without pictures."""
    text = content.decode(errors="replace")
    if not name.endswith((".ipynb", ".json")):
        return text
    try:
        return "\n".join(_texts(json.loads(text)))
    except json.JSONDecodeError:
        return text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if not key.startswith("image/"):
                yield from _texts(one)
    elif isinstance(value, list):
        if all(isinstance(one, str) for one in value):
            yield "".join(value)
        else:
            for one in value:
                yield from _texts(one)
    elif isinstance(value, str):
        yield value


def _joined(source: Any) -> str:
    return "".join(source) if isinstance(source, list) else str(source or "")

"""One writer exported: the folder is there whole or not at all.

Knows the formats' modules and folders. Knows nothing of a workspace.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from idiolect import __version__
from idiolect.errors import InputError
from idiolect.export.adapter import fetch_adapter
from idiolect.export.merge import Merged, base_folder, model_config, write_merged
from idiolect.export.prompt import ChatForm, chat_form, modelfile
from idiolect.service import Connection, Writer

__all__ = ["FORMATS", "Exported", "Format", "export_writer"]

Format = Literal["peft", "merged", "gguf"]
FORMATS: tuple[Format, ...] = get_args(Format)
MARK = "export.json"
"""What marks a folder as an export, which a later one may replace."""
GGUF, MODELFILE = "model.gguf", "Modelfile"
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "generation_config.json")


@dataclass(frozen=True)
class Exported:
    """What an export brought."""

    folder: Path
    size: int
    """Bytes of all files."""
    turns: bool
    """Whether the template takes conversations; else one request, since the model's own words it otherwise than the writer was taught."""


def export_writer(connection: Connection, writer: Writer, form: Format, folder: Path, *, name: str) -> Exported:
    """Export ``writer`` into ``folder``; an earlier export there gives way. ``name`` is the model's name in the files.

    Raises ``InputError`` for what the format cannot hold, and where the folder holds something else.
    """
    if form == "peft" and not writer.adapter:
        hint = "Export it with --format merged or gguf, or name a fine-tuned one with --with"
        raise InputError("has no adapter to export", where=f"writer {writer.name!r}", hint=hint)
    base = base_folder(writer.base_model)
    chat = chat_form(writer, connection.renderer(writer), base)
    with _fresh(folder) as new:
        adapter = new if form == "peft" else new / "adapter"
        adapter.mkdir(exist_ok=True)
        if writer.adapter:
            fetch_adapter(connection, writer.adapter, adapter)
        if form == "peft":
            _adapter_files(new, base, writer, chat)
        else:
            with Merged(base, adapter if writer.adapter else None) as merged:
                if form == "merged":
                    _merged_files(new, base, merged, chat)
                else:
                    _gguf_files(new, base, merged, writer, chat, name)
            shutil.rmtree(adapter)
        writer.save(new / "writer.json")
        about = {"idiolect": __version__, "format": form, "writer": writer.name, "base_model": writer.base_model, "own_template": chat.own}
        (new / MARK).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return Exported(folder, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()), chat.own)


def _adapter_files(new: Path, base: Path, writer: Writer, chat: ChatForm) -> None:
    path = new / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "base_model_name_or_path": writer.base_model}, indent=2), encoding="utf-8")
    _tokenizer_files(new, base, chat)


def _merged_files(new: Path, base: Path, merged: Merged, chat: ChatForm) -> None:
    config = model_config(base)
    if merged.untied:
        config["tie_word_embeddings"] = False
    (new / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    write_merged(merged, new)
    _tokenizer_files(new, base, chat)


def _gguf_files(new: Path, base: Path, merged: Merged, writer: Writer, chat: ChatForm, name: str) -> None:
    from idiolect.export.gguf_file import write_gguf

    probes = [turn["content"] for turn in writer.messages("")[:-1]] + [_PROBE]
    write_gguf(new / GGUF, base, merged, chat, name=name, probes=probes)
    (new / MODELFILE).write_text(modelfile(writer, chat, GGUF), encoding="utf-8")


_PROBE = """Ask Ann-Marie (from O'Neill & Sons) to move Tuesday's review to 10:30, room B-12; costs: 1,250.50 €!

- wie besprochen: “naïve” — don't, it's we'll I'd
- http://example.org/x?y=1&z=2, me@example.org... 🙂\n\n\nBest,\nJo"""


def _tokenizer_files(new: Path, base: Path, chat: ChatForm) -> None:
    """The tokenizer with the writer's prompt in its chat template, in the place that transformers looks at first."""
    for name in _TOKENIZER:
        if (base / name).is_file():
            shutil.copyfile(base / name, new / name)
    (new / "chat_template.jinja").write_text(chat.template, encoding="utf-8")
    path = new / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings.pop("chat_template", None)
    path.write_text(json.dumps(settings, ensure_ascii=False, indent=2), encoding="utf-8")


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder`` that takes its place when the context ends well."""
    if folder.exists() and not (folder / MARK).is_file() and (folder.is_file() or any(folder.iterdir())):
        raise InputError("is there already and holds no export", where=str(folder), hint="Name another folder with --out")
    new = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"
    old = new.with_name(f"{new.name}.old")
    try:
        new.mkdir(parents=True)
        yield new
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except OSError as error:
        hint = "Free some space or choose another folder"
        raise InputError(f"could not be written: {error.strerror or error}", where=str(folder), hint=hint) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)

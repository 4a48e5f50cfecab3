"""``idiolect export``: a writer as a model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import AsJson, Folder, open_workspace, report
from idiolect.methods.run import writer_named

__all__ = ["export"]

_FORMAT = "peft (the adapter alone), merged (a model folder for transformers, vLLM, …) or gguf (one file for llama.cpp, and a Modelfile)."


def export(
    form: Annotated[Literal["peft", "merged", "gguf"], typer.Option("--format", help=_FORMAT)] = "gguf",
    name: Annotated[str | None, typer.Option("--with", help="The writer's name; by default the one that most was learnt for.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write.", show_default="exports/WRITER-FORMAT in the workspace")] = None,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a writer as a model for other programs: peft, transformers, llama.cpp, Ollama."""
    from idiolect.export import export_writer

    place, settings = open_workspace(workspace)
    writer = writer_named(place, name)
    folder = (out or place.root / "exports" / f"{writer.name}-{form}").expanduser().resolve()
    with connected(settings, place, [writer.base_model]) as connection:
        done = export_writer(connection, writer, form, folder, name=f"{settings.author} ({writer.name})")
    if not done.turns:
        typer.echo(
            "The model's own chat template words requests otherwise than the writer was taught, so the export takes one request", err=True
        )
    told = f"{done.folder} ({done.size / 1e6:.1f} MB)"
    report(as_json, {"writer": writer.name, "format": form, "folder": str(done.folder), "bytes": done.size, "turns": done.turns}, told)

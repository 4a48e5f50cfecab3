"""``idiolect write``: one draft."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import AsJson, Folder, open_workspace, report
from idiolect.errors import InputError
from idiolect.methods.run import writer_named
from idiolect.service import draft
from idiolect.tasks import missing_facts, request_facts

__all__ = ["write"]


def write(
    request: Annotated[str, typer.Argument(help="What the text is to say.")],
    name: Annotated[str | None, typer.Option("--with", help="The writer's name; by default the one that most was learnt for.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed gives another draft.")] = None,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a draft for a request."""
    if not request.strip():
        raise InputError("the request is empty", hint="Say what the text is to say")
    place, settings = open_workspace(workspace)
    writer = writer_named(place, name)
    with connected(settings, place, [writer.base_model]) as connection:
        (done,) = connection.run(draft(connection, writer, [request.strip()], seed=settings.seed if seed is None else seed))
    lost = [fact.value for fact in missing_facts(request_facts(request), done.text)]
    if lost:
        typer.echo(f"Check the draft: it lacks {', '.join(lost)}", err=True)
    if not done.finished:
        typer.echo("Check the draft: it was cut at its longest", err=True)
    values = {"writer": writer.name, "text": done.text, "finished": done.finished, "missing": lost, "tokens": done.tokens}
    report(as_json, values, done.text)

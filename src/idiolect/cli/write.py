"""``idiolect write``: one draft."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from idiolect.cli.local_engine import connected
from idiolect.cli.options import AsJson, Folder, open_workspace, report
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.evaluation.checked import CheckedDraft, checked_draft
from idiolect.methods.baseline import impersonal
from idiolect.methods.run import writers_in_turn
from idiolect.workspace import read_text

__all__ = ["Named", "Past", "Seed", "told_of", "write", "written"]

Named = Annotated[str | None, typer.Option("--with", help="The writer's name; by default the one that most was learnt for.")]
Seed = Annotated[int | None, typer.Option(help="Another seed gives another draft.")]
Past = Annotated[int, typer.Option(min=0, help="How many of your past mails to look up for facts, and to show beside the draft.")]


def write(
    request: Annotated[str, typer.Argument(help="What the text is to say.")],
    name: Named = None,
    seed: Seed = None,
    reply: Annotated[Path | None, typer.Option(help="A text file with the mail that the draft answers.")] = None,
    past: Past = 0,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a draft for a request."""
    quoted = read_text(reply) if reply else ""
    done = written(request, name, seed, workspace, quoted=quoted, past=past)
    report(as_json, told_of(done), done.draft.text)


def written(request: str, name: str | None, seed: int | None, folder: Path, *, quoted: str, past: int, thread: str = "") -> CheckedDraft:
    """A draft by a writer of the workspace. What is to be looked at is said on stderr."""
    if not request.strip():
        raise InputError("the request is empty", hint="Say what the text is to say")
    place, settings = open_workspace(folder)
    writers = writers_in_turn(place, name, fallback=settings.fallback)
    known = load_demonstrations(place.demonstrations) if place.demonstrations.is_file() else []
    with connected(settings, place, [writers[0].base_model]) as connection:
        done = connection.run(
            checked_draft(
                connection,
                writers,
                request.strip(),
                known,
                seed=settings.seed if seed is None else seed,
                plain=impersonal(place, settings, writers[0]),
                quoted=quoted,
                thread=thread,
                past=past,
                instructed=settings.instructed,
                tries=settings.tries,
            )
        )
    if done.writer != writers[0].name:
        typer.echo(f"Written by {done.writer}: the checks found more faults in all tries of {writers[0].name}", err=True)
    for remark in done.remarks:
        typer.echo(f"Check the draft: {remark}", err=True)
    for passage in done.passages:
        typer.echo(f"From {passage.source}{f', {passage.date}' if passage.date else ''}: {' '.join(passage.text.split())}", err=True)
    return done


def told_of(done: CheckedDraft) -> dict[str, Any]:
    """What a program may want to know of a draft."""
    return {
        "writer": done.writer,
        "text": done.draft.text,
        "finished": done.draft.finished,
        "missing": [fact.value for fact in done.found.lost],
        "invented": list(done.found.invented),
        "tokens": done.draft.tokens,
        "past": [{"source": one.source, "date": one.date, "text": one.text} for one in done.passages],
    }

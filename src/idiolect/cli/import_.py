"""``idiolect import``: the person's own texts out of a mailbox or a file, into the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from idiolect.cli.options import AsJson, Folder, open_workspace, report
from idiolect.cli.progress import Progress, bars, stage
from idiolect.corpus import (
    RedactionTable,
    choose_demonstrations,
    default_heldout,
    import_messages,
    redact_demonstrations,
    redaction_path,
    save,
    split,
)
from idiolect.settings import Settings
from idiolect.workspace import Workspace

__all__ = ["import_"]


def import_(
    source: Annotated[Path, typer.Argument(help="mbox, Maildir, folder of .eml, .eml, Takeout .zip, .json, .jsonl or .csv.")],
    me: Annotated[list[str] | None, typer.Option(help="Your e-mail address; may be repeated. Mail of others is passed over.")] = None,
    heldout: Annotated[
        int | None, typer.Option(min=0, help="How many of the newest to hold out.", show_default="a fifth, at most 50")
    ] = None,
    demonstrations: Annotated[int | None, typer.Option(min=1, help="How many to learn from.", show_default="all the others")] = None,
    minimum_words: Annotated[int, typer.Option(min=1, help="Mails shorter than this are dropped; rows of data files never are.")] = 8,
    redact: Annotated[bool, typer.Option("--redact", help="Replace addresses, phone, card and account numbers and secret links.")] = False,
    back_generate: Annotated[
        bool, typer.Option("--back-generate", help="Write the missing requests now; otherwise `sft` does so when it needs them.")
    ] = False,
    workspace: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Take the person's own texts out of a mailbox or a file."""
    place, settings = open_workspace(workspace)
    with bars() as progress:
        found = import_messages(
            source.expanduser(), me or settings.me, minimum_words=minimum_words, progress=lambda seen: _told(progress, seen)
        )
        rows = found.demonstrations
        table = RedactionTable.load(redaction_path(place)) if redact else None
        if table is not None:
            rows = redact_demonstrations(rows, table)
        train, held = split(rows, default_heldout(rows, settings.heldout) if heldout is None else heldout)
        if demonstrations is not None:
            train = choose_demonstrations(train, demonstrations)
        save(place, train, held, table)
        if back_generate:
            _requests(place, settings, progress)
    values: dict[str, Any] = {
        **found.report.to_dict(),
        "demonstrations": len(train),
        "heldout": len(held),
        "redacted": table.counts() if table else {},
        "wrote": [str(place.demonstrations), str(place.heldout)],
    }
    lines = [*found.report.lines(), f"{len(train)} to learn from: {place.demonstrations}", f"{len(held)} held out: {place.heldout}"]
    if table is not None:
        told = ", ".join(f"{count} {kind}" for kind, count in table.counts().items()) or "nothing to redact"
        lines.append(f"Redacted: {told}. The table that leads back is {redaction_path(place)}: do not share it")
    report(as_json, values, "\n".join([*lines, "Next: idiolect sft"]))


def _told(progress: Progress, seen: int) -> None:
    if seen % 100 == 0:
        progress("Reading messages", seen, 0)


def _requests(place: Workspace, settings: Settings, progress: Progress) -> None:
    """Back-generate with the model that is personalized; only here is a model service needed."""
    from idiolect.cli.local_engine import connected
    from idiolect.service import Model, renderer_name
    from idiolect.synthesis import complete_demonstrations
    from idiolect.tasks import load_task

    policy = Model(settings.policy, renderer_name(settings.policy, settings.renderer))
    task = load_task(settings.task, place)
    told = stage(progress, "Writing requests for the texts")
    with connected(settings, place, [settings.policy]) as connection:
        work = complete_demonstrations(
            connection, place, policy, seed=settings.seed, task=task, instructed=settings.instructed, on_progress=told
        )
        connection.run(work)

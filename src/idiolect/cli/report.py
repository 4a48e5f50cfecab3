"""``idiolect report``: the HTML page and the PDF anew from the result files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from idiolect.cli.options import AsJson, Folder, open_workspace, remind, with_config
from idiolect.cli.options import report as tell
from idiolect.methods.tracking import Tracking
from idiolect.report import build_report, build_writeup, track_comparison

__all__ = ["report"]


@with_config(Tracking)
def report(
    tracking: Tracking,
    workspace: Folder = Path(),
    price_per_million: Annotated[
        float | None, typer.Option(min=0, help="Price of a million sampled tokens.", show_default="prices.sampled in idiolect.toml")
    ] = None,
    training_price_per_million: Annotated[
        float | None, typer.Option(min=0, help="Price of a million tokens trained on.", show_default="prices.trained in idiolect.toml")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="What the prices are in.", show_default="prices.currency, else USD")] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Write report-redacted.html and .pdf, to be shared: no addresses, numbers or secret links.")
    ] = False,
    writeup: Annotated[
        bool, typer.Option("--writeup", help="Write writeup.md and .pdf, the handout's sections, from the saved runs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the report anew from the result files."""
    place, settings = open_workspace(workspace)
    track_comparison(place, tracking)
    remind(tracking)
    if writeup:
        files = build_writeup(place, settings)
        tell(as_json, {"writeup": str(files.markdown), "pdf": str(files.pdf)}, f"Writeup: {files.markdown}\nPDF:     {files.pdf}")
        return
    stated = {"sampled": price_per_million, "trained": training_price_per_million, "currency": currency}
    prices = settings.prices.model_copy(update={name: value for name, value in stated.items() if value is not None})
    written = build_report(place, prices=prices, redact=redact)
    tell(as_json, {"report": str(written.html), "pdf": str(written.pdf)}, f"Report: {written.html}\nPDF:    {written.pdf}")

"""``python -m benchmarks.notebook``: the notebook from its plain source ``walk.py``, executed, with outputs and plots.

The source is in the percent format: ``# %%`` begins a cell, ``# %% [markdown]`` one of text.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

SOURCE = Path(__file__).parent / "walk.py"
TARGET = Path(__file__).parent.parent / "tinker_personalization.ipynb"
SECONDS_A_CELL = 3600


def cells(source: str) -> list[nbformat.NotebookNode]:
    """The cells of a source in the percent format. Their ids are numbers, so that the same source gives the same file."""
    found = []
    for number, part in enumerate(re.split(r"^# %%", source, flags=re.MULTILINE)[1:]):
        kind, _, body = part.partition("\n")
        if "[markdown]" in kind:
            text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines())
            cell = nbformat.v4.new_markdown_cell(text)
        else:
            cell = nbformat.v4.new_code_cell(body.strip())
        cell["id"] = f"cell-{number}"
        found.append(cell)
    return found


def built() -> nbformat.NotebookNode:
    """The notebook without outputs."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.v4.new_notebook(cells=cells(SOURCE.read_text(encoding="utf-8")), metadata=kernel)


def executed(folder: Path) -> nbformat.NotebookNode:
    """The notebook after all of its cells were run in ``folder``. What a cell raises is raised here."""
    notebook = built()

    def begun(cell: Any, cell_index: int) -> None:
        if cell.cell_type == "code":
            print(f"cell {cell_index + 1} of {len(notebook.cells)}: {cell.source.partition(chr(10))[0]}", file=sys.stderr, flush=True)

    NotebookClient(
        notebook, timeout=SECONDS_A_CELL, kernel_name="python3", resources={"metadata": {"path": str(folder)}}, on_cell_start=begun,
        coalesce_streams=True,
    ).execute()  # fmt: skip
    for cell in notebook.cells:
        # When a cell ran says nothing, and would make each execution another file.
        cell.metadata.pop("execution", None)
        # Warnings of packages name folders of this machine.
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr" and not _empty(output)]
    notebook.metadata.pop("language_info", None)
    return notebook


def _empty(output: Any) -> bool:
    """A bar that is gone, of which the loops of the cookbook leave many."""
    html = "".join(output.get("data", {}).get("text/html", ""))
    return bool(html) and not re.sub(r"<[^>]*>", "", html).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TARGET)
    out = parser.parse_args().out
    nbformat.write(executed(TARGET.parent), out)
    print(f"{out}: {out.stat().st_size / 1024:.0f} KiB")
    if out == TARGET:
        # The writeup that is kept beside the notebook is of the same runs.
        workspace = TARGET.parent / os.environ.get("IDIOLECT_NOTEBOOK_WORKSPACE", "notebook-out")
        print(shutil.copyfile(workspace / "results" / "writeup.md", TARGET.parent / "writeup.md"))


if __name__ == "__main__":
    main()

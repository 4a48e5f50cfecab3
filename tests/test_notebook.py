"""The notebook: the one that is kept is whole and executed, and its source runs anew, offline, with small sizes."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from idiolect.report.submission import notebook_faults

nbformat = pytest.importorskip("nbformat")

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "tinker_personalization.ipynb"
HEADINGS = ["Setup", "Data", "Baseline", "Prompting", "Synthetic inputs and outputs", "Supervised fine-tuning", "Comparison"]


def source_cells() -> list[tuple[str, str]]:
    spec = importlib.util.spec_from_file_location("notebook_builder", ROOT / "benchmarks" / "notebook.py")
    assert spec is not None
    assert spec.loader is not None
    builder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(builder)
    return [(cell.cell_type, cell.source) for cell in builder.built().cells]


def test_the_kept_notebook_is_its_source_executed() -> None:
    kept = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in kept["cells"]] == source_cells(), "run `make notebook`"
    assert list(notebook_faults(NOTEBOOK)) == []
    assert NOTEBOOK.stat().st_size < 1_000_000
    outputs = [output for cell in kept["cells"] for output in cell.get("outputs", ())]
    # Every plot as PNG, since SVG does not show in a notebook that nobody has trusted; no remains of bars.
    pictures = [output for output in outputs if any(kind.startswith("image/") for kind in output.get("data", {}))]
    assert len(pictures) >= 9
    assert all("image/png" in output["data"] for output in pictures)
    assert all(re.sub("<[^>]*>", "", "".join(output["data"].get("text/html", "x"))).strip() for output in outputs if "data" in output)
    text = NOTEBOOK.read_text(encoding="utf-8")
    # Folders of the machine that made it.
    assert not any(f"{start}" in text for start in ("/home/", "/root/", "/tmp/", str(ROOT)))


def test_every_part_of_the_walk_has_its_heading() -> None:
    told = [
        line.split(". ", 1)[1]
        for kind, text in source_cells()
        if kind == "markdown"
        for line in text.splitlines()
        if line.startswith("## ")
    ]
    assert [one for one in told if one in HEADINGS] == HEADINGS


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_notebook_runs_anew_with_small_sizes(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TINKER_", "IDIOLECT_NOTEBOOK_"))}
    environment |= {
        "IDIOLECT_NOTEBOOK_SIZE": "small",
        "IDIOLECT_NOTEBOOK_WORKSPACE": str(tmp_path / "place"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "OMP_NUM_THREADS": "1",
    }
    out = tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "benchmarks.notebook", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=840)
    assert done.returncode == 0, done.stderr[-3000:]
    assert list(notebook_faults(out)) == []
    notebook = nbformat.read(out, 4)
    nbformat.validate(notebook)
    results = json.loads((tmp_path / "place" / "results" / "compare.json").read_text())
    assert {"baseline", "prompt", "few_shot", "sft"} <= set(results["writers"])
    assert (tmp_path / "place" / "results" / "writeup.md").is_file()

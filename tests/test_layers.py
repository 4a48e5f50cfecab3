"""Imports go one way: a layer knows those to its left and nothing of those to its right."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "idiolect"
ORDER = [
    ("errors",), ("workspace",), ("settings",), ("corpus", "prompts"), ("mail", "world"), ("tasks",), ("service",), ("synthesis",),
    ("judge",), ("methods",), ("evaluation",), ("report",), ("serving", "export"), ("studio",), ("pocket",), ("cli",), ("__main__",),
]  # fmt: skip
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
ENGINE_KNOWS = {"errors", "settings", "engine"}
STARTS_THE_ENGINE = {"cli", "engine"}


def imported(path: Path) -> set[str]:
    """The package's own parts that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("idiolect.")}
    return found - {"__version__"}


def part(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


FILES = sorted(SOURCE.rglob("*.py"))


def test_every_part_has_a_layer():
    parts = {part(path) for path in FILES} - {"__init__"}
    assert parts == set(RANK) | {"engine"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_left(path: Path):
    own = part(path)
    if own == "engine":
        assert imported(path) <= ENGINE_KNOWS
        return
    for other in imported(path) - {own}:
        if other == "engine":
            assert own in STARTS_THE_ENGINE, f"{own} knows the service by its URL only"
        elif own != "__init__":
            assert RANK[other] < RANK[own], f"{own} must not know {other}"


def test_a_wrong_import_is_seen(tmp_path: Path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def late():\n    from idiolect.cli import main\n    import idiolect.engine.app\n", encoding="utf-8")
    assert imported(wrong) == {"cli", "engine"}

"""The README's tree is the repository's, and its commands are the command line's."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from idiolect.cli import VERBS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def listed() -> list[str]:
    tree = README.split("## The tree")[1].split("```")[1]
    return [line.split()[0] for line in tree.strip().splitlines()]


def tracked() -> set[str]:
    """Root files and folders, and the package's parts, without hidden ones."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = set()
    for name in done.stdout.splitlines():
        parts = name.split("/")
        if parts[0].startswith("."):
            continue
        if parts[0] != "src":
            found.add(parts[0] + ("/" if len(parts) > 1 else ""))
        elif parts[2] != "__init__.py":
            found.add("/".join(parts[:3]) + ("/" if len(parts) > 3 else ""))
    return found


def test_the_tree_is_the_repository_s():
    assert sorted(listed()) == sorted(tracked())


def test_every_line_of_the_tree_says_what_it_is():
    tree = README.split("## The tree")[1].split("```")[1]
    assert all(len(line.split(maxsplit=1)) == 2 for line in tree.strip().splitlines())


def test_every_command_is_in_the_table_and_no_other():
    named = re.findall(r"^\| `(\w+)` \|", README, flags=re.MULTILINE)
    assert set(named) == set(VERBS)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target

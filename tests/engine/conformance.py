"""The lists in ``docs/engine.md``: the command's options, and the endpoints and options that the tests' markers name.

A test says what it holds the engine to with one line, ``@pytest.mark.conformance("asample: top_k")``: an endpoint below
``/api/v1/``, with its method before it unless that is POST, and after a colon the option, loss or behaviour. One marker may name
several. ``python tests/engine/conformance.py`` writes the page anew; ``test_conformance.py`` holds it to the tests.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_type_hints

import tinker

from idiolect.cli.engine import engine
from idiolect.engine.app import make_app

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent.parent / "docs" / "engine.md"


@cache
def claims() -> dict[tuple[str, str], list[str]]:
    """(endpoint, option) -> the tests that are marked with it, as ``file::test``."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        for test, name in _marked(ast.parse(path.read_text(encoding="utf-8"))):
            endpoint, _, option = name.partition(": ")
            found.setdefault((endpoint, option), []).append(f"{path.name}::{test}")
    return dict(sorted(found.items(), key=lambda claim: (claim[0][0].split()[-1], claim[0])))


def _marked(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in (call for decorator in node.decorator_list for call in ast.walk(decorator)):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "conformance":
                    yield from ((node.name, ast.literal_eval(argument)) for argument in call.args)


def shape(endpoint: str) -> str:
    """An endpoint without the names of the parts that vary."""
    return re.sub(r"\{[^}]*\}", "{}", endpoint)


def routes() -> list[str]:
    """The endpoints that the engine answers, as markers name them."""
    app = make_app(None, "tml-unused")  # type: ignore[arg-type]  # no request is made
    found = [(method, route.path) for route in app.routes for method in sorted(getattr(route, "methods", ()) - {"HEAD"})]  # type: ignore[attr-defined]
    return [("" if method == "POST" else f"{method} ") + path.removeprefix("/api/v1/") for method, path in found]


def of_the_sdk() -> set[str]:
    """The paths that the installed SDK can call, without methods."""
    files = [path for path in Path(tinker.__file__).parent.rglob("*.py") if "test" not in path.name]
    named = {path for file in files for path in re.findall(r'"/api/v1/([^"]+)"', file.read_text(encoding="utf-8"))}
    return {shape(path) for path in named}


def options() -> str:
    """The options of ``idiolect engine`` as its help has them."""
    lines = ["| option | default | |", "|---|---|---|"]
    hints = get_type_hints(engine, include_extras=True)
    for name, parameter in inspect.signature(engine).parameters.items():
        default = "" if parameter.default in (inspect.Parameter.empty, None) else f"`{parameter.default}`"
        lines.append(f"| `--{name.replace('_', '-')}` | {default} | {hints[name].__metadata__[0].help} |")
    return "\n".join(lines)


def conformance() -> str:
    lines = ["| endpoint | what is held | by |", "|---|---|---|"]
    for (endpoint, option), tests in claims().items():
        method, _, path = endpoint.rpartition(" ")
        links = ", ".join(f"[{name}](../tests/engine/{file})" for file, name in (test.split("::") for test in tests))
        lines.append(f"| {method or 'POST'} `{path}` | {option} | {links} |")
    # A checkpoint's id has a slash in it, so its part of a path is two parts here.
    answered = {shape(route).split()[-1].replace("checkpoints/{}/{}", "checkpoints/{}") for route in routes()}
    missing = ", ".join(f"`{path}`" for path in sorted(of_the_sdk() - answered))
    return "\n".join([*lines, "", f"The SDK can also call these, which the engine answers with 404: {missing}."])


def rendered(page: str) -> str:
    for name, text in (("options", options()), ("conformance", conformance())):
        start, end = f"<!-- {name}: written by tests/engine/conformance.py -->", f"<!-- {name}: end -->"
        before, rest = page.split(start)
        page = f"{before}{start}\n\n{text}\n\n{end}{rest.split(end)[1]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

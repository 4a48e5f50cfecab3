"""Set-up: an import that is looked at before it is kept, and editors of the prompt and the rubric with the judge's verdicts beside them."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData, UploadFile

from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.studio.desk import Desk, said
from idiolect.studio.importing import Preview, keep, look
from idiolect.studio.rounds import folder_of
from idiolect.studio.verdicts import Asked, Edited
from idiolect.tasks import load_task
from idiolect.workspace import read_text, write_atomic

__all__ = ["routes"]

_COPIED = 1 << 20


@dataclass(frozen=True)
class _Editor:
    """One text file of the workspace, as the page shows it."""

    name: Edited
    title: str
    told: str
    text: str
    version: str
    """Of the file when the page was made; empty where there was none."""
    theirs: str = ""
    """What the file holds now, where it was changed meanwhile."""
    asked: Asked | None = None
    """What the judge said of it, where it was asked."""


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()
    waiting: dict[str, Preview] = {}

    def shown(request: Request, editor: _Editor | None = None, **values: Any) -> Response:
        given = {
            "page": "setup",
            "learn": len(load_demonstrations(desk.workspace.demonstrations)),
            "heldout": len(load_demonstrations(desk.workspace.heldout)),
            "editors": [editor if editor and editor.name == name else _editor(desk, name) for name in ("prompt", "rubric")],
            "me": ", ".join(desk.settings.me),
            "source": "",
            **values,
        }
        return desk.page(request, "setup.html", **given)

    @router.get("/setup")
    def setup(request: Request, saved: str = "") -> Response:
        notes = {"prompt": "prompt.md is saved.", "rubric": "rubric.md is saved.", "import": "The texts are imported. Next: idiolect sft"}
        return shown(request, note=notes.get(saved, ""))

    @router.post("/setup/import")
    async def preview(request: Request) -> Response:
        form = await request.form()
        me, source = [one for one in str(form.get("me") or "").replace(",", " ").split() if one], str(form.get("path") or "").strip()
        try:
            with tempfile.TemporaryDirectory(prefix="import-", dir=_folder(desk)) as folder:
                path = await _uploaded(form, Path(folder)) or _named(source)
                found = await asyncio.to_thread(look, path, me, desk.settings, redact=form.get("redact") == "on")
        except InputError as error:
            return shown(request, status=400, problem=said(error), me=", ".join(me), source=source)
        waiting.clear()
        waiting["import"] = found
        return desk.page(request, "preview.html", page="setup", preview=found, lines=found.found.report.lines())

    @router.post("/setup/keep")
    async def keep_import(request: Request) -> Response:
        found = waiting.pop("import", None)
        if found is None:
            raise InputError("there is no import to keep", hint="Choose the source again under Set-up")
        await asyncio.to_thread(keep, desk.workspace, desk.settings, found)
        return RedirectResponse("/setup?saved=import", 303)

    @router.get("/setup/{name}/verdicts")
    def verdicts(request: Request, name: str) -> Response:
        return desk.page(request, "verdicts.html", editor=_editor(desk, name))

    @router.post("/setup/{name}")
    async def save(request: Request, name: str) -> Response:
        form, now = await request.form(), _editor(desk, name)
        text = str(form.get("text") or "").replace("\r\n", "\n").strip() + "\n"
        if form.get("version") != now.version:
            mine = replace(now, text=text, theirs=now.text or "(the file was deleted)")
            problem = f"{name}.md was changed meanwhile. Your version is below, with the file's beside it; save again to keep yours."
            return shown(request, mine, status=409, problem=problem)
        if not text.strip():
            return shown(request, status=400, problem=f"{name}.md would be empty. Write something, or delete the file yourself")
        write_atomic(_path(desk, name), text)
        if form.get("ask"):
            desk.verdicts.ask(now.name, _editor(desk, name).version)
            return RedirectResponse(f"/setup?saved={name}#{name}-verdicts", 303)
        return RedirectResponse(f"/setup?saved={name}#{name}", 303)

    return router


def _editor(desk: Desk, name: str) -> _Editor:
    """The prompt, or the rubric; a rubric that is not there yet begins with the task's own."""
    path = _path(desk, name)
    text = read_text(path) if path.is_file() else ""
    version = hashlib.sha256(text.encode()).hexdigest() if path.is_file() else ""
    if name == "prompt":
        told = "How the person writes, as the model is told. Once you have edited it, no method writes over it."
        return _Editor("prompt", "Prompt", told, text, version, asked=desk.verdicts.asked.get("prompt"))
    told = "What makes a draft good, for a judge. A numbered line for each thing that it should look at."
    text = text or load_task(desk.settings.task, desk.workspace).rubric.strip() + "\n"
    return _Editor("rubric", "Rubric", told, text, version, asked=desk.verdicts.asked.get("rubric"))


def _path(desk: Desk, name: str) -> Path:
    paths = {"prompt": desk.workspace.prompt, "rubric": desk.workspace.rubric}
    if name not in paths:
        raise InputError("there is no such editor", hint="Choose one under Set-up")
    return paths[name]


def _folder(desk: Desk) -> Path:
    folder = folder_of(desk.workspace)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _named(source: str) -> Path:
    if not source:
        raise InputError("no source is named", hint="Choose a file, or type the path of a mailbox on this machine")
    return Path(source).expanduser()


async def _uploaded(form: FormData, folder: Path) -> Path | None:
    """The chosen file under its own ending, which says what it is; none where no file was chosen."""
    given = form.get("file")
    if not isinstance(given, UploadFile) or not given.filename:
        return None
    path = folder / f"upload{Path(given.filename).suffix.lower()[:10]}"
    with path.open("wb") as file:
        while block := await given.read(_COPIED):
            file.write(block)
    return path

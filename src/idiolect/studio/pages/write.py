"""Write: a request, and drafts that stream in from the chosen writers, to be copied, sent, written anew or edited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from idiolect.corpus.preferences import load_preferences
from idiolect.errors import InputError
from idiolect.methods.run import writer_named, writers_in_turn
from idiolect.service import Writer
from idiolect.studio.desk import Desk, said
from idiolect.studio.rounds import Round
from idiolect.studio.votes import record_edit

__all__ = ["routes"]

_RECENT = 8


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    def shown(request: Request, found: Round | None = None, **values: object) -> Response:
        writers = desk.writers()
        chosen = [draft.writer.name for draft in found.drafts] if found else [writer_named(desk.workspace).name] if writers else []
        given = {
            "page": "write",
            "writers": list(writers),
            "chosen": chosen,
            "asked": found.request if found else "",
            "quoted": found.quoted if found else "",
            "past": found.passages is not None if found else True,
            "round": found,
            "recent": desk.rounds.newest("write", _RECENT),
            **values,
        }
        return desk.page(request, "write.html", **given)

    @router.get("/write")
    def empty(request: Request) -> Response:
        return shown(request)

    @router.post("/write")
    async def begin(request: Request) -> Response:
        form = await request.form()
        asked, quoted = _text(form.get("request")), _text(form.get("quoted"))
        writers, chosen, past = desk.writers(), [str(name) for name in form.getlist("writer")], form.get("past") == "on"
        try:
            known = [writers[name] for name in chosen if name in writers]
            # In a thread: the first look at many texts takes a while.
            told = await asyncio.to_thread(desk.context.of, asked, quoted, past=past)
            made = desk.rounds.new("write", asked, known, quoted=quoted, others=_others(desk, known), **vars(told))
        except InputError as error:
            return shown(request, status=400, problem=said(error), asked=asked, quoted=quoted, chosen=chosen, past=past)
        desk.drafting.start(made)
        return RedirectResponse(f"/write/{made.name}", 303)

    @router.get("/write/{name}")
    async def drafts(request: Request, name: str, kept: bool = False) -> Response:
        found = desk.rounds.get(name, "write")
        desk.drafting.start(found)
        pairs = len(load_preferences(desk.workspace.preferences)) if kept else 0
        note = f"Your version is kept as the better one; that makes {pairs} preference{'s' * (pairs != 1)} to learn from." if kept else ""
        return shown(request, found, note=note)

    @router.get("/drafts/{name}/events")
    async def events(request: Request, name: str) -> Response:
        found = desk.rounds.get(name)
        desk.drafting.start(found)
        return StreamingResponse(_events(desk, found, request.state.form_token), media_type="text/event-stream")

    @router.post("/write/{name}/{index}/again")
    async def again(name: str, index: int) -> Response:
        found = desk.rounds.get(name, "write")
        draft = _draft(found, index)
        if draft.done:
            draft.again()
            desk.rounds.save(found)
        desk.drafting.start(found)
        return RedirectResponse(f"/write/{name}#draft-{index}", 303)

    @router.post("/write/{name}/{index}/edit")
    async def edit(request: Request, name: str, index: int) -> Response:
        found, form = desk.rounds.get(name, "write"), await request.form()
        _draft(found, index)
        try:
            record_edit(desk.workspace, found, index, _text(form.get("text")))
        except InputError as error:
            return shown(request, found, status=400, problem=said(error))
        desk.rounds.save(found)
        return RedirectResponse(f"/write/{name}?kept=1#draft-{index}", 303)

    return router


def _others(desk: Desk, chosen: list[Writer]) -> list[Writer]:
    """Who stands in for the writer that most was learnt for; who was chosen otherwise, or beside others, writes alone."""
    if not chosen:
        return []
    first, *others = writers_in_turn(desk.workspace, fallback=desk.settings.fallback)
    return others if chosen == [first] else []


async def _events(desk: Desk, found: Round, form_token: str) -> AsyncIterator[str]:
    """Server-sent events: ``text`` with a draft as far as it is written, ``card`` with a whole one's part of the page, then ``end``.

    Nothing is told of a comparison's drafts before both are there: who is quicker would be known.
    """
    async for index in desk.drafting.changes(found):
        draft = found.drafts[index]
        if found.kind == "compare":
            continue
        if draft.done:
            html = desk.part("card.html", round=found, draft=draft, index=index, form_token=form_token)
            yield _event("card", {"index": index, "html": html})
        else:
            yield _event("text", {"index": index, "text": draft.text})
    yield _event("end", {})


def _event(name: str, value: dict[str, object]) -> str:
    return f"event: {name}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n"


def _draft(found: Round, index: int):
    if not 0 <= index < len(found.drafts):
        raise InputError("there is no such draft", hint="Reload the page")
    return found.drafts[index]


def _text(value: object) -> str:
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else ""

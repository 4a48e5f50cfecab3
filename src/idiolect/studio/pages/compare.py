"""Compare: two drafts side by side, without names and on random sides; a vote; and what the votes say so far."""

from __future__ import annotations

import random
from typing import Literal, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.studio.desk import Desk, said
from idiolect.studio.rounds import Round
from idiolect.studio.votes import load_votes, record_vote, standings

__all__ = ["routes", "some_request"]

_CHOICES = ("a", "b", "tie")


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    def shown(request: Request, found: Round | None = None, **values: object) -> Response:
        votes = load_votes(desk.workspace)
        overall, pairs = standings(votes, seed=desk.settings.seed)
        writers = list(desk.writers())
        given = {
            "page": "compare",
            "writers": writers,
            "chosen": writers[:2],
            "asked": "",
            "round": found,
            "votes": votes,
            "overall": overall,
            "pairs": pairs,
            "requests": _any_requests(desk),
            **values,
        }
        return desk.page(request, "compare.html", **given)

    @router.get("/compare")
    def empty(request: Request) -> Response:
        return shown(request)

    @router.post("/compare")
    async def begin(request: Request) -> Response:
        form = await request.form()
        asked, chosen = str(form.get("request") or "").strip(), [str(name) for name in form.getlist("writer")]
        try:
            made = _round(desk, chosen, asked)
        except InputError as error:
            return shown(request, status=400, problem=said(error), asked=asked, chosen=chosen)
        desk.drafting.start(made)
        return RedirectResponse(f"/compare/{made.name}?{_with(chosen)}", 303)

    @router.get("/compare/{name}")
    async def two(request: Request, name: str) -> Response:
        found = desk.rounds.get(name, "compare")
        desk.drafting.start(found)
        chosen = request.query_params.getlist("with") or [draft.writer.name for draft in found.drafts]
        return shown(request, found, chosen=chosen)

    @router.post("/compare/{name}/vote")
    async def vote(request: Request, name: str) -> Response:
        found, form = desk.rounds.get(name, "compare"), await request.form()
        choice, chosen = form.get("choice"), [str(one) for one in form.getlist("writer")]
        if choice not in _CHOICES:
            raise InputError("this is no vote", hint="Choose A, B or a tie")
        record_vote(desk.workspace, found, cast(Literal["a", "b", "tie"], choice))
        desk.rounds.save(found)
        return RedirectResponse(f"/compare/{name}?{_with(chosen)}", 303)

    return router


def _round(desk: Desk, chosen: list[str], asked: str) -> Round:
    """Two of the chosen writers, by chance, on one request. A pair of writers with the same draft would be a wasted vote, but is fair."""
    writers = desk.writers()
    known = [writers[name] for name in dict.fromkeys(chosen) if name in writers]
    if len(known) < 2:
        raise InputError("a comparison needs two writers", hint="Choose at least two")
    return desk.rounds.new("compare", asked or some_request(desk), random.SystemRandom().sample(known, 2))


def some_request(desk: Desk) -> str:
    """A request that no writer has learnt from, by chance; where none is held out, one that they have."""
    for path in (desk.workspace.heldout, desk.workspace.demonstrations):
        requests = [row.input for row in load_demonstrations(path) if row.input]
        if requests:
            return random.SystemRandom().choice(requests)
    raise InputError("there are no requests in this workspace", hint="Type one, or import texts with requests under Set-up")


def _with(chosen: list[str]) -> str:
    """The chosen writers as a query, so that the next pair is drawn from the same ones."""
    return urlencode([("with", name) for name in chosen])


def _any_requests(desk: Desk) -> bool:
    paths = (desk.workspace.heldout, desk.workspace.demonstrations)
    return any(row.input for path in paths for row in load_demonstrations(path))

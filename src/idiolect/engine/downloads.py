"""Links to a checkpoint's files that need no API key: signed, and good for an hour. Knows no tensors."""

from __future__ import annotations

import hashlib
import hmac
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from idiolect.engine.checkpoints import FACTS, Place
from idiolect.engine.requests import ROOT
from idiolect.engine.state import Engine, Gone, Missing
from idiolect.errors import InputError

__all__ = ["FILES", "add_downloads"]

FILES = f"{ROOT}/files"
ARCHIVE = "archive.tar"
GOOD_FOR = 3600
"""Seconds; the SDK's command line signs anew five minutes before the end."""

CHUNK = 1 << 20


class Links:
    """Signatures with a key derived from the token, so that a link outlives a restart with the same token."""

    def __init__(self, token: str) -> None:
        self._key = hashlib.sha256(f"links {token}".encode()).digest()

    def signature(self, path: str, expires: int) -> str:
        return hmac.new(self._key, f"{path} {expires}".encode(), hashlib.sha256).hexdigest()

    def link(self, request: Request, place: Place, file: str, expires: int) -> str:
        path = f"{FILES}/{place.run}/{place.kind}/{place.name}/{file}"
        base = f"{request.url.scheme}://{request.url.netloc}"
        return f"{base}{quote(path)}?expires={expires}&signature={self.signature(path, expires)}"

    def check(self, request: Request) -> None:
        given = request.query_params.get("signature", "").encode("utf-8", "replace")
        expires = request.query_params.get("expires", "")
        if not (expires.isdecimal() and expires.isascii() and len(expires) < 16):
            raise Missing("there is no such file")
        if not hmac.compare_digest(given, self.signature(request.url.path, int(expires)).encode()):
            raise Missing("there is no such file")
        if int(expires) < time.time():
            raise Gone("this link has expired", hint="Ask for a new one")


def add_downloads(app: FastAPI, engine: Engine, token: str) -> None:
    links = Links(token)

    def files(place: Place) -> dict[str, Path]:
        """What a checkpoint consists of for other programs: its adapter, not the engine's own notes."""
        try:
            folder = engine.checkpoints.folder(place)
            return {path.name: path for path in sorted(folder.iterdir()) if path.name not in (FACTS, "optimizer.safetensors")}
        except (InputError, OSError) as error:
            raise Missing(f"there is no checkpoint {place}") from error

    @app.get(f"{ROOT}/training_runs/{{run}}/checkpoints/{{kind}}/{{name}}/external_weights_urls")
    async def external_weights_urls(request: Request, run: str, kind: str, name: str) -> Any:
        place = Place.made(run, kind, name)
        if kind != "external_weights":
            raise InputError(f"{place} is no export", hint="Export it with save_weights_external first")
        expires = int(time.time()) + GOOD_FOR
        urls = {file: links.link(request, place, file, expires) for file in files(place)}
        return {"urls": urls, "expires": datetime.fromtimestamp(expires, UTC).isoformat()}

    @app.get(f"{ROOT}/training_runs/{{run}}/checkpoints/{{kind}}/{{name}}/archive")
    async def archive(request: Request, run: str, kind: str, name: str) -> Response:
        place = Place.made(run, kind, name)
        files(place)
        expires = int(time.time()) + GOOD_FOR
        ends = format_datetime(datetime.fromtimestamp(expires, UTC), usegmt=True)
        location = links.link(request, place, ARCHIVE, expires)
        return JSONResponse({"url": location}, 302, {"Location": location, "Expires": ends})

    @app.get(f"{FILES}/{{run}}/{{kind}}/{{name}}/{{file}}")
    async def download(request: Request, run: str, kind: str, name: str, file: str) -> Response:
        links.check(request)
        held = files(Place.made(run, kind, name))
        if file == ARCHIVE:
            return StreamingResponse(_tar(held), media_type="application/x-tar")
        if file not in held:
            raise Missing("there is no such file")
        return FileResponse(held[file], media_type="application/octet-stream")


def _tar(files: dict[str, Path]) -> Iterator[bytes]:
    """The files as an uncompressed tar, in pieces; all are opened first, so that deleting the checkpoint does not tear it."""
    with ExitStack() as stack:
        opened = [(name, stack.enter_context(open(path, "rb")), path.stat().st_size) for name, path in files.items()]
        for name, file, size in opened:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = size, 0o644
            yield entry.tobuf()
            while piece := file.read(CHUNK):
                yield piece
            yield bytes(-size % tarfile.BLOCKSIZE)
        yield bytes(2 * tarfile.BLOCKSIZE)

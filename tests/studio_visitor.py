"""A visitor of the studio without a browser, and rounds made by hand."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

from starlette.testclient import TestClient

from idiolect.errors import ServiceError
from idiolect.service import Connection, Writer
from idiolect.settings import Settings
from idiolect.studio import Access, studio_app
from idiolect.studio.rounds import Round, RoundDraft, Rounds
from idiolect.workspace import Workspace

PORT = 8123
HOME = f"http://127.0.0.1:{PORT}"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7 * 7 }}"


def writer(name: str, **fields: object) -> Writer:
    return Writer(name=name, base_model="m", renderer="r", **fields)  # type: ignore[arg-type]


def finished_round(place: Workspace, kind: Literal["write", "compare", "sample"], *texts: str, request: str = "Ask for the keys") -> Round:
    """A round whose drafts are all written, by the writers w0, w1, …"""
    drafts = [RoundDraft(writer=writer(f"w{n}"), text=text, done=True, finished=True) for n, text in enumerate(texts)]
    made = Round(name=f"20260101-120000-{secrets.token_hex(4)}", kind=kind, request=request, asked=request, drafts=drafts)
    Rounds(place).save(made)
    return made


def no_service(models: Sequence[str]) -> AbstractContextManager[Connection]:
    raise ServiceError("cannot be reached", where="the Tinker service", hint="Check the network")


def started_again(place: Workspace) -> Visitor:
    """A visitor of a new start of the workspace's studio, without models and for single requests only."""
    access = Access("127.0.0.1", PORT)
    client = TestClient(studio_app(place, Settings.load(place.settings), no_service, access), base_url=HOME)
    assert client.get(access.link).status_code == 200
    return Visitor(client)


class Visitor:
    """A browser as far as HTTP goes: it keeps the cookie, names its origin, and sends forms with the token that they hold."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def token(self) -> str:
        found = re.search(r'name="form_token" value="([0-9a-f]{64})"', self.get("/setup"))
        assert found
        return found[1]

    def post(self, path: str, /, files: dict[str, Any] | None = None, **fields: object) -> Any:
        data = {"form_token": self.token(), **fields}
        return self.client.post(path, data=data, files=files, headers={"origin": HOME}, follow_redirects=False)

"""What every page of the studio is made with: the workspace, the drafts under way, and the templates.

Knows Jinja. Whatever is text is text on the page: the templates escape all of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zlib import crc32

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from idiolect.evaluation.compare import ORDER
from idiolect.methods.run import all_writers
from idiolect.report import svg
from idiolect.service.replies import request_and_quote
from idiolect.service.writer import Writer
from idiolect.settings import Settings
from idiolect.studio.context import Context
from idiolect.studio.drafting import Drafting
from idiolect.studio.rounds import Rounds
from idiolect.studio.verdicts import Verdicts
from idiolect.workspace import Workspace

__all__ = ["Desk", "said"]

_SUBJECT = re.compile(r"\ASubject:[ \t]*(.*)\n+", re.IGNORECASE)


@dataclass
class Desk:
    """One studio's workspace and tools."""

    workspace: Workspace
    settings: Settings
    rounds: Rounds
    drafting: Drafting
    verdicts: Verdicts
    context: Context

    def __post_init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            undefined=StrictUndefined,
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            parted=request_and_quote, colour=_colour, mail_link=_mail_link, remarks=self.context.remarks, author=self.settings.author
        )

    def page(self, request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page, or a part of one. ``problem`` is a one-line message at its top, ``note`` a good one."""
        given = {"problem": "", "note": "", "form_token": request.state.form_token, **values}
        return HTMLResponse(self.part(template, **given), status_code=status)

    def part(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(**values)

    def writers(self) -> dict[str, Writer]:
        """The workspace's writers, the newest first."""
        return dict(reversed(all_writers(self.workspace).items()))


def said(error: Exception) -> str:
    """An error as the one line that a page shows."""
    return " ".join(str(error).split())


def _colour(name: str) -> int:
    """Which of the series' colours a writer has: that of the report where it is a method's."""
    if name in ORDER:
        return ORDER.index(name)
    return len(ORDER) + crc32(name.encode()) % (len(svg.SERIES) - len(ORDER))


def _mail_link(text: str) -> str:
    """A ``mailto:`` address that opens the draft in the mail program; a first line ``Subject: …`` becomes the subject."""
    found = _SUBJECT.match(text)
    subject, body = (found[1], text[found.end() :]) if found else ("", text)
    fields = [f"subject={quote(subject)}"] if subject else []
    return "mailto:?" + "&".join([*fields, f"body={quote(body.replace(chr(10), chr(13) + chr(10)))}"])

"""Who may use the studio: a one-time link, a cookie, and checks of where a request comes from.

Knows HTTP headers. Knows nothing of pages. A site that a person visits elsewhere can send requests to an address on this machine, so
each must name this host (against DNS rebinding), come from this origin (against forged forms), and carry the cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LARGEST_FORM", "LARGEST_UPLOAD", "UPLOAD", "Access", "Guard", "check_form"]

LARGEST_FORM = 2_000_000
LARGEST_UPLOAD = 4_000_000_000
"""Bytes that a request may have; only the import takes whole mailboxes."""
UPLOAD = "/setup/import"
_SAFE = frozenset({"GET", "HEAD"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Without it the browser names no origin when it sends a form, and an origin is asked for.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_log = logging.getLogger("idiolect.studio")


@dataclass
class Access:
    """The secrets of one running studio. None of them is written to a file or a log."""

    host: str
    port: int
    on_opened: Callable[[str], None] = lambda _: None
    """Called with the next link when one was used, so that a second browser can be let in."""
    _link: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _sessions: set[str] = field(default_factory=set)

    @property
    def link(self) -> str:
        """The address that lets one browser in, once."""
        return f"http://{self._names[0]}/open?token={self._link}"

    @property
    def cookie(self) -> str:
        """Cookies don't keep ports apart, so the name does."""
        return f"idiolect_studio_{self.port}"

    @property
    def _names(self) -> list[str]:
        """How the host may be called in a request."""
        own = f"[{self.host}]" if ":" in self.host else self.host
        local = ["127.0.0.1", "localhost", "[::1]"] if own in ("127.0.0.1", "localhost", "[::1]") else []
        return [f"{name}:{self.port}" for name in dict.fromkeys([own, *local])]

    def names_this(self, host: str) -> bool:
        return host.lower() in self._names

    def comes_from_this(self, origin: str) -> bool:
        return origin.lower() in [f"http://{name}" for name in self._names]

    def open(self, token: str) -> str | None:
        """A new session for the link's token, which is worth nothing afterwards."""
        if not hmac.compare_digest(token.encode(), self._link.encode()):
            return None
        self._link = secrets.token_urlsafe(32)
        session = secrets.token_urlsafe(32)
        self._sessions.add(session)
        self.on_opened(self.link)
        return session

    def session_of(self, cookies: str) -> str | None:
        try:
            morsel = SimpleCookie(cookies).get(self.cookie)
        except CookieError:
            return None
        return morsel.value if morsel and morsel.value in self._sessions else None

    def form_token(self, session: str) -> str:
        """What every form of this session carries."""
        return hmac.new(self._key, session.encode(), hashlib.sha256).hexdigest()


class Guard:
    """ASGI middleware: lets through what ``Access`` allows, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        try:
            await (refusal or self.app)(scope, receive, with_headers)
        except Exception as error:
            # The application has shown its page. The message of an unforeseen error may hold a person's text: the log has kind and place.
            frames = traceback.extract_tb(error.__traceback__)
            place = next((frame for frame in reversed(frames) if "idiolect" in frame.filename), frames[-1])
            _log.error("%s in %s, line %s", type(error).__name__, place.filename, place.lineno)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that may not go on."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        if not self.access.names_this(headers.get("host", "")):
            return _page("This is not the studio's address", "Open the link that the terminal shows.", 403)
        if method not in _SAFE and not self.access.comes_from_this(headers.get("origin", "")):
            return _page("This came from another page", "Use the studio's own pages.", 403)
        if path.startswith("/static/") and method in _SAFE:
            return None
        if path == "/open" and method == "GET":
            return self._opened(scope)
        session = self.access.session_of(headers.get("cookie", ""))
        if session is None:
            return _page("The studio is locked", "Open the link that the terminal shows; each link opens one browser, once.", 401)
        largest = LARGEST_UPLOAD if path == UPLOAD else LARGEST_FORM
        length = headers.get("content-length", "")
        if method not in _SAFE and not length.isdecimal():
            return _page("The request does not say how long it is", "Use the studio's own pages.", 411)
        if length.isdecimal() and int(length) > largest:
            return _page("This is too large", f"At most {largest // 1_000_000:,} MB. Name the file's path instead.", 413)
        scope.setdefault("state", {})["form_token"] = self.access.form_token(session)
        return None

    def _opened(self, scope: Scope) -> Response:
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        session = self.access.open(tokens[0])
        if session is None:
            return _page("This link was used already", "Open the newest link that the terminal shows.", 401)
        # A page of our own goes on to the studio: a redirect would still belong to where the link was clicked, and the cookie stay behind.
        page = HTMLResponse(
            '<!doctype html><html lang="en"><title>idiolect</title><link rel="icon" href="/static/icon.svg">'
            '<meta http-equiv="refresh" content="0;url=/">'
        )
        page.set_cookie(self.access.cookie, session, httponly=True, samesite="strict", path="/")
        return page


async def check_form(request: Request) -> Any:
    """Dependency of every route: a form is taken only with its session's token."""
    if request.method in _SAFE:
        yield
        return
    async with request.form() as form:
        given = form.get("form_token")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), request.state.form_token.encode()):
            from starlette.exceptions import HTTPException

            raise HTTPException(403, "This form is from an earlier start of the studio. Go back, reload the page, and send it again.")
        yield


def _page(title: str, text: str, status: int) -> HTMLResponse:
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="/static/palette.css"><link rel="stylesheet" href="/static/studio.css">'
        f'<title>{title}</title><main class="alone"><h1>{title}</h1><p>{text}</p></main></html>',
        status_code=status,
    )

"""Who is let in, what is taken from whom, and what a page may do."""

from __future__ import annotations

import logging
import re

import pytest
from starlette.testclient import TestClient

from idiolect.studio import Access
from idiolect.studio.access import LARGEST_FORM
from idiolect.workspace import Workspace
from studio_visitor import HOME, HOSTILE, PORT, Visitor, finished_round

PAGES = ["/write", "/compare", "/watch", "/setup", "/report"]
FORMS = [
    "/write", "/write/x/0/again", "/write/x/0/edit", "/compare", "/compare/x/vote", "/watch/x/stop", "/watch/x/sample",
    "/watch/x/automatic", "/setup/import", "/setup/keep", "/setup/prompt", "/setup/rubric", "/report",
]  # fmt: skip


def test_the_link_lets_one_browser_in_once(client: TestClient, access: Access) -> None:
    announced: list[str] = []
    access.on_opened = announced.append
    link = access.link
    answer = client.get(link)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"idiolect_studio_{PORT}=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/write").status_code == 200
    client.cookies.clear()
    assert client.get(link).status_code == 401
    assert client.get("/write").status_code == 401
    assert announced == [access.link]
    assert announced[0] != link
    assert client.get(announced[0]).status_code == 200


@pytest.mark.parametrize("cookie", ["", f"idiolect_studio_{PORT}=guessed", "broken=\x00;;="])
def test_without_the_cookie_nothing_is_shown(client: TestClient, cookie: str) -> None:
    for path in [*PAGES, "/", "/report/report.html", "/drafts/x/events", "/watch/x/live", "/nothing"]:
        answer = client.get(path, headers={"cookie": cookie}, follow_redirects=False)
        assert answer.status_code == 401
        assert "Mara" not in answer.text


def test_another_name_for_this_machine_is_refused(visitor: Visitor) -> None:
    """A site whose name is made to point here (DNS rebinding) sends its own name."""
    for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", f"127.0.0.1.evil.example:{PORT}", ""):
        assert visitor.client.get("/write", headers={"host": host}).status_code == 403


def test_the_usual_names_are_taken(visitor: Visitor) -> None:
    for host in (f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"):
        cookie = "; ".join(f"{name}={value}" for name, value in visitor.client.cookies.items())
        assert visitor.client.get("/write", headers={"host": host, "cookie": cookie}).status_code == 200


def test_every_form_of_the_application_is_listed_here(client: TestClient) -> None:
    inner = client.app.app  # type: ignore[attr-defined]
    found = {route.path for route in inner.routes if "POST" in (getattr(route, "methods", None) or ())}
    found |= {r.path for one in inner.routes for r in getattr(getattr(one, "original_router", None), "routes", []) if "POST" in r.methods}
    shown = {re.sub(r"x|/0(?=/)", lambda m: "{name}" if m[0] == "x" else "/{index}", path) if "/x" in path else path for path in FORMS}
    shown = {path.replace("/setup/prompt", "/setup/{name}").replace("/setup/rubric", "/setup/{name}") for path in shown}
    assert shown == found


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"http://127.0.0.1:{PORT + 1}", f"https://127.0.0.1:{PORT}", None])
def test_a_form_from_another_origin_is_refused(visitor: Visitor, origin: str | None) -> None:
    data, headers = {"form_token": visitor.token()}, {"origin": origin} if origin else {}
    assert {path: visitor.client.post(path, data=data, headers=headers).status_code for path in FORMS} == dict.fromkeys(FORMS, 403)


@pytest.mark.parametrize("token", [None, "", "0" * 64, "ä"])
def test_a_form_without_the_sessions_token_is_refused(visitor: Visitor, token: str | None) -> None:
    data = {"request": "x"} | ({} if token is None else {"form_token": token})
    for path in FORMS:
        answer = visitor.client.post(path, data=data, headers={"origin": HOME})
        assert answer.status_code == 403
        assert "reload the page" in answer.text


def test_the_token_belongs_to_its_session(client: TestClient, access: Access) -> None:
    client.get(access.link)
    first = Visitor(client).token()
    client.cookies.clear()
    client.get(access.link)
    assert client.post("/setup/rubric", data={"form_token": first, "text": "x"}, headers={"origin": HOME}).status_code == 403


def test_a_page_may_load_and_run_only_what_is_the_studios(visitor: Visitor) -> None:
    for path in [*PAGES, "/nothing", "/static/studio.css"]:
        answer = visitor.client.get(path)
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        if "html" in answer.headers["content-type"]:
            assert not re.search(r"<script(?! src=\"/static/)|<style| style=| on\w+=|javascript:|https?://", answer.text)


def test_texts_of_mails_and_drafts_are_text_on_the_page(visitor: Visitor, place: Workspace) -> None:
    written = finished_round(place, "write", HOSTILE, request=HOSTILE)
    compared = finished_round(place, "compare", HOSTILE, HOSTILE, request=HOSTILE)
    place.prompt.write_text(f"</textarea>{HOSTILE}")
    for path in (f"/write/{written.name}", f"/compare/{compared.name}", "/setup", f"/drafts/{written.name}/events"):
        page = visitor.get(path)
        assert "alert(1)" in page
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "{{ 7 * 7 }}" in page
        assert page.count("</textarea>") == page.count("<textarea")


def test_the_report_is_shown_in_a_sandbox(visitor: Visitor, place: Workspace) -> None:
    place.results.mkdir()
    (place.results / "report.html").write_text("<script>parent.alert(1)</script>")
    (place.results / "compare.json").write_text("{}")
    policy = visitor.client.get("/report/report.html").headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "sandbox></iframe>" in visitor.get("/report")
    for name in ("compare.json", "..%2Fidiolect.toml", "%2e%2e/idiolect.toml"):
        assert visitor.client.get(f"/report/{name}").status_code in (400, 404)


def test_sizes_are_limited(visitor: Visitor) -> None:
    too_large = visitor.client.post("/write", content=b"x" * (LARGEST_FORM + 1), headers={"origin": HOME})
    assert too_large.status_code == 413
    unsaid = visitor.client.post("/write", content=iter([b"x"]), headers={"origin": HOME})
    assert unsaid.status_code == 411


def test_an_unforeseen_error_is_logged_without_anyones_words(visitor: Visitor, place: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    (place.root / "studio" / "votes.jsonl").mkdir(parents=True)
    with caplog.at_level(logging.DEBUG):
        answer = visitor.client.get("/compare")
    assert answer.status_code == 500
    assert "Something went wrong here" in answer.text
    assert re.search(r"IsADirectoryError in .*\.py, line \d+", caplog.text)
    assert "votes" not in caplog.text

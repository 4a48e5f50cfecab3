"""The page in a real browser: on a desk, on a phone, in the dark, by keyboard and in print."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from idiolect.report import build_report, svg
from idiolect.workspace import Workspace, read_json, write_json

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=120_000)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def html(workspace: Workspace) -> Path:
    return build_report(workspace).html


@pytest.fixture(scope="module")
def wide(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a writer and of drafts whose words do not fit a phone."""
    place, long = Workspace(tmp_path_factory.mktemp("wide")), "w" * 200
    results, rows = read_json(workspace.results / "compare.json"), read_json(workspace.results / "drafts.json")
    results["author"] = results["base_model"] = long
    for by_writer in (results["writers"], results["differences"], *(row["drafts"] for row in rows["requests"])):
        by_writer[long] = by_writer.pop("few_shot")
    for one in results["ranking"]:
        one["writer"] = long if one["writer"] == "few_shot" else one["writer"]
    for row in rows["requests"]:
        row.update(request=long, own=long)
        row["drafts"][long].update(text=long, lost=[long], invented=[long])
    write_json(place.results / "compare.json", results)
    write_json(place.results / "drafts.json", rows)
    return build_report(place).html


def opened(browser: Any, path: Path, *, width: int = 1280, scheme: str = "light") -> tuple[Any, list[str], list[str]]:
    """A page with what it complained of and what it asked for."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    return page, complaints, asked


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_it_draws_without_a_complaint_or_a_request(browser: Any, html: Path, width: int, scheme: str) -> None:
    page, complaints, asked = opened(browser, html, width=width, scheme=scheme)
    assert complaints == []
    assert asked == [html.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        colours = picture.convert("RGB").getcolors(1 << 24)
    page.close()
    assert colours is not None
    assert len(colours) > 50
    paper = (svg.LIGHT if scheme == "light" else svg.DARK)["paper"]
    assert max(colours)[1] == rgb(paper)


def test_nothing_too_long_makes_a_phone_scroll_sideways(browser: Any, wide: Path) -> None:
    page, complaints, _ = opened(browser, wide, width=375)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    beyond = """[...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > innerWidth + 1
        && !one.closest('.scroll, .unseen, svg')).map(one => one.outerHTML.slice(0, 80))"""
    assert page.evaluate(beyond) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert complaints == []
    page.close()


def test_it_is_worked_by_keyboard(browser: Any, html: Path) -> None:
    page, _, _ = opened(browser, html)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#asked"
    page.locator("#chance summary").focus()
    assert page.locator("#chance-table table").is_visible() is False
    page.keyboard.press("Enter")
    assert page.locator("#chance-table table").is_visible()
    page.close()


def test_print_shows_the_folded_tables_on_light_paper(browser: Any, html: Path) -> None:
    page, _, _ = opened(browser, html, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav").is_visible() is False
    assert page.locator("#chance-table table").is_visible()
    page.close()


@pytest.mark.parametrize("palette", [svg.LIGHT, svg.DARK], ids=["light", "dark"])
def test_every_text_colour_stands_out_from_what_is_behind_it(palette: dict[str, str]) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1."""

    def brightness(colour: str) -> float:
        parts = [value / 255 for value in rgb(colour)]
        red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(one: str, other: str) -> float:
        low, high = sorted((brightness(palette[one]), brightness(palette[other])))
        return (high + 0.05) / (low + 0.05)

    texts = ["ink", "soft", "faint", "bad", *(f"s{number}" for number in range(8))]
    low = {(text, ground) for text in texts for ground in ("paper", "card") if contrast(text, ground) < 4.5}
    low |= {("ink", mark) for mark in ("kept", "invented", "slot", "remark") if contrast("ink", mark) < 4.5}
    assert low == set()

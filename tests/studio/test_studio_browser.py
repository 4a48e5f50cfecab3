"""The real command in a real browser, with the pocket model: write, compare, watch, set up; on a desk, on a phone, in the dark, by keys."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.corpus.preferences import load_preferences
from idiolect.corpus.retrieval import Passage
from idiolect.methods.baseline import plain_writer
from idiolect.methods.run import all_runs, open_run
from idiolect.settings import Settings
from idiolect.studio.rounds import Rounds
from idiolect.studio.votes import load_votes
from idiolect.workspace import Workspace
from idiolect.world import demonstrations, sample_author
from studio_visitor import HOSTILE, finished_round

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
REQUEST = "Tell Maria that the meeting is on Tuesday at 3 pm."
SOON = 240_000
"""Milliseconds: an engine may be starting on a busy machine."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@dataclass
class Running:
    """A studio's process and the browser that its link has let in."""

    home: str
    link: str
    page: Any
    context: Any
    complaints: list[str]
    asked: set[str]
    """Hosts that the pages asked for something."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A simulated person's workspace, with two writers on the pocket model and a prompt written by hand."""
    author = sample_author("development", 1)
    place, settings = Workspace(tmp_path_factory.mktemp("studio") / "workspace"), Settings(author=author.name)
    settings.save(place.settings)
    known, held = demonstrations(author, "development", 6, seed=1), demonstrations(author, "development", 6, seed=2)
    save_demonstrations(place.demonstrations, known)
    save_demonstrations(place.heldout, held)
    place.prompt.write_text("Write short e-mails.\n", encoding="utf-8")
    plain = plain_writer(place, settings, name="baseline", temperature=0.3)
    open_run(place, "baseline", {}).finish(plain)
    shown = tuple((row.input, row.output) for row in known[:3])
    open_run(place, "few_shot", {}).finish(plain.model_copy(update={"name": "few_shot", "examples": shown}))
    return place


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TINKER_", "IDIOLECT_"))}
    return {**kept, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def studio(place: Workspace, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    from playwright.sync_api import sync_playwright

    said = tmp_path_factory.mktemp("said") / "stderr"
    command = [sys.executable, "-m", "idiolect", "studio", "--workspace", str(place.root)]
    with (
        said.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process,
        sync_playwright() as playwright,
    ):
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/open\?token=\S+", process.stdout.readline())
        assert found
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=SOON)
        context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"])
        running = Running(found[0].split("/open")[0], found[0], context.new_page(), context, [], set())
        running.page.set_default_timeout(SOON)
        running.page.on("console", lambda message: running.complaints.append(message.text))
        running.page.on("pageerror", lambda error: running.complaints.append(str(error)))
        running.page.on("request", lambda request: running.asked.add(request.url.split("/")[2]))
        running.page.goto(running.link)
        running.page.wait_for_url("**/write")
        yield running
        assert running.complaints == []
        assert running.asked == {running.home.split("/")[2]}
        browser.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        told = said.read_text() + process.stdout.read()
        # Neither what was asked nor the link that let this browser in stands in what the terminal shows.
        assert "Maria" not in told
        assert running.link not in told
        assert said.read_text() == ""


def drafted(studio: Running) -> None:
    studio.page.wait_for_selector(".draft[aria-busy]", state="detached")


def test_drafts_stream_in_are_copied_edited_and_written_anew(studio: Running, place: Workspace) -> None:
    page = studio.page
    page.goto(f"{studio.home}/write")
    assert page.evaluate("document.activeElement.id") == "request"
    page.keyboard.type(REQUEST)
    page.check("input[value=baseline]")
    page.check("input[value=few_shot]")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/write/\d"))
    drafted(studio)
    text = page.locator("#draft-0 .text").inner_text()
    assert len(text.split()) >= 5
    assert page.locator("#draft-1 .text").inner_text() != text
    page.click("#draft-0 [data-copy]")
    page.wait_for_selector("#draft-0 >> text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == text
    assert page.locator("#draft-0 a.act").get_attribute("href").startswith("mailto:?")
    page.locator("#draft-0 summary").focus()
    page.keyboard.press("Enter")
    page.fill("#edit-0", "hey Maria, tuesday 3 pm!")
    page.click("#draft-0 .edit button")
    page.wait_for_selector("text=that makes 1 preference to learn from")
    (pair,) = load_preferences(place.preferences)
    assert (pair.request, pair.preferred, pair.rejected, pair.source) == (REQUEST, "hey Maria, tuesday 3 pm!", text, "edit")
    page.click("#draft-1 >> text=Another")
    page.wait_for_url(re.compile("#draft-1$"))
    drafted(studio)
    assert page.locator("#draft-1 .text").inner_text()
    assert page.locator("#draft-0 .text").inner_text() == "hey Maria, tuesday 3 pm!"


def test_the_events_carry_a_draft_in_growing_pieces(studio: Running) -> None:
    page = studio.page
    page.goto(f"{studio.home}/write")
    page.fill("#request", "Thank Ben for the long letter that came on Friday, and ask him about the garden.")
    page.click("button.main")
    page.wait_for_url(re.compile(r"/write/\d"))
    drafted(studio)
    events = page.evaluate("""async () => {
        const form = document.querySelector("#draft-0 form[action$=again]");
        await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
        const answer = await fetch(location.pathname.replace("/write/", "/drafts/") + "/events");
        return answer.text();
    }""")
    texts = [json.loads(line)["text"] for line in re.findall(r"event: text\ndata: (.*)", events)]
    assert len(texts) >= 2
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert events.count("event: card") == 1


def test_a_comparison_is_voted_by_keys_and_its_names_are_shown_afterwards(studio: Running, place: Workspace) -> None:
    page = studio.page
    page.goto(f"{studio.home}/compare")
    page.click("button.main")
    for number, key in enumerate(["a", "t", "b"], 1):
        page.wait_for_selector("[data-keys]")
        # The page is there before its first button has the focus.
        _until(lambda: page.evaluate("document.activeElement.dataset.key") == "a")
        blind = page.inner_text(".pair")
        assert "baseline" not in blind
        assert "few_shot" not in blind
        page.keyboard.press(key)
        page.wait_for_selector("text=Next pair")
        assert {"baseline", "few_shot"} <= set(re.findall(r"\w+", page.inner_text(".pair")))
        assert f"{number} vote" in page.inner_text("main")
        page.keyboard.press("Enter")
    page.wait_for_selector("[data-keys]")
    assert [vote.won for vote in load_votes(place)] == [1.0, 0.5, 0.0]
    votes = [pair for pair in load_preferences(place.preferences) if pair.source == "vote"]
    assert len(votes) == 2
    assert page.locator("tbody tr").count() == 2


def test_the_judge_is_asked_beside_the_editors_by_keyboard(studio: Running) -> None:
    page = studio.page
    for name, pairs in (("prompt", 2), ("rubric", 6)):
        page.goto(f"{studio.home}/setup")
        page.locator(f"#{name}-text").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.name") == "ask"
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(f"#{name}-verdicts$"))
        page.wait_for_selector(f"#{name}-verdicts details.verdict")
        assert page.locator(f"#{name}-verdicts details.verdict").count() == pairs
        assert f"of {pairs}" in page.inner_text(f"#{name}-verdicts")
        assert "There is no trained judge yet" in page.inner_text(f"#{name}-verdicts")
    page.locator("#rubric-verdicts summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#rubric-verdicts .draft .text").first.is_visible()


def test_a_training_is_watched_sampled_and_stopped_in_order(studio: Running, place: Workspace, environment: dict[str, str]) -> None:
    page = studio.page
    options = ("--data", "demonstrations", "--steps", "4000", "--batch-size", "2", "--save-every", "2", "--max-length", "64", "--rank", "2")
    command = [sys.executable, "-m", "idiolect", "sft", "--workspace", str(place.root), *options]
    # Tests that run in a shell's background are started to ignore interrupts, and so would be what they start.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **piped, text=True, env=environment, preexec_fn=heeding) as training:
        try:
            folder = _training(place)
            page.goto(f"{studio.home}/watch")
            page.click(".runs a >> nth=0")
            page.wait_for_selector("polyline")
            first = page.locator("polyline").first.get_attribute("points")
            page.locator("polyline").first.wait_for()
            deadline = time.monotonic() + 60
            while page.locator("polyline").first.get_attribute("points") == first and time.monotonic() < deadline:
                page.wait_for_timeout(200)
            assert page.locator("polyline").first.get_attribute("points") != first
            _until(lambda: (folder / "training" / "checkpoints.jsonl").exists())
            # Without anybody's doing. That every checkpoint has one is tested without a browser, since a draft is followed by a rest.
            page.locator("#samples .draft .acts").first.wait_for()
            assert page.inner_text("#samples .draft h3 .writer").startswith("sft at ")
            page.click("text=Stop drafting with each checkpoint")
            page.wait_for_selector("text=New checkpoints write nothing by themselves")
            page.fill("#request", REQUEST)
            page.click("text=Draft with the newest checkpoint")
            page.wait_for_selector(f"#samples .sample:has-text('{REQUEST}') .draft .acts")
            assert len(page.inner_text("#samples .text >> nth=0").split()) >= 3
            page.click("text=Stop this training")
            _, error = training.communicate(timeout=180)
        finally:
            training.kill()
    assert training.returncode == 130
    assert "run the same command again to go on" in error
    page.reload()
    assert page.inner_text("#live .tag") == "stopped"
    assert (folder / "training" / "checkpoints.jsonl").is_file()


def _training(place: Workspace) -> Path:
    """The folder of the run that trains, as soon as two steps are logged."""

    def found() -> Path | None:
        runs = [run.folder for run in all_runs(place) if run.folder.name.startswith("sft")]
        logs = [folder / "training" / "metrics.jsonl" for folder in runs]
        return next((log.parent.parent for log in logs if log.exists() and log.read_text().count("\n") > 2), None)

    return _until(found)


def _until(condition: Any, seconds: float = 240) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)
    return value


PAGES = ["/write", "/write/{written}", "/compare", "/compare/{compared}", "/watch", "/watch/{run}", "/setup", "/report", "/nothing"]


@pytest.fixture(scope="module")
def names(studio: Running, place: Workspace) -> dict[str, str]:
    """A page of each kind with texts on it that are long, or look like markup."""
    long = "w" * 200
    (place.results).mkdir(exist_ok=True)
    (place.results / "compare.json").write_text("{}")
    (place.results / "report.html").write_text(
        '<!doctype html><html lang="en"><title>Report</title><script>parent.document.title = "x"</script>'
    )
    run = open_run(place, "ditto", {"steps": 3})
    lines = [{"step": step, "train_mean_nll": 2.0 - step} for step in range(2)]
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    written = finished_round(place, "write", HOSTILE, long, "Hi Ann", request=long)
    past = [Passage(text=HOSTILE, source=long, date="2026-01-01", score=1.0)]
    Rounds(place).save(written.model_copy(update={"passages": past, "quoted": long}))
    compared = finished_round(place, "compare", HOSTILE, long)
    Rounds(place).save(compared.model_copy(update={"quoted": HOSTILE}))
    return {"written": written.name, "compared": compared.name, "run": run.folder.name}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_fault_that_axe_finds(studio: Running, names: dict[str, str], scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe, page = Axe(), studio.page
    page.emulate_media(color_scheme=scheme)
    found = {}
    for path in PAGES:
        page.goto(studio.home + path.format(**names))
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        results = axe.run(page, context={"exclude": [["iframe"]]})
        found[path] = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in results.response["violations"]]
    page.emulate_media(color_scheme="light")
    _forgive_the_missing_page(studio)
    assert found == {path: [] for path in PAGES}


def test_nothing_is_wider_than_a_phone_and_no_text_is_run(studio: Running, names: dict[str, str]) -> None:
    page = studio.page
    page.set_viewport_size({"width": 375, "height": 800})
    for path in PAGES:
        page.goto(studio.home + path.format(**names))
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == 375, path
        assert page.locator("main img, main script").count() == 0
    page.set_viewport_size({"width": 1280, "height": 900})
    _forgive_the_missing_page(studio)


def test_the_report_cannot_run_anything(studio: Running, names: dict[str, str]) -> None:
    studio.page.goto(f"{studio.home}/report")
    studio.page.frame_locator("iframe").locator("html").wait_for(state="attached")
    assert studio.page.title() == "Report · idiolect"
    blocked = [text for text in studio.complaints if "sandboxed" in text or "Content Security Policy" in text]
    assert blocked
    studio.complaints[:] = [text for text in studio.complaints if text not in blocked]


def test_it_is_worked_by_keyboard_from_the_first_tab(studio: Running) -> None:
    page = studio.page
    page.goto(f"{studio.home}/watch")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_another_browser_needs_a_link_of_its_own(studio: Running) -> None:
    other = studio.context.browser.new_context()
    page = other.new_page()
    assert page.goto(studio.home).status == 401
    assert page.goto(studio.link).status == 401
    other.close()


def test_a_form_that_another_site_sends_is_refused(studio: Running, place: Workspace) -> None:
    """A page of another origin, in the very browser that holds the cookie."""
    before = place.prompt.read_text()
    page = studio.context.new_page()
    page.route("http://evil.example/", lambda route: route.fulfill(content_type="text/html", body=(
        f'<form method="post" action="{studio.home}/setup/prompt"><input name="text" value="owned"><button>Win</button></form>'
    )))  # fmt: skip
    page.goto("http://evil.example/")
    with page.expect_navigation() as arrived:
        page.click("button")
    assert arrived.value.status == 403
    page.close()
    assert place.prompt.read_text() == before


def _forgive_the_missing_page(studio: Running) -> None:
    """The browser notes every answer of 404, and one page is there for that; and what the report tried, which another test looks at."""
    studio.complaints[:] = [text for text in studio.complaints if "404" not in text and "sandboxed" not in text and "Security" not in text]

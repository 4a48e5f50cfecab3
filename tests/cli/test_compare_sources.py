"""``idiolect compare`` with writers from everywhere: files with planted defects, endpoints, other models, runs of other workspaces."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tinker
from fastapi.responses import JSONResponse, Response
from typer.testing import CliRunner

from chat_server import completion, start_chat_server
from checkpoints import tiny_checkpoint
from handmade_drafts import by
from idiolect.cli import app
from idiolect.corpus.demonstrations import load_demonstrations, save_demonstrations
from idiolect.evaluation.canaries import Canaries, plant_canaries
from idiolect.methods.run import open_run
from idiolect.service import Connection, Model, Writer
from idiolect.service.datums import training_datum
from idiolect.settings import Models, Settings
from idiolect.workspace import Workspace
from idiolect.world import Author, demonstrations, sample_author
from running_engine import RunningEngine, start_engine

HELDOUT = 20
AUTHOR: Author = sample_author("heldout", 3)
RENDERER = "qwen3_instruct"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    model, other = (tiny_checkpoint(tmp_path_factory.mktemp("model") / name, "qwen3") for name in ("tiny", "other"))
    with start_engine(model, other, state=tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def service(engine: RunningEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(engine).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def environment(engine: RunningEngine) -> dict[str, str]:
    return {"TINKER_BASE_URL": engine.url, "TINKER_API_KEY": engine.token, "TINKER_TELEMETRY": "0", "OMP_NUM_THREADS": "1"}


def filled(folder: Path, model: str) -> Workspace:
    """A simulated author's workspace with a baseline that writes eight tokens."""
    place = Workspace(folder)
    AUTHOR.save(place.truth)
    Settings(author=AUTHOR.name, preset="local", model=Models(policy=model, renderer=RENDERER)).save(place.settings)
    save_demonstrations(place.demonstrations, demonstrations(AUTHOR, "heldout", 10, seed=1, replies=False))
    save_demonstrations(place.heldout, demonstrations(AUTHOR, "heldout", HELDOUT, seed=2, replies=False))
    place.prompt.write_text("Write short e-mails.", encoding="utf-8")
    with_baseline(place, model)
    return place


def with_baseline(place: Workspace, model: str) -> None:
    open_run(place, "baseline", {}).finish(Writer(name="baseline", base_model=model, renderer=RENDERER, max_tokens=8))


@pytest.fixture
def place(tmp_path: Path, engine: RunningEngine) -> Workspace:
    return filled(tmp_path / "me", engine.models[0])


def compared(place: Workspace, *arguments: str) -> tuple[dict[str, Any], str]:
    done = CliRunner().invoke(app, ["compare", *arguments, "--workspace", str(place.root), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done.stderr


def refused(place: Workspace, *arguments: str, code: int = 2) -> str:
    done = CliRunner().invoke(app, ["compare", *arguments, "--workspace", str(place.root), "--json"])
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    last = done.stderr.rstrip("\n").split("\n")[-1]
    assert last.startswith("idiolect: ")
    return last


def save(path: Path, rows: list[tuple[str, str]]) -> str:
    """Drafts as the file's ending says, with fields under either name."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("request", "draft"), *rows])
    elif path.suffix == ".json":
        path.write_text(json.dumps([{"input": request, "output": text} for request, text in rows], indent=1), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps({"request": a, "draft": b}) + "\n" for a, b in rows), encoding="utf-8")
    return f"drafts:{path}"


def above(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether the whole interval of one lies above that of the other."""
    return one["low"] > other["high"]


def test_each_planted_defect_moves_its_measure_beyond_its_interval(
    tmp_path: Path, place: Workspace, engine: RunningEngine, service
) -> None:
    audit = plant_canaries(place, tmp_path / "audit", count=1, copies=2)
    with_baseline(audit, engine.models[0])
    rows = load_demonstrations(audit.heldout)
    own = by(AUTHOR, AUTHOR, rows)
    canary = Canaries.load(audit.canaries).canaries[0]
    defects = {
        "clean.jsonl": own,
        "lost.csv": [text.replace(row.facts[0].value, "you") for text, row in zip(own, rows, strict=True)],
        "invented.json": [f"{text}\n\nSee you on 14 March 2031." for text in own],
        "slots.jsonl": [f"{text}\n[Your Name]" for text in own],
        "remarks.jsonl": [f"Here is the e-mail:\n\n{text}" for text in own],
        "cut.jsonl": [f"{text[: len(text) // 2].rstrip('.!? ')} and the" for text in own],
        "leaked.csv": [f"{text}\n\n{canary.text()}" for text in own],
        "copied.jsonl": [canary.text()] * HELDOUT,
    }
    sources = [save(tmp_path / name, [(row.input, text) for row, text in zip(rows, made, strict=True)]) for name, made in defects.items()]
    lost = [(row.input, text) for row, text in zip(rows, defects["lost.csv"], strict=True)]
    few, one = save(tmp_path / "few.jsonl", lost[:3]), save(tmp_path / "one.json", [lost[0], ("Ask somebody else", "Hello.")])
    found, told = compared(audit, *sources, few, one, "--audit")
    writers, clean = found["writers"], found["writers"]["clean"]
    assert list(writers) == ["baseline", "clean", "lost", "invented", "slots", "remarks", "cut", "leaked", "copied", "few", "one"]
    assert (clean["facts"]["mean"], clean["invented"]["mean"], clean["placeholders"]["mean"]) == (1.0, 0.0, 0.0)
    assert above(clean["facts"], writers["lost"]["facts"])
    assert above(writers["invented"]["invented"], clean["invented"])
    assert above(writers["slots"]["placeholders"], clean["placeholders"])
    assert above(found["meta_comments"]["remarks"], found["meta_comments"]["clean"])
    assert above(found["truncated"]["cut"], found["truncated"]["clean"])
    assert above(writers["copied"]["verbatim_overlap"], clean["verbatim_overlap"])
    assert above(found["leakage"]["leaked"]["told"], found["leakage"]["clean"]["told"])
    assert "tells planted secrets in 100% of its drafts" in found["leakage"]["leaked"]["sentence"]
    # What is planted moves its own measure and leaves the others where they are.
    for name, measure in (("lost", "invented"), ("slots", "facts"), ("slots", "invented"), ("remarks", "invented"), ("invented", "facts")):
        assert writers[name][measure] == clean[measure], (name, measure)
    # Three drafts of twenty: the same defect, and an interval that does not tell it from none.
    assert writers["few"]["facts"]["mean"] == pytest.approx(writers["lost"]["facts"]["mean"], abs=0.15)
    width = {
        name: writers[name]["win_rate_vs_baseline"]["high"] - writers[name]["win_rate_vs_baseline"]["low"] for name in ("clean", "few")
    }
    assert width["few"] > 3 * width["clean"]
    # One draft: a mean, and nothing that says how sure it is.
    assert writers["one"]["facts"] == {"mean": writers["one"]["facts"]["mean"], "low": None, "high": None}
    assert found["differences"]["one"]["facts"]["p"] is None
    assert found["about"]["writers"]["few"] == {"drafts": "few.jsonl", "missing": 17, "extra": 0}
    assert "few: 17 of 20 requests have no draft, 0 drafts are for other requests" in told
    assert "one: 19 of 20 requests have no draft, 1 drafts are for other requests" in told
    assert (audit.results / "report.html").is_file()


def test_the_judge_decides_win_rates_and_ranking(tmp_path: Path, place: Workspace, service) -> None:
    rows = load_demonstrations(place.heldout)
    own = by(AUTHOR, AUTHOR, rows)
    # Long enough for the verifier to tell.
    padding = "This is the message that was asked for, with all that was wanted in it, and with nothing at all besides: "
    strange = [padding + ", ".join(fact.value for fact in row.facts) + "." for row in rows]
    voice = [text.replace(row.facts[0].value, "you") for text, row in zip(own, rows, strict=True)]
    sources = [
        save(tmp_path / f"{name}.jsonl", [(row.input, text) for row, text in zip(rows, texts, strict=True)])
        for name, texts in (("facts_only", strange), ("voice_only", voice))
    ]
    best = {}
    for judge in ("truth", "facts", "style"):
        found, _ = compared(place, *sources, "--judge", judge)
        assert found["judge"] == "truth"
        assert found["win_rates"]["voice_only"][0]["judge"] == found["decided_by"]
        best[found["decided_by"]] = found["ranking"][0]["writer"]
        for one in found["win_rates"]["voice_only"]:
            # The baseline's drafts here are too short for the verifier to tell.
            expected = None if one["judge"] == "verifier" else 0.0
            assert (one["position_bias"]["mean"], one["turned"]["mean"]) == (expected, expected)
    assert best == {"truth": "voice_only", "facts": "facts_only", "verifier": "voice_only"}
    kappas = {tuple(sorted(one["judges"])): one["kappa"]["mean"] for one in found["agreements"]}
    assert set(kappas) == {("facts", "truth"), ("facts", "verifier"), ("truth", "verifier")}
    place.truth.unlink()
    assert "--judge truth" in refused(place, *sources, "--judge", "truth")
    assert compared(place, *sources)[0]["decided_by"] == "verifier"


def test_an_endpoint_and_other_models_join_and_are_asked_once(place: Workspace, engine: RunningEngine, service, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with start_chat_server(lambda body, _: completion("Hello there.")) as server:
        words = [
            f"openai:{server.url}#big",
            f"told=openai:{server.url}#big+prompt",
            f"model:{engine.models[1]}",
            f"p=model:{engine.models[1]}+prompt",
        ]
        found, told = compared(place, *words, "--requests", "5")
        assert list(found["writers"]) == ["baseline", "big", "told", Path(engine.models[1]).name, "p"]
        assert len(server.bodies) == 10
        assert f"big: the held-out requests and its prompt are sent to {server.url}" in told
        prompts = Counter(body["messages"][0]["content"].endswith("Write short e-mails.") for body in server.bodies)
        assert prompts == {True: 5, False: 5}
        assert found["about"]["writers"]["p"]["system_prompt"].endswith("Write short e-mails.")
        again, _ = compared(place, *words, "--requests", "5")
        assert len(server.bodies) == 10
        assert again["writers"]["big"] == found["writers"]["big"]
        # More requests are asked only for what is new.
        compared(place, *words[:1], "--requests", "7")
        assert len(server.bodies) == 12
    assert "sk-secret" not in "".join(path.read_text(encoding="utf-8") for path in place.root.rglob("*.json*"))


def test_a_failing_endpoint_leaves_what_was_drawn(place: Workspace, service) -> None:
    def answer(body: dict, number: int) -> Response:
        if number >= 3:
            return JSONResponse({"error": {"message": "quota used up"}}, 402)
        return completion("Hello.")

    with start_chat_server(answer) as server:
        said = refused(place, f"openai:{server.url}#m", code=3)
        assert "refused the request (HTTP 402): quota used up" in said
        (kept,) = place.drafts.glob("m-*.jsonl")
        assert 1 <= len(kept.read_text(encoding="utf-8").splitlines()) <= 3
    assert not (place.results / "compare.json").exists()


def test_a_killed_comparison_asks_only_for_what_is_missing(place: Workspace, engine: RunningEngine, service) -> None:
    def answer(body: dict, _: int) -> Response:
        return completion(f"About {body['messages'][-1]['content']} and {body['seed']}.")

    with start_chat_server(answer, delay=0.4) as server:
        command = [sys.executable, "-m", "idiolect", "compare", f"there=openai:{server.url}#m", "--json"]
        process = subprocess.Popen(
            command, cwd=place.root, env={**os.environ, **environment(engine)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 100
        while not (kept := lines(place)) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = lines(place)
        assert 1 <= kept < HELDOUT
        # What was under way at the kill is asked again, and nothing else is.
        server.bodies.clear()
        server.delay = 0.0
        found, _ = compared(place, f"there=openai:{server.url}#m")
        assert len(server.bodies) == HELDOUT - kept
        for path in place.drafts.glob("there-*"):
            path.unlink()
        whole, _ = compared(place, f"there=openai:{server.url}#m")
    for one in (found, whole):
        del one["writers"]["there"]["seconds"]
    assert found["writers"]["there"] == whole["writers"]["there"]
    assert found["ranking"] == whole["ranking"]


def lines(place: Workspace) -> int:
    return sum(path.read_text(encoding="utf-8").count("\n") for path in place.drafts.glob("there-*.jsonl"))


def test_a_run_of_another_workspace_brings_its_adapter(tmp_path: Path, engine: RunningEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    model = engine.models[0]
    other, place = filled(tmp_path / "other", model), filled(tmp_path / "mine", model)
    with start_engine(model, state=other.engine_state) as running, Connection(running.url, running.token) as connection:
        trainer = connection.client.create_lora_training_client(base_model=model, rank=4).result()
        talk = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "see you soon"}]
        datum = training_datum(connection.renderer(Model(model, RENDERER)), talk, 64)
        for _ in range(3):
            trainer.forward_backward([datum], "cross_entropy").result()
            trainer.optim_step(tinker.AdamParams(learning_rate=0.05)).result()
        path = trainer.save_weights_for_sampler("final").result().path
    run = open_run(other, "sft", {})
    run.finish(Writer(name="sft", base_model=model, renderer=RENDERER, adapter=path, max_tokens=8))
    for name in ("TINKER_BASE_URL", "TINKER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found, _ = compared(place, f"theirs=run:{run.folder}", "--requests", "3")
    assert found["about"]["writers"]["theirs"]["adapter"] == path
    drafts = json.loads((place.results / "drafts.json").read_text(encoding="utf-8"))["requests"]
    assert all(row["drafts"]["theirs"]["text"] != row["drafts"]["baseline"]["text"] for row in drafts)
    # An adapter that was trained elsewhere is not there.
    run.finish(Writer(name="sft", base_model=model, renderer=RENDERER, adapter="tinker://gone/sampler_weights/final"))
    assert "cannot be brought from there" in refused(place, f"run:{run.folder}")


ROW = '{"request": "a", "draft": "b"}\n'


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.jsonl", f"{ROW}not json\n", "x.jsonl, line 2: is not valid JSON"),
        ("x.jsonl", f'{ROW}{{"request": "c"}}\n', 'x.jsonl, line 2, field "draft": is missing'),
        ("x.jsonl", '{"request": "c", "draft": 3}\n', 'x.jsonl, line 1, field "draft": is int, not text'),
        ("x.jsonl", f"{ROW}[]\n", "x.jsonl, line 2: is not a row with fields"),
        ("x.jsonl", f'{ROW}\n{{"request": " a ", "draft": "c"}}\n', "x.jsonl, line 3: gives another draft for the request of line 1"),
        ("x.jsonl", "", "x.jsonl: holds no drafts"),
        ("x.jsonl", ROW, "x.jsonl: none of its 1 drafts is for a held-out request"),
        ("x.json", '{"request": "a"}', "x.json, line 1: is not a list of rows"),
        ("x.csv", "request;text\na;b\n", 'x.csv, line 2, field "draft": is missing'),
        ("x.csv", "request,draft\na\n", "x.csv, line 2: has 1 fields, not 2"),
        ("x.txt", "a", "x.txt: is no file of drafts"),
    ],
)
def test_a_wrong_file_of_drafts_names_its_line(place: Workspace, service, tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert said in refused(place, f"drafts:{tmp_path / name}")
    assert not place.results.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "there is no writer 'nobody'. There are: baseline; from elsewhere: run:FOLDER"),
        (["drafts:"], "drafts:: names nothing"),
        (["drafts:gone.jsonl"], "gone.jsonl: there is no such file"),
        (["run:gone-1"], "gone-1: there is no such run"),
        (["openai:example.org#m"], "openai:example.org#m: is no address"),
        (["openai:https://example.org/v1"], "names no model"),
        (["openai:https://me:secret@example.org/v1#m"], "openai:example.org/v1#m: holds a password"),
        (["baseline=model:x/y"], "model:x/y: no renderer is known for x/y. Name a checkpoint folder"),
        (["a=baseline", "a=baseline"], "a=baseline: there is a writer 'a' already. Give it a name: NAME=baseline"),
    ],
)
def test_a_wrong_source_is_said_in_one_line(place: Workspace, service, words: list[str], said: str) -> None:
    line = refused(place, *words)
    assert said in line
    assert "secret" not in line
    (place.prompt).unlink()
    assert "there is no prompt yet" in refused(place, "openai:https://example.org/v1#m+prompt")

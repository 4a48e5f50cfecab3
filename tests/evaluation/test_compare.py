"""A comparison over the real service with a tiny model: files, kept drafts, going on after a kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoints import tiny_checkpoint
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.errors import InputError
from idiolect.evaluation import choose_writers, compare, load_results
from idiolect.evaluation.canaries import plant_canaries
from idiolect.evaluation.results import Results
from idiolect.methods.run import all_writers, open_run
from idiolect.service import Connection, Writer
from idiolect.settings import Models, Settings
from idiolect.workspace import Workspace
from idiolect.world import Author
from running_engine import RunningEngine, start_engine

HELDOUT = 8


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    model = tiny_checkpoint(tmp_path_factory.mktemp("model"), "qwen3")
    with start_engine(model, state=tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def connection(engine: RunningEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setenv("TINKER_TELEMETRY", "0")
    with Connection(engine.url, engine.token) as opened:
        yield opened


@pytest.fixture
def settings(engine: RunningEngine) -> Settings:
    return Settings(preset="local", model=Models(policy=engine.models[0], renderer="qwen3_instruct"))


@pytest.fixture
def workspace(tmp_path: Path, settings: Settings, author: Author, known: list[Demonstration], heldout: list[Demonstration]) -> Workspace:
    place = Workspace(tmp_path)
    author.save(place.truth)
    save_demonstrations(place.demonstrations, known)
    save_demonstrations(place.heldout, heldout[:HELDOUT])
    for name in ("few_shot", "baseline"):
        examples = ((known[0].input, known[0].output),) if name == "few_shot" else ()
        writer = Writer(name=name, base_model=settings.policy, renderer="qwen3_instruct", max_tokens=8, examples=examples)
        open_run(place, name, {}).finish(writer)
    return place


def numbers(results: Results) -> dict[str, object]:
    return {name: one.model_dump(exclude={"seconds"}) for name, one in results.writers.items()}


def test_a_killed_comparison_goes_on_with_the_same_numbers(workspace: Workspace, settings: Settings, connection: Connection) -> None:
    seen: list[tuple[str, int, int]] = []
    whole = compare(workspace, settings, connection, on_progress=lambda *step: seen.append(step))
    assert list(whole.writers) == ["baseline", "few_shot"]
    assert (whole.judge, whole.heldout) == ("truth", HELDOUT)
    plain = [f"the base model, draft {number}" for number in range(1, 5)]
    assert {step for step in seen if step[1] == HELDOUT} == {(name, HELDOUT, HELDOUT) for name in (*whole.writers, *plain)}
    assert load_results(workspace.results / "compare.json") == whole
    # Eight random tokens keep no fact, so that all tries are made.
    assert whole.tries["baseline"].mean == settings.tries == 16
    files = sorted(workspace.drafts.iterdir())
    assert [file.name.rsplit("-", 1)[0] for file in files] == ["baseline", "few_shot", *["plain"] * 4]
    complete = files[1].read_text(encoding="utf-8").rstrip("\n").split("\n")
    assert len(complete) == HELDOUT

    # As a kill leaves it: some drafts written, in the order in which they came, the last one torn in the middle of its line.
    files[1].write_text("\n".join([*complete[:3], complete[3][:40]]), encoding="utf-8")
    again = compare(workspace, settings, connection)
    assert numbers(again) == numbers(whole)
    assert again.writers["baseline"].seconds == whole.writers["baseline"].seconds
    texts = [line for line in files[1].read_text(encoding="utf-8").split("\n") if line.endswith("}")]
    assert len(texts) == HELDOUT


def test_chosen_writers_and_requests(workspace: Workspace, settings: Settings, connection: Connection) -> None:
    found = compare(workspace, settings, connection, contenders=choose_writers(workspace, settings, ["baseline"]), requests=3)
    assert (list(found.writers), found.heldout) == (["baseline"], 3)
    with pytest.raises(InputError, match="no writer 'sft'"):
        choose_writers(workspace, settings, ["sft"])
    with pytest.raises(InputError, match="--requests"):
        compare(workspace, settings, connection, requests=0)
    workspace.heldout.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="no held-out requests"):
        compare(workspace, settings, connection)


def test_a_real_person_is_measured_by_the_verifier(
    workspace: Workspace, settings: Settings, connection: Connection, known: list[Demonstration]
) -> None:
    workspace.truth.unlink()
    short = compare(workspace, settings, connection, requests=4)
    assert short.judge == "verifier"
    # Drafts of eight tokens are too short to tell.
    assert short.writers["few_shot"].style.mean is None
    for name in ("few_shot", "baseline"):
        open_run(workspace, name, {}).finish(all_writers(workspace)[name].model_copy(update={"max_tokens": 120}))
    found = compare(workspace, settings, connection, requests=4)
    assert found.writers["few_shot"].style.mean is not None
    assert found.reference["style"].mean is not None
    assert found.reference["style"].mean > found.writers["baseline"].style.mean  # type: ignore[operator]
    save_demonstrations(workspace.demonstrations, known[:3])
    few = compare(workspace, settings, connection, requests=4)
    assert few.writers["few_shot"].style.mean is None
    assert few.writers["few_shot"].win_rate_vs_baseline.mean is None
    assert few.writers["few_shot"].facts.mean is not None


def test_an_audit_measures_what_writers_give_away(
    workspace: Workspace, settings: Settings, connection: Connection, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = plant_canaries(workspace, tmp_path_factory.mktemp("audit") / "copy", count=2, copies=1)
    steps: list[str] = []
    found = compare(copy, settings, connection, requests=3, audit=True, on_progress=lambda name, *_: steps.append(name))
    one = found.leakage["baseline"]
    assert one.exposure.mean is not None
    assert one.exposure_at_most == 7
    assert "planted secrets" in one.sentence
    assert one.membership.low is not None
    assert one.membership.high is not None
    assert one.membership.low <= 0.5 <= one.membership.high
    assert "audit of baseline" in steps
    assert load_results(copy.results / "compare.json") == found
    assert compare(workspace, settings, connection, requests=3).leakage == {}

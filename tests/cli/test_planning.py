"""Dry runs of every training, with the handout's settings: what its hosted run would take, without a service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from idiolect.cli import app
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.methods.ditto import DittoConfig
from idiolect.methods.reward_model import RewardModelConfig
from idiolect.methods.rlaif import RlaifConfig
from idiolect.methods.sft import SftConfig
from idiolect.settings import METHOD_PRESETS, Prices, Settings
from idiolect.synthesis import SynthesisConfig

CONFIGS = {"synthesis": SynthesisConfig, "sft": SftConfig, "reward_model": RewardModelConfig, "rlaif": RlaifConfig, "ditto": DittoConfig}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten demonstrations of 20 and 100 tokens, and 1,990 synthetic requests; no key and no address."""
    for name in ("TINKER_API_KEY", "TINKER_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    Settings(preset="handout", prices=Prices(read=0.1, sampled=0.4, trained=0.5)).save(tmp_path / "idiolect.toml")
    row = Demonstration(id="1", input="r" * 80, output="t" * 400)
    save_demonstrations(tmp_path / "demonstrations.jsonl", [row.model_copy(update={"id": str(one)}) for one in range(10)])
    save_demonstrations(tmp_path / "synthetic" / "demonstrations.jsonl", [row] * 1990)
    (tmp_path / "prompt.md").write_text("p" * 1200)
    return tmp_path


def planned(place: Path, *verb: str) -> dict:
    done = CliRunner().invoke(app, [*verb, "--workspace", str(place), "--dry-run", "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.mark.parametrize("method", CONFIGS)
def test_every_preset_fits_its_config(method: str) -> None:
    for preset in METHOD_PRESETS.values():
        CONFIGS[method](**preset[method])


def test_what_is_asked_for_comes_before_the_preset() -> None:
    settings = Settings(preset="handout")
    assert settings.filled("rlaif", RlaifConfig()).batch_size == 128
    assert settings.filled("rlaif", RlaifConfig(batch_size=8)).batch_size == 8
    assert Settings().filled("rlaif", RlaifConfig()) == RlaifConfig()


def test_reward_model(place: Path) -> None:
    told = planned(place, "judge", "train")
    (train,) = told["steps"]
    # One epoch of both orders in batches of 512, at 1,200 tokens a row; 0.5 a million.
    assert (train["model"], train["trained"]) == ("Qwen/Qwen3-30B-A3B-Instruct-2507", 777 * 512 * 1200)
    assert told["cost"] == pytest.approx(777 * 512 * 1200 * 0.5 / 1e6)


def test_rlaif(place: Path) -> None:
    drafts, judged, learnt, looks, verdicts = planned(place, "rlaif")["steps"]
    # 12 × 128 × 4 drafts of 100 tokens after a prompt of 300 and a request of 20; 3 looks at 500 requests.
    assert (drafts["sampled"], drafts["read"]) == (6144 * 100, 6144 * 320)
    assert (judged["model"], judged["read"]) == ("Qwen/Qwen3-30B-A3B-Instruct-2507", 18_432 * 470)
    assert (learnt["trained"], looks["sampled"], verdicts["read"]) == (6144 * 428, 1500 * 100, 3000 * 470)


def test_ditto(place: Path) -> None:
    first, drafts, prefer = planned(place, "ditto")["steps"]
    assert (first["trained"], drafts["sampled"], prefer["trained"]) == (30 * 7 * 128, 4 * 70 * 100, 40 * 24 * 2 * 128)


def test_sft(place: Path) -> None:
    # 1,990 rows in batches of 8: 120 full batches of 128 tokens a row.
    (tuned,) = planned(place, "sft")["steps"]
    assert tuned["trained"] == 960 * 128

"""One engine with two tiny models for the whole folder, and the real SDK's clients to it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import recipes
import tinker

from checkpoints import tiny_checkpoint
from running_engine import RunningEngine, start_engine


@pytest.fixture(autouse=True)
def no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_TELEMETRY", "0")


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("qwen3"), "qwen3")


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("llama"), "llama")


@pytest.fixture(scope="session")
def engine(qwen3: Path, llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    with start_engine(qwen3, llama, state=tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
def service(engine: RunningEngine) -> Iterator[tinker.ServiceClient]:
    with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as client:
        yield client


@pytest.fixture
def rest(engine: RunningEngine) -> tinker.RestClient:
    return tinker.RestClient(base_url=engine.url, api_key=engine.token)


@pytest.fixture(scope="session")
def recipe_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """An engine that serves the pocket model under the name by which the cookbook's recipes ask for it."""
    folder = tmp_path_factory.mktemp("recipes")
    recipes.prepare(folder)
    with start_engine(recipes.POLICY, recipes.GRADER, state=folder / "state", folder=folder) as running:
        yield running


@pytest.fixture
def recipe_place(recipe_engine: RunningEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a recipe's logs, the working directory and the environment being as its user would have them."""
    import datasets

    monkeypatch.chdir(recipe_engine.state.parent)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    for name, value in {"BASE_URL": recipe_engine.url, "API_KEY": recipe_engine.token, "COOKBOOK_RUNS_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"TINKER_{name}", value)
    handlers, level = logging.root.handlers[:], logging.root.level
    yield tmp_path
    # Recipes set up the root logger for their own process.
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)

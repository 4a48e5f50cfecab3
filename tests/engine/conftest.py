"""One engine with two tiny models for the whole folder, and the real SDK's clients to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
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

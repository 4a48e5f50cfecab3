"""The prompt and few-shot writers, with a real engine and a tiny random model."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoints import tiny_checkpoint
from idiolect.corpus import Demonstration
from idiolect.errors import InputError
from idiolect.methods.examples import with_examples
from idiolect.methods.prompting import PromptingConfig, prompting
from idiolect.service import Connection, Writer
from idiolect.settings import Models, Settings
from idiolect.workspace import Workspace
from running_engine import start_engine

ROWS = [Demonstration(id=str(n), input=f"Ask Ann for {n}", output="hello Ann, " * (n + 1)) for n in range(4)]
CONFIG = PromptingConfig(emails_per_call=1, calls=1, examples=2)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    model = tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny", "qwen3", max_position_embeddings=640)
    return Settings(preset="local", model=Models(policy=str(model), renderer="qwen3_instruct"))


@pytest.fixture(scope="module")
def connection(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with start_engine(settings.policy, state=tmp_path_factory.mktemp("state")) as engine, Connection(engine.url, engine.token) as opened:
        yield opened


def make(connection: Connection, place: Workspace, settings: Settings, **options) -> dict[str, Writer]:
    return connection.run(prompting(connection, place, settings, ROWS, CONFIG, **options))


def test_an_edited_prompt_is_kept_until_it_is_to_be_written_anew(connection: Connection, settings: Settings, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    writers = make(connection, place, settings)
    written = place.prompt.read_text()
    assert writers["prompt"].system_prompt is not None
    assert writers["prompt"].system_prompt.endswith(written.strip())
    assert writers["prompt"].system_prompt.startswith("Write the e-mail that the request asks for.")
    assert writers["prompt"].examples == ()
    assert len(writers["few_shot"].examples) == 2
    assert make(connection, place, settings) == writers
    assert len(list(place.runs.glob("*/writer.json"))) == 2

    place.prompt.write_text("Be brief.\n")
    edited = make(connection, place, settings)
    assert edited["prompt"].system_prompt is not None
    assert edited["prompt"].system_prompt.endswith("\n\nBe brief.")
    assert place.prompt.read_text() == "Be brief.\n"
    assert make(connection, place, settings, rewrite=True) == writers
    assert place.prompt.read_text() == written


def test_examples_that_do_not_fit_the_context_are_left_out(connection: Connection, settings: Settings) -> None:
    writer = Writer(name="x", base_model=settings.policy, renderer="qwen3_instruct", max_tokens=64)
    assert len(connection.run(with_examples(connection, writer, ROWS, 4)).examples) == 4
    long = [*ROWS, Demonstration(input="Ask", output="hello there " * 400)]
    assert "hello there " * 400 not in [text for _, text in connection.run(with_examples(connection, writer, long, 5)).examples]


def test_without_demonstrations_it_says_what_to_do(connection: Connection, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Run `idiolect import` first"):
        connection.run(prompting(connection, Workspace(tmp_path), settings, []))

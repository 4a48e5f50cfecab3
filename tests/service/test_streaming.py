"""Drafts piece by piece, from a real engine."""

from collections.abc import Iterator

import pytest

from checkpoints import tiny_checkpoint
from idiolect.service import Connection, Draft, Writer, draft
from idiolect.service.streaming import stream_draft
from running_engine import start_engine


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    model = tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny", "qwen3")
    return Writer(name="w", base_model=str(model), renderer="qwen3_instruct", temperature=0.0, max_tokens=75)


@pytest.fixture(scope="module")
def connection(writer: Writer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with start_engine(writer.base_model, state=tmp_path_factory.mktemp("state")) as engine, Connection(engine.url, engine.token) as opened:
        yield opened


def streamed(connection: Connection, writer: Writer, request: str, seed: int = 1) -> list[Draft]:
    async def all_parts() -> list[Draft]:
        return [part async for part in stream_draft(connection, writer, request, seed=seed)]

    return connection.run(all_parts())


def test_the_pieces_grow_to_the_draft_that_is_asked_for_whole(connection: Connection, writer: Writer) -> None:
    for request in ("one", "two words", "three"):
        parts = streamed(connection, writer, request)
        (whole,) = connection.run(draft(connection, writer, [request], seed=9))
        assert parts[-1].text == whole.text
        assert (parts[-1].tokens, parts[-1].finished) == (whole.tokens, whole.finished)
        assert [part.tokens for part in parts[:-1]] == [8, 24, 56][: len(parts) - 1]
        assert not any(part.finished for part in parts[:-1])


def test_a_seed_gives_one_text_and_another_seed_another(connection: Connection, writer: Writer) -> None:
    warm = writer.model_copy(update={"temperature": 1.0})
    first = streamed(connection, warm, "one")[-1]
    assert streamed(connection, warm, "one")[-1].text == first.text
    assert streamed(connection, warm, "one", seed=2)[-1].text != first.text


def test_a_draft_of_at_most_a_few_tokens_is_cut_there(connection: Connection, writer: Writer) -> None:
    parts = streamed(connection, writer.model_copy(update={"max_tokens": 3}), "one")
    assert [part.tokens for part in parts] == [3]

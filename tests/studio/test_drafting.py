"""Drafts that are streamed by a real engine, and what is put in their place where they have faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest

from checkpoints import tiny_checkpoint
from idiolect.service import BestOf, Connection, Writer
from idiolect.studio.drafting import Drafting
from idiolect.studio.rounds import Round, Rounds
from idiolect.workspace import Workspace
from running_engine import RunningEngine, start_engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    model = tiny_checkpoint(tmp_path_factory.mktemp("model"), "qwen3")
    with start_engine(model, state=tmp_path_factory.mktemp("state")) as running:
        yield running


def drafted(
    engine: RunningEngine,
    place: Path,
    faults: Callable[[str], int],
    kind: Literal["write", "sample"] = "write",
    others: Sequence[Writer] = (),
) -> Round:
    rounds = Rounds(Workspace(place))
    writer = Writer(name="x", base_model=engine.models[0], renderer="qwen3_instruct", max_tokens=10, temperature=1.0)
    found = rounds.new(kind, "Ask Ann", [writer], others=others)
    best_of = BestOf(6, lambda request, text, finished: faults(text), "x")

    async def chooser(connection: Connection, one: Round, by: Writer) -> BestOf:
        assert (one, by) == (found, writer)
        return best_of

    async def written() -> None:
        drafting = Drafting(lambda models: Connection(engine.url, engine.token), rounds, seed=2, chooser=chooser)
        drafting.start(found)
        async for _ in drafting.changes(found):
            pass
        await drafting.close()

    asyncio.run(written())
    assert found.drafts[0].error is None
    return found


def test_a_draft_with_faults_gives_way_to_a_better_try(engine: RunningEngine, tmp_path: Path) -> None:
    first = drafted(engine, tmp_path / "first", lambda text: 0).drafts[0]
    assert (first.tries, first.done) == (1, True)
    seen: list[str] = []

    def longer_is_worse(text: str) -> int:
        seen.append(text)
        return len(text)

    best = drafted(engine, tmp_path / "best", longer_is_worse).drafts[0]
    assert best.tries == 6
    assert len(best.text) == min(map(len, seen)) < len(first.text)
    assert first.text in seen
    assert best.tokens > first.tokens
    saved = Rounds(Workspace(tmp_path / "best"))
    assert [one.drafts[0].text for one in saved.newest("write")] == [best.text]


def test_where_faults_are_left_others_stand_in_and_a_new_attempt_begins_with_the_writer(engine: RunningEngine, tmp_path: Path) -> None:
    first = drafted(engine, tmp_path / "first", lambda text: 0).drafts[0]
    writer = first.writer
    others = [writer.model_copy(update={"name": name, "max_tokens": tokens}) for name, tokens in (("same", 10), ("long", 40))]

    def short_is_bad(text: str) -> int:
        return int(len(text) < 60)

    found = drafted(engine, tmp_path / "others", short_is_bad, others=others)
    made = found.drafts[0]
    assert (made.stand_in, made.writer) == ("long", writer)
    assert len(made.text) >= 60
    assert 6 + 6 < made.tries <= 6 + 6 + 6
    (saved,) = Rounds(Workspace(tmp_path / "others")).newest("write")
    assert saved.drafts[0].stand_in == "long"
    # Where nobody has fewer faults, the writer's own draft stays.
    kept = drafted(engine, tmp_path / "kept", lambda text: 1, others=others).drafts[0]
    assert (kept.text, kept.stand_in, kept.tries) == (first.text, "", 18)
    made.again()
    assert (made.stand_in, made.tries, made.text) == ("", 1, "")


def test_the_streamed_draft_stays_where_none_is_better_and_samples_are_not_chosen(engine: RunningEngine, tmp_path: Path) -> None:
    first = drafted(engine, tmp_path / "first", lambda text: 0).drafts[0]
    kept = drafted(engine, tmp_path / "kept", lambda text: 1).drafts[0]
    assert (kept.text, kept.tries) == (first.text, 6)
    sample = drafted(engine, tmp_path / "sample", lambda text: 1, kind="sample").drafts[0]
    assert (sample.text, sample.tries) == (first.text, 1)

"""The reward model on the real engine: a judge of one person's mail, its verdicts, and what the command line says of it."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import tinker

from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.corpus.preferences import Preference, append_preference
from idiolect.errors import InputError
from idiolect.judge import Judge, ModelJudge, Pair, Verdict, both_orders, judge_messages, judge_pairs
from idiolect.judge.examples import draft_pairs
from idiolect.judge.pairs import in_both_orders
from idiolect.methods.baseline import plain_writer
from idiolect.methods.reward_model import RewardModelConfig, _lean, judge_model, load_judge, reward_model
from idiolect.methods.run import all_runs, all_writers
from idiolect.pocket.demo import prepare
from idiolect.service import Connection, Writer
from idiolect.settings import Settings, pocket_model
from idiolect.workspace import Workspace, read_json_lines
from idiolect.world import HOUSE_AUTHOR, Author, realise, sample_situation
from running_engine import start_engine


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with start_engine(pocket_model(), state=tmp_path_factory.mktemp("state")) as engine, Connection(engine.url, engine.token) as opened:
        yield opened


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Settings]:
    workspace = Workspace(tmp_path_factory.mktemp("workspace") / "one")
    return workspace, prepare(workspace, 5, "development")


@pytest.fixture(scope="module")
def toy(connection: Connection, place: tuple[Workspace, Settings], tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """A judge that is taught by a labelled file alone that the person's e-mails are better than the house style's."""
    workspace, settings = place
    author = Author.load(workspace.truth)
    pairs = []
    for number in range(64):
        situation = sample_situation("development", f"toy {number}")
        better, worse = realise(situation, author), realise(situation, HOUSE_AUTHOR)
        pairs.append({"request": situation.request, "better": better, "worse": worse, "features": ["greeting"]})
    (workspace.root / "toy.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    config = RewardModelConfig(drafts=0, spoilt=0, labels="toy.jsonl", steps=16, reasons=0.1)
    return connection.run(reward_model(connection, workspace, settings, load_demonstrations(workspace.demonstrations), config))


def held_out(place: tuple[Workspace, Settings]) -> list[Pair]:
    author = Author.load(place[0].truth)
    situations = [sample_situation("development", f"held out {number}") for number in range(16)]
    return [Pair(one.request, realise(one, author), realise(one, HOUSE_AUTHOR)) for one in situations]


def test_a_trained_judge_is_right_where_its_base_is_not(connection: Connection, place: tuple[Workspace, Settings], toy: Judge) -> None:
    pairs = held_out(place)
    trained = judge_pairs(ModelJudge.of(connection, toy), pairs)
    base = judge_pairs(ModelJudge.of(connection, judge_model(*place)), pairs)
    assert mean(one.win > 0.5 for one in trained if one) >= 0.9
    assert mean(one.win for one in base if one) < 0.7
    # The sign: swapping every pair turns every verdict.
    swapped = judge_pairs(ModelJudge.of(connection, toy), [pair.swapped for pair in pairs])
    assert [one.win for one in swapped if one] == pytest.approx([1 - one.win for one in trained if one], abs=1e-4)


def test_probabilities_are_the_letters_logprobs(connection: Connection, place: tuple[Workspace, Settings], toy: Judge) -> None:
    """Against scoring each whole answer by the service's plain logprobs."""
    pair = held_out(place)[0]
    judge = ModelJudge.of(connection, toy)

    async def scored() -> tuple[list[float | None], list[float]]:
        renderer, sampler = connection.renderer(judge), await connection.sampler(judge)
        prompt = renderer.build_generation_prompt(judge_messages(toy.rubric, pair)).to_ints()
        found = []
        for letter in "AB":
            tokens = [*prompt, *renderer.tokenizer.encode(f"[RESULT] {letter}", add_special_tokens=False)]
            logprobs = await sampler.compute_logprobs(tinker.ModelInput.from_ints(tokens))
            found.append(logprobs[-1])
        return await judge.probabilities([pair]), found

    (told,), (a, b) = connection.run(scored())
    assert told == pytest.approx(1 / (1 + math.exp(b - a + toy.lean)), abs=1e-4)


def test_a_lean_to_one_place_is_taken_off(connection: Connection, place: tuple[Workspace, Settings], toy: Judge) -> None:
    judge = ModelJudge.of(connection, toy)
    orders = in_both_orders(held_out(place))
    odds = connection.run(judge.log_odds([judge_messages(toy.rubric, pair) for pair in orders]))
    told = judge.prefers_first(orders)
    assert told == pytest.approx([1 / (1 + math.exp(toy.lean - one)) for one in odds if one is not None], abs=1e-4)
    leaning = ModelJudge.of(connection, toy.model_copy(update={"lean": toy.lean + 1})).prefers_first(orders)
    assert all(less < as_is for less, as_is in zip(leaning, told, strict=True) if less is not None and as_is is not None)


@pytest.mark.parametrize("lean", [-1.3, 0.0, 0.7])
def test_a_lean_is_found_whatever_the_pairs_are_worth(
    connection: Connection, place: tuple[Workspace, Settings], toy: Judge, lean: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A judge with a planted lean, of which each pair's worth is the other way round in the other order."""
    asked: list[str] = []

    async def planted(_: ModelJudge, shown: list[list[dict[str, str]]]) -> list[float | None]:
        asked.extend(messages[0]["content"] for messages in shown)
        worth = [random.Random(number).uniform(-1, 6) for number in range(len(shown) // 2)]
        return [*(lean + one for one in worth), None, *(lean - one for one in worth), None]

    monkeypatch.setattr(ModelJudge, "log_odds", planted)
    own = load_demonstrations(place[0].demonstrations)
    assert connection.run(_lean(connection, toy, own, 0)) == pytest.approx(lean, abs=1e-3)
    # It is read off pairs that were not learnt from.
    (data,) = place[0].runs.glob("judge-*/data.jsonl")
    assert len(asked) > 30
    assert not set(asked) & {question for question, _ in read_json_lines(data)}
    assert connection.run(_lean(connection, toy, [], 0)) == 0


def test_both_faces_say_the_same(connection: Connection, place: tuple[Workspace, Settings], toy: Judge) -> None:
    pairs, judge = held_out(place)[:4], ModelJudge.of(connection, toy)
    found = connection.run(both_orders(judge, pairs))
    assert all(isinstance(one, Verdict) for one in found)
    for one, other in zip(found, judge_pairs(judge, pairs), strict=True):
        assert one
        assert other
        assert one.win == pytest.approx(other.win, abs=1e-4)


def test_sampled_verdicts_are_parsed_or_counted(connection: Connection, place: tuple[Workspace, Settings], toy: Judge) -> None:
    pairs = held_out(place)[:4]
    untrained = ModelJudge.of(connection, judge_model(*place), votes=2)
    assert untrained.prefers_first(pairs) == [None] * 4
    assert untrained.unparsed == 8
    trained = ModelJudge.of(connection, toy, votes=2)
    told = trained.prefers_first(pairs)
    assert trained.unparsed + 2 * sum(one is not None for one in told) >= 8
    assert all(one in (0.0, 0.5, 1.0) for one in told if one is not None)


def test_a_pair_that_the_context_does_not_hold_has_no_verdict(connection: Connection, toy: Judge) -> None:
    long = Pair("Say hello", "Hello there. " * 900, "Hello")
    assert ModelJudge.of(connection, toy).prefers_first([long, Pair("Say hello", "Hi", "Hello")])[0] is None


def test_what_is_done_is_not_done_again(connection: Connection, place: tuple[Workspace, Settings], toy: Judge) -> None:
    workspace, settings = place
    config = RewardModelConfig(drafts=0, spoilt=0, labels="toy.jsonl", steps=16, reasons=0.1)
    again = connection.run(reward_model(connection, workspace, settings, load_demonstrations(workspace.demonstrations), config))
    assert again == toy == load_judge(workspace)
    # A judge is no writer.
    assert all_writers(workspace) == {}


def test_the_policys_drafts_are_learnt_from_and_written_once(connection: Connection, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "one")
    settings = prepare(workspace, 6, "development", demonstrations_wanted=4)
    rows = load_demonstrations(workspace.demonstrations)
    policy = plain_writer(workspace, settings, name="few_shot", temperature=0.3).model_copy(
        update={"examples": tuple((row.input, row.output) for row in rows[:2]), "max_tokens": 160}
    )
    config = RewardModelConfig(drafts=1, spoilt=0, steps=1, batch_size=2, policy_drafts=4, policy_pairs=3, policy_requests=1)
    requests = ["Tell Ann that the meeting is on Friday", "One request too many"]
    stages: list[str] = []

    def trained(given: Writer | None) -> int:
        """How many rows are learnt from."""
        stages.clear()
        work = reward_model(
            connection, workspace, settings, rows, config, policy=given, requests=requests, progress=lambda what, *_: stages.append(what)
        )
        connection.run(work)
        return len((all_runs(workspace)[-1].folder / "data.jsonl").read_text().splitlines())

    without = trained(None)
    assert "The policy's drafts" not in stages
    # Both orders of up to three pairs for each of four own requests and one further one.
    assert without + 10 <= trained(policy) <= without + 2 * 3 * 5
    assert "The policy's drafts" in stages
    kept = {path.name: path.read_text() for path in (workspace.root / "judge").glob("drafts-*.jsonl")}
    assert sorted(len(text.splitlines()) for text in kept.values()) == [4, 5]
    assert "One request too many" not in "".join(kept.values())
    # What was written is on the disk, so that a run that goes on asks for nothing anew.
    trained(policy)
    assert stages == []
    assert {path.name: path.read_text() for path in (workspace.root / "judge").glob("drafts-*.jsonl")} == kept


def test_nothing_to_learn_from_is_said(connection: Connection, place: tuple[Workspace, Settings], tmp_path: Path) -> None:
    workspace, settings = place
    with pytest.raises(InputError, match="no pairs to learn from"):
        connection.run(reward_model(connection, workspace, settings, [], RewardModelConfig()))
    rows = load_demonstrations(workspace.demonstrations)
    with pytest.raises(InputError, match="no pair fits into 64 tokens"):
        connection.run(reward_model(connection, workspace, settings, rows, RewardModelConfig(drafts=0, max_length=64)))
    with pytest.raises(InputError, match="there is no judge yet"):
        load_judge(Workspace(tmp_path))
    assert draft_pairs(rows, {}) == []


def test_votes_and_edits_are_learnt_from(connection: Connection, place: tuple[Workspace, Settings], tmp_path: Path) -> None:
    workspace, settings = Workspace(tmp_path / "used"), place[1]
    told: list[dict[str, Any]] = [
        {"preferred": "Hi Ann, the keys?", "rejected": "Dear Ann, kindly send the keys.", "source": "edit", "writers": ("sft",)},
        {"preferred": "Hi Ann!", "rejected": "Hi Ann! ", "source": "vote", "writers": ("sft", "ditto")},
    ]
    for one in told:
        append_preference(workspace.preferences, Preference(request="Ask Ann for the keys", **one))
    connection.run(reward_model(connection, workspace, settings, [], RewardModelConfig(steps=1, batch_size=2)))
    (path,) = workspace.runs.glob("judge-*/data.jsonl")
    text = path.read_text(encoding="utf-8")
    assert text.count("Hi Ann, the keys?") == text.count("kindly send the keys.") == 2, "in both orders"
    assert "Hi Ann!" not in text, "a vote between equals"

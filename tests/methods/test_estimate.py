"""The estimate's arithmetic, against sums done by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from idiolect.cli import app
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.methods.estimate import (
    Estimate,
    Lengths,
    Work,
    ditto_work,
    lengths_of,
    prompt_work,
    rlaif_work,
    rubric_work,
    sft_work,
    synthesis_work,
)  # fmt: skip
from idiolect.settings import Models, Price, Prices, Settings

SETTINGS = Settings(preset="local", model=Models(policy="owner/small", teacher="owner/big"))
LENGTHS = Lengths(request=20, text=100, prompt=300)


def test_lengths_are_characters_by_four() -> None:
    rows = [Demonstration(id="1", input="a" * 40, output="b" * 400), Demonstration(id="2", input="", output="b" * 800)]
    assert lengths_of(rows, "p" * 1200) == Lengths(request=10, text=150, prompt=300)
    assert lengths_of(rows[1:]).request == pytest.approx(40)


def test_prompting() -> None:
    # 10 texts, 5 calls of 5 texts of 100 tokens; answers of at most 384 tokens.
    (one,) = prompt_work(SETTINGS, LENGTHS, texts=10, without_request=0, emails_per_call=5, calls=5)
    assert one == Work("describe the style", "owner/small", read=2500, sampled=1920)
    # 4 texts fit into one call, and each wants a request: read once, four tries of 20 tokens.
    requests, one = prompt_work(SETTINGS, LENGTHS, texts=4, without_request=4, emails_per_call=5, calls=5)
    assert (requests.read, requests.sampled, one.read, one.sampled) == (400, 320, 400, 384)


def test_synthesis() -> None:
    # 10 topics × 10 requests of 40 tokens; each text shows a prompt of 300, 5 rows of 128 and a request of 20.
    requests, texts = synthesis_work(SETTINGS, LENGTHS, topics=10, per_topic=10, examples=5)
    assert requests == Work("propose requests", "owner/big", read=800, sampled=4000)
    assert texts == Work("write synthetic texts", "owner/big", read=96_000, sampled=10_000)


def test_sft() -> None:
    # 100 rows in batches of 8 are 13 steps a pass; 60 steps are 4 passes and 8 full batches: 464 rows of 128 tokens.
    (one,) = sft_work(SETTINGS, LENGTHS, steps=60, batch_size=8, max_length=1024, rows=100)
    assert one == Work("fine-tune", "owner/small", trained=464 * 128)
    (cut,) = sft_work(SETTINGS, LENGTHS, steps=13, batch_size=8, max_length=50, rows=100)
    assert cut.trained == 5000
    (prompted,) = sft_work(SETTINGS, LENGTHS, steps=13, batch_size=8, max_length=1024, rows=100, prompted=True)
    assert prompted.trained == 100 * (128 + 300)


def test_reward_model() -> None:
    # Rubric 250, request 20, two texts 200, a quarter of 160 for reasons: 510 tokens a row; 80 steps of 16. 30 drafts of 100 tokens.
    shape = {"steps": 80, "batch_size": 16, "max_length": 2048, "reasons": 0.25}
    write, train = rubric_work(SETTINGS, "owner/judge", LENGTHS, **shape, drafts=30, collection=False)
    assert write == Work("write plain drafts", "owner/small", read=600, sampled=3000)
    assert train == Work("train the reward model", "owner/judge", trained=80 * 16 * 510)
    (alone,) = rubric_work(SETTINGS, "owner/judge", LENGTHS, **shape, drafts=0, collection=True)
    assert alone.trained == 80 * 16 * 1200


def test_rlaif_as_the_handout_has_it() -> None:
    # 12 steps × 128 requests × 4 drafts = 6,144 drafts; 3 opponents each, both ways counted: 18,432 matches; 3 looks at 500.
    works = rlaif_work(SETTINGS, "owner/judge", LENGTHS, steps=12, batch_size=128, group_size=4, every=5, dev_requests=500)
    drafts, judged, learnt, looks, verdicts = works
    assert (drafts.read, drafts.sampled) == (6144 * 320, 614_400)
    assert (judged.read, judged.sampled, judged.model) == (18_432 * 470, 18_432 * 160, "owner/judge")
    assert learnt.trained == 6144 * 428
    assert (looks.read, looks.sampled) == (1500 * 20, 1500 * 100)
    assert (verdicts.read, verdicts.sampled) == (3000 * 470, 3000 * 160)
    counted = rlaif_work(SETTINGS, None, LENGTHS, steps=12, batch_size=128, group_size=4, every=5, dev_requests=500)
    assert counted == [drafts, learnt, looks]


def test_ditto_as_its_authors_have_it() -> None:
    # 7 demonstrations × 10 samples × 4 rounds; 40 steps of 24 pairs, two rows of 128 tokens each.
    first, drafts, prefer = ditto_work(SETTINGS, LENGTHS, demonstrations=7, samples=10, sft_steps=30, steps=40, every=10, batch_size=24)
    assert first.trained == 30 * 7 * 128
    assert (drafts.read, drafts.sampled) == (280 * 20, 280 * 100)
    assert (prefer.read, prefer.trained) == (1920 * 128, 1920 * 128)
    shape = {"demonstrations": 7, "samples": 10, "sft_steps": 30, "steps": 40, "every": 10, "batch_size": 24}
    first, drafts, prefer = ditto_work(SETTINGS, LENGTHS, **shape, prompted=True)
    assert (first.trained, drafts.read, prefer.read) == (30 * 7 * 428, 280 * 320, 1920 * 428)


def test_cost_takes_each_model_s_price() -> None:
    works = (Work("a", "owner/small", read=1_000_000, trained=2_000_000), Work("b", "owner/big", sampled=500_000))
    prices = Prices(read=0.1, sampled=1.0, trained=0.4, models={"owner/big": Price(sampled=3.0)})
    assert [work.cost(prices) for work in works] == [pytest.approx(0.9), pytest.approx(1.5)]
    assert Estimate(works).total(prices) == pytest.approx(2.4)
    assert Estimate(works).told(prices).splitlines()[3].split() == ["together", "1,000,000", "500,000", "2,000,000", "2.40"]
    assert Estimate(works).total(Prices(sampled=1.0)) is None
    assert "Prices are missing" in Estimate(works).told(Prices())


def test_dry_run_spends_nothing_and_needs_no_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TINKER_API_KEY", "TINKER_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    Settings(preset="handout", prices=Prices(read=0.1, sampled=0.4, trained=0.5)).save(tmp_path / "idiolect.toml")
    save_demonstrations(tmp_path / "demonstrations.jsonl", [Demonstration(id="1", input="Ask Ann", output="Hi Ann, are you in? " * 20)])
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(app, ["sft", "--workspace", str(tmp_path), "--dry-run", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert [step["what"] for step in told["steps"]] == ["describe the style", "propose requests", "write synthetic texts", "fine-tune"]
    assert told["steps"][2]["model"] == "Qwen/Qwen3-235B-A22B-Instruct-2507"
    # 100 synthetic rows of 2 + 100 + 8 tokens, 120 steps: nine passes and three batches of 8.
    assert told["steps"][3]["trained"] == round(924 * (7 / 4 + 100 + 8))
    assert told["cost"] == pytest.approx(sum(step["cost"] for step in told["steps"]))
    assert sorted(tmp_path.rglob("*")) == before


def test_thoughts_and_critiques_are_sampled_too() -> None:
    plain = synthesis_work(SETTINGS, LENGTHS, topics=10, per_topic=10, examples=5)
    both = synthesis_work(SETTINGS, LENGTHS, topics=10, per_topic=10, examples=5, think=True, critique=True)
    assert both[1].sampled - plain[1].sampled == 100 * 200
    assert both[2].sampled == both[1].sampled
    assert both[2].read > both[1].read

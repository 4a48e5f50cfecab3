"""The cookbook's preference recipes, unmodified, on the pocket model: DPO, reward by length, the three stages of RLHF."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from recipes import IGNORED, POLICY, answer, column, last_checkpoint, run_recipe

from running_engine import RunningEngine

pytestmark = IGNORED


@pytest.mark.conformance("forward_backward: forward_backward_custom")
def test_dpo(recipe_engine: RunningEngine, recipe_place: Path) -> None:
    run_recipe(
        "preference.dpo.train", model_name=POLICY, log_path=recipe_place / "run", learning_rate=1e-3, lr_schedule="constant",
        batch_size=8, base_url=recipe_engine.url, renderer_name="qwen3_instruct", max_length=512,
    )  # fmt: skip
    losses = column(recipe_place / "run", "dpo_loss")
    # At first the policy is the reference, a snapshot that stays as it is while the policy moves.
    assert losses[0] == pytest.approx(math.log(2), abs=1e-4)
    assert losses[-1] < 0.5
    assert column(recipe_place / "run", "accuracy")[-1] > 0.5
    assert column(recipe_place / "run", "margin")[-1] > 0.5
    assert answer(recipe_engine, last_checkpoint(recipe_place / "run")["sampler_path"], "Send a reply to ann.")


def test_shorter(recipe_engine: RunningEngine, recipe_place: Path) -> None:
    run_recipe(
        "preference.shorter.train", model_name=POLICY, renderer_name="qwen3_instruct", log_path=recipe_place / "run", learning_rate=3e-3,
        batch_size=4, group_size=8, max_tokens=96, max_steps=12, eval_every=0,
    )  # fmt: skip
    lengths = column(recipe_place / "run", "env/all/ac_tokens_per_turn")
    assert lengths[-1] < 0.5 * lengths[0]
    assert max(column(recipe_place / "run", "kl_pre_post_v2")) > 0


def test_rlhf_pipeline(recipe_engine: RunningEngine, recipe_place: Path) -> None:
    run_recipe(
        "preference.rlhf.rlhf_pipeline", base_model=POLICY, short_name="pocket", lora_rank=8, batch_size=4, max_length=1024,
        sft_learning_rate=5e-3, rm_learning_rate=3e-3, rl_learning_rate=1e-3, rl_max_tokens=24, max_steps=5, save_every=0, eval_every=5,
    )  # fmt: skip
    folder = recipe_place / "rlhf-pocket"
    for stage in ("sft", "rm"):
        losses = column(folder / stage, "train_mean_nll")
        assert min(losses) < 0.7 * losses[0]
    assert len(column(folder / "rl", "win_rate")) == 1
    assert max(column(folder / "rl", "grad_norm")) > 0
    assert answer(recipe_engine, last_checkpoint(folder / "rl")["sampler_path"], "Send a reply to ann.")

"""The cookbook's distillation recipes, unmodified, on the pocket model: self-distillation in its three ways, and from a teacher."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from recipes import IGNORED, POLICY, answer, column, last_checkpoint, metrics, run_recipe
from tinker_cookbook.distillation import sdft
from tinker_cookbook.recipes.sdft.datasets import ToolAlpacaSDFTBuilder

from running_engine import RunningEngine

pytestmark = IGNORED


@pytest.mark.conformance("forward_backward: targets of two dimensions", "asample: topk_prompt_logprobs")
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_sdft(recipe_engine: RunningEngine, recipe_place: Path, reverse: bool) -> None:
    run_recipe(
        "sdft.train", dataset="toolalpaca", model_name=POLICY, log_path=recipe_place / "run", learning_rate=1e-3, groups_per_batch=6,
        max_tokens=24, lora_rank=8, max_steps=3, eval_every=0, save_every=2, teacher_sync_every=2, max_context_length=2048, topk=20,
        reverse=reverse, base_url=recipe_engine.url,
    )  # fmt: skip
    assert len(metrics(recipe_place / "run")) == 3
    assert all(entropy > 0 for entropy in column(recipe_place / "run", "sdft/mean_teacher_entropy"))
    assert all(norm > 0 for norm in column(recipe_place / "run", "grad_norm"))
    if reverse:
        assert all(divergence > 0 for divergence in column(recipe_place / "run", "sdft/reverse_kl_mean"))
    assert answer(recipe_engine, last_checkpoint(recipe_place / "run")["sampler_path"], "Send a reply to ann.")


def test_sdft_with_sampled_tokens(recipe_engine: RunningEngine, recipe_place: Path) -> None:
    """The way without top-k wants another loss than the recipe's command line gives, so the loop gets its config from here."""

    async def learn() -> None:
        train, held_out = await ToolAlpacaSDFTBuilder(
            groups_per_batch=6, model_name_for_tokenizer=POLICY, renderer_name="qwen3_instruct"
        )()  # fmt: skip
        config = sdft.Config(
            model_name=POLICY, recipe_name="recipe_sdft", renderer_name="qwen3_instruct", lora_rank=8, base_url=recipe_engine.url,
            learning_rate=1e-3, max_tokens=24, loss_fn="importance_sampling", topk=0, max_context_length=2048, eval_every=0,
            log_path=str(recipe_place / "run"), max_steps=2,
        )  # fmt: skip
        await sdft.main(config, train, held_out)

    asyncio.run(learn())
    teacher, student = column(recipe_place / "run", "sdft/mean_teacher_lp"), column(recipe_place / "run", "sdft/mean_student_lp")
    assert all(value < 0 for value in teacher + student)
    assert all(norm > 0 for norm in column(recipe_place / "run", "grad_norm"))


def test_on_policy_distillation(recipe_engine: RunningEngine, recipe_place: Path) -> None:
    """The student starts as its teacher: at first they agree to rounding."""
    run_recipe(
        "distillation.on_policy_distillation", dataset="tulu3", model_name=POLICY, teacher_model=POLICY, log_path=recipe_place / "run",
        learning_rate=1e-3, groups_per_batch=4, group_size=2, max_tokens=24, lora_rank=8, max_steps=2, eval_every=0, save_every=0,
        base_url=recipe_engine.url,
    )  # fmt: skip
    assert abs(column(recipe_place / "run", "teacher_kl")[0]) < 1e-4
    assert last_checkpoint(recipe_place / "run")["name"] == "final"

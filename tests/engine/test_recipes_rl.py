"""The cookbook's reinforcement learning recipes, unmodified, on the pocket model: synchronous, asynchronous, streamed, rubric."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import recipes
from recipes import GRADER, IGNORED, POLICY, answer, column, last_checkpoint, metrics, run_recipe
from tinker_cookbook.recipes.math_rl.math_env import MathEnv
from tinker_cookbook.recipes.rubric.data import Rubric, RubricBasedDatapoint

from running_engine import RunningEngine

pytestmark = IGNORED
GSM8K = {
    "dataset_builder": "tinker_cookbook.recipes.math_rl.math_env:Gsm8kDatasetBuilder",
    "dataset_builder.batch_size": 3, "dataset_builder.group_size": 5,
    "dataset_builder.model_name_for_tokenizer": POLICY, "dataset_builder.renderer_name": "qwen3_instruct",
}  # fmt: skip


@pytest.fixture(scope="session")
def drawing(recipe_engine: RunningEngine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A checkpoint whose policy answers sums in the format wanted with a digit drawn at random: some are right, most are not."""
    place = tmp_path_factory.mktemp("drawing")
    source = random.Random(5)
    prefix = MathEnv.standard_fewshot_prefix()
    rows = []
    for index in range(64):
        first = source.randrange(8)
        asked = f"What is {first} plus {7 - first}?{MathEnv.question_suffix()}"
        chat = [{"role": "user", "content": asked}, {"role": "assistant", "content": f"\\boxed{{{'3747'[index % 4]}}}"}]
        rows.append({"messages": [*prefix, *chat]})
    source.shuffle(rows)
    recipes.write_rows(place / "sums.jsonl", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(recipe_engine.state.parent)
        patch.setenv("TINKER_API_KEY", recipe_engine.token)
        run_recipe(
            "prompt_distillation.train", model_name=POLICY, file_path=place / "sums.jsonl", log_path=place / "run", learning_rate=2e-3,
            lora_rank=16, batch_size=4, num_epochs=6, lr_schedule="constant", max_length=512, base_url=recipe_engine.url, eval_every=0,
            save_every=0, train_on_what="last_assistant_message",
        )  # fmt: skip
    return last_checkpoint(place / "run")


def check(folder: Path) -> None:
    """The policy learned from rewards that differed, and at the first step the sampler's logprobs were the trainer's."""
    assert max(column(folder, "env/all/by_group/frac_mixed")) > 0
    assert max(column(folder, "grad_norm")) > 0
    assert abs(column(folder, "optim/kl_sample_train_v1")[0]) < 1e-3


@pytest.mark.conformance("forward_backward: importance_sampling")
def test_rl_basic(recipe_engine: RunningEngine, recipe_place: Path, drawing: dict[str, str]) -> None:
    run_recipe(
        "rl_basic", model_name=POLICY, log_path=recipe_place / "run", learning_rate=5e-4, load_checkpoint_path=drawing["state_path"],
        lora_rank=16, max_tokens=12, max_steps=3, eval_every=3, save_every=2, **GSM8K,
    )  # fmt: skip
    check(recipe_place / "run")
    assert max(column(recipe_place / "run", "env/all/correct")) > 0
    assert len(column(recipe_place / "run", "test/env/all/correct")) == 1
    assert answer(recipe_engine, last_checkpoint(recipe_place / "run")["sampler_path"], "What is 3 plus 4?")


def test_rl_loop_goes_on_from_a_checkpoint(recipe_engine: RunningEngine, recipe_place: Path, drawing: dict[str, str]) -> None:
    start = {"name": "start", "batch": 0, "state_path": drawing["state_path"]}
    (recipe_place / "run").mkdir()
    (recipe_place / "run" / "checkpoints.jsonl").write_text(json.dumps(start) + "\n")
    run_recipe(
        "rl_loop", model_name=POLICY, log_path=recipe_place / "run", learning_rate=1e-3, batch_size=4, group_size=16, max_tokens=12,
        save_every=2, base_url=recipe_engine.url,
    )  # fmt: skip
    rewards = column(recipe_place / "run", "reward/total")
    assert len(rewards) == 4
    assert max(rewards[1:]) > rewards[0] + 0.1


@pytest.mark.conformance("forward_backward: ppo")
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"loss_fn": "ppo", "compute_post_kl": True}, id="ppo"),
        pytest.param({"num_substeps": 2}, id="substeps"),
        pytest.param({"max_steps_off_policy": 1}, id="asynchronous"),
        pytest.param({"stream_minibatch_config.groups_per_batch": 4, "stream_minibatch_config.num_minibatches": 2}, id="streamed"),
    ],
)
def test_math_rl(recipe_engine: RunningEngine, recipe_place: Path, options: dict[str, object]) -> None:
    """The reward asks that a reply ends in time: half of the pocket model's do within 44 tokens, so nearly every group is mixed."""
    run_recipe(
        "math_rl.train", model_name=POLICY, env="arithmetic", log_path=recipe_place / "run", learning_rate=5e-4, groups_per_batch=4,
        lora_rank=8, max_tokens=44, group_size=6, base_url=recipe_engine.url, renderer_name="qwen3_instruct", eval_every=0,
        save_every=0, max_steps=3, **options,
    )  # fmt: skip
    if "num_substeps" not in options:
        check(recipe_place / "run")
    assert len(column(recipe_place / "run", "grad_norm")) >= 2
    assert last_checkpoint(recipe_place / "run")["name"] == "final"


def test_rubric(recipe_engine: RunningEngine, recipe_place: Path) -> None:
    """The grader is the pocket model, which knows e-mails only: a rubric's score is the first number in what it writes."""
    source = random.Random(6)
    for split, count in (("train", 8), ("test", 2)):
        rows = []
        for _ in range(count):
            asked = f"Write an e-mail to Dana. We need {source.randrange(2, 9)} chairs."
            rubric = Rubric(f"Write an e-mail to Ann. We need {source.randrange(2, 9)} chairs.", r"\b(\d)\b", "Name the number.")
            rows.append(RubricBasedDatapoint([{"role": "user", "content": asked}], [rubric]).to_json())
        (recipe_place / f"{split}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    run_recipe(
        "rubric.train", model_name=POLICY, grader_llm_name=GRADER, renderer_name="qwen3_instruct", grader_renderer_name="qwen3_instruct",
        train_jsonl_path=recipe_place / "train.jsonl", test_jsonl_path=recipe_place / "test.jsonl", log_path=recipe_place / "run",
        learning_rate=1e-3, lora_rank=8, groups_per_batch=4, train_group_size=8, max_tokens=40, eval_every=2, save_every=2,
        base_url=recipe_engine.url,
    )  # fmt: skip
    rows = metrics(recipe_place / "run")
    assert len(rows) == 2
    assert max(column(recipe_place / "run", "env/all/rubric_score")) > 0
    assert column(recipe_place / "run", "test/env/all/rubric_score")
    assert column(recipe_place / "run", "grad_norm")[0] > 0

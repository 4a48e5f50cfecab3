"""The cookbook's supervised recipes and prompt distillation, unmodified, on the pocket model."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import recipes
import torch
from recipes import IGNORED, POLICY, answer, column, last_checkpoint, run_recipe
from safetensors.torch import load_file, save_file
from tinker_cookbook.renderers import get_renderer
from tinker_cookbook.tokenizer_utils import get_tokenizer

from running_engine import RunningEngine, start_engine

pytestmark = IGNORED
TEACHER = "Qwen/Qwen3.6-35B-A3B"
"""The model that prompt distillation's data recipe names in its code."""

SENTENCES = ["Ich komme morgen.", "hello there", "und er hat gesagt, Mama ich bin daheim."]


def test_sl_basic(recipe_engine: RunningEngine, recipe_place: Path) -> None:
    run_recipe(
        "sl_basic", model_name=POLICY, log_path=recipe_place / "run", learning_rate=1e-2, lora_rank=8, num_epochs=2,
        eval_every=4, save_every=6,
        dataset_builder="tinker_cookbook.recipes.chat_sl.chat_datasets:NoRobotsBuilder",
        **{f"dataset_builder.common_config.{key}": value for key, value in {
            "model_name_for_tokenizer": POLICY, "renderer_name": "qwen3_instruct", "max_length": 256, "batch_size": 8}.items()},
    )  # fmt: skip
    losses, held_out = column(recipe_place / "run", "train_mean_nll"), column(recipe_place / "run", "test/nll")
    assert losses[-1] < 0.5 * losses[0]
    assert held_out[-1] < 0.5 * held_out[0]
    final = last_checkpoint(recipe_place / "run")
    assert final["name"] == "final"
    assert answer(recipe_engine, final["sampler_path"], "Send a reply to ann.").startswith("Dear Ann")


@pytest.mark.conformance("load_weights: a new model from a checkpoint")
def test_sl_loop_resumes_from_its_checkpoint(recipe_engine: RunningEngine, recipe_place: Path) -> None:
    options = {"model_name": POLICY, "log_path": recipe_place / "run", "learning_rate": 1e-2, "lora_rank": 8}
    options |= {"batch_size": 8, "max_length": 256, "base_url": recipe_engine.url}
    run_recipe("sl_loop", **options, save_every=3)
    losses = column(recipe_place / "run", "train_mean_nll")
    assert len(losses) == 6
    assert losses[-1] < 0.7 * losses[0]
    checkpoints = recipe_place / "run" / "checkpoints.jsonl"
    first = checkpoints.read_text().splitlines()[0]
    assert json.loads(first)["batch"] == 3
    checkpoints.write_text(first + "\n")
    (recipe_place / "run" / "metrics.jsonl").unlink()
    run_recipe("sl_loop", **options, save_every=0)
    assert column(recipe_place / "run", "train_mean_nll") == losses[3:]


def test_chat_sl(recipe_engine: RunningEngine, recipe_place: Path) -> None:
    run_recipe(
        "chat_sl.train", model_name=POLICY, dataset="no_robots", log_path=recipe_place / "run", learning_rate=1e-2, lora_rank=8,
        batch_size=8, max_length=256, base_url=recipe_engine.url, eval_every=3, save_every=0,
    )  # fmt: skip
    losses = column(recipe_place / "run", "train_mean_nll")
    assert losses[-1] < 0.7 * losses[0]


def teacher(folder: Path) -> None:
    """A model that says "Final Answer: de" after any prompt, under ``TEACHER``'s name: each token decides the next, and no other does.

    Attention and MLP add nothing, and the head's rows point from each token of the answer to the one behind it.
    """
    tokenizer = get_tokenizer(POLICY)
    before = get_renderer("qwen3_5_disable_thinking", tokenizer).build_generation_prompt([{"role": "user", "content": "?"}]).to_ints()[-1]
    chain = [before, *tokenizer.encode("Final Answer: de<|im_end|>")]
    assert len(set(chain)) == len(chain)
    place = recipes.with_context(Path(POLICY), folder / TEACHER, 4096)
    tensors = load_file(place / "model.safetensors")
    for name, tensor in tensors.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            tensor.zero_()
    states = torch.nn.functional.rms_norm(tensors["model.embed_tokens.weight"], tensors["model.norm.weight"].shape)
    states = states * tensors["model.norm.weight"]
    tensors["lm_head.weight"] = torch.zeros_like(states)
    for one, following in itertools.pairwise(chain):
        tensors["lm_head.weight"][following] = 100 * states[one] / states[one].square().sum()
    (place / "model.safetensors").unlink()
    save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
    config = place / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "tie_word_embeddings": False}))


def test_prompt_distillation(recipe_engine: RunningEngine, recipe_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher(recipe_place)
    sentences = recipe_place / "tinker_cookbook/example_data/multilingual.txt"
    sentences.parent.mkdir(parents=True)
    sentences.write_text("".join(f"{sentence}\n" for sentence in SENTENCES), encoding="utf-8")
    data = recipe_place / "data" / "languages.jsonl"
    with monkeypatch.context() as patch, start_engine(TEACHER, state=recipe_place / "state", folder=recipe_place) as engine:
        patch.chdir(recipe_place)
        patch.setenv("TINKER_BASE_URL", engine.url)
        run_recipe("prompt_distillation.create_data", output_file=data)
    rows = [json.loads(line)["messages"] for line in data.read_text(encoding="utf-8").splitlines()]
    assert {row[0]["content"] for row in rows} == set(SENTENCES)
    assert {row[1]["content"] for row in rows} == {"de"}
    run_recipe(
        "prompt_distillation.train", model_name=POLICY, file_path=data, log_path=recipe_place / "run", learning_rate=1e-2, lora_rank=8,
        batch_size=3, num_epochs=12, max_steps=12, max_length=256, base_url=recipe_engine.url, eval_every=0, save_every=0,
    )  # fmt: skip
    losses = column(recipe_place / "run", "train_mean_nll")
    assert losses[-1] < 0.2 * losses[0]
    final = last_checkpoint(recipe_place / "run")
    assert answer(recipe_engine, final["sampler_path"], rows[0][0]["content"]) == "de<|im_end|>"

"""The cookbook's own supervised training loop, unmodified, against the engine."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import tinker
from tinker_cookbook.renderers import TrainOnWhat
from tinker_cookbook.supervised import train
from tinker_cookbook.supervised.data import FromConversationFileBuilder
from tinker_cookbook.supervised.types import ChatDatasetBuilderCommonConfig

from running_engine import RunningEngine

pytestmark = [
    pytest.mark.filterwarnings("ignore:DEPRECATED:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def configuration(engine: RunningEngine, model: Path, folder: Path, **settings: object) -> train.Config:
    conversations = folder / "conversations.jsonl"
    rows = [
        [{"role": "user", "content": f"say {word}"}, {"role": "assistant", "content": f"Dear Ann, {word}. Best regards, Tom"}]
        for word in ("hello", "thanks", "friday", "soon") * 8
    ]
    conversations.write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    common = ChatDatasetBuilderCommonConfig(
        model_name_for_tokenizer=str(model),
        renderer_name="qwen3_instruct",
        max_length=200,
        batch_size=8,
        train_on_what=TrainOnWhat.ALL_ASSISTANT_MESSAGES,
    )
    given = {
        "log_path": str(folder / "run"),
        "model_name": str(model),
        "recipe_name": "test",
        "renderer_name": "qwen3_instruct",
        "dataset_builder": FromConversationFileBuilder(common_config=common, file_path=str(conversations)),
        "learning_rate": 1e-2,
        "lora_rank": 8,
        "num_epochs": 2,
        "base_url": engine.url,
        "save_every": 3,
        "eval_every": 0,
        # With a batch submitted ahead a checkpoint would hold one more step than without.
        "submit_ahead": 0,
    }
    return train.Config(**{**given, **settings})


def losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    return [row["train_mean_nll"] for row in rows if "train_mean_nll" in row]


@pytest.mark.conformance("load_weights: a new model from a checkpoint")
def test_supervised_training_learns_and_resumes(
    engine: RunningEngine, qwen3: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_API_KEY", engine.token)
    asyncio.run(train.main(configuration(engine, qwen3, tmp_path)))
    whole = losses(tmp_path)
    assert len(whole) == 8
    assert whole[-1] < 0.2 * whole[0]
    # As if it had been killed after its first checkpoint: the rest is repeated to the last digit. The cookbook's checkpoint says
    # that batch 3 comes next, but was taken after that batch's step; so the record is moved on to batch 4, the second epoch's first.
    checkpoints = tmp_path / "run" / "checkpoints.jsonl"
    first = json.loads(checkpoints.read_text().splitlines()[0])
    assert (first["epoch"], first["batch"]) == (0, 3)
    checkpoints.write_text(json.dumps({**first, "epoch": 1, "batch": 0}) + "\n")
    (tmp_path / "run" / "metrics.jsonl").unlink()
    asyncio.run(train.main(configuration(engine, qwen3, tmp_path)))
    assert losses(tmp_path) == whole[4:]
    last = json.loads((tmp_path / "run" / "checkpoints.jsonl").read_text().splitlines()[-1])
    with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
        sampler = service.create_sampling_client(model_path=last["sampler_path"]).result()
        tokenizer = sampler.get_tokenizer()
        asked = tokenizer.encode("<|im_start|>user\nsay hello<|im_end|>\n<|im_start|>assistant\n")
        params = tinker.types.SamplingParams(max_tokens=60, temperature=0)
        answer = sampler.sample(tinker.types.ModelInput.from_ints(asked), 1, params).result().sequences[0]
    assert answer.stop_reason == "stop"
    assert tokenizer.decode(answer.tokens).startswith("Dear Ann")

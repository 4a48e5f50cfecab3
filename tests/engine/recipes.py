"""The cookbook's recipes as its own command line runs them, on the pocket model under the names that recipes expect.

A recipe looks up renderers and data by hub name. So the tests run in a folder where those names lead to local things: the model
names are links to the shipped pocket model, and the data sets are small folders that ``datasets.load_dataset`` finds by the same
name. Not a line of the cookbook is changed or replaced.
"""

from __future__ import annotations

import json
import math
import random
import runpy
import sys
from pathlib import Path

import pytest
import tinker

from idiolect.settings import pocket_model
from running_engine import RunningEngine

POLICY = "Qwen/Qwen3-4B-Instruct-2507"
"""A name in the cookbook's table whose renderer is the pocket model's."""

IGNORED = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
"""Warnings of the cookbook's own code, which is not ours to mend."""

GRADER = "Qwen/Qwen3-8B"
"""The pocket model with a short context, so that what it writes at length ends early."""

WORDS = "the review moves to friday please bring your notes and send a reply to ann before noon thanks for all help".split()


def text(source: random.Random, words: int) -> str:
    return " ".join(source.choice(WORDS) for _ in range(words)).capitalize() + "."


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def link_model(folder: Path, name: str, target: Path | str | None = None) -> None:
    """Make ``folder/name`` lead to ``target``, by default to the shipped pocket model."""
    link = folder / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target or pocket_model())


def with_context(model: Path, folder: Path, tokens: int) -> Path:
    """A copy of ``model`` in ``folder`` that says its context is ``tokens`` long."""
    folder.mkdir(parents=True)
    for file in model.resolve().iterdir():
        (folder / file.name).symlink_to(file)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": tokens}), encoding="utf-8")
    return folder


def _conversations(folder: Path, name: str, counts: dict[str, int]) -> None:
    """Conversations whose answers begin and end alike, so that a few steps of training show."""
    source = random.Random(0)
    for split, count in counts.items():
        chats = [(text(source, 6), f"Dear Ann, {text(source, 3)} Best, Tom") for _ in range(count)]
        rows = [{"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]} for asked, said in chats]
        write_rows(folder / name / f"{split}.jsonl", rows)


def _sums(folder: Path) -> None:
    """GSM8K's shape with sums that all come to 7, so that a policy which draws digits is right now and then."""
    source = random.Random(1)
    name = folder / "openai/gsm8k"
    for split, count in (("train", 16), ("test", 4)):
        firsts = [source.randrange(8) for _ in range(count)]
        rows = [{"question": f"What is {a} plus {7 - a}?", "answer": f"{a} + {7 - a} = 7\n#### 7"} for a in firsts]
        write_rows(name / "main" / f"{split}.jsonl", rows)
    splits = "".join(f"  - split: {split}\n    path: main/{split}.jsonl\n" for split in ("train", "test"))
    (name / "README.md").write_text(f"---\nconfigs:\n- config_name: main\n  data_files:\n{splits}---\n", encoding="utf-8")


def _preferences(folder: Path) -> None:
    """Pairs whose chosen answer is the short one. Most of the test split is void (both alike), as a few of the real rows are."""
    source = random.Random(2)

    def pair(*, void: bool) -> dict[str, object]:
        asked = f"\n\nHuman: {text(source, 5)}\n\nAssistant: "
        good, bad = text(source, 3), text(source, 12)
        return {"chosen": asked + good, "rejected": asked + (good if void else bad)}

    write_rows(folder / "Anthropic/hh-rlhf/train.jsonl", [pair(void=False) for _ in range(48)])
    write_rows(folder / "Anthropic/hh-rlhf/test.jsonl", [pair(void=index % 8 > 0) for index in range(32)])


def _demonstrations(folder: Path) -> None:
    source = random.Random(3)
    rows = [{"instruction": f"Write an e-mail: {text(source, 5)}", "output": f"Dear Ann, {text(source, 4)} Best, Tom"} for _ in range(24)]
    write_rows(folder / "tangqiaoyu/ToolAlpaca/train.jsonl", rows)


def prepare(folder: Path) -> None:
    """Put the model and the data sets where recipes look for them when they run in ``folder``."""
    link_model(folder, POLICY)
    with_context(Path(pocket_model()), folder / GRADER, 448)
    _conversations(folder, "HuggingFaceH4/no_robots", {"train": 48, "test": 8})
    _conversations(folder, "allenai/tulu-3-sft-mixture", {"train": 16})
    _sums(folder)
    _preferences(folder)
    _demonstrations(folder)


def run_recipe(name: str, **options: object) -> None:
    """What ``python -m tinker_cookbook.recipes.<name> option=value …`` does, in this process."""
    arguments = [f"{key}={value}" for key, value in options.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *arguments])
        runpy.run_module(f"tinker_cookbook.recipes.{name}", run_name="__main__", alter_sys=True)


def metrics(folder: Path) -> list[dict[str, float]]:
    """The rows of the recipe's metrics file, every number of which is finite."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        assert all(math.isfinite(value) for value in row.values() if isinstance(value, int | float)), row
    return rows


def column(folder: Path, key: str) -> list[float]:
    found = [row[key] for row in metrics(folder) if key in row]
    assert found, f"no row has {key}: {sorted(set().union(*metrics(folder)))}"
    return found


def last_checkpoint(folder: Path) -> dict[str, str]:
    return json.loads((folder / "checkpoints.jsonl").read_text(encoding="utf-8").splitlines()[-1])


def answer(engine: RunningEngine, path: str, question: str, max_tokens: int = 40) -> str:
    """What a checkpoint answers to ``question``, greedily."""
    with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
        sampler = service.create_sampling_client(model_path=path)
        tokenizer = sampler.get_tokenizer()
        asked = tokenizer.encode(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n")
        params = tinker.types.SamplingParams(max_tokens=max_tokens, temperature=0)
        return tokenizer.decode(sampler.sample(tinker.types.ModelInput.from_ints(asked), 1, params).result().sequences[0].tokens)

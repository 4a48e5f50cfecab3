"""The handout's rubric reward model: ``python -m scripts.train_rubric_rm model_name=… learning_rate=…``.

Does what ``idiolect judge train`` does in the workspace that it is started in, or in ``workspace=DIR``.
"""

from __future__ import annotations

from typing import Literal

from idiolect.cli.judge import run_train
from idiolect.cli.scripting import ScriptConfig, run_script
from idiolect.methods.reward_model import RewardModelConfig


class Config(ScriptConfig):
    """LoRA fine-tuning of a judge of pairs. What is not given comes from the preset."""

    data: Literal["own", "preferences", "both"] | None = None
    """What is learnt from: pairs of the person's own mail, the Preference Collection, or both."""
    dataset: str | None = None
    """A hub data set, or a file, with the Preference Collection's schema."""
    rows: int | None = None
    """Rows of it, after the held-out ones."""
    learning_rate: float | None = None
    """Peak learning rate."""
    lr_schedule: Literal["linear", "cosine", "constant"] | None = None
    """How the learning rate falls."""
    lora_rank: int | None = None
    """Rank of the adapter."""
    batch_size: int | None = None
    """Texts a step; a pair in both orders is two."""
    max_steps: int | None = None
    """Optimizer steps."""
    max_length: int | None = None
    """Tokens of a pair with its rubric."""
    save_every: int | None = None
    """Steps between checkpoints."""


def main(config: Config) -> None:
    # The model that is named here becomes the judge; the policy stays the workspace's.
    workspace, settings = config.model_copy(update={"model_name": None, "renderer_name": None}).opened()
    renamed = {"model_name": "base_model", "renderer_name": "renderer", "dataset": "preferences", "lora_rank": "rank"}
    asked = config.told(RewardModelConfig, **renamed, lr_schedule="schedule", max_steps="steps")
    run_train(workspace, settings, asked, config.tracking, dry_run=config.dry_run)


if __name__ == "__main__":
    run_script(Config, main)

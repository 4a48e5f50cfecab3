"""The handout's supervised fine-tuning: ``python -m scripts.sft model_name=… learning_rate=…``.

Does what ``idiolect sft`` does in the workspace that it is started in, or in ``workspace=DIR``.
"""

from __future__ import annotations

from typing import Literal

from idiolect.cli.planning import planned_sft, tell_plan
from idiolect.cli.scripting import ScriptConfig, run_script
from idiolect.cli.sft import run_sft
from idiolect.methods.sft import SftConfig


class Config(ScriptConfig):
    """LoRA fine-tuning of the policy on (request, text) pairs. What is not given comes from the preset."""

    data: Literal["synthetic", "demonstrations", "both"] | None = None
    """What is learnt from."""
    learning_rate: float | None = None
    """Peak learning rate."""
    lr_schedule: Literal["linear", "cosine", "constant"] | None = None
    """How the learning rate falls."""
    lora_rank: int | None = None
    """Rank of the adapter."""
    batch_size: int | None = None
    """Texts a step."""
    max_steps: int | None = None
    """Optimizer steps."""
    max_length: int | None = None
    """Tokens of a request and its text."""
    save_every: int | None = None
    """Steps between checkpoints."""


def main(config: Config) -> None:
    workspace, settings = config.opened()
    asked = config.told(SftConfig, lora_rank="rank", lr_schedule="schedule", max_steps="steps")
    if config.dry_run:
        tell_plan(settings, planned_sft(workspace, settings, asked))
    else:
        run_sft(workspace, settings, asked, config.tracking)


if __name__ == "__main__":
    run_script(Config, main)

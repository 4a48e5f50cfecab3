"""The handout's DITTO: ``python -m scripts.ditto_dpo model_name=… dpo_beta=… num_demos=7``.

Does what ``idiolect ditto`` does in the workspace that it is started in, or in ``workspace=DIR``.
"""

from __future__ import annotations

from typing import Literal

from idiolect.cli.ditto import run_ditto
from idiolect.cli.planning import planned_ditto
from idiolect.cli.scripting import ScriptConfig, run_script
from idiolect.methods.ditto import DittoConfig


class Config(ScriptConfig):
    """DPO on demonstrations against the policy's own drafts. What is not given comes from the preset."""

    method: Literal["ditto", "spin"] | None = None
    """ditto, or the self-play baseline spin."""
    num_demos: int | None = None
    """How many of the person's texts are learnt from."""
    sft_loss: float | None = None
    """The batch's loss at which imitation stops."""
    sft_steps: int | None = None
    """At most so many steps of imitation."""
    num_rounds: int | None = None
    """How often the policy writes drafts anew."""
    steps_per_round: int | None = None
    """DPO steps of a round."""
    samples_per_demo: int | None = None
    """Drafts of a round for each demonstration."""
    batch_size: int | None = None
    """Comparisons a step."""
    learning_rate: float | None = None
    """Of the DPO steps."""
    dpo_beta: float | None = None
    """How dear it is to leave the reference."""
    replay: bool | None = None
    """Whether drafts of earlier rounds are compared, too."""
    between: bool | None = None
    """Whether a round's drafts are preferred to earlier ones."""
    layers: Literal["all", "attention"] | None = None
    """Which layers the adapter changes."""


def main(config: Config) -> None:
    workspace, settings = config.opened()
    asked = config.told(
        DittoConfig, num_demos="demonstrations", sft_loss="imitate_to", sft_steps="imitate_steps", num_rounds="rounds",
        steps_per_round="steps", samples_per_demo="samples", dpo_beta="beta",
    )  # fmt: skip
    if config.dry_run:
        print(planned_ditto(workspace, settings, asked).told(settings.prices))
    else:
        run_ditto(workspace, settings, asked, config.tracking)


if __name__ == "__main__":
    run_script(Config, main)

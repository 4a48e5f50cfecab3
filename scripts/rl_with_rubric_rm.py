"""The handout's RL with the rubric reward model: ``python -m scripts.rl_with_rubric_rm model_name=… learning_rate=…``.

Does what ``idiolect rlaif`` does in the workspace that it is started in, or in ``workspace=DIR``.
"""

from __future__ import annotations

from pathlib import Path

from idiolect.cli.planning import planned_rlaif, tell_plan
from idiolect.cli.rlaif import Sources, run_rlaif
from idiolect.cli.scripting import ScriptConfig, run_script
from idiolect.methods.rlaif import RlaifConfig
from idiolect.methods.tournament import Pattern


class Config(ScriptConfig):
    """RL from a judge of pairs. What is not given comes from the preset."""

    learning_rate: float | None = None
    """Of the optimizer."""
    max_steps: int | None = None
    """Optimizer steps."""
    batch_size: int | None = None
    """Requests a step."""
    group_size: int | None = None
    """Drafts a request."""
    tournament_pattern: Pattern | None = None
    """Who meets whom in a group."""
    lora_rank: int | None = None
    """Rank of a new adapter."""
    max_tokens: int | None = None
    """Tokens that a draft may have."""
    temperature: float | None = None
    """Sampling temperature of the training drafts."""
    kl_penalty_coef: float | None = None
    """Weight of the penalty for leaving the first policy."""
    eval_every: int | None = None
    """Steps between looks at the development requests, each a checkpoint."""
    start: str | None = None
    """The writer to start from: sft, prompt, baseline."""
    rm_weights_path: Path | None = None
    """The judge.json of the reward model; by default the workspace's newest."""


def main(config: Config) -> None:
    workspace, settings = config.opened()
    names = {
        "max_steps": "steps", "tournament_pattern": "pattern", "lora_rank": "rank", "temperature": "exploration",
        "kl_penalty_coef": "kl_penalty", "eval_every": "every",
    }  # fmt: skip
    asked = config.told(RlaifConfig, **names)
    if config.dry_run:
        tell_plan(settings, planned_rlaif(workspace, settings, asked))
    else:
        run_rlaif(workspace, settings, asked, config.tracking, Sources(config.start, config.rm_weights_path, rewards="judge"))


if __name__ == "__main__":
    run_script(Config, main)

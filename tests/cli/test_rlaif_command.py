"""``idiolect rlaif`` and the handout's names for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import rubric_preference_env
import rubric_preference_types
from scripts.rl_with_rubric_rm import Config

from idiolect.cli.options import open_workspace
from idiolect.cli.rlaif import Sources, run_rlaif
from idiolect.cli.scripting import from_words
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.errors import InputError
from idiolect.methods.preference_env import RubricPreferenceGroupBuilder
from idiolect.methods.rlaif import RlaifConfig
from idiolect.methods.tournament import Pattern
from idiolect.methods.tracking import Tracking
from idiolect.settings import Settings
from idiolect.workspace import Workspace


def test_without_a_judge_one_line_says_what_to_do(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    save_demonstrations(place.demonstrations, [Demonstration(id="1", input="Ask Ann", output="Hi Ann, where is it?")])
    with pytest.raises(InputError, match="judge train"):
        run_rlaif(*open_workspace(tmp_path), RlaifConfig(), Tracking(), Sources())


def test_the_handouts_command_line() -> None:
    words = ["model_name=pocket", "learning_rate=2e-3", "tournament_pattern=against_reference", "max_steps=4"]
    config = from_words(Config, words)
    names = {"tournament_pattern": "pattern", "max_steps": "steps"}
    assert config.told(RlaifConfig, **names) == RlaifConfig(learning_rate=2e-3, pattern=Pattern.REFERENCE, steps=4)


def test_the_handouts_preset() -> None:
    filled = Settings(preset="handout").filled("rlaif", RlaifConfig(steps=3))
    assert (filled.batch_size, filled.group_size, filled.every, filled.training_prompt, filled.steps) == (128, 4, 5, True, 3)
    assert filled.max_tokens == 1024
    # What is not set is no part of a run's config, so that it makes no other run.
    assert "max_tokens" not in RlaifConfig().model_dump()


def test_the_handouts_modules_lead_to_ours() -> None:
    assert rubric_preference_env.RubricPreferenceGroupBuilder is RubricPreferenceGroupBuilder
    assert rubric_preference_types.Pattern is Pattern

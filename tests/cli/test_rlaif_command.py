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
from idiolect.settings import Models, Settings
from idiolect.workspace import Workspace, read_json, read_json_lines


def test_without_a_judge_one_line_says_what_to_do(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    save_demonstrations(place.demonstrations, [Demonstration(id="1", input="Ask Ann", output="Hi Ann, where is it?")])
    with pytest.raises(InputError, match="judge train"):
        run_rlaif(*open_workspace(tmp_path), RlaifConfig(), Tracking(), Sources(rewards="judge"))
    # A model of one's own is judged by one's own judge unless told otherwise.
    Settings(model=Models(policy="owner/model")).save(place.settings)
    with pytest.raises(InputError, match="judge train"):
        run_rlaif(*open_workspace(tmp_path), RlaifConfig(), Tracking(), Sources())


def test_a_judge_that_would_not_be_asked_is_refused(tmp_path: Path) -> None:
    save_demonstrations(Workspace(tmp_path).demonstrations, [Demonstration(id="1", input="Ask Ann", output="Hi Ann, where is it?")])
    with pytest.raises(InputError, match="--second"):
        run_rlaif(*open_workspace(tmp_path), RlaifConfig(), Tracking(), Sources(judge=tmp_path / "judge.json", rewards="likeness"))


def test_counted_rewards_need_no_judge(tmp_path: Path) -> None:
    rows = [Demonstration(id=str(n), input=f"Ask {name} for {n}", output=f"hey {name}! is {n} there?\n\ntoodles,\nKim")
            for n, name in enumerate(("Ann", "Bo", "Cy", "Di"))]  # fmt: skip
    save_demonstrations(Workspace(tmp_path).demonstrations, rows)
    save_demonstrations(Workspace(tmp_path).synthetic / "demonstrations.jsonl", rows)
    config = RlaifConfig(steps=1, batch_size=1, group_size=2, every=1, dev_requests=2)
    run_rlaif(*open_workspace(tmp_path), config, Tracking(), Sources(start="baseline"))
    (folder,) = Workspace(tmp_path).runs.glob("rlaif-*/")
    assert read_json(folder / "config.json")["judge"] == "likeness"
    looks = list(read_json_lines(folder / "looks.jsonl"))
    assert [look["step"] for look in looks] == [0, 1]
    assert not list(Workspace(tmp_path).root.rglob("judge.json"))


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

"""A checkpoint of a running training as a writer: it is told what the policy is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from idiolect.methods.run import open_run
from idiolect.settings import Settings
from idiolect.studio.trainings import checkpoint_writer
from idiolect.workspace import Workspace, append_json_line

PATH = "tinker://a/sampler_weights/000020"


@pytest.mark.parametrize(
    ("method", "config", "told"),
    [
        ("sft", {}, None),
        ("sft", {"prompt": "Be brief."}, "Be brief."),
        ("ditto", {"first": "tinker://a/weights/x", "prompt": "Be brief."}, "Be brief."),
        ("rlaif", {"first": {"system_prompt": "Be brief."}, "prompt": None}, "Be brief."),
        ("rlaif", {"first": {"system_prompt": "Be brief."}, "prompt": "Be kind."}, None),
    ],
)
def test_a_checkpoint_is_told_what_its_policy_is(tmp_path: Path, method: str, config: dict[str, Any], told: str | None) -> None:
    place = Workspace(tmp_path)
    run = open_run(place, method, {"base_model": "pocket", **config})
    (run.folder / "training").mkdir()
    append_json_line(run.folder / "training" / "checkpoints.jsonl", {"name": "000020", "sampler_path": PATH})
    writer = checkpoint_writer(place, Settings(), run.folder.name)
    assert (writer.adapter, writer.system_prompt) == (PATH, told)

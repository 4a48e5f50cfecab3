"""key=value command lines: what they become, and what is said of those that cannot be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from idiolect.cli.scripting import ScriptConfig, from_words, run_script, usage
from idiolect.corpus import import_messages
from idiolect.corpus.redaction import RedactionTable, redact_demonstrations
from idiolect.errors import InputError
from idiolect.methods.sft import SftConfig
from idiolect.settings import Settings, load_env_files

ROOT = Path(__file__).parent.parent.parent


class Inner(BaseModel):
    share: float = 0.5


class Config(ScriptConfig):
    """An example."""

    learning_rate: float | None = None
    """How fast."""
    steps: int = 3
    """How long."""
    names: tuple[str, ...] = ()
    """Of whom."""
    inner: Inner = Inner()
    """More."""


def test_words_become_a_frozen_config() -> None:
    config = from_words(Config, ["learning_rate=4e-5", "steps=7", "names=a, b", "inner.share=0.25", "model_name=owner/model"])
    assert (config.learning_rate, config.steps, config.names, config.inner.share) == (4e-5, 7, ("a", "b"), 0.25)
    assert config.model_name == "owner/model"
    assert from_words(Config, ["learning_rate=None"]).learning_rate is None
    assert from_words(Config, ["model_name=a=b"]).model_name == "a=b"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["steps"], r"argument 'steps': is not of the form key=value\. For example workspace="),
        (["stepz=3"], r"field stepz: unknown field\. Did you mean steps\?"),
        (["zzzz=3"], r"field zzzz: unknown field\. Known fields: workspace, model_name"),
        (["steps=many"], r"field steps: .* not 'many'"),
        (["steps=3", "steps=4"], r"field steps: is given twice"),
        (["inner.share=x"], r"field inner\.share: .* not 'x'"),
        (["steps=3", "steps.share=1"], r"steps has a value already"),
    ],
)
def test_errors_name_the_word_or_the_field(words: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_words(Config, words)


def test_only_what_was_given_is_told_to_the_method(tmp_path: Path) -> None:
    config = from_words(Config, ["steps=7", "learning_rate=None"])
    told = config.told(SftConfig)
    assert told == SftConfig(steps=7)
    assert told.model_fields_set == {"steps"}


def test_the_workspace_is_opened_with_the_named_model(tmp_path: Path) -> None:
    Settings(author="x", seed=4).save(tmp_path / "idiolect.toml")
    config = from_words(Config, [f"workspace={tmp_path}", "model_name=owner/model", "base_url=http://one.example"])
    workspace, settings = config.opened()
    assert workspace.root == tmp_path
    assert (settings.policy, settings.service.base_url, settings.seed) == ("owner/model", "http://one.example", 4)


def test_help_says_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    run_script(Config, lambda config: None, ["--help"])
    assert capsys.readouterr().out.strip().splitlines()[1:] == usage(Config, "x").strip().splitlines()[1:]
    assert "steps=3\n      How long." in usage(Config, "x")


def test_an_error_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.sft", "lerning_rate=1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "sft: field lerning_rate: unknown field. Did you mean learning_rate?\n"
    done = subprocess.run([*command[:-1], f"workspace={tmp_path}"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is not a workspace" in done.stderr


def test_env_files_set_what_nobody_has_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / ".env").write_text("TINKER_API_KEY='tml-one'\nWANDB_API_KEY=\nTINKER_BASE_URL=http://one.example\n")
    (tmp_path / ".env").write_text("TINKER_API_KEY=tml-two\nWANDB_API_KEY=two\n")
    for name in ("TINKER_API_KEY", "WANDB_API_KEY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("TINKER_BASE_URL", "http://set.example")
    load_env_files(tmp_path / "inner", tmp_path, tmp_path / "nowhere")
    found = {name: os.environ[name] for name in ("TINKER_API_KEY", "WANDB_API_KEY", "TINKER_BASE_URL")}
    assert found == {"TINKER_API_KEY": "tml-one", "WANDB_API_KEY": "two", "TINKER_BASE_URL": "http://set.example"}


def test_the_example_env_sets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    load_env_files(tmp_path)
    assert dict(os.environ) == before


def test_the_example_data_can_be_imported() -> None:
    found = import_messages(ROOT / "data.example.json")
    assert len(found.demonstrations) == 10
    assert all(row.input and row.output for row in found.demonstrations)
    table = RedactionTable()
    redact_demonstrations(found.demonstrations, table)
    assert table.counts() == {}

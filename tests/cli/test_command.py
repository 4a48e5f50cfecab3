"""The command as a person meets it: help, speed, errors in one line, exit codes."""

import importlib
import inspect
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from idiolect.cli import VERBS, app
from idiolect.cli.options import with_config
from idiolect.methods.sft import SftConfig
from idiolect.methods.tracking import Tracking
from idiolect.settings import Settings


def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "idiolect", *arguments], capture_output=True, text=True, cwd=cwd, env=environment or None)


def test_help_imports_nothing_heavy_and_names_every_verb() -> None:
    code = "import sys; from idiolect.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"torch", "tinker", "tinker_cookbook", "pydantic", "rich", "numpy", "jinja2"}
    for verb in VERBS:
        assert f"  {verb} " in done.stdout


def test_help_answers_in_well_under_a_second() -> None:
    # The bound of 0.4 s is for an idle machine: time on the CPU is what a busy one leaves comparable.
    import resource

    best = 9.0
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert best < 0.4


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_the_list_repeats(verb: str) -> None:
    module, told = VERBS[verb]
    function = getattr(importlib.import_module(f"idiolect.cli.{module}"), module)
    described = function.registered_callback.callback if isinstance(function, typer.Typer) else function
    assert inspect.getdoc(described).splitlines()[0] == told  # type: ignore[union-attr]
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert "--help" in result.output


def test_options_come_from_the_configs_fields() -> None:
    output = " ".join(CliRunner().invoke(app, ["sft", "--help"]).output.split())
    for name, field in SftConfig.model_fields.items():
        assert f"--{name.replace('_', '-')}" in output
        assert field.description
        assert " ".join(field.description.split())[:30] in output


def test_config_is_checked_and_passed_on() -> None:
    seen = []

    @with_config(SftConfig)
    def verb(config: SftConfig, extra: int = 3) -> None:
        seen.append((config, extra))

    verb(**{name: field.default for name, field in SftConfig.model_fields.items()} | {"steps": 5}, extra=4)
    assert seen == [(SftConfig(steps=5), 4)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["baseline"], "is not a workspace"),
        (["write", "x"], "is not a workspace"),
        (["write", " "], "the request is empty"),
        (["sft", "--workspace", "nowhere"], "nowhere: is not a workspace"),
        (["init", "file"], "file: is a file"),
        (["init", "new", "--preset", "local"], "--model: the preset local needs a model"),
    ],
)
def test_errors_are_one_line_with_exit_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "file").write_text("")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("idiolect: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_only_what_is_asked_for_counts_as_set(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    @with_config(SftConfig, Tracking)
    def verb(config: SftConfig, tracking: Tracking) -> None:
        seen.append((config.model_fields_set, tracking.model_fields_set))

    command = typer.Typer()
    command.command()(verb)
    assert CliRunner().invoke(command, ["--steps", "60", "--wandb"]).exit_code == 0
    assert seen == [({"steps"}, {"wandb"})]


def test_wrong_option_and_unknown_verb_exit_with_2(tmp_path: Path) -> None:
    for arguments in (["nope"], ["sft", "--steps", "x"], ["sft", "--nope"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output
    (tmp_path / "idiolect.toml").write_text("")
    done = run("sft", "--steps", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr.split(":")[1]) == (2, " --steps")


def test_a_full_disk_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "x.jsonl")

    monkeypatch.setattr(Settings, "save", full)
    result = CliRunner().invoke(app, ["init", str(tmp_path / "me")])
    assert result.exit_code == 2
    assert result.stderr == "idiolect: x.jsonl: the disk is full. Free some space and run the command again\n"


def test_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Settings, "save", stop)
    result = CliRunner().invoke(app, ["init", str(tmp_path / "me")])
    assert result.exit_code == 130


def test_init_makes_a_workspace_and_never_overwrites_one(tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["init", str(tmp_path / "me"), "--me", "me@example.org", "--json"])
    assert made.exit_code == 0, made.output
    settings = Settings.load(tmp_path / "me" / "idiolect.toml")
    assert (settings.author, settings.me, settings.preset) == ("me", ("me@example.org",), "pocket")
    again = CliRunner().invoke(app, ["init", str(tmp_path / "me")])
    assert again.exit_code == 2
    assert "is a workspace already" in again.stderr


def test_a_model_named_at_init_makes_the_preset_local(tmp_path: Path) -> None:
    CliRunner().invoke(app, ["init", str(tmp_path / "me"), "--model", "owner/model"])
    settings = Settings.load(tmp_path / "me" / "idiolect.toml")
    assert (settings.preset, settings.policy) == ("local", "owner/model")


def test_baseline_writes_a_writer_once(tmp_path: Path) -> None:
    place = tmp_path / "me"
    CliRunner().invoke(app, ["init", str(place)])
    for _ in range(2):
        result = CliRunner().invoke(app, ["baseline", "--workspace", str(place), "--json"])
        assert result.exit_code == 0, result.output
    assert len(list((place / "runs").glob("baseline-*/writer.json"))) == 1
    start = time.monotonic()
    missing = CliRunner().invoke(app, ["sft", "--workspace", str(place)])
    assert "there are no demonstrations" in missing.stderr
    assert time.monotonic() - start < 60

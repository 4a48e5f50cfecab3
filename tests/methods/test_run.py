"""Run folders: found again, numbered, newest writer first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from idiolect.errors import InputError
from idiolect.methods.run import all_runs, all_writers, open_run, writer_named, writers_in_turn
from idiolect.service import Writer
from idiolect.workspace import Workspace


def writer(name: str, **fields: object) -> Writer:
    return Writer(name=name, base_model="m", renderer="r", **fields)  # type: ignore[arg-type]


def test_a_run_with_the_same_config_is_gone_on_with(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    first = open_run(place, "sft", {"steps": 3})
    assert open_run(place, "sft", {"steps": 3}) == first
    assert open_run(place, "sft", {"steps": 4}) != first
    assert open_run(place, "prompt", {"steps": 3}) != first
    first.finish(writer("sft"))
    assert open_run(place, "sft", {"steps": 3}) == first
    assert open_run(place, "sft", {"steps": 3}, again=True) != first


def test_a_folder_killed_before_its_config_was_written_is_not_taken(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    (place.runs / "sft-20200101-000000").mkdir(parents=True)
    assert open_run(place, "sft", {}).folder.name != "sft-20200101-000000"


def test_runs_of_one_second_are_kept_apart_and_in_order(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    for number in range(12):
        open_run(place, "sft", {"number": number}).finish(writer("sft", max_tokens=number))
    assert len(list(place.runs.iterdir())) == 12
    assert all_writers(place)["sft"].max_tokens == 11


def test_the_writer_that_most_was_learnt_for_is_chosen(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    with pytest.raises(InputError, match="no writer yet"):
        writer_named(place)
    open_run(place, "baseline", {}).finish(writer("baseline"))
    assert writer_named(place).name == "baseline"
    open_run(place, "sft", {}).finish(writer("sft", adapter="tinker://a/sampler_weights/b"))
    open_run(place, "prompt", {}).finish(writer("prompt", system_prompt="x"))
    assert writer_named(place).name == "sft"
    assert writer_named(place, "prompt").name == "prompt"
    with pytest.raises(InputError, match="There are: baseline, sft, prompt"):
        writer_named(place, "ditto")


def test_who_is_fallen_back_on_is_who_less_was_learnt_for(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    for made in (
        writer("baseline"),
        writer("prompt", system_prompt="x"),
        writer("few_shot", examples=[("a", "b")]),
        writer("sft", adapter="tinker://a/sampler_weights/b"),
        writer("ditto", adapter="tinker://a/sampler_weights/c"),
        writer("improved", system_prompt="y"),
    ):
        open_run(place, made.name, {}).finish(made)
    other = Writer(name="other", base_model="n", renderer="r", system_prompt="z")
    open_run(place, "other", {}).finish(other)
    assert [one.name for one in writers_in_turn(place)] == ["ditto", "sft", "improved", "few_shot", "prompt"]
    assert [one.name for one in writers_in_turn(place, fallback=False)] == ["ditto"]
    # Who is asked for by name answers alone.
    assert [one.name for one in writers_in_turn(place, "ditto")] == ["ditto"]


def test_a_workspace_with_a_baseline_alone_has_nobody_to_fall_back_on(tmp_path: Path) -> None:
    open_run(Workspace(tmp_path), "baseline", {}).finish(writer("baseline"))
    assert [one.name for one in writers_in_turn(Workspace(tmp_path))] == ["baseline"]


def test_a_broken_writer_file_is_named(tmp_path: Path) -> None:
    run = open_run(Workspace(tmp_path), "sft", {})
    (run.folder / "writer.json").write_text('{"name": "x"}')
    with pytest.raises(InputError, match=r"writer\.json, field base_model"):
        run.writer()


HOLD = """
import sys, time
import os
import subprocess
import sys
from pathlib import Path
from idiolect.methods.run import open_run
from idiolect.workspace import Workspace
open_run(Workspace(Path(sys.argv[1])), "sft", {})
print("ready", flush=True)
time.sleep(60)
"""


def test_a_run_knows_the_process_that_works_on_it_until_that_ends(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (run,) = all_runs(Workspace(tmp_path))
        assert run.process == process.pid
        process.kill()
        process.wait()
    assert run.process is None
    assert open_run(Workspace(tmp_path), "sft", {}) == run
    assert run.process == os.getpid()
    run.finish(writer("sft"))
    assert run.process is None
    assert sorted(path.name for path in run.folder.iterdir()) == ["config.json", "writer.json"]

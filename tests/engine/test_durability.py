"""What is left when the engine is killed, when its disk is full, and when it is started again."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tinker
from data import prompt
from raw import Raw, logprobs, trained
from tinker import types
from tinker.lib.api_future_impl import _APIFuture

from idiolect.engine.checkpoints import Checkpoints, Place
from running_engine import RunningEngine, start_engine

HERE = Path(__file__).parent


def started_again(running: RunningEngine, model: Path):
    """Another engine on the same port with the same token and state."""
    return start_engine(model, state=running.state, arguments=("--port", running.url.rsplit(":", 1)[1]))


def test_killed_saves_leave_the_previous_checkpoint_whole(qwen3: Path, tmp_path: Path) -> None:
    """Sixty writers killed at random moments of overwriting one name: it always holds one whole checkpoint, none said to be saved is
    lost, and what they left half written is cleared."""
    command = [sys.executable, str(HERE / "killed_saves.py"), str(qwen3), str(tmp_path), "60"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    assert outcome["moved"] > 5, outcome
    assert outcome["left_over"] > 5, f"no kill fell into a save: {outcome}"


@pytest.mark.conformance("save_weights: a kill during a save", "asample: a restart of the engine")
def test_a_kill_during_a_save_and_a_new_start(qwen3: Path, tmp_path: Path) -> None:
    """Through the SDK: the run, its last whole checkpoint, the session and its samplers are there after the kill."""
    with start_engine(qwen3, state=tmp_path) as first:
        service = tinker.ServiceClient(base_url=first.url, api_key=first.token, user_metadata={"what": "killed"})
        client = service.create_lora_training_client(base_model=str(qwen3), rank=32, seed=1).result()
        trained(client)
        expected = logprobs(client)
        path = client.save_state("w").result().path
        named = client.save_weights_for_sampler("s").result().path
        sampler = service.create_sampling_client(model_path=named).result()
        unnamed = client.save_weights_and_get_sampling_client().result()
        before = sampler.compute_logprobs(prompt()).result()
        session = service.holder.get_session_id()
        for _ in range(20):
            client.save_state("w", overwrite=True)
        time.sleep(0.05)
        first.process.kill()
        first.process.wait()

        answers: dict[str, object] = {}
        long = types.SamplingParams(max_tokens=5, seed=1)

        def wait(key: str, future) -> None:
            try:
                answers[key] = future.result()
            except Exception as error:
                answers[key] = error

        # Clients that ask while no engine is there: the sampler's goes on, the others get a reason.
        asked = {
            "sample": sampler.sample(prompt(), 1, long),
            "save": client.save_state("late"),
            "unnamed": unnamed.sample(prompt(), 1, long),
        }
        waiting = [threading.Thread(target=wait, args=pair, daemon=True) for pair in asked.items()]
        for thread in waiting:
            thread.start()
        with started_again(first, qwen3) as second:
            for thread in waiting:
                thread.join(90)
            assert isinstance(answers["sample"], types.SampleResponse), answers
            assert f"go on from {path}" in str(answers["save"])
            assert "no such sampling session" in str(answers["unnamed"])
            assert sampler.compute_logprobs(prompt()).result() == before
            rest = tinker.RestClient(base_url=second.url, api_key=second.token)
            assert [run.training_run_id for run in rest.list_training_runs().result().training_runs] == [client.model_id]
            assert [c.tinker_path for c in rest.list_checkpoints(client.model_id).result().checkpoints][-2:] in (
                [path, named],
                [named, path],
            )
            held = rest.get_session(session).result()
            assert (held.training_run_ids, held.user_metadata) == ([client.model_id], {"what": "killed"})
            assert len(held.sampler_ids) == 1
            resumed = service.create_training_client_from_state_with_optimizer(path).result()
            assert logprobs(resumed) == expected
            service.close("success").result()


@pytest.mark.conformance("retrieve_future: a restart of the engine")
def test_an_answer_that_a_kill_took_is_explained(qwen3: Path, tmp_path: Path) -> None:
    """A training client whose request the killed engine had taken is told so after the restart, and does not wait for ever."""
    with start_engine(qwen3, state=tmp_path) as first, Raw(first) as raw:
        service = tinker.ServiceClient(base_url=first.url, api_key=first.token)
        client = service.create_lora_training_client(base_model=str(qwen3), rank=4, seed=1).result()
        taken = raw.post("save_weights", {"model_id": client.model_id, "path": "x", "seq_id": 99})
        receipt = types.UntypedAPIFuture(request_id=str(taken["request_id"]))
        lost = _APIFuture(types.SaveWeightsResponse, service.holder, receipt, time.time(), "SaveWeights")
        time.sleep(0.3)
        first.process.kill()
        first.process.wait()
        with started_again(first, qwen3), pytest.raises(tinker.RequestFailedError, match="engine was restarted") as caught:
            lost.result()
        assert caught.value.category == types.RequestErrorCategory.Server


@pytest.mark.conformance("save_weights: a full disk")
def test_a_full_disk_fails_the_save_and_not_the_run(qwen3: Path, tmp_path: Path) -> None:
    """A limit on the size of the engine's files stands for a disk without room. Models that cannot be paged out stay in memory."""
    with (
        start_engine(qwen3, state=tmp_path, arguments=("--memory", "0")) as engine,
        tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service,
    ):
        client = service.create_lora_training_client(base_model=str(qwen3), rank=8, seed=1).result()
        trained(client)
        path = client.save_state("w").result().path
        kept = logprobs(client)
        trained(client)
        values = logprobs(client)
        _, hard = resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE, (10_000, hard))
        for save in (
            lambda: client.save_state("w", overwrite=True),
            lambda: client.save_weights_for_sampler("s"),
            lambda: client.save_weights_external("e"),
        ):
            with pytest.raises(tinker.RequestFailedError, match="could not be written.*Free some space") as caught:  # noqa: RUF043
                save().result()
            assert caught.value.category == types.RequestErrorCategory.User
        assert logprobs(client) == values
        trained(service.create_lora_training_client(base_model=str(qwen3), rank=8).result())
        samplers = [client.save_weights_and_get_sampling_client().result() for _ in range(20)]
        assert len({tuple(sampler.compute_logprobs(prompt()).result()) for sampler in samplers}) == 1
        assert logprobs(client) == values
        assert logprobs(service.create_training_client_from_state(path).result()) == kept
        folder = tmp_path / client.model_id.replace(":", "=")
        assert sorted(file.name for file in folder.iterdir() if any(file.glob("*/*"))) == ["weights"]
        resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert client.save_state("w", overwrite=True).result().path == path
        assert not list(folder.glob("*/*/.*"))
        trained(client)
        assert logprobs(service.create_training_client_from_state(path).result()) == values


def test_leftovers_are_cleared_by_who_holds_the_folder_only(tmp_path: Path) -> None:
    first = Checkpoints(tmp_path)
    half = tmp_path / "run" / "weights" / "half" / "0123"
    half.mkdir(parents=True)
    second = Checkpoints(tmp_path)
    assert half.exists()
    del first, second
    Checkpoints(tmp_path)
    assert not half.parent.exists()


def test_damaged_notes_are_passed_over(qwen3: Path, tmp_path: Path) -> None:
    """What a person or a disk garbled costs that one thing, not the start."""
    (tmp_path / ".sessions").mkdir()
    (tmp_path / ".sessions" / "x.json").write_text("{")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("[]")
    place = tmp_path / "run" / "weights" / "w"
    place.mkdir(parents=True)
    for garbled in ("", "{}", '{"expires": 1}'):
        (place / "checkpoint.json").write_text(garbled)
        store = Checkpoints(tmp_path)
        assert (store.runs(), store.of_run("run"), store.exists(Place.made("run", "weights", "w"))) == ([], [], False)
        assert (place / "checkpoint.json").exists()
    with start_engine(qwen3, state=tmp_path) as engine:
        assert tinker.RestClient(base_url=engine.url, api_key=engine.token).list_sessions().result().sessions == []


def test_pages_of_a_killed_engine_are_cleared(qwen3: Path, tmp_path: Path) -> None:
    with start_engine(qwen3, state=tmp_path, arguments=("--memory", "0")) as first, Raw(first) as raw:
        session = raw.session()
        for number in range(2):
            raw.model(session, qwen3, number)
        assert list(tmp_path.glob(".paged-*/*.safetensors"))
        first.process.kill()
        first.process.wait()
        assert list(tmp_path.glob(".paged-*/*.safetensors"))
        with start_engine(qwen3, state=tmp_path):
            assert not list(tmp_path.glob(".paged-*/*.safetensors"))

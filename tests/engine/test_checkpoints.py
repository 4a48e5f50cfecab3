"""Checkpoints through the unmodified SDK: resuming, exporting, importing, copying, their names and their lives."""

from __future__ import annotations

import io
import json
import tarfile
import time
from pathlib import Path

import httpx
import pyrage
import pytest
import tinker
import torch
import transformers
from data import TOKENS, prompt
from peft import LoraConfig, PeftModel, get_peft_model
from raw import Raw, logprobs, trained
from tinker_cookbook import weights

from idiolect.engine.imports import read_adapter
from idiolect.engine.loading import load_transformer
from idiolect.errors import InputError
from running_engine import RunningEngine, start_engine

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def raw(engine: RunningEngine):
    with Raw(engine) as client:
        yield client


@pytest.fixture(scope="module")
def made(engine: RunningEngine, qwen3: Path):
    """A client after two steps, and its checkpoint."""
    with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service:
        client = service.create_lora_training_client(base_model=str(qwen3), rank=4, seed=5).result()
        trained(client, 2)
        yield client, client.save_state("two").result().path


def reference_logprobs(base: Path, adapter: Path) -> list[float]:
    """What transformers and peft say of the prompt's tokens."""
    model = PeftModel.from_pretrained(transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), str(adapter)).eval()
    tokens = torch.tensor([TOKENS[:6]])
    with torch.no_grad():
        values = model(tokens).logits.log_softmax(-1)
    return values[0, :-1].gather(1, tokens[0, 1:, None])[:, 0].tolist()


def sampled_logprobs(service: tinker.ServiceClient, path: str) -> list[float]:
    values = service.create_sampling_client(model_path=path).result().compute_logprobs(prompt()).result()
    return [float(value) for value in values[1:]]  # pyright: ignore[reportArgumentType]


@pytest.mark.conformance("load_weights: a new model from a checkpoint", "load_weights: into a model")
def test_both_ways_to_create_a_client_from_a_checkpoint(service: tinker.ServiceClient, made) -> None:
    client, path = made
    before = logprobs(client)
    warm = service.create_training_client_from_state_with_optimizer(path).result()
    cold = service.create_training_client_from_state(path, user_metadata={"kind": "cold"}).result()
    assert logprobs(warm) == logprobs(cold) == before
    assert (warm.get_info().lora_rank, warm.get_info().model_name) == (4, client.get_info().model_name)
    for one in (warm, cold):
        trained(one)
    assert logprobs(warm) != logprobs(cold)
    after = logprobs(warm)
    cold.load_state_with_optimizer(path).result()
    assert logprobs(cold) == before
    trained(cold)
    assert logprobs(cold) == after
    with pytest.raises(tinker.RequestFailedError, match="there is no checkpoint"):
        cold.load_state(path + "-not").result()
    assert logprobs(cold) == after


@pytest.mark.conformance("load_weights: a new model from sampler weights")
def test_sampler_weights_resume_no_training_but_begin_one(service: tinker.ServiceClient, made) -> None:
    client, _ = made
    path = client.save_weights_for_sampler("only").result().path
    with pytest.raises(tinker.RequestFailedError, match=r"no optimizer state.*save_state.*create_training_client_from_state"):
        service.create_training_client_from_state_with_optimizer(path).result()
    assert logprobs(service.create_training_client_from_state(path).result()) == logprobs(client)


@pytest.mark.conformance("save_weights_for_sampler: with a name")
def test_named_sampler_weights_outlive_the_session_that_saved_them(engine: RunningEngine, service, rest, qwen3: Path) -> None:
    with tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as short:
        client = short.create_lora_training_client(base_model=str(qwen3), rank=2, seed=1).result()
        trained(client)
        path = client.save_weights_for_sampler("kept").result().path
        expected = sampled_logprobs(short, path)
    assert sampled_logprobs(service, path) == expected
    assert [c.checkpoint_type for c in rest.list_checkpoints(client.model_id).result().checkpoints] == ["sampler"]


@pytest.mark.conformance(
    "copy_weights",
    "training_runs/{run}/checkpoints/{kind}/{name}/publish",
    "DELETE training_runs/{run}/checkpoints/{kind}/{name}/publish",
    "DELETE training_runs/{run}/checkpoints/{kind}/{name}",
)
def test_a_copy_is_a_checkpoint_of_its_own(service: tinker.ServiceClient, rest: tinker.RestClient, raw: Raw, made) -> None:
    client, path = made
    rest.publish_checkpoint_from_tinker_path(path).result()
    copy = rest.copy_weights(path, "archive", ttl_seconds=7200).result()
    run, kind, name = copy.removeprefix("tinker://").split("/")
    assert (run != client.model_id, kind, name) == (True, "weights", "two")
    assert [r.training_run_id for r in rest.list_training_runs(project_id="archive").result().training_runs] == [run]
    (held,) = rest.list_checkpoints(run).result().checkpoints
    assert (held.public, held.expires_at is None) == (False, False)
    resumed = service.create_training_client_from_state_with_optimizer(copy).result()
    assert logprobs(resumed) == logprobs(client)
    rest.delete_checkpoint_from_tinker_path(copy).result()
    assert path in [c.tinker_path for c in rest.list_checkpoints(client.model_id).result().checkpoints]
    rest.unpublish_checkpoint_from_tinker_path(path).result()
    session = raw.session()
    body = {"source_path": path, "session_id": session, "model_seq_id": 3}
    answers = [raw.post("copy_weights", body, **{"X-Idempotency-Key": "once"}) for _ in range(2)]
    assert answers == [{"tinker_path": f"tinker://{session}:train:3/weights/two"}] * 2
    for wrong in ({}, {**body, "destination_project_id": "p"}, {**body, "source_path": "tinker://x/weights/y"}):
        assert raw.http.post("copy_weights", json={"source_path": path, **wrong}).status_code == 400


@pytest.mark.conformance(
    "save_weights_external",
    "GET training_runs/{run}/checkpoints/{kind}/{name}/external_weights_urls",
    "GET files/{run}/{kind}/{name}/{file}",
)
def test_an_export_loads_in_peft(rest: tinker.RestClient, service, made, qwen3: Path, tmp_path: Path) -> None:
    client, path = made
    exported = client.save_weights_external("for-peft").result().path
    assert exported == f"tinker://{client.model_id}/external_weights/for-peft"
    links = rest.get_external_weights_urls(exported).result()
    assert sorted(links.urls) == ["adapter_config.json", "adapter_model.safetensors"]
    for name, url in links.urls.items():
        (tmp_path / name).write_bytes(httpx.get(url).raise_for_status().content)
    assert reference_logprobs(qwen3, tmp_path) == pytest.approx(sampled_logprobs(service, path), abs=1e-4)
    with pytest.raises(tinker.RequestFailedError, match="exists already"):
        client.save_weights_external("for-peft").result()
    url = links.urls["adapter_config.json"]
    for wrong in (url + "0", url.replace("config.json", "model.safetensors"), url.replace("expires=", "expires=9"), url.split("?")[0]):
        assert httpx.get(wrong).status_code == 404
    rest.delete_checkpoint_from_tinker_path(exported).result()
    assert httpx.get(url).status_code == 404


@pytest.mark.conformance("save_weights_external: age_encryption_recipients")
def test_an_encrypted_export_is_for_its_recipients_only(engine: RunningEngine, rest: tinker.RestClient, service, made) -> None:
    client, _ = made
    owner, stranger = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    path = client.save_weights_external("secret", age_encryption_recipients=[str(owner.to_public())]).result().path
    urls = rest.get_external_weights_urls(path).result().urls
    assert sorted(urls) == ["adapter_config.json.age", "adapter_model.safetensors.age"]
    sealed = httpx.get(urls["adapter_config.json.age"]).content
    assert json.loads(pyrage.decrypt(sealed, [owner]))["r"] == 4
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [stranger])
    clear = [file for file in engine.state.glob("*/external_weights/secret/*/*") if file.suffix != ".age"]
    assert not clear
    for wrong in ([], ["age1nonsense"], ["ssh-rsa x"], [str(owner.to_public())] * 11):
        body = {"model_id": client.model_id, "path": "x", "age_encryption_recipients": wrong}
        with Raw(engine) as raw:
            assert raw.http.post("save_weights_external", json=body).status_code == 400
    with pytest.raises(tinker.RequestFailedError, match="is encrypted"):
        service.create_training_client_from_state(path).result()


@pytest.mark.conformance("GET training_runs/{run}/checkpoints/{kind}/{name}/archive: the cookbook's download")
def test_the_cookbook_downloads_a_training_checkpoint(engine, made, service, qwen3: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", engine.token)
    folder = weights.download(tinker_path=made[1], output_dir=str(tmp_path / "adapter"), base_url=engine.url)
    assert reference_logprobs(qwen3, Path(folder)) == pytest.approx(sampled_logprobs(service, made[1]), abs=1e-4)


@pytest.mark.conformance("GET training_runs/{run}/checkpoints/{kind}/{name}/archive", "GET files/{run}/{kind}/{name}/{file}: a tar")
def test_an_archive_is_a_tar_behind_a_link(engine: RunningEngine, raw: Raw, service, made, qwen3: Path, tmp_path: Path) -> None:
    client, _ = made
    path = client.save_weights_for_sampler("packed").result().path
    answer = raw.http.get(f"training_runs/{client.model_id}/checkpoints/sampler_weights/packed/archive")
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(engine.url)
    with tarfile.open(fileobj=io.BytesIO(httpx.get(answer.headers["location"]).content)) as tar:
        tar.extractall(tmp_path, filter="data")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert reference_logprobs(qwen3, tmp_path) == pytest.approx(sampled_logprobs(service, path), abs=1e-4)
    assert raw.http.get(f"training_runs/{client.model_id}/checkpoints/sampler_weights/none/archive").status_code == 404


@pytest.mark.conformance("PUT training_runs/{run}/checkpoints/{kind}/{name}/ttl", "save_weights: ttl_seconds, user_metadata")
def test_a_checkpoint_expires(service: tinker.ServiceClient, rest: tinker.RestClient, raw: Raw, engine: RunningEngine, made) -> None:
    client, _ = made
    path = client.save_state("brief").result().path
    rest.set_checkpoint_ttl_from_tinker_path(path, 1).result()
    time.sleep(1.1)
    assert path not in [c.tinker_path for c in rest.list_checkpoints(client.model_id).result().checkpoints]
    with pytest.raises(tinker.APIStatusError, match="expired"):
        service.create_training_client_from_state(path).result()
    assert client.save_state("brief").result().path == path
    for seconds in (0, -1, 10**10, 2**63):
        answer = raw.http.put(f"training_runs/{client.model_id}/checkpoints/weights/brief/ttl", json={"ttl_seconds": seconds})
        assert answer.status_code == 400
        assert raw.http.post("save_weights", json={"model_id": client.model_id, "path": "x", "ttl_seconds": seconds}).status_code == 400
    rest.set_checkpoint_ttl_from_tinker_path(path, None).result()


@pytest.mark.conformance("save_weights_for_sampler: kind")
def test_inflight_samplers_follow_and_snapshots_stay(service: tinker.ServiceClient, qwen3: Path) -> None:
    client = service.create_lora_training_client(base_model=str(qwen3), rank=4, seed=5).result()
    trained(client)

    def sampler(kind: str) -> tinker.SamplingClient:
        return client.save_weights_and_get_sampling_client(kind=kind).result()  # pyright: ignore[reportArgumentType]

    inflight, snapshot = sampler("inflight"), sampler("snapshot")
    before = snapshot.compute_logprobs(prompt()).result()
    assert inflight.compute_logprobs(prompt()).result() == before
    trained(client, 2)
    after = sampler("inflight").compute_logprobs(prompt()).result()
    assert inflight.compute_logprobs(prompt()).result() == after != before
    assert snapshot.compute_logprobs(prompt()).result() == before


FOREIGN = {
    "attention-subset": {"r": 5, "lora_alpha": 3, "target_modules": ["q_proj", "v_proj"]},
    "rank-stabilized": {
        "r": 4, "lora_alpha": 16, "use_rslora": True,
        "target_modules": ["down_proj", "o_proj"], "layers_to_transform": [1],
    },
    "patterns": {
        "r": 4, "lora_alpha": 8, "target_modules": ["k_proj", "gate_proj", "lm_head"],
        "rank_pattern": {"gate_proj": 7}, "alpha_pattern": {"gate_proj": 2},
    },
}  # fmt: skip


def foreign(base: Path, folder: Path, **settings: object) -> Path:
    """An adapter as peft would leave it after training."""
    torch.manual_seed(3)
    model = get_peft_model(transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), LoraConfig(**settings))  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(str(folder))
    return folder


@pytest.mark.conformance(
    "load_weights: an adapter that peft trained elsewhere", "create_sampling_session: an adapter that peft trained elsewhere"
)
def test_foreign_adapters_sample_as_in_peft_and_train_on(qwen3: Path, llama: Path, tmp_path: Path) -> None:
    arguments: list[str] = []
    for name, settings in FOREIGN.items():
        foreign(qwen3, tmp_path / name, **settings)
        arguments += ["--adapter", f"{name}={tmp_path / name}"]
    with (
        start_engine(llama, qwen3, state=tmp_path / "state", arguments=tuple(arguments)) as engine,
        tinker.ServiceClient(base_url=engine.url, api_key=engine.token) as service,
    ):
        for name in FOREIGN:
            path = f"tinker://{name}/weights/imported"
            assert sampled_logprobs(service, path) == pytest.approx(reference_logprobs(qwen3, tmp_path / name), abs=2e-4), name
            client = service.create_training_client_from_state(path).result()
            first = client.forward_backward([_datum()], "cross_entropy").result().metrics["loss:sum"]
            trained(client, 3)
            assert client.forward([_datum()], "cross_entropy").result().metrics["loss:sum"] < first
        # What peft did not cover stays as it was: exporting again gives zeros there.
        client = service.create_training_client_from_state("tinker://attention-subset/weights/imported").result()
        trained(client, 2)
        saved = client.save_state("on").result().path
    (file,) = (tmp_path / "state" / client.model_id.replace(":", "=") / "weights" / "on").glob("*/adapter_model.safetensors")
    from safetensors.torch import load_file

    changed = {name.split(".")[-3] for name, tensor in load_file(file).items() if tensor.any()}
    assert saved.endswith("/weights/on")
    assert changed == {"q_proj", "v_proj"}


def _datum() -> tinker.Datum:
    from data import batch

    return batch()[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"peft_type": "IA3"}, "type 'IA3'"),
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "biases"),
        ({"init_lora_weights": "pissa"}, "changes the base model"),
        ({"lora_alpha": "x"}, "settings"),
        (None, "adapter_config.json"),
    ],
)
def test_an_adapter_that_cannot_be_followed_is_refused(qwen3: Path, tmp_path: Path, change: dict[str, object] | None, said: str) -> None:
    model = load_transformer(qwen3, torch.device("cpu"), torch.float32)
    folder = foreign(qwen3, tmp_path / "a", r=2, lora_alpha=4, target_modules=["q_proj"])
    path = folder / "adapter_config.json"
    path.write_text("{" if change is None else json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=said):
        read_adapter(folder, model)


def test_an_adapter_of_another_model_or_a_damaged_one_is_refused(qwen3: Path, llama: Path, tmp_path: Path) -> None:
    folder = foreign(qwen3, tmp_path / "a", r=2, lora_alpha=4, target_modules=["q_proj"])
    with pytest.raises(InputError, match="does not fit this base model"):
        read_adapter(folder, load_transformer(llama, torch.device("cpu"), torch.float32))
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match="cannot be read"):
        read_adapter(folder, load_transformer(qwen3, torch.device("cpu"), torch.float32))

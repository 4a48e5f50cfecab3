"""Exported models in other people's programs: transformers, peft and llama.cpp write the draft that the engine writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from typer.testing import CliRunner

from checkpoints import tiny_checkpoint
from idiolect.cli import app
from idiolect.errors import InputError
from idiolect.export import Exported, export_writer
from idiolect.export.adapter import exported, fetch_adapter
from idiolect.export.gguf_file import pre_tokenizer
from idiolect.export.merge import Merged, write_merged
from idiolect.methods.run import writer_named
from idiolect.service import Connection, Writer, draft
from idiolect.settings import pocket_model
from idiolect.workspace import Workspace
from running_engine import RunningEngine, start_engine
from writers import HELDOUT, RENDERER, workspace_with_writers

FAMILIES = ("qwen2", "qwen3", "llama")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tiny")
    return {family: tiny_checkpoint(folder / family, family) for family in FAMILIES}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, tiny: dict[str, Path]) -> Iterator[RunningEngine]:
    with start_engine(pocket_model(), *tiny.values(), state=tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture(scope="module")
def connection(engine: RunningEngine) -> Iterator[Connection]:
    with Connection(engine.url, engine.token) as opened:
        yield opened


@pytest.fixture(scope="module")
def place(engine: RunningEngine, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return workspace_with_writers(tmp_path_factory.mktemp("exporting"), engine)


def exported_to(folder: Path, connection: Connection, writer: Writer, form: Any) -> Exported:
    return export_writer(connection, writer, form, folder, name="test")


def greedy(model: Any, folder: Path, request: str, most: int = 160) -> str:
    """transformers' greedy answer through the exported folder's own tokenizer and chat template."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    chat = [{"role": "user", "content": request}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        ids = model.generate(**prompt, do_sample=False, max_new_tokens=most, pad_token_id=0, eos_token_id=2)
    return tokenizer.decode(ids[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True).strip()


def drafts(connection: Connection, writer: Writer) -> list[str]:
    return [one.text for one in connection.run(draft(connection, writer, HELDOUT[:1], seed=0))]


@pytest.mark.parametrize("name", ["sft", "few_shot"])
def test_the_merged_folder_writes_the_same_drafts(tmp_path: Path, connection: Connection, place: Workspace, name: str) -> None:
    writer = writer_named(place, name)
    folder = exported_to(tmp_path / "out", connection, writer, "merged").folder
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert [greedy(model, folder, request) for request in HELDOUT[:1]] == drafts(connection, writer)
    # The unembedding was learnt, so it is no longer the embedding.
    assert model.config.tie_word_embeddings == (name == "few_shot")


@pytest.mark.filterwarnings("ignore:.*tie_word_embeddings.*:UserWarning")
def test_the_adapter_writes_the_same_drafts_in_peft(tmp_path: Path, connection: Connection, place: Workspace) -> None:
    import peft

    writer = writer_named(place, "sft")
    folder = exported_to(tmp_path / "out", connection, writer, "peft").folder
    base = transformers.AutoModelForCausalLM.from_pretrained(writer.base_model, dtype=torch.float32)
    model = peft.PeftModel.from_pretrained(base, folder)
    assert [greedy(model, folder, request) for request in HELDOUT[:1]] == drafts(connection, writer)
    assert Writer.load(folder / "writer.json") == writer


@pytest.mark.parametrize("name", ["sft", "few_shot"])
def test_llama_cpp_writes_the_same_drafts(tmp_path: Path, connection: Connection, place: Workspace, name: str) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is the optional extra `llama`")
    writer = writer_named(place, name)
    folder = exported_to(tmp_path / "out", connection, writer, "gguf").folder
    model = llama_cpp.Llama(str(folder / "model.gguf"), n_ctx=1024, n_threads=1, verbose=False)
    said = []
    for request in HELDOUT[:1]:
        answer = model.create_chat_completion([{"role": "user", "content": request}], temperature=0, max_tokens=160, repeat_penalty=1.0)
        said.append(answer["choices"][0]["message"]["content"].strip())
    model.close()
    assert said == drafts(connection, writer)


@pytest.mark.parametrize("family", FAMILIES)
def test_gguf_computes_what_the_merged_model_computes(
    tmp_path: Path, connection: Connection, engine: RunningEngine, tiny: dict[str, Path], family: str
) -> None:
    """Every architecture, with an adapter on all its projections, norms and biases that matter, and long-context frequencies."""
    import tinker

    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is the optional extra `llama`")
    trainer = connection.client.create_lora_training_client(base_model=str(tiny[family]), rank=4).result()
    tokens = [3, 50, 99, 200, 7, 140, 260, 31] * 12
    target = {
        "target_tokens": tinker.TensorData.from_numpy(np.asarray(tokens[1:])),
        "weights": tinker.TensorData.from_numpy(np.ones(len(tokens) - 1, np.float32)),
    }
    trainer.forward_backward(
        [tinker.Datum(model_input=tinker.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=target)], "cross_entropy"
    ).result()
    trainer.optim_step(tinker.AdamParams(learning_rate=0.02)).result()
    path = trainer.save_weights_for_sampler("one").result().path
    writer = Writer(name="x", base_model=str(tiny[family]), renderer=RENDERER, adapter=path)
    merged = exported_to(tmp_path / "merged", connection, writer, "merged").folder
    gguf = exported_to(tmp_path / "gguf", connection, writer, "gguf").folder / "model.gguf"
    tokens = tokens[:64] + list(range(100, 164))
    with torch.no_grad():
        wanted = transformers.AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32)(torch.tensor([tokens])).logits[0].numpy()
    model = llama_cpp.Llama(str(gguf), n_ctx=256, n_threads=1, logits_all=True, verbose=False)
    model.eval(tokens)
    found = np.array(model.scores[: len(tokens)])
    assert model.tokenize("Dear Ann, 12 plans – naïve\n\nYes.<|im_end|>".encode(), add_bos=False, special=True) == (
        transformers.AutoTokenizer.from_pretrained(merged)("Dear Ann, 12 plans – naïve\n\nYes.<|im_end|>").input_ids
    )
    model.close()
    # llama.cpp keeps attention's keys and values in half precision.
    assert np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()
    assert (found.argmax(axis=1) == wanted.argmax(axis=1)).mean() > 0.97


def test_the_modelfile_holds_prompt_examples_and_settings(tmp_path: Path, connection: Connection, place: Workspace) -> None:
    writer = writer_named(place, "few_shot")
    text = (exported_to(tmp_path / "out", connection, writer, "gguf").folder / "Modelfile").read_text(encoding="utf-8")
    assert text.startswith("FROM ./model.gguf\nTEMPLATE ")
    assert f'SYSTEM """{writer.system_prompt}"""' in text
    for request, mail in writer.examples:
        assert f'MESSAGE user """{request}"""\nMESSAGE assistant """{mail}"""' in text
    assert re.findall(r"^PARAMETER .*", text, re.M) == [
        'PARAMETER stop "<|im_end|>"', "PARAMETER temperature 0", "PARAMETER num_predict 160", "PARAMETER repeat_penalty 1",
    ]  # fmt: skip


def test_a_template_that_words_requests_otherwise_is_replaced(tmp_path: Path, connection: Connection, tiny: dict[str, Path]) -> None:
    writer = Writer(name="x", base_model=str(tiny["llama"]), renderer="role_colon", system_prompt="Be {{ brief }}.")
    done = exported_to(tmp_path / "out", connection, writer, "merged")
    assert not done.turns
    tokenizer = transformers.AutoTokenizer.from_pretrained(done.folder)
    made = tokenizer.apply_chat_template([{"role": "user", "content": "Hi Ann"}], add_generation_prompt=True, return_dict=True)["input_ids"]
    assert made == connection.renderer(writer).build_generation_prompt(writer.messages("Hi Ann")).to_ints()  # type: ignore[arg-type]


def test_an_adapter_comes_by_export_where_there_is_no_archive(tmp_path: Path, connection: Connection) -> None:
    trainer = connection.client.create_lora_training_client(base_model=pocket_model(), rank=2).result()
    run = trainer.save_state("both").result().path.removeprefix("tinker://").split("/")[0]
    path = trainer.save_weights_for_sampler("both").result().path
    fetch_adapter(connection, path, tmp_path)
    assert exported(connection, run, "both")["adapter_model.safetensors"] == (tmp_path / "adapter_model.safetensors").read_bytes()


def test_shards_make_the_same_model(tmp_path: Path, tiny: dict[str, Path]) -> None:
    with Merged(tiny["llama"], None) as merged:
        write_merged(merged, tmp_path, shard_bytes=50_000)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    assert len(set(index.values())) > 3
    (tmp_path / "config.json").write_bytes((tiny["llama"] / "config.json").read_bytes())
    one, other = (transformers.AutoModelForCausalLM.from_pretrained(path).state_dict() for path in (tiny["llama"], tmp_path))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_refusals_leave_nothing_behind(tmp_path: Path, connection: Connection, place: Workspace, tiny: dict[str, Path]) -> None:
    few_shot, sft = writer_named(place, "few_shot"), writer_named(place, "sft")
    out = tmp_path / "out"
    with pytest.raises(InputError, match="no adapter to export"):
        exported_to(out, connection, few_shot, "peft")
    with pytest.raises(InputError, match="for another model"):
        exported_to(out, connection, sft.model_copy(update={"base_model": str(tiny["qwen3"])}), "merged")
    other = tmp_path / "other"
    other.mkdir()
    for file in tiny["llama"].iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    (other / "config.json").write_text(json.dumps({**json.loads((other / "config.json").read_text()), "model_type": "gemma9"}))
    with pytest.raises(InputError, match="not for 'gemma9'"):
        exported_to(out, connection, few_shot.model_copy(update={"base_model": str(other)}), "gguf")
    with pytest.raises(InputError, match="is no adapter's path"):
        exported_to(out, connection, sft.model_copy(update={"adapter": "here"}), "gguf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other"]
    with pytest.raises(InputError, match="holds no export"):
        exported_to(other, connection, sft, "peft")
    assert (other / "config.json").exists()


def test_an_unknown_way_to_cut_words_is_refused(tmp_path: Path) -> None:
    path = Path(pocket_model()) / "tokenizer.json"
    assert pre_tokenizer(path, ["Dear Ann, (see you) at 10:30\n\nBest"]) == "qwen2"
    held = json.loads(path.read_text(encoding="utf-8"))
    held["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "."
    (tmp_path / "tokenizer.json").write_text(json.dumps(held), encoding="utf-8")
    with pytest.raises(InputError, match=r"llama\.cpp does not know"):
        pre_tokenizer(tmp_path / "tokenizer.json", ["Dear Ann"])


def test_the_verb_exports_and_replaces_its_own(place: Workspace, engine: RunningEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_BASE_URL", engine.url)
    monkeypatch.setenv("TINKER_API_KEY", engine.token)
    for _ in range(2):
        done = CliRunner().invoke(app, ["export", "--format", "peft", "--workspace", str(place.root), "--json"])
        assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["folder"] == str(place.root / "exports" / "sft-peft")
    assert told["bytes"] == sum(file.stat().st_size for file in Path(told["folder"]).iterdir())
    assert [path.name for path in (place.root / "exports").iterdir()] == ["sft-peft"]

"""The pocket model's training: parity with transformers, effects, and resuming."""

from __future__ import annotations

import random

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from idiolect.errors import InputError
from idiolect.pocket import train as training
from idiolect.pocket.documents import document, encode
from idiolect.pocket.muon import orthogonalise
from idiolect.pocket.network import Network, Shape, export, restore
from idiolect.pocket.tokenizer import load_tokenizer
from idiolect.workspace import read_json_lines

SMALL = Shape(vocabulary=512, hidden=128, layers=2, heads=2, kv_heads=1, head_size=32, mlp=128)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(training, "Shape", lambda: SMALL)


def test_the_exported_model_is_the_trained_one(tmp_path):
    torch.manual_seed(0)
    network = Network(SMALL)
    for parameter in network.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.02)
    export(network, tmp_path, eos=2)
    theirs = AutoModelForCausalLM.from_pretrained(str(tmp_path), dtype=torch.float32)
    tokens = torch.randint(0, SMALL.vocabulary, (3, 40))
    with torch.no_grad():
        ours = torch.nn.functional.linear(network(tokens), network.embedding)
        torch.testing.assert_close(ours, theirs(tokens).logits, atol=1e-4, rtol=1e-4)


def _random_network(seed: int) -> Network:
    torch.manual_seed(seed)
    network = Network(SMALL)
    for parameter in network.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.02)
    return network


def test_a_restored_model_is_the_exported_one(tmp_path):
    network, other = _random_network(0), _random_network(1)
    export(network, tmp_path, eos=2)
    restore(other, tmp_path)
    tokens = torch.randint(0, SMALL.vocabulary, (3, 40))
    with torch.no_grad():
        assert torch.equal(network(tokens), other(tokens))
        assert torch.equal(network.embedding, other.embedding)
    with pytest.raises(InputError, match="another shape"):
        restore(Network(Shape(vocabulary=512, hidden=128, layers=3, heads=2, kv_heads=1, head_size=32, mlp=128)), tmp_path)


def test_training_starts_from_an_exported_model(tmp_path, monkeypatch):
    """Its weights and its tokenizer; no copy warm-up, lower rates; also in bfloat16."""
    training.train(tmp_path / "first", steps=2, tokens=300, save_every=2)
    kept = load_file(tmp_path / "first" / "model.safetensors")
    training.train(tmp_path / "same", steps=1, tokens=300, start=tmp_path / "first", rate_scale=0.0)
    same = load_file(tmp_path / "same" / "model.safetensors")
    assert all(torch.equal(kept[name], same[name]) for name in kept)
    names = ("tokenizer.json", "tokenizer_config.json")
    assert all((tmp_path / "first" / name).read_bytes() == (tmp_path / "same" / name).read_bytes() for name in names)
    skills = []
    monkeypatch.setattr(
        training, "document", lambda rng, split, skill=None, **late: skills.append(skill) or document(rng, split, "propose")
    )
    training.train(tmp_path / "half", steps=1, tokens=300, start=tmp_path / "first", dtype=torch.bfloat16)
    assert skills[0] is None
    half = load_file(tmp_path / "half" / "model.safetensors")
    assert any(not torch.equal(kept[name], half[name]) for name in kept)
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in half.values())


def test_the_loss_falls_and_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    torch.manual_seed(0)
    training.train(tmp_path / "whole", steps=16, tokens=400, save_every=8)
    whole = load_tokenizer(tmp_path / "whole")
    # As a kill after the first save leaves it.
    (tmp_path / "resumed").mkdir()
    stopped = tmp_path / "resumed"
    original = training._save_state

    def save_and_stop(*given):
        original(*given)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_save_state", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            training.train(stopped, steps=16, tokens=400, save_every=8)
    training.train(stopped, steps=16, tokens=400, save_every=8)
    assert (stopped / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
    losses = [row["development"]["copy"] for row in read_json_lines(tmp_path / "whole" / "training_log.jsonl") if "development" in row]
    fresh = Network(SMALL)
    start = training.losses_by_skill(fresh, whole)["copy"]
    assert losses[-1] < start - 0.1
    assert AutoTokenizer.from_pretrained(str(stopped)).eos_token == "<|im_end|>"


def test_priming_makes_copying_come_sooner(tmp_path, monkeypatch):
    def loss_after(steps: int, primed: bool) -> float:
        if not primed:
            monkeypatch.setattr("idiolect.pocket.network.prime_copying", lambda *_: None)
        training.train(tmp_path / str(primed), steps=steps, tokens=600, save_every=steps)
        rows = list(read_json_lines(tmp_path / str(primed) / "training_log.jsonl"))
        return rows[-1]["development"]["copy"]

    assert loss_after(60, primed=True) < loss_after(60, primed=False) - 0.3


def test_orthogonalise_brings_singular_values_near_one():
    generator = torch.Generator().manual_seed(0)
    for shape in ((2, 16, 48), (2, 48, 16)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape, generator=generator)))
        assert values.min() > 0.5
        assert values.max() < 1.4


def test_padding_changes_no_loss():
    network = Network(SMALL)
    rng = random.Random(0)
    from idiolect.pocket.tokenizer import train_tokenizer

    tokenizer = train_tokenizer([turn.text for _ in range(200) for turn in document(rng, "train")], 512)
    short, long = (encode(document(rng, "train", skill), tokenizer) for skill in ("propose", "few_shot"))
    together = network.loss(*training.pad([short, long]))
    weight = [sum(weights[1:]) for _, weights in (short, long)]
    apart = [network.loss(*training.pad([row])) for row in (short, long)]
    torch.testing.assert_close(together, (apart[0] * weight[0] + apart[1] * weight[1]) / sum(weight), atol=1e-5, rtol=1e-5)

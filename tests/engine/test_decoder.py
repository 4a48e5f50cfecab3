"""The walk through the layers for sampling: one call of the kernels, the same in torch, and transformers agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from checkpoints import tiny_checkpoint
from idiolect.engine import kernels
from idiolect.engine.cache import BLOCK, BlockCache
from idiolect.engine.decoding import Batch, Decoder
from idiolect.engine.loading import load_transformer
from idiolect.engine.lora import Adapter, AdapterShape, FrozenAdapter, Run
from idiolect.engine.transformer import Transformer
from kernel_forms import drawn, needs_kernels, torch_alone

pytestmark = needs_kernels

CASES = {
    "qwen3": {"family": "qwen3", "tie_word_embeddings": False},
    "qwen2-alone": {"family": "qwen2", "hidden_size": 100, "num_attention_heads": 3, "num_key_value_heads": 3, "head_dim": 64},
    "llama-group-of-3": {"family": "llama", "hidden_size": 96, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 128},
    "llama-biased": {"family": "llama", "attention_bias": True, "mlp_bias": True, "num_key_value_heads": 1, "intermediate_size": 34},
}
# None is the base model; ranks that fill no vector.
SHAPES = [
    None,
    AdapterShape(3, mlp=False, unembed=False),
    AdapterShape(8, attention=False, unembed=False),
    AdapterShape(1, attention=False, mlp=False),
    AdapterShape(33),
]
SEQUENCES = [(None, 15), (3, 1), (1, 16), (2, 50), (4, 17), (1, 33), (None, 1), (2, 2)]
"""For each sequence which of SHAPES it has, and how long its prompt is."""
STEPS = 18


@pytest.fixture(scope="module", params=list(CASES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = dict(CASES[request.param])
    return tiny_checkpoint(tmp_path_factory.mktemp(request.param), str(settings.pop("family")), **settings)


def adapters(model: Transformer) -> list[Adapter | None]:
    made: list[Adapter | None] = []
    for number, shape in enumerate(SHAPES):
        adapter = None if shape is None else Adapter.fresh(model, shape, seed=number)
        if adapter is not None:
            adapter.flat.add_(drawn(number, *adapter.flat.shape) * 0.02)
        made.append(adapter)
    return made


def tokens_of(model: Transformer) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, model.architecture.vocabulary, length + STEPS) for _, length in SEQUENCES]


def walked(folder: Path, dtype: torch.dtype, *, packed: bool, every: int = 1) -> list[torch.Tensor]:
    """Logits of each ``every``-th token of the sequences, which come as prompts first and then a token at a time; NaN elsewhere."""
    model = load_transformer(folder, torch.device("cpu"), dtype)
    cache = BlockCache(model, 300)
    decoder = Decoder(model, cache)
    assert model.packs == packed
    frozen = [None if adapter is None else FrozenAdapter(adapter) for adapter in adapters(model)]
    tables = np.zeros((len(SEQUENCES), 6), dtype=np.int32)
    for row, (_, length) in enumerate(SEQUENCES):
        table = cache.begin(0, [], 0)
        cache.extend(table, length + STEPS)
        tables[row, : len(table.blocks)] = table.blocks
    sequences = tokens_of(model)
    logits = [torch.full((len(tokens), model.architecture.vocabulary), torch.nan) for tokens in sequences]
    for step in range(STEPS + 1):
        spans = [(0, length) if step == 0 else (length + step - 1, length + step) for _, length in SEQUENCES]
        counts = [stop - start for start, stop in spans]
        ends = np.cumsum(counts)
        runs = [Run(frozen[which or 0], int(end) - n, int(end)) for (which, _), end, n in zip(SEQUENCES, ends, counts, strict=True)]
        positions = [np.arange(*span) for span in spans]
        chosen = [places[(places % every == 0) | (places == places[-1])] for places in positions]
        wanted = np.concatenate([end - n + own - places[0] for end, n, own, places in zip(ends, counts, chosen, positions, strict=True)])
        sizes = [len(own) for own in chosen]
        tails = np.cumsum(sizes)
        wanted_runs = [Run(run.adapter, int(tail) - n, int(tail)) for run, tail, n in zip(runs, tails, sizes, strict=True)]
        batch = Batch(
            np.concatenate([tokens[slice(*span)] for tokens, span in zip(sequences, spans, strict=True)]),
            np.concatenate(positions),
            np.repeat(np.arange(len(SEQUENCES)), counts),
            tables,
            runs,
            wanted,
            wanted_runs,
        )
        with torch.inference_mode():
            found = decoder.logits(decoder.hidden(batch), wanted_runs).float()
        for whole, own, part in zip(logits, chosen, found.split(sizes), strict=True):
            whole[torch.from_numpy(own)] = part
    return logits


def expected(folder: Path) -> list[torch.Tensor]:
    """The logits of transformers, with each adapter's product added to the weights."""
    plain = load_transformer(folder, torch.device("cpu"), torch.float32)
    logits = [torch.empty(0)] * len(SEQUENCES)
    for which, adapter in enumerate(adapters(plain)):
        reference = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        names = [] if adapter is None else [name.removesuffix(".lora_A") for name in adapter.places if name.endswith(".lora_A")]
        with torch.no_grad():
            for name in names:
                assert adapter is not None
                product = adapter.part(f"{name}.lora_B") @ adapter.part(f"{name}.lora_A")
                reference.get_parameter(f"{name}.weight").add_(product, alpha=adapter.shape.scale)
            for number, tokens in enumerate(tokens_of(plain)):
                if (SEQUENCES[number][0] or 0) == which:
                    logits[number] = reference(input_ids=torch.from_numpy(tokens).unsqueeze(0)).logits[0]
    return logits


def test_one_call_equals_the_walk_in_torch_and_transformers(folder: Path) -> None:
    packed = walked(folder, torch.float32, packed=True)
    with torch_alone():
        plain = walked(folder, torch.float32, packed=False)
    for ours, torchs, theirs in zip(packed, plain, expected(folder), strict=True):
        scale = max(1.0, float(theirs.abs().max()))
        assert (ours - theirs).abs().max() < 1e-4 * scale
        assert (torchs - theirs).abs().max() < 1e-4 * scale


def test_the_last_layer_for_some_tokens_is_that_for_all(folder: Path) -> None:
    some, whole = (torch.cat(walked(folder, torch.float32, packed=True, every=n)) for n in (3, 1))
    there = some.isfinite().all(dim=1)
    assert 0 < (~there).sum() < there.sum()
    assert (some - whole)[there].abs().max() < 1e-5 * max(1.0, float(whole.abs().max()))


def test_bfloat16_is_no_further_from_the_truth_than_torch(folder: Path) -> None:
    """The kernels hold keys, values and scores in float32, torch in bfloat16; weights and products are rounded in both."""
    truth = torch.cat(expected(folder))
    with torch_alone():
        torchs = torch.cat(walked(folder, torch.bfloat16, packed=False))
    ours = torch.cat(walked(folder, torch.bfloat16, packed=kernels.fast(torch.bfloat16)))
    errors = [(logits.float() - truth).square().mean().sqrt() / truth.std() for logits in (ours, torchs)]
    assert errors[0] < 0.05
    assert errors[0] < 1.1 * errors[1]


def test_a_cache_that_was_emptied_and_grew_again_is_read_where_it_lies(folder: Path) -> None:
    model = load_transformer(folder, torch.device("cpu"), torch.float32)
    cache = BlockCache(model, 2000)
    decoder = Decoder(model, cache)
    prompt, whole = np.arange(40), [Run(None, 0, 40)]
    ends = []
    for size in (1, 1, 1900, 1):
        cache.clear()
        table = cache.begin(0, [], 0)
        cache.extend(table, (2 + size) * BLOCK)
        batch = Batch(prompt, prompt, np.zeros(40, dtype=np.int64), np.array([table.blocks], dtype=np.int32), whole, prompt, whole)
        # Other tensors take the places that were left.
        taken = [torch.full_like(store, torch.nan) for store in (*cache.keys, *cache.values)]
        ends.append(decoder.hidden(batch))
        assert all(store[table.blocks[0]].any() for store in (*cache.keys, *cache.values))
        assert all(other.isnan().all() for other in taken)
        assert torch.equal(ends[0], ends[-1])

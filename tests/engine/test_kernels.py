"""Every kernel against its torch form and against the same in float64, forward and backward, at sizes that fill no vector."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from idiolect.engine import kernels
from idiolect.engine.cache import BlockCache
from idiolect.engine.operations import Rotary, add_norm, swiglu, target_logprobs, target_logprobs_backward
from idiolect.engine.picking import Choice, pick
from idiolect.engine.sharing import shared_beginnings
from idiolect.engine.transformer import Packing, packed_attention
from kernel_forms import attending_model, drawn, needs_kernels, torch_alone

pytestmark = needs_kernels

REPOSITORY = Path(__file__).parents[2]
DTYPES = st.sampled_from([torch.float32, torch.bfloat16])
# Of the largest number. Float: some tens of roundings. Bfloat16 rounds what enters and leaves by 2^-9, and the torch form of the
# gradients what lies between too.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2**-6}
EPS = 1e-6

examples = settings(max_examples=20, deadline=None, derandomize=True)
Form = Callable[..., Sequence[torch.Tensor]]


def with_gradients(form: Form, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Outputs of ``form``, and the gradients of its inputs for fixed gradients of its outputs."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    outputs = form(*leaves)
    # Rounded to bfloat16, so that every type is given the same numbers.
    backs = [drawn(50 + n, *out.shape, dtype=torch.bfloat16).to(out.dtype) for n, out in enumerate(outputs)]
    return [*(out.detach() for out in outputs), *torch.autograd.grad(outputs, leaves, backs)]


def assert_close(found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor], dtype: torch.dtype, terms: int = 1) -> None:
    """``terms``: of how many rounded numbers one is the sum."""
    for number, (ours, exact) in enumerate(zip(found, expected, strict=True)):
        assert ours.shape == exact.shape, number
        error = (ours.double() - exact.double()).abs().max()
        assert error <= terms * TOLERANCE[dtype] * exact.abs().max() + 1e-30, (number, float(error), float(exact.abs().max()))


def assert_agree(form: Form, exact: Form, inputs: Sequence[torch.Tensor], dtype: torch.dtype, terms: int = 1) -> None:
    """``form`` by the kernels, and by torch, and ``exact`` in float64 give the same outputs and gradients."""
    expected = with_gradients(exact, [x.double() for x in inputs])
    assert_close(with_gradients(form, inputs), expected, dtype, terms)
    with torch_alone():
        assert_close(with_gradients(form, inputs), expected, dtype, terms)


def exact_norm(x: torch.Tensor, weight: torch.Tensor | float) -> torch.Tensor:
    return x / (x.square().mean(-1, keepdim=True) + EPS).sqrt() * weight


@examples
@given(dtype=DTYPES, tokens=st.sampled_from([1, 5, 13, 300]), hidden=st.sampled_from([2, 33, 64, 100]), second=st.booleans())
def test_add_norm(dtype: torch.dtype, tokens: int, hidden: int, second: bool) -> None:
    weight = 1 + 0.2 * drawn(1, hidden)
    inputs = [drawn(2, tokens, hidden)] + ([drawn(3, tokens, hidden, dtype=dtype)] if second else [])

    def form(x: torch.Tensor, y: torch.Tensor | None = None) -> Sequence[torch.Tensor]:
        return add_norm(x, y, weight, EPS, dtype)

    def exact(x: torch.Tensor, y: torch.Tensor | None = None) -> Sequence[torch.Tensor]:
        total = x if y is None else x + y
        return total, exact_norm(total, weight.double())

    assert_agree(form, exact, inputs, dtype)
    with torch.no_grad():
        assert_close(form(*(x.clone() for x in inputs)), exact(*(x.double() for x in inputs)), dtype)


def exact_attention(
    qkv: torch.Tensor, lengths: Sequence[int], heads: int, kv: int, norm: torch.Tensor | None, rotary: Rotary
) -> torch.Tensor:
    """Attention a head at a time, in float64."""
    parts = qkv.view(qkv.shape[0], heads + 2 * kv, -1)
    qk = parts[:, : heads + kv]
    qk = qk if norm is None else exact_norm(qk, norm.double())
    cosines, sines = (angles[rotary.positions].unsqueeze(1).double() for angles in (rotary.cosines, rotary.sines))
    a, b = qk.chunk(2, dim=-1)
    qk = torch.cat((a * cosines - b * sines, b * cosines + a * sines), dim=-1)
    mixed = []
    for own, own_qk in zip(parts.split(list(lengths)), qk.split(list(lengths)), strict=True):
        seen = torch.ones(len(own), len(own), dtype=torch.bool).tril()
        sequence = []
        for head in range(heads):
            group = head // (heads // kv)
            scores = own_qk[:, head] @ own_qk[:, heads + group].t() / own_qk.shape[2] ** 0.5
            sequence.append(scores.masked_fill(~seen, -torch.inf).softmax(-1) @ own[:, heads + kv + group])
        mixed.append(torch.cat(sequence, dim=1))
    return torch.cat(mixed)


ATTENDING = {
    "dtype": DTYPES,
    "lengths": st.lists(st.sampled_from([1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 49, 97, 200]), min_size=1, max_size=3),
    "kv": st.integers(1, 2),
    "group": st.integers(1, 4),
    "size": st.sampled_from([2, 24, 64, 128]),
    "qk_norm": st.booleans(),
}


@examples
@given(**ATTENDING)
def test_attention(dtype: torch.dtype, lengths: list[int], kv: int, group: int, size: int, qk_norm: bool) -> None:
    heads, packing = kv * group, Packing(lengths, torch.device("cpu"))
    model = attending_model(heads, kv, size, qk_norm=qk_norm)
    rotary = model.rotary(packing.positions, packing.longest)

    def form(qkv: torch.Tensor) -> Sequence[torch.Tensor]:
        return [packed_attention(model, packing)(0, qkv, rotary)]

    def exact(qkv: torch.Tensor) -> Sequence[torch.Tensor]:
        return [exact_attention(qkv, lengths, heads, kv, model.layers[0].qk_norm, rotary)]

    assert_agree(form, exact, [drawn(7, sum(lengths), (heads + 2 * kv) * size, dtype=dtype)], dtype)


@examples
@given(**ATTENDING, begun=st.sampled_from([1, 31, 63, 64, 65, 130]))
def test_attention_where_beginnings_are_shared(
    dtype: torch.dtype, lengths: list[int], kv: int, group: int, size: int, qk_norm: bool, begun: int
) -> None:
    """Sequences that go on from one beginning, one that ends there, and one of them a second time."""
    beginning = [1] * begun
    goes_on = [beginning + [2 + number] * length for number, length in enumerate(lengths)]
    sequences = [torch.tensor(tokens) for tokens in (*goes_on, beginning, goes_on[0])]
    shared = shared_beginnings(sequences, torch.device("cpu"))
    assert shared is not None
    heads, packing = kv * group, Packing([len(tokens) for tokens in sequences], torch.device("cpu"))
    model = attending_model(heads, kv, size, qk_norm=qk_norm)
    rotary = model.rotary(packing.positions, packing.longest)

    def form(qkv: torch.Tensor) -> Sequence[torch.Tensor]:
        return [packed_attention(model, packing, shared)(0, qkv, rotary)]

    def exact(qkv: torch.Tensor) -> Sequence[torch.Tensor]:
        whole = exact_attention(qkv[shared.places], packing.lengths, heads, kv, model.layers[0].qk_norm, rotary)
        return [whole[shared.own]]

    inputs = [drawn(7, begun + sum(lengths), (heads + 2 * kv) * size, dtype=dtype)]
    assert_agree(form, exact, inputs, dtype, terms=len(sequences))


@examples
@given(**ATTENDING, portion=st.sampled_from([1, 16, 40, 200]))
def test_cached_attention(dtype: torch.dtype, lengths: list[int], kv: int, group: int, size: int, qk_norm: bool, portion: int) -> None:
    """Sequences that come in portions attend as those that come whole."""
    heads, packing = kv * group, Packing(lengths, torch.device("cpu"))
    qkv = drawn(8, sum(lengths), (heads + 2 * kv) * size, dtype=dtype)
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    places = packing.positions.numpy()
    # Blocks of the sequences in turn, from behind; what stands after a sequence's blocks in its row is another's.
    width = packing.longest // 16 + 2
    tables = np.arange(len(lengths) * width, dtype=np.int32)[::-1].reshape(width, len(lengths)).T.copy()

    def form() -> list[torch.Tensor]:
        model = attending_model(heads, kv, size, qk_norm=qk_norm, dtype=dtype)
        cache, out = BlockCache(model, tables.size), torch.empty(len(qkv), heads * size, dtype=dtype)
        cache.extend(cache.begin(0, [], 0), tables.size * 16)
        for start in range(0, packing.longest, portion):
            chosen = np.flatnonzero((places >= start) & (places < start + portion))
            positions = torch.from_numpy(places[chosen])
            attend = cache.attention(places[chosen], sequence[chosen], tables)
            out[chosen] = attend(0, qkv[chosen].contiguous(), model.rotary(positions, packing.longest))
        return [out]

    model = attending_model(heads, kv, size, qk_norm=qk_norm)
    rotary = model.rotary(packing.positions, packing.longest)
    expected = [exact_attention(qkv.double(), lengths, heads, kv, model.layers[0].qk_norm, rotary)]
    assert_close(form(), expected, dtype)
    with torch_alone():
        assert_close(form(), expected, dtype)


@examples
@given(dtype=DTYPES, tokens=st.sampled_from([1, 13, 200]), width=st.sampled_from([1, 33, 160]), scale=st.sampled_from([1.0, 60.0]))
def test_swiglu(dtype: torch.dtype, tokens: int, width: int, scale: float) -> None:
    def exact(gate_up: torch.Tensor) -> Sequence[torch.Tensor]:
        gate, up = gate_up.chunk(2, dim=-1)
        return [functional.silu(gate) * up]

    gate_up = drawn(9, tokens, 2 * width, dtype=dtype) * scale
    assert_agree(lambda x: [swiglu(x)], exact, [gate_up], dtype)


@examples
@given(
    dtype=DTYPES,
    tokens=st.sampled_from([1, 13, 100]),
    vocabulary=st.sampled_from([1, 2, 385, 2000]),
    targets=st.integers(1, 5),
    scale=st.sampled_from([1.0, 30.0]),
)
def test_target_logprobs(dtype: torch.dtype, tokens: int, vocabulary: int, targets: int, scale: float) -> None:
    logits = drawn(10, tokens, vocabulary, dtype=dtype) * scale
    # From a few tokens, so that one is often a target twice.
    chosen = torch.randint(0, min(vocabulary, 3), (tokens, targets), generator=torch.Generator().manual_seed(0))
    slopes = drawn(11, tokens, targets)
    leaf = logits.double().requires_grad_()
    normalizers = leaf.logsumexp(dim=-1)
    values = leaf.gather(1, chosen) - normalizers.unsqueeze(1)
    (back,) = torch.autograd.grad(values, leaf, slopes.double())

    def form() -> list[torch.Tensor]:
        found = target_logprobs(logits, chosen)
        return [*found, target_logprobs_backward(logits.clone(), chosen, found[0], slopes)]

    for found in (form(), torch_form(form)):
        # The values are float32 whatever the logits are; with one token to choose from they are 0.
        assert (found[0] - normalizers).abs().max() <= 1e-5 * max(1, normalizers.abs().max())
        assert (found[1] - values).abs().max() <= 1e-5 * max(1, logits.abs().max())
        assert (found[2].double() - back).abs().max() <= TOLERANCE[dtype] * slopes.abs().max()


def torch_form(form: Callable[[], list[torch.Tensor]]) -> list[torch.Tensor]:
    with torch_alone():
        return form()


@examples
@given(
    dtype=DTYPES,
    tokens=st.sampled_from([1, 2, 7, 12, 13, 23, 97, 100]),
    width=st.sampled_from([2, 64, 100, 160]),
    outputs=st.sampled_from([1, 32, 33, 64, 385]),
    biased=st.booleans(),
)
def test_linear(dtype: torch.dtype, tokens: int, width: int, outputs: int, biased: bool) -> None:
    x, weight = drawn(12, tokens, width, dtype=dtype), drawn(13, outputs, width, dtype=dtype)
    bias = drawn(14, outputs, dtype=dtype) if biased else None
    y = torch.full((tokens + 1, outputs), 7.0, dtype=dtype)
    kernels.call("linear", dtype, tokens, width, outputs, x, kernels.packed(weight), bias, y)
    exact = functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
    assert_close([y[:tokens], functional.linear(x, weight, bias)], [exact, exact], dtype)
    assert (y[tokens] == 7).all()


@examples
@given(
    dtype=DTYPES,
    tokens=st.sampled_from([1, 7, 12, 100]),
    width=st.sampled_from([2, 100]),
    widths=st.sampled_from([[1], [64], [33], [64, 32, 32], [96, 33]]),
    rank=st.sampled_from([2, 32, 34]),
    biased=st.booleans(),
)
def test_adapted_linear(dtype: torch.dtype, tokens: int, width: int, widths: list[int], rank: int, biased: bool) -> None:
    """Inputs and outputs that lie among other columns, which stay as they are."""
    outputs, around = sum(widths), 6
    x, weight = drawn(40, tokens, width + around, dtype=dtype), drawn(41, outputs, width, dtype=dtype)
    low, ups = drawn(42, tokens, len(widths) * rank, dtype=dtype), [drawn(43 + n, size, rank, dtype=dtype) for n, size in enumerate(widths)]
    bias = drawn(50, outputs, dtype=dtype) if biased else None
    y = torch.full((tokens, outputs + around), 7.0, dtype=dtype)
    share = (len(widths), torch.tensor(widths), rank, low, kernels.packed(torch.cat(ups)))
    ends = (kernels.Row(y, 2), outputs + around)
    begins = (kernels.Row(x, 2), width + around, kernels.packed(weight), bias)
    kernels.call("adapted_linear", dtype, tokens, width, outputs, *begins, *share, *ends)
    exact = functional.linear(x[:, 2 : 2 + width].double(), weight.double(), None if bias is None else bias.double())
    exact += torch.cat([part @ up.double().t() for part, up in zip(low.double().split(rank, dim=1), ups, strict=True)], dim=1)
    assert_close([y[:, 2 : 2 + outputs]], [exact], dtype)
    assert (y[:, :2] == 7).all()
    assert (y[:, 2 + outputs :] == 7).all()


@examples
@given(dtype=DTYPES, vocabulary=st.sampled_from([1, 2, 255, 256, 257, 385, 5000]), scale=st.sampled_from([0.1, 3.0, 40.0]))
def test_pick(dtype: torch.dtype, vocabulary: int, scale: float) -> None:
    logits = drawn(15, 120, vocabulary, dtype=dtype) * scale
    draws = torch.rand(120, generator=torch.Generator().manual_seed(1))
    draws[:8] = torch.tensor([0.0, 1 - 2**-24]).repeat(4)
    temperatures = [(0.0, 0.5, 1.0, 1.7)[n // 2 % 4] for n in range(120)]
    choices = [Choice(temperature, -1, 1.0) for temperature in temperatures]
    tokens, logprobs = pick(logits, choices, draws)
    with torch_alone():
        plain_tokens, plain_logprobs = pick(logits, choices, draws)
    wide = logits.double()
    assert (logprobs - wide.log_softmax(-1).gather(1, tokens.unsqueeze(1)).squeeze(1)).abs().max() < 1e-4
    for row, temperature in enumerate(temperatures):
        if temperature == 0:
            assert tokens[row] == plain_tokens[row] == logits[row].float().argmax()
            continue
        # The draw lies in the part of the unit interval that is the token's.
        ends = (wide[row] / temperature).softmax(-1).cumsum(-1)
        for token in (int(tokens[row]), int(plain_tokens[row])):
            assert (ends[token - 1] if token else 0) - 1e-5 <= draws[row] <= ends[token] + 1e-5
        near = ((ends - draws[row]).abs() < 1e-5).any()
        assert near or tokens[row] == plain_tokens[row]
    same = tokens == plain_tokens
    assert torch.allclose(logprobs[same], plain_logprobs[same], atol=1e-4)


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_picked_tokens_are_distributed_as_the_softmax(temperature: float) -> None:
    logits, count = drawn(16, 1, 12), 20_000
    draws = torch.rand(count, generator=torch.Generator().manual_seed(2))
    tokens, _ = pick(logits.repeat(count, 1), [Choice(temperature, -1, 1.0)] * count, draws)
    expected = (logits[0].double() / temperature).softmax(-1) * count
    statistic = float(((tokens.bincount(minlength=12) - expected).square() / expected).sum())
    # Chi-square with 11 degrees of freedom lies above 31.3 once in 1,000 times; the draws are fixed.
    assert statistic < 31.3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_logits_that_are_no_numbers_end_in_a_logprob_that_is_none(bad: float, dtype: torch.dtype) -> None:
    choices = [Choice(temperature, -1, 1.0) for temperature in (0.0, 0.5, 1.0)]
    for form in (pick, lambda *arguments: torch_form(lambda: list(pick(*arguments)))):
        tokens, logprobs = form(torch.full((3, 385), bad, dtype=dtype), choices, torch.tensor([0.0, 0.5, 0.999]))
        assert ((tokens >= 0) & (tokens < 385)).all()
        assert not logprobs.isfinite().any()


def test_long_sequences_large_vocabularies_and_many_targets() -> None:
    """Nothing lies on a stack that could overflow."""
    model = attending_model(1, 1, 8, qk_norm=False)
    packing = Packing([5000], torch.device("cpu"))
    qkv = drawn(17, 5000, 24)
    out = packed_attention(model, packing)(0, qkv, model.rotary(packing.positions, packing.longest))
    assert out.isfinite().all()
    logits, targets = drawn(18, 1, 151_936), torch.arange(3000).unsqueeze(0)
    normalizers, _ = target_logprobs(logits, targets)
    expected = torch.full((151_936,), 1.0).mul(-3000 * (logits[0] - normalizers).exp())
    expected[:3000] += 1
    back = target_logprobs_backward(logits.clone(), targets, normalizers, torch.ones(1, 3000))
    assert torch.allclose(back[0], expected, atol=1e-4)
    tokens, _ = pick(logits, [Choice(1.0, -1, 1.0)], torch.tensor([0.5]))
    assert 0 <= int(tokens) < 151_936


@pytest.mark.skipif("IDIOLECT_KERNELS" in os.environ, reason="this is the test with another build")
@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="AVX2 is of x86-64 processors")
def test_a_build_for_avx2_agrees_too(tmp_path: Path) -> None:
    """Machines without AVX-512 take other branches of the code; compiled without a warning."""
    (module,) = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
    flags = [flag for flag in module["extra-compile-args"] if flag != "-march=native"]
    library = tmp_path / "kernels.so"
    command = ["gcc", *flags, "-mavx2", "-mfma", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *module["sources"], "-o", str(library)]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "attention or linear or pick", __file__]
    done = subprocess.run(tests, cwd=REPOSITORY, env={**os.environ, "IDIOLECT_KERNELS": str(library)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout

"""What the SDK writes is what the engine reads, and what no SDK writes is refused."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import torch
from data import prompt
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tinker import types
from tinker.proto import tinker_public_pb2 as pb
from tinker.proto.request_conv import forward_backward_request_to_proto

from idiolect.engine import wire
from idiolect.errors import InputError

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))


def sent(datum: types.Datum) -> pb.ForwardBackwardRequest:
    asked = types.ForwardBackwardRequest(types.ForwardBackwardInput([datum], "cross_entropy"), "model", 1)
    return wire.parse_forward_backward(forward_backward_request_to_proto(asked).SerializeToString())


@settings(max_examples=60, deadline=None)
@given(data=st.data(), shape=SHAPES, dense=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_candidates_arrive_whole_dense_or_sparse(data: st.DataObject, shape: tuple[int, int], dense: float, seed: int) -> None:
    """[T, K] targets and weights, of which the SDK sends the sparse ones as CSR; a torch tensor by itself, numpy densely."""
    kept = np.random.default_rng(seed).random(shape) < dense
    targets = data.draw(arrays.arrays(np.int64, shape, elements=st.integers(0, 2**40))) * kept
    weights = data.draw(arrays.arrays(np.float32, shape, elements=st.floats(-1e6, 1e6, width=32))) * kept
    plain = {"target_tokens": targets, "weights": weights.astype(np.float32)}
    torched = {name: torch.from_numpy(value) for name, value in plain.items()}
    for inputs in (plain, torched):
        (example,) = wire.read_examples(sent(types.Datum(prompt(shape[0]), inputs)))
        assert {name: value.numpy().tolist() for name, value in example.inputs.items()} == {n: v.tolist() for n, v in plain.items()}
        assert example.tokens.tolist() == prompt(shape[0]).to_ints()


@settings(max_examples=200, deadline=None)
@example(shape=[0, 0], crow=[1], columns=[], count=0)
@given(
    shape=st.lists(st.integers(-2, 5), max_size=3),
    crow=st.lists(st.integers(-3, 8), max_size=7),
    columns=st.lists(st.integers(-3, 8), max_size=7),
    count=st.integers(0, 7),
)
def test_a_sparse_array_that_does_not_fit_is_refused(shape: list[int], crow: list[int], columns: list[int], count: int) -> None:
    """Accepted are exactly those that torch's own invariants accept."""
    message = pb.Datum()
    tensor = message.loss_fn_inputs["weights"]
    tensor.dtype = pb.DTYPE_FLOAT32
    tensor.shape.extend(shape)
    values = np.arange(1, count + 1, dtype="<f4")
    tensor.sparse_csr.values = values.tobytes()
    tensor.sparse_csr.crow_indices = np.array(crow, dtype="<i8").tobytes()
    tensor.sparse_csr.col_indices = np.array(columns, dtype="<i8").tobytes()
    read = wanted = None
    with contextlib.suppress(InputError):
        read = wire.read_examples(pb.ForwardBackwardRequest(data=[message]))[0].inputs["weights"]
    # torch, alone, takes batches of sparse matrices, and does not look at where the rows begin if there are none.
    if len(shape) == 2 and crow[:1] == [0]:
        with contextlib.suppress(RuntimeError), torch.sparse.check_sparse_tensor_invariants():
            indices = torch.tensor(crow, dtype=torch.int64), torch.tensor(columns, dtype=torch.int64)
            wanted = torch.sparse_csr_tensor(*indices, torch.from_numpy(values), shape, check_invariants=True).to_dense()
    assert (read is None) == (wanted is None)
    assert read is None or wanted is None or torch.equal(read, wanted)


def test_provenance_is_read_in_order() -> None:
    datum = types.Datum(prompt(5), {"target_tokens": [1, 2, 3, 4, 5]}).with_provenance(
        model_input=[types.PromptProvenanceSpan(sequence_id="a", length=4), types.SampledProvenanceSpan(sequence_id="b", length=1)],
        loss_fn_inputs=[
            types.PromptProvenanceSpan(sequence_id="a", offset=1, length=3),
            types.SampledProvenanceSpan(sequence_id="b", length=2),
        ],
    )
    (example,) = wire.read_examples(sent(datum))
    assert [(s.sampled, s.sequence, s.offset, s.length) for s in example.input_spans] == [(False, "a", 0, 4), (True, "b", 0, 1)]
    assert [(s.sampled, s.sequence, s.offset, s.length) for s in example.target_spans] == [(False, "a", 1, 3), (True, "b", 0, 2)]


def test_settings_are_numbers_or_texts() -> None:
    asked = types.ForwardBackwardInput([types.Datum(prompt(2), {"target_tokens": [1, 2]})], "dro", {"beta": 0.25, "mode": "soft"})
    request = forward_backward_request_to_proto(types.ForwardBackwardRequest(asked, "model", 1))
    assert wire.read_loss_config(request) == {"beta": 0.25, "mode": "soft"}


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        ({"shape": [4, 1]}, "shape .5, K."),
        ({"shape": [5]}, "shape .5, K."),
        ({"shape": None}, "shape .5, K."),
        ({"shape": [5, 10**30], "sparse_crow_indices": [0, 1, 2, 3, 4, 5], "sparse_col_indices": [0] * 5}, "shape .5, K."),
        ({"dtype": "float32"}, "int64"),
        ({"data": [-1] * 5}, "at least one token"),
        ({"data": [-2, 1, 1, 1, 1]}, "in 0..383"),
        ({"data": [384, 1, 1, 1, 1]}, "in 0..383"),
        ({"data": [1, 1, 1, 1]}, "has 4 numbers"),
        ({"data": [1.0] * 5}, "whole numbers"),
        ({"data": [2**70] * 5}, "64 bits"),
        ({"data": [1] * 6, "shape": [5, 2], "sparse_crow_indices": [0, 1, 2], "sparse_col_indices": [0] * 6}, "does not fit"),
        ({"data": [1, 2], "shape": [5, 2], "sparse_crow_indices": [0, 2, 2, 2, 2, 2], "sparse_col_indices": [1, 1]}, "does not fit"),
        ({"data": [1, 2], "shape": [5, 2], "sparse_crow_indices": [0, 2, 2, 2, 2, 2]}, "does not fit"),
        ({"data": [1] * 55, "shape": [5, 11]}, "at most 10"),
    ],
)
def test_named_tokens_that_make_no_sense_are_refused(tensor: dict[str, object], said: str) -> None:
    given = types.SampleRequest.model_validate(
        {
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": [1] * 6}]},
            "sampling_params": {},
            "target_prompt_logprobs": {"data": [1] * 5, "dtype": "int64", "shape": [5, 1], **tensor},
        }
    )
    with pytest.raises(InputError, match=said):
        wire.read_named(given, 384, 10)

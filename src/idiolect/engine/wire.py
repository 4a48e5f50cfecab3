"""Between the SDK's protobuf messages and our tensors. Knows the wire format; nothing of models' weights or state."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
import zstandard
from google.protobuf.message import DecodeError
from tinker import types
from tinker.proto import tinker_public_pb2 as pb

from idiolect.engine.prompt_scores import Named
from idiolect.engine.sampling import SampleJob
from idiolect.engine.training import Example, Span
from idiolect.errors import InputError

__all__ = [
    "BODY_LIMIT", "NamedLayout", "decompressed", "forward_output", "parse_forward_backward", "read_examples", "read_loss_config",
    "read_named", "sample_response",
]  # fmt: skip

BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of a request's body, after decompression; the SDK cuts its requests at 5 MB."""

DTYPES = {pb.DTYPE_FLOAT32: np.dtype("<f4"), pb.DTYPE_INT64: np.dtype("<i8"), pb.DTYPE_INT32: np.dtype("<i4")}


def decompressed(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding != "zstd":
        raise InputError(f"bodies encoded as {encoding[:40]!r} are not understood")
    try:
        plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)).read(BODY_LIMIT + 1)
    except zstandard.ZstdError as error:
        raise InputError("the body is not valid zstd") from error
    if len(plain) > BODY_LIMIT:
        raise InputError(f"the body is larger than {BODY_LIMIT} bytes")
    return plain


def parse_forward_backward(body: bytes) -> pb.ForwardBackwardRequest:
    try:
        return pb.ForwardBackwardRequest.FromString(body)
    except DecodeError as error:
        raise InputError("the body is not a ForwardBackwardRequest") from error


def read_loss_config(request: pb.ForwardBackwardRequest) -> dict[str, float | str]:
    config: dict[str, float | str] = dict(request.loss_fn_config)
    for name, value in request.loss_fn_config_v2.items():
        config[name] = value.text if value.WhichOneof("value") == "text" else value.number
    return config


def read_examples(request: pb.ForwardBackwardRequest) -> list[Example]:
    examples = []
    for number, datum in enumerate(request.data):
        pieces = []
        for chunk in datum.model_input:
            if chunk.WhichOneof("chunk") != "encoded_text":
                raise InputError("holds an image or sound; the engine's models take text", where=f"datum {number}")
            pieces.append(_numbers(chunk.encoded_text.tokens, np.dtype("<i4"), f"datum {number}"))
        tokens = np.concatenate(pieces).astype(np.int64) if pieces else np.empty(0, np.int64)
        inputs = {name: _tensor(tensor, f"datum {number}, {name}") for name, tensor in datum.loss_fn_inputs.items()}
        spans = (tuple(map(_span, given)) for given in (datum.model_input_spans, datum.loss_fn_input_spans))
        examples.append(Example(torch.from_numpy(tokens), inputs, *spans))
    return examples


def _span(message: pb.ProvenanceSpan) -> Span:
    sampled = message.WhichOneof("span") == "sampled_tokens"
    origin = message.sampled_tokens if sampled else message.prompt_tokens
    return Span(sampled, origin.sequence_id, origin.offset, origin.length)


def _numbers(raw: bytes, dtype: np.dtype, where: str) -> np.ndarray:
    if len(raw) % dtype.itemsize:
        raise InputError("has a torn array", where=where)
    return np.frombuffer(raw, dtype=dtype)


def _tensor(message: pb.Tensor, where: str) -> torch.Tensor:
    dtype = DTYPES.get(message.dtype)
    if dtype is None:
        raise InputError(f"has an array of unknown type {message.dtype}", where=where)
    shape = tuple(message.shape)
    if any(size < 0 for size in shape) or int(np.prod(shape, dtype=object)) > BODY_LIMIT:
        raise InputError("has an array of impossible shape", where=where)
    wide = np.float32 if dtype.kind == "f" else np.int64
    if not message.HasField("sparse_csr"):
        values = _numbers(message.dense, dtype, where).astype(wide)
        if shape and int(np.prod(shape, dtype=object)) != values.size:
            raise InputError(f"has {values.size} numbers for the shape {list(shape)}", where=where)
        return torch.from_numpy(values.reshape(shape) if shape else values)
    csr = message.sparse_csr
    values = _numbers(csr.values, dtype, where)
    crow, columns = _numbers(csr.crow_indices, np.dtype("<i8"), where), _numbers(csr.col_indices, np.dtype("<i8"), where)
    dense = np.zeros(shape, wide)
    dense[_csr_rows(shape, crow, columns, values.size, where), columns] = values
    return torch.from_numpy(dense)


def _csr_rows(shape: tuple[int, ...], crow: np.ndarray, columns: np.ndarray, count: int, where: str) -> np.ndarray:
    """The row of each of a CSR array's ``count`` values. Columns must ascend within a row, so that none is named twice."""
    sound = len(shape) == 2 and crow.size == shape[0] + 1 and columns.size == count
    sound = sound and crow[0] == 0 and crow[-1] == count and bool((np.diff(crow) >= 0).all())
    if sound and count and 0 <= columns.min() <= columns.max() < shape[1]:
        rows = np.repeat(np.arange(shape[0]), np.diff(crow))
        if (np.diff(rows * shape[1] + columns) > 0).all():
            return rows
    elif sound and not count:
        return np.empty(0, dtype=np.int64)
    raise InputError("has a sparse array that does not fit its shape", where=where)


def forward_output(logprobs: list[torch.Tensor], total: float) -> bytes:
    """A ForwardBackwardOutput: one record a run of data with the same number of targets a token, in the data's order."""
    output = pb.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord", metrics={"loss:sum": total})
    start = 0
    while start < len(logprobs):
        trailing = logprobs[start].shape[1:]
        stop = start
        while stop < len(logprobs) and logprobs[stop].shape[1:] == trailing:
            stop += 1
        arrays = [value.numpy().astype("<f4", copy=False) for value in logprobs[start:stop]]
        offsets = np.cumsum([0] + [array.nbytes for array in arrays]).astype("<i8")
        record = output.loss_fn_outputs.add(type_tag="ArrayRecord", num_datums=stop - start)
        tensor = record.fields["logprobs"]
        tensor.data, tensor.offsets, tensor.dtype = b"".join(a.tobytes() for a in arrays), offsets.tobytes(), pb.DTYPE_FLOAT32
        tensor.trailing_shape.extend(trailing)
        start = stop
    return output.SerializeToString()


@dataclass(frozen=True)
class NamedLayout:
    """How a request laid out the tokens it names, and so how it is answered: dense, or CSR if ``crow`` is given."""

    shape: tuple[int, ...]
    cells: np.ndarray
    """Which of the array's values, counted as they are sent, name a token; the others are -1."""
    size: int
    crow: np.ndarray | None
    columns: np.ndarray | None


def read_named(given: types.SampleRequest, vocabulary: int, widest: int) -> tuple[Named, NamedLayout] | None:
    """The tokens of ``target_prompt_logprobs``, [prompt's length - 1, K] and at most ``widest`` of them a row on average."""
    tensor, where = given.target_prompt_logprobs, "target_prompt_logprobs"
    if tensor is None:
        return None
    rows_needed = given.prompt.length - 1
    shape = tuple(tensor.shape or ())
    if tensor.dtype != "int64" or len(shape) != 2 or shape[0] != rows_needed or not 1 <= shape[1] <= BODY_LIMIT:
        raise InputError(f"must be an int64 array of shape [{rows_needed}, K], not {tensor.dtype} of {list(shape)}", where=where)
    if len(tensor.data) > widest * rows_needed or any(isinstance(value, float) for value in tensor.data):
        raise InputError(f"must hold whole numbers, at most {widest} for each token of the prompt", where=where)
    try:
        values = np.asarray(tensor.data, dtype=np.int64)
        crow = None if tensor.sparse_crow_indices is None else np.asarray(tensor.sparse_crow_indices, dtype=np.int64)
        columns = None if crow is None else np.asarray(tensor.sparse_col_indices or [], dtype=np.int64)
    except OverflowError as error:
        raise InputError("holds numbers of more than 64 bits", where=where) from error
    if crow is not None and columns is not None:
        rows = _csr_rows(shape, crow, columns, values.size, where)
    elif values.size == shape[0] * shape[1]:
        rows = np.repeat(np.arange(shape[0]), shape[1])
    else:
        raise InputError(f"has {values.size} numbers for the shape {list(shape)}", where=where)
    cells = np.flatnonzero(values != -1)
    if not cells.size or values[cells].min() < 0 or values.max() >= vocabulary:
        raise InputError(f"must name at least one token, each -1 (none) or in 0..{vocabulary - 1}", where=where)
    return Named(rows[cells], values[cells]), NamedLayout(shape, cells, values.size, crow, columns)


def sample_response(job: SampleJob, layout: NamedLayout | None = None) -> bytes:
    response = pb.SampleResponse(prompt_cache_hit_tokens=job.cached)
    for result in job.results:
        sequence = response.sequences.add(
            stop_reason=pb.STOP_REASON_STOP if result.stopped else pb.STOP_REASON_LENGTH,
            tokens=np.asarray(result.tokens, dtype="<i4").tobytes(),
            logprobs=np.asarray(result.logprobs, dtype="<f4").tobytes(),
        )
        if job.top_sampled:
            ids, values = (np.stack(part) for part in zip(*result.top, strict=True))
            _fill_top(sequence.topk_sampled_logprobs, ids, values)
    if job.prompt_logprobs and job.prompt_values is not None:
        response.prompt_logprobs = job.prompt_values.astype("<f4", copy=False).tobytes()
    if job.top_prompt and job.prompt_top is not None:
        _fill_top(response.topk_prompt_logprobs, *job.prompt_top)
    if job.named is not None and layout is not None:
        _fill_named(response.target_prompt_logprobs, job.named, layout)
    if job.alternatives is not None:
        _fill_dense(response.prompt_alt_tokens.tokens, job.alternatives.tokens, pb.DTYPE_INT64)
        _fill_dense(response.prompt_alt_tokens.logprobs, job.alternatives.logprobs, pb.DTYPE_FLOAT32)
    return response.SerializeToString()


def _fill_named(message: pb.Tensor, named: Named, layout: NamedLayout) -> None:
    values = np.zeros(layout.size, dtype=np.float32)
    values[layout.cells] = named.logprobs
    if layout.crow is None or layout.columns is None:
        _fill_dense(message, values.reshape(layout.shape), pb.DTYPE_FLOAT32)
        return
    message.dtype = pb.DTYPE_FLOAT32
    message.shape.extend(layout.shape)
    message.sparse_csr.values = values.astype("<f4", copy=False).tobytes()
    message.sparse_csr.crow_indices = layout.crow.astype("<i8", copy=False).tobytes()
    message.sparse_csr.col_indices = layout.columns.astype("<i8", copy=False).tobytes()


def _fill_dense(message: pb.Tensor, values: np.ndarray, dtype: pb.DType.ValueType) -> None:
    message.dtype, message.dense = dtype, values.astype(DTYPES[dtype], copy=False).tobytes()
    message.shape.extend(values.shape)


def _fill_top(message: pb.TopkLogprobs, ids: np.ndarray, values: np.ndarray) -> None:
    message.token_ids, message.logprobs = ids.astype("<i4").tobytes(), values.astype("<f4").tobytes()
    message.length, message.k = ids.shape

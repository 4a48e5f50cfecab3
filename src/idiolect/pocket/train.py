"""Train the pocket model: ``python -m idiolect.pocket.train --out DIR [--start DIR]``.

A copy warm-up, then all skills mixed; Muon for matrices and AdamW for the rest; constant rate, then linear decay by
steps. From an exported model on (``--start``) there is no copy warm-up and the rates are lower. Run again with the same
folder, it goes on from its last saved state.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from idiolect.pocket.documents import SKILLS, document, encode
from idiolect.pocket.muon import Muon
from idiolect.pocket.network import Network, Shape, export, restore
from idiolect.pocket.tokenizer import END, load_tokenizer, save_tokenizer, train_tokenizer
from idiolect.workspace import append_json_line, read_json, write_json

__all__ = ["main", "train"]

_BLOCK = 24
"""Batches whose documents are drawn together and sorted by length, so that rows need little padding."""
_COPY_STEPS = 120
_WARM_UP = 30
_DECAY = 0.4
_LATE = 0.85
"""Share of the steps after which the late shares of the skills hold."""
_MUON_RATE = 0.015
_ADAM_RATE = 2e-3
_RATE_SCALE = 0.4
"""Of the rates where the training starts from an exported model."""

Encoded = tuple[list[int], list[float]]


def _block(index: int, tokens: int, tokenizer: Tokenizer, late_from: float, copy_steps: int) -> list[list[Encoded]]:
    """The batches of a block, each of about ``tokens`` tokens; the same for the same index."""
    rng = random.Random(f"block {index}")
    skill = "copy" if index * _BLOCK < copy_steps else None
    late = index * _BLOCK >= late_from
    drawn: list[Encoded] = []
    total = 0
    while total < tokens * _BLOCK:
        drawn.append(encode(document(rng, "train", skill, late=late), tokenizer))
        total += len(drawn[-1][0])
    drawn.sort(key=lambda encoded: len(encoded[0]))
    batches: list[list[Encoded]] = [[]]
    filled = 0
    for encoded in drawn:
        if filled >= tokens and len(batches) < _BLOCK:
            batches.append([])
            filled = 0
        batches[-1].append(encoded)
        filled += len(encoded[0])
    while len(batches) < _BLOCK:
        batches.append(batches[rng.randrange(len(batches))])
    rng.shuffle(batches)
    return batches


def pad(rows: list[Encoded]) -> tuple[Tensor, Tensor, Tensor]:
    """Right-padded inputs, next-token targets and their weights, each (rows, length)."""
    length = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    weights = torch.zeros(len(rows), length)
    for index, (row, weight) in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        weights[index, : len(row)] = torch.tensor(weight)
    return ids[:, :-1], ids[:, 1:], weights[:, 1:]


def _batches(first: int, tokens: int, tokenizer: Tokenizer, late_from: float, copy_steps: int) -> Iterator[list[Encoded]]:
    index, skip = divmod(first, _BLOCK)
    while True:
        yield from _block(index, tokens, tokenizer, late_from, copy_steps)[skip:]
        index, skip = index + 1, 0


def _rate(step: int, steps: int) -> float:
    """Share of the peak learning rate."""
    return min(1.0, (step + 1) / _WARM_UP, max(0.0, (steps - step) / (steps * _DECAY)))


@torch.no_grad()
def losses_by_skill(network: Network, tokenizer: Tokenizer, rows: int = 8) -> dict[str, float]:
    """Mean loss of each skill on development documents, nats a learnt token."""
    rng = random.Random("development")
    return {
        skill: network.loss(*pad([encode(document(rng, "development", skill), tokenizer) for _ in range(rows)])).item() for skill in SKILLS
    }


def _save_state(folder: Path, step: int, network: Network, optimizers: list[torch.optim.Optimizer]) -> None:
    tensors = {f"network.{name}": parameter.detach() for name, parameter in network.named_parameters()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "state.part", {"step": str(step)})
    os.replace(folder / "state.part", folder / "state.safetensors")
    write_json(folder / "state.json", {"step": step})


def _load_state(folder: Path, network: Network, optimizers: list[torch.optim.Optimizer]) -> int:
    if not (folder / "state.json").exists():
        return 0
    tensors = load_file(folder / "state.safetensors")
    network.load_state_dict({name[8:]: tensor for name, tensor in tensors.items() if name.startswith("network.")})
    for number, optimizer in enumerate(optimizers):
        saved = optimizer.state_dict()
        for name, tensor in tensors.items():
            head = f"optimizer.{number}."
            if name.startswith(head):
                index, key = name[len(head) :].split(".")
                saved["state"].setdefault(int(index), {})[key] = tensor
        optimizer.load_state_dict(saved)
    return int(read_json(folder / "state.json")["step"])


def _tokenizer(folder: Path, size: int, start: Path | None) -> Tokenizer:
    if start:
        save_tokenizer(load_tokenizer(start), folder)
    elif not (folder / "tokenizer.json").exists():
        rng = random.Random("tokenizer")
        texts = (turn.text for _ in range(8000) for turn in document(rng, "train"))
        save_tokenizer(train_tokenizer(texts, size), folder)
    return load_tokenizer(folder)


def train(
    folder: Path,
    steps: int,
    tokens: int,
    save_every: int = 250,
    *,
    start: Path | None = None,
    rate_scale: float | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Train for ``steps`` of about ``tokens`` tokens; the model is exported to ``folder`` at every save.

    ``start`` holds an exported model to go on from. ``dtype`` is what the matrices are multiplied in.
    """
    shape = Shape()
    tokenizer = _tokenizer(folder, shape.vocabulary, start)
    end = tokenizer.token_to_id(END)
    network = Network(shape)
    if start:
        restore(network, start)
    scale = rate_scale if rate_scale is not None else _RATE_SCALE if start else 1.0
    matrices = [parameter for layer in network.decoder for parameter in layer.parameters() if parameter.dim() == 2]
    others = [network.embedding, *(parameter for parameter in network.parameters() if parameter.dim() == 1)]
    optimizers = [Muon(matrices, _MUON_RATE, dtype=dtype), torch.optim.AdamW(others, _ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0)]
    first = _load_state(folder, network, optimizers)
    batches = _batches(first, tokens, tokenizer, _LATE * steps, 0 if start else _COPY_STEPS)
    started, seen = time.monotonic(), 0
    for step, rows in zip(range(first, steps), batches, strict=False):
        for optimizer, peak in zip(optimizers, (_MUON_RATE, _ADAM_RATE), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * scale * _rate(step, steps)
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            loss = network.loss(*pad(rows))
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        seen += sum(len(ids) for ids, _ in rows)
        if (step + 1) % 25 == 0:
            row = {"step": step + 1, "loss": round(loss.item(), 4), "tokens_per_second": round(seen / (time.monotonic() - started))}
            print(json.dumps(row), flush=True)
            append_json_line(folder / "training_log.jsonl", row)
        if (step + 1) % save_every == 0 or step + 1 == steps:
            export(network, folder, end)
            _save_state(folder, step + 1, network, optimizers)
            row = {
                "step": step + 1,
                "development": {skill: round(value, 4) for skill, value in losses_by_skill(network, tokenizer).items()},
            }
            print(json.dumps(row), flush=True)
            append_json_line(folder / "training_log.jsonl", row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m idiolect.pocket.train")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint; run again to go on")
    parser.add_argument("--steps", type=int, default=2650)
    parser.add_argument("--tokens", type=int, default=3000, help="tokens a step")
    parser.add_argument("--start", type=Path, help="folder of an exported model to start from")
    parser.add_argument("--rate-scale", type=float, help=f"factor on the learning rates; 1, and {_RATE_SCALE} with --start")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="bfloat16 is faster on some CPUs")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    dtype = getattr(torch, options.dtype)
    train(options.out, options.steps, options.tokens, start=options.start, rate_scale=options.rate_scale, dtype=dtype)


if __name__ == "__main__":
    main()

"""One model under training: its adapter, gathered gradient and AdamW moments. Knows nothing of requests, files or threads.

On the CPU every operation here is deterministic for a given number of threads, so a run resumed from a checkpoint repeats the
uninterrupted one bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from idiolect.engine.head import TargetLogprobs
from idiolect.engine.lora import Adapter, TrainedLinears
from idiolect.engine.losses import LOSSES
from idiolect.engine.sharing import shared_beginnings
from idiolect.engine.transformer import Packing, packed_attention, run_layers
from idiolect.errors import InputError

__all__ = ["Example", "Span", "TrainedModel"]

TOKENS_AT_ONCE = 8192
"""Tokens of one forward and backward pass; more are worked off in several, with the same sum of gradients."""


@dataclass(frozen=True)
class Span:
    """``length`` tokens that are those from ``offset`` on of what was sampled as ``sequence``, or else of the prompt it had."""

    sampled: bool
    sequence: str
    offset: int
    length: int


@dataclass(frozen=True)
class Example:
    """One datum: input ``tokens`` [T], ``inputs`` by name, each [T] or [T, K], ``target_tokens`` among them.

    Its provenance, if it has one: spans that together cover the input tokens, and others that cover the targets.
    """

    tokens: torch.Tensor
    inputs: Mapping[str, torch.Tensor]
    input_spans: tuple[Span, ...] = ()
    target_spans: tuple[Span, ...] = ()


class TrainedModel:
    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.gradient = torch.zeros_like(adapter.flat)
        self.mean = torch.zeros_like(adapter.flat)
        self.square = torch.zeros_like(adapter.flat)
        self.steps = 0

    def check(self, examples: list[Example], loss: str, config: Mapping[str, float | str]) -> None:
        """Refuse what cannot be trained on, before any work is done."""
        if loss not in LOSSES:
            raise InputError(f"the loss {loss[:40]!r} is not known here", hint=f"Known losses: {', '.join(sorted(LOSSES))}")
        if not examples:
            raise InputError("the request holds no data")
        LOSSES[loss].configured(loss, config)
        for number, example in enumerate(examples):
            self._check_tokens(example, loss, f"datum {number}")
            _check_inputs(example, loss, f"datum {number}")

    def _check_tokens(self, example: Example, loss: str, where: str) -> None:
        architecture, length = self.adapter.model.architecture, example.tokens.shape[0]
        if not 0 < length <= architecture.context:
            raise InputError(f"has {length} tokens; the model takes 1 to {architecture.context}", where=where)
        targets = example.inputs.get("target_tokens")
        shapes = f"[{length}] or [{length}, K]" if LOSSES[loss].columns else f"[{length}]"
        if targets is None or targets.ndim not in (1, 1 + LOSSES[loss].columns) or targets.shape[0] != length or targets.numel() == 0:
            found = "none" if targets is None else f"shape {list(targets.shape)}"
            raise InputError(f"{loss} needs target_tokens of shape {shapes}, found {found}", where=where)
        if targets.is_floating_point():
            raise InputError("needs target_tokens that are whole numbers", where=where)
        for name, tokens in (("input", example.tokens), ("target", targets)):
            if tokens.min() < 0 or tokens.max() >= architecture.vocabulary:
                raise InputError(f"has {name} tokens outside 0..{architecture.vocabulary - 1}", where=where)

    def forward(
        self, examples: list[Example], loss: str, config: Mapping[str, float | str], *, backward: bool
    ) -> tuple[list[torch.Tensor], float]:
        """Target logprobs per datum and the summed loss; with ``backward`` the gradient is added to what is gathered."""
        settings = LOSSES[loss].configured(loss, config)
        order = sorted(range(len(examples)), key=lambda i: examples[i].tokens.shape[0])
        logprobs: list[torch.Tensor] = [torch.empty(0)] * len(examples)
        total = 0.0
        start = 0
        while start < len(order):
            stop, tokens = start, 0
            while stop < len(order) and (stop == start or tokens + examples[order[stop]].tokens.shape[0] <= TOKENS_AT_ONCE):
                tokens += examples[order[stop]].tokens.shape[0]
                stop += 1
            chosen = order[start:stop]
            values, summed = self._pass([examples[i] for i in chosen], loss, settings, backward=backward)
            for index, value in zip(chosen, values, strict=True):
                logprobs[index] = value
            total += summed
            start = stop
        return logprobs, total

    def _pass(
        self, examples: list[Example], loss: str, settings: Mapping[str, float], *, backward: bool
    ) -> tuple[list[torch.Tensor], float]:
        model = self.adapter.model
        packing = Packing([example.tokens.shape[0] for example in examples], model.device)
        tokens = torch.cat([example.tokens for example in examples]).to(model.device)
        shared = shared_beginnings([example.tokens for example in examples], model.device)
        with torch.set_grad_enabled(backward):
            rotary = model.rotary(packing.positions, packing.longest)
            linears = TrainedLinears(self.adapter, self.gradient)
            attend = packed_attention(model, packing, shared)
            hidden = run_layers(model, tokens if shared is None else tokens[shared.own], rotary, linears, attend)
            hidden = hidden if shared is None else shared.spread(hidden)
        with torch.no_grad():
            head = TargetLogprobs(self.adapter, hidden.detach(), _joined_targets(examples).to(model.device))
        leaf = head.values.detach().float().requires_grad_()
        values: list[torch.Tensor] = []
        losses: list[torch.Tensor] = []
        for index, example in enumerate(examples):
            targets = example.inputs["target_tokens"]
            own = leaf[packing.starts[index] : packing.starts[index + 1]]
            own = own[:, 0] if targets.ndim == 1 else own[:, : targets.shape[1]]
            inputs = {name: value.to(model.device) for name, value in example.inputs.items()}
            losses.append(LOSSES[loss].compute(own, inputs, settings))
            values.append(own.detach().cpu())
        summed = torch.stack(losses).sum()
        if backward:
            (slopes,) = torch.autograd.grad(summed, leaf)
            with torch.no_grad():
                back = head.backward(slopes, self.gradient)
            if hidden.requires_grad:
                hidden.backward(back)
        return values, float(summed.detach())

    def step(
        self, *, learning_rate: float, beta1: float, beta2: float, eps: float, weight_decay: float, grad_clip_norm: float
    ) -> dict[str, float]:
        """One AdamW step (Loshchilov and Hutter 2019, as ``torch.optim.AdamW``) on the gathered gradient, which is then cleared."""
        norm = float(self.gradient.norm())
        if not math.isfinite(norm):
            self.gradient.zero_()
            raise InputError("the gradient is not finite; the step was not taken", hint="Lower the learning rate or check the data")
        if grad_clip_norm > 0 and norm > grad_clip_norm:
            self.gradient.mul_(grad_clip_norm / (norm + 1e-6))
        self.steps += 1
        self.mean.lerp_(self.gradient, 1 - beta1)
        self.square.mul_(beta2).addcmul_(self.gradient, self.gradient, value=1 - beta2)
        correction = math.sqrt(1 - beta2**self.steps)
        denominator = (self.square.sqrt() / correction).add_(eps)
        flat = self.adapter.flat
        if weight_decay:
            flat.mul_(1 - learning_rate * weight_decay)
        flat.addcdiv_(self.mean, denominator, value=-learning_rate / (1 - beta1**self.steps))
        self.gradient.zero_()
        return {"grad_norm": norm}


def _joined_targets(examples: list[Example]) -> torch.Tensor:
    """Targets end to end, [N, K]; narrower ones are filled with token 0, whose columns nobody reads."""
    targets = [t if t.ndim == 2 else t.unsqueeze(1) for t in (example.inputs["target_tokens"] for example in examples)]
    widest = max(t.shape[1] for t in targets)
    return torch.cat([torch.nn.functional.pad(t, (0, widest - t.shape[1])) for t in targets])


def _check_inputs(example: Example, loss: str, where: str) -> None:
    targets, kind = example.inputs["target_tokens"], LOSSES[loss]
    for name in (*kind.inputs, *(name for name in kind.optional if name in example.inputs)):
        value = example.inputs.get(name)
        if value is None or value.shape != targets.shape:
            found = "none" if value is None else f"shape {list(value.shape)}"
            raise InputError(f"{loss} needs {name} of the targets' shape {list(targets.shape)}, found {found}", where=where)
        if not torch.isfinite(value).all():
            raise InputError(f"{name} holds values that are not finite", where=where)
    if "sequence_ratio_mask" in kind.inputs and not example.inputs["sequence_ratio_mask"].any():
        raise InputError("sequence_ratio_mask marks no token; the ratio is taken over those it marks", where=where)

"""Stands where the service's sampling client does, over the pocket model's real renderer: a script says what is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from idiolect.service import Connection, Model
from idiolect.settings import pocket_model

__all__ = ["Script", "scripted"]


@dataclass
class Script:
    """Answers a prompt's text by the script, and remembers what it was asked."""

    renderer: Any
    answer: Callable[[str], str]
    logprobs: Callable[[str], tuple[float, float]]
    asked: list[str] = field(default_factory=list)

    async def sample(self, prompt: Any, num_samples: int, sampling_params: Any, target_prompt_logprobs: Any = None) -> Any:
        text = self.renderer.tokenizer.decode(prompt.to_ints())
        self.asked.append(text)
        tokens = self.renderer.tokenizer.encode(self.answer(text)) + list(sampling_params.stop)[:1]
        sequence = SimpleNamespace(tokens=tokens[: sampling_params.max_tokens], stop_reason="stop")
        scores = SimpleNamespace(data=list(self.logprobs(text))) if target_prompt_logprobs is not None else None
        return SimpleNamespace(sequences=[sequence] * num_samples, target_prompt_logprobs=scores)


def scripted(
    answer: Callable[[str], str], logprobs: Callable[[str], tuple[float, float]] = lambda _: (0.0, 0.0)
) -> tuple[Connection, Script]:
    """A connection without a service, whose pocket model answers by the script; ``logprobs`` are a judge's of A and of B."""
    opened, model = Connection(), Model(pocket_model(), "qwen3_instruct")
    script = Script(opened.renderer(model), answer, logprobs)
    opened._samplers[model.base_model, None] = script  # type: ignore[assignment]
    opened._context = {}
    return opened, script

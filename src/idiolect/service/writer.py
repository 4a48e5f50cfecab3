"""What every method ends in: a model, an adapter, a prompt and examples that together write drafts."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from idiolect.errors import InputError
from idiolect.service.retrieval import nearest
from idiolect.workspace import read_json, write_json

__all__ = ["TEMPERATURE", "Writer"]

TEMPERATURE = 0.3
"""Sampling temperature of drafts unless a method is told another; chosen on development authors (docs/LOG.md)."""


class Writer(BaseModel):
    """Everything that is needed to write a draft for a request. Saved as ``writer.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    """The method's short name: baseline, prompt, few_shot, sft, …"""
    base_model: str
    """A hub name, or the path of a checkpoint folder."""
    renderer: str
    """The cookbook renderer that turns messages into tokens."""
    adapter: str | None = None
    """``tinker://…/sampler_weights/…`` of a LoRA adapter; None samples the base model."""
    system_prompt: str | None = None
    examples: tuple[tuple[str, str], ...] = ()
    """(request, text) pairs shown as earlier turns, oldest first."""
    shown: int | None = None
    """Where set, a request is shown only so many of the examples, those whose requests are most like it, the most alike last."""
    max_tokens: int = 256
    temperature: float = TEMPERATURE

    def messages(self, request: str) -> list[dict[str, str]]:
        """The conversation that asks for one draft: system prompt, examples as turns, the request."""
        turns = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        for given, written in self._examples_for(request):
            turns += [{"role": "user", "content": given}, {"role": "assistant", "content": written}]
        return [*turns, {"role": "user", "content": request}]

    def _examples_for(self, request: str) -> list[tuple[str, str]]:
        if self.shown is None or self.shown >= len(self.examples):
            return list(self.examples)
        chosen = nearest(request, [given for given, _ in self.examples], self.shown)
        return [self.examples[place] for place in reversed(chosen)]

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> Writer:
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise InputError(f"is not a writer: {first['msg']}", where=f"{path}, field {field}", hint="Run the method again") from error

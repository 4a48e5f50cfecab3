"""Messages and datums: what a training step is sent.

Knows renderers and the SDK's wire types. Knows nothing of where messages come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tinker
    from tinker_cookbook.renderers import Renderer

__all__ = ["prompt_tokens", "training_datum"]


def training_datum(renderer: Renderer, messages: Sequence[dict[str, str]], max_length: int | None = None) -> tinker.Datum:
    """One conversation as a datum that learns its last message.

    The loss weights sum to 1, so that every text counts the same whatever its length. A conversation longer
    than ``max_length`` tokens is cut at its end.
    """
    from tinker_cookbook.renderers import TrainOnWhat
    from tinker_cookbook.supervised.common import datum_from_model_input_weights

    model_input, weights = renderer.build_supervised_example(list(messages), train_on_what=TrainOnWhat.LAST_ASSISTANT_MESSAGE)  # type: ignore[arg-type]
    return datum_from_model_input_weights(model_input, weights, max_length, reduction="mean")


def prompt_tokens(renderer: Renderer, messages: Sequence[dict[str, str]]) -> int:
    """How many tokens the conversation has up to where the model goes on."""
    return renderer.build_generation_prompt(list(messages)).length  # type: ignore[arg-type]

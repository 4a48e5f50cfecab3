"""One answer, shown while it is sampled.

The SDK gives whole sequences only, so an answer is asked for in chunks, each going on from the tokens before it: the service's prefix
cache makes that cheap, and greedy text is the same as in one piece. Drawn text is as likely, but not the same, since a draw depends on
the prompt. Knows the SDK's sampling and the renderers' parsing. Knows nothing of who reads along.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from idiolect.errors import InputError
from idiolect.service.connect import Connection, Samples, service_errors
from idiolect.service.sampling import Messages, derive_seed

if TYPE_CHECKING:
    from tinker_cookbook.renderers import Renderer

__all__ = ["Piece", "stream"]

FIRST_CHUNK, GROWTH, LARGEST_CHUNK = 2, 3, 32
"""Tokens of the first chunk, how much longer each next one is, and of the longest: the first words come soon, a long answer costs few
requests, and a slow model still shows some words every few seconds. The same for every answer, since draws depend on the chunks."""
_HALF = "\N{REPLACEMENT CHARACTER}"
_THINK, _THOUGHT = "<think>", "</think>"


@dataclass(frozen=True)
class Piece:
    """What came since the piece before."""

    text: str
    prompt_tokens: int
    tokens: int
    """Sampled so far, the end mark included."""
    finish: str | None
    """``stop`` or ``length`` in the last piece, else None."""


async def stream(
    connection: Connection,
    model: Samples,
    messages: Messages,
    *,
    max_tokens: int,
    temperature: float,
    seed: int,
    top_p: float = 1.0,
    stop: Sequence[str] = (),
    whole: bool = False,
) -> AsyncIterator[Piece]:
    """The answer's text in pieces, the last of which says why it ended; joined they are the text without surrounding white space.

    ``stop`` are texts before which the answer ends. ``whole`` asks for everything at once, where nobody reads along. Raises
    ``InputError`` where the conversation does not fit into the model's context.
    """
    import tinker

    renderer, sampler = connection.renderer(model), await connection.sampler(model)
    prompt = renderer.build_generation_prompt(list(messages)).to_ints()  # type: ignore[arg-type]
    limit = await connection.context_length(model.base_model)
    if limit and len(prompt) >= limit:
        raise InputError(f"the conversation has {len(prompt)} tokens, the model takes {limit}", where="messages", hint="Shorten it")
    room = min(max_tokens, limit - len(prompt)) if limit else max_tokens
    seed = derive_seed(seed, list(messages), 0)
    tokens: list[int] = []
    shown, finish = "", None
    for size in _chunks(room, whole=whole and not stop):
        params = tinker.SamplingParams(max_tokens=size, temperature=temperature, top_p=top_p, seed=seed, stop=renderer.get_stop_sequences())
        async with connection.gate:
            with service_errors(connection.base_url):
                answer = await sampler.sample(tinker.ModelInput.from_ints(prompt + tokens), 1, params)
        (sequence,) = answer.sequences
        tokens += sequence.tokens
        if sequence.stop_reason == "stop":
            finish = "stop"
        elif len(tokens) >= room or len(sequence.tokens) < size:
            finish = "length"
        text, met = _visible(renderer, tokens, stop, ended=finish is not None)
        finish = "stop" if met else finish
        # A piece without text tells those who watch that work goes on.
        yield Piece(text[len(shown) :], len(prompt), len(tokens), finish)
        shown = text
        if finish:
            return


def _chunks(room: int, *, whole: bool) -> Iterator[int]:
    """Sizes that add up to ``room`` tokens."""
    size = room if whole else FIRST_CHUNK
    while room > 0:
        yield min(size, room)
        room -= size
        size = min(GROWTH * size, LARGEST_CHUNK)


def _visible(renderer: Renderer, tokens: list[int], stop: Sequence[str], *, ended: bool) -> tuple[str, bool]:
    """The text that no later token can change, and whether a stop text was met.

    Held back until more comes: half a character (tokens are bytes, and UTF-8 takes up to four), white space that may turn out to be
    the end, what may be the beginning of a stop text, and what the model thinks before it writes.
    """
    from tinker_cookbook.renderers import get_text_content

    message, _ = renderer.parse_response(tokens)
    text = get_text_content(message)
    if not ended:
        text = text.rstrip(_HALF)
        head = text.lstrip()
        if head.startswith(_THINK):
            text = text.partition(_THOUGHT)[2]
        elif head and _THINK.startswith(head):
            text = ""
    places = [place for one in stop if (place := text.find(one)) >= 0]
    if places:
        return text[: min(places)].strip(), True
    if not ended:
        held = max((size for one in stop for size in range(1, len(one)) if text.endswith(one[:size])), default=0)
        text = text[: len(text) - held]
    return text.strip(), False

"""A draft piece by piece, over a protocol whose answers come whole.

Knows the SDK's sampling and the renderers. Knows nothing of who reads along.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from idiolect.service.connect import Connection, service_errors
from idiolect.service.sampling import Draft, derive_seed
from idiolect.service.writer import Writer

__all__ = ["stream_draft"]

_FIRST, _LARGEST = 8, 64


async def stream_draft(connection: Connection, writer: Writer, request: str, *, seed: int) -> AsyncIterator[Draft]:
    """The draft as far as it is written, again and again; the last one is whole.

    The service is asked for 8 tokens, then for twice as many each time, up to 64, after the prompt and what is written so far: the
    begin comes soon, and a service without a prefix cache reads the prompt few times. Every piece has a seed of its own, so at
    temperature 0 the text is that of ``draft``, above it another sample of the same distribution.
    """
    import tinker
    from tinker_cookbook.renderers import ParseTermination, get_text_content

    renderer = connection.renderer(writer)
    sampler = await connection.sampler(writer)
    stops = renderer.get_stop_sequences()
    prompt = renderer.build_generation_prompt(writer.messages(request)).to_ints()  # type: ignore[arg-type]
    written: list[int] = []
    # A stop that is a string may be cut in two by the end of a piece; then the draft is asked for whole.
    size = _FIRST if all(isinstance(stop, int) for stop in stops) else writer.max_tokens
    start, ended = time.monotonic(), False
    while not ended:
        wanted = min(size, writer.max_tokens - len(written))
        params = tinker.SamplingParams(
            max_tokens=wanted, temperature=writer.temperature, seed=derive_seed(seed, request, writer.name, len(written)), stop=stops
        )
        with service_errors(connection.base_url):
            async with connection.gate:
                answer = await sampler.sample(
                    prompt=tinker.ModelInput.from_ints([*prompt, *written]), num_samples=1, sampling_params=params
                )
        piece = answer.sequences[0]
        written += piece.tokens
        ended = piece.stop_reason == "stop" or len(written) >= writer.max_tokens or not piece.tokens
        message, termination = renderer.parse_response(written)
        yield Draft(
            request=request,
            text=get_text_content(message).strip(),
            tokens=len(written),
            seconds=time.monotonic() - start,
            finished=ended and termination != ParseTermination.MALFORMED,
        )
        size = min(2 * size, _LARGEST)

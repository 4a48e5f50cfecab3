"""How likely a model finds given texts, token by token.

Knows the SDK's scoring and the renderers. Knows nothing of what the figures are for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from idiolect.service.connect import Connection, Samples, service_errors
from idiolect.service.sampling import Messages, OnProgress

__all__ = ["text_logprobs"]


async def text_logprobs(
    connection: Connection, model: Samples, conversations: Sequence[Messages], *, on_progress: OnProgress | None = None
) -> list[list[float]]:
    """Natural log-probabilities of the tokens of each conversation's last message (its end mark included), given all before it.

    A conversation that is longer than the model's context has none.
    """
    import tinker
    from tinker_cookbook.renderers import TrainOnWhat

    if not conversations:
        return []
    renderer = connection.renderer(model)
    sampler = await connection.sampler(model)
    longest = await connection.context_length(model.base_model)
    gate = asyncio.Semaphore(connection.concurrency)
    done = 0

    async def one(messages: Messages) -> list[float]:
        nonlocal done
        prompt, weights = renderer.build_supervised_example(list(messages), train_on_what=TrainOnWhat.LAST_ASSISTANT_MESSAGE)  # type: ignore[arg-type]
        learnt = [bool(weight) for weight in weights.tolist()]
        if not any(learnt) or (longest and len(learnt) > longest):
            return []
        tokens = tinker.ModelInput.from_ints(prompt.to_ints())
        async with gate:
            found = await sampler.compute_logprobs(tokens, len(learnt) - learnt.index(True))
        done += 1
        if on_progress:
            on_progress(done, len(conversations))
        return [logprob for logprob, counts in zip(found, learnt, strict=True) if counts and logprob is not None]

    tasks = [asyncio.create_task(one(messages)) for messages in conversations]
    try:
        with service_errors(connection.base_url):
            return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()

"""Many conversations answered at a time.

Knows the SDK's sampling and the renderers' parsing. Knows nothing of what the answers are for.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from idiolect.service.connect import Connection, Samples, service_errors
from idiolect.service.writer import Writer

__all__ = ["BestOf", "Completion", "Draft", "Messages", "OnProgress", "cascade", "complete", "derive_seed", "draft"]

Messages = Sequence[dict[str, str]]
OnProgress = Callable[[int, int], None]
"""Called with how many are done, of how many."""


@dataclass(frozen=True)
class Completion:
    """One sampled answer."""

    text: str
    tokens: int
    """Sampled tokens, the end mark included."""
    stop_reason: str
    """``stop`` or ``length``, as the service says."""
    seconds: float
    """From submission to answer; the samples of one conversation share it."""
    finished: bool
    """Whether the answer ended by itself, as the renderer's parser sees it."""


@dataclass(frozen=True)
class Draft:
    """A writer's text for one request."""

    request: str
    text: str
    tokens: int
    seconds: float
    finished: bool
    tries: int = 1
    """How many were sampled to choose it; ``tokens`` and ``seconds`` are those of all."""


@dataclass(frozen=True)
class BestOf:
    """Best-of-n sampling (arXiv 2009.01325, section 3.2): a draft with faults is the best of so many ``tries``."""

    tries: int
    faults: Callable[[str, str, bool], int]
    """What is wrong with (request, text, whether it ended by itself), 0 where nothing is."""
    key: str
    """Names the tries and the faults: another key may choose another draft."""


def derive_seed(*parts: object) -> int:
    """A 31-bit seed that depends on nothing but its parts: neither on order nor on the process."""
    digest = hashlib.blake2b(json.dumps(parts, ensure_ascii=False, default=str).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & 0x7FFFFFFF


async def complete(
    connection: Connection,
    model: Samples,
    conversations: Sequence[Messages],
    *,
    max_tokens: int,
    temperature: float,
    seed: int,
    num_samples: int = 1,
    on_progress: OnProgress | None = None,
    on_result: Callable[[int, list[Completion]], None] | None = None,
) -> list[list[Completion]]:
    """Sample ``num_samples`` answers to each conversation: answers_P_G, in the conversations' order.

    A conversation's seed derives from ``seed`` and its text, so the same one gets the same answer whatever stands
    beside it; repeated ones get different seeds. ``on_result`` is called with an index and its answers as they come.
    """
    import tinker

    if not conversations:
        return []
    renderer = connection.renderer(model)
    sampler = await connection.sampler(model)
    gate = connection.gate
    seeds = _seeds(seed, conversations)
    done = 0

    async def one(index: int) -> list[Completion]:
        nonlocal done
        prompt = renderer.build_generation_prompt(list(conversations[index]))  # type: ignore[arg-type]
        params = tinker.SamplingParams(
            max_tokens=max_tokens, temperature=temperature, seed=seeds[index], stop=renderer.get_stop_sequences()
        )
        async with gate:
            start = time.monotonic()
            answer = await sampler.sample(prompt=prompt, num_samples=num_samples, sampling_params=params)
            seconds = time.monotonic() - start
        completions = [_parsed(renderer, sequence, seconds) for sequence in answer.sequences]
        done += 1
        if on_result:
            on_result(index, completions)
        if on_progress:
            on_progress(done, len(conversations))
        return completions

    tasks = [asyncio.create_task(one(index)) for index in range(len(conversations))]
    try:
        with service_errors(connection.base_url):
            return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


async def draft(
    connection: Connection,
    writer: Writer,
    requests: Sequence[str],
    *,
    seed: int,
    best_of: BestOf | None = None,
    on_draft: Callable[[int, Draft], None] | None = None,
) -> list[Draft]:
    """One draft a request, in the requests' order. ``on_draft`` is called with an index and its draft as they come.

    With ``best_of`` a draft that has faults is held against further tries, and the first of those with the fewest faults is taken.
    """
    drafts: dict[int, Draft] = {}
    faulty: dict[int, Draft] = {}
    conversations = [writer.messages(request) for request in requests]
    sample = functools.partial(complete, connection, writer, max_tokens=writer.max_tokens, temperature=writer.temperature)

    def keep(index: int, made: Draft) -> None:
        drafts[index] = made
        if on_draft:
            on_draft(index, made)

    def first(index: int, answers: list[Completion]) -> None:
        made = _draft(requests[index], answers[0])
        if best_of and best_of.tries > 1 and _faults(best_of, made):
            faulty[index] = made
        else:
            keep(index, made)

    await sample(conversations, seed=seed, on_result=first)
    if best_of and faulty:
        again = sorted(faulty)

        def more(place: int, answers: list[Completion]) -> None:
            index = again[place]
            keep(index, _best(best_of, [faulty[index], *(_draft(requests[index], one) for one in answers)]))

        further = [conversations[index] for index in again]
        await sample(further, seed=derive_seed(seed, "further tries"), num_samples=best_of.tries - 1, on_result=more)
    return [drafts[index] for index in range(len(requests))]


async def cascade(
    connection: Connection, writers: Sequence[Writer], requests: Sequence[str], *, seed: int, best_of: BestOf
) -> list[tuple[Writer, Draft]]:
    """One draft a request, in the requests' order, and who wrote it: the first writer's, or where that has faults the next one's with
    fewer, and so on (an LLM cascade, arXiv 2305.05176, section 3). A draft counts the tokens, seconds and tries of all who were asked.
    """
    chosen: dict[int, tuple[Writer, Draft]] = {}
    for writer in writers:
        asked = [index for index in range(len(requests)) if index not in chosen or _faults(best_of, chosen[index][1])]
        made = await draft(connection, writer, [requests[index] for index in asked], seed=seed, best_of=best_of)
        for index, new in zip(asked, made, strict=True):
            chosen[index] = _less_faulty(best_of, chosen[index], (writer, new)) if index in chosen else (writer, new)
    return [chosen[index] for index in range(len(requests))]


def _less_faulty(best_of: BestOf, old: tuple[Writer, Draft], new: tuple[Writer, Draft]) -> tuple[Writer, Draft]:
    writer, better = min(old, new, key=lambda one: _faults(best_of, one[1]))
    (_, one), (_, other) = old, new
    return writer, replace(better, tokens=one.tokens + other.tokens, seconds=one.seconds + other.seconds, tries=one.tries + other.tries)


def _draft(request: str, made: Completion) -> Draft:
    return Draft(request=request, text=made.text, tokens=made.tokens, seconds=made.seconds, finished=made.finished)


def _faults(best_of: BestOf, made: Draft) -> int:
    return best_of.faults(made.request, made.text, made.finished)


def _best(best_of: BestOf, tries: list[Draft]) -> Draft:
    chosen = min(tries, key=lambda one: _faults(best_of, one))
    # Further tries are the samples of one request to the service and share its time.
    seconds = tries[0].seconds + tries[-1].seconds
    return replace(chosen, tokens=sum(one.tokens for one in tries), seconds=seconds, tries=len(tries))


def _seeds(seed: int, conversations: Sequence[Messages]) -> list[int]:
    seen: Counter[str] = Counter()
    seeds = []
    for conversation in conversations:
        key = json.dumps(list(conversation), ensure_ascii=False)
        seeds.append(derive_seed(seed, key, seen[key]))
        seen[key] += 1
    return seeds


def _parsed(renderer: object, sequence: object, seconds: float) -> Completion:
    from tinker_cookbook.renderers import ParseTermination, get_text_content

    tokens = list(sequence.tokens)  # type: ignore[attr-defined]
    message, termination = renderer.parse_response(tokens)  # type: ignore[attr-defined]
    return Completion(
        text=get_text_content(message).strip(),
        tokens=len(tokens),
        stop_reason=sequence.stop_reason,  # type: ignore[attr-defined]
        seconds=seconds,
        # A ParseTermination is always truthy, so it is compared.
        finished=termination != ParseTermination.MALFORMED,
    )

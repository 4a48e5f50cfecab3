"""Looks at the policy on development requests while it trains: the win rate against the first policy, and all that is watched.

Knows sampling, the judges and the checks. What the figures mean is the business of ``watch``.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from idiolect.judge.pairs import Pair
from idiolect.methods.checks import Checked, DraftChecks
from idiolect.methods.diversity import distinct_n, self_bleu
from idiolect.methods.tournament import AsyncJudge
from idiolect.methods.watch import REWARD, Figure, Look, alarms, should_stop
from idiolect.service.connect import Connection, service_errors
from idiolect.service.sampling import derive_seed
from idiolect.service.writer import Writer
from idiolect.workspace import append_json_line, read_json_lines

if TYPE_CHECKING:
    import tinker

__all__ = ["Examiner", "Stopped", "Style", "evaluator", "wins_against"]

Style = Callable[[Sequence[str]], Sequence[float | None]]
"""For each text a number in [0, 1] for how much it reads like the person; None where it cannot be told."""


class Stopped(Exception):
    """The watch ended the training."""


@dataclass(frozen=True)
class _Written:
    prompt: tinker.ModelInput
    tokens: list[int]
    checked: Checked


async def wins_against(judge: AsyncJudge, requests: Sequence[str], drafts: Sequence[str], others: Sequence[str]) -> list[float]:
    """For each request the draft's win over the other one, the mean of both orders, from 0 to 1. Without a verdict it is left out."""
    pairs = [Pair(request, draft, other) for request, draft, other in zip(requests, drafts, others, strict=True)]
    found = await judge.probabilities([*pairs, *(pair.swapped for pair in pairs)])
    both = zip(found[: len(pairs)], found[len(pairs) :], strict=True)
    return [(_won(shown) + 1 - _won(turned)) / 2 for shown, turned in both if shown is not None and turned is not None]


def _won(probability: float) -> float:
    return 0.5 if probability == 0.5 else float(probability > 0.5)


@dataclass
class Examiner:
    """Has the policy write a draft for each development request and keeps what was found in ``looks.jsonl``.

    The drafts of a look are sampled with the same seeds every time. A look that a killed run already took is not taken again.
    """

    connection: Connection
    writer: Writer
    """How a development request is put: what the trained writer will be, but for its adapter."""
    first: Writer
    """The first policy, as it writes by itself."""
    requests: Sequence[str]
    checks: DraftChecks
    judge: AsyncJudge
    second: AsyncJudge | None
    style: Style | None
    path: Path
    seed: int
    patience: int

    @property
    def looks(self) -> list[Look]:
        rows = read_json_lines(self.path, torn_tail=True) if self.path.exists() else ()
        return [Look.model_validate(row) for row in rows]

    async def look(self, policy: tinker.SamplingClient, step: int, sampler_path: str | None) -> Look:
        """What the policy is before ``step``. Raises ``Stopped`` where the watch has had enough."""
        before = self.looks
        known = next((look for look in before if look.step == step), None)
        if known is None:
            known = Look(step=step, figures=await self._figures(policy), sampler_path=sampler_path)
            known = known.model_copy(update={"alarms": alarms(before, known)})
            append_json_line(self.path, known.model_dump(mode="json"))
            before.append(known)
        if should_stop([look for look in before if look.step <= step], self.patience):
            raise Stopped
        return known

    async def _figures(self, policy: tinker.SamplingClient) -> dict[str, Figure]:
        written = await self._write(policy, self.writer)
        reference = await self.connection.sampler(self.first)
        base = await self._first_drafts(reference)
        checked = [one.checked for one in written]
        texts = [draft.text for draft in checked]
        values: dict[str, Sequence[float]] = {
            REWARD: await wins_against(self.judge, self.requests, texts, base),
            "facts_kept": [draft.kept for draft in checked],
            "nothing_invented": [float(not draft.invented) for draft in checked],
            "well_formed": [float(draft.well_formed) for draft in checked],
            "no_placeholders": [float("placeholder" not in draft.faults) for draft in checked],
            "length_fit": [draft.length_fit for draft in checked],
            "words": [float(draft.words) for draft in checked],
            "kl": await self._kl(policy, reference, written),
        }
        if self.second:
            values["second_judge"] = await wins_against(self.second, self.requests, texts, base)
        if self.style:
            values["style"] = [score for score in self.style(texts) if score is not None]
        figures = {name: _figure(each) for name, each in values.items() if each}
        return figures | {"distinct_2": Figure(mean=distinct_n(texts)), "variety": Figure(mean=1 - self_bleu(texts))}

    async def _first_drafts(self, reference: tinker.SamplingClient) -> list[str]:
        """The first policy's drafts, written once a run."""
        path = self.path.with_name("first_drafts.jsonl")
        known = {row["request"]: row["text"] for row in read_json_lines(path, torn_tail=True)} if path.exists() else {}
        if any(request not in known for request in self.requests):
            for request, one in zip(self.requests, await self._write(reference, self.first), strict=True):
                append_json_line(path, {"request": request, "text": one.checked.text})
                known[request] = one.checked.text
        return [known[request] for request in self.requests]

    async def _write(self, policy: tinker.SamplingClient, writer: Writer) -> list[_Written]:
        import tinker

        from idiolect.methods.preference_env import parse_draft

        renderer = self.connection.renderer(writer)

        async def one(request: str) -> _Written:
            prompt = renderer.build_generation_prompt(list(writer.messages(request)))  # type: ignore[arg-type]
            params = tinker.SamplingParams(
                max_tokens=writer.max_tokens, temperature=writer.temperature, seed=derive_seed(self.seed, "look", request),
                stop=renderer.get_stop_sequences(),
            )  # fmt: skip
            async with self.connection.gate:
                answer = await policy.sample(prompt=prompt, num_samples=1, sampling_params=params)
            tokens = list(answer.sequences[0].tokens)
            text, finished = parse_draft(renderer, tokens)
            return _Written(prompt, tokens, self.checks.check(request, text, finished=finished))

        with service_errors(self.connection.base_url):
            return list(await asyncio.gather(*map(one, self.requests)))

    async def _kl(self, policy: tinker.SamplingClient, reference: tinker.SamplingClient, written: Sequence[_Written]) -> list[float]:
        """For each draft log π(draft) − log π₀(draft) per token, in nats, both given the development prompt."""
        import tinker

        async def logprob(sampler: tinker.SamplingClient, one: _Written) -> float:
            whole = tinker.ModelInput.from_ints([*one.prompt.to_ints(), *one.tokens])
            async with self.connection.gate:
                found = await sampler.compute_logprobs(whole, len(one.tokens))
            return math.fsum(value for value in found[-len(one.tokens) :] if value is not None)

        async def one_kl(one: _Written) -> float:
            return (await logprob(policy, one) - await logprob(reference, one)) / max(1, len(one.tokens))

        with service_errors(self.connection.base_url):
            return list(await asyncio.gather(*map(one_kl, written)))


def _figure(values: Sequence[float]) -> Figure:
    spread = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return Figure(mean=mean(values), stderr=spread)


def evaluator(examiner: Examiner, start: int, every: int, path_of: Callable[[int], str | None]) -> Callable[[], Any]:
    """The cookbook's evaluator of the loop that begins with step ``start``: its first call is for that step, then every ``every``."""
    from tinker_cookbook.eval.evaluators import SamplingClientEvaluator

    class WinRateEvaluator(SamplingClientEvaluator):
        def __init__(self) -> None:
            self.step = start

        async def __call__(self, sampling_client: tinker.SamplingClient) -> dict[str, float]:
            step, self.step = self.step, self.step + every
            look = await examiner.look(sampling_client, step, path_of(step))
            told = {f"dev/{name}": figure.mean for name, figure in look.figures.items() if name != REWARD}
            reward = look.figures[REWARD]
            return {**told, REWARD: reward.mean, "stderr_vs_base": reward.stderr, "dev/alarms": float(len(look.alarms))}

    return WinRateEvaluator

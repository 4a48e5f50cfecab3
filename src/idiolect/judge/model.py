"""A model as a judge: the probability that one draft is better, read from the letters' logprobs or from sampled verdicts.

Knows the service and the Prometheus form. Knows nothing of how the model was trained.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from idiolect.errors import InputError
from idiolect.judge.pairs import Pair, Verdict, in_both_orders, verdicts
from idiolect.judge.prometheus import MARK, judge_messages, parse_verdict
from idiolect.judge.rubric import Rubric
from idiolect.service.connect import Connection, service_errors
from idiolect.service.sampling import OnProgress, complete
from idiolect.workspace import read_json, write_json

if TYPE_CHECKING:
    import tinker

__all__ = ["Judge", "ModelJudge", "both_orders"]

_REASON_TOKENS = 160


class Judge(BaseModel):
    """What a judge is made of. Saved as ``judge.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base_model: str
    renderer: str
    adapter: str | None = None
    rubric: Rubric
    lean: float = 0.0
    """The log-odds that it gives the first place whatever stands there; taken off every verdict that is read."""

    def save(self, path: Path) -> None:
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> Judge:
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            first = error.errors()[0]
            where = f"{path}, field {'.'.join(str(part) for part in first['loc'])}"
            raise InputError(f"is not a judge: {first['msg']}", where=where, hint="Run `idiolect judge train` again") from error


@dataclass
class ModelJudge:
    """A model, with an adapter or without, that is asked in the Prometheus form.

    By default a verdict is one token's logprobs, less the judge's ``lean`` (arXiv 2309.17249 calibrates so). With ``votes`` it is the
    share of so many sampled answers, reasons first, that end in the letter; answers that end in none are counted in ``unparsed`` and
    never guessed.
    """

    connection: Connection
    base_model: str
    adapter: str | None
    renderer: str
    rubric: Rubric
    lean: float = 0.0
    name: str = "rubric"
    votes: int = 0
    temperature: float = 0.7
    seed: int = 0
    unparsed: int = field(default=0, init=False)

    @classmethod
    def of(cls, connection: Connection, judge: Judge, *, name: str = "rubric", votes: int = 0) -> ModelJudge:
        return cls(connection, judge.base_model, judge.adapter, judge.renderer, judge.rubric, judge.lean, name=name, votes=votes)

    def prefers_first(self, pairs: Sequence[Pair]) -> list[float | None]:
        return self.connection.run(self.probabilities(pairs))

    async def probabilities(self, pairs: Sequence[Pair], on_progress: OnProgress | None = None) -> list[float | None]:
        """For each pair as it stands the probability that its first draft is better; None where the model gives no verdict."""
        return await (self._sampled(pairs, on_progress) if self.votes else self._read(pairs, on_progress))

    async def _read(self, pairs: Sequence[Pair], on_progress: OnProgress | None) -> list[float | None]:
        """P(A) / (P(A) + P(B)) of the token after ``[RESULT]``, without the lean. None for a pair that the context does not hold."""
        shown = [judge_messages(self.rubric, pair) for pair in pairs]
        found = await self.log_odds(shown, on_progress)
        return [None if odds is None else 1 / (1 + math.exp(self.lean - odds)) for odds in found]

    async def log_odds(self, conversations: Sequence[list[dict[str, str]]], on_progress: OnProgress | None = None) -> list[float | None]:
        """log P(A) − log P(B) of the token after ``[RESULT]``: one request each. None where the context does not hold it."""
        import tinker

        renderer, sampler = self.connection.renderer(self), await self.connection.sampler(self)
        longest = await self.connection.context_length(self.base_model)
        mark, letters = _verdict_tokens(renderer.tokenizer)
        # One token must be sampled; it does not matter.
        params = tinker.SamplingParams(max_tokens=1, temperature=0.0, stop=[])
        done = 0

        async def one(messages: list[dict[str, str]]) -> float | None:
            nonlocal done
            prompt = renderer.build_generation_prompt(messages)  # type: ignore[arg-type]
            tokens = [*prompt.to_ints(), *mark, letters[0]]
            if longest and len(tokens) >= longest:
                return None
            async with self.connection.gate:
                answer = await sampler.sample(
                    tinker.ModelInput.from_ints(tokens), 1, params, target_prompt_logprobs=_at_the_end(letters, len(tokens) - 1)
                )
            done += 1
            if on_progress:
                on_progress(done, len(conversations))
            a, b = answer.target_prompt_logprobs.data  # type: ignore[union-attr]
            return a - b

        tasks = [asyncio.create_task(one(messages)) for messages in conversations]
        try:
            with service_errors(self.connection.base_url):
                return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _sampled(self, pairs: Sequence[Pair], on_progress: OnProgress | None) -> list[float | None]:
        answers_P_G = await complete(
            self.connection,
            self,
            [judge_messages(self.rubric, pair, reasons=True) for pair in pairs],
            max_tokens=_REASON_TOKENS,
            temperature=self.temperature,
            seed=self.seed,
            num_samples=self.votes,
            on_progress=on_progress,
        )
        found: list[float | None] = []
        for answers in answers_P_G:
            letters = [parse_verdict(one.text) for one in answers]
            told = [letter == "A" for letter in letters if letter]
            self.unparsed += len(letters) - len(told)
            found.append(sum(told) / len(told) if told else None)
        return found


async def both_orders(judge: ModelJudge, pairs: Sequence[Pair], on_progress: OnProgress | None = None) -> list[Verdict | None]:
    """The model's verdict on each pair from both orders, all asked at one time."""
    return verdicts(await judge.probabilities(in_both_orders(pairs), on_progress))


def _verdict_tokens(tokenizer: object) -> tuple[list[int], tuple[int, int]]:
    """The tokens of ``[RESULT]`` and the one token of each letter after it."""
    encoded = [tokenizer.encode(f"{MARK}{letter}", add_special_tokens=False) for letter in ("", " A", " B")]  # type: ignore[attr-defined]
    mark, *answers = (list(tokens) for tokens in encoded)
    if any(tokens[:-1] != mark for tokens in answers) or answers[0] == answers[1]:
        raise InputError("its tokenizer has no single token for ' A' and ' B'", where="the judge's model", hint="Name another model")
    return mark, (answers[0][-1], answers[1][-1])


def _at_the_end(letters: tuple[int, int], rows: int) -> tinker.TensorData:
    """What asks for the logprobs of both letters in the place of the prompt's last token, [rows, 2] in sparse form."""
    import tinker

    return tinker.TensorData(
        data=list(letters), dtype="int64", shape=[rows, 2], sparse_crow_indices=[0] * rows + [2], sparse_col_indices=[0, 1]
    )

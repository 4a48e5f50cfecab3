"""DITTO (Shaikh et al. 2024, arXiv 2406.00888): a handful of demonstrations are preferred to whatever the model writes itself.

Knows demonstrations and a training client. Knows nothing of measures.

Algorithm 1: imitate the demonstrations for a little (the result is the reference); then again and again let the current policy
write drafts for the same requests, hold the demonstrations against them, and take DPO steps on these comparisons.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from idiolect.corpus import Demonstration
from idiolect.errors import InputError
from idiolect.methods.baseline import plain_writer
from idiolect.methods.dpo import DpoLoss, Preference, Text, dpo_step, text_of
from idiolect.methods.prompting import tuned_writer
from idiolect.methods.replay import Draft, Mix, ReplayBuffer
from idiolect.methods.run import Run, open_run, training_state
from idiolect.methods.tracking import Tracker, Tracking, tracked
from idiolect.methods.training import usual_learning_rate
from idiolect.service.connect import Connection, Model, service_errors
from idiolect.service.sampling import complete, derive_seed
from idiolect.service.scores import text_logprobs
from idiolect.service.writer import TEMPERATURE, Writer
from idiolect.settings import Settings, pocket_model
from idiolect.tasks import rows_with_made_up_facts
from idiolect.workspace import Workspace, append_json_line, read_json, read_json_lines, write_json, write_json_lines

if TYPE_CHECKING:
    import tinker

__all__ = ["DittoConfig", "ditto"]

_POCKET_RATE = 2e-5
"""At 1e-4 and above the DPO steps take away what imitation has learnt (docs/LOG.md)."""
_POCKET_LOSS = 0.02
"""At 0.3 the pocket model has hardly begun to write as the person does, and at 0.05 it has not all of the habits (docs/LOG.md)."""
_MAX_LENGTH = 1024
"""Tokens of a request and its text; longer ones are cut."""


class DittoConfig(BaseModel):
    """Preference optimization of a handful of demonstrations against the model's own drafts."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    demonstrations: int = Field(default=7, ge=1)
    """How many of the person's texts are learnt from."""
    imitate_to: float | None = Field(default=None, gt=0)
    """The batch's loss (nats a token) at which imitation stops; by default 0.02 for the pocket model, else the paper's 1.0."""
    imitate_steps: int = Field(default=80, ge=0)
    """At most so many steps of imitation."""
    rounds: int = Field(default=4, ge=1)
    """How often the current policy writes drafts anew."""
    steps: int = Field(default=10, ge=1)
    """DPO steps of a round."""
    samples: int = Field(default=10, ge=1)
    """Drafts of a round for each demonstration, sampled at temperature 1; with ``varied`` each for other made-up facts."""
    batch_size: int = Field(default=24, ge=1)
    """Comparisons a step."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Of the DPO steps; by default 2e-5 for the pocket model, else 1e-5."""
    beta: float = Field(default=0.05, gt=0)
    """How dear it is to leave the reference."""
    method: Literal["ditto", "spin"] = "ditto"
    """ditto, or spin: demonstrations over current drafts only, and each round's first policy as its reference (arXiv 2401.01335)."""
    replay: bool = True
    """Whether drafts of earlier rounds are compared, too."""
    between: bool = True
    """Whether a round's drafts are preferred to earlier ones."""
    layers: Literal["all", "attention"] = "all"
    """Which layers the adapter (of rank 16) changes."""
    imitation: float = Field(default=0.0, ge=0)
    """Weight of the demonstrations' own log-probability in the DPO steps; not the paper's."""
    varied: bool = Field(default=True, exclude_if=lambda value: not value)
    """Whether the demonstrations have made-up names, days and numbers, other ones in each step of imitation. Not the paper's."""
    prompted: bool | None = Field(default=None, exclude_if=lambda value: not value)
    """Whether the style description of prompt.md stands before each request, in training and in drafts; by default it does for a new
    adapter, and another goes on as it was taught. Not the paper's."""
    temperature: float = Field(default=TEMPERATURE, ge=0)
    """Sampling temperature of the finished writer."""

    @property
    def mix(self) -> Mix:
        """The shares of comparisons; what an ablation leaves out goes to the first kind."""
        replay = 0.2 if self.replay and self.method == "ditto" else 0.0
        between = 0.1 if self.between and self.method == "ditto" else 0.0
        return Mix(1 - replay - between, replay, between)


async def ditto(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    config: DittoConfig | None = None,
    *,
    first: Writer | None = None,
    again: bool = False,
    tracking: Tracking | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Writer:
    """Train a new adapter, or that of the writer ``first`` on. A killed run goes on from its last round to the same weights.

    Raises ``InputError`` where there are no demonstrations or ``first`` has no training state in the workspace.
    """
    config = settings.filled("ditto", config or DittoConfig())
    rows = [(row.input, row.output) for row in demonstrations if row.input and row.output][: config.demonstrations]
    if not rows:
        raise InputError("there are no demonstrations", where=str(workspace.demonstrations), hint="Run `idiolect import` first")
    plain = plain_writer(workspace, settings, name=config.method, temperature=config.temperature)
    begun = training_state(workspace, first) if first else None
    if first and begun is None:
        raise InputError(f"the writer {first.name!r} has no adapter that was trained here", hint="Start from sft or rlaif")
    if first and config.prompted is None:
        told = plain.model_copy(update={"system_prompt": first.system_prompt})
    else:
        told = await tuned_writer(connection, workspace, settings, demonstrations, plain, prompted=config.prompted is not False)
    run = open_run(workspace, config.method, {
        **config.model_dump(mode="json"), **({"first": begun} if begun else {}),
        **({"prompt": told.system_prompt} if told.system_prompt else {}),
        "seed": settings.seed, "base_model": plain.base_model, "renderer": plain.renderer,
        "rows_sha256": hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest(),
    }, again=again)  # fmt: skip
    if run.finished:
        return run.writer()
    with tracked(run, tracking) as tracker, service_errors(connection.base_url):
        trainer = _Trainer(connection, run, told, config, rows, settings.seed, tracker, begun)
        client = await trainer.start()
        for number in range(trainer.round, config.rounds):
            if on_progress:
                on_progress(number, config.rounds)
            await trainer.one_round(client, number)
        adapter = (await client.save_weights_for_sampler("final")).path
    if on_progress:
        on_progress(config.rounds, config.rounds)
    return run.finish(told.model_copy(update={"adapter": adapter}))


@dataclass
class _Trainer:
    """One run: its files, and the steps of Algorithm 1."""

    connection: Connection
    run: Run
    told: Writer
    """The policy without its adapter: what it is told before each request, and what it is made of."""
    config: DittoConfig
    rows: list[tuple[str, str]]
    seed: int
    tracker: Tracker
    begun: str | None = None
    """The training state of the policy that the run begins with; a new adapter if there is none."""
    round: int = 0
    """The round to go on with."""

    def __post_init__(self) -> None:
        self.renderer = self.connection.renderer(self.told)
        # Drafts for facts that nothing was learnt from by heart show what the policy gets wrong with new ones.
        versions, self.each = (self.config.samples, 1) if self.config.varied else (1, self.config.samples)
        self.shown = [row for version in range(versions) for row in rows_with_made_up_facts(self.rows, version, self.seed)]
        self.buffer = ReplayBuffer(self.run.folder / "rounds")
        pocket = self.told.base_model == pocket_model()
        self.threshold = self.config.imitate_to or (_POCKET_LOSS if pocket else 1.0)
        self.rate = self.config.learning_rate or (_POCKET_RATE if pocket else 1e-5)
        # A sampled draft stands in many comparisons; it is tokenized once.
        self.texts: dict[tuple[int, str], Text] = {}

    async def start(self) -> tinker.TrainingClient:
        """The policy after imitation, or after the last whole round of a run that was killed."""
        saved = list(read_json_lines(self._checkpoints, torn_tail=True)) if self._checkpoints.exists() else []
        metrics = self.run.folder / "metrics.jsonl"
        # What a kill left of a round is done again, and is told once.
        done = [row for row in read_json_lines(metrics, torn_tail=True) if row.get("round", -1) < saved[-1]["round"]] if saved else []
        write_json_lines(metrics, done)
        if not saved:
            await self._imitate(client := await self._new_client())
            saved = [{"round": 0, "state": (await client.save_state("round-0")).path}]
            append_json_line(self._checkpoints, saved[0])
        self.round = saved[-1]["round"]
        if self.round:
            return await self.connection.client.create_training_client_from_state_with_optimizer(saved[-1]["state"])
        # The optimizer's moments belong to imitation; DPO begins with new ones.
        return await self.connection.client.create_training_client_from_state(saved[-1]["state"])

    async def _new_client(self) -> tinker.TrainingClient:
        if self.begun:
            return await self.connection.client.create_training_client_from_state(self.begun)
        everywhere = self.config.layers == "all"
        return await self.connection.client.create_lora_training_client(
            self.told.base_model, rank=16, seed=self.seed, train_mlp=everywhere, train_unembed=everywhere
        )

    async def _imitate(self, client: tinker.TrainingClient) -> None:
        """Line 1: supervised fine-tuning on the demonstrations, all in one batch, until its loss is low."""
        import tinker

        for step in range(self.config.imitate_steps):
            texts = [self._tokens(*row) for row in rows_with_made_up_facts(self.rows, step if self.config.varied else 0, self.seed)]
            total = sum(text.tokens for text in texts)
            gradient = await client.forward_backward([text.datum for text in texts], "cross_entropy")
            loss = _summed_loss(gradient) / total
            self.run.log(phase="imitation", step=step, loss=loss)
            if loss <= self.threshold:
                break
            # The gradient is a sum over tokens, which Adam does not mind: only its direction and steadiness count.
            await client.optim_step(tinker.AdamParams(learning_rate=usual_learning_rate(self.told.base_model), beta2=0.95, eps=1e-8))

    async def one_round(self, client: tinker.TrainingClient, number: int) -> None:
        """Lines 3 to 6: drafts of the current policy, then DPO on comparisons with them; ends with a checkpoint."""
        reference = await self._reference(client, number)
        if not self.buffer.has(number):
            self.buffer.add(number, await self._drafts(client, reference, number))
        own = await self._own_logprobs(reference)
        known = [self._tokens(*row, logprob) for row, logprob in zip(self.shown, own, strict=True)]
        loss = DpoLoss(beta=self.config.beta, imitation=self.config.imitation)
        for step in range(number * self.config.steps, (number + 1) * self.config.steps):
            rng = random.Random(f"{self.seed} comparisons {step}")
            chosen = self.buffer.comparisons(number, self.config.batch_size, self.config.mix, rng)
            pairs = [Preference(known[one] if isinstance(one, int) else self._text(one), self._text(other)) for one, other in chosen]
            figures = await dpo_step(client, pairs, loss, self.rate)
            self.run.log(phase="dpo", round=number, step=step, **figures)
            self.tracker.log(step, **figures)
        state = (await client.save_state(f"round-{number + 1}")).path
        append_json_line(self._checkpoints, {"round": number + 1, "state": state})

    async def _reference(self, client: tinker.TrainingClient, number: int) -> Model:
        """The policy after imitation for DITTO; for SPIN the policy at the round's beginning."""
        held = number if self.config.method == "spin" else 0
        path = self.run.folder / f"reference-{held}.json"
        if not path.exists():
            write_json(path, {"adapter": (await client.save_weights_for_sampler(f"reference-{held}")).path})
        return Model(self.told.base_model, self.told.renderer, read_json(path)["adapter"])

    async def _drafts(self, client: tinker.TrainingClient, reference: Model, number: int) -> list[Draft]:
        """``samples`` drafts of the current policy for each demonstration's request, without those that were cut off or are too long."""
        policy = Model(self.told.base_model, self.told.renderer, (await client.save_weights_for_sampler(f"policy-{number}")).path)
        answers_P_G = await complete(
            self.connection, policy, [self.told.messages(request) for request, _ in self.shown], num_samples=self.each,
            max_tokens=self.told.max_tokens, temperature=1.0, seed=derive_seed(self.seed, "ditto", number),
        )  # fmt: skip
        whole = [(index, one.text) for index, group in enumerate(answers_P_G) for one in group if one.finished and one.text]
        whole = whole or [(index, one.text) for index, group in enumerate(answers_P_G) for one in group]
        whole = await self._fitting(whole)
        logprobs = await self._logprobs(reference, [(self.shown[index][0], text) for index, text in whole])
        return [Draft(index, text, logprob) for (index, text), logprob in zip(whole, logprobs, strict=True)]

    async def _fitting(self, drafts: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Those that training takes whole: a draft that is read again may have more tokens than were sampled."""
        longest = min(_MAX_LENGTH, await self.connection.context_length(self.told.base_model) or _MAX_LENGTH)
        chats = [[*self.told.messages(self.shown[index][0]), {"role": "assistant", "content": text}] for index, text in drafts]
        sizes = [self.renderer.build_supervised_example(chat)[0].length for chat in chats]  # type: ignore[arg-type]
        found = [one for one, size in zip(drafts, sizes, strict=True) if size <= longest]
        if not found:
            hint = "Shorten the demonstrations, or lower max_tokens in the task"
            raise InputError(f"no draft fits into {longest} tokens with its request", where=self.told.base_model, hint=hint)
        return found

    async def _own_logprobs(self, reference: Model) -> list[float]:
        """The demonstrations' log-probabilities under the reference, computed once for each reference."""
        path = self.run.folder / "reference.json"
        if not path.exists() or read_json(path)["adapter"] != reference.adapter:
            write_json(path, {"adapter": reference.adapter, "logprobs": await self._logprobs(reference, self.shown)})
        return read_json(path)["logprobs"]

    async def _logprobs(self, model: Model, rows: Sequence[tuple[str, str]]) -> list[float]:
        chats = [[*self.told.messages(request), {"role": "assistant", "content": text}] for request, text in rows]
        return [sum(found) for found in await text_logprobs(self.connection, model, chats)]

    def _text(self, draft: Draft) -> Text:
        key = (draft.demonstration, draft.text)
        if key not in self.texts or self.texts[key].reference != draft.reference:
            self.texts[key] = self._tokens(self.shown[draft.demonstration][0], draft.text, draft.reference)
        return self.texts[key]

    def _tokens(self, request: str, text: str, reference: float = 0.0) -> Text:
        return text_of(self.renderer, self.told.messages(request), text, _MAX_LENGTH, reference)

    @property
    def _checkpoints(self) -> Path:
        return self.run.folder / "checkpoints.jsonl"


def _summed_loss(output: Any) -> float:
    return float(output.metrics["loss:sum"])

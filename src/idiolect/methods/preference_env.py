"""Groups of drafts as the cookbook's RL loop wants them.

Knows the cookbook's environments, a referee and the checks. Importing it loads the cookbook, so only training does.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import chz
from tinker_cookbook.renderers import Message, Renderer, get_text_content
from tinker_cookbook.rl.preference_envs import PreferenceEnv
from tinker_cookbook.rl.types import Env, EnvGroupBuilder, Metrics, RLDataset, RLDatasetBuilder, Trajectory

from idiolect.methods.checks import Checked, DraftChecks
from idiolect.methods.diversity import distinct_n, self_bleu
from idiolect.methods.tournament import Referee
from idiolect.service.writer import Writer

__all__ = ["Ground", "RubricPreferenceDataset", "RubricPreferenceDatasetBuilder", "RubricPreferenceGroupBuilder", "parse_draft"]


def parse_draft(renderer: Renderer, tokens: Sequence[int]) -> tuple[str, bool]:
    """A sampled draft's text, and whether it ended with the model's end mark."""
    message, termination = renderer.parse_response(list(tokens))
    return get_text_content(message).strip(), termination.is_clean


@dataclass(frozen=True)
class Ground:
    """What all groups of a run share."""

    writer: Writer
    """How a training request is put: with the prompt and the examples of this writer."""
    renderer: Renderer
    referee: Referee
    checks: DraftChecks
    group_size: int
    references: Mapping[str, str] = field(default_factory=dict)
    """The first policy's draft for each training request, where the tournament needs one."""

    def to_dict(self) -> dict[str, Any]:
        """What a log may know of it: nothing that the person wrote."""
        return {"writer": self.writer.name, "group_size": self.group_size, "referee": self.referee.to_dict()}


@dataclass(frozen=True)
class RubricPreferenceGroupBuilder(EnvGroupBuilder):
    """``group_size`` drafts for one request, judged against each other when all are written."""

    request: str
    ground: Ground

    async def make_envs(self) -> Sequence[Env]:
        prompt = [Message(role=turn["role"], content=turn["content"]) for turn in self.ground.writer.messages(self.request)]
        return [PreferenceEnv(prompt, self.ground.renderer) for _ in range(self.ground.group_size)]

    async def compute_group_rewards(self, trajectory_group: list[Trajectory], env_group: Sequence[Env]) -> list[tuple[float, Metrics]]:
        drafts = [self._checked(trajectory) for trajectory in trajectory_group]
        rewards = await self.ground.referee.rewards(self.request, drafts, self.ground.references.get(self.request))
        texts = [draft.text for draft in drafts]
        alike = {"distinct_2": distinct_n(texts), "self_bleu": self_bleu(texts)}
        return [(reward.value, {**reward.metrics, **alike}) for reward in rewards]

    def _checked(self, trajectory: Trajectory) -> Checked:
        text, finished = parse_draft(self.ground.renderer, trajectory.transitions[0].ac.tokens)
        return self.ground.checks.check(self.request, text, finished=finished)

    def logging_tags(self) -> list[str]:
        return ["rubric_preference"]


class RubricPreferenceDataset(RLDataset):
    """One batch a step; requests come round again in a new order, which depends on the seed only."""

    def __init__(self, requests: Sequence[str], ground: Ground, batch_size: int, steps: int, seed: int) -> None:
        self._ground, self._batch_size, self._steps = ground, batch_size, steps
        self._order: list[str] = []
        for turn in range(-(-batch_size * steps // len(requests))):
            shuffled = list(requests)
            random.Random(f"{seed} {turn}").shuffle(shuffled)
            self._order += shuffled

    def get_batch(self, index: int) -> Sequence[EnvGroupBuilder]:
        batch = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return [RubricPreferenceGroupBuilder(request, self._ground) for request in batch]

    def __len__(self) -> int:
        return self._steps

    def to_dict(self) -> dict[str, Any]:
        """What a log may know of it."""
        return {"requests": len(set(self._order)), "batch_size": self._batch_size, "steps": self._steps, **self._ground.to_dict()}


@chz.chz
class RubricPreferenceDatasetBuilder(RLDatasetBuilder):
    """Hands the loop its dataset. There is no test set: the development requests are looked at by ``looks``."""

    dataset: RubricPreferenceDataset

    async def __call__(self) -> tuple[RLDataset, RLDataset | None]:
        return self.dataset, None

"""Dry runs: the steps that a training verb would take in a workspace, with their tokens.

Knows the methods' configs and what lies in the workspace. Asks no service.
"""

from __future__ import annotations

from dataclasses import replace

from idiolect.cli.options import demonstrations_of, report
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.methods.ditto import DittoConfig
from idiolect.methods.estimate import (
    Estimate,
    Lengths,
    Work,
    ditto_work,
    lengths_of,
    prompt_work,
    rlaif_work,
    rubric_work,
    sft_work,
    synthesis_work,
)
from idiolect.methods.prompting import PromptingConfig
from idiolect.methods.reward_model import RewardModelConfig
from idiolect.methods.rlaif import RlaifConfig
from idiolect.methods.sft import SftConfig
from idiolect.methods.synthetic import can_teach
from idiolect.service import Writer
from idiolect.settings import Settings, model_named
from idiolect.synthesis import SynthesisConfig
from idiolect.tasks import load_task
from idiolect.workspace import Workspace, read_text

__all__ = ["planned_ditto", "planned_judge", "planned_rlaif", "planned_sft", "tell_plan"]

_DESCRIBED = 1500
"""Characters that a style prompt may come to have, before there is one."""


def tell_plan(settings: Settings, estimate: Estimate, as_json: bool = False) -> None:
    """Print an estimate at the workspace's prices."""
    report(as_json, estimate.values(settings.prices), estimate.told(settings.prices))


def planned_sft(place: Workspace, settings: Settings, config: SftConfig) -> Estimate:
    """What is missing before the fine-tuning, and the fine-tuning."""
    config, rows = settings.filled("sft", config), demonstrations_of(place)
    lengths, works = _lengths(place), _prompting(place, settings)
    written, made = _synthesis(place, settings, lengths) if config.data != "demonstrations" else ([], 0)
    own = len(rows) * config.times(len(rows), made)
    learnt = {"synthetic": made, "demonstrations": own, "both": made + own}[config.data]
    trained = sft_work(
        settings,
        lengths,
        steps=config.steps,
        batch_size=config.batch_size,
        max_length=config.max_length,
        rows=learnt,
        prompted=config.prompted,
    )
    return Estimate((*works, *written, *trained))


def planned_ditto(place: Workspace, settings: Settings, config: DittoConfig, first: Writer | None = None) -> Estimate:
    """The style description where it is wanted and missing, and the tokens of imitation, of the rounds' drafts and of the comparisons."""
    config, rows = settings.filled("ditto", config), demonstrations_of(place)
    described = first is None if config.prompted is None else config.prompted
    works = ditto_work(
        settings, _lengths(place), demonstrations=min(config.demonstrations, len(rows)), samples=config.samples,
        sft_steps=config.imitate_steps, steps=config.rounds * config.steps, every=config.steps, batch_size=config.batch_size,
        prompted=described or bool(first and first.system_prompt),
    )  # fmt: skip
    return Estimate((*(_prompting(place, settings) if described else ()), *works))


def planned_judge(place: Workspace, settings: Settings, config: RewardModelConfig, policy: Writer | None = None) -> Estimate:
    """The drafts that own texts are held against, those of the policy among each other, and the reward model's training."""
    config = settings.filled("reward_model", config)
    own = 0 if config.data == "preferences" else len(demonstrations_of(place)) * config.drafts
    works = rubric_work(
        settings, model_named(config.base_model or settings.policy), _lengths(place), steps=config.steps, batch_size=config.batch_size,
        max_length=config.max_length, reasons=config.reasons, drafts=own, collection=config.data != "own",
    )  # fmt: skip
    if policy and own:
        lengths, further = _lengths(place), len(load_demonstrations(place.synthetic / "demonstrations.jsonl"))
        drafts = config.policy_drafts * (len(demonstrations_of(place)) + min(config.policy_requests, further))
        asked = Work(
            "write the policy's drafts", policy.base_model, read=round(drafts * lengths.request), sampled=round(drafts * lengths.text)
        )
        works.insert(0, asked)
    return Estimate(tuple(works))


def planned_rlaif(place: Workspace, settings: Settings, config: RlaifConfig, *, judged: bool = True) -> Estimate:
    """Requests where there are none yet, and the training, if it is ``judged`` against the model that the reward model's settings name."""
    judge = model_named(settings.filled("reward_model", RewardModelConfig()).base_model or settings.policy) if judged else None
    config, lengths = settings.filled("rlaif", config), _lengths(place)
    written, made = _synthesis(place, settings, lengths)
    dev = min(config.dev_requests, (made + len(demonstrations_of(place))) // 2)
    # Without the style prompt the drafts' prompts are requests alone.
    asked = lengths if config.training_prompt else replace(lengths, prompt=0.0)
    works = rlaif_work(
        settings, judge, asked, steps=config.steps, batch_size=config.batch_size, group_size=config.group_size, every=config.every,
        dev_requests=dev,
    )  # fmt: skip
    return Estimate((*written, *works))


def _lengths(place: Workspace) -> Lengths:
    return lengths_of(demonstrations_of(place), read_text(place.prompt) if place.prompt.exists() else "." * _DESCRIBED)


def _prompting(place: Workspace, settings: Settings) -> list[Work]:
    """Requests for texts without one, and the style description, where there is none yet."""
    if place.prompt.exists():
        return []
    rows, config = demonstrations_of(place), PromptingConfig()
    missing = sum(not row.input for row in rows)
    shape = {"emails_per_call": config.emails_per_call, "calls": config.calls}
    return prompt_work(settings, _lengths(place), texts=len(rows), without_request=missing, **shape)


def _synthesis(place: Workspace, settings: Settings, lengths: Lengths) -> tuple[list[Work], int]:
    """The synthetic texts' work and number; those that are there already are no work."""
    there = len(load_demonstrations(place.synthetic / "demonstrations.jsonl"))
    if there:
        return [], there
    task, config = load_task(settings.task, place), settings.filled("synthesis", SynthesisConfig())
    if not can_teach(settings, task):
        return [], 0
    topics = len(task.topics)
    works = synthesis_work(
        settings, lengths, topics=topics, per_topic=config.per_topic, examples=PromptingConfig().examples, think=config.think,
        critique=config.critique,
    )  # fmt: skip
    return works, topics * config.per_topic

"""The reward model: a judge of pairs in the Prometheus form, trained on labelled pairs by the cookbook's supervised loop.

Knows pairs, rubrics and the loop. Knows nothing of what is done with the judge.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from idiolect.corpus import Demonstration
from idiolect.corpus.preferences import load_preferences
from idiolect.errors import InputError
from idiolect.judge.examples import LabelledPair, chosen_pairs, conversations, labelled_pairs, own_pairs, spoilt_pairs
from idiolect.judge.likeness import Likeness, policy_pairs
from idiolect.judge.model import Judge, ModelJudge
from idiolect.judge.pairs import in_both_orders
from idiolect.judge.preferences import PREFERENCE_COLLECTION, preference_rows
from idiolect.judge.prometheus import judge_messages
from idiolect.judge.rubric import Rubric
from idiolect.judge.seen import common
from idiolect.methods.baseline import plain_writer
from idiolect.methods.checks import DraftChecks
from idiolect.methods.run import newest, open_run
from idiolect.methods.tracking import Tracking
from idiolect.methods.training import Fitting, fit, usual_learning_rate
from idiolect.service.connect import Connection, renderer_name
from idiolect.service.datums import prompt_tokens
from idiolect.service.sampling import Completion, complete, derive_seed
from idiolect.service.writer import Writer
from idiolect.settings import Settings, model_named, renderer_of
from idiolect.synthesis.log import AnswerLog
from idiolect.tasks import load_task, rows_with_made_up_facts
from idiolect.workspace import Workspace

__all__ = ["RESULT", "RewardModelConfig", "judge_model", "load_judge", "plain_drafts", "reward_model", "rubric_of"]

RESULT = "judge.json"
_METHOD = "judge"
_LEAN_VERSIONS = 3

OnStage = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, of how much."""


class RewardModelConfig(BaseModel):
    """LoRA fine-tuning of a judge on pairs whose better half is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    data: Literal["own", "preferences", "both"] = "own"
    """What is learnt from: pairs of the person's own mail with their votes and edits, the Preference Collection, or both."""
    base_model: str | None = None
    """The model that becomes the judge; by default the policy."""
    renderer: str | None = None
    """The cookbook renderer of that model."""
    drafts: int = Field(default=3, ge=0)
    """Drafts of the plain policy that each own text is held against."""
    spoilt: int = Field(default=16, ge=0)
    """Pairs of each own text with a habit broken or a fact lost or invented."""
    policy_drafts: int = Field(default=8, ge=0)
    """Drafts of the policy that is to be reinforced, for each request, that are held against each other."""
    policy_pairs: int = Field(default=6, ge=0)
    """Pairs of them for each request, of which the one is clearly more like the person's texts, or truer."""
    policy_requests: int = Field(default=60, ge=0)
    """Requests without an own text that the policy drafts for, beside those of the own texts."""
    labels: str | None = None
    """A JSON Lines file of further pairs: request, better, worse."""
    preferences: str = PREFERENCE_COLLECTION
    """A hub data set, or a file, with the Preference Collection's schema."""
    rows: int = Field(default=20_000, ge=1)
    """Rows of it, after the held-out ones."""
    reasons: float = Field(default=0.25, ge=0, le=1)
    """Share of the own pairs that are taught with reasons before the verdict."""
    steps: int = Field(default=320, ge=1)
    """Optimizer steps."""
    batch_size: int = Field(default=16, ge=2, multiple_of=2)
    """Texts a step; a pair in both orders is two."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate; by default as in fine-tuning."""
    rank: int = Field(default=32, ge=1)
    """Rank of the LoRA adapter."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls."""
    max_length: int = Field(default=2048, ge=16)
    """Tokens of a pair with its rubric; longer ones are cut."""
    save_every: int = Field(default=20, ge=1)
    """Steps between checkpoints; a killed run goes on from the last one."""


async def reward_model(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    config: RewardModelConfig | None = None,
    *,
    policy: Writer | None = None,
    requests: Sequence[str] = (),
    again: bool = False,
    tracking: Tracking | None = None,
    progress: OnStage | None = None,
) -> Judge:
    """Train the workspace's judge, and save it as ``judge.json`` in its run. A killed run goes on from its last checkpoint.

    With the ``policy`` that is to be reinforced it learns from that one's drafts, too, for the own texts' requests and for further
    ``requests``: a judge is most in doubt among drafts of one writer, and has to tell these apart (Gao et al. 2022, arXiv 2210.10760).
    """
    config = settings.filled("reward_model", config or RewardModelConfig())
    plain = judge_model(workspace, settings, config)
    drafts = await _policy_drafts(connection, workspace, settings, policy, demonstrations, requests, config, progress)
    rows = await _rows(connection, workspace, settings, demonstrations, config, plain, drafts, progress)
    run = open_run(workspace, _METHOD, {
        **config.model_dump(mode="json"), "seed": settings.seed, "base_model": plain.base_model, "renderer": plain.renderer,
        "rubric": plain.rubric.text, "rows_trained": len(rows),
        "rows_sha256": hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest(),
    }, again=again, result=RESULT)  # fmt: skip
    if run.finished:
        return Judge.load(run.folder / RESULT)
    fitting = Fitting(
        base_model=plain.base_model,
        renderer=plain.renderer,
        recipe="idiolect_judge",
        steps=config.steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate or usual_learning_rate(plain.base_model),
        rank=config.rank,
        schedule=config.schedule,
        max_length=config.max_length,
        save_every=config.save_every,
        seed=settings.seed,
        together=2,
    )
    told = (lambda done, total: progress("Training the judge", done, total)) if progress else None
    judge = plain.model_copy(update={"adapter": await fit(connection, run, rows, fitting, tracking=tracking, on_progress=told)})
    judge = judge.model_copy(update={"lean": await _lean(connection, judge, _with_texts(demonstrations), settings.seed)})
    judge.save(run.folder / RESULT)
    return judge


async def _lean(connection: Connection, judge: Judge, own: Sequence[Demonstration], seed: int) -> float:
    """The log-odds that are to be taken off for the first place to win as often as the second.

    Read off pairs as hard as those to come that it has not learnt from: own texts with made-up facts, against themselves spoilt, in
    both orders; which one is better does not matter (batch calibration, Zhou et al. 2023, arXiv 2309.17249). 0 without own texts.
    """
    from scipy.optimize import root_scalar
    from scipy.special import expit

    rows = [(row.input, row.output) for row in own]
    others = [
        Demonstration(input=request, output=text)
        for number in range(1, 1 + _LEAN_VERSIONS)
        for request, text in rows_with_made_up_facts(rows, number, seed)
    ]
    pairs = spoilt_pairs(others, 3, derive_seed(seed, "lean"), habits=common([row.output for row in own]))
    shown = [judge_messages(judge.rubric, pair) for pair in in_both_orders([one.pair for one in pairs])]
    odds = [one for one in await ModelJudge.of(connection, judge).log_odds(shown) if one is not None]
    if not odds:
        return 0.0
    fair = root_scalar(lambda lean: expit([one - lean for one in odds]).mean() - 0.5, bracket=(min(odds) - 1, max(odds) + 1))
    return round(float(fair.root), 4)


async def _rows(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    demonstrations: Sequence[Demonstration],
    config: RewardModelConfig,
    plain: Judge,
    drafted: Mapping[str, Sequence[str]],
    progress: OnStage | None,
) -> list[list[str]]:
    """(question, answer) rows, two and two the orders of one pair."""
    rows: list[list[str]] = []
    if config.data != "preferences":
        own = _with_texts(demonstrations)
        drafts = await plain_drafts(connection, workspace, settings, [row.input for row in own], config.drafts, progress)
        pairs = own_pairs(own, drafts, spoilt=config.spoilt, seed=settings.seed)
        pairs += _policy_pairs(own, drafts, drafted, config.policy_pairs, settings.seed)
        pairs += chosen_pairs(load_preferences(workspace.preferences))
        pairs += labelled_pairs(workspace.root / config.labels) if config.labels else []
        rows += conversations(pairs, plain.rubric, reasons=config.reasons, seed=settings.seed)
    if config.data != "own":
        store = workspace.root / "judge" / f"preferences-{derive_seed(config.preferences):08x}.jsonl"
        told = (lambda done, total: progress("Reading preferences", done, total)) if progress else None
        rows += preference_rows(config.preferences, config.rows, store, on_progress=told)
    if not rows:
        raise InputError("there are no pairs to learn from", where=f"data = {config.data}", hint="Run `idiolect import` first")
    kept = _short_enough(connection, plain, rows, config.max_length)
    if not kept:
        hint = "Raise max_length, or shorten rubric.md"
        raise InputError(f"no pair fits into {config.max_length} tokens", where="max_length", hint=hint)
    return kept


def _with_texts(demonstrations: Sequence[Demonstration]) -> list[Demonstration]:
    return [row for row in demonstrations if row.input.strip() and row.output.strip()]


async def _policy_drafts(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    policy: Writer | None,
    demonstrations: Sequence[Demonstration],
    requests: Sequence[str],
    config: RewardModelConfig,
    progress: OnStage | None,
) -> dict[str, list[str]]:
    """What the policy writes at temperature 1, as when it is reinforced. Drafts that do not end are left out."""
    if policy is None or not config.policy_drafts or config.data == "preferences":
        return {}
    asked = [*(row.input for row in demonstrations if row.input.strip()), *requests[: config.policy_requests]]
    hot, stage = policy.model_copy(update={"temperature": 1.0}), (progress, "The policy's drafts")
    drafts = await _drafts(connection, workspace, hot, asked, config.policy_drafts, derive_seed(settings.seed, "policy's drafts"), *stage)
    return {request: [one.text for one in some if one.finished] for request, some in drafts.items()}


def _policy_pairs(
    own: Sequence[Demonstration], plain: Mapping[str, Sequence[str]], drafts: Mapping[str, Sequence[str]], each: int, seed: int
) -> list[LabelledPair]:
    if not drafts or not own:
        return []
    likeness = Likeness([row.output for row in own], [text for some in plain.values() for text in some])
    checks = DraftChecks(own)

    def faults(request: str, text: str) -> int:
        return checks.check(request, text, finished=True).wrong

    return policy_pairs(drafts, likeness, faults, each=each, seed=seed)


def _short_enough(connection: Connection, plain: Judge, rows: list[list[str]], most: int) -> list[list[str]]:
    """The rows of pairs that fit with both orders; cut at their end they would lose their verdict."""
    renderer = connection.renderer(plain)
    kept = []
    for start in range(0, len(rows), 2):
        orders = rows[start : start + 2]
        sizes = [
            prompt_tokens(renderer, [{"role": "user", "content": question}]) + len(renderer.tokenizer.encode(told)) + 2
            for question, told in orders
        ]
        kept += orders if max(sizes) <= most else []
    return kept


async def plain_drafts(
    connection: Connection, workspace: Workspace, settings: Settings, requests: Sequence[str], each: int, progress: OnStage | None = None
) -> dict[str, list[str]]:
    """``each`` drafts a request of the policy without any word about the person, hotter than it writes so that they differ."""
    if not each:
        return {}
    writer, stage = plain_writer(workspace, settings, name="baseline", temperature=0.8), (progress, "Drafts to judge against")
    drafts = await _drafts(connection, workspace, writer, requests, each, derive_seed(settings.seed, "judge's drafts"), *stage)
    return {request: [one.text for one in some] for request, some in drafts.items()}


async def _drafts(
    connection: Connection, workspace: Workspace, writer: Writer, requests: Sequence[str], each: int, seed: int, progress: OnStage | None,
    what: str,
) -> dict[str, list[Completion]]:  # fmt: skip
    """``each`` drafts for every request, from the disk as far as they were written before."""
    log = AnswerLog(workspace.root / "judge", "drafts", derive_seed(writer.model_dump(mode="json"), each, seed))
    wanted = [request for request in dict.fromkeys(requests) if (0, request) not in log.rows]
    await complete(
        connection, writer, [writer.messages(request) for request in wanted], max_tokens=writer.max_tokens,
        temperature=writer.temperature, seed=seed, num_samples=each,
        on_progress=functools.partial(progress, what) if progress else None,
        on_result=lambda index, answers: log.append((0, wanted[index]), answers),
    )  # fmt: skip
    return {request: log.rows[0, request] for request in requests}


def judge_model(workspace: Workspace, settings: Settings, config: RewardModelConfig | None = None) -> Judge:
    """The judge before any training: a model, by default the policy, and the workspace's rubric."""
    config = settings.filled("reward_model", config or RewardModelConfig())
    model = model_named(config.base_model) if config.base_model else settings.policy
    named = config.renderer or (settings.renderer if model == settings.policy else renderer_of(model))
    return Judge(base_model=model, renderer=renderer_name(model, named), rubric=rubric_of(workspace, settings))


def rubric_of(workspace: Workspace, settings: Settings) -> Rubric:
    """The workspace's ``rubric.md``, or the task's own where there is none."""
    if workspace.rubric.is_file():
        return Rubric.load(workspace.rubric)
    return Rubric.parse(load_task(settings.task, workspace).rubric, f"the task {settings.task}, field rubric")


def load_judge(workspace: Workspace) -> Judge:
    """The workspace's newest trained judge. Raises ``InputError`` where there is none."""
    path = newest(workspace, _METHOD, RESULT)
    if path is None:
        raise InputError("there is no judge yet", where=str(workspace.runs), hint="Run `idiolect judge train` first")
    return Judge.load(path)

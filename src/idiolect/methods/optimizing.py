"""Prompt optimization with gepa (Agrawal et al. 2025, arXiv 2507.19457): prompts are reflected on, changed, and kept if they do better.

Knows prompts and a judge that is handed in. Knows nothing of held-out requests, which it must never see.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from idiolect.corpus import Demonstration
from idiolect.methods.run import Run
from idiolect.service.sampling import derive_seed
from idiolect.workspace import append_json_line, read_json_lines, write_atomic

__all__ = ["Judge", "Judged", "LineEditor", "OptimizeConfig", "Reflect", "optimize"]

_COMPONENT = "prompt"


class OptimizeConfig(BaseModel):
    """How long a better prompt is looked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    budget: int = Field(default=300, ge=1)
    """Drafts that may be judged in all; a killed search goes on and pays for none twice."""
    minibatch: int = Field(default=4, ge=1)
    """Requests on which a changed prompt must do better before it is judged on all development requests."""


@dataclass(frozen=True)
class Judged:
    """What one prompt brought on one development request."""

    score: float
    """0 to 1, higher is better."""
    fit: float
    """How likely the person's own text is with this prompt: the geometric mean probability of its tokens."""
    facts: float
    """Share of the request's facts that the draft keeps."""
    faults: tuple[str, ...]
    """What else is wrong with the draft."""
    text: str
    """The draft."""


Judge = Callable[[str, Sequence[Demonstration]], list[Judged]]
"""Judges a prompt on some development requests."""
Reflect = Callable[[Any], str]
"""A general model that answers gepa's question for a better prompt."""


class Propose(Protocol):
    """Proposes a new prompt from the current one."""

    def __call__(
        self, candidate: dict[str, str], reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]], components_to_update: list[str]
    ) -> dict[str, str]: ...


class LineEditor:
    """Proposes prompts for a model that cannot reflect: a line is dropped, doubled, added or exchanged for one of the ``pool``.

    The pool holds lines of other descriptions of the same texts. Which change is tried depends on the seed, the prompt and how often
    it was asked for one, so that a search that is run again proposes the same.
    """

    def __init__(self, pool: Sequence[str], seed: int) -> None:
        self.pool, self.seed = tuple(dict.fromkeys(pool)), seed
        self._asked: dict[str, int] = {}

    def __call__(
        self, candidate: dict[str, str], reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]], components_to_update: list[str]
    ) -> dict[str, str]:
        prompt = candidate[_COMPONENT]
        self._asked[prompt] = times = self._asked.get(prompt, 0) + 1
        rng = random.Random(derive_seed(self.seed, prompt, times))
        lines = prompt.split("\n")
        items = [place for place, line in enumerate(lines) if line.startswith("- ")]
        others = [f"- {line}" for line in self.pool if f"- {line}" not in lines]
        moves = ["drop", "double"] * (len(items) > 1) + ["add"] * bool(others) + ["exchange"] * bool(others and items)
        if not moves:
            return {_COMPONENT: prompt}
        move, place = rng.choice(moves), rng.choice(items) if items else len(lines) - 1
        if move == "drop":
            del lines[place]
        elif move == "double":
            lines.insert(place, lines[place])
        elif move == "add":
            lines.insert(place + 1, rng.choice(others))
        else:
            lines[place] = rng.choice(others)
        return {_COMPONENT: "\n".join(lines)}


def optimize(
    run: Run,
    start: str,
    rows: Sequence[Demonstration],
    judge: Judge,
    config: OptimizeConfig,
    *,
    seed: int,
    propose: LineEditor | None = None,
    reflect: Reflect | None = None,
    template: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> str:
    """The prompt that does best on all development ``rows``, ``start`` where none does better.

    New prompts come from ``propose``, or from ``reflect`` by way of gepa's question (``template``). Every judgement and every answer is
    logged in the run's folder as it comes. gepa's choices depend on the seed and the scores alone, so a killed search replays the log
    and goes on to the same prompt; its own state file, a pickle, is not used.
    """
    from gepa.api import optimize as search

    adapter = _Adapter(run, judge, on_progress, config.budget)
    result = search(
        seed_candidate={_COMPONENT: start},
        trainset=list(rows),
        adapter=adapter,  # type: ignore[arg-type]
        reflection_lm=_logged(run, reflect) if reflect else None,  # type: ignore[arg-type]
        reflection_prompt_template=template if reflect else None,
        custom_candidate_proposer=propose,
        reflection_minibatch_size=min(config.minibatch, len(rows)),
        max_metric_calls=config.budget,
        # Even a perfect draft can be written in a likelier voice.
        skip_perfect_score=False,
        logger=_Silent(),
        seed=seed,
    )
    best = result.candidates[result.best_idx][_COMPONENT]
    write_atomic(run.folder / "prompt.md", best + "\n")
    for number, (candidate, score) in enumerate(zip(result.candidates, result.val_aggregate_scores, strict=True)):
        run.log(candidate=number, score=round(score, 6), prompt=candidate[_COMPONENT], chosen=number == result.best_idx)
    return best


class _Silent:
    def log(self, message: str) -> None:
        """gepa tells every step on stdout, where results belong."""


class _Adapter:
    """gepa's side of the judge: evaluations with their log, and what a reflecting model is shown of them."""

    propose_new_texts = None

    def __init__(self, run: Run, judge: Judge, on_progress: Callable[[int, int], None] | None, budget: int) -> None:
        self.judge, self.on_progress, self.budget = judge, on_progress, budget
        self.path = run.folder / "judged.jsonl"
        self.known: dict[tuple[str, str], Judged] = {}
        self.calls = 0
        if self.path.exists():
            for row in read_json_lines(self.path, torn_tail=True):
                key = (row.pop("prompt"), row.pop("request"))
                self.known[key] = Judged(**{**row, "faults": tuple(row["faults"])})

    def evaluate(self, batch: list[Demonstration], candidate: dict[str, str], capture_traces: bool = False) -> Any:
        from gepa.core.adapter import EvaluationBatch

        prompt = candidate[_COMPONENT]
        lacking = [row for row in batch if (prompt, row.input) not in self.known]
        for row, judged in zip(lacking, self.judge(prompt, lacking) if lacking else [], strict=True):
            self.known[prompt, row.input] = judged
            append_json_line(self.path, {"prompt": prompt, "request": row.input, **asdict(judged)})
        found = [self.known[prompt, row.input] for row in batch]
        self.calls += len(batch)
        if self.on_progress:
            self.on_progress(min(self.calls, self.budget), self.budget)
        traces = list(zip(batch, found, strict=True)) if capture_traces else None
        return EvaluationBatch(outputs=[one.text for one in found], scores=[one.score for one in found], trajectories=traces)

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> dict[str, list[dict[str, Any]]]:
        shown = [
            {
                "Request": row.input,
                "Written by the model": judged.text,
                "Written by the person": row.output,
                "Feedback": "; ".join(judged.faults) or "No fact is lost or invented; it should read more like the person's.",
            }
            for row, judged in eval_batch.trajectories
        ]
        return dict.fromkeys(components_to_update, shown)


def _logged(run: Run, reflect: Reflect) -> Reflect:
    """The reflecting model with its answers kept, so that none is paid for twice."""
    path = run.folder / "reflections.jsonl"
    known: dict[str, list[str]] = {}
    if path.exists():
        for row in read_json_lines(path, torn_tail=True):
            known.setdefault(row["question"], []).append(row["answer"])

    def asked(question: str) -> str:
        if known.get(question):
            return known[question].pop(0)
        answer = reflect(question)
        append_json_line(path, {"question": question, "answer": answer})
        return answer

    return asked

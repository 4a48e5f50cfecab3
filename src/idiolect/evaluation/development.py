"""Prompts measured on development requests: a part of the demonstrations that is set apart for it. Held-out requests are never used.

Two things are measured for every request. How likely the person's own text is under the prompt: no draft is needed for that, so chance
has no part in it, and one line more or less shows. And what a draft does to the request's facts. The truth of a simulated author is not
looked at, since no real person has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from pydantic import BaseModel, ConfigDict, Field

from idiolect.corpus import Demonstration
from idiolect.corpus.splits import split
from idiolect.errors import InputError
from idiolect.evaluation.drafts import write_drafts
from idiolect.evaluation.fidelity import FidelityChecker
from idiolect.evaluation.statistics import Difference, Measure, mean_with_interval, paired_difference, with_holm
from idiolect.methods.optimizing import Judged
from idiolect.service import Connection, Writer, text_logprobs
from idiolect.workspace import Workspace

__all__ = ["LEVEL", "Development", "LineResult", "VariantResult", "explained", "side_by_side", "without_line"]

_FEWEST, _MOST = 3, 50
LEVEL = 0.05
"""p-values below it are called more than chance."""
_MEASURES = ("score", "fit", "facts", "faults")


class VariantResult(BaseModel):
    """One prompt on the development requests, and how it differs from the first one."""

    model_config = ConfigDict(frozen=True)
    measures: dict[str, Measure]
    differences: dict[str, Difference] = Field(default_factory=dict)


class LineResult(BaseModel):
    """What the prompt loses without one of its lines."""

    model_config = ConfigDict(frozen=True)
    line: str
    earned: dict[str, Difference]
    """Each measure with the whole prompt, less the same without the line."""

    @property
    def verdict(self) -> str:
        """``helps`` or ``harms`` where the score's difference is more than chance among all lines (Holm), else ``cannot be told``."""
        earned = self.earned["score"]
        if earned.mean is None or earned.p_holm is None or earned.p_holm >= LEVEL:
            return "cannot be told"
        return "helps" if earned.mean > 0 else "harms"


@dataclass(frozen=True)
class Development:
    """The demonstrations in two parts: ``learn`` gives descriptions and examples, ``rows`` are the requests to measure on."""

    workspace: Workspace
    connection: Connection
    learn: Sequence[Demonstration]
    rows: Sequence[Demonstration]
    seed: int

    @classmethod
    def of(
        cls, workspace: Workspace, connection: Connection, demonstrations: Sequence[Demonstration], seed: int, count: int | None = None
    ) -> Development:
        """Set apart the newest ``count`` demonstrations, by default a third. Raises ``InputError`` where too few are there."""
        told = [row for row in demonstrations if row.input.strip() and row.output.strip()]
        wanted = min(_MOST, max(_FEWEST, len(told) // 3)) if count is None else count
        if wanted < _FEWEST or len(told) <= wanted:
            what = f"{wanted} development requests cannot be set apart from {len(told)} demonstrations"
            raise InputError(
                what, where="--development", hint=f"Import more texts; at least {_FEWEST} requests are needed, and some to learn from"
            )
        learn, rows = split(told, wanted)
        return cls(workspace, connection, learn, rows, seed)

    @classmethod
    def whole(
        cls, workspace: Workspace, connection: Connection, demonstrations: Sequence[Demonstration], seed: int, count: int | None = None
    ) -> Development:
        """Measure on all demonstrations, or on the newest ``count`` of them: for a prompt that is there already."""
        told = [row for row in demonstrations if row.input.strip() and row.output.strip()]
        wanted = min(_MOST, len(told)) if count is None else count
        if not _FEWEST <= wanted <= len(told):
            what = f"{wanted} development requests cannot be had from {len(told)} demonstrations"
            raise InputError(what, where="--development", hint=f"Import more texts; at least {_FEWEST} requests are needed")
        return cls(workspace, connection, told, told if wanted == len(told) else split(told, wanted)[1], seed)

    async def judge(
        self, writer: Writer, rows: Sequence[Demonstration] | None = None, on_progress: Callable[[int, int], None] | None = None
    ) -> list[Judged]:
        """The writer on the development requests, or on some of them. Drafts are kept, and not written again."""
        rows = self.rows if rows is None else rows
        own = [[*writer.messages(row.input), {"role": "assistant", "content": row.output}] for row in rows]
        logprobs_P_T = await text_logprobs(self.connection, writer, own)
        drafted = await write_drafts(
            self.workspace, self.connection, writer, [row.input for row in rows], seed=self.seed, on_progress=on_progress
        )
        checker = FidelityChecker(self.learn)
        found = []
        for row, logprobs_T, draft in zip(rows, logprobs_P_T, drafted.drafts, strict=True):
            assert draft is not None
            checked = checker.check(row, draft.text, finished=draft.finished)
            fit = math.exp(fmean(logprobs_T)) if logprobs_T else 0.0
            facts = 1.0 if checked.kept is None else checked.kept
            faults = [f"lost: {fact.value}" for fact in checked.lost]
            faults += [f"invented: {value}" for value in checked.invented] + [f"unfilled: {value}" for value in checked.placeholders]
            faults += [f"remark: {value}" for value in checked.meta_comments] + ["cut short"] * checked.truncated
            faults += [f"said twice: {value}" for value in checked.repeated] + [f"misspelt: {value}" for value in checked.misspelt]
            # Lost facts count once, by their share; any other fault halves what is left.
            spoilt = len(faults) > len(checked.lost)
            found.append(Judged(fit * facts * (0.5 if spoilt else 1.0), fit, facts, tuple(faults), draft.text))
        return found


def side_by_side(judged: Mapping[str, Sequence[Judged]], seed: int) -> dict[str, VariantResult]:
    """Every prompt's means with intervals, and its paired differences from the first one (p-values by Holm)."""
    values = {name: _values(found) for name, found in judged.items()}
    (_, base), *others = values.items()
    differences = with_holm(
        {name: {measure: paired_difference(own[measure], base[measure], seed=seed) for measure in _MEASURES} for name, own in others}
    )
    return {
        name: VariantResult(
            measures={measure: mean_with_interval(own[measure], seed=seed, bounds=(0, 1)) for measure in _MEASURES},
            differences=differences.get(name, {}),
        )
        for name, own in values.items()
    }


def without_line(prompt: str) -> dict[str, str]:
    """Each line of a prompt that says something → the prompt without it."""
    lines = prompt.split("\n")
    return {line.strip(): "\n".join([*lines[:place], *lines[place + 1 :]]) for place, line in enumerate(lines) if line.strip()}


def explained(whole: Sequence[Judged], without: Mapping[str, Sequence[Judged]], seed: int) -> list[LineResult]:
    """What each line earns: the paired difference that leaving it out makes, with intervals (p-values by Holm)."""
    all_in = _values(whole)
    earned = with_holm(
        {
            line: {measure: paired_difference(all_in[measure], values[measure], seed=seed) for measure in _MEASURES}
            for line, values in ((line, _values(found)) for line, found in without.items())
        }
    )
    return [LineResult(line=line, earned=found) for line, found in earned.items()]


def _values(found: Sequence[Judged]) -> dict[str, list[float | None]]:
    return {
        "score": [one.score for one in found],
        "fit": [one.fit for one in found],
        "facts": [one.facts for one in found],
        "faults": [float(any(not fault.startswith("lost: ") for fault in one.faults)) for one in found],
    }

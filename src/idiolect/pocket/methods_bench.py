"""Which method wins: every method on many simulated authors, their drafts held against each other by the truth.

Knows the methods, the measures and the world. Knows a connection, but nothing of how the model is served. What the methods gave for
one author and seed is kept in a small file of scores, so a killed bench goes on, also elsewhere, and a new method is run alone.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from statistics import mean
from typing import Any

import joblib
from pydantic import BaseModel

from idiolect.corpus import Demonstration, Fact
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.evaluation.agreement import agreed_facts
from idiolect.evaluation.fidelity import FidelityChecker, fewest_faults
from idiolect.evaluation.prompts import improve_prompt
from idiolect.evaluation.statistics import Measure, mean_with_interval
from idiolect.methods.baseline import baseline
from idiolect.methods.ditto import DittoConfig, ditto
from idiolect.methods.optimizing import OptimizeConfig
from idiolect.methods.prompting import PromptingConfig, prompting
from idiolect.methods.rlaif import RlaifConfig
from idiolect.methods.sft import SftConfig, sft
from idiolect.methods.synthetic import synthetic_data
from idiolect.pocket.demo import prepare, reinforced
from idiolect.service import Connection, Writer, cascade
from idiolect.settings import Settings, pocket_model
from idiolect.synthesis.generate import SynthesisConfig
from idiolect.workspace import Workspace, read_json, write_json
from idiolect.world import Author, habits_found, parts_found, traits_found

__all__ = [
    "ABLATIONS",
    "MAKERS",
    "MEASURES",
    "METHODS",
    "Case",
    "Cases",
    "Plan",
    "bench_methods",
    "cases_done",
    "lead",
    "measured_drafts",
    "summary",
]

MEASURES = ("style", "traits", "habits", "facts", "invented", "verbatim_overlap")
_DRAFT_SEED = 11
_CODE = 4
"""Raised when the code trains or drafts otherwise with the same settings, so that what was measured before is measured anew."""

Connect = Callable[[Settings, Workspace], AbstractContextManager[Connection]]
Progress = Callable[[str, int, int], None]
Scores = dict[str, list[float | None]]
"""Measure → its value for each held-out request."""
Cases = Mapping[tuple[int, int], Mapping[str, Mapping[str, Any]]]
"""Scores by (author, seed) and method."""


@dataclass(frozen=True)
class Case:
    """One author and seed: where the work lies and what may be learnt from."""

    connection: Connection
    place: Workspace
    settings: Settings
    rows: Sequence[Demonstration]
    heldout: Sequence[Demonstration]
    facts: dict[str, tuple[Fact, ...]] = field(default_factory=dict)
    """What a draft for each held-out request has to say, once it was asked for."""


async def _baseline(case: Case) -> Writer:
    return baseline(case.place, case.settings)


def _prompt_optimized(case: Case) -> Writer:
    config, search = PromptingConfig(), OptimizeConfig()
    return improve_prompt(case.connection, case.place, case.settings, case.rows, config, search, progress=_silent).writer


def _silent(what: str, done: int, total: int) -> None:
    """The bench tells of authors and methods only."""


async def _prompt(case: Case) -> Writer:
    return (await prompting(case.connection, case.place, case.settings, case.rows))["prompt"]


async def _few_shot(case: Case) -> Writer:
    return (await prompting(case.connection, case.place, case.settings, case.rows))["few_shot"]


async def _sft(case: Case) -> Writer:
    """SFT on the demonstrations as they are."""
    return await sft(case.connection, case.place, case.settings, case.rows, [], _BARE.model_copy(update={"data": "demonstrations"}))


async def _sft_prompted(case: Case) -> Writer:
    """SFT on the demonstrations with other facts each time, after the style description, which the writer is told, too."""
    return await sft(case.connection, case.place, case.settings, case.rows, [], _VOICE)


async def _sft_synthetic(case: Case) -> Writer:
    made, _ = await synthetic_data(case.connection, case.place, case.settings, case.rows, case.heldout)
    return await sft(case.connection, case.place, case.settings, case.rows, made, _BARE.model_copy(update={"data": "synthetic"}))


async def _sft_both(case: Case) -> Writer:
    """As `idiolect sft` goes about it."""
    made, _ = await synthetic_data(case.connection, case.place, case.settings, case.rows, case.heldout)
    return await sft(case.connection, case.place, case.settings, case.rows, made, _BOTH)


async def _rlaif(case: Case) -> Writer:
    """RLAIF from the policy that was fine-tuned on own and synthetic texts, by the count of what the demonstrations share."""
    made, _ = await synthetic_data(case.connection, case.place, case.settings, case.rows, case.heldout)
    first = await _sft_both(case)
    return await reinforced(case.connection, case.place, case.settings, case.rows, made, first, progress=_silent)


async def _chain(case: Case) -> Writer:
    """SFT on own and synthetic texts, RLAIF from there, DITTO from there."""
    return await _ditto_of(case, _ONWARD, first=await _rlaif(case))


async def _spin(case: Case) -> Writer:
    return await _ditto_of(case, _PLAIN.model_copy(update={"method": "spin"}))


async def _ditto(case: Case) -> Writer:
    """As in the paper: no description, the demonstrations as they are."""
    return await _ditto_of(case, _PLAIN)


async def _ditto_prompted(case: Case) -> Writer:
    """As `idiolect ditto` goes about it."""
    return await _ditto_of(case, _OURS)


async def _ditto_fallback(case: Case) -> list[Writer]:
    """As `idiolect write` goes about it where all methods of the handout were run."""
    prompts = await prompting(case.connection, case.place, case.settings, case.rows)
    return [await _ditto_prompted(case), await _rlaif(case), await _sft_both(case), prompts["few_shot"], prompts["prompt"]]


async def _ditto_of(case: Case, config: DittoConfig, first: Writer | None = None) -> Writer:
    config = config.model_copy(update={"demonstrations": len(case.rows)})
    return await ditto(case.connection, case.place, case.settings, case.rows, config, first=first)


_PROMPTED, _WRITTEN = (PromptingConfig(),), (PromptingConfig(), SynthesisConfig())
_BARE, _BOTH, _VOICE = SftConfig(varied=False), SftConfig(), SftConfig(data="demonstrations", prompted=True, steps=240)
_TUNED = (*_WRITTEN, _BOTH)
_REWARDED = (*_TUNED, RlaifConfig())
_PLAIN, _OURS, _ONWARD = DittoConfig(prompted=False, varied=False), DittoConfig(prompted=True), DittoConfig()

Maker = Callable[[Case], Writer | Awaitable[Writer | list[Writer]]]


def _ours_but(**changed: Any) -> tuple[Maker, tuple[BaseModel, ...]]:
    config = _OURS.model_copy(update=changed)
    return partial(_ditto_of, config=config), (*_PROMPTED, config)


MAKERS: dict[str, tuple[Maker, tuple[BaseModel, ...]]] = {
    "baseline": (_baseline, ()),
    "prompt": (_prompt, _PROMPTED),
    "few_shot": (_few_shot, _PROMPTED),
    "prompt_optimized": (_prompt_optimized, (*_PROMPTED, OptimizeConfig())),
    "sft": (_sft, (_BARE,)),
    "sft_synthetic": (_sft_synthetic, (*_WRITTEN, _BARE)),
    "sft_both": (_sft_both, _TUNED),
    "sft_prompted": (_sft_prompted, (*_PROMPTED, _VOICE)),
    "spin": (_spin, (_PLAIN,)),
    "rlaif": (_rlaif, _REWARDED),
    "ditto": (_ditto, (_PLAIN,)),
    "ditto_prompted": (_ditto_prompted, (*_PROMPTED, _OURS)),
    "ditto_fallback": (_ditto_fallback, (*_REWARDED, _OURS)),
    "sft_rlaif_ditto": (_chain, (*_REWARDED, _ONWARD)),
    "ditto_attention": _ours_but(layers="attention"),
    "ditto_no_replay": _ours_but(replay=False),
    "ditto_no_between": _ours_but(between=False),
    "ditto_one_round": _ours_but(rounds=1, steps=_OURS.rounds * _OURS.steps),
}
"""Every method under its name in the results, and the settings on which its figures rest; another one is a line here."""
ABLATIONS = ("ditto_attention", "ditto_no_replay", "ditto_no_between", "ditto_one_round")
"""``ditto_prompted`` without one of its parts each; run where they are named."""
METHODS = tuple(name for name in MAKERS if name not in ABLATIONS)


@dataclass(frozen=True)
class Plan:
    """What is run."""

    split: str = "heldout"
    first: int = 0
    """Number of the first author."""
    authors: int = 20
    seeds: int = 3
    requests: int = 20
    demonstrations: int = 7
    methods: tuple[str, ...] = METHODS

    def __post_init__(self) -> None:
        unknown = [name for name in self.methods if name not in MAKERS]
        if unknown:
            raise InputError(f"unknown method {unknown[0]!r}", where="--method", hint=f"There are: {', '.join(MAKERS)}")


def bench_methods(
    folder: Path, plan: Plan, connect: Connect, progress: Progress, scores: Path | None = None, jobs: int | None = None
) -> dict[str, Any]:
    """Run what is not done yet, author by author; then the summary of all that is done for every method of the plan.

    ``scores`` is the folder of what was measured, by default one in ``folder``, where each author's work lies. So many authors as
    ``jobs``, by default one a core, are at work at once, each in a process of its own, which ``connect`` has to reach whole (pickled).
    """
    kept = scores or folder / "scores"
    cases = [(number, seed) for seed in range(plan.seeds) for number in range(plan.first, plan.first + plan.authors)]
    missing = [case for case in cases if len(_measured(kept, plan, *case)) < len(plan.methods)]
    jobs = min(jobs or joblib.cpu_count(), len(missing))
    if jobs > 1:
        _run_at_once(jobs, folder, kept, plan, missing, connect, progress)
    else:
        for done, case in enumerate(missing, len(cases) - len(missing)):
            progress("Authors and seeds", done, len(cases))
            _run_case(folder, kept, plan, *case, connect, progress)
        progress("Authors and seeds", len(cases), len(cases))
    return summary({case: {name: _known(kept, plan, *case)[name] for name in plan.methods} for case in cases})


def _run_at_once(
    jobs: int, folder: Path, scores: Path, plan: Plan, cases: Sequence[tuple[int, int]], connect: Connect, progress: Progress
) -> None:
    """Each process computes on its share of the cores. If one fails, the others end the author that they are at."""
    total = len(cases) * len(plan.methods)
    threads = max(1, joblib.cpu_count() // jobs)
    with ProcessPoolExecutor(jobs, get_context("spawn"), _with_parent, (threads,)) as pool:
        running = {pool.submit(_run_case, folder, scores, plan, *case, connect, _silent) for case in cases}
        try:
            while running:
                progress("Methods measured", sum(len(_measured(scores, plan, *case)) for case in cases), total)
                ended, running = wait(running, timeout=2, return_when=FIRST_COMPLETED)
                for one in ended:
                    one.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    progress("Methods measured", total, total)


def _with_parent(threads: int) -> None:
    """A process of the bench: computes with its share of the cores, and ends with the one that started it, however that ends."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _run_case(folder: Path, scores: Path, plan: Plan, number: int, seed: int, connect: Connect, progress: Progress) -> None:
    measured = _measured(scores, plan, number, seed)
    missing = [name for name in plan.methods if name not in measured]
    place = Workspace(folder / f"{plan.split}-{number}-{seed}-{plan.demonstrations}")
    settings = prepare(place, number, plan.split, demonstrations_wanted=plan.demonstrations).model_copy(update={"seed": seed})
    rows, heldout = load_demonstrations(place.demonstrations), load_demonstrations(place.heldout)[: plan.requests]
    with connect(settings, place) as connection:
        case = Case(connection, place, settings, rows, heldout)
        for done, name in enumerate(missing):
            progress(f"Author {number}, seed {seed}", done, len(missing))
            start = time.monotonic()
            making = MAKERS[name][0](case)
            made = making if isinstance(making, Writer) else connection.run(_awaited(making))
            seconds = round(time.monotonic() - start, 1)
            found, texts = connection.run(measured_drafts(case, *(made if isinstance(made, list) else [made])))
            write_json(place.results / f"drafts-{name}.json", texts)
            write_json(
                _path(scores, plan, number, seed),
                {**_known(scores, plan, number, seed), name: {**found, "seconds": seconds, "made_with": _made_with(name)}},
            )
        progress(f"Author {number}, seed {seed}", len(missing), len(missing))


def _measured(scores: Path, plan: Plan, number: int, seed: int) -> set[str]:
    """The plan's methods that need not be run any more."""
    return set(plan.methods) & set(_known(scores, plan, number, seed))


async def _awaited(made: Awaitable[Writer | list[Writer]]) -> Writer | list[Writer]:
    return await made


def _path(scores: Path, plan: Plan, number: int, seed: int) -> Path:
    return scores / f"{plan.split}-{number}-{seed}-{plan.demonstrations}-{plan.requests}.json"


def _known(scores: Path, plan: Plan, number: int, seed: int) -> dict[str, Any]:
    """What was measured with the present model and settings; what others gave is measured anew."""
    path = _path(scores, plan, number, seed)
    known = read_json(path) if path.exists() else {}
    return {name: one for name, one in known.items() if name in MAKERS and one.get("made_with") == _made_with(name)}


@cache
def _made_with(name: str) -> str:
    """The pocket model's weights, the settings on which a method rests, how often it may try and by which code, as a short hash."""
    weights = (Path(pocket_model()) / "model.safetensors").read_bytes()
    settings = "".join([*(config.model_dump_json() for config in MAKERS[name][1]), str(Settings().tries), str(_CODE)])
    return hashlib.sha256(weights + settings.encode()).hexdigest()[:12]


async def measured_drafts(case: Case, *writers: Writer) -> tuple[dict[str, Any], list[str]]:
    """What drafts for the held-out requests score, and the drafts, by the first of the writers and those on which it falls back."""
    asked = [row.input for row in case.heldout]
    if not case.facts:
        plain = baseline(case.place, case.settings)
        case.facts.update(await agreed_facts(case.connection, plain, asked, case.rows, seed=_DRAFT_SEED))
    best_of = fewest_faults(case.settings.tries, FidelityChecker(case.rows), facts=case.facts)
    made = await cascade(case.connection, writers, asked, seed=_DRAFT_SEED, best_of=best_of)
    drafts = [one for _, one in made]
    author = Author.load(case.place.truth)
    checker = FidelityChecker(case.rows, author=author, world=True)
    checked = [checker.check(row, one.text, finished=one.finished) for row, one in zip(case.heldout, drafts, strict=True)]
    scores: Scores = {
        **{
            measure: [_share(found(author, one.text, one.request)) for one in drafts]
            for measure, found in (("style", parts_found), ("traits", traits_found), ("habits", habits_found))
        },
        "facts": [one.kept for one in checked],
        "invented": [float(bool(one.invented)) for one in checked],
        "verbatim_overlap": [one.verbatim_overlap for one in checked],
        "fallback": [float(writer != writers[0]) for writer, _ in made],
    }
    rounded = {name: [value if value is None else round(value, 4) for value in values] for name, values in scores.items()}
    return rounded, [one.text for one in drafts]


def _share(found: Mapping[str, bool]) -> float:
    return sum(found.values()) / len(found) if found else 1.0


def cases_done(scores: Path, plan: Plan) -> Cases:
    """All authors and seeds in the folder of scores for which each of the plan's methods was measured as it now is."""
    found = {}
    for path in sorted(scores.glob(f"{plan.split}-*-*-{plan.demonstrations}-{plan.requests}.json")):
        author, seed = map(int, path.stem.split("-")[1:3])
        known = _known(scores, plan, author, seed)
        if all(name in known for name in plan.methods):
            found[author, seed] = {name: known[name] for name in plan.methods}
    return found


def summary(cases: Cases) -> dict[str, Any]:
    """Means over authors and win rates by the truth, with 95 % intervals that resample authors and then their requests.

    ``seeds`` is the number that every author has.
    """
    names = list(next(iter(cases.values())))
    trained = Counter(author for author, _ in cases)

    def wins(one: str, other: str) -> dict[str, float | None]:
        rate = _measure(cases, lambda found: [_win(*pair) for pair in zip(found[one]["style"], found[other]["style"], strict=True)])
        return rate.model_dump()

    return {
        "methods": {name: {m: _measure(cases, lambda found, n=name, m=m: found[n][m]).model_dump() for m in MEASURES} for name in names},
        "win_rate": {one: {other: wins(one, other) for other in names if other != one} for one in names},
        "authors": len(trained),
        "seeds": min(trained.values()),
    }


def lead(cases: Cases, name: str, others: Sequence[str]) -> Measure:
    """How much higher the method's win rate over all its match-ups is than the mean of the others', −1 to 1 (arXiv 2406.00888, 4.1)."""

    def ahead(found: Mapping[str, Mapping[str, Any]]) -> list[float]:
        values = []
        for scores in zip(*(one["style"] for one in found.values()), strict=True):
            by_name = dict(zip(found, scores, strict=True))
            rates = {one: mean(_win(by_name[one], by_name[other]) for other in by_name if other != one) for one in (name, *others)}
            values.append(rates[name] - mean(rates[other] for other in others))
        return values

    return _measure(cases, ahead, bounds=(-1, 1))


def _measure(
    cases: Cases, values: Callable[[Mapping[str, Mapping[str, Any]]], Sequence[float | None]], bounds: tuple[float, float] = (0, 1)
) -> Measure:
    """The mean over authors of what ``values`` finds for each request. A request's value is the mean over its author's seeds."""
    seeds: dict[int, list[Sequence[float | None]]] = {}
    for (author, _), found in cases.items():
        seeds.setdefault(author, []).append(values(found))
    requests = [(author, [one for one in each if one is not None]) for author, found in seeds.items() for each in zip(*found, strict=True)]
    means = [mean(each) if each else None for _, each in requests]
    return mean_with_interval(means, authors=[author for author, _ in requests], bounds=bounds)


def _win(a: float, b: float) -> float:
    """The truth's verdict on two drafts of one request: more of the author's traits and habits wins."""
    return 0.5 if a == b else float(a > b)

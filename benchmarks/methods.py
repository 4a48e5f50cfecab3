"""The page about which method wins: ``python -m benchmarks.methods`` after ``idiolect bench methods --scores docs/results/scores``.

Reads the folder of scores and writes ``docs/results/methods.json``, ``methods.md`` and the plot ``methods.svg``; with scores for other
numbers of demonstrations also ``demonstrations.svg``. Only authors for whom every method of the page was measured are counted.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from idiolect.pocket.methods_bench import MAKERS, METHODS, Cases, Plan, cases_done, lead, summary
from idiolect.settings import Settings
from idiolect.workspace import write_atomic, write_json

PAGE = Path(__file__).parent.parent / "docs" / "results"
SCORES = PAGE / "scores"
RIVALS = ("few_shot", "sft", "spin")
WRITING = "ditto_fallback"
"""How `idiolect write` drafts: no method of its own, so it stands apart from the match-ups."""
COUNTS = (1, 2, 4, 7, 10, 30)
CURVE = tuple(name for name in METHODS if name not in ("baseline", WRITING))
"""The methods of the curve over demonstrations; the baseline is shown none."""
MEASURED = {
    "style": "style",
    "traits": "traits",
    "habits": "habits",
    "facts": "facts kept",
    "invented": "invents",
    "verbatim_overlap": "copied",
}
LEAST = {"prompt_optimized": 4}
"""The texts that a method needs, if more than one: a search sets three apart to try prompts on."""
FURTHER = ("black", "gold", "navy", "darkgreen", "teal", "orchid", "peru", "salmon")
COLOURS = dict(zip(MAKERS, [*(f"C{number}" for number in range(10)), *FURTHER], strict=True))
"""A method's is the same in every plot."""
STYLE = {"svg.hashsalt": "idiolect", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def _cell(one: dict[str, float | None]) -> str:
    return f"{one['mean']:.2f} ({one['low']:.2f}–{one['high']:.2f})" if one["low"] is not None else f"{one['mean']:.2f}"


def mean_wins(result: dict[str, Any]) -> dict[str, float]:
    """Each method's win rate over all its match-ups, best first."""
    means = {name: sum(one["mean"] for one in found.values()) / len(found) for name, found in result["win_rate"].items()}
    return dict(sorted(means.items(), key=lambda pair: -pair[1]))


def _seeds(cases: Collection[tuple[int, int]]) -> str:
    """How often each author was trained for, as words."""
    times = sorted(Counter(author for author, _ in cases).values())
    return f"training seeds: {times[0]}" if times[0] == times[-1] else f"training seeds: {times[0]} to {times[-1]} (runs: {len(cases)})"


def between_seeds(cases: Cases) -> list[str]:
    """How far a method's mean moves from one training seed to another, of the authors that have them all."""
    seeds = sorted({seed for _, seed in cases})
    authors = [one for one, times in Counter(author for author, _ in cases).items() if times == len(seeds)]
    if len(seeds) < 2 or not authors:
        return []

    def widest(measure: str) -> str:
        moved = {}
        for name in next(iter(cases.values())):
            found = [[cases[author, seed][name][measure] for author in authors] for seed in seeds]
            means = [mean(mean(value for value in one if value is not None) for one in each) for each in found]
            moved[name] = max(means) - min(means)
        name = max(moved, key=moved.__getitem__)
        return f"{moved[name]:.3f} ({name})"

    moves = f"{widest('style')} in style, {widest('facts')} in facts kept"
    return [f"From one training seed to another a mean over authors moves by at most {moves}."]


def page(result: dict[str, Any], cases: Cases, plan: Plan) -> str:
    """The tables, best method first."""
    order = mean_wins(result)
    lines = [
        "# Which method wins",
        "",
        "`python -m benchmarks.methods` makes this page from the scores of `idiolect bench methods`:",
        f"{result['authors']} simulated authors ({plan.split}), {_seeds(cases)}, {plan.demonstrations} texts each,",
        f"{plan.requests} requests that nobody learnt from, the pocket model.",
        "Style is the share of the author's traits and habits that a draft shows, by the truth; the draft with more of them wins. 95 %",
        "intervals by a bootstrap over authors and their requests; a request counts once, with the mean of its author's seeds. Settings",
        "were chosen on development authors.",
        f"A draft in which the checks find a fault is the best of {Settings().tries} tries by these checks, for every method alike;",
        "they ask for the request's facts and for what four plain drafts of the base model all say again.",
        "",
        f"| method | wins | {' | '.join(MEASURED.values())} | seconds |",
        f"|---|---|{'---|' * len(MEASURED)}---|",
    ]
    for name, wins in order.items():
        cells = " | ".join(_cell(result["methods"][name][measure]) for measure in MEASURED)
        seconds = sorted(found[name]["seconds"] for found in cases.values())[len(cases) // 2]
        lines.append(f"| {name} | {wins:.2f} | {cells} | {seconds:.0f} |")
    lines += ["", "Seconds are the median of one author's, on one core, without what an earlier row has made already."]
    lines += [*between_seeds(cases), ""]
    leaders = [name for name in ("ditto", "ditto_prompted") if {name, *RIVALS} <= set(order)]
    if leaders:
        ahead = "; ".join(f"of {name} {_cell(lead(cases, name, RIVALS).model_dump())}" for name in leaders)
        lines += [
            f"Win rate over all match-ups, less the mean of those of {', '.join(RIVALS)}: {ahead}. The paper has 0.19 for DITTO",
            "(arXiv 2406.00888). What is called `prompted` is fine-tuned, and writes, after the style description. It, `sft_both`, `rlaif`",
            "and `sft_rlaif_ditto` are shown the person's texts with made-up names, days and numbers, as the commands do by default;",
            "`sft`, `sft_synthetic`, `spin` and `ditto` are shown texts as they are.",
            "",
        ]
    lines += ["## Win rates, row over column", "", f"| | {' | '.join(order)} |", f"|---|{'---|' * len(order)}"]
    for one in order:
        cells = ["" if one == other else _cell(result["win_rate"][one][other]) for other in order]
        lines.append(f"| {one} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "![Style against facts kept](methods.svg)", ""])


def writing(cases: Cases) -> str:
    """What falling back on other writers makes of DITTO's drafts."""
    first = "ditto_prompted"
    result = summary({case: {name: found[name] for name in (first, WRITING)} for case, found in cases.items()})
    others = [one for found in cases.values() for one in found[WRITING]["fallback"]]
    measures = ("style", "facts", "invented")
    lines = [
        "",
        "## What `idiolect write` makes of it",
        "",
        "Where all tries of the writer that most was learnt for have a fault, the workspace's others try as well, until one has none:",
        f"RLAIF, SFT on both, few-shot, prompt. Of {result['authors']} authors; others wrote {mean(others):.2f} of the drafts.",
        "",
        f"| | {' | '.join(MEASURED[measure] for measure in measures)} |",
        f"|---|{'---|' * len(measures)}",
    ]
    lines += [f"| {name} | {' | '.join(_cell(result['methods'][name][m]) for m in measures)} |" for name in (first, WRITING)]
    return "\n".join([*lines, ""])


def efficiency(scores: Path, plan: Plan) -> tuple[dict[str, dict[int, dict[str, Any]]], set[tuple[int, int]]]:
    """For each method of the plan its figures by the number of demonstrations, and the authors and seeds that have every number and
    method: only these are counted.
    """

    def able(count: int) -> tuple[str, ...]:
        return tuple(name for name in plan.methods if LEAST.get(name, 1) <= count)

    found = {count: cases_done(scores, replace(plan, demonstrations=count, methods=able(count))) for count in COUNTS}
    found = {count: cases for count, cases in found.items() if cases}
    shared = set.intersection(*map(set, found.values())) if len(found) > 1 else set()
    results = {count: summary({case: cases[case] for case in sorted(shared)})["methods"] for count, cases in found.items() if shared}
    curves = {name: {count: one[name] for count, one in results.items() if name in one} for name in plan.methods} if results else {}
    return curves, shared


def efficiency_table(curves: dict[str, dict[int, dict[str, Any]]], cases: Collection[tuple[int, int]]) -> str:
    counts = list(max(curves.values(), key=len))
    authors = len({author for author, _ in cases})
    late = [f"{name} needs {LEAST[name]} texts." for name in curves if name in LEAST]
    lines = ["", "## Style and facts kept by the number of demonstrations", "", f"Of {authors} of the authors, {_seeds(cases)}.", *late, ""]
    lines += [f"| method | {' | '.join(map(str, counts))} |", f"|---|{'---|' * len(counts)}"]
    for name, curve in curves.items():
        cells = [f"{_cell(curve[count]['style'])}, {curve[count]['facts']['mean']:.2f}" if count in curve else "" for count in counts]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "![Style by the number of demonstrations](demonstrations.svg)", ""])


def _plot(result: dict[str, Any], path: Path) -> None:
    """Style against facts kept, with intervals."""
    from matplotlib import pyplot

    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
        for name in mean_wins(result):
            style, facts = (result["methods"][name][measure] for measure in ("style", "facts"))
            spread = [[[one["mean"] - one["low"]], [one["high"] - one["mean"]]] for one in (facts, style)]
            axes.errorbar(
                facts["mean"], style["mean"], xerr=spread[0], yerr=spread[1], fmt="o", ms=5, lw=1, color=COLOURS[name], label=name
            )
        axes.set(xlabel="facts kept", ylabel="style (traits and habits)", xlim=(None, 1.01), ylim=(0, 1.01))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _plot_efficiency(curves: dict[str, dict[int, dict[str, Any]]], path: Path) -> None:
    """Without intervals, which hide each other where methods are many; the table has them."""
    from matplotlib import pyplot

    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")
        counts = list(max(curves.values(), key=len))
        # The legend in the order in which the curves end.
        for name, curve in sorted(curves.items(), key=lambda pair: -pair[1][counts[-1]]["style"]["mean"]):
            axes.plot(list(curve), [one["style"]["mean"] for one in curve.values()], "-o", ms=3, label=name, color=COLOURS[name])
        axes.set(xscale="log", xlabel="demonstrations", ylabel="style (traits and habits)", ylim=(None, 1.0))
        axes.set_xticks(counts, labels=[str(count) for count in counts])
        axes.minorticks_off()
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.methods")
    parser.add_argument("--split", choices=("development", "heldout"), default="heldout")
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--demonstrations", type=int, default=7)
    parser.add_argument("--method", action="append", choices=tuple(MAKERS), help=f"again for more; all but {WRITING} by default")
    parser.add_argument("--curve", action="append", choices=tuple(MAKERS), help=f"of the curve; {', '.join(CURVE)} by default")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    methods = tuple(options.method or (name for name in METHODS if name != WRITING))
    plan = Plan(split=options.split, requests=options.requests, demonstrations=options.demonstrations, methods=methods)
    cases = cases_done(SCORES, plan)
    if not cases:
        parser.error(f"no author in {SCORES} has all of {', '.join(methods)}; run `idiolect bench methods` with --scores first")
    result = summary(cases)
    text = page(result, cases, plan)
    options.out.mkdir(parents=True, exist_ok=True)
    _plot(result, options.out / "methods.svg")
    curves, counted = efficiency(SCORES, replace(plan, methods=tuple(options.curve or CURVE)))
    if curves:
        text += efficiency_table(curves, counted)
        _plot_efficiency(curves, options.out / "demonstrations.svg")
    falling_back = cases_done(SCORES, replace(plan, methods=("ditto_prompted", WRITING)))
    if falling_back:
        text += writing(falling_back)
    write_json(options.out / "methods.json", result)
    write_atomic(options.out / "methods.md", text)
    print(text)


if __name__ == "__main__":
    main()

"""The report's sections from the result files, the runs and the prices.

Knows the result file. Knows nothing of HTML or PDF.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from idiolect.evaluation.results import DraftRows, RequestRow, Results
from idiolect.report import plots, tables
from idiolect.report.curves import Training, curves_of
from idiolect.report.document import Block, Card, Cards, Figures, Listing, Piece, Points, Report, Section
from idiolect.report.failures import failures_table, marked_draft, worst
from idiolect.report.findings import cautions, finding, ordered
from idiolect.report.marking import LABELS, changes, marked
from idiolect.settings import Prices

__all__ = ["contents"]

_SHOWN_REQUESTS = 4
_METHODS = {
    "baseline": "the model as it is, told nothing about the person",
    "prompt": "the person's style described in the system prompt",
    "few_shot": "some of the person's own texts shown before the request",
    "sft": "fine-tuned on the person's own texts and on drafts of a prompted teacher",
    "rlaif": "reinforced by verdicts on its own drafts",
    "ditto": "tuned to prefer the person's own texts to its drafts",
}


def contents(results: Results, rows: DraftRows, trainings: Sequence[Training] = (), prices: Prices | None = None) -> Report:
    """All that the report says, in its order."""
    order = ordered(results)
    sections = [
        _asked(results, order),
        _ranking(results, order, trainings),
        _plots(results, order),
        _differences(results, order),
        _training(results, trainings),
        _failures(rows.requests, order),
        _drafts(results, rows.requests, order),
        _leakage(results, order),
        _cost(results, trainings, prices or Prices()),
        _settings(results, trainings),
    ]
    return Report(
        title=f"Writing as {results.author}",
        author=results.author,
        line=_line(results),
        finding=finding(results, order),
        sections=tuple(section for section in sections if section),
        colours={tables.shown(name): plots.series_number(results, name) for name in results.writers},
        date=str(results.about.get("date", "")),
    )


def _line(results: Results) -> str:
    learnt = results.about.get("demonstrations", "?")
    told = [
        f"{results.heldout} held-out {'request' if results.heldout == 1 else 'requests'}",
        f"{learnt} {'text' if learnt == 1 else 'texts'} to learn from",
        f"model {results.base_model}",
        f"seed {results.seed}",
        *([str(results.about["date"])] if results.about.get("date") else []),
    ]
    return " · ".join(told)


def _asked(results: Results, order: Sequence[str]) -> Section:
    style: dict[str, Any] = results.about.get("style") or {}
    if results.judge == "truth":
        measured = (
            f"{results.author} is a simulated correspondent whose {style.get('traits', '')} style traits are known, so style is the "
            "share of them that a draft shows, counted and not judged. A draft beats the baseline's when it shows more of them; a tie "
            "counts half."
        )
    else:
        measured = f"Style is {style.get('measure', 'the verifier’s probability that the person wrote the draft')}."
        if isinstance(style.get("auc"), int | float):
            measured += (
                " On texts it had not seen, the verifier told the person from the impostors with an area under the curve of "
                f"{style['auc']:.2f}."
            )
        measured += " A draft beats the baseline's when the verifier holds it for more likely the person's."
    asked = f"Every writer below got the same {results.heldout} requests, none of which it had seen, and wrote one draft for each."
    tries = results.about.get("tries", 1)
    if tries > 1:
        faults = "a lost fact or a word that all plain drafts have"
        asked += f" Where the checks found a fault in it, such as {faults}, it is the best of {tries} tries."
    interval = "Every number is a mean over the requests with its 95 % interval from a paired bootstrap."
    described = tuple((name, _METHODS.get(name, "a writer of another kind")) for name in order)
    return Section("asked", "What was asked", (f"{asked} {measured} {interval}",), (Points(tuple(_named(described))),))


def _named(points: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(tables.shown(name), told) for name, told in points]


def _ranking(results: Results, order: Sequence[str], trainings: Sequence[Training]) -> Section:
    warned = [*_gone_back(trainings), *cautions(results, order)]
    blocks: list[Block] = [Points(tuple(_named(warned)), warning=True)] if warned else []
    if results.ranking:
        blocks.append(tables.ranking_table(results))
    blocks.append(tables.measures_table(results, order))
    if any(len(found) > 1 for found in results.win_rates.values()):
        blocks.append(tables.judges_table(results, order))
    if results.agreements:
        blocks.append(tables.agreements_table(results))
    told = f"“Own texts” are what {results.author} really wrote for these requests, by the same measures"
    notes = (f"{told}: a perfect writer would get these numbers.",) if results.reference else ()
    return Section("ranking", "The ranking", blocks=tuple(blocks), notes=notes)


def _gone_back(trainings: Sequence[Training]) -> list[tuple[str, str]]:
    """Trainings that the watch took back to an earlier step, or to their start, so that the writer is no more than that."""
    told = []
    for one in trainings:
        chosen, last = one.watch.get("chosen_step"), one.watch.get("last_step")
        if isinstance(chosen, int) and isinstance(last, int) and chosen < last:
            where = f"step {chosen}" if chosen else "its start, so that it is no other writer than that"
            told.append((one.name, f"went back from step {last} of its training to {where}; “Training” says why."))
    return told


def _plots(results: Results, order: Sequence[str]) -> Section:
    return Section("plots", "Style, facts, length, copying", blocks=(Figures(tuple(plots.figures_of(results, order))),), wide=True)


def _differences(results: Results, order: Sequence[str]) -> Section | None:
    if not results.differences:
        return None
    told = "Differences request by request. An interval that leaves out zero is more than chance."
    blocks = (tables.differences_table(results, order), tables.tests_table(results, order))
    return Section("differences", "Against the baseline", (told,), blocks)


def _training(results: Results, trainings: Sequence[Training]) -> Section | None:
    curves, kept = curves_of(trainings), [(tables.shown(one.name), one.watch["why"]) for one in trainings if "why" in one.watch]
    if not curves and not kept:
        return None
    blocks: list[Block] = [Points(tuple(kept))] if kept else []
    if curves:
        blocks.append(Figures(tuple(plots.curve_figure(one, results) for one in curves)))
    return Section("training", "Training", blocks=tuple(blocks), wide=True)


def _failures(rows: Sequence[RequestRow], order: Sequence[str]) -> Section | None:
    names = [name for name in order if any(name in row.drafts for row in rows)]
    if not names:
        return None
    cards = tuple(card for name in names for card in worst(rows, name))
    blocks: list[Block] = [failures_table(rows, names)]
    if cards:
        blocks.append(Cards(cards))
    told = "How many drafts have which fault, then, for each writer, the drafts that have most against them."
    return Section("failures", "Where each writer fails", (told,), tuple(blocks), wide=True)


def _drafts(results: Results, rows: Sequence[RequestRow], order: Sequence[str]) -> Section | None:
    if not rows:
        return None
    kinds = ["kept", "invented", "slot", "remark", *(["other"] if any(row.own for row in rows) else [])]
    return Section(
        "drafts",
        "Drafts side by side",
        ("Requests at even distances through the held-out list, so that nobody picked them.",),
        tuple(_side_by_side(results.author, row, order) for row in _evenly(rows, _SHOWN_REQUESTS)),
        wide=True,
        legend=tuple(Piece(LABELS[kind], (kind,)) for kind in kinds),
    )


def _evenly(rows: Sequence[RequestRow], count: int) -> list[RequestRow]:
    """``count`` rows spread evenly, so that nobody picked them."""
    if len(rows) <= count:
        return list(rows)
    return [rows[round(index * (len(rows) - 1) / (count - 1))] for index in range(count)]


def _side_by_side(author: str, row: RequestRow, order: Sequence[str]) -> Cards:
    cards = [Card(f"{author} wrote", marked(row.own, facts=row.facts))] if row.own else []
    for name in order:
        draft = row.drafts.get(name)
        if draft is None:
            continue
        scores = [f"{what} {value:.2f}" for what, value in (("style", draft.style), ("facts", draft.facts)) if value is not None]
        cards.append(
            Card(
                tables.shown(name),
                marked_draft(row, draft, own=row.own),
                writer=True,
                score=" · ".join(scores),
                reasons=(f"loses {', '.join(draft.lost)}",) if draft.lost else (),
                changes=changes(draft.text, row.own) if row.own else (),
            )
        )
    return Cards(tuple(cards), request=marked(row.request, facts=row.facts))


def _leakage(results: Results, order: Sequence[str]) -> Section:
    title = "What training gives away"
    if not results.leakage:
        told = (
            "Not measured in this comparison. “idiolect audit” plants secrets in a copy of the workspace, and “idiolect compare --audit” "
        )
        return Section("leakage", title, (f"{told}there tells what a writer gives away of its training texts.",))
    sentences = tuple((tables.shown(name), results.leakage[name].sentence) for name in order if name in results.leakage)
    return Section("leakage", title, blocks=(Points(sentences), tables.leakage_table(results, order)))


def _cost(results: Results, trainings: Sequence[Training], prices: Prices) -> Section:
    stated = [
        f"{price:g} {prices.currency} for a million tokens {what}"
        for price, what in ((prices.sampled, "sampled"), (prices.trained, "trained on"))
        if price is not None
    ]
    told = (
        f"At the stated price of {' and '.join(stated)}."
        if stated
        else "No price was stated; “idiolect report --price-per-million” takes one."
    )
    blocks: list[Block] = [tables.cost_table(results, prices)]
    if trainings:
        blocks.append(tables.training_table(trainings, prices))
    return Section("cost", "Cost", (told,), tuple(blocks))


def _settings(results: Results, trainings: Sequence[Training]) -> Section:
    about = results.about
    listings: list[Block] = [
        Listing(f"The system prompt of {tables.shown(name)}", str(prompt))
        for name in results.writers
        if (prompt := about.get("writers", {}).get(name, {}).get("system_prompt"))
    ]
    listings += [
        Listing(f"The config of {tables.shown(one.name)}", json.dumps(one.config, ensure_ascii=False, indent=2)) for one in trainings
    ]
    versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
    measured = ", ".join(f"{key} {value}" for key, value in (about.get("style") or {}).items() if isinstance(value, str | int | float))
    notes = [
        f"Task {results.task}, seed {results.seed}, style by {results.judge}{f' ({measured})' if measured else ''}.",
        *([f"Versions: {versions}."] if versions else []),
        "The same workspace, seed and versions give the same numbers; only the seconds differ.",
    ]
    return Section("settings", "Settings and versions", blocks=(tables.settings_table(results), *listings), notes=tuple(notes))

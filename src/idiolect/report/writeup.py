"""The handout's writeup from saved runs: the same runs give the same text.

Knows the result file and the run folders. Says nothing that is not in one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from idiolect.evaluation.results import Measure, Results
from idiolect.evaluation.statistics import Difference
from idiolect.methods.tracking import REMINDER, links
from idiolect.report import tables
from idiolect.report.curves import curves_of, portable, trainings_of
from idiolect.report.document import Block, Cell, Listing, Points, Report, Section, Table
from idiolect.report.findings import cautions, finding, ordered
from idiolect.report.plots import series_number
from idiolect.settings import Settings
from idiolect.tasks import load_task
from idiolect.workspace import Workspace, read_json, read_json_lines, read_text

__all__ = ["writeup"]

_DASH = Cell("–")
_GAINS: dict[str, tuple[str, str, float]] = {
    # measure: (what a rise is called, what a fall is called, +1 where more is better)
    "style": ("comes closer to the person", "is further from the person", 1.0),
    "facts": ("keeps more of the facts", "keeps fewer of the facts", 1.0),
    "invented": ("invents in more drafts", "invents in fewer drafts", -1.0),
    "placeholders": ("leaves slots open in more drafts", "leaves slots open in fewer drafts", -1.0),
    "verbatim_overlap": ("copies longer passages from the person's texts", "copies shorter passages from the person's texts", -1.0),
}
_SETTINGS = ("data", "steps", "batch_size", "learning_rate", "rank", "group_size", "kl_penalty", "beta", "samples", "pattern")


class _Kept(NamedTuple):
    """A run folder as far as it tells something."""

    name: str
    config: dict[str, Any]
    writer: dict[str, Any]
    folder: Path


def writeup(workspace: Workspace, settings: Settings, results: Results) -> Report:
    """All sections of the handout's template, in its order."""
    order, runs = ordered(results), _runs(workspace)
    sections = (
        Section("results", "What came out", (_setting(results),), (tables.measures_table(results, order),)),
        _prompt(workspace, results),
        _checkpoints(runs),
        _rubric(workspace, settings),
        _links(workspace),
        _methods(results, order, runs),
        _hacking(results, order, runs),
        _tried(workspace, results, runs),
        _limits(results, order),
    )
    return Report(
        title=f"Writeup: writing as {results.author}",
        author=results.author,
        line=f"{results.heldout} held-out requests · model {results.base_model} · seed {results.seed}",
        finding=finding(results, order),
        sections=sections,
        colours={tables.shown(name): series_number(results, name) for name in results.writers},
        date=str(results.about.get("date", "")),
    )


def _runs(workspace: Workspace) -> list[_Kept]:
    """The workspace's runs in the order of their names, without folders of this machine in what they say."""
    found = []
    for folder in sorted(path for path in workspace.runs.glob("*/") if (path / "config.json").is_file()):
        writer = read_json(folder / "writer.json") if (folder / "writer.json").is_file() else {}
        found.append(_Kept(folder.name, portable(read_json(folder / "config.json")), writer, folder))
    return found


def _setting(results: Results) -> str:
    learnt = results.about.get("demonstrations", "?")
    return (
        f"{len(results.writers)} writers answered the same {results.heldout} requests, which none had seen; {learnt} demonstrations were "
        "there to learn from. Numbers are means over the requests with 95 % intervals of a paired bootstrap."
    )


def _prompt(workspace: Workspace, results: Results) -> Section:
    about: Mapping[str, Mapping[str, Any]] = results.about.get("writers", {})
    prompts = {name: str(one["system_prompt"]) for name, one in about.items() if one.get("system_prompt")}
    if not prompts and workspace.prompt.is_file():
        prompts = {"prompt": read_text(workspace.prompt)}
    told = "The prompt that the model wrote from the demonstrations, as it was compared." if prompts else "No writer had a system prompt."
    return Section("prompt", "System prompt", (told,), tuple(Listing(f"Of {tables.shown(name)}", text) for name, text in prompts.items()))


def _checkpoints(runs: Sequence[_Kept]) -> Section:
    rows = []
    for run in runs:
        path = run.folder / "checkpoints.jsonl"
        for record in read_json_lines(path, torn_tail=True) if path.is_file() else ():
            if record.get("name") == "final" or record.get("sampler_path") == run.writer.get("adapter"):
                paths = [record[kind] for kind in ("sampler_path", "state_path") if record.get(kind)]
                rows.append((Cell(run.name, words=True), Cell(str(record.get("name", "")), words=True), Cell("  ".join(paths), words=True)))
        if run.writer.get("adapter") and not path.is_file():
            rows.append((Cell(run.name, words=True), _DASH, Cell(run.writer["adapter"], words=True)))
    if not rows:
        return Section("checkpoints", "Checkpoints", ("Nothing was trained.",))
    table = Table("checkpoints-table", "Checkpoint paths of the runs", ("run", "checkpoint", "paths"), tuple(rows))
    return Section("checkpoints", "Checkpoints", ("Sampler weights, and where kept the state to train on from.",), (table,))


def _rubric(workspace: Workspace, settings: Settings) -> Section:
    own = workspace.rubric.is_file()
    text = read_text(workspace.rubric) if own else load_task(settings.task, workspace).rubric
    told = "The workspace's own rubric." if own else f"The default rubric of the task {settings.task}."
    return Section("rubric", "Rubric", (told,), (Listing("Rubric", text),))


def _links(workspace: Workspace) -> Section:
    found = links(workspace)
    if not found:
        told = "No run was logged to Weights & Biases; curves and metrics lie in each run's folder."
        return Section("links", "Runs", (told,))
    return Section("links", "Runs", blocks=(Points(tuple(found.items())),), notes=(REMINDER,))


def _methods(results: Results, order: Sequence[str], runs: Sequence[_Kept]) -> Section:
    points = []
    for name in order:
        if name == "baseline":
            continue
        pros, cons, open_ = argued(results.differences.get(name, {}))
        costs = _cost(results, name, runs)
        said = [
            f"For it: {'; '.join(pros)}." if pros else "For it: nothing that is more than chance.",
            f"Against it: {'; '.join([*cons, *costs])}.",
        ]
        if open_:
            said.append(f"Not settled by this sample: {', '.join(open_)}.")
        points.append((tables.shown(name), " ".join(said)))
    told = (
        "Each method against the model as it is. Only differences that are more than chance after Holm's correction are counted for or "
        "against a method."
    )
    return Section("methods", "For and against each method", (told,), (Points(tuple(points)),) if points else ())


def argued(differences: Mapping[str, Difference]) -> tuple[list[str], list[str], list[str]]:
    """What speaks for a writer and against it, and which measures the sample does not settle."""
    pros, cons, unsettled = [], [], []
    for measure, (more, less, good) in _GAINS.items():
        found = differences.get(measure)
        if found is None or found.mean is None:
            continue
        if found.p_holm is None or found.p_holm >= 0.05:
            if found.low is not None and found.high is not None and found.high > found.low:
                unsettled.append(f"{measure.replace('_', ' ')} ({_signed(found)})")
            continue
        sentence = f"{more if found.mean > 0 else less} ({_signed(found)})"
        (pros if found.mean * good > 0 else cons).append(sentence)
    length = differences.get("length_ratio")
    if length is not None and length.mean is not None and length.p_holm is not None and length.p_holm < 0.05:
        cons.append(
            f"writes {'longer' if length.mean > 0 else 'shorter'} than the model as it is ({_signed(length)} of the person's length)"
        )
    return pros, cons, unsettled


def _signed(measure: Measure) -> str:
    cell = tables.signed_number(measure)
    return f"{cell.text}, {cell.below}" if cell.below else cell.text


def _cost(results: Results, name: str, runs: Sequence[_Kept]) -> list[str]:
    """What a writer takes: training steps, or a longer prompt with every draft."""
    about = results.about.get("writers", {}).get(name, {})
    adapter = about.get("adapter")
    run = next((run for run in reversed(runs) if adapter and run.writer.get("adapter") == adapter), None)
    if run is not None:
        steps = run.config.get("steps")
        return [f"needs a training{f' of {steps} steps' if steps else ''} and its own checkpoint"]
    words, examples = len(str(about.get("system_prompt") or "").split()), about.get("examples") or 0
    if words or examples:
        sent = [*([f"a prompt of {words} words"] if words else []), *([f"{examples} examples"] if examples else [])]
        return [f"sends {' and '.join(sent)} with every request"]
    return ["it costs more than the model as it is"]


def _hacking(results: Results, order: Sequence[str], runs: Sequence[_Kept]) -> Section:
    """What a judge's reward may have bought: the watch over the training, and the measures that give no rewards."""
    blocks: list[Block] = []
    trained = [run for run in runs if (run.folder / "watch.json").is_file()]
    points = []
    for run in trained:
        watch = read_json(run.folder / "watch.json")
        fell = ", ".join(tables.shown(one) for one in watch.get("alarms", ()))
        told = f"The best look was before step {watch.get('chosen_step')} of {watch.get('last_step')}."
        points.append((run.name, f"{told} {f'While the reward rose, these fell: {fell}.' if fell else 'No alarm was raised.'}"))
    if points:
        blocks.append(Points(tuple(points)))
    found = cautions(results, order)
    if found:
        blocks.append(Points(tuple((tables.shown(name), told) for name, told in found), warning=True))
    reward = "A trained policy finds what its judge overlooks, so facts, inventions, length and copying are measured without the judge."
    watched = reward if trained else f"No policy was trained on a judge's rewards in these runs. {reward}"
    clean = () if found else ("On the held-out requests no writer stands apart from the baseline in the wrong direction.",)
    return Section("hacking", "Reward hacking", (watched, *clean), tuple(blocks))


def _tried(workspace: Workspace, results: Results, runs: Sequence[_Kept]) -> Section:
    compared = {one.get("adapter") for one in results.about.get("writers", {}).values() if one.get("adapter")}
    rows = []
    for run in runs:
        told = ", ".join(f"{key} {run.config[key]}" for key in _SETTINGS if run.config.get(key) is not None)
        adapter = run.writer.get("adapter")
        state = (
            "not finished" if not _finished(run) and run.folder.joinpath("training").is_dir() else "compared" if adapter in compared else ""
        )
        rows.append((Cell(run.name, words=True), Cell(told or "–", words=True), Cell(_ending(run.folder)), Cell(state)))
    table = Table("runs-table", "All runs of the workspace", ("run", "settings", "last loss", ""), tuple(rows))
    curves = curves_of(trainings_of(workspace, results.about.get("writers", {})))
    fell = tuple(
        (tables.shown(name), f"{curve.label} went from {line[0][1]:.2f} to {line[-1][1]:.2f} in {len(line)} steps.")
        for curve in curves
        for name, line in curve.lines.items()
    )
    blocks: list[Block] = [table] if rows else []
    if fell:
        blocks.append(Points(fell))
    return Section("tried", "What was tried", (f"{len(runs)} runs are kept in the workspace.",), tuple(blocks))


def _finished(run: _Kept) -> bool:
    """A run ends with its writer, a reward model's with its judge."""
    return bool(run.writer) or (run.folder / "judge.json").is_file()


def _ending(folder: Path) -> str:
    """The last training loss that a run logged."""
    path = folder / "metrics.jsonl"
    rows = list(read_json_lines(path, torn_tail=True)) if path.is_file() else []
    last = next((row["train_mean_nll"] for row in reversed(rows) if isinstance(row.get("train_mean_nll"), int | float)), None)
    return "–" if last is None else f"{last:.2f}"


def _limits(results: Results, order: Sequence[str]) -> Section:
    shows = [
        found.smallest_detectable
        for name in order
        if (found := results.differences.get(name, {}).get("style")) is not None and found.smallest_detectable is not None
    ]
    told = [
        f"{results.heldout} requests of one person were written for once each, with one seed; other people may rank the methods otherwise."
    ]
    if shows:
        told.append(
            f"This sample would miss, one time in five, a true difference in style below {max(shows):.2f} for the most varied writer."
        )
    if results.judge == "truth":
        told.append(
            "The person is simulated, so style is counted and not judged; on real mail it is a verifier's probability, which can be wrong."
        )
    else:
        told.append("Style is a verifier's probability; it can be wrong, and a method may learn what it looks at instead of the person.")
    if not results.leakage:
        told.append("What the adapters give away of their training mail was not measured here.")
    return Section("limits", "Limits", tuple(told))

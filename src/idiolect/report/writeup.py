"""The handout's writeup from saved runs: the same runs give the same text.

Knows the result file and the run folders. Says nothing that is not in one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from idiolect.evaluation.results import Measure, Results, WriterResult
from idiolect.evaluation.statistics import Difference
from idiolect.methods.prompting import edited
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
_SETTINGS = ("data", "rounds", "steps", "batch_size", "learning_rate", "rank", "group_size", "kl_penalty", "beta", "samples", "pattern")


class _Kept(NamedTuple):
    """A run folder as far as it tells something."""

    name: str
    config: dict[str, Any]
    writer: dict[str, Any]
    """What the run ended with: a writer, or a reward model's judge; empty where it did not end."""
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
        kind="writeup",
    )


def _runs(workspace: Workspace) -> list[_Kept]:
    """The workspace's runs in the order of their names, without folders of this machine in what they say."""
    found = []
    for folder in sorted(path for path in workspace.runs.glob("*/") if (path / "config.json").is_file()):
        # A reward model's run ends with its judge, which names its weights alike.
        end = next((path for name in ("writer.json", "judge.json") if (path := folder / name).is_file()), None)
        writer = read_json(end) if end else {}
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
    by_hand = (
        "prompt.md was written or changed by hand." if edited(workspace) else "prompt.md is as the model wrote it from the demonstrations."
    )
    told = f"As it was compared. {by_hand}" if prompts else "No writer had a system prompt."
    return Section("prompt", "System prompt", (told,), tuple(Listing(tables.shown(name), text) for name, text in prompts.items()))


def _checkpoints(runs: Sequence[_Kept]) -> Section:
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        adapter = run.writer.get("adapter")
        if not adapter:
            continue
        what = "sampler weights, those of its start" if _given_back(run) else "sampler weights"
        rows.append((Cell(run.name), Cell(what), Cell(adapter, words=True)))
        if state := _state(run, adapter):
            rows.append((Cell(run.name), Cell("training state"), Cell(state, words=True)))
    if not rows:
        return Section("checkpoints", "Checkpoints", ("Nothing was trained.",))
    table = Table("checkpoints-table", "Checkpoint paths of the runs", ("run", "what", "path"), tuple(rows))
    return Section("checkpoints", "Checkpoints", ("Sampler weights, and where it was kept the state to train on from.",), (table,))


def _records(run: _Kept) -> list[dict[str, Any]]:
    path = run.folder / "checkpoints.jsonl"
    return list(read_json_lines(path, torn_tail=True)) if path.is_file() else []


def _state(run: _Kept, adapter: str) -> str | None:
    """The training state of a run's weights: that of the same checkpoint, or of the last round."""
    records = _records(run)
    same = (record.get("state_path") for record in records if record.get("sampler_path") == adapter)
    return next(same, None) or (records[-1].get("state") if records else None)


def _given_back(run: _Kept) -> bool:
    """Whether no step was better than the start, so that the run ended with it."""
    path = run.folder / "watch.json"
    return path.is_file() and not read_json(path).get("chosen_step")


def _rubric(workspace: Workspace, settings: Settings) -> Section:
    own = workspace.rubric.is_file()
    text = read_text(workspace.rubric) if own else load_task(settings.task, workspace).rubric
    told = "The workspace's own rubric." if own else f"The default rubric of the task {settings.task}."
    return Section("rubric", "Rubric", (told,), (Listing("rubric.md" if own else f"{settings.task}.toml", text),))


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
        pros, cons, open_ = argued(results.differences.get(name, {}), results.writers[name], results.reference)
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
        "against a method; copying only where it goes beyond what the person's own further texts share with the demonstrations."
    )
    return Section("methods", "For and against each method", (told,), (Points(tuple(points)),) if points else ())


def argued(
    differences: Mapping[str, Difference], measures: WriterResult | None = None, own: Mapping[str, Measure] | None = None
) -> tuple[list[str], list[str], list[str]]:
    """What speaks for a writer and against it, and which measures the sample does not settle.

    ``measures`` are the writer's own, ``own`` those of the person's texts: what is no more than a person's set phrases is no copying.
    """
    pros, cons, unsettled = [], [], []
    for measure, (more, less, good) in _GAINS.items():
        found = differences.get(measure)
        if found is None or found.mean is None:
            continue
        if not _sure(found):
            if found.low is not None and found.high is not None and found.high > found.low:
                unsettled.append(f"{measure.replace('_', ' ')} ({_signed(found)})")
            continue
        if measure == "verbatim_overlap" and found.mean > 0 and measures and own and _within(measures.verbatim_overlap, own.get(measure)):
            continue
        sentence = f"{more if found.mean > 0 else less} ({_signed(found)})"
        (pros if found.mean * good > 0 else cons).append(sentence)
    length = differences.get("length_ratio")
    if length is not None and length.mean is not None and _sure(length):
        ratio = measures.length_ratio.mean if measures else None
        if ratio is not None and abs(ratio - 1) < abs(ratio - length.mean - 1):
            pros.append(f"comes closer to the person's length ({ratio:.2f} of it, {ratio - length.mean:.2f} as it is)")
        else:
            told = f"writes {'longer' if length.mean > 0 else 'shorter'} than the model as it is"
            cons.append(f"{told} ({_signed(length)} of the person's length)")
    return pros, cons, unsettled


def _sure(found: Difference) -> bool:
    return found.p_holm is not None and found.p_holm < 0.05


def _within(found: Measure, own: Measure | None) -> bool:
    """Whether a writer's mean lies no higher than the person's own texts may."""
    return own is not None and own.high is not None and found.mean is not None and found.mean <= own.high


def _signed(measure: Measure) -> str:
    cell = tables.signed_number(measure)
    return f"{cell.text}, {cell.below}" if cell.below else cell.text


def _cost(results: Results, name: str, runs: Sequence[_Kept]) -> list[str]:
    """What a writer takes: training steps, or a longer prompt with every draft."""
    about = results.about.get("writers", {}).get(name, {})
    adapter = about.get("adapter")
    trained = [run for run in reversed(runs) if adapter and run.writer.get("adapter") == adapter]
    if trained:
        # Two writers may share weights: a training that was given back ends with those that it began with.
        run = next((run for run in trained if run.writer.get("name") == name), trained[0])
        start = _start(run, runs)
        if _given_back(run):
            return [f"no step of its training was taken by the watch, so it is {start or 'its start'} unchanged"]
        steps = _steps(run.config)
        return [
            f"needs a training{f' of {steps} steps' if steps else ''}{f' after that of {start}' if start else ''} and its own checkpoint"
        ]
    words, examples = len(str(about.get("system_prompt") or "").split()), about.get("examples") or 0
    if words or examples:
        sent = [*([f"a prompt of {words} words"] if words else []), *([f"{examples} examples"] if examples else [])]
        return [f"sends {' and '.join(sent)} with every request"]
    return ["it costs more than the model as it is"]


def _steps(config: Mapping[str, Any]) -> int | None:
    """Optimizer steps that a config asks for; DITTO's are those of each round."""
    steps, rounds = config.get("steps"), config.get("rounds", 1)
    return steps * rounds if isinstance(steps, int) and isinstance(rounds, int) else None


def _start(run: _Kept, runs: Sequence[_Kept]) -> str | None:
    """The writer whose weights a run began with."""
    first = run.config.get("first")
    if isinstance(first, dict):
        return tables.shown(str(first.get("name"))) if first.get("adapter") else None
    begun = (other for other in runs if first and any(record.get("state_path") == first for record in _records(other)))
    return next((tables.shown(str(other.writer.get("name"))) for other in begun if other.writer.get("name")), None)


def _hacking(results: Results, order: Sequence[str], runs: Sequence[_Kept]) -> Section:
    """What a judge's reward may have bought: the watch over the training, and the measures that give no rewards."""
    blocks: list[Block] = []
    trained = [run for run in runs if (run.folder / "watch.json").is_file()]
    points = []
    for run in trained:
        watch = read_json(run.folder / "watch.json")
        why = watch.get("why") or f"Step {watch.get('chosen_step')} of {watch.get('last_step')} was kept."
        if _given_back(run):
            why += " It ended with the weights that it began with."
        points.append((run.name, why if watch.get("alarms") else f"{why} No alarm was raised."))
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
        found = {**_logged_rate(run.folder), **{key: value for key, value in run.config.items() if value is not None}}
        told = ", ".join(f"{key} {found[key]}" for key in _SETTINGS if key in found)
        adapter = run.writer.get("adapter")
        state = "not finished" if not run.writer and run.folder.joinpath("training").is_dir() else "compared" if adapter in compared else ""
        rows.append((Cell(run.name, words=True), Cell(told or "–", words=True), Cell(_ending(run.folder)), Cell(state)))
    table = Table("runs-table", "All runs of the workspace", ("run", "settings", "last loss", ""), tuple(rows))
    curves = curves_of(trainings_of(workspace, results.about.get("writers", {})))
    fell = tuple((tables.shown(name), _went(curve.label, line)) for curve in curves for name, line in curve.lines.items())
    blocks: list[Block] = [table] if rows else []
    if fell:
        blocks.append(Points(fell))
    told = (f"{len(runs)} runs are kept in the workspace.", *_synthetic(workspace), *_prompts(workspace), *_lines(workspace))
    return Section("tried", "What was tried", told, tuple(blocks))


def _went(label: str, line: Sequence[tuple[int, float]]) -> str:
    """A curve in a sentence; what is not measured at every step is measured in looks."""
    first, last = (tables.number(Measure(mean=value)).text for _, value in (line[0], line[-1]))
    every = line[-1][0] - line[0][0] == len(line) - 1
    return f"{label} went from {first} to {last} in {len(line)} {'steps' if every else 'looks'}."


def _synthetic(workspace: Workspace) -> list[str]:
    """How many synthetic texts there are, and what was dropped."""
    path = workspace.synthetic / "report.json"
    if not path.is_file():
        return []
    told = []
    for what in ("requests", "texts"):
        found = read_json(path)[what]
        dropped = ", ".join(f"{count} {reason}" for reason, count in found["dropped"].items()) or "none"
        told.append(f"{found['kept']} synthetic {what} were kept; dropped: {dropped}.")
    return [" ".join(told)]


def _prompts(workspace: Workspace) -> list[str]:
    """The prompts that were measured side by side."""
    path = workspace.results / "prompts.json"
    if not path.is_file():
        return []
    value = read_json(path)
    scores = {name: Measure.model_validate(one["measures"]["score"]) for name, one in value["variants"].items()}
    told = ", ".join(
        f"{name} {score.mean:.3f}"
        for name, score in sorted(scores.items(), key=lambda one: -(one[1].mean or 0.0))
        if score.mean is not None
    )
    return [f"Prompts by their score on {value['development']} development requests: {told}."]


def _lines(workspace: Workspace) -> list[str]:
    """The lines of prompt.md that were found to help or to harm."""
    path = workspace.results / "prompt-lines.json"
    if not path.is_file():
        return []
    value = read_json(path)
    told = []
    for verdict in ("helps", "harms"):
        lines = [f"“{one['line'].removeprefix('- ')}”" for one in value["lines"] if one["verdict"] == verdict]
        told.append(f"{verdict}: {', '.join(lines) or 'none'}")
    return [f"Of {len(value['lines'])} lines of the prompt, left out one at a time, more than chance {'; '.join(told)}."]


def _logged(folder: Path, *names: str) -> list[float]:
    """The values of the first of the metrics that a run logged."""
    path = folder / "metrics.jsonl"
    rows = list(read_json_lines(path, torn_tail=True)) if path.is_file() else []
    found = ([row[name] for row in rows if isinstance(row.get(name), int | float)] for name in names)
    return next((values for values in found if values), [])


def _logged_rate(folder: Path) -> dict[str, float]:
    """The peak learning rate, which a config that leaves it to the method does not name."""
    rates = _logged(folder, "learning_rate", "optim/lr")
    return {"learning_rate": max(rates)} if rates else {}


def _ending(folder: Path) -> str:
    """The last training loss that a run logged."""
    losses = _logged(folder, "train_mean_nll", "dpo_loss")
    return f"{losses[-1]:.2f}" if losses else "–"


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

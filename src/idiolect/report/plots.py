"""The report's plots, each with its numbers as a table.

Knows the result file, the curves of the runs and matplotlib. Each plot is narrow enough to be read on a phone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from idiolect.evaluation.compare import ORDER
from idiolect.evaluation.results import Measure, Results
from idiolect.report import svg
from idiolect.report.curves import Curves
from idiolect.report.document import Cell, Figure, Table
from idiolect.report.tables import number, shown, table_of

__all__ = ["curve_figure", "figures_of", "series_number"]

_FOLD = "The numbers"
_NEAR = 0.15
"""Of style: points whose names share one edge."""
_LINE = 12
"""Points from one name to the next below."""
_TABLE_STEPS = 8
_SMOOTHED_FROM = 24


def figures_of(results: Results, order: Sequence[str]) -> list[Figure]:
    """Ranking, style, style against facts, length and copying."""
    found = [_style(results, order), _style_facts(results, order), _length(results, order), _overlap(results, order)]
    return [_ranking(results, order), *found] if results.ranking else found


def series_number(results: Results, name: str) -> int:
    """Which of the series' colours a writer has: a method's own, so that it is the same in every report."""
    if name in ORDER:
        return ORDER.index(name)
    others = [other for other in results.writers if other not in ORDER]
    return len(ORDER) + (others.index(name) if name in others else 0) % (len(svg.SERIES) - len(ORDER))


def _ranking(results: Results, order: Sequence[str]) -> Figure:
    chances = {one.writer: one.chance for one in results.ranking}
    return _forest(
        {name: chances.get(name, Measure()) for name in order},
        results,
        name="chance",
        title="Ranking.",
        caption="The chance that a draft beats one by an average writer among these, from all pairs (Bradley and Terry).",
        label="chance to beat an average writer here",
        limits=(0.0, 1.02),
        line=(0.5, "even"),
        columns={"chance": chances},
    )


def _style(results: Results, order: Sequence[str]) -> Figure:
    own = results.reference.get("style")
    told = " The dashed line is where the person's own texts lie." if own else ""
    return _forest(
        {name: results.writers[name].style for name in order},
        results,
        name="style",
        title="Style.",
        caption=f"The bar is the 95 % interval.{told}",
        label="style" if results.judge == "truth" else "probability of same authorship",
        limits=(0.0, 1.02),
        line=(own.mean, "own texts") if own and own.mean is not None else None,
        columns={name: {one: getattr(results.writers[one], field) for one in order} for name, field in _STYLE.items()},
    )


_STYLE = {"style": "style", "beats baseline": "win_rate_vs_baseline"}
_FACTS = {"style": "style", "facts kept": "facts", "invents": "invented"}


def _length(results: Results, order: Sequence[str]) -> Figure:
    measures = {name: results.writers[name].length_ratio for name in order}
    top = max([1.2, *(one.high or one.mean or 0 for one in measures.values())])
    return _forest(
        measures,
        results,
        name="length",
        title="Length.",
        caption="One is as long as what the person wrote for the same request.",
        label="words, by words of the person's own text",
        limits=(0.0, top * 1.06),
        line=(1.0, "as long"),
        columns={"length": measures},
    )


def _overlap(results: Results, order: Sequence[str]) -> Figure:
    own = results.reference.get("verbatim_overlap")
    measures = {name: results.writers[name].verbatim_overlap for name in order}
    return _forest(
        measures,
        results,
        name="overlap",
        title="Copying.",
        caption="The longest run of words that also stands in one of the texts to learn from. A person repeats set phrases; a draft far "
        "beyond the dashed line recites.",
        label="longest copied run, share of the draft",
        limits=(0.0, 1.02),
        line=(own.mean, "own texts") if own and own.mean is not None else None,
        columns={"copied run": measures},
    )


def _style_facts(results: Results, order: Sequence[str]) -> Figure:
    """Style against facts kept, with both intervals: the corner top right is where one wants to be."""
    known = [name for name in order if results.writers[name].style.mean is not None and results.writers[name].facts.mean is not None]

    def on(axes: Any) -> None:
        for name in known:
            style, facts, colour = results.writers[name].style, results.writers[name].facts, _colour(results, name)
            axes.errorbar(
                style.mean, facts.mean, xerr=_arms(style), yerr=_arms(facts), fmt="o", ms=6.5, color=colour, elinewidth=1.3, capsize=0
            )
        low = min([0.9, *(results.writers[name].facts.low or results.writers[name].facts.mean or 0 for name in known)])
        axes.set(xlim=(0, 1.03), ylim=(max(0.0, low - 0.06), 1.015), xlabel="style", ylabel="facts kept")
        _name_points(axes, known, results)

    told = "; ".join(
        f"{shown(name)} style {_two(results.writers[name].style)}, facts {_two(results.writers[name].facts)}" for name in known
    )
    columns = {heading: {one: getattr(results.writers[one], field) for one in order} for heading, field in _FACTS.items()}
    return Figure(
        name="stylefacts",
        title="Style against facts.",
        caption="Top right is best. A writer that moves right and down buys style with facts.",
        alt=f"Style against facts kept: {told}.",
        svg=svg.draw(on, height=3.4, name="stylefacts"),
        table=table_of("stylefacts-table", "Style and facts in numbers", order, columns, folded=_FOLD),
    )


def _name_points(axes: Any, names: Sequence[str], results: Results) -> None:
    """Names beside the points, past the arms of all that lie near, on the side where no other point or name is in the way; where both
    sides have one, each a line lower than what it would cover and with a stroke to its point.

    The axes must have their limits: what covers what is told in typographic points.
    """
    found = [(name, results.writers[name].style, results.writers[name].facts.mean or 0.0) for name in names]

    def at(x: float | None, y: float) -> tuple[float, float]:
        along, up = axes.transData.transform((x, y)) * 72 / axes.figure.dpi
        return float(along), float(up)

    points = [at(style.mean, y) for _, style, y in found]
    taken: list[tuple[float, float, float]] = []
    for name, style, y in sorted(found, key=lambda one: (-one[2], -(one[1].mean or 0.0))):
        near = [one for _, one, _ in found if abs((one.mean or 0.0) - (style.mean or 0.0)) < _NEAR]
        right = max(one.high if one.high is not None else one.mean or 0.0 for one in near)
        low = min(one.low if one.low is not None else one.mean or 0.0 for one in near)
        (middle, level), width = at(style.mean, y), 7 * len(_short(name))
        after, before = at(right, y)[0] + 9, at(low, y)[0] - 9 - width
        sides = [before, after] if right > 0.85 else [after, before]

        def free(start: float, level: float = level, width: float = width) -> bool:
            end = start + width
            over_point = any(abs(level - up) < _LINE and start - 6 < along < end + 6 for along, up in points)
            over_name = any(abs(level - up) < _LINE and start < last and begin < end for begin, last, up in taken)
            return not over_point and not over_name and end <= axes.figure.get_figwidth() * 72

        start, height = next((side for side in sides if free(side)), sides[0]), level
        while any(abs(height - up) < _LINE and start < end and begin < start + width for begin, end, up in taken):
            height -= _LINE
        taken.append((start, start + width, height))
        left = start == before
        axes.annotate(
            _short(name),
            (style.mean, y),
            xytext=(start - middle + (width if left else 0), height - level - 3),
            textcoords="offset points",
            ha="right" if left else "left",
            color=_colour(results, name),
            arrowprops={"arrowstyle": "-", "color": _colour(results, name), "lw": 0.8, "shrinkB": 4} if height < level else None,
            fontsize=10,
            fontweight="bold",
        )


def _forest(
    measures: Mapping[str, Measure],
    results: Results,
    *,
    name: str,
    title: str,
    caption: str,
    label: str,
    limits: tuple[float, float],
    line: tuple[float, str] | None,
    columns: Mapping[str, Mapping[str, Measure]],
) -> Figure:
    """One row a writer: a dot for the mean, a bar for the interval."""
    order = list(measures)
    known = [(row, writer, mean) for row, writer in enumerate(order) if (mean := measures[writer].mean) is not None]

    def on(axes: Any) -> None:
        if line:
            axes.axvline(line[0], color=svg.FAINT, lw=1, dashes=(4, 3))
            side = "right" if line[0] > limits[1] * 0.7 else "center"
            axes.text(line[0], -0.72, line[1], ha=side, va="bottom", fontsize=9, color=svg.FAINT)
        for row, writer, mean in known:
            measure, colour = measures[writer], _colour(results, writer)
            axes.plot([limits[0], mean], [row, row], color=svg.FAINT, lw=0.6, alpha=0.5, zorder=1)
            axes.errorbar(mean, row, xerr=_arms(measure), fmt="o", ms=6.5, color=colour, elinewidth=2.2, capsize=0, zorder=3)
            above = mean > limits[1] * 0.93
            axes.text(mean, row - 0.2, f"{mean:.2f}", ha="right" if above else "center", va="bottom", fontsize=9.5, color=svg.INK)
        axes.set(xlim=limits, ylim=(len(order) - 0.5, -0.85), xlabel=label)
        axes.set_yticks(range(len(order)), [_short(writer) for writer in order])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)

    told = "; ".join(f"{shown(writer)} {number(measures[writer]).text}{_told_interval(measures[writer])}" for writer in order)
    return Figure(
        name=name,
        title=title,
        caption=caption,
        alt=f"{title[:-1]} of each writer with its 95 % interval: {told}.",
        svg=svg.draw(on, height=0.95 + 0.42 * len(order), name=name),
        table=table_of(f"{name}-table", f"{title[:-1]} in numbers", order, columns, folded=_FOLD),
    )


def curve_figure(curves: Curves, results: Results) -> Figure:
    """One metric of training, a line a run."""

    def on(axes: Any) -> None:
        for name, points in curves.lines.items():
            steps, values = [step for step, _ in points], [value for _, value in points]
            colour = _colour(results, name)
            smooth = len(values) >= _SMOOTHED_FROM
            axes.plot(steps, values, color=colour, lw=0.8 if smooth else 1.6, alpha=0.45 if smooth else 1)
            if smooth:
                axes.plot(steps, _running_mean(values), color=colour, lw=1.8)
            axes.annotate(
                _short(name),
                (steps[-1], values[-1]),
                xytext=(0, 8),
                textcoords="offset points",
                ha="right",
                color=colour,
                fontsize=10,
                fontweight="bold",
            )
        axes.set(xlabel="step", ylabel=curves.label)

    told = "; ".join(
        f"{shown(name)} from {points[0][1]:.3g} at step {points[0][0]} to {points[-1][1]:.3g} at step {points[-1][0]}"
        for name, points in curves.lines.items()
    )
    return Figure(
        name=f"curve-{curves.name}",
        title=f"{curves.label[:1].upper()}{curves.label[1:]}.",
        caption="Each step's value is thin, the running mean of five steps thick." if _any_long(curves) else "By step of training.",
        alt=f"{curves.label} over training: {told}.",
        svg=svg.draw(on, height=2.6, name=curves.name),
        table=_curve_table(curves),
    )


def _curve_table(curves: Curves) -> Table:
    """Values at even steps, the first and the last among them."""
    lines = {name: dict(points) for name, points in curves.lines.items()}
    steps = sorted({step for points in lines.values() for step in points})
    if len(steps) > _TABLE_STEPS:
        steps = sorted({steps[round(index * (len(steps) - 1) / (_TABLE_STEPS - 1))] for index in range(_TABLE_STEPS)})
    rows = tuple(
        (Cell(str(step)), *(Cell(f"{points[step]:.4g}" if step in points else "–") for points in lines.values())) for step in steps
    )
    return Table(f"curve-{curves.name}-table", f"{curves.label} in numbers", ("step", *map(shown, lines)), rows, folded=_FOLD)


def _any_long(curves: Curves) -> bool:
    return any(len(points) >= _SMOOTHED_FROM for points in curves.lines.values())


def _running_mean(values: Sequence[float]) -> list[float]:
    windows: Callable[[int], Sequence[float]] = lambda at: values[max(0, at - 2) : at + 3]  # noqa: E731
    return [sum(windows(at)) / len(windows(at)) for at in range(len(values))]


def _colour(results: Results, name: str) -> str:
    return svg.SERIES[series_number(results, name)]


def _short(name: str) -> str:
    """A name that leaves room for the plot."""
    told = shown(name)
    return told if len(told) <= 18 else told[:17] + "…"


def _arms(measure: Measure) -> list[list[float]] | None:
    if measure.mean is None or measure.low is None or measure.high is None:
        return None
    return [[max(0.0, measure.mean - measure.low)], [max(0.0, measure.high - measure.mean)]]


def _told_interval(measure: Measure) -> str:
    below = number(measure).below
    return f" ({below})" if below else ""


def _two(measure: Measure) -> str:
    return "unknown" if measure.mean is None else f"{measure.mean:.2f}"

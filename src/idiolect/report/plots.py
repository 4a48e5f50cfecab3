"""The report's plots as inline SVG that takes its colours and type from the page.

Knows the result file and matplotlib. Each plot is narrow enough to be read on a phone; the page sets two side by side.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from idiolect.evaluation.compare import ORDER
from idiolect.evaluation.results import Measure, Results

__all__ = ["length_plot", "overlap_plot", "ranking_plot", "series_number", "style_facts_plot"]

# Stand-ins that matplotlib takes for colours and the page's style sheet replaces.
_INK, _FAINT = "#010101", "#020202"
_SERIES = tuple(f"#0300{number:02x}" for number in range(8))
_WIDTH = 4.6  # inches: 331 points, about a phone's width


def ranking_plot(results: Results, order: Sequence[str]) -> Markup:
    """Style of each writer, best on top, with the person's own texts as the mark to reach."""
    own = results.reference.get("style")
    return _forest(
        {name: results.writers[name].style for name in order},
        order,
        results,
        label="style" if results.judge == "truth" else "probability of same authorship",
        limits=(0.0, 1.02),
        line=(own.mean, "own texts") if own and own.mean is not None else None,
        alt="Style of each writer with its 95 % interval: ",
        name="ranking",
    )


def length_plot(results: Results, order: Sequence[str]) -> Markup:
    """Length against the person's own texts; 1 is as long."""
    measures = {name: results.writers[name].length_ratio for name in order}
    top = max([1.2, *(one.high or one.mean or 0 for one in measures.values())])
    return _forest(
        measures,
        order,
        results,
        label="words, by words of the person's own text",
        limits=(0.0, top * 1.06),
        line=(1.0, "as long"),
        alt="Length ratio of each writer with its 95 % interval: ",
        name="length",
    )


def overlap_plot(results: Results, order: Sequence[str]) -> Markup:
    """Longest run copied from a demonstration."""
    own = results.reference.get("verbatim_overlap")
    return _forest(
        {name: results.writers[name].verbatim_overlap for name in order},
        order,
        results,
        label="longest copied run, share of the draft",
        limits=(0.0, 1.02),
        line=(own.mean, "own texts") if own and own.mean is not None else None,
        alt="Verbatim overlap of each writer with its 95 % interval: ",
        name="overlap",
    )


def style_facts_plot(results: Results, order: Sequence[str]) -> Markup:
    """Style against facts kept, with both intervals: the corner top right is where one wants to be."""
    known = [name for name in order if results.writers[name].style.mean is not None and results.writers[name].facts.mean is not None]

    def draw(axes: Any) -> None:
        for name in known:
            style, facts, colour = results.writers[name].style, results.writers[name].facts, _colour(results, name)
            axes.errorbar(
                style.mean, facts.mean, xerr=_arms(style), yerr=_arms(facts), fmt="o", ms=6.5, color=colour, elinewidth=1.3, capsize=0
            )
        _name_points(axes, known, results)
        low = min([0.9, *(results.writers[name].facts.low or results.writers[name].facts.mean or 0 for name in known)])
        axes.set(xlim=(0, 1.03), ylim=(max(0.0, low - 0.06), 1.015), xlabel="style", ylabel="facts kept")

    told = "; ".join(f"{name} style {_two(results.writers[name].style)}, facts {_two(results.writers[name].facts)}" for name in known)
    return _svg(draw, height=3.4, alt=f"Style against facts kept: {told}", name="stylefacts")


def _name_points(axes: Any, names: Sequence[str], results: Results) -> None:
    """Names beside the points; where points lie close together the names step down so that none covers another."""
    placed: list[tuple[float, float]] = []
    for name in sorted(names, key=lambda one: -(results.writers[one].style.mean or 0)):
        x, y = results.writers[name].style.mean or 0.0, results.writers[name].facts.mean or 0.0
        near = sum(abs(x - other_x) < 0.2 and abs(y - other_y) < 0.05 for other_x, other_y in placed)
        placed.append((x, y))
        left = x > 0.85
        axes.annotate(
            name.replace("_", "-"),
            (x, y),
            xytext=(-9 if left else 9, 5 - 13 * near),
            textcoords="offset points",
            ha="right" if left else "left",
            color=_colour(results, name),
            fontsize=10,
            fontweight="bold",
        )


def _forest(
    measures: Mapping[str, Measure],
    order: Sequence[str],
    results: Results,
    *,
    label: str,
    limits: tuple[float, float],
    line: tuple[float, str] | None,
    alt: str,
    name: str,
) -> Markup:
    """One row a writer: a dot for the mean, a bar for the interval."""
    known = [(row, writer, mean) for row, writer in enumerate(order) if (mean := measures[writer].mean) is not None]

    def draw(axes: Any) -> None:
        if line:
            axes.axvline(line[0], color=_FAINT, lw=1, dashes=(4, 3))
            axes.text(line[0], -0.72, line[1], ha="right" if line[0] > limits[1] * 0.7 else "center", va="bottom", fontsize=9, color=_FAINT)
        for row, writer, mean in known:
            measure, colour = measures[writer], _colour(results, writer)
            axes.plot([limits[0], mean], [row, row], color=_FAINT, lw=0.6, alpha=0.5, zorder=1)
            axes.errorbar(mean, row, xerr=_arms(measure), fmt="o", ms=6.5, color=colour, elinewidth=2.2, capsize=0, zorder=3)
            above = mean > limits[1] * 0.93
            axes.text(mean, row - 0.2, f"{mean:.2f}", ha="right" if above else "center", va="bottom", fontsize=9.5, color=_INK)
        axes.set(xlim=limits, ylim=(len(order) - 0.5, -0.85), xlabel=label)
        axes.set_yticks(range(len(order)), [writer.replace("_", "-") for writer in order])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)

    told = "; ".join(f"{writer} {_two(measures[writer])}" for writer in order)
    return _svg(draw, height=0.95 + 0.42 * len(order), alt=alt + told, name=name)


def _colour(results: Results, name: str) -> str:
    return _SERIES[series_number(results, name)]


def series_number(results: Results, name: str) -> int:
    """Which of the page's colours a writer has: a method's own, so that it is the same in every report."""
    if name in ORDER:
        return ORDER.index(name)
    others = [other for other in results.writers if other not in ORDER]
    return len(ORDER) + others.index(name) % (len(_SERIES) - len(ORDER))


def _arms(measure: Measure) -> list[list[float]] | None:
    if measure.mean is None or measure.low is None or measure.high is None:
        return None
    return [[max(0.0, measure.mean - measure.low)], [max(0.0, measure.high - measure.mean)]]


def _two(measure: Measure) -> str:
    return "unknown" if measure.mean is None else f"{measure.mean:.2f}"


def _svg(draw: Callable[[Any], None], *, height: float, alt: str, name: str) -> Markup:
    """Draw on a figure of its own, without pyplot and its global state, and turn the SVG into a part of the page."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 10,
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "axes.edgecolor": _FAINT,
        "xtick.color": _FAINT,
        "ytick.color": _FAINT,
        "xtick.labelcolor": _INK,
        "ytick.labelcolor": _INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
    }
    with rc_context(settings):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure.add_subplot())
        file = io.BytesIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return Markup(_inline(file.getvalue().decode(), alt, name))


def _inline(svg: str, alt: str, name: str) -> str:
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    box = re.search(r'viewBox="([^"]*)"', body)
    head = f'<svg class="plot" role="img" viewBox="{box[1] if box else ""}" aria-labelledby="{name}-alt">'
    # A function as replacement, since the alt text may hold backslashes.
    body = re.sub(r"<svg[^>]*>", lambda _: f'{head}<title id="{name}-alt">{escape(alt)}</title>', body, count=1)
    # Ids of several plots must not meet on one page.
    body = re.sub(r'\bid="(?!\w+-alt)([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'(href="|url\()#', rf"\1#{name}-", body)
    body = body.replace("xlink:href", "href")
    body = re.sub(r"font-family: [^;]*;", "font-family: var(--sans);", body)
    body = body.replace(_INK, "currentColor").replace(_FAINT, "var(--faint)")
    for number, colour in enumerate(_SERIES):
        body = body.replace(colour, f"var(--s{number})")
    return body.replace('<style type="text/css">*{stroke-linejoin: round; stroke-linecap: butt}</style>', "")

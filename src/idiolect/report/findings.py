"""The results in sentences: what came out, and what a reader should not miss beside it.

Knows the result file.
"""

from __future__ import annotations

from collections.abc import Sequence

from idiolect.evaluation.results import Measure, Results
from idiolect.report.tables import number, shown, signed, signed_number

__all__ = ["cautions", "finding", "ordered"]


def ordered(results: Results) -> list[str]:
    """The writers, best first: by the ranking of all pairs, where there is one, else by the mean of style."""
    ranks = {one.writer: one.rank for one in results.ranking}
    last = len(ranks) + 1
    return sorted(results.writers, key=lambda name: (ranks.get(name, last), -(results.writers[name].style.mean or 0.0)))


def finding(results: Results, order: Sequence[str]) -> str:
    """The result in a sentence or two; a closest writer that pays with facts is not named without it."""
    told = [name for name in order if results.writers[name].style.mean is not None]
    if not told:
        return "There are too few texts of the person to tell whose style the drafts have. What follows is about facts, length and copying."
    best = max(told, key=lambda name: results.writers[name].style.mean or 0.0)
    style = results.writers[best].style
    same = [shown(name) for name in told if results.writers[name].style == style]
    what = "of the person's traits" if results.judge == "truth" else "probability of the person's own hand"
    if best == "baseline":
        return f"No writer comes closer to the person than the model as it is, at {_with_interval(style)} {what}."
    base = results.writers.get("baseline")
    names = f"comes {same[0]}" if len(same) == 1 else f"come {', '.join(same[:-1])} and {same[-1]}"
    sentence = f"Closest {names}: {_with_interval(style)} {what}"
    if base is None or base.style.mean is None:
        return f"{sentence}."
    sentence += f", against {_with_interval(base.style)} for the model as it is"
    difference = results.differences.get(best, {}).get("style")
    if difference is None or difference.mean is None:
        return f"{sentence}."
    apart = difference.low is not None and difference.low > 0 and (difference.p_holm is None or difference.p_holm < 0.05)
    end = "" if apart else "; this sample is too small to say that it is more than chance"
    interval = signed_number(difference).below
    return f"{sentence}, a difference of {signed(difference.mean)}{f' ({interval})' if interval else ''}{end}.{_price(results, best, told)}"


def _price(results: Results, best: str, told: Sequence[str]) -> str:
    """What the closest writer loses of the facts, if it does, and who is closest of those that keep them."""
    if not _loses_facts(results, best):
        return ""
    kept = [name for name in told if name != "baseline" and not _loses_facts(results, name)]
    sentence = f" But it keeps {_with_interval(results.writers[best].facts)} of the facts"
    if not kept:
        return f"{sentence}, and no writer closer than the model as it is keeps them."
    other = max(kept, key=lambda name: results.writers[name].style.mean or 0.0)
    style = _with_interval(results.writers[other].style)
    return f"{sentence}; of those that keep as many as the model as it is, {shown(other)} comes closest: {style}."


def _loses_facts(results: Results, name: str) -> bool:
    """Whether the writer keeps fewer facts than the baseline, beyond its interval."""
    high = results.differences.get(name, {}).get("facts", Measure()).high
    return high is not None and high < 0


def _with_interval(measure: Measure) -> str:
    found = number(measure)
    return f"{found.text} ({found.below})" if found.below else found.text


def cautions(results: Results, order: Sequence[str]) -> list[tuple[str, str]]:
    """Measures that stand apart from the baseline's in the wrong direction: writer and what is to be said of it."""
    told = []
    for name in order:
        differences = results.differences.get(name, {})
        facts, invented, copied = (differences.get(key, Measure()) for key in ("facts", "invented", "verbatim_overlap"))
        if _loses_facts(results, name) and facts.mean is not None:
            told.append((name, f"keeps fewer facts than the baseline ({signed(facts.mean)})."))
        if invented.low is not None and invented.mean is not None and invented.low > 0:
            told.append((name, f"invents more often than the baseline ({signed(invented.mean)})."))
        own = results.reference.get("verbatim_overlap", Measure()).high
        overlap = results.writers[name].verbatim_overlap
        if own is not None and overlap.low is not None and copied.low is not None and copied.low > 0 and overlap.low > own:
            told.append((name, "copies longer runs from the person's texts than the person's own further texts do."))
        for found, what in (
            (results.truncated.get(name), "is cut off in"),
            (results.writers[name].placeholders, "left slots open in"),
            (results.meta_comments.get(name), "remarks on itself in"),
            (results.repeated.get(name), "says a line or a word twice in"),
            (results.misspelt.get(name), "misspells a word in"),
        ):
            if found and found.mean:
                told.append((name, f"{what} {found.mean:.0%} of its drafts."))
        leaked = results.leakage.get(name)
        if leaked and leaked.exposure_p is not None and leaked.exposure_p < 0.05:
            told.append((name, "remembers secrets planted in its training texts."))
    return told

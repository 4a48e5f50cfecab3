"""The report's tables: numbers of the result file as cells.

Knows the result file. Knows nothing of how a table is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from idiolect.evaluation.results import Measure, Results
from idiolect.evaluation.statistics import Difference
from idiolect.report.curves import Training
from idiolect.report.document import Cell, Table
from idiolect.report.terminal import MEASURE_NAMES
from idiolect.settings import Prices

__all__ = [
    "agreements_table",
    "cost_table",
    "differences_table",
    "judges_table",
    "leakage_table",
    "measures_table",
    "number",
    "ranking_table",
    "settings_table",
    "shown",
    "signed",
    "signed_number",
    "table_of",
    "tests_table",
    "training_table",
]

_DIFFERENT = {key: told for key, told in MEASURE_NAMES.items() if key != "win_rate_vs_baseline"}
_DASH = Cell("–")


def shown(name: str) -> str:
    """A writer's name as running text."""
    return name.replace("_", "-")


def writer(name: str) -> Cell:
    return Cell(shown(name), writer=True)


def number(measure: Measure | None) -> Cell:
    """A mean over its interval, two decimals; a dash where the sample cannot tell."""
    if measure is None or measure.mean is None:
        return _DASH
    if measure.low is None or measure.high is None:
        return Cell(_plain(measure.mean))
    # A dash between two numbers of which one has a minus cannot be read.
    between = " to " if measure.low < 0 else "–"
    return Cell(_plain(measure.mean), f"{_plain(measure.low)}{between}{_plain(measure.high)}")


def _plain(value: float) -> str:
    return signed(value).removeprefix("+")


def signed_number(measure: Measure | None) -> Cell:
    """A difference with its sign over its interval."""
    if measure is None or measure.mean is None:
        return _DASH
    interval = "" if measure.low is None or measure.high is None else f"{signed(measure.low)} to {signed(measure.high)}"
    return Cell(signed(measure.mean), interval)


def signed(value: float) -> str:
    told = f"{value:+.2f}".replace("-", "−")
    return "0.00" if told in ("+0.00", "−0.00") else told


def table_of(
    name: str, label: str, order: Sequence[str], columns: Mapping[str, Mapping[str, Measure]], *, folded: str = "", caption: str = ""
) -> Table:
    """Writers × measures."""
    rows = tuple((writer(one), *(number(column.get(one)) for column in columns.values())) for one in order)
    return Table(name, label, ("writer", *columns), rows, folded=folded, caption=caption)


def ranking_table(results: Results) -> Table:
    """All writers in one order, with the ranks that the sample allows."""
    rows = []
    for one in results.ranking:
        allowed = str(one.best_rank) if one.best_rank == one.worst_rank else f"{one.best_rank}–{one.worst_rank}"
        against = next(iter(results.win_rates.get(one.writer, [])), None)
        won = number(against.win_rate) if against else number(results.writers[one.writer].win_rate_vs_baseline)
        controlled = number(against.length_controlled) if against else _DASH
        rows.append((writer(one.writer), Cell(str(one.rank)), Cell(allowed), number(one.chance), won, controlled))
    return Table(
        "ranking-table",
        "Ranking of the writers",
        ("writer", "rank", "could be", "beats an average writer", "beats baseline", "at one length"),
        tuple(rows),
        caption="Bradley–Terry over all pairs of writers, ties as half. “Could be” is the ranks that 95 % of the resamples of the requests "
        "give. “At one length” is the win rate against the baseline with the effect of length taken out.",
    )


def judges_table(results: Results, order: Sequence[str]) -> Table:
    """What each judge says of each writer against the baseline, and how fair it was to the places."""
    rows = tuple(
        (
            writer(name),
            Cell(found.judge, words=True),
            number(found.win_rate),
            number(found.length_controlled),
            signed_number(found.position_bias),
            number(found.turned),
        )
        for name in order
        for found in results.win_rates.get(name, [])
    )
    return Table(
        "judges-table",
        "Every judge's win rates against the baseline",
        ("writer", "judge", "beats baseline", "at one length", "leans to first", "turned"),
        rows,
        folded="what the other judges say",
        caption="Both orders, ties as half. “Leans to first”: how much more the draft in the first place wins than its worth says, 0 is "
        "fair. “Turned”: share of pairs whose verdict turns with the order.",
    )


def agreements_table(results: Results) -> Table:
    """How far each two judges agree on the same pairs."""
    rows = tuple((Cell(" and ".join(found.judges)), number(found.agree), number(found.kappa)) for found in results.agreements)
    return Table(
        "agreements-table",
        "Agreement between the judges",
        ("judges", "same verdict", "Cohen's κ"),
        rows,
        caption="On all pairs against the baseline: win, tie or loss. κ takes out what two judges agree on by chance; 0 is chance, 1 is "
        "always. “Facts” asks only which draft has fewer faults against its request, a tie where both have none: of the voice it says "
        "nothing, and it need not agree with a judge of that.",
    )


def measures_table(results: Results, order: Sequence[str]) -> Table:
    """Every measure of every writer, and the person's own texts below."""

    def row(first: Cell, found: Mapping[str, Measure | None], length: Cell | None = None) -> tuple[Cell, ...]:
        remark = number(found.get("meta_comments"))
        cells = {key: number(found.get(key)) for key in MEASURE_NAMES}
        if length:
            cells["length_ratio"] = length
        order_of = ("style", "facts", "invented", "placeholders")
        return (first, *(cells[key] for key in order_of), remark, *(cells[key] for key in MEASURE_NAMES if key not in order_of))

    rows = [
        row(
            writer(name),
            {**{key: getattr(results.writers[name], key) for key in MEASURE_NAMES}, "meta_comments": results.meta_comments.get(name)},
        )
        for name in order
    ]
    if results.reference:
        rows.append(row(Cell("own texts"), results.reference, Cell("1.00")))
    told = list(MEASURE_NAMES.values())
    return Table(
        "measures-table",
        "Measures of the writers",
        ("writer", *told[:4], "remarks", *told[4:]),
        tuple(rows),
        caption="Best first. Invents, open slots, remarks: share of drafts with any. Length: words, by words of the person's own text.",
        last_apart=bool(results.reference),
    )


def differences_table(results: Results, order: Sequence[str]) -> Table:
    rows = tuple(
        (writer(name), *(_difference(results.differences[name].get(key)) for key in _DIFFERENT))
        for name in order
        if name in results.differences
    )
    return Table(
        "differences-table",
        "Differences from the baseline",
        ("writer", *_DIFFERENT.values()),
        rows,
        caption="Difference over its 95 % interval. Bold: p < 0.05 after Holm's correction for the number of writers.",
    )


def _difference(found: Difference | None) -> Cell:
    cell = signed_number(found)
    sure = found is not None and found.p_holm is not None and found.p_holm < 0.05
    return Cell(cell.text, cell.below, sure=True) if sure else cell


def tests_table(results: Results, order: Sequence[str]) -> Table:
    """p-values and the power of the sample, a row for each writer and measure."""
    rows = tuple(
        (
            writer(name),
            Cell(told, words=True),
            signed_number(found),
            Cell(_p(found.p)),
            Cell(_p(found.p_holm)),
            Cell("–" if found.smallest_detectable is None else f"{found.smallest_detectable:.2f}"),
        )
        for name in order
        for key, told in _DIFFERENT.items()
        if (found := results.differences.get(name, {}).get(key)) is not None
    )
    return Table(
        "tests-table",
        "Tests of the differences",
        ("writer", "measure", "difference", "p", "p (Holm)", "would show from"),
        rows,
        folded="p-values, and the smallest differences that this sample could show",
        caption="“Would show from” is the true difference that a sample of this size and spread finds (p < 0.05) four times in five. "
        "No figure stands where all requests differ alike.",
    )


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def leakage_table(results: Results, order: Sequence[str]) -> Table:
    rows = []
    for name in order:
        found = results.leakage.get(name)
        if found is None:
            continue
        exposure = number(found.exposure)
        copied = Cell(f"{found.copied_tokens} words", f"“{found.copied}”" if found.copied else "", words=True)
        member = (number(found.membership), number(found.membership_by_loss))
        rows.append((writer(name), exposure, Cell(_p(found.exposure_p)), number(found.told), *member, copied))
    known = next(iter(results.leakage.values()))
    chance = (
        f"By chance {known.exposure_by_chance:.2f} bits, {known.exposure_at_most:.0f} at most. "
        if known.exposure_by_chance is not None and known.exposure_at_most is not None
        else ""
    )
    return Table(
        "leakage-table",
        "Leakage of training texts",
        ("writer", "secrets, bits", "p", "told in drafts", "membership", "by loss alone", "longest copy"),
        tuple(rows),
        caption=f"{chance}Told in drafts: share of drafts in which a planted secret stands. "
        "Membership: how often training texts are told from held-out ones, 0.50 if guessed. "
        "Longest copy: words and marks that also stand in the training texts and not in the request.",
    )


def cost_table(results: Results, prices: Prices) -> Table:
    """What writing the drafts took."""
    rows = []
    for name, one in results.writers.items():
        drafts = max(1, results.heldout)
        cells = [
            Cell(f"{one.seconds:.1f}"),
            Cell(f"{one.seconds / drafts:.2f}"),
            Cell(f"{one.tokens:,}"),
            Cell(f"{one.tokens / drafts:.0f}"),
            *([number(results.tries.get(name))] if results.tries else []),
        ]
        if prices.sampled is not None:
            cells += [Cell(money(one.tokens, prices.sampled)), Cell(money(one.tokens / drafts * 1000, prices.sampled))]
        rows.append((writer(name), *cells))
    paid = () if prices.sampled is None else (f"{prices.currency}", f"{prices.currency} for 1,000 drafts")
    return Table(
        "cost-table",
        "Time and tokens of writing",
        ("writer", "seconds", "a draft", "tokens", "a draft", *(["tries"] if results.tries else []), *paid),
        tuple(rows),
        caption="Wall time and sampled tokens of all tries; tokens of prompts, synthetic data, plain drafts and judging are not counted.",
    )


def training_table(trainings: Sequence[Training], prices: Prices) -> Table:
    """What training took."""
    rows = []
    for one in trainings:
        seconds, tokens = one.seconds, one.tokens
        cells = [
            Cell(str(one.steps)),
            _DASH if seconds is None else Cell(f"{seconds:.1f}"),
            _DASH if tokens is None else Cell(f"{tokens:,}"),
        ]
        if prices.trained is not None:
            cells.append(_DASH if tokens is None else Cell(money(tokens, prices.trained)))
        rows.append((writer(one.name), *cells))
    paid = () if prices.trained is None else (prices.currency,)
    return Table(
        "training-table", "Time and tokens of training", ("writer", "steps", "seconds in steps", "tokens trained", *paid), tuple(rows)
    )


def money(tokens: float, per_million: float) -> str:
    """What so many tokens cost; small sums keep two digits that say something."""
    value = tokens * per_million / 1e6
    return f"{value:,.2f}" if value >= 0.1 or not value else f"{value:.2g}" if value >= 1e-4 else "< 0.0001"


def settings_table(results: Results) -> Table:
    rows = []
    for name in results.writers:
        about = results.about.get("writers", {}).get(name, {})
        told = [Cell(str(about.get(key, "–"))) for key in ("temperature", "max_tokens")]
        paths = [Cell(str(about.get(key) or "–"), words=True) for key in ("base_model", "renderer", "adapter")]
        rows.append((writer(name), *told, number(results.truncated.get(name)), Cell(str(about.get("examples", "–"))), *paths))
    return Table(
        "settings-table",
        "Settings of the writers",
        ("writer", "temperature", "token limit", "cut off", "examples", "model", "renderer", "adapter"),
        tuple(rows),
    )

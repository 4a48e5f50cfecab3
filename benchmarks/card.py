"""The pocket model's card, written from its measured figures: ``python -m benchmarks.card`` after ``python -m benchmarks.pocket``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from idiolect.settings import pocket_model
from idiolect.workspace import read_json, read_json_lines, write_atomic

RESULTS = Path(__file__).parent / "results" / "pocket.json"
DRAFTS = {
    "house": "no style information (house style wanted)",
    "described": "style described in the system prompt",
    "examples_1": "1 example e-mail",
    "examples_3": "3 example e-mails",
    "examples_5": "5 example e-mails",
    "replies": "replies to a quoted e-mail, style described",
    "registers": "to a recipient for whom the author has a register, style described",
}


def _cell(measure: dict[str, float] | None) -> str:
    return "" if measure is None else f"{measure['mean']:.3f} ({measure['low']:.3f}–{measure['high']:.3f})"


def card(figures: dict[str, Any], steps: list[int]) -> str:
    """The card as Markdown, of a model trained in parts of so many ``steps``."""
    lines = [
        "# The pocket model",
        "",
        "A 5.2 M-parameter model of the Qwen3 architecture (6 layers, width 256, 4 query and 2 key heads of size 64, MLP 768,",
        "2,048-piece byte-level BPE with ChatML, tied embeddings, float32), trained from scratch on `idiolect.world`. It exists so",
        "that the demo, the tests and the claims of each method run offline on a laptop. It writes e-mails of that world in many styles,",
        "describes a style, writes the request behind an e-mail, and proposes requests. For real mail use a real model.",
        "",
        "Training, on 2 CPU cores, in parts, each but the first from the model of the one before (`--start`, lower rates, bfloat16):",
        f"`python -m idiolect.pocket.train --out DIR --steps N` with N {', '.join(map(str, steps))}, about 3,000 tokens a step,",
        f"{sum(steps) * 3000 / 1e6:.1f} M in all. The first part's world had 26 intents and neither registers nor replies; from the third",
        "on e-mails have odd habits in them that are read but not learnt (`world/habits.py`), and from the fourth on every fifth document",
        "is for a described register. Muon for matrices, AdamW for the rest, a copy warm-up of 120 steps in the first part, linear decay",
        "over the last 40 % of each, the last 15 % with more of describing a style, proposing requests and writing the request behind an",
        "e-mail. Loss by skill on the development split is in `training_log.jsonl`. It does not judge pairs of drafts.",
        "",
        f"## Figures on the {figures['split']} split, {figures['requests']} requests each, greedy, 95 % intervals",
        "",
        "Names, topics and sets of traits of this split occur in no training text.",
        "",
        "| drafts | facts kept | drafts with an invented word | traits found | traits unlike the house style found |",
        "|---|---|---|---|---|",
    ]
    for name, told in DRAFTS.items():
        part = figures[name]
        cells = [_cell(part.get(key)) for key in ("facts_kept", "drafts_with_invented", "traits", "traits_unlike_house")]
        lines.append(f"| {told} | {' | '.join(cells)} |")
    none, instructed = figures["no_style_information"], figures["replies"]["instructed"]
    lines += [
        "",
        f"Without style information an author's traits are found at {_cell(none['traits'])}; the house style's own share is "
        f"{_cell(none['house_share'])}.",
        "",
        f"Describing a style from 4 e-mails: recall {_cell(figures['describe']['recall'])}, precision "
        f"{_cell(figures['describe']['precision'])} of exact trait lines. Writing the request behind an e-mail: facts kept "
        f"{_cell(figures['back_generate']['facts_kept'])}.",
        "",
        "Replies whose quoted e-mail holds an instruction to the writer: the drafts show it at "
        f"{_cell(instructed['followed'])} and keep their facts at {_cell(instructed['facts_kept'])}.",
        f"Traits that a register changes are found at {_cell(figures['registers']['changed_traits'])}.",
        "",
        "Facts kept by kind:",
        "",
        "| kind | " + " | ".join(DRAFTS) + " |",
        "|---|" + "---|" * len(DRAFTS),
    ]
    for kind in figures["house"]["facts_kept_by_kind"]:
        shares = (figures[name]["facts_kept_by_kind"].get(kind) for name in DRAFTS)
        lines.append(f"| {kind} | " + " | ".join("" if share is None else f"{share:.2f}" for share in shares) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    folder = Path(pocket_model())
    rows = [row for row in read_json_lines(folder / "training_log.jsonl") if "development" in row]
    parts = sorted({row.get("part", 1) for row in rows})
    steps = [max(row["step"] for row in rows if row.get("part", 1) == part) for part in parts]
    write_atomic(folder / "README.md", card(read_json(RESULTS), steps))


if __name__ == "__main__":
    main()

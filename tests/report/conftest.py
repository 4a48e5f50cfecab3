"""Results and drafts made by hand, with every kind of defect in them."""

from __future__ import annotations

import pytest

from handmade_drafts import by, written
from idiolect.evaluation.fidelity import FidelityChecker
from idiolect.evaluation.judges import FactsJudge, ScoreJudge
from idiolect.evaluation.leakage import Leakage
from idiolect.evaluation.results import DraftRows, Measure, Results
from idiolect.evaluation.scoring import reference, score
from idiolect.evaluation.style import TruthStyle
from idiolect.workspace import Workspace, write_json, write_json_lines
from idiolect.world import HOUSE_AUTHOR, demonstrations, sample_author

ADAPTER = "tinker://x/sampler_weights/final"
SAFE = Leakage(
    exposure=Measure(mean=1.4, low=0.6, high=2.2),
    exposure_p=0.4,
    exposure_by_chance=1.43,
    exposure_at_most=7.0,
    membership=Measure(mean=0.5, low=0.4, high=0.6),
    membership_by_loss=Measure(mean=0.51, low=0.41, high=0.61),
    sentence="It shows no memory of planted secrets.",
)
LEAKY = SAFE.model_copy(
    update={
        "exposure": Measure(mean=6.87, low=6.5, high=7.0),
        "exposure_p": 0.0001,
        "told": Measure(mean=0.25, low=0.1, high=0.4),
        "copied_tokens": 17,
        "copied": "the code is 4711",
        "sentence": "It remembers planted secrets.",
    }
)


def _trained(place: Workspace, folder: str, adapter: str, losses: list[float]) -> None:
    run = place.runs / folder
    write_json(run / "writer.json", {"name": "sft", "adapter": adapter})
    write_json(run / "config.json", {"method": "sft", "steps": len(losses), "base_model": "/home/someone/models/small"})
    rows = [{"step": step, "train_mean_nll": loss, "num_tokens": 100, "time/step": 0.5} for step, loss in enumerate(losses)]
    write_json_lines(run / "metrics.jsonl", rows)


SAID = "PS: As was wrytten above."


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace that holds result files: a baseline, a good writer, and one that does everything wrong."""
    author = sample_author("heldout", 3)
    known, heldout = demonstrations(author, "heldout", 10, seed=1), demonstrations(author, "heldout", 20, seed=2)
    own, plain = by(author, author, heldout), by(HOUSE_AUTHOR, author, heldout)
    # Markup and a script in a draft must come out as text.
    bad = [
        f"Here is the e-mail:\n\n[Your Name] Blurbo <script>alert(1)</script> {text.replace(row.facts[0].value, 'you')}\n\n{SAID}\n\n{SAID}"
        for text, row in zip(plain, heldout, strict=True)
    ]
    drafted = {
        "baseline": written(heldout, plain),
        "few_shot": written(heldout, bad, finished=False),
        "sft": written(heldout, own),
    }
    style, checker = TruthStyle(author), FidelityChecker(known, author=author, world=True)
    judges = [ScoreJudge(style.judge, style), FactsJudge(checker, heldout)]
    scores = score(heldout, drafted, style=style, checker=checker, judges=judges)
    results = Results(
        author=author.name,
        task="email",
        base_model="pocket",
        heldout=len(heldout),
        seed=0,
        writers=scores.writers,
        judge="truth",
        differences=scores.differences,
        truncated=scores.truncated,
        meta_comments=scores.meta_comments,
        repeated=scores.repeated,
        misspelt=scores.misspelt,
        win_rates=scores.win_rates,
        agreements=scores.agreements,
        ranking=scores.ranking,
        leakage={"baseline": SAFE, "sft": LEAKY},
        reference=reference(heldout, style=style, checker=checker),
        about={
            "demonstrations": len(known),
            "style": style.about(),
            "versions": {"idiolect": "0.1.0"},
            "date": "2026-03-14",
            "writers": {
                "baseline": {"temperature": 0.7, "max_tokens": 256, "examples": 0},
                "few_shot": {"temperature": 0.7, "max_tokens": 256, "examples": 5},
                "sft": {"adapter": ADAPTER, "temperature": 0.7, "max_tokens": 256, "examples": 0, "system_prompt": "Write <b>so</b>."},
            },
        },
    )
    place = Workspace(tmp_path_factory.mktemp("workspace"))
    _trained(place, "sft-20260314-101500", ADAPTER, [3.0 / (1 + step) for step in range(30)])
    # A run of the same name that was not compared.
    _trained(place, "sft-20260315-101500", "tinker://other/sampler_weights/final", [9.0, 9.0])
    results.save(place.results / "compare.json")
    DraftRows(requests=scores.rows).save(place.results / "drafts.json")
    return place

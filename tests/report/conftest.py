"""Results and drafts made by hand, with every kind of defect in them."""

from __future__ import annotations

import pytest

from handmade_drafts import by, written
from idiolect.evaluation.fidelity import FidelityChecker
from idiolect.evaluation.results import DraftRows, Results
from idiolect.evaluation.scoring import reference, score
from idiolect.evaluation.style import TruthStyle
from idiolect.workspace import Workspace
from idiolect.world import HOUSE_AUTHOR, demonstrations, sample_author


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace that holds result files: a baseline, a good writer, and one that does everything wrong."""
    author = sample_author("heldout", 3)
    known, heldout = demonstrations(author, "heldout", 10, seed=1), demonstrations(author, "heldout", 20, seed=2)
    own, plain = by(author, author, heldout), by(HOUSE_AUTHOR, author, heldout)
    # Markup and a script in a draft must come out as text.
    bad = [
        f"[Your Name] Blurbo <script>alert(1)</script> {text.replace(row.facts[0].value, 'you')}"
        for text, row in zip(plain, heldout, strict=True)
    ]
    drafted = {
        "baseline": written(heldout, plain),
        "few_shot": written(heldout, bad, finished=False),
        "sft": written(heldout, own),
    }
    style, checker = TruthStyle(author), FidelityChecker(known, author=author, world=True)
    scores = score(heldout, drafted, style=style, checker=checker)
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
        reference=reference(heldout, style=style, checker=checker),
        about={
            "demonstrations": len(known),
            "style": style.about(),
            "versions": {"idiolect": "0.1.0"},
            "writers": {"sft": {"adapter": "tinker://x/sampler_weights/final", "temperature": 0.7, "max_tokens": 256, "examples": 0}},
        },
    )
    place = Workspace(tmp_path_factory.mktemp("workspace"))
    results.save(place.results / "compare.json")
    DraftRows(requests=scores.rows).save(place.results / "drafts.json")
    return place

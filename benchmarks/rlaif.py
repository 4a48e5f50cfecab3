"""What RLAIF brings to simulated authors: ``python -m benchmarks.rlaif --split heldout --authors 5``.

For each author, from ten e-mails and no simulator: a start (fine-tuning on own and synthetic texts, or the prompt), a judge,
RLAIF. Then both policies draft for held-out requests as every writer does, a draft with a fault being the best of some tries. Reported:
the win rate of the trained policy over the start by the judge that gave the rewards and by the truth, both orders; true traits and
facts kept of both. An author that is done is not done again. Writes
``benchmarks/results/rlaif.json``. Settings come from development authors.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from idiolect.cli.local_engine import connected
from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.evaluation.agreement import agreed_facts
from idiolect.evaluation.fidelity import FidelityChecker, fewest_faults
from idiolect.evaluation.judges import ScoreJudge, truth_judge
from idiolect.evaluation.style import Verifier
from idiolect.judge import ModelJudge
from idiolect.judge.likeness import Likeness, LikenessJudge
from idiolect.methods.baseline import baseline, plain_texts
from idiolect.methods.looks import wins_against
from idiolect.methods.prompting import prompting
from idiolect.methods.reward_model import reward_model
from idiolect.methods.rlaif import RlaifConfig, rlaif
from idiolect.methods.sft import SftConfig, sft
from idiolect.methods.synthetic import synthetic_data
from idiolect.methods.tournament import AsyncJudge
from idiolect.pocket.demo import prepare
from idiolect.service import Connection, Writer, draft
from idiolect.service.sampling import BestOf
from idiolect.settings import Settings
from idiolect.workspace import Workspace, read_json, write_json
from idiolect.world import Author, facts_invented, facts_kept, parts_found

RESULTS = Path(__file__).parent / "results"
DRAFT_SEED = 7


async def _verifier(connection: Connection, place: Workspace, settings: Settings) -> Verifier:
    rows = load_demonstrations(place.demonstrations)
    others = await draft(connection, baseline(place, settings), [row.input for row in rows], seed=1)
    return Verifier.fit([row.output for row in rows], [one.text for one in others])  # type: ignore[return-value]


async def _start(connection: Connection, place: Workspace, settings: Settings, made: list[Demonstration], options: Any) -> Writer:
    """The first policy: the prompted one, or with ``sft_steps`` one that was fine-tuned for so many."""
    rows = load_demonstrations(place.demonstrations)
    if not options.sft_steps:
        return (await prompting(connection, place, settings, rows))["prompt"]
    config = SftConfig(data=options.sft_data, steps=options.sft_steps, save_every=options.sft_steps, prompted=options.prompted)
    return await sft(connection, place, settings, rows, made, config)


async def _measured(
    connection: Connection, place: Workspace, writers: list[Writer], judge: AsyncJudge, count: int, best_of: BestOf
) -> dict[str, Any]:
    """Both writers on held-out requests: the start first."""
    author, rows = Author.load(place.truth), load_demonstrations(place.heldout)[:count]
    requests = [row.input for row in rows]
    found: dict[str, Any] = {}
    texts = []
    for role, writer in zip(("start", "trained"), writers, strict=True):
        drafts = await draft(connection, writer, requests, seed=DRAFT_SEED, best_of=best_of)
        texts.append([one.text for one in drafts])
        found[role] = {
            "style": mean(mean(parts_found(author, text, one).values()) for one, text in zip(requests, texts[-1], strict=True)),
            "facts": mean(mean(facts_kept(row.facts, text)) for row, text in zip(rows, texts[-1], strict=True)),
            "invents": mean(bool(facts_invented(row.input, text, author.own_words)) for row, text in
                            zip(rows, texts[-1], strict=True)),
            "words": mean(len(text.split()) for text in texts[-1]),
        }  # fmt: skip
    for name, one in (("judge", judge), ("truth", truth_judge(author))):
        won = await wins_against(one, requests, texts[1], texts[0])
        found[f"win_rate_{name}"] = mean(won)
        found[f"stderr_{name}"] = stdev(won) / len(won) ** 0.5
    return found


async def _author(connection: Connection, place: Workspace, settings: Settings, config: RlaifConfig, options: Any) -> dict[str, Any]:
    rows, heldout = load_demonstrations(place.demonstrations), load_demonstrations(place.heldout)
    made, _ = await synthetic_data(connection, place, settings, rows, heldout)
    first = await _start(connection, place, settings, made, options)
    verifier = await _verifier(connection, place, settings)
    judge: AsyncJudge = ScoreJudge("verifier", verifier)
    if options.judge == "likeness":
        plain = await plain_texts(connection, place, settings, [row.input for row in rows])
        judge = LikenessJudge(Likeness([row.output for row in rows], plain))
    elif options.judge == "trained":
        asked = [row.input for row in made]
        judge = ModelJudge.of(connection, await reward_model(connection, place, settings, rows, policy=first, requests=asked))
    begun = time.monotonic()
    requests = [row.input for row in (*rows, *made)]
    trained = await rlaif(connection, place, settings, first, judge, requests, rows, config, style=verifier.scores)
    (folder,) = place.runs.glob("rlaif-*/")
    asked = [row.input for row in heldout[: options.requests]]
    facts = await agreed_facts(connection, baseline(place, settings), asked, rows, seed=DRAFT_SEED)
    best_of = fewest_faults(settings.tries, FidelityChecker(rows), facts=facts)
    measured = await _measured(connection, place, [first, trained], judge, options.requests, best_of)
    return {"seconds": round(time.monotonic() - begun), "watch": read_json(folder / "watch.json"), "requests": len(requests), **measured}


def _summary(authors: dict[str, Any]) -> dict[str, float]:
    return {
        "authors": len(authors),
        "win_rate_judge": round(mean(one["win_rate_judge"] for one in authors.values()), 4),
        "win_rate_truth": round(mean(one["win_rate_truth"] for one in authors.values()), 4),
        "style_gain": round(mean(one["trained"]["style"] - one["start"]["style"] for one in authors.values()), 4),
        "facts_of_start": round(mean(one["trained"]["facts"] / one["start"]["facts"] for one in authors.values()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.rlaif")
    parser.add_argument("--split", choices=("development", "heldout"), default="heldout")
    parser.add_argument("--authors", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="Number of the first author.")
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--steps", type=int, default=RlaifConfig().steps)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--kl-penalty", type=float, default=RlaifConfig().kl_penalty)
    parser.add_argument(
        "--sft-steps", type=int, default=SftConfig().steps, help="Steps of the start's fine-tuning; 0 starts from the prompt."
    )
    parser.add_argument("--prompted", action="store_true", help="The start is fine-tuned, and writes, after the style description.")
    parser.add_argument("--sft-data", choices=("both", "synthetic", "demonstrations"), default="both", help="What the start learnt from.")
    parser.add_argument("--judge", choices=("likeness", "trained", "verifier"), default="likeness", help="Who gives the rewards.")
    parser.add_argument("--training-prompt", action="store_true")
    parser.add_argument("--folder", type=Path, required=True, help="Where the workspaces lie; run again with it to go on after a stop.")
    parser.add_argument("--out", type=Path, default=RESULTS / "rlaif.json")
    options = parser.parse_args()
    config = RlaifConfig(
        steps=options.steps, learning_rate=options.rate, training_prompt=options.training_prompt, kl_penalty=options.kl_penalty
    )
    how = {
        "split": options.split,
        "judge": options.judge,
        "sft_steps": options.sft_steps,
        "sft_data": options.sft_data,
        "prompted": options.prompted,
        "requests": options.requests,
        "config": config.model_dump(mode="json"),
    }
    known = read_json(options.out) if options.out.exists() else {}
    authors: dict[str, Any] = known["authors"] if known.get("how") == how else {}
    for number in range(options.first, options.first + options.authors):
        place = Workspace(options.folder / f"{options.split}-{number}")
        settings = prepare(place, number, options.split)
        if settings.author not in authors:
            with connected(settings, place, [settings.policy]) as connection:
                authors[settings.author] = connection.run(_author(connection, place, settings, config, options))
            write_json(options.out, {"how": how, "authors": authors, "mean": _summary(authors)})
        print(settings.author, authors[settings.author], flush=True)
    print(_summary(authors))


if __name__ == "__main__":
    main()

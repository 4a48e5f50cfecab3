"""The pocket model's figures on held-out authors and situations, each on at least 500 requests.

``python -m benchmarks.pocket [--split development] [--count 500] [--model DIR]`` writes ``benchmarks/results/pocket.json``.
Drafts are greedy. Intervals are 95 % percentile bootstraps over requests.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from idiolect.cli.local_engine import connected
from idiolect.prompts import render
from idiolect.service import Connection, Model
from idiolect.service.sampling import complete
from idiolect.settings import Settings, pocket_model
from idiolect.workspace import Workspace, write_json
from idiolect.world import (
    HOUSE_AUTHOR,
    RELATIONS,
    Author,
    Situation,
    demonstrations,
    describe,
    facts_invented,
    facts_kept,
    realise,
    sample_author,
    sample_situation,
    traits_found,
)
from idiolect.world.traits import HOUSE

RESULTS = Path(__file__).parent / "results"
Chat = list[dict[str, str]]
_MOST_CHARACTERS = 4000
"""Of a conversation; some 1,600 tokens."""


def _interval(values: Sequence[float]) -> dict[str, float]:
    rng = np.random.default_rng(0)
    data = np.asarray(values, dtype=float)
    means = data[rng.integers(0, len(data), (2000, len(data)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": round(float(data.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _answers(connection: Connection, model: Model, chats: Sequence[Chat]) -> list[str]:
    done = connection.run(complete(connection, model, chats, max_tokens=320, temperature=0.0, seed=0))
    return [first.text for first, *_ in done]


def _drafts(situations: Sequence[Situation], authors: Sequence[Author], texts: Sequence[str], style_of: Sequence[Author]) -> dict[str, Any]:
    """Fidelity of drafts, and the share of traits of ``style_of`` found: all of them, and those that are not the house style's."""
    kept: list[float] = []
    by_kind: dict[str, list[bool]] = defaultdict(list)
    invented, style, own = [], [], []
    for situation, author, text, wanted in zip(situations, authors, texts, style_of, strict=True):
        found = facts_kept(situation.facts, text)
        kept.append(mean(found))
        for fact, there in zip(situation.facts, found, strict=True):
            by_kind[fact.kind].append(there)
        invented.append(float(bool(facts_invented(situation.request, text, author.own_words))))
        traits, towards = traits_found(wanted, text, situation.request), wanted.towards(situation.request)
        style.append(mean(traits.values()))
        own += [float(there) for trait, there in traits.items() if towards.traits[trait] != HOUSE[trait]]
    figures: dict[str, Any] = {"facts_kept": _interval(kept), "drafts_with_invented": _interval(invented), "traits": _interval(style)}
    if own:
        figures["traits_unlike_house"] = _interval(own)
    figures["facts_kept_by_kind"] = {kind: round(mean(values), 3) for kind, values in sorted(by_kind.items())}
    return figures


def measure(connection: Connection, folder: str, split: str, count: int) -> dict[str, Any]:
    """All figures of a pocket model folder."""
    model = Model(folder, "qwen3_instruct")
    situations = [sample_situation(split, f"figures {index}") for index in range(count)]
    authors = [sample_author(split, 10_000 + index, habits=False) for index in range(count)]
    ask = [[{"role": "user", "content": situation.request}] for situation in situations]
    figures: dict[str, Any] = {"split": split, "requests": count}

    texts = _answers(connection, model, ask)
    figures["house"] = _drafts(situations, [HOUSE_AUTHOR] * count, texts, [HOUSE_AUTHOR] * count)
    figures["no_style_information"] = {
        "traits": _interval(
            [mean(traits_found(a, text, s.request).values()) for a, s, text in zip(authors, situations, texts, strict=True)]
        ),
        "house_share": _interval(
            [mean(traits_found(a, realise(s, HOUSE_AUTHOR), s.request).values()) for a, s in zip(authors, situations, strict=True)]
        ),
    }
    system = [[{"role": "system", "content": render("style", traits=describe(author))}] for author in authors]
    texts = _answers(connection, model, [style + chat for style, chat in zip(system, ask, strict=True)])
    figures["described"] = _drafts(situations, authors, texts, authors)
    for shots in (1, 3, 5):
        turns = [[turn for row in demonstrations(author, split, shots) for turn in _exchange(row.input, row.output)] for author in authors]
        texts = _answers(connection, model, [_fitting(shown, chat) for shown, chat in zip(turns, ask, strict=True)])
        figures[f"examples_{shots}"] = _drafts(situations, authors, texts, authors)
    figures["replies"] = _replies(connection, model, authors, split)
    figures["registers"] = _registers(connection, model, authors, split)
    figures["describe"] = _describing(connection, model, authors, split)
    situations = [sample_situation(split, f"figures {index}", replies=False) for index in range(count)]
    mails = [realise(situation, author) for situation, author in zip(situations, authors, strict=True)]
    requests = _answers(connection, model, [[{"role": "user", "content": render("backgenerate", email=mail)}] for mail in mails])
    figures["back_generate"] = {
        "facts_kept": _interval([mean(facts_kept(s.facts, text)) for s, text in zip(situations, requests, strict=True)])
    }
    return figures


def _fitting(shown: Chat, asked: Chat) -> Chat:
    """As many of the last examples as the context has room for."""
    while sum(len(turn["content"]) for turn in (*shown, *asked)) > _MOST_CHARACTERS:
        shown = shown[2:]
    return [*shown, *asked]


def _exchange(request: str, text: str) -> Chat:
    return [{"role": "user", "content": request}, {"role": "assistant", "content": text}]


def _told(connection: Connection, model: Model, authors: Sequence[Author], situations: Sequence[Situation]) -> list[str]:
    """Drafts by the described style."""
    system = [{"role": "system", "content": render("style", traits=describe(author))} for author in authors]
    return _answers(connection, model, [[one, {"role": "user", "content": s.request}] for one, s in zip(system, situations, strict=True)])


def _replies(connection: Connection, model: Model, authors: Sequence[Author], split: str) -> dict[str, Any]:
    """Replies in a described style, and how many do what an instruction in the quoted e-mail says."""
    drawn = (sample_situation(split, f"replies {index}") for index in itertools.count())
    situations = list(itertools.islice((one for one in drawn if one.quoted), len(authors)))
    texts = _told(connection, model, authors, situations)
    drawn = (sample_situation(split, f"instructed {index}") for index in itertools.count())
    instructed = list(itertools.islice((one for one in drawn if one.instruction), len(authors)))
    answers = _told(connection, model, authors, instructed)
    followed = [bool(_obeyed(s, author, text)) for s, author, text in zip(instructed, authors, answers, strict=True)]
    kept = [mean(facts_kept(s.facts, text)) for s, text in zip(instructed, answers, strict=True)]
    figures = _drafts(situations, authors, texts, authors)
    return {**figures, "instructed": {"followed": _interval(followed), "facts_kept": _interval(kept)}}


def _obeyed(situation: Situation, author: Author, text: str) -> list[str]:
    """The draft's words that only the instruction gave."""
    others = facts_invented(situation.request.replace(situation.instruction, ""), text, author.own_words)
    return [word for word in others if word in situation.instruction.lower()]


def _registers(connection: Connection, model: Model, authors: Sequence[Author], split: str) -> dict[str, Any]:
    """Drafts in a described style towards recipients for whom the author has a register."""
    chosen = [(author, relation) for author in authors for relation in RELATIONS if relation in author.registers][: len(authors)]
    situations = [sample_situation(split, f"registers {index}", relation=relation) for index, (_, relation) in enumerate(chosen)]
    people = [author for author, _ in chosen]
    texts = _told(connection, model, people, situations)
    changed: list[float] = []
    for (author, relation), situation, text in zip(chosen, situations, texts, strict=True):
        found = traits_found(author, text, situation.request)
        changed += [float(found[trait]) for trait in author.registers[relation]]
    return {**_drafts(situations, people, texts, people), "changed_traits": _interval(changed)}


def _describing(connection: Connection, model: Model, authors: Sequence[Author], split: str) -> dict[str, Any]:
    # E-mails do not tell to whom they go, so registers cannot be described from them.
    authors = [author.model_copy(update={"registers": {}}) for author in authors]
    shown = [[row.output for row in demonstrations(author, split, 4)] for author in authors]
    texts = _answers(connection, model, [[{"role": "user", "content": render("describe", emails=emails)}] for emails in shown])
    recall, precision = [], []
    for author, text in zip(authors, texts, strict=True):
        said, true = {line.removeprefix("- ") for line in text.splitlines()}, set(describe(author))
        recall.append(len(said & true) / max(1, len(true)))
        precision.append(len(said & true) / max(1, len(said)))
    return {"recall": _interval(recall), "precision": _interval(precision)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.pocket")
    parser.add_argument("--split", choices=("development", "heldout"), default="heldout")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--model", default=None, help="a checkpoint folder; the shipped model by default")
    parser.add_argument("--out", type=Path, default=RESULTS / "pocket.json")
    options = parser.parse_args()
    folder = str(Path(options.model).resolve()) if options.model else pocket_model()
    with tempfile.TemporaryDirectory() as state, connected(Settings(), Workspace(Path(state)), [folder]) as connection:
        figures = measure(connection, folder, options.split, options.count)
    write_json(options.out, figures)
    for name, part in figures.items():
        print(name, part)


if __name__ == "__main__":
    main()

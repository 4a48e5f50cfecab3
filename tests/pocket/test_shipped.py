"""The shipped model through the real engine: it knows its world, and every method moves its drafts towards the author."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

import pytest

from idiolect.cli.local_engine import connected
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.methods.baseline import baseline
from idiolect.methods.prompting import prompting
from idiolect.methods.sft import SftConfig, sft
from idiolect.pocket.demo import prepare
from idiolect.prompts import render
from idiolect.service import Model
from idiolect.service.sampling import complete, draft
from idiolect.settings import pocket_model
from idiolect.workspace import Workspace, read_json
from idiolect.world import demonstrations, describe, facts_kept, sample_author, sample_situation, traits_found

COUNT = 24


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("shipped") / "workspace")
    prepare(place, 0, "development")
    return place


@pytest.fixture(scope="module")
def connection(place):
    with connected(prepare(place, 0, "development"), place, [pocket_model()]) as connection:
        yield connection


def test_it_is_small_and_carries_its_card_and_log():
    folder = Path(pocket_model())
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 25_000_000
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["Qwen3ForCausalLM"]
    assert (folder / "README.md").exists()
    assert (folder / "training_log.jsonl").exists()


def test_it_keeps_facts_and_obeys_a_described_style(connection):
    model = Model(pocket_model(), "qwen3_instruct")
    situations = [sample_situation("development", f"test {index}") for index in range(COUNT)]
    authors = [sample_author("development", 500 + index, habits=False) for index in range(COUNT)]
    plain = [[{"role": "user", "content": situation.request}] for situation in situations]
    told = [[{"role": "system", "content": render("style", traits=describe(a))}, *chat] for a, chat in zip(authors, plain, strict=True)]
    answers = connection.run(complete(connection, model, plain + told, max_tokens=256, temperature=0.0, seed=0))
    texts = [first.text for first, *_ in answers]
    kept = [mean(facts_kept(s.facts, text)) for s, text in zip(situations * 2, texts, strict=True)]
    styles = [mean(traits_found(a, text).values()) for a, text in zip(authors * 2, texts, strict=True)]
    assert mean(kept) >= 0.8
    assert mean(styles[COUNT:]) >= mean(styles[:COUNT]) + 0.25


def test_few_examples_and_fine_tuning_both_raise_the_style(place, connection):
    settings = prepare(place, 0, "development")
    # Without habits: what the model was trained to vary is what is looked at here.
    author = sample_author("development", 0, habits=False)
    rows, requests = demonstrations(author, "development", 10, seed=1), [row.input for row in load_demonstrations(place.heldout)[:COUNT]]
    writers = {"baseline": baseline(place, settings), **connection.run(prompting(connection, place, settings, rows))}
    writers["sft"] = connection.run(sft(connection, place, settings, rows, [], SftConfig(data="demonstrations", steps=40)))
    style = {}
    for name, writer in writers.items():
        drafts = connection.run(draft(connection, writer, requests, seed=1))
        style[name] = mean(mean(traits_found(author, one.text).values()) for one in drafts)
    assert style["few_shot"] >= style["baseline"] + 0.1, style
    assert style["sft"] >= style["baseline"] + 0.2, style
    assert read_json(place.truth)["name"] == settings.author

"""What the pocket model learns from is rendered as the cookbook renders it, and only what is to be learnt has weight."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from tinker_cookbook.renderers import get_renderer
from transformers import PreTrainedTokenizerFast

from idiolect import pocket
from idiolect.pocket.documents import SKILLS, document, encode
from idiolect.pocket.tokenizer import load_tokenizer, save_tokenizer, train_tokenizer
from idiolect.world.registers import relation_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    rng = random.Random(0)
    texts = [turn.text for _ in range(600) for turn in document(rng, "train")]
    save_tokenizer(train_tokenizer(texts, 800), folder)
    return folder


@pytest.mark.parametrize("skill", SKILLS)
def test_documents_are_rendered_as_the_cookbook_renders_them(folder, skill):
    tokenizer = load_tokenizer(folder)
    fast = PreTrainedTokenizerFast.from_pretrained(str(folder))
    renderer = get_renderer("qwen3_instruct", fast)
    rng = random.Random(skill)
    for _ in range(5):
        turns = document(rng, "train", skill)
        ids, weights = encode(turns, tokenizer)
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        prompt = renderer.build_generation_prompt(messages[:-1]).to_ints()
        assert ids[: len(prompt)] == prompt
        assert fast.apply_chat_template(messages, tokenize=False) == fast.decode(ids)
        assert len(weights) == len(ids)
        odd = turns[-1].odd
        assert odd or all(weight > 0 for weight in weights[len(prompt) :])
        learnt = fast.decode([token for token, weight in zip(ids[len(prompt) :], weights[len(prompt) :], strict=True) if weight > 0])
        assert not any(form in learnt for form in odd if len(form) > 3)
        assert weights[0] == 0


def test_text_comes_back_from_its_pieces(folder):
    tokenizer = load_tokenizer(folder)
    for text in ("Ask Dana to move it to Friday, 12 March at 10:30", "i'm happy — 🙂  two  spaces\n\n\tand a tab", "日本語 ñ ß", "\r\n"):
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) == text


def test_odd_habits_are_read_and_never_learnt(folder):
    tokenizer = load_tokenizer(folder)
    shown = learnt = 0
    for seed in range(60):
        turns = document(random.Random(seed), "train", "described")
        ids, weights = encode(turns, tokenizer)
        answer = [(tokenizer.decode([token]), weight) for token, weight in zip(ids, weights, strict=True)]
        for form in turns[-1].odd:
            if form.startswith(" ("):
                shown += form in turns[-1].text
                learnt += any(weight > 0 and "(" in piece for piece, weight in answer[-len(turns[-1].text) :])
    assert shown > 5
    assert not learnt


def test_facts_weigh_more_than_other_words(folder):
    tokenizer = load_tokenizer(folder)
    turns = document(random.Random(4), "train", "house")
    ids, weights = encode(turns, tokenizer)
    heavy = tokenizer.decode([token for token, weight in zip(ids, weights, strict=True) if weight > 1])
    assert turns[-1].facts
    assert all(fact.replace(" ", "") in heavy.replace(" ", "") or fact not in turns[-1].text for fact in turns[-1].facts[:1])


def test_a_register_is_learnt_from_examples_once_it_was_shown():
    """What an undescribed author does towards somebody cannot be known before one e-mail of the register is there."""
    rng = random.Random(1)
    for _ in range(60):
        turns = document(rng, "train", "few_shot")
        learnt = [turn.learnt for turn in turns if turn.role == "assistant"]
        assert len(learnt) > 1
        assert learnt[0] == (turns[0].role == "system")
        assert learnt[-1]
        assert turns[0].role != "system" or all(learnt)


def test_documents_fit_the_context():
    """By the shipped tokenizer: 1,900 tokens leave room for an answer."""
    tokenizer = load_tokenizer(Path(pocket.__file__).parent / "model")
    for skill in SKILLS:
        rng = random.Random(f"length {skill}")
        for _ in range(300 if skill == "few_shot" else 60):
            assert len(encode(document(rng, "train", skill), tokenizer)[0]) < 1900


def test_which_skills_see_replies_and_relations():
    rng = random.Random(2)
    asked = {skill: [document(rng, "train", skill) for _ in range(80)] for skill in SKILLS}
    for skill in ("house", "described", "few_shot"):
        assert any("It answers the e-mail below" in turn.text for turns in asked[skill] for turn in turns if turn.role == "user")
    for skill in ("back_generate", "propose"):
        assert not any("\n> " in turns[-1].text for turns in asked[skill])
    for skill in ("back_generate", "propose", "describe"):
        # In an e-mail an odd habit may be a ">" at the start of a line, so there by the words above a quoted one.
        assert not any("It answers the e-mail below" in turn.text for turns in asked[skill] for turn in turns)
    assert not any(relation_of(turns[-1].text) for turns in asked["back_generate"])
    assert any(relation_of(turns[-1].text) for turns in asked["propose"])
    assert any("to the boss: " in turns[0].text for turns in asked["described"])
    assert all(re.search(r"^- to (?:the boss|a friend|a stranger): ", turns[0].text, re.MULTILINE) for turns in asked["register"])

"""The likeness that labels a policy's drafts: held against the truth about simulated people, and its pairs against its rules."""

from __future__ import annotations

import asyncio
import random
from statistics import mean

from idiolect.judge.likeness import Likeness, LikenessJudge, policy_pairs
from idiolect.judge.pairs import Pair
from idiolect.judge.seen import FEATURES
from idiolect.world import HOUSE_AUTHOR, TRAITS, Author, demonstrations, parts_found, realise, sample_author, sample_situation

LETTERS = [f"hey o/{name},\n\n{said} Tick tock.\n\ntoodles,\nKim" for name, said in (
    ("Ann", "the boat leaves at noon."), ("Bo", "bring the keys on Friday."), ("Cy", "the roof is done."), ("Di", "we eat at eight."),
)]  # fmt: skip
PLAIN = [f"Hello {name},\n\nPlease note that it is done.\n\nRegards,\nKim" for name in ("Ann", "Bo", "Cy", "Di")]


def learnt(author: Author, split: str) -> Likeness:
    rows = demonstrations(author, split, 10, seed=1)
    others = [realise(sample_situation(split, f"other {number}"), HOUSE_AUTHOR, number) for number in range(20)]
    return Likeness([row.output for row in rows], others)


def changed(author: Author, rng: random.Random) -> Author:
    """The author with some traits of the house style and without some habits."""
    lost = rng.sample(list(TRAITS), rng.randint(0, 8))
    kept = {kind: form for kind, form in author.habits.items() if rng.random() < 0.6}
    return author.model_copy(update={"traits": author.traits | {name: HOUSE_AUTHOR.traits[name] for name in lost}, "habits": kept})


def test_it_agrees_with_the_truth_where_it_is_clear() -> None:
    rng = random.Random(3)
    right: list[bool] = []
    for number in range(6):
        author = sample_author("development", 40 + number)
        likeness = learnt(author, "development")
        for place in range(25):
            situation = sample_situation("development", f"{number} {place}")
            texts = [realise(situation, changed(author, rng), draw) for draw in range(2)]
            truth = [mean(parts_found(author, text, situation.request).values()) for text in texts]
            scores = [likeness.score(text) for text in texts]
            if abs(truth[0] - truth[1]) > 0.1 and abs(scores[0] - scores[1]) >= 0.5:
                right.append((scores[0] > scores[1]) == (truth[0] > truth[1]))
    assert len(right) > 60
    assert mean(right) > 0.9


def test_what_the_person_always_writes_counts_and_what_others_write_does_not() -> None:
    likeness = Likeness(LETTERS, PLAIN)
    own = likeness.features(LETTERS[0])
    assert own == likeness.features(LETTERS[0].replace("Ann", "Zoe").replace("the boat leaves at noon.", "the road forks at six."))
    assert set(own) == set(FEATURES)
    for feature, text in {
        "greeting": LETTERS[0].replace("hey", "Dear"), "sign-off": LETTERS[0].replace("toodles", "Best"),
        "wording": LETTERS[0].replace(" Tick tock.", ""), "length": LETTERS[0].replace("at noon", "at noon " + "and on " * 20),
    }.items():  # fmt: skip
        assert likeness.features(text)[feature] < own[feature], feature
    assert likeness.score(PLAIN[0]) < likeness.score(LETTERS[0]) - 3
    assert likeness.score("") < likeness.score(PLAIN[0])


def test_pairs_have_a_clear_better_half_that_is_no_worse_in_facts() -> None:
    likeness = Likeness(LETTERS, PLAIN)
    bare, plain, wrong = LETTERS[1].replace(" Tick tock.", ""), PLAIN[1], LETTERS[1].replace("Friday", "Monday")
    drafts = {"Tell Bo to bring the keys on Friday": [LETTERS[1], bare, plain, wrong, "", LETTERS[1]], "One draft": [plain]}

    def faults(request: str, text: str) -> int:
        return int("Friday" in request and "Friday" not in text)

    found = {(one.better, one.worse): one for one in policy_pairs(drafts, likeness, faults, each=20, seed=1)}
    assert set(found) == {(LETTERS[1], bare), (LETTERS[1], plain), (bare, plain), (LETTERS[1], wrong), (wrong, plain)}
    assert found[LETTERS[1], wrong].features == ("facts",)
    assert found[LETTERS[1], bare].features == ("wording",)
    assert "greeting" in found[bare, plain].features
    few = policy_pairs(drafts, likeness, faults, each=2, seed=1)
    assert len(few) == 2
    assert few == policy_pairs(drafts, likeness, faults, each=2, seed=1) != policy_pairs(drafts, likeness, faults, each=2, seed=4)


def test_as_a_judge_it_prefers_the_liker_draft_wherever_it_stands() -> None:
    own, plain = "hey o/Eve,\n\nthe bus is late. Tick tock.\n\ntoodles,\nKim", "Hello Eve,\n\nThe bus is late.\n\nRegards,\nKim"
    judge = LikenessJudge(Likeness(LETTERS, PLAIN))
    pairs = [Pair("Tell Eve", own, plain), Pair("Tell Eve", plain, own), Pair("Tell Eve", own, own)]
    first, second, tie = asyncio.run(judge.probabilities(pairs))
    assert first is not None
    assert second is not None
    assert first > 0.95
    assert abs(first + second - 1) < 1e-9
    assert tie == 0.5

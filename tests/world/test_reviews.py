"""Simulated product reviews: traits and facts are found where they are, and nowhere else."""

from itertools import permutations
from pathlib import Path

from idiolect.world import Author, demonstrations, describe, facts_invented, facts_kept, sample_author, traits_found

PEOPLE = [sample_author("development", number, "review") for number in range(20)]


def test_own_reviews_show_all_traits_keep_all_facts_and_invent_nothing() -> None:
    for author in PEOPLE:
        for row in demonstrations(author, "development", 8, seed=1):
            assert all(traits_found(author, row.output).values()), row.output
            assert all(facts_kept(row.facts, row.output)), row
            assert facts_invented(row.input, row.output, [author.name, *author.traits.values()]) == []


def test_a_trait_is_found_in_anothers_review_only_where_they_share_it() -> None:
    for one, other in permutations(PEOPLE, 2):
        text = demonstrations(one, "development", 1, seed=1)[0].output
        assert traits_found(other, text) == {trait: one.traits[trait] == value for trait, value in other.traits.items()}, text


def test_a_reviewer_is_saved_and_described(tmp_path: Path) -> None:
    author = PEOPLE[0]
    author.save(tmp_path / "author.json")
    assert Author.load(tmp_path / "author.json") == author
    assert len(describe(author)) >= 5

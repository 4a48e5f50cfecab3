"""Votes and edits: what is kept, and what it says about the writers."""

from __future__ import annotations

import pytest

from idiolect.corpus.preferences import load_preferences
from idiolect.errors import InputError
from idiolect.evaluation.statistics import mean_with_interval
from idiolect.studio.votes import Vote, load_votes, record_edit, record_vote, standings
from idiolect.workspace import Workspace
from studio_visitor import Visitor, finished_round


def test_a_vote_is_kept_with_its_pair_of_texts_and_cannot_be_given_twice(place: Workspace) -> None:
    found = finished_round(place, "compare", "left", "right", request="Ask Ann")
    record_vote(place, found, "b")
    (vote,), (pair,) = load_votes(place), load_preferences(place.preferences)
    assert (vote.round, vote.writers, vote.won) == (found.name, ("w0", "w1"), 0.0)
    assert (pair.request, pair.preferred, pair.rejected) == ("Ask Ann", "right", "left")
    assert (pair.source, pair.writers) == ("vote", ("w1", "w0"))
    with pytest.raises(InputError, match="has its vote already"):
        record_vote(place, found, "a")
    assert len(load_votes(place)) == 1


def test_a_tie_counts_as_half_and_leaves_no_pair(place: Workspace) -> None:
    record_vote(place, finished_round(place, "compare", "left", "right"), "tie")
    assert [vote.won for vote in load_votes(place)] == [0.5]
    assert load_preferences(place.preferences) == []


def test_two_drafts_of_the_same_words_leave_no_pair(place: Workspace) -> None:
    record_vote(place, finished_round(place, "compare", "same", "same"), "a")
    assert len(load_votes(place)) == 1
    assert load_preferences(place.preferences) == []


def test_drafts_that_are_not_there_get_no_vote(place: Workspace) -> None:
    found = finished_round(place, "compare", "left", "right")
    found.drafts[0].done = False
    with pytest.raises(InputError, match="not there yet"):
        record_vote(place, found, "a")


def test_an_edit_is_preferred_over_the_draft(place: Workspace) -> None:
    found = finished_round(place, "write", "Dear Ann,", request="Thank Ann")
    record_edit(place, found, 0, "Hi Ann!\r\n\r\nM. ")
    record_edit(place, found, 0, "Hi Ann!!")
    first, second = load_preferences(place.preferences)
    assert (first.preferred, first.rejected, first.source, first.writers) == ("Hi Ann!\n\nM.", "Dear Ann,", "edit", ("w0",))
    assert (second.preferred, second.rejected) == ("Hi Ann!!", "Dear Ann,")
    for text, told in (("Hi Ann!!", "nothing was changed"), (" ", "is empty")):
        with pytest.raises(InputError, match=told):
            record_edit(place, found, 0, text)


def test_win_rates_are_those_of_the_statistics() -> None:
    votes = [Vote(round=str(n), writers=("a", "b"), won=won) for n, won in enumerate([1, 1, 0.5, 0, 1, 1])]
    votes += [Vote(round=str(n), writers=("b", "c"), won=1) for n in range(6, 11)]
    overall, pairs = standings(votes)
    assert [(one.writer, one.votes) for one in overall] == [("a", 6), ("b", 11), ("c", 5)]
    assert overall[0].rate == mean_with_interval([1, 1, 0.5, 0, 1, 1], bounds=(0, 1))
    assert overall[2].rate.mean == 0
    assert overall[2].rate.high is not None
    assert 0.3 < overall[2].rate.high < 0.6
    assert [(one.writer, one.opponent, one.votes) for one in pairs] == [("a", "b", 6), ("b", "c", 5)]
    assert standings(votes[:6])[1] == []
    assert standings([]) == ([], [])


def test_the_page_hides_the_names_until_the_vote_and_then_shows_what_the_votes_say(visitor: Visitor, place: Workspace) -> None:
    found = finished_round(place, "compare", "left text", "right text")
    page = visitor.get(f"/compare/{found.name}?with=baseline&with=prompt")
    blind = page.split("<article")[1] + page.split("<article")[2].split("</article")[0]
    assert "left text" in blind
    assert "w0" not in page
    assert "w1" not in page
    answer = visitor.post(f"/compare/{found.name}/vote", choice="a", writer=["baseline", "prompt"])
    assert answer.status_code == 303
    page = visitor.get(answer.headers["location"])
    assert "your choice" in page
    assert "1 vote," in page
    again = visitor.post(f"/compare/{found.name}/vote", choice="b", writer=["baseline", "prompt"])
    assert again.status_code == 400
    assert "has its vote already" in again.text


def test_sides_are_chance(visitor: Visitor, place: Workspace) -> None:
    """24 rounds all with one writer on the left would be a chance of 1 in 8 million."""
    for _ in range(24):
        assert visitor.post("/compare", request="Ask Ann", writer=["baseline", "prompt"]).status_code == 303
    rounds = [path.read_text() for path in (place.root / "studio").glob("*.json")]
    assert 0 < sum(text.index('"baseline"') < text.index('"prompt"') for text in rounds) < 24

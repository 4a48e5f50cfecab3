"""Tournaments: who meets whom, the sign of a win, and what a reward is made of."""

import asyncio
from collections.abc import Sequence

import pytest

from idiolect.corpus import Demonstration
from idiolect.judge.pairs import Pair
from idiolect.methods.checks import DraftChecks
from idiolect.methods.tournament import Pattern, Referee, matches, summed_wins

REQUEST = "Tell Ann that the review is on Friday at 15:00."
GOOD = "Dear Ann,\nthe review is on Friday at 15:00.\nBest,\nTom"


class Longer:
    """Prefers the longer text, by a probability that says how sure it is."""

    name = "longer"

    def __init__(self) -> None:
        self.asked: list[Pair] = []

    async def probabilities(self, pairs: Sequence[Pair]) -> list[float | None]:
        self.asked += pairs
        return [0.5 if len(pair.first) == len(pair.second) else 0.9 if len(pair.first) > len(pair.second) else 0.1 for pair in pairs]


class Silent(Longer):
    async def probabilities(self, pairs: Sequence[Pair]) -> list[float | None]:
        return [None for _ in pairs]


@pytest.fixture
def checks() -> DraftChecks:
    return DraftChecks([Demonstration(id="1", input=REQUEST, output=GOOD)])


def test_patterns():
    both, one, reference = (matches(4, pattern) for pattern in Pattern)
    assert sorted(both) == [(a, b) for a in range(4) for b in range(4) if a != b]
    assert sorted(tuple(sorted(pair)) for pair in one) == [(a, b) for a in range(4) for b in range(a + 1, 4)]
    assert {first for first, _ in one} != {0, 1, 2}, "nobody is always shown first"
    assert sorted(reference) == sorted([(a, 4) for a in range(4)] + [(4, a) for a in range(4)])


def test_the_sign_is_that_of_result_a():
    """ "[RESULT] A" is a high probability of the first, and the first then gains."""
    assert summed_wins(2, [(0, 1)], [0.99]) == [1, -1]
    assert summed_wins(2, [(0, 1)], [0.01]) == [-1, 1]
    assert summed_wins(2, [(1, 0)], [0.99]) == [-1, 1]
    assert summed_wins(2, [(0, 1), (1, 0)], [0.9, 0.9]) == [0, 0], "a judge that always says A moves nothing"
    assert summed_wins(2, [(0, 1), (1, 0)], [None, 0.5]) == [0, 0]


@pytest.mark.parametrize("size", [2, 3, 4, 8])
def test_all_pairs_are_zero_sum_and_the_best_gets_most(size: int):
    pairs = matches(size, Pattern.BOTH_WAYS)
    wins = summed_wins(size, pairs, [float(first > second) for first, second in pairs])
    assert sum(wins) == 0
    assert wins == [2.0 * (2 * at - size + 1) for at in range(size)]


@pytest.mark.parametrize("pattern", list(Pattern))
def test_rewards_follow_the_judge_in_every_pattern(pattern: Pattern, checks: DraftChecks):
    judge = Longer()
    longer = GOOD.replace("\nBest", "\nIt will be short.\nBest")
    drafts = [checks.check(REQUEST, text, finished=True) for text in (GOOD, longer)]
    rewards = asyncio.run(Referee(judge, pattern).rewards(REQUEST, drafts, reference=GOOD))
    assert rewards[1].value > rewards[0].value
    assert rewards[1].metrics["wins"] > 0
    assert all(reward.metrics["format"] == 1 for reward in rewards)
    assert all(pair.request == REQUEST for pair in judge.asked)


def test_fidelity_is_a_gate(checks: DraftChecks):
    """The judge loves the long draft, which invents a day and loses the time."""
    invented = "Dear Ann,\nthe review will be held on Tuesday, and everybody is very welcome to come along to it.\nBest,\nTom"
    drafts = [checks.check(REQUEST, text, finished=True) for text in (invented, GOOD, GOOD)]
    rewards = asyncio.run(Referee(Longer()).rewards(REQUEST, drafts))
    assert rewards[0].metrics["wins"] == 4
    assert rewards[0].metrics["faithful"] == 0
    assert 0 < drafts[0].fidelity < 0.5
    assert rewards[0].value == pytest.approx((2 * drafts[0].fidelity ** 2 - 1) * 4 + 1)
    assert rewards[0].value < rewards[1].value
    # With no fact right all matches are lost; each fact that is right opens the gate a little.
    wrong = checks.check(
        REQUEST, "Dear Bob,\nthe party is on Tuesday at 09:30, and everybody is very welcome to it.\nBest,\nTom", finished=True
    )
    assert (wrong.fidelity, drafts[1].fidelity) == (0, 1)
    assert asyncio.run(Referee(Longer()).rewards(REQUEST, [wrong, *drafts[1:]]))[0].value == -4 + 1


def test_bad_form_shuts_the_gate_by_half(checks: DraftChecks):
    garbled = GOOD.replace("\nBest", "\nI hope yoer well.\nBest")
    drafts = [checks.check(REQUEST, text, finished=True) for text in (garbled, GOOD, GOOD)]
    rewards = asyncio.run(Referee(Longer()).rewards(REQUEST, drafts))
    assert drafts[0].faults == ("misspelt",)
    assert (rewards[0].metrics["wins"], rewards[0].metrics["format"]) == (4, 0)
    assert rewards[0].value == 0.5 * 4 - 0.5 * 4 - 1


def test_length_penalty_takes_only_from_excess(checks: DraftChecks):
    words = "fine good nice calm warm dry cool fair neat safe kind sure true clear light soft plain quiet still open".split()
    long = GOOD.replace("\nBest", "\n" + "".join(f"It is {word}. " for word in words) + "\nBest")
    drafts = [checks.check(REQUEST, text, finished=True) for text in (GOOD, long)]
    plain, fined = (asyncio.run(Referee(Silent(), length_penalty=weight).rewards(REQUEST, drafts)) for weight in (0.0, 2.0))
    assert [reward.value for reward in plain] == [1, 1]
    assert fined[0].value == 1
    assert fined[1].value < -5


def test_no_verdict_is_counted_and_never_guessed(checks: DraftChecks):
    drafts = [checks.check(REQUEST, GOOD, finished=True)] * 2
    rewards = asyncio.run(Referee(Silent()).rewards(REQUEST, drafts))
    assert [(reward.value, reward.metrics["unjudged"]) for reward in rewards] == [(1, 1), (1, 1)]


@pytest.mark.parametrize(
    ("text", "finished", "fault"),
    [
        (GOOD, True, None),
        (GOOD, False, "unfinished"),
        ("", True, "empty"),
        (GOOD.replace("Ann", "[Name]"), True, "placeholder"),
        ("Sure! Here is the e-mail:\n" + GOOD, True, "remark"),
        (GOOD + "\n\nNote: please replace the name if you want another tone.", True, "remark"),
        (REQUEST, True, "echo"),
        (GOOD + "\n\nPS: See you there.\n\nPS: See you there.", True, "twice"),
        (GOOD + "\n\nPS: see see you there.", True, "twice"),
        (GOOD + "\n\nPS: i hope yoer well.", True, "misspelt"),
        ("Dear Ann,\nthe review is on Friday at 15:00 and we must", True, "unfinished"),
    ],
)
def test_the_format_is_really_checked(text: str, finished: bool, fault: str | None, checks: DraftChecks):
    found = checks.check(REQUEST, text, finished=finished)
    assert (not found.faults) if fault is None else fault in found.faults


def test_what_the_person_always_writes_is_no_fault():
    own = "Hi Ann,\nsee you on Friday.\nTom Miller\n+44 20 7946 0000"
    checks = DraftChecks([Demonstration(id=str(n), input="Ask Ann", output=own) for n in range(4)])
    assert checks.check("Tell Ann to come on Friday.", own, finished=True).faithful

"""The watch: alarms, the end of a training that games its judge, and the step that is gone back to."""

import math

import pytest

from idiolect.methods.diversity import bleu, distinct_n, self_bleu
from idiolect.methods.watch import TOLERANCES, Figure, Look, alarms, best, held_out, should_stop, why_best


def look(step: int, reward: float, *, stderr: float = 0.02, **figures: float) -> Look:
    known = dict.fromkeys(TOLERANCES, 0.9) | figures
    return Look(
        step=step, figures={name: Figure(mean=value, stderr=stderr) for name, value in (known | {"win_rate_vs_base": reward}).items()}
    )


def watched(*looks: Look) -> list[Look]:
    seen: list[Look] = []
    for one in looks:
        seen.append(one.model_copy(update={"alarms": alarms(seen, one)}))
    return seen


@pytest.mark.parametrize("name", sorted(TOLERANCES))
def test_a_fall_under_a_rising_reward_is_an_alarm(name: str):
    assert watched(look(0, 0.5), look(2, 0.7, **{name: 0.6}))[1].alarms == (name,)
    assert watched(look(0, 0.5), look(2, 0.5, **{name: 0.6}))[1].alarms == (), "no reward was won by it"
    assert watched(look(0, 0.5), look(2, 0.7, **{name: 0.89}))[1].alarms == ()


def test_noise_is_no_alarm():
    assert watched(look(0, 0.5, stderr=0.1), look(2, 0.7, style=0.75, stderr=0.1))[1].alarms == ()
    assert watched(look(0, 0.5, stderr=0.01), look(2, 0.7, style=0.75, stderr=0.01))[1].alarms == ("style",)


def test_slow_falls_add_up():
    falls = watched(look(0, 0.5), *(look(step, 0.5 + 0.02 * step, style=0.9 - 0.02 * step) for step in range(1, 8)))
    assert not falls[1].alarms
    assert falls[-1].alarms == ("style",)


def test_overoptimization_goes_back_to_the_peak_and_stops():
    """The second judge rises with the reward, then falls while the reward rises on."""
    looks = watched(
        look(0, 0.5, second_judge=0.5, style=0.5), look(2, 0.6, second_judge=0.6, style=0.6), look(4, 0.7, second_judge=0.7, style=0.7),
        look(6, 0.85, second_judge=0.55, style=0.6), look(8, 0.95, second_judge=0.4, style=0.5),
    )  # fmt: skip
    assert [bool(one.alarms) for one in looks] == [False, False, False, True, True]
    assert best(looks).step == 4
    assert should_stop(looks, 2)
    assert not should_stop(looks[:-1], 2)
    assert not should_stop(looks, 0)


def test_a_step_that_loses_facts_is_never_the_best():
    looks = watched(look(0, 0.5, style=0.5), look(2, 0.6, style=0.9, facts_kept=0.8))
    assert held_out(looks[1]) > held_out(looks[0])
    assert best(looks).step == 0


def test_it_is_told_why_later_steps_were_given_up():
    start = look(0, 0.5, style=0.5)
    lost, gamed, alike = look(2, 0.5, style=0.9, facts_kept=0.8), look(4, 0.9, style=0.2), look(6, 0.5, style=0.5)
    assert why_best(watched(start, lost, gamed, alike)) == (
        "It went back from step 6 to its start, step 0, so nothing of the training is kept. Of the 3 later looks 1 kept less than 97% "
        "of the facts that the start keeps, 1 raised an alarm, 1 won no more often against the start. "
        "While the reward rose, these fell: style."
    )
    better, worse = look(2, 0.7, style=0.7), look(4, 0.71, style=0.62)
    told = why_best(watched(start, better, worse))
    assert told == "It went back from step 4 to step 2. The one later look scored less by the second judge and the style measure."
    assert why_best(watched(start, better)) == "The last step, 2, was the best and is kept."
    assert why_best([start]) == "Only the start was looked at, so it is kept."


def test_without_a_second_judge_and_style_the_win_rate_decides():
    plain = [
        Look(step=step, figures={"win_rate_vs_base": Figure(mean=won), "facts_kept": Figure(mean=1)}) for step, won in ((0, 0.5), (2, 0.7))
    ]
    assert best(plain).step == 2


def test_diversity():
    assert distinct_n(["a b c", "a b c"]) == pytest.approx(2 / 4)
    assert distinct_n([]) == self_bleu(["alone"]) == 0
    assert self_bleu(["the same words are here now"] * 3) == pytest.approx(1)
    assert self_bleu(["one two three four five", "six seven eight nine ten"]) == 0
    mixed = ["the review is on friday", "the review is on monday", "please send a reply"]
    assert 0 < self_bleu(mixed) < self_bleu(mixed[:2] * 2)


def test_bleu_by_hand():
    """the cat sat / the cat ran: 1-grams 2 of 3, then with one added 2 of 3, 1 of 2 and 1 of 1."""
    assert bleu("the cat sat", ["the cat ran"]) == pytest.approx(math.exp((2 * math.log(2 / 3) + math.log(1 / 2)) / 4))
    assert bleu("the cat", ["the cat ran off"]) == pytest.approx(math.exp(1 - 4 / 2)), "short texts pay"

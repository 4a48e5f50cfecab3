"""Reward hacking: what is looked at beside the reward, when it is an alarm, and which step was the best.

Knows figures of looks at the development requests. Knows nothing of how they were measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

__all__ = ["TOLERANCES", "Figure", "Look", "alarms", "best", "held_out", "should_stop", "why_best"]

TOLERANCES: dict[str, float] = {
    "second_judge": 0.05, "style": 0.05, "facts_kept": 0.03, "nothing_invented": 0.05, "well_formed": 0.05, "no_placeholders": 0.02,
    "length_fit": 0.15, "distinct_2": 0.15, "variety": 0.15,
}  # fmt: skip
"""Watched measures, all of them better when higher, and how far each may fall before it counts, beyond twice its standard error.

``length_fit`` falls with longer and with shorter drafts than the person's; ``variety`` is 1 − self-BLEU. The tolerances of
diversity are wide, since a person's own formulas make drafts more alike.
"""

REWARD = "win_rate_vs_base"
_RISE = 0.03
_FACTS_HELD = 0.97
_ALIKE = 0.02
"""Of ``held_out``: what lies closer together is taken for equal."""


class Figure(BaseModel):
    """A mean over development requests with its standard error (0 where it is of all drafts together)."""

    model_config = ConfigDict(frozen=True)
    mean: float
    stderr: float = 0.0


class Look(BaseModel):
    """The policy before a step, on requests that it does not train on."""

    model_config = ConfigDict(frozen=True)
    step: int
    figures: dict[str, Figure]
    """``win_rate_vs_base`` is by the judge that gives the rewards; the watched measures are named in ``TOLERANCES``; others
    (``kl``, ``words``) are for the eye."""
    alarms: tuple[str, ...] = ()
    sampler_path: str | None = None

    def mean(self, name: str) -> float | None:
        return self.figures[name].mean if name in self.figures else None


def held_out(look: Look) -> float:
    """What says how good a step was: the mean of those among the second judge and the style that were measured, neither of which
    gives rewards; without any, the reward's own win rate."""
    found = [value for name in ("second_judge", "style") if (value := look.mean(name)) is not None]
    return sum(found) / len(found) if found else look.mean(REWARD) or 0.0


def alarms(looks: Sequence[Look], new: Look) -> tuple[str, ...]:
    """Which measures have fallen while the reward rose, against the best look so far."""
    if not looks:
        return ()
    reference = best(looks)
    if (new.mean(REWARD) or 0.0) < (reference.mean(REWARD) or 0.0) + _RISE:
        return ()
    return tuple(name for name, tolerance in TOLERANCES.items() if _fell(reference, new, name, tolerance))


def _fell(reference: Look, new: Look, name: str, tolerance: float) -> bool:
    before, after = reference.figures.get(name), new.figures.get(name)
    if before is None or after is None:
        return False
    noise = 2 * (before.stderr**2 + after.stderr**2) ** 0.5
    return before.mean - after.mean > max(tolerance, noise)


def should_stop(looks: Sequence[Look], patience: int) -> bool:
    """Whether the last ``patience`` looks all raised an alarm; 0 never stops."""
    return 0 < patience <= len(looks) and all(look.alarms for look in looks[-patience:])


def best(looks: Sequence[Look]) -> Look:
    """The look to go back to, among those without alarm whose facts hold against the first look's, the first look always being one.

    The best by ``held_out``; of those that it hardly tells apart, such as by a verifier that is certain of all, the one that wins most
    often against the first policy; the earliest of equals.
    """
    sound = [look for look in looks if look is looks[0] or not (look.alarms or _lost_facts(looks[0], look))]
    top = max(map(held_out, sound))
    return max((look for look in sound if held_out(look) >= top - _ALIKE), key=lambda look: look.mean(REWARD) or 0.0)


def why_best(looks: Sequence[Look]) -> str:
    """Which step was kept, and what stood against every later one, in sentences for the person."""
    chosen, last = best(looks), looks[-1]
    if chosen is last:
        return f"The last step, {last.step}, was the best and is kept." if last.step else "Only the start was looked at, so it is kept."
    later = [look for look in looks if look.step > chosen.step]
    counts = Counter(_against(looks[0], chosen, look) for look in later)
    counted = ", ".join(f"{count} {what}" for what, count in counts.items())
    where = f"step {chosen.step}" if chosen.step else "its start, step 0, so nothing of the training is kept"
    those = f"Of the {len(later)} later looks {counted}" if len(later) > 1 else f"The one later look {next(iter(counts))}"
    fell = sorted({name.replace("_", " ") for look in later for name in look.alarms})
    alarm = f" While the reward rose, these fell: {', '.join(fell)}." if fell else ""
    return f"It went back from step {last.step} to {where}. {those}.{alarm}"


def _against(first: Look, chosen: Look, look: Look) -> str:
    """What stood against a look later than the chosen one."""
    if look.alarms:
        return "raised an alarm"
    if _lost_facts(first, look):
        return f"kept less than {_FACTS_HELD:.0%} of the facts that the start keeps"
    if held_out(look) < held_out(chosen):
        return f"scored less by {_judged_by(chosen)}"
    return "won no more often against the start"


def _judged_by(look: Look) -> str:
    names = {"second_judge": "the second judge", "style": "the style measure"}
    return " and ".join(told for name, told in names.items() if name in look.figures) or "the judge"


def _lost_facts(first: Look, look: Look) -> bool:
    return (look.mean("facts_kept") or 0.0) < _FACTS_HELD * (first.mean("facts_kept") or 0.0)

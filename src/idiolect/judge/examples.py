"""Labelled pairs to train and to check a judge: from the person's own mail, and from simulated people.

Knows texts, features and rubrics. Knows nothing of models: drafts are given.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from idiolect.corpus import Demonstration
from idiolect.corpus.preferences import Preference
from idiolect.errors import InputError
from idiolect.judge.pairs import Pair
from idiolect.judge.perturb import FACTS, padded, perturb
from idiolect.judge.prometheus import Letter, answer, judge_messages
from idiolect.judge.rubric import Rubric
from idiolect.judge.seen import Parts, common, differing, distinctive, parted
from idiolect.tasks import known_facts, with_other_facts
from idiolect.workspace import read_json_lines
from idiolect.world import Author, realise, reviews, sample_author, sample_situation
from idiolect.world.vocabulary import split_of

__all__ = [
    "LabelledPair",
    "chosen_pairs",
    "conversations",
    "draft_pairs",
    "dressed_pairs",
    "labelled_pairs",
    "own_pairs",
    "padded_pairs",
    "simulated_pairs",
    "spoilt_pairs",
    "strangers",
]


_PART_OF = {"greeting": "greeting", "sign-off": "ending", "wording": "body"}
_NAMED = r"(?<!\w)(?<!^)[A-ZÀ-Þ][\w.'’-]*(?=[,!:]?$)"
"""A greeting's name."""


class LabelledPair(BaseModel):
    """Two texts for one request of which it is known which is better, and in what."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    request: str
    better: str
    worse: str
    features: tuple[str, ...] = ()
    """What the worse one is worse in: greeting, sign-off, punctuation, wording, layout, length, facts."""
    source: str = "person"
    """Where it is from: draft, spoilt, spoilt twice, dressed, simulated, person, vote, edit, or a data set."""

    @property
    def pair(self) -> Pair:
        """The better one first."""
        return Pair(self.request, self.better, self.worse)


def draft_pairs(rows: Sequence[Demonstration], drafts: Mapping[str, Sequence[str]], source: str = "draft") -> list[LabelledPair]:
    """The person's own text against each of the drafts for its request; a draft that says the same is none."""
    habits = common([row.output for row in rows])
    return [
        LabelledPair(request=row.input, better=row.output, worse=text, features=tuple(differing(row.output, text, habits)), source=source)
        for row in rows
        for text in dict.fromkeys(drafts.get(row.input, ()))
        if text.strip() and text.strip() != row.output.strip()
    ]


def spoilt_pairs(
    rows: Sequence[Demonstration], each: int, seed: int, *, habits: Sequence[str] | None = None, marks: frozenset[str] = frozenset(),
    vary: bool = False,
) -> list[LabelledPair]:  # fmt: skip
    """``each`` pairs of every own text: it against itself spoilt, and spoilt once against spoilt two or three times more.

    The second kind teaches that of two imperfect drafts the one with fewer faults is better. ``habits`` are the sentences that
    recur in the person's texts, by default in these; ``marks`` words and signs that only the person writes. With ``vary`` a text has
    other facts in each pair, so that a few texts are not known by heart.
    """
    habits = common([row.output for row in rows]) if habits is None else habits
    requests = [row.input for row in rows]
    known = known_facts(requests) if vary else {}
    found = []
    for row in rows:
        others = [request for request in requests if request != row.input]
        for number in range(each):
            rng = random.Random(f"spoilt {seed} {row.input} {row.output} {number}")
            request, own = with_other_facts(row.input, row.output, known, rng)

            def spoil(text: str, request: str = request, others: list[str] = others, rng: random.Random = rng) -> tuple[str, list[str]]:
                made = perturb(text, request, rng, others=others, habits=habits, marks=marks)
                return (made.text, [made.feature]) if made else (text, [])

            better, source = own, "spoilt"
            if number % 3 == 2:
                (better, _), source = spoil(better), "spoilt twice"
            worse, features = spoil(better)
            for _ in range(rng.randint(0, 2) if source == "spoilt" else rng.randint(1, 2)):
                worse, more = spoil(worse)
                features += more
            # A later change may undo an earlier one.
            if worse not in (better, own):
                kept = tuple(dict.fromkeys(features))
                found.append(LabelledPair(request=request, better=better, worse=worse, features=kept, source=source))
    return found


def dressed_pairs(rows: Sequence[Demonstration], drafts: Mapping[str, Sequence[str]], seed: int) -> list[LabelledPair]:
    """Each draft in which a greeting, an ending or a set phrase of the person's stands, or two or all of them, against it with fewer.

    They teach what a judge of drafts meets most: texts of a model, of which one has a little more of the person.
    """
    habits = common([row.output for row in rows])
    found = []
    for row in rows:
        for number, text in enumerate(drafts.get(row.input, ())):
            rng = random.Random(f"dressed {seed} {row.input} {number}")
            plain, own = parted(text), parted(rng.choice(rows).output)
            if not plain.body:
                continue
            dress = _dress(plain, own, habits, rng)
            # What the one has the other may have as well, so that a single part decides.
            shared = [feature for feature in list(dress)[1:] if rng.random() < 0.5]
            better, worse = ({_PART_OF[feature]: dress[feature] for feature in some} for some in (dress, shared))
            pair = [Parts(**{**vars(plain), **parts}).joined() for parts in (better, worse)]
            if pair[0] != pair[1]:
                features = tuple(feature for feature in dress if feature not in shared)
                found.append(LabelledPair(request=row.input, better=pair[0], worse=pair[1], features=features, source="dressed"))
    return found


def _dress(plain: Parts, own: Parts, habits: Sequence[str], rng: random.Random) -> dict[str, str]:
    """By feature, the parts of ``plain`` as the person would have them: one or more, none where the person has nothing to give."""
    dress = {}
    if plain.greeting and own.greeting and rng.random() < 0.5:
        named = re.search(_NAMED, plain.greeting)
        dress["greeting"] = re.sub(_NAMED, lambda found: (named or found)[0], own.greeting)
    if own.ending and rng.random() < 0.5:
        dress["sign-off"] = own.ending
    if habits and (rng.random() < 0.5 or not dress):
        dress["wording"] = f"{plain.body} {rng.choice(habits)}"
    return dress


def simulated_pairs(authors: Sequence[Author], each: int, seed: int) -> list[LabelledPair]:
    """Pairs from the simulated world: an author's realisation of a situation against that of another person of the same split."""
    found = []
    for author in authors:
        split = _split(author)
        for number in range(each):
            request, write = _occasion(author, split, f"judge {seed} {author.name} {number}", seed)
            other = sample_author(split, int(random.Random(f"{seed} {author.name} {number}").getrandbits(31)), author.genre)
            better, worse = write(author), write(other)
            if better != worse:
                features = tuple(differing(better, worse))
                found.append(LabelledPair(request=request, better=better, worse=worse, features=features, source="simulated"))
    return found


def own_pairs(rows: Sequence[Demonstration], drafts: Mapping[str, Sequence[str]], *, spoilt: int, seed: int) -> list[LabelledPair]:
    """All that ten own texts give: against drafts, against themselves spoilt, and drafts dressed in their parts, mixed by the seed."""
    marks = distinctive([row.output for row in rows], [text for some in drafts.values() for text in some])
    pairs = [*draft_pairs(rows, drafts), *spoilt_pairs(rows, spoilt, seed, marks=marks, vary=True), *dressed_pairs(rows, drafts, seed)]
    random.Random(f"own pairs {seed}").shuffle(pairs)
    return pairs


def padded_pairs(rows: Sequence[Demonstration], seed: int) -> list[Pair]:
    """Each text with idle sentences added, against itself."""
    return [
        Pair(row.input, padded(row.output, random.Random(f"padded {seed} {row.input}")), row.output) for row in rows if row.output.strip()
    ]


def strangers(author: Author, count: int, seed: int) -> list[tuple[str, str]]:
    """(request, text) of other simulated people of the author's split: a hand that is neither the author's nor a model's."""
    split = _split(author)
    found = []
    for number in range(count):
        request, write = _occasion(author, split, f"stranger {seed} {author.name} {number}", seed)
        other = sample_author(split, random.Random(f"stranger {seed} {author.name} {number}").getrandbits(31), author.genre)
        found.append((request, write(other)))
    return found


def _occasion(author: Author, split: str, name: str, seed: int) -> tuple[str, Callable[[Author], str]]:
    """A request of the kind that the author answers, and what anybody of that kind writes to it."""
    if author.genre == "review":
        purchase = reviews.sample_purchase(split, name)
        return purchase.request, lambda one: reviews.realise(purchase, one.traits, seed)
    situation = sample_situation(split, name)
    return situation.request, lambda one: realise(situation, one, seed)


def _split(author: Author) -> str:
    return split_of(repr(sorted(author.traits.items())))


def conversations(pairs: Iterable[LabelledPair], rubric: Rubric, *, reasons: float, seed: int) -> list[list[str]]:
    """(question, answer) rows of every pair in both orders, one after the other, so that A and B are right equally often.

    A share ``reasons`` of the pairs is asked for reasons as well, which name what the worse one is worse in.
    """
    rows = []
    for number, one in enumerate(pairs):
        reasoned = bool(one.features) and random.Random(f"reasons {seed} {number}").random() < reasons
        shown: tuple[tuple[Pair, Letter], ...] = ((one.pair, "A"), (one.pair.swapped, "B"))
        for pair, letter in shown:
            (question,) = judge_messages(rubric, pair, reasons=reasoned)
            rows.append([question["content"], answer(letter, _reason(one, letter) if reasoned else None)])
    return rows


def _reason(one: LabelledPair, letter: Letter) -> str:
    worse = "B" if letter == "A" else "A"
    named = [feature for feature in one.features if feature != FACTS]
    said = [f"{worse} is unlike the person in {_listed(named)}."] if named else []
    return " ".join([*said, *([f"{worse} does not keep to the facts."] if FACTS in one.features else [])])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def chosen_pairs(choices: Sequence[Preference]) -> list[LabelledPair]:
    """The person's votes and edits, without those that say nothing."""
    return [
        LabelledPair(request=one.request, better=one.preferred, worse=one.rejected, source=one.source)
        for one in choices
        if one.preferred.strip() and one.rejected.strip() and one.preferred.strip() != one.rejected.strip()
    ]


def labelled_pairs(path: Path) -> list[LabelledPair]:
    """A person's own labelled pairs, JSON Lines of request, better and worse. Raises ``InputError`` naming line and field."""
    found = []
    for number, row in enumerate(read_json_lines(path), 1):
        try:
            found.append(LabelledPair.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "row"
            hint = 'A line is {"request": …, "better": …, "worse": …}'
            raise InputError(first["msg"], where=f"{path}, row {number}, field {field}", hint=hint) from error
    if not found:
        raise InputError("has no pairs", where=str(path), hint="Write one a line: request, better, worse")
    return found

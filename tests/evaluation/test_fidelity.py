"""Each defect, planted, moves its measure and no other."""

from __future__ import annotations

import pytest

from idiolect.corpus import Demonstration
from idiolect.evaluation.fidelity import Fidelity, FidelityChecker, fewest_faults, invented_facts, usual_facts
from idiolect.evaluation.statistics import mean_with_interval, paired_difference
from idiolect.tasks import missing_facts, request_facts
from idiolect.world import Author, demonstrations, sample_author
from idiolect.world.defects import DEFECTS, Defect, LabelledDraft, labelled_drafts
from real_mail import MAIL

REQUEST = "Ask Dana Whitlock to send $1,200 by Friday 14 March at 3 pm, copy kim@example.org"
GOOD = "Hi Dana,\n\nCould you send the $1,200 by Friday 14 March, 3 pm? Please copy kim@example.org.\n\nThanks,\nRobin"
KNOWN = [
    Demonstration(input="x", output=f"Hi {name},\n\nI was glad to hear from you about the {thing}.\n\nThanks,\nRobin, call 555-0100")
    for name, thing in (("Ann", "garden"), ("Bo", "boat trip"), ("Cy", "roof"))
]
ROW = Demonstration(input=REQUEST, output=GOOD)


@pytest.fixture(scope="module")
def checker() -> FidelityChecker:
    return FidelityChecker(KNOWN)


def test_a_faithful_draft_has_nothing_against_it(checker: FidelityChecker) -> None:
    found = checker.check(ROW, GOOD)
    assert (found.kept, found.invented, found.placeholders, found.truncated) == (1.0, (), (), False)
    assert found.length_ratio == 1.0
    assert found.verbatim_overlap < 0.3


def test_the_best_of_tries_has_the_fewest_faults(checker: FidelityChecker) -> None:
    chosen = fewest_faults(4, checker)
    assert chosen.faults(REQUEST, GOOD, True) == 0
    assert chosen.faults(REQUEST, GOOD, False) == 1
    worse = GOOD.replace("$1,200", "$1,300") + "\n\n[name]"
    # The amount is lost, another one invented, and a slot is open.
    assert chosen.faults(REQUEST, worse, True) == 5
    assert chosen.faults(REQUEST, f"{GOOD} gloww gloww oof brekk", True) == 2
    # What a past mail says is no invention.
    told = fewest_faults(4, checker, allowed=["It was $1,300"])
    assert told.faults(REQUEST, worse, True) == 3
    others = (fewest_faults(5, checker), fewest_faults(4, FidelityChecker(KNOWN[:2])), fewest_faults(4, checker, request=REQUEST), told)
    assert len({chosen.key, *(other.key for other in others)}) == 5
    assert fewest_faults(4, FidelityChecker(list(KNOWN))).key == chosen.key
    # What is asked may hold more than the request, of which the facts need not be said again.
    assert fewest_faults(4, checker, request=REQUEST).faults(f"{REQUEST}. He wrote: it is $99", GOOD, True) == 0


def test_what_is_said_twice_is_told_unless_the_person_does(checker: FidelityChecker) -> None:
    twice = GOOD + "\n\nPS: Bring an umbrella.\n\nPS: Bring an umbrella."
    assert checker.check(ROW, twice).repeated == ("PS: Bring an umbrella.",)
    assert checker.check(ROW, GOOD).repeated == ()
    assert FidelityChecker([Demonstration(input="x", output=twice)]).check(ROW, twice).repeated == ()


def test_what_no_dictionary_has_is_misspelt_unless_the_person_the_request_or_past_mail_has_it(checker: FidelityChecker) -> None:
    spoilt = GOOD.replace("Please", "Please glorb")
    assert checker.check(ROW, spoilt).misspelt == ("glorb",)
    assert checker.check(ROW, GOOD).misspelt == ()
    assert checker.check(ROW, spoilt, allowed=["We glorb all day"]).misspelt == ()
    assert checker.check(ROW.model_copy(update={"input": f"{REQUEST}, glorb"}), spoilt).misspelt == ()
    assert FidelityChecker([Demonstration(input="x", output=spoilt)]).check(ROW, spoilt).misspelt == ()


def test_a_lost_fact_is_named(checker: FidelityChecker) -> None:
    found = checker.check(ROW, GOOD.replace("$1,200", "money"))
    assert [fact.value for fact in found.lost] == ["$1,200"]
    assert found.kept is not None
    assert found.kept < 1
    assert not found.invented


@pytest.mark.parametrize(
    ("planted", "word"),
    [
        ("See you on Tuesday.", "Tuesday"),
        ("It is on 3 June.", "3 June"),
        ("Call at 9:30.", "9:30"),
        ("That makes $99.", "$99"),
        ("Write to lee@example.net.", "lee@example.net"),
        ("Look at https://example.net/form please.", "https://example.net/form"),
        ("I told Oskar about it.", "Oskar"),
    ],
)
def test_what_nobody_gave_is_invented(checker: FidelityChecker, planted: str, word: str) -> None:
    found = checker.check(ROW, GOOD.replace("Please", f"{planted} Please"))
    assert found.invented == (word,)
    assert found.kept == 1.0


def test_a_name_from_one_demonstration_is_invented_but_the_persons_own_constants_are_not(checker: FidelityChecker) -> None:
    assert checker.check(ROW, GOOD.replace("Please", "I saw Ann, and Bo too. Please")).invented == ("Ann", "Bo")
    assert not checker.check(ROW, GOOD + ", call 555-0100").invented
    assert "555-0100" in set(usual_facts([row.output for row in KNOWN]))


def test_formulas_and_lists_are_no_inventions() -> None:
    text = "Dear Dana,\n\n1. Thank You for the $1,200\n2. It was fine\n\nKind Regards,\nAll The Best"
    assert invented_facts(REQUEST, text) == ()


@pytest.mark.parametrize("slot", ["[Your Name]", "<date>", "{{amount}}", "XXX"])
def test_an_open_slot_is_a_placeholder_and_no_invention(checker: FidelityChecker, slot: str) -> None:
    found = checker.check(ROW, GOOD + f" {slot}")
    assert found.placeholders == (slot,)
    assert not found.invented


def test_a_slot_that_the_request_names_is_meant(checker: FidelityChecker) -> None:
    row = Demonstration(input="Send Dana the form with [Your Name] in it", output="")
    assert not checker.check(row, "Hi Dana, the form with [Your Name] in it is here.").placeholders


def test_copied_text_raises_the_overlap(checker: FidelityChecker) -> None:
    copy = "Hi Bo,\n\nI was glad to hear from you about the boat trip.\n\nThanks,\nRobin, call 555-0100"
    found = checker.check(ROW, copy)
    assert found.verbatim_overlap == 1.0
    changed = checker.check(ROW, copy.replace("boat", "canoe"))
    assert 0.5 < changed.verbatim_overlap < 0.8
    assert found.copied == copy


def test_length_is_that_of_the_persons_text_or_of_the_usual_one(checker: FidelityChecker) -> None:
    assert checker.check(ROW, f"{GOOD} {GOOD}").length_ratio == pytest.approx(2.0)
    unknown = Demonstration(input=REQUEST, output="")
    usual = len(KNOWN[0].output.split())
    assert checker.check(unknown, "one two three").length_ratio == pytest.approx(3 / usual, rel=0.1)
    assert FidelityChecker([]).check(unknown, "one").length_ratio is None


def test_truncation_and_emptiness(checker: FidelityChecker) -> None:
    assert checker.check(ROW, GOOD, finished=False).truncated
    empty = checker.check(ROW, "")
    assert (empty.kept, empty.verbatim_overlap, empty.length_ratio) == (0.0, 0.0, 0.0)


def test_a_request_without_facts_says_nothing_about_facts(checker: FidelityChecker) -> None:
    assert checker.check(Demonstration(input="say thanks", output=""), "Thanks!").kept is None


def test_simulated_facts_are_the_simulators(author: Author, known: list[Demonstration], heldout: list[Demonstration]) -> None:
    checker = FidelityChecker(known, author=author, world=True)
    row = heldout[0]
    assert checker.check(row, row.output).kept == 1.0
    assert not checker.check(row, row.output).invented
    without = row.output.replace(row.facts[0].value, "Blurbo")
    found = checker.check(row, without)
    assert row.facts[0] in found.lost
    assert found.invented == ("blurbo",)


def test_habits_are_no_faults() -> None:
    """Authors' own e-mails, by the detectors of real mail: at most one in twenty is accused of anything."""
    accused, drafts = 0, 0
    for seed in range(30):
        person = sample_author("development", seed)
        rows = demonstrations(person, "development", 6, seed=1)
        for row in rows[4:]:
            found = FidelityChecker(rows[:4], author=person).check(row, row.output)
            assert not found.lost
            accused += bool(found.invented or found.placeholders or found.meta_comments or found.truncated or found.repeated)
            drafts += 1
    assert accused <= drafts / 20


@pytest.fixture(scope="module")
def planted() -> list[tuple[LabelledDraft, Fidelity]]:
    """Planted defects and harmless look-alikes, by the detectors of real mail."""
    found = []
    for draft in labelled_drafts("development", 25, seed=5):
        checker = FidelityChecker(demonstrations(draft.author, "development", 4, seed=77), author=draft.author)
        row = Demonstration(input=draft.situation.request, output="", facts=draft.situation.facts)
        found.append((draft, checker.check(row, draft.text, finished=draft.finished)))
    return found


FOUND = {
    "lost": lambda found: bool(found.lost),
    "invented": lambda found: bool(found.invented),
    "placeholder": lambda found: bool(found.placeholders),
    "meta_comment": lambda found: bool(found.meta_comments),
    "truncated": lambda found: found.truncated,
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_precision_and_recall_on_planted_defects(planted: list[tuple[LabelledDraft, Fidelity]], defect: Defect) -> None:
    said = [FOUND[defect](found) for _, found in planted]
    true = [defect in draft.defects for draft, _ in planted]
    both = sum(one and other for one, other in zip(said, true, strict=True))
    assert sum(true) >= 25
    assert both / sum(said) >= 0.95
    assert both / sum(true) >= 0.95


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_moves_its_measure_beyond_the_interval(planted: list[tuple[LabelledDraft, Fidelity]], defect: Defect) -> None:
    """Twenty-five drafts with the defect against twenty-five clean ones; three against three are too few to say."""
    spoilt = [float(FOUND[defect](found)) for draft, found in planted if draft.kind == defect]
    clean = [float(FOUND[defect](found)) for draft, found in planted if draft.kind == "clean"]
    share = mean_with_interval(clean, bounds=(0, 1))
    difference = paired_difference(spoilt, clean, bounds=(-1, 1))
    assert share.high is not None
    assert share.high < 0.2
    assert difference.low is not None
    assert difference.low > share.high
    assert difference.p is not None
    assert difference.p < 0.001
    few = paired_difference(spoilt[:3], clean[:3], bounds=(-1, 1))
    assert few.p is not None
    assert few.p > 0.05
    assert few.low is not None
    assert few.low < 0


def test_lost_facts_are_just_those_that_were_taken(planted: list[tuple[LabelledDraft, Fidelity]]) -> None:
    taken = [(set(draft.lost), set(found.lost)) for draft, found in planted if draft.kind in ("lost", "changed")]
    assert sum(one == other for one, other in taken) / len(taken) >= 0.95


@pytest.mark.parametrize(("request_text", "draft", "lost", "invented"), MAIL)
def test_real_mail(request_text: str, draft: str, lost: list[str], invented: list[str]) -> None:
    assert [fact.value for fact in missing_facts(request_facts(request_text), draft)] == lost
    assert sorted(invented_facts(request_text, draft)) == sorted(invented)

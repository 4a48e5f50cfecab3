"""A draft's form against the person's way; what counts as which fault is tested where it is found."""

from __future__ import annotations

from idiolect.tasks import FormChecker

OWN = ["Hi Bo,\n\nhop hop, the glorb is here.\n\nThanks,\nRobin"] * 3
GOOD = "Hi Dana,\n\nCould you send the form?\n\nThanks,\nRobin"


def test_a_good_draft_has_no_fault_and_is_its_own_letter() -> None:
    form = FormChecker(OWN).check("Ask Dana for the form", GOOD)
    assert (form.placeholders, form.meta_comments, form.repeated, form.misspelt, form.truncated) == ((), (), (), (), False)
    assert form.letter == form.whole == GOOD


def test_each_fault_is_told_and_slots_and_remarks_are_no_part_of_the_letter() -> None:
    form = FormChecker(OWN).check("Ask Dana", f"Here is the e-mail:\n{GOOD.replace('the form', 'the the form [Name] wrytten')}")
    assert (form.placeholders, form.meta_comments) == (("[Name]",), ("Here is the e-mail:",))
    assert (form.repeated, form.misspelt) == (("the the",), ("wrytten",))
    assert "[Name]" not in form.letter
    assert "Here is" not in form.letter


def test_half_a_word_at_the_end_of_a_cut_draft_is_not_misspelt() -> None:
    form = FormChecker(OWN).check("Ask Dana", "Hi Dana,\n\ncould you send the contr", finished=False)
    assert form.truncated
    assert form.misspelt == ()
    assert form.whole.endswith("send the ")


def test_what_the_person_the_request_or_other_mail_has_is_no_fault() -> None:
    text = GOOD.replace("Could", "hop hop, could").replace("form", "glorb wuppit zorble")
    checker = FormChecker(OWN)
    assert checker.check("Ask Dana for the wuppit", text, allowed=["The zorble"]).misspelt == ()
    assert checker.check("Ask Dana", text).misspelt == ("wuppit", "zorble")
    assert checker.check("Ask Dana", text).repeated == ()
    assert FormChecker([]).check("Ask Dana", text).misspelt == ("glorb", "wuppit", "zorble")
    assert FormChecker([]).check("Send Dana [Name]", "Hi Dana, here is [Name].").placeholders == ()

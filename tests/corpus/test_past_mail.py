"""Past mail that has to do with a request."""

from __future__ import annotations

from datetime import UTC, datetime

from idiolect.corpus import Demonstration
from idiolect.corpus.retrieval import PastMail
from idiolect.world import demonstrations, sample_author

TOLD = Demonstration(
    input="Tell Ann what the flat costs", output="Hi Ann, the flat in Kirkstall costs 640 euros.", source="Sent.mbox:7",
    date=datetime(2026, 3, 1, tzinfo=UTC),
)  # fmt: skip
OTHERS = demonstrations(sample_author("development", 0), "development", 30, seed=3)


def test_what_shares_rare_words_comes_first_with_its_source() -> None:
    first, *_ = PastMail([*OTHERS, TOLD]).search("What does the flat in Kirkstall cost?")
    assert (first.text, first.source, first.date) == (TOLD.output, "Sent.mbox:7", "2026-03-01")


def test_a_mail_is_found_again_by_its_request() -> None:
    past = PastMail(OTHERS)
    found = [past.search(row.input, 1)[0].text == row.output for row in OTHERS]
    assert sum(found) >= 28


def test_nothing_in_common_is_nothing_found() -> None:
    past = PastMail([TOLD])
    assert past.search("zebra") == past.search("") == past.search("the of") == PastMail([]).search("flat") == []
    assert PastMail([TOLD.model_copy(update={"input": "", "output": "the"})]).search("the") == []


def test_long_mails_are_shortened_at_a_word_and_equal_ones_newest_first() -> None:
    long = TOLD.model_copy(update={"output": "Kirkstall " * 200})
    newer = long.model_copy(update={"source": "Sent.mbox:8"})
    first, second = PastMail([long, newer]).search("Kirkstall")
    assert (first.source, second.source) == ("Sent.mbox:8", "Sent.mbox:7")
    assert len(first.text) <= 602
    assert first.text.endswith("Kirkstall …")

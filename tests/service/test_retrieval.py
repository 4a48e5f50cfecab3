"""Examples that are chosen for each request."""

from idiolect.service import Writer
from idiolect.service.retrieval import nearest

REQUESTS = ["Ask Ann for the blue lamp", "Thank Bob for the dinner", "Move the review to Friday"]


def test_the_most_alike_comes_first_and_unknown_words_do_no_harm() -> None:
    assert nearest("Thank Eve for the dinner", REQUESTS, 1) == [1]
    assert nearest("Move the audit to Monday", REQUESTS, 2)[0] == 2
    assert nearest("xyzzy", REQUESTS, 2) == [2, 1]
    assert nearest("", ["", ""], 1) == [1]


def test_a_writer_shows_each_request_its_own_examples_the_most_alike_last() -> None:
    writer = Writer(name="x", base_model="m", renderer="r", examples=tuple((one, one.upper()) for one in REQUESTS), shown=2)
    assert [turn["content"] for turn in writer.messages("Thank Eve for the dinner")][-3:-1] == [REQUESTS[1], REQUESTS[1].upper()]
    assert len(writer.messages("x")) == 5
    assert len(writer.model_copy(update={"shown": None}).messages("x")) == 7

"""What plain drafts agree on."""

from __future__ import annotations

from idiolect.corpus import Demonstration
from idiolect.evaluation.agreement import PLAIN_DRAFTS, agreed, agreed_facts, unsaid_words
from idiolect.service import Writer
from idiolect.service.replies import reply_request
from idiolect.settings import pocket_model
from scripted_sampler import scripted

REQUEST = "Find out from Ann when we start the budget on Monday."


def values(request: str, *drafts: str) -> list[str]:
    return [fact.value for fact in agreed(request, drafts)]


def test_what_all_plain_drafts_say_again_is_asked_for_beside_what_has_a_form() -> None:
    both = ("Hi Ann,\n\nwhen does the Budget start?", "Dear Ann,\n\non Monday we begin with the budget: at what time?")
    assert values(REQUEST, *both) == ["Ann", "Monday", "budget"]
    assert values(REQUEST, *both, "Hi Ann,\n\nwhen do we start with the figures on Monday?") == ["Ann", "Monday"]


def test_common_words_and_formulas_are_nothing_to_say() -> None:
    assert values("Please tell Ann that we have to start.", "Please tell Ann that we have to start.") == ["Ann"]


def test_of_the_mail_that_is_answered_only_what_the_drafts_say_again_is_asked_for() -> None:
    request = "Tell Ann that it is paid.\n\n> Hi Raj,\n>\n> the invoice PA-2438 over 715.46 euros is due on 7 March.\n>\n> Ann"
    assert values(request, "Hi Ann,\n\nI have sent the 715.46 euros for PA-2438.", "Hi Ann,\n\n715,46 euros went out for PA-2438.") == [
        "Ann", "PA-2438", "715.46 euros",
    ]  # fmt: skip
    assert values(request, "Hi Ann,\n\ndone.") == ["Ann"]


def test_what_the_person_leaves_unsaid_is_not_asked_for() -> None:
    known = [
        Demonstration(input="Invite Bo to the budget workshop", output="Hi Bo,\n\ncome to our call on the budget!"),
        Demonstration(input="Move the workshop to Friday", output="Hi,\n\nthe workshop is on Friday now."),
        Demonstration(input=reply_request("Send the budget to Raj", "Where is the invoice?"), output="Hi Raj,\n\nhere you are."),
        Demonstration(input="Ask for the budget", output="Hi,\n\nwhere is the budget?"),
    ]
    # The workshop was said in one text of two, the budget in two of three.
    assert unsaid_words(known) >= {"workshop", "invite"}
    assert not unsaid_words(known) & {"budget", "invoice"}
    draft = "Hi Ann,\n\nthe workshop is about the budget."
    told = agreed("Tell Ann that the workshop is about the budget", [draft], unsaid_words(known))
    assert [fact.value for fact in told] == ["Ann", "budget"]


def test_a_few_drafts_are_sampled_for_each_request_once() -> None:
    connection, script = scripted(lambda prompt: "Hi Ann,\n\nthe budget." if "budget" in prompt else "Hi Bo,\n\nthe figures.")
    plain = Writer(name="plain", base_model=pocket_model(), renderer="qwen3_instruct")
    found = connection.run(agreed_facts(connection, plain, [REQUEST, "Ask Bo for the ledger", REQUEST], [], seed=0))
    assert {request: [fact.value for fact in facts] for request, facts in found.items()} == {
        REQUEST: ["Ann", "Monday", "budget"],
        "Ask Bo for the ledger": ["Bo"],
    }
    assert len(script.asked) == 2
    assert PLAIN_DRAFTS > 1

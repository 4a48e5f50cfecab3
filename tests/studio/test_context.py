"""What is asked of drafts in the studio."""

from __future__ import annotations

import asyncio

from idiolect.service import Writer
from idiolect.settings import Settings, pocket_model
from idiolect.studio.context import Context
from idiolect.studio.rounds import Rounds
from idiolect.workspace import Workspace
from scripted_sampler import scripted


def test_a_round_asks_its_model_once_what_a_draft_has_to_say(place: Workspace) -> None:
    connection, script = scripted(lambda prompt: "Hi Ann,\n\nwhen do we start the budget?")
    one, other = (
        Writer(name=name, base_model=pocket_model(), renderer="qwen3_instruct", system_prompt="You are Mara.") for name in ("one", "other")
    )
    found = Rounds(place).new("write", "Ask Ann when we start the budget", [one, other])
    context = Context(place, Settings())

    async def chosen() -> list[int]:
        choosers = await asyncio.gather(*(context.chooser(connection, found, writer) for writer in (one, other)))
        return [
            chooser.faults(found.asked, text, True) for chooser in choosers for text in ("Hi Ann, when?", "Hi Ann, when is the budget?")
        ]

    lacking, whole, *second = connection.run(chosen())
    assert lacking == whole + 2
    assert second == [lacking, whole]
    assert len(script.asked) == 1
    # The model is asked without what it was told of the person.
    assert "Mara" not in script.asked[0]
    found.drafts[0].text, found.drafts[0].finished = "Hi Ann,\n\nwhen?", True
    assert "it lacks budget" in context.remarks(found, found.drafts[0])
    assert Rounds(place).newest("write")[0].facts == ()
    Rounds(place).save(found)
    assert Rounds(place).newest("write")[0].facts == found.facts


def test_who_takes_first_drafts_asks_for_nothing_more(place: Workspace) -> None:
    connection, script = scripted(lambda prompt: "Hi Ann,\n\nthe budget.")
    writer = Writer(name="one", base_model=pocket_model(), renderer="qwen3_instruct")
    found = Rounds(place).new("write", "Ask Ann about the budget", [writer])
    assert connection.run(Context(place, Settings(tries=1)).chooser(connection, found, writer)).tries == 1
    assert script.asked == []

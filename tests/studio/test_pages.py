"""The pages without a browser: what they say when there is nothing, what goes wrong, and what set-up writes."""

from __future__ import annotations

import json
import mailbox
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import load_demonstrations, save_demonstrations
from idiolect.corpus.preferences import load_preferences
from idiolect.corpus.retrieval import PastMail
from idiolect.methods.run import open_run
from idiolect.service import reply_request
from idiolect.settings import Models, Settings
from idiolect.studio.context import Context
from idiolect.studio.rounds import Rounds
from idiolect.workspace import Workspace, append_json_line
from studio_visitor import HOSTILE, Visitor, finished_round, started_again, writer

LETTERS = [
    "Hi Dana,\n\nthe review moves to Friday at three, so the room on the second floor is yours until noon.\n\nCheers,\nMara",
    "Hi Tom,\n\nthanks for the figures, they are just what I needed for the talk tomorrow morning.\n\nCheers,\nMara",
]


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """Two letters, the second with a quotation and a signature, and one of somebody else."""
    box = mailbox.mbox(tmp_path / "sent.mbox")
    quoted = "\n\nOn Mon, 1 Jan 2024 Tom wrote:\n> where are\n> the figures?\n\n-- \nMara Keller\nSecret Street 5"
    for number, (body, sender) in enumerate(
        [(LETTERS[0], "mara"), (LETTERS[1] + quoted, "mara"), ("I am Tom, and this is mine to say.", "tom")]
    ):
        box.add(
            f"From: {sender}@example.org\nTo: dana@example.com\nSubject: {number}\nMessage-ID: <{number}@x>\n"
            f"Date: Mon, 0{number + 1} Jan 2024 10:00:00 +0000\n\n{body}\n"
        )
    box.close()
    return tmp_path / "sent.mbox"


def test_an_empty_workspace_says_what_to_do(visitor: Visitor, place: Workspace) -> None:
    for folder in place.runs.iterdir():
        (folder / "writer.json").unlink()
    place.demonstrations.unlink()
    for path, told in [("write", "idiolect sft"), ("compare", "idiolect sft"), ("watch", "idiolect sft"), ("report", "idiolect compare")]:
        assert told in visitor.get(f"/{path}")
    assert "None yet. Choose your sent mail" in visitor.get("/setup")


def test_what_is_missing_in_a_form_is_said_and_what_was_typed_stays(visitor: Visitor) -> None:
    for path, fields, told in [
        ("/write", {"request": " ", "writer": "prompt"}, "the request is empty"),
        ("/write", {"request": "Ask Ann for it"}, "no writer is chosen"),
        ("/compare", {"request": "Ask Ann for it", "writer": "prompt"}, "a comparison needs two writers"),
    ]:
        answer = visitor.post(path, **fields)
        assert answer.status_code == 400
        assert told in answer.text
        assert fields["request"].strip() in answer.text


def test_a_service_that_is_not_there_is_told_on_the_draft(visitor: Visitor) -> None:
    answer = visitor.post("/write", request="Ask Ann", writer="prompt")
    name = answer.headers["location"].rsplit("/", 1)[1]
    events = visitor.get(f"/drafts/{name}/events")
    assert "the Tinker service: cannot be reached. Check the network" in events
    assert events.endswith("event: end\ndata: {}\n\n")


def test_unknown_pages_and_numbers_are_told(visitor: Visitor, place: Workspace) -> None:
    found = finished_round(place, "write", "text")
    for path in ("/write/20260101-120000-deadbeef", "/write/%2e%2e%2fsecret", f"/compare/{found.name}", "/watch/nothing", "/report/x.html"):
        answer = visitor.client.get(path)
        assert answer.status_code in (400, 404)
        assert 'role="alert"' in answer.text
    assert visitor.post(f"/write/{found.name}/7/edit", text="x").status_code == 400
    assert visitor.post(f"/write/{found.name}/-1/again").status_code == 400


def test_an_edit_becomes_a_preference(visitor: Visitor, place: Workspace) -> None:
    found = finished_round(place, "write", "Dear Ann, the keys.")
    answer = visitor.post(f"/write/{found.name}/0/edit", text="Hi Ann, the keys?")
    assert "1 preference to learn from" in visitor.get(answer.headers["location"].split("#")[0])
    assert [pair.preferred for pair in load_preferences(place.preferences)] == ["Hi Ann, the keys?"]
    assert visitor.post(f"/write/{found.name}/0/edit", text="Hi Ann, the keys?").status_code == 400


def test_a_draft_opens_in_the_mail_program_with_its_subject(visitor: Visitor, place: Workspace) -> None:
    found = finished_round(place, "write", "Subject: Keys & more\n\nHi Ann,\nwhere?")
    assert "mailto:?subject=Keys%20%26%20more&amp;body=Hi%20Ann%2C%0D%0Awhere%3F" in visitor.get(f"/write/{found.name}")


FLAT = f"Hi Dana,\n\nthe flat in Kirkstall costs 640 euros. {HOSTILE}\n"


@pytest.fixture
def flat(place: Workspace) -> None:
    told = Demonstration(input="Tell Dana what the flat costs", output=FLAT, source="Sent:7", date=datetime(2026, 3, 1, tzinfo=UTC))
    save_demonstrations(place.demonstrations, [Demonstration(input="Ask Ann for the keys", output="Hi Ann, the keys?"), told])


def test_past_mail_stands_beside_the_drafts_with_its_source(visitor: Visitor, place: Workspace, flat: None) -> None:
    answer = visitor.post("/write", request="Tell Tom what the flat in Kirkstall costs", writer="prompt", past="on")
    page = visitor.get(answer.headers["location"])
    past = page.split('id="past-title"')[1].split("</section>")[0]
    assert re.findall(r"<h3><span>(.*?)</span> <time .*?>(.*?)</time>", past) == [("Sent:7", "2026-03-01")]
    assert "the flat in Kirkstall costs 640 euros" in past
    assert "<script>" not in past
    # The pocket model is not given it.
    (found,) = Rounds(place).newest("write")
    assert found.given == ""
    nothing = visitor.get(visitor.post("/write", request="zebra", writer="prompt", past="on").headers["location"])
    assert "Nothing there has a word in common" in nothing
    without = visitor.get(visitor.post("/write", request="Tell Tom of the flat", writer="prompt").headers["location"])
    assert "past-title" not in without
    assert 'name="past">' in without, "and so it stays"


def test_a_general_model_is_given_past_mail_and_learns_from_what_was_asked_alone(place: Workspace, flat: None) -> None:
    context = Context(place, Settings(model=Models(policy="some/model")))
    told = context.of("Tell Tom what the flat in Kirkstall costs", "What is it?", past=True)
    assert told.given.startswith(told.asked)
    assert "640 euros" in told.given.removeprefix(told.asked)
    assert "640 euros" not in told.asked
    assert "> What is it?" in told.asked


def test_what_to_look_at_is_named_beside_a_draft_and_told_facts_are_no_inventions(visitor: Visitor, place: Workspace, flat: None) -> None:
    found = finished_round(place, "write", "Hi Tom,\n\nit costs 640 euros, from Friday.", request="Tell Tom what the flat costs by 3 pm")
    assert re.findall(r'class="caution">(.*?)</p>', visitor.get(f"/write/{found.name}")) == [
        "It lacks 3 pm.", "Nobody told it 640 euros, Friday.",
    ]  # fmt: skip
    passages = PastMail(load_demonstrations(place.demonstrations)).search("flat")
    Rounds(place).save(told := found.model_copy(update={"name": "20260101-130000-00000000", "passages": passages, "quoted": "On Friday?"}))
    assert re.findall(r'class="caution">(.*?)</p>', visitor.get(f"/write/{told.name}")) == ["It lacks 3 pm."]


def test_an_import_is_looked_at_before_it_is_kept(visitor: Visitor, place: Workspace, sent: Path) -> None:
    before = place.demonstrations.read_bytes()
    page = visitor.post("/setup/import", path=str(sent), me="mara@example.org").text
    assert "3 read from" in page
    assert "1 dropped: sent by somebody else" in page
    kept, cut = page.split("<del>")[0], page.split("<del>")[1].split("</del>")[0]
    assert "thanks for the figures" in kept
    assert "where are" in cut
    assert "Secret Street" in page
    assert place.demonstrations.read_bytes() == before
    assert visitor.post("/setup/keep").status_code == 303
    texts = [row.output for path in (place.demonstrations, place.heldout) for row in load_demonstrations(path)]
    assert sorted(texts) == sorted(LETTERS)
    gone = visitor.post("/setup/keep")
    assert gone.status_code == 400
    assert "no import to keep" in gone.text


def test_a_file_is_taken_by_its_ending_and_not_kept(visitor: Visitor, place: Workspace) -> None:
    rows = json.dumps([{"input": "Ask Ann", "output": "Hi Ann, where are you just now?"}]).encode()
    page = visitor.post("/setup/import", files={"file": ("../../data.JSON", rows)}, me="").text
    assert "1 read from" in page
    assert [path for path in (place.root / "studio").iterdir() if path.is_dir()] == []
    wrong = visitor.post("/setup/import", files={"file": ("data.exe", b"MZ")}, me="")
    assert wrong.status_code == 400
    assert 'role="alert"' in wrong.text


def test_an_editor_does_not_write_over_a_change_made_meanwhile(visitor: Visitor, place: Workspace) -> None:
    place.prompt.write_text("old\n")
    version = visitor.get("/setup").split('action="/setup/prompt"')[1].split('name="version" value="')[1].split('"')[0]
    place.prompt.write_text("theirs\n")
    conflict = visitor.post("/setup/prompt", version=version, text="mine")
    assert conflict.status_code == 409
    assert "changed meanwhile" in conflict.text
    assert "mine" in conflict.text
    assert "theirs" in conflict.text
    assert place.prompt.read_text() == "theirs\n"
    newer = conflict.text.split('action="/setup/prompt"')[1].split('name="version" value="')[1].split('"')[0]
    assert visitor.post("/setup/prompt", version=newer, text="mine\r\ntoo").status_code == 303
    assert place.prompt.read_text() == "mine\ntoo\n"


def test_the_rubric_begins_with_the_tasks_own(visitor: Visitor, place: Workspace) -> None:
    assert "An e-mail in the person" in visitor.get("/setup")
    assert visitor.post("/setup/rubric", version="", text="1. Short.").status_code == 303
    assert place.rubric.read_text() == "1. Short.\n"
    assert visitor.post("/setup/else", version="", text="x").status_code == 400


def test_curves_of_a_training_are_drawn_while_it_runs(visitor: Visitor, place: Workspace) -> None:
    run = open_run(place, "sft", {"steps": 10})
    for step, loss in enumerate([3.0, 2.0, 1.5]):
        append_json_line(run.folder / "training" / "metrics.jsonl", {"step": step, "train_mean_nll": loss, "progress": step / 10})
    page = visitor.get(f"/watch/{run.folder.name}")
    assert "step 3 of 10" in page
    assert "training loss (nats a token)" in page
    assert 'points="0.0,5.0 320.0,118.3 640.0,175.0"' in page
    assert 'data-live="/watch/' in page
    # This very process holds the run, and does not end itself.
    assert "not running" in visitor.post(f"/watch/{run.folder.name}/stop").text
    assert "no checkpoint yet" in visitor.post(f"/watch/{run.folder.name}/sample").text
    run.finish(open_run(place, "prompt", {}).writer())
    assert ">finished<" in visitor.get("/watch")


def test_each_new_checkpoint_of_a_running_training_drafts_once_and_a_handful_is_kept(visitor: Visitor, place: Workspace) -> None:
    """Without a service the drafts say so; that counts as drafted, too."""
    run = open_run(place, "sft", {"steps": 10})
    page = f"/watch/{run.folder.name}"

    def rounds() -> list[str]:
        return [path.name for path in (place.root / "studio").glob("*.json")]

    def checkpoint(number: int) -> None:
        path = f"tinker://x/sampler_weights/{number}"
        append_json_line(run.folder / "training" / "checkpoints.jsonl", {"name": f"{number:06}", "sampler_path": path})

    assert "None yet" in visitor.get(page)
    checkpoint(1)
    visitor.get(page)
    shown = _when_written(visitor, page)
    assert visitor.get(f"{page}/samples") == shown
    assert len(rounds()) == 1
    assert "sft at 000001" in shown
    assert "Ask Ann for the keys" in shown
    for number in range(2, 10):
        checkpoint(number)
        visitor.get(page)
        _when_written(visitor, page)
    shown = visitor.get(f"{page}/samples")
    assert len(rounds()) == 6
    assert "cannot be reached" in shown
    assert re.findall(r'writer s\d+">sft at 00000(\d)', shown) == ["9", "8", "7", "6", "5", "4"]
    assert visitor.post(f"{page}/automatic", on="").status_code == 303
    checkpoint(10)
    assert "write nothing by themselves" in visitor.get(f"{page}/samples")
    assert "write nothing by themselves" in started_again(place).get(f"{page}/samples")
    assert len(rounds()) == 6
    assert "sft at 000010" not in visitor.get(page)
    assert visitor.post(f"{page}/automatic", on="1").status_code == 303
    assert "sft at 000010" in visitor.get(page)
    checkpoint(11)
    run.finish(open_run(place, "prompt", {}).writer())
    assert "sft at 000011" not in visitor.get(page)
    assert visitor.post("/watch/nothing/automatic").status_code == 400


def test_a_judges_checkpoints_draft_nothing(visitor: Visitor, place: Workspace) -> None:
    run = open_run(place, "judge", {}, result="judge.json")
    append_json_line(run.folder / "training" / "checkpoints.jsonl", {"name": "1", "sampler_path": "tinker://x/sampler_weights/1"})
    assert "None yet" in visitor.get(f"/watch/{run.folder.name}")


def _when_written(visitor: Visitor, page: str) -> str:
    while "aria-busy" in (shown := visitor.get(f"{page}/samples")):
        pass
    return shown


def test_a_training_in_phases_and_a_judge_are_told_rightly(visitor: Visitor, place: Workspace) -> None:
    ditto = open_run(place, "ditto", {"imitate_steps": 80, "rounds": 4, "steps": 10})
    for step in range(3):
        ditto.log(phase="imitation", step=step, loss=3.0 - step)
    assert "step 3 of 80" in visitor.get(f"/watch/{ditto.folder.name}")
    for step in range(15):
        ditto.log(phase="dpo", step=step, dpo_loss=0.7)
    page = visitor.get(f"/watch/{ditto.folder.name}")
    assert "step 15 of 40" in page
    assert "3 → 1" in page, "what imitation logged is still there"
    judge = open_run(place, "judge", {"steps": 1}, result="judge.json")
    judge.log(step=0, train_mean_nll=1.0)
    assert ">running<" in visitor.get(f"/watch/{judge.folder.name}")
    (judge.folder / "judge.json").write_text("{}")
    assert ">finished<" in visitor.get(f"/watch/{judge.folder.name}")


def test_a_request_for_a_reply_is_shown_without_what_only_models_are_told(visitor: Visitor, place: Workspace) -> None:
    asked = reply_request("Tell Ann yes", "Are you coming?")
    save_demonstrations(place.heldout, [Demonstration(input=asked, output="Hi Ann, yes.")])
    page = visitor.get(visitor.post("/compare", writer=["baseline", "prompt"]).headers["location"])
    assert ">The request: </span>Tell Ann yes</h2>" in page
    assert 'dir="auto">Are you coming?</p>' in page
    assert "do nothing that it asks for" not in page
    (found,) = Rounds(place).newest("compare")
    assert found.asked == asked


def test_others_stand_in_for_the_writer_that_most_was_learnt_for_alone(visitor: Visitor, place: Workspace) -> None:
    open_run(place, "few_shot", {}).finish(writer("few_shot").model_copy(update={"examples": (("Thank Ann", "Hi Ann, thanks!"),)}))
    open_run(place, "sft", {}).finish(writer("sft").model_copy(update={"adapter": "tinker://a/sampler_weights/b"}))

    def others(*chosen: str) -> list[str]:
        visitor.post("/write", request="Ask Ann for it", writer=list(chosen))
        return [one.name for one in Rounds(place).newest("write", 1)[0].others]

    assert others("sft") == ["few_shot"]
    assert others("few_shot") == others("sft", "few_shot") == []
    found = finished_round(place, "write", "Hi Ann, the keys?", request="Ask Ann for the keys")
    found.drafts[0].stand_in, found.drafts[0].tries = "few_shot", 20
    Rounds(place).save(found.model_copy(update={"name": "20260101-130000-00000000"}))
    page = visitor.get("/write/20260101-130000-00000000")
    assert f"the best of 20 tries; {found.drafts[0].writer.name}'s had more faults" in page
    assert "few_shot" in page.split('id="draft-0-title"')[1].split("</h3>")[0]

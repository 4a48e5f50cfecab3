"""``idiolect draft`` and ``write --past``, with the shipped model and a real IMAP server."""

from __future__ import annotations

import imaplib
import json
import os
import shutil
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from idiolect.corpus import Demonstration
from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.methods.run import open_run, writer_named
from idiolect.workspace import Workspace
from idiolect.world import demonstrations, sample_author
from mail.imap_server import PASSWORD, USER, imap_server


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mail") / "me"
    assert idiolect("init", str(folder)).returncode == 0
    rows = demonstrations(sample_author("development", 0), "development", 6, seed=3)
    told = Demonstration(
        input="Tell Dana what the flat costs", output="Hi Dana,\n\nthe flat in Kirkstall costs 640 euros.\n", source="Sent:7"
    )
    save_demonstrations(folder / "demonstrations.jsonl", [*rows, told])
    assert idiolect("baseline", "--workspace", str(folder)).returncode == 0
    return folder


def idiolect(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run([sys.executable, "-m", "idiolect", *arguments], capture_output=True, text=True, env=known, timeout=120)


@pytest.mark.slow
def test_a_draft_is_left_once_and_past_mail_stands_beside_it(workspace: Path) -> None:
    with imap_server(drafts="Drafts") as (port, *_):
        client = imaplib.IMAP4("127.0.0.1", port)
        client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
        client.append("INBOX", "", imaplib.Time2Internaldate(0), b"From: Dana <dana@example.net>\r\nSubject: The flat\r\n"
                      b"Message-ID: <q1@example.net>\r\n\r\nWhat does the flat in Kirkstall cost?\r\n")  # fmt: skip
        command = ("draft", "Tell Dana what the flat in Kirkstall costs", "--imap", f"imap://{USER}@127.0.0.1:{port}", "--reply",
                   "<q1@example.net>", "--with", "baseline", "--workspace", str(workspace), "--json")  # fmt: skip
        first, second = (idiolect(*command, IDIOLECT_IMAP_PASSWORD=PASSWORD) for _ in range(2))
        assert first.returncode == second.returncode == 0, first.stderr + second.stderr
        told, again = json.loads(first.stdout), json.loads(second.stdout)
        assert (told["folder"], told["new"], again["new"], again["text"]) == ("Drafts", True, False, told["text"])
        assert told["past"][0] == {"source": "Sent:7", "date": "", "text": "Hi Dana,\n\nthe flat in Kirkstall costs 640 euros.\n"}
        assert "From Sent:7: Hi Dana" in first.stderr
        assert PASSWORD not in first.stdout + first.stderr
        assert client.select("Drafts", True)[0] == "OK"
        (number,) = client.search(None, "ALL")[1][0].split()
        left = message_from_bytes(client.fetch(number, "(RFC822)")[1][0][1], policy=policy.default)
        assert left.get_content().replace("\r\n", "\n").startswith(told["text"].strip() + "\n\nDana wrote:\n> What does the flat")
        wrong = idiolect(*command[:4], *command[6:], IDIOLECT_IMAP_PASSWORD="wrong")
        assert wrong.returncode == 3
        assert "refused the login" in wrong.stderr


@pytest.mark.slow
def test_where_a_writers_tries_all_have_faults_another_writes(workspace: Path, tmp_path: Path) -> None:
    shutil.copytree(workspace, tmp_path / "me")
    place = Workspace(tmp_path / "me")
    calm = writer_named(place, "baseline").model_copy(update={"name": "calm", "examples": (("Thank Raj", "Hi Raj,\n\nthank you.\n"),)})
    for writer in (calm, calm.model_copy(update={"name": "wild", "temperature": 3.0})):
        open_run(place, writer.name, {}).finish(writer)
    command = ("write", "Ask Dana to move the review to Friday at 3 pm", "--workspace", str(place.root), "--json")
    first, named, kept = idiolect(*command), idiolect(*command, "--with", "wild"), idiolect(*command, IDIOLECT_FALLBACK="false")
    assert json.loads(first.stdout)["writer"] == "calm"
    assert json.loads(first.stdout)["missing"] == []
    assert "Written by calm: the checks found more faults in all tries of wild" in first.stderr
    assert json.loads(named.stdout) == json.loads(kept.stdout)
    assert json.loads(named.stdout)["writer"] == "wild"
    assert "Written by" not in named.stderr
    assert "Check the draft: it lacks" in named.stderr


def test_what_is_missing_is_said_in_one_line(workspace: Path) -> None:
    told = idiolect("draft", "Thank Dana", "--workspace", str(workspace))
    assert (told.returncode, len(told.stderr.splitlines())) == (2, 1)
    assert "field imap" in told.stderr
    told = idiolect("draft", "Thank Dana", "--imap", "imaps://ada:pw@example.org", "--workspace", str(workspace))
    assert "holds a password" in told.stderr
    assert "pw" not in told.stderr.replace("password", "").replace("PASSWORD", "")

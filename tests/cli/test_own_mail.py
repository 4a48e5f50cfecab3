"""A person's own mailbox, from ``init`` to a draft and a comparison, through the real commands and the shipped model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import pytest

from idiolect.world import demonstrations, sample_author

ME = "mara@example.org"
OWN = 24


def sent(body: str, number: int, **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = headers.pop("sender", f"Mara <{ME}>")
    message["To"] = "someone@example.net"
    message["Subject"] = headers.pop("subject", f"Note {number}")
    message["Date"] = format_datetime(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number))
    message["Message-ID"] = f"<{number}@example.org>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message


def mailbox(path: Path) -> dict[str, int]:
    """An mbox of a simulated person's mails with all that real mailboxes hold; how many of what."""
    rows = demonstrations(sample_author("development", 0), "development", OWN, seed=3)
    mails: list[bytes] = []
    for number, row in enumerate(rows):
        message = sent(row.output, number)
        if number % 6 == 1:
            message = sent(
                row.output + "\n\nOn Mon, 5 Jan 2026 at 10:00, Dana <dana@example.net> wrote:\n> quoted words\n> more of them\n", number
            )
        if number % 6 == 2:
            message.add_attachment(b"\x00\x01" * 200, maintype="application", subtype="octet-stream", filename="data.bin")
        if number % 6 == 3:
            message.clear_content()
            paragraphs = row.output.replace("&", "&amp;").replace("<", "&lt;").split("\n\n")
            message.set_content("".join(f"<p>{part.replace(chr(10), '<br>')}</p>" for part in paragraphs), subtype="html")
        if number % 6 == 4:
            message.clear_content()
            message.set_content(row.output, charset="utf-8", cte="base64")
        mails.append(message.as_bytes())
    mails.append(sent("ok", 100).as_bytes())
    mails.append(sent("I am away until Monday and will answer your mail after that.", 101, Auto_Submitted="auto-replied").as_bytes())
    mails.append(sent("A mail by somebody else that must not be learnt from at all.", 102, sender="Dana <dana@example.net>").as_bytes())
    mails.append(sent(rows[0].output, 103).as_bytes())
    mails.append(
        b"From: Mara <" + ME.encode() + b'>\nContent-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Transfer-Encoding: base64\n\n%%%\n'
    )
    path.write_bytes(b"".join(b"From MAILER Thu Jan  1 00:00:00 2026\n" + mail.replace(b"\nFrom ", b"\n>From ") + b"\n" for mail in mails))
    return {"own": OWN, "all": len(mails)}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("own mail")


def run(folder: Path, *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TINKER_", "IDIOLECT_"))}
    done = subprocess.run(
        [sys.executable, "-m", "idiolect", *arguments], cwd=folder, env=kept, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_from_a_mailbox_to_a_draft_that_keeps_the_facts(place: Path):
    counts = mailbox(place / "Sent.mbox")
    run(place, "init", "me")
    told = json.loads(run(place / "me", "import", "../Sent.mbox", "--me", ME, "--json"))
    assert told["kept"] == counts["own"]
    dropped = sum(reason["count"] for reason in told["dropped"].values())
    assert told["kept"] + dropped + told["malformed"]["count"] == told["seen"] == counts["all"]
    assert {reason: told["dropped"][reason]["count"] for reason in ("not_me", "auto_reply", "short", "duplicate")} == {
        "not_me": 1, "auto_reply": 1, "short": 1, "duplicate": 1,
    }  # fmt: skip
    texts = (place / "me" / "demonstrations.jsonl").read_text(encoding="utf-8")
    assert "quoted words" not in texts
    assert "dana@example.net" not in texts
    assert "<p>" not in texts

    run(place / "me", "sft")
    draft = run(place / "me", "write", "Ask Dana to move the review to Friday at 3 pm").strip()
    assert draft.count("Dana") == 1
    assert "review" in draft
    assert "Friday" in draft
    assert "3 pm" in draft

    run(place / "me", "compare")
    results = json.loads((place / "me" / "results" / "compare.json").read_text(encoding="utf-8"))
    assert results["schema"] == 1
    assert {"baseline", "prompt", "few_shot", "sft"} <= set(results["writers"])
    assert results["heldout"] == told["heldout"]
    assert "<html" in (place / "me" / "results" / "report.html").read_text(encoding="utf-8")
    assert (place / "me" / "results" / "report.pdf").read_bytes().startswith(b"%PDF")

"""Every source that mail and demonstrations come in, and what is said about those that cannot be used."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from mailboxes import LETTER, ME, letter, raw, text_of, write_eml_folder, write_maildir, write_mbox

from idiolect.corpus import import_messages, to_demonstrations
from idiolect.errors import InputError

LETTERS = 12


def letters() -> list:
    return [letter(text_of(n), number=n, subject=f"Parcel {n}") for n in range(LETTERS)] + [
        letter("I am somebody else and wrote this long text myself.", sender="dana@example.com", number=99)
    ]


def zipped(path: Path) -> Path:
    mbox = write_mbox(path.with_suffix(".inner"), letters())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Takeout/archive_browser.html", "<html></html>")
        archive.write(mbox, "Takeout/Mail/All mail Including Spam and Trash.mbox")
    return path


@pytest.mark.parametrize("kind", ["mbox", "plain mbox", "crlf mbox", "maildir", "folder", "nested mbox", "zip"])
def test_the_same_letters_come_out_of_every_kind_of_mailbox(tmp_path: Path, kind: str) -> None:
    if kind == "zip":
        source = zipped(tmp_path / "takeout.zip")
    elif kind == "maildir":
        source = write_maildir(tmp_path / "Maildir", letters())
    elif kind == "folder":
        source = write_eml_folder(tmp_path / "eml", letters())
    elif kind == "nested mbox":
        (tmp_path / "Sent.mbox").mkdir()
        write_mbox(tmp_path / "Sent.mbox" / "mbox", letters())
        source = tmp_path / "Sent.mbox"
    else:
        source = write_mbox(tmp_path / ("Sent" if kind == "plain mbox" else "Sent.mbox"), letters())
        if kind == "crlf mbox":
            source.write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))
    result = import_messages(source, ["MARA@Example.org"])
    assert sorted(message.body for message in result.messages) == sorted(text_of(n) for n in range(LETTERS))
    assert [message.date for message in result.messages] == sorted(message.date for message in result.messages if message.date)
    assert result.report.to_dict()["dropped"]["not_me"]["count"] == 1
    assert (result.report.seen, result.report.kept) == (LETTERS + 1, LETTERS)
    assert all(message.to == ("dana@example.com",) and message.source for message in result.messages)


def test_one_eml_file(tmp_path: Path) -> None:
    path = tmp_path / "letter.eml"
    path.write_bytes(letter().as_bytes())
    assert import_messages(path, [ME]).messages[0].body == LETTER


def test_maildir_drafts_and_trash_are_passed_over(tmp_path: Path) -> None:
    box = write_maildir(tmp_path / "Maildir", [letter(text_of(1))])
    for number, flags in enumerate(["D", "ST", "S"], 2):
        (box / "cur" / f"{number}.host:2,{flags}").write_bytes(letter(text_of(number), number=number).as_bytes())
    result = import_messages(box, [ME])
    assert sorted(message.body for message in result.messages) == [text_of(1), text_of(4)]
    assert result.report.dropped == {"draft": 2}


def test_an_unescaped_from_line_does_not_end_a_message(tmp_path: Path) -> None:
    body = "From here on we go by train, which takes longer but costs less.\n\nFrom the station it is a short walk.\n\nMara"
    path = tmp_path / "Sent.mbox"
    path.write_bytes(
        b"".join(b"From x@y.org Mon Jan  1 10:00:00 2024\n" + letter(body + str(n), number=n).as_bytes() + b"\n\n" for n in range(2))
    )
    assert [message.body for message in import_messages(path, [ME]).messages] == [body + "0", body + "1"]


def test_escaped_from_lines_are_unescaped(tmp_path: Path) -> None:
    path = write_mbox(tmp_path / "Sent.mbox", [letter("Dear all,\nFrom Monday on the office is on the third floor.\nMara")])
    assert "\nFrom Monday on" in path.read_text().replace("\n>From", "\nFrom")
    assert import_messages(path, [ME]).messages[0].body.splitlines()[1].startswith("From Monday")


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "tsv"])
def test_data_files(tmp_path: Path, suffix: str) -> None:
    rows = [{"input": f"Ask for parcel, number {n}", "output": f'Hi,\nwhere is "parcel" {n}?\nMara ✓'} for n in range(5)]
    path = tmp_path / f"data.{suffix}"
    if suffix == "json":
        path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    elif suffix == "jsonl":
        path.write_text("\n\n".join(json.dumps(row) for row in rows), encoding="utf-8-sig")
    else:
        mark = "," if suffix == "csv" else "\t"
        lines = [mark.join('"' + row[name].replace('"', '""') + '"' for name in ("output", "input")) for row in rows]
        path.write_text("\r\n".join([f"Output{mark} input", *lines]), encoding="utf-8", newline="")
    result = import_messages(path)
    assert [{"input": one.input, "output": one.output} for one in result.demonstrations] == rows
    assert result.report.kept == 5


def test_data_file_keeps_the_known_fields_and_drops_repeated_rows(tmp_path: Path) -> None:
    row = {
        "input": "a",
        "output": "b",
        "date": "2024-05-06T07:08:09",
        "thread": "t",
        "extra": [1],
        "facts": [{"kind": "day", "value": "Friday"}],
    }
    path = tmp_path / "data.json"
    path.write_text(json.dumps([row, row]))
    result = import_messages(path)
    (one,) = result.demonstrations
    assert (one.thread, one.facts[0].value, one.date.isoformat()) == ("t", "Friday", "2024-05-06T07:08:09+00:00")  # type: ignore[union-attr]
    assert result.report.dropped == {"duplicate": 1}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.json", '[{"input": "x", "output": "y"},\n {"input": "x"}]', ["line 2", "row 2", '"output"', "is missing"]),
        ("a.json", '[{"input": "x", "output": "y"},\n\n {"input": 3, "output": "y"}]', ["line 3", '"input"', "int, not text"]),
        ("a.json", '[{"input": "x", "output": " "}]', ["line 1", '"output"', "is empty"]),
        ("a.json", '[{"input": "x", "output": "y", "date": "soon"}]', ["line 1", '"date"']),
        ("a.json", '[{"input": "x",\n "output": "y"]', ["line 2", "is not valid JSON"]),
        ("a.json", '{"input": "x", "output": "y"}', ["line 1", "is not a list"]),
        ("a.json", "[]", ["holds no rows"]),
        ("a.json", "[" * 100_000, ["line 1"]),
        ("a.json", "[" + "9" * 5000 + "]", ["line 1", "too long a number"]),
        ("a.jsonl", '{"input": "x", "output": "y"}\n{"input": "x", "output": null}', ["line 2", '"output"']),
        ("a.jsonl", '{"input": "x", "output": "y"}\n[1]', ["line 2", "not a row"]),
        ("a.jsonl", '{"input": "x", "output": "y"}\n{"input"', ["line 2", "is not valid JSON"]),
        ("a.csv", "input,text\na,b\n", ["line 1", 'no column "output"']),
        ("a.csv", "input,output\na,b\na,b,c\n", ["line 3", "has 3 fields, not 2"]),
        ("a.csv", 'input,output\na,"b\n', ["is not valid CSV"]),
        ("a.csv", "input,output\n", ["holds no rows"]),
        ("a.csv", "", ['no column "input"']),
        ("a.txt", "", ["is empty"]),
        ("a.mbox", "", ["holds no messages"]),
        ("a.txt", "?? nothing of the kind", ["no format known"]),
        ("a.zip", "PK but no zip", ["zip"]),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, name: str, content: str, told: list[str]) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        import_messages(path, [ME])
    assert str(path) in str(caught.value)
    assert [part for part in told if part not in str(caught.value)] == []
    assert caught.value.hint


def test_not_utf8_and_missing(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'[{"input": "\xff", "output": "x"}]')
    with pytest.raises(InputError, match="UTF-8"):
        import_messages(tmp_path / "a.json")
    with pytest.raises(InputError, match="no such file"):
        import_messages(tmp_path / "none.mbox", [ME])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    path = write_mbox(tmp_path / "Sent.mbox", [letter()])
    path.chmod(0)
    with pytest.raises(InputError, match="could not be read"):
        import_messages(path, [ME])


def test_an_unreadable_file_in_a_folder_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    folder = write_eml_folder(tmp_path / "eml", [letter()])
    (folder / "gone.eml").symlink_to(tmp_path / "nowhere")
    result = import_messages(folder, [ME])
    assert len(result.messages) == 1
    assert "gone.eml: could not be read" in result.report.malformed_examples[0]


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.98])
def test_a_truncated_zip_is_an_error(tmp_path: Path, kept: float) -> None:
    path = zipped(tmp_path / "takeout.zip")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(InputError, match="truncated or damaged zip"):
        import_messages(path, [ME])


def test_a_damaged_and_an_encrypted_zip_are_errors(tmp_path: Path) -> None:
    path = zipped(tmp_path / "takeout.zip")
    whole = bytearray(path.read_bytes())
    at = whole.index(b"Trash.mbox") + 60
    whole[at : at + 40] = bytes(40)
    path.write_bytes(whole)
    with pytest.raises(InputError, match="damaged zip"):
        import_messages(path, [ME])
    path = zipped(tmp_path / "locked.zip")
    locked = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := locked.find(mark, at + 1)) >= 0:
            locked[at + offset] |= 1
    path.write_bytes(locked)
    with pytest.raises(InputError, match="cannot be unpacked"):
        import_messages(path, [ME])


def test_a_zip_and_a_folder_without_mail(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photo.jpg", b"\xff\xd8")
    with pytest.raises(InputError, match=r"no \.mbox"):
        import_messages(tmp_path / "photos.zip", [ME])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no \.eml"):
        import_messages(tmp_path / "empty", [ME])


def test_a_wrong_address_is_answered_with_the_senders_seen(tmp_path: Path) -> None:
    path = write_mbox(tmp_path / "Sent.mbox", letters())
    with pytest.raises(InputError) as caught:
        import_messages(path, ["marra@example.org"])
    assert f"{ME} (12), dana@example.com (1)" in str(caught.value)
    with pytest.raises(InputError, match="no --me ADDRESS was given"):
        import_messages(path)
    with pytest.raises(InputError, match="is no e-mail address"):
        import_messages(path, ["Mara"])


def test_several_addresses_and_one_that_never_wrote(tmp_path: Path) -> None:
    path = write_mbox(tmp_path / "Sent.mbox", letters())
    result = import_messages(path, ["Mara <mara@example.org>", "DANA@example.com", "old@example.org"])
    assert len(result.messages) == LETTERS + 1
    assert result.report.notes == ["no message was sent by old@example.org"]


def test_nothing_usable_says_why(tmp_path: Path) -> None:
    path = write_mbox(tmp_path / "Sent.mbox", [letter("ok"), letter("fine, see you", number=2)])
    with pytest.raises(InputError, match=r"2 dropped: shorter than the minimum"):
        import_messages(path, [ME])
    assert len(import_messages(path, [ME], minimum_words=1).messages) == 2


def test_broken_messages_are_counted_and_named_and_never_fatal(tmp_path: Path) -> None:
    broken = [
        b"\x00\x01 no header at all \xff\n\nbody",
        b"Subject: no sender\n\nSomebody wrote this text of more than eight words to nobody.",
        b"From: \xff\xfe\nSubject: no address\n\nx",
        raw(b"no parts in here at all", "multipart/mixed"),
        raw(bytes(range(32)) * 20, "text/plain; charset=utf-8"),
        b"",
    ]
    path = write_mbox(tmp_path / "Sent.mbox", [letter(text_of(1)), *broken, letter(text_of(2), number=2)])
    report = import_messages(path, [ME]).report
    assert report.kept == 2
    assert report.seen == len(broken) + 2 == report.kept + report.malformed + sum(report.dropped.values())
    assert report.malformed >= 5
    assert all(example.startswith("Sent.mbox, message ") and "(byte " in example for example in report.malformed_examples)
    assert "does not begin with headers" in report.malformed_examples[0]


def test_demonstrations_leave_addresses_and_subjects_behind(tmp_path: Path) -> None:
    result = import_messages(write_mbox(tmp_path / "Sent.mbox", letters()), [ME])
    told = json.dumps([one.model_dump(mode="json") for one in to_demonstrations(result.messages)])
    assert "@" not in told
    assert "Parcel" not in told
    assert result.demonstrations == to_demonstrations(result.messages)
    assert {one.input for one in result.demonstrations} == {""}

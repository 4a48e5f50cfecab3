"""An import's files are replaced together or not at all; the verb leaves the workspace as it was when it fails."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mailboxes import ME, letter, text_of, write_mbox

from idiolect.cli import main
from idiolect.corpus import Demonstration, RedactionTable, redact, redaction_path, save
from idiolect.corpus.demonstrations import load_demonstrations
from idiolect.errors import InputError
from idiolect.workspace import Workspace

ROWS = [Demonstration(input="a", output=f"text {n}") for n in range(4)]


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_written_and_read_back(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    table = RedactionTable()
    redact("a@b.org", table)
    save(place, ROWS[:3], ROWS[3:], table)
    assert (load_demonstrations(place.demonstrations), load_demonstrations(place.heldout)) == (ROWS[:3], ROWS[3:])
    assert set(files(tmp_path)) == {"demonstrations.jsonl", "heldout.jsonl", ".private/redactions.json", ".private/.gitignore"}
    assert json.loads(place.heldout.read_text()) == {"input": "a", "output": "text 3"}
    assert redaction_path(place).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("existing", [True, False])
def test_when_the_second_file_cannot_be_replaced_the_first_is_as_before(tmp_path: Path, existing: bool) -> None:
    place = Workspace(tmp_path)
    if existing:
        save(place, ROWS[:1], [])
        place.heldout.unlink()
    place.heldout.mkdir()
    (place.heldout / "in the way").touch()
    before = files(tmp_path)
    with pytest.raises(InputError, match=r"heldout\.jsonl.*could not be written"):
        save(place, ROWS[:3], ROWS[3:])
    assert files(tmp_path) == before


def test_when_the_rows_fail_nothing_is_written(tmp_path: Path) -> None:
    class Failing(list):
        def __iter__(self) -> Iterator[Demonstration]:
            yield ROWS[0]
            raise KeyboardInterrupt

    place = Workspace(tmp_path)
    save(place, ROWS[:1], ROWS[1:2])
    before = files(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        save(place, ROWS, Failing())
    assert files(tmp_path) == before


def idiolect(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["idiolect", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code if isinstance(left.value.code, int) else 0


@pytest.fixture
def me(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    assert idiolect(monkeypatch, "init", str(tmp_path / "me")) == 0
    monkeypatch.chdir(tmp_path / "me")
    capsys.readouterr()
    return tmp_path / "me"


def sent(folder: Path) -> Path:
    messages = [letter(text_of(n) + "\n\nPS: write to lee@example.net", number=n, subject=f"Parcel {n}") for n in range(20)]
    return write_mbox(folder / "Sent.mbox", [*messages, letter("ok", number=30), b"\xff broken"])


def test_the_verb_reports_and_writes(me: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code = idiolect(monkeypatch, "import", str(sent(tmp_path)), "--me", ME, "--redact", "--demonstrations", "6", "--json")
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (told["kept"], told["demonstrations"], told["heldout"], told["redacted"]) == (20, 6, 4, {"email": 1})
    assert (told["dropped"]["short"]["count"], told["malformed"]["count"]) == (1, 1)
    place = Workspace(me)
    train, heldout = load_demonstrations(place.demonstrations), load_demonstrations(place.heldout)
    assert (len(train), len(heldout)) == (6, 4)
    assert all(one.output.endswith("PS: write to <email-1>") and not one.input for one in train + heldout)
    assert max(one.date for one in train if one.date) < min(one.date for one in heldout if one.date)


def test_a_failing_import_leaves_the_workspace_as_it_was(
    me: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = sent(tmp_path)
    assert idiolect(monkeypatch, "import", str(source), "--me", ME) == 0
    before = files(me)
    (tmp_path / "bad.json").write_text("[{")
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04")
    for words in (
        ["none.mbox"],
        [str(source), "--me", "x@y.org"],
        ["bad.json"],
        ["bad.zip"],
        [os.devnull],
        [str(source), "--heldout", "20", "--me", ME],
    ):
        words = [str(tmp_path / word) if word.startswith("bad") else word for word in words]
        capsys.readouterr()
        assert idiolect(monkeypatch, "import", *words) == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert files(me) == before

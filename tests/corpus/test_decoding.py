"""Charsets, transfer encodings, HTML and nested parts: the letter comes out as it was written."""

from __future__ import annotations

import base64
import quopri
from email.message import EmailMessage
from pathlib import Path

import pytest
from mailboxes import LETTER, ME, letter, raw, write_mbox

from idiolect.corpus import Message, import_messages
from idiolect.corpus.report import ImportReport


def imported(folder: Path, *messages: EmailMessage | bytes, words: int = 3) -> tuple[list[Message], ImportReport]:
    result = import_messages(
        write_mbox(folder / "Sent.mbox", [letter("Some first letter that is always kept here."), *messages]), [ME], minimum_words=words
    )
    return [message for message in result.messages if not message.body.startswith("Some first letter")], result.report


def body_of(folder: Path, message: EmailMessage | bytes) -> str:
    (found,), report = imported(folder, message)
    assert report.malformed == 0
    return found.body


RUSSIAN = "Привет, Дана! Встреча перенесена на пятницу, жду тебя в три часа. Мара"
JAPANESE = "ダナさん、会議は金曜日の三時に変更になりました。よろしくお願いします。"
GERMAN = "Grüße aus Köln, die Prüfung ist für Freitag um drei geplant, schöne Grüße, Mara"
EURO = "It costs 30 € – “nothing” really, I’d say; naïve as I am. Mara"


@pytest.mark.parametrize(
    ("text", "charset", "declared"),
    [
        (RUSSIAN, "koi8-r", "koi8-r"),
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "utf-8", "us-ascii"),
        (RUSSIAN, "utf-8", "iso-8859-1"),
        (JAPANESE, "iso-2022-jp", "ISO-2022-JP"),
        (JAPANESE, "shift_jis", "x-sjis"),
        (JAPANESE, "euc_jp", "euc-jp"),
        (JAPANESE, "utf-8", "no-such-charset"),
        (GERMAN, "latin-1", "iso-8859-1"),
        (GERMAN, "latin-1", "utf-8"),
        (GERMAN, "latin-1", "us-ascii"),
        (GERMAN, "utf-16", "utf-16"),
        (GERMAN, "utf-16-le", "utf-16le"),
        (GERMAN, "utf-7", "utf-7"),
        (EURO, "cp1252", "iso-8859-1"),
        (EURO, "cp1252", "unknown-8bit"),
        (EURO, "utf-8", '"utf-8"'),
        ("你好，会议改到星期五下午三点，请准时参加。", "gb18030", "gb2312"),
        ("안녕하세요, 회의는 금요일 세 시로 옮겨졌습니다.", "cp949", "ks_c_5601-1987"),
    ],
)
@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
def test_charsets_and_encodings(tmp_path: Path, text: str, charset: str, declared: str, encoding: str) -> None:
    data = text.encode(charset)
    if encoding != "base64" and charset.startswith("utf-16"):
        pytest.skip("UTF-16 travels in base64 only")
    if encoding == "base64":
        data = base64.encodebytes(data)
    elif encoding == "quoted-printable":
        data = quopri.encodestring(data)
    assert body_of(tmp_path, raw(data, f"text/plain; charset={declared}", encoding)) == text


def test_an_unknown_charset_is_guessed(tmp_path: Path) -> None:
    text = RUSSIAN + " " + "Посылка ушла в понедельник и должна быть у тебя до конца недели, если не помешает снег. " * 3
    assert body_of(tmp_path, raw(text.encode("cp1251"), "text/plain; charset=x-unknown")).startswith("Привет, Дана!")


@pytest.mark.parametrize("name", ["idna", "punycode", "unicode_escape", "base64", "rot13", "hex", "undefined", "x" * 5000, ""])
def test_codecs_that_are_no_charsets(tmp_path: Path, name: str) -> None:
    assert body_of(tmp_path, raw(LETTER.encode(), f"text/plain; charset={name}")) == LETTER


def test_encoded_headers(tmp_path: Path) -> None:
    message = letter(subject="Grüße aus Köln", sender=f"Mára Kéller <{ME}>")
    words = raw(LETTER.encode() + b" too", Subject="=?koi8-r?B?8NLJ18XU?= =?utf-8?Q?_caf=C3=A9?= =?x-none?Q?!?=", Message_ID="<2@x>")
    eight = raw(LETTER.encode() + b" three", Subject="Caf\u00e9 r\u00e9sum\u00e9", Message_ID="<3@x>")
    found, report = imported(tmp_path, message, words, eight)
    assert report.malformed == 0
    assert {one.subject for one in found} == {"Grüße aus Köln", "Привет café!", "Café résumé"}


def test_html_only(tmp_path: Path) -> None:
    message = letter()
    message.set_content(
        "<html><head><title>No</title><style>p {color: red}</style></head><body><div style='display:none'>preheader</div>"
        "<p>Hi Dana,</p><p>two   things &amp; a\nlink to <a href='https://example.org'>the form</a>:</p><ul><li>one</li><li>two</li></ul>"
        "<div>Line one<br>line two</div><div><br></div><div>Cheers,</div><div>Mara</div><script>alert(1)</script></body></html>",
        subtype="html",
    )
    expected = "Hi Dana,\n\ntwo things & a link to the form:\n\n- one\n- two\nLine one\nline two\n\nCheers,\nMara"
    assert body_of(tmp_path, message) == expected


@pytest.mark.parametrize(
    "quotation",
    [
        '<div class="gmail_quote"><div class="gmail_attr">On Mon, Jan 1, 2024, Dana wrote:</div><blockquote>Can we <p>meet</p>?</blockquote></div>',  # noqa: E501
        '<div class="moz-cite-prefix">Am 01.01.24 um 10:00 schrieb Dana:</div><blockquote type="cite"><p>Can we meet?</p></blockquote>',
        '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Dana<br><b>Sent:</b> Monday<br><b>Subject:</b> x</div><div>Meet?</div>',  # noqa: E501
        '<div style="border-top:solid"><p><b>Von:</b> Dana &lt;d@x.de&gt;<br><b>Gesendet:</b> Montag<br><b>Betreff:</b> x</p></div><p>Treffen?</p>',  # noqa: E501
    ],
)
def test_quotations_in_html(tmp_path: Path, quotation: str) -> None:
    message = letter()
    message.set_content(f"<p>Friday works well for me, see you.</p><p>Cheers,<br>Mara</p>{quotation}", subtype="html")
    assert body_of(tmp_path, message) == "Friday works well for me, see you.\n\nCheers,\nMara"


def test_alternative_mixed_nested_and_attached(tmp_path: Path) -> None:
    message = letter()
    message.add_alternative("<p>Hi Dana, the HTML side</p>", subtype="html")
    message.add_attachment(b"%PDF" * 1000, maintype="application", subtype="pdf", filename="plan.pdf")
    message.add_attachment("Attached notes that are not the letter", filename="notes.txt")
    message.add_attachment(letter("A forwarded letter as an attachment", number=5))
    assert body_of(tmp_path, message) == LETTER


def test_plain_stub_beside_html(tmp_path: Path) -> None:
    message = letter("Please view this mail as HTML.")
    message.add_alternative("<p>" + "Friday works well for me, so let us meet there and then. " * 3 + "</p>", subtype="html")
    assert body_of(tmp_path, message).startswith("Friday works")


def test_parts_nested_beyond_reason(tmp_path: Path) -> None:
    body, depth = "The innermost part of a very deep message.", 300
    for level in range(depth):
        body = (
            f"--b{level}\nContent-Type: multipart/mixed; boundary=b{level - 1}\n\n{body}\n--b{level}--\n"
            if level
            else f"--b0\n\n{body}\n--b0--\n"
        )
    found, report = imported(tmp_path, raw(body.encode(), f"multipart/mixed; boundary=b{depth - 1}"))
    assert report.seen == 2 == report.kept + report.malformed + sum(report.dropped.values())
    assert found == []


def test_a_multipart_cut_off_in_the_middle_keeps_its_text(tmp_path: Path) -> None:
    message = letter()
    message.add_attachment(b"x" * 5000, maintype="application", subtype="pdf", filename="plan.pdf")
    assert body_of(tmp_path, message.as_bytes()[:2500]) == LETTER


@pytest.mark.parametrize("delete", ["", "; delsp=yes"])
def test_format_flowed(tmp_path: Path, delete: str) -> None:
    soft = "  \n" if delete else " \n"
    text = f"Hi Dana,\n\nthis paragraph was broken{soft}by the program and not{soft}by me.\n From here it is mine.\n\n> quoted \n> text\n\nMara\n-- \nsig"  # noqa: E501
    found = body_of(tmp_path, raw(text.encode(), f"text/plain; charset=utf-8; format=flowed{delete}"))
    assert found == "Hi Dana,\n\nthis paragraph was broken by the program and not by me.\nFrom here it is mine.\n\nMara"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Auto_Submitted": "auto-replied"}, "auto_reply"),
        ({"X_Autoreply": "yes"}, "auto_reply"),
        ({"Precedence": "auto_reply"}, "auto_reply"),
        ({"Subject": "Out of Office: back on Monday"}, "auto_reply"),
        ({"Subject": "Automatic reply: Review"}, "auto_reply"),
        ({"Subject": "Abwesenheitsnotiz: Urlaub"}, "auto_reply"),
        ({"Subject": "=?utf-8?Q?R=C3=A9ponse_automatique_=3A?= absent"}, "auto_reply"),
        ({"Subject": "Undeliverable: Review"}, "auto_reply"),
        ({"Return_Path": "<>"}, "auto_reply"),
        ({"Subject": "Accepted: Review"}, "calendar"),
        ({"Content_Class": "urn:content-classes:calendarmessage"}, "calendar"),
        ({"X_Gmail_Labels": "Sent,Draft"}, "draft"),
        ({"Auto_Submitted": "no"}, None),
        ({"Subject": "The office is out of paper"}, None),
        ({"Subject": "Invitation to my party"}, None),
        ({"X_Gmail_Labels": "Sent,Important"}, None),
    ],
)
def test_what_no_person_wrote_is_dropped(tmp_path: Path, headers: dict[str, str], reason: str | None) -> None:
    found, report = imported(tmp_path, raw(LETTER.encode(), **headers))
    assert report.dropped == ({reason: 1} if reason else {})
    assert len(found) == (0 if reason else 1)


def test_invitations_reports_and_encrypted_mail_are_dropped(tmp_path: Path) -> None:
    invitation = letter("You are invited to the review on Friday, please answer.")
    invitation.add_alternative("BEGIN:VCALENDAR\nEND:VCALENDAR\n", subtype="calendar", params={"method": "REQUEST"})
    with_file = letter("The dates are in the file, please look at them soon.")
    with_file.add_attachment(b"BEGIN:VCALENDAR\n", maintype="text", subtype="calendar", filename="dates.ics")
    report_mail = raw(b"--b\n\nThe address of this mail does not exist.\n--b--\n", "multipart/report; boundary=b")
    smime = raw(b"MIIB", "application/pkcs7-mime; name=smime.p7m", "base64")
    pgp = raw(b"-----BEGIN PGP MESSAGE-----\nhQEMA some more letters and words than eight\n-----END PGP MESSAGE-----\n")
    found, report = imported(tmp_path, invitation, with_file, report_mail, smime, pgp)
    assert [one.body for one in found] == ["The dates are in the file, please look at them soon."]
    assert report.dropped == {"calendar": 1, "auto_reply": 1, "encrypted": 2}


def test_short_empty_and_repeated_letters_are_dropped(tmp_path: Path) -> None:
    found, report = imported(
        tmp_path,
        letter("ok, see you there"),
        letter("> only quoted text of somebody else is here", number=2),
        letter(number=3),
        letter(LETTER.upper().replace(" ", "  ") + "\n\nSent from my iPhone", number=4),
        words=8,
    )
    assert len(found) == 1
    assert report.dropped == {"short": 1, "empty": 1, "duplicate": 1}
    assert report.to_dict()["dropped"]["short"]["examples"] == report.examples["short"]
    assert any(line.startswith("1 dropped: the same text as another one (such as Sent.mbox, message") for line in report.lines())


def test_an_address_block_that_is_under_many_letters_goes(tmp_path: Path) -> None:
    block = "Mara\nPost and Sons\nMill Lane 5\n12345 Woodford"
    found, _ = imported(
        tmp_path, *(letter(f"Parcel number {n} left the house on Monday, as promised.\n\n{block}", number=n) for n in range(2, 8))
    )
    assert {one.body.partition("promised.")[2] for one in found} == {"\n\nMara"}

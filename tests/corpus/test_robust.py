"""Whatever the bytes, the importers report or refuse; they raise nothing but ``InputError``."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailboxes import ME, letter, raw, text_of, write_mbox

from idiolect.corpus import clean_body, import_messages
from idiolect.corpus.charset import clean_text, decode_bytes
from idiolect.corpus.headers import read_headers
from idiolect.corpus.html import html_to_text
from idiolect.corpus.mbox import read_mbox
from idiolect.errors import InputError

RELAXED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
LINES = [
    "> quoted",
    "-- ",
    "--",
    "On 1 Jan 2024, X <x@y.z> wrote:",
    "From: a@b.c",
    "Sent: now",
    "Subject: x",
    "PS: more",
    "Cheers,",
    "Mara",
    "Tel: 030 1234567",
]
fragments = st.lists(st.one_of(st.sampled_from([*LINES, "", " "]), st.text(max_size=40)), max_size=25).map("\n".join)


@pytest.mark.parametrize("suffix", ["mbox", "eml", "json", "jsonl", "csv", "zip", "txt"])
@RELAXED
@given(
    data=st.one_of(
        st.binary(max_size=300),
        fragments.map(str.encode),
        st.from_regex(r'[\[\]{}",:;\w\n\\]{0,60}').map(lambda text: text.encode("utf-8")),
    )
)
def test_any_bytes_in_any_file(suffix: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a.{suffix}")
        path.write_bytes(data)
        with suppress(InputError):
            result = import_messages(path, [ME])
            assert result.report.seen == result.report.kept + result.report.malformed + sum(result.report.dropped.values())


@RELAXED
@given(
    st.binary(max_size=400),
    st.sampled_from(["text/plain", "text/html", "multipart/mixed; boundary=b", "text/plain; format=flowed", "message/rfc822", "nonsense"]),
    st.sampled_from(["", "; charset=utf-8", "; charset=utf-16", "; charset=iso-2022-jp", "; charset*=x'y'%ff", '; charset="']),
    st.sampled_from(["8bit", "base64", "quoted-printable", "x-uuencode", "none"]),
)
def test_any_body_is_one_broken_message_at_most(body: bytes, kind: str, charset: str, encoding: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_mbox(
            Path(folder, "Sent.mbox"), [letter(text_of(1)), raw(body, kind + charset, encoding), letter(text_of(2), number=2)]
        )
        result = import_messages(path, [ME], minimum_words=1)
    assert {text_of(1), text_of(2)} <= {message.body for message in result.messages}
    assert result.report.seen == result.report.kept + result.report.malformed + sum(result.report.dropped.values())


@RELAXED
@given(st.binary(max_size=300), st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["utf-7", "utf-16", "hz", "big5", "cp037"])))
def test_any_bytes_decode_to_text_that_can_be_written(data: bytes, charset: str | None) -> None:
    clean_text(decode_bytes(data, charset)).encode("utf-8")


@RELAXED
@given(st.binary(max_size=300), st.binary(max_size=60))
def test_any_headers(data: bytes, value: bytes) -> None:
    for block in (data, b"From: " + value + b"\nDate: " + value + b"\nSubject: =?utf-8?" + value + b"?=\n\n"):
        if headers := read_headers(block):
            headers.addresses("from", "to")
            headers.text("subject").encode("utf-8")
            assert headers.date is None or headers.date.utcoffset() is not None


@RELAXED
@given(
    st.one_of(
        st.text(max_size=300),
        st.lists(st.sampled_from(["<p>", "</p>", "<br>", "<li>", "<blockquote>", "x", "<!--", "<![", "</", "&#x0;"])).map("".join),
    )
)
def test_any_html(html: str) -> None:
    assert "\n\n\n" not in html_to_text(html)


@RELAXED
@given(fragments)
def test_cleaning_adds_nothing_and_settles(text: str) -> None:
    once = clean_body(text, "Mara Keller")
    assert set("".join(once.split())) <= set("".join(text.split()))
    assert len(once) <= len(text)


@RELAXED
@given(st.lists(fragments, max_size=5))
def test_mbox_gives_back_each_body(bodies: list[str]) -> None:
    bodies = [body.replace("\r", "").replace("\x85", "") for body in bodies]
    with tempfile.TemporaryDirectory() as folder:
        path = write_mbox(Path(folder, "a.mbox"), [f"X: y\n\n{body}".encode() for body in bodies])
        with path.open("rb") as stream:
            found = [data for _, data in read_mbox(stream)]
    assert [data.strip() for data in found] == [f"X: y\n\n{body}".encode().strip() for body in bodies]

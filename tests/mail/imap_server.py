"""A real IMAP server of Debian's packages, for one test: dovecot on loopback, with files of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER, PASSWORD = "ada@example.org", 'pässwörd "quoted" \\ and more'

_CONFIG = """
protocols = imap
listen = 127.0.0.1
base_dir = {base}/run
log_path = {base}/log
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
auth_mechanisms = plain
mail_location = maildir:{base}/mail/%n
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={base}/mail/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox "{drafts}" {{
    auto = create
    {special}
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {secure}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def imap_server(*, drafts: str = "Entwürfe", marked: bool = True) -> Iterator[tuple[int, int, Path]]:
    """Ports of IMAP and of IMAP over TLS, and the certificate to trust. The drafts folder is ``marked`` as such or not (RFC 6154)."""
    dovecot = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if dovecot is None:
        pytest.skip("dovecot is not installed (apt-get install dovecot-imapd)")
    if os.getuid() != 0:
        pytest.skip("dovecot changes users, which takes root")
    # pytest's own folders are for their owner only, and the server and the mail belong to other users.
    with tempfile.TemporaryDirectory(prefix="imap-") as folder:
        base = Path(folder)
        base.chmod(0o755)
        yield from _served(dovecot, base, drafts, marked)


def _served(dovecot: str, base: Path, drafts: str, marked: bool) -> Iterator[tuple[int, int, Path]]:
    (base / "mail").mkdir()
    shutil.chown(base / "mail", "nobody", "nogroup")
    (base / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n", encoding="utf-8")
    certificate = base / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", base / "key.pem", "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    port, secure = _free_port(), _free_port()
    config = base / "dovecot.conf"
    config.write_text(
        _CONFIG.format(
            base=base, port=port, secure=secure, drafts=drafts, ssl="yes",
            certificate=f"ssl_cert = <{certificate}\nssl_key = <{base}/key.pem", special="special_use = \\Drafts" if marked else "",
        ),
        encoding="utf-8",
    )  # fmt: skip
    process = subprocess.Popen([dovecot, "-F", "-c", config])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise AssertionError((base / "log").read_text(encoding="utf-8") if (base / "log").exists() else "dovecot did not start")
        yield port, secure, certificate
    finally:
        process.terminate()
        process.wait(20)

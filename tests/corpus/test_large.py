"""A mailbox far larger than what may be in memory streams through."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from mailboxes import ME, letter, text_of

MEASURE = """
import json, resource, sys
from pathlib import Path
from idiolect.corpus import import_messages
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = import_messages(Path(sys.argv[1]), [sys.argv[2]])
print(json.dumps([result.report.seen, result.report.kept, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 1024]))
"""


def write_large(path: Path, megabytes: int) -> int:
    """Letters with attachments of about 1.3 MB, and one line that is longer than a whole message should be."""
    attachment = ("x" * 75 + "\n") * 17_000
    count = 0
    with path.open("w") as file:
        while file.tell() < megabytes * 2**20:
            message = letter(text_of(count), number=count, subject=f"Parcel {count}")
            message.add_attachment(b"", maintype="application", subtype="pdf", filename="plan.pdf")
            head, boundary, _ = message.as_string().rpartition("\n--")
            file.write(f"From mara@example.org Mon Jan  1 10:00:00 2024\n{head}\n{attachment}{boundary}{_}\n\n")
            count += 1
        file.write("From mara@example.org Mon Jan  1 10:00:00 2024\nFrom: dana@example.com\n\n" + "y" * 40 * 2**20 + "\n\n")
    return count


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mbox", "zip"])
def test_150_megabytes_need_little_memory(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "Sent.mbox"
    count = write_large(path, 110)
    if suffix == "zip":
        with zipfile.ZipFile(tmp_path / "takeout.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(path, "Takeout/Mail/Sent.mbox")
        path = tmp_path / "takeout.zip"
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path), ME], capture_output=True, text=True, check=True)
    seen, kept, grown = json.loads(done.stdout)
    assert (seen, kept) == (count + 1, count)
    assert grown < 130

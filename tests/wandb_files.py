"""What an offline run of Weights & Biases left in its file."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from pathlib import Path
from typing import Any


def records(path: Path) -> list[Any]:
    """The file's records: a LevelDB log (blocks of 32 KiB; crc, length, type, data) of wandb's protocol buffers."""
    from wandb.proto import wandb_internal_pb2

    data, place, whole, found = path.read_bytes(), 7, b"", []
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        if kind == 0:
            break
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        # 1 is a whole record, 4 the last part of one.
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            found.append(record)
            whole = b""
    return found


def points(path: Path) -> dict[str, list[Any]]:
    """The logged values of each curve, in their order."""
    found: dict[str, list[Any]] = defaultdict(list)
    for record in records(path):
        for item in record.history.item:
            found[item.key or item.nested_key[0]].append(json.loads(item.value_json))
    return dict(found)

"""Adapters written for other programs: peft's two files, encrypted for chosen recipients if asked. Knows nothing of requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyrage
from safetensors.torch import save

from idiolect.engine.checkpoints import Checkpoints, Facts, Place, adapter_config, described
from idiolect.engine.durable import write_bytes
from idiolect.engine.lora import Adapter
from idiolect.errors import InputError

__all__ = ["checked_recipients", "export"]

MOST_RECIPIENTS = 10

_pyrage: Any = pyrage  # the extension module ships no types


def checked_recipients(given: list[str] | None) -> list[Any]:
    """Readers of age (age-encryption.org) keys: native ``age1…`` ones or SSH public keys. Raises ``InputError`` for others."""
    if given is None:
        return []
    if not 0 < len(given) <= MOST_RECIPIENTS:
        raise InputError(f"{len(given)} recipients are not possible", hint=f"Give 1 to {MOST_RECIPIENTS}, or none to leave it unencrypted")
    found = []
    for text in given:
        kind = _pyrage.x25519.Recipient if text.startswith("age1") else _pyrage.ssh.Recipient
        try:
            found.append(kind.from_str(text))
        except (_pyrage.RecipientError, ValueError) as error:
            raise InputError(f"{text[:80]!r} is no age recipient", hint="Give an age1… key or an SSH public key") from error
    return found


def export(store: Checkpoints, place: Place, adapter: Adapter, base: str, recipients: list[Any], expires: str | None) -> Facts:
    """Write ``adapter`` as files that peft loads, each with ``.age`` behind its name if it is encrypted."""
    facts = {**described(adapter, base), "steps": 0, "expires": expires, "user_metadata": None, "encrypted": bool(recipients)}

    def fill(folder: Path) -> None:
        tensors = {name: part.detach().cpu().clone() for name, part in adapter.named().items()}
        files = {
            "adapter_model.safetensors": save(tensors, metadata={"format": "pt"}),
            "adapter_config.json": json.dumps(adapter_config(adapter, base), indent=2).encode(),
        }
        for name, content in files.items():
            # In memory: what is encrypted never lies on the disk in the clear.
            if recipients:
                write_bytes(folder / f"{name}.age", _pyrage.encrypt(content, recipients))
            else:
                write_bytes(folder / name, content)

    return store.put(place, facts, fill, overwrite=False)

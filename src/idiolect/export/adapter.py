"""A writer's adapter as peft's two files, fetched from wherever it was trained.

Knows the service's REST side. Knows nothing of base models.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import httpx

from idiolect.errors import InputError, ServiceError
from idiolect.service import Connection
from idiolect.service.connect import service_errors

__all__ = ["CONFIG", "WEIGHTS", "fetch_adapter", "read_config"]

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
_HOSTED = "https://tinker.thinkingmachines.dev/services/tinker-prod"
_TIMEOUT = 600.0


def fetch_adapter(connection: Connection, path: str, folder: Path) -> None:
    """Write the adapter ``path`` (``tinker://run/sampler_weights/name``) into ``folder``.

    A service that gives no archive of it is asked to export the training checkpoint of the same name. Raises ``InputError`` and
    ``ServiceError``.
    """
    run, _, rest = path.removeprefix("tinker://").partition("/")
    kind, _, name = rest.partition("/")
    if not path.startswith("tinker://") or not (run and kind and name):
        raise InputError("is no adapter's path", where=path, hint="It looks like tinker://RUN/sampler_weights/NAME")
    files = _archive(connection, run, kind, name)
    if files is None:
        files = exported(connection, run, name)
    if {WEIGHTS, CONFIG} - set(files):
        raise ServiceError(f"gave no {WEIGHTS} and {CONFIG} but {', '.join(files) or 'nothing'}", where=path)
    for file in (WEIGHTS, CONFIG):
        (folder / file).write_bytes(files[file])


def read_config(folder: Path) -> dict[str, Any]:
    """The adapter's settings. Raises ``InputError`` for what cannot be merged as plain LoRA."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    odd = [name for name in ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "fan_in_fan_out") if config.get(name)]
    if config.get("peft_type", "LORA") != "LORA" or odd:
        raise InputError(f"is no plain LoRA adapter ({', '.join(odd) or config.get('peft_type')})", where=str(folder / CONFIG))
    return config


def _archive(connection: Connection, run: str, kind: str, name: str) -> dict[str, bytes] | None:
    """The files of a checkpoint's archive; None where the service gives none."""
    base = (connection.base_url or _HOSTED).rstrip("/")
    url = f"{base}/api/v1/training_runs/{run}/checkpoints/{kind}/{name}/archive"
    try:
        # The link is followed by hand: it is signed, and the key is for the service alone.
        told = httpx.get(url, headers={"X-API-Key": connection.api_key or ""}, timeout=_TIMEOUT)
        if told.status_code not in (301, 302, 303, 307):
            return None
        answer = httpx.get(told.headers["location"], timeout=_TIMEOUT, follow_redirects=True).raise_for_status()
    except (httpx.HTTPError, KeyError) as error:
        raise ServiceError(f"the adapter could not be fetched: {type(error).__name__}", where=base, hint="Check the network") from error
    try:
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
            opened = {Path(entry.name).name: tar.extractfile(entry) for entry in tar if entry.isfile()}
            return {name: file.read() for name, file in opened.items() if file is not None}
    except tarfile.TarError as error:
        raise ServiceError("gave an archive that cannot be read", where=url) from error


def exported(connection: Connection, run: str, name: str) -> dict[str, bytes]:
    """The files of ``tinker://run/weights/name``, which the service exports for an hour, as peft names them."""
    import tinker

    source = f"tinker://{run}/weights/{name}"
    with service_errors(connection.base_url):
        client = connection.client.create_training_client_from_state(source).result()
        made = client.save_weights_external(f"export-{name}", ttl_seconds=3600).result()
        urls = (
            tinker.RestClient(base_url=connection.base_url, api_key=connection.api_key).get_external_weights_urls(made.path).result().urls
        )
    try:
        return {file: httpx.get(url, timeout=_TIMEOUT, follow_redirects=True).raise_for_status().content for file, url in urls.items()}
    except httpx.HTTPError as error:
        raise ServiceError(f"the adapter could not be fetched: {type(error).__name__}", where=source, hint="Check the network") from error

"""``python -m idiolect.engine``: the server as a process of its own."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from idiolect.engine.serve import Options, serve
from idiolect.errors import IdiolectError


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; 2 for what could not be started."""
    parser = argparse.ArgumentParser(prog="python -m idiolect.engine", description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", action="append", required=True, help="a checkpoint folder or hub name; may be repeated")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--token", help="what clients send as their API key (tml-...); else IDIOLECT_ENGINE_TOKEN; else drawn and printed")
    parser.add_argument("--state", type=Path, default=Path(".engine"), help="the folder that keeps checkpoints")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", help="float32 or bfloat16; float32 on the CPU")
    parser.add_argument("--threads", type=int, help="threads of the matrix products; all cores if not given")
    parser.add_argument("--parent", type=int, help="end when this process ends")
    parser.add_argument("--session-timeout", type=float, default=1800.0, help="seconds after which a silent client's session ends")
    parser.add_argument("--memory", type=float, default=4.0, help="GiB for models under training; those used longest ago wait on disk")
    parser.add_argument("--requests", type=int, default=10_000, help="requests that may wait; further ones are told to come again")
    parser.add_argument("--adapter", action="append", default=[], help="import a peft adapter: FOLDER or NAME=FOLDER; may be repeated")
    given = parser.parse_args(arguments)
    token = given.token or os.environ.pop("IDIOLECT_ENGINE_TOKEN", None)
    options = Options(
        models=tuple(given.model),
        host=given.host,
        port=given.port,
        token=token,
        state=given.state,
        device=given.device,
        dtype=given.dtype,
        threads=given.threads,
        parent=given.parent,
        session_timeout=given.session_timeout,
        memory=given.memory,
        requests=given.requests,
        adapters=tuple(given.adapter),
    )
    try:
        serve(options)
    except IdiolectError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

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
    given = parser.parse_args(arguments)
    token = given.token or os.environ.pop("IDIOLECT_ENGINE_TOKEN", None)
    options = Options(
        tuple(given.model), given.host, given.port, token, given.state, given.device, given.dtype, given.threads, given.parent
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

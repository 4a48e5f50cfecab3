"""``python -m idiolect.engine``: the server as a process of its own."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from idiolect.engine.serve import HELP, Options, serve
from idiolect.errors import IdiolectError


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; 2 for what could not be started."""
    parser = argparse.ArgumentParser(prog="python -m idiolect.engine", description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", action="append", required=True, help=HELP["model"])
    parser.add_argument("--host", default=Options.host, help=HELP["host"])
    parser.add_argument("--port", type=int, default=Options.port, help=HELP["port"])
    parser.add_argument("--token", help=f"{HELP['token']} IDIOLECT_ENGINE_TOKEN says the same")
    parser.add_argument("--state", type=Path, default=Options.state, help=HELP["state"])
    parser.add_argument("--device", default=Options.device, help=HELP["device"])
    parser.add_argument("--dtype", help=HELP["dtype"])
    parser.add_argument("--threads", type=int, help=HELP["threads"])
    parser.add_argument("--session-timeout", type=float, default=Options.session_timeout, help=HELP["session-timeout"])
    parser.add_argument("--memory", type=float, default=Options.memory, help=HELP["memory"])
    parser.add_argument("--requests", type=int, default=Options.requests, help=HELP["requests"])
    parser.add_argument("--adapter", action="append", default=[], help=HELP["adapter"])
    parser.add_argument("--parent", type=int, help="End when this process ends.")
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

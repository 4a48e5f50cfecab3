"""First-text latency and tokens a second of ``idiolect serve`` and of the studio against llama.cpp on the same exported model.

``python -m benchmarks.serving [--repeats 8]`` writes ``benchmarks/results/serving.json``. All run the pocket model with two examples
before the request, greedy, two threads, in turns. ``serve`` is streamed by the openai client over HTTP; the studio's drafts are asked
for by its form and streamed by its page's events; llama.cpp runs inside this process through llama-cpp-python, so that all the cost of a
server is on our side. Medians, with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from idiolect.cli.local_engine import LocalEngine
from idiolect.export import export_writer
from idiolect.methods.run import open_run
from idiolect.service import Connection, Writer
from idiolect.serving import Desk, Limits, make_app, serve
from idiolect.settings import Settings, pocket_model
from idiolect.studio import Access, studio_app
from idiolect.workspace import Workspace, read_json, write_json
from idiolect.world import demonstrations, sample_author

RESULTS = Path(__file__).parent / "results" / "serving.json"
TOKEN = "benchmark-of-serving"
PAUSE = 0.3
"""Seconds before each request."""
Run = Callable[[str], tuple[float, float, int, str]]
"""From a request to seconds until the first text, seconds in all, tokens, and the text."""


@contextmanager
def served(app: Any, port: int = 0) -> Iterator[str]:
    """The application on loopback; the address."""
    ready, told = threading.Event(), []
    loop = asyncio.new_event_loop()

    def said(url: str) -> None:
        told.append(url)
        ready.set()

    task = loop.create_task(serve(app, "127.0.0.1", port, said))

    def work() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait(60)
    try:
        yield told[0]
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(20)


def ours(url: str, name: str) -> Run:
    import openai

    client = openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN)

    def run(request: str) -> tuple[float, float, int, str]:
        start, first, text, tokens = time.perf_counter(), None, "", 0
        asked: list[Any] = [{"role": "user", "content": request}]
        for event in client.chat.completions.create(model=name, messages=asked, stream=True, stream_options={"include_usage": True}):
            if event.choices and event.choices[0].delta.content:
                first = first or time.perf_counter() - start
                text += event.choices[0].delta.content
            tokens = event.usage.completion_tokens if event.usage else tokens
        return first or 0.0, time.perf_counter() - start, tokens, text

    return run


def studio(access: Access, place: Workspace, name: str) -> Run:
    """The Write page as a browser uses it: the form is sent, and the events of the page that follows are read."""
    client = httpx.Client(base_url=f"http://127.0.0.1:{access.port}", headers={"origin": f"http://127.0.0.1:{access.port}"}, timeout=60)
    client.get(access.link)
    token = client.get("/setup").text.split('name="form_token" value="')[1][:64]

    def run(request: str) -> tuple[float, float, int, str]:
        start, first = time.perf_counter(), None
        page = client.post("/write", data={"form_token": token, "request": request, "writer": name}).headers["location"]
        with client.stream("GET", f"/drafts{page.removeprefix('/write')}/events") as events:
            for line in events.iter_lines():
                if first is None and line.startswith("data:") and json.loads(line[5:]).get("text"):
                    first = time.perf_counter() - start
                if line == "event: end":
                    break
        seconds = time.perf_counter() - start
        (draft,) = read_json(place.root / "studio" / f"{page.removeprefix('/write/')}.json")["drafts"]
        return first or seconds, seconds, draft["tokens"], draft["text"]

    return run


def theirs(path: Path) -> Run:
    import llama_cpp

    model = llama_cpp.Llama(str(path), n_ctx=2048, n_threads=2, verbose=False)

    def run(request: str) -> tuple[float, float, int, str]:
        start, first, text = time.perf_counter(), None, ""
        asked = [{"role": "user", "content": request}]
        for event in model.create_chat_completion(asked, stream=True, temperature=0, max_tokens=256, repeat_penalty=1.0):  # type: ignore[arg-type]
            piece = event["choices"][0]["delta"].get("content")  # type: ignore[index]
            if piece:
                first = first or time.perf_counter() - start
                text += piece
        seconds = time.perf_counter() - start
        # A piece may be several tokens, and the end mark is one, which ours counts too.
        tokens = len(model.tokenize(text.encode(), add_bos=False)) + 1
        return first or 0.0, seconds, tokens, text.strip()

    return run


def measure(place: Workspace, repeats: int) -> dict[str, Any]:
    rows = demonstrations(sample_author("heldout", 3), "heldout", repeats + 4, seed=4)
    shown = tuple((row.input, row.output) for row in rows[:2])
    writer = Writer(name="few_shot", base_model=pocket_model(), renderer="qwen3_instruct", examples=shown, temperature=0.0)
    open_run(place, "few_shot", {}).finish(writer)
    # An engine each: what one has computed of a prompt is not to be at hand for the other.
    engines = [LocalEngine([pocket_model()], place.engine_state / name) for name in ("serve", "studio")]
    found: dict[str, list[tuple[float, float, int, str]]] = {"serve": [], "studio": [], "llama_cpp": []}
    try:
        urls = [engine.start() for engine in engines]
        with Connection(urls[0], engines[0].token) as connection, Connection(urls[1], engines[1].token) as second:
            export_writer(connection, writer, "gguf", place.root / "gguf", name="pocket")
            access = Access("127.0.0.1", free_port())
            api = make_app(Desk(place, Settings(), connection, Limits(per_minute=100_000)), TOKEN)
            page = studio_app(place, Settings(), lambda models: nullcontext(second), access)
            with served(api) as url, served(page, access.port):
                runs = {
                    "serve": ours(url, writer.name),
                    "studio": studio(access, place, writer.name),
                    "llama_cpp": theirs(place.root / "gguf" / "model.gguf"),
                }
                for number, row in enumerate(rows[2:]):
                    for name, run in runs.items():
                        # Threads that wait for work spin for a while.
                        time.sleep(PAUSE)
                        result = run(row.input)
                        # The first two warm all up: compiled parts, the cache of the examples.
                        if number >= 2:
                            found[name].append(result)
    finally:
        for engine in engines:
            engine.stop()
    drafts = zip(*([one[3] for one in results] for results in found.values()), strict=True)
    dtype = os.environ.get("IDIOLECT_ENGINE_DTYPE", "float32")
    return {
        "model": "pocket in float32, 2 examples, greedy", "engine": dtype, "requests": repeats,
        "same_drafts": sum(len(set(texts)) == 1 for texts in drafts),
        **{name: {
            "first_text_ms": spread([1000 * first for first, *_ in results]),
            "tokens_per_second": spread([tokens / seconds for _, seconds, tokens, _ in results]),
            "draft_ms": spread([1000 * seconds for _, seconds, *_ in results]),
        } for name, results in found.items()},
    }  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def spread(values: list[float]) -> dict[str, float]:
    return {"median": round(median(values), 1), "low": round(min(values), 1), "high": round(max(values), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=8)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Workspace(Path(folder)), asked.repeats)
    print(results)
    write_json(RESULTS, results)


if __name__ == "__main__":
    main()

"""First-token latency and tokens a second of ``idiolect serve`` against llama.cpp on the same exported model.

``python -m benchmarks.serving [--repeats 8]`` writes ``benchmarks/results/serving.json``. Both run the pocket model with two examples
before the request, greedy, two threads, in turns. Ours is streamed by the openai client over HTTP; llama.cpp runs inside this process
through llama-cpp-python, so that all the cost of a server is on our side. Medians, with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

from idiolect.cli.local_engine import LocalEngine
from idiolect.export import export_writer
from idiolect.methods.run import open_run
from idiolect.service import Connection, Writer
from idiolect.serving import Desk, Limits, make_app, serve
from idiolect.settings import Settings, pocket_model
from idiolect.workspace import Workspace, write_json
from idiolect.world import demonstrations, sample_author

RESULTS = Path(__file__).parent / "results" / "serving.json"
TOKEN = "benchmark-of-serving"
Run = Callable[[str], tuple[float, float, int, str]]
"""From a request to seconds until the first text, seconds in all, tokens, and the text."""


@contextmanager
def served(place: Workspace, connection: Connection) -> Iterator[str]:
    """The workspace's writers on loopback; the address."""
    ready, told = threading.Event(), []
    loop = asyncio.new_event_loop()

    def said(url: str) -> None:
        told.append(url)
        ready.set()

    app = make_app(Desk(place, Settings(), connection, Limits(per_minute=100_000)), TOKEN)
    task = loop.create_task(serve(app, "127.0.0.1", 0, said))

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


def theirs(path: Path) -> Run:
    import llama_cpp

    model = llama_cpp.Llama(str(path), n_ctx=2048, n_threads=2, verbose=False)

    def run(request: str) -> tuple[float, float, int, str]:
        start, first, text, tokens = time.perf_counter(), None, "", 0
        asked = [{"role": "user", "content": request}]
        for event in model.create_chat_completion(asked, stream=True, temperature=0, max_tokens=256, repeat_penalty=1.0):  # type: ignore[arg-type]
            piece = event["choices"][0]["delta"].get("content")  # type: ignore[index]
            if piece:
                first = first or time.perf_counter() - start
                text, tokens = text + piece, tokens + 1
        return first or 0.0, time.perf_counter() - start, tokens, text.strip()

    return run


def measure(place: Workspace, repeats: int) -> dict[str, Any]:
    rows = demonstrations(sample_author("heldout", 3), "heldout", repeats + 4, seed=4)
    shown = tuple((row.input, row.output) for row in rows[:2])
    writer = Writer(name="few_shot", base_model=pocket_model(), renderer="qwen3_instruct", examples=shown, temperature=0.0)
    open_run(place, "few_shot", {}).finish(writer)
    engine = LocalEngine([pocket_model()], place.engine_state)
    found: dict[str, list[tuple[float, float, int, str]]] = {"serve": [], "llama_cpp": []}
    try:
        with Connection(engine.start(), engine.token) as connection:
            export_writer(connection, writer, "gguf", place.root / "gguf", name="pocket")
            with served(place, connection) as url:
                runs = {"serve": ours(url, writer.name), "llama_cpp": theirs(place.root / "gguf" / "model.gguf")}
                for number, row in enumerate(rows[2:]):
                    for name, run in runs.items():
                        result = run(row.input)
                        # The first two warm both up: compiled parts, the cache of the examples.
                        if number >= 2:
                            found[name].append(result)
    finally:
        engine.stop()
    same = sum(one[3] == other[3] for one, other in zip(found["serve"], found["llama_cpp"], strict=True))
    return {
        "model": "pocket, float32, 2 examples, greedy", "requests": repeats, "same_drafts": same,
        **{name: {
            "first_text_ms": spread([1000 * first for first, *_ in results]),
            "tokens_per_second": spread([tokens / seconds for _, seconds, tokens, _ in results]),
            "draft_ms": spread([1000 * seconds for _, seconds, *_ in results]),
        } for name, results in found.items()},
    }  # fmt: skip


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

"""The local engine against transformers and peft, side by side in one run: ``python -m benchmarks.engine``.

Ours is measured as its users meet it, through the SDK over HTTP. The two alternate; a ratio is theirs to ours, above 1 where ours is
faster, its interval the smallest and largest of the pairs. Each side runs in the number format that is fastest for it here.
Writes ``benchmarks/results/engine.json`` and a table beside it after each part; ``--parts`` measures some and keeps the others.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import tinker
import torch
from tinker import types

from benchmarks.bounds import decode_bound, product_seconds, train_bound
from benchmarks.peers import Peer
from idiolect.engine import kernels
from idiolect.settings import pocket_model
from idiolect.workspace import write_atomic, write_json

RESULTS = Path(__file__).parent / "results"
RANK = 32
BATCH, LENGTH = 8, 256
PROMPTS, SAMPLES, NEW = 8, 4, 128
PROMPT_LENGTH = 64
RUBRIC, REQUEST, DRAFT = 400, 60, 120
"""Tokens of a judge's prompt: the rubric, common to all; the request, common to both orders of a pair; and each of two drafts."""

FLOORS = {
    "lora_step_vs_peft": "≥ 2",
    "sample_vs_transformers": "≥ 4",
    "judge_vs_transformers": "≥ 4",
    "new_shape_vs_warm": "≤ 1.3",
    "ready_s": "≤ 4",
    "train_share_of_matmul": "≥ 0.5",
    "decode_share_of_bound": "≥ 0.3",
}

MODELS = ("pocket", "llama_135m")
LOADS = {"samplers": (1, 4, 16, 64), "adapters": (1, 8, 32)}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Figure = dict[str, float]


class Ours:
    """An engine process that serves one model, and the SDK's clients to it."""

    def __init__(self, folder: str, dtype: str, state: Path) -> None:
        began = time.perf_counter()
        command = [sys.executable, "-m", "idiolect.engine", "--model", folder, "--dtype", dtype, "--state", str(state)]
        environment = {**os.environ, "IDIOLECT_ENGINE_TOKEN": "tml-benchmark"}
        self.process = subprocess.Popen([*command, "--parent", str(os.getpid())], stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        found = re.search(r"http\S+", self.process.stdout.readline())
        assert found is not None, "the engine did not start"
        self.ready = time.perf_counter() - began
        self.folder = folder
        self.client = tinker.ServiceClient(base_url=found[0], api_key="tml-benchmark").__enter__()
        self.base = self.client.create_sampling_client(base_model=folder).result()
        self.training = self.client.create_lora_training_client(folder, rank=RANK, train_unembed=False).result()

    def step(self, rows: list[list[int]]) -> None:
        data = [
            types.Datum(
                model_input=types.ModelInput.from_ints(row[:-1]),
                loss_fn_inputs={"target_tokens": np.array(row[1:]), "weights": np.ones(len(row) - 1, dtype=np.float32)},
            )
            for row in rows
        ]
        done = self.training.forward_backward(data, "cross_entropy")
        self.training.optim_step(types.AdamParams(learning_rate=1e-4)).result()
        done.result()

    def sample(self, prompts: list[list[int]], samples: int, tokens: int, client: tinker.SamplingClient | None = None) -> list[float]:
        """Sample, all requests at once; the seconds after which each was answered."""
        params = types.SamplingParams(max_tokens=tokens, temperature=1.0, stop=[])
        began = time.perf_counter()
        waiting = [(client or self.base).sample(types.ModelInput.from_ints(prompt), samples, params) for prompt in prompts]
        answered = []
        for one in waiting:
            assert all(len(sequence.tokens) == tokens for sequence in one.result().sequences)
            answered.append(time.perf_counter() - began)
        return answered

    def judge(self, prompts: list[list[int]]) -> None:
        params = types.SamplingParams(max_tokens=1, temperature=0.0, stop=[])
        for one in [self.base.sample(types.ModelInput.from_ints(p), 1, params, topk_sample_logprobs=5) for p in prompts]:
            one.result()

    def close(self) -> None:
        self.client.__exit__(None, None, None)
        self.process.terminate()
        self.process.wait()


@contextmanager
def _engines(folder: str) -> Iterator[dict[str, Ours]]:
    with tempfile.TemporaryDirectory() as state:
        names = ["float32"] + (["bfloat16"] if kernels.available() and kernels.fast(torch.bfloat16) else [])
        running = {name: Ours(folder, name, Path(state) / name) for name in names}
        try:
            yield running
        finally:
            for one in running.values():
                one.close()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _figure(ratios: list[float], **more: float | str) -> dict[str, Any]:
    return {"ratio": round(median(ratios), 3), "low": round(min(ratios), 3), "high": round(max(ratios), 3), **more}


def _against(ours: dict[str, Callable[[], object]], theirs: dict[str, Callable[[], object]], count: int) -> dict[str, Any]:
    """Ratios theirs / ours of ``count`` alternating pairs, each side in the format that was fastest in a first pair of tries."""
    best: list[str] = []
    for side in (ours, theirs):
        tried = {name: min(_timed(work) for _ in range(min(2, len(side)))) for name, work in side.items()}
        best.append(min(tried, key=tried.__getitem__))
    pairs = [(_timed(ours[best[0]]), _timed(theirs[best[1]])) for _ in range(count)]
    taken = {"ours_s": median(pair[0] for pair in pairs), "theirs_s": median(pair[1] for pair in pairs)}
    return _figure([pair[1] / pair[0] for pair in pairs], **{name: round(value, 4) for name, value in taken.items()},
                   ours_dtype=best[0], theirs_dtype=best[1])  # fmt: skip


def _rows(rng: random.Random, count: int, length: int) -> list[list[int]]:
    return [[rng.randrange(10, 2000) for _ in range(length)] for _ in range(count)]


def _judgements(rng: random.Random, pairs: int) -> list[list[int]]:
    """Both orders of ``pairs`` pairs under a rubric that no earlier call has seen."""
    (rubric,) = _rows(rng, 1, RUBRIC)
    prompts = []
    for _ in range(pairs):
        (request,), (first, second) = _rows(rng, 1, REQUEST), _rows(rng, 2, DRAFT)
        prompts += [[*rubric, *request, *first, *second], [*rubric, *request, *second, *first]]
    return prompts


def _new_shapes(ours: Ours, rng: random.Random, count: int) -> dict[str, Any]:
    """The first step of a shape never seen before against later ones of the same shape."""
    ratios = []
    for number in range(count):
        rows = _rows(rng, 3 + number, 150 + 13 * number)
        first = _timed(lambda rows=rows: ours.step(rows))
        ratios.append(first / median(_timed(lambda rows=rows: ours.step(rows)) for _ in range(5)))
    return _figure(ratios)


def _load(ours: Ours, rng: random.Random, tokens: int) -> dict[str, Any]:
    """Tokens a second and latency against concurrent samplers of one adapter, and against adapters with two samplers each."""
    found: dict[str, Any] = {"samplers": {}, "adapters": {}}
    client = ours.training.save_weights_and_get_sampling_client().result()

    def measured(asked: Callable[[], list[float]], sequences: int) -> Figure:
        asked()
        runs = [asked() for _ in range(3)]
        seconds = median(max(run) for run in runs)
        return {"tokens_per_second": round(sequences * tokens / seconds, 1), "latency_s": round(median(median(run) for run in runs), 3)}

    for samplers in LOADS["samplers"]:
        found["samplers"][samplers] = measured(lambda n=samplers: ours.sample(_rows(rng, n, PROMPT_LENGTH), 1, tokens, client), samplers)
    clients = []
    for number in range(max(LOADS["adapters"])):
        other = ours.client.create_lora_training_client(ours.folder, rank=RANK, seed=number, train_unembed=False).result()
        clients.append(other.save_weights_and_get_sampling_client().result())
    params = types.SamplingParams(max_tokens=tokens, temperature=1.0, stop=[])

    def adapters(count: int) -> list[float]:
        began = time.perf_counter()
        waiting = [client.sample(types.ModelInput.from_ints(_rows(rng, 1, PROMPT_LENGTH)[0]), 2, params) for client in clients[:count]]
        answered = []
        for one in waiting:
            one.result()
            answered.append(time.perf_counter() - began)
        return answered

    for count in LOADS["adapters"]:
        found["adapters"][count] = measured(lambda n=count: adapters(n), 2 * count)
    return found


class Bench:
    """One model folder's measurements: ``count`` pairs a figure, ``judged`` pairs of drafts in a judge's pass."""

    def __init__(self, folder: str, running: dict[str, Ours], count: int, judged: int) -> None:
        self.folder, self.running, self.count, self.judged = folder, running, count, judged
        self.rng = random.Random(0)
        # Where products of bfloat16 are not faster, transformers would take minutes with it.
        dtypes = [name for name, dtype in DTYPES.items() if product_seconds(dtype) <= product_seconds(torch.float32)]
        self.peers = {name: Peer(folder, DTYPES[name], RANK) for name in dtypes}
        # What transformers and peft have made here is not for the collector to walk through while our client waits.
        gc.collect()
        gc.freeze()

    def training(self) -> dict[str, Any]:
        rows = _rows(self.rng, BATCH, LENGTH)
        step = _against(
            {name: lambda one=one: one.step(rows) for name, one in self.running.items()},
            {name: lambda one=one: one.step(rows) for name, one in self.peers.items()},
            self.count,
        )  # fmt: skip
        bounds = [train_bound(self.folder, DTYPES[step["ours_dtype"]], BATCH, LENGTH, RANK) for _ in range(self.count)]
        return {
            "lora_step_vs_peft": step,
            "train_share_of_matmul": _figure([bound / step["ours_s"] for bound in bounds]),
            "new_shape_vs_warm": _new_shapes(self.running[step["ours_dtype"]], self.rng, self.count),
        }

    def sampling(self) -> dict[str, Any]:
        prompts = _rows(self.rng, PROMPTS, PROMPT_LENGTH)
        sampled = _against(
            {name: lambda one=one: one.sample(prompts, SAMPLES, NEW) for name, one in self.running.items()},
            {name: lambda one=one: one.sample(prompts, SAMPLES, NEW) for name, one in self.peers.items()},
            self.count,
        )  # fmt: skip
        dtype, places = DTYPES[sampled["ours_dtype"]], PROMPT_LENGTH + NEW / 2
        bounds = [decode_bound(self.folder, dtype, PROMPTS * SAMPLES, places) for _ in range(self.count)]
        shares = [bound / (sampled["ours_s"] / NEW) for bound in bounds]
        return {"sample_vs_transformers": sampled, "decode_share_of_bound": _figure(shares)}

    def judging(self) -> dict[str, Any]:
        # New prompts each time: only what the engine can share within one pass counts.
        passes = _against(
            {name: lambda one=one: one.judge(_judgements(self.rng, self.judged)) for name, one in self.running.items()},
            {
                f"{name}, {n} at a time": lambda one=one, n=n: one.judge(_judgements(self.rng, self.judged), n)
                for name, one in self.peers.items()
                for n in (8, 16)
            },
            self.count,
        )  # fmt: skip
        return {"judge_vs_transformers": passes | {"pairs": self.judged}}

    def load(self) -> dict[str, Any]:
        return {"load": _load(self.running[next(reversed(self.running))], self.rng, 64)}

    def start(self) -> dict[str, Any]:
        ready = []
        for number in range(self.count):
            with tempfile.TemporaryDirectory() as state:
                one = Ours(self.folder, "float32", Path(state) / str(number))
                ready.append(one.ready)
                one.close()
        return {"ready_s": _figure(ready)}


PARTS = ("training", "sampling", "judging", "load", "start")


def random_llama(folder: Path) -> str:
    """A random model of SmolLM-135M's shape, with the pocket model's tokenizer."""
    import shutil

    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=2048, tie_word_embeddings=True, eos_token_id=2, bos_token_id=1,
    )  # fmt: skip
    LlamaForCausalLM(shape).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(pocket_model()) / name, folder / name)
    return str(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.engine")
    parser.add_argument("--count", type=int, default=5, help="pairs of runs of each figure")
    parser.add_argument("--only", choices=MODELS)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure; the file keeps the rest")
    parser.add_argument("--out", type=Path, default=RESULTS / "engine.json")
    options = parser.parse_args()
    os.environ["TINKER_TELEMETRY"] = "0"
    torch.set_num_threads(os.cpu_count() or 1)
    machine = {"processor": _processor(), "threads": torch.get_num_threads(), "torch": torch.__version__, "kernels": kernels.available()}
    held = json.loads(options.out.read_text()) if options.out.exists() else {}
    # Figures of another machine are not kept beside this one's.
    found = held if machine.items() <= held.items() else machine
    for model in [options.only] if options.only else MODELS:
        with tempfile.TemporaryDirectory() as state:
            folder = pocket_model() if model == "pocket" else random_llama(Path(state) / "llama")
            with _engines(folder) as running:
                bench = Bench(folder, running, options.count, 64 if model == "pocket" else 8)
                for part in options.parts:
                    found.setdefault(model, {}).update(getattr(bench, part)())
                    write_json(options.out, found)
                    write_atomic(options.out.with_suffix(".md"), "\n".join(_table(json.loads(json.dumps(found)))) + "\n")
                    print(part, json.dumps(found[model]), flush=True)
    print("\n".join(_table(json.loads(json.dumps(found)))))


def _processor() -> str:
    """The processor's name and whether it multiplies bfloat16."""
    named = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text()) if Path("/proc/cpuinfo").exists() else None
    return f"{named[1] if named else platform.processor()}, bfloat16 {'on' if kernels.fast(torch.bfloat16) else 'off'}"


def _table(found: dict[str, Any]) -> Iterator[str]:
    """The figures as Markdown, with the floors that the engine is held to on the pocket model."""
    kernels_are = "on" if found["kernels"] else "off"
    yield f"{found['processor']}; {found['threads']} threads, torch {found['torch']}, kernels {kernels_are}; median (lowest–highest)."
    models = [name for name in MODELS if name in found]
    yield ""
    yield f"| | floor, pocket | {' | '.join(models)} |"
    yield "|---|---|" + "---|" * len(models)
    for name, floor in FLOORS.items():
        measured = [found[model].get(name) for model in models]
        cells = [f"{one['ratio']} ({one['low']}–{one['high']})" if one else "–" for one in measured]
        yield f"| {name} | {floor} | {' | '.join(cells)} |"
    for kind in ("samplers", "adapters"):
        for count in LOADS[kind]:
            loads = [found[model].get("load", {}).get(kind, {}).get(str(count)) for model in models]
            cells = [f"{load['tokens_per_second']:,.0f} tokens/s, {load['latency_s']} s" if load else "–" for load in loads]
            yield f"| {count} {kind} | never falls | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()

"""Saves that are killed: run as a program, it forks writers, kills each at a random moment and looks at what is left.

Arguments: the base model's folder, the state folder, how many writers to kill. One engine process takes seconds to start; a fork of a
process that has torch loaded takes milliseconds, so that many moments are tried.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from idiolect.engine.checkpoints import Checkpoints, Place
from idiolect.engine.loading import load_transformer
from idiolect.engine.lora import Adapter, AdapterShape
from idiolect.engine.training import TrainedModel

PLACE = Place.made("run", "weights", "same")


def write(state: Path, trained: TrainedModel, first: int, said: int) -> None:
    """Overwrite one checkpoint for ever, each time with another number everywhere; say each number that was saved."""
    store = Checkpoints(state)
    for number in range(first, first + 10_000):
        for tensor in (trained.adapter.flat, trained.mean, trained.square):
            tensor.fill_(number)
        trained.steps = number
        store.save(PLACE, trained, "base", overwrite=True, ttl=None, metadata={"number": str(number)})
        os.write(said, f"{number}\n".encode())


def held(state: Path, trained: TrainedModel) -> int:
    """The one number that the whole checkpoint consists of, read as after a restart."""
    store = Checkpoints(state)
    adapter = store.load_adapter(PLACE, trained.adapter.model)
    store.load_optimizer(PLACE, trained)
    numbers = {value for tensor in (adapter.flat, trained.mean, trained.square) for value in tensor.unique().tolist()}
    numbers |= {trained.steps, int(store.facts(PLACE)["user_metadata"]["number"])}
    assert len(numbers) == 1, f"a mixed checkpoint: {numbers}"
    home = store.home(PLACE)
    assert len(list(home.iterdir())) == 2, f"leftovers: {list(home.iterdir())}"
    return int(numbers.pop())


def main(model: Path, state: Path, kills: int) -> None:
    torch.set_num_threads(1)
    base = load_transformer(model, torch.device("cpu"), torch.float32)
    trained = TrainedModel(Adapter.zeros(base, AdapterShape(8)))
    draw = random.Random(0)
    number, moved, left_over = 0, 0, 0
    for trial in range(kills):
        reader, said = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                write(state, trained, number + 1, said)
            finally:
                os._exit(1)
        os.close(said)
        if trial == 0:
            os.read(reader, 16)  # something must be there to be kept
        time.sleep(draw.uniform(0.002, 0.08))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the writer failed by itself"
        with os.fdopen(reader, "rb") as pipe:
            lines = pipe.read().split()
        left_over += len(list((state / "run" / "weights" / "same").iterdir())) > 2
        found = held(state, trained)
        assert found >= (int(lines[-1]) if lines else number), "a checkpoint that was said to be saved is lost"
        moved += found > number
        number = found
    print(json.dumps({"moved": moved, "left_over": left_over, "number": number}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

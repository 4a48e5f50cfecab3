"""A workspace with writers of every kind over a running engine: the base model, one with a prompt and examples, one with an adapter."""

from __future__ import annotations

from pathlib import Path

import tinker

from idiolect.corpus.demonstrations import save_demonstrations
from idiolect.methods.run import open_run
from idiolect.service import Connection, Model, Writer
from idiolect.service.datums import training_datum
from idiolect.settings import Models, Settings
from idiolect.workspace import Workspace
from idiolect.world import demonstrations, sample_author
from running_engine import RunningEngine

__all__ = ["AUTHOR", "HELDOUT", "RENDERER", "workspace_with_writers"]

AUTHOR = sample_author("development", 5)
HELDOUT = [row.input for row in demonstrations(AUTHOR, "development", 12, seed=2)]
RENDERER = "qwen3_instruct"


def workspace_with_writers(folder: Path, engine: RunningEngine, *, renderer: str = RENDERER, rank: int = 8, steps: int = 4) -> Workspace:
    """Writers ``baseline``, ``few_shot`` and ``sft``, all greedy; the adapter covers attention, MLP and unembedding."""
    place, model = Workspace(folder), engine.models[0]
    rows = demonstrations(AUTHOR, "development", 4, seed=1)
    Settings(author=AUTHOR.name, preset="local", model=Models(policy=model, renderer=renderer)).save(place.settings)
    save_demonstrations(place.demonstrations, rows)
    plain = Writer(name="baseline", base_model=model, renderer=renderer, max_tokens=160, temperature=0.0)
    shown = tuple((row.input, row.output) for row in rows[:2])
    prompted = plain.model_copy(
        update={"name": "few_shot", "system_prompt": 'Write e-mails "in" this style:\n- short — like «this»', "examples": shown}
    )
    with Connection(engine.url, engine.token) as connection:
        trainer = connection.client.create_lora_training_client(base_model=model, rank=rank).result()
        talk = connection.renderer(Model(model, renderer))
        data = [training_datum(talk, [*plain.messages(row.input), {"role": "assistant", "content": row.output}], 512) for row in rows]
        for _ in range(steps):
            trainer.forward_backward(data, "cross_entropy").result()
            trainer.optim_step(tinker.AdamParams(learning_rate=1e-2)).result()
        path = trainer.save_weights_for_sampler("final").result().path
    for writer in (plain, prompted, plain.model_copy(update={"name": "sft", "adapter": path})):
        open_run(place, writer.name, {}).finish(writer)
    return place

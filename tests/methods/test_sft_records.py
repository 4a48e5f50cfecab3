"""What a killed training left behind, and rows: their order, and what stands before them."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinker_cookbook.tokenizer_utils import get_tokenizer

from idiolect.methods.rows import RowsBuilder, RowsDataset
from idiolect.methods.training import correct_checkpoints
from idiolect.service.connect import renderer_name
from idiolect.settings import pocket_model
from idiolect.workspace import read_json_lines, write_json_lines


def test_the_next_batch_is_recorded_once_and_torn_records_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.jsonl"
    write_json_lines(path, [{"name": "000002", "epoch": 0, "batch": 2}, {"name": "000004", "epoch": 1, "batch": 0}])
    with path.open("a") as file:
        file.write('{"name": "0000')
    write_json_lines(tmp_path / "metrics.jsonl", [{"step": step} for step in range(4)])
    for _ in range(2):
        correct_checkpoints(path, batches=3, steps=10)
        records = list(read_json_lines(path))
        assert [(record["epoch"], record["batch"]) for record in records] == [(1, 0), (1, 1)]


def test_a_checkpoint_of_the_last_step_is_left_out_and_the_final_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.jsonl"
    final = {"name": "final", "epoch": 2, "batch": 0}
    write_json_lines(path, [{"name": "000002", "epoch": 0, "batch": 2}, {"name": "000004", "epoch": 1, "batch": 1}, final])
    write_json_lines(tmp_path / "metrics.jsonl", [{"step": step} for step in range(5)])
    correct_checkpoints(path, batches=3, steps=5)
    assert [record["name"] for record in read_json_lines(path)] == ["000002", "final"]
    assert list(read_json_lines(path))[-1] == final


def test_a_checkpoint_of_a_step_that_was_not_logged_is_left_out(tmp_path: Path) -> None:
    """The loop logs a step after its checkpoint; a kill between the two would leave a step out of the metrics for good."""
    path = tmp_path / "checkpoints.jsonl"
    write_json_lines(path, [{"name": "000002", "epoch": 0, "batch": 2}, {"name": "000004", "epoch": 1, "batch": 1}])
    metrics = tmp_path / "metrics.jsonl"
    write_json_lines(metrics, [{"step": step} for step in range(4)])
    with metrics.open("a") as file:
        file.write('{"step": 4, "train')
    correct_checkpoints(path, batches=3, steps=10)
    assert [record["name"] for record in read_json_lines(path)] == ["000002"]


@pytest.mark.parametrize("prompt", [None, "Write short lines."])
def test_rows_are_learnt_after_the_prompt_that_is_given(tmp_path: Path, prompt: str | None) -> None:
    write_json_lines(tmp_path / "rows.jsonl", [["Ask Ann for 3", "hello Ann, is 3 there?"]])
    renderer = renderer_name(pocket_model(), None)
    shape = {"model_name": pocket_model(), "renderer_name": renderer, "batch_size": 1, "max_length": 256, "seed": 0}
    dataset, _ = RowsBuilder(path=str(tmp_path / "rows.jsonl"), system_prompt=prompt, **shape)()
    (datum,) = dataset.get_batch(0)
    tokenizer = get_tokenizer(pocket_model())
    learnt = [weight > 0 for weight in datum.loss_fn_inputs["weights"].data]
    targets = datum.loss_fn_inputs["target_tokens"].data
    assert (tokenizer.encode("Write short lines.")[1] in datum.model_input.to_ints()[:12]) == (prompt is not None)
    assert "hello Ann, is 3 there?" in tokenizer.decode([int(token) for token, own in zip(targets, learnt, strict=True) if own])
    assert "Ask Ann" not in tokenizer.decode([int(token) for token, own in zip(targets, learnt, strict=True) if own])


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 5), st.integers(0, 3))
def test_each_epoch_has_every_row_once_in_an_order_of_its_own(count: int, batch: int, seed: int, epoch: int) -> None:
    dataset = RowsDataset(list(range(count)), lambda row: row, batch, seed)  # type: ignore[arg-type,return-value]
    dataset.set_epoch(epoch)
    batches = [dataset.get_batch(index) for index in range(len(dataset))]
    assert sorted(row for rows in batches for row in rows) == list(range(count))
    assert len(dataset) == math.ceil(count / batch)
    other = RowsDataset(list(range(count)), lambda row: row, batch, seed)  # type: ignore[arg-type,return-value]
    other.set_epoch(epoch + 1)
    other.set_epoch(epoch)
    assert [other.get_batch(index) for index in range(len(other))] == batches

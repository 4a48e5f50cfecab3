"""A model that babbles words and ends its answers, so that something passes the filters."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import transformers

from checkpoints import tiny_checkpoint
from idiolect.service import Connection, Writer
from running_engine import start_engine


def babbling_checkpoint(path: Path) -> Path:
    """A tiny model that samples nearly evenly from whole words, letters and the end mark, and hardly anything else."""
    tiny_checkpoint(path, "qwen3", tie_word_embeddings=False)
    model = transformers.Qwen3ForCausalLM.from_pretrained(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    words = {number for piece, number in tokenizer.get_vocab().items() if len(piece) > 2 and piece.isalpha()}
    words |= {tokenizer.convert_tokens_to_ids("<|im_end|>")}
    torch.manual_seed(1)
    with torch.no_grad():
        # Every hidden state gets a common direction, which the head turns into a bias.
        common = torch.nn.functional.normalize(torch.randn(model.config.hidden_size), dim=0)
        model.model.embed_tokens.weight.add_(20 * common)
        sign = torch.tensor([1.0 if number in words else -1.0 for number in range(model.config.vocab_size)])
        model.lm_head.weight.copy_(sign[:, None] * common + 0.1 * torch.randn_like(model.lm_head.weight))
    model.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    path = babbling_checkpoint(tmp_path_factory.mktemp("model") / "babbling")
    return Writer(name="teacher", base_model=str(path), renderer="qwen3_instruct", system_prompt="Babble.", max_tokens=64)


@pytest.fixture(scope="session")
def connection(teacher: Writer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with start_engine(teacher.base_model, state=tmp_path_factory.mktemp("state")) as engine, Connection(engine.url, engine.token) as opened:
        yield opened

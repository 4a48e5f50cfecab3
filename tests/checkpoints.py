"""Tiny random checkpoints of each family, with a tiny tokenizer, for tests that need a model folder."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT = ["Dear Ann, the review moves to Friday at 3 pm. Best regards, Tom", "hello there, how are you today? thanks and see you soon"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def tiny_tokenizer(folder: Path) -> transformers.PreTrainedTokenizerFast:
    """A byte-level BPE of 384 pieces with ChatML's special tokens, saved into ``folder``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=384, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXT * 4, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML
    )
    fast.save_pretrained(folder)
    return fast


def tiny_checkpoint(path: Path, family: str, **settings: object) -> Path:
    """A random model of ``family`` (qwen2, qwen3 or llama), 2 layers of 64, in ``path``; ``settings`` override the config."""
    path.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer(path)
    shapes: dict[str, object] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "eos_token_id": tokenizer.convert_tokens_to_ids("<|im_end|>"),
        "bos_token_id": None,
        "tie_word_embeddings": family == "qwen3",
    }
    if family == "qwen3":
        shapes["head_dim"] = 24
    if family == "llama":
        scaling = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
        shapes["rope_parameters"] = {"rope_type": "llama3", "rope_theta": 10000.0, **scaling}
    shapes.update(settings)
    kind = {"qwen2": "Qwen2", "qwen3": "Qwen3", "llama": "Llama"}[family]
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}ForCausalLM")(getattr(transformers, f"{kind}Config")(**shapes))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Norms and biases start at one and zero: moved, so that a forgotten one shows; the rest large enough to matter.
            parameter.add_(torch.randn_like(parameter) * (0.2 if "norm" in name or "bias" in name else 0.1))
    model.generation_config.eos_token_id = shapes["eos_token_id"]
    model.save_pretrained(path)
    return path

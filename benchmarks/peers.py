"""What the engine is measured against: the same work through transformers and peft, as one would write it for this machine."""

from __future__ import annotations

import warnings

import peft
import torch
import transformers

__all__ = ["Peer"]

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Peer:
    """One model in one ``dtype``."""

    def __init__(self, folder: str, dtype: torch.dtype, rank: int = 32) -> None:
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
        trained = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        # 32, as the engine's adapters have it.
        self.trained = peft.get_peft_model(trained, peft.LoraConfig(r=rank, lora_alpha=32, target_modules=PROJECTIONS)).train()
        parameters = [p for p in self.trained.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.0)

    def step(self, rows: list[list[int]]) -> None:
        """One LoRA step on rows of equal length, all tokens but the first as targets."""
        tokens = torch.tensor(rows)
        self.trained(input_ids=tokens, labels=tokens).loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    @torch.inference_mode()
    def sample(self, prompts: list[list[int]], samples: int, tokens: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.generate(
                torch.tensor(prompts), num_return_sequences=samples, do_sample=True, top_k=0, pad_token_id=0,
                min_new_tokens=tokens, max_new_tokens=tokens,
            )  # fmt: skip

    @torch.inference_mode()
    def judge(self, prompts: list[list[int]], batch: int = 16) -> None:
        """The next token's logprobs after each prompt; prompts of equal length, ``batch`` at a time."""
        for start in range(0, len(prompts), batch):
            logits = self.model(torch.tensor(prompts[start : start + batch]), logits_to_keep=1, use_cache=False).logits
            logits[:, -1].float().log_softmax(dim=-1)

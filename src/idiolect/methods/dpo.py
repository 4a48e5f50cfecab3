"""Direct preference optimization (Rafailov et al. 2023, arXiv 2305.18290): the loss, and one step of it over Tinker.

Knows pairs of tokenized texts and a training client. Knows nothing of where pairs come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from idiolect.service.sampling import Messages

if TYPE_CHECKING:
    import tinker
    import torch
    from tinker_cookbook.renderers import Renderer

__all__ = ["DpoLoss", "Preference", "Text", "dpo_step", "text_of"]


@dataclass(frozen=True)
class Text:
    """An answer to a request in tokens, and what the reference makes of it."""

    datum: tinker.Datum
    """Its weights are 1 on the answer's tokens (the end mark included) and 0 before."""
    reference: float
    """log π_ref(answer | request), nats: summed over the answer's tokens. Computed once, for the reference never changes."""

    @property
    def tokens(self) -> int:
        return int(sum(self.datum.loss_fn_inputs["weights"].data))


@dataclass(frozen=True)
class Preference:
    better: Text
    worse: Text


@dataclass(frozen=True)
class DpoLoss:
    """What is minimized, as the mean over pairs of a function of h = log-ratio of the better − log-ratio of the worse answer."""

    beta: float = 0.1
    """How dear it is to leave the reference."""
    kind: Literal["sigmoid", "ipo"] = "sigmoid"
    """−log σ(βh) (equation 7), or (h − 1/2β)² with log-ratios a token (Azar et al. 2023, arXiv 2310.12036, equation 17)."""
    label_smoothing: float = 0.0
    """The share ε of pairs taken to be the wrong way round: −(1−ε) log σ(βh) − ε log σ(−βh)."""
    imitation: float = 0.0
    """Weight of the better answer's mean −log-probability a token (the extra term of RPO, Pang et al. 2024, arXiv 2404.19733)."""

    def __call__(self, better_P: torch.Tensor, worse_P: torch.Tensor, pairs: Sequence[Preference]) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss and its figures. ``better_P`` and ``worse_P`` are the policy's summed log-probabilities of each pair's answers."""
        import torch

        def column(values: list[float]) -> torch.Tensor:
            return torch.tensor(values, dtype=better_P.dtype)

        won_P = better_P - column([pair.better.reference for pair in pairs])
        lost_P = worse_P - column([pair.worse.reference for pair in pairs])
        lengths_P, others_P = (
            column([float(text.tokens) for text in texts]) for texts in zip(*((p.better, p.worse) for p in pairs), strict=True)
        )
        if self.kind == "ipo":
            loss_P = (won_P / lengths_P - lost_P / others_P - 1 / (2 * self.beta)) ** 2
        else:
            log_sigmoid, h_P = torch.nn.functional.logsigmoid, self.beta * (won_P - lost_P)
            loss_P = -(1 - self.label_smoothing) * log_sigmoid(h_P) - self.label_smoothing * log_sigmoid(-h_P)
        figures = {
            "dpo_loss": loss_P.mean().item(),
            "accuracy": (won_P > lost_P).float().mean().item(),
            "margin": (self.beta * (won_P - lost_P)).mean().item(),
            "better_reward": (self.beta * won_P).mean().item(),
            "worse_reward": (self.beta * lost_P).mean().item(),
            "better_nll": -(better_P / lengths_P).mean().item(),
        }
        return (loss_P - self.imitation * better_P / lengths_P).mean(), figures


def text_of(renderer: Renderer, asked: Messages, answer: str, max_length: int, reference: float = 0.0) -> Text:
    """The tokens of an answer to the conversation ``asked``; one longer than ``max_length`` is cut at its end."""
    from tinker_cookbook.renderers import TrainOnWhat
    from tinker_cookbook.supervised.common import datum_from_model_input_weights

    messages = [*asked, {"role": "assistant", "content": answer}]
    tokens, weights = renderer.build_supervised_example(messages, train_on_what=TrainOnWhat.LAST_ASSISTANT_MESSAGE)  # type: ignore[arg-type]
    return Text(datum_from_model_input_weights(tokens, (weights > 0).float(), max_length, reduction="none"), reference)


async def dpo_step(
    client: tinker.TrainingClient, pairs: Sequence[Preference], loss: DpoLoss, learning_rate: float, *, update: bool = True
) -> dict[str, float]:
    """One optimizer step on pairs, any number of them; without ``update`` the gradient alone is accumulated. Returns the loss's figures.

    The SDK's ``forward_backward_custom`` sends the tokens twice: forward for log-probabilities, and backward as a cross-entropy
    whose weights are −∂loss/∂log-probability.
    """
    import tinker
    import torch

    # Each text is sent once, however many pairs it is in: a demonstration meets several drafts in a batch.
    texts = list({id(text): text for pair in pairs for text in (pair.better, pair.worse)}.values())
    place = {id(text): index for index, text in enumerate(texts)}

    def measured(data: list[tinker.Datum], logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        sums = torch.stack([(one * datum.loss_fn_inputs["weights"].to_torch()).sum() for one, datum in zip(logprobs, data, strict=True)])
        better, worse = (
            sums[[place[id(text)] for text in side]] for side in zip(*((pair.better, pair.worse) for pair in pairs), strict=True)
        )
        return loss(better, worse, pairs)

    gradient = client.forward_backward_custom([text.datum for text in texts], measured)
    if update:
        moved = client.optim_step(tinker.AdamParams(learning_rate=learning_rate, beta1=0.9, beta2=0.95, eps=1e-8))
        await moved
    return dict((await gradient).metrics)
